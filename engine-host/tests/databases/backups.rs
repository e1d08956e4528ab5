//! A day's trades and candles as Parquet: kept when they agree, proved, and put back.

use crate::conformance::sql;
use crate::servers;
use edge_fns::candle_store;
use edge_fns::capability::blobs::{Condition, Read, Write};
use edge_fns::capability::sql::Value;
use edge_fns::capability::{Blobs, Sql};
use edge_fns::testing::Memory;
use engine_core::candle::{Candle, Interval, SEOUL_DAY_OFFSET_S};
use engine_host::backends::postgres::{Login, Options, Postgres};
use engine_host::backup::{Backup, Day, Made};
use std::sync::Arc;

/// 2025-12-16 00:00 in Seoul.
const MIDNIGHT: u64 = 1_765_810_800;

async fn put(memory: &Memory, key: &str, body: Vec<u8>) {
    let write = Write { key: key.into(), condition: Condition::Anything, body };
    memory.put(vec![write]).await.unwrap().remove(0).unwrap();
}

async fn object(memory: &Memory, key: &str) -> Vec<u8> {
    Blobs::get(memory, vec![Read::whole(key)]).await.unwrap().remove(0).unwrap().unwrap().body
}

#[tokio::test]
async fn a_day_is_kept_proved_and_put_back() {
    let Some(server) = servers::postgres() else { return };
    let options = || Options { tls: false, ..Options::new("127.0.0.1", server.port, "postgres") };
    let login = || Arc::new(Login { username: "postgres".into(), password: "postgres".into() });
    let history = Postgres::open(options(), login()).await.unwrap();
    // A second before the day, all over the day, and a second behind it.
    let times = (0..2000u64).map(|n| MIDNIGHT * 1000 - 1000 + n * 43_222);
    let rows = |symbol: &'static str| {
        let trade = move |(n, time): (usize, u64)| {
            let mut row = sql::trade(symbol, n as i64 + 1, time);
            (row[4], row[5]) = (Value::Integer(100 + (n as i64 * 7) % 13), Value::Integer(1 + n as i64 % 5));
            row
        };
        times.clone().enumerate().map(trade).collect::<Vec<_>>()
    };
    for symbol in ["AAA", "BBB"] {
        assert_eq!(history.execute("insert_trade", rows(symbol)).await.unwrap(), 2000);
    }
    let memory = Arc::new(Memory::exchange(&["AAA", "BBB"]));
    let backup = Backup {
        history: history.clone(),
        documents: memory.clone(),
        blobs: memory.clone(),
        day_offset_s: SEOUL_DAY_OFFSET_S,
    };
    let day = Day::parse("2025-12-16").unwrap();
    assert_eq!(backup.traded(day).await.unwrap(), ["AAA", "BBB"]);
    assert_eq!(backup.traded(Day(day.0 + 5)).await.unwrap(), [""; 0]);

    // The candles as the exchange makes them.
    let mut candles: Vec<Candle> = Vec::new();
    for row in rows("AAA") {
        let [.., Value::Instant(time), Value::Integer(price), Value::Integer(quantity), _, _, _, _, _] =
            row[..]
        else {
            panic!("{row:?}")
        };
        let (minute, price, quantity) = (Interval::M1.bucket(time / 1000, 0), price as u64, quantity as u64);
        match candles.last_mut() {
            Some(last) if last.time == minute => last.add(price, quantity),
            _ => candles.push(Candle::first(minute, price, quantity)),
        }
    }
    let keep = async |symbol: &'static str, candles: &[Candle]| {
        let kept = candle_store::keep(
            memory.as_ref(),
            memory.as_ref(),
            symbol,
            Interval::M1,
            candles,
            SEOUL_DAY_OFFSET_S,
        );
        kept.await.unwrap();
    };
    keep("AAA", &candles).await;
    // Those of the other symbol lack one in the middle: it is not backed up.
    let (before, behind) = candles.split_at(700);
    keep("BBB", &[before, &behind[1..]].concat()).await;

    assert_eq!(backup.keep(day, "AAA").await.unwrap(), Made::Now);
    assert_eq!(backup.keep(day, "AAA").await.unwrap(), Made::Before);
    let refused = backup.keep(day, "BBB").await.unwrap_err();
    assert!(refused.to_string().contains("candles are not those of the trades"), "{refused:#}");
    assert_eq!(backup.kept(day).await.unwrap(), ["AAA"]);
    keep("BBB", &behind[..1]).await;
    assert_eq!(backup.keep(day, "BBB").await.unwrap(), Made::Now);

    let proved = backup.restore(day, "AAA", false).await.unwrap();
    assert_eq!((proved.manifest.trades, proved.inserted), (1999, 0));
    assert_eq!((proved.manifest.first_seq, proved.manifest.last_seq), (2, 2000));
    assert!(
        proved.manifest.trade_files[0]
            .key
            .starts_with("parquet/trades/symbol=AAA/day=2025-12-16/part-00000-")
    );
    assert!(backup.restore(Day(day.0 + 1), "AAA", false).await.is_err());

    // Everything of the exchange is gone but the backup.
    let other = servers::postgres().unwrap();
    let options = Options { tls: false, ..Options::new("127.0.0.1", other.port, "postgres") };
    let empty = Postgres::open(options, login()).await.unwrap();
    let blank = Arc::new(Memory::exchange(&[]));
    let new = Backup { history: empty.clone(), documents: blank.clone(), ..backup.clone() };
    assert_eq!(new.restore(day, "AAA", true).await.unwrap().inserted, 1999);
    assert_eq!(new.restore(day, "AAA", true).await.unwrap().inserted, 0, "what is there stays");
    let span = (MIDNIGHT * 1000, (MIDNIGHT + 86_400) * 1000);
    let [was, is] = [
        history.trades("AAA", span, None, 5000).await.unwrap(),
        empty.trades("AAA", span, None, 5000).await.unwrap(),
    ];
    assert_eq!((was.len(), was), (1999, is));
    let to = MIDNIGHT + 86_400;
    let found =
        candle_store::read(blank.as_ref(), "AAA", Interval::M1, MIDNIGHT, to, usize::MAX).await.unwrap();
    let expected: Vec<Candle> =
        candles.iter().filter(|candle| (MIDNIGHT..to).contains(&candle.time)).copied().collect();
    assert_eq!(found, expected);

    // A part that is damaged, or gone, is told.
    let key = &proved.manifest.trade_files[0].key;
    let whole = object(&memory, key).await;
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    put(&memory, key, damaged).await;
    let refused = backup.restore(day, "AAA", true).await.unwrap_err();
    assert!(refused.to_string().contains("is not what was written"), "{refused:#}");
    Blobs::delete(memory.as_ref(), vec![key.clone()]).await.unwrap();
    assert!(backup.restore(day, "AAA", true).await.unwrap_err().to_string().contains("is missing"));
    put(&memory, key, whole).await;
    backup.restore(day, "AAA", false).await.unwrap();
}
