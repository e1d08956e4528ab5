//! Named statements: what functions may ask of the trade history, and nothing else.

use super::time::Instant;
use super::{Postgres, failure};
use async_trait::async_trait;
use edge_fns::capability::sql::{Rows, Value};
use edge_fns::capability::{Error, Result, Sql};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};

const TRADES: &str = "
    SELECT fill_id, symbol, seq, executed_at, price, quantity, taker FROM trade_history
    WHERE symbol = $1 ORDER BY executed_at DESC, seq DESC LIMIT $2";

/// All rows in one statement. A fill that is there already stays as it is.
const INSERT_TRADE: &str = "
    INSERT INTO trade_history (fill_id, symbol, seq, executed_at, price, quantity,
                               buyer_order, buyer_user, seller_order, seller_user, taker)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int8[], $4::timestamptz[], $5::int8[], $6::int8[],
                         $7::text[], $8::text[], $9::text[], $10::text[], $11::text[])
    ON CONFLICT DO NOTHING";
/// The kinds of its columns: text, integer, time.
const INSERT_TRADE_COLUMNS: &[u8; 11] = b"ttiniittttt";
/// Rows in one statement at most.
const ROWS: usize = 5000;

#[async_trait]
impl Sql for Postgres {
    async fn query(&self, statement: &str, params: Vec<Value>) -> Result<Rows> {
        if statement != "trades" {
            return Err(Error::Denied(format!("there is no statement {statement:?}")));
        }
        let [Value::Text(symbol), Value::Integer(limit)] = &params[..] else {
            return Err(Error::Invalid("trades takes a symbol and a number of rows".into()));
        };
        let client = self.lease().await?;
        let prepared = client.prepare(TRADES).await.map_err(failure)?;
        let columns = prepared.columns().iter().map(|column| column.name().to_string()).collect();
        let rows = client.query(&prepared, &[symbol, limit]).await.map_err(failure)?;
        let rows = rows.iter().map(|row| (0..row.len()).map(|n| value(row, n)).collect()).collect();
        Ok(Rows { columns, rows })
    }

    async fn execute(&self, statement: &str, params: Vec<Vec<Value>>) -> Result<u64> {
        if statement != "insert_trade" {
            return Err(Error::Denied(format!("there is no statement {statement:?}")));
        }
        let columns = Columns::of(params)?;
        if columns.rows == 0 {
            return Ok(0);
        }
        match self.insert(&columns).await {
            // There is no partition for one of the rows yet.
            Err(error) if error.code() == Some(&SqlState::CHECK_VIOLATION) => {
                self.make_partitions_of(&columns.times).await?;
                self.insert(&columns).await.map_err(Error::from)
            }
            answered => answered.map_err(Error::from),
        }
    }
}

impl Postgres {
    async fn insert(&self, columns: &Columns) -> std::result::Result<u64, InsertError> {
        let mut client = self.lease().await.map_err(InsertError::NoConnection)?;
        let transaction = client.transaction().await?;
        let mut affected = 0;
        for from in (0..columns.rows).step_by(ROWS) {
            let range = from..columns.rows.min(from + ROWS);
            let (mut texts, mut integers) = (columns.texts.iter(), columns.integers.iter());
            // Kept while the statement refers to them.
            let parts: Vec<Part<'_>> = INSERT_TRADE_COLUMNS
                .iter()
                .filter_map(|kind| match kind {
                    b't' => texts.next().map(|column| Part::Texts(&column[range.clone()])),
                    b'n' => Some(Part::Times(&columns.times[range.clone()])),
                    _ => integers.next().map(|column| Part::Integers(&column[range.clone()])),
                })
                .collect();
            let parts: Vec<&(dyn ToSql + Sync)> = parts
                .iter()
                .map(|part| -> &(dyn ToSql + Sync) {
                    match part {
                        Part::Texts(column) => column,
                        Part::Integers(column) => column,
                        Part::Times(column) => column,
                    }
                })
                .collect();
            affected += transaction.execute(INSERT_TRADE, &parts).await?;
        }
        transaction.commit().await?;
        Ok(affected)
    }
}

enum InsertError {
    NoConnection(Error),
    Refused(tokio_postgres::Error),
}

impl InsertError {
    fn code(&self) -> Option<&SqlState> {
        match self {
            InsertError::Refused(error) => error.code(),
            InsertError::NoConnection(_) => None,
        }
    }
}

impl From<tokio_postgres::Error> for InsertError {
    fn from(error: tokio_postgres::Error) -> InsertError {
        InsertError::Refused(error)
    }
}

impl From<InsertError> for Error {
    fn from(error: InsertError) -> Error {
        match error {
            InsertError::NoConnection(error) => error,
            InsertError::Refused(error) => failure(error),
        }
    }
}

enum Part<'a> {
    Texts(&'a [String]),
    Integers(&'a [i64]),
    Times(&'a [Instant]),
}

/// The rows, column by column.
struct Columns {
    rows: usize,
    texts: Vec<Vec<String>>,
    integers: Vec<Vec<i64>>,
    times: Vec<Instant>,
}

impl Columns {
    fn of(rows: Vec<Vec<Value>>) -> Result<Columns> {
        let count = |kind: u8| INSERT_TRADE_COLUMNS.iter().filter(|of| **of == kind).count();
        let mut columns = Columns {
            rows: rows.len(),
            texts: vec![Vec::with_capacity(rows.len()); count(b't')],
            integers: vec![Vec::with_capacity(rows.len()); count(b'i')],
            times: Vec::with_capacity(rows.len()),
        };
        for row in rows {
            if row.len() != INSERT_TRADE_COLUMNS.len() {
                let wanted = INSERT_TRADE_COLUMNS.len();
                return Err(Error::Invalid(format!("insert_trade takes {wanted} values a row")));
            }
            let (mut texts, mut integers) = (columns.texts.iter_mut(), columns.integers.iter_mut());
            for (place, (value, kind)) in row.into_iter().zip(INSERT_TRADE_COLUMNS).enumerate() {
                match (kind, value) {
                    (b't', Value::Text(text)) => {
                        if let Some(column) = texts.next() {
                            column.push(text);
                        }
                    }
                    (b'i', Value::Integer(number)) => {
                        if let Some(column) = integers.next() {
                            column.push(number);
                        }
                    }
                    (b'n', Value::Instant(ms)) => columns.times.push(Instant(ms)),
                    (_, value) => {
                        return Err(Error::Invalid(format!(
                            "insert_trade: value {} is {value:?}",
                            place + 1
                        )));
                    }
                }
            }
        }
        Ok(columns)
    }
}

/// A column in the capability's form: times are numbers, as the embedded store has them.
fn value(row: &tokio_postgres::Row, n: usize) -> Value {
    match *row.columns()[n].type_() {
        Type::INT8 => row.get::<_, Option<i64>>(n).map_or(Value::Null, Value::Integer),
        Type::TIMESTAMPTZ => {
            row.get::<_, Option<Instant>>(n).map_or(Value::Null, |time| Value::Integer(time.0 as i64))
        }
        _ => row.get::<_, Option<String>>(n).map_or(Value::Null, Value::Text),
    }
}
