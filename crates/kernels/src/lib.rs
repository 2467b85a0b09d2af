//! Training and inference kernels for the CPU.
//!
//! A network's layer is a [`block::Block`]: linear map, normalisation, activation function, pooling
//! and dropout, forwards and backwards. Numbers are `f32`, images channels-last, everything is in
//! slices; a tensor library is not needed. The inner loops are written once over the vectors of
//! [`simd`] and compiled for every instruction set; which one is used is decided at run time.
//!
//! ```text
//! weights → panel ┐
//! image → padded ─┴→ convolution │ dense → linear → moments → statistics
//!                          linear → rows: affine → function → pool → dropout → output
//! ```
//!
//! Results do not depend on the number of threads: where sums are taken over tasks, those are whole
//! images, the same number however many threads there are, and their sums are added in order; no other
//! sum depends on how work is cut.

#[allow(unsafe_code)]
pub mod adam;
pub mod block;
pub mod buffer;
pub mod convolution;
pub mod dense;
pub mod function;
mod lengths;
pub mod math;
pub mod random;
#[allow(unsafe_code)]
mod rows;
#[allow(unsafe_code)]
pub mod simd;
mod tasks;
#[allow(unsafe_code)]
mod tile;
