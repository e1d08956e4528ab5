//! Order statuses to their users' connections, without a stream between: look up, push, forget the gone.
//!
//! The queue is bounded: when the connections or the cache cannot keep up, the engine waits, nothing is dropped. Statuses of
//! one user keep their order, since one worker serves a user. A connection to which a status could not be pushed is closed
//! as soon as it can be: its client reads its orders when it comes back.

use edge_fns::capability::cache::{Command, Reply};
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Cache, Connections, Error, Result};
use engine_core::shard::Notice;
use futures_util::future::join_all;
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

const WORKERS: usize = 2;
const QUEUE: usize = 16 * 1024;
/// Notices taken from the queue and looked up together.
const BATCH: usize = 256;
const FIRST_RETRY: Duration = Duration::from_millis(20);
const LAST_RETRY: Duration = Duration::from_secs(2);
/// How often it is tried to close connections that missed something.
const CLOSE_EVERY: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct Notifier {
    workers: Arc<[mpsc::Sender<Notice>]>,
    hasher: RandomState,
}

impl Notifier {
    /// Starts the workers; they end when the last clone is dropped.
    pub fn start(cache: Arc<dyn Cache>, connections: Arc<dyn Connections>) -> Notifier {
        let (missed, missing) = mpsc::unbounded_channel();
        tokio::spawn(close(missing, connections.clone()));
        let workers = (0..WORKERS)
            .map(|_| {
                let (sender, queue) = mpsc::channel(QUEUE);
                let (cache, connections, missed) = (cache.clone(), connections.clone(), missed.clone());
                tokio::spawn(Worker { queue, cache, connections, missed }.work());
                sender
            })
            .collect();
        Notifier { workers, hasher: RandomState::new() }
    }

    pub(super) async fn send(&self, notice: Notice) {
        let worker = self.hasher.hash_one(&notice.user) as usize % self.workers.len();
        if self.workers[worker].send(notice).await.is_err() {
            tracing::error!("a notifier worker is gone");
        }
    }
}

struct Worker {
    queue: mpsc::Receiver<Notice>,
    cache: Arc<dyn Cache>,
    connections: Arc<dyn Connections>,
    /// Connections to which something could not be pushed.
    missed: mpsc::UnboundedSender<String>,
}

impl Worker {
    async fn work(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.queue.recv_many(&mut batch, BATCH).await > 0 {
            self.deliver(&mut batch).await;
        }
    }

    async fn deliver(&self, batch: &mut Vec<Notice>) {
        let mut users: HashMap<Arc<str>, Vec<String>> = HashMap::new();
        for notice in batch.iter() {
            users.entry(notice.user.clone()).or_default();
        }
        self.look_up(&mut users).await;
        let pushes: Vec<Push> = batch
            .drain(..)
            .filter_map(|notice| {
                let to = users.get(&notice.user)?;
                (!to.is_empty()).then(|| Push { to: to.clone(), body: notice.body })
            })
            .collect();
        if pushes.is_empty() {
            return;
        }
        let targets: Vec<_> = pushes.iter().map(|push| push.to.clone()).collect();
        let (mut gone, mut missed) = (BTreeSet::new(), BTreeSet::new());
        match self.connections.post(pushes).await {
            Ok(answers) => {
                for (id, answer) in
                    targets.iter().zip(answers).flat_map(|(to, answers)| to.iter().zip(answers))
                {
                    match answer {
                        Ok(Delivery::Sent) => {}
                        Ok(Delivery::Gone) => drop(gone.insert(id)),
                        Err(_) => drop(missed.insert(id)),
                    }
                }
            }
            Err(_) => missed.extend(targets.iter().flatten()),
        }
        if !missed.is_empty() {
            tracing::warn!(
                connections = missed.len(),
                "statuses cannot be pushed; who missed them is closed"
            );
        }
        for id in missed {
            // The task that receives them ends after the last worker.
            let _ = self.missed.send(id.clone());
        }
        if let Err(error) = forget(&users, &gone, self.cache.as_ref()).await {
            tracing::warn!(%error, "gone connections cannot be removed");
        }
    }

    /// Finds the users' connections, however long the cache is away: without them nothing could be said to anybody.
    async fn look_up(&self, users: &mut HashMap<Arc<str>, Vec<String>>) {
        let names: Vec<_> = users.keys().cloned().collect();
        let mut pause = FIRST_RETRY;
        loop {
            let lookups = names.iter().map(|user| Command::Smembers(connections_key(user))).collect();
            let replies = match self.cache.run(lookups).await {
                Ok(replies) => replies.into_iter().collect::<Result<Vec<_>>>(),
                Err(error) => Err(error),
            };
            match replies {
                Ok(replies) => {
                    for (user, reply) in names.into_iter().zip(replies) {
                        if let Reply::Values(ids) = reply {
                            let ids = ids.into_iter().flatten();
                            let ids = ids.filter_map(|id| String::from_utf8(id).ok()).collect();
                            users.insert(user, ids);
                        }
                    }
                    return;
                }
                // Nobody notifies any more, or no try would help.
                Err(error)
                    if self.queue.is_closed() || matches!(error, Error::Invalid(_) | Error::Denied(_)) =>
                {
                    return tracing::error!(%error, "connections cannot be looked up");
                }
                Err(error) => tracing::warn!(%error, "connections cannot be looked up, trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_RETRY);
        }
    }
}

/// Closes connections until each is closed.
async fn close(mut missing: mpsc::UnboundedReceiver<String>, connections: Arc<dyn Connections>) {
    let mut waiting: BTreeSet<String> = BTreeSet::new();
    let mut ticks = tokio::time::interval(CLOSE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            id = missing.recv() => match id {
                Some(id) => drop(waiting.insert(id)),
                None => return,
            },
            _ = ticks.tick(), if !waiting.is_empty() => {
                let closed = join_all(waiting.iter().map(|id| connections.close(id))).await;
                let mut closed = closed.into_iter();
                waiting.retain(|_| closed.next().is_none_or(|closed| closed.is_err()));
            }
        }
    }
}

async fn forget(
    users: &HashMap<Arc<str>, Vec<String>>,
    gone: &BTreeSet<&String>,
    cache: &dyn Cache,
) -> Result<()> {
    let mut commands = Vec::new();
    for (user, ids) in users {
        let dead: Vec<_> =
            ids.iter().filter(|id| gone.contains(id)).map(|id| id.clone().into_bytes()).collect();
        if !dead.is_empty() {
            commands.push(Command::Srem(connections_key(user), dead.clone()));
            commands.push(Command::Srem("realtime:connections".into(), dead));
        }
    }
    if commands.is_empty() {
        return Ok(());
    }
    cache.run(commands).await?.into_iter().collect::<Result<Vec<_>>>().map(drop)
}

fn connections_key(user: &str) -> String {
    format!("user:{user}:connections")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::embedded::cache::EmbeddedCache;
    use async_trait::async_trait;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Away for the first calls.
    struct Away<T>(T, AtomicU32);

    impl<T> Away<T> {
        fn is_away(&self) -> bool {
            self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |calls| calls.checked_sub(1)).is_ok()
        }
    }

    #[async_trait]
    impl Cache for Away<EmbeddedCache> {
        async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
            if self.is_away() { Err(Error::Timeout) } else { self.0.run(commands).await }
        }

        async fn run_atomic(&self, commands: Vec<Command>) -> Result<Vec<Reply>> {
            self.0.run_atomic(commands).await
        }
    }

    #[derive(Default)]
    struct Seen {
        pushed: Vec<String>,
        closed: Vec<String>,
    }

    #[async_trait]
    impl Connections for Away<Mutex<Seen>> {
        async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
            if self.is_away() {
                return Err(Error::Unavailable("a test".into()));
            }
            let mut seen = self.0.lock().unwrap();
            Ok(pushes
                .into_iter()
                .map(|push| {
                    seen.pushed.push(String::from_utf8(push.body).unwrap());
                    vec![Ok(Delivery::Sent); push.to.len()]
                })
                .collect())
        }

        async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
            Ok(vec![Ok(true); ids.len()])
        }

        async fn close(&self, id: &str) -> Result<()> {
            if self.is_away() {
                return Err(Error::Timeout);
            }
            self.0.lock().unwrap().closed.push(id.into());
            Ok(())
        }
    }

    async fn until(connections: &Away<Mutex<Seen>>, done: impl Fn(&Seen) -> bool) {
        let seen = async {
            while !done(&connections.0.lock().unwrap()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap();
    }

    fn notice(body: &str) -> Notice {
        Notice { user: "ann".into(), body: body.into() }
    }

    #[tokio::test]
    async fn a_status_waits_for_the_cache_and_who_misses_one_is_closed() {
        let cache = EmbeddedCache::in_memory();
        let add = Command::Sadd(connections_key("ann"), vec![b"c1".to_vec()]);
        cache.run(vec![add]).await.unwrap();
        let cache = Arc::new(Away(cache, AtomicU32::new(3)));
        let connections = Arc::new(Away(Mutex::default(), AtomicU32::new(0)));
        let notifier = Notifier::start(cache, connections.clone());
        notifier.send(notice("1")).await;
        until(&connections, |seen| seen.pushed == ["1"]).await;
        assert!(connections.0.lock().unwrap().closed.is_empty());
        // A push and two closings are refused.
        connections.1.store(3, Ordering::Relaxed);
        notifier.send(notice("2")).await;
        until(&connections, |seen| seen.closed == ["c1"]).await;
        notifier.send(notice("3")).await;
        until(&connections, |seen| seen.pushed == ["1", "3"]).await;
    }
}
