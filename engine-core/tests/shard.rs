//! A shard is a fold: cut, repeated or resumed from a snapshot, the stream gives the same answers.

use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::shard::{BadRecord, Output, REMEMBERED_ORDERS, Shard};
use engine_core::snapshot::SnapshotError;
use engine_core::types::Side;
use engine_core::wire::{EventKind, EventRecord};
use proptest::prelude::*;

const START: u64 = 1_765_894_800_000;

fn record() -> impl Strategy<Value = String> {
    let symbol = prop_oneof![Just("AAA"), Just("BBB")];
    let add = (symbol.clone(), 0u32..40, 0u32..4, any::<bool>(), 95u64..106, 1u64..20, 0usize..4, 0usize..8).prop_map(
        |(symbol, order, user, is_buy, price, quantity, kind, terms)| {
            let (order_type, tif) = [("LIMIT", "GTC"), ("LIMIT", "IOC"), ("LIMIT", "FOK"), ("MARKET", "IOC")][kind];
            let terms = [r#","stop":100"#, r#","display":2"#, r#","post_only":true"#].get(terms).unwrap_or(&"");
            format!(
                r#"{{"action":"ADD","symbol":"{symbol}","order_id":"ord_{order}","user_id":"u{user}","is_buy":{is_buy},"price":{price},"quantity":{quantity},"type":"{order_type}","tif":"{tif}"{terms}}}"#
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

/// What was told of one symbol.
fn told_of(out: &Output, symbol: &str) -> Vec<Vec<u8>> {
    let named = format!("\"{symbol}\"");
    let closed = format!("(\"{symbol}\"");
    let is_of = |body: &[u8]| {
        let text = String::from_utf8_lossy(body);
        text.contains(&named) || text.starts_with(&closed)
    };
    told(out).into_iter().filter(|body| is_of(body)).collect()
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

    /// However the stream is cut anew, and wherever: each symbol goes on as if it had not been.
    #[test]
    fn a_shard_cut_and_joined_goes_on_the_same(
        records in records(), at in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        // An order's id is one symbol's: whom nobody asks twice needs not be known by two shards.
        let own_ids = |record: String| {
            let own = if record.contains("\"AAA\"") { "a" } else { "b" };
            record.replace("ord_", own)
        };
        let records: Vec<_> = records.into_iter().map(|(time, record)| (time, own_ids(record))).collect();
        let (one, two) = (at.0.index(records.len() + 1), at.1.index(records.len() + 1));
        let (cut, join) = (one.min(two), one.max(two));
        let mut whole = Shard::new(SEOUL_DAY_OFFSET_S);
        let mut expected = Output::default();
        feed(&mut whole, 0, &records[..cut], &mut expected);
        let mut parts = ["AAA", "BBB"].map(|own| whole.part(|symbol| symbol == own));
        prop_assert!(parts.iter().all(|part| part.position() == 0));
        expected.clear();
        feed(&mut whole, cut, &records[..join], &mut expected);

        // Each child has its own records alone, which it counts from 1; the clock's are everybody's.
        let of = |record: &str, own: &str| record.contains("TICK") || record.contains(&format!("\"{own}\""));
        for (part, own) in parts.iter_mut().zip(["AAA", "BBB"]) {
            *part = Shard::restore(&part.snapshot()).unwrap();
            let own_records: Vec<_> =
                records[cut..join].iter().filter(|(_, record)| of(record, own)).cloned().collect();
            let mut out = Output::default();
            feed(part, 0, &own_records, &mut out);
            prop_assert_eq!(told_of(&out, own), told_of(&expected, own));
        }
        let mut joined = Shard::join(&parts).unwrap();
        prop_assert_eq!(Shard::restore(&joined.snapshot()).unwrap().snapshot(), joined.snapshot());
        let (mut rest, mut same) = (Output::default(), Output::default());
        feed(&mut whole, join, &records, &mut rest);
        feed(&mut joined, 0, &records[join..], &mut same);
        for own in ["AAA", "BBB"] {
            prop_assert_eq!(told_of(&same, own), told_of(&rest, own));
        }
        for (symbol, market) in whole.markets() {
            let other = joined.market(symbol).unwrap();
            prop_assert_eq!(other.sequence(), market.sequence());
            for side in [Side::Buy, Side::Sell] {
                prop_assert!(other.book().depth(side).eq(market.book().depth(side)));
            }
        }
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
fn stops_icebergs_and_post_only_orders_come_from_the_stream() {
    let mut shard = Shard::new(0);
    let mut out = Output::default();
    let add = |order: &str, is_buy: bool, terms: &str| {
        (
            START,
            format!(
                r#"{{"action":"ADD","symbol":"TEST","order_id":"{order}","user_id":"u-{order}","is_buy":{is_buy},"quantity":10,{terms}}}"#
            ),
        )
    };
    let records = [
        add("iceberg", false, r#""price":150,"display":2"#),
        add("stop", true, r#""price":170,"type":"MARKET","stop":150"#),
        add("maker", true, r#""price":150,"post_only":true"#),
        add("taker", true, r#""price":150"#),
    ];
    feed(&mut shard, 0, &records[..3], &mut out);
    let book = shard.market("TEST").unwrap().book();
    assert_eq!(book.queue(Side::Sell).map(|order| (order.open, order.hidden)).collect::<Vec<_>>(), [(2, 8)]);
    assert_eq!(book.len(), 2, "the post-only order was refused");
    // What is stopped survives a snapshot, under its own name.
    shard = Shard::restore(&shard.snapshot()).unwrap();
    feed(&mut shard, 3, &records, &mut out);
    let notices: Vec<_> = out.notices.iter().map(|n| std::str::from_utf8(&n.body).unwrap()).collect();
    let is_told = |id: &str, status: &str, rest: &str| {
        let head = format!(r#""id":"{id}","st":"{status}""#);
        notices.iter().any(|notice| notice.contains(&head) && notice.contains(rest))
    };
    assert!(is_told("maker", "REJECTED", "would_take"));
    assert!(is_told("iceberg", "FILLED", r#""r":0"#));
    assert!(is_told("stop", "TRIGGERED", r#""q":10,"r":10"#), "{notices:?}");
    assert!(is_told("stop", "CANCELLED", "no_opposite_quote"), "{notices:?}");
    let triggered =
        out.records.iter().any(|record| String::from_utf8_lossy(&record.body).contains("TRIGGERED"));
    assert!(!triggered, "the fills stream has its events as before");
}

#[test]
fn what_cannot_be_joined_says_why() {
    let mut shard = Shard::new(0);
    let order =
        r#"{"action":"ADD","symbol":"A","order_id":"a","user_id":"u","is_buy":true,"price":1,"quantity":1}"#;
    feed(&mut shard, 0, &[(START, order.to_string())], &mut Output::default());
    let why = |parts: &[Shard]| Shard::join(parts).unwrap_err();
    assert_eq!(why(&[]), SnapshotError::Impossible("nothing to join"));
    let twice = [shard.clone(), shard.clone()];
    assert_eq!(why(&twice), SnapshotError::Impossible("a symbol in two shards"));
    let elsewhere = [shard.clone(), Shard::new(60)];
    assert_eq!(why(&elsewhere), SnapshotError::Impossible("days that begin at different times"));
    let mut other = Shard::new(0);
    feed(&mut other, 0, &[(START, order.replace("\"A\"", "\"B\""))], &mut Output::default());
    let (live, cancel) = (other.clone(), r#"{"action":"CANCEL","symbol":"B","order_id":"a","user_id":"u"}"#);
    assert_eq!(why(&[shard.clone(), live]), SnapshotError::Impossible("an order in two shards"));
    // Where it is over in one of them, the other has it, whichever comes first.
    other.apply(2, START, cancel.as_bytes(), &mut Output::default()).unwrap();
    for parts in [[shard.clone(), other.clone()], [other, shard]] {
        let mut joined = Shard::restore(&Shard::join(&parts).unwrap().snapshot()).unwrap();
        let mut out = Output::default();
        joined.apply(1, START, cancel.replace('B', "A").as_bytes(), &mut out).unwrap();
        assert!(String::from_utf8_lossy(&out.records[0].body).contains("CANCELLED"));
    }
}

/// Of two parents' finished orders as many are remembered as a shard remembers, the newest of each.
#[test]
fn a_joined_shard_remembers_what_both_have_finished() {
    let line = |own: &str, n: usize| {
        format!(
            r#"{{"action":"ADD","symbol":"{own}","order_id":"{own}{n}","user_id":"u","is_buy":true,"price":1,"quantity":1,"tif":"IOC"}}"#
        )
    };
    let parent = |own: &str| {
        let records: Vec<_> = (0..REMEMBERED_ORDERS).map(|n| (START, line(own, n))).collect();
        let mut shard = Shard::new(0);
        feed(&mut shard, 0, &records, &mut Output::default());
        shard
    };
    let mut joined = Shard::join(&[parent("A"), parent("B")]).unwrap();
    for own in ["A", "B"] {
        for (n, known) in [
            (0, false),
            (REMEMBERED_ORDERS / 2 - 1, false),
            (REMEMBERED_ORDERS / 2, true),
            (REMEMBERED_ORDERS - 1, true),
        ] {
            let mut out = Output::default();
            let mut probe = joined.clone();
            probe.apply(1, START, line(own, n).as_bytes(), &mut out).unwrap();
            assert_eq!(out.counts.duplicates, u64::from(known), "{own}{n}");
        }
    }
    joined = Shard::restore(&joined.snapshot()).unwrap();
    assert_eq!(joined.position(), 0);
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
