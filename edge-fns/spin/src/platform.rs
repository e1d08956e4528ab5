//! Clock, randomness, log and configuration of the platform.

use async_trait::async_trait;
use edge_fns::capability::base::Level;
use edge_fns::capability::{Base, Error, Millis, Result};
use send_wrapper::SendWrapper;
use serde::Serialize;
use spin_sdk::variables;
use spin_sdk::wasip3::clocks::system_clock;
use spin_sdk::wasip3::random::random::get_random_bytes;
use std::collections::BTreeMap;
use std::sync::Once;

/// What handlers may read of the variables: settings, no secrets.
const CONFIGURATION: [&str; 5] =
    ["ALLOW_TEST_MODE", "DAY_OFFSET_S", "KINESIS_FILLS_STREAM", "KINESIS_ORDERS_STREAM", "ORDERS_TABLE"];

/// The most that a stream of WASI takes at once.
const WRITE_AT_ONCE: usize = 4096;

/// A variable that is there and not empty.
pub async fn setting(name: &str) -> Result<Option<String>> {
    match variables::get(name).await {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(variables::Error::Undefined(_)) => Ok(None),
        Err(error) => Err(Error::Internal(format!("the variable {name}: {error}"))),
    }
}

/// Spin's own [`Base`].
pub struct Platform;

#[async_trait]
impl Base for Platform {
    fn now(&self) -> Millis {
        let now = system_clock::now();
        u64::try_from(now.seconds).unwrap_or_default() * 1000 + u64::from(now.nanoseconds) / 1_000_000
    }

    fn random(&self, len: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A host may give fewer at once than it was asked for.
        while bytes.len() < len as usize {
            bytes.extend(get_random_bytes(u64::from(len) - bytes.len() as u64));
        }
        bytes.truncate(len as usize);
        bytes
    }

    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        log(level, message, fields);
    }

    /// Spin's variables have names in lower case.
    async fn config(&self, name: &str) -> Result<Option<String>> {
        if !CONFIGURATION.contains(&name) {
            return Ok(None);
        }
        let name = name.to_ascii_lowercase();
        SendWrapper::new(setting(&name)).await
    }
}

/// One line of JSON on standard error, which Spin keeps per component.
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    #[derive(Serialize)]
    struct Line<'a> {
        level: Level,
        message: &'a str,
        #[serde(flatten)]
        fields: BTreeMap<&'a str, &'a str>,
    }
    let line = Line { level, message, fields: fields.iter().copied().collect() };
    let mut line = serde_json::to_string(&line).unwrap_or_else(|_| message.to_owned());
    line.push('\n');
    let stderr = wasip2::cli::stderr::get_stderr();
    for part in line.as_bytes().chunks(WRITE_AT_ONCE) {
        // What cannot be said is lost: there is nowhere else to say it.
        if stderr.blocking_write_and_flush(part).is_err() {
            return;
        }
    }
}

/// A panic ends the instance with nothing but a trap: what it says goes to the log before.
pub fn log_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|panic| log(Level::Error, "panic", &[("panic", &panic.to_string())])));
    });
}
