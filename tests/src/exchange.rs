//! The program under test.

use crate::production::Production;
use crate::{Client, books, eventually, repository};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// A running exchange in a temporary folder. Dropping it kills its processes and removes the folder.
///
/// It is the embedded one, or with `SUPERNOBA_BACKENDS=production` an engine, a gateway and a streamer over servers of their own.
pub struct Exchange {
    folder: TempDir,
    options: Vec<String>,
    processes: Vec<Process>,
    url: String,
    http: reqwest::Client,
    production: Option<Production>,
}

struct Process {
    /// None is the whole exchange in one.
    role: Option<&'static str>,
    child: Child,
    is_alive: bool,
    /// Where it says how it is.
    url: String,
    /// Held so that what the program prints later finds a reader.
    _output: BufReader<ChildStdout>,
}

impl Exchange {
    /// Starts an exchange with these options of `up`. `None`, with the reason printed, where the functions are not
    /// built: that takes the WebAssembly target, which not every machine has.
    pub async fn start(options: &[&str]) -> Option<Exchange> {
        if !components().is_dir() {
            let missing =
                format!("{} is missing; `cargo xtask components` builds it", components().display());
            assert!(std::env::var_os("SUPERNOBA_FULL_TESTS").is_none(), "{missing}");
            println!("skipped: {missing}");
            return None;
        }
        let mut exchange = Exchange {
            folder: tempfile::tempdir().expect("a temporary folder"),
            options: options.iter().map(ToString::to_string).collect(),
            processes: Vec::new(),
            url: String::new(),
            http: reqwest::Client::builder().tcp_nodelay(true).build().expect("an HTTP client"),
            production: None,
        };
        if std::env::var("SUPERNOBA_BACKENDS").as_deref() == Ok("production") {
            exchange.production = Some(Production::start(&program(), &exchange.data()).await?);
        }
        exchange.launch();
        if exchange.production.is_some() {
            exchange.list_symbols().await;
        }
        Some(exchange)
    }

    /// Starts the processes.
    fn launch(&mut self) {
        let commands = match &self.production {
            None => {
                let mut command = Command::new(program());
                command.args(["up", "--port", "0", "--data"]).arg(self.data());
                command.arg("--components").arg(components()).args(&self.options);
                vec![(None, command)]
            }
            // The last one is the one to talk to.
            Some(_) => ["engine", "streamer", "gateway"].map(|role| (Some(role), self.role(role))).into(),
        };
        for (role, command) in commands {
            let process = self.start_process(role, command);
            self.url = process.url.clone();
            self.processes.push(process);
        }
    }

    /// One of the processes of an exchange on many machines.
    fn role(&self, role: &str) -> Command {
        let production = self.production.as_ref().expect("an exchange on many machines");
        let mut command = production.command(&program(), role);
        command.env("SUPERNOBA_GATEWAY__COMPONENTS", components()).envs(self.settings());
        command
    }

    /// Starts it and waits for the address that it prints.
    fn start_process(&self, role: Option<&'static str>, mut command: Command) -> Process {
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a log file");
        command.env_remove("RUST_LOG").env_remove("LOG_LEVEL").stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("its output can be read");
        let url = address(&line).unwrap_or_else(|| panic!("the exchange did not start: {line:?}"));
        Process { role, child, is_alive: true, url, _output: output }
    }

    /// Starts one more process of this role; answers its place.
    pub fn add(&mut self, role: &'static str) -> usize {
        let process = self.start_process(Some(role), self.role(role));
        self.processes.push(process);
        self.processes.len() - 1
    }

    /// Sends a process a signal.
    pub fn signal(&self, place: usize, signal: &str) {
        let id = self.processes[place].child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill runs").success());
    }

    /// SIGKILL to one process; the others keep their places.
    pub fn kill_one(&mut self, place: usize) {
        let process = &mut self.processes[place];
        process.child.kill().expect("it can be killed");
        process.child.wait().expect("it ends");
        process.is_alive = false;
    }

    /// Starts another one of the same role in the place of one that was killed, at another port.
    pub fn replace_one(&mut self, place: usize) {
        let role = self.processes[place].role.expect("an exchange on many machines");
        let process = self.start_process(Some(role), self.role(role));
        let old = std::mem::replace(&mut self.processes[place], process);
        if self.url == old.url {
            self.url = self.processes[place].url.clone();
        }
    }

    /// Somebody who talks to this process.
    pub fn at(&self, place: usize) -> Client {
        Client::new(self.http.clone(), &self.processes[place].url)
    }

    /// What a command of the program answers about this exchange: whether it succeeded, and what it said.
    pub fn ask(&self, command: &str) -> (bool, String) {
        let output = self.role(command).output().expect("the program runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// The options of `up` as settings of the processes.
    fn settings(&self) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        let mut options = self.options.iter();
        while let Some(option) = options.next() {
            let key = match option.as_str() {
                "--symbols" => {
                    options.next();
                    continue;
                }
                "--no-test-mode" => {
                    settings.push(("ALLOW_TEST_MODE".to_owned(), "false".to_owned()));
                    continue;
                }
                "--serve-capabilities" => {
                    settings.push(("SUPERNOBA_GATEWAY__SERVE_CAPABILITIES".to_owned(), "true".to_owned()));
                    continue;
                }
                "--demo-cash" => "DEMO_CASH",
                "--demo-stock" => "DEMO_STOCK",
                "--sweep-every" => "SWEEP_SECONDS",
                "--aggregate-every" => "AGGREGATE_SECONDS",
                "--backup-every" => "BACKUP_SECONDS",
                "--stale-every" => "STALE_SECONDS",
                other => panic!("{other} is no setting"),
            };
            let value = options.next().expect("the option's value").clone();
            settings.push((format!("SUPERNOBA_GATEWAY__{key}"), value));
        }
        // As `up` has them.
        for (key, value) in [("DEMO_CASH", "100000000"), ("DEMO_STOCK", "10000")] {
            let name = format!("SUPERNOBA_GATEWAY__{key}");
            if !settings.iter().any(|(known, _)| *known == name) {
                settings.push((name, value.to_owned()));
            }
        }
        settings
    }

    /// What `up` does with its option.
    async fn list_symbols(&self) {
        let given =
            self.options.iter().position(|option| option == "--symbols").map(|at| &self.options[at + 1]);
        let symbols = given.map_or("TEST,NOBA,KIMCHI", |given| given);
        for symbol in symbols.split(',') {
            let added = self.administrator().post("/admin", serde_json::json!({"symbol": symbol})).await;
            assert!([200, 201].contains(&added.status), "{}", added.text);
        }
    }

    /// The servers that an exchange on many machines stands on.
    pub fn production(&self) -> Option<&Production> {
        self.production.as_ref()
    }

    pub fn production_mut(&mut self) -> Option<&mut Production> {
        self.production.as_mut()
    }

    /// SIGKILL: nothing of the process gets to run any more.
    pub fn kill(&mut self) {
        for mut process in self.processes.drain(..) {
            // One that was killed before cannot be killed again.
            let _ = process.child.kill();
            process.child.wait().expect("it ends");
        }
    }

    /// SIGTERM, as an operator stops it; it must end by itself and well.
    pub async fn stop(&mut self) {
        // What comes in first, so that what was accepted is carried through.
        for mut process in self.processes.drain(..).rev() {
            let told = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status();
            assert!(told.expect("kill runs").success());
            let mut ask = async || process.child.try_wait().expect("it can be waited for");
            let ended = eventually("the exchange ends", &mut ask).await;
            assert!(ended.success(), "it ends with {ended}");
        }
    }

    /// Starts it again on the same folder, at another port.
    pub fn restart(&mut self) {
        assert!(self.processes.is_empty(), "it has to end first");
        self.launch();
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// A client that says nothing of who it is.
    /// The program's `replay` of a flow against this exchange, with its output to be read.
    pub fn replay(&self, flow: &Path, symbol: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(program());
        command.args(["replay", "--quiet", "--symbol", symbol, "--url", &self.url, "--admin-token"]);
        command.arg(self.data().join("admin.token")).arg(flow);
        command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        command
    }

    pub fn anonymous(&self) -> Client {
        Client::new(self.http.clone(), &self.url)
    }

    pub fn test_user(&self, name: &str) -> Client {
        self.anonymous().as_test_user(name)
    }

    pub fn administrator(&self) -> Client {
        let token =
            std::fs::read_to_string(self.data().join("admin.token")).expect("the administrator's token");
        self.anonymous().with_token(token.trim())
    }

    /// A token by the exchange's own key with one claim otherwise; without that, it would be an administrator's.
    pub fn token(&self, claim: &str, value: Value) -> String {
        let pem = std::fs::read(self.data().join("auth/jwt-key.pem")).expect("the exchange's key");
        let mut claims = serde_json::json!({
            "iss": "supernoba/auth/v1", "sub": "5f0c2ab4-4f5c-4d0a-9d43-2f6d3c1b7a10", "aud": "authenticated",
            "role": "service_role", "iat": 1, "exp": 4_000_000_000u64,
        });
        claims[claim] = value;
        let key = EncodingKey::from_ec_pem(&pem).expect("a key");
        jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key).expect("a token")
    }

    /// The sum over all samples of a metric, of all processes.
    pub async fn metric(&self, name: &str) -> u64 {
        let mut sum = 0;
        for process in self.processes.iter().filter(|process| process.is_alive) {
            let text = Client::new(self.http.clone(), &process.url).get("/metrics").await.text;
            let samples = text.lines().filter(|line| line.starts_with(&format!("supernoba_{name}")));
            sum += samples
                .map(|line| line.rsplit(' ').next().and_then(|n| n.parse::<u64>().ok()).expect("a sample"))
                .sum::<u64>();
        }
        sum
    }

    /// Every wallet agrees with its journal and its holds, nothing is lost or made of nothing, nothing was put aside.
    /// Answers what was deposited, by asset.
    pub async fn assert_balanced(&self) -> Vec<(String, u64)> {
        let administrator = self.administrator();
        let verified = administrator.get("/admin/verify").await;
        assert_eq!(
            (verified.status, &verified.json["balanced"]),
            (200, &Value::Bool(true)),
            "{}",
            verified.text
        );
        let totals = administrator.get("/admin/totals").await;
        assert_eq!(totals.status, 200, "{}", totals.text);
        let total = |asset: &Value| {
            let number = |name: &str| asset[name].as_u64().expect("an amount");
            assert_eq!(number("available") + number("locked"), number("deposited"), "{asset}");
            (asset["asset"].as_str().expect("a name").to_string(), number("deposited"))
        };
        assert_eq!(self.metric("dead_letters").await, 0, "a record could not be processed");
        totals.json["assets"].as_array().expect("a list").iter().map(total).collect()
    }

    /// Waits until everything that was answered before has gone through engine, wallets, rows and trade history.
    ///
    /// What is placed later on a symbol comes later everywhere, so an order that nobody can fill is sent after all
    /// else and waited for. It finds the books without an offer at a price of 1.
    pub async fn settle(&self, symbols: &[&str]) {
        let user = self.test_user("settle");
        for symbol in symbols {
            let body =
                serde_json::json!({"symbol": symbol, "side": "BUY", "tif": "IOC", "price": 1, "quantity": 1});
            let placed = eventually("the exchange is well again", async || {
                let placed = user.post("/orders", body.clone()).await;
                (![503, 504].contains(&placed.status)).then_some(placed)
            })
            .await;
            assert_eq!(placed.status, 202, "{}", placed.text);
            let order = user.order_once(placed.order_id(), |order| !books::is_open(order)).await;
            assert_eq!(order["status"], "CANCELLED", "{order}");
        }
        eventually("the consumers catch up", async || {
            (self.metric("consumer_lag_records").await == 0).then_some(())
        })
        .await;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log_file()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!("the exchange's log ends so:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}

/// The built program; built first if it is not there.
fn program() -> PathBuf {
    static BUILD: std::sync::Once = std::sync::Once::new();
    let program = target().join("release/supernoba");
    BUILD.call_once(|| {
        if !program.is_file() {
            println!("building {}", program.display());
            let cargo = Command::new(env!("CARGO"))
                .args(["build", "--release", "-p", "engine-host", "--bin", "supernoba"])
                .current_dir(repository())
                .status();
            assert!(cargo.expect("cargo runs").success(), "the exchange cannot be built");
        }
    });
    program
}

fn components() -> PathBuf {
    target().join("components")
}

fn target() -> PathBuf {
    repository().join(std::env::var("CARGO_TARGET_DIR").as_deref().map_or(Path::new("target"), Path::new))
}

fn address(line: &str) -> Option<String> {
    let (_, rest) = line.trim().split_once("http://")?;
    rest.split([',', ' ']).next().map(|address| format!("http://{address}"))
}

/// What a program says first.
pub fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let output = child.stdout.as_mut().expect("its output");
    BufReader::with_capacity(1, output).read_line(&mut line).expect("its output can be read");
    line
}
