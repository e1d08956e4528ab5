//! A client of the exchange's front door, for the tools that trade through it: replay, demo and bench.

use anyhow::{Context, bail};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// One test user's, or the administrator's, way in.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    user: Option<String>,
    token: Option<String>,
}

/// What the exchange said to a request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The stable code of a refusal.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or("unknown")
    }
}

/// An order as the tools send it.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    pub symbol: &'a str,
    pub buy: bool,
    pub order_type: &'a str,
    pub tif: &'a str,
    pub price: u64,
    pub quantity: u64,
}

impl Client {
    pub fn new(url: &str) -> anyhow::Result<Client> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(512)
            .tcp_nodelay(true)
            .build()?;
        Ok(Client { http, url: url.trim_end_matches('/').into(), user: None, token: None })
    }

    /// The same exchange as a test user.
    pub fn test_user(&self, name: &str) -> Client {
        Client { user: Some(format!("test-{name}")), token: None, ..self.clone() }
    }

    /// The same exchange as its administrator.
    pub fn administrator(&self, token_file: &Path) -> anyhow::Result<Client> {
        let token = std::fs::read_to_string(token_file)
            .with_context(|| format!("cannot read the administrator's token at {}", token_file.display()))?;
        Ok(Client { user: None, token: Some(token.trim().into()), ..self.clone() })
    }

    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or_default()
    }

    /// The WebSocket's address for this user.
    pub fn socket_url(&self) -> String {
        let url = self.url.replacen("http", "ws", 1);
        match &self.user {
            Some(user) => format!("{url}/ws?userId={user}&testMode=true"),
            None => format!("{url}/ws"),
        }
    }

    pub async fn order(&self, order: &Order<'_>) -> anyhow::Result<Answer> {
        let mut body = json!({
            "symbol": order.symbol, "side": if order.buy { "BUY" } else { "SELL" }, "type": order.order_type,
            "tif": order.tif, "quantity": order.quantity,
        });
        if order.order_type == "LIMIT" {
            body["price"] = order.price.into();
        }
        self.send(reqwest::Method::POST, "/orders", Some(body)).await
    }

    pub async fn cancel(&self, order: &str) -> anyhow::Result<Answer> {
        self.send(reqwest::Method::DELETE, &format!("/orders/{order}"), None).await
    }

    pub async fn replace(&self, order: &str, price: u64, quantity: u64) -> anyhow::Result<Answer> {
        let body = json!({"price": price, "quantity": quantity});
        self.send(reqwest::Method::PATCH, &format!("/orders/{order}"), Some(body)).await
    }

    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(reqwest::Method::GET, path, None).await
    }

    /// The body as it is, for what is no JSON.
    pub async fn text(&self, path: &str) -> anyhow::Result<String> {
        Ok(self.http.get(format!("{}{path}", self.url)).send().await?.text().await?)
    }

    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Answer> {
        self.send(reqwest::Method::POST, path, Some(body)).await
    }

    /// Fails where there is no exchange at all, with what to do about it.
    pub async fn check(&self) -> anyhow::Result<()> {
        match self.get("/healthz").await {
            Ok(answer) if answer.is_ok() => Ok(()),
            Ok(answer) => bail!("{} answers {}: is it an exchange?", self.url, answer.status),
            Err(error) => bail!("no exchange answers at {} ({error}); `cargo xtask up` starts one", self.url),
        }
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(user) = &self.user {
            request = request.query(&[("userId", user.as_str()), ("testMode", "true")]);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok(Answer { status, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }
}
