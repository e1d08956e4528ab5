//! The functions themselves, called as Rust.

use super::{Given, Host};
use crate::backend::Scripted;
use crate::case::STREAM;
use crate::expected::Answer;
use anyhow::{Context, Result};
use async_trait::async_trait;
use edge_fns::dispatch::{self, Ports};
use std::sync::Arc;

#[derive(Default)]
pub struct Native(Arc<Scripted>);

#[async_trait]
impl Host for Native {
    fn name(&self) -> &'static str {
        "native"
    }

    fn backend(&self) -> &Arc<Scripted> {
        &self.0
    }

    async fn give(&mut self, handler: &str, event: &Given, _calls: usize) -> Result<Answer> {
        let own = self.0.as_ref();
        let ports = Ports::over(own, own, own);
        let answer = match event.clone() {
            Given::Http(request) => dispatch::http(ports, handler, request).await.map(Answer::Http),
            Given::Socket { connection, event } => {
                dispatch::socket(ports, handler, &connection, event).await.map(Answer::Socket)
            }
            Given::Stream(items) => dispatch::stream(ports, handler, STREAM, items).await.map(Answer::Stream),
            Given::Timer(timer) => dispatch::timer(ports, handler, timer).await.map(Answer::Timer),
        };
        answer.with_context(|| format!("{handler} takes no such event"))
    }
}
