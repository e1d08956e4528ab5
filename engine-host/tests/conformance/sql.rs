//! What the named statements must do.

use edge_fns::capability::sql::Value;
use edge_fns::capability::{Error, Sql};

/// A row of `insert_trade`.
pub fn trade(symbol: &str, seq: i64, at: u64) -> Vec<Value> {
    let text = |text: &str| Value::Text(text.into());
    vec![
        Value::Text(format!("{symbol}-{seq}")),
        text(symbol),
        Value::Integer(seq),
        Value::Instant(at),
        Value::Integer(150),
        Value::Integer(10),
        text("o1"),
        text("u1"),
        text("o2"),
        text("u2"),
        text("BUY"),
    ]
}

/// The part that every implementation has: a trade is stored once.
pub async fn suite(sql: &dyn Sql) {
    let rows = vec![trade("CONF", 1, 1000), trade("CONF", 2, 1000), trade("CONF", 1, 1000)];
    assert_eq!(sql.execute("insert_trade", rows).await.unwrap(), 2);
    let rows = vec![trade("CONF", 2, 1000), trade("CONF", 3, 999)];
    assert_eq!(sql.execute("insert_trade", rows).await.unwrap(), 1, "what is there already stays");
    assert_eq!(sql.execute("insert_trade", Vec::new()).await.unwrap(), 0);
}

/// The part that needs a database: what was written is read, in order, and what does not fit is refused whole.
pub async fn trade_history(sql: &dyn Sql) {
    let rows = (1..=5).map(|n| trade("HIST", n, 2000 - (n as u64 % 2))).collect();
    assert_eq!(sql.execute("insert_trade", rows).await.unwrap(), 5);
    // The same fill, with other prices and users.
    let mut changed = trade("HIST", 1, 1999);
    for value in &mut changed[4..] {
        *value = match value {
            Value::Integer(_) => Value::Integer(7),
            _ => Value::Text("SELL".into()),
        };
    }
    assert_eq!(sql.execute("insert_trade", vec![changed]).await.unwrap(), 0);
    let numbers = async |symbol: &str, limit: i64| -> Vec<i64> {
        let rows =
            sql.query("trades", vec![Value::Text(symbol.into()), Value::Integer(limit)]).await.unwrap();
        let seq = rows.columns.iter().position(|column| column == "seq").unwrap();
        let number =
            |row: &Vec<Value>| if let Value::Integer(number) = row[seq] { number } else { panic!("{row:?}") };
        rows.rows.iter().map(number).collect()
    };
    assert_eq!(numbers("HIST", 100).await, [4, 2, 5, 3, 1], "newest first; the changed row changed nothing");
    assert_eq!(numbers("HIST", 2).await, [4, 2]);
    assert_eq!(numbers("NONE", 100).await, [0; 0]);

    // A row that cannot be stored is the caller's mistake, and takes the whole call with it.
    let too_short = trade("HIST", 7, 1)[..10].to_vec();
    let mut empty = trade("HIST", 8, 1);
    empty[1] = Value::Null;
    for bad in [too_short, empty] {
        let refused = sql.execute("insert_trade", vec![trade("HIST", 6, 1), bad]).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    assert_eq!(numbers("HIST", 100).await.len(), 5);
    assert!(matches!(sql.query("trades", Vec::new()).await, Err(Error::Invalid(_))));
    // Only the statements of the manifest, each for what it is.
    for name in ["DROP TABLE documents", "trades; DELETE FROM accounts", ""] {
        assert!(matches!(sql.query(name, Vec::new()).await, Err(Error::Denied(_))));
        assert!(matches!(sql.execute(name, Vec::new()).await, Err(Error::Denied(_))));
    }
    assert!(matches!(sql.execute("trades", Vec::new()).await, Err(Error::Denied(_))));
    assert!(matches!(sql.query("insert_trade", Vec::new()).await, Err(Error::Denied(_))));
}
