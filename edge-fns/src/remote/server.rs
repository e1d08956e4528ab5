//! The server: a body in, a body out. What listens and who may ask is the business of whoever holds this.

use super::{Call, Session, Sessions};
use crate::capability::{
    Base, Blobs, Cache, Connections, Documents, Error, Identity, LogStreams, Result, Sql, Wallet,
};
use serde::Serialize;

/// The capabilities that are served. One that is not given is denied.
#[derive(Clone, Copy, Default)]
pub struct Served<'a> {
    /// For configuration only.
    pub base: Option<&'a dyn Base>,
    pub identity: Option<&'a dyn Identity>,
    pub cache: Option<&'a dyn Cache>,
    pub documents: Option<&'a dyn Documents>,
    pub streams: Option<&'a dyn LogStreams>,
    pub sql: Option<&'a dyn Sql>,
    pub wallet: Option<&'a dyn Wallet>,
    pub connections: Option<&'a dyn Connections>,
    pub blobs: Option<&'a dyn Blobs>,
    /// For tests: what sets time and randomness.
    pub sessions: Option<&'a dyn Sessions>,
}

impl<'a> Served<'a> {
    /// Everything, of one that has it all.
    pub fn by<T>(all: &'a T) -> Served<'a>
    where
        T: Base + Identity + Cache + Documents + LogStreams + Sql + Wallet + Connections + Blobs + Sessions,
    {
        Served {
            base: Some(all),
            identity: Some(all),
            cache: Some(all),
            documents: Some(all),
            streams: Some(all),
            sql: Some(all),
            wallet: Some(all),
            connections: Some(all),
            blobs: Some(all),
            sessions: Some(all),
        }
    }
}

impl Served<'_> {
    /// Answers one body.
    pub async fn answer(&self, body: &[u8]) -> Vec<u8> {
        match serde_json::from_slice(body) {
            Ok(call) => self.call(call).await,
            Err(error) => json(Err::<(), _>(Error::Invalid(format!("this is no call: {error}")))),
        }
    }

    async fn call(&self, call: Call) -> Vec<u8> {
        match self.carry_out(call).await {
            Ok(answer) => answer,
            Err(denied) => json(Err::<(), _>(denied)),
        }
    }

    /// Fails where the capability is not served; what the capability itself answers is in the bytes.
    async fn carry_out(&self, call: Call) -> Result<Vec<u8>> {
        Ok(match call {
            Call::Open {} => {
                let session = self.sessions.map_or_else(Session::default, |sessions| sessions.open());
                json(Ok(session))
            }
            Call::Config { name } => json(given(self.base, "base")?.config(&name).await),
            Call::Verify { token } => json(given(self.identity, "identity")?.verify(&token).await),
            Call::CacheRun { commands } => json(given(self.cache, "cache")?.run(commands).await),
            Call::CacheRunAtomic { commands } => json(given(self.cache, "cache")?.run_atomic(commands).await),
            Call::DocumentsGet { ids } => json(given(self.documents, "documents")?.get(ids).await),
            Call::DocumentsPut { writes } => json(given(self.documents, "documents")?.put(writes).await),
            Call::DocumentsPutAll { writes } => {
                json(given(self.documents, "documents")?.put_all(writes).await)
            }
            Call::DocumentsSearch { query } => json(given(self.documents, "documents")?.search(query).await),
            Call::Append { stream, messages } => {
                json(given(self.streams, "streams")?.append(&stream, messages).await)
            }
            Call::SqlQuery { statement, params } => {
                json(given(self.sql, "sql")?.query(&statement, params).await)
            }
            Call::SqlExecute { statement, params } => {
                json(given(self.sql, "sql")?.execute(&statement, params).await)
            }
            Call::WalletPost { movements } => json(given(self.wallet, "wallet")?.post(movements).await),
            Call::Balances { user } => json(given(self.wallet, "wallet")?.balances(&user).await),
            Call::Push { pushes } => json(given(self.connections, "connections")?.post(pushes).await),
            Call::Probe { ids } => json(given(self.connections, "connections")?.probe(ids).await),
            Call::Close { id } => json(given(self.connections, "connections")?.close(&id).await),
            Call::BlobsPut { writes } => json(given(self.blobs, "blobs")?.put(writes).await),
            Call::BlobsGet { reads } => json(given(self.blobs, "blobs")?.get(reads).await),
            Call::BlobsSearch { query } => json(given(self.blobs, "blobs")?.search(query).await),
            Call::BlobsDelete { keys } => json(given(self.blobs, "blobs")?.delete(keys).await),
        })
    }
}

fn given<T>(capability: Option<T>, name: &str) -> Result<T> {
    capability.ok_or_else(|| Error::Denied(format!("{name} is not served here")))
}

fn json<T: Serialize>(answer: Result<T>) -> Vec<u8> {
    serde_json::to_vec(&answer)
        .unwrap_or_else(|_| br#"{"Err":{"internal":"the answer is no JSON"}}"#.to_vec())
}
