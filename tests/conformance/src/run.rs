//! Runs the cases on a host, and compares.

use crate::case::{Case, Event};
use crate::expected::{Answer, differences, state_differences};
use crate::hosts::{self, Given, Host, Renamed};
use crate::state;
use anyhow::{Context, Result};
use edge_host::Timer;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// What came of a case on one host.
pub struct Outcome {
    pub steps: Vec<Done>,
    /// The whole state in the end.
    pub state: Value,
    /// What does not add up, whatever the case says.
    pub wrong: Vec<String>,
}

pub struct Done {
    pub given: Given,
    pub answer: Answer,
    pub calls: Vec<Value>,
}

#[derive(Clone, Debug)]
pub enum Verdict {
    Same,
    Differs(Vec<String>),
    /// Why the host cannot be put this case.
    Cannot(String),
}

/// The verdict on every case, a host after the other.
pub type Verdicts = Vec<(&'static str, Vec<Verdict>)>;

pub async fn all(root: &Path, cases: &Arc<Vec<Case>>, native_only: bool) -> Result<Verdicts> {
    let mut native = hosts::native();
    let (mut models, mut verdicts) = (Vec::new(), Vec::new());
    for case in cases.iter() {
        let outcome = run(native.as_mut(), case, None).await;
        verdicts.push(match &outcome {
            Ok(outcome) => verdict(against_case(case, outcome)),
            Err(error) => Verdict::Differs(vec![format!("{error:#}")]),
        });
        models.push(outcome.ok());
    }
    let mut all = vec![(native.name(), verdicts)];
    if native_only {
        return Ok(all);
    }
    let models = Arc::new(models);
    let running: Vec<_> = (hosts::start(root).await?.into_iter())
        .map(|mut host| {
            let (cases, models) = (cases.clone(), models.clone());
            tokio::spawn(async move {
                let mut verdicts = Vec::with_capacity(cases.len());
                for (case, model) in cases.iter().zip(models.iter()) {
                    verdicts.push(one(host.as_mut(), case, model.as_ref()).await);
                }
                (host.name(), verdicts)
            })
        })
        .collect();
    for host in running {
        all.push(host.await?);
    }
    Ok(all)
}

async fn one(host: &mut dyn Host, case: &Case, model: Option<&Outcome>) -> Verdict {
    if let Some(reason) = host.cannot(case) {
        return Verdict::Cannot(reason);
    }
    let Some(model) = model else { return Verdict::Differs(vec!["the functions themselves failed".into()]) };
    match run(host, case, Some(model)).await {
        Ok(outcome) => verdict(against_model(model, outcome)),
        Err(error) => Verdict::Differs(vec![format!("{error:#}")]),
    }
}

fn verdict(differences: Vec<String>) -> Verdict {
    if differences.is_empty() { Verdict::Same } else { Verdict::Differs(differences) }
}

/// What happens to this case on this host; `model` is what came of it elsewhere.
pub async fn run(host: &mut dyn Host, case: &Case, model: Option<&Outcome>) -> Result<Outcome> {
    let mut renamed = host.prepare(case).await?;
    let given = match &renamed {
        Some(renamed) => replaced(&case.given, &renamed.case, &renamed.host),
        None => case.given.clone(),
    };
    let backend = host.backend().clone();
    backend.load(&state::of(&given)?);
    let (mut steps, mut wrong) = (Vec::new(), Vec::new());
    for (n, step) in case.steps.iter().enumerate() {
        backend.begin(n, step.now, &step.faults);
        let now = backend.state().now;
        let given = event(&case.handler, &step.event, now);
        let calls = model.and_then(|model| model.steps.get(n)).map_or(0, |done| done.calls.len());
        let answer = host.give(&case.handler, &given, calls).await;
        let trace = backend.end();
        let mut answer = answer.with_context(|| format!("step {}", n + 1))?;
        if let Answer::Settled { rejected, .. } = &mut answer {
            // What a host puts aside by way of the capabilities.
            let text = |letter: &Value, name: &str| letter[name].as_str().unwrap_or_default().to_owned();
            rejected.extend(
                trace.letters.iter().map(|letter| (text(letter, "sequence"), text(letter, "reason"))),
            );
        }
        wrong.extend(trace.wrong.iter().map(|wrong| format!("step {}: {wrong}", n + 1)));
        renamed = host.renamed().or(renamed);
        steps.push(Done { given, answer, calls: back(trace.calls, renamed.as_ref()) });
    }
    let state = backend.state();
    wrong.extend(state.money.wrong());
    let state = back(vec![state::dump(&state)], renamed.as_ref()).remove(0);
    Ok(Outcome { steps, state, wrong })
}

fn event(handler: &str, event: &Event, now: u64) -> Given {
    match event {
        Event::Http(http) => Given::Http(http.request()),
        Event::Socket(socket) => {
            Given::Socket { connection: socket.connection.clone(), event: socket.event() }
        }
        Event::Stream(records) => Given::Stream(records.iter().map(|record| record.item(now)).collect()),
        Event::Timer(timer) => {
            Given::Timer(Timer { name: handler.to_owned(), due: timer.due.unwrap_or(now) })
        }
    }
}

/// With the host's name of the connection as the case has it.
fn back(values: Vec<Value>, renamed: Option<&Renamed>) -> Vec<Value> {
    match renamed {
        Some(renamed) => values.iter().map(|value| replaced(value, &renamed.host, &renamed.case)).collect(),
        None => values,
    }
}

fn replaced(value: &Value, from: &str, to: &str) -> Value {
    serde_json::from_str(&value.to_string().replace(from, to)).unwrap_or_else(|_| value.clone())
}

/// What the functions did, against what the case says.
fn against_case(case: &Case, outcome: &Outcome) -> Vec<String> {
    let mut found = outcome.wrong.clone();
    for (n, (step, done)) in case.steps.iter().zip(&outcome.steps).enumerate() {
        let at = |what: &str| format!("step {} {what}", n + 1);
        let expected = done.answer.expected(&step.answer);
        found.extend(differences(&at("answer"), &expected, &done.answer.json()));
        found.extend(differences(&at("calls"), &step.calls.clone().into(), &done.calls.clone().into()));
    }
    found.extend(state_differences(&case.after, &outcome.state));
    found
}

/// What a host did, against what the functions did.
fn against_model(model: &Outcome, outcome: Outcome) -> Vec<String> {
    let mut found = outcome.wrong;
    for (n, (expected, done)) in model.steps.iter().zip(outcome.steps).enumerate() {
        let at = |what: &str| format!("step {} {what}", n + 1);
        let answer = expected.answer.clone().in_the_form_of(&done.answer, expected.given.items());
        found.extend(exact(&at("answer"), &answer.json(), &done.answer.json()));
        found.extend(exact(&at("calls"), &expected.calls.clone().into(), &done.calls.into()));
    }
    found.extend(exact("state", &model.state, &outcome.state));
    found
}

/// Differences, where the expected value is none of a case and so has no signs.
fn exact(at: &str, expected: &Value, actual: &Value) -> Vec<String> {
    if expected == actual {
        return Vec::new();
    }
    let found = differences(at, expected, actual);
    if found.is_empty() { vec![format!("{at}: expected {expected}\n      but came {actual}")] } else { found }
}
