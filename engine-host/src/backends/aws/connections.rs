//! Pushes to WebSocket clients by API Gateway's management API.

use super::failure::{failed, status};
use super::{Repeat, repeated};
use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::Builder;
use aws_sdk_apigatewaymanagement::primitives::Blob;
use edge_fns::capability::connections::{Delivery, Push};
use edge_fns::capability::{Connections, Result};
use futures_util::{StreamExt, stream};
use std::collections::BTreeMap;

/// Calls at the same time. The service takes each push on its own.
const AT_ONCE: usize = 64;
const GONE: u16 = 410;

/// The connections of one API's stage.
#[derive(Clone, Debug)]
pub struct ApiGateway {
    client: Client,
}

impl ApiGateway {
    /// `endpoint` is the contract's `WEBSOCKET_ENDPOINT`: the stage's address, by `https:` or as clients see it, by `wss:`.
    pub fn new(config: &SdkConfig, endpoint: &str) -> ApiGateway {
        let endpoint = match endpoint.split_once("://") {
            Some(("wss", rest)) => format!("https://{rest}"),
            Some(("ws", rest)) => format!("http://{rest}"),
            Some(_) => endpoint.to_string(),
            None => format!("https://{endpoint}"),
        };
        let config = Builder::from(config).endpoint_url(endpoint.trim_end_matches('/')).build();
        ApiGateway { client: Client::from_conf(config) }
    }

    /// A push that got no answer is not sent again: who did get it would see it twice, out of order.
    async fn send(&self, id: &str, body: Blob) -> Result<Delivery> {
        repeated(Repeat::Refused, || async {
            match self.client.post_to_connection().connection_id(id).data(body.clone()).send().await {
                Ok(_) => Ok(Delivery::Sent),
                Err(error) if status(&error) == Some(GONE) => Ok(Delivery::Gone),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }

    async fn is_there(&self, id: &str) -> Result<bool> {
        repeated(Repeat::Unanswered, || async {
            match self.client.get_connection().connection_id(id).send().await {
                Ok(_) => Ok(true),
                Err(error) if status(&error) == Some(GONE) => Ok(false),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }
}

#[async_trait]
impl Connections for ApiGateway {
    /// The pushes of one connection go one after another, in their order; different connections at the same time.
    async fn post(&self, pushes: Vec<Push>) -> Result<Vec<Vec<Result<Delivery>>>> {
        let mut answers: Vec<Vec<Result<Delivery>>> =
            pushes.iter().map(|push| vec![Ok(Delivery::Gone); push.to.len()]).collect();
        let bodies: Vec<Blob> = pushes.iter().map(|push| Blob::new(push.body.clone())).collect();
        let mut queues: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for (n, push) in pushes.iter().enumerate() {
            for (m, id) in push.to.iter().enumerate() {
                queues.entry(id.clone()).or_default().push((n, m));
            }
        }
        let bodies = &bodies;
        let sent: Vec<_> = stream::iter(queues)
            .map(|(id, places)| async move {
                let mut answers = Vec::with_capacity(places.len());
                let mut gone = false;
                for (n, m) in places {
                    let answer =
                        if gone { Ok(Delivery::Gone) } else { self.send(&id, bodies[n].clone()).await };
                    gone |= answer == Ok(Delivery::Gone);
                    answers.push((n, m, answer));
                }
                answers
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        for (n, m, answer) in sent.into_iter().flatten() {
            answers[n][m] = answer;
        }
        Ok(answers)
    }

    async fn probe(&self, ids: Vec<String>) -> Result<Vec<Result<bool>>> {
        let probes = stream::iter(ids).map(|id| async move { self.is_there(&id).await });
        Ok(probes.buffered(AT_ONCE).collect().await)
    }

    async fn close(&self, id: &str) -> Result<()> {
        repeated(Repeat::Unanswered, || async {
            match self.client.delete_connection().connection_id(id).send().await {
                Ok(_) => Ok(()),
                Err(error) if status(&error) == Some(GONE) => Ok(()),
                Err(error) => Err(failed(error)),
            }
        })
        .await
    }
}
