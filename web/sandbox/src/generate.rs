//! Flows by seed. Each is played against a market of its own, so that its orders make sense; what comes out is a plain flow
//! that knows nothing of whoever trades against it later.

use crate::flow::{Flow, NotTaken};
use crate::random::{Random, decayed};
use engine_core::command::{Command, NewOrder, Replace};
use engine_core::event::Event;
use engine_core::flow::Step;
use engine_core::market::Market;
use engine_core::types::{Millis, OrderId, Side, TimeInForce, UserId};
use serde::{Deserialize, Serialize};

/// When a generated flow begins: 2025-12-16 14:20 UTC.
pub const START: Millis = 1_765_894_800_000;
/// The most steps that are generated.
pub const MAX_GENERATED: u32 = 2_000_000;

/// How the participants behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Nobody thinks: limit orders, market orders and cancels come by chance alone.
    ZeroIntelligence,
    /// Trades draw trades: each market order makes others, of its own side first, more likely for a while.
    Hawkes,
    /// A maker quotes five levels around its price and leans against what it holds; others trade by chance.
    MarketMaker,
    /// The same, but for a seller who does not look at the price, a maker who steps back, and buyers who come later.
    FlashCrash,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::ZeroIntelligence, Kind::Hawkes, Kind::MarketMaker, Kind::FlashCrash];

    /// Its name in symbols and texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::ZeroIntelligence => "zero_intelligence",
            Kind::Hawkes => "hawkes",
            Kind::MarketMaker => "market_maker",
            Kind::FlashCrash => "flash_crash",
        }
    }
}

/// Everything that a generated flow depends on: the same parameters give the same flow, everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    pub kind: Kind,
    pub seed: u64,
    /// How long it is.
    pub steps: u32,
    /// Around which it begins.
    pub price: u64,
    /// Mean time between two things that happen, in microseconds.
    pub gap_us: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { kind: Kind::MarketMaker, seed: 1, steps: 100_000, price: 10_000, gap_us: 50_000 }
    }
}

impl Parameters {
    /// The guided tour's flow: wherever one joins the best price in its first half, one's turn comes soon.
    pub const TOUR: Parameters =
        Parameters { kind: Kind::MarketMaker, seed: 2, steps: 20_000, price: 10_000, gap_us: 50_000 };

    /// What is wrong with them.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.steps == 0 || self.steps > MAX_GENERATED {
            Err("steps must be 1 to 2000000")
        } else if !(200..=1_000_000_000).contains(&self.price) {
            Err("price must be 200 to 1000000000")
        } else if !(1..=60_000_000).contains(&self.gap_us) {
            Err("gap_us must be 1 to 60000000")
        } else {
            Ok(())
        }
    }
}

const MAKER: UserId = UserId(1);
const NOISE: UserId = UserId(2);
const SELLER: UserId = UserId(3);
const BUYER: UserId = UserId(4);
/// Levels a side that the maker quotes.
const LEVELS: usize = 5;
/// Live orders of chance that a book comes to rest at.
const RESTING: u64 = 400;
/// How far from the other side orders of chance are placed.
const REACH: u64 = 60;

/// Makes a flow, a slice at a time.
#[derive(Debug)]
pub struct Generator {
    parameters: Parameters,
    flow: Flow,
    stage: Stage,
    excited: Excited,
    /// The maker's orders: buys, then sells.
    quotes: [[Option<OrderId>; LEVELS]; 2],
    inventory: i64,
    /// What the maker believes.
    fair: u64,
}

/// The market that a flow is played against while it is made.
#[derive(Debug)]
struct Stage {
    market: Market,
    random: Random,
    time_us: u64,
    orders: u64,
    /// Orders of chance that may still rest.
    resting: Vec<OrderId>,
    events: Vec<Event>,
    full: Option<NotTaken>,
}

/// How much more often than by chance alone buyers and sellers trade now, in events a second with 16 binary places.
#[derive(Clone, Copy, Debug, Default)]
struct Excited {
    rates: [u64; 2],
}

impl Generator {
    /// Parameters that [`Parameters::check`] has refused give an empty flow.
    pub fn new(parameters: Parameters) -> Generator {
        let random = Random::new(parameters.seed ^ (parameters.kind as u64) << 56);
        Generator {
            parameters,
            flow: Flow::new("SANDBOX", Market::default()),
            stage: Stage {
                market: Market::default(),
                random,
                time_us: START * 1000,
                orders: 0,
                resting: Vec::new(),
                events: Vec::new(),
                full: None,
            },
            excited: Excited::default(),
            quotes: [[None; LEVELS]; 2],
            inventory: 0,
            fair: parameters.price,
        }
    }

    /// How long it is to be.
    pub fn asked(&self) -> u64 {
        u64::from(self.parameters.steps)
    }

    /// How much of it is there.
    pub fn made(&self) -> u64 {
        self.flow.len()
    }

    /// Makes about `steps` more; answers whether it is all there.
    pub fn run(&mut self, steps: u64) -> bool {
        if self.parameters.check().is_err() {
            return true;
        }
        let all = u64::from(self.parameters.steps);
        let until = (self.flow.len() + steps).min(all);
        while self.flow.len() < until && self.stage.full.is_none() {
            match self.parameters.kind {
                Kind::ZeroIntelligence => {
                    self.pass();
                    self.chance();
                }
                Kind::Hawkes => self.hawkes(),
                Kind::MarketMaker => self.with_maker(false),
                Kind::FlashCrash => self.with_maker(true),
            }
        }
        self.flow.len() >= all || self.stage.full.is_some()
    }

    /// The flow, as far as it was made.
    pub fn finish(self) -> Flow {
        self.flow
    }

    fn pass(&mut self) {
        self.stage.time_us += self.stage.random.wait(u64::from(self.parameters.gap_us));
    }

    fn send(&mut self, command: Command) {
        if self.flow.len() >= u64::from(self.parameters.steps) || self.stage.full.is_some() {
            return;
        }
        let time = self.stage.time_us / 1000;
        self.stage.events.clear();
        self.stage.market.apply(time, &command, &mut self.stage.events);
        self.stage.full = self.flow.push(time, &Step::Command(command)).err();
        for event in &self.stage.events {
            if let Event::Filled(fill) = event {
                let signed = fill.quantity as i64;
                self.inventory += if fill.buyer().user == MAKER { signed } else { 0 };
                self.inventory -= if fill.seller().user == MAKER { signed } else { 0 };
            }
        }
    }

    fn fresh(&mut self) -> OrderId {
        self.stage.orders += 1;
        OrderId(self.stage.orders)
    }

    fn limit(&mut self, user: UserId, side: Side, price: u64, quantity: u64, tif: TimeInForce) -> OrderId {
        let order = self.fresh();
        let plain = NewOrder::limit(order, user, side, price.max(1), quantity);
        self.send(Command::Add(NewOrder { time_in_force: tif, ..plain }));
        order
    }

    fn market(&mut self, user: UserId, side: Side, quantity: u64) {
        let order = self.fresh();
        self.send(Command::Add(NewOrder::market(order, user, side, quantity)));
    }

    fn side(&mut self) -> Side {
        if self.stage.random.coin() { Side::Buy } else { Side::Sell }
    }

    /// The last price, or where it began.
    fn last(&self) -> u64 {
        self.stage.market.last_price().unwrap_or(self.parameters.price)
    }

    /// One thing by chance: a limit order, a market order, or a cancel the more likely the more there is to cancel.
    fn chance(&mut self) {
        let cancels = 50 * self.stage.resting.len() as u64 / RESTING;
        match self.stage.random.below(65 + cancels) {
            0..55 => self.place(),
            55..65 => {
                let side = self.side();
                let quantity = self.quantity();
                self.market(NOISE, side, quantity);
            }
            _ => self.cancel(),
        }
    }

    fn quantity(&mut self) -> u64 {
        // Small ones mostly: the smaller of two.
        let (a, b) = (self.stage.random.within(1, 50), self.stage.random.within(1, 50));
        a.min(b)
    }

    fn place(&mut self) {
        let side = self.side();
        let away = self.stage.random.within(1, REACH).min(self.stage.random.within(1, REACH));
        let last = self.last();
        let price = match (side, self.stage.market.book().best(side.opposite())) {
            (Side::Buy, Some(ask)) => ask.saturating_sub(away),
            (Side::Sell, Some(bid)) => bid + away,
            (Side::Buy, None) => last.saturating_sub(away),
            (Side::Sell, None) => last + away,
        };
        let quantity = self.quantity();
        let order = self.limit(NOISE, side, price, quantity, TimeInForce::Gtc);
        self.stage.resting.push(order);
    }

    /// Takes one of the orders of chance out; those that are gone by now are forgotten on the way.
    fn cancel(&mut self) {
        while !self.stage.resting.is_empty() {
            let at = self.stage.random.below(self.stage.resting.len() as u64) as usize;
            let order = self.stage.resting.swap_remove(at);
            if self.stage.market.book().get(order).is_some() {
                return self.send(Command::Cancel { order, user: NOISE });
            }
        }
        self.place();
    }

    /// Ogata's thinning: between two events the rates only fall, so the sum now bounds what comes, and of the waits that it
    /// gives as many are dropped as it has fallen.
    fn hawkes(&mut self) {
        const SECOND: u64 = 1_000_000;
        // One event a second with 16 binary places is 2^16; a tenth of all that happens are market orders by chance alone.
        let background = (SECOND << 16) / u64::from(self.parameters.gap_us);
        let calm = (background / 20).max(1);
        let bound = background + self.excited.rates[0] + self.excited.rates[1] + 2 * calm;
        let wait = self.stage.random.wait((SECOND << 16) / bound).max(1);
        self.stage.time_us += wait;
        // Half of the excitement is gone after five mean gaps.
        let halvings = ((u128::from(wait) << 16) / (5 * u128::from(self.parameters.gap_us))) as u64;
        self.excited.rates = self.excited.rates.map(|rate| decayed(rate, halvings));
        let drawn = self.stage.random.below(bound);
        let [buys, sells] = self.excited.rates.map(|rate| rate + calm);
        if drawn < buys + sells {
            let side = if drawn < buys { Side::Buy } else { Side::Sell };
            // A trade begets 0.5 of its side and 0.2 of the other: rate × mean life (half-life / ln 2) = so many.
            let jump = background / 7;
            self.excited.rates[side as usize] += jump / 2;
            self.excited.rates[side.opposite() as usize] += jump / 5;
            let quantity = self.quantity();
            self.market(NOISE, side, quantity);
        } else if drawn < buys + sells + background {
            let cancels = 55 * self.stage.resting.len() as u64 / RESTING;
            if self.stage.random.below(55 + cancels) < 55 { self.place() } else { self.cancel() }
        }
    }

    fn with_maker(&mut self, crash: bool) {
        self.pass();
        let all = u64::from(self.parameters.steps);
        // In thousandths of the whole.
        let now = self.flow.len() * 1000 / all.max(1);
        let (selling, recovering) = (crash && (400..440).contains(&now), crash && (440..600).contains(&now));
        match self.stage.random.below(100) {
            0..35 => self.quote(if selling {
                8
            } else if recovering {
                3
            } else {
                1
            }),
            35..60 if selling => {
                let quantity = 20 + self.quantity();
                self.market(SELLER, Side::Sell, quantity);
            }
            35..50 if recovering => self.bargain(),
            35..55 => {
                let side = self.side();
                let quantity = self.quantity();
                self.market(NOISE, side, quantity);
            }
            55..75 => {
                // News: the maker's belief moves by a tick.
                let up = self.stage.random.coin();
                self.fair = if up { self.fair + 1 } else { self.fair.saturating_sub(1).max(100) };
                self.chance();
            }
            _ => self.chance(),
        }
        if selling || recovering {
            // A falling market is believed, and a rising one again.
            let last = self.last();
            self.fair = (self.fair * 7 + last) / 8;
        }
    }

    /// The maker puts one of its levels where it wants it.
    fn quote(&mut self, wider: u64) {
        let level = self.stage.random.below(LEVELS as u64) as usize;
        let side = self.side();
        // Long: both sides lower. One tick for every 40 held, five at most.
        let lean = (self.inventory / 40).clamp(-5, 5);
        let centre = self.fair.saturating_add_signed(-lean);
        let away = (2 + level as u64 * 2) * wider;
        let price = match side {
            Side::Buy => centre.saturating_sub(away).max(1),
            Side::Sell => centre + away,
        };
        let quantity = (60 + 20 * level as u64) / wider;
        let book = self.stage.market.book();
        let known = self.quotes[side as usize][level].and_then(|order| book.get(order));
        match known {
            Some(resting) if resting.price == price && resting.open == quantity => {
                // It is where it should be; somebody else does something.
                self.chance();
            }
            Some(resting) => self.send(Command::Replace(Replace {
                order: resting.order,
                user: MAKER,
                price,
                quantity,
                stop: None,
                expected: None,
            })),
            None => {
                let order = self.limit(MAKER, side, price, quantity, TimeInForce::Gtc);
                self.quotes[side as usize][level] = Some(order);
            }
        }
    }

    /// Who knows the price from before buys what looks cheap.
    fn bargain(&mut self) {
        let (last, before) = (self.last(), self.parameters.price);
        if last >= before {
            return self.chance();
        }
        let best = self.stage.market.book().best(Side::Sell).unwrap_or(last + 1);
        let reach = (before - last) / 4 + 1;
        let quantity = 10 + self.quantity();
        self.limit(BUYER, Side::Buy, (best + reach).min(before), quantity, TimeInForce::Ioc);
    }
}

/// A whole flow at once.
pub fn generate(parameters: Parameters) -> Flow {
    let mut generator = Generator::new(parameters);
    while !generator.run(u64::from(parameters.steps)) {}
    generator.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine_core::feed::Report;

    fn parameters(kind: Kind, seed: u64) -> Parameters {
        Parameters { kind, seed, steps: 30_000, ..Parameters::default() }
    }

    /// What a flow does to a market: fills, refusals, and prices in thirds of the flow: lowest, last.
    fn look(flow: &Flow) -> (u64, u64, [(u64, u64); 5]) {
        let mut market = flow.opening.clone();
        let mut report = Report::default();
        let mut cursor = flow.cursor(0);
        let (mut fills, mut refused) = (0, 0);
        let mut parts = [(u64::MAX, 0); 5];
        while let Some((time, step)) = flow.next(&mut cursor) {
            report.clear();
            market.apply(time, &step.resolve(&market).unwrap(), &mut report);
            for event in &report.events {
                match event {
                    Event::Filled(fill) => {
                        fills += 1;
                        let part = &mut parts[((cursor.position - 1) * 5 / flow.len()) as usize];
                        *part = (part.0.min(fill.price), fill.price);
                    }
                    Event::Rejected(..) | Event::CancelRejected { .. } | Event::ReplaceRejected { .. } => {
                        refused += 1;
                    }
                    _ => {}
                }
            }
        }
        market.book().check();
        (fills, refused, parts)
    }

    #[test]
    fn every_kind_trades_and_is_the_same_again() {
        for kind in Kind::ALL {
            let flow = generate(parameters(kind, 3));
            assert_eq!(flow.len(), 30_000, "{kind:?}");
            let (fills, refused, _) = look(&flow);
            assert!(fills > 3_000, "{kind:?}: {fills} fills");
            assert!(refused < 300, "{kind:?}: {refused} refusals");
            assert_eq!(flow.digest(), generate(parameters(kind, 3)).digest());
            assert_ne!(flow.digest(), generate(parameters(kind, 4)).digest());
            assert!(flow.memory() < 30_000 * 64, "{kind:?}: {} bytes", flow.memory());
        }
    }

    #[test]
    fn slices_make_no_difference() {
        for kind in Kind::ALL {
            let mut sliced = Generator::new(Parameters { steps: 3_000, ..parameters(kind, 5) });
            while !sliced.run(7) {}
            let whole = generate(Parameters { steps: 3_000, ..parameters(kind, 5) });
            assert_eq!(sliced.finish().digest(), whole.digest(), "{kind:?}");
        }
    }

    #[test]
    fn a_crash_falls_and_comes_back() {
        for seed in 1..6 {
            let (_, _, parts) = look(&generate(parameters(Kind::FlashCrash, seed)));
            let (before, fallen, after) = (parts[1].1, parts[2].0, parts[4].1);
            assert!(fallen * 100 < before * 99, "seed {seed}: {parts:?}");
            assert!(after > fallen, "seed {seed}: {parts:?}");
        }
    }

    #[test]
    fn trades_draw_trades() {
        // Market orders within a mean gap of another one, of all of them: by chance a bit more than a tenth.
        let near = |kind| {
            let flow = generate(parameters(kind, 9));
            let mut cursor = flow.cursor(0);
            let mut times = Vec::new();
            while let Some((time, step)) = flow.next(&mut cursor) {
                if matches!(step, Step::Command(Command::Add(order)) if order.time_in_force == TimeInForce::Ioc)
                {
                    times.push(time);
                }
            }
            times.windows(2).filter(|pair| pair[1] - pair[0] < 50).count() * 100 / times.len()
        };
        assert!(
            near(Kind::Hawkes) > 2 * near(Kind::ZeroIntelligence),
            "{} {}",
            near(Kind::Hawkes),
            near(Kind::ZeroIntelligence)
        );
    }

    #[test]
    fn senseless_parameters_are_refused() {
        for bad in [
            Parameters { steps: 0, ..Parameters::default() },
            Parameters { price: 0, ..Parameters::default() },
            Parameters { gap_us: 0, ..Parameters::default() },
        ] {
            assert!(bad.check().is_err());
            assert!(generate(bad).is_empty());
        }
    }
}
