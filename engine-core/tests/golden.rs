//! Recorded flows, answered line by line as the oracle answered them.

use engine_core::book::DepthLevel;
use engine_core::command::{Command, NewOrder, Replace};
use engine_core::event::Event;
use engine_core::flow::{
    ANYBODY, GOLDEN_HEADER, GoldenReplay, LobsterKind, LobsterMessage, parse_golden, parse_lobster,
    write_golden_depth, write_golden_event,
};
use engine_core::market::Market;
use engine_core::types::{OrderId, Side, TimeInForce};
use flate2::read::MultiGzDecoder;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

fn read(path: &Path) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// Replays every `NAME.csv.gz` of a folder and compares events and depth; returns how many flows there were.
fn replay_folder(folder: &Path) -> usize {
    let mut flows: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.ends_with(".csv.gz") && !name.ends_with(".events.csv.gz") && !name.ends_with(".depth.csv.gz")
        })
        .collect();
    flows.sort();
    for flow in &flows {
        let with = |suffix: &str| PathBuf::from(flow.to_string_lossy().replace(".csv.gz", suffix));
        let (mut events, mut depth) = (String::new(), String::new());
        let mut replay = GoldenReplay::default();
        let commands = read(flow);
        for (n, line) in (1u64..).zip(commands.lines().filter(|line| *line != GOLDEN_HEADER)) {
            let command =
                parse_golden(line).unwrap_or_else(|bad| panic!("{}:{}: {bad}", flow.display(), n + 1));
            replay.apply(&command).iter().for_each(|event| write_golden_event(event, &mut events));
            if n.is_multiple_of(1000) {
                write_golden_depth(n, replay.market().book(), &mut depth);
            }
        }
        replay.market().book().check();
        compare(&with(".events.csv.gz"), &events);
        compare(&with(".depth.csv.gz"), &depth);
    }
    flows.len()
}

fn compare(expected: &Path, actual: &str) {
    let text = read(expected);
    for (n, (expected_line, line)) in text.lines().zip(actual.lines()).enumerate() {
        assert_eq!(line, expected_line, "{}:{}", expected.display(), n + 1);
    }
    assert_eq!(actual.lines().count(), text.lines().count(), "{}: lines", expected.display());
}

#[test]
fn the_projects_own_flows() {
    assert!(replay_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")) > 0);
}

#[test]
fn the_seed_engines_flows() {
    match shared("golden") {
        Some(folder) => assert!(replay_folder(&folder) > 0),
        None => skipped("the_seed_engines_flows", "golden"),
    }
}

fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(name);
    folder.is_dir().then_some(folder)
}

/// A test that tests nothing says so: past the capture of a passing test's output.
fn skipped(test: &str, folder: &str) {
    let line = format!("{test} SKIPPED: there is no folder shared/{folder} beside the checkout\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Real messages against the real book after each of them.
///
/// The files show ten levels a side and only what happens within them. So the book before the first message is seeded
/// from the first row, and a level that comes into view later is seeded when it does; every level that was in view
/// before a message must be as the row after it says.
#[test]
fn a_real_opening() {
    let Some(folder) = shared("lobster") else {
        return skipped("a_real_opening", "lobster");
    };
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let messages = file("AAPL_2012-06-21_message_10.csv");
    let rows = file("AAPL_2012-06-21_orderbook_10.csv");
    let mut opening = Opening::default();
    let first = parse_lobster(messages.lines().next().unwrap()).unwrap();
    assert_eq!(first.kind, LobsterKind::New);
    for (side, price, quantity) in levels(rows.lines().next().unwrap()) {
        let new = if (side, price) == (first.side, first.price) { first.size } else { 0 };
        opening.set(side, price, quantity - new);
    }
    let mut compared = 0;
    let mut before = levels(rows.lines().next().unwrap());
    for (n, (line, row)) in messages.lines().zip(rows.lines()).enumerate() {
        opening.follow(line);
        let row = levels(row);
        for side in [Side::Buy, Side::Sell] {
            let worst = before.iter().rfind(|level| level.0 == side).unwrap().1;
            let in_view = |price: u64| if side == Side::Buy { price >= worst } else { price <= worst };
            let ours: Vec<_> =
                opening.depth(side).into_iter().filter(|level| in_view(level.1)).take(10).collect();
            let theirs: Vec<_> =
                row.iter().filter(|level| level.0 == side && in_view(level.1)).copied().collect();
            assert_eq!(ours, theirs, "after message {}: {line}", n + 1);
            compared += theirs.len();
            for level in opening.depth(side).into_iter().filter(|level| !in_view(level.1)) {
                opening.set(side, level.1, 0);
            }
            for &(side, price, quantity) in row.iter().filter(|level| level.0 == side && !in_view(level.1)) {
                opening.set(side, price, quantity);
            }
        }
        opening.market.book().check();
        before = row;
    }
    assert!(compared > 18_000, "only {compared} levels were compared");
}

#[derive(Default)]
struct Opening {
    market: Market,
    /// What was answered last.
    events: Vec<Event>,
}

/// The order that stands for everything at a price that no message has named.
fn seed_order(price: u64) -> OrderId {
    OrderId(u64::MAX - price)
}

impl Opening {
    fn run(&mut self, command: Command) {
        self.events.clear();
        self.market.apply(0, &command, &mut self.events);
    }

    fn depth(&self, side: Side) -> Vec<(Side, u64, u64)> {
        self.market
            .book()
            .depth(side)
            .map(|DepthLevel { price, quantity, .. }| (side, price, quantity))
            .collect()
    }

    /// Makes the level what the row says, whatever was there.
    fn set(&mut self, side: Side, price: u64, quantity: u64) {
        let there: Vec<_> = self.market.book().queue(side).filter(|order| order.price == price).collect();
        for order in there {
            self.run(Command::Cancel { order: order.order, user: ANYBODY });
        }
        if quantity > 0 {
            self.add(seed_order(price), side, price, quantity);
        }
    }

    fn add(&mut self, order: OrderId, side: Side, price: u64, quantity: u64) {
        self.run(Command::Add(NewOrder::limit(order, ANYBODY, side, price, quantity)));
        assert_eq!(
            self.events.len(),
            1,
            "an entered order does not match: executions are messages of their own"
        );
    }

    fn follow(&mut self, line: &str) {
        let message = parse_lobster(line).unwrap();
        match message.kind {
            LobsterKind::New => self.add(message.order, message.side, message.price, message.size),
            LobsterKind::PartialCancel | LobsterKind::Delete => {
                self.reduce(message.order, message.price, message.size)
            }
            LobsterKind::Execution => self.execute(&message),
            LobsterKind::HiddenExecution | LobsterKind::CrossTrade | LobsterKind::Halt => {}
        }
    }

    /// An immediate order of the other side for what was executed, at the price where it was.
    fn execute(&mut self, message: &LobsterMessage) {
        let (order, side) = (OrderId(0), message.side.opposite());
        let plain = NewOrder::limit(order, ANYBODY, side, message.price, message.size);
        self.run(Command::Add(NewOrder { time_in_force: TimeInForce::Ioc, ..plain }));
        let filled: u64 = self
            .events
            .iter()
            .map(|event| match event {
                Event::Filled(fill) => {
                    assert_eq!(fill.price, message.price);
                    fill.quantity
                }
                _ => 0,
            })
            .sum();
        assert_eq!(filled, message.size, "{message:?}");
    }

    fn reduce(&mut self, order: OrderId, price: u64, by: u64) {
        let Some(resting) =
            self.market.book().get(order).or_else(|| self.market.book().get(seed_order(price)))
        else {
            return;
        };
        if resting.open <= by {
            self.run(Command::Cancel { order: resting.order, user: ANYBODY });
        } else {
            let quantity = resting.open - by;
            let (order, user) = (resting.order, ANYBODY);
            self.run(Command::Replace(Replace { order, user, price, quantity, stop: None, expected: None }));
        }
    }
}

/// Side, price and quantity of each level of a row: ask price, ask size, bid price, bid size, and so on.
fn levels(row: &str) -> Vec<(Side, u64, u64)> {
    let numbers: Vec<i64> = row.split(',').map(|field| field.trim().parse().unwrap()).collect();
    numbers
        .chunks(2)
        .enumerate()
        .filter(|(_, level)| level[0] > 0 && level[1] > 0)
        .map(|(n, level)| (if n % 2 == 0 { Side::Sell } else { Side::Buy }, level[0] as u64, level[1] as u64))
        .collect()
}

#[test]
fn bad_lines_say_what_is_wrong() {
    for (line, why) in [
        ("ADD,1,S,LIMIT,GTC,10010", "seven fields are needed: action,order_id,side,type,tif,price,qty"),
        ("ADD,x,S,LIMIT,GTC,10010,1", "order_id is not a number"),
        ("ADD,1,S,LIMIT,GTC,-5,1", "price is not a number"),
        ("ADD,1,S,LIMIT,GTC,5,99999999999999999999", "qty is not a number"),
        ("MOVE,1,S,LIMIT,GTC,5,1", "action is none of ADD, CANCEL, REPLACE"),
    ] {
        assert_eq!(parse_golden(line).unwrap_err().0, why);
    }
    assert!(parse_lobster("34200.1,9,1,1,1,1").is_err());
    let message = parse_lobster("34200.004241176,1,16113575,18,5853300,1").unwrap();
    assert_eq!((message.time_ns, message.side), (34_200_004_241_176, Side::Buy));
    assert!(matches!(parse_golden("CANCEL,7,,,,,").unwrap(), Command::Cancel { .. }));
}
