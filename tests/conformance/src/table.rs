//! The table of hosts and cases: for the terminal, and as the document.

use crate::case::{Case, HANDLERS};
use crate::run::{Verdict, Verdicts};
use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: &str = "\
# The same answers on every host

Written by `cargo xtask conformance` from what ran; the tests fail where this differs from it. The cases are
`tests/conformance/cases/HANDLER.json`: what is there, what happens, what fails, and what must come of it.

| host | what it is |
|---|---|
| native | the functions called as Rust, over scripted in-memory capabilities; compared with what the case says |
| wasmtime | the components on `edge-fns/host`, over the same capabilities |
| lambda | the archive for AWS Lambda: a bootstrap process a function behind a runtime API, events as API Gateway (payload 1.0 and 2.0), Kinesis and EventBridge hand them over, capabilities over the remote protocol |
| spin | the Spin application on `edge-fns/host`: requests at its routes, every other event at `/@invoke`, capabilities over the remote protocol |
| worker | the Worker shell in the real workerd: routes, WebSockets at a hub, queues, cron; capabilities over the remote protocol, connections among them |
| jco | the unmodified components in workerd, transpiled by jco, over the remote protocol |

Every host is compared with native: the answer, every call of a capability with its arguments and in its order, and the whole
state afterwards have to be equal. Time and randomness are the script's on every host. What is compared in another form, because
a platform tells it so:

- HTTP: status, body, `content-type`, `cache-control` and `retry-after`; hosts add headers of their own. Lambda's answers are
  taken out of their envelope (lists of header values, base64 of what is no text).
- Batches: Lambda and Queues take an answer as *again from this record on*. There, what was put aside before that record, with
  the reason, and that record are compared with what follows from the function's own answer.
- Timers: Lambda tells a timer's error in words, a cron trigger only that it failed.
- Connections: a hub names a connection itself; its name stands for the case's in calls, answers and state. That a
  connection closed is told to nobody, so there its calls are waited for.
- Reading the configuration is no call of a capability: hosts may keep it.
";

/// Of a handler on a host: same, different, not possible.
type Counts = [usize; 3];

fn counts(cases: &[Case], verdicts: &[Verdict]) -> BTreeMap<String, Counts> {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for (case, verdict) in cases.iter().zip(verdicts) {
        let place = match verdict {
            Verdict::Same => 0,
            Verdict::Differs(_) => 1,
            Verdict::Cannot(_) => 2,
        };
        for name in [case.handler.as_str(), "all"] {
            counts.entry(name.to_owned()).or_default()[place] += 1;
        }
    }
    counts
}

fn cell(counts: &Counts) -> String {
    let [same, differs, cannot] = counts;
    let mut text = same.to_string();
    if *differs > 0 {
        let _ = write!(text, ", {differs} differ");
    }
    if *cannot > 0 {
        let _ = write!(text, ", {cannot} n/a");
    }
    text
}

/// Handlers and hosts, with how many cases are the same.
pub fn summary(cases: &[Case], all: &Verdicts) -> String {
    let counts: Vec<_> = all.iter().map(|(host, verdicts)| (host, self::counts(cases, verdicts))).collect();
    let mut text = format!("| {:<18} |", "function");
    counts.iter().for_each(|(host, _)| text.push_str(&format!(" {host:>8} |")));
    text.push_str("\n|---|");
    counts.iter().for_each(|_| text.push_str("---:|"));
    text.push('\n');
    for handler in HANDLERS.into_iter().chain(["all"]) {
        if counts.iter().all(|(_, counts)| !counts.contains_key(handler)) {
            continue;
        }
        let _ = write!(text, "| {handler:<18} |");
        for (_, counts) in &counts {
            let _ = write!(text, " {:>8} |", counts.get(handler).map(cell).unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

pub fn document(cases: &[Case], all: &Verdicts) -> String {
    let mut text = format!("{HEAD}\n{}\n", summary(cases, all));
    let mut reasons: Vec<&str> = Vec::new();
    for handler in HANDLERS {
        let _ = write!(text, "## {handler}\n\n| case |");
        all.iter().for_each(|(host, _)| text.push_str(&format!(" {host} |")));
        text.push_str("\n|---|");
        all.iter().for_each(|_| text.push_str(":-:|"));
        text.push('\n');
        for (n, case) in cases.iter().enumerate().filter(|(_, case)| case.handler == handler) {
            let _ = write!(text, "| {} |", case.name.replace('|', "\\|"));
            for (_, verdicts) in all {
                let mark = match &verdicts[n] {
                    Verdict::Same => "✓".to_owned(),
                    Verdict::Differs(_) => "**differs**".to_owned(),
                    Verdict::Cannot(reason) => {
                        let known = reasons.iter().position(|known| known == reason);
                        let number = known.unwrap_or_else(|| {
                            reasons.push(reason);
                            reasons.len() - 1
                        });
                        format!("n/a ({})", number + 1)
                    }
                };
                let _ = write!(text, " {mark} |");
            }
            text.push('\n');
        }
        text.push('\n');
    }
    for (n, reason) in reasons.iter().enumerate() {
        let _ = writeln!(text, "({}) {reason}", n + 1);
    }
    format!("{}\n", text.trim_end())
}
