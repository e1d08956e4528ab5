//! Versioned documents, an item each: `version` and `body` beside the keys.

use super::super::failure::{code, failed};
use super::super::{Repeat, escaped, pause, repeated, unescaped};
use super::{EXPIRES, Item, create_keyed_table, number, string, text, unbuilt, whole};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use edge_fns::capability::documents::{Entry, Expect, Id, Outcome, Page, Query, Write};
use edge_fns::capability::{Documents, Error, Result};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// The service's limits.
const BATCH_GET: usize = 100;
const TRANSACTION: usize = 100;
/// Items of one page at most, whatever the query asks for; the service also ends a page at 1 MiB.
const PAGE: u32 = 1000;
/// Calls at the same time.
const AT_ONCE: usize = 16;
/// How often a transaction is tried again that met another one.
const RACES: u32 = 10;

/// Where the documents of a table are, and for how long.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What tables are called in this deployment (`ORDERS_TABLE`), where not as the functions call them.
    pub names: BTreeMap<String, String>,
    /// For how long after its last write a document is kept.
    pub kept_for: BTreeMap<String, Duration>,
}

#[derive(Clone, Debug)]
pub struct DynamoDocuments {
    client: Client,
    options: Options,
}

impl DynamoDocuments {
    pub fn new(config: &SdkConfig, options: Options) -> DynamoDocuments {
        DynamoDocuments { client: Client::new(config), options }
    }

    /// Creates these tables where they are missing.
    pub async fn create(&self, tables: &[&str]) -> Result<()> {
        for table in tables {
            let expiring = self.options.kept_for.contains_key(*table);
            create_keyed_table(&self.client, self.name(table), expiring).await?;
        }
        Ok(())
    }

    fn name<'a>(&'a self, table: &'a str) -> &'a str {
        self.options.names.get(table).map_or(table, String::as_str)
    }

    async fn stored(&self, id: &Id) -> Result<Option<Entry>> {
        repeated(Repeat::Unanswered, || async {
            let get = self.client.get_item().table_name(self.name(&id.table)).consistent_read(true);
            let got = get.set_key(Some(key(id))).send().await.map_err(failed)?;
            got.item.map(|item| entry(&id.table, &item)).transpose()
        })
        .await
    }

    /// A write that got no answer is not repeated: it might meet itself, and be told that it has lost.
    async fn write(&self, write: &Write) -> Result<Outcome> {
        repeated(Repeat::Refused, || async {
            match &write.body {
                Some(body) => self.update(write, body).await,
                None => self.remove(write).await,
            }
        })
        .await
    }

    async fn update(&self, write: &Write, body: &[u8]) -> Result<Outcome> {
        let expression = Expression::of(write, self.expiry(&write.id.table), Some(body));
        let update =
            self.client.update_item().table_name(self.name(&write.id.table)).set_key(Some(key(&write.id)));
        let update = update
            .update_expression(expression.update)
            .set_condition_expression(expression.condition)
            .set_expression_attribute_names(Some(expression.names))
            .set_expression_attribute_values(Some(expression.values))
            .return_values(ReturnValue::UpdatedNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match update.send().await {
            Ok(updated) => {
                let version = updated.attributes.as_ref().and_then(|item| number(item, "version"));
                version.map(Outcome::Written).ok_or_else(|| Error::Internal("a write has no version".into()))
            }
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                    self.stale(&write.id, failed.item.as_ref()).await
                }
                _ => Err(failed(error)),
            },
        }
    }

    async fn remove(&self, write: &Write) -> Result<Outcome> {
        let expression = Expression::of(write, None, None);
        let delete =
            self.client.delete_item().table_name(self.name(&write.id.table)).set_key(Some(key(&write.id)));
        let delete = delete
            .set_condition_expression(expression.condition)
            .set_expression_attribute_names(some(expression.names))
            .set_expression_attribute_values(some(expression.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match delete.send().await {
            Ok(_) => Ok(Outcome::Written(0)),
            Err(error) if code(&error) == Some("ConditionalCheckFailedException") => {
                self.stale(&write.id, None).await
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// What stands in the way; some servers do not send it along.
    async fn stale(&self, id: &Id, sent: Option<&Item>) -> Result<Outcome> {
        match sent.filter(|item| !item.is_empty()) {
            Some(item) => Ok(Outcome::Stale(Some(entry(&id.table, item)?))),
            None => Ok(Outcome::Stale(self.stored(id).await?)),
        }
    }

    fn expiry(&self, table: &str) -> Option<u64> {
        let kept = self.options.kept_for.get(table)?;
        Some(super::super::now_ms() / 1000 + kept.as_secs())
    }

    async fn transact(&self, writes: &[Write]) -> Result<Outcome> {
        let items = writes.iter().map(|write| self.item(write)).collect::<Result<Vec<_>>>()?;
        let mut tries = 0;
        loop {
            // The client names the call, so that it takes effect once however often it arrives.
            let call = self.client.transact_write_items().set_transact_items(Some(items.clone()));
            let error = match call.send().await {
                Ok(_) => return self.written(&writes[writes.len() - 1]).await,
                Err(error) => error,
            };
            tries += 1;
            let reasons = error.as_service_error().and_then(|error| match error {
                aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
                    canceled,
                ) => canceled.cancellation_reasons.clone(),
                _ => None,
            });
            let Some(reasons) = reasons else {
                match failed(error) {
                    Error::Throttled(_) | Error::Unavailable(_) if tries < RACES => {
                        tokio::time::sleep(pause(tries)).await;
                        continue;
                    }
                    error => return Err(error),
                }
            };
            let is = |code: &str| reasons.iter().position(|reason| reason.code.as_deref() == Some(code));
            if let Some(place) = is("ConditionalCheckFailed")
                && let Some(write) = writes.get(place)
            {
                return self.stale(&write.id, reasons[place].item.as_ref()).await;
            }
            let passing = ["TransactionConflict", "ProvisionedThroughputExceeded", "ThrottlingError"];
            if passing.iter().any(|code| is(code).is_some()) && tries < RACES {
                tokio::time::sleep(pause(tries)).await;
                continue;
            }
            let said =
                reasons.iter().find(|reason| reason.code.as_deref().is_some_and(|code| code != "None"));
            return Err(match said {
                Some(reason) if passing.contains(&reason.code.as_deref().unwrap_or_default()) => {
                    Error::Throttled(None)
                }
                Some(reason) => Error::Invalid(format!("{:?}: {:?}", reason.code, reason.message)),
                None => Error::Internal("a transaction was cancelled without a reason".into()),
            });
        }
    }

    /// What the last write of a transaction has made.
    async fn written(&self, write: &Write) -> Result<Outcome> {
        Ok(Outcome::Written(match (&write.body, write.expect) {
            (None, _) => 0,
            (Some(_), Expect::Absent) => 1,
            (Some(_), Expect::Version(version)) => version + 1,
            (Some(_), Expect::Anything) => self.stored(&write.id).await?.map_or(0, |entry| entry.version),
        }))
    }

    fn item(&self, write: &Write) -> Result<TransactWriteItem> {
        let table = self.name(&write.id.table);
        let old = ReturnValuesOnConditionCheckFailure::AllOld;
        let expression = Expression::of(write, self.expiry(&write.id.table), write.body.as_deref());
        Ok(match write.body {
            Some(_) => {
                let update = Update::builder().table_name(table).set_key(Some(key(&write.id)));
                let update = update
                    .update_expression(expression.update)
                    .set_condition_expression(expression.condition)
                    .set_expression_attribute_names(Some(expression.names))
                    .set_expression_attribute_values(Some(expression.values))
                    .return_values_on_condition_check_failure(old);
                TransactWriteItem::builder().update(update.build().map_err(unbuilt)?).build()
            }
            None => {
                let delete = Delete::builder().table_name(table).set_key(Some(key(&write.id)));
                let delete = delete
                    .set_condition_expression(expression.condition)
                    .set_expression_attribute_names(some(expression.names))
                    .set_expression_attribute_values(some(expression.values))
                    .return_values_on_condition_check_failure(old);
                TransactWriteItem::builder().delete(delete.build().map_err(unbuilt)?).build()
            }
        })
    }

    /// A transaction names an item once. Where the writes do not, what they come to is worked out on what is stored, and
    /// written if that has not changed meanwhile.
    async fn put_all_repeating(&self, writes: Vec<Write>) -> Result<Outcome> {
        for tries in 1..=RACES {
            let ids: Vec<Id> = writes.iter().map(|write| write.id.clone()).collect();
            let now: HashMap<Id, Option<Entry>> =
                ids.iter().cloned().zip(self.get(ids.clone()).await?).collect();
            let mut becomes: BTreeMap<Id, Option<Vec<u8>>> = BTreeMap::new();
            for write in &writes {
                let stored = now.get(&write.id).and_then(Option::as_ref);
                let holds = match write.expect {
                    Expect::Anything => true,
                    Expect::Absent => stored.is_none(),
                    Expect::Version(version) => stored.is_some_and(|entry| entry.version == version),
                };
                if !holds {
                    return Ok(Outcome::Stale(stored.cloned()));
                }
                becomes.insert(write.id.clone(), write.body.clone());
            }
            let merged: Vec<Write> = becomes
                .into_iter()
                .map(|(id, body)| {
                    let stored = now.get(&id).and_then(Option::as_ref);
                    let expect = stored.map_or(Expect::Absent, |entry| Expect::Version(entry.version));
                    Write { id, expect, body }
                })
                .collect();
            if let Outcome::Written(version) = self.transact(&merged).await? {
                return Ok(Outcome::Written(version));
            }
            tokio::time::sleep(pause(tries)).await;
        }
        Err(Error::Throttled(None))
    }
}

/// The parts of a conditional write. The names are given apart, since the service reserves words.
struct Expression {
    update: String,
    condition: Option<String>,
    names: HashMap<String, String>,
    values: Item,
}

impl Expression {
    fn of(write: &Write, expires: Option<u64>, body: Option<&[u8]>) -> Expression {
        let mut expression = Expression {
            update: String::new(),
            condition: None,
            names: HashMap::new(),
            values: HashMap::new(),
        };
        match write.expect {
            Expect::Anything => {}
            Expect::Absent => {
                expression.condition = Some("attribute_not_exists(#pk)".into());
                expression.names.insert("#pk".into(), "pk".into());
            }
            Expect::Version(version) => {
                expression.condition = Some("#version = :expected".into());
                expression.names.insert("#version".into(), "version".into());
                expression.values.insert(":expected".into(), whole(version));
            }
        }
        let Some(body) = body else { return expression };
        expression.names.insert("#version".into(), "version".into());
        expression.names.insert("#body".into(), "body".into());
        expression.values.insert(":one".into(), whole(1));
        expression.values.insert(":body".into(), AttributeValue::B(Blob::new(body)));
        let mut set = vec!["#body = :body".to_string()];
        if let Some(expires) = expires {
            expression.names.insert("#expires".into(), EXPIRES.into());
            expression.values.insert(":expires".into(), whole(expires));
            set.push("#expires = :expires".into());
        }
        // What is not there counts from nothing.
        expression.update = format!("SET {} ADD #version :one", set.join(", "));
        expression
    }
}

/// The service refuses empty maps.
fn some<V>(map: HashMap<String, V>) -> Option<HashMap<String, V>> {
    (!map.is_empty()).then_some(map)
}

fn key(id: &Id) -> Item {
    let (pk, sk) = (text(&escaped(&id.partition)), text(&escaped(&id.sort)));
    HashMap::from([("pk".to_string(), pk), ("sk".into(), sk)])
}

fn entry(table: &str, item: &Item) -> Result<Entry> {
    let body = item.get("body").and_then(|value| value.as_b().ok());
    let found = (string(item, "pk"), string(item, "sk"), number(item, "version"), body);
    let (Some(partition), Some(sort), Some(version), Some(body)) = found else {
        return Err(Error::Internal(format!("{table}: an item is not a document")));
    };
    let id = Id { table: table.into(), partition: unescaped(partition).into(), sort: unescaped(sort).into() };
    Ok(Entry { id, version, body: body.as_ref().to_vec() })
}

#[async_trait]
impl Documents for DynamoDocuments {
    async fn get(&self, ids: Vec<Id>) -> Result<Vec<Option<Entry>>> {
        let unique: Vec<Id> = ids.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let mut found: HashMap<Id, Entry> = HashMap::new();
        for ids in unique.chunks(BATCH_GET) {
            if let [id] = ids {
                found.extend(self.stored(id).await?.map(|entry| (id.clone(), entry)));
                continue;
            }
            let tables: BTreeMap<&str, &str> =
                ids.iter().map(|id| (self.name(&id.table), id.table.as_str())).collect();
            let mut wanted: HashMap<String, KeysAndAttributes> = HashMap::new();
            for (name, table) in &tables {
                let keys = ids.iter().filter(|id| id.table == *table).map(key).collect();
                let keys = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(keys)).build();
                wanted.insert(name.to_string(), keys.map_err(unbuilt)?);
            }
            let mut tries = 0;
            while !wanted.is_empty() {
                let page = repeated(Repeat::Unanswered, || async {
                    self.client
                        .batch_get_item()
                        .set_request_items(Some(wanted.clone()))
                        .send()
                        .await
                        .map_err(failed)
                })
                .await?;
                for (name, items) in page.responses.unwrap_or_default() {
                    let table = tables.get(name.as_str()).copied().unwrap_or(&name);
                    for item in items {
                        let entry = entry(table, &item)?;
                        found.insert(entry.id.clone(), entry);
                    }
                }
                // What did not fit in the answer, or was throttled, is asked for again.
                wanted = page.unprocessed_keys.unwrap_or_default();
                if !wanted.is_empty() {
                    tries += 1;
                    if tries > RACES {
                        return Err(Error::Throttled(None));
                    }
                    tokio::time::sleep(pause(tries)).await;
                }
            }
        }
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    /// Writes of different documents at the same time, those of one document in their order.
    async fn put(&self, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        let mut outcomes = vec![Outcome::Stale(None); writes.len()];
        let mut by_id: BTreeMap<Id, Vec<(usize, Write)>> = BTreeMap::new();
        for (n, write) in writes.into_iter().enumerate() {
            by_id.entry(write.id.clone()).or_default().push((n, write));
        }
        let done: Vec<Result<Vec<(usize, Outcome)>>> = stream::iter(by_id.into_values())
            .map(|writes| async move {
                let mut outcomes = Vec::with_capacity(writes.len());
                for (n, write) in writes {
                    outcomes.push((n, self.write(&write).await?));
                }
                Ok(outcomes)
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for part in done {
            for (n, outcome) in part? {
                outcomes[n] = outcome;
            }
        }
        Ok(outcomes)
    }

    async fn put_all(&self, writes: Vec<Write>) -> Result<Outcome> {
        if writes.is_empty() {
            return Err(Error::Invalid("nothing to write".into()));
        }
        let documents: BTreeSet<&Id> = writes.iter().map(|write| &write.id).collect();
        if documents.len() > TRANSACTION {
            return Err(Error::Invalid(format!("one transaction writes at most {TRANSACTION} documents")));
        }
        match documents.len() == writes.len() {
            // A single one is a conditional write, at half the price.
            true if writes.len() == 1 => self.write(&writes[0]).await,
            true => self.transact(&writes).await,
            false => self.put_all_repeating(writes).await,
        }
    }

    /// The cursor is the last sort key of the page before.
    async fn search(&self, query: Query) -> Result<Page> {
        let (lower, upper) = (query.lower.as_deref().map(escaped), query.upper.as_deref().map(escaped));
        if let (Some(lower), Some(upper)) = (&lower, &upper)
            && lower > upper
        {
            // Nothing lies between, and the service takes it for a mistake.
            return Ok(Page::default());
        }
        let condition = match (&lower, &upper) {
            (None, None) => "pk = :pk",
            (Some(_), None) => "pk = :pk AND sk >= :lower",
            (None, Some(_)) => "pk = :pk AND sk <= :upper",
            (Some(_), Some(_)) => "pk = :pk AND sk BETWEEN :lower AND :upper",
        };
        let mut values = HashMap::from([(":pk".to_string(), text(&escaped(&query.partition)))]);
        values.extend(lower.map(|lower| (":lower".to_string(), text(&lower))));
        values.extend(upper.map(|upper| (":upper".to_string(), text(&upper))));
        let from = query.cursor.as_ref().map(|cursor| {
            key(&Id { table: String::new(), partition: query.partition.clone(), sort: cursor.clone() })
        });
        let page = repeated(Repeat::Unanswered, || async {
            let call = self.client.query().table_name(self.name(&query.table)).consistent_read(true);
            let call = call
                .key_condition_expression(condition)
                .set_expression_attribute_values(Some(values.clone()));
            let call = call.scan_index_forward(!query.descending).limit(query.limit.clamp(1, PAGE) as i32);
            call.set_exclusive_start_key(from.clone()).send().await.map_err(failed)
        })
        .await?;
        let entries = page
            .items
            .unwrap_or_default()
            .iter()
            .map(|item| entry(&query.table, item))
            .collect::<Result<Vec<_>>>()?;
        let cursor =
            page.last_evaluated_key.as_ref().and_then(|key| string(key, "sk")).map(|sk| unescaped(sk).into());
        Ok(Page { entries, cursor })
    }
}
