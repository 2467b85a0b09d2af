//! Forward at inference: batch normalisation is part of the weights, and what is between layers stays
//! in the cache.

use rayon::prelude::*;

use super::normalization::{ChannelRows, Statistics};
use super::packed_linear_map::PackedLinearMap;
use super::{Block, LinearMap, Normalization, Parameters, task_len};
use crate::buffer::Buffer;
use crate::function::{PoolingOrder, PoolingRows};
use crate::lengths::checked_product;
use crate::simd::Isa;
use crate::{rows, tasks};

/// The most images that go through all blocks together: enough that weights are read for several, and
/// few enough for the second-level cache, and that threads get equal shares of a batch.
const MAX_IMAGES_THROUGH_ALL: usize = 8;

/// The fewest images of a dense layer's task at inference: every task reads all weights, and a few
/// images have no use for all sums of a register tile.
const MIN_DENSE_IMAGES: usize = 16;

impl Block {
    /// The block with its weights made ready for inference: without dropout, with the mean slope of
    /// random functions, and for [`Normalization::Batch`] with `running`, the mean and variance of
    /// each channel.
    ///
    /// # Panics
    ///
    /// As [`Block::train`] does of block and parameters; and if `running` is missing, or has not a
    /// number for each channel.
    pub fn prepare(
        &self,
        isa: Isa,
        parameters: Parameters,
        running: Option<(&[f32], &[f32])>,
    ) -> Prepared {
        self.check(parameters);
        let map = match (self.normalization, running) {
            (Normalization::Batch { epsilon }, Some((mean, variance))) => {
                let [.., channels] = self.linear_size();
                assert_eq!(
                    [mean.len(), variance.len()],
                    [channels; 2],
                    "running statistics have a number for each channel"
                );
                let statistics = Statistics::running(mean, variance, epsilon);
                let (weight, bias) = self.fold(parameters, &statistics);
                let folded = Parameters {
                    weight: &weight,
                    bias: Some(&bias),
                    ..parameters
                };
                PackedLinearMap::new(isa, &self.map, folded)
            }
            (Normalization::Batch { .. }, None) => panic!("batch normalisation has no statistics"),
            _ => PackedLinearMap::new(isa, &self.map, parameters),
        };
        Prepared {
            block: *self,
            isa,
            map,
        }
    }

    /// Weights and bias with which the map does what normalisation by `statistics` would do after
    /// it.
    fn fold(&self, parameters: Parameters, statistics: &Statistics) -> (Buffer, Vec<f32>) {
        let [.., channels] = self.linear_size();
        let mut rows = ChannelRows::new(1, channels);
        rows.fill_normalization(statistics, 0, channels, parameters);
        let mut weight = Buffer::new(parameters.weight.len());
        weight.copy_from_slice(parameters.weight);
        match self.map {
            LinearMap::Convolution(_) => {
                let len = weight.len() / channels;
                for (weights, slope) in weight.chunks_exact_mut(len).zip(&rows.slope) {
                    weights.iter_mut().for_each(|weight| *weight *= slope);
                }
            }
            LinearMap::Dense(_) => {
                for weights in weight.chunks_exact_mut(channels) {
                    for (weight, slope) in weights.iter_mut().zip(&rows.slope) {
                        *weight *= slope;
                    }
                }
            }
        }
        let ChannelRows {
            mean,
            slope,
            offset,
        } = &rows;
        let bias = (0..channels).map(|channel| {
            let product = f64::from(mean[channel]) * f64::from(slope[channel]);
            (f64::from(offset[channel]) - product) as f32
        });
        (weight, bias.collect())
    }

    /// What [`normalize_groups`](Self::normalize_groups) needs; nothing for other normalisations.
    fn group_rows(&self) -> Option<ChannelRows> {
        let [_, width, channels] = self.linear_size();
        matches!(self.normalization, Normalization::Group { .. })
            .then(|| ChannelRows::new(width, channels))
    }

    /// Normalises the linear output of an image by the image's own groups.
    fn normalize_groups(
        &self,
        isa: Isa,
        parameters: Parameters,
        rows: &mut Option<ChannelRows>,
        linear: &mut [f32],
    ) {
        let Some(rows) = rows else {
            return;
        };
        let [.., channels] = self.linear_size();
        let mut moments = vec![0.0; 2 * channels];
        let (mean, squared_deviations) = moments.split_at_mut(channels);
        rows::moments(isa, linear, channels, mean, squared_deviations);
        rows.fill_normalization(&self.statistics(&moments), 0, channels, parameters);
        for row in linear.chunks_exact_mut(rows.slope.len()) {
            rows::normalize_in_place(isa, &rows.mean, &rows.slope, &rows.offset, row);
        }
    }

    /// Whether the linear map gives its output pooled, and the function follows: nothing between them
    /// needs all of it.
    fn pools_linear_output(&self) -> bool {
        let by_groups = matches!(self.normalization, Normalization::Group { .. });
        let order = self.function.pooling_order();
        self.pool && !by_groups && order == PoolingOrder::PoolThenActivate
    }

    /// The function of an image's pre-activations and its pooling, in the order that is best.
    fn activate_and_pool(
        &self,
        isa: Isa,
        parameters: Parameters,
        pre_activation: &mut [f32],
        output: &mut [f32],
    ) {
        let [_, width, channels] = self.linear_size();
        let [_, output_width, _] = self.output_size();
        let (row, output_row) = (width * channels, output_width * channels);
        let context = self.context(parameters, None, 0, 0);
        match self.function.pooling_order() {
            PoolingOrder::PoolThenActivate => {
                self.max_pool(isa, pre_activation, output);
                self.function.apply(isa, context, output);
            }
            PoolingOrder::ActivateExtremes => {
                let pairs = pre_activation.chunks_exact(2 * row);
                for (pair, output) in pairs.zip(output.chunks_exact_mut(output_row)) {
                    let rows = PoolingRows {
                        rows: pair.split_at(row).into(),
                        channels,
                        output,
                    };
                    self.function.pool(isa, context, rows);
                }
            }
            PoolingOrder::ActivateThenPool => {
                self.function.apply(isa, context, pre_activation);
                self.max_pool(isa, pre_activation, output);
            }
        }
    }

    /// The largest of each 2×2 window of an image of the linear output's size.
    fn max_pool(&self, isa: Isa, image: &[f32], output: &mut [f32]) {
        let [_, width, channels] = self.linear_size();
        let [_, output_width, _] = self.output_size();
        let row = width * channels;
        let outputs = output.chunks_exact_mut(output_width * channels);
        for (pair, output) in image.chunks_exact(2 * row).zip(outputs) {
            rows::max_pool(isa, pair.split_at(row).into(), channels, output);
        }
    }
}

/// A block with its weights made ready for inference, by [`Block::prepare`].
#[derive(Debug)]
pub struct Prepared {
    block: Block,
    isa: Isa,
    map: PackedLinearMap,
}

impl Prepared {
    /// The block.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// The output for `images` images, `input`: `[images, height, width, inputs]`. Of the
    /// `parameters`, those are looked at that belong to the function or to the normalisation of
    /// groups.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that the shapes give it, or a parameter has no place in the
    /// block.
    pub fn infer(&self, images: usize, input: &[f32], parameters: Parameters) -> Buffer {
        let block = &self.block;
        block.check(parameters);
        let (input_len, output_len) = (block.input_len(), block.output_len());
        assert_eq!(input.len(), checked_product([images, input_len]));
        let mut output = Buffer::new(checked_product([images, output_len]));
        let task = match self.map {
            PackedLinearMap::Convolution(..) => task_len(images),
            PackedLinearMap::Dense(..) => task_len(images).max(MIN_DENSE_IMAGES),
        };
        tasks::for_each(
            output
                .par_chunks_mut(task * output_len)
                .zip(input.par_chunks(task * input_len)),
            |(output, input)| self.infer_here(input, parameters, output),
        );
        output
    }

    /// [`Self::infer`] on the thread that calls it.
    fn infer_here(&self, input: &[f32], parameters: Parameters, output: &mut [f32]) {
        let Self { block, isa, map } = self;
        let isa = *isa;
        let (input_len, output_len) = (block.input_len(), block.output_len());
        let linear_len = block.linear_len();
        let mut rows = block.group_rows();
        if !block.pool {
            map.for_all_images(input, output, |_, linear| {
                block.normalize_groups(isa, parameters, &mut rows, linear);
                let context = block.context(parameters, None, 0, 0);
                block.function.apply(isa, context, linear);
            });
            return;
        }
        let images_at_once = map.images_at_once().min(input.len() / input_len).max(1);
        let mut padded = map.padded(images_at_once);
        if block.pools_linear_output() {
            let outputs = output.chunks_mut(images_at_once * output_len);
            for (inputs, outputs) in input.chunks(images_at_once * input_len).zip(outputs) {
                map.images(inputs, &mut padded, true, outputs);
                let context = block.context(parameters, None, 0, 0);
                block.function.apply(isa, context, outputs);
            }
            return;
        }
        // The same memory for all, which stays in the cache.
        let mut linear = Buffer::new(images_at_once * linear_len);
        let outputs = output.chunks_mut(images_at_once * output_len);
        for (inputs, outputs) in input.chunks(images_at_once * input_len).zip(outputs) {
            let linear = &mut linear[..inputs.len() / input_len * linear_len];
            map.images(inputs, &mut padded, false, linear);
            let linear = linear.chunks_exact_mut(linear_len);
            for (linear, output) in linear.zip(outputs.chunks_exact_mut(output_len)) {
                block.normalize_groups(isa, parameters, &mut rows, linear);
                block.activate_and_pool(isa, parameters, linear, output);
            }
        }
    }
}

/// One of several blocks, each of which reads what the one before it gives.
#[derive(Clone, Copy, Debug)]
pub struct Link<'a> {
    /// The block.
    pub prepared: &'a Prepared,
    /// Its parameters; see [`Prepared::infer`].
    pub parameters: Parameters<'a>,
}

/// What [`Prepared::infer`] gives for all `links` in turn: from `input`, `[images, height, width,
/// inputs]` of the first block, to `[images, height, width, outputs]` of the last. A few images at a
/// time go through all of them on one thread, so that what is between blocks stays in its cache.
///
/// # Panics
///
/// If there is no link, a block does not fit the one before it, or a slice has not the length that
/// the shapes give it.
pub fn infer_all(links: &[Link], images: usize, input: &[f32]) -> Buffer {
    let (Some(first), Some(last)) = (links.first(), links.last()) else {
        panic!("there is at least one block")
    };
    let (input_len, output_len) = (
        first.prepared.block.input_len(),
        last.prepared.block.output_len(),
    );
    assert_eq!(input.len(), checked_product([images, input_len]));
    for link in links {
        link.prepared.block.check(link.parameters);
    }
    for pair in links.windows(2) {
        let [before, after] = [0, 1].map(|link| &pair[link].prepared.block);
        let size = before.output_size();
        assert!(
            after.reads(size),
            "images of {size:?} are not what {:?} reads",
            after.map
        );
    }
    let longest = links
        .iter()
        .map(|link| link.prepared.block.output_len())
        .max();
    let mut output = Buffer::new(checked_product([images, output_len]));
    let task = images
        .div_ceil(rayon::current_num_threads())
        .clamp(1, MAX_IMAGES_THROUGH_ALL);
    tasks::for_each(
        output
            .par_chunks_mut(task * output_len)
            .zip(input.par_chunks(task * input_len)),
        |(output, input)| {
            let images = input.len() / input_len;
            let between_len = checked_product([images, longest.unwrap_or(0)]);
            let between = || Buffer::<f32>::new(between_len);
            let (mut before, mut after) = (between(), between());
            for (number, link) in links.iter().enumerate() {
                let block = &link.prepared.block;
                let source = match number {
                    0 => input,
                    _ => &before[..images * block.input_len()],
                };
                let target = if number + 1 == links.len() {
                    &mut *output
                } else {
                    &mut after[..images * block.output_len()]
                };
                link.prepared.infer_here(source, link.parameters, target);
                std::mem::swap(&mut before, &mut after);
            }
        },
    );
    output
}
