//! Scripts that the functions run in the cache: a host registers them by name, a function cannot bring its own.

/// Takes values off the end of a list as long as they are the expected ones, so that two who do it at once take nothing
/// that only one of them has seen. Key: the list; arguments: the values expected at its end, the last one first. Answers how
/// many it took.
pub const DROP_OLDEST: &str = "drop_oldest";
/// [`DROP_OLDEST`] for Valkey.
pub const DROP_OLDEST_LUA: &str = include_str!("scripts/drop_oldest.lua");
