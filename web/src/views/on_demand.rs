//! Parts of the page whose code is loaded when they are first shown: each a WebAssembly module of its own, which shares
//! memory and stores with the page.
//!
//! A part is a function that hands out how to draw it, and the only way to its code:
//!
//! ```ignore
//! #[wasm_split(indicators, fallible)]
//! fn rows() -> Part {
//!     Ok(|| view! { <Rows/> }.into_any())
//! }
//!
//! view! { <OnDemand load=|| Box::pin(rows())/> }
//! ```
//!
//! The first word names the module; functions with the same word share one. What only such functions reach is in the
//! module, what the page reaches too stays in the page. A call from the page to `Rows` itself would bring all of it back:
//! `cargo xtask web` prints what each module weighs.

use crate::i18n::Text;
use crate::stores::App;
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::pin::Pin;
use wasm_split_helpers::SplitLoaderError;

/// How to draw a part, once its code is there. The load of a module that failed is tried anew with the next call.
pub type Part = Result<fn() -> AnyView, SplitLoaderError>;

pub type Loading = Pin<Box<dyn Future<Output = Part>>>;

#[derive(Clone, Copy)]
enum State {
    Loading,
    Here(fn() -> AnyView),
    Failed,
}

/// Shows a part: in its place a sign that it comes, or that it could not be loaded and how to try again; nothing of that if
/// it is `quiet`, for what can be missed.
#[component]
pub fn OnDemand(load: fn() -> Loading, #[prop(optional)] quiet: bool) -> impl IntoView {
    let ui = App::get().ui;
    let state = RwSignal::new(State::Loading);
    let begin = move || {
        state.set(State::Loading);
        spawn_local(async move {
            let part = load().await;
            // Who asked for it may have gone meanwhile.
            let _ = state.try_set(part.map_or(State::Failed, State::Here));
        });
    };
    begin();
    move || match state.get() {
        State::Here(draw) => draw(),
        State::Loading | State::Failed if quiet => ().into_any(),
        State::Loading => view! {
            <p class="empty part" role="status" data-testid="part-loading">{ui.t(Text::PartLoading)}</p>
        }
        .into_any(),
        State::Failed => view! {
            <div class="empty part" role="alert" data-testid="part-failed">
                <p>{ui.t(Text::PartFailed)}</p>
                <button type="button" class="primary" data-testid="part-retry" on:click=move |_| begin()>
                    {ui.t(Text::TryAgain)}
                </button>
            </div>
        }
        .into_any(),
    }
}
