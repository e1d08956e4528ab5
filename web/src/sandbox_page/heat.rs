//! Depth over time as a picture: a column a span of time, a row a price, brighter where more was offered. The best prices run through
//! it, and those of the same flow without the user's orders where they differ.

use super::desk::{Desk, HEAT_COLUMNS, HeatView};
use super::texts::{Words, say};
use crate::logic::amount::group;
use crate::logic::clock;
use crate::ports::browser;
use leptos::{html, prelude::*};
use sandbox::history::Heat;
use sandbox::protocol::Request;
use sandbox::session::Goal;
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

/// Prices that are shown at most.
const MOST_ROWS: u64 = 240;
const PARTS: [u64; 3] = [100, 25, 5];
const STEPS: [u64; 5] = [1, 2, 5, 10, 50];

#[component]
pub fn HeatMap() -> impl IntoView {
    let desk = Desk::get();
    let ui = desk.app.ui;
    let canvas = NodeRef::<html::Canvas>::new();
    let picture = Memo::new(move |_| desk.heat.with(|heat| heat.as_ref().and_then(Picture::of)));
    Effect::new(move || {
        let Some(canvas) = canvas.get() else { return };
        ui.lang.track();
        ui.theme.track();
        // A canvas that cannot be drawn on stays empty; the ladder tells the same.
        let _ =
            picture.with(|picture| picture.as_ref().map(|picture| picture.draw(&canvas, &Colours::now())));
    });
    let price = move |read: fn(&Picture) -> u64| {
        move || picture.with(|picture| picture.as_ref().map(|picture| group(read(picture))))
    };
    let time = move |read: fn(&Picture) -> u64| {
        move || {
            picture.with(|picture| {
                picture
                    .as_ref()
                    .map(|picture| clock::time_of_day(read(picture), desk.app.market.day_offset_s()))
            })
        }
    };
    let part = move |percent: u64| {
        let label = move || match percent {
            100 => Words::WholeFlow.of(ui.lang.get()).to_owned(),
            _ => format!("{} {percent}%", Words::Last.of(ui.lang.get())),
        };
        view! {
            <button type="button" data-testid=format!("heat-{percent}")
                aria-pressed=move || (desk.heat_view.get().percent == percent).to_string()
                on:click=move |_| desk.heat_view.update(|view| view.percent = percent)>{label}</button>
        }
    };
    let step = move |event| {
        if let Ok(price_step) = event_target_value(&event).parse() {
            desk.heat_view.update(|view: &mut HeatView| view.price_step = price_step);
        }
    };
    // To the time that was clicked on; the line above the panels goes there by keyboard.
    let go = move |event: web_sys::MouseEvent| {
        let Some(canvas) = canvas.get_untracked() else { return };
        let span =
            picture.with_untracked(|picture| picture.as_ref().map(|picture| (picture.from, picture.to)));
        let width = canvas.get_bounding_client_rect().width();
        if let Some((from, to)) = span.filter(|_| width >= 1.0) {
            let part = (f64::from(event.offset_x()) / width).clamp(0.0, 1.0);
            let since = (to.saturating_sub(from) as f64 * part) as u64;
            desk.send(Request::Seek(Goal::Time(from + since)));
        }
    };
    let columns = move || picture.with(|picture| picture.as_ref().map_or(0, |picture| picture.width));
    let rows = move || picture.with(|picture| picture.as_ref().map_or(0, |picture| picture.height));
    view! {
        <div class="heat">
            <div class="filters">
                <div class="segments" role="group" aria-label=say(ui, Words::Heat)>{PARTS.map(part).collect_view()}</div>
                <label class="check">
                    <span>{say(ui, Words::PriceStep)}</span>
                    <select class="groups" data-testid="heat-step" on:change=step>
                        {STEPS.map(|ticks| view! { <option value=ticks.to_string()>{ticks}</option> })}
                    </select>
                </label>
                <span class="key" aria-hidden="true">
                    <i class="line"></i>{say(ui, Words::BestPrices)}
                    <i class="line dashed"></i>{say(ui, Words::WithoutYou)}
                </span>
            </div>
            <div class="map">
                <canvas node_ref=canvas role="img" aria-label=say(ui, Words::Heat) data-testid="heat" data-columns=columns
                    data-rows=rows title=say(ui, Words::HeatHint) on:click=go></canvas>
                <span class="num top">{price(|picture| picture.top)}</span>
                <span class="num bottom">{price(|picture| picture.bottom)}</span>
                <span class="num from">{time(|picture| picture.from)}</span>
                <span class="num to">{time(|picture| picture.to)}</span>
                <Show when=move || picture.with(Option::is_none)><p class="empty over">{say(ui, Words::NothingYet)}</p></Show>
            </div>
        </div>
    }
}

/// Red, green and blue of what is drawn.
struct Colours {
    bid: [u8; 3],
    ask: [u8; 3],
    line: [u8; 3],
    plain: [u8; 3],
}

impl Colours {
    fn now() -> Colours {
        let of = |name: &str| parse_colour(&browser::style_value(name)).unwrap_or([128; 3]);
        Colours { bid: of("--up"), ask: of("--down"), line: of("--text"), plain: of("--accent") }
    }
}

/// `#rrggbb`.
fn parse_colour(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Nothing,
    /// How much of the most, in parts of 255.
    Bid(u8),
    Ask(u8),
    Line,
    Plain,
}

/// The picture before it has colours.
#[derive(Clone, PartialEq, Eq)]
struct Picture {
    width: usize,
    height: usize,
    /// Prices of the first and the last row.
    top: u64,
    bottom: u64,
    from: u64,
    to: u64,
    cells: Vec<Cell>,
}

impl Picture {
    fn of(heat: &Heat) -> Option<Picture> {
        let (first, last) = (heat.columns.first()?, heat.columns.last()?);
        let step = heat.price_step.max(1);
        let prices = || {
            let columns = heat.columns.iter();
            columns.flat_map(|column| column.bids.iter().chain(&column.asks).map(|cell| cell.0 / step))
        };
        let (lowest, highest) = (prices().min()?, prices().max()?);
        // Around the newest prices, where there are more than can be seen.
        let middle = last.bid.or(last.ask).map_or(highest, |price| price / step);
        let bottom = lowest.max(middle.saturating_sub(MOST_ROWS / 2));
        let top = highest.min(bottom + MOST_ROWS - 1).max(bottom);
        let (width, height) =
            (usize::from(HEAT_COLUMNS).min(heat.columns.len()).max(1), (top - bottom + 1) as usize);
        let mut most: Vec<u64> = heat
            .columns
            .iter()
            .flat_map(|column| column.bids.iter().chain(&column.asks).map(|cell| cell.1))
            .collect();
        most.sort_unstable();
        // A few giants would leave all others dark.
        let bright = most.get(most.len() * 97 / 100).copied().unwrap_or(1).max(1);
        let mut picture = Picture {
            width,
            height,
            top: top * step,
            bottom: bottom * step,
            from: first.start,
            to: last.start + heat.width_ms,
            cells: vec![Cell::Nothing; width * height],
        };
        for (x, column) in heat.columns.iter().take(width).enumerate() {
            let mut set = |price: u64, cell: Cell| {
                let row = price / step;
                if (bottom..=top).contains(&row) {
                    picture.cells[(top - row) as usize * width + x] = cell;
                }
            };
            let light = |quantity: u64| (u128::from(quantity.min(bright)) * 255 / u128::from(bright)) as u8;
            for &(price, quantity) in &column.bids {
                set(price, Cell::Bid(light(quantity)));
            }
            for &(price, quantity) in &column.asks {
                set(price, Cell::Ask(light(quantity)));
            }
            let plain = [(column.plain_bid, column.bid), (column.plain_ask, column.ask)];
            for price in
                plain.into_iter().filter(|(plain, with)| plain != with).filter_map(|(plain, _)| plain)
            {
                set(price, Cell::Plain);
            }
            for price in [column.bid, column.ask].into_iter().flatten() {
                set(price, Cell::Line);
            }
        }
        Some(picture)
    }

    fn draw(&self, canvas: &HtmlCanvasElement, colours: &Colours) -> Result<(), JsValue> {
        let mut pixels = Vec::with_capacity(self.cells.len() * 4);
        for cell in &self.cells {
            let (colour, alpha) = match cell {
                Cell::Nothing => ([0; 3], 0),
                Cell::Bid(light) => (colours.bid, light.saturating_add(10)),
                Cell::Ask(light) => (colours.ask, light.saturating_add(10)),
                Cell::Line => (colours.line, 255),
                Cell::Plain => (colours.plain, 255),
            };
            pixels.extend_from_slice(&colour);
            pixels.push(alpha);
        }
        if (canvas.width(), canvas.height()) != (self.width as u32, self.height as u32) {
            canvas.set_width(self.width as u32);
            canvas.set_height(self.height as u32);
        }
        let image = ImageData::new_with_u8_clamped_array_and_sh(
            Clamped(&pixels),
            self.width as u32,
            self.height as u32,
        )?;
        let context = canvas.get_context("2d")?.ok_or(JsValue::NULL)?;
        context.dyn_into::<CanvasRenderingContext2d>()?.put_image_data(&image, 0.0, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox::history::HeatColumn;

    fn column(start: u64, bids: &[(u64, u64)], asks: &[(u64, u64)]) -> HeatColumn {
        HeatColumn {
            start,
            bid: bids.first().map(|cell| cell.0),
            ask: asks.first().map(|cell| cell.0),
            plain_bid: None,
            plain_ask: None,
            bids: bids.to_vec(),
            asks: asks.to_vec(),
        }
    }

    #[test]
    fn a_picture_has_a_row_a_price_and_a_column_a_time() {
        let mut last = column(20, &[(99, 5), (98, 50)], &[(101, 5)]);
        last.plain_bid = Some(98);
        let columns = vec![column(10, &[(100, 10)], &[(102, 100)]), last];
        let heat = Heat { width_ms: 10, price_step: 1, columns, cut: false };
        let picture = Picture::of(&heat).unwrap();
        assert_eq!((picture.width, picture.height, picture.top, picture.bottom), (2, 5, 102, 98));
        assert_eq!((picture.from, picture.to), (10, 30));
        let at = |price: u64, x: usize| picture.cells[(102 - price) as usize * 2 + x];
        assert!(at(100, 0) == Cell::Line && at(98, 1) == Cell::Plain && at(98, 0) == Cell::Nothing);
        assert!(Picture::of(&Heat { columns: Vec::new(), ..heat }).is_none());
    }

    #[test]
    fn a_price_far_away_does_not_make_the_picture_huge() {
        let columns = vec![column(0, &[(1, 5), (1_000_000, 5)], &[(u64::MAX, 1)])];
        let picture = Picture::of(&Heat { width_ms: 1, price_step: 1, columns, cut: false }).unwrap();
        assert!(picture.height as u64 <= MOST_ROWS);
    }

    #[test]
    fn colours_are_read_as_the_style_sheet_writes_them() {
        assert_eq!(parse_colour("#f5566a"), Some([0xf5, 0x56, 0x6a]));
        assert_eq!((parse_colour("red"), parse_colour("#ff"), parse_colour("#ggffff")), (None, None, None));
    }
}
