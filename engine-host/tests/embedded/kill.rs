//! What was answered survives `kill -9`, at whatever moment it comes.
//!
//! A child process (this test binary again, told by its environment what to do) writes and prints the number of every
//! write once it has been answered. The parent kills it in the middle, opens what it left, and finds every printed write,
//! in order, once. Writes that were under way may or may not be there, but wholly.

use crate::conformance::host::read_all;
use crate::support::block_on;
use edge_fns::capability::cache::{Command as CacheCommand, Reply};
use edge_fns::capability::streams::Message;
use edge_fns::capability::wallet::{Asset, Movement};
use edge_fns::capability::{Cache, LogStreams, Wallet};
use engine_host::backends::embedded::append_file::AppendFile;
use engine_host::backends::embedded::cache::EmbeddedCache;
use engine_host::backends::embedded::store::Store;
use engine_host::backends::embedded::streams::EmbeddedStreams;
use engine_host::backends::{Checkpoints, Log, Snapshots};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::tempdir;

const WHAT: &str = "SUPERNOBA_KILL_TEST";
const FOLDER: &str = "SUPERNOBA_KILL_FOLDER";
const FROM: &str = "SUPERNOBA_KILL_FROM";
const ORDERS: &str = "supernoba-orders";

/// Acknowledged writes after which the child is killed; the next child goes on in the same folder.
const POINTS: [u64; 5] = [1, 2, 30, 77, 150];

/// Not a test of its own: what the children do.
#[test]
fn child() {
    let Ok(what) = std::env::var(WHAT) else { return };
    let folder = std::env::var(FOLDER).unwrap();
    let from: u64 = std::env::var(FROM).unwrap().parse().unwrap();
    let folder = Path::new(&folder);
    block_on(async {
        match &*what {
            "streams" => write_streams(folder, from).await,
            "cache" => write_cache(folder, from).await,
            "store" => write_store(folder, from).await,
            "full" => write_until_full(folder),
            other => panic!("{other}?"),
        }
    });
}

fn acknowledge(number: u64) {
    println!("written {number}");
}

/// Runs a child from this number on until it has acknowledged so many writes, kills it, and answers the last number that
/// it acknowledged.
fn run_and_kill(what: &str, folder: &Path, from: u64, count: u64) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
        .env(WHAT, what)
        .env(FOLDER, folder)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut last = from - 1;
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines {
        // What the test harness prints is not ours; a last line that was cut off is no acknowledgement.
        let line = line.unwrap();
        let Some((_, number)) = line.split_once("written ") else { continue };
        last = last.max(number.parse().unwrap());
        if last + 1 == from + count {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "it was killed, it did not end");
    assert!(last + 1 >= from + count);
    last
}

fn body(number: u64) -> Vec<u8> {
    format!("{number} {}", "x".repeat(number as usize % 300)).into_bytes()
}

/// Batches of three, so that a kill may fall within one; checkpoints and a blob behind them.
async fn write_streams(folder: &Path, from: u64) {
    let log = EmbeddedStreams::open(folder).unwrap();
    for number in from.. {
        let message = |part: u64| Message { partition: format!("P{part}"), body: body(number) };
        for answer in log.append(ORDERS, (0..3).map(message).collect()).await.unwrap() {
            answer.unwrap();
        }
        log.set("reader", ORDERS, 0, number).await.unwrap();
        if number.is_multiple_of(10) {
            log.put("snapshot", number.to_string().into_bytes()).await.unwrap();
        }
        acknowledge(number);
    }
}

#[test]
fn the_log_keeps_what_it_acknowledged() {
    let folder = tempdir().unwrap();
    let mut from = 1;
    for count in POINTS {
        let last = run_and_kill("streams", folder.path(), from, count);
        block_on(async {
            let log = EmbeddedStreams::open(folder.path()).unwrap();
            let mut written = 0;
            for part in 0..3 {
                let mut found = Vec::new();
                for shard in 0..log.shards(ORDERS).unwrap() {
                    let records = read_all(&log, ORDERS, shard, 100).await.into_iter();
                    found.extend(
                        records
                            .filter(|record| record.partition == format!("P{part}"))
                            .map(|record| record.body),
                    );
                }
                // Every acknowledged one, in order, once; perhaps one more.
                let expected: Vec<_> = (1..=found.len() as u64).map(body).collect();
                assert_eq!(found, expected, "after {last}");
                assert!(
                    found.len() as u64 >= last && found.len() as u64 <= last + 2,
                    "{} after {last}",
                    found.len()
                );
                assert!(part == 0 || found.len() == written, "a batch is there wholly or not at all");
                written = found.len();
            }
            let checkpoint = Checkpoints::get(&log, "reader", ORDERS, 0).await.unwrap();
            assert!((last..=written as u64).contains(&checkpoint), "{checkpoint} after {last}");
            let blob = Snapshots::get(&log, "snapshot").await.unwrap();
            let blob: u64 = blob.map_or(0, |bytes| String::from_utf8(bytes).unwrap().parse().unwrap());
            assert!(
                blob.is_multiple_of(10) && blob + 10 > last && blob <= written as u64,
                "{blob} after {last}"
            );
            from = written as u64 + 1;
        });
    }
}

async fn write_cache(folder: &Path, from: u64) {
    let cache = EmbeddedCache::open(&folder.join("cache.log")).unwrap();
    for number in from.. {
        let commands = vec![
            CacheCommand::Lpush("candle:closed:1m:A".into(), vec![body(number)]),
            CacheCommand::Sadd("active:symbols".into(), vec![number.to_string().into_bytes()]),
            CacheCommand::Sadd("user:u:connections".into(), vec![number.to_string().into_bytes()]),
        ];
        cache.run_atomic(commands).await.unwrap();
        acknowledge(number);
    }
}

#[test]
fn the_cache_keeps_its_durable_keys() {
    let folder = tempdir().unwrap();
    let mut from = 1;
    for count in POINTS {
        let last = run_and_kill("cache", folder.path(), from, count);
        block_on(async {
            let cache = EmbeddedCache::open(&folder.path().join("cache.log")).unwrap();
            let reads = vec![
                CacheCommand::Lrange("candle:closed:1m:A".into(), 0, -1),
                CacheCommand::Smembers("active:symbols".into()),
                CacheCommand::Smembers("user:u:connections".into()),
            ];
            let replies = cache.run(reads).await.unwrap().into_iter().map(|reply| match reply.unwrap() {
                Reply::Values(values) => values.into_iter().flatten().collect(),
                other => panic!("{other:?}"),
            });
            let [mut list, set, connections]: [Vec<Vec<u8>>; 3] =
                replies.collect::<Vec<_>>().try_into().unwrap();
            list.reverse();
            let written = list.len() as u64;
            assert_eq!(list, (1..=written).map(body).collect::<Vec<_>>(), "after {last}");
            assert!(written >= last);
            assert_eq!(set.len() as u64, written, "a call is there wholly or not at all");
            assert_eq!(connections.len(), 0, "connections die with their process");
            from = written + 1;
        });
    }
}

async fn write_store(folder: &Path, from: u64) {
    let store = Store::open(&folder.join("exchange.db")).unwrap();
    for number in from.. {
        let (user, hold) = (|| "ann".to_string(), || format!("h{number}"));
        let movements = vec![
            Movement::Deposit { id: number.to_string(), user: user(), asset: Asset::Cash, amount: 3 },
            Movement::Reserve { hold: hold(), user: user(), asset: Asset::Cash, amount: 2 },
        ];
        for posted in store.post(movements).await.unwrap() {
            posted.unwrap();
        }
        acknowledge(number);
    }
}

#[test]
fn the_wallets_keep_every_movement() {
    let folder = tempdir().unwrap();
    let mut from = 1;
    for count in POINTS {
        let last = run_and_kill("store", folder.path(), from, count);
        block_on(async {
            let store = Store::open(&folder.path().join("exchange.db")).unwrap();
            assert_eq!(store.verify().await.unwrap(), [""; 0]);
            let balances = store.balances("ann").await.unwrap();
            let written = balances[0].available;
            assert_eq!(balances[0].locked, 2 * written, "a call is there wholly or not at all");
            assert!(written >= last);
            from = written + 1;
        });
    }
}

/// Writes frames until there is no room for one, then, with room again, some more; says which were written.
fn write_until_full(folder: &Path) {
    let mut file = AppendFile::open(&folder.join("frames"), |_| {}).unwrap();
    let mut number = 1;
    while file.append(&body(number)).is_ok() {
        acknowledge(number);
        number += 1;
    }
    let (pid, room) = (std::process::id().to_string(), "--fsize=unlimited:unlimited");
    assert!(Command::new("prlimit").args(["--pid", &pid, room]).status().unwrap().success());
    for number in number + 1..number + 20 {
        file.append(&body(number)).unwrap();
        acknowledge(number);
    }
}

/// A frame that found no room is not there, and costs none of those before and after it.
#[test]
fn a_full_disk_costs_only_what_found_no_room() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        println!("skipped: there is no prlimit to give the child its room back");
        return;
    }
    let folder = tempdir().unwrap();
    // The signal that the limit sends by default is ignored, so that the write fails as on a full disk.
    let script =
        r#"trap '' XFSZ; ulimit -S -f 20; exec "$0" --exact kill::child --nocapture --test-threads=1"#;
    let child = Command::new("sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .env(WHAT, "full")
        .env(FOLDER, folder.path())
        .env(FROM, "1")
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let printed = String::from_utf8(child.stdout).unwrap();
    let numbers = printed.lines().filter_map(|line| line.split_once("written ")?.1.parse().ok());
    let expected: Vec<Vec<u8>> = numbers.map(body).collect();
    let mut found = Vec::new();
    AppendFile::open(&folder.path().join("frames"), |frame| found.push(frame.to_vec())).unwrap();
    assert_eq!(found, expected);
    assert!(
        found.len() > 30 && !found.contains(&body(found.len() as u64 - 18)),
        "one in the middle found no room"
    );
}
