//! Clock, randomness, log and configuration of the platform.

use async_trait::async_trait;
use edge_fns::capability::base::Level;
use edge_fns::capability::{Base, Millis, Result};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use worker::Env;

/// What handlers may read of the environment: settings, no secrets.
const CONFIGURATION: [&str; 5] =
    ["ALLOW_TEST_MODE", "DAY_OFFSET_S", "KINESIS_FILLS_STREAM", "KINESIS_ORDERS_STREAM", "ORDERS_TABLE"];

/// The most that `getRandomValues` gives at once.
const RANDOM_AT_ONCE: usize = 65_536;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues)]
    fn fill_with_random(bytes: &mut [u8]);
}

/// A Worker's clock stands still between two calls that wait: a handler's events happen at one time.
pub fn now() -> Millis {
    js_sys::Date::now() as Millis
}

/// Bytes nobody can predict.
pub fn random(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    bytes.chunks_mut(RANDOM_AT_ONCE).for_each(fill_with_random);
    bytes
}

thread_local! {
    static SETTINGS: RefCell<BTreeMap<&'static str, Option<String>>> = RefCell::default();
}

/// A setting that is there and not empty. The platform starts other instances when a setting changes, so it is asked once.
pub fn setting(env: &Env, name: &'static str) -> Option<String> {
    SETTINGS.with_borrow_mut(|settings| {
        let ask = || env.var(name).ok().map(|value| value.to_string()).filter(|value| !value.is_empty());
        settings.entry(name).or_insert_with(ask).clone()
    })
}

/// The Worker's own [`Base`].
pub struct Platform {
    configuration: BTreeMap<&'static str, String>,
}

impl Platform {
    pub fn of(env: &Env) -> Platform {
        let value = |name: &'static str| Some((name, setting(env, name)?));
        Platform { configuration: CONFIGURATION.into_iter().filter_map(value).collect() }
    }
}

/// One line of JSON, as Workers Logs takes it apart.
pub fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    #[derive(Serialize)]
    struct Line<'a> {
        level: &'a str,
        message: &'a str,
        #[serde(flatten)]
        fields: BTreeMap<&'a str, &'a str>,
    }
    let name = match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    let line = Line { level: name, message, fields: fields.iter().copied().collect() };
    let line = JsValue::from(serde_json::to_string(&line).unwrap_or_else(|_| message.to_owned()));
    match level {
        Level::Trace | Level::Debug => web_sys::console::debug_1(&line),
        Level::Info => web_sys::console::log_1(&line),
        Level::Warn => web_sys::console::warn_1(&line),
        Level::Error => web_sys::console::error_1(&line),
    }
}

#[async_trait]
impl Base for Platform {
    fn now(&self) -> Millis {
        now()
    }

    fn random(&self, len: u32) -> Vec<u8> {
        random(len as usize)
    }

    fn log(&self, level: Level, message: &str, fields: &[(&str, &str)]) {
        log(level, message, fields);
    }

    async fn config(&self, name: &str) -> Result<Option<String>> {
        Ok(self.configuration.get(name).cloned())
    }
}

/// A body, at once: what `array_buffer` promises of a request or an answer.
pub async fn bytes(
    promise: core::result::Result<js_sys::Promise, JsValue>,
) -> core::result::Result<Vec<u8>, JsValue> {
    let buffer = JsFuture::from(promise?).await?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec())
}
