//! Outbound HTTP: which hosts a component may ask, and how often.

use super::SpinError;
use crate::limits::Asked;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};
use std::sync::Arc;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

/// `allowed_outbound_hosts` of a component: `https://example.com`, `http://127.0.0.1:8080`, `https://*.example.com`,
/// `*://host:*`. Without a port, the scheme's own is meant.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts(Vec<Allowed>);

#[derive(Clone, Debug)]
struct Allowed {
    /// None is any.
    scheme: Option<String>,
    host: Host,
    port: Port,
}

#[derive(Clone, Debug)]
enum Host {
    Any,
    Exactly(String),
    /// Begins with a dot.
    Below(String),
}

#[derive(Clone, Debug)]
enum Port {
    Any,
    Default,
    Exactly(u16),
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

impl AllowedHosts {
    pub fn parse(hosts: impl IntoIterator<Item = String>) -> Result<AllowedHosts, SpinError> {
        let parsed = hosts.into_iter().map(|text| {
            Allowed::parse(&text)
                .ok_or_else(|| SpinError::Manifest(format!("{text:?} is no host for allowed_outbound_hosts")))
        });
        parsed.collect::<Result<_, _>>().map(AllowedHosts)
    }

    pub fn allow(&self, scheme: &str, host: &str, port: u16) -> bool {
        self.0.iter().any(|allowed| allowed.allows(scheme, host, port))
    }
}

impl Allowed {
    fn parse(text: &str) -> Option<Allowed> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = match scheme {
            "*" => None,
            "" => return None,
            scheme => Some(scheme.to_ascii_lowercase()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        // An address of IPv6 has colons of its own.
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let host = match host {
            "" => return None,
            "*" => Host::Any,
            host if host.contains(['/', '?', '#', '@']) => return None,
            host => match host.strip_prefix('*') {
                Some(below) if below.starts_with('.') && !below.contains('*') => {
                    Host::Below(below.to_ascii_lowercase())
                }
                None if !host.contains('*') => Host::Exactly(host.to_ascii_lowercase()),
                _ => return None,
            },
        };
        let port = match port {
            None => Port::Default,
            Some("*") => Port::Any,
            Some(port) => Port::Exactly(port.parse().ok()?),
        };
        Some(Allowed { scheme, host, port })
    }

    fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        self.scheme.as_ref().is_none_or(|own| own == scheme)
            && match &self.host {
                Host::Any => true,
                Host::Exactly(own) => *own == host,
                Host::Below(below) => host.len() > below.len() && host.ends_with(below.as_str()),
            }
            && match self.port {
                Port::Any => true,
                Port::Default => default_port(scheme) == Some(port),
                Port::Exactly(own) => own == port,
            }
    }
}

/// What one call may send.
pub struct Outbound {
    pub allowed: Arc<AllowedHosts>,
    pub asked: Arc<Asked>,
    pub body_bytes: usize,
}

type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        // What becomes of the answer's body is the component's to see.
        _answered: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let uri = request.uri();
        let scheme = uri.scheme_str().unwrap_or("https").to_ascii_lowercase();
        let port = uri.port_u16().or(default_port(&scheme));
        let host = uri.host().unwrap_or_default();
        if !port.is_some_and(|port| self.allowed.allow(&scheme, host, port)) {
            tracing::warn!(scheme, host, "a request to a host that the manifest does not allow");
            return Box::new(async { Err(Error::HttpRequestDenied) });
        }
        if self.asked.ask().is_err() {
            return Box::new(async { Err(Error::ConnectionLimitReached) });
        }
        let limit = self.body_bytes;
        let request = request.map(|body| {
            let limited = Limited::new(body, limit);
            limited
                .map_err(move |error| match error.downcast::<Error>() {
                    Ok(error) => *error,
                    Err(_) => Error::HttpRequestBodySize(Some(limit as u64)),
                })
                .boxed_unsync()
        });
        Box::new(async move {
            let (response, sending) = default_send_request(request, options).await?;
            Ok((response.map(BodyExt::boxed_unsync), Box::new(sending) as Box<_>))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_allowed_as_written() {
        let check = |allowed: &str, scheme: &str, host: &str, port: u16, expected: bool| {
            let hosts = AllowedHosts::parse([allowed.to_owned()]).unwrap();
            assert_eq!(hosts.allow(scheme, host, port), expected, "{allowed}: {scheme}://{host}:{port}");
        };
        check("https://example.com", "https", "example.com", 443, true);
        check("https://example.com/", "https", "EXAMPLE.com", 443, true);
        check("https://example.com", "https", "example.com", 8443, false);
        check("https://example.com", "http", "example.com", 80, false);
        check("https://example.com", "https", "example.com.evil.org", 443, false);
        check("https://example.com", "https", "evil-example.com", 443, false);
        check("https://*.example.com", "https", "a.b.example.com", 443, true);
        check("https://*.example.com", "https", "example.com", 443, false);
        check("https://*.example.com", "https", "evilexample.com", 443, false);
        check("http://127.0.0.1:8080", "http", "127.0.0.1", 8080, true);
        check("http://127.0.0.1:8080", "http", "127.0.0.1", 8081, false);
        check("http://[::1]:80", "http", "[::1]", 80, true);
        check("http://[::1]", "http", "[::1]", 80, true);
        check("*://db:*", "http", "db", 5432, true);
        check("http://*", "http", "anything", 80, true);
        check("http://*", "http", "anything", 81, false);
        assert!(!AllowedHosts::default().allow("https", "example.com", 443));
        for wrong in [
            "example.com",
            "://a",
            "https://",
            "https://a/b",
            "https://a*b",
            "https://*a",
            "http://a:x",
            "http://u@a",
        ] {
            assert!(AllowedHosts::parse([wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
