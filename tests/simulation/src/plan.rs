//! What so many connected users need.

use crate::figures::{
    FILL_PERCENT, SHARD_FILL_PERCENT, SHARDS_PER_ENGINE, WALLET_CALLS_PER_DATABASE, kinesis, node, ours,
    prices, streamer, users,
};
use crate::reshard::{Layout, TooHot};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    pub users: u64,
    pub symbols: u64,
}

/// The rows of the table.
pub const TIERS: [Tier; 5] = [
    Tier { users: 100, symbols: 3 },
    Tier { users: 1_000, symbols: 10 },
    Tier { users: 10_000, symbols: 100 },
    Tier { users: 100_000, symbols: 1_000 },
    Tier { users: 1_000_000, symbols: 2_500 },
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub tier: Tier,
    /// In a thousand seconds: small markets have less than one a second.
    pub mean_orders_per_1000_s: u64,
    pub peak_orders_per_s: u64,
    pub hottest_orders_per_s: u64,
    /// Orders are collected into records: one shard takes no more than a thousand records a second of a symbol.
    pub collected: bool,
    pub order_shards: u64,
    pub fill_shards: u64,
    pub engines: u64,
    pub gateways: u64,
    pub streamers: u64,
    pub caches: u64,
    pub wallet_databases: u64,
    pub pushes_per_s: u64,
    pub out_bytes_per_s: u64,
    /// One box does it all, with half of it to spare.
    pub one_box: bool,
    pub cost: Cost,
}

/// Billionths of a dollar a month.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    pub orders: u64,
    pub streams: u64,
    pub tables: u64,
    pub nodes: u64,
    pub caches: u64,
    pub databases: u64,
    pub network: u64,
    /// API Gateway and Lambda instead of gateways and streamers of our own.
    pub managed_requests: u64,
    pub managed_pushes: u64,
}

impl Cost {
    pub fn total(&self) -> u64 {
        self.streams + self.tables + self.nodes + self.caches + self.databases + self.network
    }

    /// All but what goes out to the users, who mostly watch.
    pub fn per_million_orders(&self) -> u64 {
        per_million(self.total() - self.network, self.orders)
    }

    pub fn with_network_per_million_orders(&self) -> u64 {
        per_million(self.total(), self.orders)
    }
}

fn per_million(cost: u64, orders: u64) -> u64 {
    (u128::from(cost) * 1_000_000 / u128::from(orders.max(1))) as u64
}

/// How orders, and who watches, are shared out: the n-th symbol has a third part in n + 3.
pub fn weights(symbols: u64) -> Vec<u64> {
    (0..symbols).map(|n| 1_000_000_000 / (n + 3)).collect()
}

/// This much in all, by these weights.
pub fn shared(total: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u64 = weights.iter().sum();
    weights
        .iter()
        .map(|weight| (u128::from(total) * u128::from(*weight) / u128::from(sum.max(1))) as u64)
        .collect()
}

pub fn plan(tier: Tier) -> Result<Plan, TooHot> {
    let weights = weights(tier.symbols);
    let mean_orders_per_1000_s = tier.users * 1_000 / users::ORDER_EVERY_S;
    let peak_orders_per_s = (mean_orders_per_1000_s * users::PEAK).div_ceil(1_000);
    let peaks = shared(peak_orders_per_s * 1_000, &weights);
    let hottest = peaks.first().copied().unwrap_or(0);

    let collected = hottest > kinesis::RECORDS_PER_S * 10 * SHARD_FILL_PERCENT;
    let order_shards = shards(&peaks, collected, users::ORDER_BYTES, 1)?.max(4);
    // The engine writes its outputs in groups: they count by their bytes.
    let fill_shards = shards(&peaks, true, users::EVENT_BYTES, users::EVENTS_PER_ORDER)?.max(2);

    let pushes_per_s = pushes_per_s(tier, peak_orders_per_s * 1_000);
    let out_bytes_per_s = pushes_per_s * streamer::PUSH_BYTES;
    let gateways = filled(peak_orders_per_s * ours::ORDER_COST, node::PROCESSORS * 1_000_000).max(2);
    let streamers = [
        filled(
            fullest_round(tier, peak_orders_per_s * 1_000) * streamer::PUSH_NS,
            node::PROCESSORS * streamer::FAST_ROUND * 1_000,
        ),
        filled(out_bytes_per_s, node::NETWORK_BYTES_PER_S),
        filled(tier.users * streamer::CONNECTION_BYTES, node::MEMORY_BYTES),
        2,
    ];
    let engines = order_shards.div_ceil(SHARDS_PER_ENGINE).max(1) + 1;
    let wallet_databases =
        (peak_orders_per_s * users::WALLET_CALLS_PER_ORDER).div_ceil(WALLET_CALLS_PER_DATABASE);
    let mut plan = Plan {
        tier,
        mean_orders_per_1000_s,
        peak_orders_per_s,
        hottest_orders_per_s: hottest.div_ceil(1_000),
        collected,
        order_shards,
        fill_shards,
        engines,
        gateways,
        streamers: streamers.into_iter().max().unwrap_or(2),
        // The two of the contract, each with a copy in another zone.
        caches: 4,
        wallet_databases,
        pushes_per_s,
        out_bytes_per_s,
        one_box: one_box(peak_orders_per_s, pushes_per_s),
        cost: Cost::default(),
    };
    plan.cost = cost(&plan);
    Ok(plan)
}

/// So many nodes for this much, filled to what they may be filled to.
fn filled(need: u64, each: u64) -> u64 {
    (need * 100).div_ceil(each * FILL_PERCENT)
}

/// Half of what a box was measured to do, by orders and pushes together.
fn one_box(orders_per_s: u64, pushes_per_s: u64) -> bool {
    let busy_us = orders_per_s * ours::ORDER_COST + pushes_per_s * streamer::PUSH_NS / 1_000;
    busy_us * 2 <= ours::BOX_PROCESSORS * 1_000_000
}

/// Shards that the symbols need, split where they have to be.
fn shards(peaks_per_1000_s: &[u64], by_bytes: bool, bytes: u64, records: u64) -> Result<u64, TooHot> {
    let (loads, limit) = if by_bytes {
        let loads = peaks_per_1000_s.iter().map(|peak| peak * records * bytes).collect::<Vec<_>>();
        (loads, kinesis::RECORD_BYTES_PER_S * 10 * SHARD_FILL_PERCENT)
    } else {
        let loads = peaks_per_1000_s.iter().map(|peak| peak * records).collect::<Vec<_>>();
        (loads, kinesis::RECORDS_PER_S * 10 * SHARD_FILL_PERCENT)
    };
    let start = (loads.iter().sum::<u64>()).div_ceil(limit).max(1);
    Ok(Layout::even(start).split_until(&loads, limit)?.shards() as u64)
}

/// No more than this: a symbol changes in a round at most once, and at most once an order.
pub fn pushes_per_s(tier: Tier, orders_per_1000_s: u64) -> u64 {
    let weights = weights(tier.symbols);
    let fast_users = shared(tier.users * users::FAST_PERCENT / 100 * 1_000, &weights);
    let slow_users = shared(tier.users * (100 - users::FAST_PERCENT) / 100 * 1_000, &weights);
    let rates = shared(orders_per_1000_s, &weights);
    let fast_rounds = 1_000 * crate::SECOND / streamer::FAST_ROUND;
    let slow_rounds = fast_rounds / streamer::SLOW_ROUNDS;
    let each = fast_users.iter().zip(&slow_users).zip(&rates);
    let pushes =
        each.map(|((fast, slow), rate)| fast * rate.min(&fast_rounds) + slow * rate.min(&slow_rounds));
    pushes.sum::<u64>() * streamer::MESSAGES / 1_000_000
}

/// Pushes of a round in which the anonymous are served too: all of them in the one.
fn fullest_round(tier: Tier, orders_per_1000_s: u64) -> u64 {
    let weights = weights(tier.symbols);
    let fast_users = shared(tier.users * users::FAST_PERCENT / 100 * 1_000, &weights);
    let slow_users = shared(tier.users * (100 - users::FAST_PERCENT) / 100 * 1_000, &weights);
    let rates = shared(orders_per_1000_s, &weights);
    // In a thousandth: how much of a symbol's rounds show a change, at most.
    let changed = |rate: u64, round: u64| (rate * round / crate::SECOND).min(1_000);
    let (fast, slow) = (streamer::FAST_ROUND, streamer::FAST_ROUND * streamer::SLOW_ROUNDS);
    let each = fast_users.iter().zip(&slow_users).zip(&rates);
    let pushes = each.map(|((f, s), rate)| f * changed(*rate, fast) + s * changed(*rate, slow));
    pushes.sum::<u64>() * streamer::MESSAGES / 1_000_000
}

/// What leaves for the internet in a month, by the price of each step.
pub fn out_cost(gigabytes: u64) -> u64 {
    let (mut from, mut cost) = (0, 0);
    for (to, price) in prices::OUT_GB {
        cost += gigabytes.clamp(from, to).saturating_sub(from) * price;
        from = to;
    }
    cost
}

fn cost(plan: &Plan) -> Cost {
    let hours = users::HOURS_PER_MONTH;
    let orders = plan.mean_orders_per_1000_s * users::TRADING_S_PER_MONTH / 1_000;
    let shards = plan.order_shards + plan.fill_shards;
    // Uncollected: a record an order. Collected: as the simulation shows, at least ten orders a record.
    let order_units = if plan.collected { orders / 10 } else { orders };
    let units = order_units + orders * users::EVENTS_PER_ORDER / 10;
    let stream_gb = orders * users::ORDER_BYTES / 1_000_000_000;
    let mean_pushes = pushes_per_s(plan.tier, plan.mean_orders_per_1000_s);
    let out_gb = mean_pushes * streamer::PUSH_BYTES * users::TRADING_S_PER_MONTH / 1_000_000_000;
    let streams = shards * hours * prices::SHARD_HOUR
        + units * prices::PAYLOAD_UNIT
        // The engine's own output of the orders stream.
        + plan.order_shards * hours * prices::FAN_OUT_SHARD_HOUR
        + stream_gb * prices::FAN_OUT_GB;
    let nodes = plan.engines + plan.gateways + plan.streamers;
    Cost {
        orders,
        streams,
        tables: orders * users::WRITES_PER_ORDER * prices::TABLE_WRITE,
        nodes: nodes * hours * prices::NODE_HOUR,
        caches: plan.caches * hours * prices::CACHE_NODE_HOUR,
        // And one for the trade history.
        databases: (plan.wallet_databases + 1) * hours * prices::DATABASE_HOUR,
        network: out_cost(out_gb) + hours * prices::BALANCER_HOUR + out_gb * prices::BALANCER_GB,
        managed_requests: orders
            * (prices::REST_REQUEST + prices::CALL + prices::CALL_GB_US * prices::GB_SECOND / 1_000_000),
        managed_pushes: mean_pushes * users::TRADING_S_PER_MONTH * prices::SOCKET_MESSAGE
            + plan.tier.users * users::TRADING_S_PER_MONTH / 60 * prices::SOCKET_MINUTE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plans() -> Vec<Plan> {
        TIERS.into_iter().map(|tier| plan(tier).expect("no symbol is too hot")).collect()
    }

    #[test]
    fn more_users_never_need_less() {
        for pair in plans().windows(2) {
            let needs = |p: &Plan| {
                [p.order_shards, p.fill_shards, p.engines, p.gateways, p.streamers, p.cost.total()]
            };
            assert!(
                needs(&pair[0]).iter().zip(needs(&pair[1])).all(|(less, more)| *less <= more),
                "{pair:?}"
            );
        }
    }

    #[test]
    fn an_order_becomes_cheaper_the_more_there_are() {
        for pair in plans().windows(2) {
            assert!(pair[0].cost.per_million_orders() >= pair[1].cost.per_million_orders());
        }
    }

    #[test]
    fn one_box_is_enough_at_the_beginning_and_not_at_the_end() {
        let plans = plans();
        assert!(plans[0].one_box && !plans[4].one_box);
        assert!(!one_box(ours::BOX_ORDERS_PER_S, 0), "half of what was measured, no more");
        assert!(one_box(ours::BOX_ORDERS_PER_S / 2 - 1, 0));
    }

    #[test]
    fn a_market_of_one_symbol_ends_at_what_a_shard_takes() {
        let hot = plan(Tier { users: 1_000_000, symbols: 1 });
        assert_eq!(hot, Err(TooHot { symbol: 0 }));
    }

    #[test]
    fn the_network_costs_by_steps() {
        assert_eq!(out_cost(0), 0);
        assert_eq!(out_cost(10_000), 900_000_000_000);
        assert_eq!(out_cost(60_000), 900_000_000_000 + 3_400_000_000_000 + 700_000_000_000);
        assert_eq!(out_cost(150_001) - out_cost(150_000), 50_000_000);
    }

    #[test]
    fn what_is_shared_out_is_all_but_a_remainder() {
        for symbols in [1, 3, 100, 2_500] {
            let parts = shared(1_000_000, &weights(symbols));
            let sum: u64 = parts.iter().sum();
            assert!(sum <= 1_000_000 && sum + symbols > 1_000_000, "{symbols}: {sum}");
        }
    }

    #[test]
    fn the_cost_of_a_million_orders_is_what_its_parts_say() {
        let cost =
            Cost { orders: 2_000_000, tables: 6_000_000_000, network: 2_000_000_000, ..Cost::default() };
        assert_eq!(
            (cost.per_million_orders(), cost.with_network_per_million_orders()),
            (3_000_000_000, 4_000_000_000)
        );
        assert_eq!(Cost::default().per_million_orders(), 0);
    }
}
