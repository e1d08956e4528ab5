//! A reader who keeps a copy of a market's book: a snapshot, then changes, and what to do when one is lost.
//!
//! ```text
//! cargo run -p engine-core --example market_data
//! ```

use engine_core::command::{Command, NewOrder};
use engine_core::feed::{DepthReplica, DepthReport, OutOfStep};
use engine_core::market::Market;
use engine_core::types::{OrderId, Side, UserId};

/// What a market would send: its changes, the number of the first of them, and the checksum of the book after them.
struct Message {
    first: u64,
    report: DepthReport,
    checksum: u32,
}

fn main() {
    let mut market = Market::default();
    for n in 1..=5 {
        trade(&mut market, NewOrder::limit(OrderId(n), UserId(1), Side::Buy, 100 - n, 10 * n));
        trade(&mut market, NewOrder::limit(OrderId(100 + n), UserId(2), Side::Sell, 100 + n, 10 * n));
    }

    // The reader comes now: it begins with the book as it is.
    let mut copy = DepthReplica::of(&market);
    print("the copy begins", &copy);

    let second = trade(&mut market, NewOrder::limit(OrderId(6), UserId(3), Side::Buy, 102, 25));
    follow(&mut copy, &second).expect("nothing is missing");
    print("after a buy of 25 for up to 102", &copy);

    // A change is told as what its level is now, so hearing it again does not matter.
    follow(&mut copy, &second).expect("known already");

    // One message is lost. The next one does not begin where the copy ends, and the copy stays as it was.
    let _lost = trade(&mut market, NewOrder::limit(OrderId(7), UserId(3), Side::Sell, 98, 30));
    let later = trade(&mut market, NewOrder::limit(OrderId(8), UserId(3), Side::Sell, 97, 5));
    let error = follow(&mut copy, &later).expect_err("a gap");
    println!("{error}: a new snapshot");
    copy = DepthReplica::of(&market);
    print("the new copy", &copy);
    assert_eq!(copy.verify(market.book().checksum()), Ok(()));
}

fn trade(market: &mut Market, order: NewOrder) -> Message {
    let mut report = DepthReport::default();
    let first = market.depth_sequence() + 1;
    market.apply(1_767_571_200_000, &Command::Add(order), &mut report);
    Message { first, report, checksum: market.book().checksum() }
}

/// The checksum finds what numbers cannot: a copy that was put together wrongly.
fn follow(copy: &mut DepthReplica, message: &Message) -> Result<(), OutOfStep> {
    copy.apply(message.first, &message.report.depth)?;
    // What was told again is older than the copy: its checksum is not that of this book.
    let newest = message.first + message.report.depth.len() as u64 == copy.sequence() + 1;
    if newest { copy.verify(message.checksum) } else { Ok(()) }
}

fn print(what: &str, copy: &DepthReplica) {
    println!("{what} (change {})", copy.sequence());
    let line = |side| {
        let levels: Vec<_> =
            copy.levels(side).map(|(price, quantity, _)| format!("{quantity} at {price}")).collect();
        levels.join(", ")
    };
    println!("  bids: {}\n  asks: {}", line(Side::Buy), line(Side::Sell));
}
