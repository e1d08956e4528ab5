//! Named statements: what functions may ask of the trade history, and nothing else.

use super::{Store, broken};
use async_trait::async_trait;
use edge_fns::capability::sql::{Rows, Value};
use edge_fns::capability::{Error, Result, Sql};
use rusqlite::types::{ToSqlOutput, Value as Column, ValueRef};

/// Statements that read, with their text.
const QUERIES: [(&str, &str); 1] = [(
    "trades",
    "SELECT fill_id, symbol, seq, executed_at, price, quantity, taker FROM trade_history
     WHERE symbol = ?1 ORDER BY executed_at DESC, seq DESC LIMIT ?2",
)];

/// Statements that write. A fill that is there already stays as it is.
const COMMANDS: [(&str, &str); 1] = [(
    "insert_trade",
    "INSERT INTO trade_history (fill_id, symbol, seq, executed_at, price, quantity,
                                buyer_order, buyer_user, seller_order, seller_user, taker)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING",
)];

#[async_trait]
impl Sql for Store {
    async fn query(&self, statement: &str, params: Vec<Value>) -> Result<Rows> {
        let text = text_of(&QUERIES, statement)?;
        let params = columns(params)?;
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(text).map_err(broken)?;
            let columns: Vec<String> = statement.column_names().map(String::from).collect();
            let width = columns.len();
            let row = |row: &rusqlite::Row<'_>| (0..width).map(|n| Ok(value(row.get_ref(n)?))).collect();
            let rows = statement.query_map(rusqlite::params_from_iter(params), row).map_err(refused)?;
            Ok(Rows { columns, rows: rows.collect::<rusqlite::Result<_>>().map_err(broken)? })
        })
        .await
    }

    async fn execute(&self, statement: &str, params: Vec<Vec<Value>>) -> Result<u64> {
        let text = text_of(&COMMANDS, statement)?;
        let wanted = text.matches('?').count();
        if params.iter().any(|row| row.len() != wanted) {
            return Err(Error::Invalid(format!("{statement} takes {wanted} values a row")));
        }
        // No column takes it; found here, it does not cost other callers of the same transaction their writes.
        if params.iter().flatten().any(|value| *value == Value::Null) {
            return Err(Error::Invalid(format!("{statement} takes no null")));
        }
        let rows = params.into_iter().map(columns).collect::<Result<Vec<_>>>()?;
        self.write(move |connection| {
            let mut statement = connection.prepare_cached(text)?;
            let mut affected = 0;
            for row in rows {
                affected += statement.execute(rusqlite::params_from_iter(row))? as u64;
            }
            Ok(affected)
        })
        .await
    }
}

fn text_of(statements: &[(&'static str, &'static str)], name: &str) -> Result<&'static str> {
    let found = statements.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| Error::Denied(format!("there is no statement {name:?}")))
}

fn columns(values: Vec<Value>) -> Result<Vec<ToSqlOutput<'static>>> {
    let column = |value: Value| {
        Ok(ToSqlOutput::Owned(match value {
            Value::Null => Column::Null,
            Value::Boolean(yes) => Column::Integer(yes.into()),
            Value::Integer(number) => Column::Integer(number),
            Value::Decimal(text) | Value::Text(text) => Column::Text(text),
            Value::Bytes(bytes) => Column::Blob(bytes),
            Value::Instant(ms) => Column::Integer(
                i64::try_from(ms).map_err(|_| Error::Invalid("an instant is out of range".into()))?,
            ),
        }))
    };
    values.into_iter().map(column).collect()
}

fn value(column: ValueRef<'_>) -> Value {
    match column {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Decimal(number.to_string()),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

/// The caller's values do not fit the statement.
fn refused(error: rusqlite::Error) -> Error {
    Error::Invalid(error.to_string())
}
