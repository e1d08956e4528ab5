//! The page: compiled, bound to JavaScript, made small, named by content, and compressed.

use crate::command::program;
use crate::setup::WasmToolchain;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

pub const DIST: &str = "web/dist";
const STATIC: &str = "web/static";
const MODULE: &str = "target/wasm/wasm32-unknown-unknown/web/web.wasm";
const CHART: &str = "web/node_modules/lightweight-charts/dist/lightweight-charts.standalone.production.mjs";
const CHECKS: &str = "target/wasm/wasm32-unknown-unknown/web/examples/checks.wasm";
/// What the first load of the page may weigh after brotli, everything counted.
const BUDGET: usize = 350 << 10;
/// What the page is made of.
const SOURCES: [&str; 6] =
    ["web", "engine-core/src", "xtask/src", "Cargo.lock", "Cargo.toml", "engine-core/Cargo.toml"];

/// Files of the page by the names that they have in the sources.
type Files = BTreeMap<String, Vec<u8>>;

pub fn build(toolchain: &WasmToolchain) -> Result<()> {
    let state = state_of_sources()?;
    let stamp = Path::new(DIST).join(".built");
    if std::fs::read_to_string(&stamp).is_ok_and(|built| built == state) {
        println!("the page is up to date");
        return Ok(());
    }
    toolchain.cargo(&["build", "-p", "web", "--profile", "web"]).run()?;
    let mut files = Files::new();
    bind(&mut files)?;
    read_folder(Path::new(STATIC), Path::new(STATIC), &mut files)?;
    let chart = std::fs::read(CHART).with_context(|| format!("{CHART} is missing: npm ci in web/"))?;
    files.insert("lightweight-charts.js".into(), chart);
    let named = name_by_content(files)?;

    if Path::new(DIST).exists() {
        std::fs::remove_dir_all(DIST)?;
    }
    std::fs::create_dir_all(DIST)?;
    let mut total = 0;
    println!("{:<44} {:>9} {:>9} {:>9}", "file", "bytes", "gzip", "brotli");
    for (name, content) in &named {
        let (gzip, brotli) = write(name, content)?;
        println!("{name:<44} {:>9} {gzip:>9} {brotli:>9}", content.len());
        // Icons and the manifest are fetched when the page is there.
        if name.ends_with(".html")
            || name.ends_with(".js")
            || name.ends_with(".css")
            || name.ends_with(".wasm")
        {
            total += brotli;
        }
    }
    println!("first load: {:.1} KB after brotli, of {} KB", total as f64 / 1024.0, BUDGET >> 10);
    if total > BUDGET {
        bail!("the first load is over its budget");
    }
    std::fs::write(stamp, state)?;
    Ok(())
}

/// Makes the JavaScript that loads the module, and the module that it loads.
fn bind(files: &mut Files) -> Result<()> {
    check_version()?;
    let folder = Path::new("target/wasm/page");
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(MODULE).out_name("web").web(true)?.typescript(false).remove_producers_section(true);
    bindgen.generate(folder)?;
    let module = folder.join("web_bg.wasm");
    let smaller = folder.join("web_bg.opt.wasm");
    shrink("-Oz", &module, &smaller)?;
    files.insert("web_bg.wasm".into(), std::fs::read(smaller)?);
    files.insert("web.js".into(), std::fs::read(folder.join("web.js"))?);
    let snippets = folder.join("snippets");
    if snippets.exists() {
        read_folder(folder, &snippets, files)?;
    }
    Ok(())
}

/// What the browser test of the chart's binding loads.
pub fn build_checks(toolchain: &WasmToolchain) -> Result<()> {
    check_version()?;
    toolchain
        .cargo(&["build", "-p", "lightweight-charts", "--example", "checks", "--profile", "web"])
        .run()?;
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(CHECKS).out_name("checks").web(true)?.typescript(false);
    bindgen.generate(Path::new("target/wasm/chart-checks"))
}

/// Makes a module smaller.
pub fn shrink(level: &str, module: &Path, smaller: &Path) -> Result<()> {
    let flags = [
        level,
        "--enable-bulk-memory",
        "--enable-nontrapping-float-to-int",
        "--enable-sign-ext",
        "--enable-mutable-globals",
        "--enable-multivalue",
        "--enable-reference-types",
        // What the binding of a Worker makes: its calls into JavaScript catch what is thrown there.
        "--enable-exception-handling",
        "-o",
    ];
    let paths = [smaller.as_os_str().to_owned(), module.as_os_str().to_owned()];
    program("web/node_modules/.bin/wasm-opt", flags.into_iter().map(Into::into).chain(paths)).quiet()?;
    Ok(())
}

/// The binding's two halves must be of one version.
pub fn check_version() -> Result<()> {
    let lock = std::fs::read_to_string("Cargo.lock")?;
    let version = |name: &str| {
        let entry = format!("name = \"{name}\"\nversion = \"");
        let rest = lock.split_once(&entry)?.1;
        rest.split('"').next().map(String::from)
    };
    match (version("wasm-bindgen"), version("wasm-bindgen-cli-support")) {
        (Some(library), Some(tool)) if library == tool => Ok(()),
        (library, tool) => bail!(
            "wasm-bindgen is {} and wasm-bindgen-cli-support {}: they must be equal (cargo update -p … --precise …)",
            library.unwrap_or_default(),
            tool.unwrap_or_default()
        ),
    }
}

/// Gives each file a name with its content's hash, and rewrites the names in the files that mention them. A file is
/// named after those that it mentions, so that its hash holds theirs.
fn name_by_content(mut files: Files) -> Result<Files> {
    let mut named = Files::new();
    let mut waiting: Vec<String> = files.keys().cloned().collect();
    while !waiting.is_empty() {
        let names = waiting.clone();
        let before = waiting.len();
        waiting.retain(|name| {
            let content = &files[name];
            let mentions_waiting = is_text(name)
                && names.iter().any(|other| other != name && is_renamed(other) && mentions(content, other));
            if mentions_waiting {
                return true;
            }
            let new = if is_renamed(name) { hashed(name, content) } else { name.clone() };
            named.insert(new.clone(), content.clone());
            for (reader, content) in &mut files {
                if reader != name && is_text(reader) && is_renamed(name) {
                    *content = rename(content, name, &new);
                }
            }
            false
        });
        if waiting.len() == before {
            bail!("files mention each other in a circle: {}", waiting.join(", "));
        }
    }
    Ok(named)
}

/// Only what is loaded by the page's own files can have a changing name.
fn is_renamed(name: &str) -> bool {
    let loaded = [".js", ".css", ".wasm"].iter().any(|extension| name.ends_with(extension));
    loaded && !name.contains('/') && name != "sw.js"
}

fn is_text(name: &str) -> bool {
    [".js", ".css", ".html", ".webmanifest"].iter().any(|extension| name.ends_with(extension))
}

/// A file is mentioned as a path: after a quote, a slash or a bracket, and before a quote or bracket.
fn mentions(content: &[u8], name: &str) -> bool {
    rename(content, name, "") != content
}

fn rename(content: &[u8], name: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(content);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(at) = rest.find(name) {
        let after = &rest[at + name.len()..];
        let opened = rest[..at].ends_with(['"', '\'', '/', '(', '`']);
        let closed = after.starts_with(['"', '\'', ')', '`']);
        out.push_str(&rest[..at]);
        out.push_str(if opened && closed { new } else { name });
        rest = after;
    }
    out.push_str(rest);
    out.into_bytes()
}

fn hashed(name: &str, content: &[u8]) -> String {
    let hash: String = Sha256::digest(content).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-{hash}.{extension}"),
        None => format!("{name}-{hash}"),
    }
}

/// Writes a file and its compressed forms; answers their sizes.
fn write(name: &str, content: &[u8]) -> Result<(usize, usize)> {
    let path = Path::new(DIST).join(name);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&path, content)?;
    let with = |extension: &str| PathBuf::from(format!("{}.{extension}", path.display()));
    if name.ends_with(".png") || name.ends_with(".woff2") {
        return Ok((content.len(), content.len()));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(content)?;
    let gzip = gzip.finish()?;
    std::fs::write(with("gz"), &gzip)?;
    let mut brotli = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut std::io::Cursor::new(content), &mut brotli, &parameters)?;
    std::fs::write(with("br"), &brotli)?;
    Ok((gzip.len(), brotli.len()))
}

fn read_folder(root: &Path, folder: &Path, files: &mut Files) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            read_folder(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
            files.insert(name, std::fs::read(&path)?);
        }
    }
    Ok(())
}

/// A hash over everything that the page is made of.
fn state_of_sources() -> Result<String> {
    let mut hash = Sha256::new();
    for source in SOURCES {
        hash_source(Path::new(source), &mut hash)?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn hash_source(path: &Path, hash: &mut Sha256) -> Result<()> {
    let name = path.file_name().unwrap_or_default();
    if name == "node_modules" || name == "dist" {
        return Ok(());
    }
    if path.is_dir() {
        let mut entries: Vec<_> =
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        entries.sort();
        return entries.iter().try_for_each(|entry| hash_source(entry, hash));
    }
    let content = std::fs::read(path).with_context(|| path.display().to_string())?;
    hash.update(path.to_string_lossy().as_bytes());
    hash.update((content.len() as u64).to_le_bytes());
    hash.update(content);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_content_through_mentions() {
        let file = |text: &str| text.as_bytes().to_vec();
        let page = |module: &str| {
            Files::from([
                ("index.html".to_string(), file(r#"<script src="./boot.js"></script><a href="web.js.txt">"#)),
                ("boot.js".to_string(), file("import init from './web.js'; init('./web_bg.wasm');")),
                ("web.js".to_string(), file("new URL('web_bg.wasm', import.meta.url)")),
                ("web_bg.wasm".to_string(), file(module)),
            ])
        };
        let one = name_by_content(page("one")).unwrap();
        let other = name_by_content(page("other")).unwrap();
        assert_eq!(one.len(), 4);
        assert!(
            one.keys().filter(|name| other.contains_key(*name)).eq(["index.html"]),
            "every hash holds the next"
        );
        let html = String::from_utf8(one["index.html"].clone()).unwrap();
        let boot = one.keys().find(|name| name.starts_with("boot-")).unwrap();
        assert_eq!(html, format!(r#"<script src="./{boot}"></script><a href="web.js.txt">"#));
    }
}
