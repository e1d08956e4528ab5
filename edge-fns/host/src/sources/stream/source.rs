//! The loop over one shard: reads on, spreads the records over the lanes, and saves how far everything is done.

use super::lane::{self, Lanes, Work};
use super::progress::Progress;
use super::{BatchHandler, DeadLetters, Mapping, Meter, Now, Reading, Shard};
use crate::Item;
use crate::sources::{stopped, told_to_stop};
use edge_fns::capability::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// How long the shard is waited for before it is asked again.
const IDLE: Duration = Duration::from_secs(1);

/// One consumer of one shard.
pub struct Source {
    pub shard: Arc<dyn Shard>,
    pub handler: Arc<dyn BatchHandler>,
    pub letters: Arc<dyn DeadLetters>,
    pub mapping: Mapping,
    pub now: Now,
    pub meter: Arc<Meter>,
}

impl Source {
    /// Runs until told to stop; then the batches in work are brought to an end and the checkpoint is saved. Dropped
    /// before, it leaves everything after the last checkpoint to be handed over once more.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        while !stopped(&stop) {
            self.run_on(&stop).await;
        }
    }

    /// Returns when told to stop, or when a lane has panicked: then the shard is taken up again from its checkpoint.
    async fn run_on(&self, stop: &watch::Receiver<bool>) {
        let Some(mut after) = self.checkpoint(stop).await else { return };
        self.meter.passed(after.clone());
        let shared = Arc::new(Lanes {
            handler: self.handler.clone(),
            letters: self.letters.clone(),
            mapping: self.mapping,
            now: self.now.clone(),
            meter: self.meter.clone(),
            progress: Progress::default(),
            stop: stop.clone(),
        });
        let mut lanes = JoinSet::new();
        let queues: Vec<_> = (0..self.mapping.lanes())
            .map(|_| {
                let (sender, receiver) = mpsc::unbounded_channel();
                lanes.spawn(lane::run(shared.clone(), receiver));
                sender
            })
            .collect();
        let progress = &shared.progress;
        let (mut failed_reads, mut unsaved) = (0, None);
        let mut save_again = Instant::now();
        loop {
            self.meter.in_flight.store(progress.in_flight() as u64, Relaxed);
            if unsaved.is_none() {
                save_again = Instant::now() + self.mapping.last_pause;
            } else if save_again <= Instant::now() {
                save_again += self.mapping.last_pause;
            }
            let room = self.mapping.in_flight().saturating_sub(progress.in_flight());
            tokio::select! {
                biased;
                () = told_to_stop(stop) => break,
                Some(ended) = lanes.join_next() => {
                    if let Err(error) = ended {
                        tracing::error!(consumer = self.meter.consumer, %error, "a lane broke off; the shard is taken up again");
                        sleep(self.mapping.last_pause).await;
                    }
                    return;
                }
                () = progress.moved() => self.save(progress, &mut unsaved).await,
                () = sleep_until(save_again), if unsaved.is_some() => self.save(progress, &mut unsaved).await,
                read = self.read(after.as_deref(), room, failed_reads), if room > 0 => match read {
                    Ok(items) => {
                        failed_reads = 0;
                        for item in items {
                            after = Some(item.id.clone());
                            let ticket = progress.begin(&item.id);
                            let queue = &queues[lane_of(&item, queues.len())];
                            // A lane that is gone shows at the top of the loop.
                            let _ = queue.send(Work { ticket, item });
                        }
                    }
                    Err(error) => {
                        failed_reads += 1;
                        tracing::error!(consumer = self.meter.consumer, %error, "the stream cannot be read");
                    }
                },
            }
        }
        // The lanes finish what they have handed over.
        drop(queues);
        while lanes.join_next().await.is_some() {}
        self.save(progress, &mut unsaved).await;
        self.meter.in_flight.store(progress.in_flight() as u64, Relaxed);
    }

    /// Where to start, however often the store has to be asked; `None` when told to stop.
    async fn checkpoint(&self, stop: &watch::Receiver<bool>) -> Option<Option<String>> {
        let mut tries = 0;
        while !stopped(stop) {
            match self.shard.checkpoint().await {
                Ok(checkpoint) => return Some(checkpoint),
                Err(error) => {
                    tries += 1;
                    tracing::error!(consumer = self.meter.consumer, %error, "the checkpoint cannot be read");
                    sleep(self.mapping.pause(tries)).await;
                }
            }
        }
        None
    }

    async fn read(&self, after: Option<&str>, room: usize, failed: u32) -> Result<Vec<Item>> {
        if failed > 0 {
            sleep(self.mapping.pause(failed)).await;
        }
        self.shard.wait(after, IDLE).await?;
        self.shard.read(after, room.min(self.mapping.batch.max(1))).await
    }

    /// Saves the newest checkpoint. One that cannot be saved is tried again with the next, or after a while; until then a
    /// restart hands over a little more.
    async fn save(&self, progress: &Progress, unsaved: &mut Option<String>) {
        *unsaved = progress.take().or(unsaved.take());
        let Some(id) = unsaved.as_deref() else { return };
        match self.shard.save(id).await {
            Ok(()) => self.meter.passed(unsaved.take()),
            Err(error) => {
                tracing::warn!(consumer = self.meter.consumer, %error, "checkpoint not written");
            }
        }
    }
}

/// The lane of a record: the same for all records of its partition. FNV-1a, mixed: what chose the shard must not choose
/// the lane as well, or a shard would use few of its lanes.
fn lane_of(item: &Item, lanes: usize) -> usize {
    let hash = item.partition.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed >> 32) as usize) % lanes.max(1)
}

/// Sources that run as tasks.
#[derive(Default)]
pub struct Running {
    tasks: Vec<JoinHandle<()>>,
    meters: Vec<Arc<Meter>>,
}

impl Running {
    pub fn start(&mut self, source: Source, stop: &watch::Receiver<bool>) {
        self.meters.push(source.meter.clone());
        self.tasks.push(tokio::spawn(source.run(stop.clone())));
    }

    /// Reads how far each source has come, for as long as the process lives.
    pub fn readings(&self) -> impl Fn() -> Vec<Reading> + Send + Sync + 'static {
        let meters = self.meters.clone();
        move || meters.iter().map(|meter| meter.read()).collect()
    }

    /// Waits for the batches in work; tell them to stop first.
    pub async fn stopped(self) {
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a source had broken off");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_their_lane_and_use_all_of_them() {
        let item = |partition: &str| Item {
            id: "1".into(),
            partition: partition.into(),
            arrived: 0,
            body: Vec::new(),
        };
        let mut used = [0; 10];
        for n in 0..1000 {
            let lane = lane_of(&item(&format!("SYMBOL{n}")), 10);
            assert_eq!(lane, lane_of(&item(&format!("SYMBOL{n}")), 10));
            used[lane] += 1;
        }
        assert!(used.iter().all(|count| (50..200).contains(count)), "{used:?}");
    }
}
