//! Objects in an S3 bucket, with conditional writes; the engine's snapshots among them.

use super::failure::{code, failed, status};
use super::{Repeat, pause, repeated};
use crate::backends::Snapshots;
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::EncodingType;
use edge_fns::capability::blobs::{
    Condition, Entry, Object, Outcome, Page, Query, Range, Read, Write, check_key,
};
use edge_fns::capability::{Blobs, Error, Millis, Result};
use futures_util::{StreamExt, stream};
use std::collections::BTreeMap;

/// Calls at the same time.
const AT_ONCE: usize = 16;
/// Entries of one page at most: the service's own limit.
const PAGE: u32 = 1000;
/// How often a write is tried again that met another one on the same key.
const RACES: u32 = 8;

/// The objects of one bucket under one prefix.
#[derive(Clone, Debug)]
pub struct S3Blobs {
    client: Client,
    bucket: String,
    prefix: String,
}

impl S3Blobs {
    /// `path_style` names the bucket in the path, as servers other than AWS' want it.
    pub fn new(config: &SdkConfig, bucket: &str, prefix: &str, path_style: bool) -> S3Blobs {
        let config = Builder::from(config).force_path_style(path_style).build();
        S3Blobs { client: Client::from_conf(config), bucket: bucket.into(), prefix: prefix.into() }
    }

    /// Makes the bucket where it is missing.
    pub async fn create(&self) -> Result<()> {
        use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
        let region = self.client.config().region().map(|region| region.as_ref().to_owned());
        // Where S3 began, a place must not be named.
        let place = region.filter(|region| region != "us-east-1").map(|region| {
            let place = BucketLocationConstraint::from(region.as_str());
            CreateBucketConfiguration::builder().location_constraint(place).build()
        });
        let create = self.client.create_bucket().bucket(&self.bucket).set_create_bucket_configuration(place);
        match create.send().await {
            Ok(_) => Ok(()),
            Err(error) if code(&error) == Some("BucketAlreadyOwnedByYou") => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether the bucket is there and may be used.
    pub async fn check(&self) -> Result<()> {
        repeated(Repeat::Unanswered, || async {
            self.client.head_bucket().bucket(&self.bucket).send().await.map(drop).map_err(failed)
        })
        .await
    }

    fn key(&self, key: &str) -> Result<String> {
        check_key(key)?;
        let key = format!("{}{key}", self.prefix);
        check_key(&key)?;
        Ok(key)
    }

    async fn write(&self, write: Write) -> Result<Outcome> {
        let key = self.key(&write.key)?;
        let mut tries = 0;
        loop {
            let put = self.client.put_object().bucket(&self.bucket).key(&key);
            let put = match &write.condition {
                Condition::Anything => put,
                Condition::Absent => put.if_none_match("*"),
                Condition::Matches(etag) => put.if_match(etag),
            };
            let error = match put.body(ByteStream::from(write.body.clone())).send().await {
                Ok(put) => return Ok(Outcome::Written(put.e_tag.unwrap_or_default())),
                Err(error) => error,
            };
            tries += 1;
            match (status(&error), code(&error)) {
                // The condition is on an object that is no more.
                (Some(404), Some("NoSuchKey")) => return Ok(Outcome::Lost(None)),
                (Some(412), _) => return Ok(Outcome::Lost(self.etag(&key).await?)),
                // Another write of the key was in work.
                (Some(409), Some("ConditionalRequestConflict" | "OperationAborted")) if tries < RACES => {
                    tokio::time::sleep(pause(tries)).await;
                }
                _ => match failed(error) {
                    Error::Throttled(_) | Error::Unavailable(_) if tries < RACES => {
                        tokio::time::sleep(pause(tries)).await;
                    }
                    // Unconditional, it does no harm twice.
                    Error::Timeout if write.condition == Condition::Anything && tries < RACES => {}
                    error => return Err(error),
                },
            }
        }
    }

    /// Etag and size of what is there.
    async fn head(&self, key: &str) -> Result<Option<(String, u64)>> {
        repeated(Repeat::Unanswered, || async {
            match self.client.head_object().bucket(&self.bucket).key(key).send().await {
                Ok(head) => {
                    let size = head.content_length.unwrap_or_default().max(0) as u64;
                    Ok(Some((head.e_tag.unwrap_or_default(), size)))
                }
                Err(error) if status(&error) == Some(404) => Ok(None),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }

    async fn etag(&self, key: &str) -> Result<Option<String>> {
        Ok(self.head(key).await?.map(|(etag, _)| etag))
    }

    async fn remove(&self, key: &str) -> Result<()> {
        let key = self.key(key)?;
        repeated(Repeat::Unanswered, || async {
            self.client.delete_object().bucket(&self.bucket).key(&key).send().await.map(drop).map_err(failed)
        })
        .await
    }

    async fn read(&self, read: Read) -> Result<Option<Object>> {
        let key = self.key(&read.key)?;
        match read.range {
            // The service has no name for a part of no bytes.
            Some(Range { length: 0, .. }) => self.empty(&key).await,
            range => repeated(Repeat::Unanswered, || self.read_once(&key, range)).await,
        }
    }

    async fn empty(&self, key: &str) -> Result<Option<Object>> {
        let head = self.head(key).await?;
        Ok(head.map(|(etag, size)| Object { etag, size, body: Vec::new() }))
    }

    async fn read_once(&self, key: &str, range: Option<Range>) -> Result<Option<Object>> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let get = match range {
            None => get,
            Some(Range { offset, length }) => {
                let last = offset.saturating_add(length - 1);
                // Longer numbers are no range to some servers; no object is as long.
                get.range(format!("bytes={}-{}", offset.min(i64::MAX as u64), last.min(i64::MAX as u64)))
            }
        };
        let got = match get.send().await {
            Ok(got) => got,
            Err(error) if status(&error) == Some(416) => return self.empty(key).await,
            Err(error) if code(&error) == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let whole = got.content_range.as_deref().and_then(|range| range.rsplit_once('/')?.1.parse().ok());
        let etag = got.e_tag.unwrap_or_default();
        let body = got.body.collect().await.map_err(|_| Error::Timeout)?.to_vec();
        Ok(Some(Object { etag, size: whole.unwrap_or(body.len() as u64), body }))
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    /// Writes of different keys at the same time, those of one key in their order.
    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Result<Outcome>>> {
        let mut by_key: BTreeMap<String, Vec<(usize, Write)>> = BTreeMap::new();
        let count = writes.len();
        for (n, write) in writes.into_iter().enumerate() {
            by_key.entry(write.key.clone()).or_default().push((n, write));
        }
        let done: Vec<_> = stream::iter(by_key.into_values())
            .map(|writes| async move {
                let mut outcomes = Vec::with_capacity(writes.len());
                for (n, write) in writes {
                    outcomes.push((n, self.write(write).await));
                }
                outcomes
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let mut outcomes = vec![Err(Error::Timeout); count];
        for (n, outcome) in done.into_iter().flatten() {
            outcomes[n] = outcome;
        }
        Ok(outcomes)
    }

    async fn get(&self, reads: Vec<Read>) -> Result<Vec<Result<Option<Object>>>> {
        Ok(stream::iter(reads).map(|read| self.read(read)).buffered(AT_ONCE).collect().await)
    }

    /// The cursor is the last key of the page before.
    async fn search(&self, query: Query) -> Result<Page> {
        let limit = query.limit.clamp(1, PAGE);
        let prefix = format!("{}{}", self.prefix, query.prefix);
        let after = query.cursor.as_ref().map(|cursor| format!("{}{cursor}", self.prefix));
        let listed = repeated(Repeat::Unanswered, || async {
            let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(&prefix);
            let list = list.max_keys(limit as i32).set_start_after(after.clone());
            list.encoding_type(EncodingType::Url).send().await.map_err(failed)
        })
        .await?;
        let more = listed.is_truncated.unwrap_or_default();
        let mut entries = Vec::new();
        for object in listed.contents.unwrap_or_default() {
            let key = decoded(object.key.as_deref().unwrap_or_default())?;
            let Some(key) = key.strip_prefix(&self.prefix) else { continue };
            entries.push(Entry {
                key: key.into(),
                etag: object.e_tag.unwrap_or_default(),
                size: object.size.unwrap_or_default().max(0) as u64,
                modified: object.last_modified.and_then(|at| at.to_millis().ok()).unwrap_or_default()
                    as Millis,
            });
        }
        let cursor = if more { entries.last().map(|entry| entry.key.clone()) } else { None };
        Ok(Page { entries, cursor })
    }

    async fn delete(&self, keys: Vec<String>) -> Result<Vec<Result<()>>> {
        let remove = |key: String| async move { self.remove(&key).await };
        Ok(stream::iter(keys).map(remove).buffered(AT_ONCE).collect().await)
    }
}

#[async_trait]
impl Snapshots for S3Blobs {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.read(Read::whole(key)).await?.map(|object| object.body))
    }

    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        self.write(Write { key: key.into(), condition: Condition::Anything, body: bytes }).await.map(drop)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.remove(key).await
    }
}

/// A key as the list writes it: by the rules of forms.
fn decoded(key: &str) -> Result<String> {
    let broken = || Error::Internal(format!("the bucket lists a key that cannot be read: {key:?}"));
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        bytes.push(match first {
            b'+' => b' ',
            b'%' => {
                let (digits, tail) = rest.split_at_checked(2).ok_or_else(broken)?;
                rest = tail;
                let digits = std::str::from_utf8(digits).map_err(|_| broken())?;
                u8::from_str_radix(digits, 16).map_err(|_| broken())?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn listed_keys_are_read() {
        assert_eq!(decoded("a/%EA%B0%80+b%2Bc").unwrap(), "a/가 b+c");
        for broken in ["%", "%0", "%zz", "%ff"] {
            assert!(decoded(broken).is_err(), "{broken}");
        }
    }
}
