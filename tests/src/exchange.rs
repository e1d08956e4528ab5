//! The program under test.

use crate::{Client, books, eventually, repository};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use tempfile::TempDir;

/// A running exchange in a temporary folder. Dropping it kills the process and removes the folder.
pub struct Exchange {
    folder: TempDir,
    options: Vec<String>,
    process: Option<Process>,
    url: String,
    http: reqwest::Client,
}

struct Process {
    child: Child,
    /// Held so that what the program prints later finds a reader.
    _output: BufReader<ChildStdout>,
}

impl Exchange {
    /// Starts an exchange with these options of `up`. `None`, with the reason printed, where the functions are not
    /// built: that takes the WebAssembly target, which not every machine has.
    pub async fn start(options: &[&str]) -> Option<Exchange> {
        if !components().is_dir() {
            println!("skipped: {} is missing; `cargo xtask components` builds it", components().display());
            return None;
        }
        let mut exchange = Exchange {
            folder: tempfile::tempdir().expect("a temporary folder"),
            options: options.iter().map(ToString::to_string).collect(),
            process: None,
            url: String::new(),
            http: reqwest::Client::builder().tcp_nodelay(true).build().expect("an HTTP client"),
        };
        exchange.launch();
        Some(exchange)
    }

    /// Starts the process on its folder and waits for the address it prints.
    fn launch(&mut self) {
        let log = File::options().create(true).append(true).open(self.log_file()).expect("a log file");
        let mut child = Command::new(program())
            .args(["up", "--port", "0", "--data"])
            .arg(self.data())
            .arg("--components")
            .arg(components())
            .args(&self.options)
            .env_remove("RUST_LOG")
            .env_remove("LOG_LEVEL")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).expect("its output can be read");
        self.process = Some(Process { child, _output: output });
        let address = line.trim().rsplit("http://").next().filter(|_| line.contains("http://"));
        self.url = match address {
            Some(address) => format!("http://{address}"),
            None => panic!("the exchange did not start: {line:?}"),
        };
    }

    /// SIGKILL: nothing of the process gets to run any more.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.child.kill().expect("it can be killed");
            process.child.wait().expect("it ends");
        }
    }

    /// SIGTERM, as an operator stops it; it must end by itself and well.
    pub async fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        let told = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
        let mut ask = async || process.child.try_wait().expect("it can be waited for");
        let ended = eventually("the exchange ends", &mut ask).await;
        assert!(ended.success(), "it ends with {ended}");
    }

    /// Starts it again on the same folder, at another port.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "it has to end first");
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

    /// The sum over all samples of a metric.
    pub async fn metric(&self, name: &str) -> u64 {
        let text = self.anonymous().get("/metrics").await.text;
        let samples = text.lines().filter(|line| line.starts_with(&format!("supernoba_{name}")));
        samples
            .map(|line| line.rsplit(' ').next().and_then(|n| n.parse::<u64>().ok()).expect("a sample"))
            .sum()
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
            let placed = user.post("/orders", body).await;
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
