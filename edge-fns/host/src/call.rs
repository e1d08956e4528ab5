//! One call of a component: its state, its limits, and its way out to the back ends.

use crate::bindings::capabilities::supernoba::edge as wit;
use crate::convert::{answer, answers, convert, list};
use crate::engine::{Clock, MODULES};
use crate::{Backends, Limits};
use std::sync::Arc;
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};
use wit::types::Error;

/// What all calls share.
pub struct Shared {
    pub backends: Backends,
    pub limits: Limits,
    pub clock: Clock,
}

/// The state of one call.
pub struct Call {
    handler: &'static str,
    shared: Arc<Shared>,
    limits: StoreLimits,
    /// Ticks in which the component computed.
    computed: u64,
    /// A tick passed while a back end was asked: it does not count.
    excused: bool,
}

/// A store for one call, with its limits set.
pub fn store(engine: &Engine, handler: &'static str, shared: &Arc<Shared>) -> Store<Call> {
    let limits = StoreLimitsBuilder::new()
        .memory_size(shared.limits.memory_bytes)
        .memories(1)
        .tables(MODULES as usize)
        .instances(2 * MODULES as usize)
        .trap_on_grow_failure(true)
        .build();
    let allowed = Clock::ticks(shared.limits.cpu);
    let call = Call { handler, shared: shared.clone(), limits, computed: 0, excused: false };
    let mut store = Store::new(engine, call);
    store.limiter(|call| &mut call.limits);
    store.set_hostcall_fuel(shared.limits.output_bytes);
    store.set_epoch_deadline(1);
    // At each tick the component lets others run, so that a thread is never blocked and the wall time is looked at.
    store.epoch_deadline_callback(move |mut context| {
        let call = context.data_mut();
        if !std::mem::take(&mut call.excused) {
            call.computed += 1;
        }
        // The first tick may come at once.
        Ok(if call.computed > allowed.saturating_add(1) {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Yield(1)
        })
    });
    store
}

impl Call {
    /// Waits for a back end. What time that takes is not the component's.
    async fn outside<F: Future + Send>(&mut self, answer: F) -> F::Output {
        // A component that asks back ends that never wait must not keep the thread either.
        tokio::task::consume_budget().await;
        let before = self.shared.clock.now();
        let answer = answer.await;
        self.excused |= self.shared.clock.now() != before;
        answer
    }
}

impl wit::types::Host for Call {}

impl wit::clock::Host for Call {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.shared.backends.base.now())
    }
}

impl wit::random::Host for Call {
    fn bytes(&mut self, len: u32) -> wasmtime::Result<Vec<u8>> {
        if len as usize > self.shared.limits.output_bytes {
            return Err(wasmtime::Error::msg(format!("{len} random bytes at once are too many")));
        }
        Ok(self.shared.backends.base.random(len))
    }
}

impl wit::log::Host for Call {
    fn write(
        &mut self,
        level: wit::log::Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        let mut all = Vec::with_capacity(fields.len() + 1);
        all.push(("handler", self.handler));
        all.extend(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        self.shared.backends.base.log(level.into(), &message, &all);
        Ok(())
    }
}

impl wit::config::Host for Call {
    async fn get(&mut self, name: String) -> Result<Option<String>, Error> {
        let shared = self.shared.clone();
        Ok(self.outside(shared.backends.base.config(&name)).await?)
    }
}

impl wit::identity::Host for Call {
    async fn verify(
        &mut self,
        token: String,
    ) -> Result<Result<wit::identity::Claims, wit::identity::Refusal>, Error> {
        let shared = self.shared.clone();
        Ok(self.outside(shared.backends.identity.verify(&token)).await?.map(convert).map_err(convert))
    }
}

impl wit::cache::Host for Call {
    async fn run(
        &mut self,
        commands: Vec<wit::cache::Command>,
    ) -> Result<Vec<Result<wit::cache::Reply, Error>>, Error> {
        let shared = self.shared.clone();
        Ok(answers(self.outside(shared.backends.cache.run(list(commands))).await?))
    }

    async fn run_atomic(
        &mut self,
        commands: Vec<wit::cache::Command>,
    ) -> Result<Vec<wit::cache::Reply>, Error> {
        let shared = self.shared.clone();
        Ok(list(self.outside(shared.backends.cache.run_atomic(list(commands))).await?))
    }
}

impl wit::documents::Host for Call {
    async fn get(
        &mut self,
        ids: Vec<wit::documents::Id>,
    ) -> Result<Vec<Option<wit::documents::Entry>>, Error> {
        let shared = self.shared.clone();
        let entries = self.outside(shared.backends.documents.get(list(ids))).await?;
        Ok(entries.into_iter().map(|entry| entry.map(convert)).collect())
    }

    async fn put(
        &mut self,
        writes: Vec<wit::documents::Write>,
    ) -> Result<Vec<wit::documents::Outcome>, Error> {
        let shared = self.shared.clone();
        Ok(list(self.outside(shared.backends.documents.put(list(writes))).await?))
    }

    async fn put_all(
        &mut self,
        writes: Vec<wit::documents::Write>,
    ) -> Result<wit::documents::Outcome, Error> {
        let shared = self.shared.clone();
        answer(self.outside(shared.backends.documents.put_all(list(writes))).await)
    }

    async fn search(&mut self, query: wit::documents::Query) -> Result<wit::documents::Page, Error> {
        let shared = self.shared.clone();
        answer(self.outside(shared.backends.documents.search(query.into())).await)
    }
}

impl wit::log_streams::Host for Call {
    async fn append(
        &mut self,
        stream: String,
        messages: Vec<wit::log_streams::Message>,
    ) -> Result<Vec<Result<String, Error>>, Error> {
        let shared = self.shared.clone();
        Ok(answers(self.outside(shared.backends.streams.append(&stream, list(messages))).await?))
    }
}

impl wit::sql::Host for Call {
    async fn query(
        &mut self,
        statement: String,
        params: Vec<wit::sql::Value>,
    ) -> Result<wit::sql::Rows, Error> {
        let shared = self.shared.clone();
        answer(self.outside(shared.backends.sql.query(&statement, list(params))).await)
    }

    async fn execute(&mut self, statement: String, params: Vec<Vec<wit::sql::Value>>) -> Result<u64, Error> {
        let shared = self.shared.clone();
        let rows = params.into_iter().map(list).collect();
        answer(self.outside(shared.backends.sql.execute(&statement, rows)).await)
    }
}

impl wit::wallet::Host for Call {
    async fn post(
        &mut self,
        movements: Vec<wit::wallet::Movement>,
    ) -> Result<Vec<Result<wit::wallet::Posted, Error>>, Error> {
        let shared = self.shared.clone();
        Ok(answers(self.outside(shared.backends.wallet.post(list(movements))).await?))
    }

    async fn balances(&mut self, user: String) -> Result<Vec<wit::wallet::Balance>, Error> {
        let shared = self.shared.clone();
        Ok(list(self.outside(shared.backends.wallet.balances(&user)).await?))
    }
}

impl wit::connections::Host for Call {
    async fn post(
        &mut self,
        pushes: Vec<wit::connections::Push>,
    ) -> Result<Vec<Vec<Result<wit::connections::Delivery, Error>>>, Error> {
        let shared = self.shared.clone();
        let deliveries = self.outside(shared.backends.connections.post(list(pushes))).await?;
        Ok(deliveries.into_iter().map(answers).collect())
    }

    async fn probe(&mut self, ids: Vec<String>) -> Result<Vec<Result<bool, Error>>, Error> {
        let shared = self.shared.clone();
        Ok(answers(self.outside(shared.backends.connections.probe(ids)).await?))
    }

    async fn close(&mut self, id: String) -> Result<(), Error> {
        let shared = self.shared.clone();
        answer(self.outside(shared.backends.connections.close(&id)).await)
    }
}

impl wit::blobs::Host for Call {
    async fn put(
        &mut self,
        writes: Vec<wit::blobs::Write>,
    ) -> Result<Vec<Result<wit::blobs::Outcome, Error>>, Error> {
        let shared = self.shared.clone();
        Ok(answers(self.outside(shared.backends.blobs.put(list(writes))).await?))
    }

    async fn get(
        &mut self,
        reads: Vec<wit::blobs::Read>,
    ) -> Result<Vec<Result<Option<wit::blobs::Object>, Error>>, Error> {
        let shared = self.shared.clone();
        let objects = self.outside(shared.backends.blobs.get(list(reads))).await?;
        Ok(objects.into_iter().map(|read| Ok(read?.map(convert))).collect())
    }

    async fn search(&mut self, query: wit::blobs::Query) -> Result<wit::blobs::Page, Error> {
        let shared = self.shared.clone();
        answer(self.outside(shared.backends.blobs.search(query.into())).await)
    }

    async fn delete(&mut self, keys: Vec<String>) -> Result<Vec<Result<(), Error>>, Error> {
        let shared = self.shared.clone();
        Ok(answers(self.outside(shared.backends.blobs.delete(keys)).await?))
    }
}
