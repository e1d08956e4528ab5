//! Batches of a queue to the function that the queue is named after.
//!
//! A queue is called `STREAM-FUNCTION` (`supernoba-fills-history-saver`), since a queue has one consumer. Its messages are
//! a stream's records as JSON: `{"partition":"TEST","body":"…"}`, the body as the exchange's JSON writes bytes.
//!
//! A queue keeps no order and delivers at least once, which the functions bear. What a function wants to have again
//! comes again with everything after it in the batch; what it rejects goes to the queue `DEAD_LETTERS` with the reason,
//! and comes again for as long as it cannot be written there.

use crate::Capabilities;
use crate::platform;
use edge_fns::capability::base::Level;
use edge_fns::dispatch;
use edge_fns::stream::{Disposition, Failure, Item};
use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use worker::{Env, MessageBatch, MessageExt, QueueRetryOptionsBuilder, RawMessage, Result};

const FUNCTIONS: [&str; 4] = ["fill-processor", "history-saver", "notifier", "user-notify"];
/// The binding of the queue of what can never be processed.
const DEAD_LETTERS: &str = "DEAD_LETTERS";
const RETRY_AFTER_S: u32 = 1;

#[derive(Deserialize)]
struct Record {
    partition: String,
    #[serde(with = "edge_fns::json")]
    body: Vec<u8>,
}

#[derive(Serialize)]
struct Letter<'a> {
    consumer: &'a str,
    stream: &'a str,
    id: &'a str,
    partition: &'a str,
    reason: &'a str,
    #[serde(with = "edge_fns::json")]
    body: Vec<u8>,
}

pub async fn consume(batch: MessageBatch<JsValue>, env: &Env) -> Result<()> {
    let queue = batch.queue();
    let named = |function: &&'static str| {
        Some((*function, queue.strip_suffix(function)?.strip_suffix('-')?.to_owned()))
    };
    let Some((function, stream)) = FUNCTIONS.iter().find_map(named) else {
        return Err(worker::Error::RustError(format!("no function is named by the queue {queue:?}")));
    };
    let messages: Vec<RawMessage> = batch.raw_iter().collect();
    let items: Vec<Item> = messages.iter().map(item).collect();
    let own = Capabilities::of(env).await?;
    let Some(failures) = dispatch::stream(own.ports(), function, &stream, items.clone()).await else {
        return Err(worker::Error::RustError(format!("{function} takes no records")));
    };
    settle(function, &stream, &messages, &items, &failures, env).await;
    Ok(())
}

/// What is no record is handed on as it is: the function says why it cannot be processed.
fn item(message: &RawMessage) -> Item {
    let body = message.body();
    let text = body.as_string().or_else(|| js_sys::JSON::stringify(&body).ok().map(String::from));
    let text = text.unwrap_or_default();
    let record = serde_json::from_str::<Record>(&text)
        .unwrap_or_else(|_| Record { partition: String::new(), body: text.into_bytes() });
    Item {
        id: message.id(),
        partition: record.partition,
        arrived: message.timestamp().as_millis(),
        body: record.body,
    }
}

async fn settle(
    function: &str,
    stream: &str,
    messages: &[RawMessage],
    items: &[Item],
    failures: &[Failure],
    env: &Env,
) {
    let mut again = false;
    for (message, item) in messages.iter().zip(items) {
        let failed = failures.iter().find(|failure| failure.id == item.id);
        again = again
            || match failed.map(|failure| &failure.disposition) {
                None => false,
                Some(Disposition::Retry) => true,
                Some(Disposition::Reject(reason)) => !bury(function, stream, item, reason, env).await,
            };
        if again {
            let later = QueueRetryOptionsBuilder::new().with_delay_seconds(RETRY_AFTER_S).build();
            message.retry_with_options(&later);
        } else {
            message.ack();
        }
    }
}

/// Whether the record is safe among the dead letters.
async fn bury(function: &str, stream: &str, item: &Item, reason: &str, env: &Env) -> bool {
    let about = [("consumer", function), ("stream", stream), ("id", &item.id), ("reason", reason)];
    platform::log(Level::Error, "record rejected", &about);
    let letter = Letter {
        consumer: function,
        stream,
        id: &item.id,
        partition: &item.partition,
        reason,
        body: item.body.clone(),
    };
    let sent = match env.queue(DEAD_LETTERS) {
        Ok(letters) => letters.send(letter).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &sent {
        platform::log(Level::Error, "dead letter not written", &[("error", &error.to_string())]);
    }
    sent.is_ok()
}
