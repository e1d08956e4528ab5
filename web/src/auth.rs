//! Logging in and out, and keeping a session alive. A refresh token can be used once, so there is one refresh at a time,
//! and what another tab has fetched meanwhile is taken over instead.

use crate::api::{self, Failure};
use crate::i18n::Text;
use crate::logic::json::{Json, quoted};
use crate::logic::session::{Session, Tokens};
use crate::ports::http::{self, Method};
use crate::ports::{browser, lock};
use crate::stores::{Account, App, Mood};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

const REFRESH_LOCK: &str = "supernoba.refresh";
/// How long another tab may take to store the tokens that it has fetched.
const OTHER_TAB: Duration = Duration::from_millis(400);
/// Timers of the browser hold at most this long.
const LONGEST_TIMER_MS: u64 = 0x7fff_ffff;

thread_local! {
    /// The refresh that is under way.
    static REFRESHING: RefCell<Option<js_sys::Promise>> = const { RefCell::new(None) };
}

/// Logs in, or signs up if the account is `new`.
pub async fn log_in(account: Account, email: &str, password: &str, new: bool) -> Result<(), Failure> {
    let path = if new { "/auth/v1/signup" } else { "/auth/v1/token?grant_type=password" };
    let tokens =
        fetch_tokens(path, &format!(r#"{{"email":{},"password":{}}}"#, quoted(email), quoted(password)))
            .await?;
    account.set_session(Some(Session::Account(tokens)));
    Ok(())
}

/// Ends the session here at once, and on the server if it can be reached.
pub fn log_out(app: App) {
    if let Some(Session::Account(tokens)) = app.account.session.get_untracked() {
        spawn_local(async move {
            // The page has forgotten the tokens either way.
            let _ = http::send(Method::Post, "/auth/v1/logout", Some(&tokens.access), None).await;
        });
    }
    app.account.set_session(None);
    app.ui.toast("session", Mood::Neutral, app.ui.now(Text::LoggedOut), String::new());
}

/// Fetches new tokens; answers whether the session can go on. Calls at one time share one refresh, and tabs take turns.
pub async fn refresh(account: Account) -> bool {
    let running = REFRESHING.with_borrow(Clone::clone);
    let promise = running.unwrap_or_else(|| {
        let promise = future_to_promise(async move {
            let is_fresh = Rc::new(Cell::new(false));
            let outcome = is_fresh.clone();
            lock::alone(REFRESH_LOCK, async move { outcome.set(refresh_alone(account).await) }).await;
            REFRESHING.take();
            Ok(is_fresh.get().into())
        });
        REFRESHING.set(Some(promise.clone()));
        promise
    });
    JsFuture::from(promise).await.is_ok_and(|outcome| outcome.is_truthy())
}

async fn refresh_alone(account: Account) -> bool {
    let Some(Session::Account(ours)) = account.session.get_untracked() else { return false };
    if adopt_newer(account, &ours) {
        return true;
    }
    let body = format!(r#"{{"refresh_token":{}}}"#, quoted(&ours.refresh));
    match fetch_tokens("/auth/v1/token?grant_type=refresh_token", &body).await {
        Ok(tokens) => {
            account.set_session(Some(Session::Account(tokens)));
            true
        }
        // The session outlives a server that cannot be reached.
        Err(failure) if failure.status == 0 || failure.status >= 500 || failure.code == "throttled" => false,
        Err(_) => {
            browser::sleep(OTHER_TAB).await;
            if adopt_newer(account, &ours) {
                return true;
            }
            account.end();
            false
        }
    }
}

/// Takes over what another tab of the same user has fetched.
fn adopt_newer(account: Account, ours: &Tokens) -> bool {
    match Account::stored_session() {
        Some(Session::Account(stored)) if stored.user_id == ours.user_id && stored.access != ours.access => {
            let fresh = !stored.is_expired(browser::now_ms());
            if fresh {
                account.adopt(Some(Session::Account(stored)));
            }
            fresh
        }
        _ => false,
    }
}

async fn fetch_tokens(path: &str, body: &str) -> Result<Tokens, Failure> {
    let answer = api::open_call(Method::Post, path, Some(body)).await?;
    let tokens = Json::parse(&answer.body).and_then(|json| Tokens::read(&json, browser::now_ms()));
    tokens.ok_or_else(Failure::network)
}

/// A token to connect with, refreshed if it has ended.
pub async fn current_session(account: Account) -> Option<Session> {
    let ended = account.session.with_untracked(
        |session| matches!(session, Some(Session::Account(tokens)) if tokens.is_expired(browser::now_ms())),
    );
    if ended {
        refresh(account).await;
    }
    account.session.get_untracked()
}

/// Refreshes the session before its token ends, for as long as there is one, and follows other tabs.
pub fn keep_alive(account: Account) {
    let timer = StoredValue::new_local(None::<TimeoutHandle>);
    Effect::new(move || {
        let session = account.session.get();
        if let Some(timer) = timer.try_update_value(Option::take).flatten() {
            timer.clear();
        }
        if let Some(Session::Account(tokens)) = session {
            let now = browser::now_ms();
            let wait = tokens.refresh_at_ms(now).saturating_sub(now).clamp(1000, LONGEST_TIMER_MS);
            let wait = Duration::from_millis(wait);
            let start = move || {
                spawn_local(async move {
                    refresh(account).await;
                })
            };
            timer.set_value(set_timeout_with_handle(start, wait).ok());
        }
    });
    let listener =
        window_event_listener_untyped("storage", move |_| account.adopt(Account::stored_session()));
    on_cleanup(move || listener.remove());
}
