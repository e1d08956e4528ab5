//! One WebSocket connection.

use crate::{Answer, PATIENCE};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The name that `/@connections` knows it by.
    pub id: String,
    /// The subprotocol that the server chose.
    pub protocol: Option<String>,
    /// Everything that was heard.
    pub heard: Vec<Value>,
}

impl Socket {
    pub(crate) async fn open<'a>(
        url: &str,
        headers: impl Iterator<Item = (&'static str, &'a str)>,
    ) -> Result<Socket, Answer> {
        let mut request = url.into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header"));
        }
        match connect_async(request).await {
            Ok((stream, response)) => {
                let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_string());
                let id = header("x-connection-id").expect("the connection's id");
                Ok(Socket { stream, id, protocol: header("sec-websocket-protocol"), heard: Vec::new() })
            }
            Err(Error::Http(refused)) => {
                let media = refused.headers().get("content-type").and_then(|media| media.to_str().ok());
                let body = refused.body().clone().unwrap_or_default();
                Err(Answer::new(refused.status().as_u16(), media.unwrap_or_default(), &body))
            }
            Err(error) => panic!("no handshake: {error}"),
        }
    }

    pub async fn say(&mut self, message: Value) {
        self.say_raw(Message::text(message.to_string())).await;
    }

    /// Any frame. That the server has hung up is for the reader to find.
    pub async fn say_raw(&mut self, message: Message) {
        let _ = self.stream.send(message).await;
    }

    /// A message that is as wanted: one in `heard`, or one that is still to come.
    pub async fn hear(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        match self.heard.iter().find(|message| wanted(message)) {
            Some(message) => message.clone(),
            None => self.hear_next(what, wanted).await,
        }
    }

    /// The message about the user's order with this status.
    pub async fn hear_status(&mut self, id: &str, status: &str) -> Value {
        let wanted = |m: &Value| m["e"] == "order" && m["id"] == id && m["st"] == status;
        self.hear(&format!("{status} of {id}"), wanted).await
    }

    /// Says something and answers the next message of this kind.
    pub async fn ask(&mut self, message: Value, kind: &str) -> Value {
        self.say(message).await;
        self.hear_next(kind, |m| m["e"] == kind).await
    }

    async fn hear_next(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.next()).await;
            let next = next.unwrap_or_else(|_| panic!("{what} was not heard, but {:?}", self.heard));
            let message = next.unwrap_or_else(|code| panic!("closed with {code:?} before {what}"));
            self.heard.push(message.clone());
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Reads to the end; answers the close code, if one was given.
    pub async fn end(&mut self) -> Option<u16> {
        let end = async {
            loop {
                match self.next().await {
                    Ok(message) => self.heard.push(message),
                    Err(code) => return code,
                }
            }
        };
        tokio::time::timeout(PATIENCE, end).await.expect("the server ends the connection")
    }

    /// Hangs up.
    pub async fn close(mut self) {
        let _ = self.stream.close(None).await;
    }

    async fn next(&mut self) -> Result<Value, Option<u16>> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}")));
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }
}
