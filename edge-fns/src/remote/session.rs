//! Clock, randomness, log and configuration of a function whose other capabilities are remote.

use super::{Call, Post, Remote};
use crate::capability::base::Level;
use crate::capability::{Base, Millis, Result};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};

/// What a server sets for one event; a server of a real exchange sets nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The time that the event happens at.
    #[serde(default, with = "crate::json")]
    pub now: Option<Millis>,
    /// Where the event's [`drawn`] numbers begin, in place of randomness.
    #[serde(default, with = "crate::json")]
    pub random: Option<u64>,
}

/// A server that sets time and randomness.
pub trait Sessions: Send + Sync {
    /// One event begins.
    fn open(&self) -> Session;
}

/// The bytes that stand for randomness where an event must be the same every time: the number of the draw, after zeros.
pub fn drawn(number: u64, len: u32) -> Vec<u8> {
    let number = number.to_be_bytes();
    let zeros = (len as usize).saturating_sub(number.len());
    [vec![0; zeros], number[number.len() - (len as usize - zeros)..].to_vec()].concat()
}

/// The platform's own clock, randomness and log, and the server's configuration.
///
/// One event at a time: where several run at once, each has its own.
pub struct RemoteBase<P> {
    server: Remote<P>,
    own: Arc<dyn Base>,
    session: Mutex<Session>,
}

impl<P: Post> RemoteBase<P> {
    pub fn new(server: Remote<P>, own: Arc<dyn Base>) -> RemoteBase<P> {
        RemoteBase { server, own, session: Mutex::default() }
    }

    /// Begins an event that takes its time and randomness from the server, if that sets them.
    pub async fn open(&self) -> Result<()> {
        let session = self.server.call(Call::Open {}).await?;
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
        Ok(())
    }
}

#[async_trait]
impl<P: Post> Base for RemoteBase<P> {
    fn now(&self) -> Millis {
        let session = *self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.now.unwrap_or_else(|| self.own.now())
    }

    fn random(&self, len: u32) -> Vec<u8> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut session.random {
            None => self.own.random(len),
            Some(number) => {
                *number = number.wrapping_add(1);
                drawn(*number, len)
            }
        }
    }

    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        self.own.log(level, message, fields);
    }

    async fn config(&self, name: &str) -> Result<Option<String>> {
        self.server.call(Call::Config { name: name.into() }).await
    }
}
