//! Order statuses to their users' connections, without a stream between: look up, push, forget the gone.
//!
//! The queue is bounded: when the connections cannot keep up, the engine waits, nothing is dropped. Statuses of one user
//! keep their order, since one worker serves a user.

use edge_fns::capability::cache::{Command, Reply};
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Cache, Connections};
use engine_core::shard::Notice;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use tokio::sync::mpsc;

const WORKERS: usize = 2;
const QUEUE: usize = 16 * 1024;
/// Notices taken from the queue and looked up together.
const BATCH: usize = 256;

#[derive(Clone)]
pub struct Notifier {
    workers: Arc<[mpsc::Sender<Notice>]>,
    hasher: RandomState,
}

impl Notifier {
    /// Starts the workers; they end when the last clone is dropped.
    pub fn start(cache: Arc<dyn Cache>, connections: Arc<dyn Connections>) -> Notifier {
        let workers = (0..WORKERS)
            .map(|_| {
                let (sender, receiver) = mpsc::channel(QUEUE);
                tokio::spawn(work(receiver, cache.clone(), connections.clone()));
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

async fn work(mut queue: mpsc::Receiver<Notice>, cache: Arc<dyn Cache>, connections: Arc<dyn Connections>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        deliver(&mut batch, cache.as_ref(), connections.as_ref()).await;
    }
}

/// A status that cannot be delivered is not retried: the client reads its orders when it comes back.
async fn deliver(batch: &mut Vec<Notice>, cache: &dyn Cache, connections: &dyn Connections) {
    let mut users: HashMap<Arc<str>, Vec<String>> = HashMap::new();
    for notice in batch.iter() {
        users.entry(notice.user.clone()).or_default();
    }
    let names: Vec<_> = users.keys().cloned().collect();
    let lookups = names.iter().map(|user| Command::Smembers(connections_key(user))).collect();
    match cache.run(lookups).await {
        Ok(replies) => {
            for (user, reply) in names.iter().zip(replies) {
                if let Ok(Reply::Values(ids)) = reply {
                    let ids = ids.into_iter().flatten().filter_map(|id| String::from_utf8(id).ok()).collect();
                    users.insert(user.clone(), ids);
                }
            }
        }
        Err(error) => tracing::warn!(%error, "connections cannot be looked up"),
    }
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
    match connections.post(pushes).await {
        Ok(answers) => {
            let gone: Vec<String> = targets
                .into_iter()
                .zip(answers)
                .flat_map(|(to, answers)| to.into_iter().zip(answers))
                .filter_map(|(id, answer)| matches!(answer, Ok(Delivery::Gone)).then_some(id))
                .collect();
            forget(&users, &gone, cache).await;
        }
        Err(error) => tracing::warn!(%error, "statuses cannot be pushed"),
    }
}

async fn forget(users: &HashMap<Arc<str>, Vec<String>>, gone: &[String], cache: &dyn Cache) {
    if gone.is_empty() {
        return;
    }
    let mut commands = Vec::new();
    for (user, ids) in users {
        let dead: Vec<_> =
            ids.iter().filter(|id| gone.contains(id)).map(|id| id.clone().into_bytes()).collect();
        if !dead.is_empty() {
            commands.push(Command::Srem(connections_key(user), dead.clone()));
            commands.push(Command::Srem("realtime:connections".into(), dead));
        }
    }
    if let Err(error) = cache.run(commands).await {
        tracing::warn!(%error, "gone connections cannot be removed");
    }
}

fn connections_key(user: &str) -> String {
    format!("user:{user}:connections")
}
