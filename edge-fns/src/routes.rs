//! Which function answers which request, and which event of a connection.
//!
//! Plain tables, so that the gateway, and whatever else stands in front of the functions, routes alike. Where that is
//! written in JavaScript, `cargo xtask` writes it the table.

use serde::Deserialize;

/// A request to a function. `{name}` in a path stands for one part of it, `{*name}` at its end for all the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpRoute {
    /// `None`: every method; the function refuses those that it does not know, in its own words.
    pub method: Option<&'static str>,
    pub path: &'static str,
    pub handler: &'static str,
}

const fn route(method: Option<&'static str>, path: &'static str, handler: &'static str) -> HttpRoute {
    HttpRoute { method, path, handler }
}

/// The first that fits counts.
pub const HTTP: [HttpRoute; 8] = [
    route(Some("POST"), "/orders", "order-router"),
    route(None, "/orders", "orders"),
    route(None, "/orders/{id}", "orders"),
    route(None, "/chart", "chart-data"),
    route(None, "/depth", "chart-data"),
    route(None, "/assets", "asset"),
    route(None, "/admin", "admin"),
    route(None, "/admin/{*rest}", "admin"),
];

/// The function that answers this request.
pub fn http(method: &str, path: &str) -> Option<&'static str> {
    HTTP.iter().find(|route| route.fits(method, path)).map(|route| route.handler)
}

impl HttpRoute {
    /// The paths as a regular expression that Rust's and JavaScript's engines read alike.
    pub fn pattern(&self) -> String {
        let parts = self.path.split('/').map(|part| match part {
            // A part at least, and whatever comes behind it.
            rest if rest.starts_with("{*") => "[^/].*",
            name if name.starts_with('{') => "[^/]+",
            // Letters only, so nothing has to be escaped; a test holds this.
            word => word,
        });
        format!("^{}$", parts.collect::<Vec<_>>().join("/"))
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        if self.method.is_some_and(|own| own != method) {
            return false;
        }
        let mut parts = path.split('/');
        for own in self.path.split('/') {
            if own.starts_with("{*") {
                return parts.next().is_some_and(|part| !part.is_empty());
            }
            let Some(part) = parts.next() else { return false };
            let fits = if own.starts_with('{') { !part.is_empty() } else { own == part };
            if !fits {
                return false;
            }
        }
        parts.next().is_none()
    }
}

/// The functions of WebSocket connections, under API Gateway's route keys. The route of a message is the word under
/// `action` in it (`$request.body.action`); what has none, or an unknown one, goes to `$default`.
pub struct SocketRoutes {
    pub connect: &'static str,
    pub disconnect: &'static str,
    pub actions: &'static [(&'static str, &'static str)],
    pub default: &'static str,
}

/// What is unknown is refused by the function that explains how to subscribe.
pub const SOCKET: SocketRoutes = SocketRoutes {
    connect: "connect",
    disconnect: "disconnect",
    actions: &[("subscribe", "subscribe")],
    default: "subscribe",
};

impl SocketRoutes {
    /// The function that answers this message.
    pub fn message(&self, message: &[u8]) -> &'static str {
        #[derive(Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            action: std::borrow::Cow<'a, str>,
        }
        // Where all lead to one function there is nothing to read.
        if self.actions.iter().all(|(_, handler)| *handler == self.default) {
            return self.default;
        }
        let action = serde_json::from_slice(message).map(|Body { action }| action);
        let named = action.ok().and_then(|action| self.actions.iter().find(|(own, _)| *own == action));
        named.map_or(self.default, |(_, handler)| handler)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_find_their_functions() {
        for (method, path, handler) in [
            ("POST", "/orders", Some("order-router")),
            ("GET", "/orders", Some("orders")),
            ("DELETE", "/orders", Some("orders")),
            ("POST", "/orders/ord_1", Some("orders")),
            ("PATCH", "/orders/ord_1", Some("orders")),
            ("GET", "/orders/", None),
            ("GET", "/orders/ord_1/fills", None),
            ("GET", "/chart", Some("chart-data")),
            ("GET", "/depth", Some("chart-data")),
            ("GET", "/assets", Some("asset")),
            ("GET", "/assets/x", None),
            ("POST", "/admin", Some("admin")),
            ("POST", "/admin/deposits/now", Some("admin")),
            ("POST", "/admin/", None),
            ("GET", "/", None),
            ("GET", "", None),
            ("GET", "orders", None),
        ] {
            assert_eq!(http(method, path), handler, "{method} {path}");
        }
    }

    #[test]
    fn patterns_say_what_the_table_does() {
        let patterns = HTTP.map(|route| route.pattern());
        assert_eq!(
            patterns,
            [
                "^/orders$",
                "^/orders$",
                "^/orders/[^/]+$",
                "^/chart$",
                "^/depth$",
                "^/assets$",
                "^/admin$",
                "^/admin/[^/].*$",
            ]
        );
        let words = HTTP.iter().flat_map(|route| route.path.split('/')).filter(|part| !part.starts_with('{'));
        assert!(words.flat_map(str::chars).all(|c| c.is_ascii_lowercase()));
    }

    #[test]
    fn messages_are_routed_by_their_action() {
        const ROUTES: SocketRoutes = SocketRoutes {
            connect: "connect",
            disconnect: "disconnect",
            actions: &[("subscribe", "subscribe"), ("ping", "pong")],
            default: "other",
        };
        for (message, handler) in [
            (r#"{"action":"subscribe","main":"TEST"}"#, "subscribe"),
            (r#"{"main":[{}],"action":"p\u0069ng"}"#, "pong"),
            (r#"{"action":"Ping"}"#, "other"),
            (r#"{"action":1}"#, "other"),
            (r#"{"action":"ping""#, "other"),
            ("", "other"),
        ] {
            assert_eq!(ROUTES.message(message.as_bytes()), handler, "{message}");
        }
        assert_eq!(SOCKET.message(b"{}"), "subscribe");
    }
}
