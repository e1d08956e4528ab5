//! One request to one component: its state, its limits, and what it may reach.

use super::bindings::spin::{key_value::key_value, variables::variables};
use super::manifest::{ComponentSettings, is_name};
use super::outbound::Outbound;
use super::output::Output;
use super::store::Stores;
use crate::Limits;
use crate::limits::{Asked, Room};
use crate::metrics::Counters;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use wasmtime::component::{Accessor, FutureReader, HasSelf, Resource, ResourceTable, StreamReader};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Things of the host that a component may hold at once.
const RESOURCES: usize = 10_000;

/// A component, and what its calls share.
pub struct Shared {
    pub settings: ComponentSettings,
    pub stores: Arc<Stores>,
    pub limits: Limits,
}

/// The state of one call.
pub struct Call {
    shared: Arc<Shared>,
    room: Room,
    asked: Arc<Asked>,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outbound: Outbound,
    table: ResourceTable,
}

/// A store that a component has opened.
pub struct OpenStore(String);

/// A store for one call, with its limits set, and the watch that its time runs on.
pub fn store(
    engine: &Engine,
    shared: &Arc<Shared>,
    counters: &Arc<Counters>,
    output: Output,
) -> (Store<Call>, Arc<Watch>) {
    let Shared { settings, limits, .. } = &**shared;
    let asked = Arc::new(Asked::new(limits.host_calls));
    let mut wasi = WasiCtx::builder();
    // No files, no sockets, no input: only what is set here.
    wasi.stdout(output.clone()).stderr(output);
    for (name, value) in &settings.environment {
        wasi.env(name, value);
    }
    let mut table = ResourceTable::new();
    table.set_max_capacity(RESOURCES);
    let call = Call {
        shared: shared.clone(),
        room: Room::new(limits, counters.clone()),
        wasi: wasi.build(),
        http: WasiHttpCtx::new(),
        outbound: Outbound {
            allowed: settings.allowed.clone(),
            asked: asked.clone(),
            body_bytes: limits.output_bytes,
        },
        asked,
        table,
    };
    let mut store = Store::new(engine, call);
    store.limiter(|call| &mut call.room);
    store.set_hostcall_fuel(limits.output_bytes);
    store.set_epoch_deadline(1);
    let watch = Arc::new(Watch::default());
    let (seen, allowed) = (watch.clone(), limits.cpu);
    // At each tick the component lets others run, so that a thread is never blocked and the wall time is looked at.
    store.epoch_deadline_callback(move |_| {
        Ok(if seen.spent() > allowed { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
    });
    (store, watch)
}

/// How long a call has computed: the time in which it was polled. What it waits for is not in it, however many of its
/// parts wait at once.
#[derive(Default)]
pub struct Watch(Mutex<(Duration, Option<Instant>)>);

impl Watch {
    fn spent(&self) -> Duration {
        let (before, running) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        before + running.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn start(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(Instant::now());
    }

    fn stop(&self) {
        let mut watch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = watch.1.take() {
            watch.0 += since.elapsed();
        }
    }
}

/// A future whose polls are timed.
pub struct Watched<F> {
    future: Pin<Box<F>>,
    watch: Arc<Watch>,
}

impl<F: Future> Watched<F> {
    pub fn new(future: F, watch: Arc<Watch>) -> Watched<F> {
        Watched { future: Box::pin(future), watch }
    }
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.watch.start();
        let polled = self.future.as_mut().poll(context);
        self.watch.stop();
        polled
    }
}

impl WasiView for Call {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Call {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outbound }
    }
}

impl variables::Host for Call {}

impl variables::HostWithStore<Call> for HasSelf<Call> {
    async fn get(
        accessor: &Accessor<Call, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, variables::Error>> {
        accessor.with(|mut access| {
            let call = access.get();
            call.asked.ask()?;
            if !is_name(&name) {
                return Ok(Err(variables::Error::InvalidName(name)));
            }
            let value = call.shared.settings.variables.get(&name).cloned();
            Ok(value.ok_or(variables::Error::Undefined(name)))
        })
    }
}

impl key_value::Host for Call {}
impl key_value::HostStore for Call {}

type Stored<T> = wasmtime::Result<Result<T, key_value::Error>>;

/// Does something with the store that is open under this handle.
fn with_store<T>(
    accessor: &Accessor<Call, HasSelf<Call>>,
    store: &Resource<OpenStore>,
    act: impl FnOnce(&Stores, &str) -> Result<T, key_value::Error>,
) -> Stored<T> {
    accessor.with(|mut access| {
        let call = access.get();
        call.asked.ask()?;
        let OpenStore(label) = call.table.get(store)?;
        Ok(act(&call.shared.stores, label))
    })
}

impl key_value::HostStoreWithStore<Call> for HasSelf<Call> {
    async fn open(accessor: &Accessor<Call, Self>, label: String) -> Stored<Resource<OpenStore>> {
        accessor.with(|mut access| {
            let call = access.get();
            call.asked.ask()?;
            if !call.shared.settings.stores.contains(&label) {
                return Ok(Err(key_value::Error::AccessDenied));
            }
            Ok(Ok(call.table.push(OpenStore(label))?))
        })
    }

    async fn get(
        accessor: &Accessor<Call, Self>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Stored<Option<Vec<u8>>> {
        with_store(accessor, &store, |stores, label| Ok(stores.get(label, &key)))
    }

    async fn set(
        accessor: &Accessor<Call, Self>,
        store: Resource<OpenStore>,
        key: String,
        value: Vec<u8>,
    ) -> Stored<()> {
        with_store(accessor, &store, |stores, label| {
            stores.set(label, key, value).map_err(key_value::Error::Other)
        })
    }

    async fn delete(accessor: &Accessor<Call, Self>, store: Resource<OpenStore>, key: String) -> Stored<()> {
        with_store(accessor, &store, |stores, label| {
            stores.delete(label, &key);
            Ok(())
        })
    }

    async fn exists(
        accessor: &Accessor<Call, Self>,
        store: Resource<OpenStore>,
        key: String,
    ) -> Stored<bool> {
        with_store(accessor, &store, |stores, label| Ok(stores.exists(label, &key)))
    }

    async fn get_keys(
        accessor: &Accessor<Call, Self>,
        store: Resource<OpenStore>,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), key_value::Error>>)> {
        let keys = with_store(accessor, &store, |stores, label| Ok(stores.keys(label)))?;
        let (keys, outcome) = match keys {
            Ok(keys) => (keys, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        accessor.with(|mut access| {
            let keys = StreamReader::new(&mut access, keys)?;
            let outcome = FutureReader::new(&mut access, async move { wasmtime::error::Ok(outcome) })?;
            Ok((keys, outcome))
        })
    }

    async fn drop(accessor: &Accessor<Call, Self>, store: Resource<OpenStore>) -> wasmtime::Result<()> {
        accessor.with(|mut access| {
            access.get().table.delete(store)?;
            Ok(())
        })
    }
}
