//! Who reads which shard, and how far: a table of leases, by the scheme of Amazon's client library and with its attributes,
//! so that its tools can read it.
//!
//! Every worker counts up the leases that it holds. A lease whose counter has not moved for the lease time, by the clock of
//! who looks, is free: no clocks are compared. Whoever takes a lease counts `fence` up. All writes name the owner and the
//! fence that they rest on, so a worker that was paused can neither renew nor checkpoint what another one has taken.

use super::super::failure::{code, failed};
use super::super::{Repeat, repeated};
use super::shards::Shard;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, KeySchemaElement, KeyType, ScalarAttributeType,
};
use edge_fns::capability::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::Instant;

/// The checkpoint of a shard that has been read to its end.
pub const ENDED: &str = "SHARD_END";
/// That of one that has not been read.
pub const START: &str = "TRIM_HORIZON";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    pub shard: String,
    pub owner: Option<String>,
    pub counter: u64,
    /// Grows with each change of the owner: outputs carry it, and older ones are refused.
    pub fence: u64,
    /// The last record whose outputs are durable, [`START`] or [`ENDED`].
    pub checkpoint: String,
    /// Name of the engine's last snapshot of the shard.
    pub snapshot: Option<String>,
    pub parents: Vec<String>,
}

/// One application's leases.
#[derive(Clone, Debug)]
pub struct Leases {
    client: Client,
    table: String,
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn whole(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

impl Leases {
    pub fn new(config: &SdkConfig, table: &str) -> Leases {
        Leases { client: Client::new(config), table: table.into() }
    }

    /// Creates the table where it is missing, and waits until it can be used.
    pub async fn create(&self) -> Result<()> {
        let key = |kind, attribute: &str| {
            KeySchemaElement::builder().attribute_name(attribute).key_type(kind).build().map_err(broken)
        };
        let attribute = AttributeDefinition::builder().attribute_name("leaseKey");
        let attribute = attribute.attribute_type(ScalarAttributeType::S).build().map_err(broken)?;
        super::super::dynamo::create_table(
            &self.client,
            &self.table,
            vec![attribute],
            vec![key(KeyType::Hash, "leaseKey")?],
        )
        .await
    }

    pub async fn all(&self) -> Result<BTreeMap<String, Lease>> {
        let mut leases = BTreeMap::new();
        let mut from: Option<HashMap<String, AttributeValue>> = None;
        loop {
            let page = repeated(Repeat::Unanswered, || async {
                let scan = self.client.scan().table_name(&self.table).consistent_read(true);
                scan.set_exclusive_start_key(from.clone()).send().await.map_err(failed)
            })
            .await?;
            for item in page.items.unwrap_or_default() {
                let lease = decode(&item)?;
                leases.insert(lease.shard.clone(), lease);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(leases);
            }
        }
    }

    /// A lease for a shard that had none. Another worker may have been faster: that is as good.
    pub async fn add(&self, shard: &Shard) -> Result<()> {
        let parents: Vec<String> = shard.parents.clone();
        repeated(Repeat::Unanswered, || async {
            let put = self.client.put_item().table_name(&self.table).item("leaseKey", text(&shard.id));
            let put =
                put.item("leaseCounter", whole(0)).item("fence", whole(0)).item("checkpoint", text(START));
            let put = put.item("checkpointSubSequenceNumber", whole(0));
            let put = put.item("ownerSwitchesSinceCheckpoint", whole(0));
            let put = if parents.is_empty() {
                put
            } else {
                put.item("parentShardId", AttributeValue::Ss(parents.clone()))
            };
            match put.condition_expression("attribute_not_exists(leaseKey)").send().await {
                Ok(_) => Ok(()),
                Err(error) if lost(code(&error)) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }

    /// Takes a lease as it was seen, with a fence beyond its last one and beyond `fence`; `None` if it has moved since.
    pub async fn take(&self, seen: &Lease, me: &str, fence: u64) -> Result<Option<Lease>> {
        let taken = Lease {
            owner: Some(me.into()),
            counter: seen.counter + 1,
            fence: seen.fence.max(fence) + 1,
            ..seen.clone()
        };
        let update = self.client.update_item().table_name(&self.table).key("leaseKey", text(&seen.shard));
        let update = update
            .update_expression(
                "SET leaseOwner = :me, leaseCounter = :counter, fence = :fence ADD ownerSwitchesSinceCheckpoint :one",
            )
            .condition_expression("leaseCounter = :seen AND fence = :fenced")
            .expression_attribute_values(":me", text(me))
            .expression_attribute_values(":counter", whole(taken.counter))
            .expression_attribute_values(":fence", whole(taken.fence))
            .expression_attribute_values(":one", whole(1))
            .expression_attribute_values(":seen", whole(seen.counter))
            .expression_attribute_values(":fenced", whole(seen.fence));
        match update.send().await {
            Ok(_) => Ok(Some(taken)),
            Err(error) if lost(code(&error)) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// Counts a held lease up; whether it is still held.
    pub async fn renew(&self, held: &Lease) -> Result<bool> {
        self.if_held(held, "ADD leaseCounter :one", &[(":one", whole(1))]).await
    }

    /// Writes down that everything up to this record is durable; whether the lease is still held.
    pub async fn checkpoint(&self, held: &Lease, record: &str) -> Result<bool> {
        let set = "SET checkpoint = :at, ownerSwitchesSinceCheckpoint = :none ADD leaseCounter :one";
        let values = [(":at", text(record)), (":none", whole(0)), (":one", whole(1))];
        self.if_held(held, set, &values).await
    }

    /// Writes down that the snapshot of this name, which holds everything up to this record, is durable; whether the lease is
    /// still held.
    pub async fn keep_snapshot(&self, held: &Lease, record: &str, name: &str) -> Result<bool> {
        let set = "SET checkpoint = :at, snapshotName = :name, ownerSwitchesSinceCheckpoint = :none \
                   ADD leaseCounter :one";
        let values = [(":at", text(record)), (":name", text(name)), (":none", whole(0)), (":one", whole(1))];
        self.if_held(held, set, &values).await
    }

    /// Gives a lease up, so that another one need not wait.
    pub async fn release(&self, held: &Lease) -> Result<bool> {
        self.if_held(held, "REMOVE leaseOwner ADD leaseCounter :one", &[(":one", whole(1))]).await
    }

    async fn if_held(&self, held: &Lease, update: &str, values: &[(&str, AttributeValue)]) -> Result<bool> {
        let owner = held.owner.as_deref().unwrap_or_default();
        // Twice is as good as once: the counter only has to move.
        repeated(Repeat::Unanswered, || async {
            let call = self.client.update_item().table_name(&self.table).key("leaseKey", text(&held.shard));
            let mut call = call
                .update_expression(update)
                .condition_expression("leaseOwner = :me AND fence = :fenced")
                .expression_attribute_values(":me", text(owner))
                .expression_attribute_values(":fenced", whole(held.fence));
            for (name, value) in values {
                call = call.expression_attribute_values(*name, value.clone());
            }
            match call.send().await {
                Ok(_) => Ok(true),
                Err(error) if lost(code(&error)) => Ok(false),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }

    /// Forgets the lease of a shard that the stream no longer holds.
    pub async fn forget(&self, shard: &str) -> Result<()> {
        repeated(Repeat::Unanswered, || async {
            let delete = self.client.delete_item().table_name(&self.table).key("leaseKey", text(shard));
            delete.send().await.map(drop).map_err(failed)
        })
        .await
    }
}

fn lost(code: Option<&str>) -> bool {
    code == Some("ConditionalCheckFailedException")
}

fn broken(error: aws_sdk_dynamodb::error::BuildError) -> Error {
    Error::Internal(error.to_string())
}

fn decode(item: &HashMap<String, AttributeValue>) -> Result<Lease> {
    let string = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let number = |name: &str| item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    let shard = string("leaseKey").ok_or_else(|| Error::Internal("a lease has no shard".into()))?;
    Ok(Lease {
        owner: string("leaseOwner"),
        counter: number("leaseCounter").unwrap_or(0),
        fence: number("fence").unwrap_or(0),
        checkpoint: string("checkpoint").unwrap_or_else(|| START.into()),
        snapshot: string("snapshotName"),
        parents: item.get("parentShardId").and_then(|value| value.as_ss().ok()).cloned().unwrap_or_default(),
        shard,
    })
}

/// What a worker has seen of the leases, and what it should do about them.
#[derive(Debug, Default)]
pub struct Watch {
    /// Counter and fence of each lease, and when they were first seen as they are.
    seen: BTreeMap<String, (u64, u64, Instant)>,
}

impl Watch {
    /// Takes note of the leases; those that have not moved for the lease time, or that nobody owns, are free.
    pub fn look(
        &mut self,
        leases: &BTreeMap<String, Lease>,
        now: Instant,
        lease_time: Duration,
    ) -> Vec<Lease> {
        self.seen.retain(|shard, _| leases.contains_key(shard));
        let mut free = Vec::new();
        for lease in leases.values() {
            let seen = self.seen.entry(lease.shard.clone()).or_insert((lease.counter, lease.fence, now));
            if (seen.0, seen.1) != (lease.counter, lease.fence) {
                *seen = (lease.counter, lease.fence, now);
            }
            if lease.owner.is_none() || now.duration_since(seen.2) >= lease_time {
                free.push(lease.clone());
            }
        }
        free
    }
}

/// Which leases a worker should take now: its share of what is free; and if nothing is, one from the worker that has most,
/// where that makes the numbers more even. `wanted` are those that may be read.
pub fn to_take(wanted: &[Lease], free: &[Lease], me: &str) -> Vec<Lease> {
    let is_free = |lease: &Lease| free.iter().any(|free| free.shard == lease.shard);
    let mut held: BTreeMap<&str, Vec<&Lease>> = BTreeMap::from([(me, Vec::new())]);
    for lease in wanted.iter().filter(|lease| !is_free(lease)) {
        held.entry(lease.owner.as_deref().unwrap_or_default()).or_default().push(lease);
    }
    let mine = held.get(me).map_or(0, Vec::len);
    let share = wanted.len().div_ceil(held.len());
    let open: Vec<Lease> = wanted.iter().filter(|lease| is_free(lease)).cloned().collect();
    if !open.is_empty() {
        return open.into_iter().take(share.saturating_sub(mine)).collect();
    }
    let most = held.iter().filter(|(owner, _)| **owner != me).max_by_key(|(_, leases)| leases.len());
    match most {
        Some((_, leases)) if leases.len() > mine + 1 => {
            leases.last().map(|lease| (*lease).clone()).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(shard: &str, owner: Option<&str>, counter: u64) -> Lease {
        Lease {
            shard: shard.into(),
            owner: owner.map(Into::into),
            counter,
            fence: 1,
            checkpoint: START.into(),
            snapshot: None,
            parents: Vec::new(),
        }
    }

    fn names(leases: &[Lease]) -> Vec<&str> {
        leases.iter().map(|lease| lease.shard.as_str()).collect()
    }

    #[tokio::test]
    async fn what_does_not_move_becomes_free() {
        let mut watch = Watch::default();
        let time = Duration::from_secs(10);
        let all = |a, b| {
            [lease("a", Some("x"), a), lease("b", Some("y"), b), lease("c", None, 0)]
                .map(|l| (l.shard.clone(), l))
                .into()
        };
        let start = Instant::now();
        assert_eq!(names(&watch.look(&all(1, 1), start, time)), ["c"]);
        assert_eq!(names(&watch.look(&all(2, 1), start + time / 2, time)), ["c"]);
        assert_eq!(names(&watch.look(&all(2, 1), start + time, time)), ["b", "c"]);
        assert_eq!(names(&watch.look(&all(2, 2), start + time, time)), ["c"]);
        assert_eq!(names(&watch.look(&all(2, 2), start + time * 2, time)), ["a", "b", "c"]);
    }

    /// Whatever the start, workers that take turns come to shares that differ by one at most, and then rest.
    #[test]
    fn shares_become_even() {
        for workers in 1..5usize {
            for shards in 0..9usize {
                let names: Vec<String> = (0..workers).map(|n| format!("w{n}")).collect();
                let mut leases: Vec<Lease> =
                    (0..shards).map(|n| lease(&format!("s{n}"), Some("w0"), 1)).collect();
                // One that is gone holds the last one.
                if let Some(last) = leases.last_mut() {
                    last.owner = Some("gone".into());
                }
                let mut free: Vec<Lease> = leases.last().cloned().into_iter().collect();
                for _ in 0..shards * workers + 1 {
                    for me in &names {
                        for take in to_take(&leases, &free, me) {
                            free.retain(|lease| lease.shard != take.shard);
                            let taken = leases.iter_mut().find(|lease| lease.shard == take.shard).unwrap();
                            taken.owner = Some(me.clone());
                        }
                    }
                }
                let count = |me: &String| leases.iter().filter(|l| l.owner.as_ref() == Some(me)).count();
                let counts: Vec<usize> = names.iter().map(count).collect();
                assert_eq!(counts.iter().sum::<usize>(), shards, "{counts:?}");
                assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
                assert!(names.iter().all(|me| to_take(&leases, &free, me).is_empty()), "they rest");
            }
        }
    }
}
