//! Playing: play and pause, steps, speeds, going to a time, bookmarks.

use super::desk::Desk;
use super::go::GoTo;
use super::texts::{Words, say};
use crate::logic::amount::group;
use crate::logic::clock;
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use sandbox::protocol::{Bookmark, Phase, Request};
use sandbox::session::{Goal, Speed};

/// Tenths of the flow's own time, and how the speed is written.
const SPEEDS: [(u32, &str); 9] = [
    (1, "0.1×"),
    (5, "0.5×"),
    (10, "1×"),
    (20, "2×"),
    (50, "5×"),
    (100, "10×"),
    (1_000, "100×"),
    (10_000, "1,000×"),
    (100_000, "10,000×"),
];
const MOST: &str = "most";

#[component]
pub fn Controls() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let is_ready = move || desk.place.with(|place| place.phase == Phase::Ready);
    let is_playing = move || desk.place.with(|place| place.playing);
    let button = move |name: &'static str, sign: &'static str, words: Words, request: Request| {
        view! {
            <button type="button" class="quiet" data-testid=name title=say(ui, words) aria-label=say(ui, words)
                disabled=move || !is_ready() on:click=move |_| desk.send(request.clone())>{sign}</button>
        }
    };
    let named = move |name: &'static str, text: Words, words: Words, own: bool| {
        view! {
            <button type="button" class="quiet" data-testid=name title=say(ui, words)
                disabled=move || !is_ready() on:click=move |_| desk.send(Request::Seek(Goal::Fill { own }))>
                <span aria-hidden="true">"⇥ "</span> {say(ui, text)}
            </button>
        }
    };
    let play_words = move || if is_playing() { Words::Pause } else { Words::Play }.of(ui.lang.get());
    view! {
        <div class="transport" role="group" aria-label=say(ui, Words::Playback)>
            {button("to-start", "⇤", Words::ToStart, Request::Seek(Goal::Position(0)))}
            {button("step-back", "◂", Words::StepBack, Request::StepBack)}
            <button type="button" class="primary play" data-testid="play" data-playing=move || is_playing().to_string()
                title=play_words aria-label=play_words disabled=move || !is_ready()
                on:click=move |_| desk.play_or_pause()>{move || if is_playing() { "❚❚" } else { "▶" }}</button>
            {button("step", "▸", Words::Step, Request::Step)}
            {named("to-fill", Words::FillShort, Words::ToFill, false)}
            {named("to-own-fill", Words::OwnFillShort, Words::ToOwnFill, true)}
            <Speeds/>
            <Timeline/>
            <Where/>
            <GoTo/>
            <Bookmarks/>
        </div>
    }
}

#[component]
fn Speeds() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let value = move || match desk.speed.get() {
        Speed::Tenths(tenths) => tenths.to_string(),
        Speed::Most => MOST.into(),
    };
    let choose = move |event| {
        let chosen = event_target_value(&event);
        desk.choose_speed(chosen.parse().map_or(Speed::Most, Speed::Tenths));
    };
    view! {
        <select class="groups" data-testid="speed" aria-label=say(ui, Words::Speed) prop:value=value on:change=choose>
            {SPEEDS.map(|(tenths, name)| {
                view! { <option value=tenths.to_string() selected=desk.speed.get_untracked() == Speed::Tenths(tenths)>{name}</option> }
            })}
            <option value=MOST>{say(ui, Words::AsFastAsPossible)}</option>
        </select>
    }
}

/// The flow's time, to go to.
#[component]
fn Timeline() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let span = Memo::new(move |_| {
        desk.place.with(|place| place.flow.as_ref().map_or((0, 0), |flow| (flow.first, flow.last)))
    });
    let length = move || span.get().1 - span.get().0;
    let at = move || desk.place.with(|place| place.clock).saturating_sub(span.get().0);
    let said =
        move || clock::time_of_day(desk.place.with(|place| place.clock), desk.app.market.day_offset_s());
    let go = move |event| {
        if let Ok(offset) = event_target_value(&event).parse::<u64>() {
            desk.send(Request::Seek(Goal::Time(span.get_untracked().0 + offset)));
        }
    };
    view! {
        <datalist id="marked-times">
            {move || desk.place.with(|place| {
                let first = span.get().0;
                place.bookmarks.iter().map(|mark| view! { <option value=mark.clock.saturating_sub(first).to_string()></option> }).collect_view()
            })}
        </datalist>
        <input type="range" class="timeline" data-testid="timeline" list="marked-times" min="0" max=move || length().to_string()
            step=move || (length() / 1_000).max(1).to_string() prop:value=move || at().to_string()
            aria-label=say(ui, Words::SeekTo) aria-valuetext=said disabled=move || length() == 0 on:change=go/>
    }
}

/// Steps that have been made, of how many.
#[component]
fn Where() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let position = Memo::new(move |_| desk.place.with(|place| place.position));
    let steps = Memo::new(move |_| desk.place.with(|place| place.flow.as_ref().map_or(0, |flow| flow.steps)));
    let is_end = Memo::new(move |_| desk.place.with(|place| place.at_end && place.phase == Phase::Ready));
    view! {
        <span class="where num" data-testid="position" data-position=move || position.get() data-steps=move || steps.get()
            data-end=move || is_end.get().to_string()>
            {move || group(position.get())} " / " {move || group(steps.get())} " " {say(ui, Words::Steps)}
        </span>
    }
}

#[component]
fn Bookmarks() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let open = RwSignal::new(false);
    let name = RwSignal::new(String::new());
    let marks = Memo::new(move |_| desk.place.with(|place| place.bookmarks.clone()));
    let add = move |event: SubmitEvent| {
        event.prevent_default();
        desk.send(Request::Mark { label: name.get_untracked() });
        name.set(String::new());
    };
    let row = move |mark: Bookmark| {
        let Bookmark { number, position, clock, label } = mark;
        let time = clock::time_of_day(clock, desk.app.market.day_offset_s());
        let text = if label.is_empty() { time.clone() } else { label };
        view! {
            <li>
                <button type="button" class="quiet" data-testid=format!("bookmark-{number}")
                    on:click=move |_| desk.send(Request::Seek(Goal::Position(position)))>
                    <b>{text}</b> " " <span class="num dim">{time} " · " {group(position)}</span>
                </button>
                <button type="button" class="quiet" data-testid=format!("unmark-{number}")
                    aria-label=say(ui, Words::RemoveBookmark) on:click=move |_| desk.send(Request::Unmark(number))>"×"</button>
            </li>
        }
    };
    view! {
        <div class="menu">
            <button type="button" class="quiet" data-testid="bookmarks" aria-expanded=move || open.get().to_string()
                title=say(ui, Words::Bookmarks)
                aria-label=move || format!("{} {}", Words::Bookmarks.of(ui.lang.get()), marks.with(Vec::len))
                on:click=move |_| open.update(|open| *open = !*open)>
                <span aria-hidden="true">"☆ "</span> <span class="num">{move || marks.with(Vec::len)}</span>
            </button>
            <Show when=move || open.get()>
                <div class="backdrop" on:click=move |_| open.set(false)></div>
                <div class="popover marks" role="group" aria-label=say(ui, Words::Bookmarks)>
                    <form on:submit=add>
                        <input type="text" data-testid="bookmark-name" maxlength="60" aria-label=say(ui, Words::BookmarkName)
                            placeholder=say(ui, Words::BookmarkName) prop:value=name
                            on:input=move |event| name.set(event_target_value(&event))/>
                        <button type="submit" class="primary" data-testid="bookmark-add">{say(ui, Words::AddBookmark)}</button>
                    </form>
                    <ul><For each=move || marks.get() key=|mark| mark.number children=row/></ul>
                    <Show when=move || marks.with(Vec::is_empty)><p class="empty">{say(ui, Words::NoBookmarks)}</p></Show>
                </div>
            </Show>
        </div>
    }
}
