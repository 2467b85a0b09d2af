//! A layer of a network in two passes over memory: linear map, normalisation, activation function,
//! pooling and dropout.
//!
//! Images are channels-last. Work is cut into tasks of whole images, the same for any number of
//! threads, and sums over tasks are taken in order: results do not depend on the number of
//! threads.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::convolution::{self, Convolution, WeightGradient};
use crate::dense::{self, Dense};
use crate::function::{Context, Draws, Function, RowGradient};
use crate::random;
use crate::rows;
use crate::simd::Isa;
use crate::tasks;

/// Linear map → normalisation → activation function → 2×2 max pooling → dropout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block {
    /// What is computed from the input.
    pub map: Map,
    /// What stands between the map and the function.
    pub normalization: Normalization,
    /// The activation function.
    pub function: Function,
    /// Whether the largest of each 2×2 window is taken, which halves height and width, rounded
    /// down.
    pub pool: bool,
    /// Share of the outputs dropped in training, in 0..1.
    pub dropout: f32,
}

/// A linear map with learnable weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// A convolution.
    Convolution(Convolution),
    /// A dense layer, whose output is an image of one pixel.
    Dense(Dense),
}

/// A normalisation of the map's output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Normalization {
    /// None.
    None,
    /// Each channel by its mean and variance over the batch, or by given ones at inference.
    Batch {
        /// Added to variances.
        epsilon: f32,
    },
    /// Groups of neighbouring channels by their mean and variance in each image.
    Group {
        /// Number of groups, which divides the number of channels.
        groups: usize,
        /// Added to variances.
        epsilon: f32,
    },
}

/// What a block has learned.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// Of a convolution `[outputs, inputs, kernel rows, kernel columns]`; of a dense layer
    /// `[channels · pixels, outputs]`.
    pub weight: &'a [f32],
    /// `[outputs]`; only without normalisation, which would take it away again.
    pub bias: Option<&'a [f32]>,
    /// The normalisation's scale γ, `[outputs]`; ones if absent.
    pub scale: Option<&'a [f32]>,
    /// The normalisation's shift β, `[outputs]`; zeros if absent.
    pub shift: Option<&'a [f32]>,
    /// The function's parameter, if it has one.
    pub function: f32,
}

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
    /// What the map gave: `[images, height, width, outputs]`.
    linear: Buffer,
    pooling: Option<Pooling>,
    statistics: Statistics,
    key: u64,
}

/// Where the outputs of pooling came from.
#[derive(Debug)]
struct Pooling {
    /// Which corner of each window was the largest.
    which: Buffer<u8>,
    /// What the map gave there: `[images, height, width, outputs]`, the size of the block's output.
    linear: Buffer,
}

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

/// Images that go through all blocks together at most: enough that weights are read for several, and
/// few enough for the second-level cache, and that threads get equal shares of a batch.
const IMAGES_THROUGH_ALL: usize = 8;

/// Into how many tasks a batch is cut, at most. Each has a weight gradient of its own.
const TASKS: usize = 16;

/// Images of a dense layer's task at inference, at least: every task reads all weights, and a few
/// images have no use for all sums of a register tile.
const FEWEST_DENSE: usize = 16;

/// Tells the draws of a randomised function from those of dropout.
const FUNCTION_DRAWS: u64 = 0x6a09_e667_f3bc_c908;

/// Means and reciprocal standard deviations of channels, in one set for all images or in one for
/// each.
#[derive(Debug)]
struct Statistics {
    /// `[sets, channels]`.
    mean: Vec<f32>,
    /// `[channels]`; only of a batch.
    variance: Vec<f32>,
    /// `[sets, channels]`.
    reciprocal_deviation: Vec<f32>,
    /// How many values each of them was taken of.
    count: f64,
}

/// The linear function `slope · (y − mean) + offset` of each channel, its numbers repeated for all
/// columns of a row.
struct ChannelRows {
    mean: Vec<f32>,
    slope: Vec<f32>,
    offset: Vec<f32>,
}

impl Block {
    /// Height, width and channels of the output.
    pub fn output_size(&self) -> [usize; 3] {
        let [height, width, channels] = self.linear_size();
        let shrink = if self.pool { 2 } else { 1 };
        [height / shrink, width / shrink, channels]
    }

    /// Height, width and channels of what the map gives.
    fn linear_size(&self) -> [usize; 3] {
        match self.map {
            Map::Convolution(convolution) => {
                let [height, width] = convolution.output_size();
                [height, width, convolution.outputs]
            }
            Map::Dense(dense) => [1, 1, dense.outputs],
        }
    }

    fn linear_len(&self) -> usize {
        self.linear_size().iter().product()
    }

    fn output_len(&self) -> usize {
        self.output_size().iter().product()
    }

    fn input_len(&self) -> usize {
        match self.map {
            Map::Convolution(convolution) => convolution.input_len(),
            Map::Dense(dense) => dense.inputs(),
        }
    }

    /// The output for `images` images, `input`: `[images, height, width, inputs]`, in training:
    /// with the batch's own statistics, and with dropout and random functions drawn from `key`.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that the shapes give it.
    pub fn train(
        &self,
        isa: Isa,
        images: usize,
        input: &[f32],
        parameters: Parameters,
        key: u64,
    ) -> Output {
        assert_eq!(input.len(), images * self.input_len());
        self.check(parameters);
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
                        let (mean, deviations) = image.split_at_mut(channels);
                        rows::moments(isa, linear, channels, mean, deviations);
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
                which: Buffer::new(output.len()),
                linear: Buffer::new(output.len()),
            });
            let task = task_len(images);
            let finish =
                |number: usize, output: &mut [f32], pooled: Option<(&mut [u8], &mut [f32])>| {
                    let mut finish = Finish::new(self, isa, parameters, &statistics, key);
                    let mut pooled = pooled;
                    for (i, output) in output.chunks_exact_mut(output_len).enumerate() {
                        let image = number * task + i;
                        let linear = &linear[image * self.linear_len()..][..self.linear_len()];
                        let range = i * output_len..(i + 1) * output_len;
                        let pooled = pooled
                            .as_mut()
                            .map(|(which, linear)| (&mut which[range.clone()], &mut linear[range]));
                        finish.image(image, linear, output, pooled);
                    }
                };
            let outputs = output.par_chunks_mut(task * output_len).enumerate();
            match &mut pooling {
                Some(Pooling { which, linear }) => tasks::for_each(
                    outputs
                        .zip(which.par_chunks_mut(task * output_len))
                        .zip(linear.par_chunks_mut(task * output_len)),
                    |(((number, output), which), linear)| {
                        finish(number, output, Some((which, linear)));
                    },
                ),
                None => tasks::for_each(outputs, |(number, output)| finish(number, output, None)),
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

    /// The block with its weights made ready for inference: without dropout, with the mean slope of
    /// random functions, and for [`Normalization::Batch`] with `running`, the mean and variance of
    /// each channel.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that the shapes give it, or `running` is missing.
    pub fn prepare(
        &self,
        isa: Isa,
        parameters: Parameters,
        running: Option<(&[f32], &[f32])>,
    ) -> Prepared {
        self.check(parameters);
        let map = match (self.normalization, running) {
            (Normalization::Batch { epsilon }, Some((mean, variance))) => {
                let statistics = Statistics::running(mean, variance, epsilon);
                let (weight, bias) = self.fold(parameters, &statistics);
                let folded = Parameters {
                    weight: &weight,
                    bias: Some(&bias),
                    ..parameters
                };
                PackedMap::new(isa, &self.map, folded)
            }
            (Normalization::Batch { .. }, None) => panic!("batch normalisation has no statistics"),
            _ => PackedMap::new(isa, &self.map, parameters),
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
            Map::Convolution(_) => {
                let len = weight.len() / channels;
                for (weights, slope) in weight.chunks_exact_mut(len).zip(&rows.slope) {
                    weights.iter_mut().for_each(|weight| *weight *= slope);
                }
            }
            Map::Dense(_) => {
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

    /// Normalises what the map gave for an image by the image's own groups.
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
        let (mean, deviations) = moments.split_at_mut(channels);
        rows::moments(isa, linear, channels, mean, deviations);
        rows.fill_normalization(&self.statistics(&moments), 0, channels, parameters);
        for row in linear.chunks_exact_mut(rows.slope.len()) {
            rows::centred_in_place(isa, &rows.mean, &rows.slope, &rows.offset, row);
        }
    }

    /// Whether pooling may come before everything that follows the map: a function that does not
    /// decrease keeps the largest.
    fn pools_first(&self) -> bool {
        let by_groups = matches!(self.normalization, Normalization::Group { .. });
        self.pool && !by_groups && self.function.is_nondecreasing()
    }

    /// The function of an image and then its pooling, or the other way round where it comes to the
    /// same.
    fn apply_and_pool(
        &self,
        isa: Isa,
        parameters: Parameters,
        linear: &mut [f32],
        output: &mut [f32],
    ) {
        let [_, width, channels] = self.linear_size();
        let [_, output_width, _] = self.output_size();
        let (row, output_row) = (width * channels, output_width * channels);
        let context = self.context(parameters, None, 0, 0);
        let pool_first = self.function.is_nondecreasing();
        if !pool_first {
            self.function.apply(isa, context, linear);
        }
        let pairs = linear.chunks_exact(2 * row);
        for (pair, output) in pairs.zip(output.chunks_exact_mut(output_row)) {
            rows::pool(isa, pair.split_at(row).into(), channels, output);
        }
        if pool_first {
            self.function.apply(isa, context, output);
        }
    }

    /// The gradients for that of the output, `gradient`: `[images, height, width, outputs]`. The
    /// other arguments are those of [`Block::train`], and `saved` what came of it.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that the shapes give it.
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
        assert_eq!(input.len(), images * self.input_len());
        assert_eq!(gradient.len(), images * self.output_len());
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
                    let mut unfinish = Unfinish::new(self, isa, parameters, saved);
                    let sums = sums.chunks_exact_mut(2 * channels + 1);
                    for (i, (inner, sums)) in inner
                        .chunks_exact_mut(self.output_len())
                        .zip(sums)
                        .enumerate()
                    {
                        let image = number * task + i;
                        let gradient = &gradient[image * self.output_len()..][..self.output_len()];
                        unfinish.image(image, gradient, inner, sums);
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

    /// Whether the function draws, in training.
    fn is_random(&self) -> bool {
        matches!(self.function, Function::Rrelu { .. })
    }

    fn check(&self, parameters: Parameters) {
        let [.., channels] = self.linear_size();
        for numbers in [parameters.bias, parameters.scale, parameters.shift] {
            assert!(numbers.is_none_or(|numbers| numbers.len() == channels));
        }
        assert!(parameters.bias.is_none() || self.normalization == Normalization::None);
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
        let map = PackedMap::new(isa, &self.map, parameters);
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

    /// From mean and squared deviations of each image's channels, `[images, 2, channels]`, to what
    /// they are normalised by.
    fn statistics(&self, moments: &[f32]) -> Statistics {
        let [height, width, channels] = self.linear_size();
        let pixels = (height * width) as f64;
        match self.normalization {
            Normalization::None => Statistics::identity(channels),
            Normalization::Batch { epsilon } => {
                Statistics::of_batch(moments, channels, pixels, epsilon)
            }
            Normalization::Group { groups, epsilon } => {
                Statistics::of_groups(moments, channels, pixels, groups, epsilon)
            }
        }
    }
}

/// A block with its weights made ready for inference, by [`Block::prepare`].
#[derive(Debug)]
pub struct Prepared {
    block: Block,
    isa: Isa,
    map: PackedMap,
}

impl Prepared {
    /// The output for `images` images, `input`: `[images, height, width, inputs]`. Of the
    /// `parameters`, those are looked at that belong to the function or to the normalisation of
    /// groups.
    ///
    /// # Panics
    ///
    /// If a slice has not the length that the shapes give it.
    pub fn infer(&self, images: usize, input: &[f32], parameters: Parameters) -> Buffer {
        let block = &self.block;
        let (input_len, output_len) = (block.input_len(), block.output_len());
        assert_eq!(input.len(), images * input_len);
        block.check(parameters);
        let mut output = Buffer::new(images * output_len);
        let task = match self.map {
            PackedMap::Convolution(..) => task_len(images),
            PackedMap::Dense(..) => task_len(images).max(FEWEST_DENSE),
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
        let group = map.group().min(input.len() / input_len).max(1);
        let mut padded = map.padded(group);
        if block.pools_first() {
            let outputs = output.chunks_mut(group * output_len);
            for (inputs, outputs) in input.chunks(group * input_len).zip(outputs) {
                map.images(inputs, &mut padded, true, outputs);
                let context = block.context(parameters, None, 0, 0);
                block.function.apply(isa, context, outputs);
            }
            return;
        }
        // The same memory for all, which stays in the cache.
        let mut linear = Buffer::new(group * linear_len);
        let outputs = output.chunks_mut(group * output_len);
        for (inputs, outputs) in input.chunks(group * input_len).zip(outputs) {
            let linear = &mut linear[..inputs.len() / input_len * linear_len];
            map.images(inputs, &mut padded, false, linear);
            let linear = linear.chunks_exact_mut(linear_len);
            for (linear, output) in linear.zip(outputs.chunks_exact_mut(output_len)) {
                block.normalize_groups(isa, parameters, &mut rows, linear);
                block.apply_and_pool(isa, parameters, linear, output);
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
    assert_eq!(input.len(), images * input_len);
    for link in links {
        link.prepared.block.check(link.parameters);
    }
    for pair in links.windows(2) {
        assert_eq!(
            pair[0].prepared.block.output_len(),
            pair[1].prepared.block.input_len()
        );
    }
    let longest = links
        .iter()
        .map(|link| link.prepared.block.output_len())
        .max();
    let mut output = Buffer::new(images * output_len);
    let task = images
        .div_ceil(rayon::current_num_threads())
        .clamp(1, IMAGES_THROUGH_ALL);
    tasks::for_each(
        output
            .par_chunks_mut(task * output_len)
            .zip(input.par_chunks(task * input_len)),
        |(output, input)| {
            let images = input.len() / input_len;
            let between = || Buffer::<f32>::new(images * longest.unwrap_or(0));
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

/// Images in a task.
fn task_len(images: usize) -> usize {
    images.div_ceil(TASKS).max(1)
}

impl Statistics {
    /// Normalisation by these changes nothing.
    fn identity(channels: usize) -> Self {
        Self {
            mean: vec![0.0; channels],
            variance: Vec::new(),
            reciprocal_deviation: vec![1.0; channels],
            count: 1.0,
        }
    }

    fn running(mean: &[f32], variance: &[f32], epsilon: f32) -> Self {
        Self {
            mean: mean.to_vec(),
            variance: Vec::new(),
            reciprocal_deviation: variance
                .iter()
                .map(|&variance| reciprocal_deviation(variance.into(), epsilon))
                .collect(),
            count: 1.0,
        }
    }

    /// Merges the images' moments pairwise, as Chan, Golub and LeVeque do (1979): nothing cancels.
    fn of_batch(moments: &[f32], channels: usize, pixels: f64, epsilon: f32) -> Self {
        let images = moments.len() / (2 * channels);
        let mut mean = vec![0.0f64; channels];
        let mut deviations = vec![0.0f64; channels];
        for image in moments.chunks_exact(2 * channels) {
            for (total, &mean) in mean.iter_mut().zip(image) {
                *total += f64::from(mean);
            }
        }
        for total in &mut mean {
            *total /= images as f64;
        }
        for image in moments.chunks_exact(2 * channels) {
            let (means, within) = image.split_at(channels);
            for (((total, &mean), &image_mean), &within) in
                deviations.iter_mut().zip(&mean).zip(means).zip(within)
            {
                let between = f64::from(image_mean) - mean;
                *total += f64::from(within) + pixels * between * between;
            }
        }
        let count = pixels * images as f64;
        let variance = deviations.iter().map(|&deviations| deviations / count);
        Self {
            mean: mean.iter().map(|&mean| mean as f32).collect(),
            variance: variance.clone().map(|variance| variance as f32).collect(),
            reciprocal_deviation: variance
                .map(|variance| reciprocal_deviation(variance, epsilon))
                .collect(),
            count,
        }
    }

    fn of_groups(
        moments: &[f32],
        channels: usize,
        pixels: f64,
        groups: usize,
        epsilon: f32,
    ) -> Self {
        let size = channels / groups;
        let mut mean = Vec::with_capacity(moments.len() / 2);
        let mut reciprocal = Vec::with_capacity(moments.len() / 2);
        for image in moments.chunks_exact(2 * channels) {
            let (means, within) = image.split_at(channels);
            for (means, within) in means.chunks_exact(size).zip(within.chunks_exact(size)) {
                let total: f64 = means.iter().map(|&mean| f64::from(mean)).sum();
                let group_mean = total / size as f64;
                let deviations: f64 = means
                    .iter()
                    .zip(within)
                    .map(|(&mean, &within)| {
                        let between = f64::from(mean) - group_mean;
                        f64::from(within) + pixels * between * between
                    })
                    .sum();
                let variance = deviations / (pixels * size as f64);
                mean.extend(std::iter::repeat_n(group_mean as f32, size));
                let deviation = reciprocal_deviation(variance, epsilon);
                reciprocal.extend(std::iter::repeat_n(deviation, size));
            }
        }
        Self {
            mean,
            variance: Vec::new(),
            reciprocal_deviation: reciprocal,
            count: pixels * size as f64,
        }
    }

    /// The set of means and reciprocal deviations of an image.
    fn of_image(&self, image: usize, channels: usize) -> (&[f32], &[f32]) {
        let sets = self.mean.len() / channels;
        let start = if sets == 1 { 0 } else { image * channels };
        (
            &self.mean[start..start + channels],
            &self.reciprocal_deviation[start..start + channels],
        )
    }

    fn per_image(&self, channels: usize) -> bool {
        self.mean.len() > channels
    }
}

fn reciprocal_deviation(variance: f64, epsilon: f32) -> f32 {
    (1.0 / (variance + f64::from(epsilon)).sqrt()) as f32
}

/// A map with its weights packed.
#[derive(Debug)]
enum PackedMap {
    Convolution(Convolution, convolution::ForwardPanel),
    Dense(Dense, dense::ForwardPanel),
}

impl PackedMap {
    fn new(isa: Isa, map: &Map, parameters: Parameters) -> Self {
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
    fn group(&self) -> usize {
        match self {
            Self::Convolution(_, panel) => panel.group(),
            Self::Dense(..) => 1,
        }
    }

    /// Memory for `images` images with their borders.
    fn padded(&self, images: usize) -> Buffer {
        match self {
            Self::Convolution(convolution, _) if convolution.has_border() => {
                Buffer::zeros(images * convolution.padded_len())
            }
            _ => Buffer::new(0),
        }
    }

    /// Computes the map of no more images than a group has, with `pool` the largest of each 2×2
    /// window. `padded`: from [`Self::padded`].
    fn images(&self, input: &[f32], padded: &mut [f32], pool: bool, output: &mut [f32]) {
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
    fn for_all_images(
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

impl ChannelRows {
    fn new(columns: usize, channels: usize) -> Self {
        let row = || vec![0.0; columns * channels];
        Self {
            mean: row(),
            slope: row(),
            offset: row(),
        }
    }

    /// The function of a row.
    fn apply(&self, isa: Isa, y: &[f32], out: &mut [f32]) {
        rows::centred(isa, y, &self.mean, &self.slope, &self.offset, out);
    }

    /// The function of a row, and scale · g.
    fn apply_and_add(&self, isa: Isa, y: &[f32], g: &[f32], scale: &[f32], out: &mut [f32]) {
        rows::centred_and_scaled(isa, y, self.normalization(), g, scale, out);
    }

    fn normalization(&self) -> [&[f32]; 3] {
        [&self.mean, &self.slope, &self.offset]
    }

    /// `numbers`: mean, slope and offset of each channel.
    fn fill(&mut self, channels: usize, numbers: impl Fn(usize) -> [f32; 3]) {
        for channel in 0..channels {
            let [mean, slope, offset] = numbers(channel);
            self.mean[channel] = mean;
            self.slope[channel] = slope;
            self.offset[channel] = offset;
        }
        for row in [&mut self.mean, &mut self.slope, &mut self.offset] {
            let (first, rest) = row.split_at_mut(channels);
            for column in rest.chunks_exact_mut(channels) {
                column.copy_from_slice(first);
            }
        }
    }

    /// Normalisation with learned scale and shift: `slope · (y − mean) + offset`. The mean comes off
    /// first, so that no digits are lost where it is large beside the deviation.
    fn fill_normalization(
        &mut self,
        statistics: &Statistics,
        image: usize,
        channels: usize,
        parameters: Parameters,
    ) {
        let (mean, reciprocal) = statistics.of_image(image, channels);
        self.fill(channels, |channel| {
            let slope = parameters.scale.map_or(1.0, |scale| scale[channel]) * reciprocal[channel];
            let shift = parameters.shift.map_or(0.0, |shift| shift[channel]);
            [mean[channel], slope, shift]
        });
    }
}

/// From the map's output to the block's, in training.
struct Finish<'a> {
    block: &'a Block,
    isa: Isa,
    parameters: Parameters<'a>,
    statistics: &'a Statistics,
    key: u64,
    rows: ChannelRows,
    /// Two rows of what the function gives.
    values: Buffer,
}

impl<'a> Finish<'a> {
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
        if let Some((which, pooled)) = pooled {
            let pairs = linear
                .chunks_exact(2 * row)
                .zip(output.chunks_exact_mut(output_row));
            let notes = which
                .chunks_exact_mut(output_row)
                .zip(pooled.chunks_exact_mut(output_row));
            for (number, ((linear, output), (which, pooled))) in pairs.zip(notes).enumerate() {
                if block.function.is_nondecreasing() {
                    let linear = linear.split_at(row).into();
                    let normalization = self.rows.normalization();
                    rows::centred_and_pooled(
                        isa,
                        linear,
                        normalization,
                        channels,
                        output,
                        pooled,
                        which,
                    );
                    let context = block.context(self.parameters, None, 0, 0);
                    block.function.apply(isa, context, output);
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
                rows::pool_with(isa, values, linear, channels, output, pooled, which);
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

impl Block {
    /// What the function needs for the numbers that begin at `start` in image number `image` of
    /// the map's output.
    fn context(
        &self,
        parameters: Parameters,
        key: Option<u64>,
        image: usize,
        start: usize,
    ) -> Context {
        Context {
            parameter: parameters.function,
            draws: key.map(|key| Draws {
                key: key ^ FUNCTION_DRAWS,
                first: (image * self.linear_len() + start) as u64,
            }),
        }
    }
}

/// From the gradient of the block's output back to that of what the function is given.
struct Unfinish<'a> {
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

impl<'a> Unfinish<'a> {
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
        let which = &pooling.which[place..place + output_row];
        let values = &mut self.values[..output_row];
        let derivatives = self.derivatives.split_at(row).into();
        rows::gather(isa, derivatives, channels, which, values);
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
struct Totals {
    /// Gradient of the normalisation's shift.
    sum: Vec<f64>,
    /// Gradient of the normalisation's scale.
    product: Vec<f64>,
    function: f64,
    /// `[sets, channels]`: gradient = scale · inner + slope · (y − mean) + offset.
    scale: Vec<f32>,
    slope: Vec<f32>,
    offset: Vec<f32>,
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

/// From the gradient of what the function is given to those of weights and input.
struct LinearGradient<'a> {
    block: &'a Block,
    isa: Isa,
    saved: &'a Saved,
    totals: &'a Totals,
    inner: &'a [f32],
}

/// The rows that [`LinearGradient::image`] works with.
struct GradientRows {
    rows: ChannelRows,
    scale: Vec<f32>,
}

impl LinearGradient<'_> {
    fn gradient_rows(&self) -> GradientRows {
        let [_, width, channels] = self.block.linear_size();
        let mut rows = GradientRows {
            rows: ChannelRows::new(width, channels),
            scale: vec![0.0; width * channels],
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
                self.totals.slope[at + channel],
                self.totals.offset[at + channel],
            ]
        });
        for column in to.scale.chunks_exact_mut(channels) {
            column.copy_from_slice(&self.totals.scale[at..at + channels]);
        }
    }

    /// The gradient of what the map gave for image number `image`: calls `row` for the place of
    /// each row.
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
        let Some(Pooling { which, .. }) = &self.saved.pooling else {
            for number in 0..height {
                let gradient = &mut gradient[row_range(number)];
                let inner = &self.inner[output_start + number * row..][..row];
                if normalized {
                    let linear = &linear[number * row..][..row];
                    rows.rows
                        .apply_and_add(isa, linear, inner, &rows.scale, gradient);
                } else {
                    gradient.copy_from_slice(inner);
                    rows::multiply(isa, gradient, &rows.scale[..row]);
                }
            }
            return;
        };
        for number in 0..output_height {
            let start = output_start + number * output_row;
            let inner = &self.inner[start..start + output_row];
            let which = &which[start..start + output_row];
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
                rows::centred_and_scattered(
                    isa,
                    linear,
                    rows.rows.normalization(),
                    inner,
                    &rows.scale,
                    channels,
                    which,
                    windows,
                );
            } else {
                windows.iter_mut().for_each(|row| row.fill(0.0));
                rows::scatter(isa, inner, &rows.scale, channels, which, windows);
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

    fn through_convolution(
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
        let group = WeightGradient::group(&convolution).min(task);
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
                let mut padded = Buffer::zeros(group * padded_len);
                let mut bordered = Buffer::zeros(group * bordered_len);
                for (group_number, input) in input.chunks(group * input_len).enumerate() {
                    let first = group_number * group;
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

    fn through_dense(
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
