//! The input: a byte that says whether the checksum is made to fit, the length of the snapshot (two bytes), the snapshot
//! (without a checksum where it is made), and commands, each after a byte with its length.

#![no_main]

use engine_core::codec::decode_command;
use engine_core::command::{Command, MassCancel};
use engine_core::market::Market;
use engine_core::snapshot::{decode_market, encode_market};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [seal, low, high, rest @ ..] = input else { return };
    let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
    let (snapshot, mut commands) = rest.split_at(length);
    let mut snapshot = snapshot.to_vec();
    if seal & 1 == 1 {
        let checksum = crc32(&snapshot);
        snapshot.extend_from_slice(&checksum.to_le_bytes());
    }
    let Ok(mut market) = decode_market(&snapshot) else { return };
    market.book().check();
    let bytes = encode_market(&market);
    let mut restored = decode_market(&bytes).expect("what was taken once is taken again");
    assert_eq!(encode_market(&restored), bytes);

    while let [length, rest @ ..] = commands {
        let length = usize::from(*length).min(rest.len());
        let (command, left) = rest.split_at(length);
        commands = left;
        if let Ok(timed) = decode_command(command) {
            apply(&mut market, &mut restored, timed.time, &timed.command);
        }
    }
    market.book().check();
    assert_eq!(encode_market(&market), encode_market(&restored));
    apply(&mut market, &mut restored, u64::MAX, &Command::Tick);
    apply(&mut market, &mut restored, u64::MAX, &Command::MassCancel(MassCancel::default()));
    market.book().check();
});

fn apply(market: &mut Market, restored: &mut Market, time: u64, command: &Command) {
    let (mut events, mut same) = (Vec::new(), Vec::new());
    market.apply(time, command, &mut events);
    restored.apply(time, command, &mut same);
    assert_eq!(events, same, "{command:?}");
}

/// CRC-32 (IEEE), a bit at a time.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    })
}
