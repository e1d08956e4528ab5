//! News of the user's orders and failures, for the eye and for screen readers.

use crate::i18n::Text;
use crate::stores::{App, Mood, Toast};
use leptos::prelude::*;

#[component]
pub fn Toasts() -> impl IntoView {
    let ui = App::get().ui;
    let show = move |toast: Toast| {
        let mood = match toast.mood {
            Mood::Good => "good",
            Mood::Bad => "bad",
            Mood::Neutral => "neutral",
        };
        let number = toast.number;
        let detail = (!toast.detail.is_empty()).then(|| view! { <span class="num">{toast.detail}</span> });
        view! {
            <div class=format!("toast {mood}") data-testid="toast" data-mood=mood>
                <div><strong>{toast.title}</strong>{detail}</div>
                <button type="button" aria-label=ui.t(Text::Close) on:click=move |_| ui.dismiss(number)>"×"</button>
            </div>
        }
    };
    view! {
        <div class="toasts" role="region" aria-live="polite" aria-label=ui.t(Text::Notifications)>
            <For each=move || ui.toasts.get() key=|toast| toast.number children=show/>
        </div>
    }
}
