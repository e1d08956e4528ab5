//! Every function by its name, for hosts that hold all of them in one program. A component holds one and needs no name.
//!
//! A name that takes no such event is answered by none.

use crate::capability::{
    self, Base, Blobs, Cache, Connections, Documents, Identity, LogStreams, Sql, Wallet,
};
use crate::http::{Request, Response};
use crate::socket::{Event, Reply};
use crate::stream::{Failure, Item};
use crate::timer::Timer;
use crate::{
    admin, aggregator, asset, chart_data, connect, disconnect, fill_processor, history_saver, notifier,
    order_router, orders, stale_connections, subscribe, sweeper, trades_backup, user_notify,
};

/// All that functions may ask for. Each gets what its own ports name, and no more.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    pub base: &'a dyn Base,
    pub identity: &'a dyn Identity,
    pub cache: &'a dyn Cache,
    pub documents: &'a dyn Documents,
    pub streams: &'a dyn LogStreams,
    pub sql: &'a dyn Sql,
    pub wallet: &'a dyn Wallet,
    pub connections: &'a dyn Connections,
    pub blobs: &'a dyn Blobs,
}

impl<'a> Ports<'a> {
    /// Those of a gateway that has all but the base and the connections.
    pub fn over<G>(base: &'a dyn Base, gateway: &'a G, connections: &'a dyn Connections) -> Ports<'a>
    where
        G: Identity + Cache + Documents + LogStreams + Sql + Wallet + Blobs,
    {
        Ports {
            base,
            identity: gateway,
            cache: gateway,
            documents: gateway,
            streams: gateway,
            sql: gateway,
            wallet: gateway,
            connections,
            blobs: gateway,
        }
    }
}

pub async fn http(ports: Ports<'_>, name: &str, request: Request) -> Option<Response> {
    let Ports { base, identity, cache, documents, streams, wallet, .. } = ports;
    Some(match name {
        "order-router" => {
            let ports = order_router::Ports { base, identity, cache, documents, wallet, streams };
            order_router::handle(&ports, request).await
        }
        "orders" => {
            let ports = orders::Ports { base, identity, cache, documents, wallet, streams };
            orders::handle(&ports, request).await
        }
        "asset" => asset::handle(&asset::Ports { base, identity, wallet }, request).await,
        "admin" => admin::handle(&admin::Ports { base, identity, cache, wallet }, request).await,
        "chart-data" => chart_data::handle(&chart_data::Ports { base, cache, documents }, request).await,
        _ => return None,
    })
}

pub async fn socket(ports: Ports<'_>, name: &str, connection: &str, event: Event) -> Option<Reply> {
    let Ports { base, identity, cache, .. } = ports;
    Some(match name {
        "connect" => connect::handle(&connect::Ports { base, identity, cache }, connection, event).await,
        "subscribe" => subscribe::handle(&subscribe::Ports { base, cache }, connection, event).await,
        "disconnect" => disconnect::handle(&disconnect::Ports { base, cache }, connection, event).await,
        _ => return None,
    })
}

pub async fn stream(ports: Ports<'_>, name: &str, stream: &str, items: Vec<Item>) -> Option<Vec<Failure>> {
    let Ports { base, cache, documents, sql, wallet, connections, .. } = ports;
    Some(match name {
        "fill-processor" => {
            let ports = fill_processor::Ports { base, documents, wallet };
            fill_processor::handle(&ports, stream, items).await
        }
        "history-saver" => history_saver::handle(&history_saver::Ports { base, sql }, stream, items).await,
        "notifier" => notifier::handle(&notifier::Ports { base, cache, connections }, stream, items).await,
        "user-notify" => {
            user_notify::handle(&user_notify::Ports { base, cache, connections }, stream, items).await
        }
        _ => return None,
    })
}

pub async fn timer(ports: Ports<'_>, name: &str, timer: Timer) -> Option<capability::Result<()>> {
    let Ports { base, cache, documents, streams, wallet, connections, blobs, .. } = ports;
    Some(match name {
        "sweeper" => sweeper::handle(&sweeper::Ports { base, documents, wallet, streams }, timer).await,
        "aggregator" => aggregator::handle(&aggregator::Ports { base, cache, documents, blobs }, timer).await,
        "trades-backup" => {
            trades_backup::handle(&trades_backup::Ports { base, cache, documents, blobs }, timer).await
        }
        "stale-connections" => {
            stale_connections::handle(&stale_connections::Ports { base, cache, connections }, timer).await
        }
        _ => return None,
    })
}
