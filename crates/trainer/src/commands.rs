//! One file per verb of the command line. Each has its options, and a `run` that reads as what the
//! verb does.

pub mod activations;
pub mod compare;
pub mod data;
pub mod ensemble;
pub mod errors;
pub mod evaluate;
pub mod export;
mod networks;
pub mod predict;
pub mod resume;
pub mod score;
pub mod study;
pub mod train;
