//! Flows are read the same way however their bytes are cut, and whatever they hold.

use engine_core::codec::decode_command;
use engine_core::command::{Command, NewOrder, TimedCommand};
use engine_core::digest::state_hash;
use engine_core::flow::reader::{Entry, FlowReader};
use engine_core::flow::record::{Block, RecordWriter};
use engine_core::flow::{LobsterKind, Step, parse_lobster};
use engine_core::market::Market;
use engine_core::snapshot::decode_market;
use engine_core::types::{OrderId, Side, UserId};
use proptest::prelude::*;

type Read = Vec<(u64, Result<Entry, String>)>;

fn read(chunks: &[&[u8]]) -> Read {
    let mut reader = FlowReader::default();
    let mut all = Vec::new();
    for chunk in chunks {
        reader.push(chunk, &mut |number, entry| all.push((number, entry.map_err(|bad| bad.to_string()))));
    }
    reader.finish(&mut |number, entry| all.push((number, entry.map_err(|bad| bad.to_string()))));
    all
}

fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn recorded(count: u64) -> (Vec<u8>, Market) {
    let mut market = Market::default();
    let mut writer = RecordWriter::new("TEST", &market);
    let mut out = Vec::new();
    for n in 1..=count {
        let side = if n % 2 == 0 { Side::Buy } else { Side::Sell };
        let order = NewOrder::limit(OrderId(n), UserId(n % 7), side, 100 + n * 31 % 17, 1 + n % 5);
        let timed = TimedCommand { time: 1_000 + n, command: Command::Add(order) };
        market.apply(timed.time, &timed.command, &mut Vec::new());
        writer.push(&timed);
        out.extend(writer.take());
    }
    out.extend(writer.finish(&market));
    (out, market)
}

#[test]
fn a_record_gives_back_the_market() {
    let (bytes, market) = recorded(5_000);
    let mut replayed = None;
    let mut ended = None;
    for (_, entry) in read(&[&bytes]) {
        match entry.unwrap() {
            Entry::Block(Block::Begin { symbol, snapshot }) => {
                assert_eq!(symbol, "TEST");
                replayed = Some(decode_market(&snapshot).unwrap());
            }
            Entry::Block(Block::Commands(commands)) => {
                let replayed = replayed.as_mut().unwrap();
                for timed in commands {
                    replayed.apply(timed.time, &timed.command, &mut Vec::new());
                }
            }
            Entry::Block(Block::End { commands, state }) => ended = Some((commands, state)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ended, Some((5_000, state_hash(&market))));
    assert_eq!(state_hash(&replayed.unwrap()), state_hash(&market));
}

#[test]
fn a_record_that_was_cut_off_or_altered_says_so() {
    let (bytes, _) = recorded(100);
    for end in [0, 3, 8, 12, 40, bytes.len() - 1] {
        let all = read(&[&bytes[..end]]);
        let last = &all.last().map(|(_, entry)| entry.clone());
        // Nothing at all is an empty text.
        assert_eq!(end == 0, last.is_none(), "{end}");
        assert!(end == 0 || *last == Some(Err("the record is cut off".into())), "{end}: {last:?}");
    }
    let mut altered = bytes.clone();
    let middle = bytes.len() / 2;
    altered[middle] ^= 1;
    let all = read(&[&altered]);
    assert!(all.contains(&(2, Err("the block's checksum does not match".into()))), "{all:?}");
    assert!(all.contains(&(3, Err("commands are missing, or there are too many".into()))), "{all:?}");
    altered = bytes.clone();
    altered[7] = 9;
    assert_eq!(read(&[&altered]), [(1, Err("version 9 is not known".into()))]);
}

#[test]
fn a_long_line_costs_its_number_only() {
    let long = "9".repeat(100_000);
    let text = format!("34200.1,1,1,5,100,1\n{long}\n34200.2,3,1,5,100,1");
    let all = read(&text.as_bytes().chunks(700).collect::<Vec<_>>());
    assert_eq!(all.len(), 3);
    assert_eq!(all[1], (2, Err("the line is longer than 1024 bytes".into())));
    let Ok(Entry::Lobster(last)) = &all[2].1 else { panic!("{:?}", all[2]) };
    assert_eq!((all[2].0, last.kind), (3, LobsterKind::Delete));
}

#[test]
fn a_message_is_what_must_have_caused_it() {
    let mut market = Market::default();
    let mut events = Vec::new();
    let lines =
        ["1,1,7,10,100,1", "2,2,7,3,100,1", "3,4,7,5,100,1", "4,3,7,2,100,1", "5,2,99,1,1,1", "6,5,0,1,1,1"];
    let mut open = Vec::new();
    for (n, line) in (0u64..).zip(lines) {
        let step = parse_lobster(line).unwrap().step(OrderId(1 << 60 | n));
        if let Some(command) = step.as_ref().and_then(|step: &Step| step.resolve(&market)) {
            market.apply(n, &command, &mut events);
        }
        open.push(market.book().get(OrderId(7)).map(|order| order.open));
    }
    assert_eq!(open, [Some(10), Some(7), Some(2), None, None, None]);
}

proptest! {
    #[test]
    fn text_is_read_the_same_however_it_is_cut(
        lines in prop::collection::vec("(ADD|CANCEL|1|34200.5|x)?,?[0-9BS,.-]{0,24}\r?", 0..30),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let text = lines.join("\n");
        prop_assert_eq!(read(&cut(text.as_bytes(), &cuts)), read(&[text.as_bytes()]));
    }

    #[test]
    fn records_are_read_the_same_however_they_are_cut(
        count in 0u64..400, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (bytes, _) = recorded(count);
        prop_assert_eq!(read(&cut(&bytes, &cuts)), read(&[&bytes]));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300), magic in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        if magic {
            bytes.splice(0..0, engine_core::flow::record::MAGIC);
        }
        prop_assert_eq!(read(&cut(&bytes, &cuts)), read(&[&bytes]));
        let _ = decode_command(&bytes);
    }
}
