//! Orders on their way: gateway, stream, engine, notification.

use crate::events::Events;
use crate::figures::kinesis;
use crate::histogram::Histogram;
use crate::random::{Random, Weighted};
use crate::reshard::Layout;
use crate::servers::Node;
use crate::shard::Shard;
use crate::{MS, SECOND, Time};
use std::collections::VecDeque;

#[derive(Clone, Debug)]
pub struct Setup {
    pub orders_per_s: u64,
    /// How the orders are shared out among the symbols.
    pub weights: Vec<u64>,
    pub layout: Layout,
    pub gateways: usize,
    pub processors: u64,
    /// Processor time of an order in gateway and functions.
    pub order_cost: Time,
    pub order_bytes: u64,
    /// How long a gateway collects orders of one shard into one record; 0: a record an order.
    pub collect: Time,
    /// With fan-out of the shard's own; else by polling.
    pub fan_out: bool,
    /// The engine's time for an order, its outputs encoded.
    pub engine_cost: Time,
    pub lasts: Time,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub placed: u64,
    pub answered: u64,
    /// Answered twice, or before an order to the same symbol that its gateway had placed earlier; must not be.
    pub out_of_order: u64,
    pub throttled: u64,
    /// From the request to the notification.
    pub latency: Histogram,
    /// Processors of the gateways, in thousandths of their time.
    pub gateway_load_per_mille: u64,
    pub records: u64,
}

#[derive(Clone, Copy, Debug)]
struct Order {
    arrived: Time,
    symbol: u32,
    gateway: u32,
    number: u64,
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Arrive,
    /// Checked and locked: the gateway hands it to the stream.
    Ready(Order),
    /// The gateway writes what it has collected for the shard.
    Send(usize, usize),
    Deliver(usize),
}

/// What a gateway has for a shard and has not written yet.
#[derive(Clone, Debug, Default)]
struct Outbox {
    orders: VecDeque<Order>,
    /// A sending is planned.
    planned: bool,
    attempts: u32,
}

pub fn play(setup: &Setup, seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let weighted = Weighted::new(&setup.weights);
    let shards = setup.layout.shards();
    let place: Vec<usize> = (0..setup.weights.len()).map(|symbol| setup.layout.shard(symbol)).collect();
    let mut outcome = Outcome::default();
    let mut gateways = vec![Node::new(setup.processors); setup.gateways];
    let mut streams: Vec<Shard<usize>> = vec![Shard::default(); shards];
    let mut engines = vec![Node::new(1); shards];
    let mut read = vec![0; shards];
    let mut outboxes = vec![vec![Outbox::default(); shards]; setup.gateways];
    let mut batches: Vec<Vec<Order>> = Vec::new();
    let mut answered = vec![vec![0u64; setup.weights.len()]; setup.gateways];
    let mut events = Events::default();
    let mean = SECOND * 1_000 / setup.orders_per_s.max(1);
    // Thousandths of a microsecond: a mean below one would be lost else.
    let mut next_ns = random.wait(mean);
    events.at(next_ns / 1_000, Event::Arrive);
    if !setup.fan_out {
        // Pollers do not start in step.
        (0..shards).for_each(|shard| events.at(random.below(kinesis::POLL), Event::Deliver(shard)));
    }
    while let Some((now, event)) = events.next() {
        match event {
            Event::Arrive => {
                if now >= setup.lasts {
                    continue;
                }
                outcome.placed += 1;
                let gateway = random.below(setup.gateways as u64) as usize;
                let symbol = weighted.choose(&mut random) as u32;
                let order = Order { arrived: now, symbol, gateway: gateway as u32, number: outcome.placed };
                events.at(gateways[gateway].work(now, setup.order_cost), Event::Ready(order));
                next_ns += random.wait(mean);
                events.at(next_ns / 1_000, Event::Arrive);
            }
            Event::Ready(order) => {
                let (gateway, shard) = (order.gateway as usize, place[order.symbol as usize]);
                let outbox = &mut outboxes[gateway][shard];
                outbox.orders.push_back(order);
                if !outbox.planned {
                    outbox.planned = true;
                    events.after(setup.collect, Event::Send(gateway, shard));
                }
            }
            Event::Send(gateway, shard) => {
                let outbox = &mut outboxes[gateway][shard];
                outbox.planned = false;
                let most = if setup.collect == 0 { 1 } else { kinesis::COLLECTED_BYTES / setup.order_bytes };
                let count = outbox.orders.len().min(most as usize);
                let bytes = count as u64 * setup.order_bytes;
                if streams[shard].put(now, bytes, batches.len()).is_ok() {
                    outbox.attempts = 0;
                    batches.push(outbox.orders.drain(..count).collect());
                    outcome.records += 1;
                    if setup.fan_out {
                        events.after(kinesis::PUT + kinesis::FAN_OUT, Event::Deliver(shard));
                    }
                    if !outbox.orders.is_empty() {
                        outbox.planned = true;
                        events.after(0, event);
                    }
                } else {
                    // The first of them waits, and all behind it: their order is kept.
                    let pause = ((20 * MS) << outbox.attempts.min(5)) + random.below(20 * MS);
                    (outbox.planned, outbox.attempts) = (true, outbox.attempts + 1);
                    events.after(pause, event);
                }
            }
            Event::Deliver(shard) => {
                let stream = &mut streams[shard];
                let (batch, way) = if setup.fan_out {
                    (Ok(stream.behind(read[shard])), kinesis::PUT + kinesis::FAN_OUT)
                } else {
                    (stream.read(now, read[shard]), kinesis::PUT)
                };
                for record in batch.unwrap_or_default() {
                    // What was written since is not there yet.
                    if record.arrived + way > now {
                        break;
                    }
                    read[shard] = record.sequence;
                    for order in std::mem::take(&mut batches[record.what]) {
                        let done = engines[shard].work(now, setup.engine_cost);
                        outcome.latency.add(done + kinesis::NOTIFY - order.arrived);
                        outcome.answered += 1;
                        let last = &mut answered[order.gateway as usize][order.symbol as usize];
                        outcome.out_of_order += u64::from(order.number <= *last);
                        *last = order.number;
                    }
                }
                stream.trim(read[shard]);
                // Until everything that was placed has been answered.
                let pending = now < setup.lasts || outcome.answered < outcome.placed;
                if !setup.fan_out && pending {
                    events.after(kinesis::POLL, event);
                }
            }
        }
    }
    outcome.throttled = streams.iter().map(|stream| stream.throttled_puts).sum();
    let busy: Time = gateways.iter().map(|node| node.busy).sum();
    let time = setup.lasts * setup.processors * setup.gateways as u64;
    outcome.gateway_load_per_mille = busy * 1_000 / time.max(1);
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(orders_per_s: u64) -> Setup {
        Setup {
            orders_per_s,
            weights: vec![5, 3, 1, 1],
            layout: Layout::even(4),
            gateways: 2,
            processors: 4,
            order_cost: 388,
            order_bytes: 260,
            collect: 0,
            fan_out: true,
            engine_cost: 2,
            lasts: 2 * SECOND,
        }
    }

    fn whole(outcome: &Outcome) {
        assert!(outcome.placed > 0);
        assert_eq!((outcome.answered, outcome.out_of_order), (outcome.placed, 0), "{outcome:?}");
        assert_eq!(outcome.latency.count(), outcome.placed);
    }

    #[test]
    fn every_order_is_answered_once_and_in_order() {
        for seed in 0..5 {
            whole(&play(&setup(800), seed));
        }
    }

    #[test]
    fn a_seed_has_one_course() {
        assert_eq!(play(&setup(800), 5), play(&setup(800), 5));
        assert_ne!(play(&setup(800), 5), play(&setup(800), 6));
    }

    #[test]
    fn refused_writes_are_made_up_for_without_loss() {
        let outcome = play(&setup(4_000), 1);
        assert!(outcome.throttled > 0);
        whole(&outcome);
    }

    #[test]
    fn collecting_takes_a_symbol_past_a_thousand_orders_a_second() {
        let one = Setup { weights: vec![1], ..setup(3_000) };
        let (alone, collected) = (play(&one, 1), play(&Setup { collect: 20 * MS, ..one }, 1));
        whole(&alone);
        whole(&collected);
        assert!(alone.throttled > 100, "{alone:?}");
        assert_eq!(collected.throttled, 0);
        assert!(collected.records * 10 < collected.placed, "{collected:?}");
        assert!(collected.latency.per_mille(990) * 5 < alone.latency.per_mille(990));
    }

    #[test]
    fn polling_is_later_than_fan_out_by_up_to_a_poll() {
        let (pushed, polled) = (play(&setup(500), 2), play(&Setup { fan_out: false, ..setup(500) }, 2));
        whole(&polled);
        assert!(pushed.latency.per_mille(0) >= kinesis::PUT + kinesis::FAN_OUT);
        let difference = polled.latency.per_mille(990) - pushed.latency.per_mille(990);
        assert!((90 * MS..200 * MS).contains(&difference), "{difference}");
    }
}
