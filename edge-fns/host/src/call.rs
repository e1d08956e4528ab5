//! One call of a component: its state, its limits, and its way out to the back ends.

use crate::bindings::capabilities::supernoba::edge as wit;
use crate::convert::{answers, convert, list};
use crate::engine::Clock;
use crate::limits::{Overstep, Room};
use crate::metrics::Counters;
use crate::worlds::World;
use crate::{Backends, Limits, config};
use edge_fns::capability::base::Level;
use std::sync::Arc;
use wasmtime::{Engine, Store, UpdateDeadline};
use wit::types::Error;

/// Letters of a name that a component made up, as the log shows it.
const NAME: usize = 100;

/// What all calls share.
pub struct Shared {
    pub backends: Backends,
    pub limits: Limits,
    pub clock: Clock,
}

/// The state of one call.
pub struct Call {
    world: &'static World,
    shared: Arc<Shared>,
    room: Room,
    /// Ticks in which the component computed.
    computed: u64,
    /// A tick passed while a back end was asked: it does not count.
    excused: bool,
    /// How often a back end was asked.
    asked: u32,
    /// How many lines were written to the log.
    lines: u32,
}

/// What a back end said; the outer error ends the call.
type Answer<T> = wasmtime::Result<Result<T, Error>>;

/// A store for one call, with its limits set.
pub fn store(
    engine: &Engine,
    world: &'static World,
    counters: &Arc<Counters>,
    shared: &Arc<Shared>,
) -> Store<Call> {
    let allowed = Clock::ticks(shared.limits.cpu);
    let room = Room::new(&shared.limits, counters.clone());
    let call = Call { world, shared: shared.clone(), room, computed: 0, excused: false, asked: 0, lines: 0 };
    let mut store = Store::new(engine, call);
    store.limiter(|call| &mut call.room);
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
    /// Asks a back end and converts its answer. What time that takes is not the component's.
    async fn ask<T, R>(
        &mut self,
        answer: impl Future<Output = edge_fns::capability::Result<T>> + Send,
        convert: impl FnOnce(T) -> R,
    ) -> Answer<R> {
        let allowed = self.shared.limits.calls(self.world.kind);
        if self.asked == allowed {
            return Err(Overstep::Calls(allowed).into());
        }
        self.asked += 1;
        // A component that asks back ends that never wait must not keep the thread either.
        tokio::task::consume_budget().await;
        let before = self.shared.clock.now();
        let answer = answer.await;
        self.excused |= self.shared.clock.now() != before;
        Ok(answer.map(convert).map_err(Error::from))
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
            return Err(Overstep::Output(format!("{len} random bytes at once")).into());
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
        let base = &self.shared.backends.base;
        self.lines = self.lines.saturating_add(1);
        if self.lines > self.shared.limits.log_lines {
            // A function that floods the log is not stopped by it: what it does matters more than what it says.
            if self.lines == self.shared.limits.log_lines + 1 {
                base.log(
                    Level::Warn,
                    "further lines of this call are left out",
                    &[("handler", self.world.handler)],
                );
            }
            return Ok(());
        }
        let mut all = Vec::with_capacity(fields.len() + 1);
        all.push(("handler", self.world.handler));
        all.extend(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        base.log(level.into(), &message, &all);
        Ok(())
    }
}

impl wit::config::Host for Call {
    async fn get(&mut self, name: String) -> Answer<Option<String>> {
        let shared = self.shared.clone();
        let handler = self.world.handler;
        // Refusals count as well, so that nobody fills the log with them; and the name is the component's own choice.
        let value = async {
            if config::grants(handler, &name) {
                return shared.backends.base.config(&name).await;
            }
            let name: String = name.chars().take(NAME).collect();
            tracing::warn!(handler, name, "a function asked for configuration that it may not read");
            Err(edge_fns::capability::Error::Denied(format!(
                "{name:?} is not among what this function may read"
            )))
        };
        self.ask(value, |value| value).await
    }
}

impl wit::identity::Host for Call {
    async fn verify(
        &mut self,
        token: String,
    ) -> Answer<Result<wit::identity::Claims, wit::identity::Refusal>> {
        let shared = self.shared.clone();
        let verified = shared.backends.identity.verify(&token);
        self.ask(verified, |verified| verified.map(convert).map_err(convert)).await
    }
}

impl wit::cache::Host for Call {
    async fn run(
        &mut self,
        commands: Vec<wit::cache::Command>,
    ) -> Answer<Vec<Result<wit::cache::Reply, Error>>> {
        let shared = self.shared.clone();
        self.ask(shared.backends.cache.run(list(commands)), answers).await
    }

    async fn run_atomic(&mut self, commands: Vec<wit::cache::Command>) -> Answer<Vec<wit::cache::Reply>> {
        let shared = self.shared.clone();
        self.ask(shared.backends.cache.run_atomic(list(commands)), list).await
    }
}

impl wit::documents::Host for Call {
    async fn get(&mut self, ids: Vec<wit::documents::Id>) -> Answer<Vec<Option<wit::documents::Entry>>> {
        let shared = self.shared.clone();
        let entries = shared.backends.documents.get(list(ids));
        self.ask(entries, |entries| entries.into_iter().map(|entry| entry.map(convert)).collect()).await
    }

    async fn put(&mut self, writes: Vec<wit::documents::Write>) -> Answer<Vec<wit::documents::Outcome>> {
        let shared = self.shared.clone();
        self.ask(shared.backends.documents.put(list(writes)), list).await
    }

    async fn put_all(&mut self, writes: Vec<wit::documents::Write>) -> Answer<wit::documents::Outcome> {
        let shared = self.shared.clone();
        self.ask(shared.backends.documents.put_all(list(writes)), convert).await
    }

    async fn search(&mut self, query: wit::documents::Query) -> Answer<wit::documents::Page> {
        let shared = self.shared.clone();
        self.ask(shared.backends.documents.search(query.into()), convert).await
    }
}

impl wit::log_streams::Host for Call {
    async fn append(
        &mut self,
        stream: String,
        messages: Vec<wit::log_streams::Message>,
    ) -> Answer<Vec<Result<String, Error>>> {
        let shared = self.shared.clone();
        self.ask(shared.backends.streams.append(&stream, list(messages)), answers).await
    }
}

impl wit::sql::Host for Call {
    async fn query(&mut self, statement: String, params: Vec<wit::sql::Value>) -> Answer<wit::sql::Rows> {
        let shared = self.shared.clone();
        self.ask(shared.backends.sql.query(&statement, list(params)), convert).await
    }

    async fn execute(&mut self, statement: String, params: Vec<Vec<wit::sql::Value>>) -> Answer<u64> {
        let shared = self.shared.clone();
        let rows = params.into_iter().map(list).collect();
        self.ask(shared.backends.sql.execute(&statement, rows), convert).await
    }
}

impl wit::wallet::Host for Call {
    async fn post(
        &mut self,
        movements: Vec<wit::wallet::Movement>,
    ) -> Answer<Vec<Result<wit::wallet::Posted, Error>>> {
        let shared = self.shared.clone();
        self.ask(shared.backends.wallet.post(list(movements)), answers).await
    }

    async fn balances(&mut self, user: String) -> Answer<Vec<wit::wallet::Balance>> {
        let shared = self.shared.clone();
        self.ask(shared.backends.wallet.balances(&user), list).await
    }
}

impl wit::connections::Host for Call {
    async fn post(
        &mut self,
        pushes: Vec<wit::connections::Push>,
    ) -> Answer<Vec<Vec<Result<wit::connections::Delivery, Error>>>> {
        let shared = self.shared.clone();
        let deliveries = shared.backends.connections.post(list(pushes));
        self.ask(deliveries, |deliveries| deliveries.into_iter().map(answers).collect()).await
    }

    async fn probe(&mut self, ids: Vec<String>) -> Answer<Vec<Result<bool, Error>>> {
        let shared = self.shared.clone();
        self.ask(shared.backends.connections.probe(ids), answers).await
    }

    async fn close(&mut self, id: String) -> Answer<()> {
        let shared = self.shared.clone();
        self.ask(shared.backends.connections.close(&id), convert).await
    }
}

impl wit::blobs::Host for Call {
    async fn put(
        &mut self,
        writes: Vec<wit::blobs::Write>,
    ) -> Answer<Vec<Result<wit::blobs::Outcome, Error>>> {
        let shared = self.shared.clone();
        self.ask(shared.backends.blobs.put(list(writes)), answers).await
    }

    async fn get(
        &mut self,
        reads: Vec<wit::blobs::Read>,
    ) -> Answer<Vec<Result<Option<wit::blobs::Object>, Error>>> {
        let shared = self.shared.clone();
        let objects = shared.backends.blobs.get(list(reads));
        let convert_all = |objects: Vec<edge_fns::capability::Result<Option<_>>>| {
            objects.into_iter().map(|read| Ok(read?.map(convert))).collect()
        };
        self.ask(objects, convert_all).await
    }

    async fn search(&mut self, query: wit::blobs::Query) -> Answer<wit::blobs::Page> {
        let shared = self.shared.clone();
        self.ask(shared.backends.blobs.search(query.into()), convert).await
    }

    async fn delete(&mut self, keys: Vec<String>) -> Answer<Vec<Result<(), Error>>> {
        let shared = self.shared.clone();
        self.ask(shared.backends.blobs.delete(keys), answers).await
    }
}
