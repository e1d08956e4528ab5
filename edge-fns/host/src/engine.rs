//! The WebAssembly engine: room for the calls, and the ticks that bound their CPU time.

use crate::{Limits, LoadError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

/// CPU time is counted in these.
const TICK: Duration = Duration::from_millis(10);
/// Memory of a finished call that is cleared rather than given back: the pages a usual call touches.
const KEPT: usize = 256 << 10;
const STACK: usize = 512 << 10;
/// The largest table of functions that one component may have.
pub const TABLE_ELEMENTS: usize = 10_000;

/// What compiled code depends on: equal where components are compiled and where they run.
fn code() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    // Functions have no async types: their host waits on a stack of theirs. Said here because the default changes with
    // what wasmtime is built with.
    config.concurrency_support(false);
    // A trap is told by its kind and by the panic's message in the log, not by addresses: maps of them would be a fifth of
    // the code's size.
    config.generate_address_map(false);
    config.wasm_backtrace_max_frames(None);
    config.native_unwind_info(false);
    config
}

/// An engine that compiles for any machine of this target: for no processor's features but those that all have.
#[cfg(feature = "compiler")]
pub fn compiler(target: &str) -> Result<Engine, LoadError> {
    let mut config = code();
    config.target(target).map_err(|reason| LoadError::Engine(format!("{target}: {reason:#}")))?;
    Engine::new(&config).map_err(|reason| LoadError::Engine(format!("{target}: {reason:#}")))
}

/// An engine with places for `concurrent` calls, reserved at the start; where the system does not give that much
/// address space, places are made call by call.
pub fn start(limits: &Limits) -> Result<Engine, LoadError> {
    pooled(code(), limits, 1)
}

/// The same for components whose functions have async types: several tasks of one may wait at once, each on a stack of
/// its own.
#[cfg(feature = "spin")]
pub fn start_concurrent(limits: &Limits) -> Result<Engine, LoadError> {
    let mut config = code();
    config.concurrency_support(true);
    config.wasm_component_model_async(true);
    pooled(config, limits, TASKS)
}

/// Stacks reserved for a call of a component with async types; most need one or two.
#[cfg(feature = "spin")]
const TASKS: u32 = 4;

fn pooled(mut config: Config, limits: &Limits, stacks: u32) -> Result<Engine, LoadError> {
    config.max_wasm_stack(STACK);
    config.async_stack_size(4 * STACK);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits.concurrent)
        .total_core_instances(limits.concurrent.saturating_mul(MODULES))
        .total_memories(limits.concurrent.saturating_mul(2))
        .total_tables(limits.concurrent.saturating_mul(MODULES))
        .total_stacks(limits.concurrent.saturating_mul(stacks))
        .max_memories_per_component(MEMORIES)
        .max_core_instances_per_component(MODULES)
        .max_tables_per_component(MODULES)
        .max_memory_size(limits.memory_bytes)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(KEPT)
        .pagemap_scan(Enabled::Auto);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config).or_else(|reason| {
        tracing::warn!("no pool for {} function calls, going on without: {reason:#}", limits.concurrent);
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        Engine::new(&config).map_err(|reason| LoadError::Engine(format!("{reason:#}")))
    })
}

/// Core modules in a component. One that is compiled to WebAssembly has its own and the small ones that tie it to its
/// imports; one in an interpreted language brings the interpreter, its libraries, and what loads them.
pub const MODULES: u32 = 16;

/// Memories in a component: its own, and in an interpreted language those of what loads the interpreter.
pub const MEMORIES: u32 = 4;

/// Counts time for the calls of an engine, until the last one of its users is gone.
#[derive(Clone)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    pub fn start(engine: &Engine) -> Result<Clock, LoadError> {
        let ticks = Arc::new(AtomicU64::new(0));
        let (engine, counted) = (engine.weak(), Arc::downgrade(&ticks));
        let tick = move || {
            loop {
                std::thread::sleep(TICK);
                let (Some(engine), Some(counted)) = (engine.upgrade(), counted.upgrade()) else { return };
                counted.fetch_add(1, Relaxed);
                engine.increment_epoch();
            }
        };
        let thread = std::thread::Builder::new().name("function-ticks".into());
        thread.spawn(tick).map_err(|reason| LoadError::Engine(reason.to_string()))?;
        Ok(Clock(ticks))
    }

    pub fn now(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// The ticks that cover this time.
    pub fn ticks(time: Duration) -> u64 {
        time.as_nanos().div_ceil(TICK.as_nanos()).try_into().unwrap_or(u64::MAX)
    }
}
