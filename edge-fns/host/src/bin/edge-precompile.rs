//! Compiles the components of a folder for hosts without a compiler: `edge-precompile COMPONENTS TARGET OUT`.

use edge_host::precompiled;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [components, target, out] = &arguments[..] else {
        eprintln!("usage: edge-precompile COMPONENTS TARGET OUT");
        return ExitCode::from(2);
    };
    match precompiled::compile(components.as_ref(), target, out.as_ref()) {
        Ok(manifest) => {
            println!("{} components compiled for {target}", manifest.functions.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
