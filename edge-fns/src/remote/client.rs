//! The client: every capability but the base, over what posts a body.

use super::{BODY_LIMIT, Call, Post};
use crate::capability::cache::{Command, Reply};
use crate::capability::connections::{Delivery, Push};
use crate::capability::documents::{Entry, Id, Outcome, Page, Query, Write};
use crate::capability::identity::{Claims, Refusal};
use crate::capability::sql::{Rows, Value};
use crate::capability::streams::Message;
use crate::capability::wallet::{Balance, Movement, Posted};
use crate::capability::{
    Blobs, Cache, Connections, Documents, Error, Identity, LogStreams, Result, Sql, Wallet, blobs,
};
use async_trait::async_trait;
use serde::de::DeserializeOwned;

/// The capabilities of a server. One for all of them: which of them it serves is the server's to say.
#[derive(Clone, Debug)]
pub struct Remote<P>(pub P);

impl<P: Post> Remote<P> {
    /// Makes one call.
    pub async fn call<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        let body = serde_json::to_vec(&call).map_err(|error| Error::Invalid(error.to_string()))?;
        if body.len() > BODY_LIMIT {
            return Err(Error::Invalid(format!("a call has at most {BODY_LIMIT} bytes")));
        }
        let answer = self.0.post(body).await?;
        // It was carried out by then, or not: an answer that cannot be read does not tell.
        serde_json::from_slice::<Result<T>>(&answer)
            .map_err(|error| Error::Internal(format!("the capability server's answer: {error}")))?
    }

    /// As many answers as questions, or none of them can be told apart.
    async fn each<T: DeserializeOwned>(&self, count: usize, call: Call) -> Result<Vec<T>> {
        let answers: Vec<T> = self.call(call).await?;
        if answers.len() != count {
            let message =
                format!("the capability server gave {} answers to {count} questions", answers.len());
            return Err(Error::Internal(message));
        }
        Ok(answers)
    }
}

#[async_trait]
impl<P: Post> Identity for Remote<P> {
    async fn verify(&self, token: &str) -> Result<core::result::Result<Claims, Refusal>> {
        self.call(Call::Verify { token: token.into() }).await
    }
}

#[async_trait]
impl<P: Post> Cache for Remote<P> {
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        self.each(commands.len(), Call::CacheRun { commands }).await
    }

    async fn run_atomic(&self, commands: Vec<Command>) -> Result<Vec<Reply>> {
        self.each(commands.len(), Call::CacheRunAtomic { commands }).await
    }
}

#[async_trait]
impl<P: Post> Documents for Remote<P> {
    async fn get(&self, ids: Vec<Id>) -> Result<Vec<Option<Entry>>> {
        self.each(ids.len(), Call::DocumentsGet { ids }).await
    }

    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        self.each(writes.len(), Call::DocumentsPut { writes }).await
    }

    async fn put_all(&self, writes: Vec<Write>) -> Result<Outcome> {
        self.call(Call::DocumentsPutAll { writes }).await
    }

    async fn search(&self, query: Query) -> Result<Page> {
        self.call(Call::DocumentsSearch { query }).await
    }
}

#[async_trait]
impl<P: Post> LogStreams for Remote<P> {
    async fn append(&self, stream: &str, messages: Vec<Message>) -> Result<Vec<Result<String>>> {
        self.each(messages.len(), Call::Append { stream: stream.into(), messages }).await
    }
}

#[async_trait]
impl<P: Post> Sql for Remote<P> {
    async fn query(&self, statement: &str, params: Vec<Value>) -> Result<Rows> {
        self.call(Call::SqlQuery { statement: statement.into(), params }).await
    }

    async fn execute(&self, statement: &str, params: Vec<Vec<Value>>) -> Result<u64> {
        self.call(Call::SqlExecute { statement: statement.into(), params }).await
    }
}

#[async_trait]
impl<P: Post> Wallet for Remote<P> {
    async fn post(&self, movements: Vec<Movement>) -> Result<Vec<Result<Posted>>> {
        self.each(movements.len(), Call::WalletPost { movements }).await
    }

    async fn balances(&self, user: &str) -> Result<Vec<Balance>> {
        self.call(Call::Balances { user: user.into() }).await
    }
}

#[async_trait]
impl<P: Post> Connections for Remote<P> {
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        self.each(pushes.len(), Call::Push { pushes }).await
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        self.each(ids.len(), Call::Probe { ids }).await
    }

    async fn close(&self, id: &str) -> Result<()> {
        self.call(Call::Close { id: id.into() }).await
    }
}

#[async_trait]
impl<P: Post> Blobs for Remote<P> {
    async fn put(&self, writes: Vec<blobs::Write>) -> Result<Vec<Result<blobs::Outcome>>> {
        self.each(writes.len(), Call::BlobsPut { writes }).await
    }

    async fn get(&self, reads: Vec<blobs::Read>) -> Result<Vec<Result<Option<blobs::Object>>>> {
        self.each(reads.len(), Call::BlobsGet { reads }).await
    }

    async fn search(&self, query: blobs::Query) -> Result<blobs::Page> {
        self.call(Call::BlobsSearch { query }).await
    }

    async fn delete(&self, keys: Vec<String>) -> Result<Vec<Result<()>>> {
        self.each(keys.len(), Call::BlobsDelete { keys }).await
    }
}
