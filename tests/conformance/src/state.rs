//! The capabilities' state as a case writes it: what is there before, and what is there after.

use anyhow::{Context, Result, anyhow};
use edge_fns::capability::cache::{Command, SetOptions};
use edge_fns::capability::documents::{Expect, Id, Write};
use edge_fns::capability::wallet::{Asset, Movement};
use edge_fns::capability::{Blobs, Cache, Documents, Wallet, blobs};
use edge_fns::executor::ready;
use edge_fns::testing::{Memory, State};
use engine_core::candle::Candle;
use engine_core::wire::candle_json;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// 2025-12-16, 14:20 UTC.
const NOW: u64 = 1_765_894_800_000;
const ORDERS: &str = "supernoba-orders";

/// Two markets where test users may trade, if it does not say otherwise; and nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Given {
    now: Option<u64>,
    /// The active symbols.
    symbols: Option<Vec<String>>,
    /// Values, or null for what is not set.
    config: BTreeMap<String, Option<String>>,
    /// Of each user, what came in of each asset: `CASH` or a symbol.
    wallets: BTreeMap<String, BTreeMap<String, u64>>,
    /// What of it is locked: user, asset, amount.
    holds: BTreeMap<String, (String, String, u64)>,
    /// Orders' rows.
    orders: Vec<Value>,
    /// By `TABLE/PARTITION/SORT`.
    documents: BTreeMap<String, Value>,
    strings: BTreeMap<String, Value>,
    sets: BTreeMap<String, Vec<String>>,
    hashes: BTreeMap<String, BTreeMap<String, String>>,
    /// The newest first, as it is pushed.
    lists: BTreeMap<String, List>,
    /// Connections that are there.
    online: Vec<String>,
    /// Objects: text, or a list of lines of JSON.
    blobs: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum List {
    Values(Vec<Value>),
    /// So many minutes at one price, the newest of which opens at this time.
    Minutes {
        minutes: u64,
        newest: u64,
    },
}

impl List {
    fn values(self) -> Vec<String> {
        match self {
            List::Values(values) => values.iter().map(text).collect(),
            List::Minutes { minutes, newest } => {
                let candle = |time| Candle { time, open: 100, high: 100, low: 100, close: 100, volume: 1 };
                (0..minutes).map(|n| candle_json(&candle(newest - 60 * n))).collect()
            }
        }
    }
}

/// The state that this describes.
pub fn of(given: &Value) -> Result<Memory> {
    let given: Given = match given {
        Value::Null => Given::default(),
        given => Given::deserialize(given).context("given")?,
    };
    let symbols = given.symbols.unwrap_or_else(|| vec!["TEST".into(), "OTHER".into()]);
    let symbols: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let memory = Memory::exchange(&symbols);
    {
        let mut state = memory.state();
        state.now = given.now.unwrap_or(NOW);
        for (name, value) in given.config {
            match value {
                Some(value) => drop(state.config.insert(name, value)),
                None => drop(state.config.remove(&name)),
            }
        }
        state.online.extend(given.online);
        if symbols.is_empty() {
            state.sets.clear();
        }
    }
    fill_wallets(&memory, given.wallets, given.holds)?;
    fill_documents(&memory, given.orders, given.documents)?;
    let mut commands = Vec::new();
    for (key, value) in given.strings {
        commands.push(Command::Set(key, text(&value).into_bytes(), SetOptions::default()));
    }
    for (key, members) in given.sets {
        commands.push(Command::Sadd(key, members.into_iter().map(String::into_bytes).collect()));
    }
    for (key, fields) in given.hashes {
        let fields = fields.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        commands.push(Command::Hset(key, fields));
    }
    for (key, values) in given.lists {
        let oldest_first = values.values().into_iter().rev().map(String::into_bytes).collect();
        commands.push(Command::Lpush(key, oldest_first));
    }
    done(memory.run_atomic(commands))?;
    let object = |(key, value): (String, Value)| {
        let body = match &value {
            Value::Array(lines) => lines.iter().map(|line| format!("{line}\n")).collect(),
            value => text(value),
        };
        blobs::Write { key, condition: blobs::Condition::Anything, body: body.into_bytes() }
    };
    done(Blobs::put(&memory, given.blobs.into_iter().map(object).collect()))?;
    Ok(memory)
}

fn fill_wallets(
    memory: &Memory,
    wallets: BTreeMap<String, BTreeMap<String, u64>>,
    holds: BTreeMap<String, (String, String, u64)>,
) -> Result<()> {
    let mut movements = Vec::new();
    for (user, assets) in wallets {
        for (name, amount) in assets {
            let id = format!("given/{user}/{name}");
            movements.push(Movement::Deposit { id, user: user.clone(), asset: asset(&name), amount });
        }
    }
    for (hold, (user, name, amount)) in holds {
        movements.push(Movement::Reserve { hold, user, asset: asset(&name), amount });
    }
    for posted in done(Wallet::post(memory, movements))? {
        let posted = posted?;
        anyhow::ensure!(posted == edge_fns::capability::wallet::Posted::Done, "the wallets: {posted:?}");
    }
    Ok(())
}

fn fill_documents(memory: &Memory, orders: Vec<Value>, documents: BTreeMap<String, Value>) -> Result<()> {
    let mut writes = Vec::new();
    let mut write = |table: &str, partition: &str, sort: &str, body: &Value| {
        let id = Id { table: table.into(), partition: partition.into(), sort: sort.into() };
        writes.push(Write { id, expect: Expect::Absent, body: Some(text(body).into_bytes()) });
    };
    for row in orders {
        let field = |name: &str| row[name].as_str().with_context(|| format!("an order without {name}"));
        write(ORDERS, field("user_id")?, field("order_id")?, &row);
    }
    for (path, body) in documents {
        let parts: Vec<&str> = path.splitn(3, '/').collect();
        let [table, partition, sort] = parts[..] else {
            return Err(anyhow!("{path}: a document is TABLE/PARTITION/SORT"));
        };
        write(table, partition, sort, &body);
    }
    done(Documents::put(memory, writes)).map(|_| ())
}

fn asset(name: &str) -> Asset {
    if name == "CASH" { Asset::Cash } else { Asset::Stock(name.into()) }
}

/// Text as it is, anything else as JSON.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Memory answers at once.
fn done<T>(call: impl Future<Output = edge_fns::capability::Result<T>>) -> Result<T> {
    ready(call).context("memory waited")?.context("given")
}

/// Everything that is there, by the names that [`of`] takes, and what came of it.
pub fn dump(state: &State) -> Value {
    let mut wallets: BTreeMap<&str, BTreeMap<&str, (u64, u64)>> = BTreeMap::new();
    for ((user, asset), balance) in &state.money.accounts {
        let name = match asset {
            Asset::Cash => "CASH",
            Asset::Stock(symbol) => symbol,
        };
        wallets.entry(user).or_default().insert(name, *balance);
    }
    let holds: BTreeMap<_, _> = state.money.holds.iter().map(|(hold, (.., left))| (hold, left)).collect();
    let (mut orders, mut documents) = (Map::new(), Map::new());
    for (id, entry) in &state.documents {
        let mut body = readable(&entry.body);
        if id.table == ORDERS && id.sort.starts_with("ord_") && !id.partition.starts_with("client#") {
            // Where the row stands among its writers.
            body["version"] = entry.version.into();
            orders.insert(id.sort.clone(), body);
        } else {
            documents.insert(format!("{}/{}/{}", id.table, id.partition, id.sort), body);
        }
    }
    let all =
        |values: &mut dyn Iterator<Item = &Vec<u8>>| values.map(|value| readable(value)).collect::<Value>();
    let streams: Map<String, Value> = (state.streams.iter())
        .filter(|(name, _)| name.as_str() != crate::backend::DEAD_LETTERS)
        .map(|(name, log)| (name.clone(), all(&mut log.iter().map(|message| &message.body))))
        .collect();
    let lists: Map<String, Value> =
        state.lists.iter().map(|(key, list)| (key.clone(), all(&mut list.iter()))).collect();
    let sets: Map<String, Value> =
        state.sets.iter().map(|(key, set)| (key.clone(), all(&mut set.iter()))).collect();
    let sent: Map<String, Value> =
        state.sent.iter().map(|(id, messages)| (id.clone(), all(&mut messages.iter()))).collect();
    let strings: Map<String, Value> =
        state.strings.iter().map(|(key, value)| (key.clone(), readable(value))).collect();
    let hash = |hash: &BTreeMap<String, Vec<u8>>| -> Value {
        hash.iter().map(|(name, value)| (name.clone(), readable(value))).collect::<Map<_, _>>().into()
    };
    let hashes: Map<String, Value> = state.hashes.iter().map(|(key, h)| (key.clone(), hash(h))).collect();
    let lines = |body: &[u8]| -> Value {
        body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(readable).collect()
    };
    let blobs: Map<String, Value> =
        state.blobs.iter().map(|(key, (body, _))| (key.clone(), lines(body))).collect();
    json!({
        "wallets": wallets, "holds": holds, "orders": orders, "documents": documents, "streams": streams,
        "strings": strings, "sets": sets, "hashes": hashes, "lists": lists, "sent": sent,
        "rows": state.rows, "blobs": blobs, "online": state.online,
    })
}

/// JSON objects as such, anything else as text.
pub fn readable(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => value,
        _ => String::from_utf8_lossy(bytes).into_owned().into(),
    }
}
