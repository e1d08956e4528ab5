//! Choosing a flow: made by a seed, or read from a file; how far that has come, and what was wrong.

use super::desk::{Desk, Upload};
use super::files;
use super::texts::{Words, kind_texts, say};
use crate::i18n::Text;
use crate::logic::amount::group;
use leptos::ev::SubmitEvent;
use leptos::{html, prelude::*};
use sandbox::generate::{Kind, Parameters};
use sandbox::load::Loading;
use sandbox::protocol::{Phase, Source};
use wasm_bindgen::JsCast;
use web_sys::HtmlInputElement;

/// Keeps a dialog as open as its signal says.
pub fn follow(dialog: NodeRef<html::Dialog>, open: RwSignal<bool>) {
    Effect::new(move || {
        let Some(dialog) = dialog.get() else { return };
        match (open.get(), dialog.open()) {
            // A dialog that is in the page and closed can be opened.
            (true, false) => drop(dialog.show_modal()),
            (false, true) => dialog.close(),
            _ => {}
        }
    });
}

#[component]
pub fn Flows() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let dialog = NodeRef::<html::Dialog>::new();
    follow(dialog, desk.choosing);
    view! {
        <dialog node_ref=dialog class="login flows" aria-labelledby="flows-title" data-testid="flows"
            on:close=move |_| desk.choosing.set(false)>
            <header>
                <h2 id="flows-title">{say(ui, Words::ChooseFlow)}</h2>
                <button type="button" class="quiet" data-testid="flows-close" aria-label=ui.t(Text::Close)
                    on:click=move |_| desk.choosing.set(false)>"×"</button>
            </header>
            <div class="body">
                <Maker/>
                <FileChoice/>
                <p class="fault" role="alert" data-testid="flow-refused" hidden=move || desk.refused.with(Option::is_none)>
                    {move || desk.refused.get()}
                </p>
                <BadLines/>
            </div>
        </dialog>
        <Progress/>
    }
}

#[component]
fn Maker() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let usual = Parameters::default();
    let kind = RwSignal::new(usual.kind);
    let field = |value: u64| RwSignal::new(value.to_string());
    let (seed, steps) = (field(usual.seed), field(usual.steps.into()));
    let (price, gap) = (field(usual.price), field(u64::from(usual.gap_us) / 1_000));
    // The form tells of the flow that is there.
    Effect::new(move || {
        let made = desk.place.with(|place| match place.flow.as_ref().map(|flow| &flow.source) {
            Some(Source::Generated(parameters)) => Some(*parameters),
            _ => None,
        });
        if let Some(made) = made {
            kind.set(made.kind);
            seed.set(made.seed.to_string());
            steps.set(made.steps.to_string());
            price.set(made.price.to_string());
            gap.set((made.gap_us / 1_000).to_string());
        }
    });
    let submit = move |event: SubmitEvent| {
        event.prevent_default();
        let number = |field: RwSignal<String>| {
            field.with_untracked(|text| text.replace(',', "").trim().parse::<u64>().ok())
        };
        let parameters = (|| {
            Some(Parameters {
                kind: kind.get_untracked(),
                seed: number(seed)?,
                steps: number(steps)?.try_into().ok()?,
                price: number(price)?,
                gap_us: number(gap)?.checked_mul(1_000)?.try_into().ok()?,
            })
        })();
        match parameters {
            Some(parameters) => {
                desk.choosing.set(false);
                desk.generate(parameters);
            }
            None => desk.refuse("sandbox_bad_parameters", ""),
        }
    };
    let choice = move |one: Kind| {
        let (name, hint) = kind_texts(one);
        view! {
            <label>
                <input type="radio" name="kind" data-testid=format!("kind-{}", one.as_str())
                    prop:checked=move || kind.get() == one on:change=move |_| kind.set(one)/>
                <span><b>{say(ui, name)}</b><small>{say(ui, hint)}</small></span>
            </label>
        }
    };
    let input = move |name: &'static str, words: Words, value: RwSignal<String>| {
        view! {
            <label class="number">
                <span>{say(ui, words)}</span>
                <input class="num" inputmode="numeric" autocomplete="off" data-testid=name prop:value=value
                    on:input=move |event| value.set(event_target_value(&event))/>
            </label>
        }
    };
    view! {
        <form on:submit=submit>
            <fieldset>
                <legend>{say(ui, Words::Generated)}</legend>
                <div class="kinds-of-flow">{Kind::ALL.map(choice).into_iter().collect_view()}</div>
                <div class="figures">
                    {input("flow-seed", Words::Seed, seed)}
                    {input("flow-steps", Words::Length, steps)}
                    {input("flow-price", Words::StartPrice, price)}
                    {input("flow-gap", Words::Gap, gap)}
                </div>
                <button type="submit" class="primary" data-testid="generate">{say(ui, Words::Generate)}</button>
            </fieldset>
        </form>
    }
}

#[component]
fn FileChoice() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let chosen = move |event: web_sys::Event| {
        let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        let Some(input) = input else { return };
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            files::open(desk, file);
        }
        // The same file may be chosen again.
        input.set_value("");
    };
    view! {
        <fieldset class="drop">
            <legend>{say(ui, Words::FromFile)}</legend>
            <label>
                <b>{say(ui, Words::DropHere)}</b>
                <small>{say(ui, Words::DropHint)}</small>
                <span class="choose">{say(ui, Words::ChooseFile)}</span>
                // The browser's own words are in its language, not in the page's.
                <input type="file" class="hidden" data-testid="flow-file" on:change=chosen/>
            </label>
        </fieldset>
    }
}

/// What could not be read of the file.
#[component]
fn BadLines() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let bad = Memo::new(move |_| {
        desk.place.with(|place| match (&place.phase, &place.flow) {
            (Phase::Reading(loading), _) => loading.clone(),
            (_, Some(flow)) => flow.bad.clone(),
            _ => Loading::default(),
        })
    });
    let recorded = move || {
        let same = desk.place.with(|place| place.flow.as_ref().and_then(|flow| flow.as_recorded))?;
        let words = if same { Words::AsRecorded } else { Words::NotAsRecorded };
        Some(view! { <p data-testid="as-recorded" data-same=same.to_string()>{say(ui, words)}</p> })
    };
    let lines = move || {
        let lang = ui.lang.get();
        let line =
            |number: u64, reason: &str| format!("{} {}: {reason}", Words::Line.of(lang), group(number));
        bad.with(|bad| {
            let lines = bad.first_bad.iter().map(|bad| line(bad.number, &bad.reason));
            lines.map(|text| view! { <li data-testid="bad-line">{text}</li> }).collect_view()
        })
    };
    let weight = move || {
        let (steps, bytes) = desk.place.with(|place| Some((place.flow.as_ref()?.steps, place.memory)))?;
        let lang = ui.lang.get();
        let text = format!(
            "{} {} · {} {} MB",
            group(steps),
            Words::FlowSteps.of(lang),
            Words::FlowMemory.of(lang),
            group(bytes >> 20)
        );
        Some(view! { <p class="dim num" data-testid="flow-weight" data-memory=bytes>{text}</p> })
    };
    view! {
        {weight}
        {recorded}
        <Show when=move || { bad.with(|bad| bad.bad > 0) }>
            <h3>
                {say(ui, Words::BadLines)} " " <span class="num" data-testid="bad-count">{move || bad.with(|bad| group(bad.bad))}</span>
            </h3>
            <Show when=move || bad.with(|bad| bad.bad > bad.first_bad.len() as u64)>
                <p class="dim">{say(ui, Words::NotAllShown)}</p>
            </Show>
            <ol class="bad-lines" tabindex="0">{lines}</ol>
        </Show>
    }
}

/// How far the flow has come that is on its way, over everything else.
#[component]
fn Progress() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let state = Memo::new(move |_| {
        let upload: Option<Upload> = desk.upload.get();
        desk.place.with(|place| match &place.phase {
            Phase::Reading(_) => upload.map(|upload| (Words::Reading, upload.sent, upload.size)),
            Phase::Generating { made, of } => Some((Words::Making, *made, *of)),
            Phase::Indexing { done, of } => Some((Words::Indexing, *done, *of)),
            Phase::Empty | Phase::Ready => None,
        })
    });
    view! {
        <Show when=move || state.with(Option::is_some)>
            <div class="progress" role="status" data-testid="progress">
                <span>{move || state.get().map(|(words, ..)| words.of(ui.lang.get()))}</span>
                <progress max=move || state.get().map_or(1, |(.., of)| of.max(1)).to_string()
                    prop:value=move || state.get().map_or(0.0, |(_, done, _)| done as f64)
                    aria-label=move || state.get().map(|(words, ..)| words.of(ui.lang.get()))></progress>
            </div>
        </Show>
    }
}
