//! Appends to streams, so that no message of a partition is ever overtaken by a later one.
//!
//! `PutRecords` takes some records of a call and refuses others, so of each partition only one record is on its way at a
//! time. While it is, the messages of its partition wait in a lane; then as many of them as fit go in one aggregated record.
//! A refused record goes again, after a pause that grows, and with it the whole lane waits; other lanes go on. So does a
//! call's record that got no answer: it may then be there twice, and its receivers drop what they have seen.
//!
//! Patience ends when a lane has not moved for so long: then what waits in it is refused, each call's messages to their end,
//! so that a caller that repeats from the first refused one on keeps its order. While a lane moves, however slowly, its
//! callers wait: that is how the stream slows them down.

use super::super::failure::failed;
use super::super::{escaped, pause};
use super::aggregate::{OVERHEAD, aggregate, looks_aggregated};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Error, Result};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// The service's limits on one call and one record, the partition key counted.
const CALL_RECORDS: usize = 500;
const CALL_BYTES: usize = 5 << 20;
const RECORD_BYTES: usize = 1 << 20;
const KEY_CHARS: usize = 256;

/// An aggregated record is not made larger: a shard takes 1 MiB a second, and a refused record is sent whole again.
const AGGREGATED_BYTES: usize = 256 << 10;
const AGGREGATED_MESSAGES: usize = 1000;

const _: () = assert!(AGGREGATED_BYTES < RECORD_BYTES && RECORD_BYTES < CALL_BYTES);

#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long a partition may stand still before those who wait are told that the stream is throttled.
    pub patience: Duration,
    /// Messages that wait at the same time, of all callers; more callers wait before they are let in.
    pub waiting: usize,
    /// Calls on their way at the same time.
    pub calls: usize,
    /// Whether waiting messages of a partition go in one record. Every consumer must take such records apart.
    pub aggregate: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { patience: Duration::from_secs(5), waiting: 16 * 1024, calls: 8, aggregate: true }
    }
}

/// The way into one stream. Clones share it.
#[derive(Clone, Debug)]
pub struct Producer {
    queue: mpsc::UnboundedSender<Parcel>,
    room: Arc<Semaphore>,
    /// Messages that were answered: whether there is hope for those who wait for room.
    answered: Arc<AtomicU64>,
    options: Options,
}

/// One call's messages of one partition.
#[derive(Debug)]
struct Parcel {
    partition: String,
    bodies: VecDeque<Vec<u8>>,
    done: Vec<Result<String>>,
    since: Instant,
    answer: oneshot::Sender<Vec<Result<String>>>,
    _room: OwnedSemaphorePermit,
}

impl Producer {
    /// Starts the task that sends; it ends when the last clone is gone and everything is answered.
    pub fn start(client: Client, stream: &str, options: Options) -> Producer {
        let (queue, parcels) = mpsc::unbounded_channel();
        let answered = Arc::new(AtomicU64::new(0));
        let sender = Sender {
            answered: answered.clone(),
            client,
            stream: stream.into(),
            options,
            lanes: HashMap::new(),
            ready: VecDeque::new(),
            calls: JoinSet::new(),
        };
        tokio::spawn(sender.run(parcels));
        Producer { queue, room: Arc::new(Semaphore::new(options.waiting)), answered, options }
    }

    /// Durable when it returns; the n-th answer answers the n-th message.
    pub async fn append(&self, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        let mut answers = vec![Err(Error::Throttled(None)); messages.len()];
        let mut parcels: HashMap<String, (Vec<usize>, VecDeque<Vec<u8>>)> = HashMap::new();
        let mut order = Vec::new();
        for (n, Message { partition, body }) in messages.into_iter().enumerate() {
            let partition = escaped(&partition);
            if partition.chars().count() > KEY_CHARS {
                answers[n] =
                    Err(Error::Invalid(format!("a partition key has more than {KEY_CHARS} characters")));
            } else if partition.len() + body.len() + 2 * OVERHEAD > RECORD_BYTES {
                answers[n] = Err(Error::Invalid(format!("a message has more than {RECORD_BYTES} bytes")));
            } else {
                let parcel = parcels.entry(partition.clone()).or_insert_with(|| {
                    order.push(partition);
                    Default::default()
                });
                parcel.0.push(n);
                parcel.1.push_back(body);
            }
        }
        let mut waiting = Vec::new();
        for partition in order {
            let Some((places, bodies)) = parcels.remove(&partition) else { continue };
            let Some(room) = self.room(bodies.len()).await else { continue };
            let (answer, answered) = oneshot::channel();
            let done = Vec::with_capacity(bodies.len());
            let parcel = Parcel { partition, bodies, done, since: Instant::now(), answer, _room: room };
            if self.queue.send(parcel).is_err() {
                return Err(Error::Unavailable("the stream's sender has stopped".into()));
            }
            waiting.push((places, answered));
        }
        for (places, answered) in waiting {
            // A sender that broke off may have sent it.
            let done = answered.await.unwrap_or_else(|_| vec![Err(Error::Timeout); places.len()]);
            for (n, answer) in places.into_iter().zip(done) {
                answers[n] = answer;
            }
        }
        Ok(answers)
    }

    /// Room for so many messages; for more than there ever is, all of it. `None` when nothing has moved for too long.
    async fn room(&self, messages: usize) -> Option<OwnedSemaphorePermit> {
        let wanted = u32::try_from(messages.min(self.options.waiting)).ok()?;
        let mut room = std::pin::pin!(self.room.clone().acquire_many_owned(wanted));
        loop {
            let before = self.answered.load(Ordering::Relaxed);
            match timeout(self.options.patience, &mut room).await {
                Ok(room) => return room.ok(),
                Err(_) if self.answered.load(Ordering::Relaxed) == before => return None,
                Err(_) => {}
            }
        }
    }
}

/// The messages of one partition that wait, oldest first.
#[derive(Debug, Default)]
struct Lane {
    parcels: VecDeque<Parcel>,
    /// Messages in the record that is on its way; 0 if none is.
    flying: usize,
    failures: u32,
    /// When a record of it was last answered.
    moved: Option<Instant>,
    /// Not sent before this, since it was refused.
    not_before: Option<Instant>,
    /// So many of the first messages may be in the stream already, without anybody having been told.
    unknown: usize,
}

/// One record of a call: how many messages of which lane.
#[derive(Debug)]
struct Flight {
    partition: String,
    messages: usize,
}

type Landed = (Vec<Flight>, Vec<Result<String>>);

struct Sender {
    answered: Arc<AtomicU64>,
    client: Client,
    stream: String,
    options: Options,
    lanes: HashMap<String, Lane>,
    /// Lanes that may be sent from, the one that has waited longest first.
    ready: VecDeque<String>,
    calls: JoinSet<Landed>,
}

impl Sender {
    async fn run(mut self, mut parcels: mpsc::UnboundedReceiver<Parcel>) {
        let mut open = true;
        while open || !self.lanes.is_empty() {
            while let Ok(parcel) = parcels.try_recv() {
                self.take(parcel);
            }
            self.wake();
            while !self.ready.is_empty() && self.calls.len() < self.options.calls {
                self.call();
            }
            let next = self.next_waking();
            tokio::select! {
                parcel = parcels.recv(), if open => match parcel {
                    Some(parcel) => self.take(parcel),
                    None => open = false,
                },
                Some(landed) = self.calls.join_next() => match landed {
                    Ok((flights, answers)) => self.land(flights, answers),
                    // Whose records those were is lost with the task; their callers learn it by the dropped sender.
                    Err(error) => {
                        tracing::error!(%error, stream = self.stream, "a call to the stream broke off");
                        self.lanes.retain(|_, lane| lane.flying == 0);
                    }
                },
                () = async { match next { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => {}
            }
        }
    }

    fn take(&mut self, parcel: Parcel) {
        let lane = self.lanes.entry(parcel.partition.clone()).or_default();
        // With something in it, it is in the queue, in the air or waiting for its time.
        if lane.parcels.is_empty() {
            self.ready.push_back(parcel.partition.clone());
        }
        lane.parcels.push_back(parcel);
    }

    /// Gives up what is past its time, and takes up the lanes whose pause is over.
    fn wake(&mut self) {
        let now = Instant::now();
        let mut over = Vec::new();
        for (partition, lane) in &mut self.lanes {
            if lane.flying == 0 {
                lane.give_up(now, self.options.patience);
                if lane.parcels.is_empty() {
                    over.push(partition.clone());
                } else if lane.not_before.is_some_and(|at| at <= now) {
                    lane.not_before = None;
                    self.ready.push_back(partition.clone());
                }
            }
        }
        for partition in over {
            self.lanes.remove(&partition);
            self.ready.retain(|ready| *ready != partition);
        }
    }

    fn next_waking(&self) -> Option<Instant> {
        let patience = self.options.patience;
        let times = |lane: &Lane| lane.not_before.into_iter().chain(lane.deadline(patience)).min();
        self.lanes.values().filter(|lane| lane.flying == 0).filter_map(times).min()
    }

    /// Sends one record of each lane that may be sent from, as far as they fit in one call.
    fn call(&mut self) {
        let (mut flights, mut entries, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(partition) = self.ready.front() {
            let Some(lane) = self.lanes.get_mut(partition) else {
                self.ready.pop_front();
                continue;
            };
            let (messages, data) = lane.record(partition, self.options.aggregate);
            if entries.len() == CALL_RECORDS || bytes + data.len() + partition.len() > CALL_BYTES {
                break;
            }
            bytes += data.len() + partition.len();
            lane.flying = messages;
            let Some(partition) = self.ready.pop_front() else { break };
            let entry =
                PutRecordsRequestEntry::builder().partition_key(&partition).data(Blob::new(data)).build();
            match entry {
                Ok(entry) => entries.push(entry),
                // Both fields are set.
                Err(error) => {
                    tracing::error!(%error, "a record could not be made");
                    continue;
                }
            }
            flights.push(Flight { partition, messages });
        }
        if flights.is_empty() {
            return;
        }
        let call = self.client.put_records().stream_name(&self.stream).set_records(Some(entries)).send();
        self.calls.spawn(async move {
            let answers = match call.await {
                Ok(output) => output
                    .records
                    .into_iter()
                    .map(|record| match (record.sequence_number, record.shard_id, record.error_code) {
                        (Some(sequence), Some(shard), None) => Ok(format!("{shard}:{sequence}")),
                        (_, _, Some(code)) if code == "InternalFailure" => Err(Error::Timeout),
                        _ => Err(Error::Throttled(None)),
                    })
                    .collect(),
                Err(error) => vec![Err(failed(error)); flights.len()],
            };
            (flights, answers)
        });
    }

    fn land(&mut self, flights: Vec<Flight>, answers: Vec<Result<String>>) {
        let now = Instant::now();
        let mut answers = answers.into_iter();
        for Flight { partition, messages } in flights {
            // An answer without a word on a record says nothing about it.
            let answer = answers.next().unwrap_or(Err(Error::Timeout));
            let Some(lane) = self.lanes.get_mut(&partition) else { continue };
            lane.flying = 0;
            if answer.is_ok() {
                lane.moved = Some(now);
                self.answered.fetch_add(messages as u64, Ordering::Relaxed);
            }
            match answer {
                Ok(name) => {
                    lane.landed(messages, |n| {
                        if messages == 1 { Ok(name.clone()) } else { Ok(format!("{name}:{n}")) }
                    });
                    (lane.failures, lane.unknown) = (0, 0);
                    if !lane.parcels.is_empty() {
                        self.ready.push_back(partition);
                    }
                }
                Err(Error::Throttled(_) | Error::Unavailable(_) | Error::Timeout) => {
                    if answer == Err(Error::Timeout) {
                        lane.unknown = lane.unknown.max(messages);
                    }
                    lane.failures += 1;
                    lane.not_before = Some(now + pause(lane.failures));
                }
                // No repetition makes it better.
                Err(error) => {
                    lane.landed(messages, |_| Err(error.clone()));
                    lane.refuse_rest(&error);
                    (lane.failures, lane.unknown) = (0, 0);
                    if !lane.parcels.is_empty() {
                        self.ready.push_back(partition);
                    }
                }
            }
        }
    }
}

impl Lane {
    /// The next record: how many messages are in it, and its data.
    fn record(&self, partition: &str, together: bool) -> (usize, Vec<u8>) {
        let mut bodies = self.parcels.iter().flat_map(|parcel| &parcel.bodies);
        let Some(first) = bodies.next() else { return (0, Vec::new()) };
        let mut all = vec![first.clone()];
        if together {
            let mut bytes = partition.len() + first.len() + 2 * OVERHEAD;
            for body in bodies {
                bytes += body.len() + OVERHEAD;
                if bytes > AGGREGATED_BYTES || all.len() == AGGREGATED_MESSAGES {
                    break;
                }
                all.push(body.clone());
            }
        }
        // A single message goes as it is, but for one that would be taken apart on arrival.
        match all.len() {
            1 if !(together && looks_aggregated(first)) => (1, all.swap_remove(0)),
            messages => (messages, aggregate(partition, all.into_iter())),
        }
    }

    /// Answers the first messages.
    fn landed(&mut self, messages: usize, mut answer: impl FnMut(usize) -> Result<String>) {
        for n in 0..messages {
            let Some(parcel) = self.parcels.front_mut() else { break };
            parcel.bodies.pop_front();
            parcel.done.push(answer(n));
            if parcel.bodies.is_empty()
                && let Some(parcel) = self.parcels.pop_front()
            {
                parcel.finish();
            }
        }
    }

    /// Refuses what a call of which something was refused has put behind it.
    fn refuse_rest(&mut self, error: &Error) {
        if let Some(parcel) = self.parcels.front_mut()
            && parcel.done.last().is_some_and(Result::is_err)
            && let Some(parcel) = self.parcels.pop_front()
        {
            parcel.refuse(error.clone());
        }
    }

    /// When patience with the oldest parcel ends.
    fn deadline(&self, patience: Duration) -> Option<Instant> {
        let since = self.parcels.front()?.since;
        Some(self.moved.map_or(since, |moved| moved.max(since)) + patience)
    }

    /// Takes off what nobody has patience for any more.
    fn give_up(&mut self, now: Instant, patience: Duration) {
        if self.deadline(patience).is_none_or(|deadline| deadline > now) {
            return;
        }
        let mut unknown = std::mem::take(&mut self.unknown);
        let mut kept = VecDeque::with_capacity(self.parcels.len());
        for parcel in std::mem::take(&mut self.parcels) {
            let sent = unknown.min(parcel.bodies.len());
            unknown -= sent;
            let since = self.moved.map_or(parcel.since, |moved| moved.max(parcel.since));
            if since + patience > now {
                self.unknown += sent;
                kept.push_back(parcel);
            } else {
                parcel.refuse(if sent > 0 { Error::Timeout } else { Error::Throttled(None) });
            }
        }
        self.parcels = kept;
    }
}

impl Parcel {
    fn finish(self) {
        // A caller that no longer waits has its record all the same.
        let _ = self.answer.send(self.done);
    }

    fn refuse(mut self, error: Error) {
        let left = self.bodies.len();
        self.done.extend(std::iter::repeat_n(Err(error), left));
        self.finish();
    }
}
