//! What each function may read of the configuration.
//!
//! A deployment's configuration holds secrets besides settings: service keys, passwords, endpoints with credentials.
//! Functions work without them, since the back ends hold the connections. So a function reads the names listed here and
//! no other, whatever the deployment sets.

/// Handler, and the names that it may read.
const GRANTS: [(&str, &[&str]); 10] = [
    ("order-router", &["ALLOW_TEST_MODE", "ORDERS_TABLE", "KINESIS_ORDERS_STREAM"]),
    ("orders", &["ALLOW_TEST_MODE", "ORDERS_TABLE", "KINESIS_ORDERS_STREAM"]),
    ("admin", &["ALLOW_TEST_MODE"]),
    ("asset", &["ALLOW_TEST_MODE"]),
    ("connect", &["ALLOW_TEST_MODE"]),
    ("chart-data", &["DAY_OFFSET_S"]),
    ("aggregator", &["DAY_OFFSET_S"]),
    ("trades-backup", &["DAY_OFFSET_S"]),
    ("fill-processor", &["ORDERS_TABLE"]),
    ("sweeper", &["ORDERS_TABLE", "KINESIS_ORDERS_STREAM"]),
];

/// Whether this function may read the configuration of this name.
pub fn grants(handler: &str, name: &str) -> bool {
    GRANTS.iter().any(|(own, names)| *own == handler && names.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worlds::World;

    #[test]
    fn nothing_that_sounds_like_a_secret_is_granted_and_every_handler_is_known() {
        for (handler, names) in GRANTS {
            assert!(World::of(handler).is_some(), "{handler}");
            for name in names {
                for secret in
                    ["KEY", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL", "ENDPOINT", "URL", "HOST", "ARN"]
                {
                    assert!(!name.contains(secret), "{handler} {name}");
                }
            }
        }
        assert!(grants("asset", "ALLOW_TEST_MODE"));
        assert!(!grants("asset", "SUPABASE_SERVICE_ROLE_KEY"));
        assert!(!grants("asset", "allow_test_mode"));
        assert!(!grants("subscribe", "ALLOW_TEST_MODE"));
    }
}
