//! Files as flows, chunk by chunk, with a bounded list of what could not be read.

use crate::flow::{Flow, MAX_FLOW_ID, MAX_TIME, NotTaken};
use engine_core::command::{Command, NewOrder};
use engine_core::flow::reader::{BadEntry, Entry, FlowReader, Format};
use engine_core::flow::record::Block;
use engine_core::flow::{ANYBODY, LobsterKind, LobsterMessage, Step};
use engine_core::market::Market;
use engine_core::snapshot::decode_market;
use engine_core::types::{Millis, OrderId, PostOnly, Side};
use engine_core::wire::is_symbol;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// How many bad lines are kept; the rest are counted.
pub const KEPT_BAD: usize = 100;
/// Golden files have no times: their commands come so far apart.
pub const GOLDEN_GAP_MS: Millis = 10;
/// LOBSTER's midnight where the file's name has no date: 2025-12-16 in UTC.
const MIDNIGHT: Millis = 1_765_843_200_000;
/// Immediate orders that executions must have been caused by are numbered from here on.
const TAKERS: u64 = 1 << 59;

const _: () = assert!(TAKERS < MAX_FLOW_ID);

/// A line or block that was passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// Of the line or block, from 1 on.
    pub number: u64,
    pub reason: String,
}

/// How far reading has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loading {
    pub bytes: u64,
    pub steps: u64,
    /// How many could not be read.
    pub bad: u64,
    /// The first of them.
    pub first_bad: Vec<Bad>,
}

/// Reads one file.
#[derive(Debug)]
pub struct Loader {
    reader: FlowReader,
    target: Target,
    /// The rest of the file cannot be had: what of a line is there means nothing.
    is_broken_off: bool,
}

#[derive(Debug)]
struct Target {
    flow: Flow,
    loading: Loading,
    midnight: Millis,
    /// LOBSTER orders that a message has entered.
    entered: HashSet<u64>,
    /// LOBSTER orders that rested before the first message, as far as later messages tell: side, price and how much.
    before: BTreeMap<u64, (Side, u64, u64)>,
    ended: bool,
    /// Of the line or block that was looked at last.
    number: u64,
}

impl Loader {
    /// `name`: the file's, which may hold a symbol and a date, as LOBSTER's do (`AAPL_2012-06-21_…`).
    pub fn new(name: &str) -> Loader {
        let stem = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let symbol = stem.split(['_', '.']).next().unwrap_or_default().to_ascii_uppercase();
        let symbol = if is_symbol(&symbol) { symbol.as_str() } else { "REPLAY" };
        Loader {
            reader: FlowReader::default(),
            is_broken_off: false,
            target: Target {
                flow: Flow::new(symbol, Market::default()),
                loading: Loading::default(),
                midnight: date_in(stem).unwrap_or(MIDNIGHT),
                entered: HashSet::new(),
                before: BTreeMap::new(),
                ended: false,
                number: 0,
            },
        }
    }

    /// The next bytes of the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.target.loading.bytes += bytes.len() as u64;
        let target = &mut self.target;
        self.reader.push(bytes, &mut |number, entry| target.take(number, entry));
    }

    /// The file cannot be read any further: told with the number of the line or block that would have come next, however many bad ones
    /// there were before, which may be what the damage left of good ones.
    pub fn break_off(&mut self, reason: &str) {
        self.is_broken_off = true;
        let Loading { bad, first_bad, .. } = &mut self.target.loading;
        *bad += 1;
        first_bad.push(Bad { number: self.target.number + 1, reason: reason.into() });
    }

    pub fn loading(&self) -> &Loading {
        &self.target.loading
    }

    /// The flow, and what was wrong with the file.
    pub fn finish(mut self) -> (Flow, Loading) {
        let target = &mut self.target;
        if !self.is_broken_off {
            self.reader.finish(&mut |number, entry| target.take(number, entry));
        }
        if self.reader.format() == Some(Format::Lobster) {
            target.open_lobster();
        }
        (self.target.flow, self.target.loading)
    }
}

impl Target {
    fn take(&mut self, number: u64, entry: Result<Entry, BadEntry>) {
        self.number = number;
        match entry {
            Err(bad) => self.bad(number, bad.to_string()),
            Ok(Entry::Golden(command)) => {
                let time = crate::generate::START + self.flow.len() * GOLDEN_GAP_MS;
                self.push(number, time, &Step::Command(command));
            }
            Ok(Entry::Lobster(message)) => self.message(number, &message),
            Ok(Entry::Block(block)) => self.block(number, block),
        }
    }

    fn bad(&mut self, number: u64, reason: String) {
        self.loading.bad += 1;
        if self.loading.first_bad.len() < KEPT_BAD {
            self.loading.first_bad.push(Bad { number, reason });
        }
    }

    fn push(&mut self, number: u64, time: Millis, step: &Step) -> bool {
        let taken = self.flow.push(time, step);
        if let Err(why) = taken {
            self.bad(number, why.as_str().into());
        }
        self.loading.steps = self.flow.len();
        taken.is_ok()
    }

    fn message(&mut self, number: u64, message: &LobsterMessage) {
        let Some(step) = message.step(OrderId(TAKERS + number)) else { return };
        if message.order.0 >= TAKERS {
            return self.bad(number, "order_id is larger than the sandbox takes".into());
        }
        if !self.push(number, self.midnight.saturating_add(message.time_ns / 1_000_000), &step) {
            return;
        }
        if message.kind == LobsterKind::New {
            self.entered.insert(message.order.0);
        } else if !self.entered.contains(&message.order.0) {
            let rested = self.before.entry(message.order.0).or_insert((message.side, message.price, 0));
            rested.2 = rested.2.saturating_add(message.size);
        }
    }

    fn block(&mut self, number: u64, block: Block) {
        match block {
            Block::Begin { symbol, snapshot } => match decode_market(&snapshot) {
                Ok(market) if market.time() > MAX_TIME => {
                    self.bad(number, NotTaken::TimeTooLarge.as_str().into());
                }
                Ok(market) => {
                    let symbol = if is_symbol(&symbol) { symbol } else { "REPLAY".into() };
                    self.flow = Flow::new(&symbol, market);
                }
                Err(error) => self.bad(number, error.to_string()),
            },
            Block::Commands(commands) => {
                for timed in commands {
                    self.push(number, timed.time, &Step::Command(timed.command));
                }
            }
            Block::End { state, .. } => {
                self.ended = true;
                self.flow.recorded_state = (self.loading.bad == 0).then_some(state);
            }
        }
    }

    /// Puts the orders that rested before the first message in front of it, oldest first. They may only rest: one that entered the
    /// file's view later could cross the book as it was at the beginning.
    fn open_lobster(&mut self) {
        if self.before.is_empty() {
            return;
        }
        let mut whole = Flow::new(&self.flow.symbol, self.flow.opening.clone());
        let (first, _) = self.flow.span();
        for (&order, &(side, price, quantity)) in &self.before {
            let plain = NewOrder::limit(OrderId(order), ANYBODY, side, price, quantity);
            let step = Step::Command(Command::Add(NewOrder { post_only: PostOnly::Reject, ..plain }));
            if let Err(why) = whole.push(first, &step) {
                return self.bad(0, why.as_str().into());
            }
        }
        let mut cursor = self.flow.cursor(0);
        while let Some((time, step)) = self.flow.next(&mut cursor) {
            if let Err(why) = whole.push(time, &step) {
                self.bad(0, why.as_str().into());
                break;
            }
        }
        self.loading.steps = whole.len();
        self.flow = whole;
    }
}

/// The first `YYYY-MM-DD` of a name, as the UTC instant at which that day begins.
fn date_in(name: &str) -> Option<Millis> {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.to_string());
    let starts = name.char_indices().map(|(at, _)| at);
    let date = starts.filter_map(|at| name.get(at..at + 10)).find_map(|text| {
        let dashes = text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
        dashes.then_some(()).and(Some([text.get(..4)?, text.get(5..7)?, text.get(8..)?]))
    })?;
    let [year, month, day] = date.map(digits);
    let minute = format!("{}{}{}0000", year?, month?, day?);
    Some(engine_core::candle::parse_minute(&minute)? * 1000)
}

/// A whole file at once.
pub fn load(name: &str, bytes: &[u8]) -> (Flow, Loading) {
    let mut loader = Loader::new(name);
    loader.push(bytes);
    loader.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_core::command::TimedCommand;
    use engine_core::event::Event;
    use engine_core::flow::record::RecordWriter;

    const MESSAGES: &str = "\
34200.001,1,11,10,5000,1
34200.002,4,5,3,5100,-1
34200.0025,nonsense
34200.003,2,5,4,5100,-1
34200.004,4,5,2,5100,-1
34200.005,5,0,9,5050,1
34200.006,3,11,10,5000,1
";

    #[test]
    fn what_rested_before_is_there_at_the_beginning() {
        let (flow, loading) = load("AAPL_2012-06-21_message_10.csv", MESSAGES.as_bytes());
        assert_eq!(
            loading.first_bad,
            [Bad {
                number: 3,
                reason: "six fields are needed: time,type,order_id,size,price,direction".into()
            }]
        );
        assert_eq!((flow.symbol.as_str(), flow.len()), ("AAPL", 6));
        assert_eq!(flow.span().0, 1_340_236_800_000 + 34_200_001, "the day of the name");
        let mut market = flow.opening.clone();
        let mut events = Vec::new();
        let mut cursor = flow.cursor(0);
        while let Some((time, step)) = flow.next(&mut cursor) {
            if let Some(command) = step.resolve(&market) {
                market.apply(time, &command, &mut events);
            }
        }
        let filled: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Filled(fill) => Some((fill.maker.order.0, fill.price, fill.quantity)),
                _ => None,
            })
            .collect();
        assert_eq!(filled, [(5, 5100, 3), (5, 5100, 2)]);
        assert!(market.book().is_empty());
    }

    #[test]
    fn a_record_from_the_end_of_time_is_refused_and_said() {
        for (opening, step) in [(Millis::MAX, Millis::MAX), (1, Millis::MAX)] {
            let mut market = Market::default();
            market.apply(opening, &Command::Tick, &mut Vec::new());
            let mut writer = RecordWriter::new("TEST", &market);
            writer.push(&TimedCommand { time: step, command: Command::Tick });
            let (flow, loading) = load("x.flow", &writer.finish(&market));
            let late = NotTaken::TimeTooLarge.as_str();
            assert!(loading.first_bad.iter().any(|bad| bad.reason == late), "{loading:?}");
            assert!(flow.is_empty() && flow.recorded_state.is_none());
            assert!(flow.opening.time() <= MAX_TIME);
        }
    }

    #[test]
    fn only_the_first_bad_lines_are_kept() {
        let (flow, loading) = load("x.csv", "CANCEL,x,,,,,\n".repeat(1_000).as_bytes());
        assert_eq!((flow.len(), loading.bad, loading.first_bad.len()), (0, 1_000, KEPT_BAD));
    }
}
