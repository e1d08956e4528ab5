//! One lane of a shard: gathers batches, hands them over one after the other, and sees each of them to its end.

use super::progress::{Progress, Ticket};
use super::{BatchHandler, Broken, DeadLetters, Mapping, Meter, Now, Reason};
use crate::sources::{stopped, waited};
use crate::{Disposition, Failure, Item};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

/// A record in work.
pub struct Work {
    pub ticket: Ticket,
    pub item: Item,
}

/// What the lanes of one shard share.
pub struct Lanes {
    pub handler: Arc<dyn BatchHandler>,
    pub letters: Arc<dyn DeadLetters>,
    pub mapping: Mapping,
    pub now: Now,
    pub meter: Arc<Meter>,
    pub progress: Progress,
    pub stop: watch::Receiver<bool>,
}

/// Where a batch stands after it was handed over.
enum Outcome {
    /// So many records from its start on are processed or put aside; the next one is to be handed over again, for this
    /// reason, if any is left.
    Done(usize, Option<String>),
    /// Nothing is known of any record, and one of them did it.
    Failed(String),
}

/// Runs until the queue is closed, or the process stops.
pub async fn run(shared: Arc<Lanes>, mut queue: mpsc::UnboundedReceiver<Work>) {
    let mut first = None;
    while let Some(batch) = gather(&shared.mapping, &mut queue, &mut first).await {
        shared.see_through(batch).await;
        if stopped(&shared.stop) {
            return;
        }
    }
}

/// The next batch. What does not fit into it any more is left in `first`, for the one after it.
async fn gather(
    mapping: &Mapping,
    queue: &mut mpsc::UnboundedReceiver<Work>,
    first: &mut Option<Work>,
) -> Option<Vec<Work>> {
    let start = match first.take() {
        Some(work) => work,
        None => queue.recv().await?,
    };
    let deadline = Instant::now() + mapping.window;
    let mut bytes = start.item.body.len();
    let mut batch = vec![start];
    while batch.len() < mapping.batch {
        // What is there is taken even when the window has passed.
        let Ok(Some(work)) = timeout_at(deadline, queue.recv()).await else { break };
        bytes = bytes.saturating_add(work.item.body.len());
        if bytes > mapping.batch_bytes {
            *first = Some(work);
            break;
        }
        batch.push(work);
    }
    Some(batch)
}

impl Lanes {
    /// Hands the batch over until each of its records is processed or put aside, or the process stops.
    async fn see_through(&self, batch: Vec<Work>) {
        let mut left = &batch[..];
        // How many are handed over at once: fewer while a failing record is hunted down.
        let mut size = left.len();
        // How often the first one was asked for again, and how often the function failed at it.
        let (mut asked, mut failed) = (0, 0);
        while !stopped(&self.stop) {
            let aged = self.put_old_aside(left).await;
            if aged > 0 {
                left = &left[aged..];
                (asked, failed) = (0, 0);
            }
            if left.is_empty() {
                return;
            }
            let part = &left[..size.min(left.len())];
            let over = |count: u32, most: Option<u32>| most.is_some_and(|most| count > most);
            let done = match self.hand_over(part).await {
                Outcome::Done(0, Some(why)) => {
                    asked += 1;
                    if over(asked, self.mapping.asked) {
                        self.put_aside(&part[..1], asked + failed, &why).await;
                        1
                    } else {
                        tracing::warn!(
                            consumer = self.meter.consumer,
                            why,
                            records = part.len(),
                            "batch not begun"
                        );
                        0
                    }
                }
                Outcome::Done(done, _) => done,
                Outcome::Failed(why) if part.len() > 1 && self.mapping.bisect => {
                    tracing::warn!(consumer = self.meter.consumer, why, records = part.len(), "batch halved");
                    self.meter.bisections.fetch_add(1, Relaxed);
                    size = part.len().div_ceil(2);
                    // No repetition of any record yet, but whatever is wrong is given a moment.
                    self.pause(self.mapping.first_pause).await;
                    continue;
                }
                Outcome::Failed(why) => {
                    failed += 1;
                    if over(failed, self.mapping.retries) {
                        self.put_aside(part, asked + failed, &why).await;
                        part.len()
                    } else {
                        tracing::warn!(
                            consumer = self.meter.consumer,
                            why,
                            records = part.len(),
                            "batch failed"
                        );
                        0
                    }
                }
            };
            if done > 0 {
                // The next one may be well, and the one after it.
                size = if done == part.len() { size.saturating_mul(2) } else { size };
                left = &left[done..];
                (asked, failed) = (0, 0);
            } else {
                self.meter.repetitions.fetch_add(1, Relaxed);
                self.pause(self.mapping.pause(asked + failed)).await;
            }
        }
    }

    /// One call of the function. What it rejects is put aside before this returns.
    async fn hand_over(&self, part: &[Work]) -> Outcome {
        self.meter.batches.fetch_add(1, Relaxed);
        let failures = match self.handler.handle(part.iter().map(|work| work.item.clone()).collect()).await {
            Ok(failures) => failures,
            Err(Broken::Function(why)) => return Outcome::Failed(why),
            Err(Broken::Elsewhere(why)) => return Outcome::Done(0, Some(why)),
        };
        if let Some(unknown) = failures.iter().find(|failure| !part.iter().any(|work| names(failure, work))) {
            return Outcome::Failed(format!("it named {:?}, which it was not given", unknown.id));
        }
        for (place, work) in part.iter().enumerate() {
            let mut named = failures.iter().filter(|failure| names(failure, work)).map(|f| &f.disposition);
            match named.clone().find(|disposition| matches!(disposition, Disposition::Retry)) {
                Some(_) => return Outcome::Done(place, Some("the function asked for it again".into())),
                None => match named.next() {
                    Some(Disposition::Reject(why)) => {
                        self.bury(work, Reason::Rejected(why.clone())).await;
                    }
                    _ => {
                        self.meter.done.fetch_add(1, Relaxed);
                        self.progress.finish(work.ticket);
                    }
                },
            }
        }
        Outcome::Done(part.len(), None)
    }

    /// Puts the records aside that are too old by now; answers how many.
    async fn put_old_aside(&self, left: &[Work]) -> usize {
        let Some(most) = self.mapping.max_age else { return 0 };
        let age = |work: &Work| Duration::from_millis((self.now)().saturating_sub(work.item.arrived));
        // Records of a shard arrive in order: the oldest stand first.
        let old = left.iter().take_while(|work| age(work) >= most).count();
        for work in &left[..old] {
            self.bury(work, Reason::TooOld { age: age(work) }).await;
        }
        old
    }

    async fn put_aside(&self, part: &[Work], attempts: u32, last: &str) {
        for work in part {
            self.bury(work, Reason::Exhausted { attempts, last: last.to_owned() }).await;
        }
    }

    /// Writes a record to the dead letters, however often that takes: nothing else may become of it.
    async fn bury(&self, work: &Work, reason: Reason) {
        tracing::error!(consumer = self.meter.consumer, record = work.item.id, %reason, "record put aside");
        let mut tries = 0;
        while let Err(error) = self.letters.bury(&work.item, &reason).await {
            tracing::error!(consumer = self.meter.consumer, %error, "a dead letter could not be written");
            tries += 1;
            if self.pause(self.mapping.pause(tries)).await {
                // Not finished: the next start takes it up again.
                return;
            }
        }
        self.meter.buried(&reason);
        self.progress.finish(work.ticket);
    }

    /// Waits; true if the process stops meanwhile.
    async fn pause(&self, time: Duration) -> bool {
        waited(time, &self.stop).await
    }
}

fn names(failure: &Failure, work: &Work) -> bool {
    failure.id == work.item.id
}
