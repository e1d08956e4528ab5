//! Several messages in one record, in the format of Amazon's producer library: a mark, a protobuf message, its MD5.
//!
//! A stream's price is by records and its limit 1000 of them a second and shard; and since a partition has only one record
//! on its way at a time, aggregation is what lets a busy symbol be fast.

use md5::{Digest, Md5};
use prost::Message as _;

const MARK: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];
const SUM: usize = 16;

/// The library's message, by its field numbers.
#[derive(Clone, PartialEq, prost::Message)]
struct Aggregated {
    #[prost(string, repeated, tag = "1")]
    partition_keys: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    explicit_hash_keys: Vec<String>,
    #[prost(message, repeated, tag = "3")]
    records: Vec<Part>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Part {
    #[prost(uint64, tag = "1")]
    partition_key_index: u64,
    #[prost(uint64, optional, tag = "2")]
    explicit_hash_key_index: Option<u64>,
    #[prost(bytes = "vec", tag = "3")]
    data: Vec<u8>,
}

/// The room that a message of so many bytes takes at most besides them.
pub const OVERHEAD: usize = 32;

/// One record that holds these messages of one partition.
pub fn aggregate(partition: &str, bodies: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let part = |data| Part { partition_key_index: 0, explicit_hash_key_index: None, data };
    let all = Aggregated {
        partition_keys: vec![partition.into()],
        explicit_hash_keys: Vec::new(),
        records: bodies.map(part).collect(),
    };
    let body = all.encode_to_vec();
    [&MARK[..], &body, &Md5::digest(&body)].concat()
}

/// Whether a message by itself would be taken for several.
pub fn looks_aggregated(data: &[u8]) -> bool {
    data.starts_with(&MARK)
}

/// The messages of a record, each with its partition. A record that is not aggregated, or whose sum is wrong, is one message.
pub fn messages(partition: &str, data: Vec<u8>) -> Vec<(String, Vec<u8>)> {
    match parts(&data) {
        Some(parts) => parts,
        None => vec![(partition.into(), data)],
    }
}

fn parts(data: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let rest = data.strip_prefix(&MARK)?;
    let (body, sum) = rest.split_at_checked(rest.len().checked_sub(SUM)?)?;
    if sum != Md5::digest(body).as_slice() {
        return None;
    }
    let all = Aggregated::decode(body).ok()?;
    let part = |part: Part| {
        let key = all.partition_keys.get(usize::try_from(part.partition_key_index).ok()?)?;
        Some((key.clone(), part.data))
    };
    all.records.into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_together_comes_apart(
            partition in "\\PC{1,20}",
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 1..20),
        ) {
            let record = aggregate(&partition, bodies.iter().cloned());
            let sizes: usize = bodies.iter().map(|body| body.len() + OVERHEAD).sum();
            prop_assert!(record.len() <= sizes + partition.len() + OVERHEAD);
            let found = messages("other", record.clone());
            prop_assert_eq!(found.len(), bodies.len());
            for ((key, found), body) in found.iter().zip(&bodies) {
                prop_assert_eq!((key, found), (&partition, body));
            }
            // Cut or changed, it is one message that nobody can read, not several wrong ones.
            let mut broken = record;
            let at = broken.len() / 2;
            broken[at] ^= 1;
            prop_assert_eq!(messages("other", broken.clone()), vec![("other".to_string(), broken)]);
        }

        #[test]
        fn any_bytes_are_a_message(data in proptest::collection::vec(any::<u8>(), 0..100), marked: bool) {
            let data = if marked { [&MARK[..], &data].concat() } else { data };
            prop_assert_eq!(messages("p", data.clone()), vec![("p".to_string(), data)]);
        }
    }

    /// Written by hand from the format's description: two keys, three messages.
    #[test]
    fn a_record_of_several_partitions() {
        let body = b"\x0a\x01A\x0a\x02BB\x1a\x06\x08\x01\x1a\x02hi\x1a\x04\x08\x00\x1a\x00\x1a\x07\x08\x00\x10\x00\x1a\x01x";
        let record = [&MARK[..], body, &Md5::digest(body)].concat();
        let expected =
            [("BB", "hi"), ("A", ""), ("A", "x")].map(|(k, v)| (k.to_string(), v.as_bytes().to_vec()));
        assert_eq!(messages("p", record), expected);
    }
}
