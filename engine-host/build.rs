//! The engine's gRPC service, made from its description. No compiler of the description has to be installed.

use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["proto/engine.proto"], ["proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    // What reflection hands out.
    std::fs::write(out.join("engine.pb"), prost::Message::encode_to_vec(&files))?;
    tonic_prost_build::configure().build_client(true).compile_fds(files)?;
    Ok(())
}
