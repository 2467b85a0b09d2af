//! Forward in training: the map of all images, then all that follows it in one pass.

use rayon::prelude::*;

use super::normalization::{ChannelRows, Statistics};
use super::packed_linear_map::PackedLinearMap;
use super::{Block, Normalization, Parameters, task_len};
use crate::buffer::Buffer;
use crate::function::TrainingPoolingRows;
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
    /// The linear output: `[images, height, width, outputs]`.
    pub(super) linear: Buffer,
    pub(super) pooling: Option<Pooling>,
    pub(super) statistics: Statistics,
    pub(super) key: u64,
}

impl Saved {
    /// Whether its lengths are those of so many images of `block`.
    pub(super) fn is_of(&self, block: &Block, images: usize) -> bool {
        let pooled = self
            .pooling
            .as_ref()
            .map(|pooling| pooling.linear_at_argmax.len());
        let [.., channels] = block.linear_size();
        let sets = match block.normalization {
            Normalization::Group { .. } => images,
            Normalization::None | Normalization::Batch { .. } => 1,
        };
        self.linear.len() == images * block.linear_len()
            && pooled == block.pool.then(|| images * block.output_len())
            && self.statistics.mean.len() == sets * channels
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
        assert_eq!(input.len(), images * self.input_len());
        tasks::together(|| {
            let [.., channels] = self.linear_size();
            let mut linear = Buffer::new(images * self.linear_len());
            let mut moments = vec![0.0; images * 2 * channels];
            let with_moments = self.normalization != Normalization::None;
            self.linear(
                isa,
                input,
                parameters,
                &mut linear,
                |image, linear| {
                    if with_moments {
                        let (mean, squared_deviations) = image.split_at_mut(channels);
                        rows::moments(isa, linear, channels, mean, squared_deviations);
                    }
                },
                &mut moments,
            );
            let statistics = self.statistics(&moments);
            let (mean, variance) = match self.normalization {
                Normalization::Batch { .. } => {
                    (statistics.mean.clone(), statistics.variance.clone())
                }
                _ => (Vec::new(), Vec::new()),
            };
            let output_len = self.output_len();
            let mut output = Buffer::new(images * output_len);
            let mut pooling = self.pool.then(|| Pooling {
                argmax: Buffer::new(output.len()),
                linear_at_argmax: Buffer::new(output.len()),
            });
            let task = task_len(images);
            let epilogue =
                |number: usize, output: &mut [f32], pooled: Option<(&mut [u8], &mut [f32])>| {
                    let mut epilogue = Epilogue::new(self, isa, parameters, &statistics, key);
                    let mut pooled = pooled;
                    for (i, output) in output.chunks_exact_mut(output_len).enumerate() {
                        let image = number * task + i;
                        let linear = &linear[image * self.linear_len()..][..self.linear_len()];
                        let range = i * output_len..(i + 1) * output_len;
                        let pooled = pooled.as_mut().map(|(argmax, linear_at_argmax)| {
                            (&mut argmax[range.clone()], &mut linear_at_argmax[range])
                        });
                        epilogue.image(image, linear, output, pooled);
                    }
                };
            let outputs = output.par_chunks_mut(task * output_len).enumerate();
            match &mut pooling {
                Some(Pooling {
                    argmax,
                    linear_at_argmax,
                }) => tasks::for_each(
                    outputs
                        .zip(argmax.par_chunks_mut(task * output_len))
                        .zip(linear_at_argmax.par_chunks_mut(task * output_len)),
                    |(((number, output), argmax), linear_at_argmax)| {
                        epilogue(number, output, Some((argmax, linear_at_argmax)));
                    },
                ),
                None => tasks::for_each(outputs, |(number, output)| epilogue(number, output, None)),
            }
            Output {
                output,
                mean,
                variance,
                saved: Saved {
                    linear,
                    pooling,
                    statistics,
                    key,
                },
            }
        })
    }

    /// Computes the map for all images, and calls `then` with a chunk of `results` and the map's
    /// output for each image.
    fn linear(
        &self,
        isa: Isa,
        input: &[f32],
        parameters: Parameters,
        linear: &mut [f32],
        then: impl Fn(&mut [f32], &[f32]) + Sync,
        results: &mut [f32],
    ) {
        let images = linear.len() / self.linear_len();
        let result_len = results.len() / images;
        let task = task_len(images);
        let map = PackedLinearMap::new(isa, &self.map, parameters);
        tasks::for_each(
            linear
                .par_chunks_mut(task * self.linear_len())
                .zip(input.par_chunks(task * self.input_len()))
                .zip(results.par_chunks_mut(task * result_len)),
            |((linear, input), results)| {
                map.for_all_images(input, linear, |image, linear| {
                    then(&mut results[image * result_len..][..result_len], linear);
                });
            },
        );
    }
}

/// From the map's output to the block's, in training.
struct Epilogue<'a> {
    block: &'a Block,
    isa: Isa,
    parameters: Parameters<'a>,
    statistics: &'a Statistics,
    key: u64,
    rows: ChannelRows,
    /// Two rows of what the function gives.
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

    /// The output of image number `image` of the batch; `pooled` is where to note which corners
    /// pooling chose, and what the map gave there.
    fn image(
        &mut self,
        image: usize,
        linear: &[f32],
        output: &mut [f32],
        pooled: Option<(&mut [u8], &mut [f32])>,
    ) {
        let (block, isa) = (self.block, self.isa);
        let [_, width, channels] = block.linear_size();
        let [_, output_width, _] = block.output_size();
        let (row, output_row) = (width * channels, output_width * channels);
        let first = (image * output.len()) as u64;
        if self.statistics.per_image(channels) {
            self.rows
                .fill_normalization(self.statistics, image, channels, self.parameters);
        }
        if let Some((argmax, linear_at_argmax)) = pooled {
            let pairs = linear
                .chunks_exact(2 * row)
                .zip(output.chunks_exact_mut(output_row));
            let notes = argmax
                .chunks_exact_mut(output_row)
                .zip(linear_at_argmax.chunks_exact_mut(output_row));
            for (number, ((linear, output), (argmax, linear_at_argmax))) in
                pairs.zip(notes).enumerate()
            {
                if block.function.is_nondecreasing() {
                    let linear = linear.split_at(row).into();
                    let normalization = self.rows.normalization();
                    rows::normalize_and_max_pool(
                        isa,
                        linear,
                        normalization,
                        channels,
                        output,
                        linear_at_argmax,
                        argmax,
                    );
                    let context = block.context(self.parameters, None, 0, 0);
                    block.function.apply(isa, context, output);
                    continue;
                }
                if block.function.is_quasiconvex() {
                    let row = TrainingPoolingRows {
                        linear: linear.split_at(row).into(),
                        normalization: self.rows.normalization(),
                        channels,
                        output,
                        linear_at_argmax,
                        argmax,
                    };
                    let context = block.context(self.parameters, None, 0, 0);
                    block.function.pool(isa, context, row);
                    continue;
                }
                for (i, (values, linear)) in self
                    .values
                    .chunks_exact_mut(row)
                    .zip(linear.chunks_exact(row))
                    .enumerate()
                {
                    self.rows.apply(isa, linear, values);
                    let start = (2 * number + i) * row;
                    let context = block.context(self.parameters, Some(self.key), image, start);
                    block.function.apply(isa, context, values);
                }
                let values = self.values.split_at(row).into();
                let linear = linear.split_at(row).into();
                rows::max_pool_with_argmax(
                    isa,
                    values,
                    linear,
                    channels,
                    output,
                    linear_at_argmax,
                    argmax,
                );
            }
        } else {
            for (number, (linear, output)) in linear
                .chunks_exact(row)
                .zip(output.chunks_exact_mut(row))
                .enumerate()
            {
                self.rows.apply(isa, linear, output);
                let context = block.context(self.parameters, Some(self.key), image, number * row);
                block.function.apply(isa, context, output);
            }
        }
        if block.dropout > 0.0 {
            random::dropout(isa, self.key, first, block.dropout, output);
        }
    }
}
