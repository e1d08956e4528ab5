//! The streamer as a process of its own, for deployments whose cache is a server.

use std::process::ExitCode;

fn main() -> ExitCode {
    let host = std::env::var("VALKEY_HOST").unwrap_or_default();
    if host.is_empty() {
        eprintln!(
            "streamer: VALKEY_HOST is not set; in the embedded mode the streamer is part of `supernoba up`"
        );
    } else {
        eprintln!(
            "streamer: this build has no Valkey back end, so it cannot reach {host}; use `supernoba up`"
        );
    }
    ExitCode::from(2)
}
