//! Workers that share the shards of a stream by their leases.
//!
//! Each worker looks at the leases now and then and takes its share of the shards whose parents have been read to their
//! ends. What is done with a shard is a [`Holder`]'s matter; it ends with the shard, with the worker, or with the lease. A
//! worker counts its leases up on its own clock, so that nothing else that is slow costs it a lease, and takes a lease for
//! lost as soon as others may take it.

use super::super::pause;
use super::leases::{ENDED, Lease, Leases, START, Watch, to_take};
use super::shards::{self, Shard};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_kinesis::Client;
use edge_fns::capability::Result;
use futures_util::FutureExt;
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// What a holder is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Work,
    /// Bring to an end what is in work: the lease is given up after it.
    Stop,
    /// The lease is another one's.
    Lost,
}

/// How the work on a shard came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// The shard has been read to its end, and its checkpoint says so.
    Ended,
    /// As told, or because the work cannot go on here.
    Left,
}

/// A shard that was taken.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub shard: Shard,
    pub lease: Lease,
    /// The leases of its parents, which have been read to their ends; those that are still known.
    pub parents: Vec<Lease>,
}

/// What becomes of a shard that is held.
#[async_trait]
pub trait Holder: Send + Sync {
    async fn hold(&self, mine: Assignment, call: watch::Receiver<Call>) -> Over;
}

#[derive(Clone, Debug)]
pub struct Options {
    /// This worker's name; no other one's.
    pub name: String,
    /// A lease that its owner has not renewed for so long is free.
    pub lease_time: Duration,
}

/// One worker.
pub struct Worker {
    client: Client,
    stream: String,
    leases: Leases,
    holder: Arc<dyn Holder>,
    options: Options,
}

/// A shard that this worker holds.
struct Work {
    lease: Lease,
    call: watch::Sender<Call>,
    /// When the renewal that succeeded last was sent.
    renewed: Instant,
}

type Works = Arc<Mutex<BTreeMap<String, Work>>>;

fn lock(works: &Works) -> MutexGuard<'_, BTreeMap<String, Work>> {
    works.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    pub fn new(
        config: &SdkConfig,
        stream: &str,
        leases: Leases,
        holder: Arc<dyn Holder>,
        options: Options,
    ) -> Worker {
        Worker { client: Client::new(config), stream: stream.into(), leases, holder, options }
    }

    /// Works until told to stop; then what is in work is brought to an end, and the leases are given up.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let this = Arc::new(self);
        let works = Works::default();
        let mut renewing = JoinSet::new();
        renewing.spawn(this.clone().renew(works.clone()));
        let mut watch = Watch::default();
        let mut tasks: JoinSet<(Lease, Over)> = JoinSet::new();
        let mut failures = 0;
        while !*stop.borrow() {
            match this.round(&mut watch, &works, &mut tasks).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(stream = this.stream, %error, "the leases cannot be looked at");
                }
            }
            let rest = sleep(this.options.lease_time / 3 + pause(failures).min(this.options.lease_time / 3));
            tokio::select! {
                () = told_to_stop(&mut stop) => break,
                Some(over) = tasks.join_next() => this.over(&works, over).await,
                () = rest => {}
            }
        }
        for work in lock(&works).values() {
            tell(&work.call, Call::Stop);
        }
        while let Some(over) = tasks.join_next().await {
            this.over(&works, over).await;
        }
    }

    /// Gives up the lease of what is over, but for a shard that has ended.
    async fn over(&self, works: &Works, over: std::result::Result<(Lease, Over), tokio::task::JoinError>) {
        // A holder that panics is caught where it is called.
        let Ok((lease, over)) = over else { return };
        let held = {
            let mut works = lock(works);
            let is_held = works.get(&lease.shard).is_some_and(|work| work.lease.fence == lease.fence);
            if is_held { works.remove(&lease.shard) } else { None }
        };
        if held.is_some() && over == Over::Left {
            match self.leases.release(&lease).await {
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, shard = lease.shard, "a lease could not be given up; it runs out");
                }
            }
        }
    }

    /// Counts up what is held, three times in a lease time; what could not be counted up for as long as others wait is lost.
    async fn renew(self: Arc<Self>, works: Works) {
        let apart = self.options.lease_time / 3;
        loop {
            sleep(apart).await;
            let held: Vec<Lease> = lock(&works).values().map(|work| work.lease.clone()).collect();
            let sent = Instant::now();
            let renewals = held.iter().map(|lease| timeout(apart, self.leases.renew(lease)));
            let answers = join_all(renewals).await;
            let mut works = lock(&works);
            for (lease, answer) in held.iter().zip(answers) {
                let Some(work) = works.get_mut(&lease.shard) else { continue };
                if work.lease.fence != lease.fence {
                    continue;
                }
                let is_lost = match answer {
                    Ok(Ok(true)) => {
                        work.renewed = sent;
                        false
                    }
                    Ok(Ok(false)) => true,
                    // Before the next answer it may be another one's.
                    Ok(Err(_)) | Err(_) => work.renewed.elapsed() + apart >= self.options.lease_time,
                };
                if is_lost {
                    tracing::info!(shard = lease.shard, fence = lease.fence, "the lease is lost");
                    tell(&work.call, Call::Lost);
                    works.remove(&lease.shard);
                }
            }
        }
    }

    /// Looks at shards and leases, and takes what is due.
    async fn round(
        self: &Arc<Self>,
        watch: &mut Watch,
        works: &Works,
        tasks: &mut JoinSet<(Lease, Over)>,
    ) -> Result<()> {
        let listed = shards::list(&self.client, &self.stream).await?;
        let mut leases = self.leases.all().await?;
        for shard in listed.values().filter(|shard| !leases.contains_key(&shard.id)) {
            self.leases.add(shard).await?;
        }
        for gone in leases.values().filter(|lease| !listed.contains_key(&lease.shard)) {
            // Only what is read through: the stream may have been renamed, or be another one. And only when its children
            // need it no more.
            let has_waiting_child = leases.values().any(|lease| {
                lease.parents.contains(&gone.shard) && lease.checkpoint == START && lease.snapshot.is_none()
            });
            if gone.checkpoint == ENDED && !has_waiting_child {
                self.leases.forget(&gone.shard).await?;
            }
        }
        let all = leases.clone();
        leases.retain(|shard, _| listed.contains_key(shard));
        let free = watch.look(&leases, Instant::now(), self.options.lease_time);
        let ended: BTreeSet<String> = leases
            .values()
            .filter(|lease| lease.checkpoint == ENDED)
            .map(|lease| lease.shard.clone())
            .collect();
        let wanted: Vec<Lease> =
            shards::readable(&listed, &ended).filter_map(|shard| leases.get(&shard.id).cloned()).collect();
        for seen in to_take(&wanted, &free, &self.options.name) {
            if lock(works).contains_key(&seen.shard) {
                continue;
            }
            let Some(shard) = listed.get(&seen.shard).cloned() else { continue };
            let parents: Vec<Lease> = shard.parents.iter().filter_map(|id| all.get(id).cloned()).collect();
            let sent = Instant::now();
            // What a symbol puts out from a child comes after what it put out from the parent.
            let fence = parents.iter().map(|parent| parent.fence).max().unwrap_or(0);
            let Some(lease) = self.leases.take(&seen, &self.options.name, fence).await? else { continue };
            tracing::info!(shard = lease.shard, fence = lease.fence, "lease taken");
            let (call, called) = watch::channel(Call::Work);
            lock(works).insert(lease.shard.clone(), Work { lease: lease.clone(), call, renewed: sent });
            let holder = self.holder.clone();
            tasks.spawn(async move {
                let mine = Assignment { shard, lease: lease.clone(), parents };
                let held = AssertUnwindSafe(holder.hold(mine, called)).catch_unwind().await;
                let over = held.unwrap_or_else(|_| {
                    tracing::error!(shard = lease.shard, "work on a shard has panicked");
                    Over::Left
                });
                (lease, over)
            });
        }
        Ok(())
    }
}

/// Returns when it is time to stop, or nobody is there to say so.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// What is lost stays lost.
fn tell(sender: &watch::Sender<Call>, call: Call) {
    sender.send_if_modified(|now| {
        let changes = *now != call && *now != Call::Lost;
        if changes {
            *now = call;
        }
        changes
    });
}
