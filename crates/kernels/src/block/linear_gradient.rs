//! The way back through a block's normalisation and its linear map.

use rayon::prelude::*;

use super::backward::NormalizationBackward;
use super::normalization::ChannelRows;
use super::training::{Pooling, Saved};
use super::{Block, Normalization, task_len};
use crate::buffer::Buffer;
use crate::convolution::{self, Convolution, WeightGradient};
use crate::dense::{self, Dense};
use crate::lengths::checked_product;
use crate::simd::Isa;
use crate::{rows, tasks};

/// From the gradient of the pre-activation, at the places that the output came from, to those of weights
/// and input.
pub(super) struct LinearGradient<'a> {
    pub(super) block: &'a Block,
    pub(super) isa: Isa,
    pub(super) saved: &'a Saved,
    pub(super) normalization: &'a NormalizationBackward,
    /// `[images, height, width, outputs]`, the size of the block's output.
    pub(super) pre_activation_gradient: &'a [f32],
}

/// The rows that [`LinearGradient::image`] works with.
struct GradientRows {
    /// What leads to the gradient of the linear output, but for that of the pre-activation.
    rows: ChannelRows,
    /// What the gradient of the pre-activation is multiplied by.
    gradient_factor: Vec<f32>,
}

impl LinearGradient<'_> {
    fn gradient_rows(&self) -> GradientRows {
        let [_, width, channels] = self.block.linear_size();
        let mut rows = GradientRows {
            rows: ChannelRows::new(width, channels),
            gradient_factor: vec![0.0; width * channels],
        };
        self.fill(&mut rows, 0);
        rows
    }

    fn fill(&self, to: &mut GradientRows, image: usize) {
        let [.., channels] = self.block.linear_size();
        let statistics = &self.saved.statistics;
        let (mean, _) = statistics.of_image(image, channels);
        let set = if statistics.per_image(channels) {
            image
        } else {
            0
        };
        let at = set * channels;
        to.rows.fill(channels, |channel| {
            [
                mean[channel],
                self.normalization.deviation_factor[at + channel],
                self.normalization.offset[at + channel],
            ]
        });
        for column in to.gradient_factor.chunks_exact_mut(channels) {
            column.copy_from_slice(&self.normalization.gradient_factor[at..at + channels]);
        }
    }

    /// The gradient of the linear output for image number `image`: `row_range` is the place of each
    /// row.
    fn image(
        &self,
        rows: &mut GradientRows,
        image: usize,
        gradient: &mut [f32],
        row_range: impl Fn(usize) -> std::ops::Range<usize>,
    ) {
        let (block, isa) = (self.block, self.isa);
        let [height, width, channels] = block.linear_size();
        let [output_height, output_width, _] = block.output_size();
        let (row, output_row) = (width * channels, output_width * channels);
        if self.saved.statistics.per_image(channels) {
            self.fill(rows, image);
        }
        let normalized = block.normalization != Normalization::None;
        let linear = &self.saved.linear[image * block.linear_len()..][..block.linear_len()];
        let output_start = image * block.output_len();
        let Some(Pooling { argmax, .. }) = &self.saved.pooling else {
            for number in 0..height {
                let gradient = &mut gradient[row_range(number)];
                let pre_activation_gradient =
                    &self.pre_activation_gradient[output_start + number * row..][..row];
                if normalized {
                    let linear = &linear[number * row..][..row];
                    rows.rows.apply_and_add(
                        isa,
                        linear,
                        pre_activation_gradient,
                        &rows.gradient_factor,
                        gradient,
                    );
                } else {
                    gradient.copy_from_slice(pre_activation_gradient);
                    rows::multiply(isa, gradient, &rows.gradient_factor[..row]);
                }
            }
            return;
        };
        for number in 0..output_height {
            let start = output_start + number * output_row;
            let pre_activation_gradient = &self.pre_activation_gradient[start..start + output_row];
            let argmax = &argmax[start..start + output_row];
            let (above, below) = (row_range(2 * number), row_range(2 * number + 1));
            let (first, second) = gradient.split_at_mut(below.start);
            let mut windows = [&mut first[above], &mut second[..row]];
            if normalized {
                let linear: [&[f32]; 2] =
                    linear[2 * number * row..][..2 * row].split_at(row).into();
                let rest = 2 * output_row;
                // The last column of an odd number.
                if rest < row {
                    for (linear, gradient) in linear.iter().zip(&mut windows) {
                        rows.rows.apply(isa, &linear[rest..], &mut gradient[rest..]);
                    }
                }
                rows::normalize_and_scatter(
                    isa,
                    linear,
                    rows.rows.normalization(),
                    pre_activation_gradient,
                    &rows.gradient_factor,
                    channels,
                    argmax,
                    windows,
                );
            } else {
                windows.iter_mut().for_each(|row| row.fill(0.0));
                rows::scatter(
                    isa,
                    pre_activation_gradient,
                    &rows.gradient_factor,
                    channels,
                    argmax,
                    windows,
                );
            }
        }
        for number in 2 * output_height..height {
            let gradient = &mut gradient[row_range(number)];
            if normalized {
                rows.rows
                    .apply(isa, &linear[number * row..][..row], gradient);
            } else {
                gradient.fill(0.0);
            }
        }
    }

    pub(super) fn through_convolution(
        &self,
        convolution: Convolution,
        input: &[f32],
        weight: &[f32],
        input_gradient: bool,
    ) -> (Buffer, Option<Buffer>) {
        let isa = self.isa;
        let (input_len, padded_len) = (convolution.input_len(), convolution.padded_len());
        let bordered_len = convolution.bordered_len();
        let bordered_rows = convolution.bordered_rows();
        let images = input.len() / input_len;
        let task = task_len(images);
        let images_at_once = WeightGradient::images_at_once(&convolution).min(task);
        let panel =
            input_gradient.then(|| convolution::BackwardPanel::new(isa, convolution, weight));
        let mut gradient = Buffer::new(if input_gradient { input.len() } else { 0 });
        // A task without an input gradient gets an empty slice for it.
        let gradients: Vec<&mut [f32]> = if input_gradient {
            gradient.chunks_mut(task * input_len).collect()
        } else {
            (0..images.div_ceil(task)).map(|_| &mut [][..]).collect()
        };
        let partial = tasks::map(
            input
                .par_chunks(task * input_len)
                .zip(gradients)
                .enumerate(),
            |(number, (input, gradient))| {
                let mut rows = self.gradient_rows();
                let mut weight_gradient = WeightGradient::new(isa, convolution);
                let mut padded = Buffer::zeros(checked_product([images_at_once, padded_len]));
                let mut bordered = Buffer::zeros(checked_product([images_at_once, bordered_len]));
                for (part, input) in input.chunks(images_at_once * input_len).enumerate() {
                    let first = part * images_at_once;
                    let count = input.len() / input_len;
                    for (i, image) in input.chunks_exact(input_len).enumerate() {
                        let bordered = &mut bordered[i * bordered_len..][..bordered_len];
                        let image_number = number * task + first + i;
                        self.image(&mut rows, image_number, bordered, &bordered_rows);
                        convolution.pad(image, &mut padded[i * padded_len..][..padded_len]);
                    }
                    let bordered = &bordered[..count * bordered_len];
                    if let Some(panel) = &panel {
                        let gradient = &mut gradient[first * input_len..][..input.len()];
                        panel.input_gradient(bordered, gradient);
                    }
                    weight_gradient.add(&padded[..count * padded_len], bordered);
                }
                weight_gradient
            },
        );
        let weight = WeightGradient::sum(partial);
        (weight, input_gradient.then_some(gradient))
    }

    pub(super) fn through_dense(
        &self,
        dense: Dense,
        input: &[f32],
        weight: &[f32],
        input_gradient: bool,
    ) -> (Buffer, Option<Buffer>) {
        let isa = self.isa;
        let images = input.len() / dense.inputs();
        let task = task_len(images);
        let mut linear = Buffer::new(images * dense.outputs);
        tasks::for_each(
            linear.par_chunks_mut(task * dense.outputs).enumerate(),
            |(number, linear)| {
                let mut rows = self.gradient_rows();
                for (i, linear) in linear.chunks_exact_mut(dense.outputs).enumerate() {
                    self.image(&mut rows, number * task + i, linear, |_| 0..dense.outputs);
                }
            },
        );
        let weight_gradient = dense::weight_gradient(isa, dense, input, &linear);
        let input = input_gradient.then(|| {
            let panel = dense::BackwardPanel::new(isa, dense, weight);
            let mut gradient = Buffer::new(input.len());
            tasks::for_each(
                gradient
                    .par_chunks_mut(task * dense.inputs())
                    .zip(linear.par_chunks(task * dense.outputs)),
                |(input, output)| panel.input_gradient(output, input),
            );
            gradient
        });
        (weight_gradient, input)
    }
}
