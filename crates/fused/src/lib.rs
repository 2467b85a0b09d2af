//! The CPU kernels of the crate `kernels` as operations on Burn's tensors.
//!
//! [`train`] and [`infer`] compute a [`Block`](kernels::block::Block), a layer of a network with
//! all that follows it, in one operation with one gradient. [`Adam`] and [`AdamW`] are Burn's
//! optimizers with one pass over the memory instead of a dozen, [`move_towards`] a moving average.
//! All of them need a device whose memory is the host's, see [`runs_on`]. On any other the optimizers
//! and the average are Burn's operations; the layers are not computed, and whoever asks for them turns
//! to Burn's modules.
//!
//! Between blocks the images are channels-last in memory, behind tensors that say
//! `[batch, channels, height, width]` as everywhere in Burn: a permutation of the dimensions, which
//! copies nothing. Any other order in memory is right too, and costs a copy.

// 0.22 is the last release with ndarray, and marks it as deprecated.
#![allow(deprecated)]

mod average;
mod block;
mod chain;
mod host;
mod optimizer;
mod prepared;

pub use average::move_towards;
pub use block::{Parameters, Statistics, infer, train};
pub use chain::Chain;
pub use host::runs_on;
pub use optimizer::{Adam, AdamW};
