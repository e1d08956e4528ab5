//! What a function's capabilities are connected to on Lambda, chosen by the environment.
//!
//! Each capability has a list of back ends by name, and a variable (`CACHE_BACKEND`, …) that names one. So far there is
//! `gateway`: the exchange's own capability server, over HTTPS. Another back end (Valkey for the cache, Kinesis for the
//! streams, …) is one more line in [`Capabilities::from`].

use crate::Gateway;
use edge_fns::capability::{Base, LogStreams};
use edge_fns::remote::{PATIENCE, Remote, RemoteBase, patience_ms};
use edge_host::{Backends, SystemBase};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What handlers may read of the environment: settings, no secrets.
pub const CONFIGURATION: [&str; 6] = [
    "ALLOW_TEST_MODE",
    "AWS_REGION",
    "DAY_OFFSET_S",
    "KINESIS_FILLS_STREAM",
    "KINESIS_ORDERS_STREAM",
    "ORDERS_TABLE",
];

/// The variables that the program was started with.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    pub fn of_process() -> Environment {
        std::env::vars().collect()
    }

    /// A variable that is empty counts as not set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn required(&self, name: &'static str) -> Result<&str, SetupError> {
        self.get(name).ok_or(SetupError::Missing(name))
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Environment {
        Environment(variables.into_iter().collect())
    }
}

/// Why the function cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    #[error("{0} is not set")]
    Missing(&'static str),
    #[error("{variable} is {value:?}: {reason}")]
    BadValue { variable: String, value: String, reason: String },
}

/// The back ends of every capability.
pub struct Capabilities {
    pub backends: Backends,
    /// Where the server sets time and randomness of each event.
    pub session: Option<Arc<RemoteBase<Gateway>>>,
}

impl Capabilities {
    pub fn from(environment: &Environment) -> Result<Capabilities, SetupError> {
        let url = environment.required("CAPABILITIES_URL")?;
        let patience = environment.get(PATIENCE);
        let patience =
            patience_ms(patience).map_err(|why| bad(PATIENCE, patience.unwrap_or_default(), &why))?;
        let patience = Duration::from_millis(patience.into());
        let server = Remote(Gateway::new(url, environment.get("CAPABILITIES_TOKEN"), patience)?);
        let gateway = Arc::new(server.clone());
        let own: Arc<dyn Base> = Arc::new(SystemBase::new(configuration(environment)));
        let session = match environment.get("CAPABILITIES_SESSION") {
            None | Some("own") => None,
            Some("server") => Some(Arc::new(RemoteBase::new(server, own.clone()))),
            Some(other) => return Err(bad("CAPABILITIES_SESSION", other, "known are: own, server")),
        };
        let base = match &session {
            Some(session) => session.clone(),
            None => own,
        };
        let e = environment;
        let backends = Backends {
            base,
            identity: chosen(e, "IDENTITY_BACKEND", &[("gateway", gateway.clone())])?,
            cache: chosen(e, "CACHE_BACKEND", &[("gateway", gateway.clone())])?,
            documents: chosen(e, "DOCUMENTS_BACKEND", &[("gateway", gateway.clone())])?,
            streams: chosen::<dyn LogStreams>(e, "STREAMS_BACKEND", &[("gateway", gateway.clone())])?,
            sql: chosen(e, "SQL_BACKEND", &[("gateway", gateway.clone())])?,
            wallet: chosen(e, "WALLET_BACKEND", &[("gateway", gateway.clone())])?,
            connections: chosen(e, "CONNECTIONS_BACKEND", &[("gateway", gateway.clone())])?,
            blobs: chosen(e, "BLOBS_BACKEND", &[("gateway", gateway)])?,
        };
        Ok(Capabilities { backends, session })
    }
}

/// The back end that the variable names, or the first one.
fn chosen<T: ?Sized>(
    environment: &Environment,
    variable: &'static str,
    known: &[(&str, Arc<T>)],
) -> Result<Arc<T>, SetupError> {
    let name = environment.get(variable);
    let mut found = known.iter().filter(|(known, _)| name.is_none_or(|name| name == *known));
    found.next().map(|(_, backend)| backend.clone()).ok_or_else(|| {
        let names = known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        bad(variable, name.unwrap_or_default(), &format!("known are: {names}"))
    })
}

fn configuration(environment: &Environment) -> BTreeMap<String, String> {
    let value = |name: &&str| Some(((*name).to_owned(), environment.get(name)?.to_owned()));
    CONFIGURATION.iter().filter_map(value).collect()
}

pub(crate) fn bad(variable: &str, value: &str, reason: &str) -> SetupError {
    SetupError::BadValue { variable: variable.into(), value: value.into(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn refused(variables: &[(&str, &str)]) -> String {
        match Capabilities::from(&environment(variables)) {
            Ok(_) => panic!("{variables:?} is taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_is_wrong_in_the_environment_is_named() {
        let url = ("CAPABILITIES_URL", "https://exchange.example/capabilities");
        assert!(Capabilities::from(&environment(&[url, ("CACHE_BACKEND", "gateway")])).is_ok());
        assert!(Capabilities::from(&environment(&[url, ("CACHE_BACKEND", "")])).is_ok());
        assert_eq!(refused(&[]), "CAPABILITIES_URL is not set");
        assert_eq!(
            refused(&[url, ("WALLET_BACKEND", "bank")]),
            r#"WALLET_BACKEND is "bank": known are: gateway"#
        );
        assert_eq!(
            refused(&[url, ("CAPABILITIES_SESSION", "x")]),
            r#"CAPABILITIES_SESSION is "x": known are: own, server"#
        );
        let patience = |value| refused(&[url, ("CAPABILITIES_PATIENCE_MS", value)]);
        assert!(patience("0").starts_with(r#"CAPABILITIES_PATIENCE_MS is "0": "#));
        assert!(patience("soon").contains("milliseconds"));
        // A token must not cross a network in the clear.
        assert!(refused(&[("CAPABILITIES_URL", "http://exchange.example/")]).contains("https"));
        assert!(refused(&[("CAPABILITIES_URL", "exchange")]).contains("https"));
        assert!(Capabilities::from(&environment(&[("CAPABILITIES_URL", "http://127.0.0.1:9/")])).is_ok());
    }

    #[test]
    fn handlers_read_settings_and_no_secrets() {
        let environment = environment(&[
            ("ALLOW_TEST_MODE", "true"),
            ("CAPABILITIES_TOKEN", "secret"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("SUPABASE_SERVICE_ROLE_KEY", "secret"),
        ]);
        let read = configuration(&environment);
        assert_eq!(read.into_iter().collect::<Vec<_>>(), [("ALLOW_TEST_MODE".into(), "true".into())]);
    }
}
