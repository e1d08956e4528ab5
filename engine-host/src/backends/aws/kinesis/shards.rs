//! The shards of a stream, open and closed, and which are whose children.

use super::super::failure::failed;
use super::super::{Repeat, repeated};
use aws_sdk_kinesis::Client;
use edge_fns::capability::{Error, Result};
use md5::{Digest, Md5};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    pub id: String,
    /// One after a split, two after a merge; those that the stream no longer holds too.
    pub parents: Vec<String>,
    /// The hash keys that lead here, inclusive.
    pub hash_keys: (u128, u128),
    pub closed: bool,
}

impl Shard {
    /// The number in the shard's name; the service counts them up.
    pub fn number(&self) -> Result<u32> {
        number(&self.id)
    }
}

pub fn number(id: &str) -> Result<u32> {
    let digits = id.strip_prefix("shardId-").and_then(|digits| digits.parse().ok());
    digits.ok_or_else(|| Error::Internal(format!("{id:?} is not the name of a shard")))
}

/// The hash key of a partition key: the service's MD5 of it, as a number.
pub fn hash_key(partition: &str) -> u128 {
    u128::from_be_bytes(Md5::digest(super::super::escaped(partition)).into())
}

/// All shards that hold something or may get something, in the order of their names.
pub async fn list(client: &Client, stream: &str) -> Result<BTreeMap<String, Shard>> {
    let mut shards = BTreeMap::new();
    let mut next: Option<String> = None;
    loop {
        let page = repeated(Repeat::Unanswered, || async {
            let list = client.list_shards();
            // Either one goes on, or one names the stream.
            let list = match &next {
                Some(token) => list.next_token(token),
                None => list.stream_name(stream),
            };
            list.send().await.map_err(failed)
        })
        .await?;
        for shard in page.shards.unwrap_or_default() {
            let key =
                |key: &str| key.parse().map_err(|_| Error::Internal(format!("{key:?} is not a hash key")));
            let range = shard.hash_key_range.as_ref();
            let range = range.ok_or_else(|| Error::Internal("a shard has no hash keys".into()))?;
            let parents =
                [shard.parent_shard_id, shard.adjacent_parent_shard_id].into_iter().flatten().collect();
            let hash_keys = (key(&range.starting_hash_key)?, key(&range.ending_hash_key)?);
            let closed =
                shard.sequence_number_range.is_some_and(|range| range.ending_sequence_number.is_some());
            shards.insert(shard.shard_id.clone(), Shard { id: shard.shard_id, parents, hash_keys, closed });
        }
        next = page.next_token;
        if next.is_none() {
            return Ok(shards);
        }
    }
}

/// The shards that may be read now: those whose parents have been read to their end, or are no longer there. What a symbol
/// did in the parent comes before what it does in the child.
pub fn readable<'a>(
    shards: &'a BTreeMap<String, Shard>,
    ended: &'a BTreeSet<String>,
) -> impl Iterator<Item = &'a Shard> {
    shards.values().filter(move |shard| {
        let done = |parent: &String| ended.contains(parent) || !shards.contains_key(parent);
        !ended.contains(&shard.id) && shard.parents.iter().all(done)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parents: &[&str]) -> (String, Shard) {
        let parents = parents.iter().map(|id| id.to_string()).collect();
        (id.into(), Shard { id: id.into(), parents, hash_keys: (0, 1), closed: false })
    }

    #[test]
    fn parents_come_first() {
        // 0 was trimmed; 1 and 2 were merged to 3, 3 split to 4 and 5.
        let shards = BTreeMap::from([
            shard("1", &["0"]),
            shard("2", &["0"]),
            shard("3", &["1", "2"]),
            shard("4", &["3"]),
            shard("5", &["3"]),
        ]);
        let now = |ended: &[&str]| -> Vec<String> {
            let ended = ended.iter().map(|id| id.to_string()).collect();
            readable(&shards, &ended).map(|shard| shard.id.clone()).collect()
        };
        assert_eq!(now(&[]), ["1", "2"]);
        assert_eq!(now(&["1"]), ["2"]);
        assert_eq!(now(&["1", "2"]), ["3"]);
        assert_eq!(now(&["1", "2", "3", "4"]), ["5"]);
    }

    #[test]
    fn names_are_numbers() {
        assert_eq!(number("shardId-000000000012").unwrap(), 12);
        for bad in ["", "shardId-", "shardId-x", "12"] {
            assert!(number(bad).is_err());
        }
    }
}
