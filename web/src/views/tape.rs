//! The newest trades.

use crate::i18n::Text;
use crate::logic::amount::group;
use crate::logic::clock;
use crate::stores::App;
use leptos::prelude::*;

#[component]
pub fn TapePanel() -> impl IntoView {
    let App { ui, market, .. } = App::get();
    let row = move |trade: crate::logic::tape::Trade| {
        let class = if trade.bought { "num up" } else { "num down" };
        view! {
            <div class="row" data-testid="trade-row" data-price=trade.price data-quantity=trade.quantity>
                <span class=class>{group(trade.price)}</span>
                <span class="num">{group(trade.quantity)}</span>
                <time class="num">{clock::time_of_day(trade.time, market.day_offset_s())}</time>
            </div>
        }
    };
    view! {
        <section class="panel tape" aria-label=ui.t(Text::Trades)>
            <h2>{ui.t(Text::Trades)}</h2>
            <div class="heads">
                <span>{ui.t(Text::Price)}</span>
                <span>{ui.t(Text::Quantity)}</span>
                <span>{ui.t(Text::Time)}</span>
            </div>
            <div class="rows" tabindex="0">
                <For each=move || market.trades.get() key=|trade| trade.sequence children=row/>
                <Show when=move || market.trades.with(Vec::is_empty)>
                    <p class="empty">{ui.t(Text::NoTrades)}</p>
                </Show>
            </div>
        </section>
    }
}
