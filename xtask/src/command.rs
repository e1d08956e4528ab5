//! Running other programs.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A program to run, and how to name it when it fails.
pub struct Step {
    command: Command,
    name: String,
}

/// The cargo that runs this program, and so the project's own toolchain.
pub fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Step {
    program(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()), arguments)
}

pub fn program<S: AsRef<OsStr>>(name: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = S>) -> Step {
    let mut command = Command::new(name.as_ref());
    command.args(arguments).stdin(Stdio::null());
    let words =
        command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let short = Path::new(name.as_ref()).file_name().unwrap_or(name.as_ref()).to_string_lossy().into_owned();
    Step { command, name: format!("{short} {words}") }
}

impl Step {
    pub fn env(mut self, name: &str, value: &str) -> Step {
        self.command.env(name, value);
        self
    }

    pub fn without_env(mut self, name: &str) -> Step {
        self.command.env_remove(name);
        self
    }

    pub fn within(mut self, folder: &str) -> Step {
        self.command.current_dir(folder);
        self
    }

    /// Runs with the output as it comes.
    pub fn run(mut self) -> Result<()> {
        let status = self.command.status().with_context(|| format!("cannot run `{}`", self.name))?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.name);
        }
        Ok(())
    }

    /// Runs in silence; what it printed comes with the error.
    pub fn quiet(mut self) -> Result<Output> {
        let output = self.command.output().with_context(|| format!("cannot run `{}`", self.name))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said
                .lines()
                .rev()
                .take(15)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect::<Vec<_>>()
                .join("\n");
            bail!("`{}` failed ({}):\n{last}", self.name, output.status);
        }
        Ok(output)
    }

    /// Runs and shows each line of the output as it comes, and hands it to `each`.
    pub fn each_line(mut self, mut each: impl FnMut(&str)) -> Result<()> {
        use std::io::BufRead;
        self.command.stdout(Stdio::piped());
        let mut child = self.command.spawn().with_context(|| format!("cannot run `{}`", self.name))?;
        if let Some(output) = child.stdout.take() {
            for line in std::io::BufReader::new(output).lines() {
                let line = line?;
                println!("{line}");
                each(&line);
            }
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("`{}` failed ({status})", self.name);
        }
        Ok(())
    }

    pub fn into_command(self) -> Command {
        self.command
    }
}

/// Whether a program is there.
pub fn exists(name: &str) -> bool {
    find(&[name]).is_some()
}

/// The first of these programs on the path.
pub fn find(names: &[&str]) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}
