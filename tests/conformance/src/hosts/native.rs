//! The functions themselves, called as Rust.

use super::{Given, Host};
use crate::backend::Scripted;
use crate::case::STREAM;
use crate::expected::Answer;
use anyhow::{Result, bail};
use async_trait::async_trait;
use edge_fns::*;
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
        let b = self.0.as_ref();
        Ok(match event.clone() {
            Given::Http(request) => Answer::Http(http(b, handler, request).await?),
            Given::Socket { connection, event } => {
                Answer::Socket(socket(b, handler, &connection, event).await?)
            }
            Given::Stream(items) => Answer::Stream(stream(b, handler, items).await?),
            Given::Timer(timer) => Answer::Timer(self::timer(b, handler, timer).await?),
        })
    }
}

async fn http(b: &Scripted, handler: &str, request: http::Request) -> Result<http::Response> {
    Ok(match handler {
        "order-router" => {
            let ports =
                order_router::Ports { base: b, identity: b, cache: b, documents: b, wallet: b, streams: b };
            order_router::handle(&ports, request).await
        }
        "orders" => {
            let ports = orders::Ports { base: b, identity: b, cache: b, documents: b, wallet: b, streams: b };
            orders::handle(&ports, request).await
        }
        "asset" => asset::handle(&asset::Ports { base: b, identity: b, wallet: b }, request).await,
        "admin" => admin::handle(&admin::Ports { base: b, identity: b, cache: b, wallet: b }, request).await,
        "chart-data" => {
            chart_data::handle(&chart_data::Ports { base: b, cache: b, documents: b }, request).await
        }
        other => bail!("{other} takes no requests"),
    })
}

async fn socket(b: &Scripted, handler: &str, id: &str, event: socket::Event) -> Result<socket::Reply> {
    Ok(match handler {
        "connect" => connect::handle(&connect::Ports { base: b, identity: b, cache: b }, id, event).await,
        "subscribe" => subscribe::handle(&subscribe::Ports { base: b, cache: b }, id, event).await,
        "disconnect" => disconnect::handle(&disconnect::Ports { base: b, cache: b }, id, event).await,
        other => bail!("{other} takes no events of connections"),
    })
}

async fn stream(b: &Scripted, handler: &str, items: Vec<stream::Item>) -> Result<Vec<stream::Failure>> {
    Ok(match handler {
        "fill-processor" => {
            let ports = fill_processor::Ports { base: b, documents: b, wallet: b };
            fill_processor::handle(&ports, STREAM, items).await
        }
        "history-saver" => {
            history_saver::handle(&history_saver::Ports { base: b, sql: b }, STREAM, items).await
        }
        "notifier" => {
            notifier::handle(&notifier::Ports { base: b, cache: b, connections: b }, STREAM, items).await
        }
        "user-notify" => {
            user_notify::handle(&user_notify::Ports { base: b, cache: b, connections: b }, STREAM, items)
                .await
        }
        other => bail!("{other} takes no records"),
    })
}

async fn timer(b: &Scripted, handler: &str, timer: timer::Timer) -> Result<capability::Result<()>> {
    Ok(match handler {
        "stale-connections" => {
            let ports = stale_connections::Ports { base: b, cache: b, connections: b };
            stale_connections::handle(&ports, timer).await
        }
        "trades-backup" => {
            let ports = trades_backup::Ports { base: b, cache: b, documents: b, blobs: b };
            trades_backup::handle(&ports, timer).await
        }
        "aggregator" => {
            let ports = aggregator::Ports { base: b, cache: b, documents: b, blobs: b };
            aggregator::handle(&ports, timer).await
        }
        "sweeper" => {
            sweeper::handle(&sweeper::Ports { base: b, documents: b, wallet: b, streams: b }, timer).await
        }
        other => bail!("{other} is no timer"),
    })
}
