//! Snapshots: those of earlier versions load, damaged ones are refused, and forged ones do no harm.

use engine_core::command::{Command, MassCancel, NewOrder};
use engine_core::event::Event;
use engine_core::market::Market;
use engine_core::snapshot::{MARKET_VERSION, SnapshotError, decode_market, encode_market};
use engine_core::types::{Millis, OrderId, Phase, Side, TimeInForce, UserId};
use generate::{Flow, Random, START};
use proptest::prelude::*;
use std::fmt::Write;
use std::path::Path;
use std::sync::LazyLock;

#[allow(dead_code)]
#[path = "support/generate.rs"]
mod generate;

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A book as the text beside each snapshot has it.
fn write_book(market: &Market, text: &mut String) {
    for side in Side::BOTH {
        for order in market.book().queue(side) {
            let (id, user) = (order.order.0, order.user.0);
            writeln!(text, "{} {id} {user} {} {}", side.as_str(), order.price, order.open).unwrap();
        }
    }
}

fn describe(market: &Market) -> String {
    let mut text = format!(
        "sequence {}\ntime {}\ncandle {:?}\nday {:?}\n",
        market.sequence(),
        market.time(),
        market.candle().copied(),
        market.day().copied()
    );
    write_book(market, &mut text);
    text
}

#[test]
fn a_market_of_version_1_loads_trades_on_and_is_written_as_this_version() {
    let bytes = fixture("market-v1.bin");
    assert_eq!(bytes[4], 1);
    let mut market = decode_market(&bytes).unwrap();
    market.book().check();
    assert_eq!(describe(&market).as_bytes(), fixture("market-v1.txt"));

    let now = encode_market(&market);
    assert_eq!((u64::from(now[4]), MARKET_VERSION), (3, 3));
    let again = decode_market(&now).unwrap();
    assert_eq!(describe(&again), describe(&market));
    assert_eq!(encode_market(&again), now);

    // Down to 98 there are 56, 70, 20, 7, 48 and 62 wanted, in this order.
    let taker = NewOrder::limit(OrderId(1_000), UserId(9), Side::Sell, 98, 200);
    let mut events = vec![];
    let time = market.time() + 60_000;
    market.apply(time, &Command::Add(taker), &mut events);
    let fills: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Filled(fill) => Some((fill.maker.order.0, fill.price, fill.quantity)),
            _ => None,
        })
        .collect();
    assert_eq!(fills, [(46, 99, 56), (60, 99, 70), (24, 98, 20), (22, 98, 7), (38, 98, 47)]);
    market.book().check();
    let after = encode_market(&market);
    assert_eq!(encode_market(&decode_market(&after).unwrap()), after);
}

/// It has every kind of order, in every place that version 2 knew.
#[test]
fn a_market_of_version_2_loads_and_is_written_as_this_version() {
    let bytes = fixture("market-v2.bin");
    assert_eq!(bytes[4], 2);
    let market = decode_market(&bytes).unwrap();
    market.book().check();
    assert_eq!(describe(&market).as_bytes(), fixture("market-v2.txt"));
    assert_eq!((market.book().len(), market.book().phase()), (171, Phase::Continuous));

    // Nothing but the version has changed for a state that version 2 could have.
    let now = encode_market(&market);
    let (content, before) = (&now[..now.len() - 4], &bytes[..bytes.len() - 4]);
    assert_eq!((content[4], &content[5..]), (3, &before[5..]));
    assert_eq!(encode_market(&decode_market(&now).unwrap()), now);
}

#[cfg(feature = "wire")]
#[test]
fn a_shard_of_version_1_loads_and_goes_on() {
    use engine_core::shard::{Output, Shard};

    fn describe(shard: &Shard) -> String {
        let mut text = format!("position {}\n", shard.position());
        for (symbol, market) in shard.markets() {
            writeln!(text, "{symbol} sequence {}", market.sequence()).unwrap();
            write_book(market, &mut text);
        }
        text
    }

    let mut shard = Shard::restore(&fixture("shard-v1.bin")).unwrap();
    assert_eq!(describe(&shard).as_bytes(), fixture("shard-v1.txt"));
    assert_eq!(shard.place(), "", "version 1 knew none");
    shard.set_place("49590338271490256608559692538361571095921575989136588898");
    let now = shard.snapshot();
    let again = Shard::restore(&now).unwrap();
    assert_eq!((describe(&again), again.place()), (describe(&shard), shard.place()));
    assert_eq!(again.snapshot(), now);

    // The names are there too: the best offer is somebody's whom the fill names.
    let taker = r#"{"action":"ADD","symbol":"AAA","order_id":"new","user_id":"new","is_buy":true,"price":99,"quantity":9}"#;
    let mut out = Output::default();
    let (position, time) = (shard.position() + 1, shard.market("AAA").unwrap().time());
    shard.apply(position, time, taker.as_bytes(), &mut out).unwrap();
    let fill = String::from_utf8(out.records[1].body.clone()).unwrap();
    assert!(fill.contains(r#""order_id":"ord_39""#), "{fill}");
}

/// The largest snapshot of each of some flows: books with everything in them.
static RICH: LazyLock<Vec<(Millis, Vec<u8>)>> = LazyLock::new(|| {
    let largest = |seed| {
        let (mut flow, mut market, mut events) = (Flow::new(seed), Market::default(), vec![]);
        let mut largest = (0, vec![]);
        for n in 0..6_000 {
            let (time, command) = flow.next();
            events.clear();
            market.apply(time, &command, &mut events);
            if n % 50 == 0 {
                let bytes = encode_market(&market);
                if bytes.len() > largest.1.len() {
                    largest = (market.time(), bytes);
                }
            }
        }
        largest
    };
    (1..=12).map(largest).collect()
});

#[test]
fn a_truncated_snapshot_is_refused_wherever_it_ends() {
    for (_, bytes) in RICH.iter() {
        for end in 0..bytes.len() {
            assert!(decode_market(&bytes[..end]).is_err(), "{end} of {}", bytes.len());
        }
    }
}

#[test]
fn a_snapshot_is_refused_whatever_bit_is_wrong() {
    let bytes = RICH.iter().map(|(_, bytes)| bytes).min_by_key(|bytes| bytes.len()).unwrap();
    assert!(bytes.len() > 1_000, "{} bytes are not much", bytes.len());
    let mut altered = bytes.clone();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            altered[at] ^= 1 << bit;
            let error = decode_market(&altered).unwrap_err();
            let expected = if at < 4 { SnapshotError::WrongMagic } else { SnapshotError::WrongChecksum };
            assert_eq!(error, expected, "bit {bit} of byte {at}");
            altered[at] ^= 1 << bit;
        }
    }
}

/// CRC-32 (IEEE), a bit at a time.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    })
}

/// Magic and content, with the checksum that makes them a snapshot.
fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    let checksum = crc32(&content);
    content.extend_from_slice(&checksum.to_le_bytes());
    content
}

#[test]
fn other_versions_and_other_files_are_refused_by_name() {
    let (_, bytes) = &RICH[0];
    let content = &bytes[..bytes.len() - 4];
    assert_eq!(sealed(content.to_vec()), *bytes);
    for version in [0, 4, 127] {
        let mut other = content.to_vec();
        other[4] = version;
        assert_eq!(
            decode_market(&sealed(other)).unwrap_err(),
            SnapshotError::UnknownVersion(u64::from(version))
        );
    }
    assert_eq!(decode_market(&fixture("shard-v1.bin")).unwrap_err(), SnapshotError::WrongMagic);
    let mut longer = content.to_vec();
    longer.push(0);
    let error = decode_market(&sealed(longer)).unwrap_err();
    assert_eq!(error.to_string(), "the snapshot cannot be read: bytes after the end of the record");
}

/// One change of a snapshot's content as the numbers that it consists of. (A flag above 127 looks like the first half of a
/// number; that only means that the two are changed together.)
#[derive(Clone, Debug)]
enum Change {
    Set(prop::sample::Index, u64),
    Add(prop::sample::Index, i8),
    Copy { to: prop::sample::Index, from: prop::sample::Index },
    Swap(prop::sample::Index, prop::sample::Index),
    Insert(prop::sample::Index, u64),
    Remove(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    let number = || {
        prop_oneof![
            3 => 0u64..8,
            2 => 0u64..300,
            2 => prop::sample::select(vec![
                (1 << 53) - 1, 1 << 53, (1 << 54) - 2, (1 << 54) - 1, i64::MAX as u64, u64::MAX - 1, u64::MAX,
                u64::from(u32::MAX), 1 << 32, 86_400, 86_401,
            ]),
            1 => any::<u64>(),
        ]
    };
    prop_oneof![
        5 => (at(), number()).prop_map(|(at, number)| Change::Set(at, number)),
        5 => (at(), any::<i8>()).prop_map(|(at, more)| Change::Add(at, more)),
        3 => (at(), at()).prop_map(|(to, from)| Change::Copy { to, from }),
        2 => (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
        1 => (at(), number()).prop_map(|(at, number)| Change::Insert(at, number)),
        1 => (at(), 1usize..20).prop_map(|(at, count)| Change::Remove(at, count)),
    ]
}

fn numbers(mut bytes: &[u8]) -> Vec<u64> {
    let mut numbers = vec![];
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap_or(bytes.len() - 1).min(9);
        let fold = |(n, &byte): (usize, &u8)| u64::from(byte & 0x7F) << (7 * n);
        numbers.push(bytes[..=end].iter().enumerate().map(fold).fold(0, |sum, part| sum | part));
        bytes = &bytes[end + 1..];
    }
    numbers
}

fn bytes(numbers: &[u64]) -> Vec<u8> {
    let mut bytes = vec![];
    for &number in numbers {
        let mut rest = number;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

/// The snapshot with these changes and a fitting checksum.
fn forge(snapshot: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut all = numbers(&snapshot[4..snapshot.len() - 4]);
    for change in changes {
        let len = all.len();
        match change {
            Change::Set(at, number) => all[at.index(len)] = *number,
            Change::Add(at, more) => {
                let number = &mut all[at.index(len)];
                *number = number.wrapping_add_signed(i64::from(*more));
            }
            Change::Copy { to, from } => all[to.index(len)] = all[from.index(len)],
            Change::Swap(one, other) => all.swap(one.index(len), other.index(len)),
            Change::Insert(at, number) => all.insert(at.index(len), *number),
            Change::Remove(at, count) => {
                let from = at.index(len);
                all.drain(from..len.min(from + count));
            }
        }
        if all.is_empty() {
            break;
        }
    }
    sealed([&snapshot[..4], &bytes(&all)].concat())
}

/// Whatever it is, it is refused, or it is a market like any other, which its own snapshot goes on with as it does.
fn does_no_harm(snapshot: &[u8], time: Millis, seed: u64) {
    let Ok(mut market) = decode_market(snapshot) else { return };
    market.book().check();
    let once = encode_market(&market);
    let mut again = decode_market(&once).expect("what was taken once is taken again");
    assert_eq!(encode_market(&again), once);

    let mut apply = |time, command: &Command| {
        let (mut events, mut same) = (vec![], vec![]);
        market.apply(time, command, &mut events);
        again.apply(time, command, &mut same);
        assert_eq!(events, same, "{command:?}");
    };
    let mut flow = Flow::new(seed);
    let mut random = Random::new(seed);
    for n in 0..60 {
        let (after, mut command) = flow.next();
        if n == 0 || random.chance(200) {
            // At all prices, so that it meets what the snapshot holds.
            let side = random.pick(&Side::BOTH);
            let price = if side == Side::Buy { 1 << 52 } else { 1 };
            let order = NewOrder::limit(OrderId(u64::MAX - n), UserId(random.below(6)), side, price, 500);
            command = Command::Add(NewOrder { time_in_force: TimeInForce::Ioc, ..order });
        }
        apply(time + after - START, &command);
    }
    apply(Millis::MAX, &Command::Tick);
    apply(Millis::MAX, &Command::MassCancel(MassCancel::default()));
    market.book().check();
    assert_eq!(encode_market(&market), encode_market(&again));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_forged_snapshot_does_no_harm(
        which in any::<prop::sample::Index>(), changes in proptest::collection::vec(change(), 1..4), seed: u64,
    ) {
        let (time, snapshot) = &RICH[which.index(RICH.len())];
        does_no_harm(&forge(snapshot, &changes), *time, seed);
    }

    #[test]
    fn nor_does_one_of_version_1(
        changes in proptest::collection::vec(change(), 1..4), seed: u64,
    ) {
        does_no_harm(&forge(&fixture("market-v1.bin"), &changes), START, seed);
    }

    #[test]
    fn bytes_from_anywhere_are_refused(version in 0u8..4, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(decode_market(&bytes).is_err());
        let content = [b"SNMK".as_slice(), &[version], &bytes].concat();
        does_no_harm(&sealed(content), 0, 1);
    }
}
