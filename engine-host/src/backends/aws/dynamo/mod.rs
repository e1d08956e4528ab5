//! DynamoDB: documents, and what the host itself keeps (checkpoints, dead letters, places in streams).
//!
//! Every table has the keys `pk` and `sk`. Conditions only compare what is stored with what is given, since DynamoDB does
//! not calculate in them: a document's writes rest on its `version`, and what a guard needs is stored as it is compared.

mod documents;
mod state;

pub use documents::{DynamoDocuments, Options};
pub use state::DynamoState;

use super::failure::{code, failed};
use super::{Repeat, repeated};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    TableStatus, TimeToLiveSpecification,
};
use edge_fns::capability::{Error, Result};
use std::collections::HashMap;
use std::time::Duration;

/// Seconds since the epoch after which an item may be removed.
const EXPIRES: &str = "expires_at";
/// A table is created within a minute, or something is wrong.
const CREATION_TRIES: u32 = 300;
const CREATION_PAUSE: Duration = Duration::from_millis(200);

type Item = HashMap<String, AttributeValue>;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn whole(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

fn unbuilt(error: BuildError) -> Error {
    Error::Internal(error.to_string())
}

/// A table of `pk` and `sk`, created where it is missing, with items that run out where `expiring`.
async fn create_keyed_table(client: &Client, table: &str, expiring: bool) -> Result<()> {
    let attribute = |name: &str| {
        let attribute = AttributeDefinition::builder().attribute_name(name);
        attribute.attribute_type(ScalarAttributeType::S).build().map_err(unbuilt)
    };
    let key = |name: &str, kind| {
        KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(unbuilt)
    };
    create_table(
        client,
        table,
        vec![attribute("pk")?, attribute("sk")?],
        vec![key("pk", KeyType::Hash)?, key("sk", KeyType::Range)?],
    )
    .await?;
    if expiring {
        let ttl = TimeToLiveSpecification::builder()
            .attribute_name(EXPIRES)
            .enabled(true)
            .build()
            .map_err(unbuilt)?;
        match client.update_time_to_live().table_name(table).time_to_live_specification(ttl).send().await {
            Ok(_) => {}
            // It is on already, or the server knows no such thing: then items only stay longer.
            Err(error)
                if matches!(code(&error), Some("ValidationException" | "UnknownOperationException")) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

/// Creates a table where it is missing, and waits until it can be used.
pub(super) async fn create_table(
    client: &Client,
    table: &str,
    attributes: Vec<AttributeDefinition>,
    keys: Vec<KeySchemaElement>,
) -> Result<()> {
    let create = client.create_table().table_name(table).billing_mode(BillingMode::PayPerRequest);
    let create = create.set_attribute_definitions(Some(attributes)).set_key_schema(Some(keys));
    match create.send().await {
        Ok(_) => {}
        Err(error) if code(&error) == Some("ResourceInUseException") => {}
        Err(error) => return Err(failed(error)),
    }
    for _ in 0..CREATION_TRIES {
        let described = repeated(Repeat::Unanswered, || async {
            client.describe_table().table_name(table).send().await.map_err(failed)
        })
        .await?;
        if described.table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(CREATION_PAUSE).await;
    }
    Err(Error::Unavailable(format!("table {table:?} has not become active")))
}
