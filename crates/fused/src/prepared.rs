//! Blocks prepared for inference, kept for the next batch: to prepare a block takes as long as to
//! compute a few images.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError};

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};
use kernels::block::{Block, Normalization, Parameters, Prepared};
use kernels::simd::Isa;

use crate::host::Host;

/// Blocks that are kept whatever their size, so that a large network finds its own again.
const MIN_KEPT: usize = 16;
/// Weights that are kept of more blocks than that: of a deep network, or of several. In memory they take
/// 16 MiB, and what was prepared of them as much or a few times more.
const MAX_WEIGHTS: usize = 4 << 20;

/// A prepared block and what it was made of.
pub(crate) struct CachedBlock<B: Backend> {
    block: Block,
    /// Whoever would write to its memory finds it shared and takes a copy, so that as long as this
    /// is held, the same place means the same numbers.
    weight: FloatTensor<B>,
    others: Others,
    prepared: Arc<Prepared>,
}

/// What else goes into the weights of a prepared block: bias, scale, shift, running mean and
/// variance; their bits, as NaN is not equal to itself.
#[derive(PartialEq)]
struct Others([Option<Vec<u32>>; 5]);

impl<B: Host> CachedBlock<B> {
    fn is_of(&self, block: &Block, weight: &FloatTensor<B>, others: &Others) -> bool {
        let same_place = match (B::numbers(&self.weight), B::numbers(weight)) {
            (Cow::Borrowed(kept), Cow::Borrowed(given)) => std::ptr::eq(kept, given),
            _ => false,
        };
        same_place && self.block == *block && self.others == *others
    }
}

/// `block` prepared for inference; from the last time, if nothing that it is made of has changed.
pub(crate) fn prepare<B: Host>(
    block: &Block,
    weight: &FloatTensor<B>,
    parameters: Parameters,
    running: Option<&[Vec<f32>; 2]>,
) -> Arc<Prepared> {
    let running = running.map(|[mean, variance]| (&mean[..], &variance[..]));
    let (mean, variance) = running.unzip();
    let Parameters {
        bias, scale, shift, ..
    } = parameters;
    let others = match block.normalization {
        // Only with running statistics are scale and shift put into the weights.
        Normalization::Batch { .. } => [bias, scale, shift, mean, variance],
        _ => [bias, None, None, None, None],
    };
    let bits = |numbers: &[f32]| numbers.iter().map(|x| x.to_bits()).collect();
    let others = Others(others.map(|numbers| numbers.map(bits)));
    let make = || Arc::new(block.prepare(Isa::best(), parameters, running));
    if matches!(B::numbers(weight), Cow::Owned(_)) {
        // Numbers that are copied at every look have no place to be known by.
        return make();
    }
    let lock = || B::prepared().lock().unwrap_or_else(PoisonError::into_inner);
    let mut all = lock();
    let found = all
        .iter()
        .rposition(|cached| cached.is_of(block, weight, &others));
    let cached = match found {
        Some(index) => all.remove(index),
        None => {
            drop(all);
            let cached = CachedBlock {
                block: *block,
                weight: weight.clone(),
                others,
                prepared: make(),
            };
            all = lock();
            // Weights that nobody else holds are not asked for again: a training has gone on from them.
            all.retain(|old| !B::is_unique(&old.weight));
            cached
        }
    };
    let prepared = cached.prepared.clone();
    // The one used last is the last to go.
    all.push(cached);
    let weights = |cached: &CachedBlock<B>| cached.weight.shape().num_elements();
    let mut excess = all.iter().map(weights).sum::<usize>();
    excess = excess.saturating_sub(MAX_WEIGHTS);
    while excess > 0 && all.len() > MIN_KEPT {
        excess = excess.saturating_sub(weights(&all.remove(0)));
    }
    prepared
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use burn::backend::{Flex, NdArray};
    use kernels::block::LinearMap;
    use kernels::buffer::Buffer;
    use kernels::dense::Dense;
    use kernels::function::Function;

    use super::*;

    fn dense_block(inputs: usize, outputs: usize) -> Block {
        Block {
            map: LinearMap::Dense(Dense {
                pixels: 1,
                channels: inputs,
                outputs,
            }),
            normalization: Normalization::None,
            function: Function::Identity,
            pool: false,
            dropout: 0.0,
        }
    }

    /// With the sum of four inputs, whose weights and bias change.
    fn change_is_noticed<B: Host>() {
        let block = dense_block(4, 1);
        let output = |weight: &FloatTensor<B>, bias: f32| {
            let numbers = B::numbers(weight);
            let parameters = Parameters {
                bias: Some(&[bias]),
                ..Parameters::of_weight(&numbers)
            };
            let prepared = prepare::<B>(&block, weight, parameters, None);
            let output = prepared.infer(1, &[1.0; 4], parameters)[0];
            (prepared, output)
        };
        let mut numbers = Buffer::new(4);
        numbers.fill(1.0);
        let weight = B::tensor(numbers, [4, 1]);
        let (first, sum) = output(&weight, 0.0);
        assert_eq!(sum, 4.0);
        assert!(Arc::ptr_eq(&first, &output(&weight, 0.0).0));
        assert_eq!(output(&weight, 0.5).1, 4.5);
        // Of a network that has diverged.
        let (diverged, _) = output(&weight, f32::NAN);
        assert!(Arc::ptr_eq(&diverged, &output(&weight, f32::NAN).0));
        // In its memory, if it were nobody else's.
        let changed = B::float_neg(weight);
        assert_eq!(output(&changed, 0.0).1, -4.0);
    }

    /// The tests share what is kept, and would make room in each other's way.
    fn alone() -> impl Drop {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block of a dense layer, its weights, and how to prepare it.
    fn dense(
        inputs: usize,
        outputs: usize,
    ) -> (
        FloatTensor<Flex>,
        impl Fn(&FloatTensor<Flex>) -> Arc<Prepared>,
    ) {
        let block = dense_block(inputs, outputs);
        let weight = Flex::tensor(Buffer::zeros(inputs * outputs), [inputs, outputs]);
        let prepare = move |weight: &FloatTensor<Flex>| {
            let numbers = Flex::numbers(weight);
            prepare::<Flex>(&block, weight, Parameters::of_weight(&numbers), None)
        };
        (weight, prepare)
    }

    /// Whether dense layers with so many inputs and outputs, asked for in turn, are all kept for the
    /// second time.
    fn are_found_again(sizes: Vec<[usize; 2]>) -> bool {
        let sizes = sizes.into_iter();
        let blocks: Vec<_> = sizes
            .map(|[inputs, outputs]| dense(inputs, outputs))
            .collect();
        let prepared = || -> Vec<_> {
            let blocks = blocks.iter();
            blocks.map(|(weight, prepare)| prepare(weight)).collect()
        };
        let (first, again) = (prepared(), prepared());
        first.iter().zip(&again).all(|(a, b)| Arc::ptr_eq(a, b))
    }

    #[test]
    fn all_blocks_of_a_deep_network_are_kept() {
        let _alone = alone();
        let blocks = vec![[3, 1]; 250];
        assert!(are_found_again(blocks));
    }

    #[test]
    fn what_was_used_last_is_kept_of_large_ones() {
        let _alone = alone();
        let blocks: Vec<_> = (0..=MIN_KEPT)
            .map(|_| dense(MAX_WEIGHTS / MIN_KEPT / 32, 32))
            .collect();
        let first: Vec<_> = blocks
            .iter()
            .map(|(weight, prepare)| prepare(weight))
            .collect();
        let is_kept = |index: usize| {
            let (weight, prepare) = &blocks[index];
            Arc::ptr_eq(&prepare(weight), &first[index])
        };
        assert!((1..=MIN_KEPT).all(is_kept));
        assert!(!is_kept(0));
    }

    #[test]
    fn what_belongs_to_no_network_any_more_is_dropped() {
        let _alone = alone();
        let (weight, prepare) = dense(5, 3);
        let first = Arc::downgrade(&prepare(&weight));
        assert!(first.upgrade().is_some());
        drop(weight);
        let (weight, prepare) = dense(7, 3);
        prepare(&weight);
        assert!(first.upgrade().is_none());
    }

    #[test]
    fn a_network_larger_than_the_limit_is_kept() {
        let _alone = alone();
        let blocks = vec![[MAX_WEIGHTS / 32 / 4, 32]; 5];
        assert!(are_found_again(blocks));
    }

    #[test]
    fn changed_parameters_are_noticed() {
        let _alone = alone();
        change_is_noticed::<Flex>();
        change_is_noticed::<NdArray>();
    }
}
