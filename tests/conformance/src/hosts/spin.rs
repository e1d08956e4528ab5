//! The Spin application on this project's host for Spin components, over the remote protocol. Requests come to its routes;
//! every other event, for which Spin has no trigger, as JSON.

use super::{Given, Host, invoke, request, serve};
use crate::backend::Scripted;
use crate::expected::Answer;
use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use edge_fns::capability::Error;
use reqwest::Client;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// No answer takes this long, unless it never comes.
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "the token of the conformance tests";

pub struct Spin {
    backend: Arc<Scripted>,
    base: String,
    client: Client,
    /// The host ends with its input.
    _input: ChildStdin,
    _process: Child,
}

impl Spin {
    pub async fn start(root: &Path) -> Result<Spin> {
        let backend = Arc::<Scripted>::default();
        let url = serve(backend.clone()).await?;
        let origin = url.strip_suffix("/capabilities").context("where the capabilities are")?;
        let mut process = Command::new(root.join("target/release/spin-host"))
            .arg("--manifest")
            .arg(root.join("edge-fns/spin/spin.toml"))
            .args(["--listen", "127.0.0.1:0", "--until-eof"])
            .args(["--variable", &format!("capabilities_origin={origin}")])
            .args(["--variable", "capabilities_session=server", "--variable", "allow_test_mode=true"])
            .env("SPIN_VARIABLE_INVOKE_TOKEN", TOKEN)
            .env("RUST_LOG", "error")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("spin-host does not run; `cargo xtask conformance` builds it")?;
        let input = process.stdin.take().context("no input")?;
        let mut lines = BufReader::new(process.stdout.take().context("no output")?).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.context("spin-host does not start")??;
        let base = line.context("spin-host ended before it listened")?;
        let client = Client::builder().timeout(PATIENCE).build()?;
        Ok(Spin { backend, base, client, _input: input, _process: process })
    }
}

#[async_trait]
impl Host for Spin {
    fn name(&self) -> &'static str {
        "spin"
    }

    fn backend(&self) -> &Arc<Scripted> {
        &self.backend
    }

    async fn give(&mut self, handler: &str, given: &Given, _calls: usize) -> Result<Answer> {
        if let Given::Http(asked) = given {
            return Ok(Answer::Http(request(&self.client, &self.base, asked).await?));
        }
        let url = format!("{}/@invoke/{handler}", self.base);
        let event = invoke::event(given)?.to_string();
        let answer = self.client.post(&url).bearer_auth(TOKEN).body(event).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        let said: Value = serde_json::from_str(&text).with_context(|| format!("{url} answered {text:?}"))?;
        if status.is_success() {
            return invoke::answer(given, &said);
        }
        match said["error"].get("cause") {
            Some(cause) => Ok(Answer::Timer(Err(serde_json::from_value::<Error>(cause.clone())?))),
            None => Err(anyhow!("{url} answered {status}: {text}")),
        }
    }
}
