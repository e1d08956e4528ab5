//! The list of tradable symbols is in the cache alone, which may be lost: a copy of it is kept in the bucket.
//!
//! A mark in the cache tells a cache that is new from one whose list has been emptied by administrators.

use edge_fns::capability::blobs::{Condition, Read, Write};
use edge_fns::capability::cache::{Command, Reply, SetOptions};
use edge_fns::capability::{Blobs, Cache, Error, Result};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const SYMBOLS: &str = "active:symbols";
const MARK: &str = "active:symbols:kept";
const COPY: &str = "candles/active-symbols.json";
const EVERY: Duration = Duration::from_secs(2);

/// Looks now and then, until told to stop.
pub async fn keep(cache: Arc<dyn Cache>, blobs: Arc<dyn Blobs>, mut stop: watch::Receiver<bool>) {
    let mut copied = None;
    while !*stop.borrow() {
        if let Err(error) = look(cache.as_ref(), blobs.as_ref(), &mut copied).await {
            tracing::debug!(%error, "the list of symbols cannot be kept now");
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn look(cache: &dyn Cache, blobs: &dyn Blobs, copied: &mut Option<BTreeSet<String>>) -> Result<()> {
    // In this order: a list that is read behind its mark is the cache's own.
    let asked = vec![Command::Get(MARK.into()), Command::Smembers(SYMBOLS.into())];
    let mut replies = cache.run(asked).await?.into_iter();
    let mark = replies.next().transpose()?;
    let listed = match replies.next().transpose()? {
        Some(Reply::Values(values)) => values
            .into_iter()
            .flatten()
            .filter_map(|name| String::from_utf8(name).ok())
            .collect::<BTreeSet<_>>(),
        other => return Err(Error::Internal(format!("symbols were asked for, {other:?} came"))),
    };
    if mark == Some(Reply::Nil) {
        let kept = read(blobs).await?;
        if !kept.is_subset(&listed) {
            tracing::warn!(symbols = kept.len(), "the cache has lost the symbols; they are listed anew");
            let members = kept.into_iter().map(String::into_bytes).collect();
            for reply in cache.run(vec![Command::Sadd(SYMBOLS.into(), members)]).await? {
                reply?;
            }
        }
        let set = Command::Set(MARK.into(), b"1".to_vec(), SetOptions::default());
        for reply in cache.run(vec![set]).await? {
            reply?;
        }
        *copied = None;
        return Ok(());
    }
    if copied.as_ref() != Some(&listed) {
        let body = serde_json::to_vec(&listed).map_err(|error| Error::Internal(error.to_string()))?;
        let write = Write { key: COPY.into(), condition: Condition::Anything, body };
        for outcome in blobs.put(vec![write]).await? {
            outcome?;
        }
        *copied = Some(listed);
    }
    Ok(())
}

async fn read(blobs: &dyn Blobs) -> Result<BTreeSet<String>> {
    let found = blobs.get(vec![Read::whole(COPY)]).await?.into_iter().next().transpose()?.flatten();
    let Some(object) = found else { return Ok(BTreeSet::new()) };
    serde_json::from_slice(&object.body).map_err(|error| Error::Internal(format!("{COPY}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::embedded::blobs::EmbeddedBlobs;
    use crate::backends::embedded::cache::EmbeddedCache;

    async fn listed(cache: &EmbeddedCache) -> Vec<String> {
        match cache.run(vec![Command::Smembers(SYMBOLS.into())]).await.unwrap().remove(0).unwrap() {
            Reply::Values(values) => {
                let mut names: Vec<String> =
                    values.into_iter().flatten().map(|name| String::from_utf8(name).unwrap()).collect();
                names.sort();
                names
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_new_cache_gets_the_list_and_an_emptied_one_stays_empty() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = EmbeddedBlobs::open(folder.path()).unwrap();
        let cache = EmbeddedCache::in_memory();
        let mut copied = None;
        let add = |name: &str| vec![Command::Sadd(SYMBOLS.into(), vec![name.as_bytes().to_vec()])];
        // Listed before anybody has looked.
        cache.run(add("AAA")).await.unwrap();
        for _ in 0..2 {
            look(&cache, &blobs, &mut copied).await.unwrap();
        }
        cache.run(add("BBB")).await.unwrap();
        look(&cache, &blobs, &mut copied).await.unwrap();

        let lost = EmbeddedCache::in_memory();
        look(&lost, &blobs, &mut copied).await.unwrap();
        assert_eq!(listed(&lost).await, ["AAA", "BBB"]);
        look(&lost, &blobs, &mut copied).await.unwrap();
        // Administrators take them off, one after the other.
        for name in ["AAA", "BBB"] {
            lost.run(vec![Command::Srem(SYMBOLS.into(), vec![name.as_bytes().to_vec()])]).await.unwrap();
        }
        for _ in 0..3 {
            look(&lost, &blobs, &mut copied).await.unwrap();
        }
        assert_eq!(listed(&lost).await, [""; 0]);
        // And a cache that is new after that has none either.
        let lost = EmbeddedCache::in_memory();
        look(&lost, &blobs, &mut copied).await.unwrap();
        assert_eq!(listed(&lost).await, [""; 0]);
    }
}
