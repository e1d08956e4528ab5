//! A flow in memory: steps at their times, packed into about a dozen bytes each, so that a million of them fit a phone.

use engine_core::codec::{CodecError, decode_command, encode_command};
use engine_core::command::{Command, MassCancel, NewOrder, Replace, TimedCommand};
use engine_core::digest::Digest;
use engine_core::flow::Step;
use engine_core::market::Market;
use engine_core::types::{Link, Millis, OrderId, UserId};

/// The most steps that a flow may have.
pub const MAX_STEPS: u64 = 4_000_000;
/// The most memory that its steps may take.
pub const MAX_BYTES: usize = 128 << 20;
/// Ids of a flow's orders and accounts are below this; the sandbox's own are above.
pub const MAX_FLOW_ID: u64 = 1 << 60;
/// The latest time that a flow may come to: some 285,000 years on, so that no sum of times overflows.
pub const MAX_TIME: Millis = 1 << 53;

/// Steps between two entries of the index.
const STRIDE: u64 = 256;

const _: () = assert!(MAX_BYTES < u32::MAX as usize, "the index has offsets of 32 bits");

/// Why a step was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The flow is as long as it may be.
    Full,
    /// An id of an order or an account is not below [`MAX_FLOW_ID`].
    IdTooLarge,
    /// A time is after [`MAX_TIME`].
    TimeTooLarge,
}

impl NotTaken {
    pub const fn as_str(self) -> &'static str {
        match self {
            NotTaken::Full => "the flow is longer than the sandbox takes",
            NotTaken::IdTooLarge => "an id is larger than the sandbox takes",
            NotTaken::TimeTooLarge => "a time is later than the sandbox takes",
        }
    }
}

/// Everything that others did, in order.
#[derive(Clone, Debug)]
pub struct Flow {
    /// What it is traded under.
    pub symbol: String,
    /// The market before the first step.
    pub opening: Market,
    /// What the market was after the last step where it was recorded, if the record says so.
    pub recorded_state: Option<u128>,
    bytes: Vec<u8>,
    /// Where every 256th step begins, and the time of the step before it.
    index: Vec<(u32, Millis)>,
    steps: u64,
    first: Millis,
    last: Millis,
    digest: Digest,
}

impl Flow {
    pub fn new(symbol: &str, opening: Market) -> Flow {
        Flow {
            symbol: symbol.into(),
            opening,
            recorded_state: None,
            bytes: Vec::new(),
            index: Vec::new(),
            steps: 0,
            first: 0,
            last: 0,
            digest: Digest::default(),
        }
    }

    /// Appends a step; an earlier time than the last one's counts as that one.
    pub fn push(&mut self, time: Millis, step: &Step) -> Result<(), NotTaken> {
        if self.steps >= MAX_STEPS || self.bytes.len() >= MAX_BYTES - (1 << 16) {
            return Err(NotTaken::Full);
        }
        if !ids_fit(step) {
            return Err(NotTaken::IdTooLarge);
        }
        if time > MAX_TIME {
            return Err(NotTaken::TimeTooLarge);
        }
        if self.steps == 0 {
            (self.first, self.last) = (time, time);
        }
        let time = time.max(self.last);
        if self.steps.is_multiple_of(STRIDE) {
            self.index.push((self.bytes.len() as u32, self.last));
        }
        let from = self.bytes.len();
        let since = time - self.last;
        match step {
            Step::Command(command) => {
                let mut one = Vec::with_capacity(32);
                encode_command(&TimedCommand { time: since, command: command.clone() }, &mut one);
                put(&mut self.bytes, (one.len() as u64) << 1);
                self.bytes.extend_from_slice(&one);
            }
            Step::Reduce { order, by } => {
                put(&mut self.bytes, 1);
                for number in [since, order.0, *by] {
                    put(&mut self.bytes, number);
                }
            }
        }
        self.digest.bytes(&self.bytes[from..]);
        self.last = time;
        self.steps += 1;
        Ok(())
    }

    /// How many steps there are.
    pub fn len(&self) -> u64 {
        self.steps
    }

    pub fn is_empty(&self) -> bool {
        self.steps == 0
    }

    /// Times of the first and the last step.
    pub fn span(&self) -> (Millis, Millis) {
        (self.first, self.last)
    }

    /// What its steps take, in bytes.
    pub fn memory(&self) -> usize {
        self.bytes.capacity() + self.index.capacity() * size_of::<(u32, Millis)>()
    }

    /// Names the flow by what it holds: steps, times and opening.
    pub fn digest(&self) -> u128 {
        let mut digest = self.digest;
        digest.numbers(&[self.first, self.steps]);
        digest.bytes(&engine_core::digest::state_hash(&self.opening).to_le_bytes());
        digest.value()
    }

    /// Where step `position` (from 0 on) begins.
    pub fn cursor(&self, position: u64) -> Cursor {
        let position = position.min(self.steps);
        let block = (position / STRIDE).min((self.index.len() as u64).saturating_sub(1));
        let Some(&(offset, time)) = self.index.get(block as usize) else { return Cursor::default() };
        let mut cursor = Cursor { position: block * STRIDE, offset: offset as usize, time };
        while cursor.position < position && self.skip(&mut cursor).is_some() {}
        cursor
    }

    /// How many steps are not later than `time`.
    pub fn steps_until(&self, time: Millis) -> u64 {
        if self.steps == 0 || time < self.first {
            return 0;
        }
        // The time before a block is that of its last step before it: the first block stands for itself.
        let block = self.index.partition_point(|&(_, before)| before <= time).max(1) - 1;
        let mut cursor = self.cursor(block as u64 * STRIDE);
        loop {
            let mut next = cursor;
            match self.skip(&mut next) {
                Some(at) if at <= time => cursor = next,
                _ => return cursor.position,
            }
        }
    }

    /// Time of the step at the cursor; none at the end.
    pub fn time_of(&self, cursor: &Cursor) -> Option<Millis> {
        self.skip(&mut cursor.clone())
    }

    /// Passes over a step and answers its time.
    fn skip(&self, cursor: &mut Cursor) -> Option<Millis> {
        let mut at = cursor.offset;
        let head = take(&self.bytes, &mut at)?;
        let since = if head & 1 == 0 {
            let end = at + (head >> 1) as usize;
            let since = take(&self.bytes, &mut at)?;
            at = end;
            since
        } else {
            let since = take(&self.bytes, &mut at)?;
            take(&self.bytes, &mut at)?;
            take(&self.bytes, &mut at)?;
            since
        };
        *cursor = Cursor { position: cursor.position + 1, offset: at, time: cursor.time + since };
        Some(cursor.time)
    }

    /// The step at the cursor, which moves on; none at the end.
    pub fn next(&self, cursor: &mut Cursor) -> Option<(Millis, Step)> {
        let mut at = cursor.offset;
        let (since, step) = Flow::unpack(&self.bytes, &mut at)?;
        *cursor = Cursor { position: cursor.position + 1, offset: at, time: cursor.time + since };
        Some((cursor.time, step))
    }

    /// Reads one step of [`Flow::packed`] and the time since the one before it; none where there is none, or no whole one.
    #[inline]
    pub(crate) fn unpack(bytes: &[u8], at: &mut usize) -> Option<(Millis, Step)> {
        let head = take(bytes, at)?;
        if head & 1 == 0 {
            let end = at.checked_add(usize::try_from(head >> 1).ok()?)?;
            let timed: Result<TimedCommand, CodecError> = decode_command(bytes.get(*at..end)?);
            *at = end;
            let timed = timed.ok()?;
            Some((timed.time, Step::Command(timed.command)))
        } else {
            let since = take(bytes, at)?;
            let order = OrderId(take(bytes, at)?);
            Some((since, Step::Reduce { order, by: take(bytes, at)? }))
        }
    }

    /// All steps, as they are kept.
    pub(crate) fn packed(&self) -> &[u8] {
        &self.bytes
    }
}

/// A place in a flow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// How many steps are before it.
    pub position: u64,
    offset: usize,
    /// Time of the step before it.
    time: Millis,
}

fn ids_fit(step: &Step) -> bool {
    let order = |order: OrderId| order.0 < MAX_FLOW_ID;
    let user = |user: UserId| user.0 < MAX_FLOW_ID;
    match step {
        Step::Reduce { order: id, .. } => order(*id),
        Step::Command(command) => match command {
            Command::Add(NewOrder { order: id, user: of, link, .. }) => {
                let linked = match link {
                    Link::None => true,
                    Link::Other(other) | Link::ExitOf(other) => order(*other),
                };
                order(*id) && user(*of) && linked
            }
            Command::Cancel { order: id, user: of }
            | Command::Replace(Replace { order: id, user: of, .. }) => order(*id) && user(*of),
            Command::MassCancel(MassCancel { user: of, .. }) => of.is_none_or(user),
            Command::SetPhase(_) | Command::Define(_) | Command::Tick => true,
        },
    }
}

/// LEB128.
pub(crate) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

pub(crate) fn take(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_core::types::Side;

    fn flow(times: &[Millis]) -> Flow {
        let mut flow = Flow::new("TEST", Market::default());
        for (n, &time) in (1..).zip(times) {
            let order = NewOrder::limit(OrderId(n), UserId(0), Side::Buy, 100, n);
            let step = match n % 3 {
                0 => Step::Reduce { order: OrderId(n - 1), by: 1 },
                _ => Step::Command(Command::Add(order)),
            };
            flow.push(time, &step).unwrap();
        }
        flow
    }

    #[test]
    fn steps_come_back_from_everywhere() {
        let times: Vec<Millis> = (0..1_000u64).map(|n| 5_000 + n / 3 * 7).collect();
        let flow = flow(&times);
        assert_eq!((flow.len(), flow.span()), (1_000, (5_000, *times.last().unwrap())));
        let mut cursor = flow.cursor(0);
        for (n, &time) in (0u64..).zip(&times) {
            assert_eq!(cursor, flow.cursor(n));
            assert_eq!(flow.time_of(&cursor), Some(time));
            assert_eq!(flow.next(&mut cursor).unwrap().0, time);
        }
        assert_eq!(flow.next(&mut cursor), None);
        for time in 4_990..7_400 {
            assert_eq!(
                flow.steps_until(time),
                times.iter().filter(|&&at| at <= time).count() as u64,
                "{time}"
            );
        }
    }

    #[test]
    fn what_would_collide_with_own_orders_is_refused() {
        let mut flow = flow(&[1]);
        let order = NewOrder::limit(OrderId(MAX_FLOW_ID), UserId(0), Side::Buy, 100, 1);
        assert_eq!(flow.push(2, &Step::Command(Command::Add(order))), Err(NotTaken::IdTooLarge));
        assert_eq!(flow.len(), 1);
    }

    #[test]
    fn times_whose_sums_would_overflow_are_refused() {
        let mut flow = flow(&[1]);
        let step = Step::Command(Command::Tick);
        assert_eq!(flow.push(Millis::MAX, &step), Err(NotTaken::TimeTooLarge));
        assert_eq!((flow.push(MAX_TIME, &step), flow.span()), (Ok(()), (1, MAX_TIME)));
    }

    #[test]
    fn flows_are_named_by_what_they_hold() {
        assert_eq!(flow(&[1, 2]).digest(), flow(&[1, 2]).digest());
        assert_ne!(flow(&[1, 2]).digest(), flow(&[1, 3]).digest());
        assert_ne!(flow(&[1, 2]).digest(), flow(&[2, 3]).digest(), "the same gaps from another time");
    }
}
