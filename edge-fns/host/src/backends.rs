//! What the components' imports are connected to.

use async_trait::async_trait;
use edge_fns::capability::base::Level;
use edge_fns::capability::{
    Base, Blobs, Cache, Connections, Documents, Identity, LogStreams, Millis, Result, Sql, Wallet,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// One implementation a capability, shared by all calls. A component reaches only those of its world.
#[derive(Clone)]
pub struct Backends {
    pub base: Arc<dyn Base>,
    pub identity: Arc<dyn Identity>,
    pub cache: Arc<dyn Cache>,
    pub documents: Arc<dyn Documents>,
    pub streams: Arc<dyn LogStreams>,
    pub sql: Arc<dyn Sql>,
    pub wallet: Arc<dyn Wallet>,
    pub connections: Arc<dyn Connections>,
    pub blobs: Arc<dyn Blobs>,
}

/// The machine's clock and randomness, logs to `tracing`, configuration from a map.
#[derive(Clone, Debug, Default)]
pub struct SystemBase {
    config: BTreeMap<String, String>,
}

impl SystemBase {
    pub fn new(config: BTreeMap<String, String>) -> SystemBase {
        SystemBase { config }
    }
}

#[async_trait]
impl Base for SystemBase {
    fn now(&self) -> Millis {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis)
    }

    fn random(&self, len: u32) -> Vec<u8> {
        let mut bytes = vec![0; len as usize];
        if let Err(error) = getrandom::fill(&mut bytes) {
            // Identifiers and secrets come from here: predictable ones would be worse than no service.
            panic!("the operating system gives no randomness: {error}");
        }
        bytes
    }

    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        let fields =
            fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        match level {
            Level::Trace => tracing::trace!(target: "supernoba::function", fields, "{message}"),
            Level::Debug => tracing::debug!(target: "supernoba::function", fields, "{message}"),
            Level::Info => tracing::info!(target: "supernoba::function", fields, "{message}"),
            Level::Warn => tracing::warn!(target: "supernoba::function", fields, "{message}"),
            Level::Error => tracing::error!(target: "supernoba::function", fields, "{message}"),
        }
    }

    async fn config(&self, name: &str) -> Result<Option<String>> {
        Ok(self.config.get(name).cloned())
    }
}
