//! A proxy before a stream's server, that answers some calls with the service's refusals, takes only a part of some batches, loses
//! answers, or answers nobody any more.

// The programs that take this file in by its path need a part of it each.
#![allow(dead_code)]

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What becomes of one `PutRecords`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The whole call is throttled.
    Throttled,
    /// Of the records, those of these places (counted from 0) are throttled, the others taken.
    Part(Vec<usize>),
    /// All are taken, and the answer is lost.
    Unanswered,
    /// It is passed on.
    Passed,
}

#[derive(Clone)]
pub struct Proxy {
    pub url: String,
    upstream: String,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    /// When there are no more faults told, whether every call is throttled.
    closed: Arc<Mutex<bool>>,
    calls: Arc<Mutex<Vec<Vec<String>>>>,
    /// The state of a generator of random faults, while there is a storm.
    storm: Arc<Mutex<Option<u64>>>,
    /// Whether nobody is answered.
    silent: Arc<watch::Sender<bool>>,
    client: reqwest::Client,
}

impl Proxy {
    pub async fn start(upstream: &str) -> Proxy {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy {
            url: format!("http://{}", listener.local_addr().unwrap()),
            upstream: upstream.into(),
            faults: Arc::default(),
            closed: Arc::default(),
            calls: Arc::default(),
            storm: Arc::default(),
            silent: Arc::new(watch::Sender::new(false)),
            client: reqwest::Client::new(),
        };
        let router = Router::new().fallback(answer).with_state(proxy.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        proxy
    }

    pub fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().extend(faults);
    }

    pub fn close(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
    }

    /// From now on faults come at random, the same for the same seed and calls; with `None` no more.
    pub fn storm(&self, seed: Option<u64>) {
        *self.storm.lock().unwrap() = seed;
    }

    /// While silent, no call is passed on and none is answered, as behind a cut line.
    pub fn silence(&self, silent: bool) {
        self.silent.send_replace(silent);
    }

    /// A number below the limit, if there is a storm.
    fn gust(&self, limit: u64) -> Option<u64> {
        let mut storm = self.storm.lock().unwrap();
        let state = storm.as_mut()?;
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some((*state >> 33) % limit)
    }

    /// What becomes of a `PutRecords` of so many.
    fn fault(&self, records: usize) -> Fault {
        if let Some(fault) = self.faults.lock().unwrap().pop_front() {
            return fault;
        }
        if *self.closed.lock().unwrap() {
            return Fault::Throttled;
        }
        match self.gust(10) {
            Some(0..3) => Fault::Throttled,
            Some(3..6) => {
                Fault::Part((0..records).filter(|_| self.gust(2).is_some_and(|side| side == 0)).collect())
            }
            Some(6) => Fault::Unanswered,
            _ => Fault::Passed,
        }
    }

    /// The partition keys of each `PutRecords` so far.
    pub fn calls(&self) -> Vec<Vec<String>> {
        self.calls.lock().unwrap().clone()
    }

    async fn pass(&self, headers: &HeaderMap, body: Vec<u8>) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = self.client.post(&self.upstream).body(body);
        for (name, value) in headers {
            if !["host", "content-length"].contains(&name.as_str()) {
                request = request.header(name, value);
            }
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let mut headers = HeaderMap::new();
        if let Some(kind) = response.headers().get("content-type") {
            headers.insert("content-type", kind.clone());
        }
        (status, headers, response.bytes().await.unwrap())
    }
}

fn throttled() -> Response {
    let body = json!({ "__type": "ProvisionedThroughputExceededException", "message": "as told" });
    (StatusCode::BAD_REQUEST, [("content-type", "application/x-amz-json-1.1")], body.to_string())
        .into_response()
}

async fn answer(State(proxy): State<Proxy>, headers: HeaderMap, body: Bytes) -> Response {
    let mut silent = proxy.silent.subscribe();
    // The proxy ends with its test.
    let _ = silent.wait_for(|silent| !silent).await;
    let target = headers.get("x-amz-target").map_or("", |target| target.to_str().unwrap());
    if target == "Kinesis_20131202.GetRecords" && proxy.gust(5) == Some(0) {
        return throttled();
    }
    if target != "Kinesis_20131202.PutRecords" {
        return proxy.pass(&headers, body.to_vec()).await.into_response();
    }
    let mut asked: Value = serde_json::from_slice(&body).expect("the client speaks JSON");
    let records = asked["Records"].as_array().unwrap().clone();
    let keys = records.iter().map(|record| record["PartitionKey"].as_str().unwrap().to_string()).collect();
    proxy.calls.lock().unwrap().push(keys);
    match proxy.fault(records.len()) {
        Fault::Throttled => throttled(),
        Fault::Passed => proxy.pass(&headers, body.to_vec()).await.into_response(),
        Fault::Unanswered => {
            proxy.pass(&headers, body.to_vec()).await;
            (StatusCode::INTERNAL_SERVER_ERROR, json!({ "__type": "InternalFailure" }).to_string())
                .into_response()
        }
        Fault::Part(places) => {
            let kept: Vec<Value> = records
                .iter()
                .enumerate()
                .filter(|(n, _)| !places.contains(n))
                .map(|(_, r)| r.clone())
                .collect();
            let mut taken: VecDeque<Value> = VecDeque::new();
            if !kept.is_empty() {
                asked["Records"] = Value::Array(kept);
                let (_, _, answer) = proxy.pass(&headers, asked.to_string().into_bytes()).await;
                let answer: Value = serde_json::from_slice(&answer).unwrap();
                taken.extend(answer["Records"].as_array().unwrap().iter().cloned());
            }
            let refusal =
                json!({ "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "as told" });
            let mut refused = 0;
            let answers: Vec<Value> = (0..records.len())
                .map(|n| {
                    if places.contains(&n) {
                        refused += 1;
                        refusal.clone()
                    } else {
                        taken.pop_front().unwrap()
                    }
                })
                .collect();
            let body = json!({ "FailedRecordCount": refused, "Records": answers });
            ([("content-type", "application/x-amz-json-1.1")], body.to_string()).into_response()
        }
    }
}
