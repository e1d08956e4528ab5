//! Requests of one user.

use crate::{Socket, eventually};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use serde_json::Value;

#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    user: Option<String>,
    token: Option<String>,
}

/// What the exchange said.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub media: String,
    pub text: String,
    /// `null` for what is no JSON.
    pub json: Value,
}

impl Answer {
    pub(crate) fn new(status: u16, media: &str, body: &[u8]) -> Answer {
        let json = serde_json::from_slice(body).unwrap_or_default();
        Answer { status, media: media.into(), text: String::from_utf8_lossy(body).into_owned(), json }
    }

    /// The stable code of a refusal, in the API's form or in that of the accounts; empty for anything else.
    pub fn code(&self) -> &str {
        self.json["error"]["code"].as_str().or(self.json["error_code"].as_str()).unwrap_or_default()
    }

    /// Status and code at once.
    pub fn refusal(&self) -> (u16, &str) {
        (self.status, self.code())
    }

    pub fn order_id(&self) -> &str {
        self.json["order_id"]
            .as_str()
            .unwrap_or_else(|| panic!("no order id in {} {}", self.status, self.text))
    }
}

impl Client {
    pub(crate) fn new(http: reqwest::Client, url: &str) -> Client {
        Client { http, url: url.into(), user: None, token: None }
    }

    /// The same exchange as a test user.
    pub fn as_test_user(&self, name: &str) -> Client {
        Client { user: Some(format!("test-{name}")), token: None, ..self.clone() }
    }

    /// The same exchange with a token.
    pub fn with_token(&self, token: &str) -> Client {
        Client { user: None, token: Some(token.into()), ..self.clone() }
    }

    /// The same exchange without saying who asks.
    pub fn as_nobody(&self) -> Client {
        Client { user: None, token: None, ..self.clone() }
    }

    /// The test user's id.
    pub fn user(&self) -> &str {
        self.user.as_deref().unwrap_or_default()
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, Vec::new()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, Some("application/json"), body.to_string().into()).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some("application/json"), body.to_string().into()).await
    }

    /// A request with any body.
    pub async fn send(&self, method: &str, path: &str, media: Option<&str>, body: Vec<u8>) -> Answer {
        let answer = self.try_send(method, path, media, body).await;
        answer.unwrap_or_else(|error| panic!("{method} {path} got no answer: {error:?}"))
    }

    /// A request whose body is too large. It is answered without being read to its end, and a client that is still
    /// sending may find the connection broken off before it sees the answer: then it is sent again.
    pub async fn send_large(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let media = Some("application/json");
        let ask = async || self.try_send(method, path, media, body.to_vec()).await.ok();
        eventually("a large body is answered", ask).await
    }

    /// Fails where no answer comes, as when the exchange is killed.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        media: Option<&str>,
        body: Vec<u8>,
    ) -> reqwest::Result<Answer> {
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, format!("{}{}", self.url, self.identified(path)));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(media) = media {
            request = request.header(CONTENT_TYPE, media);
        }
        let response = request.body(body).send().await?;
        let status = response.status().as_u16();
        let media =
            response.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        let media = media.to_string();
        Ok(Answer::new(status, &media, &response.bytes().await?))
    }

    /// The path with the test user in its query.
    pub(crate) fn identified(&self, path: &str) -> String {
        match &self.user {
            None => path.into(),
            Some(user) => {
                let join = if path.contains('?') { '&' } else { '?' };
                format!("{path}{join}userId={user}&testMode=true")
            }
        }
    }

    /// A WebSocket connection of this user.
    pub async fn socket(&self) -> Socket {
        self.handshake("/ws", &[]).await.unwrap_or_else(|refused| panic!("not connected: {refused:?}"))
    }

    /// The same with more headers; an error is the refusal.
    pub async fn handshake(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Socket, Answer> {
        let url = format!("{}{}", self.url.replacen("http", "ws", 1), self.identified(path));
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let token = token.iter().map(|token| ("authorization", token.as_str()));
        Socket::open(&url, headers.iter().copied().chain(token)).await
    }

    /// Places an order that has to be taken; answers its id.
    pub async fn place(&self, order: Value) -> String {
        let placed = self.post("/orders", order.clone()).await;
        assert_eq!(placed.status, 202, "{order}: {}", placed.text);
        placed.order_id().into()
    }

    /// One of the user's orders as soon as it is as wanted.
    pub async fn order_once(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/orders/{id}");
        eventually(&format!("order {id} is as wanted"), async || {
            let answer = self.get(&path).await;
            if [503, 504].contains(&answer.status) {
                return None;
            }
            assert_eq!(answer.status, 200, "{}", answer.text);
            wanted(&answer.json).then_some(answer.json)
        })
        .await
    }

    /// All orders of the user, oldest first, page by page.
    pub async fn orders(&self, status: &str) -> Vec<Value> {
        let mut orders = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/orders?limit=200&status={status}&cursor={cursor}")).await;
            assert_eq!(page.status, 200, "{}", page.text);
            orders.extend(page.json["orders"].as_array().expect("a list").iter().cloned());
            match page.json["cursor"].as_str() {
                Some(next) => cursor = next.into(),
                None => break,
            }
        }
        orders.reverse();
        orders
    }

    /// What the user has of an asset: available and locked.
    pub async fn balance(&self, asset: &str) -> (u64, u64) {
        let answer = self.get("/assets").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let mut assets = answer.json["assets"].as_array().expect("a list").iter();
        assets.find(|owned| owned["asset"] == asset).map_or((0, 0), |owned| {
            let number = |name: &str| owned[name].as_u64().expect("an amount");
            (number("available"), number("locked"))
        })
    }
}
