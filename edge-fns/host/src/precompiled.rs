//! Components compiled beforehand: machine code in files, which a host without a compiler runs.
//!
//! A folder of `NAME.cwasm` with a manifest that says by which wasmtime and for which target they were compiled, and has
//! the SHA-256 of each. Such a file is trusted as a program is: a component cannot escape, code that was written into its
//! compiled form can. So a file is loaded only if it is, byte for byte, one that its manifest names; and the manifest comes
//! in the same archive as the program that reads it.
//!
//! The same components give the same files, on whatever machine they are compiled.

use crate::LoadError;
use crate::handler::read;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use wasmtime::component::Component;
use wasmtime::{Engine, ModuleVersionStrategy};

pub const MANIFEST: &str = "functions.json";

/// What was compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the compiler, as far as compiled code depends on it.
    pub wasmtime: String,
    /// Machines that the code is for, as `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// The SHA-256 of each handler's file, in hexadecimal digits.
    pub functions: BTreeMap<String, String>,
}

pub fn file_name(handler: &str) -> String {
    format!("{handler}.cwasm")
}

/// Compiles every component of a folder for a target into another folder, and writes its manifest.
#[cfg(feature = "compiler")]
pub fn compile(components: &Path, target: &str, out: &Path) -> Result<Manifest, LoadError> {
    let engine = crate::engine::compiler(target)?;
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        std::fs::write(&path, bytes).map_err(|source| LoadError::Write { path, source })
    };
    let mut functions = BTreeMap::new();
    for (handler, path) in crate::folder::handlers(components)? {
        let code = engine
            .precompile_component(&read(&path)?)
            .map_err(|reason| crate::handler::unfit(&path, reason))?;
        write(&file_name(handler), &code)?;
        functions.insert(handler.to_owned(), sha256(&code));
    }
    let manifest = Manifest { wasmtime: version(), target: target.into(), functions };
    let text = serde_json::to_string_pretty(&manifest).map_err(|reason| bad(out, reason))?;
    write(MANIFEST, text.as_bytes())?;
    Ok(manifest)
}

impl Manifest {
    pub fn read(dir: &Path) -> Result<Manifest, LoadError> {
        let path = dir.join(MANIFEST);
        let manifest: Manifest =
            serde_json::from_slice(&read(&path)?).map_err(|reason| bad(&path, reason))?;
        let running = version();
        if manifest.wasmtime != running {
            let compiled = manifest.wasmtime;
            return Err(LoadError::OtherWasmtime { path, compiled, running });
        }
        let running = std::env::consts::ARCH;
        if manifest.target.split('-').next() != Some(running) {
            let compiled = manifest.target;
            return Err(LoadError::OtherTarget { path, compiled, running: running.into() });
        }
        Ok(manifest)
    }

    /// The component in this file, if it is the one that was compiled for the handler.
    #[allow(unsafe_code)]
    pub(crate) fn component(
        &self,
        handler: &str,
        path: &Path,
        engine: &Engine,
    ) -> Result<Component, LoadError> {
        let Some(expected) = self.functions.get(handler) else {
            let listed = self.functions.keys().cloned().collect::<Vec<_>>().join(", ");
            let (path, handler) = (path.with_file_name(MANIFEST), handler.to_owned());
            return Err(LoadError::NotListed { path, handler, listed });
        };
        let code = read(path)?;
        let found = sha256(&code);
        if found != *expected {
            return Err(LoadError::Changed { path: path.to_owned(), expected: expected.clone(), found });
        }
        // SAFETY: `deserialize` is sound for bytes that `Engine::precompile_component` made and nobody changed. These are
        // the very bytes just hashed (they were read once, into memory of this process, and not by a path that could lead
        // elsewhere the second time), and their hash is the one that `compile` wrote of what that function returned. The
        // manifest with the hash is as trusted as this program: both come in one archive, and who can replace the one can
        // replace the other. A compiler of another version, target or setting is no matter of soundness: `deserialize`
        // compares these itself and refuses.
        let component = unsafe { Component::deserialize(engine, &code) };
        component.map_err(|reason| LoadError::Incompatible {
            path: path.to_owned(),
            reason: format!("{reason:#}"),
        })
    }
}

fn version() -> String {
    ModuleVersionStrategy::WasmtimeVersion.as_str().to_owned()
}

fn bad(path: &Path, reason: serde_json::Error) -> LoadError {
    LoadError::Manifest { path: path.to_owned(), reason: reason.to_string() }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
