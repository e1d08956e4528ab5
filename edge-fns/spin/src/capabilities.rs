//! What an event's function may touch, connected for this event.

use crate::gateway::Gateway;
use crate::platform::{Platform, setting};
use edge_fns::capability::{Base, Error, Result};
use edge_fns::dispatch::Ports;
use edge_fns::remote::{Remote, RemoteBase};
use std::sync::Arc;

/// Cheap to make: connections belong to the host, not to an event.
pub struct Capabilities {
    pub base: Arc<dyn Base>,
    /// Everything that has its home at the exchange.
    pub gateway: Remote<Gateway>,
}

impl Capabilities {
    pub fn ports(&self) -> Ports<'_> {
        Ports::over(self.base.as_ref(), &self.gateway, &self.gateway)
    }

    pub async fn connect() -> Result<Capabilities> {
        let gateway = Remote(Gateway::connect().await?);
        let own: Arc<dyn Base> = Arc::new(Platform);
        let base = match setting("capabilities_session").await?.as_deref() {
            None | Some("own") => own,
            // A server of tests sets time and randomness.
            Some("server") => {
                let base = RemoteBase::new(gateway.clone(), own);
                base.open().await?;
                Arc::new(base)
            }
            Some(other) => {
                let message = format!("capabilities_session is {other:?}: known are: own, server");
                return Err(Error::Invalid(message));
            }
        };
        Ok(Capabilities { base, gateway })
    }
}
