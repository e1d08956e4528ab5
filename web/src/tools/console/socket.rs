//! A WebSocket of one's own, and everything that goes over it.

use super::log::{Line, Log, Way};
use super::who::Who;
use crate::logic::amount::group;
use crate::logic::clock;
use crate::logic::json::quoted;
use crate::logic::session::Session;
use crate::ports::browser;
use crate::ports::socket::{Event, Socket};
use crate::stores::App;
use crate::tools::frame::field;
use crate::tools::texts::{Words, say};
use leptos::ev::SubmitEvent;
use leptos::prelude::*;

/// Opens a connection in somebody's name: accounts show their token as a subprotocol, never in the address.
pub fn open(session: Option<&Session>, handler: impl Fn(Event) + 'static) -> Option<Socket> {
    let origin = browser::socket_origin();
    let (url, protocols) = match session {
        Some(Session::Account(tokens)) => (format!("{origin}/ws"), vec!["bearer", tokens.access.as_str()]),
        Some(session) => (format!("{origin}/ws?{}", session.query()), vec![]),
        None => (format!("{origin}/ws"), vec![]),
    };
    Socket::open(&url, &protocols, handler).ok()
}

/// What asks for a symbol in full and the tickers of others.
pub fn subscription(main: &str, others: &str) -> String {
    let others: Vec<String> =
        others.split(',').map(str::trim).filter(|name| !name.is_empty()).map(quoted).collect();
    let mut parts = vec![r#""action":"subscribe""#.to_owned()];
    if !main.trim().is_empty() {
        parts.push(format!(r#""main":{}"#, quoted(main.trim())));
    }
    if !others.is_empty() {
        parts.push(format!(r#""sub":[{}]"#, others.join(",")));
    }
    format!("{{{}}}", parts.join(","))
}

#[component]
pub fn SocketLog() -> impl IntoView {
    let app = App::get();
    let ui = app.ui;
    let who = Who::new();
    let socket = StoredValue::new_local(None::<Socket>);
    let connected = RwSignal::new(false);
    let log = RwSignal::new(Log::default());
    let paused = RwSignal::new(false);
    let main = RwSignal::new(app.market.symbol.get_untracked());
    let [others, wanted] = [(); 2].map(|()| RwSignal::new(String::new()));
    let raw = RwSignal::new(r#"{"action":"ping"}"#.to_owned());
    let write = move |way: Way, text: String| {
        // Connections outlive the page's parts.
        if paused.try_get_untracked() == Some(false) {
            let _ = log.try_update(|log| log.push(browser::now_ms(), way, text));
        }
    };
    let say_now = move |words: Words| words.of(ui.lang.get_untracked()).to_owned();
    let connect = move |_| {
        let handler = move |event| match event {
            Event::Opened => {
                let _ = connected.try_set(true);
                write(Way::Line, say_now(Words::Opened));
            }
            Event::Text(text) => write(Way::Received, text),
            Event::Closed => {
                let _ = connected.try_set(false);
                write(Way::Line, say_now(Words::Closed));
            }
        };
        socket.set_value(open(who.session().as_ref(), handler));
    };
    let disconnect = move |_| {
        socket.set_value(None);
        connected.set(false);
        write(Way::Line, say_now(Words::Closed));
    };
    let send = move |text: String| {
        socket.with_value(|socket| {
            if let Some(socket) = socket {
                socket.send(&text);
            }
        });
        write(Way::Sent, text);
    };
    let subscribe = move |_| send(subscription(&main.get_untracked(), &others.get_untracked()));
    let send_raw = move |event: SubmitEvent| {
        event.prevent_default();
        send(raw.get_untracked());
    };
    let row = move |line: Line| {
        let class = match line.way {
            Way::Sent => "sent",
            Way::Received => "received",
            Way::Line => "own",
        };
        view! {
            <li class=class data-testid="log-line">
                <time class="num">{clock::time_of_day(line.time, app.market.day_offset_s())}</time>
                <i aria-hidden="true">{line.way.sign()}</i>
                <code>{line.text}</code>
            </li>
        }
    };
    let counted = move || {
        let (count, bytes) = log.with(Log::count);
        format!("{} {} · {} B", group(count), Words::Messages.of(ui.lang.get()), group(bytes))
    };
    let state =
        move || if connected.get() { Words::Connected } else { Words::Disconnected }.of(ui.lang.get());
    let button = move |name: &'static str, words: Words, act: Callback<()>, needs: bool| {
        view! {
            <button type="button" data-testid=name disabled=move || connected.get() != needs on:click=move |_| act.run(())>
                {say(ui, words)}
            </button>
        }
    };
    view! {
        <div class="tool-form">
            {who.view("socket-as")}
            {button("socket-open", Words::Connect, Callback::new(connect), false)}
            {button("socket-close", Words::Disconnect, Callback::new(disconnect), true)}
            <span class="state" class:off=move || !connected.get() role="status" data-testid="socket-state">{state}</span>
        </div>
        <div class="tool-form">
            {field(ui, "socket-main", Words::MainSymbol, main, "TEST")}
            {field(ui, "socket-sub", Words::SubSymbols, others, "AAA, BBB")}
            {button("socket-subscribe", Words::Subscribe, Callback::new(subscribe), true)}
            {button("socket-ping", Words::Ping, Callback::new(move |()| send(r#"{"action":"ping"}"#.into())), true)}
        </div>
        <form class="tool-form" on:submit=send_raw novalidate>
            {field(ui, "socket-raw", Words::RawMessage, raw, "{}")}
            <button type="submit" data-testid="socket-send" disabled=move || !connected.get()>{say(ui, Words::Send)}</button>
        </form>
        <div class="tool-line">
            {field(ui, "log-filter", Words::Filter, wanted, "\"e\":\"d\"")}
            <span class="num dim" data-testid="log-count">{counted}</span>
            <label class="check">
                <input type="checkbox" data-testid="log-pause" prop:checked=paused
                    on:change=move |event| paused.set(event_target_checked(&event))/>
                <span>{say(ui, Words::Pause)}</span>
            </label>
            <button type="button" data-testid="log-clear" on:click=move |_| log.set(Log::default())>{say(ui, Words::Clear)}</button>
        </div>
        <ol class="log-lines" tabindex="0" aria-label=say(ui, Words::Log) data-testid="log">
            <For each=move || log.with(|log| log.with(&wanted.get())) key=|line| line.number children=row/>
        </ol>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_json_whatever_is_typed() {
        assert_eq!(
            subscription("TEST", "AAA, BBB,"),
            r#"{"action":"subscribe","main":"TEST","sub":["AAA","BBB"]}"#
        );
        assert_eq!(subscription(" ", ""), r#"{"action":"subscribe"}"#);
        assert_eq!(subscription("a\"b", ""), r#"{"action":"subscribe","main":"a\"b"}"#);
    }
}
