//! The suites of the traits.

use crate::conformance::{blobs, documents, host, streams};
use crate::stand_ins::{clients, dynalite, fresh, kinesis, ministack, stream};
use aws_config::SdkConfig;
use edge_fns::capability::documents::{Expect, Id, Outcome, Write};
use edge_fns::capability::streams::Message;
use edge_fns::capability::{Documents, Error, LogStreams};
use engine_host::backends::aws::dynamo::{DynamoDocuments, DynamoState, Options};
use engine_host::backends::aws::kinesis::KinesisLog;
use engine_host::backends::aws::kinesis::log::Positions;
use engine_host::backends::aws::s3::S3Blobs;
use engine_host::backends::aws::secrets::Secret;
use engine_host::backends::{DeadLetters, Log, Record};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub async fn state(config: &SdkConfig) -> DynamoState {
    let state = DynamoState::new(config, &fresh("state"));
    state.create().await.unwrap();
    state
}

#[tokio::test]
async fn documents_of_dynamodb() {
    let Some(server) = ministack().await else { return };
    let config = clients(&server.url).await;
    let names = BTreeMap::from([("conformance".to_string(), "named-otherwise".to_string())]);
    let kept_for = BTreeMap::from([("conformance".to_string(), Duration::from_secs(86_400))]);
    let store = DynamoDocuments::new(&config, Options { names, kept_for });
    store.create(&["conformance"]).await.unwrap();
    // A table that is there stays as it is.
    store.create(&["conformance"]).await.unwrap();
    documents::suite(&store).await;

    // More than one call of the service holds, and names that it would refuse.
    let id = |n: usize| Id { table: "conformance".into(), partition: String::new(), sort: format!("{n:04}") };
    let write = |n| Write { id: id(n), expect: Expect::Absent, body: Some(n.to_string().into_bytes()) };
    let outcomes = store.put((0..250).map(write).collect()).await.unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Written(1)));
    let found = store.get((0..260).map(id).collect()).await.unwrap();
    assert!(found[..250].iter().enumerate().all(|(n, entry)| entry.as_ref().unwrap().id == id(n)));
    assert!(found[250..].iter().all(Option::is_none));
    let many = store.put_all((0..101).map(write).collect()).await;
    assert!(matches!(many, Err(Error::Invalid(_))));
    let nowhere = Id { table: "no-such-table".into(), ..id(0) };
    assert!(matches!(store.get(vec![nowhere]).await, Err(Error::Denied(_))));
}

/// The conditions are ones that DynamoDB takes: this server is as strict.
#[tokio::test]
async fn conditions_of_dynamodb() {
    let Some(server) = dynalite().await else { return };
    let config = clients(&server.url).await;
    let store = DynamoDocuments::new(&config, Options::default());
    store.create(&["conformance"]).await.unwrap();
    documents::single_writes(&store).await;
    let state = state(&config).await;
    host::checkpoints(&state).await;
}

#[tokio::test]
async fn state_of_the_host() {
    let Some(server) = ministack().await else { return };
    let state = state(&clients(&server.url).await).await;
    host::checkpoints(&state).await;
    host::dead_letters(&state).await;
    assert_eq!(state.dead_letters_of("conf", "stream", 0).await.unwrap(), 2);
    let record = Record { sequence: 1, arrived: 1, partition: String::new(), body: Vec::new() };
    state.bury("conf", "stream", 1, &record, "").await.unwrap();
    assert_eq!(state.find("s", "shard", u64::MAX).await.unwrap(), None);
}

#[tokio::test]
async fn objects_of_s3() {
    let Some(server) = ministack().await else { return };
    let config = clients(&server.url).await;
    let client = aws_sdk_s3::Client::from_conf(
        aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build(),
    );
    use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
    let place =
        CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::ApNortheast2);
    client
        .create_bucket()
        .bucket("supernoba")
        .create_bucket_configuration(place.build())
        .send()
        .await
        .unwrap();
    let store = S3Blobs::new(&config, "supernoba", "some/prefix/", true);
    store.check().await.unwrap();
    assert!(S3Blobs::new(&config, "nothing", "", true).check().await.is_err());
    blobs::suite(&store).await;
    host::snapshots(&store).await;
}

#[tokio::test]
async fn the_log() {
    let (Some(server), Some(tables)) = (kinesis().await, ministack().await) else { return };
    let config = clients(&server.url).await;
    let positions = Arc::new(state(&clients(&tables.url).await).await);
    let (first, second) = (stream(&config, 2).await, stream(&config, 2).await);
    let streams = [&*first, &*second];
    let connect = || KinesisLog::connect(&config, positions.clone(), &streams, Default::default());
    let log = connect().await.unwrap();
    host::log(&log, &first).await;
    streams::suite(&log, &second).await;
    // Another process names every message alike, wherever it begins.
    let again = connect().await.unwrap();
    for shard in 0..2 {
        let all = host::read_all(&log, &first, shard, 1000).await;
        assert_eq!(host::read_all(&again, &first, shard, 1000).await, all);
        for from in [0, 1, all.len() as u64 / 2] {
            let tail = again.read(&first, shard, from, usize::MAX).await.unwrap();
            assert_eq!(tail[..], all[from as usize..]);
        }
    }
}

/// Places are written down on the way; a reader that begins in the middle counts from the nearest one.
#[tokio::test]
async fn the_log_of_a_long_stream() {
    let (Some(server), Some(tables)) = (kinesis().await, ministack().await) else { return };
    let config = clients(&server.url).await;
    let positions = Arc::new(state(&clients(&tables.url).await).await);
    let name = stream(&config, 1).await;
    let streams = [&*name];
    let connect = || KinesisLog::connect(&config, positions.clone(), &streams, Default::default());
    let log = connect().await.unwrap();
    let messages = |from: usize| {
        let message = |n: usize| Message { partition: "S".into(), body: n.to_string().into_bytes() };
        (from..from + 6000).map(message).collect::<Vec<_>>()
    };
    for from in [0, 6000] {
        let answers = log.append(&name, messages(from)).await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
        // Read by the follower, so that places are written down.
        assert_eq!(log.last(&name, 0).await.unwrap(), from as u64 + 6000);
    }
    let again = connect().await.unwrap();
    for after in [0, 11_998, 5_500, 11_999] {
        let found = again.read(&name, 0, after, 1).await.unwrap();
        assert_eq!((found[0].sequence, &*found[0].body), (after + 1, after.to_string().as_bytes()));
    }
    assert!(positions.find(&name, "shardId-000000000000", u64::MAX).await.unwrap().is_some());
    assert_eq!(again.last(&name, 0).await.unwrap(), 12_000);
}

#[tokio::test]
async fn credentials_that_are_rotated() {
    let Some(server) = ministack().await else { return };
    let config = clients(&server.url).await;
    let client = aws_sdk_secretsmanager::Client::new(&config);
    let value =
        |password: &str| format!(r#"{{"username":"noba","password":"{password}","host":"db","port":5432}}"#);
    let created = client.create_secret().name("db").secret_string(value("one")).send().await.unwrap();
    let secret = Secret::new(&config, created.arn().unwrap());
    let first = secret.credentials().await.unwrap();
    assert_eq!((&*first.username, &*first.password, first.port), ("noba", "one", Some(5432)));
    assert!(!format!("{first:?}").contains("one"), "a password is not shown");
    client.put_secret_value().secret_id("db").secret_string(value("two")).send().await.unwrap();
    assert_eq!(secret.credentials().await.unwrap(), first, "it is not asked each time");
    // The database refuses them: then it is.
    let second = loop {
        let second = secret.after_refusal(&first).await.unwrap();
        if second != first {
            break second;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(second.password, "two");
    let unknown = Secret::new(&config, "nothing");
    assert!(matches!(unknown.credentials().await, Err(Error::Denied(_))));
    client.create_secret().name("odd").secret_string("no JSON: s3cret").send().await.unwrap();
    let error = Secret::new(&config, "odd").credentials().await.unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}
