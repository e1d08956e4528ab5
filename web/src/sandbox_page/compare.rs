//! A/B: the same flow with the user's orders and without, and what they made different.

use super::desk::Desk;
use super::texts::{Words, say};
use crate::i18n::Lang;
use crate::logic::amount::group;
use leptos::prelude::*;
use sandbox::session::{Comparison, Outcome};

#[component]
pub fn Compare() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let compared = move |read: fn(&Comparison) -> String| {
        move || desk.compare.with(|compare| compare.as_ref().map_or("–".into(), read))
    };
    let is_parted = move || {
        desk.compare.with(|compare| compare.as_ref().is_some_and(|compare| compare.diverged_after.is_some()))
    };
    let row = move |words: Words,
                    name: &'static str,
                    with: fn(&Comparison) -> String,
                    without: fn(&Comparison) -> String,
                    difference: fn(&Comparison) -> String| {
        view! {
            <tr data-testid=name>
                <th scope="row">{say(ui, words)}</th>
                <td class="num right">{compared(with)}</td>
                <td class="num right">{compared(without)}</td>
                <td class="num right"><b>{compared(difference)}</b></td>
            </tr>
        }
    };
    let outcomes = move || {
        let outcomes = desk
            .compare
            .with(|compare| compare.as_ref().map(|compare| compare.outcomes.clone()).unwrap_or_default());
        outcomes.iter().rev().map(|outcome| outcome_row(desk, outcome)).collect_view()
    };
    view! {
        <div class="compare list" data-testid="compare" data-parted=move || is_parted().to_string() tabindex="0">
            <p class="note">
                {move || match desk.compare.with(|compare| compare.as_ref().and_then(|compare| compare.diverged_after)) {
                    Some(after) => format!("{} {}", Words::PartedAfter.of(ui.lang.get()), group(after)),
                    None => Words::SameSoFar.of(ui.lang.get()).to_owned(),
                }}
            </p>
            <table>
                <thead>
                    <tr>
                        <td></td>
                        <th scope="col" class="right">{say(ui, Words::With)}</th>
                        <th scope="col" class="right">{say(ui, Words::Without)}</th>
                        <th scope="col" class="right">{say(ui, Words::Difference)}</th>
                    </tr>
                </thead>
                <tbody>
                    {row(Words::BestBid, "ab-bid", |c| price(c.with.0), |c| price(c.without.0), |c| change(c.with.0, c.without.0, 1))}
                    {row(Words::BestAsk, "ab-ask", |c| price(c.with.1), |c| price(c.without.1), |c| change(c.with.1, c.without.1, 1))}
                    {row(Words::Impact, "ab-impact", |c| half(middle(c.with)), |c| half(middle(c.without)), |c| change(middle(c.with), middle(c.without), 2))}
                    {row(Words::LastPrice, "ab-last", |c| price(c.last_with), |c| price(c.last_without), |c| change(c.last_with, c.last_without, 1))}
                    {row(Words::StateHash, "ab-hash", |c| short(&c.hash_with), |c| short(&c.hash_without),
                        |c| if c.hash_with == c.hash_without { "=" } else { "≠" }.into())}
                </tbody>
            </table>
            <Show when=is_parted>
                <table>
                    <thead>
                        <tr>
                            <th scope="col">{say(ui, Words::Order)}</th>
                            <th scope="col" class="right">{say(ui, Words::Asked)}</th>
                            <th scope="col" class="right">{say(ui, Words::Filled)}</th>
                            <th scope="col" class="right">{say(ui, Words::QueueNow)}</th>
                            <th scope="col" class="right arrival">{say(ui, Words::Arrival)}</th>
                            <th scope="col" class="right">{say(ui, Words::AveragePrice)}</th>
                            <th scope="col" class="right" title=say(ui, Words::SlippageHint)>{say(ui, Words::Slippage)}</th>
                        </tr>
                    </thead>
                    <tbody>{outcomes}</tbody>
                    <tfoot>
                        <tr>
                            <th scope="row" colspan="4">{say(ui, Words::AllSlippage)}</th>
                            <td class="arrival"></td>
                            <td></td>
                            <td class="num right" data-testid="ab-slippage"><b>{compared(|c| all_slippage(&c.outcomes))}</b></td>
                        </tr>
                    </tfoot>
                </table>
            </Show>
        </div>
    }
}

fn outcome_row(desk: Desk, outcome: &Outcome) -> impl IntoView + use<> {
    let ui = desk.app.ui;
    let slippage = outcome.slippage_half.map(|all| each(all, outcome.filled));
    let average =
        if outcome.filled > 0 { each_whole(outcome.notional, outcome.filled) } else { "–".into() };
    let standing = outcome.standing;
    let queue = move || match standing {
        None => "–".to_owned(),
        Some(place) if place.ahead_orders == 0 => Words::FirstInLine.of(ui.lang.get()).to_owned(),
        Some(place) => {
            let (now, joined) = (group(place.ahead_orders.into()), group(place.joined_orders.into()));
            match ui.lang.get() {
                Lang::Ko => format!("{} {now} / {joined}건", Words::AheadOf.of(Lang::Ko)),
                Lang::En => format!("{now} of {joined} {}", Words::AheadOf.of(Lang::En)),
            }
        }
    };
    view! {
        <tr data-testid="outcome" data-order=outcome.order data-slippage=outcome.slippage_half
            data-ahead=standing.map(|place| place.ahead_orders)>
            <td class="num">{format!("my-{}", outcome.order)}</td>
            <td class="num right">{group(outcome.quantity)}</td>
            <td class="num right">{group(outcome.filled)}</td>
            <td class="num right">{queue}</td>
            <td class="num right arrival">{half(outcome.arrival_double)}</td>
            <td class="num right">{average}</td>
            <td class="num right">{slippage.unwrap_or("–".into())}</td>
        </tr>
    }
}

/// What all orders together paid more, or got less, than the middle when each came.
fn all_slippage(outcomes: &[Outcome]) -> String {
    let all: i128 = outcomes.iter().filter_map(|outcome| outcome.slippage_half).map(i128::from).sum();
    let size = half(u64::try_from(all.unsigned_abs()).ok());
    match all {
        1.. => format!("+{size}"),
        0 => size,
        _ => format!("-{size}"),
    }
}

fn price(price: Option<u64>) -> String {
    price.map_or("–".into(), group)
}

/// Twice the middle.
fn middle((bid, ask): (Option<u64>, Option<u64>)) -> Option<u64> {
    bid?.checked_add(ask?)
}

fn half(double: Option<u64>) -> String {
    double.map_or("–".into(), |double| {
        format!("{}{}", group(double / 2), if double % 2 == 1 { ".5" } else { "" })
    })
}

/// With less without, in parts of `unit`.
fn change(with: Option<u64>, without: Option<u64>, unit: u64) -> String {
    let (Some(with), Some(without)) = (with, without) else { return "–".into() };
    let sign = if with > without {
        "+"
    } else if with < without {
        "-"
    } else {
        ""
    };
    let size = with.abs_diff(without);
    format!("{sign}{}", if unit == 2 { half(Some(size)) } else { group(size) })
}

fn short(hash: &str) -> String {
    hash.chars().take(8).collect()
}

/// A sum over a quantity, with two digits.
fn each_whole(sum: u64, quantity: u64) -> String {
    let hundredths = u128::from(sum) * 100 / u128::from(quantity.max(1));
    let whole = u64::try_from(hundredths / 100).unwrap_or(u64::MAX);
    format!("{}.{:02}", group(whole), hundredths % 100)
}

/// Halves over a quantity, as a number with two digits for each one.
fn each(halves: i64, quantity: u64) -> String {
    let sign = if halves > 0 {
        "+"
    } else if halves < 0 {
        "-"
    } else {
        ""
    };
    let hundredths = u128::from(halves.unsigned_abs()) * 50 / u128::from(quantity.max(1));
    let whole = u64::try_from(hundredths / 100).unwrap_or(u64::MAX);
    format!("{sign}{}.{:02}", group(whole), hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_written_as_such() {
        assert_eq!(half(middle((Some(100), Some(103)))), "101.5");
        assert_eq!(change(middle((Some(100), Some(103))), middle((Some(100), Some(102))), 2), "+0.5");
        assert_eq!(change(Some(99), Some(101), 1), "-2");
        assert_eq!(change(None, Some(1), 1), "–");
        assert_eq!(each_whole(1_005, 10), "100.50");
        assert_eq!(
            (each(7, 2), each(-300, 100), each(0, 0)),
            ("+1.75".into(), "-1.50".into(), "0.00".into())
        );
    }
}
