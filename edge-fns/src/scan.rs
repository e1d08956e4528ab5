//! All keys of a pattern.

use crate::capability::cache::{Command, Reply};
use crate::capability::{Cache, Error};
use std::collections::BTreeSet;

/// Keys looked at for one page.
const COUNT: u32 = 1000;
/// Pages of one scan at most: what a cache that never ends its scan costs.
const PAGES: usize = 10_000;

/// Every key that is there from the start of the scan to its end, each once. What the caller removes, it removes after.
pub async fn keys(cache: &dyn Cache, pattern: &str) -> Result<BTreeSet<String>, Error> {
    let mut keys = BTreeSet::new();
    let mut cursor = 0;
    for _ in 0..PAGES {
        let page = Command::Scan { cursor, pattern: pattern.into(), count: COUNT };
        match cache.run(vec![page]).await?.into_iter().next().transpose()? {
            Some(Reply::Page(next, found)) => {
                keys.extend(found);
                cursor = next;
            }
            other => return Err(Error::Internal(format!("a scan got {other:?}"))),
        }
        if cursor == 0 {
            return Ok(keys);
        }
    }
    Err(Error::Internal(format!("the scan of {pattern:?} does not end")))
}
