//! From the gradient of a block's output to all others.

use rayon::prelude::*;

use super::linear_gradient::LinearGradient;
use super::normalization::{ChannelRows, Statistics};
use super::training::Saved;
use super::{Block, LinearMap, Normalization, Parameters, task_len};
use crate::buffer::Buffer;
use crate::function::RowGradient;
use crate::lengths::checked_product;
use crate::simd::Isa;
use crate::{random, rows, tasks};

/// Gradients of a block.
#[derive(Debug)]
pub struct Gradients {
    /// Of the input, if it was asked for: `[images, height, width, inputs]`.
    pub input: Option<Buffer>,
    /// Of the weights, in their shape.
    pub weight: Buffer,
    /// Of the bias, if there is one.
    pub bias: Option<Vec<f32>>,
    /// Of the normalisation's scale, if there is one.
    pub scale: Option<Vec<f32>>,
    /// Of the normalisation's shift, if there is one.
    pub shift: Option<Vec<f32>>,
    /// Of the function's parameter, if it has one.
    pub function_parameter: Option<f32>,
}

impl Block {
    /// The gradients for that of the output: `[images, height, width, outputs]`. The other arguments
    /// are those of [`Block::train`], and `saved` what came of it.
    ///
    /// # Panics
    ///
    /// As [`Block::train`], and if `saved` came of another block or of more or fewer images.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        isa: Isa,
        images: usize,
        input: &[f32],
        parameters: Parameters,
        saved: &Saved,
        output_gradient: &[f32],
        input_gradient: bool,
    ) -> Gradients {
        assert!(images > 0, "there is no image to train on");
        self.check(parameters);
        assert_eq!(input.len(), checked_product([images, self.input_len()]));
        assert_eq!(parameters.weight.len(), self.weight_len());
        let output_len = checked_product([images, self.output_len()]);
        assert_eq!(output_gradient.len(), output_len);
        assert!(
            saved.is_of(self, images),
            "what was saved is not of these images and this block"
        );
        let [.., channels] = self.linear_size();
        tasks::together(|| {
            let task = task_len(images);
            let output_len = self.output_len();
            // At the places that the output came from.
            let mut pre_activation_gradient = Buffer::new(output_gradient.len());
            let mut sums = vec![0.0; images * (2 * channels + 1)];
            tasks::for_each(
                pre_activation_gradient
                    .par_chunks_mut(task * output_len)
                    .zip(sums.par_chunks_mut(task * (2 * channels + 1)))
                    .enumerate(),
                |(number, (pre_activation_gradient, sums))| {
                    let mut epilogue = EpilogueGradient::new(self, isa, parameters, saved);
                    let sums = sums.chunks_exact_mut(2 * channels + 1);
                    for (i, (pre_activation_gradient, sums)) in pre_activation_gradient
                        .chunks_exact_mut(output_len)
                        .zip(sums)
                        .enumerate()
                    {
                        let image = number * task + i;
                        let output_gradient = &output_gradient[image * output_len..][..output_len];
                        epilogue.image(image, output_gradient, pre_activation_gradient, sums);
                    }
                },
            );
            let normalization =
                NormalizationBackward::new(self, &saved.statistics, parameters, &sums);
            let linear = LinearGradient {
                block: self,
                isa,
                saved,
                normalization: &normalization,
                pre_activation_gradient: &pre_activation_gradient,
            };
            let (weight, input) = match self.map {
                LinearMap::Convolution(convolution) => linear.through_convolution(
                    convolution,
                    input,
                    parameters.weight,
                    input_gradient,
                ),
                LinearMap::Dense(dense) => {
                    linear.through_dense(dense, input, parameters.weight, input_gradient)
                }
            };
            Gradients::new(self, parameters, &normalization, weight, input)
        })
    }
}

impl Gradients {
    fn new(
        block: &Block,
        parameters: Parameters,
        normalization: &NormalizationBackward,
        weight: Buffer,
        input: Option<Buffer>,
    ) -> Self {
        let to_floats = |sums: &[f64]| sums.iter().map(|&sum| sum as f32).collect::<Vec<_>>();
        // A bias is a shift without normalisation.
        let of_shift = || to_floats(&normalization.shift_gradient);
        let of_scale = || to_floats(&normalization.scale_gradient);
        Self {
            input,
            weight,
            bias: parameters.bias.map(|_| of_shift()),
            scale: parameters.scale.map(|_| of_scale()),
            shift: parameters.shift.map(|_| of_shift()),
            function_parameter: block
                .function
                .has_parameter()
                .then_some(normalization.function_gradient as f32),
        }
    }
}

/// From the gradient of the block's output back to that of the pre-activation, which the function is
/// given.
struct EpilogueGradient<'a> {
    block: &'a Block,
    isa: Isa,
    parameters: Parameters<'a>,
    saved: &'a Saved,
    rows: ChannelRows,
    /// A row of gradients of what dropout kept.
    kept: Buffer,
    /// A row of the linear output's size.
    pre_activation_row: Buffer,
    /// A row of the output's size: pre-activations, or derivatives, at the places that the output
    /// came from.
    scratch_row: Buffer,
    /// Two rows of derivatives, for random functions.
    derivatives: Buffer,
    /// Sums of gradients, and of their products with deviations from the mean, for each place of
    /// a row.
    sums: Buffer,
    products: Buffer,
}

impl<'a> EpilogueGradient<'a> {
    fn new(block: &'a Block, isa: Isa, parameters: Parameters<'a>, saved: &'a Saved) -> Self {
        let [_, width, channels] = block.linear_size();
        let mut rows = ChannelRows::new(width, channels);
        rows.fill_normalization(&saved.statistics, 0, channels, parameters);
        let row = width * channels;
        Self {
            block,
            isa,
            parameters,
            saved,
            rows,
            kept: Buffer::new(row),
            pre_activation_row: Buffer::new(row),
            scratch_row: Buffer::new(row),
            derivatives: Buffer::new(2 * row),
            sums: Buffer::new(row),
            products: Buffer::new(row),
        }
    }

    /// Sets `pre_activation_gradient`, at the places that the output came from, from
    /// `output_gradient`, both of image number `image`; and sets `totals` to each channel's sum of
    /// it, each channel's sum of its product with the deviation from the mean, and the gradient of
    /// the function's parameter.
    fn image(
        &mut self,
        image: usize,
        output_gradient: &[f32],
        pre_activation_gradient: &mut [f32],
        totals: &mut [f32],
    ) {
        let (block, saved) = (self.block, self.saved);
        let [_, output_width, channels] = block.output_size();
        let output_row = output_width * channels;
        if saved.statistics.per_image(channels) {
            self.rows
                .fill_normalization(&saved.statistics, image, channels, self.parameters);
        }
        let output_start = image * output_gradient.len();
        self.sums.fill(0.0);
        self.products.fill(0.0);
        let mut parameter_gradient = 0.0f64;
        for (number, (output_gradient, pre_activation_gradient)) in output_gradient
            .chunks_exact(output_row)
            .zip(pre_activation_gradient.chunks_exact_mut(output_row))
            .enumerate()
        {
            let place = output_start + number * output_row;
            parameter_gradient += self.row(
                image,
                number,
                place,
                output_gradient,
                pre_activation_gradient,
            );
        }
        let (channel_sums, rest) = totals.split_at_mut(channels);
        let (channel_products, of_parameter) = rest.split_at_mut(channels);
        sum_columns(&self.sums[..output_row], channel_sums);
        sum_columns(&self.products[..output_row], channel_products);
        of_parameter[0] = parameter_gradient as f32;
    }

    /// [`image`](Self::image) for row number `number` of the output, which begins at `place` of the
    /// batch. Adds to the sums for each place of a row, and gives the gradient of the function's
    /// parameter.
    fn row(
        &mut self,
        image: usize,
        number: usize,
        place: usize,
        output_gradient: &[f32],
        pre_activation_gradient: &mut [f32],
    ) -> f64 {
        let (block, isa, saved) = (self.block, self.isa, self.saved);
        let len = output_gradient.len();
        let output_gradient = if block.dropout > 0.0 {
            let kept = &mut self.kept[..len];
            kept.copy_from_slice(output_gradient);
            random::dropout(isa, saved.key, place as u64, block.dropout, kept);
            &*kept
        } else {
            output_gradient
        };
        let linear = match &saved.pooling {
            None => &saved.linear,
            Some(pooling) => &pooling.linear_at_argmax,
        };
        let linear = &linear[place..][..len];
        if block.function.is_random() {
            pre_activation_gradient.copy_from_slice(output_gradient);
            let derivatives = self.random_derivatives(image, number);
            rows::multiply(isa, pre_activation_gradient, derivatives);
            rows::accumulate_sums(
                isa,
                pre_activation_gradient,
                linear,
                &self.rows.mean,
                &mut self.sums,
                &mut self.products,
            );
            return 0.0;
        }
        let context = block.context(self.parameters, None, 0, 0);
        let mut parameter_gradient = 0.0;
        if block.function.has_parameter() {
            let pre_activation = &mut self.scratch_row[..len];
            self.rows.apply(isa, linear, pre_activation);
            parameter_gradient =
                block
                    .function
                    .parameter_gradient(isa, context, pre_activation, output_gradient);
        }
        let row = RowGradient {
            output_gradient,
            linear,
            mean: &self.rows.mean,
            slope: &self.rows.slope,
            offset: &self.rows.offset,
            pre_activation_gradient,
            sums: &mut self.sums,
            products: &mut self.products,
        };
        block.function.backward_row(isa, context, row);
        parameter_gradient.into()
    }

    /// The derivatives of a function that draws, at the places that row `number` of the output of
    /// image number `image` came from.
    fn random_derivatives(&mut self, image: usize, number: usize) -> &[f32] {
        let (block, isa, saved) = (self.block, self.isa, self.saved);
        let [_, width, channels] = block.linear_size();
        let [_, output_width, _] = block.output_size();
        let (row, output_row) = (width * channels, output_width * channels);
        let linear = &saved.linear[image * block.linear_len()..][..block.linear_len()];
        // Draws belong to places, of which pooling has lost track: both rows for a pooled one.
        let rows = if block.pool { 2 } else { 1 };
        for (i, derivatives) in self
            .derivatives
            .chunks_exact_mut(row)
            .take(rows)
            .enumerate()
        {
            let start = (rows * number + i) * row;
            let context = block.context(self.parameters, Some(saved.key), image, start);
            let pre_activation = &mut self.pre_activation_row;
            self.rows
                .apply(isa, &linear[start..start + row], pre_activation);
            derivatives.fill(1.0);
            block
                .function
                .backward(isa, context, pre_activation, derivatives);
        }
        let Some(pooling) = &saved.pooling else {
            return &self.derivatives[..row];
        };
        let place = image * block.output_len() + number * output_row;
        let argmax = &pooling.argmax[place..place + output_row];
        let at_argmax = &mut self.scratch_row[..output_row];
        let derivatives = self.derivatives.split_at(row).into();
        rows::gather(isa, derivatives, channels, argmax, at_argmax);
        at_argmax
    }
}

/// Sums of a row's columns, `[columns, channels]`, for each channel.
fn sum_columns(row: &[f32], totals: &mut [f32]) {
    totals.fill(0.0);
    for column in row.chunks_exact(totals.len()) {
        for (total, x) in totals.iter_mut().zip(column) {
            *total += x;
        }
    }
}

/// The way back through the normalisation, from the gradient g of the pre-activation to that of the
/// linear output y: gradient_factor · g + deviation_factor · (y − mean) + offset. And the gradients of
/// what is learned, summed over the batch.
pub(super) struct NormalizationBackward {
    /// Of the normalisation's shift, and of a bias: `[channels]`.
    shift_gradient: Vec<f64>,
    /// Of the normalisation's scale: `[channels]`.
    scale_gradient: Vec<f64>,
    /// Of the function's parameter.
    function_gradient: f64,
    /// `[sets, channels]`, with as many sets as the statistics have.
    pub(super) gradient_factor: Vec<f32>,
    /// `[sets, channels]`.
    pub(super) deviation_factor: Vec<f32>,
    /// `[sets, channels]`.
    pub(super) offset: Vec<f32>,
}

impl NormalizationBackward {
    /// `sums`: of each image, each channel's sum of gradients, each channel's sum of products with
    /// deviations, and the function parameter's gradient.
    ///
    /// Normalisation x̂ = (y − μ) r with y's own mean μ and reciprocal deviation r over n values
    /// has dL/dy = r (g − Σg/n − x̂ Σ(g x̂)/n) for g = dL/dx̂ (Ioffe and Szegedy 2015).
    fn new(block: &Block, statistics: &Statistics, parameters: Parameters, sums: &[f32]) -> Self {
        let [.., channels] = block.linear_size();
        let per_image = 2 * channels + 1;
        let mut shift_gradient = vec![0.0f64; channels];
        let mut scale_gradient = vec![0.0f64; channels];
        let mut function_gradient = 0.0f64;
        for (image, sums) in sums.chunks_exact(per_image).enumerate() {
            let (_, reciprocal) = statistics.of_image(image, channels);
            let (sums, rest) = sums.split_at(channels);
            for (channel, (&sum, &product)) in sums.iter().zip(rest).enumerate() {
                shift_gradient[channel] += f64::from(sum);
                scale_gradient[channel] += f64::from(product) * f64::from(reciprocal[channel]);
            }
            function_gradient += f64::from(rest[channels]);
        }
        let gamma = |channel: usize| {
            parameters
                .scale
                .map_or(1.0, |scale| f64::from(scale[channel]))
        };
        let sets = statistics.mean.len() / channels;
        let mut gradient_factor = vec![0.0; sets * channels];
        let mut deviation_factor = vec![0.0; sets * channels];
        let mut offset = vec![0.0; sets * channels];
        for set in 0..sets {
            for channel in 0..channels {
                let at = set * channels + channel;
                let reciprocal = f64::from(statistics.reciprocal_deviation[at]);
                gradient_factor[at] = (gamma(channel) * reciprocal) as f32;
                // Σg and Σ(g x̂).
                let (sum, product) = match block.normalization {
                    Normalization::None => continue,
                    Normalization::Batch { .. } => (
                        gamma(channel) * shift_gradient[channel],
                        gamma(channel) * scale_gradient[channel],
                    ),
                    Normalization::Group { groups, .. } => {
                        let size = channels / groups;
                        let first = channel / size * size;
                        let sums = &sums[set * per_image..][..per_image];
                        let of_group = |start: usize| -> f64 {
                            (first..first + size)
                                .map(|c| gamma(c) * f64::from(sums[start + c]))
                                .sum()
                        };
                        (of_group(0), of_group(channels) * reciprocal)
                    }
                };
                offset[at] = (-reciprocal * sum / statistics.count) as f32;
                deviation_factor[at] =
                    (-reciprocal * reciprocal * product / statistics.count) as f32;
            }
        }
        Self {
            shift_gradient,
            scale_gradient,
            function_gradient,
            gradient_factor,
            deviation_factor,
            offset,
        }
    }
}
