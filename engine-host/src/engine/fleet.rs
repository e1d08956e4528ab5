//! Many engines that share the shards of one stream: symbols move with their shards, and whoever holds a shard's lease folds it.
//!
//! What an engine writes without its lease does no harm. To the cache it writes with the lease's fence, and the cache refuses
//! what an older fence brings. Its snapshots are its own, and only the lease says which one counts. What it appends to the
//! fills stream is what its successor appends, in the same order and by the same names, and receivers drop what they have
//! seen.

use super::shard_loop::{Outcome, Wish};
use super::{Backends, Counters, Kept, Notifier, Options, Remote, RunningShard};
use crate::backends::aws::kinesis::KinesisLog;
use crate::backends::aws::kinesis::leases::{ENDED, Lease, Leases};
use crate::backends::aws::kinesis::log::Position;
use crate::backends::aws::kinesis::shards;
use crate::backends::aws::kinesis::worker::{Assignment, Call, Holder, Over};
use anyhow::Context;
use async_trait::async_trait;
use edge_fns::capability::{Cache, Error, Result};
use engine_core::shard::Shard;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// A cache whose writes carry this fence.
pub type Fenced = Arc<dyn Fn(u64) -> Arc<dyn Cache> + Send + Sync>;

/// One engine of many, as what holds the shards that a worker has taken.
pub struct Fleet {
    /// Of the orders stream.
    pub orders: KinesisLog,
    pub leases: Leases,
    /// The cache among them is used for nothing that is fenced.
    pub backends: Backends,
    pub fenced: Fenced,
    pub notifier: Notifier,
    pub options: Options,
    pub counters: Arc<Counters>,
    pub held: Arc<Held>,
}

/// The shards that an engine folds, for who asks something of them.
#[derive(Default)]
pub struct Held(Mutex<BTreeMap<String, Handle>>);

/// One of them.
#[derive(Clone)]
pub struct Handle {
    remote: Remote,
    again: mpsc::Sender<Again>,
}

/// Where a shard was taken up: the name of the snapshot, if there was one, and how far that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub name: Option<String>,
    pub position: u64,
    pub place: String,
    pub time: u64,
    pub symbols: usize,
}

type Again = oneshot::Sender<Taken>;

impl Held {
    /// By the stream's names of the shards.
    pub fn shards(&self) -> BTreeMap<String, Handle> {
        self.lock().clone()
    }

    /// A panic under this lock leaves the map whole: every operation is one insert, remove or copy.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Handle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handle {
    /// Has a snapshot written after the current batch.
    pub async fn snapshot(&self) -> Result<Kept> {
        self.remote.snapshot().await
    }

    /// Has the shard taken up anew from its last snapshot; answers when it is.
    pub async fn restore(&self) -> Result<Taken> {
        let (answer, answered) = oneshot::channel();
        let over = || Error::Unavailable("the shard is not folded here any more".into());
        self.again.send(answer).await.map_err(|_| over())?;
        answered.await.map_err(|_| over())
    }
}

/// Forgets a shard that is not held any more, unless it is held anew by then.
struct Entry<'a> {
    held: &'a Held,
    shard: &'a str,
    again: &'a mpsc::Sender<Again>,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        if held.get(self.shard).is_some_and(|handle| handle.again.same_channel(self.again)) {
            held.remove(self.shard);
        }
    }
}

#[async_trait]
impl Holder for Fleet {
    async fn hold(&self, mut mine: Assignment, mut call: watch::Receiver<Call>) -> Over {
        let (again, mut asked) = mpsc::channel::<Again>(1);
        let mut answer: Option<Again> = None;
        let shard = mine.shard.id.clone();
        loop {
            let Some((running, taken)) = self.take_up(&mine, &mut call).await else { return Over::Left };
            if let Some(answer) = answer.take() {
                // Whoever asked may have gone.
                let _ = answer.send(taken);
            }
            let remote = running.remote();
            self.held.lock().insert(shard.clone(), Handle { remote: remote.clone(), again: again.clone() });
            let entry = Entry { held: &self.held, shard: &shard, again: &again };
            let ended = running.ended();
            tokio::pin!(ended);
            let mut last = Call::Work;
            let outcome = loop {
                tokio::select! {
                    outcome = &mut ended => break outcome,
                    now = told(&mut call, last), if last != Call::Lost => {
                        last = now;
                        remote.wish(if now == Call::Stop { Wish::Stop } else { Wish::Abandon });
                    }
                    // The shard stays ours. What is in work is put out again, by the names that it would have had.
                    Some(wanted) = asked.recv(), if answer.is_none() && last == Call::Work => {
                        answer = Some(wanted);
                        remote.wish(Wish::Abandon);
                    }
                }
            };
            if outcome.is_none() {
                // What broke it may break it again, and each time everything since the snapshot is put out once more.
                let _ = tokio::time::timeout(LAST_RETRY, call.wait_for(|call| *call != Call::Work)).await;
            }
            match outcome {
                Some(Outcome::Ended) if self.end(&mine.lease, &mut call).await => return Over::Ended,
                Some(Outcome::Stopped) if answer.is_some() && *call.borrow() == Call::Work => {}
                _ => return Over::Left,
            }
            drop(entry);
            tracing::warn!(shard, "the shard is taken up anew, as it was asked for");
            match self.lease_now(&mine.lease, &mut call).await {
                Some(lease) => mine.lease = lease,
                None => return Over::Left,
            }
        }
    }
}

/// Waits for another call than this one; nobody there to call is as good as a lost lease.
async fn told(call: &mut watch::Receiver<Call>, last: Call) -> Call {
    call.wait_for(|call| *call != last).await.map_or(Call::Lost, |call| *call)
}

impl Fleet {
    /// Tries until the shard runs; none if it is to be left before that.
    async fn take_up(
        &self,
        mine: &Assignment,
        call: &mut watch::Receiver<Call>,
    ) -> Option<(RunningShard, Taken)> {
        let mut pause = FIRST_RETRY;
        loop {
            let error = match self.start(mine).await {
                Ok(running) => return Some(running),
                Err(error) => error,
            };
            tracing::error!(
                shard = mine.shard.id,
                error = format!("{error:#}"),
                "the shard cannot be taken up"
            );
            if tokio::time::timeout(pause, told(call, Call::Work)).await.is_ok() {
                return None;
            }
            pause = (pause * 2).min(LAST_RETRY);
        }
    }

    /// A lease as the table has it, with the name of its last snapshot; none if it is not ours any more.
    async fn lease_now(&self, lease: &Lease, call: &mut watch::Receiver<Call>) -> Option<Lease> {
        let mut pause = FIRST_RETRY;
        loop {
            match self.leases.all().await {
                Ok(mut all) => {
                    let now = all.remove(&lease.shard)?;
                    return (now.owner == lease.owner && now.fence == lease.fence).then_some(now);
                }
                Err(error) => tracing::warn!(shard = lease.shard, %error, "the lease cannot be read"),
            }
            if tokio::time::timeout(pause, told(call, Call::Work)).await.is_ok() {
                return None;
            }
            pause = (pause * 2).min(LAST_RETRY);
        }
    }

    async fn start(&self, mine: &Assignment) -> anyhow::Result<(RunningShard, Taken)> {
        let (stream, lease) = (&self.options.orders_stream, &mine.lease);
        let (state, is_new) = match self.snapshot(lease).await? {
            Some(state) => (state, false),
            None => self.inherit(mine).await.map(|state| (state, true))?,
        };
        let from = match (state.position(), state.place()) {
            (0, _) => None,
            (_, "") => anyhow::bail!("the snapshot does not say with which record it ends"),
            (sequence, record) => Some(Position { sequence, record: record.into(), arrived: state.time() }),
        };
        let taken = Taken {
            name: lease.snapshot.clone(),
            position: state.position(),
            place: state.place().to_owned(),
            time: state.time(),
            symbols: state.markets().count(),
        };
        let source = self.orders.leased(stream, mine.shard.clone(), from, self.leases.clone(), lease.clone());
        let mut source: Box<dyn super::Source> = Box::new(source.await?);
        if is_new && state.markets().next().is_some() {
            // From here on the parents' snapshots are not needed.
            self.backends.snapshots.put(&source.snapshot_name(), state.snapshot()).await?;
            source.snapshot_kept("").await?;
        }
        let backends = Backends { cache: (self.fenced)(lease.fence), ..self.backends.clone() };
        let tools = (backends, self.notifier.clone(), self.options.clone(), self.counters.clone());
        Ok((RunningShard::start(source, state, tools).await?, taken))
    }

    /// What the lease's snapshot holds.
    async fn snapshot(&self, lease: &Lease) -> anyhow::Result<Option<Shard>> {
        let Some(name) = &lease.snapshot else { return Ok(None) };
        let bytes = self.backends.snapshots.get(name).await?;
        let bytes = bytes.with_context(|| format!("snapshot {name} is gone"))?;
        Ok(Some(Shard::restore(&bytes).with_context(|| format!("snapshot {name} cannot be used"))?))
    }

    /// What a new shard begins with: of its parents the symbols whose records come to it.
    async fn inherit(&self, mine: &Assignment) -> anyhow::Result<Shard> {
        let mut parts = Vec::new();
        for parent in &mine.parents {
            // One without a snapshot never had a record.
            if let Some(state) = self.snapshot(parent).await? {
                parts.push(state.part(|symbol| mine.shard.takes(symbol)));
            }
        }
        if parts.is_empty() {
            return Ok(Shard::new(self.options.day_offset_s));
        }
        Ok(Shard::join(&parts)?)
    }

    /// Writes down that the shard has been folded to its end; whether that was done before the lease was lost.
    async fn end(&self, lease: &Lease, call: &mut watch::Receiver<Call>) -> bool {
        let mut pause = FIRST_RETRY;
        loop {
            match self.leases.checkpoint(lease, ENDED).await {
                Ok(held) => return held,
                Err(error) => {
                    tracing::warn!(shard = lease.shard, %error, "the shard's end could not be written down")
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_RETRY);
            if *call.borrow_and_update() == Call::Lost {
                return false;
            }
        }
    }
}

impl shards::Shard {
    /// Whether records of this symbol come here.
    fn takes(&self, symbol: &str) -> bool {
        let (first, last) = self.hash_keys;
        (first..=last).contains(&shards::hash_key(symbol))
    }
}
