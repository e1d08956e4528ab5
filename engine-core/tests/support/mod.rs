//! What the tests of the market share: a second, slow market to compare with, commands to feed both, and the search for
//! the smallest list of commands on which two markets differ.
#![allow(dead_code)]

pub mod generate;
pub mod reference;
pub mod shrink;
pub mod strategy;
