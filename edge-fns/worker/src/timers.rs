//! Cron triggers to the timers of that expression.

use crate::Capabilities;
use crate::platform;
use edge_fns::capability::base::Level;
use edge_fns::dispatch;
use edge_fns::timer::Timer;
use std::collections::BTreeMap;
use worker::{Env, Result, ScheduledEvent};

/// As `wrangler.toml` has them: which functions run when, unless the variable `SCHEDULE` says otherwise.
const SCHEDULE: [(&str, &[&str]); 3] = [
    ("* * * * *", &["sweeper", "aggregator"]),
    ("*/5 * * * *", &["stale-connections"]),
    ("*/10 * * * *", &["trades-backup"]),
];

/// Runs each of them, whatever the others do; the first error is the answer.
pub async fn run(event: ScheduledEvent, env: &Env) -> Result<()> {
    let cron = event.cron();
    let Some(names) = schedule(env)?.remove(&cron) else {
        return Err(worker::Error::RustError(format!("no timer has the expression {cron:?}")));
    };
    let mut outcome = Ok(());
    for name in names {
        let timer = Timer { name: name.clone(), due: event.schedule() as u64 };
        if let Err(error) = call(timer, env).await {
            let text = error.to_string();
            platform::log(Level::Error, "a timer failed", &[("timer", &name), ("error", &text)]);
            outcome = outcome.and(Err(error));
        }
    }
    outcome
}

/// The names of each expression's timers.
fn schedule(env: &Env) -> Result<BTreeMap<String, Vec<String>>> {
    if let Some(given) = platform::setting(env, "SCHEDULE") {
        return serde_json::from_str(&given)
            .map_err(|error| worker::Error::RustError(format!("SCHEDULE cannot be read: {error}")));
    }
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Ok(SCHEDULE.iter().map(|(expression, names)| ((*expression).to_owned(), owned(names))).collect())
}

async fn call(timer: Timer, env: &Env) -> Result<()> {
    let own = Capabilities::of(env).await?;
    let name = timer.name.clone();
    match dispatch::timer(own.ports(), &name, timer).await {
        Some(done) => done.map_err(|error| worker::Error::RustError(error.to_string())),
        None => Err(worker::Error::RustError(format!("there is no timer {name:?}"))),
    }
}
