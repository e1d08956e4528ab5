//! What is inside the exchange: queues, depth over time, events, the difference that one makes, fills, and what must hold.

use super::compare::Compare;
use super::desk::{Desk, Inside};
use super::fills::Fills;
use super::heat::HeatMap;
use super::log::Log;
use super::queue::Queues;
use super::texts::{Words, rule_text, say};
use crate::logic::amount::group;
use leptos::prelude::*;
use sandbox::checks::Rule;
use sandbox::protocol::Request;

const TABS: [(Inside, Words, &str); 6] = [
    (Inside::Queue, Words::Queue, "queue"),
    (Inside::Heat, Words::Heat, "heat"),
    (Inside::Log, Words::Log, "log"),
    (Inside::Compare, Words::Compare, "compare"),
    (Inside::Fills, Words::Fills, "fills"),
    (Inside::Checks, Words::Checks, "checks"),
];

#[component]
pub fn InsidePanel() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let is_violated = move || {
        desk.checks.with(|checks| checks.as_ref().is_some_and(|checks| !checks.violations.is_empty()))
    };
    let tab = move |(inside, words, name): (Inside, Words, &'static str)| {
        let is_chosen = move || desk.inside.get() == inside;
        view! {
            <button type="button" role="tab" id=format!("inside-{name}") data-testid=format!("inside-{name}")
                aria-controls="inside-content" aria-selected=move || is_chosen().to_string()
                tabindex=move || if is_chosen() { "0" } else { "-1" }
                on:click=move |_| desk.inside.set(inside)>
                {say(ui, words)}
                {move || (inside == Inside::Checks && is_violated()).then(|| view! { <i class="count">"!"</i> })}
            </button>
        }
    };
    let content = move || match desk.inside.get() {
        Inside::Queue => view! { <Queues/> }.into_any(),
        Inside::Heat => view! { <HeatMap/> }.into_any(),
        Inside::Log => view! { <Log/> }.into_any(),
        Inside::Compare => view! { <Compare/> }.into_any(),
        Inside::Fills => view! { <Fills/> }.into_any(),
        Inside::Checks => view! { <Checks/> }.into_any(),
    };
    let label = move || {
        TABS.iter()
            .find(|(inside, ..)| *inside == desk.inside.get())
            .map(|(.., name)| format!("inside-{name}"))
    };
    view! {
        <section class="panel orders inside" aria-label=say(ui, Words::InsideTab)>
            <div class="tabs">
                <div role="tablist" on:keydown=crate::views::orders::walk_tabs>{TABS.map(tab).collect_view()}</div>
            </div>
            <div id="inside-content" class="content" role="tabpanel" aria-labelledby=label>{content}</div>
        </section>
    }
}

#[component]
fn Checks() -> impl IntoView {
    const RULES: [Rule; 5] =
        [Rule::NotCrossed, Rule::Sequence, Rule::Conservation, Rule::Positive, Rule::Levels];
    let desk = Desk::get();
    let ui = desk.app.ui;
    let count = move |rule: Rule| {
        desk.checks.with(|checks| {
            checks
                .as_ref()
                .map_or(0, |checks| checks.violations.iter().filter(|one| one.rule == rule).count())
        })
    };
    let row = move |rule: Rule| {
        view! {
            <li class:fault=move || { count(rule) > 0 }>
                <i aria-hidden="true">{move || if count(rule) > 0 { "✗" } else { "✓" }}</i>
                <span>{say(ui, rule_text(rule))}</span>
                <span class="hidden">{move || if count(rule) > 0 { Words::Violated } else { Words::AllHold }.of(ui.lang.get())}</span>
            </li>
        }
    };
    let commands = move || desk.checks.with(|checks| checks.as_ref().map_or(0, |checks| checks.commands));
    let broken =
        move || desk.checks.with(|checks| checks.as_ref().map_or(0, |checks| checks.violations.len()));
    view! {
        <div class="checks list" tabindex="0">
            <p>
                {say(ui, Words::Checked)} " " <b class="num" data-testid="checked" data-commands=commands>{move || group(commands())}</b>
                " · "
                <span data-testid="violations" data-count=broken>
                    {move || if broken() == 0 { Words::AllHold } else { Words::Violated }.of(ui.lang.get())}
                </span>
            </p>
            <ul>{RULES.map(row).into_iter().collect_view()}</ul>
            <button type="button" class="primary" data-testid="verify" on:click=move |_| desk.send(Request::Verify)>
                {say(ui, Words::WalkBook)}
            </button>
        </div>
    }
}
