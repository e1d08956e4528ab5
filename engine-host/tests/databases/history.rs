//! The trade history: the suites of SQL, fills by user, dead letters, partitions, and a login that is changed meanwhile.

use crate::conformance::{host, sql};
use crate::servers::{self, Server};
use async_trait::async_trait;
use edge_fns::capability::sql::Value;
use edge_fns::capability::{Error, Result, Sql};
use engine_host::backends::postgres::{Credentials, Login, Options, Postgres};
use engine_host::backends::records::{History, Letters};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn options(server: &Server) -> Options {
    Options { tls: false, ..Options::new("127.0.0.1", server.port, "postgres") }
}

fn login(password: &str) -> Login {
    Login { username: "postgres".into(), password: password.into() }
}

#[tokio::test]
async fn what_is_written_and_read() {
    let Some(server) = servers::postgres() else { return };
    let history = Postgres::open(options(&server), Arc::new(login("postgres"))).await.unwrap();
    // What is there stays.
    let again = Postgres::open(options(&server), Arc::new(login("postgres"))).await.unwrap();
    sql::suite(&history).await;
    sql::trade_history(&again).await;
    assert_eq!(history.dead_letters().await.unwrap(), 0);
    host::dead_letters(&history).await;
    assert_eq!(history.dead_letters().await.unwrap(), 2);
    assert_eq!(history.newest_dead_letters(1).await.unwrap().len(), 1);
    let info = history.server().await.unwrap();
    assert!(info.writable && info.migrations.0 == info.migrations.1, "{info:?}");
    assert!(info.version.starts_with("18."), "{info:?}");
}

/// A fill of years ago, and one of years to come, find their partitions.
#[tokio::test]
async fn partitions_are_made_on_demand() {
    let Some(server) = servers::postgres() else { return };
    let history = Postgres::open(options(&server), Arc::new(login("postgres"))).await.unwrap();
    let row = |seq: i64, time: u64| {
        let mut row = sql::trade("AAA", seq, time);
        (row[7], row[9]) = (Value::Text("u1".into()), Value::Text("u2".into()));
        row
    };
    let times = [0, 946_684_800_000, 1_765_894_800_000, 4_102_444_800_000];
    let rows: Vec<_> = times.iter().enumerate().map(|(n, time)| row(n as i64 + 1, *time)).collect();
    assert_eq!(history.execute("insert_trade", rows.clone()).await.unwrap(), 4);
    assert_eq!(history.execute("insert_trade", rows).await.unwrap(), 0, "once each");
    let fills = history.fills("u1", None, None, 10).await.unwrap();
    let mut found: Vec<u64> = fills.iter().map(|fill| u64::try_from(fill.t).unwrap()).collect();
    found.reverse();
    assert_eq!(found, times);
}

/// Gives an old password first, as a secret that was rotated since.
struct Rotated(AtomicUsize);

#[async_trait]
impl Credentials for Rotated {
    async fn login(&self, refused: Option<&Login>) -> Result<Login> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(login(if refused.is_some() { "postgres" } else { "old" }))
    }
}

#[tokio::test]
async fn a_login_that_was_changed_is_asked_for_again() {
    let Some(server) = servers::postgres() else { return };
    let rotated = Arc::new(Rotated(AtomicUsize::new(0)));
    let history = Postgres::open(options(&server), rotated.clone()).await.unwrap();
    assert!(history.server().await.is_ok());
    assert!(rotated.0.load(Ordering::Relaxed) >= 2);
    let wrong = Postgres::open(options(&server), Arc::new(login("wrong"))).await;
    assert!(matches!(wrong, Err(Error::Denied(_))));
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back() {
    let Some(mut server) = servers::postgres() else { return };
    let history = Postgres::open(options(&server), Arc::new(login("postgres"))).await.unwrap();
    assert_eq!(history.execute("insert_trade", vec![sql::trade("AAA", 1, 1000)]).await.unwrap(), 1);
    server.kill();
    let down = history.execute("insert_trade", vec![sql::trade("AAA", 2, 1000)]).await;
    assert!(matches!(down, Err(Error::Unavailable(_) | Error::Timeout)), "{down:?}");
    server.restart();
    let mut tries = 0;
    loop {
        tries += 1;
        match history
            .execute("insert_trade", vec![sql::trade("AAA", 1, 1000), sql::trade("AAA", 3, 1000)])
            .await
        {
            Ok(count) => break assert_eq!(count, 1, "the first is there"),
            Err(error) => assert!(tries < 200, "{error}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
