//! Writes what the targets start from into `seeds`: recorded commands and events, small snapshots with commands that
//! follow, and bytes.

use engine_core::codec::{encode_command, encode_event};
use engine_core::command::TimedCommand;
use engine_core::market::Market;
use engine_core::snapshot::encode_market;
use generate::{Flow, Random};
use std::fs;
use std::path::Path;

#[allow(dead_code)]
#[path = "../tests/support/generate.rs"]
mod generate;

const LARGEST: usize = 4_096;

fn main() -> std::io::Result<()> {
    let write = |target: &str, n: u64, bytes: &[u8]| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{n:04}")), &bytes[..bytes.len().min(LARGEST)])
    };
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let (mut flow, mut market) = (Flow::new(seed), Market::default());
        let mut events = vec![];
        let recorded = |flow: &mut Flow, market: &mut Market, events: &mut Vec<_>| {
            let (time, command) = flow.next();
            events.clear();
            market.apply(time, &command, events);
            let mut bytes = vec![];
            encode_command(&TimedCommand { time, command }, &mut bytes);
            bytes
        };
        for _ in 0..random.below(300) {
            recorded(&mut flow, &mut market, &mut events);
        }
        write("command_decoder", 2 * seed, &recorded(&mut flow, &mut market, &mut events))?;
        if let Some(event) = events.last() {
            let mut bytes = vec![];
            encode_event(event, &mut bytes);
            write("command_decoder", 2 * seed + 1, &bytes)?;
        }

        let mut snapshot = encode_market(&market);
        let seal = seed % 4 != 0;
        if seal {
            snapshot.truncate(snapshot.len() - 4);
        }
        let length = (snapshot.len() as u16).to_le_bytes();
        let mut input = [&[u8::from(seal)], &length[..], &snapshot].concat();
        for _ in 0..10 {
            let bytes = recorded(&mut flow, &mut market, &mut events);
            if let Ok(length) = u8::try_from(bytes.len()) {
                input.push(length);
                input.extend(bytes);
            }
        }
        if input.len() <= LARGEST {
            write("snapshot_loader", seed, &input)?;
        }

        let length = random.between(50, 1_500);
        let mut bytes: Vec<u8> = (0..length).map(|_| random.bits() as u8).collect();
        // Half of them with the plainest definition.
        bytes[0] = if seed % 2 == 0 { 0 } else { bytes[0] };
        write("book", seed, &bytes)?;
    }
    Ok(())
}
