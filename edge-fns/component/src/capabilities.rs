//! The capabilities of `edge-fns` over the imports of the component.

use crate::bindings::capabilities::supernoba::edge as wit;
use crate::convert::{answer, answers, convert, list};
use async_trait::async_trait;
use edge_fns::capability::{
    Base, Blobs, Cache, Connections, Documents, Identity, LogStreams, Millis, Result, Sql, Wallet, base,
    blobs, cache, connections, documents, identity, sql, streams, wallet,
};

/// The host around the component. Each call returns only with its answer.
pub struct Host;

#[async_trait]
impl Base for Host {
    fn now(&self) -> Millis {
        wit::clock::now()
    }

    fn random(&self, len: u32) -> Vec<u8> {
        wit::random::bytes(len)
    }

    fn log(&self, level: base::Level, message: &str, fields: &[(&str, &str)]) {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let fields: Vec<(String, String)> = fields.iter().map(owned).collect();
        wit::log::write(level.into(), message, &fields);
    }

    async fn config(&self, name: &str) -> Result<Option<String>> {
        Ok(wit::config::get(name)?)
    }
}

#[async_trait]
impl Identity for Host {
    async fn verify(&self, token: &str) -> Result<core::result::Result<identity::Claims, identity::Refusal>> {
        Ok(wit::identity::verify(token)?.map(convert).map_err(convert))
    }
}

#[async_trait]
impl Cache for Host {
    async fn run(&self, commands: Vec<cache::Command>) -> Result<Vec<Result<cache::Reply>>> {
        Ok(answers(wit::cache::run(&list::<_, wit::cache::Command>(commands))?))
    }

    async fn run_atomic(&self, commands: Vec<cache::Command>) -> Result<Vec<cache::Reply>> {
        Ok(list(wit::cache::run_atomic(&list::<_, wit::cache::Command>(commands))?))
    }
}

#[async_trait]
impl Documents for Host {
    async fn get(&self, ids: Vec<documents::Id>) -> Result<Vec<Option<documents::Entry>>> {
        let entries = wit::documents::get(&list::<_, wit::documents::Id>(ids))?;
        Ok(entries.into_iter().map(|entry| entry.map(convert)).collect())
    }

    async fn put(&self, writes: Vec<documents::Write>) -> Result<Vec<documents::Outcome>> {
        Ok(list(wit::documents::put(&list::<_, wit::documents::Write>(writes))?))
    }

    async fn put_all(&self, writes: Vec<documents::Write>) -> Result<documents::Outcome> {
        answer(wit::documents::put_all(&list::<_, wit::documents::Write>(writes)))
    }

    async fn search(&self, query: documents::Query) -> Result<documents::Page> {
        answer(wit::documents::search(&query.into()))
    }
}

#[async_trait]
impl LogStreams for Host {
    async fn append(&self, stream: &str, messages: Vec<streams::Message>) -> Result<Vec<Result<String>>> {
        Ok(answers(wit::log_streams::append(stream, &list::<_, wit::log_streams::Message>(messages))?))
    }
}

#[async_trait]
impl Sql for Host {
    async fn query(&self, statement: &str, params: Vec<sql::Value>) -> Result<sql::Rows> {
        answer(wit::sql::query(statement, &list::<_, wit::sql::Value>(params)))
    }

    async fn execute(&self, statement: &str, params: Vec<Vec<sql::Value>>) -> Result<u64> {
        let rows: Vec<Vec<wit::sql::Value>> = params.into_iter().map(list).collect();
        answer(wit::sql::execute(statement, &rows))
    }
}

#[async_trait]
impl Wallet for Host {
    async fn post(&self, movements: Vec<wallet::Movement>) -> Result<Vec<Result<wallet::Posted>>> {
        Ok(answers(wit::wallet::post(&list::<_, wit::wallet::Movement>(movements))?))
    }

    async fn balances(&self, user: &str) -> Result<Vec<wallet::Balance>> {
        Ok(list(wit::wallet::balances(user)?))
    }
}

#[async_trait]
impl Connections for Host {
    async fn post(&self, pushes: Vec<connections::Push>) -> Result<Vec<Vec<Result<connections::Delivery>>>> {
        let deliveries = wit::connections::post(&list::<_, wit::connections::Push>(pushes))?;
        Ok(deliveries.into_iter().map(answers).collect())
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        Ok(answers(wit::connections::probe(&ids)?))
    }

    async fn close(&self, id: &str) -> Result<()> {
        answer(wit::connections::close(id))
    }
}

#[async_trait]
impl Blobs for Host {
    async fn put(&self, writes: Vec<blobs::Write>) -> Result<Vec<Result<blobs::Outcome>>> {
        Ok(answers(wit::blobs::put(&list::<_, wit::blobs::Write>(writes))?))
    }

    async fn get(&self, reads: Vec<blobs::Read>) -> Result<Vec<Result<Option<blobs::Object>>>> {
        let reads: Vec<wit::blobs::Read> = list(reads);
        let objects = wit::blobs::get(&reads)?.into_iter();
        Ok(objects.map(|read| Ok(read?.map(convert))).collect())
    }

    async fn search(&self, query: blobs::Query) -> Result<blobs::Page> {
        answer(wit::blobs::search(&query.into()))
    }

    async fn delete(&self, keys: Vec<String>) -> Result<Vec<Result<()>>> {
        Ok(answers(wit::blobs::delete(&keys)?))
    }
}
