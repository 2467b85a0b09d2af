//! The way back through a block's normalisation and its linear map.

use rayon::prelude::*;

use super::backward::NormalizationBackward;
use super::normalization::ChannelRows;
use super::training::{Pooling, Saved};
use super::{Block, MAX_TASKS, MOST_PARTIAL_NUMBERS, Normalization, task_len};
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

/// From rows of the pre-activation's gradient to rows of the linear output's.
struct GradientRows {
    isa: Isa,
    channels: usize,
    is_normalized: bool,
    /// What leads to the gradient of the linear output, but for that of the pre-activation.
    rows: ChannelRows,
    /// What the gradient of the pre-activation is multiplied by.
    gradient_factor: Vec<f32>,
}

impl LinearGradient<'_> {
    fn gradient_rows(&self) -> GradientRows {
        let [_, width, channels] = self.block.linear_size();
        let mut rows = GradientRows {
            isa: self.isa,
            channels,
            is_normalized: self.block.normalization != Normalization::None,
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
        let block = self.block;
        let [height, width, channels] = block.linear_size();
        let [output_height, output_width, _] = block.output_size();
        let (row, output_row) = (width * channels, output_width * channels);
        if self.saved.statistics.per_image(channels) {
            self.fill(rows, image);
        }
        let (linear_len, output_len) = (block.linear_len(), block.output_len());
        let linear = &self.saved.linear[image * linear_len..][..linear_len];
        let pre_activation_gradient =
            &self.pre_activation_gradient[image * output_len..][..output_len];
        let of_output = pre_activation_gradient.chunks_exact(output_row);
        let Some(Pooling { argmax, .. }) = &self.saved.pooling else {
            for (number, (linear, of_output)) in linear.chunks_exact(row).zip(of_output).enumerate()
            {
                rows.unpooled_row(linear, of_output, &mut gradient[row_range(number)]);
            }
            return;
        };
        let argmax = &argmax[image * output_len..][..output_len];
        let windows = linear
            .chunks_exact(2 * row)
            .zip(of_output)
            .zip(argmax.chunks_exact(output_row));
        for (number, ((linear, of_output), argmax)) in windows.enumerate() {
            let (above, below) = (row_range(2 * number), row_range(2 * number + 1));
            let (first, second) = gradient.split_at_mut(below.start);
            let gradient = [&mut first[above], &mut second[..row]];
            rows.row_of_windows(linear.split_at(row).into(), of_output, argmax, gradient);
        }
        for number in 2 * output_height..height {
            let linear = &linear[number * row..][..row];
            rows.row_beyond_windows(linear, &mut gradient[row_range(number)]);
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
        // Each task has a gradient of its own until all are added up.
        let tasks = (MOST_PARTIAL_NUMBERS / weight.len().max(1)).clamp(1, MAX_TASKS);
        let task = images.div_ceil(tasks).max(1);
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

impl GradientRows {
    fn unpooled_row(&self, linear: &[f32], pre_activation_gradient: &[f32], gradient: &mut [f32]) {
        if self.is_normalized {
            self.rows.apply_and_add(
                self.isa,
                linear,
                pre_activation_gradient,
                &self.gradient_factor,
                gradient,
            );
        } else {
            gradient.copy_from_slice(pre_activation_gradient);
            rows::multiply(self.isa, gradient, &self.gradient_factor);
        }
    }

    /// Two rows, whose windows were pooled.
    fn row_of_windows(
        &self,
        linear: [&[f32]; 2],
        pre_activation_gradient: &[f32],
        argmax: &[u8],
        mut gradient: [&mut [f32]; 2],
    ) {
        if !self.is_normalized {
            gradient.iter_mut().for_each(|row| row.fill(0.0));
            rows::scatter(
                self.isa,
                pre_activation_gradient,
                &self.gradient_factor,
                self.channels,
                argmax,
                gradient,
            );
            return;
        }
        let in_windows = 2 * pre_activation_gradient.len();
        // The last column of an odd number.
        if in_windows < linear[0].len() {
            for (linear, gradient) in linear.iter().zip(&mut gradient) {
                self.row_beyond_windows(&linear[in_windows..], &mut gradient[in_windows..]);
            }
        }
        rows::normalize_and_scatter(
            self.isa,
            linear,
            self.rows.normalization(),
            pre_activation_gradient,
            &self.gradient_factor,
            self.channels,
            argmax,
            gradient,
        );
    }

    /// A row, or part of one, of which nothing came into the output.
    fn row_beyond_windows(&self, linear: &[f32], gradient: &mut [f32]) {
        if self.is_normalized {
            self.rows.apply(self.isa, linear, gradient);
        } else {
            gradient.fill(0.0);
        }
    }
}
