//! A shard and dead letters in memory: for tests, and wherever nothing has to survive the process.

use super::{DeadLetters, Reason, Shard};
use crate::Item;
use async_trait::async_trait;
use edge_fns::capability::{Error, Millis, Result};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Records are named by their place, from "1" on.
pub struct MemoryShard {
    records: watch::Sender<Vec<Item>>,
    checkpoint: Mutex<Option<String>>,
}

impl Default for MemoryShard {
    fn default() -> MemoryShard {
        MemoryShard { records: watch::Sender::new(Vec::new()), checkpoint: Mutex::default() }
    }
}

impl MemoryShard {
    pub fn append(&self, partition: &str, arrived: Millis, body: Vec<u8>) {
        self.records.send_modify(|records| {
            let id = (records.len() + 1).to_string();
            records.push(Item { id, partition: partition.to_owned(), arrived, body });
        });
    }

    fn saved(&self) -> MutexGuard<'_, Option<String>> {
        self.checkpoint.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many records come before the one after this.
fn place(after: Option<&str>) -> Result<usize> {
    let unknown = || Error::Invalid(format!("there is no record {after:?}"));
    after.map_or(Ok(0), |id| id.parse().map_err(|_| unknown()))
}

#[async_trait]
impl Shard for MemoryShard {
    async fn checkpoint(&self) -> Result<Option<String>> {
        Ok(self.saved().clone())
    }

    async fn save(&self, id: &str) -> Result<()> {
        *self.saved() = Some(id.to_owned());
        Ok(())
    }

    async fn read(&self, after: Option<&str>, max: usize) -> Result<Vec<Item>> {
        Ok(self.records.borrow().iter().skip(place(after)?).take(max).cloned().collect())
    }

    async fn wait(&self, after: Option<&str>, at_most: Duration) -> Result<()> {
        let passed = place(after)?;
        let mut records = self.records.subscribe();
        // Time up and news are the same to the caller: it reads.
        let _ = tokio::time::timeout(at_most, records.wait_for(|records| records.len() > passed)).await;
        Ok(())
    }
}

/// Keeps what was put aside, in the order in which it came.
#[derive(Default)]
pub struct MemoryLetters(Mutex<Vec<(Item, Reason)>>);

impl MemoryLetters {
    pub fn all(&self) -> Vec<(Item, Reason)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl DeadLetters for MemoryLetters {
    async fn bury(&self, item: &Item, reason: &Reason) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((item.clone(), reason.clone()));
        Ok(())
    }
}
