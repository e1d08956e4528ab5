//! How the exchange is: its process, its books, its metrics. Looked at again every few seconds.

use super::Desk;
use super::calls::{self, Total, Vitals};
use crate::i18n::Lang;
use crate::logic::amount::group;
use crate::tools::frame::{field, heads};
use crate::tools::texts::{Words, say};
use leptos::prelude::*;
use leptos::task::spawn_local;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(5);
const COLUMNS: [(Words, &str); 5] = [
    (Words::Asset, ""),
    (Words::Available, "right"),
    (Words::Locked, "right"),
    (Words::Deposited, "right"),
    (Words::Agrees, "right"),
];

#[component]
pub fn Health() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let vitals = RwSignal::new(None::<Vitals>);
    let wrong = RwSignal::new(None::<Vec<String>>);
    let totals = RwSignal::new(Vec::<Total>::new());
    let metrics = RwSignal::new(String::new());
    let wanted = RwSignal::new(String::new());
    // Once at first, and again while the section is shown.
    let load = move || {
        spawn_local(async move {
            let token = desk.token.get_untracked();
            let all = async {
                let parts = (calls::vitals().await?, calls::totals(&token).await?);
                Ok((parts, calls::verify(&token).await?, calls::metrics().await?))
            };
            match all.await {
                Ok(((process, sums), found, text)) => {
                    // The section may be another by now.
                    let _ = vitals.try_set(Some(process));
                    let _ = totals.try_set(sums);
                    let _ = wrong.try_set(Some(found));
                    let _ = metrics.try_set(text);
                }
                Err(failure) => desk.tell(&failure),
            }
        });
    };
    load();
    if let Ok(timer) = set_interval_with_handle(load, EVERY) {
        on_cleanup(move || timer.clear());
    }
    let figure = move |words: Words, name: &'static str, read: fn(&Vitals, Lang) -> String| {
        let value = move || {
            vitals.with(|vitals| vitals.as_ref().map_or("–".into(), |vitals| read(vitals, ui.lang.get())))
        };
        view! { <div><dt>{say(ui, words)}</dt><dd class="num" data-testid=name>{value}</dd></div> }.into_any()
    };
    let ledger = move || {
        wrong.with(|wrong| {
            let wrong = wrong.as_ref()?;
            let words = if wrong.is_empty() { Words::Balanced } else { Words::Unbalanced };
            Some(view! {
                <p class="ledger" class:fault=!wrong.is_empty() data-testid="ledger" data-wrong=wrong.len()>
                    {if wrong.is_empty() { "✓ " } else { "✗ " }} {say(ui, words)} {wrong.iter().map(|one| format!(" · {one}")).collect::<String>()}
                </p>
            })
        })
    };
    let total = move |total: Total| {
        let agrees = total.available.saturating_add(total.locked) == total.deposited;
        view! {
            <tr data-testid=format!("total-{}", total.asset)>
                <td><b>{total.asset.clone()}</b></td>
                <td class="num right">{group(total.available)}</td>
                <td class="num right">{group(total.locked)}</td>
                <td class="num right">{group(total.deposited)}</td>
                <td class="right" class:fault=!agrees>{if agrees { "✓" } else { "✗" }}</td>
            </tr>
        }
    };
    let lines = move || {
        let wanted = wanted.get();
        metrics.with(|text| {
            let lines = text.lines().filter(|line| !line.starts_with('#') && line.contains(wanted.trim()));
            lines.collect::<Vec<_>>().join("\n")
        })
    };
    view! {
        <dl class="vitals">
            {figure(Words::State, "health-status", |vitals, _| vitals.status.clone())}
            {figure(Words::Version, "health-version", |vitals, _| vitals.version.clone())}
            {figure(Words::Uptime, "health-uptime", |vitals, lang| uptime(vitals.uptime_s, lang))}
            {figure(Words::Connections, "health-connections", |vitals, _| group(vitals.connections))}
        </dl>
        <h2>{say(ui, Words::Ledger)}</h2>
        {ledger}
        <table aria-label=say(ui, Words::Totals)>
            {heads(ui, &COLUMNS)}
            <tbody>
                <For each=move || totals.get() children=total
                    key=|total| (total.asset.clone(), total.available, total.locked, total.deposited)/>
            </tbody>
        </table>
        <h2>{say(ui, Words::Metrics)}</h2>
        <div class="tool-form">{field(ui, "metrics-filter", Words::Filter, wanted, "orders_")}</div>
        <pre tabindex="0" data-testid="metrics">{lines}</pre>
    }
}

/// `2 d 3 h 5 min`, without what is zero at its head.
fn uptime(seconds: u64, lang: Lang) -> String {
    let parts = [
        (seconds / 86_400, lang.pick("일", " d")),
        (seconds / 3600 % 24, lang.pick("시간", " h")),
        (seconds / 60 % 60, lang.pick("분", " min")),
        (seconds % 60, lang.pick("초", " s")),
    ];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown: Vec<String> =
        parts[first..].iter().take(2).map(|(count, unit)| format!("{count}{unit}")).collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_by_their_two_largest_parts() {
        assert_eq!(uptime(5, Lang::En), "5 s");
        assert_eq!(uptime(125, Lang::En), "2 min 5 s");
        assert_eq!(uptime(90_061, Lang::Ko), "1일 1시간");
    }
}
