//! The engine's gRPC service, as `proto/engine.proto` describes it, with health and reflection.
//!
//! What it does is an operator's matter: where the exchange has a `CAPABILITIES_TOKEN`, callers name it as a bearer token.

use crate::backends::aws::kinesis::Leases;
use crate::engine::Kept;
use crate::engine::fleet::{Handle, Held, Taken};
use async_trait::async_trait;
use edge_fns::capability::cache::{Command, SetOptions};
use edge_fns::capability::{Cache, Error};
use engine_core::shard::Shard;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Made from the description.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod wire {
    tonic::include_proto!("supernoba.engine.v1");

    pub(super) const DESCRIPTION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/engine.pb"));
}
use wire::engine_server::{Engine, EngineServer};

/// Books written to the backup cache in one call.
const AT_ONCE: usize = 100;
const BOOK: &str = "snapshot:";

/// What the service is about.
pub struct Service {
    pub held: Arc<Held>,
    pub leases: Leases,
    /// Where the books go.
    pub backup: Arc<dyn Cache>,
    /// What callers say to be let in; none: everybody is.
    pub token: Option<String>,
}

/// Serves until told to stop; answers the address, which is another one where port 0 was asked for.
pub async fn serve(
    (bind, port): (IpAddr, u16),
    service: Service,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((bind, port)).await;
    let listener = listener.map_err(|error| anyhow::anyhow!("cannot listen on {bind}:{port}: {error}"))?;
    let address = listener.local_addr()?;
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<EngineServer<Service>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(wire::DESCRIPTION)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let stopped = async move {
        // An error says that the sender is gone, which is a stop too.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let server = Server::builder()
        .add_service(health_service)
        .add_service(reflection)
        .add_service(EngineServer::new(service))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), stopped);
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "gRPC is served no more");
        }
    });
    Ok(address)
}

impl Service {
    fn admit<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let Some(token) = &self.token else { return Ok(()) };
        let given = request.metadata().get("authorization").and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        // Of digests the time to compare tells nothing.
        let digest = |text: &str| <[u8; 32]>::from(Sha256::digest(text));
        match digest(given) == digest(token) {
            true => Ok(()),
            false => Err(Status::unauthenticated("the token is another one")),
        }
    }

    /// Writes books of a shard into the backup cache: all, or that of one symbol.
    async fn keep_books(&self, kept: &Kept, symbol: &str) -> Result<Vec<wire::Book>, Status> {
        let bytes = kept.bytes.clone();
        let symbol = symbol.to_owned();
        // Off the threads that serve: a shard may hold a million orders.
        let cut = tokio::task::spawn_blocking(move || cut(&bytes, &symbol)).await;
        let books = cut.map_err(|error| Status::internal(error.to_string()))??;
        for some in books.chunks(AT_ONCE) {
            let sets = some
                .iter()
                .map(|(book, bytes)| Command::Set(book.key.clone(), bytes.clone(), SetOptions::default()));
            for reply in self.backup.run(sets.collect()).await.map_err(status)? {
                reply.map_err(status)?;
            }
        }
        Ok(books.into_iter().map(|(book, _)| book).collect())
    }
}

type Books = Vec<(wire::Book, Vec<u8>)>;

fn cut(snapshot: &[u8], symbol: &str) -> Result<Books, Status> {
    let shard = Shard::restore(snapshot).map_err(|error| Status::data_loss(error.to_string()))?;
    let wanted = shard.markets().filter(|(name, _)| symbol.is_empty() || &***name == symbol);
    Ok(wanted
        .map(|(name, market)| {
            let bytes = shard.part(|other| other == &**name).snapshot();
            let book = wire::Book {
                symbol: name.to_string(),
                key: format!("{BOOK}{name}"),
                sequence: market.sequence(),
                bytes: bytes.len() as u64,
            };
            (book, bytes)
        })
        .collect())
}

/// Whether a snapshot holds the symbol.
fn symbols(snapshot: &[u8]) -> Result<Vec<String>, Status> {
    let shard = Shard::restore(snapshot).map_err(|error| Status::data_loss(error.to_string()))?;
    Ok(shard.markets().map(|(name, _)| name.to_string()).collect())
}

#[async_trait]
impl Engine for Service {
    async fn create_snapshot(
        &self,
        request: Request<wire::CreateSnapshotRequest>,
    ) -> Result<Response<wire::CreateSnapshotResponse>, Status> {
        self.admit(&request)?;
        let symbol = request.into_inner().symbol;
        let mut answer = wire::CreateSnapshotResponse::default();
        for (shard, handle) in self.held.shards() {
            let kept = handle.snapshot().await.map_err(status)?;
            let held = symbols(&kept.bytes)?;
            if !symbol.is_empty() && !held.contains(&symbol) {
                continue;
            }
            answer.books.extend(self.keep_books(&kept, &symbol).await?);
            answer.snapshots.push(wire::Snapshot {
                shard,
                name: kept.name,
                position: kept.position,
                record: kept.place,
                time_ms: kept.time,
                symbols: held.len() as u64,
                bytes: kept.bytes.len() as u64,
            });
        }
        if !symbol.is_empty() && answer.books.is_empty() {
            return Err(Status::not_found(format!("this engine does not fold {symbol}")));
        }
        Ok(Response::new(answer))
    }

    async fn restore_snapshot(
        &self,
        request: Request<wire::RestoreSnapshotRequest>,
    ) -> Result<Response<wire::RestoreSnapshotResponse>, Status> {
        self.admit(&request)?;
        let shard = request.into_inner().shard;
        let handle: Handle = self
            .held
            .shards()
            .remove(&shard)
            .ok_or_else(|| Status::not_found(format!("this engine does not fold {shard:?}")))?;
        let Taken { name, position, place, time, symbols } =
            handle.restore().await.map_err(|error| Status::aborted(error.to_string()))?;
        let snapshot = wire::Snapshot {
            shard,
            name: name.unwrap_or_default(),
            position,
            record: place,
            time_ms: time,
            symbols: symbols as u64,
            bytes: 0,
        };
        Ok(Response::new(wire::RestoreSnapshotResponse { snapshot: Some(snapshot) }))
    }

    async fn list_snapshots(
        &self,
        request: Request<wire::ListSnapshotsRequest>,
    ) -> Result<Response<wire::ListSnapshotsResponse>, Status> {
        self.admit(&request)?;
        let leases = self.leases.all().await.map_err(status)?;
        let leases = leases.into_values().map(|lease| wire::Lease {
            shard: lease.shard,
            owner: lease.owner.unwrap_or_default(),
            fence: lease.fence,
            snapshot: lease.snapshot.unwrap_or_default(),
            record: lease.checkpoint,
        });
        let keys = edge_fns::scan::keys(self.backup.as_ref(), &format!("{BOOK}*")).await.map_err(status)?;
        let symbols = keys.iter().filter_map(|key| key.strip_prefix(BOOK).map(str::to_owned));
        let answer = wire::ListSnapshotsResponse { leases: leases.collect(), symbols: symbols.collect() };
        Ok(Response::new(answer))
    }
}

fn status(error: Error) -> Status {
    let words = error.to_string();
    match error {
        Error::Invalid(_) => Status::invalid_argument(words),
        Error::Denied(_) => Status::permission_denied(words),
        Error::Throttled(_) => Status::resource_exhausted(words),
        Error::Timeout => Status::deadline_exceeded(words),
        Error::Unavailable(_) => Status::unavailable(words),
        Error::Internal(_) => Status::internal(words),
    }
}
