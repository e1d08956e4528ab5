//! Requests made by hand.

use super::who::Who;
use crate::logic::session::Session;
use crate::ports::browser;
use crate::ports::http::{self, Answer, Method};
use crate::stores::App;
use crate::tools::frame::field;
use crate::tools::texts::{Words, say};
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;

const METHODS: [Method; 4] = [Method::Get, Method::Post, Method::Patch, Method::Delete];

/// What the contract shows, ready to be sent; `SYMBOL` stands for the one that is shown.
const EXAMPLES: [(Method, &str, &str); 7] = [
    (Method::Post, "/orders", r#"{"symbol":"SYMBOL","side":"BUY","price":1000,"quantity":10}"#),
    (Method::Get, "/orders?status=all&limit=10", ""),
    (Method::Get, "/fills?limit=10", ""),
    (Method::Get, "/assets", ""),
    (Method::Get, "/chart?symbol=SYMBOL&interval=1m&limit=100", ""),
    (Method::Get, "/depth?symbol=SYMBOL", ""),
    (Method::Get, "/admin", ""),
];

#[derive(Clone, Debug)]
struct Outcome {
    answer: Option<Answer>,
    took_ms: u32,
}

/// In somebody's name: test users by their name, accounts by their token in a header.
pub async fn send(
    session: Option<&Session>,
    method: Method,
    path: &str,
    body: Option<&str>,
) -> Option<Answer> {
    let token = match session {
        Some(Session::Account(tokens)) => Some(tokens.access.as_str()),
        _ => None,
    };
    let query = session.map(Session::query).unwrap_or_default();
    let path = match (query.as_str(), path.contains('?')) {
        ("", _) => path.to_owned(),
        (query, true) => format!("{path}&{query}"),
        (query, false) => format!("{path}?{query}"),
    };
    http::send(method, &path, token, body).await.ok()
}

#[component]
pub fn Requests() -> impl IntoView {
    let app = App::get();
    let ui = app.ui;
    let who = Who::new();
    let method = RwSignal::new(Method::Get);
    let path = RwSignal::new("/config.json".to_owned());
    let body = RwSignal::new(String::new());
    let outcome = RwSignal::new(None::<Outcome>);
    let busy = RwSignal::new(false);
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        busy.set(true);
        spawn_local(async move {
            let asked = path.get_untracked();
            // Only this exchange is spoken to.
            let asked = if asked.starts_with('/') && !asked.starts_with("//") {
                asked
            } else {
                format!("/{}", asked.trim_start_matches('/'))
            };
            let text = body.get_untracked();
            let text = (method.get_untracked() != Method::Get && !text.trim().is_empty()).then_some(text);
            let began = browser::monotonic_ms();
            let answer = send(who.session().as_ref(), method.get_untracked(), &asked, text.as_deref()).await;
            let took_ms = (browser::monotonic_ms() - began).max(0.0) as u32;
            let _ = outcome.try_set(Some(Outcome { answer, took_ms }));
            let _ = busy.try_set(false);
        });
    };
    let example = move |(number, (of, to, with)): (usize, &(Method, &'static str, &'static str))| {
        let (of, to, with) = (*of, *to, *with);
        let take = move |_| {
            let symbol = app.market.symbol.get_untracked();
            method.set(of);
            path.set(to.replace("SYMBOL", &symbol));
            body.set(with.replace("SYMBOL", &symbol));
        };
        view! {
            <button type="button" class="quiet" data-testid=format!("example-{number}") on:click=take>
                {of.as_str()} " " {to.split('?').next().unwrap_or_default()}
            </button>
        }
    };
    let option = move |of: Method| {
        view! { <option value=of.as_str() selected=move || method.get() == of>{of.as_str()}</option> }
    };
    let choose = move |event| {
        let name = event_target_value(&event);
        if let Some(of) = METHODS.into_iter().find(|of| of.as_str() == name) {
            method.set(of);
        }
    };
    let status = move || {
        outcome.with(|outcome| {
            let outcome = outcome.as_ref()?;
            let lang = ui.lang.get();
            Some(match &outcome.answer {
                Some(answer) => format!("{} · {} ms", answer.status, outcome.took_ms),
                None => Words::NoAnswer.of(lang).to_owned(),
            })
        })
    };
    let answered = move || outcome.with(|outcome| Some(pretty(&outcome.as_ref()?.answer.as_ref()?.body)));
    view! {
        <div class="tool-line examples" role="group" aria-label=say(ui, Words::Examples)>
            {EXAMPLES.iter().enumerate().map(example).collect_view()}
        </div>
        <form on:submit=submit novalidate>
            <div class="tool-form">
                {who.view("request-as")}
                <label class="tool-field short" for="request-method">
                    <span>{say(ui, Words::Method)}</span>
                    <select id="request-method" data-testid="request-method" on:change=choose>
                        {METHODS.map(option).into_iter().collect_view()}
                    </select>
                </label>
                {field(ui, "request-path", Words::Path, path, "/orders")}
                <button type="submit" class="primary" data-testid="request-send" disabled=busy>{say(ui, Words::Send)}</button>
            </div>
            <label class="tool-field tall" for="request-body">
                <span>{say(ui, Words::RequestBody)}</span>
                <textarea id="request-body" data-testid="request-body" rows="4" spellcheck="false" prop:value=body
                    disabled=move || method.get() == Method::Get
                    on:input=move |event| body.set(event_target_value(&event))></textarea>
            </label>
        </form>
        <h2>{say(ui, Words::Answer)} " " <b class="num" role="status" data-testid="request-status">{status}</b></h2>
        <pre tabindex="0" data-testid="request-answer">{answered}</pre>
    }
}

/// JSON with a line for each field of the outermost two levels; what is none stays as it is.
fn pretty(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        (0..depth).for_each(|_| out.push_str("  "));
    };
    for symbol in text.chars() {
        if in_text {
            out.push(symbol);
            (in_text, escaped) = match (symbol, escaped) {
                (_, true) => (true, false),
                ('\\', false) => (true, true),
                ('"', false) => (false, false),
                _ => (true, false),
            };
            continue;
        }
        match symbol {
            '{' | '[' => {
                depth += 1;
                out.push(symbol);
                if depth <= 2 {
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                if depth <= 2 {
                    line(&mut out, depth.saturating_sub(1));
                }
                depth = depth.saturating_sub(1);
                out.push(symbol);
            }
            ',' => {
                out.push(',');
                if depth <= 2 {
                    line(&mut out, depth);
                } else {
                    out.push(' ');
                }
            }
            other => {
                in_text = other == '"';
                out.push(other);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_laid_out_and_texts_left_alone() {
        assert_eq!(
            pretty(r#"{"a":[{"b":1,"c":"x,\"{"},{"b":2}],"d":3}"#),
            "{\n  \"a\":[\n    {\"b\":1, \"c\":\"x,\\\"{\"},\n    {\"b\":2}\n  ],\n  \"d\":3\n}"
        );
        assert_eq!(pretty("plain"), "plain");
        assert_eq!(pretty("]}"), "\n]\n}", "what is no JSON does no harm");
    }
}
