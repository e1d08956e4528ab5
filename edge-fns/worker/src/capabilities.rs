//! What an event's function may touch, connected for this event.

use crate::connections::Hubs;
use crate::gateway::Gateway;
use crate::platform::{Platform, setting};
use edge_fns::capability::{Base, Connections};
use edge_fns::dispatch::Ports;
use edge_fns::remote::{Remote, RemoteBase};
use std::sync::Arc;
use worker::{Env, Result};

/// Cheap to make: connections belong to the platform, not to an event.
pub struct Capabilities {
    pub base: Arc<dyn Base>,
    /// Everything that has its home at the exchange.
    pub gateway: Remote<Gateway>,
    /// The hubs' own, or the exchange's where WebSockets end there.
    pub connections: Arc<dyn Connections>,
}

impl Capabilities {
    pub fn ports(&self) -> Ports<'_> {
        Ports::over(self.base.as_ref(), &self.gateway, self.connections.as_ref())
    }

    pub async fn of(env: &Env) -> Result<Capabilities> {
        let gateway = Remote(Gateway::of(env)?);
        let own: Arc<dyn Base> = Arc::new(Platform::of(env));
        let base = match setting(env, "CAPABILITIES_SESSION").as_deref() {
            None | Some("own") => own,
            // A server of tests sets time and randomness.
            Some("server") => {
                let base = RemoteBase::new(gateway.clone(), own);
                base.open().await.map_err(|error| worker::Error::RustError(error.to_string()))?;
                Arc::new(base)
            }
            Some(other) => {
                let message = format!("CAPABILITIES_SESSION is {other:?}: known are: own, server");
                return Err(worker::Error::RustError(message));
            }
        };
        let connections: Arc<dyn Connections> = match setting(env, "CONNECTIONS_BACKEND").as_deref() {
            None | Some("hubs") => Arc::new(Hubs::of(env)),
            Some("gateway") => Arc::new(gateway.clone()),
            Some(other) => {
                let message = format!("CONNECTIONS_BACKEND is {other:?}: known are: hubs, gateway");
                return Err(worker::Error::RustError(message));
            }
        };
        Ok(Capabilities { base, gateway, connections })
    }
}
