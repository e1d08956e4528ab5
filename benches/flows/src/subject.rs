//! What an order book has to be able to do to be measured.

use crate::flow::{Flow, Step};
use crate::rows::Row;

/// What a subject reports of one command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen<Id> {
    pub fills: u64,
    pub quantity: u64,
    /// The number that the subject gave an order, where it gives them itself.
    pub given: Option<Id>,
}

pub trait Subject {
    const NAME: &'static str;
    type Book;
    /// Made before the clock runs.
    type Command;
    /// How the subject names orders, where it does so itself.
    type Id: Copy + Default;
    type Outcome<'a>;

    /// Why it cannot do the row at all.
    fn cannot(_row: Row) -> Option<&'static str> {
        None
    }

    /// What it does not do in the row, or does by other means.
    fn lacks(_row: Row) -> &'static str {
        ""
    }

    fn book(flow: &Flow) -> Self::Book;

    /// `target`: how the subject named the order that is cancelled or replaced. `number`: the command's within its
    /// book, from 0 on.
    fn command(step: &Step, target: Self::Id, number: u64) -> Self::Command;

    /// May look at what these commands are about to touch, within the measured time.
    #[inline]
    fn look_ahead(_book: &Self::Book, _commands: &[Self::Command]) {}

    fn apply<'a>(book: &'a mut Self::Book, command: &Self::Command) -> Self::Outcome<'a>;

    /// Outside the measured time.
    fn seen(outcome: &Self::Outcome<'_>) -> Seen<Self::Id>;
}
