//! The archive that AWS Lambda runs: the bootstrap and every function, compiled beforehand.
//!
//! The compiled functions and the archive's layout are the same, byte for byte, from the same components and the same
//! bootstrap.

use crate::command::{cargo, program};
use crate::components;
use crate::setup::WasmToolchain;
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// What the archive holds, unpacked.
const FILES: &str = "target/aws-lambda/files";
const ARCHIVE: &str = "target/aws-lambda/supernoba.zip";
/// Named, so that the code is for every machine of it and not for the processor that compiles.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const LARGEST: u64 = 5 << 20;
/// What Amazon Linux 2023 has.
const NEWEST_GLIBC: (u32, u32) = (2, 34);

/// Builds the components, compiles them, builds the bootstrap and packs it all.
pub fn build(toolchain: &WasmToolchain) -> Result<()> {
    components::build(toolchain)?;
    cargo(["build", "--release", "-p", "edge-host", "--bin", "edge-precompile"]).run()?;
    // By itself: together with others, features that they ask for would come into it, the compiler first of all.
    cargo(["build", "--profile", "lambda", "-p", "edge-lambda", "--bin", "bootstrap"]).run()?;
    pack()
}

fn pack() -> Result<()> {
    if Path::new(FILES).exists() {
        std::fs::remove_dir_all(FILES)?;
    }
    std::fs::create_dir_all(FILES)?;
    let precompile = built("release/edge-precompile");
    program(&precompile, [components::COMPONENTS, TARGET, FILES]).run()?;
    let bootstrap = built("lambda/bootstrap");
    let code = std::fs::read(&bootstrap).with_context(|| bootstrap.display().to_string())?;
    let glibc = newest_glibc(&code);
    if glibc > NEWEST_GLIBC {
        bail!("the bootstrap needs GLIBC {}.{}, newer than Amazon Linux 2023's", glibc.0, glibc.1);
    }
    // With its mode: it is run from there.
    std::fs::copy(&bootstrap, Path::new(FILES).join("bootstrap"))?;

    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(FILES)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.insert(name, std::fs::read(&path)?);
    }
    std::fs::write(ARCHIVE, zipped(&files)?)?;
    println!("{:<28} {:>9}", "file", "bytes");
    for (name, bytes) in &files {
        println!("{name:<28} {:>9}", bytes.len());
    }
    let size = std::fs::metadata(ARCHIVE)?.len();
    println!(
        "{ARCHIVE}: {:.2} MB, of {} MB; GLIBC {}.{}",
        size as f64 / 1e6,
        LARGEST >> 20,
        glibc.0,
        glibc.1
    );
    if size > LARGEST {
        bail!("the archive is too large");
    }
    Ok(())
}

/// A file that cargo built.
fn built(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into())).join(name)
}

/// An archive without times; only the bootstrap may be executed.
fn zipped(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::default())
            .unix_permissions(if name == "bootstrap" { 0o755 } else { 0o644 });
        archive.start_file(name, options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// The newest version of glibc whose symbols a program names.
fn newest_glibc(code: &[u8]) -> (u32, u32) {
    const MARK: &[u8] = b"GLIBC_2.";
    let marks = code.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let minor = |(at, _): (usize, &[u8])| {
        let digits = code[at + MARK.len()..].iter().map_while(|byte| char::from(*byte).to_digit(10));
        digits.fold(0, |number: u32, digit| number.saturating_mul(10).saturating_add(digit))
    };
    (2, marks.map(minor).max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_symbol_counts() {
        assert_eq!(newest_glibc(b"\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0memcpy"), (2, 34));
        assert_eq!(newest_glibc(b"GLIBC_2."), (2, 0));
        assert_eq!(newest_glibc(b"static"), (2, 0));
    }

    #[test]
    fn archives_are_equal_byte_for_byte_and_keep_the_mode() {
        let files = BTreeMap::from([
            ("a.cwasm".to_string(), vec![7; 5_000]),
            ("bootstrap".to_string(), b"program".to_vec()),
        ]);
        let archive = zipped(&files).unwrap();
        assert_eq!(archive, zipped(&files).unwrap());
        let mut read = zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap();
        let mode = |mode: Option<u32>| mode.unwrap_or(0) & 0o777;
        assert_eq!(mode(read.by_name("bootstrap").unwrap().unix_mode()), 0o755);
        let mut file = read.by_name("a.cwasm").unwrap();
        assert_eq!(mode(file.unix_mode()), 0o644);
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
        assert_eq!(bytes, files["a.cwasm"]);
    }
}
