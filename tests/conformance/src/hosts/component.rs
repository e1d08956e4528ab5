//! The components on our own wasmtime host.

use super::{Given, Host};
use crate::backend::Scripted;
use crate::case::STREAM;
use crate::expected::Answer;
use anyhow::Result;
use async_trait::async_trait;
use edge_host::{EdgeHost, Limits};
use std::path::Path;
use std::sync::Arc;

pub struct Components {
    host: EdgeHost,
    backend: Arc<Scripted>,
}

impl Components {
    pub fn load(root: &Path) -> Result<Components> {
        let backend = Arc::<Scripted>::default();
        let host = EdgeHost::load(&root.join("target/components"), backend.backends(), Limits::default())?;
        Ok(Components { host, backend })
    }
}

#[async_trait]
impl Host for Components {
    fn name(&self) -> &'static str {
        "wasmtime"
    }

    fn backend(&self) -> &Arc<Scripted> {
        &self.backend
    }

    async fn give(&mut self, handler: &str, event: &Given, _calls: usize) -> Result<Answer> {
        Ok(match event.clone() {
            Given::Http(request) => Answer::Http(self.host.http(handler, request).await?),
            Given::Socket { connection, event } => {
                Answer::Socket(self.host.socket(handler, &connection, event).await?)
            }
            Given::Stream(items) => Answer::Stream(self.host.stream(handler, STREAM, items).await?),
            Given::Timer(timer) => Answer::Timer(self.host.timer(handler, &timer).await?),
        })
    }
}
