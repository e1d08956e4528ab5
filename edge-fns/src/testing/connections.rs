//! WebSocket connections, in memory: whoever is in `online` is there, and what it is sent is kept.

use super::Memory;
use crate::capability::connections::{Delivery, Push};
use crate::capability::{Connections, Result};
use async_trait::async_trait;

#[async_trait]
impl Connections for Memory {
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        self.call(|state| {
            let mut post = |id: String, body: &[u8]| {
                if !state.online.contains(&id) {
                    return Ok(Delivery::Gone);
                }
                state.sent.entry(id).or_default().push(body.to_vec());
                Ok(Delivery::Sent)
            };
            let push = |Push { to, body }: Push| to.into_iter().map(|id| post(id, &body)).collect();
            Ok(pushes.into_iter().map(push).collect())
        })
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        self.call(|state| Ok(ids.iter().map(|id| Ok(state.online.contains(id))).collect()))
    }

    async fn close(&self, id: &str) -> Result<()> {
        self.call(|state| {
            state.online.remove(id);
            Ok(())
        })
    }
}
