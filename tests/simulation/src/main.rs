//! Prints the tables; `--check FILE` compares them with those in the file, `--write FILE` puts them there.

use simulation::table;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("scale: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let tables = table::render()
        .map_err(|hot| format!("symbol {} alone is more than a shard takes: no split helps", hot.symbol))?;
    println!("{tables}");
    let (mode, file) = match arguments {
        [] => return Ok(()),
        [mode, file] if mode == "--check" || mode == "--write" => (mode, file),
        _ => return Err("it takes nothing, --check FILE or --write FILE".into()),
    };
    let document = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let new = table::replaced(&document, &tables)
        .ok_or(format!("{file} does not have the marks {}", table::BEGIN))?;
    if mode == "--write" {
        return std::fs::write(file, new).map_err(|error| format!("{file}: {error}"));
    }
    let differs = document.lines().zip(new.lines()).find(|(old, new)| old != new);
    match differs {
        None if document == new => {
            println!("{file} holds the same");
            Ok(())
        }
        None => Err(format!("{file} has more or fewer lines; cargo xtask scale --write mends it")),
        Some((old, new)) => Err(format!(
            "{file} is out of date; cargo xtask scale --write mends it\n  there {old}\n  now   {new}"
        )),
    }
}
