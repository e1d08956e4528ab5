//! The functions as WebAssembly components: compiled, made smaller, and wrapped.

use crate::setup::WasmToolchain;
use crate::web::shrink;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wit_component::{ComponentEncoder, DecodedWasm};
use wit_parser::{Resolve, WorldItem};

const MODULES: &str = "target/wasm/wasm32-unknown-unknown/component/examples";
pub const COMPONENTS: &str = "target/components";
const LARGEST: usize = 250 << 10;

/// Builds every function into `target/components/NAME.wasm`.
pub fn build(toolchain: &WasmToolchain) -> Result<()> {
    toolchain.cargo(&["build", "-p", "edge-component", "--examples", "--profile", "component"]).run()?;
    std::fs::create_dir_all(COMPONENTS)?;
    let modules = modules()?;
    for module in &modules {
        let name = component_name(module)?;
        let target = Path::new(COMPONENTS).join(format!("{name}.wasm"));
        if is_newer(&target, module)? {
            continue;
        }
        let optimised = optimise(module)?;
        let component = ComponentEncoder::default()
            .module(&optimised)
            .and_then(|encoder| encoder.validate(true).encode())
            .with_context(|| format!("{} cannot be made a component", module.display()))?;
        std::fs::write(&target, component)?;
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

/// Prints each component's size and imports, and fails where one imports what its world does not grant.
pub fn check() -> Result<()> {
    let mut worlds = Resolve::default();
    let (package, _) = worlds.push_dir("wit").context("wit/ cannot be read")?;
    let mut wrong = Vec::new();
    println!("{:<16} {:>8}  imports", "component", "bytes");
    for module in modules()? {
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

fn imports_of(component: &[u8]) -> Result<BTreeSet<String>> {
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
fn modules() -> Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(MODULES).with_context(|| format!("{MODULES}: nothing built"))?;
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
    shrink("-Os", module, &smaller)?;
    Ok(std::fs::read(smaller)?)
}
