//! The tables of `docs/scale.md`.

use crate::figures::{self, prices};
use crate::lease::{self, Fault};
use crate::market;
use crate::plan::{Plan, TIERS, plan, shared, weights};
use crate::reshard::{Layout, TooHot};
use crate::streamer::{self, Load};
use crate::{MS, SECOND, Time};
use std::fmt::Write;

pub const BEGIN: &str = "<!-- cargo xtask scale: begin -->";
pub const END: &str = "<!-- cargo xtask scale: end -->";

/// Digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn dollars(billionths: u64) -> String {
    match billionths {
        0..100_000_000_000 => {
            let cents = billionths / 10_000_000;
            format!("{}.{:02}", cents / 100, cents % 100)
        }
        _ => grouped(billionths / 1_000_000_000),
    }
}

fn tenths(number: u64, of: u64) -> String {
    format!("{}.{}", grouped(number / of), number % of * 10 / of)
}

fn ms(time: Time) -> String {
    format!("{} ms", time.div_ceil(MS))
}

/// The orders of one tier as the simulation plays them, at the peak.
pub fn market_setup(plan: &Plan, lasts: Time) -> market::Setup {
    use figures::{kinesis, node, ours, users};
    let weights = weights(plan.tier.symbols);
    let peaks = shared(plan.peak_orders_per_s * 1_000, &weights);
    let (loads, limit): (Vec<u64>, u64) = if plan.collected {
        (peaks.iter().map(|peak| peak * users::ORDER_BYTES).collect(), kinesis::RECORD_BYTES_PER_S * 700)
    } else {
        (peaks, kinesis::RECORDS_PER_S * 700)
    };
    let start = loads.iter().sum::<u64>().div_ceil(limit).max(1);
    // The plan found that this holds.
    let layout = Layout::even(start).split_until(&loads, limit).unwrap_or(Layout::even(plan.order_shards));
    market::Setup {
        orders_per_s: plan.peak_orders_per_s,
        weights,
        layout,
        gateways: plan.gateways as usize,
        processors: node::PROCESSORS,
        order_cost: ours::ORDER_COST,
        order_bytes: users::ORDER_BYTES,
        collect: if plan.collected { 20 * MS } else { 0 },
        fan_out: true,
        engine_cost: ours::ENGINE_COST,
        lasts,
    }
}

/// One streamer of this plan, at the peak.
pub fn streamer_load(plan: &Plan) -> Load {
    use figures::{node, streamer as figure, users};
    let weights = weights(plan.tier.symbols);
    let part = |percent: u64| shared(plan.tier.users * percent / 100 / plan.streamers, &weights);
    let (fast, slow) = (part(users::FAST_PERCENT), part(100 - users::FAST_PERCENT));
    Load {
        watching: fast.into_iter().zip(slow).collect(),
        orders_per_1000_s: plan.peak_orders_per_s * 1_000,
        weights,
        messages: figure::MESSAGES,
        processors: node::PROCESSORS,
        push_ns: figure::PUSH_NS,
    }
}

/// What a take-over is asked: so long a lease, one of three engines dies, and one is held for a while.
pub fn take_over(lease: Time, seed: u64) -> lease::Setup {
    let at = 10 * lease + seed % lease;
    lease::Setup {
        workers: 3,
        shards: 12,
        lease,
        records_per_s: 500,
        until: 40 * lease,
        faults: vec![
            Fault::Dies { worker: 0, at },
            Fault::Sleeps { worker: 1, at: at + 10 * lease, wakes: at + 13 * lease },
        ],
        fencing: true,
    }
}

pub fn render() -> Result<String, TooHot> {
    let plans = TIERS.into_iter().map(plan).collect::<Result<Vec<_>, _>>()?;
    let mut text = String::new();
    let mut row = |cells: Vec<String>| {
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    };
    let columns = |name: &str, cell: &dyn Fn(&Plan) -> String| {
        [name.to_owned()].into_iter().chain(plans.iter().map(cell)).collect::<Vec<_>>()
    };
    row(columns("connected users", &|p| grouped(p.tier.users)));
    row(columns("---", &|_| "---:".into()));
    row(columns("symbols", &|p| grouped(p.tier.symbols)));
    row(columns("orders/s, mean", &|p| tenths(p.mean_orders_per_1000_s, 1_000)));
    row(columns("orders/s, peak", &|p| grouped(p.peak_orders_per_s)));
    row(columns("of them to the hottest symbol", &|p| grouped(p.hottest_orders_per_s)));
    row(columns("one box is enough", &|p| if p.one_box { "yes" } else { "no" }.into()));
    row(columns("shards, orders", &|p| grouped(p.order_shards)));
    row(columns("a record holds", &|p| if p.collected { "many orders" } else { "one order" }.into()));
    row(columns("shards, fills", &|p| grouped(p.fill_shards)));
    row(columns("engines, one of them standing by", &|p| grouped(p.engines)));
    row(columns("gateways", &|p| grouped(p.gateways)));
    row(columns("streamers", &|p| grouped(p.streamers)));
    row(columns("wallet databases", &|p| grouped(p.wallet_databases)));
    row(columns("pushes/s, peak", &|p| grouped(p.pushes_per_s)));
    row(columns("out, MB/s, peak", &|p| tenths(p.out_bytes_per_s, 1_000_000)));
    row(columns("orders a month, millions", &|p| tenths(p.cost.orders, 1_000_000)));
    row(columns("streams, $ a month", &|p| dollars(p.cost.streams)));
    row(columns("tables, $", &|p| dollars(p.cost.tables)));
    row(columns("nodes, $", &|p| dollars(p.cost.nodes)));
    row(columns("caches, $", &|p| dollars(p.cost.caches)));
    row(columns("databases, $", &|p| dollars(p.cost.databases)));
    row(columns("balancer and network out, $", &|p| dollars(p.cost.network)));
    row(columns("together, $ a month", &|p| dollars(p.cost.total())));
    row(columns("$ per million orders, without the network", &|p| dollars(p.cost.per_million_orders())));
    row(columns("$ per million orders, all", &|p| dollars(p.cost.with_network_per_million_orders())));
    row(columns("REST by API Gateway and Lambda instead, $", &|p| dollars(p.cost.managed_requests)));
    row(columns("pushes by API Gateway instead, $", &|p| dollars(p.cost.managed_pushes)));

    let _ = writeln!(
        text,
        "\nPrices: {}, {}. What the simulation says of the same tiers, at the peak:\n",
        prices::REGION,
        prices::AS_OF
    );
    simulated(&mut text, &plans);
    Ok(text)
}

fn simulated(text: &mut String, plans: &[Plan]) {
    let markets: Vec<_> = plans.iter().map(|plan| market::play(&market_setup(plan, 5 * SECOND), 1)).collect();
    let streamers: Vec<_> = plans.iter().map(|plan| streamer::play(&streamer_load(plan), 400, 1)).collect();
    let all = |name: &str, cells: Vec<String>| format!("| {name} | {} |\n", cells.join(" | "));
    text.push_str(&all("connected users", plans.iter().map(|plan| grouped(plan.tier.users)).collect()));
    text.push_str(&all("---", plans.iter().map(|_| "---:".into()).collect()));
    text.push_str(&all(
        "orders in 5 s, all answered once",
        markets.iter().map(|m| grouped(m.answered)).collect(),
    ));
    text.push_str(&all("writes refused by a shard", markets.iter().map(|m| grouped(m.throttled)).collect()));
    text.push_str(&all(
        "orders a record",
        markets.iter().map(|m| tenths(m.answered, m.records.max(1))).collect(),
    ));
    let percentile = |per_mille| markets.iter().map(|m| ms(m.latency.per_mille(per_mille))).collect();
    text.push_str(&all("order to notification, p50", percentile(500)));
    text.push_str(&all("order to notification, p99", percentile(990)));
    let polled = plans.iter().map(|plan| {
        let setup = market::Setup { fan_out: false, ..market_setup(plan, 5 * SECOND) };
        ms(market::play(&setup, 1).latency.per_mille(990))
    });
    text.push_str(&all("the same by polling, p99", polled.collect()));
    let percent = |per_mille: u64| format!("{} %", tenths(per_mille, 10));
    text.push_str(&all(
        "load of a gateway",
        markets.iter().map(|m| percent(m.gateway_load_per_mille)).collect(),
    ));
    text.push_str(&all("load of a streamer", streamers.iter().map(|s| percent(s.load_per_mille)).collect()));
    text.push_str(&all("longest round of a streamer", streamers.iter().map(|s| ms(s.longest)).collect()));
    text.push_str("\nTake-over, 12 shards on 3 engines, one dies, one is held for three leases and wakes; the worst of 50 runs:\n\n");
    text.push_str("| lease | shard without an engine | outputs refused | put over a newer owner's | lost |\n|---|---:|---:|---:|---:|\n");
    for lease in [10 * SECOND, 2 * SECOND, 500 * MS] {
        let runs: Vec<_> = (0..50).map(|seed| lease::play(&take_over(lease, seed), seed)).collect();
        let worst = |of: fn(&lease::Outcome) -> u64| runs.iter().map(of).max().unwrap_or(0);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            ms(lease),
            ms(worst(|run| run.longest_gap)),
            grouped(worst(|run| run.refused)),
            worst(|run| run.overwritten),
            worst(|run| run.lost)
        );
    }
}

/// The document with what stands between its marks replaced; `None` where it has no marks.
pub fn replaced(document: &str, tables: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{tables}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(
            ["0", "999", "1,000", "1,234,567"],
            [0, 999, 1_000, 1_234_567].map(grouped).each_ref().map(|s| &**s)
        );
        assert_eq!(dollars(1_239_000_000), "1.23");
        assert_eq!(dollars(1_234_567_000_000_000), "1,234,567");
        assert_eq!(tenths(12_345, 1_000), "12.3");
        assert_eq!(ms(1_001), "2 ms");
    }

    #[test]
    fn tables_are_put_between_the_marks_and_nothing_else_changes() {
        let document = format!("before\n{BEGIN}\nold\n{END}\nafter");
        let new = replaced(&document, "new\n").unwrap();
        assert!(new.starts_with("before\n") && new.ends_with("\nafter") && !new.contains("old"));
        assert_eq!(replaced(&new, "new\n").as_deref(), Some(&*new));
        assert_eq!(replaced("no marks", "new"), None);
    }
}
