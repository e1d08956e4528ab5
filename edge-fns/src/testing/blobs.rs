//! The blob store, in memory.

use super::Memory;
use crate::capability::blobs::{Entry, Object, Outcome, Page, Query, Read, Write, check_key};
use crate::capability::{Blobs, Result};
use async_trait::async_trait;

#[async_trait]
impl Blobs for Memory {
    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Result<Outcome>>> {
        self.call(|state| {
            let now = state.now;
            let put = |write: Write| {
                check_key(&write.key)?;
                let there = state.blobs.get(&write.key).map(|(body, _)| etag(body));
                if !write.condition.holds(there.as_deref()) {
                    return Ok(Outcome::Lost(there));
                }
                let written = etag(&write.body);
                state.blobs.insert(write.key, (write.body, now));
                Ok(Outcome::Written(written))
            };
            Ok(writes.into_iter().map(put).collect())
        })
    }

    async fn get(&self, reads: Vec<Read>) -> Result<Vec<Result<Option<Object>>>> {
        self.call(|state| {
            let get = |Read { key, range }: Read| {
                check_key(&key)?;
                Ok(state.blobs.get(&key).map(|(body, _)| {
                    let size = body.len() as u64;
                    let part = range.map_or(0..size, |range| range.within(size));
                    let part = body[part.start as usize..part.end as usize].to_vec();
                    Object { etag: etag(body), size, body: part }
                }))
            };
            Ok(reads.into_iter().map(get).collect())
        })
    }

    async fn search(&self, query: Query) -> Result<Page> {
        self.call(|state| {
            let past = |key: &String| query.cursor.as_ref().is_none_or(|cursor| key > cursor);
            let mut found = state.blobs.iter().filter(|(key, _)| key.starts_with(&query.prefix) && past(key));
            let entry = |(key, (body, modified)): (&String, &(Vec<u8>, u64))| Entry {
                key: key.clone(),
                etag: etag(body),
                size: body.len() as u64,
                modified: *modified,
            };
            let entries: Vec<Entry> = found.by_ref().take(query.limit.max(1) as usize).map(entry).collect();
            let more = found.next().is_some();
            let cursor = entries.last().filter(|_| more).map(|entry| entry.key.clone());
            Ok(Page { entries, cursor })
        })
    }

    async fn delete(&self, keys: Vec<String>) -> Result<Vec<Result<()>>> {
        self.call(|state| {
            let delete = |key: String| {
                check_key(&key)?;
                state.blobs.remove(&key);
                Ok(())
            };
            Ok(keys.into_iter().map(delete).collect())
        })
    }
}

/// FNV-1a over 128 bits and the length: no content that a test writes meets another's.
fn etag(body: &[u8]) -> String {
    let hash = body.iter().fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128, |hash, byte| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b)
    });
    format!("{hash:032x}-{}", body.len())
}
