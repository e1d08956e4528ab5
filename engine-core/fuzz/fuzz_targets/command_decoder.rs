#![no_main]

use engine_core::codec::{decode_command, decode_event, encode_command, encode_event};
use engine_core::command::{Command, NewOrder};
use engine_core::market::Market;
use engine_core::types::{OrderId, Side, UserId};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut again = Vec::new();
    if let Ok(event) = decode_event(bytes) {
        encode_event(&event, &mut again);
        assert_eq!(again, bytes, "{event:?}");
    }
    let Ok(timed) = decode_command(bytes) else { return };
    again.clear();
    encode_command(&timed, &mut again);
    assert_eq!(again, bytes, "{timed:?}");
    // On an empty market, and on one in which it meets somebody.
    for orders in [0, 6] {
        let mut market = Market::default();
        let mut events = Vec::new();
        for n in 1..=orders {
            let side = if n % 2 == 0 { Side::Buy } else { Side::Sell };
            let price = if n % 2 == 0 { 100 - n } else { 100 + n };
            let order = NewOrder::limit(OrderId(n), UserId(n % 3), side, price, 10);
            market.apply(timed.time.saturating_sub(1), &Command::Add(order), &mut events);
        }
        market.apply(timed.time, &timed.command, &mut events);
        market.book().check();
        market.apply(u64::MAX, &Command::Tick, &mut events);
        market.book().check();
    }
});
