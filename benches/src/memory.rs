//! Memory as a service that has run for a while has it: what was given back is kept for the next book, and in large pages where
//! the system has them. Without that, much of what every subject is measured by is the system's first touch of new memory.

use anyhow::Result;
use std::os::unix::process::CommandExt;
use std::process::Command;

const VARIABLE: &str = "GLIBC_TUNABLES";
const KEPT: &str =
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4294967296:glibc.malloc.trim_threshold=68719476736";

/// Starts this program anew with an allocator that keeps its memory, unless somebody has said how it is to be. The setting is the
/// GNU C library's; other ones pass it over.
pub fn keep_warm() -> Result<()> {
    if std::env::var_os(VARIABLE).is_some() {
        return Ok(());
    }
    println!("{VARIABLE}={KEPT}");
    let program = std::env::current_exe()?;
    Err(Command::new(program).args(std::env::args_os().skip(1)).env(VARIABLE, KEPT).exec().into())
}
