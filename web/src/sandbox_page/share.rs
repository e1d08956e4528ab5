//! Sharing: a link where the flow has a seed, a file always.

use super::desk::Desk;
use super::files;
use super::flows::follow;
use super::texts::{Words, say};
use crate::i18n::Text;
use crate::ports::browser;
use crate::stores::Mood;
use leptos::task::spawn_local;
use leptos::{html, prelude::*};
use sandbox::protocol::{Reply, Request, Source};
use wasm_bindgen::JsValue;

#[component]
pub fn ShareDialog() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let dialog = NodeRef::<html::Dialog>::new();
    let field = NodeRef::<html::Input>::new();
    follow(dialog, desk.sharing);
    let has_link = Memo::new(move |_| {
        desk.place
            .with(|place| place.flow.as_ref().is_some_and(|flow| matches!(flow.source, Source::Generated(_))))
    });
    Effect::new(move || {
        if desk.sharing.get() && has_link.get() {
            make_link(desk);
        }
    });
    let copy = move |_| {
        let Some(field) = field.get() else { return };
        field.select();
        let is_copied = browser::copy_selection();
        let words = if is_copied { Words::Copied } else { Words::SaveFailed };
        let mood = if is_copied { Mood::Good } else { Mood::Bad };
        ui.toast("copy", mood, words.of(ui.lang.get_untracked()), String::new());
    };
    view! {
        <dialog node_ref=dialog class="login flows" aria-labelledby="share-title" data-testid="share"
            on:close=move |_| desk.sharing.set(false)>
            <header>
                <h2 id="share-title">{say(ui, Words::ShareTitle)}</h2>
                <button type="button" class="quiet" data-testid="share-close" aria-label=ui.t(Text::Close)
                    on:click=move |_| desk.sharing.set(false)>"×"</button>
            </header>
            <div class="body">
                <p>{say(ui, Words::ShareHint)}</p>
                <p><code class="whole" data-testid="share-hash">{move || desk.hash.get()}</code></p>
                <Show when=move || has_link.get() fallback=move || view! { <p data-testid="file-only">{say(ui, Words::FileOnly)}</p> }>
                    <label class="copy">
                        <span class="hidden">{say(ui, Words::Link)}</span>
                        <input node_ref=field readonly data-testid="share-link" prop:value=move || desk.link.get().unwrap_or_default()/>
                        <button type="button" class="primary" data-testid="share-copy" on:click=copy>{say(ui, Words::Copy)}</button>
                    </label>
                </Show>
                <button type="button" class="more" data-testid="share-save" on:click=move |_| files::save(desk)>
                    {say(ui, Words::SaveFile)}
                </button>
            </div>
        </dialog>
    }
}

/// Asks for the link, and puts it into the page's address too.
fn make_link(desk: Desk) {
    spawn_local(async move {
        match desk.call(Request::Share).await {
            Some(Reply::Fragment(fragment)) => {
                let location = window().location();
                let origin = location.origin().unwrap_or_default();
                let path = location.pathname().unwrap_or_default();
                let link = format!("{origin}{path}#sandbox={fragment}");
                if let Ok(history) = window().history() {
                    // What is in the address bar opens to the same place; a browser that refuses shows the link all the same.
                    let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&link));
                }
                desk.link.set(Some(link));
            }
            Some(Reply::Refused { code, detail }) => {
                desk.link.set(None);
                desk.tell_refused("share", &code, &detail);
            }
            _ => {}
        }
    });
}
