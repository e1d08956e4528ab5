//! What a WebSocket function is given and what it answers.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A client asks to connect. Names are `query:NAME` for query parameters (decoded) and `header:name` (lower case)
    /// for headers.
    Opened(Vec<(String, String)>),
    Message(#[serde(with = "crate::json")] Vec<u8>),
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// For `Opened`: whether the connection is let in. For the other events: whether it may stay.
    pub accept: bool,
    /// HTTP status of a refused `Opened`.
    pub status: Option<u16>,
    /// Sent to the client: as a frame, or as the body of the refusal.
    #[serde(default, with = "crate::json")]
    pub body: Option<Vec<u8>>,
}

impl Reply {
    pub fn accept() -> Reply {
        Reply { accept: true, status: None, body: None }
    }

    pub fn message(body: Vec<u8>) -> Reply {
        Reply { accept: true, status: None, body: Some(body) }
    }
}
