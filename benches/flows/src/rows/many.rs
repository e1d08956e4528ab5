//! W4, many symbols: each command goes to a symbol that is drawn by Zipf, and is the next of that symbol's own mixed
//! flow. As many commands again have built the books.

use super::Size;
use super::mixed::Mixed;
use crate::flow::{Builder, Flow};
use crate::random::{Random, Zipf};

const SYMBOLS: u32 = 10_000;

pub fn flow(size: Size) -> Flow {
    let mut random = Random::new(4);
    let zipf = Zipf::new(SYMBOLS);
    let mut flow = Builder::new(SYMBOLS);
    let mut flows: Vec<Mixed> = (0..SYMBOLS).map(Mixed::new).collect();
    let mut run = |flow: &mut Builder| {
        while flow.len() < size.commands() {
            // The most traded symbol is not the first in memory.
            let symbol = zipf.pick(&mut random) * 7_919 % SYMBOLS;
            flows[symbol as usize].step(&mut random, flow);
        }
    };
    run(&mut flow);
    flow.preloaded();
    run(&mut flow);
    flow.finish()
}
