//! The cache on Valkey (or Redis 7): one server or a cluster, with or without TLS.
//!
//! One multiplexed connection a node carries everybody's commands; a call's commands go out together. Scripts are called by
//! their digest, and by their text where the server has lost it. See [`layout`] for the keys' places in a cluster.
//!
//! # Fencing
//!
//! [`ValkeyCache::fenced`] gives a cache whose scripts carry a token. A script that meets a later token beside the data
//! writes nothing and answers `Denied`: a writer that lost its symbols and does not know it yet cannot overwrite its
//! successor. Tokens of one symbol's writers must grow from writer to writer, whichever shard the symbol is in.

mod layout;
mod request;
mod scripts;
mod watch;

use async_trait::async_trait;
use edge_fns::capability::cache::{Command, Reply};
use edge_fns::capability::{Cache, Error, Result};
use futures_util::future::join_all;
use layout::Layout;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClientBuilder, TlsMode};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, Slot, SlotAddr};
use redis::{
    Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline, RedisError, ServerErrorKind,
    TlsCertificates, Value,
};
use request::{Plan, Request, Shape, plan, reply};
use scripts::Scripts;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Words of one command that still fit a script's stack.
const MOST_WORDS: usize = 4000;
/// The bits of a scan's cursor that name the node.
const NODE_SHIFT: u32 = 56;

/// Where a cache is and how to enter it.
#[derive(Clone)]
pub struct Options {
    pub host: String,
    pub port: u16,
    pub cluster: bool,
    pub tls: bool,
    /// The authority that signed the server's certificate, where the system does not know it.
    pub ca_file: Option<PathBuf>,
    pub username: Option<String>,
    pub password: Option<String>,
    /// A command that got no answer in this time is given up.
    pub timeout: Duration,
}

impl Options {
    pub fn new(host: &str, port: u16) -> Options {
        Options {
            host: host.into(),
            port,
            cluster: false,
            tls: false,
            ca_file: None,
            username: None,
            password: None,
            timeout: Duration::from_secs(2),
        }
    }

    fn address(&self) -> ConnectionAddr {
        let host = self.host.clone();
        match self.tls {
            false => ConnectionAddr::Tcp(host, self.port),
            true => ConnectionAddr::TcpTls { host, port: self.port, insecure: false, tls_params: None },
        }
    }

    fn certificates(&self) -> Result<TlsCertificates> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| Error::Invalid(format!("{}: {error}", path.display())))
        };
        Ok(TlsCertificates { client_tls: None, root_cert: self.ca_file.as_ref().map(read).transpose()? })
    }

    /// A client of one server.
    fn client(&self) -> Result<Client> {
        let mut settings = redis::RedisConnectionInfo::default();
        if let Some(username) = &self.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        let info = self.address().into_connection_info().map_err(|error| failure(&error))?;
        let info = info.set_redis_settings(settings);
        match self.tls {
            true => Client::build_with_tls(info, self.certificates()?),
            false => Client::open(info),
        }
        .map_err(|error| failure(&error))
    }

    fn cluster_client(&self) -> Result<redis::cluster::ClusterClient> {
        let mut builder = ClusterClientBuilder::new([self.address()])
            .connection_timeout(self.timeout)
            .response_timeout(self.timeout)
            .retries(4);
        if let Some(username) = &self.username {
            builder = builder.username(username);
        }
        if let Some(password) = &self.password {
            builder = builder.password(password);
        }
        if self.tls {
            builder = builder.tls(TlsMode::Secure).certs(self.certificates()?);
        }
        builder.build().map_err(|error| failure(&error))
    }
}

impl std::fmt::Debug for Options {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let cluster = if self.cluster { " (cluster)" } else { "" };
        write!(f, "{scheme}://{}:{}{cluster}", self.host, self.port)
    }
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerInfo {
    /// `valkey 8.0.1` or `redis 7.0.15`.
    pub version: String,
    pub mode: String,
    /// Its clock, in epoch milliseconds.
    pub time: u64,
}

#[derive(Clone)]
pub struct ValkeyCache {
    link: Link,
    layout: Layout,
    scripts: Arc<Scripts>,
    options: Arc<Options>,
    /// The writer's fencing token; 0 where there is one writer.
    token: u64,
}

#[derive(Clone)]
enum Link {
    Server(ConnectionManager),
    Cluster(ClusterConnection),
}

impl ValkeyCache {
    /// Connects; what breaks later is connected anew by itself.
    pub async fn connect(options: Options) -> Result<ValkeyCache> {
        crate::backends::tls::install();
        let link = match options.cluster {
            false => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(options.timeout))
                    .set_response_timeout(Some(options.timeout))
                    .set_number_of_retries(6)
                    .set_max_delay(Duration::from_millis(500));
                let manager = options.client()?.get_connection_manager_with_config(config).await;
                Link::Server(manager.map_err(|error| failure(&error))?)
            }
            true => {
                let connection = options.cluster_client()?.get_async_connection().await;
                Link::Cluster(connection.map_err(|error| failure(&error))?)
            }
        };
        let layout = if options.cluster { Layout::Tagged } else { Layout::Plain };
        Ok(ValkeyCache {
            link,
            layout,
            scripts: Arc::new(Scripts::new()),
            options: Arc::new(options),
            token: 0,
        })
    }

    /// The same cache for a writer with this token.
    pub fn fenced(&self, token: u64) -> ValkeyCache {
        ValkeyCache { token, ..self.clone() }
    }

    /// Version, mode and clock of the server (of one of them, in a cluster).
    pub async fn server(&self) -> Result<ServerInfo> {
        let mut info = redis::cmd("INFO");
        info.arg("server");
        let mut commands = redis::Pipeline::new();
        commands.add_command(info).cmd("TIME");
        let node = SingleNodeRoutingInfo::RandomPrimary;
        let values = self.send(&commands, node).await?;
        let [info, time] = <[Value; 2]>::try_from(values).map_err(|_| Error::Internal("no answer".into()))?;
        let text: String =
            redis::from_redis_value(info).map_err(|error| Error::Internal(error.to_string()))?;
        let (seconds, micros): (u64, u64) =
            redis::from_redis_value(time).map_err(|error| Error::Internal(error.to_string()))?;
        let field = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .map(|value| value.trim().to_string())
        };
        let version = match (field("valkey_version"), field("redis_version")) {
            (Some(version), _) => format!("valkey {version}"),
            (None, version) => format!("redis {}", version.unwrap_or_default()),
        };
        let mode = field("server_mode").or_else(|| field("redis_mode")).unwrap_or_default();
        Ok(ServerInfo { version, mode, time: seconds * 1000 + micros / 1000 })
    }

    async fn send(&self, pipeline: &Pipeline, node: SingleNodeRoutingInfo) -> Result<Vec<Value>> {
        let count = pipeline.len();
        let answered = match &self.link {
            Link::Server(connection) => connection.clone().req_packed_commands(pipeline, 0, count).await,
            Link::Cluster(connection) => {
                connection.clone().route_pipeline(pipeline.clone(), 0, count, node).await
            }
        };
        answered.map_err(|error| failure(&error))
    }

    /// One request by itself; a cluster's redirections are followed.
    async fn ask(&self, request: &Request) -> Result<Value> {
        let command = request.command();
        let answered = match &self.link {
            Link::Server(connection) => connection.clone().req_packed_command(&command).await,
            Link::Cluster(connection) => connection.clone().req_packed_command(&command).await,
        };
        // A refusal comes as an error or as a value, depending on who asked.
        let is_unknown = match &answered {
            Ok(Value::ServerError(error)) => error.kind() == Some(ServerErrorKind::NoScript),
            Ok(_) => false,
            Err(error) => error.kind() == ErrorKind::Server(ServerErrorKind::NoScript),
        };
        match request.with_text(&self.scripts).filter(|_| is_unknown) {
            Some(text) => Box::pin(self.ask(&text)).await,
            None => answered.map_err(|error| failure(&error)),
        }
    }

    /// Requests in order, together; each value answers its request.
    async fn ask_all(&self, requests: &[Request], node: SingleNodeRoutingInfo) -> Result<Vec<Result<Value>>> {
        let mut pipeline = Pipeline::with_capacity(requests.len());
        for request in requests {
            pipeline.add_command(request.command());
        }
        let values = self.send(&pipeline, node).await?;
        let mut answers = Vec::with_capacity(values.len());
        for (request, value) in requests.iter().zip(values) {
            answers.push(match value {
                // These say that the command was not run: it is put again, alone.
                Value::ServerError(error) if is_not_run(error.kind()) => self.ask(request).await,
                value => Ok(value),
            });
        }
        Ok(answers)
    }

    async fn scan(&self, cursor: u64, pattern: &str, count: u32) -> Result<Reply> {
        let place = self.layout.place(pattern);
        let command = |cursor: u64| {
            let mut command = redis::cmd("SCAN");
            command.arg(cursor).arg("MATCH").arg(place.as_ref()).arg("COUNT").arg(count.max(1));
            command
        };
        let named = |reply: Reply| match reply {
            Reply::Page(next, keys) => {
                Ok((next, keys.iter().map(|key| self.layout.name(key)).collect::<Vec<_>>()))
            }
            other => Err(Error::Internal(format!("a scan answered {other:?}"))),
        };
        let (next, keys) = match &self.link {
            Link::Server(connection) => {
                let value = connection.clone().req_packed_command(&command(cursor)).await;
                named(reply(value.map_err(|error| failure(&error))?, Shape::Page)?)?
            }
            Link::Cluster(connection) if !self.layout.is_spread(pattern) => {
                let node = SingleNodeRoutingInfo::SpecificNode(route(&place));
                let value =
                    connection.clone().route_command(command(cursor), RoutingInfo::SingleNode(node)).await;
                named(reply(value.map_err(|error| failure(&error))?, Shape::Page)?)?
            }
            Link::Cluster(connection) => {
                // Node by node; the cursor's upper bits say which.
                let nodes = self.nodes().await?;
                let number = (cursor >> NODE_SHIFT) as usize;
                let Some((host, port)) = nodes.get(number).cloned() else {
                    return Ok(Reply::Page(0, Vec::new()));
                };
                let node = RoutingInfo::SingleNode(SingleNodeRoutingInfo::ByAddress { host, port });
                let within = cursor & ((1 << NODE_SHIFT) - 1);
                let value = connection.clone().route_command(command(within), node).await;
                let (next, keys) = named(reply(value.map_err(|error| failure(&error))?, Shape::Page)?)?;
                let number = number as u64;
                match next {
                    0 if number + 1 < nodes.len() as u64 => ((number + 1) << NODE_SHIFT, keys),
                    0 => (0, keys),
                    next => (next | number << NODE_SHIFT, keys),
                }
            }
        };
        Ok(Reply::Page(next, keys))
    }

    /// The primaries of the cluster, always in the same order.
    async fn nodes(&self) -> Result<Vec<(String, u16)>> {
        let Link::Cluster(connection) = &self.link else { return Ok(Vec::new()) };
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let any = RoutingInfo::SingleNode(SingleNodeRoutingInfo::RandomPrimary);
        let value = connection.clone().route_command(command, any).await.map_err(|error| failure(&error))?;
        let Value::Array(ranges) = value else {
            return Err(Error::Internal("the cluster has no slots".into()));
        };
        let primary = |range: &Value| {
            let Value::Array(range) = range else { return None };
            let Value::Array(node) = range.get(2)? else { return None };
            let (Value::BulkString(host), Value::Int(port)) = (node.first()?, node.get(1)?) else {
                return None;
            };
            Some((String::from_utf8(host.clone()).ok()?, u16::try_from(*port).ok()?))
        };
        let mut nodes: Vec<_> = ranges.iter().filter_map(primary).collect();
        nodes.sort();
        nodes.dedup();
        Ok(nodes)
    }
}

#[async_trait]
impl Cache for ValkeyCache {
    async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let mut replies: Vec<Option<Result<Reply>>> = Vec::with_capacity(commands.len());
        // The requests of a slot, each with the place of its answer; one group on a server of its own.
        let mut groups: BTreeMap<u16, (Vec<usize>, Vec<Request>)> = BTreeMap::new();
        // Answers that are put together from several.
        let mut each: Vec<(usize, Shape, Vec<Request>)> = Vec::new();
        let mut scans = Vec::new();
        for (place, command) in commands.into_iter().enumerate() {
            replies.push(None);
            match plan(command, self.layout, &self.scripts, self.token) {
                Err(error) => replies[place] = Some(Err(error)),
                Ok(Plan::Ready(reply)) => replies[place] = Some(Ok(reply)),
                Ok(Plan::Scan { cursor, pattern, count }) => scans.push((place, cursor, pattern, count)),
                Ok(Plan::Each(request)) if self.is_split(&request) => {
                    each.push((place, request.shape, request.each()))
                }
                Ok(Plan::Ask(request) | Plan::Each(request)) => {
                    let (places, requests) = groups.entry(self.slot(&request)).or_default();
                    places.push(place);
                    requests.push(request);
                }
            }
        }
        let asked = groups.into_iter().map(async |(slot, (places, requests))| {
            let node = SingleNodeRoutingInfo::SpecificNode(route_of(slot));
            let answers = self.ask_all(&requests, node).await?;
            let shapes = requests.iter().map(|request| request.shape);
            let replies = answers.into_iter().zip(shapes).map(|(value, shape)| reply(value?, shape));
            Ok::<_, Error>((places, replies.collect::<Vec<_>>()))
        });
        for group in join_all(asked).await {
            let (places, answers) = group?;
            for (place, answer) in places.into_iter().zip(answers) {
                replies[place] = Some(answer);
            }
        }
        for (place, shape, requests) in each {
            let values = join_all(requests.iter().map(|request| self.ask(request))).await;
            replies[place] = Some(together(shape, values));
        }
        for (place, cursor, pattern, count) in scans {
            replies[place] = Some(self.scan(cursor, &pattern, count).await);
        }
        let missing = || Err(Error::Internal("a command got no reply".into()));
        Ok(replies.into_iter().map(|reply| reply.unwrap_or_else(missing)).collect())
    }

    async fn run_atomic(&self, commands: Vec<Command>) -> Result<Vec<Reply>> {
        let mut requests = Vec::new();
        let mut replies: Vec<Option<Reply>> = Vec::with_capacity(commands.len());
        let mut places = Vec::new();
        for (place, command) in commands.into_iter().enumerate() {
            replies.push(None);
            match plan(command, self.layout, &self.scripts, self.token)? {
                Plan::Ready(reply) => replies[place] = Some(reply),
                Plan::Ask(request) | Plan::Each(request) => {
                    requests.push(request);
                    places.push(place);
                }
                Plan::Scan { .. } => return Err(Error::Invalid("a scan within a transaction".into())),
            }
        }
        if !requests.is_empty() {
            let is_plain =
                |request: &Request| request.lead.is_empty() && request.arguments.len() < MOST_WORDS;
            let values = match requests.iter().all(is_plain) {
                true => self.run_checked(&requests).await?,
                false => self.run_in_transaction(&requests).await?,
            };
            for ((place, request), value) in places.into_iter().zip(&requests).zip(values) {
                replies[place] = Some(reply(value, request.shape)?);
            }
        }
        let missing = || Error::Internal("a command got no reply".into());
        replies.into_iter().map(|reply| reply.ok_or_else(missing)).collect()
    }
}

impl ValkeyCache {
    /// All requests in one script, which looks at the kinds of all values first.
    async fn run_checked(&self, requests: &[Request]) -> Result<Vec<Value>> {
        let mut keys: Vec<String> =
            requests.iter().flat_map(|request| request.keys.iter().cloned()).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut arguments = Vec::new();
        for request in requests {
            let width = 1 + request.keys.len() + request.arguments.len();
            arguments.extend(
                [width.to_string(), request.kinds.needs.into(), request.kinds.leaves.into()]
                    .map(String::into_bytes),
            );
            arguments.push(request.name.into());
            arguments.extend(request.keys.iter().map(|key| key.clone().into_bytes()));
            arguments.extend(request.arguments.iter().cloned());
        }
        let script = &self.scripts.run_all;
        let all = Request {
            name: "EVALSHA",
            lead: vec![script.digest.clone().into_bytes(), keys.len().to_string().into_bytes()],
            keys,
            arguments,
            shape: Shape::Any,
            kinds: requests[0].kinds,
        };
        match self.ask(&all).await? {
            Value::Array(values) if values.len() == requests.len() => Ok(values),
            Value::ServerError(error) => Err(failure(&error.into())),
            other => Err(Error::Internal(format!("Valkey answered {other:?}"))),
        }
    }

    /// MULTI and EXEC, for scripts and for what is too long for one.
    async fn run_in_transaction(&self, requests: &[Request]) -> Result<Vec<Value>> {
        // A script that is not known inside would be refused after the others have run.
        for request in requests {
            if let Some(text) = request.with_text(&self.scripts) {
                let mut load = redis::cmd("SCRIPT");
                load.arg("LOAD").arg(text.lead[0].as_slice());
                let mut pipeline = Pipeline::new();
                pipeline.add_command(load);
                self.send(&pipeline, SingleNodeRoutingInfo::SpecificNode(route_of(self.slot(request))))
                    .await?;
            }
        }
        let mut pipeline = Pipeline::with_capacity(requests.len());
        pipeline.atomic();
        for request in requests {
            pipeline.add_command(request.command());
        }
        let node = SingleNodeRoutingInfo::SpecificNode(route_of(self.slot(&requests[0])));
        let answered = match &self.link {
            Link::Server(connection) => {
                connection.clone().req_packed_commands(&pipeline, requests.len() + 1, 1).await
            }
            Link::Cluster(connection) => {
                connection.clone().route_pipeline(pipeline, requests.len() + 1, 1, node).await
            }
        };
        match answered.map_err(|error| failure(&error))?.pop() {
            Some(Value::Array(values)) if values.len() == requests.len() => Ok(values),
            Some(Value::ServerError(error)) => Err(failure(&error.into())),
            other => Err(Error::Internal(format!("Valkey answered {other:?}"))),
        }
    }

    fn slot(&self, request: &Request) -> u16 {
        match (&self.link, request.keys.first()) {
            (Link::Cluster(_), Some(key)) => slot_of(key),
            _ => 0,
        }
    }

    /// Whether a request's keys lie in several slots.
    fn is_split(&self, request: &Request) -> bool {
        matches!(self.link, Link::Cluster(_))
            && request.keys.windows(2).any(|pair| slot_of(&pair[0]) != slot_of(&pair[1]))
    }
}

/// One answer of the answers for each key.
fn together(shape: Shape, values: Vec<Result<Value>>) -> Result<Reply> {
    match shape {
        // A key of another kind reads as missing, as MGET has it.
        Shape::Values => values
            .into_iter()
            .map(|value| match value {
                Ok(Value::BulkString(bytes)) => Ok(Some(bytes)),
                Ok(Value::Nil) | Err(Error::Invalid(_)) => Ok(None),
                Ok(other) => Err(Error::Internal(format!("Valkey answered {other:?}"))),
                Err(error) => Err(error),
            })
            .collect::<Result<_>>()
            .map(Reply::Values),
        _ => {
            let mut sum = 0;
            for value in values {
                let Reply::Integer(number) = reply(value?, Shape::Integer)? else { continue };
                sum += number;
            }
            Ok(Reply::Integer(sum))
        }
    }
}

/// The slot of a key: CRC-16 (XMODEM) of what stands in its first braces, else of all of it.
fn slot_of(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    let crc = hashed.bytes().fold(0u16, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(byte) << 8,
            |crc, _| if crc & 0x8000 != 0 { crc << 1 ^ 0x1021 } else { crc << 1 },
        )
    });
    crc % 16384
}

fn route_of(slot: u16) -> Route {
    Route::new(slot, SlotAddr::Master)
}

fn route(key: &str) -> Route {
    Route::with_slot(Slot::for_key(key), SlotAddr::Master)
}

fn is_not_run(kind: Option<ServerErrorKind>) -> bool {
    use ServerErrorKind::{Ask, Moved, NoScript, TryAgain};
    matches!(kind, Some(Moved | Ask | TryAgain | NoScript))
}

/// The server's failures in the capability's words.
fn failure(error: &RedisError) -> Error {
    use ServerErrorKind as Server;
    let words = || error.to_string();
    match (error.kind(), error.code()) {
        (ErrorKind::AuthenticationFailed, _) => Error::Denied(words()),
        (ErrorKind::Server(Server::NoPerm), _) | (_, Some("FENCED" | "NOAUTH" | "WRONGPASS" | "NOPERM")) => {
            Error::Denied(words())
        }
        (ErrorKind::Server(Server::CrossSlot), _) | (_, Some("WRONGTYPE" | "REFUSED" | "CROSSSLOT")) => {
            Error::Invalid(words())
        }
        (_, Some("OOM" | "BUSY")) => Error::Throttled(None),
        (ErrorKind::Server(Server::ResponseError), _) => Error::Invalid(words()),
        (ErrorKind::Server(_), _) => Error::Unavailable(words()),
        (ErrorKind::InvalidClientConfig, _) => Error::Invalid(words()),
        (ErrorKind::UnexpectedReturnType | ErrorKind::Parse, _) => Error::Internal(words()),
        _ if error.is_timeout() => Error::Timeout,
        _ if error.is_connection_refusal() => Error::Unavailable(words()),
        // The connection broke: what was under way may have been done.
        _ if error.is_connection_dropped() => Error::Timeout,
        _ => Error::Unavailable(words()),
    }
}
