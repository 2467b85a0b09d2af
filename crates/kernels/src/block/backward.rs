//! From the gradient of a block's output to all others.

use rayon::prelude::*;

use super::linear_gradient::LinearGradient;
use super::normalization::{ChannelRows, Statistics};
use super::training::Saved;
use super::{Block, Map, Normalization, Parameters, task_len};
use crate::buffer::Buffer;
use crate::function::RowGradient;
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
    pub function: Option<f32>,
}

impl Block {
    /// The gradients for that of the output, `gradient`: `[images, height, width, outputs]`. The
    /// other arguments are those of [`Block::train`], and `saved` what came of it.
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
        gradient: &[f32],
        input_gradient: bool,
    ) -> Gradients {
        assert!(images > 0, "there is no image to train on");
        self.check(parameters);
        assert_eq!(input.len(), images * self.input_len());
        assert_eq!(parameters.weight.len(), self.weight_len());
        assert_eq!(gradient.len(), images * self.output_len());
        assert!(
            saved.is_of(self, images),
            "what was saved is not of these images and this block"
        );
        let [.., channels] = self.linear_size();
        tasks::together(|| {
            let task = task_len(images);
            // Of what the function is given, at the places that its output came from.
            let mut inner = Buffer::new(gradient.len());
            let mut sums = vec![0.0; images * (2 * channels + 1)];
            tasks::for_each(
                inner
                    .par_chunks_mut(task * self.output_len())
                    .zip(sums.par_chunks_mut(task * (2 * channels + 1)))
                    .enumerate(),
                |(number, (inner, sums))| {
                    let mut epilogue = EpilogueGradient::new(self, isa, parameters, saved);
                    let sums = sums.chunks_exact_mut(2 * channels + 1);
                    for (i, (inner, sums)) in inner
                        .chunks_exact_mut(self.output_len())
                        .zip(sums)
                        .enumerate()
                    {
                        let image = number * task + i;
                        let gradient = &gradient[image * self.output_len()..][..self.output_len()];
                        epilogue.image(image, gradient, inner, sums);
                    }
                },
            );
            let totals = Totals::new(self, &saved.statistics, parameters, &sums);
            let linear = LinearGradient {
                block: self,
                isa,
                saved,
                totals: &totals,
                inner: &inner,
            };
            let (weight, input) = match self.map {
                Map::Convolution(convolution) => linear.through_convolution(
                    convolution,
                    input,
                    parameters.weight,
                    input_gradient,
                ),
                Map::Dense(dense) => {
                    linear.through_dense(dense, input, parameters.weight, input_gradient)
                }
            };
            let to_floats = |sums: &[f64]| sums.iter().map(|&sum| sum as f32).collect::<Vec<_>>();
            Gradients {
                input,
                weight,
                bias: parameters.bias.map(|_| to_floats(&totals.sum)),
                scale: parameters.scale.map(|_| to_floats(&totals.product)),
                shift: parameters.shift.map(|_| to_floats(&totals.sum)),
                function: self
                    .function
                    .has_parameter()
                    .then_some(totals.function as f32),
            }
        })
    }
}

/// From the gradient of the block's output back to that of what the function is given.
struct EpilogueGradient<'a> {
    block: &'a Block,
    isa: Isa,
    parameters: Parameters<'a>,
    saved: &'a Saved,
    rows: ChannelRows,
    /// A row of what the function is given, or of its derivatives, at the places that the output
    /// came from.
    values: Buffer,
    /// A row of gradients of what dropout kept.
    kept: Buffer,
    /// A row of what the function is given.
    given: Buffer,
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
            values: Buffer::new(row),
            kept: Buffer::new(row),
            given: Buffer::new(row),
            derivatives: Buffer::new(2 * row),
            sums: Buffer::new(row),
            products: Buffer::new(row),
        }
    }

    /// Sets `inner` to the gradient of what the function is given, from `gradient`, that of the
    /// output of image number `image`; and sets `totals` to each channel's sum of it, each
    /// channel's sum of its product with the deviation from the mean, and the gradient of the
    /// function's parameter.
    fn image(&mut self, image: usize, gradient: &[f32], inner: &mut [f32], totals: &mut [f32]) {
        let (block, isa, saved) = (self.block, self.isa, self.saved);
        let [_, width, channels] = block.linear_size();
        let [_, output_width, _] = block.output_size();
        let (row, output_row) = (width * channels, output_width * channels);
        if saved.statistics.per_image(channels) {
            self.rows
                .fill_normalization(&saved.statistics, image, channels, self.parameters);
        }
        let output_start = image * gradient.len();
        let linear = &saved.linear[image * block.linear_len()..][..block.linear_len()];
        self.sums.fill(0.0);
        self.products.fill(0.0);
        let mut parameter = 0.0f64;
        let outer = gradient.chunks_exact(output_row);
        for (number, (outer, gradient)) in outer.zip(inner.chunks_exact_mut(output_row)).enumerate()
        {
            let place = output_start + number * output_row;
            let outer = if block.dropout > 0.0 {
                let kept = &mut self.kept[..output_row];
                kept.copy_from_slice(outer);
                random::dropout(isa, saved.key, place as u64, block.dropout, kept);
                &*kept
            } else {
                outer
            };
            let given = match &saved.pooling {
                None => &linear[number * row..][..row],
                Some(pooling) => &pooling.linear[place..place + output_row],
            };
            if block.is_random() {
                gradient.copy_from_slice(outer);
                rows::multiply(isa, gradient, self.random_derivatives(image, number));
                let mean = &self.rows.mean;
                rows::reduce(
                    isa,
                    gradient,
                    given,
                    mean,
                    &mut self.sums,
                    &mut self.products,
                );
                continue;
            }
            let context = block.context(self.parameters, None, image, number * row);
            if block.function.has_parameter() {
                let values = &mut self.values[..output_row];
                self.rows.apply(isa, given, values);
                let function = block.function;
                let slope = function.parameter_gradient(isa, context, values, outer);
                parameter += f64::from(slope);
            }
            let row = RowGradient {
                outer,
                linear: given,
                mean: &self.rows.mean,
                slope: &self.rows.slope,
                offset: &self.rows.offset,
                inner: gradient,
                sums: &mut self.sums,
                products: &mut self.products,
            };
            block.function.backward_row(isa, context, row);
        }
        let (channel_sums, rest) = totals.split_at_mut(channels);
        let (channel_products, function) = rest.split_at_mut(channels);
        fold(&self.sums[..output_row], channel_sums);
        fold(&self.products[..output_row], channel_products);
        function[0] = parameter as f32;
    }

    /// The derivatives of a function that draws, at the places that row `number` of the output of
    /// image number `image` came from.
    fn random_derivatives(&mut self, image: usize, number: usize) -> &[f32] {
        let (block, isa, saved) = (self.block, self.isa, self.saved);
        let [_, width, channels] = block.linear_size();
        let [_, output_width, _] = block.output_size();
        let (row, output_row) = (width * channels, output_width * channels);
        let linear = &saved.linear[image * block.linear_len()..][..block.linear_len()];
        // Draws belong to places, of which the chosen have lost track: both rows for a pooled one.
        let rows = if block.pool { 2 } else { 1 };
        for (i, derivatives) in self
            .derivatives
            .chunks_exact_mut(row)
            .take(rows)
            .enumerate()
        {
            let start = (rows * number + i) * row;
            let context = block.context(self.parameters, Some(saved.key), image, start);
            self.rows
                .apply(isa, &linear[start..start + row], &mut self.given);
            derivatives.fill(1.0);
            block
                .function
                .backward(isa, context, &self.given, derivatives);
        }
        let Some(pooling) = &saved.pooling else {
            return &self.derivatives[..row];
        };
        let place = image * block.output_len() + number * output_row;
        let argmax = &pooling.argmax[place..place + output_row];
        let values = &mut self.values[..output_row];
        let derivatives = self.derivatives.split_at(row).into();
        rows::gather(isa, derivatives, channels, argmax, values);
        values
    }
}

/// Sums of a row's columns, `[columns, channels]`, for each channel.
fn fold(row: &[f32], totals: &mut [f32]) {
    totals.fill(0.0);
    for column in row.chunks_exact(totals.len()) {
        for (total, x) in totals.iter_mut().zip(column) {
            *total += x;
        }
    }
}

/// Sums over the batch, and the linear function that leads from what the function is given to what
/// the map gave.
pub(super) struct Totals {
    /// Gradient of the normalisation's shift.
    sum: Vec<f64>,
    /// Gradient of the normalisation's scale.
    product: Vec<f64>,
    function: f64,
    /// `[sets, channels]`: gradient = scale · inner + slope · (y − mean) + offset.
    pub(super) scale: Vec<f32>,
    pub(super) slope: Vec<f32>,
    pub(super) offset: Vec<f32>,
}

impl Totals {
    /// `sums`: of each image, each channel's sum of gradients, each channel's sum of products with
    /// deviations, and the function parameter's gradient.
    ///
    /// Normalisation x̂ = (y − μ) r with y's own mean μ and reciprocal deviation r over n values
    /// has dL/dy = r (g − Σg/n − x̂ Σ(g x̂)/n) for g = dL/dx̂ (Ioffe and Szegedy 2015).
    fn new(block: &Block, statistics: &Statistics, parameters: Parameters, sums: &[f32]) -> Self {
        let [.., channels] = block.linear_size();
        let per_image = 2 * channels + 1;
        let mut sum = vec![0.0f64; channels];
        let mut product = vec![0.0f64; channels];
        let mut function = 0.0f64;
        for (image, sums) in sums.chunks_exact(per_image).enumerate() {
            let (_, reciprocal) = statistics.of_image(image, channels);
            let (sums, rest) = sums.split_at(channels);
            for (channel, (&s, &p)) in sums.iter().zip(rest).enumerate() {
                sum[channel] += f64::from(s);
                product[channel] += f64::from(p) * f64::from(reciprocal[channel]);
            }
            function += f64::from(rest[channels]);
        }
        let gamma = |channel: usize| {
            parameters
                .scale
                .map_or(1.0, |scale| f64::from(scale[channel]))
        };
        let sets = statistics.mean.len() / channels;
        let mut totals = Self {
            scale: vec![0.0; sets * channels],
            slope: vec![0.0; sets * channels],
            offset: vec![0.0; sets * channels],
            sum: Vec::new(),
            product: Vec::new(),
            function,
        };
        for set in 0..sets {
            for channel in 0..channels {
                let at = set * channels + channel;
                let reciprocal = f64::from(statistics.reciprocal_deviation[at]);
                totals.scale[at] = (gamma(channel) * reciprocal) as f32;
                let (sum, product) = match block.normalization {
                    Normalization::None => continue,
                    Normalization::Batch { .. } => (
                        gamma(channel) * sum[channel],
                        gamma(channel) * product[channel],
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
                totals.offset[at] = (-reciprocal * sum / statistics.count) as f32;
                totals.slope[at] = (-reciprocal * reciprocal * product / statistics.count) as f32;
            }
        }
        totals.sum = sum;
        totals.product = product;
        totals
    }
}
