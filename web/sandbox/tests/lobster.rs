//! A real opening: every execution that the file tells of happens, at its price and wholly, and nothing else trades.

use engine_core::command::Command;
use engine_core::event::Event;
use engine_core::flow::Step;
use engine_core::types::TimeInForce;
use std::io::Write;
use std::path::Path;

const NAME: &str = "AAPL_2012-06-21_message_10.csv";

#[test]
fn a_real_opening_trades_as_it_did() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/lobster").join(NAME);
    let Ok(bytes) = std::fs::read(path) else {
        // Past the capture of a passing test's output.
        let _ = writeln!(
            std::io::stderr(),
            "a_real_opening_trades_as_it_did SKIPPED: no shared/lobster/{NAME} beside the checkout"
        );
        return;
    };
    let (flow, loading) = sandbox::load::load(NAME, &bytes);
    assert_eq!((loading.bad, flow.symbol.as_str()), (0, "AAPL"));
    let mut market = flow.opening.clone();
    let mut cursor = flow.cursor(0);
    let mut executions = 0;
    while let Some((time, step)) = flow.next(&mut cursor) {
        let mut events = Vec::new();
        if let Some(command) = step.resolve(&market) {
            market.apply(time, &command, &mut events);
        }
        let fills = events.iter().filter_map(|event| match event {
            Event::Filled(fill) => Some((fill.price, fill.quantity)),
            _ => None,
        });
        let fills: Vec<_> = fills.collect();
        match step {
            Step::Command(Command::Add(order)) if order.time_in_force == TimeInForce::Ioc => {
                executions += 1;
                assert!(fills.iter().all(|(price, _)| *price == order.price), "{order:?} {fills:?}");
                assert_eq!(
                    fills.iter().map(|(_, quantity)| quantity).sum::<u64>(),
                    order.quantity,
                    "{order:?}"
                );
            }
            step => assert!(fills.is_empty(), "{step:?} {fills:?}"),
        }
    }
    market.book().check();
    assert_eq!(executions, 98);
}
