//! Versioned documents with conditional writes.

use super::{Store, broken};
use async_trait::async_trait;
use edge_fns::capability::documents::{Entry, Expect, Id, Outcome, Page, Query, Write};
use edge_fns::capability::{Documents, Error, Result};
use rusqlite::{Connection, OptionalExtension};

/// Entries of one page at most, whatever the query asks for.
const PAGE: u32 = 1000;

#[async_trait]
impl Documents for Store {
    async fn get(&self, ids: Vec<Id>) -> Result<Vec<Option<Entry>>> {
        self.read(move |connection| {
            ids.iter().map(|id| stored(connection, id)).collect::<rusqlite::Result<_>>().map_err(broken)
        })
        .await
    }

    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        self.write(move |connection| {
            let put = |write: &Write| match refused(connection, write)? {
                Some(stale) => Ok(stale),
                None => apply(connection, write),
            };
            writes.iter().map(put).collect()
        })
        .await
    }

    async fn put_all(&self, writes: Vec<Write>) -> Result<Outcome> {
        if writes.is_empty() {
            return Err(Error::Invalid("nothing to write".into()));
        }
        self.write(move |connection| {
            for write in &writes {
                if let Some(stale) = refused(connection, write)? {
                    return Ok(stale);
                }
            }
            let mut outcome = Outcome::Written(0);
            for write in &writes {
                outcome = apply(connection, write)?;
            }
            Ok(outcome)
        })
        .await
    }

    async fn search(&self, query: Query) -> Result<Page> {
        self.read(move |connection| search(connection, &query).map_err(broken)).await
    }
}

fn stored(connection: &Connection, id: &Id) -> rusqlite::Result<Option<Entry>> {
    connection
        .prepare_cached("SELECT version, body FROM documents WHERE tbl = ?1 AND part = ?2 AND sort = ?3")?
        .query_row((&id.table, &id.partition, &id.sort), |row| {
            Ok(Entry { id: id.clone(), version: row.get::<_, i64>(0)? as u64, body: row.get(1)? })
        })
        .optional()
}

/// What stands in the way of a write, if anything does.
fn refused(connection: &Connection, write: &Write) -> rusqlite::Result<Option<Outcome>> {
    let now = match write.expect {
        Expect::Anything => return Ok(None),
        Expect::Absent | Expect::Version(_) => stored(connection, &write.id)?,
    };
    let as_expected = match write.expect {
        Expect::Version(version) => now.as_ref().is_some_and(|entry| entry.version == version),
        Expect::Absent | Expect::Anything => now.is_none(),
    };
    Ok((!as_expected).then_some(Outcome::Stale(now)))
}

fn apply(connection: &Connection, write: &Write) -> rusqlite::Result<Outcome> {
    let Id { table, partition, sort } = &write.id;
    match &write.body {
        Some(body) => {
            let version: i64 = connection
                .prepare_cached(
                    "INSERT INTO documents (tbl, part, sort, version, body) VALUES (?1, ?2, ?3, 1, ?4)
                     ON CONFLICT DO UPDATE SET version = version + 1, body = excluded.body RETURNING version",
                )?
                .query_row((table, partition, sort, body), |row| row.get(0))?;
            Ok(Outcome::Written(version as u64))
        }
        None => {
            connection
                .prepare_cached("DELETE FROM documents WHERE tbl = ?1 AND part = ?2 AND sort = ?3")?
                .execute((table, partition, sort))?;
            Ok(Outcome::Written(0))
        }
    }
}

fn search(connection: &Connection, query: &Query) -> rusqlite::Result<Page> {
    let limit = query.limit.clamp(1, PAGE);
    // The cursor is the last sort key of the page before; the text compares bytewise, as the sort keys do.
    let (order, past) = if query.descending { ("DESC", "<") } else { ("ASC", ">") };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT sort, version, body FROM documents
         WHERE tbl = ?1 AND part = ?2 AND (?3 IS NULL OR sort >= ?3) AND (?4 IS NULL OR sort <= ?4)
           AND (?5 IS NULL OR sort {past} ?5)
         ORDER BY sort {order} LIMIT ?6"
    ))?;
    let params = (&query.table, &query.partition, &query.lower, &query.upper, &query.cursor, limit + 1);
    let entry = |row: &rusqlite::Row<'_>| {
        let id = Id { table: query.table.clone(), partition: query.partition.clone(), sort: row.get(0)? };
        Ok(Entry { id, version: row.get::<_, i64>(1)? as u64, body: row.get(2)? })
    };
    let mut entries = statement.query_map(params, entry)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let cursor = if more { entries.last().map(|entry| entry.id.sort.clone()) } else { None };
    Ok(Page { entries, cursor })
}
