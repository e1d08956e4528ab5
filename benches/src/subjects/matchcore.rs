//! matchcore 0.4: B-trees of levels, orders in a map, stop and pegged books beside them.

use flows::flow::{Action, Flow, Kind, Side, Step};
use flows::rows::Row;
use flows::subject::{Seen, Subject};
use matchcore::{
    AmendCmd, AmendPatch, CancelCmd, Command, CommandKind, CommandMeta, CommandOutcome, CommandReport,
    LimitOrder, LimitOrderPatch, MarketOrder, NewOrder, OrderBook, OrderFlags, OrderId, OrderKind, Price,
    Quantity, QuantityPolicy, SequenceNumber, SubmitCmd, TimeInForce, Timestamp,
};

#[derive(Debug)]
pub struct Matchcore;

/// What matchcore calls an order: the number of the command that it came with. The default names none.
#[derive(Clone, Copy, Debug)]
pub struct Id(OrderId);

impl Default for Id {
    fn default() -> Id {
        Id(OrderId(u64::MAX))
    }
}

impl Subject for Matchcore {
    const NAME: &'static str = "matchcore 0.4.0";
    type Book = OrderBook;
    type Command = Command;
    type Id = Id;
    type Outcome<'a> = CommandOutcome;

    fn lacks(_row: Row) -> &'static str {
        "no accounts, no depth feed; numbers orders itself"
    }

    fn book(_flow: &Flow) -> OrderBook {
        OrderBook::new("BENCH")
    }

    fn command(step: &Step, target: Id, number: u64) -> Command {
        let policy = |quantity: u32| QuantityPolicy::Standard { quantity: Quantity(quantity.into()) };
        let kind = match step.action {
            Action::Add(add) => {
                let side = if add.side == Side::Buy { matchcore::Side::Buy } else { matchcore::Side::Sell };
                let limit = |time_in_force| {
                    let flags = OrderFlags::new(side, false, time_in_force);
                    NewOrder::Limit(LimitOrder::new(Price(add.price.into()), policy(add.quantity), flags))
                };
                let order = match add.kind {
                    Kind::Gtc => limit(TimeInForce::Gtc),
                    Kind::Ioc => limit(TimeInForce::Ioc),
                    Kind::Fok => limit(TimeInForce::Fok),
                    Kind::Market => {
                        NewOrder::Market(MarketOrder::new(Quantity(add.quantity.into()), side, false))
                    }
                };
                CommandKind::Submit(SubmitCmd { order })
            }
            Action::Cancel { .. } => {
                CommandKind::Cancel(CancelCmd { order_id: target.0, order_kind: OrderKind::Limit })
            }
            Action::Replace { price, quantity, .. } => {
                let patch = LimitOrderPatch::new()
                    .with_price(Price(price.into()))
                    .with_quantity_policy(policy(quantity));
                CommandKind::Amend(AmendCmd { order_id: target.0, patch: AmendPatch::Limit(patch) })
            }
        };
        let meta = CommandMeta { sequence_number: SequenceNumber(number), timestamp: Timestamp(0) };
        Command { meta, kind }
    }

    fn apply(book: &mut OrderBook, command: &Command) -> CommandOutcome {
        book.execute(command)
    }

    fn seen(outcome: &CommandOutcome) -> Seen<Id> {
        let CommandOutcome::Applied(CommandReport::Submit(effects) | CommandReport::Amend(effects)) = outcome
        else {
            return Seen::default();
        };
        let order = effects.target_order();
        let given = Some(Id(order.order_id()));
        match order.match_result() {
            Some(result) => {
                Seen { fills: result.trades().len() as u64, quantity: result.executed_quantity().0, given }
            }
            None => Seen { given, ..Seen::default() },
        }
    }
}
