//! Instructions a command, which no neighbour on the machine can change: `w2_count` under callgrind.

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Args)]
pub struct Options {
    /// Append the result under this label to `instructions.csv`
    #[arg(long)]
    append: Option<String>,
}

pub fn count(options: &Options) -> Result<()> {
    let program = std::env::current_exe()?.with_file_name("w2_count");
    ensure!(program.exists(), "{} is not built", program.display());
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("skipped: valgrind is not installed (Debian: apt-get install valgrind)");
        return Ok(());
    }
    let profile = std::env::temp_dir().join(format!("w2-count-{}", std::process::id()));
    let outcome = run(&program, &profile);
    // Only what is counted is wanted, not where.
    let _ = std::fs::remove_file(&profile);
    let per_command = outcome?;
    println!("W2: {per_command:.1} instructions a command");
    if let Some(label) = &options.append {
        ensure!(!label.contains([',', '\n']), "a label has no commas: {label:?}");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.csv");
        let mut csv = std::fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .with_context(|| format!("cannot open {}", file.display()))?;
        writeln!(csv, "{label},{per_command:.1}")?;
    }
    Ok(())
}

fn run(program: &Path, profile: &PathBuf) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured_w2*"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(program)
        .output()?;
    if !output.status.success() {
        bail!("valgrind failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let commands: f64 = String::from_utf8(output.stdout)?
        .trim()
        .parse()
        .context("w2_count prints how many commands it measured")?;
    let text = std::fs::read_to_string(profile)?;
    let total =
        text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    let instructions: f64 = total.context("callgrind wrote no totals")?.trim().parse()?;
    ensure!(instructions > commands, "nothing was counted: is `measured_w2` still a function of its own?");
    Ok(instructions / commands)
}
