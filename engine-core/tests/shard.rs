//! A shard is a fold: cut, repeated or resumed from a snapshot, the stream gives the same answers.

use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::shard::{BadRecord, Output, Shard};
use engine_core::snapshot::SnapshotError;
use engine_core::wire::{EventKind, EventRecord};
use proptest::prelude::*;

const START: u64 = 1_765_894_800_000;

fn record() -> impl Strategy<Value = String> {
    let symbol = prop_oneof![Just("AAA"), Just("BBB")];
    let add = (symbol.clone(), 0u32..40, 0u32..4, any::<bool>(), 95u64..106, 1u64..20, 0usize..4).prop_map(
        |(symbol, order, user, is_buy, price, quantity, kind)| {
            let (order_type, tif) = [("LIMIT", "GTC"), ("LIMIT", "IOC"), ("LIMIT", "FOK"), ("MARKET", "IOC")][kind];
            format!(
                r#"{{"action":"ADD","symbol":"{symbol}","order_id":"ord_{order}","user_id":"u{user}","is_buy":{is_buy},"price":{price},"quantity":{quantity},"type":"{order_type}","tif":"{tif}"}}"#
            )
        },
    );
    let cancel = (symbol.clone(), 0u32..40, 0u32..4, 0u32..9).prop_map(|(symbol, order, user, request)| {
        format!(
            r#"{{"action":"CANCEL","symbol":"{symbol}","order_id":"ord_{order}","user_id":"u{user}","request_id":"r{request}"}}"#
        )
    });
    let replace = (symbol, 0u32..40, 0u32..4, 95u64..106, 1u64..20).prop_map(|(symbol, order, user, price, quantity)| {
        format!(
            r#"{{"action":"REPLACE","symbol":"{symbol}","order_id":"ord_{order}","user_id":"u{user}","price":{price},"quantity":{quantity},"request_id":"q"}}"#
        )
    });
    prop_oneof![
        8 => add,
        2 => cancel,
        2 => replace,
        1 => Just(r#"{"action":"TICK"}"#.to_string()),
        1 => Just(r#"{"action":"ADD","symbol":"AAA"}"#.to_string()),
        1 => Just("not json".to_string()),
    ]
}

fn records() -> impl Strategy<Value = Vec<(u64, String)>> {
    proptest::collection::vec((0u64..40_000, record()), 1..200).prop_map(|steps| {
        let mut time = START;
        steps
            .into_iter()
            .map(|(gap, record)| {
                time += gap;
                (time, record)
            })
            .collect()
    })
}

fn feed(shard: &mut Shard, from: usize, records: &[(u64, String)], out: &mut Output) {
    for (n, (time, record)) in records.iter().enumerate().skip(from) {
        let _ = shard.apply(n as u64 + 1, *time, record.as_bytes(), out);
    }
}

fn told(out: &Output) -> Vec<Vec<u8>> {
    let records = out.records.iter().map(|record| record.body.clone());
    let notices = out.notices.iter().map(|notice| [notice.user.as_bytes(), &notice.body].concat());
    let trades = out.trades.iter().map(|trade| trade.body.clone().into_bytes());
    let closed = out.closed.iter().map(|closed| format!("{closed:?}").into_bytes());
    records.chain(notices).chain(trades).chain(closed).collect()
}

proptest! {
    #[test]
    fn a_snapshot_anywhere_changes_nothing(records in records(), at in any::<prop::sample::Index>()) {
        let at = at.index(records.len() + 1);
        let mut whole = Shard::new(SEOUL_DAY_OFFSET_S);
        let mut out = Output::default();
        feed(&mut whole, 0, &records[..at], &mut out);
        let bytes = whole.snapshot();
        let mut resumed = Shard::restore(&bytes).unwrap();
        prop_assert_eq!(resumed.snapshot(), bytes, "the same state is the same bytes");
        let (mut rest, mut same) = (Output::default(), Output::default());
        feed(&mut whole, at, &records, &mut rest);
        // The resumed one is fed the stream from its beginning: what it has applied it passes over.
        feed(&mut resumed, 0, &records, &mut same);
        prop_assert_eq!(told(&rest), told(&same));
        prop_assert_eq!(whole.snapshot(), resumed.snapshot());
    }

    #[test]
    fn an_order_appended_twice_is_entered_once(records in records()) {
        let doubled: Vec<_> = records
            .iter()
            .flat_map(|record| std::iter::repeat_n(record.clone(), if record.1.contains("ADD") { 2 } else { 1 }))
            .collect();
        let (mut once, mut twice) = (Shard::new(0), Shard::new(0));
        let (mut one, mut two) = (Output::default(), Output::default());
        feed(&mut once, 0, &records, &mut one);
        feed(&mut twice, 0, &doubled, &mut two);
        prop_assert_eq!(told(&one), told(&two));
    }

    #[test]
    fn a_damaged_snapshot_is_refused(records in records(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut shard = Shard::new(0);
        feed(&mut shard, 0, &records, &mut Output::default());
        let mut bytes = shard.snapshot();
        let at = at.index(bytes.len());
        prop_assert!(Shard::restore(&bytes[..at]).is_err());
        bytes[at] ^= 1 << bit;
        prop_assert!(Shard::restore(&bytes).is_err());
    }

    #[test]
    fn bytes_from_anywhere_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut shard = Shard::new(0);
        let _ = shard.apply(1, 0, &bytes, &mut Output::default());
        prop_assert_eq!(shard.position(), 1);
        let _ = Shard::restore(&bytes);
    }
}

#[test]
fn a_fill_is_told_to_the_stream_and_to_both_users() {
    let mut shard = Shard::new(0);
    let mut out = Output::default();
    let add = |order: &str, user: &str, is_buy: bool, price: u64, quantity: u64| {
        (
            START,
            format!(
                r#"{{"action":"ADD","symbol":"TEST","order_id":"{order}","user_id":"{user}","is_buy":{is_buy},"price":{price},"quantity":{quantity}}}"#
            ),
        )
    };
    feed(&mut shard, 0, &[add("s", "seller", false, 150, 30), add("b", "buyer", true, 151, 10)], &mut out);
    let fill: EventRecord<'_> = serde_json::from_slice(&out.records[2].body).unwrap();
    let EventKind::Fill { fill_id, price, quantity, buyer, seller, .. } = fill.event else {
        panic!("{fill:?}")
    };
    assert_eq!((&*fill_id, price, quantity), ("TEST-3", 150, 10));
    assert_eq!((&*buyer.order_id, buyer.price, buyer.remaining), ("b", 151, 0));
    assert_eq!((&*seller.order_id, seller.price, seller.remaining), ("s", 150, 20));
    let notices: Vec<_> =
        out.notices.iter().map(|n| (&*n.user, std::str::from_utf8(&n.body).unwrap())).collect();
    assert_eq!(
        notices[2],
        (
            "seller",
            r#"{"e":"order","s":"TEST","n":3,"t":1765894800000,"id":"s","st":"PARTIALLY_FILLED","sd":"SELL","p":150,"r":20,"fp":150,"fq":10}"#
        )
    );
    assert!(notices[3].1.contains(r#""id":"b","st":"FILLED","sd":"BUY","p":151,"r":0,"fp":150,"fq":10"#));
}

#[test]
fn what_cannot_be_applied_says_why_and_is_passed_over() {
    let mut shard = Shard::new(0);
    let mut out = Output::default();
    assert_eq!(shard.apply(1, 0, b"{}", &mut out), Err(BadRecord("not an order record")));
    let record = br#"{"action":"ADD","symbol":"lower","order_id":"a","user_id":"u","is_buy":true,"price":1,"quantity":1}"#;
    assert_eq!(shard.apply(2, 0, record, &mut out), Err(BadRecord("bad symbol")));
    assert_eq!((shard.position(), out.counts.malformed), (2, 2));
    assert!(out.records.is_empty() && out.touched.is_empty());
    assert_eq!(Shard::restore(b"?").unwrap_err(), SnapshotError::Truncated);
}
