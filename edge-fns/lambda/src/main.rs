//! The bootstrap: what Lambda starts, once for each process that it keeps.

use edge_lambda::{Environment, Function};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing::level_filters::LevelFilter;

/// One thread: a process has one event at a time.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let environment = Environment::of_process();
    let level =
        environment.get("LOG_LEVEL").and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    // Lambda adds the time, and colours are for terminals.
    tracing_subscriber::fmt().with_max_level(level).without_time().with_ansi(false).init();
    match run(&environment).await {
        Ok(()) => ExitCode::SUCCESS,
        Err((error_type, message)) => {
            tracing::error!(error_type, message, "cannot take events");
            if let Some(api) = environment.get("AWS_LAMBDA_RUNTIME_API") {
                report(api, &error_type, &message).await;
            }
            ExitCode::FAILURE
        }
    }
}

async fn run(environment: &Environment) -> Result<(), (String, String)> {
    let archive = environment.get("LAMBDA_TASK_ROOT").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let function =
        Function::start(environment, &archive).map_err(|error| (error.error_type(), error.to_string()))?;
    let function = &function;
    // The runtime logs what fails.
    let answer = |event: LambdaEvent<Value>| function.answer(event.payload, event.context.deadline);
    lambda_runtime::run(service_fn(answer))
        .await
        .map_err(|error| ("Supernoba.Runtime".to_owned(), error.to_string()))
}

/// Tells Lambda why there will be no answers.
async fn report(api: &str, error_type: &str, message: &str) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let body = json!({"errorType": error_type, "errorMessage": message, "stackTrace": []}).to_string();
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{api}/2018-06-01/runtime/init/error"))
        .header("lambda-runtime-function-error-type", error_type)
        .body(Full::new(Bytes::from(body)));
    let told = match request {
        Ok(request) => client.request(request).await.map(|_| ()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = told {
        tracing::error!(error, "Lambda could not be told");
    }
}
