//! A block's linear map, its weights in the order in which they are read.

use super::{Map, Parameters};
use crate::buffer::Buffer;
use crate::convolution::{self, Convolution};
use crate::dense::{self, Dense};
use crate::simd::Isa;

/// A map with its weights packed.
#[derive(Debug)]
pub(super) enum PackedMap {
    Convolution(Convolution, convolution::ForwardPanel),
    Dense(Dense, dense::ForwardPanel),
}

impl PackedMap {
    pub(super) fn new(isa: Isa, map: &Map, parameters: Parameters) -> Self {
        let Parameters { weight, bias, .. } = parameters;
        match *map {
            Map::Convolution(convolution) => {
                let panel = convolution::ForwardPanel::new(isa, convolution, weight, bias);
                Self::Convolution(convolution, panel)
            }
            Map::Dense(dense) => {
                Self::Dense(dense, dense::ForwardPanel::new(isa, dense, weight, bias))
            }
        }
    }

    /// How many images are best computed at a time, where their output is to stay in the cache.
    pub(super) fn group(&self) -> usize {
        match self {
            Self::Convolution(_, panel) => panel.group(),
            Self::Dense(..) => 1,
        }
    }

    /// Memory for `images` images with their borders.
    pub(super) fn padded(&self, images: usize) -> Buffer {
        match self {
            Self::Convolution(convolution, _) if convolution.has_border() => {
                Buffer::zeros(images * convolution.padded_len())
            }
            _ => Buffer::new(0),
        }
    }

    /// Computes the map of no more images than a group has, with `pool` the largest of each 2×2
    /// window. `padded`: from [`Self::padded`].
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
                let group = self.group().min(input.len() / input_len).max(1);
                let mut padded = self.padded(group);
                let inputs = input.chunks(group * input_len);
                let outputs = linear.chunks_mut(group * output_len);
                for (number, (input, outputs)) in inputs.zip(outputs).enumerate() {
                    self.images(input, &mut padded, false, outputs);
                    for (i, output) in outputs.chunks_exact_mut(output_len).enumerate() {
                        then(number * group + i, output);
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
