//! What a stream function is given and what it answers.

use crate::capability::Millis;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Names the record within its stream.
    pub id: String,
    pub partition: String,
    #[serde(with = "crate::json")]
    pub arrived: Millis,
    #[serde(with = "crate::json")]
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Give it to me again, with everything after it.
    Retry,
    /// It can never be processed; put it aside with this reason.
    Reject(String),
}

/// An item that was not processed. Items not named are done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub id: String,
    pub disposition: Disposition,
}
