//! Documents, wallets and trade history in one SQLite file.
//!
//! All writes go through one thread, which runs whatever has come in as one transaction and answers after its commit: a
//! group commit, synced to the disk. A job checks everything before it writes anything, so within the group each one
//! takes effect wholly or not at all; if the store itself fails, the whole group is rolled back and told so. Reads use
//! connections of their own and see every write that was answered.

mod documents;
mod migrations;
mod records;
mod sql;
mod wallet;

pub use crate::backends::records::{Account, DeadLetter, Fill, FillPlace, Total};

use crate::backends::{DeadLetters, Record};
use async_trait::async_trait;
use edge_fns::capability::{Error, Result};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Jobs waiting for the writer.
const QUEUE: usize = 4096;
/// Jobs in one transaction at most.
const GROUP: usize = 512;
/// Read connections kept open.
const READERS: usize = 4;
/// Pages that the writer keeps in memory.
const CACHE_KIB: i64 = 64 * 1024;
/// How often the write-ahead log is brought into the file.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// Pages of the write-ahead log from which on writes wait until it starts anew.
const LONGEST_LOG: i64 = 65_536;

/// A job writes and returns what is told to its caller once the transaction has ended.
type Job = Box<dyn FnOnce(&Connection) -> std::result::Result<Answer, rusqlite::Error> + Send>;
type Answer = Box<dyn FnOnce(Result<()>) + Send>;

#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    writer: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    /// Dropped to end the checkpoints.
    checkpoints: Option<std::sync::mpsc::Sender<()>>,
    checkpointer: Option<JoinHandle<()>>,
}

impl Store {
    /// Opens or creates the file and brings its schema up to this version.
    pub fn open(path: &Path) -> Result<Store> {
        let mut connection = Connection::open(path).map_err(broken)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(broken)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(broken)?;
        // Not by the writer, who would make everybody wait: a thread of its own does it.
        connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(broken)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB).map_err(broken)?;
        connection.set_prepared_statement_cache_capacity(64);
        migrations::migrate(&mut connection)?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write_groups(&mut connection, receiver))
            .map_err(|error| Error::Internal(error.to_string()))?;
        let (checkpoints, ended) = std::sync::mpsc::channel();
        let own = Connection::open(path).map_err(broken)?;
        let checkpointer = std::thread::Builder::new()
            .name("store-checkpoint".into())
            .spawn(move || checkpoint(&own, &ended))
            .map_err(|error| Error::Internal(error.to_string()))?;
        let inner = Inner {
            path: path.into(),
            readers: Mutex::default(),
            writer: Some(sender),
            thread: Some(thread),
            checkpoints: Some(checkpoints),
            checkpointer: Some(checkpointer),
        };
        Ok(Store { inner: Arc::new(inner) })
    }

    /// Runs a job on the writer's connection; the outer error is the store's, the inner result the job's own.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> std::result::Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let value = job(connection)?;
            // A caller that no longer waits has its write all the same.
            Ok(Box::new(move |ended: Result<()>| drop(answer.send(ended.map(|()| value)))))
        });
        let gone = || Error::Unavailable("the store's writer has stopped".into());
        let writer = self.inner.writer.as_ref().ok_or_else(gone)?;
        writer.send(job).await.map_err(|_| gone())?;
        answered.await.map_err(|_| Error::Unavailable("the store rolled the write back".into()))?
    }

    /// Runs a query on a read connection.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        let run = move || {
            let idle = inner.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match idle {
                Some(connection) => connection,
                None => {
                    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                    Connection::open_with_flags(&inner.path, flags).map_err(broken)?
                }
            };
            let answer = query(&connection);
            let mut readers = inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
            if readers.len() < READERS {
                readers.push(connection);
            }
            answer
        };
        tokio::task::spawn_blocking(run).await.map_err(|error| Error::Internal(error.to_string()))?
    }
}

impl Drop for Inner {
    /// Lets the writer finish what it has been given.
    fn drop(&mut self) {
        self.writer.take();
        self.checkpoints.take();
        for thread in [self.thread.take(), self.checkpointer.take()].into_iter().flatten() {
            if thread.join().is_err() {
                tracing::error!("a thread of the store had panicked");
            }
        }
    }
}

fn write_groups(connection: &mut Connection, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(job) = jobs.try_recv()
        {
            group.push(job);
        }
        if let Err(error) = write_group(connection, group) {
            tracing::error!(%error, "the store rolled a group of writes back");
        }
    }
}

/// Brings the log into the file beside the writes, until told to end. A log that only grows, because writes never pause
/// long enough to start it anew, is started anew by force.
fn checkpoint(connection: &Connection, ended: &std::sync::mpsc::Receiver<()>) {
    while ended.recv_timeout(CHECKPOINT) == Err(RecvTimeoutError::Timeout) {
        let run = |mode| connection.query_row(mode, (), |row| row.get::<_, i64>(1));
        let pages = run("PRAGMA wal_checkpoint(PASSIVE)").and_then(|pages| match pages {
            LONGEST_LOG.. => run("PRAGMA wal_checkpoint(RESTART)"),
            _ => Ok(pages),
        });
        if let Err(error) = pages {
            tracing::warn!(%error, "the store's log was not brought into its file");
        }
    }
}

fn write_group(connection: &mut Connection, group: Vec<Job>) -> std::result::Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut answers = Vec::with_capacity(group.len());
    for job in group {
        // An error here is the store's: the transaction is dropped with every answer, and all callers see it.
        answers.push(job(&transaction)?);
    }
    transaction.commit()?;
    answers.into_iter().for_each(|answer| answer(Ok(())));
    Ok(())
}

#[async_trait]
impl DeadLetters for Store {
    async fn bury(
        &self,
        consumer: &str,
        stream: &str,
        shard: u32,
        record: &Record,
        reason: &str,
    ) -> Result<()> {
        let (consumer, stream, reason) = (consumer.to_string(), stream.to_string(), reason.to_string());
        let (sequence, arrived, body) = (record.sequence as i64, record.arrived as i64, record.body.clone());
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO dead_letters (consumer, stream, shard, sequence, arrived, reason, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute((consumer, stream, shard, sequence, arrived, reason, body))
        })
        .await
        .map(|_| ())
    }
}

impl Store {
    /// How many records no retry could process.
    pub async fn dead_letters(&self) -> Result<u64> {
        self.read(|connection| {
            let count =
                connection.query_row("SELECT count(*) FROM dead_letters", (), |row| row.get::<_, i64>(0));
            count.map(|count| count as u64).map_err(broken)
        })
        .await
    }
}

fn broken(error: rusqlite::Error) -> Error {
    Error::Unavailable(format!("the store: {error}"))
}
