//! Records that no retry could process.

use super::Desk;
use super::calls::{self, Letter};
use crate::logic::amount::group;
use crate::logic::clock;
use crate::tools::frame::heads;
use crate::tools::texts::{Words, say};
use leptos::prelude::*;
use leptos::task::spawn_local;

const COLUMNS: [(Words, &str); 5] =
    [(Words::Arrived, ""), (Words::Consumer, ""), (Words::Place, ""), (Words::Reason, ""), (Words::Body, "")];

#[component]
pub fn Letters() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let seen = RwSignal::new(None::<(u64, Vec<Letter>)>);
    let load = move || {
        spawn_local(async move {
            match calls::letters(&desk.token.get_untracked()).await {
                // The section may be another by now.
                Ok(letters) => drop(seen.try_set(Some(letters))),
                Err(failure) => desk.tell(&failure),
            }
        });
    };
    load();
    let row = move |letter: Letter| {
        let Letter { consumer, stream, shard, sequence, arrived, reason, body } = letter;
        let offset = desk.app.market.day_offset_s();
        view! {
            <tr data-testid="dead-letter">
                <td class="num dim">{move || clock::date_and_time(arrived, offset, ui.lang.get())}</td>
                <td>{consumer}</td>
                <td class="num">{format!("{stream} / {shard} / {sequence}")}</td>
                <td class="wrap">{reason}</td>
                <td class="wrap"><code>{body}</code></td>
            </tr>
        }
    };
    view! {
        <div class="tool-line">
            <span>{say(ui, Words::Count)}" "
                <b class="num" data-testid="letters-count">{move || seen.with(|seen| seen.as_ref().map(|seen| group(seen.0)))}</b>
            </span>
            <button type="button" class="quiet" data-testid="letters-reload" on:click=move |_| load()>{say(ui, Words::Reload)}</button>
        </div>
        <Show when=move || seen.with(|seen| seen.as_ref().is_some_and(|seen| !seen.1.is_empty()))>
            <table>
                {heads(ui, &COLUMNS)}
                <tbody>
                    <For each=move || seen.get().map(|seen| seen.1).unwrap_or_default() children=row
                        key=|letter| (letter.consumer.clone(), letter.stream.clone(), letter.shard, letter.sequence)/>
                </tbody>
            </table>
        </Show>
        <Show when=move || seen.with(|seen| seen.as_ref().is_some_and(|seen| seen.1.is_empty()))>
            <p class="empty">{say(ui, Words::NoLetters)}</p>
        </Show>
    }
}
