//! Forward in training: the linear map of all images, then all that follows it in one pass, the
//! epilogue.

use rayon::prelude::*;

use super::normalization::{ChannelRows, Statistics};
use super::packed_linear_map::PackedLinearMap;
use super::{Block, Normalization, Parameters, task_len};
use crate::buffer::Buffer;
use crate::function::{Context, PoolingOrder, TrainingPoolingRows};
use crate::lengths::checked_product;
use crate::simd::Isa;
use crate::{random, rows, tasks};

/// What comes out of a block in training.
#[derive(Debug)]
pub struct Output {
    /// `[images, height, width, outputs]`.
    pub output: Buffer,
    /// Mean of each channel over the batch; empty unless the normalisation is [`Normalization::Batch`].
    pub mean: Vec<f32>,
    /// Variance of each channel over the batch, divided by the number of values; empty unless the
    /// normalisation is [`Normalization::Batch`].
    pub variance: Vec<f32>,
    /// What [`Block::backward`] needs.
    pub saved: Saved,
}

/// What [`Block::backward`] needs of the forward pass.
#[derive(Debug)]
pub struct Saved {
    /// What it came of.
    block: Block,
    images: usize,
    /// The linear output: `[images, height, width, outputs]`.
    pub(super) linear: Buffer,
    pub(super) pooling: Option<Pooling>,
    pub(super) statistics: Statistics,
    pub(super) key: u64,
}

impl Saved {
    /// Whether it came of `block` and of so many images.
    pub(super) fn is_of(&self, block: &Block, images: usize) -> bool {
        self.block == *block && self.images == images
    }
}

/// Where the outputs of pooling came from.
#[derive(Debug)]
pub(super) struct Pooling {
    /// Which corner of each window was the largest.
    pub(super) argmax: Buffer<u8>,
    /// The linear output there: `[images, height, width, outputs]`, the size of the block's output.
    pub(super) linear_at_argmax: Buffer,
}

impl Block {
    /// The output for `images` images, `input`: `[images, height, width, inputs]`, in training:
    /// with the batch's own statistics, and with dropout and random functions drawn from `key`.
    ///
    /// # Panics
    ///
    /// If there is no image, the block makes no sense, a parameter has no place in it (a bias beside
    /// a normalisation, a scale or shift without one), or a slice has not the length that the shapes
    /// give it.
    pub fn train(
        &self,
        isa: Isa,
        images: usize,
        input: &[f32],
        parameters: Parameters,
        key: u64,
    ) -> Output {
        assert!(images > 0, "there is no image to train on");
        self.check(parameters);
        assert_eq!(input.len(), checked_product([images, self.input_len()]));
        tasks::together(|| {
            let (linear, moments) = self.linear_and_moments(isa, images, input, parameters);
            let statistics = self.statistics(&moments);
            let (output, pooling) = self.epilogue(isa, &linear, parameters, &statistics, key);
            let (mean, variance) = match self.normalization {
                Normalization::Batch { .. } => {
                    (statistics.mean.clone(), statistics.variance.clone())
                }
                _ => (Vec::new(), Vec::new()),
            };
            Output {
                output,
                mean,
                variance,
                saved: Saved {
                    block: *self,
                    images,
                    linear,
                    pooling,
                    statistics,
                    key,
                },
            }
        })
    }

    /// The linear output of all images, and mean and sum of squared deviations of each image's
    /// channels, `[images, 2, channels]`; zeros without a normalisation.
    fn linear_and_moments(
        &self,
        isa: Isa,
        images: usize,
        input: &[f32],
        parameters: Parameters,
    ) -> (Buffer, Vec<f32>) {
        let [.., channels] = self.linear_size();
        let (linear_len, moments_len) = (self.linear_len(), 2 * channels);
        let mut linear = Buffer::new(checked_product([images, linear_len]));
        let mut moments = vec![0.0; images * moments_len];
        let task = task_len(images);
        let map = PackedLinearMap::new(isa, &self.map, parameters);
        tasks::for_each(
            linear
                .par_chunks_mut(task * linear_len)
                .zip(input.par_chunks(task * self.input_len()))
                .zip(moments.par_chunks_mut(task * moments_len)),
            |((linear, input), moments)| {
                map.for_all_images(input, linear, |image, linear| {
                    if self.normalization != Normalization::None {
                        let moments = &mut moments[image * moments_len..][..moments_len];
                        let (mean, squared_deviations) = moments.split_at_mut(channels);
                        rows::moments(isa, linear, channels, mean, squared_deviations);
                    }
                });
            },
        );
        (linear, moments)
    }

    /// All that follows the linear map, of all images: the output, and where pooling took it from.
    fn epilogue(
        &self,
        isa: Isa,
        linear: &[f32],
        parameters: Parameters,
        statistics: &Statistics,
        key: u64,
    ) -> (Buffer, Option<Pooling>) {
        let (linear_len, output_len) = (self.linear_len(), self.output_len());
        let images = linear.len() / linear_len;
        let task = task_len(images);
        let mut output = Buffer::new(images * output_len);
        let tasks = linear
            .par_chunks(task * linear_len)
            .zip(output.par_chunks_mut(task * output_len));
        if !self.pool {
            tasks::for_each(tasks.enumerate(), |(number, (linear, output))| {
                let mut epilogue = Epilogue::new(self, isa, parameters, statistics, key);
                let linear = linear.chunks_exact(linear_len);
                let images = linear.zip(output.chunks_exact_mut(output_len));
                for (i, (linear, output)) in images.enumerate() {
                    epilogue.unpooled_image(number * task + i, linear, output);
                }
            });
            return (output, None);
        }
        let mut argmax = Buffer::new(images * output_len);
        let mut linear_at_argmax = Buffer::new(images * output_len);
        let sources = argmax
            .par_chunks_mut(task * output_len)
            .zip(linear_at_argmax.par_chunks_mut(task * output_len));
        tasks::for_each(
            tasks.zip(sources).enumerate(),
            |(number, ((linear, output), (argmax, linear_at_argmax)))| {
                let mut epilogue = Epilogue::new(self, isa, parameters, statistics, key);
                let mut pooled = Pooled {
                    output,
                    linear_at_argmax,
                    argmax,
                };
                let linear = linear.chunks_exact(linear_len);
                for (i, (linear, pooled)) in linear.zip(pooled.chunks(output_len)).enumerate() {
                    epilogue.pooled_image(number * task + i, linear, pooled);
                }
            },
        );
        let pooling = Pooling {
            argmax,
            linear_at_argmax,
        };
        (output, Some(pooling))
    }
}

/// What comes of pooling, of some images or of a row.
struct Pooled<'a> {
    output: &'a mut [f32],
    linear_at_argmax: &'a mut [f32],
    argmax: &'a mut [u8],
}

impl Pooled<'_> {
    /// Parts of `len` numbers of the output.
    fn chunks(&mut self, len: usize) -> impl Iterator<Item = Pooled<'_>> {
        self.output
            .chunks_exact_mut(len)
            .zip(self.linear_at_argmax.chunks_exact_mut(len))
            .zip(self.argmax.chunks_exact_mut(len))
            .map(|((output, linear_at_argmax), argmax)| Pooled {
                output,
                linear_at_argmax,
                argmax,
            })
    }
}

/// From the linear output to the block's, in training, image by image.
struct Epilogue<'a> {
    block: &'a Block,
    isa: Isa,
    parameters: Parameters<'a>,
    statistics: &'a Statistics,
    key: u64,
    rows: ChannelRows,
    /// Two rows of the function's values.
    values: Buffer,
}

impl<'a> Epilogue<'a> {
    fn new(
        block: &'a Block,
        isa: Isa,
        parameters: Parameters<'a>,
        statistics: &'a Statistics,
        key: u64,
    ) -> Self {
        let [_, width, channels] = block.linear_size();
        let mut rows = ChannelRows::new(width, channels);
        rows.fill_normalization(statistics, 0, channels, parameters);
        Self {
            block,
            isa,
            parameters,
            statistics,
            key,
            rows,
            values: Buffer::new(2 * width * channels),
        }
    }

    /// The output of image number `image` of the batch, without pooling.
    fn unpooled_image(&mut self, image: usize, linear: &[f32], output: &mut [f32]) {
        let [_, width, channels] = self.block.linear_size();
        let row = width * channels;
        self.begin_image(image);
        let output_start = image * output.len();
        let rows = linear.chunks_exact(row).zip(output.chunks_exact_mut(row));
        for (number, (linear, output)) in rows.enumerate() {
            let start = number * row;
            let context = self.context(image, start);
            let function = self.block.function;
            function.forward_row(self.isa, context, self.rows.normalized(linear, output));
            self.drop_out(output_start + start, output);
        }
    }

    /// The output of image number `image` of the batch, with pooling.
    fn pooled_image(&mut self, image: usize, linear: &[f32], mut pooled: Pooled) {
        let [_, width, channels] = self.block.linear_size();
        let [_, output_width, _] = self.block.output_size();
        let output_row = output_width * channels;
        let order = self.block.function.pooling_order();
        self.begin_image(image);
        let output_start = image * pooled.output.len();
        let pairs = linear.chunks_exact(2 * width * channels);
        let rows = pairs.zip(pooled.chunks(output_row));
        for (number, (linear, mut pooled)) in rows.enumerate() {
            match order {
                PoolingOrder::PoolThenActivate => self.pool_then_activate(linear, &mut pooled),
                PoolingOrder::ActivateExtremes => self.activate_extremes(linear, &mut pooled),
                PoolingOrder::ActivateThenPool => {
                    self.activate_then_pool(image, number, linear, &mut pooled);
                }
            }
            self.drop_out(output_start + number * output_row, pooled.output);
        }
    }

    /// Makes the rows those of image number `image`.
    fn begin_image(&mut self, image: usize) {
        let [.., channels] = self.block.linear_size();
        if self.statistics.per_image(channels) {
            self.rows
                .fill_normalization(self.statistics, image, channels, self.parameters);
        }
    }

    /// What the function needs for the numbers that begin at `start` in image number `image` of the
    /// linear output.
    fn context(&self, image: usize, start: usize) -> Context {
        self.block
            .context(self.parameters, Some(self.key), image, start)
    }

    /// Two rows of the linear output to a row of the output, for a function that does not decrease.
    fn pool_then_activate(&self, linear: &[f32], pooled: &mut Pooled) {
        let [.., channels] = self.block.linear_size();
        rows::normalize_and_max_pool(
            self.isa,
            linear.split_at(linear.len() / 2).into(),
            self.rows.normalization(),
            channels,
            pooled.output,
            pooled.linear_at_argmax,
            pooled.argmax,
        );
        let context = self.block.context(self.parameters, None, 0, 0);
        self.block.function.apply(self.isa, context, pooled.output);
    }

    /// Two rows of the linear output to a row of the output, for a quasiconvex function.
    fn activate_extremes(&self, linear: &[f32], pooled: &mut Pooled) {
        let [.., channels] = self.block.linear_size();
        let rows = TrainingPoolingRows {
            linear: linear.split_at(linear.len() / 2).into(),
            normalization: self.rows.normalization(),
            channels,
            output: &mut *pooled.output,
            linear_at_argmax: &mut *pooled.linear_at_argmax,
            argmax: &mut *pooled.argmax,
        };
        let context = self.block.context(self.parameters, None, 0, 0);
        self.block.function.pool(self.isa, context, rows);
    }

    /// Two rows of the linear output to row number `number` of the output of image number `image`.
    fn activate_then_pool(
        &mut self,
        image: usize,
        number: usize,
        linear: &[f32],
        pooled: &mut Pooled,
    ) {
        let [_, width, channels] = self.block.linear_size();
        let row = width * channels;
        let function = self.block.function;
        for (i, linear) in linear.chunks_exact(row).enumerate() {
            let context = self.context(image, (2 * number + i) * row);
            let values = &mut self.values[i * row..][..row];
            function.forward_row(self.isa, context, self.rows.normalized(linear, values));
        }
        rows::max_pool_with_argmax(
            self.isa,
            self.values.split_at(row).into(),
            linear.split_at(row).into(),
            channels,
            pooled.output,
            pooled.linear_at_argmax,
            pooled.argmax,
        );
    }

    /// Dropout of outputs, of which the first is number `first` of the batch.
    fn drop_out(&self, first: usize, output: &mut [f32]) {
        if self.block.dropout > 0.0 {
            random::dropout(self.isa, self.key, first as u64, self.block.dropout, output);
        }
    }
}
