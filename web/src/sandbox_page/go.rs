//! Going somewhere by name: a bookmark, a time, a step, a part of the flow, or so much on and back.

use super::desk::Desk;
use super::texts::{Words, say};
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use sandbox::protocol::{Bookmark, Request};
use sandbox::session::Goal;

const DAY_MS: u64 = 86_400_000;

#[component]
pub fn GoTo() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let text = RwSignal::new(String::new());
    let is_wrong = RwSignal::new(false);
    let go = move |event: SubmitEvent| {
        event.prevent_default();
        let goal = desk.place.with_untracked(|place| {
            let flow = place.flow.as_ref()?;
            let here = Here {
                clock: place.clock,
                first: flow.first,
                last: flow.last,
                offset_ms: desk.app.market.day_offset_s() * 1000,
                bookmarks: &place.bookmarks,
            };
            text.with_untracked(|text| goal_of(text, &here))
        });
        is_wrong.set(goal.is_none());
        match goal {
            Some(goal) => {
                text.set(String::new());
                desk.send(Request::Seek(goal));
            }
            None => desk.tell_refused("go", "sandbox_unknown_place", &text.get_untracked()),
        }
    };
    view! {
        <form class="go" on:submit=go>
            <input type="text" data-testid="go" list="go-names" maxlength="60" autocomplete="off" aria-label=say(ui, Words::GoTo)
                title=say(ui, Words::GoToHint) placeholder=say(ui, Words::GoToShort) prop:value=text
                aria-invalid=move || is_wrong.get().to_string()
                on:input=move |event| {
                    is_wrong.set(false);
                    text.set(event_target_value(&event));
                }/>
            <datalist id="go-names">
                {move || {
                    let names = desk.place.with(|place| place.bookmarks.iter().map(|mark| mark.label.clone()).collect::<Vec<_>>());
                    names.into_iter().filter(|name| !name.is_empty()).map(|name| view! { <option value=name></option> }).collect_view()
                }}
            </datalist>
        </form>
    }
}

/// What a text may refer to.
struct Here<'a> {
    clock: u64,
    first: u64,
    last: u64,
    /// The exchange's clock is so much ahead of UTC.
    offset_ms: u64,
    bookmarks: &'a [Bookmark],
}

/// A bookmark's name; `09:31`, `09:31:05.25`, with a date before it or without; `+90`, `-10m`, `+1.5h`, `-250ms`; `50%`; `12,345`
/// or `#12345` for a step.
fn goal_of(text: &str, here: &Here<'_>) -> Option<Goal> {
    let text = text.trim();
    let named = |mark: &&Bookmark| !text.is_empty() && mark.label.to_lowercase() == text.to_lowercase();
    if let Some(mark) = here.bookmarks.iter().find(named) {
        return Some(Goal::Position(mark.position));
    }
    let within = |time: u64| Goal::Time(time.clamp(here.first, here.last));
    if let Some(span) = text.strip_prefix('+') {
        return Some(within(here.clock.saturating_add(span_ms(span)?)));
    }
    if let Some(span) = text.strip_prefix(['-', '−']) {
        return Some(within(here.clock.saturating_sub(span_ms(span)?)));
    }
    if let Some(part) = text.strip_suffix('%') {
        let thousandths = thousandths(part.trim())?;
        let whole = u128::from(here.last.saturating_sub(here.first));
        let since = u64::try_from(whole * u128::from(thousandths) / 100_000).ok()?;
        return Some(within(here.first.saturating_add(since)));
    }
    if text.contains(':') {
        return time_of(text, here).map(within);
    }
    let digits = text.strip_prefix('#').unwrap_or(text).replace(',', "");
    digits.parse().ok().map(Goal::Position)
}

/// `90`, `90s`, `250ms`, `10m`, `1.5h`.
fn span_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let units = [
        ("ms", 1),
        ("s", 1_000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("초", 1_000),
        ("분", 60_000),
        ("시간", 3_600_000),
    ];
    let unit = units.iter().find_map(|(name, size)| Some((text.strip_suffix(name)?, *size)));
    let (number, size) = unit.unwrap_or((text, 1_000));
    thousandths(number.trim())?.checked_mul(size).map(|thousandths| thousandths / 1_000)
}

/// A number with at most three decimals, times a thousand.
fn thousandths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 3 || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let fraction: u64 = format!("{fraction:0<3}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000)?.checked_add(fraction)
}

/// A time of day, on the day that is named or on the one that lies in the flow.
fn time_of(text: &str, here: &Here<'_>) -> Option<u64> {
    let (date, time) = match text.rsplit_once([' ', 'T']) {
        Some((date, time)) => (Some(date.trim()), time),
        None => (None, text),
    };
    let mut parts = time.split(':');
    let (hours, minutes) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
    let seconds = parts.next().map_or(Some(0), thousandths)?;
    if hours > 23 || minutes > 59 || seconds > 59_999 || parts.next().is_some() {
        return None;
    }
    let since_midnight = hours * 3_600_000 + minutes * 60_000 + seconds;
    // Midnights of the exchange's days, by its own clock.
    let at = |midnight: u64| (midnight + since_midnight).checked_sub(here.offset_ms);
    if let Some(date) = date {
        let digits = date.replace('-', "");
        let minute = engine_core::candle::parse_minute(&format!("{digits}0000"))?;
        return at(minute.checked_mul(1_000)?);
    }
    let day_of = |time: u64| {
        let own = time + here.offset_ms;
        own - own % DAY_MS
    };
    let today = day_of(here.clock);
    let days = [today, today + DAY_MS, day_of(here.first), day_of(here.last)];
    let inside = days.into_iter().filter_map(at).find(|time| (here.first..=here.last).contains(time));
    inside.or_else(|| at(today))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2025-12-16 09:00 in Seoul.
    const OPEN: u64 = 1_765_843_200_000;

    fn go(text: &str) -> Option<Goal> {
        let mark = |label: &str, position| Bookmark { number: 1, position, clock: OPEN, label: label.into() };
        let bookmarks = [mark("The <b>crash</b>", 77), mark("12:00", 88), mark("", 99)];
        goal_of(
            text,
            &Here {
                clock: OPEN + 600_000,
                first: OPEN,
                last: OPEN + 20 * 3_600_000,
                offset_ms: 9 * 3_600_000,
                bookmarks: &bookmarks,
            },
        )
    }

    #[test]
    fn places_have_names() {
        assert_eq!(go("the <B>crash</b> "), Some(Goal::Position(77)));
        assert_eq!(go("12:00"), Some(Goal::Position(88)), "a name goes before what it means");
        assert_eq!(go("12,345"), Some(Goal::Position(12_345)));
        assert_eq!(go("#7"), Some(Goal::Position(7)));
        for nothing in [
            "",
            "  ",
            "crash",
            "+",
            "-x",
            "12:60",
            "25:00",
            "1:2:3:4",
            "1.2345%",
            "+99999999999999999999",
            "%",
        ] {
            assert_eq!(go(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn times_are_the_exchanges_and_stay_in_the_flow() {
        let after = |ms: u64| Some(Goal::Time(OPEN + ms));
        assert_eq!(go("09:31"), after(31 * 60_000));
        assert_eq!(go("9:31:05.25"), after(31 * 60_000 + 5_250));
        assert_eq!(go("2025-12-16 10:00"), after(3_600_000));
        assert_eq!(go("02:00"), after(17 * 3_600_000), "the night after");
        assert_eq!(go("07:00"), after(0), "before the flow begins is its beginning");
        assert_eq!(go("+90"), after(690_000));
        assert_eq!(go("-10m"), after(0));
        assert_eq!(go("−1.5h"), after(0));
        assert_eq!(go("+250ms"), after(600_250));
        assert_eq!(go("+2분"), after(720_000));
        assert_eq!(go("+1000h"), after(20 * 3_600_000));
        assert_eq!(go("50%"), after(10 * 3_600_000));
        assert_eq!(go("12.5 %"), after(20 * 450_000));
    }
}
