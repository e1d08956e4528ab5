pub mod flow;
pub mod generate;
pub mod load;
pub mod random;
