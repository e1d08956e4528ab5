//! The input is a definition and commands, a few bytes each: few prices, few ids and few accounts, so that everything soon
//! meets everything else.

#![no_main]

use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::command::{Command, MAX_QUANTITY, MassCancel, NewOrder, Replace};
use engine_core::definition::{Definition, Limits, TickRow, TickTable};
use engine_core::market::Market;
use engine_core::snapshot::{decode_market, encode_market};
use engine_core::types::{
    Link, OrderId, OrderType, Phase, PostOnly, Price, Quantity, SelfTrade, Side, TimeInForce, Trigger, UserId,
};
use libfuzzer_sys::fuzz_target;
use reference::ReferenceMarket;

#[allow(dead_code)]
#[path = "../../tests/support/reference.rs"]
mod reference;

const START: u64 = 1_765_894_800_000;

fuzz_target!(|input: &[u8]| {
    let mut input = Input { bytes: input, time: START };
    let definition = input.definition();
    if !definition.is_sound() {
        return;
    }
    let mut market = Market::with_definition(SEOUL_DAY_OFFSET_S, &definition);
    let mut reference = ReferenceMarket::with_definition(SEOUL_DAY_OFFSET_S, &definition);
    let mut events = Vec::new();
    let mut commands = 0;
    while !input.bytes.is_empty() {
        let command = input.command();
        events.clear();
        market.apply(input.time, &command, &mut events);
        assert_eq!(events, reference.apply(input.time, &command), "{command:?}");
        commands += 1;
        if commands % 8 == 0 {
            market.book().check();
        }
    }
    market.book().check();
    for side in Side::BOTH {
        let depth: Vec<_> =
            market.book().depth(side).map(|level| (level.price, level.quantity, level.orders)).collect();
        assert_eq!(depth, reference.depth(side));
        let queue: Vec<_> = market.book().queue(side).map(|order| (order.order, order.open)).collect();
        assert_eq!(queue, reference.queue(side));
    }
    assert_eq!(market.phase(), reference.phase());
    assert_eq!(market.last_price(), reference.last_price());
    let indicative = market.indicative().map(|at| (at.price, at.quantity, at.surplus));
    assert_eq!(indicative, reference.indicative());
    let bytes = encode_market(&market);
    assert_eq!(encode_market(&decode_market(&bytes).expect("its own snapshot")), bytes);
});

struct Input<'a> {
    bytes: &'a [u8],
    time: u64,
}

impl Input<'_> {
    /// 0 after the end.
    fn byte(&mut self) -> u8 {
        match self.bytes {
            [byte, rest @ ..] => {
                self.bytes = rest;
                *byte
            }
            [] => 0,
        }
    }

    fn below(&mut self, end: u8) -> u64 {
        u64::from(self.byte() % end)
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u8) as usize]
    }

    fn definition(&mut self) -> Definition {
        let kinds = self.byte();
        let has = |bit: u8| kinds >> bit & 1 == 1;
        let mut definition = Definition::default();
        if has(0) {
            definition.ticks = match self.below(3) {
                0 => TickTable::uniform(2),
                1 => TickTable::uniform(5),
                _ => TickTable::new(&[TickRow { from: 0, tick: 1 }, TickRow { from: 100, tick: 5 }])
                    .expect("a sound table"),
            };
        }
        if has(1) {
            definition.lot = self.pick(&[2, 5]);
        }
        if has(2) {
            definition.min_quantity = self.below(6);
            definition.max_quantity = 20 + self.below(200);
        }
        if has(3) {
            definition.band = (85 + self.below(20), 95 + self.below(20));
        }
        if has(4) {
            definition.static_band = 100 * self.below(12) as u32;
            definition.dynamic_band = 100 * self.below(8) as u32;
            definition.volatility_auction_ms = 100 * self.below(20);
        }
        if has(5) {
            definition.reference = 90 + self.below(20);
        }
        if has(6) {
            definition.limits = Limits {
                orders: 1 + self.below(30) as u32,
                orders_per_account: self.below(12) as u32,
                watched: self.below(5) as u32,
            };
        }
        if has(7) {
            definition.max_notional = 100 * self.below(100);
        }
        definition
    }

    fn price(&mut self) -> Price {
        match self.byte() {
            255 => u64::MAX,
            254 => 0,
            253 => 1,
            byte => 90 + u64::from(byte % 21),
        }
    }

    fn quantity(&mut self) -> Quantity {
        match self.byte() {
            255 => MAX_QUANTITY + 1,
            254 => MAX_QUANTITY,
            253 => 0,
            byte => 1 + u64::from(byte % 40),
        }
    }

    fn order(&mut self) -> OrderId {
        OrderId(1 + self.below(40))
    }

    fn user(&mut self) -> UserId {
        UserId(1 + self.below(4))
    }

    fn new_order(&mut self) -> NewOrder {
        let kinds = self.byte();
        let has = |bit: u8| kinds >> bit & 1 == 1;
        let side = if has(0) { Side::Buy } else { Side::Sell };
        let mut new = NewOrder::limit(self.order(), self.user(), side, self.price(), self.quantity());
        if has(1) {
            new.self_trade = self.pick(&[
                SelfTrade::CancelNewest,
                SelfTrade::CancelOldest,
                SelfTrade::CancelBoth,
                SelfTrade::Decrement,
            ]);
            new.group = self.below(3) as u32;
        }
        if has(2) {
            new.time_in_force = match self.below(4) {
                0 => TimeInForce::Ioc,
                1 => TimeInForce::Fok,
                2 => TimeInForce::Day,
                _ => TimeInForce::Gtd(self.time + 50 * self.below(100)),
            };
        }
        if has(3) {
            new.trigger = match self.below(3) {
                0 => Trigger::Trailing(self.below(8)),
                _ => Trigger::Stop(self.price()),
            };
        }
        if has(4) {
            new.link = match self.below(2) {
                0 => Link::Other(self.order()),
                _ => Link::ExitOf(self.order()),
            };
        }
        if has(5) {
            match self.below(6) {
                0 => new.display = self.below(6),
                1 => new.all_or_none = true,
                2 => new.minimum = self.below(30),
                3 => new.post_only = PostOnly::Reject,
                4 => new.post_only = PostOnly::Reprice,
                _ => {
                    new.display = self.below(3);
                    new.minimum = self.below(3);
                    new.all_or_none = self.below(2) == 1;
                    new.post_only = self.pick(&[PostOnly::No, PostOnly::Reject, PostOnly::Reprice]);
                }
            }
        }
        if has(6) {
            new.order_type = OrderType::Market;
            match self.below(4) {
                0 => {}
                1 => new.budget = 20 * self.below(200),
                _ => new.price = 0,
            }
        }
        new.cancel_on_disconnect = has(7);
        new
    }

    fn command(&mut self) -> Command {
        match self.byte() {
            0..=149 => Command::Add(self.new_order()),
            150..=174 => Command::Cancel { order: self.order(), user: self.user() },
            175..=214 => {
                let kinds = self.byte();
                Command::Replace(Replace {
                    order: self.order(),
                    user: self.user(),
                    price: self.price(),
                    quantity: self.quantity(),
                    stop: (kinds & 1 == 1).then(|| self.price()),
                    expected: (kinds & 2 == 2).then(|| (self.price(), self.quantity())),
                })
            }
            215..=218 => {
                let kinds = self.byte();
                Command::MassCancel(MassCancel {
                    user: (kinds & 1 == 1).then(|| self.user()),
                    side: (kinds & 2 == 2).then_some(if kinds & 4 == 4 { Side::Buy } else { Side::Sell }),
                    disconnected: kinds & 8 == 8,
                })
            }
            219..=229 => Command::SetPhase(self.pick(&[
                Phase::Continuous,
                Phase::Continuous,
                Phase::Continuous,
                Phase::PreOpen,
                Phase::OpeningAuction,
                Phase::ClosingAuction,
                Phase::VolatilityAuction,
                Phase::Halt,
                Phase::Closed,
                Phase::CancelOnly,
                Phase::Delisted,
            ])),
            230..=232 => Command::Define(Box::new(self.definition())),
            step @ 233..=250 => {
                // Time goes on, and sometimes back.
                self.time = match step {
                    233..=245 => self.time + 20 * self.below(250),
                    246..=248 => self.time + 10_000 * self.below(250),
                    249 => self.time + 1_000_000 * self.below(250),
                    _ => self.time - self.below(250),
                };
                Command::Tick
            }
            _ => Command::Tick,
        }
    }
}
