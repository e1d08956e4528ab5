//! The functions as WebAssembly components: compiled, made smaller, and wrapped.

use crate::command::program;
use crate::setup::WasmToolchain;
use crate::spin;
use crate::web::shrink;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::{Resolve, WorldItem};

const MODULES: &str = "target/wasm/wasm32-unknown-unknown/component/examples";
pub const COMPONENTS: &str = "target/components";
const LARGEST: usize = 250 << 10;
/// The Spin application's component, which is built and compared with them.
const SPIN_SHELL: &str = "edge-spin";

/// Builds every function into `target/components/NAME.wasm`.
pub fn build(toolchain: &WasmToolchain) -> Result<()> {
    toolchain.cargo(&["build", "-p", "edge-component", "--examples", "--profile", "component"]).run()?;
    std::fs::create_dir_all(COMPONENTS)?;
    let modules = modules(Path::new(MODULES))?;
    for module in &modules {
        let name = component_name(module)?;
        let target = Path::new(COMPONENTS).join(format!("{name}.wasm"));
        if is_newer(&target, module)? {
            continue;
        }
        // In one step, since a running exchange may be looking.
        let new = target.with_extension("new");
        std::fs::write(&new, component(module)?)?;
        std::fs::rename(new, target)?;
    }
    // A function that is no more must not be served from an old build.
    let names: BTreeSet<String> =
        modules.iter().map(|module| component_name(module)).collect::<Result<_>>()?;
    for file in std::fs::read_dir(COMPONENTS)? {
        let path = file?.path();
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if !names.contains(&stem) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

pub fn component(module: &Path) -> Result<Vec<u8>> {
    let optimised = optimise(module)?;
    ComponentEncoder::default()
        .module(&optimised)
        .and_then(|encoder| encoder.validate(true).encode())
        .with_context(|| format!("{} cannot be made a component", module.display()))
}

/// A component's name and its bytes.
type Named = (String, Vec<u8>);

/// Builds everything twice, from copies of the sources in two new folders, and fails where the bytes differ.
pub fn check_twice(toolchain: &WasmToolchain) -> Result<()> {
    let copies = Copies::new()?;
    // Names of different lengths: a path that got in would move what comes after it.
    let first = build_copy(toolchain, &copies.0.join("a"))?;
    let second = build_copy(toolchain, &copies.0.join("the-second-copy/of-everything"))?;
    compare(&first, &second)
}

/// Builds everything once more, from a copy of the sources in a new folder, and fails where the bytes are not those that
/// were built here.
pub fn check_again(toolchain: &WasmToolchain) -> Result<()> {
    let copies = Copies::new()?;
    let again = build_copy(toolchain, &copies.0.join("copy"))?;
    let here = again.iter().map(|(name, _)| {
        let file = match name.as_str() {
            SPIN_SHELL => Path::new(spin::BUILT).join(format!("{}.wasm", spin::SHELL)),
            _ => Path::new(COMPONENTS).join(format!("{name}.wasm")),
        };
        Ok((name.clone(), std::fs::read(&file).with_context(|| format!("{}: not built", file.display()))?))
    });
    let here = here.collect::<Result<Vec<Named>>>()?;
    let built = std::fs::read_dir(COMPONENTS)?.count() + 1;
    if built != here.len() {
        bail!("{built} components were built here, and {} from a copy", here.len());
    }
    compare(&here, &again)
}

/// Prints the hashes, and fails where two builds differ.
fn compare(first: &[Named], second: &[Named]) -> Result<()> {
    println!("{:<18} {:<64}", "component", "SHA-256 of both builds");
    let mut wrong = Vec::new();
    for (name, bytes) in first {
        let hash = sha256(bytes);
        println!("{name:<18} {hash}");
        let same = |(_, other): &&Named| other == bytes;
        if second.iter().find(|(other, _)| other == name).filter(same).is_none() {
            wrong.push(name.as_str());
        }
    }
    if first.len() != second.len() || !wrong.is_empty() {
        bail!("these components differ between two builds: {}", wrong.join(", "));
    }
    Ok(())
}

/// A new folder for copies of the sources; it goes with everything in it, however the builds end.
struct Copies(PathBuf);

impl Copies {
    fn new() -> Result<Copies> {
        let base = std::env::temp_dir();
        let names = (0..1_000).map(|n| base.join(format!("supernoba-copies-{}-{n}", std::process::id())));
        for folder in names {
            match std::fs::create_dir(&folder) {
                Ok(()) => return Ok(Copies(folder)),
                // Of a process that had this number before.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("cannot make {}", folder.display())),
            }
        }
        bail!("{} is full of old copies: remove supernoba-copies-*", base.display())
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            println!("{} could not be removed: {error}", self.0.display());
        }
    }
}

/// The components of a copy of the sources, by name.
fn build_copy(toolchain: &WasmToolchain, folder: &Path) -> Result<Vec<Named>> {
    // What is tracked, and what is new; not what was built.
    let listed = program("git", ["ls-files", "--cached", "--others", "--exclude-standard"]).quiet()?;
    for file in String::from_utf8(listed.stdout)?.lines() {
        let target = folder.join(file);
        std::fs::create_dir_all(target.parent().context("a file without a folder")?)?;
        if Path::new(file).is_file() {
            std::fs::copy(file, target)?;
        }
    }
    let arguments = ["build", "-q", "-p", "edge-component", "--examples", "--profile", "component"];
    toolchain.cargo_within(folder, &arguments).run()?;
    // On its own, as it is shipped: what it asks of the crates that both use must not get into the others.
    toolchain.cargo_within(folder, &["build", "-q", "-p", "edge-spin", "--profile", "component"]).run()?;
    let mut modules = modules(&folder.join(MODULES))?;
    modules.push(folder.join(spin::MODULES).join(format!("{}.wasm", spin::SHELL)));
    modules.iter().map(|module| Ok((component_name(module)?, component(module)?))).collect()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The function of `tests/panics`, for the host's tests.
pub fn build_panics(toolchain: &WasmToolchain) -> Result<()> {
    toolchain.cargo(&["build", "-p", "panics", "--profile", "component"]).run()?;
    std::fs::create_dir_all("target/foreign")?;
    let module = Path::new(spin::MODULES).join("panics.wasm");
    Ok(std::fs::write("target/foreign/panics.wasm", component(&module)?)?)
}

/// The function of `tests/foreign`, which is written in another language, for the host's tests.
pub fn build_foreign() -> Result<()> {
    let (source, target) = ("tests/foreign/asset.mjs", "target/foreign/asset.wasm");
    std::fs::create_dir_all("target/foreign")?;
    program(
        "node",
        ["tests/foreign/node_modules/.bin/componentize-qjs", "--wit", "wit", "--world", "asset"]
            .into_iter()
            // Not `async`, as the interfaces are; what the engine would ask of WASI traps.
            .chain(["--js", source, "--output", target, "--sync", "--stub-wasi", "--opt-size"]),
    )
    .quiet()?;
    Ok(())
}

/// Prints each component's size and imports, and fails where one imports what its world does not grant.
pub fn check() -> Result<()> {
    let mut worlds = Resolve::default();
    let (package, _) = worlds.push_dir("wit").context("wit/ cannot be read")?;
    let mut wrong = Vec::new();
    println!("{:<16} {:>8}  imports", "component", "bytes");
    for module in modules(Path::new(MODULES))? {
        let name = component_name(&module)?;
        let bytes = std::fs::read(Path::new(COMPONENTS).join(format!("{name}.wasm")))?;
        let imports = imports_of(&bytes)?;
        let world =
            worlds.select_world(&[package], Some(&name)).with_context(|| format!("no world {name}"))?;
        let granted: BTreeSet<String> =
            worlds.worlds[world].imports.iter().map(|(key, _)| worlds.name_world_key(key)).collect();
        println!(
            "{name:<16} {:>8}  {}",
            bytes.len(),
            imports.iter().map(|i| short(i)).collect::<Vec<_>>().join(" ")
        );
        wrong.extend(imports.difference(&granted).map(|import| format!("{name} imports {import}")));
        if bytes.len() > LARGEST {
            wrong.push(format!("{name} has {} bytes, over {LARGEST}", bytes.len()));
        }
    }
    if !wrong.is_empty() {
        bail!("components overstep their worlds:\n  {}", wrong.join("\n  "));
    }
    Ok(())
}

pub fn imports_of(component: &[u8]) -> Result<BTreeSet<String>> {
    match wit_component::decode(component)? {
        DecodedWasm::Component(resolve, world) => {
            let interfaces = resolve.worlds[world].imports.iter();
            Ok(interfaces
                .filter(|(_, item)| matches!(item, WorldItem::Interface { .. } | WorldItem::Function(_)))
                .map(|(key, _)| resolve.name_world_key(key))
                .collect())
        }
        DecodedWasm::WitPackage(..) => bail!("a package of types, not a component"),
    }
}

/// `supernoba:edge/cache@0.1.0` is `cache`.
fn short(import: &str) -> &str {
    let name = import.rsplit('/').next().unwrap_or(import);
    name.split('@').next().unwrap_or(name)
}

/// The modules that the last build made; those with a hash in their name are cargo's own copies.
fn modules(folder: &Path) -> Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(folder).with_context(|| format!("{}: nothing built", folder.display()))?;
    let mut modules = Vec::new();
    for file in files {
        let path = file?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".wasm") && !name.contains('-') {
            modules.push(path);
        }
    }
    modules.sort();
    Ok(modules)
}

fn component_name(module: &Path) -> Result<String> {
    let stem = module.file_stem().context("a module without a name")?;
    Ok(stem.to_string_lossy().replace('_', "-"))
}

pub fn is_newer(file: &Path, than: &Path) -> Result<bool> {
    let Ok(file) = file.metadata() else { return Ok(false) };
    Ok(file.modified()? >= than.metadata()?.modified()?)
}

/// Runs wasm-opt over a module, keeping the section that says which world it is of.
fn optimise(module: &Path) -> Result<Vec<u8>> {
    let smaller = module.with_extension("opt");
    shrink(&["-Os"], module, &smaller)?;
    Ok(std::fs::read(smaller)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_compared_by_name_and_bytes() {
        let build = |names: &[(&str, u8)]| -> Vec<Named> {
            names.iter().map(|(name, byte)| ((*name).to_owned(), vec![*byte; 3])).collect()
        };
        let first = build(&[("a", 1), ("b", 2)]);
        assert!(compare(&first, &build(&[("b", 2), ("a", 1)])).is_ok());
        for other in
            [build(&[("a", 1), ("b", 3)]), build(&[("a", 1)]), build(&[("a", 1), ("b", 2), ("c", 3)])]
        {
            assert!(compare(&first, &other).is_err());
        }
    }

    #[test]
    fn copies_have_folders_of_their_own_and_leave_nothing() {
        let (one, other) = (Copies::new().unwrap(), Copies::new().unwrap());
        let folders = [one.0.clone(), other.0.clone()];
        assert_ne!(folders[0], folders[1]);
        std::fs::write(folders[0].join("file"), "x").unwrap();
        drop((one, other));
        assert!(folders.iter().all(|folder| !folder.exists()));
    }

    #[test]
    fn the_shell_is_named_after_its_module() {
        assert_eq!(component_name(Path::new(&format!("{}.wasm", spin::SHELL))).unwrap(), SPIN_SHELL);
    }
}
