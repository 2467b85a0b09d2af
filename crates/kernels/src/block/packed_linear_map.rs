//! A block's linear map, its weights in the order in which they are read.

use super::{LinearMap, Parameters};
use crate::buffer::Buffer;
use crate::convolution::{self, Convolution};
use crate::dense::{self, Dense};
use crate::lengths::checked_product;
use crate::simd::Isa;

/// A linear map with its weights packed.
#[derive(Debug)]
pub(super) enum PackedLinearMap {
    Convolution(Convolution, convolution::ForwardPanel),
    Dense(Dense, dense::ForwardPanel),
}

impl PackedLinearMap {
    pub(super) fn new(isa: Isa, map: &LinearMap, parameters: Parameters) -> Self {
        let Parameters { weight, bias, .. } = parameters;
        match *map {
            LinearMap::Convolution(convolution) => {
                let panel = convolution::ForwardPanel::new(isa, convolution, weight, bias);
                Self::Convolution(convolution, panel)
            }
            LinearMap::Dense(dense) => {
                Self::Dense(dense, dense::ForwardPanel::new(isa, dense, weight, bias))
            }
        }
    }

    /// How many images are best computed at a time, where their output is to stay in the cache.
    pub(super) fn images_at_once(&self) -> usize {
        match self {
            Self::Convolution(_, panel) => panel.images_at_once(),
            Self::Dense(..) => 1,
        }
    }

    /// Memory for `images` images with their borders.
    pub(super) fn padded(&self, images: usize) -> Buffer {
        match self {
            Self::Convolution(convolution, _) if convolution.has_border() => {
                Buffer::zeros(checked_product([images, convolution.padded_len()]))
            }
            _ => Buffer::new(0),
        }
    }

    /// Computes the map of some images, with `pool` the largest of each 2×2 window. `padded`: from
    /// [`Self::padded`], for as many images or more.
    pub(super) fn images(&self, input: &[f32], padded: &mut [f32], pool: bool, output: &mut [f32]) {
        let of_panel = |panel: &convolution::ForwardPanel, padded: &[f32], output: &mut [f32]| {
            if pool {
                panel.pooled_output(padded, output);
            } else {
                panel.output(padded, output);
            }
        };
        match self {
            Self::Convolution(convolution, panel) if convolution.has_border() => {
                let (input_len, padded_len) = (convolution.input_len(), convolution.padded_len());
                let padded = &mut padded[..input.len() / input_len * padded_len];
                let images = input.chunks_exact(input_len);
                for (image, padded) in images.zip(padded.chunks_exact_mut(padded_len)) {
                    convolution.pad(image, padded);
                }
                of_panel(panel, padded, output);
            }
            Self::Convolution(_, panel) => of_panel(panel, input, output),
            Self::Dense(_, panel) => {
                assert!(!pool, "a dense layer's output is one pixel");
                panel.output(input, output);
            }
        }
    }

    /// Computes the map of all images of `input`, and calls `then` with the number of each and its
    /// output while that is in the cache.
    pub(super) fn for_all_images(
        &self,
        input: &[f32],
        linear: &mut [f32],
        mut then: impl FnMut(usize, &mut [f32]),
    ) {
        match self {
            Self::Convolution(convolution, _) => {
                let (input_len, output_len) = (convolution.input_len(), convolution.output_len());
                let images_at_once = self.images_at_once().min(input.len() / input_len).max(1);
                let mut padded = self.padded(images_at_once);
                let inputs = input.chunks(images_at_once * input_len);
                let outputs = linear.chunks_mut(images_at_once * output_len);
                for (number, (input, outputs)) in inputs.zip(outputs).enumerate() {
                    self.images(input, &mut padded, false, outputs);
                    for (i, output) in outputs.chunks_exact_mut(output_len).enumerate() {
                        then(number * images_at_once + i, output);
                    }
                }
            }
            // The weights are read once for many images.
            Self::Dense(dense, panel) => {
                panel.output(input, linear);
                for (number, output) in linear.chunks_exact_mut(dense.outputs).enumerate() {
                    then(number, output);
                }
            }
        }
    }
}
