//! A Spin component that uses what the SDK offers as its documentation shows it, and misbehaves when it is asked to.

use anyhow::Context;
use bytes::Bytes;
use futures_util::SinkExt;
use spin_sdk::http::body::{IncomingBodyExt, stream};
use spin_sdk::http::{FullBody, IntoResponse, Request, StatusCode, send};
use spin_sdk::key_value::Store;
use spin_sdk::{http_service, variables};
use std::time::Duration;

#[http_service]
async fn serve(request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let argument = parts.uri.query().unwrap_or_default().to_owned();
    let path = header("spin-path-info");
    let body = body.bytes().await.map(|body| body.to_vec()).unwrap_or_default();
    let answer = answer(&path, &argument, &header("x-asked"), body).await;
    let (status, said) =
        answer.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, format!("{error:#}").into_bytes()));
    (status, FullBody::new(Bytes::from(said)))
}

type Answer = (StatusCode, Vec<u8>);

async fn answer(path: &str, argument: &str, asked: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
    let said = match path {
        "/echo" => [asked.as_bytes(), b" ", &body].concat(),
        "/variable" => variables::get(argument).await.map(String::into_bytes)?,
        "/store" => store(argument, body).await?,
        "/fetch" => {
            let response = spin_sdk::http::get(argument).await?;
            let status = response.status();
            return Ok((status, response.into_body().bytes().await?.to_vec()));
        }
        // A body that is sent while it is made.
        "/stream" => {
            let (mut sender, streamed) = stream::<String>();
            spin_sdk::wasip3::spawn(async move {
                for n in 0..100 {
                    if sender.send(format!("{n}\n")).await.is_err() {
                        break;
                    }
                }
            });
            let request = http::Request::post(argument).body(streamed)?;
            let response = send(request).await?;
            response.into_body().bytes().await?.to_vec()
        }
        "/sleep" => {
            spin_sdk::time::sleep(Duration::from_millis(argument.parse()?)).await;
            b"awake".to_vec()
        }
        "/panic" => panic!("as it was asked to"),
        "/loop" => loop {
            std::hint::spin_loop();
        },
        "/memory" => {
            let mut held: Vec<Vec<u8>> = Vec::new();
            loop {
                held.push(vec![1; 1 << 20]);
                std::hint::black_box(&held);
            }
        }
        "/output" => vec![b'x'; argument.parse()?],
        "/calls" => {
            for _ in 0..argument.parse()? {
                variables::get("greeting").await?;
            }
            b"called".to_vec()
        }
        _ => return Ok((StatusCode::NOT_FOUND, path.as_bytes().to_vec())),
    };
    Ok((StatusCode::OK, said))
}

/// `LABEL get KEY`, `LABEL set KEY` with the value as the body, and so on, separated by `/`.
async fn store(argument: &str, body: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let mut words = argument.split('/');
    let mut next = || words.next().context("a word is missing");
    let store = Store::open(next()?).await?;
    Ok(match next()? {
        "get" => store.get(next()?).await?.unwrap_or_else(|| b"(none)".to_vec()),
        "set" => store.set(next()?, body).await.map(|()| Vec::new())?,
        "delete" => store.delete(next()?).await.map(|()| Vec::new())?,
        "exists" => store.exists(next()?).await?.to_string().into_bytes(),
        "keys" => {
            let mut keys = store.get_keys().await.collect().await?;
            keys.sort();
            keys.join(" ").into_bytes()
        }
        other => anyhow::bail!("{other:?} is nothing that a store does"),
    })
}
