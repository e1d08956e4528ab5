//! What the arithmetic starts from. Each figure says where it is from; what is assumed and not measured says so.

/// What Kinesis promises for each shard, and times that are taken for its calls.
pub mod kinesis {
    use crate::{MS, Time};

    pub const RECORDS_PER_S: u64 = 1_000;
    pub const RECORD_BYTES_PER_S: u64 = 1 << 20;
    pub const READS_PER_S: u64 = 5;
    pub const READ_BYTES_PER_S: u64 = 2 << 20;
    /// The most that one reading gives.
    pub const BATCH_BYTES: u64 = 10 << 20;
    /// What a record of collected orders holds at most: one payload unit as it is charged.
    pub const COLLECTED_BYTES: u64 = 25 * 1024;
    /// The least pause of one poller that has a shard to itself.
    pub const POLL: Time = 200 * MS;
    /// From the write to a consumer with fan-out, as the service's documentation states it.
    pub const FAN_OUT: Time = 70 * MS;
    /// A write's answer (the system's contract: about 10 ms).
    pub const PUT: Time = 10 * MS;
    /// From the engine to the user's connection (the contract: about 5 ms).
    pub const NOTIFY: Time = 5 * MS;
}

/// Measured on 2 virtual cores (README, and below where it is said).
pub mod ours {
    use crate::Time;

    /// Orders end to end on one box, each locked, synced, matched and settled.
    pub const BOX_ORDERS_PER_S: u64 = 5_150;
    pub const BOX_PROCESSORS: u64 = 2;
    /// All the processor time of one of them, that of the clients that sent them included: an upper bound for gateway and
    /// functions.
    pub const ORDER_COST: Time = BOX_PROCESSORS * 1_000_000 / BOX_ORDERS_PER_S;
    /// One command in the core: 39.5 ns.
    pub const CORE_NS: u64 = 40;
    /// Taken for the engine's whole work on an order, its outputs encoded: fifty times the core's. Assumed.
    pub const ENGINE_COST: Time = 2;
}

/// The streamer's rounds, and what a push costs.
pub mod streamer {
    use crate::{MS, Time};

    pub const FAST_ROUND: Time = 50 * MS;
    /// Anonymous users are served every so many fast rounds.
    pub const SLOW_ROUNDS: u64 = 10;
    /// Messages of a symbol that has changed, to who watches it: depth, ticker, candle, trade.
    pub const MESSAGES: u64 = 4;
    /// Measured with 3,000 sockets at `supernoba up --demo`, on two busy cores: 3.5 s of processor time more in 15 s than without them,
    /// for 340,454 pushes of 33 MB in all; 78 KB of memory a socket.
    pub const PUSH_NS: u64 = 10_300;
    pub const PUSH_BYTES: u64 = 97;
    pub const CONNECTION_BYTES: u64 = 80 * 1024;
}

/// What the users do. All assumed.
pub mod users {
    /// Each connected user sends an order so often, on average over trading hours.
    pub const ORDER_EVERY_S: u64 = 120;
    /// The busiest seconds, as a multiple of the mean.
    pub const PEAK: u64 = 3;
    /// Logged-in users among the connected, in hundredths.
    pub const FAST_PERCENT: u64 = 30;
    pub const TRADING_S_PER_MONTH: u64 = 21 * 6 * 3_600 + 21 * 1_800;
    pub const HOURS_PER_MONTH: u64 = 730;
    /// The bytes of an order on the stream, with UUIDs for names.
    pub const ORDER_BYTES: u64 = 260;
    /// Records of the fills stream for an order: its acceptance, and a fill or its end.
    pub const EVENTS_PER_ORDER: u64 = 2;
    pub const EVENT_BYTES: u64 = 300;
    /// Writes of the orders table for an order: the row, its reminder there and gone, three changes.
    pub const WRITES_PER_ORDER: u64 = 6;
    /// Transactions of the wallets for an order: lock, and settlement or release.
    pub const WALLET_CALLS_PER_ORDER: u64 = 2;
}

/// What a node may be filled to at the peak, in hundredths: the rest is for the loss of one of several and for what was guessed wrong.
pub const FILL_PERCENT: u64 = 60;
/// The same of a shard.
pub const SHARD_FILL_PERCENT: u64 = 70;
/// Shards of one engine: what a take-over moves at once.
pub const SHARDS_PER_ENGINE: u64 = 16;
/// Transactions a second of one wallet database. Assumed; not measured.
pub const WALLET_CALLS_PER_DATABASE: u64 = 10_000;

/// The node of the arithmetic: c7g.xlarge.
pub mod node {
    pub const PROCESSORS: u64 = 4;
    pub const MEMORY_BYTES: u64 = 8 << 30;
    /// The network that it has for as long as one likes, bytes a second: 1.876 Gbit/s.
    pub const NETWORK_BYTES_PER_S: u64 = 234_500_000;
}

/// Billionths of a dollar. On demand, in us-east-1, without discounts and free tiers, as public pages stated them on the day below;
/// ap-northeast-2 is dearer by about a tenth to a quarter.
pub mod prices {
    pub const AS_OF: &str = "2026-11-26";
    pub const REGION: &str = "us-east-1";

    pub const SHARD_HOUR: u64 = 15_000_000;
    /// For each record of up to 25 KB.
    pub const PAYLOAD_UNIT: u64 = 14;
    pub const FAN_OUT_SHARD_HOUR: u64 = 15_000_000;
    pub const FAN_OUT_GB: u64 = 13_000_000;
    pub const TABLE_WRITE: u64 = 625;
    /// c7g.xlarge.
    pub const NODE_HOUR: u64 = 145_000_000;
    /// cache.r7g.large with Valkey.
    pub const CACHE_NODE_HOUR: u64 = 175_200_000;
    /// db.r7g.xlarge with PostgreSQL, in two zones.
    pub const DATABASE_HOUR: u64 = 956_000_000;
    /// A network load balancer, and each gigabyte through it.
    pub const BALANCER_HOUR: u64 = 22_500_000;
    pub const BALANCER_GB: u64 = 6_000_000;
    /// Out to the internet: up to so many gigabytes a month, each.
    pub const OUT_GB: [(u64, u64); 4] =
        [(10_000, 90_000_000), (50_000, 85_000_000), (150_000, 70_000_000), (u64::MAX, 50_000_000)];
    /// API Gateway: a REST request; a message of a WebSocket, in or out; a connection's minute.
    pub const REST_REQUEST: u64 = 3_500;
    pub const SOCKET_MESSAGE: u64 = 1_000;
    pub const SOCKET_MINUTE: u64 = 250;
    /// Lambda: a call; a gigabyte-second.
    pub const CALL: u64 = 200;
    pub const GB_SECOND: u64 = 16_667;
    /// Of a call of order-router: 256 MB for 40 ms, nearly all of it waiting. Assumed.
    pub const CALL_GB_US: u64 = 10_000;
}

const _: () = assert!(
    kinesis::COLLECTED_BYTES > users::ORDER_BYTES && kinesis::POLL * kinesis::READS_PER_S >= crate::SECOND
);
const _: () = assert!(FILL_PERCENT <= 100 && SHARD_FILL_PERCENT <= 100 && users::FAST_PERCENT <= 100);
