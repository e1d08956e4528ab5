//! The page: compiled, bound to JavaScript, made small, named by content, and compressed.

use crate::command::program;
use crate::sandbox;
use crate::setup::WasmToolchain;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};

pub const DIST: &str = "web/dist";
const STATIC: &str = "web/static";
const MODULE: &str = "target/wasm/wasm32-unknown-unknown/web/web.wasm";
const CHART: &str = "lightweight-charts/dist/lightweight-charts.production.mjs";
const CHECKS: &str = "target/wasm/wasm32-unknown-unknown/web/examples/checks.wasm";
/// What the first load of the page may weigh after brotli, everything counted: what a user who is logged in loads at once
/// with it too.
const BUDGET: usize = 350 << 10;
/// Modules that are not loaded at first are taken as they are below this many bytes.
const SMALL: u64 = 12 << 10;
/// What the page is made of.
const SOURCES: [&str; 6] =
    ["web", "engine-core/src", "xtask/src", "Cargo.lock", "Cargo.toml", "engine-core/Cargo.toml"];

/// Parts on demand that the first view of a user who is logged in asks for at once.
const USER_PARTS: [&str; 1] = ["orders"];
/// The look of administration and console, which comes with them.
const TOOLS_STYLE: &str = "tools.css";
/// What the browser fetches before the page is there.
const LOADED: [&str; 4] = [".html", ".js", ".css", ".wasm"];

/// Keeps the page for when there is no network. It is fetched when the page is there.
const KEEPER: &str = "sw.js";

/// Files of the page by the names that they have in the sources.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Modules that are loaded later, and those of them that a user who is logged in loads at once.
struct Later {
    later: BTreeSet<String>,
    user: BTreeSet<String>,
}

/// A file under its final name, with the final names of others in it.
struct Named {
    name: String,
    content: Vec<u8>,
}

pub fn build(toolchain: &WasmToolchain) -> Result<()> {
    let state = state_of_sources()?;
    let stamp = Path::new(DIST).join(".built");
    if let Some(table) =
        std::fs::read_to_string(&stamp).ok().as_deref().and_then(|text| text.strip_prefix(&state))
    {
        println!("the page is up to date{table}");
        return Ok(());
    }
    toolchain.cargo(&["build", "-p", "web", "--profile", "web"]).run()?;
    let mut files = Files::new();
    let Later { mut later, user } = bind(&mut files)?;
    later.extend(sandbox::build(toolchain, &mut files)?);
    later.insert(TOOLS_STYLE.into());
    read_folder(Path::new(STATIC), Path::new(STATIC), &mut files)?;
    for (name, content) in files.iter_mut().filter(|(name, _)| name.ends_with(".css")) {
        let smaller = Path::new("target/wasm/page").join(name);
        esbuild(&Path::new(STATIC).join(name), &smaller, &[])?;
        *content = std::fs::read(smaller)?;
    }

    if Path::new(DIST).exists() {
        std::fs::remove_dir_all(DIST)?;
    }
    std::fs::create_dir_all(DIST)?;
    let (mut total, mut total_of_user) = (0, 0);
    let mut table = format!("\n{:<44} {:>9} {:>9} {:>9}  loaded\n", "file", "bytes", "gzip", "brotli");
    let mut named = name_by_content(&files);
    tell_keeper(&mut named);
    for (name, Named { name: new, content }) in named {
        let (gzip, brotli) = write(&new, &content)?;
        // Icons and the manifest are fetched when the page is there.
        let is_first = !later.contains(name)
            && name != KEEPER
            && LOADED.iter().any(|extension| name.ends_with(extension));
        let is_users = user.contains(name);
        let when = match (is_first, is_users) {
            (true, _) => "at first",
            (_, true) => "at first by users",
            _ => "on demand",
        };
        table.push_str(&format!("{new:<44} {:>9} {gzip:>9} {brotli:>9}  {when}\n", content.len()));
        total += if is_first { brotli } else { 0 };
        total_of_user += if is_first || is_users { brotli } else { 0 };
    }
    let kilobytes = |bytes: usize| bytes as f64 / 1024.0;
    table.push_str(&format!(
        "first load: {:.1} KB after brotli, {:.1} KB for who is logged in, of {} KB",
        kilobytes(total),
        kilobytes(total_of_user),
        BUDGET >> 10
    ));
    println!("{}", table.trim_start());
    if total.max(total_of_user) > BUDGET {
        bail!("the first load is over its budget");
    }
    std::fs::write(stamp, state + &table)?;
    Ok(())
}

/// Cuts the module into the page and its parts on demand, makes the JavaScript that loads them, and makes all of it small.
fn bind(files: &mut Files) -> Result<Later> {
    check_version()?;
    let folder = Path::new("target/wasm/page");
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let compiled = std::fs::read(MODULE).with_context(|| MODULE.to_string())?;
    let page = folder.join("page.wasm");
    let split = wasm_split_cli_support::transform({
        let mut options = wasm_split_cli_support::Options::new(&compiled);
        options.output_dir = folder;
        options.main_out_path = &page;
        options.link_name = "./parts.js";
        options.main_module = "./web.js";
        options
    })
    .map_err(|error| anyhow::anyhow!("the module cannot be split: {error:?}"))?;
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(&page).out_name("web").web(true)?.typescript(false).remove_producers_section(true);
    // What the parts import from the page.
    bindgen.keep_lld_exports(true);
    bindgen.generate(folder)?;
    drop_unused_exports(&folder.join("web_bg.wasm"))?;
    let later: BTreeSet<_> = split.split_modules.iter().filter_map(|module| file_name(module)).collect();
    let mut user = BTreeSet::new();
    for part in USER_PARTS {
        let modules = split.prefetch_map.get(part).with_context(|| format!("there is no part {part:?}"))?;
        user.extend(modules.iter().map(|module| format!("{module}.wasm")));
    }
    if let Some(unknown) = user.iter().find(|name| !later.contains(*name)) {
        bail!("{unknown} is not among the parts");
    }
    for module in split.split_modules.iter().chain([&folder.join("web_bg.wasm")]) {
        let name = file_name(module).context("a module without a name")?;
        if !user.contains(&name) && std::fs::metadata(module)?.len() < SMALL {
            // Nothing of note would be saved, and there are dozens of them.
            files.insert(name, std::fs::read(module)?);
            continue;
        }
        let smaller = module.with_extension("opt.wasm");
        // What is not inlined is said once, and a compressor finds what is alike, the more so if it is close by: a tenth less
        // to load.
        shrink(&["--no-inline=*", level(module), "--reorder-functions-by-name"], module, &smaller)?;
        files.insert(name, std::fs::read(smaller)?);
    }
    for name in ["web.js", "parts.js"] {
        let smaller = folder.join(name).with_extension("min.js");
        esbuild(&folder.join(name), &smaller, &[])?;
        files.insert(name.into(), std::fs::read(smaller)?);
    }
    files.insert("lightweight-charts.js".into(), chart(folder)?);
    let snippets = folder.join("snippets");
    if snippets.exists() {
        read_folder(folder, &snippets, files)?;
    }
    Ok(Later { later, user })
}

/// The page compresses better where its code is not at its shortest; the parts are too small for that.
fn level(module: &Path) -> &'static str {
    if module.ends_with("web_bg.wasm") { "-Os" } else { "-Oz" }
}

/// The chart library with only what the page takes of it.
fn chart(folder: &Path) -> Result<Vec<u8>> {
    let glue = std::fs::read_to_string(folder.join("web.js"))?;
    let taken = glue
        .split_once("} from './lightweight-charts.js'")
        .and_then(|(before, _)| before.rsplit_once("import {"))
        .map(|(_, names)| names)
        .context("the page does not take the chart library as it did")?;
    // Beside the packages, where their names are looked up.
    let entry = Path::new("web/node_modules/.chart.js");
    std::fs::write(entry, format!("export {{{taken}}} from './{CHART}';"))?;
    let bundle = folder.join("lightweight-charts.js");
    esbuild(entry, &bundle, &["--bundle"])?;
    Ok(std::fs::read(bundle)?)
}

fn esbuild(from: &Path, to: &Path, more: &[&str]) -> Result<()> {
    let to = format!("--outfile={}", to.display());
    let flags =
        ["--minify", "--format=esm", "--target=es2022", "--legal-comments=inline", "--log-level=error", &to];
    let all = flags.iter().chain(more).map(Into::into).chain([from.as_os_str().to_owned()]);
    program("web/node_modules/.bin/esbuild", all).quiet().map(drop)
}

/// Makes the JavaScript that loads a module which is not cut, and makes the module itself good at `level`.
pub fn bind_module(module: &Path, name: &str, level: &str, folder: &Path, files: &mut Files) -> Result<()> {
    let mut bindgen = wasm_bindgen_cli_support::Bindgen::new();
    bindgen.input_path(module).out_name(name).web(true)?.typescript(false).remove_producers_section(true);
    bindgen.generate(folder)?;
    let smaller = folder.join(format!("{name}_bg.opt.wasm"));
    shrink(&[level], &folder.join(format!("{name}_bg.wasm")), &smaller)?;
    files.insert(format!("{name}_bg.wasm"), std::fs::read(smaller)?);
    files.insert(format!("{name}.js"), std::fs::read(folder.join(format!("{name}.js")))?);
    Ok(())
}

/// Streams of bytes between Rust and the browser, which leptos can do and the page never does: only that they are exported
/// keeps them in the module.
fn drop_unused_exports(path: &Path) -> Result<()> {
    let mut module = walrus::Module::from_file(path)?;
    let unused: Vec<_> = module
        .exports
        .iter()
        .filter(|export| export.name.contains("intounderlying"))
        .map(|export| export.id())
        .collect();
    for export in unused {
        module.exports.delete(export);
    }
    module.emit_wasm_file(path)
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
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
pub fn shrink(passes: &[&str], module: &Path, smaller: &Path) -> Result<()> {
    let features = [
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
    let flags = passes.iter().copied().chain(features).map(Into::into);
    program("web/node_modules/.bin/wasm-opt", flags.chain(paths)).quiet()?;
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

/// Gives each file a name with a hash, and rewrites the names in the files that mention them. The hash is over the file and
/// all that it leads to, so that a name stands for everything that is loaded by it; files may mention each other.
fn name_by_content(files: &Files) -> BTreeMap<&str, Named> {
    let mentioned: BTreeMap<&str, Vec<&str>> =
        files.iter().map(|(name, content)| (name.as_str(), mentions(name, content, files))).collect();
    let new_name = |name| {
        let hashed = || hashed(name, files, &reached(name, &mentioned));
        if is_renamed(name) { hashed() } else { name.to_owned() }
    };
    let names: BTreeMap<&str, String> = mentioned.keys().map(|name| (*name, new_name(*name))).collect();
    let named = |(name, content): (&str, &Vec<u8>)| {
        let mentions = mentioned[name].iter();
        let content = mentions.fold(content.clone(), |content, other| rename(&content, other, &names[other]));
        Named { name: names[name].clone(), content }
    };
    files.iter().map(|(name, content)| (name.as_str(), named((name, content)))).collect()
}

/// Tells the file that keeps the page which files there are, and what they are called together.
fn tell_keeper(named: &mut BTreeMap<&str, Named>) {
    let mut hash = Sha256::new();
    let mut files = Vec::new();
    for Named { name, content } in named.values().filter(|file| file.name != KEEPER) {
        hash.update(name.as_bytes());
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(content);
        if name != "index.html" {
            files.push(format!("'./{name}'"));
        }
    }
    let build: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    if let Some(keeper) = named.get_mut(KEEPER) {
        let text = String::from_utf8_lossy(&keeper.content);
        let text = text.replace("/* FILES */", &files.join(", ")).replace("'BUILD'", &format!("'{build}'"));
        keeper.content = text.into_bytes();
    }
}

/// The file and all that it leads to.
fn reached<'a>(name: &'a str, mentioned: &BTreeMap<&str, Vec<&'a str>>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![name];
    while let Some(name) = waiting.pop() {
        if reached.insert(name) {
            waiting.extend(&mentioned[name]);
        }
    }
    reached
}

/// Only what is loaded by the page's own files can have a changing name.
fn is_renamed(name: &str) -> bool {
    let loaded = [".js", ".css", ".wasm"].iter().any(|extension| name.ends_with(extension));
    loaded && !name.contains('/') && name != KEEPER
}

fn is_text(name: &str) -> bool {
    [".js", ".css", ".html", ".webmanifest"].iter().any(|extension| name.ends_with(extension))
}

/// The other files of changing names that a file mentions.
fn mentions<'a>(name: &str, content: &[u8], files: &'a Files) -> Vec<&'a str> {
    let others =
        files.keys().map(String::as_str).filter(|other| is_text(name) && *other != name && is_renamed(other));
    others.filter(|other| rename(content, other, "") != content).collect()
}

/// A file is mentioned as a path: after a quote, a slash or a bracket, and before a quote or bracket. What is followed by a
/// colon is the name that a module imports by, and stays as the module has it.
fn rename(content: &[u8], name: &str, new: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(content);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(at) = rest.find(name) {
        let after = &rest[at + name.len()..];
        let opened = rest[..at].ends_with(['"', '\'', '/', '(', '`']);
        let closed = after.starts_with(['"', '\'', ')', '`']) && !after.starts_with("\":");
        out.push_str(&rest[..at]);
        out.push_str(if opened && closed { new } else { name });
        rest = after;
    }
    out.push_str(rest);
    out.into_bytes()
}

fn hashed(name: &str, files: &Files, reached: &BTreeSet<&str>) -> String {
    let mut hash = Sha256::new();
    for name in reached {
        hash.update(name.as_bytes());
        hash.update((files[*name].len() as u64).to_le_bytes());
        hash.update(&files[*name]);
    }
    let hash: String = hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
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

    fn file(text: &str) -> Vec<u8> {
        text.as_bytes().to_vec()
    }

    /// The page with a module and a part of it: the two scripts mention each other.
    fn page(module: &str, part: &str) -> Files {
        let files = [
            ("index.html", r#"<script src="./boot.js"></script><a href="web.js.txt">"#),
            ("boot.js", "import init from './web.js'; init('./web_bg.wasm');"),
            (
                "web.js",
                r#"import * as parts from './parts.js'; ({ "./parts.js": parts }); new URL('web_bg.wasm')"#,
            ),
            ("parts.js", r#"import { initSync } from "./web.js"; fetch("./split_part.wasm")"#),
            ("web_bg.wasm", module),
            ("split_part.wasm", part),
            ("style.css", "body {}"),
        ];
        files.into_iter().map(|(name, content)| (name.to_owned(), file(content))).collect()
    }

    #[test]
    fn names_follow_content_through_mentions() {
        let (one, other) = (page("one", "a part"), page("other", "a part"));
        let (one, other) = (name_by_content(&one), name_by_content(&other));
        let kept: Vec<_> = one.keys().copied().filter(|name| one[name].name == other[name].name).collect();
        assert_eq!(kept, ["index.html", "split_part.wasm", "style.css"], "every hash holds the next");
        let text = |name| String::from_utf8(one[name].content.clone()).unwrap();
        let boot = &one["boot.js"].name;
        assert!(boot.starts_with("boot-"));
        assert_eq!(text("index.html"), format!(r#"<script src="./{boot}"></script><a href="web.js.txt">"#));
    }

    #[test]
    fn the_keeper_knows_the_build_and_its_files() {
        let told = |module: &str| {
            let mut files = page(module, "a part");
            files.insert(KEEPER.into(), file("const BUILD = 'BUILD'; const FILES = [/* FILES */];"));
            let mut named = name_by_content(&files);
            tell_keeper(&mut named);
            let module = named["web_bg.wasm"].name.clone();
            (String::from_utf8(named[KEEPER].content.clone()).unwrap(), module)
        };
        let (one, module) = told("one");
        assert!(
            one.contains(&format!("'./{module}'")) && !one.contains("index.html") && !one.contains("'BUILD'")
        );
        assert_ne!(one, told("other").0);
        assert_eq!(one, told("one").0);
    }

    #[test]
    fn files_that_mention_each_other_are_named_after_all_they_lead_to() {
        let (one, other) = (page("module", "one"), page("module", "other"));
        let (one, other) = (name_by_content(&one), name_by_content(&other));
        for name in ["boot.js", "web.js", "parts.js", "split_part.wasm"] {
            assert_ne!(one[name].name, other[name].name, "{name}");
        }
        assert_eq!(one["web_bg.wasm"].name, other["web_bg.wasm"].name);
        let text = |name| String::from_utf8(one[name].content.clone()).unwrap();
        let parts = &one["parts.js"].name;
        // The name that the module imports by stays: it is in the module.
        let imports = format!(r#"import * as parts from './{parts}'; ({{ "./parts.js": parts }});"#);
        assert!(text("web.js").starts_with(&imports));
        assert!(text("parts.js").contains(&format!(r#"from "./{}""#, one["web.js"].name)));
    }
}
