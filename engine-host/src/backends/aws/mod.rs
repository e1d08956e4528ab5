//! The back ends on AWS: streams, documents, objects, connections and credentials.
//!
//! Each implements the traits that the embedded ones do, and passes the same suites. The clients never repeat a call by
//! themselves: whether a call may be sent twice is known only where it is made, so each back end repeats its own.
//!
//! - [`kinesis`]: producer, consumer, leases, and the log that the engine reads · [`dynamo`]: documents, checkpoints, dead
//!   letters · [`s3`]: objects and snapshots · [`connections`]: pushes by API Gateway · [`secrets`]: database credentials

pub mod connections;
pub mod dynamo;
mod failure;
pub mod kinesis;
pub mod s3;
pub mod secrets;

pub use failure::told as meaning;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use edge_fns::capability::{Error, Millis, Result};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Where the contract's system runs.
pub const REGION: &str = "ap-northeast-2";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Of one attempt. A call that took longer may have taken effect.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Region, credentials and the client's settings: from the environment and the machine's own role, as all AWS tools take
/// them. `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_KINESIS` and so on lead to other servers.
pub async fn load(region: &str) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .http_client(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled())
        .load()
        .await
}

/// The same for a server at this address, with these keys: for tests, and for servers that only stand for AWS.
pub async fn load_for(endpoint: &str, key: &str, secret: &str) -> SdkConfig {
    let keys = SharedCredentialsProvider::new(Credentials::new(key, secret, None, None, "given"));
    load(REGION).await.into_builder().endpoint_url(endpoint).credentials_provider(keys).build()
}

/// How a call is repeated that may be: what was throttled or did not arrive, with pauses that grow; where it cannot hurt
/// to do it twice, also what got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeat {
    Refused,
    Unanswered,
}

const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LAST_PAUSE: Duration = Duration::from_secs(2);

async fn repeated<T, F>(repeat: Repeat, mut attempt: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        let error = match attempt().await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let again = match error {
            Error::Throttled(_) | Error::Unavailable(_) => true,
            Error::Timeout => repeat == Repeat::Unanswered,
            Error::Invalid(_) | Error::Denied(_) | Error::Internal(_) => false,
        };
        if !again || tries == TRIES {
            return Err(error);
        }
        tokio::time::sleep(pause(tries)).await;
    }
}

/// The pause after so many failures: doubled each time, and somewhere between half and all of that, so that those who were
/// refused together do not come back together.
fn pause(failures: u32) -> Duration {
    let whole = (FIRST_PAUSE * 2u32.saturating_pow(failures.saturating_sub(1).min(16))).min(LAST_PAUSE);
    let mut random = [0; 2];
    // Without randomness the pauses are whole.
    let part =
        getrandom::fill(&mut random).map_or(1.0, |()| f64::from(u16::from_le_bytes(random)) / 65_536.0);
    whole.mul_f64(0.5 + part / 2.0)
}

fn now_ms() -> Millis {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as Millis)
}

/// Mark of an escaped name, see [`escaped`].
const MARK: char = '\u{1}';

/// A partition or sort key as AWS takes it, which must not be empty: then it is the mark alone, and what begins with the
/// mark gets one more. The order of the names stays.
fn escaped(name: &str) -> String {
    if name.is_empty() || name.starts_with(MARK) { format!("{MARK}{name}") } else { name.into() }
}

fn unescaped(name: &str) -> &str {
    name.strip_prefix(MARK).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_keep_their_order() {
        let names = ["", "\u{1}", "\u{1}\u{1}", "\u{1}a", " ", "TEST", "한글"];
        for name in names {
            assert!(!escaped(name).is_empty());
            assert_eq!(unescaped(&escaped(name)), name);
        }
        assert!(names.map(escaped).is_sorted());
    }

    #[test]
    fn pauses_grow_and_end() {
        assert!(pause(1) <= FIRST_PAUSE && pause(1) >= FIRST_PAUSE / 2);
        assert!(pause(4) >= FIRST_PAUSE * 4);
        assert!(pause(u32::MAX) <= LAST_PAUSE);
    }

    #[tokio::test]
    async fn only_what_may_be_sent_twice_is_sent_twice() {
        for (error, repeat, calls) in [
            (Error::Throttled(None), Repeat::Refused, TRIES),
            (Error::Unavailable("x".into()), Repeat::Refused, TRIES),
            (Error::Timeout, Repeat::Refused, 1),
            (Error::Timeout, Repeat::Unanswered, TRIES),
            (Error::Denied("x".into()), Repeat::Unanswered, 1),
        ] {
            let mut made = 0;
            let answer: Result<()> = repeated(repeat, || {
                made += 1;
                let error = error.clone();
                async move { Err(error) }
            })
            .await;
            assert_eq!((answer, made), (Err(error), calls));
        }
    }
}
