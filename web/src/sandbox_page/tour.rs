//! A guided tour: a newcomer trades as a taker and as a maker, waits in a queue, and moves the market.

use super::desk::{Desk, Inside};
use super::texts::{Words, say};
use crate::logic::order::Side;
use crate::stores::{Panel, Tab};
use leptos::prelude::*;
use sandbox::protocol::Request;
use sandbox::session::Goal;

/// Title, text, and what its button says.
const STOPS: [(Words, Words, Words); 7] = [
    (Words::TourBookTitle, Words::TourBook, Words::TourBookDo),
    (Words::TourTakerTitle, Words::TourTaker, Words::TourTakerDo),
    (Words::TourMakerTitle, Words::TourMaker, Words::TourMakerDo),
    (Words::TourQueueTitle, Words::TourQueue, Words::TourQueueDo),
    (Words::TourFillTitle, Words::TourFill, Words::TourFillDo),
    (Words::TourImpactTitle, Words::TourImpact, Words::TourImpactDo),
    (Words::TourFreeTitle, Words::TourFree, Words::TourFreeDo),
];
const TAKEN: u64 = 20;
const RESTED: u64 = 10;
const LARGE: u64 = 300;

#[component]
pub fn Tour() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let stop = move || desk.tour.get().unwrap_or(0).min(STOPS.len() - 1);
    let is_last = move || stop() + 1 == STOPS.len();
    let go = move |to: Option<usize>| {
        desk.tour.set(to);
        if let Some(to) = to {
            show(desk, to);
        }
    };
    let next_words = move || if is_last() { Words::TourEnd } else { Words::TourNext }.of(ui.lang.get());
    view! {
        <Show when=move || desk.tour.get().is_some()>
            <section class="tour" role="dialog" aria-labelledby="tour-title" data-testid="tour" data-stop=stop>
                <header>
                    <span class="num dim">{move || stop() + 1} "/" {STOPS.len()}</span>
                    <h2 id="tour-title">{move || STOPS[stop()].0.of(ui.lang.get())}</h2>
                    <button type="button" class="quiet" data-testid="tour-close" aria-label=say(ui, Words::TourClose)
                        on:click=move |_| go(None)>"×"</button>
                </header>
                <p aria-live="polite">{move || STOPS[stop()].1.of(ui.lang.get())}</p>
                <footer>
                    <button type="button" class="quiet" data-testid="tour-back" disabled=move || stop() == 0
                        on:click=move |_| go(Some(stop().saturating_sub(1)))>{say(ui, Words::TourBack)}</button>
                    <button type="button" class="act" data-testid="tour-do" on:click=move |_| act(desk, stop())>
                        {move || STOPS[stop()].2.of(ui.lang.get())}
                    </button>
                    <button type="button" class="primary" data-testid="tour-next"
                        on:click=move |_| go((!is_last()).then(|| stop() + 1))>{next_words}</button>
                </footer>
            </section>
        </Show>
    }
}

/// Brings into sight what a stop is about.
fn show(desk: Desk, stop: usize) {
    let ui = desk.app.ui;
    let panel = match stop {
        0 => Panel::Book,
        1 | 2 => Panel::Order,
        3 => Panel::Orders,
        4 | 5 => Panel::Inside,
        _ => Panel::Chart,
    };
    ui.panel.set(panel);
    match stop {
        2 | 3 => {
            ui.tab.set(Tab::Open);
            desk.inside.set(Inside::Queue);
        }
        4 => desk.inside.set(Inside::Fills),
        5 => desk.inside.set(Inside::Compare),
        _ => {}
    }
}

/// Does what a stop proposes.
fn act(desk: Desk, stop: usize) {
    match stop {
        0 => desk.play_or_pause(),
        1 => desk.trade(Side::Buy, None, TAKEN),
        2 => {
            if let Some(bid) = desk.app.market.best_bid.get_untracked() {
                desk.trade(Side::Buy, Some(bid), RESTED);
            }
        }
        3 => desk.send(Request::Seek(Goal::Fill { own: true })),
        4 => {
            desk.app.ui.panel.set(Panel::Inside);
            desk.inside.set(Inside::Fills);
        }
        5 => {
            desk.trade(Side::Buy, None, LARGE);
            desk.inside.set(Inside::Compare);
        }
        _ => desk.send(Request::Seek(Goal::Position(0))),
    }
}
