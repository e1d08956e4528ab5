//! A whole exchange in memory: every function that orders meet, and the real core.
#![allow(dead_code)] // Each test file uses a part of this.

use edge_fns::capability::documents::Id;
use edge_fns::capability::wallet::{Asset, Movement};
use edge_fns::capability::{Error, Wallet};
use edge_fns::executor::ready;
use edge_fns::http::{Request, Response};
use edge_fns::order::{Order, Status};
use edge_fns::stream::{Disposition, Item};
use edge_fns::testing::Memory;
use edge_fns::timer::Timer;
use edge_fns::{fill_processor, history_saver, order_router, orders, sweeper};
use engine_core::candle::SEOUL_DAY_OFFSET_S;
use engine_core::shard::{Output, Shard};
use engine_core::wire::depth_message;
use std::collections::BTreeMap;

pub const USERS: [&str; 3] = ["test-ann", "test-ben", "test-cho"];
pub const CASH: u64 = 100_000;
pub const STOCK: u64 = 1_000;

#[derive(Clone)]
pub struct Exchange {
    pub memory: Memory,
    pub shard: Shard,
    /// Records of the orders stream that the core has taken.
    taken: usize,
    /// What the core has put on the fills stream, and how far its two consumers are.
    pub fills: Vec<Vec<u8>>,
    done: [usize; 2],
}

impl Exchange {
    pub fn new() -> Exchange {
        let memory = Memory::exchange(&["TEST"]);
        for user in USERS {
            let deposit = |asset, amount| Movement::Deposit {
                id: format!("{user}/{asset:?}"),
                user: user.into(),
                asset,
                amount,
            };
            let given = vec![deposit(Asset::Cash, CASH), deposit(Asset::Stock("TEST".into()), STOCK)];
            ready(memory.post(given)).unwrap().unwrap();
        }
        Exchange { memory, shard: Shard::new(SEOUL_DAY_OFFSET_S), taken: 0, fills: Vec::new(), done: [0; 2] }
    }

    pub fn request(&self, method: &str, path: &str, user: &str, body: String) -> Response {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: format!("userId={user}&testMode=true&{query}"),
            headers: vec![("content-type".into(), "application/json".into())],
            body: body.into_bytes(),
        };
        let m = &self.memory;
        if method == "POST" {
            let ports =
                order_router::Ports { base: m, identity: m, cache: m, documents: m, wallet: m, streams: m };
            ready(order_router::handle(&ports, request)).unwrap()
        } else {
            let ports = orders::Ports { base: m, identity: m, cache: m, documents: m, wallet: m, streams: m };
            ready(orders::handle(&ports, request)).unwrap()
        }
    }

    /// The core takes what has come.
    pub fn match_orders(&mut self) {
        let records = self.memory.state().streams.get("supernoba-orders").cloned().unwrap_or_default();
        let mut out = Output::default();
        for record in &records[self.taken..] {
            self.taken += 1;
            let now = self.memory.state().now;
            self.shard
                .apply(self.taken as u64, now, &record.body, &mut out)
                .expect("functions write good records");
        }
        self.fills.extend(out.records.into_iter().map(|record| record.body));
        if let Some(market) = self.shard.market("TEST") {
            let depth = depth_message("TEST", market.time(), market.sequence(), market.book());
            self.memory.state().strings.insert("depth:TEST".into(), depth.into_bytes());
        }
    }

    /// Hands up to `batch` records to each consumer; what it wants again stays.
    pub fn consume(&mut self, batch: usize) {
        for consumer in 0..2 {
            let from = self.done[consumer];
            let items: Vec<Item> = (from..self.fills.len().min(from + batch))
                .map(|n| Item {
                    id: n.to_string(),
                    partition: "TEST".into(),
                    arrived: 0,
                    body: self.fills[n].clone(),
                })
                .collect();
            let given = items.len();
            if given == 0 {
                continue;
            }
            let m = &self.memory;
            let failures = if consumer == 0 {
                let ports = fill_processor::Ports { base: m, documents: m, wallet: m };
                ready(fill_processor::handle(&ports, "supernoba-fills", items)).unwrap()
            } else {
                ready(history_saver::handle(
                    &history_saver::Ports { base: m, sql: m },
                    "supernoba-fills",
                    items,
                ))
                .unwrap()
            };
            let rejected: Vec<_> = failures.iter().filter(|f| f.disposition != Disposition::Retry).collect();
            assert!(rejected.is_empty(), "nothing is beyond processing: {rejected:?}");
            let first = failures.iter().filter_map(|failure| failure.id.parse::<usize>().ok()).min();
            self.done[consumer] = first.unwrap_or(from + given);
        }
    }

    pub fn order(&self, user: &str, client_id: usize) -> Option<Order> {
        let state = self.memory.state();
        let index = |user: &str| Id {
            table: "supernoba-orders".into(),
            partition: format!("client#{user}"),
            sort: client_id.to_string(),
        };
        let entry = state.documents.get(&index(user))?;
        let found: serde_json::Value = serde_json::from_slice(&entry.body).unwrap();
        let id = Id {
            table: "supernoba-orders".into(),
            partition: user.into(),
            sort: found["order_id"].as_str()?.into(),
        };
        Some(Order::decode(state.documents.get(&id).expect("an index has its row")).unwrap())
    }

    pub fn rows(&self) -> Vec<Order> {
        let state = self.memory.state();
        let rows = state.documents.values().filter(|entry| !entry.id.partition.contains('#'));
        rows.map(|entry| Order::decode(entry).unwrap()).collect()
    }

    /// No fault is left, everybody asks again for what is pending, and the consumers catch up.
    pub fn settle(&mut self, sent: &BTreeMap<usize, (usize, String)>) {
        self.memory.forget_faults();
        self.memory.state().now += 120_000;
        for (client_id, (user, body)) in sent {
            if self.order(USERS[*user], *client_id).is_some() {
                let answer = self.request("POST", "/orders", USERS[*user], body.clone());
                assert!(matches!(answer.status, 200 | 422), "{}", String::from_utf8_lossy(&answer.body));
            }
        }
        for _ in 0..3 {
            self.match_orders();
            self.consume(usize::MAX / 2);
            // A replacement that broke off is finished by the next one to come.
            for order in self.rows().iter().filter(|order| order.replacing.is_some()) {
                self.request(
                    "PATCH",
                    &format!("/orders/{}", order.order_id),
                    &order.user_id,
                    r#"{"quantity":1}"#.into(),
                );
            }
        }
    }

    /// One period of the sweeper.
    pub fn sweep(&self) {
        self.try_sweep().unwrap();
    }

    pub fn try_sweep(&self) -> Result<(), Error> {
        let m = &self.memory;
        let ports = sweeper::Ports { base: m, documents: m, wallet: m, streams: m };
        let due = m.state().now;
        ready(sweeper::handle(&ports, Timer { name: "sweeper".into(), due })).unwrap()
    }

    /// No fault is left, nobody asks for anything, and the sweeper comes round.
    pub fn mend(&mut self) {
        self.memory.forget_faults();
        // The first period carries through, or gives up; the second sees that nothing is left to do.
        for _ in 0..2 {
            self.memory.state().now += 61_000;
            self.sweep();
            self.match_orders();
            self.consume(usize::MAX / 2);
        }
        self.memory.state().now += 61_000;
        self.sweep();
        let state = self.memory.state();
        let left: Vec<_> = state.documents.keys().filter(|id| id.partition.starts_with("pending#")).collect();
        assert!(left.is_empty(), "reminders of what is done: {left:?}");
    }

    pub fn check(&self) {
        assert_eq!(self.memory.state().money.wrong(), Vec::<String>::new());
        let resting: usize = self.shard.market("TEST").map_or(0, |market| market.book().len());
        let rows = self.rows();
        let open: Vec<&Order> = rows.iter().filter(|order| order.status.is_open()).collect();
        assert_eq!(open.len(), resting, "open rows are the orders of the book");
        for order in &rows {
            assert_ne!(order.status, Status::Pending, "{order:?}");
            assert_eq!(order.replacing, None, "{order:?}");
            assert_eq!(
                order.quantity,
                order.filled
                    + if order.status.is_open() { order.remaining } else { order.quantity - order.filled }
            );
        }
        // Exactly what open orders need is locked, and nothing else.
        let state = self.memory.state();
        for (hold, (_, _, amount)) in &state.money.holds {
            let need = open.iter().find(|order| order.order_id == *hold);
            let need = need.map_or(0, |order| order.need(order.price, order.remaining).unwrap().1);
            assert_eq!(*amount, need, "hold {hold}");
        }
        // Every fill once in the history, and as much bought as sold.
        let fills =
            self.fills.iter().filter(|body| body.windows(14).any(|w| w == br#""event":"FILL""#)).count();
        assert_eq!(state.rows.get("insert_trade").map_or(0, |rows| rows.len()), fills);
        let filled = |side| {
            rows.iter()
                .filter(|o| o.side == side)
                .map(|o| (o.filled, o.cost))
                .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
        };
        assert_eq!(filled(edge_fns::order::Side::Buy), filled(edge_fns::order::Side::Sell));
    }
}
