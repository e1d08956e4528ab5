//! The back ends on Valkey, PostgreSQL and Supabase against the real servers.
//!
//! `cargo xtask test` installs them. Where one is missing, its tests say so and are skipped.

#[path = "../conformance/mod.rs"]
mod conformance;

mod backups;
mod history;
#[path = "../../../tests/src/servers.rs"]
mod servers;
mod valkey;
mod wallets;
