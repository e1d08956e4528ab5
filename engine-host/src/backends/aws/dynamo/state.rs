//! What the host keeps in one small table: checkpoints of consumers, records that nobody could process, places in streams.

use super::super::failure::failed;
use super::super::kinesis::log::{Position, Positions};
use super::super::{Repeat, repeated};
use super::{Item, create_keyed_table, number, string, text, whole};
use crate::backends::records::{DeadLetter, LONGEST_BODY, Letters};
use crate::backends::{Checkpoints, DeadLetters, Record};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use edge_fns::capability::{Error, Millis, Result};

/// Sort key of what there is one of.
const ONLY: &str = "-";
/// Sort key of the place that was last known to be a shard's end; behind all numbers.
const END: &str = "end";

#[derive(Clone, Debug)]
pub struct DynamoState {
    client: Client,
    table: String,
}

impl DynamoState {
    pub fn new(config: &SdkConfig, table: &str) -> DynamoState {
        DynamoState { client: Client::new(config), table: table.into() }
    }

    pub async fn create(&self) -> Result<()> {
        create_keyed_table(&self.client, &self.table, false).await
    }

    async fn get(&self, partition: &str, sort: &str) -> Result<Option<Item>> {
        repeated(Repeat::Unanswered, || async {
            let get = self.client.get_item().table_name(&self.table).consistent_read(true);
            let got = get.key("pk", text(partition)).key("sk", text(sort)).send().await.map_err(failed)?;
            Ok(got.item)
        })
        .await
    }

    /// Replaces an item: twice is as good as once.
    async fn put(&self, partition: &str, sort: &str, values: Vec<(&str, AttributeValue)>) -> Result<()> {
        repeated(Repeat::Unanswered, || async {
            let put = self
                .client
                .put_item()
                .table_name(&self.table)
                .item("pk", text(partition))
                .item("sk", text(sort));
            let put = values.iter().fold(put, |put, (name, value)| put.item(*name, value.clone()));
            put.send().await.map(drop).map_err(failed)
        })
        .await
    }

    /// How many records no retry could process, of one consumer and shard.
    pub async fn dead_letters_of(&self, consumer: &str, stream: &str, shard: u32) -> Result<u64> {
        self.count_letters(&letters(consumer, stream, shard)).await
    }

    async fn count_letters(&self, partition: &str) -> Result<u64> {
        let (mut count, mut from) = (0, None::<Item>);
        loop {
            let page = repeated(Repeat::Unanswered, || async {
                let query = self.client.query().table_name(&self.table).key_condition_expression("pk = :pk");
                let query = query.expression_attribute_values(":pk", text(partition));
                let query = query.select(aws_sdk_dynamodb::types::Select::Count).consistent_read(true);
                query.set_exclusive_start_key(from.clone()).send().await.map_err(failed)
            })
            .await?;
            count += u64::from(page.count.unsigned_abs());
            match page.last_evaluated_key {
                Some(key) => from = Some(key),
                None => return Ok(count),
            }
        }
    }
}

/// Of all partitions of dead letters there are.
const LETTERS: &str = "letters";

fn letters(consumer: &str, stream: &str, shard: u32) -> String {
    format!("letter/{consumer}/{stream}/{shard}")
}

fn padded(sequence: u64) -> String {
    format!("{sequence:020}")
}

fn place(stream: &str, shard: &str) -> String {
    format!("place/{stream}/{shard}")
}

fn position(item: &Item) -> Result<Position> {
    let found = (number(item, "sequence"), string(item, "record"), number(item, "arrived"));
    let (Some(sequence), Some(record), Some(arrived)) = found else {
        return Err(Error::Internal("a place in a stream cannot be read".into()));
    };
    Ok(Position { sequence, record: record.into(), arrived })
}

fn values(position: &Position) -> Vec<(&'static str, AttributeValue)> {
    vec![
        ("sequence", whole(position.sequence)),
        ("record", text(&position.record)),
        ("arrived", whole(position.arrived)),
    ]
}

#[async_trait]
impl Checkpoints for DynamoState {
    async fn get(&self, consumer: &str, stream: &str, shard: u32) -> Result<u64> {
        let partition = format!("checkpoint/{consumer}/{stream}/{shard}");
        match self.get(&partition, ONLY).await? {
            Some(item) => number(&item, "sequence")
                .ok_or_else(|| Error::Internal(format!("the checkpoint {partition} cannot be read"))),
            None => Ok(0),
        }
    }

    async fn set(&self, consumer: &str, stream: &str, shard: u32, sequence: u64) -> Result<()> {
        let partition = format!("checkpoint/{consumer}/{stream}/{shard}");
        self.put(&partition, ONLY, vec![("sequence", whole(sequence))]).await
    }
}

#[async_trait]
impl DeadLetters for DynamoState {
    async fn bury(
        &self,
        consumer: &str,
        stream: &str,
        shard: u32,
        record: &Record,
        reason: &str,
    ) -> Result<()> {
        let values = vec![
            ("arrived", whole(record.arrived)),
            ("partition", text(&record.partition)),
            ("reason", text(reason)),
            ("body", AttributeValue::B(Blob::new(record.body.clone()))),
        ];
        let partition = letters(consumer, stream, shard);
        // First where it can be found, then the letter.
        let about =
            vec![("consumer", text(consumer)), ("stream", text(stream)), ("shard", whole(u64::from(shard)))];
        self.put(LETTERS, &partition, about).await?;
        self.put(&partition, &padded(record.sequence), values).await
    }
}

impl DynamoState {
    /// Items of a partition, from its end or its start.
    async fn items(&self, partition: &str, backwards: bool, limit: Option<u32>) -> Result<Vec<Item>> {
        let (mut items, mut from) = (Vec::new(), None::<Item>);
        loop {
            let page = repeated(Repeat::Unanswered, || async {
                let query = self.client.query().table_name(&self.table).consistent_read(true);
                let query = query.key_condition_expression("pk = :pk").scan_index_forward(!backwards);
                let query = query.expression_attribute_values(":pk", text(partition));
                let query = query.set_limit(limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX)));
                query.set_exclusive_start_key(from.clone()).send().await.map_err(failed)
            })
            .await?;
            items.extend(page.items.unwrap_or_default());
            from = page.last_evaluated_key;
            if from.is_none() || limit.is_some_and(|limit| items.len() >= limit as usize) {
                return Ok(items);
            }
        }
    }
}

#[async_trait]
impl Letters for DynamoState {
    async fn newest_dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>> {
        let mut found = Vec::new();
        for about in self.items(LETTERS, false, None).await? {
            let named = (string(&about, "consumer"), string(&about, "stream"), number(&about, "shard"));
            let (Some(consumer), Some(stream), Some(shard)) = named else { continue };
            let shard = u32::try_from(shard).unwrap_or(u32::MAX);
            for item in self.items(&letters(consumer, stream, shard), true, Some(limit)).await? {
                let body =
                    item.get("body").and_then(|body| body.as_b().ok()).map(Blob::as_ref).unwrap_or_default();
                let shown = &body[..body.len().min(LONGEST_BODY)];
                let sequence = string(&item, "sk").and_then(|sort| sort.parse().ok());
                found.push(DeadLetter {
                    consumer: consumer.into(),
                    stream: stream.into(),
                    shard,
                    sequence: sequence.unwrap_or_default(),
                    arrived: number(&item, "arrived")
                        .and_then(|at| i64::try_from(at).ok())
                        .unwrap_or_default(),
                    reason: string(&item, "reason").unwrap_or_default().into(),
                    body: String::from_utf8_lossy(shown).into_owned(),
                });
            }
        }
        found.sort_by_key(|letter| std::cmp::Reverse((letter.arrived, letter.sequence)));
        found.truncate(limit as usize);
        Ok(found)
    }

    async fn dead_letters(&self) -> Result<u64> {
        let mut count = 0;
        for about in self.items(LETTERS, false, None).await? {
            if let Some(partition) = string(&about, "sk") {
                count += self.count_letters(partition).await?;
            }
        }
        Ok(count)
    }
}

#[async_trait]
impl Positions for DynamoState {
    async fn find(&self, stream: &str, shard: &str, sequence: u64) -> Result<Option<Position>> {
        let page = repeated(Repeat::Unanswered, || async {
            let query = self.client.query().table_name(&self.table).consistent_read(true);
            let query = query.key_condition_expression("pk = :pk AND sk <= :sk");
            let query = query.expression_attribute_values(":pk", text(&place(stream, shard)));
            let query = query.expression_attribute_values(":sk", text(&padded(sequence)));
            query.scan_index_forward(false).limit(1).send().await.map_err(failed)
        })
        .await?;
        page.items().first().map(position).transpose()
    }

    async fn keep(&self, stream: &str, shard: &str, position: &Position) -> Result<()> {
        self.put(&place(stream, shard), &padded(position.sequence), values(position)).await
    }

    async fn checked(&self, stream: &str, shard: &str) -> Result<Option<(Position, Millis)>> {
        let Some(item) = self.get(&place(stream, shard), END).await? else { return Ok(None) };
        let at = number(&item, "checked");
        let at = at.ok_or_else(|| Error::Internal("the end of a shard cannot be read".into()))?;
        Ok(Some((self::position(&item)?, at)))
    }

    async fn check(&self, stream: &str, shard: &str, position: &Position, at: Millis) -> Result<()> {
        let mut values = values(position);
        values.push(("checked", whole(at)));
        self.put(&place(stream, shard), END, values).await
    }
}
