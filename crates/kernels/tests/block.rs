//! Whole blocks: values against a plain computation in `f64`, gradients against its finite
//! differences, and results that do not depend on threads.

mod common;
mod reference;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{numbers, up_to};
use kernels::block::{
    self, Block, FUNCTION_DRAWS, Gradients, LinearMap, Link, Normalization, Output, Parameters,
};
use kernels::convolution::Convolution;
use kernels::dense::{self, Dense};
use kernels::function::{Context, Draws, Function};
use kernels::random;
use kernels::simd::Isa;
use proptest::prelude::*;

const SLOPE: f32 = 0.3;
const KEY: u64 = 42;

/// How far a pre-activation may be off in `f32`, as a share of the largest.
const MARGIN: f64 = 1e-5;

fn to_f64(numbers: &[f32]) -> Vec<f64> {
    numbers.iter().map(|&x| x.into()).collect()
}

/// Everything that a block computes from, in `f64`.
#[derive(Clone)]
struct Case {
    block: Block,
    images: usize,
    input: Vec<f64>,
    weight: Vec<f64>,
    bias: Option<Vec<f64>>,
    scale: Option<Vec<f64>>,
    shift: Option<Vec<f64>>,
    function_parameter: f64,
    /// The slopes that a randomised rectifier draws, for each pre-activation.
    slopes: Vec<f64>,
    /// What the loss multiplies the outputs by.
    gradient: Vec<f64>,
}

/// A case's numbers in `f32`, for the block under test.
struct Floats {
    input: Vec<f32>,
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    scale: Option<Vec<f32>>,
    shift: Option<Vec<f32>>,
    function_parameter: f32,
    gradient: Vec<f32>,
}

fn input_len(map: &LinearMap) -> usize {
    match map {
        LinearMap::Convolution(c) => c.input_len(),
        LinearMap::Dense(d) => d.inputs(),
    }
}

fn weight_len(map: &LinearMap) -> usize {
    match map {
        LinearMap::Convolution(c) => c.weight_len(),
        LinearMap::Dense(d) => d.weight_len(),
    }
}

fn linear_size(map: &LinearMap) -> [usize; 3] {
    match map {
        LinearMap::Convolution(c) => {
            let [rows, columns] = c.output_size();
            [rows, columns, c.outputs]
        }
        LinearMap::Dense(d) => [1, 1, d.outputs],
    }
}

impl Case {
    fn new(block: Block, images: usize, seed: u64) -> Self {
        let [height, width, channels] = block.output_size();
        let normalized = block.normalization != Normalization::None;
        let number = |len: usize, index: u64| to_f64(&numbers(len, 31 * seed + index));
        // A scale of about one, so that signs matter less than sizes.
        let scale = |numbers: Vec<f64>| numbers.iter().map(|x| 1.0 + 0.5 * x).collect();
        let mut slopes = Vec::new();
        if block.function.is_random() {
            let [height, width, channels] = linear_size(&block.map);
            slopes = vec![-1.0; images * height * width * channels];
            let draws = Draws {
                key: KEY ^ FUNCTION_DRAWS,
                first: 0,
            };
            let context = Context {
                parameter: f32::NAN,
                draws: Some(draws),
            };
            block.function.apply(Isa::Portable, context, &mut slopes);
        }
        Self {
            block,
            images,
            input: number(images * input_len(&block.map), 1),
            weight: number(weight_len(&block.map), 2),
            bias: (!normalized).then(|| number(channels, 3)),
            scale: normalized.then(|| scale(number(channels, 4))),
            shift: normalized.then(|| number(channels, 5)),
            function_parameter: SLOPE.into(),
            slopes: slopes.iter().map(|&y| -f64::from(y)).collect(),
            gradient: number(images * height * width * channels, 6),
        }
    }

    fn floats(&self) -> Floats {
        let floats = |numbers: &[f64]| numbers.iter().map(|&x| x as f32).collect::<Vec<_>>();
        Floats {
            input: floats(&self.input),
            weight: floats(&self.weight),
            bias: self.bias.as_deref().map(floats),
            scale: self.scale.as_deref().map(floats),
            shift: self.shift.as_deref().map(floats),
            function_parameter: self.function_parameter as f32,
            gradient: floats(&self.gradient),
        }
    }

    /// The map's output by its definition.
    fn linear(&self) -> Vec<f64> {
        let mut output = Vec::new();
        for image in self.input.chunks_exact(input_len(&self.block.map)) {
            match self.block.map {
                LinearMap::Convolution(c) => self.convolve(&c, image, &mut output),
                LinearMap::Dense(d) => {
                    for out in 0..d.outputs {
                        let mut sum = self.bias.as_ref().map_or(0.0, |bias| bias[out]);
                        for pixel in 0..d.pixels {
                            for channel in 0..d.channels {
                                let row = channel * d.pixels + pixel;
                                sum += image[pixel * d.channels + channel]
                                    * self.weight[row * d.outputs + out];
                            }
                        }
                        output.push(sum);
                    }
                }
            }
        }
        output
    }

    fn convolve(&self, c: &Convolution, image: &[f64], output: &mut Vec<f64>) {
        let [rows, columns] = c.output_size();
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |x| (row, x))) {
            for out in 0..c.outputs {
                let mut sum = self.bias.as_ref().map_or(0.0, |bias| bias[out]);
                for (i, j) in (0..c.kernel[0]).flat_map(|i| (0..c.kernel[1]).map(move |j| (i, j))) {
                    let y = (row * c.stride + i).wrapping_sub(c.padding[0]);
                    let x = (column * c.stride + j).wrapping_sub(c.padding[1]);
                    if y >= c.height || x >= c.width {
                        continue;
                    }
                    for input in 0..c.inputs {
                        sum += image[(y * c.width + x) * c.inputs + input]
                            * self.weight
                                [((out * c.inputs + input) * c.kernel[0] + i) * c.kernel[1] + j];
                    }
                }
                output.push(sum);
            }
        }
    }

    fn normalize(&self, values: &mut [f64]) {
        let [height, width, channels] = linear_size(&self.block.map);
        let image_len = height * width * channels;
        let (groups, per_image, epsilon) = match self.block.normalization {
            Normalization::None => return,
            Normalization::Batch { epsilon } => (channels, false, epsilon),
            Normalization::Group { groups, epsilon } => (groups, true, epsilon),
        };
        let size = channels / groups;
        let set = |i: usize| {
            let image = if per_image { i / image_len } else { 0 };
            image * groups + i % channels / size
        };
        let sets = if per_image {
            self.images * groups
        } else {
            groups
        };
        let mut sums = vec![(0.0, 0.0); sets];
        for (i, &x) in values.iter().enumerate() {
            let sum = &mut sums[set(i)];
            *sum = (sum.0 + 1.0, sum.1 + x);
        }
        let mut squares = vec![0.0; sets];
        for (i, &x) in values.iter().enumerate() {
            let (count, sum) = sums[set(i)];
            squares[set(i)] += (x - sum / count).powi(2);
        }
        for (i, x) in values.iter_mut().enumerate() {
            let (count, sum) = sums[set(i)];
            let deviation = (squares[set(i)] / count + f64::from(epsilon)).sqrt();
            let scale = self.scale.as_ref().map_or(1.0, |scale| scale[i % channels]);
            let shift = self.shift.as_ref().map_or(0.0, |shift| shift[i % channels]);
            *x = (*x - sum / count) / deviation * scale + shift;
        }
    }

    fn pre_activations(&self) -> Vec<f64> {
        let mut values = self.linear();
        self.normalize(&mut values);
        values
    }

    /// The function of pre-activation number `place`, if that is `x`.
    fn activate(&self, place: usize, x: f64) -> f64 {
        match self.slopes.get(place) {
            Some(&slope) => reference::value(Function::Prelu, slope, x),
            None => reference::value(self.block.function, self.function_parameter, x),
        }
    }

    /// The places of each window of pooling.
    fn windows(&self) -> Vec<[usize; 4]> {
        let [height, width, channels] = linear_size(&self.block.map);
        let mut windows = Vec::new();
        for image in 0..self.images {
            for (y, x) in (0..height / 2).flat_map(|y| (0..width / 2).map(move |x| (y, x))) {
                for c in 0..channels {
                    windows.push([(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| {
                        ((image * height + 2 * y + i) * width + 2 * x + j) * channels + c
                    }));
                }
            }
        }
        windows
    }

    /// Whether pre-activations that are off by [`MARGIN`] have the same derivatives: none is as near to
    /// a kink or a jump, and no two of a window are as near to each other in their values. What `f32`
    /// makes of other cases may be right and yet not what is expected.
    fn is_clear(&self) -> bool {
        let pre_activations = self.pre_activations();
        let margin = MARGIN * pre_activations.iter().fold(1.0, |a: f64, x| a.max(x.abs()));
        let at = |place: usize, by: f64| self.activate(place, pre_activations[place] + by * margin);
        // A kink changes the slope; curves change it little over so short a way.
        let near_kink = (0..pre_activations.len()).any(|place| {
            let change = at(place, 1.0) - 2.0 * at(place, 0.0) + at(place, -1.0);
            change.abs() > 1e-3 * margin
        });
        if near_kink || !self.block.pool {
            return !near_kink;
        }
        let moves = |place: usize| (at(place, 1.0) - at(place, -1.0)).abs();
        self.windows().into_iter().all(|window| {
            let largest = window.into_iter().fold(window[0], |best, place| {
                if at(place, 0.0) > at(best, 0.0) {
                    place
                } else {
                    best
                }
            });
            // Equal ones are sums of the same numbers, as where all is border, and either may be
            // taken.
            window.into_iter().all(|place| {
                pre_activations[place] == pre_activations[largest]
                    || at(largest, 0.0) - at(place, 0.0) >= moves(place).max(moves(largest))
            })
        })
    }

    fn output(&self) -> Vec<f64> {
        let mut values = self.pre_activations();
        for (place, x) in values.iter_mut().enumerate() {
            *x = self.activate(place, *x);
        }
        if self.block.pool {
            let largest = |window: [usize; 4]| {
                window.iter().fold(f64::NEG_INFINITY, |largest, &place| {
                    largest.max(values[place])
                })
            };
            values = self.windows().into_iter().map(largest).collect();
        }
        if self.block.dropout > 0.0 {
            let mut mask = vec![1.0; values.len()];
            random::dropout(Isa::Portable, KEY, 0, self.block.dropout, &mut mask);
            for (x, &factor) in values.iter_mut().zip(&mask) {
                *x *= f64::from(factor);
            }
        }
        values
    }

    fn loss(&self) -> f64 {
        let output = self.output();
        output.iter().zip(&self.gradient).map(|(x, g)| x * g).sum()
    }

    /// Compares gradients, `ours` on each instruction set, with finite differences by some of the
    /// numbers that `of` gives, if there are any.
    fn check_gradient(
        &self,
        name: &str,
        ours: &[(Isa, Option<&[f32]>)],
        of: impl Fn(&mut Self) -> Option<&mut [f64]>,
    ) {
        const STEP: f64 = 1e-6;
        let len = of(&mut self.clone()).map(|numbers| numbers.len());
        for (isa, ours) in ours {
            assert_eq!(ours.map(<[f32]>::len), len, "{isa}: {name}");
        }
        let Some(len) = len else { return };
        let loss_at = |place: usize, by: f64| {
            let mut case = self.clone();
            of(&mut case).unwrap()[place] += by;
            case.loss()
        };
        let middle = self.loss();
        let places = len.min(up_to(12, 0));
        for place in (0..places).map(|i| i * len / places) {
            let [below, above] = [-STEP, STEP].map(|by| (loss_at(place, by) - middle) / by);
            let difference = (below + above) / 2.0;
            // The derivative lies between the differences to both sides, which a kink sets apart, or
            // a change of the largest, within the step.
            let apart = (above - below).abs() / 2.0;
            for (isa, ours) in ours {
                let ours = ours.unwrap();
                let scale = ours.iter().fold(0.1f64, |a, &b| a.max(f64::from(b).abs()));
                assert!(
                    (f64::from(ours[place]) - difference).abs() <= 1e-4 * scale + apart,
                    "{isa}: gradient of {name}[{place}] is {}, not {difference} ± {apart}\n{:?}",
                    ours[place],
                    self.block
                );
            }
        }
    }

    /// On every instruction set.
    fn check(&self) {
        let floats = self.floats();
        let trained: Vec<(Isa, Output, Gradients)> = Isa::available()
            .into_iter()
            .map(|isa| {
                let (output, gradients) = floats.train(isa, &self.block, self.images);
                (isa, output, gradients)
            })
            .collect();
        let reference = self.output();
        let scale = reference.iter().fold(1.0f64, |a, b| a.max(b.abs()));
        for (isa, output, _) in &trained {
            assert_eq!(output.output.len(), reference.len());
            for (i, (&ours, &reference)) in output.output.iter().zip(&reference).enumerate() {
                assert!(
                    (f64::from(ours) - reference).abs() <= 1e-5 * scale,
                    "{isa}: output[{i}] is {ours}, not {reference}\n{:?}",
                    self.block
                );
            }
        }
        let ours = |gradient: fn(&Gradients) -> Option<&[f32]>| -> Vec<_> {
            let each = trained.iter();
            each.map(|(isa, _, gradients)| (*isa, gradient(gradients)))
                .collect()
        };
        self.check_gradient("input", &ours(|g| g.input.as_deref()), |c| {
            Some(&mut c.input)
        });
        self.check_gradient("weight", &ours(|g| Some(&g.weight)), |c| {
            Some(&mut c.weight)
        });
        self.check_gradient("bias", &ours(|g| g.bias.as_deref()), |c| {
            c.bias.as_deref_mut()
        });
        self.check_gradient("scale", &ours(|g| g.scale.as_deref()), |c| {
            c.scale.as_deref_mut()
        });
        self.check_gradient("shift", &ours(|g| g.shift.as_deref()), |c| {
            c.shift.as_deref_mut()
        });
        let parameter = ours(|g| g.function_parameter.as_ref().map(std::slice::from_ref));
        self.check_gradient("function", &parameter, |c| {
            let has = c.block.function.has_parameter();
            has.then(|| std::slice::from_mut(&mut c.function_parameter))
        });
    }
}

impl Floats {
    fn parameters(&self) -> Parameters<'_> {
        Parameters {
            weight: &self.weight,
            bias: self.bias.as_deref(),
            scale: self.scale.as_deref(),
            shift: self.shift.as_deref(),
            function_parameter: self.function_parameter,
        }
    }

    fn train(&self, isa: Isa, block: &Block, images: usize) -> (Output, Gradients) {
        let output = block.train(isa, images, &self.input, self.parameters(), KEY);
        let gradients = block.backward(
            isa,
            images,
            &self.input,
            self.parameters(),
            &output.saved,
            &self.gradient,
            true,
        );
        (output, gradients)
    }
}

fn maps() -> impl Strategy<Value = LinearMap> {
    let convolution = (
        [1..up_to(9, 6), 1..up_to(11, 7)],
        [1..up_to(6, 4), 1..up_to(21, 12)],
        [1..up_to(5, 4), 1..up_to(5, 4)],
        1usize..3,
        [0usize..3, 0usize..3],
    )
        .prop_map(|(size, channels, kernel, stride, padding)| Convolution {
            height: size[0],
            width: size[1],
            inputs: channels[0],
            outputs: channels[1],
            kernel,
            stride,
            padding,
        })
        .prop_filter("the kernel fits", |c| {
            c.height + 2 * c.padding[0] >= c.kernel[0] && c.width + 2 * c.padding[1] >= c.kernel[1]
        })
        .prop_map(LinearMap::Convolution);
    let dense = (1usize..10, 1usize..8, 1usize..40).prop_map(|(pixels, channels, outputs)| {
        LinearMap::Dense(Dense {
            pixels,
            channels,
            outputs,
        })
    });
    prop_oneof![3 => convolution, 1 => dense]
}

fn blocks() -> impl Strategy<Value = Block> {
    (
        maps(),
        0usize..3,
        prop::sample::select(&reference::FUNCTIONS[..]),
        any::<bool>(),
        prop_oneof![Just(0.0f32), Just(0.4)],
    )
        .prop_map(|(map, normalization, function, pool, dropout)| {
            let (channels, poolable) = match map {
                LinearMap::Convolution(c) => {
                    let [rows, columns] = c.output_size();
                    (c.outputs, rows >= 2 && columns >= 2)
                }
                LinearMap::Dense(d) => (d.outputs, false),
            };
            let normalization = match normalization {
                0 => Normalization::None,
                1 => Normalization::Batch { epsilon: 1e-2 },
                _ => Normalization::Group {
                    groups: if channels.is_multiple_of(2) { 2 } else { 1 },
                    epsilon: 1e-2,
                },
            };
            Block {
                map,
                normalization,
                function,
                pool: pool && poolable,
                dropout,
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: up_to(250, 4) as u32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn values_and_gradients_are_those_of_the_definition(
        block in blocks(),
        images in 1..up_to(6, 3),
        seed in any::<u16>(),
    ) {
        let case = Case::new(block, images, seed.into());
        prop_assume!(case.is_clear());
        case.check();
    }
}

/// A block with everything in it.
fn full_block() -> Block {
    Block {
        map: LinearMap::Convolution(Convolution {
            height: up_to(9, 6),
            width: up_to(10, 7),
            inputs: up_to(3, 2),
            outputs: up_to(20, 12),
            kernel: [3, 3],
            stride: 1,
            padding: [1, 1],
        }),
        normalization: Normalization::Batch { epsilon: 1e-5 },
        function: Function::Prelu,
        pool: true,
        dropout: 0.25,
    }
}

/// [`full_block`] with a convolution of these channels that is computed by Winograd's algorithms, along
/// rows with one input.
fn winograd_block(inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Block {
    Block {
        map: LinearMap::Convolution(Convolution {
            height: up_to(13, 8),
            width: up_to(14, 9),
            inputs,
            outputs,
            kernel: [kernel; 2],
            stride,
            padding: [kernel / 2; 2],
        }),
        ..full_block()
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let blocks = [
        full_block(),
        winograd_block(1, 20, 5, 1),
        winograd_block(up_to(16, 12), up_to(24, 12), 3, 1),
        winograd_block(12, up_to(17, 12), 5, 2),
        Block {
            map: LinearMap::Dense(Dense {
                pixels: up_to(12, 2),
                channels: 20,
                outputs: up_to(33, 13),
            }),
            pool: false,
            ..full_block()
        },
    ];
    let images = up_to(37, 2);
    let threads: &[usize] = if cfg!(miri) { &[1, 2] } else { &[1, 2, 7] };
    for block in blocks {
        let floats = Case::new(block, images, 1).floats();
        let results = threads.iter().map(|&threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                let (output, gradients) = floats.train(Isa::best(), &block, images);
                let running = Some((&output.mean[..], &output.variance[..]));
                let prepared = block.prepare(Isa::best(), floats.parameters(), running);
                let infer = prepared.infer(images, &floats.input, floats.parameters());
                format!(
                    "{:?} {:?} {gradients:?} {infer:?}",
                    output.output, output.variance
                )
            })
        });
        let results: Vec<String> = results.collect();
        assert!(results.iter().all(|result| *result == results[0]));
    }
}

#[test]
fn inference_with_the_batchs_statistics_is_training_without_dropout() {
    for normalization in [
        Normalization::None,
        Normalization::Batch { epsilon: 1e-5 },
        Normalization::Group {
            groups: 4,
            epsilon: 1e-5,
        },
    ] {
        let block = Block {
            normalization,
            dropout: 0.0,
            ..full_block()
        };
        let images = up_to(5, 2);
        let floats = Case::new(block, images, 3).floats();
        for isa in Isa::available() {
            let output = block.train(isa, images, &floats.input, floats.parameters(), KEY);
            let running = Some((&output.mean[..], &output.variance[..]));
            let prepared = block.prepare(isa, floats.parameters(), running);
            let inferred = prepared.infer(images, &floats.input, floats.parameters());
            for (&a, &b) in inferred.iter().zip(output.output.iter()) {
                assert!((a - b).abs() <= 1e-5, "{isa}: {a} is not {b}");
            }
        }
    }
}

#[test]
fn all_blocks_at_once_are_one_after_the_other() {
    let convolution = full_block();
    let [height, width, channels] = convolution.output_size();
    let winograd = Block {
        map: LinearMap::Convolution(Convolution {
            height,
            width,
            inputs: channels,
            outputs: up_to(21, 12),
            kernel: [3, 3],
            stride: 1,
            padding: [2, 2],
        }),
        pool: false,
        ..full_block()
    };
    let [height, width, channels] = winograd.output_size();
    let groups = Block {
        map: LinearMap::Convolution(Convolution {
            height,
            width,
            inputs: channels,
            outputs: up_to(24, 12),
            kernel: [2, 2],
            stride: 1,
            padding: [0, 0],
        }),
        normalization: Normalization::Group {
            groups: 2,
            epsilon: 1e-5,
        },
        function: Function::Gelu,
        pool: false,
        dropout: 0.0,
    };
    let [height, width, channels] = groups.output_size();
    let dense = Block {
        map: LinearMap::Dense(Dense {
            pixels: height * width,
            channels,
            outputs: 5,
        }),
        normalization: Normalization::None,
        function: Function::Tanh,
        ..groups
    };
    let images = up_to(21, 9);
    let blocks = [convolution, winograd, groups, dense];
    let floats =
        [1, 2, 3, 4].map(|seed| Case::new(blocks[seed as usize - 1], images, seed).floats());
    let statistics = blocks.map(|block| {
        let [.., channels] = block.output_size();
        [numbers(channels, 4), vec![0.5; channels]]
    });
    for isa in Isa::available() {
        let prepared: Vec<_> = blocks
            .iter()
            .zip(&floats)
            .zip(&statistics)
            .map(|((block, floats), [mean, variance])| {
                let batch = matches!(block.normalization, Normalization::Batch { .. });
                let running = batch.then_some((&mean[..], &variance[..]));
                block.prepare(isa, floats.parameters(), running)
            })
            .collect();
        let links: Vec<_> = prepared
            .iter()
            .zip(&floats)
            .map(|(prepared, floats)| Link {
                prepared,
                parameters: floats.parameters(),
            })
            .collect();
        let mut expected = floats[0].input.clone();
        for link in &links {
            let output = link.prepared.infer(images, &expected, link.parameters);
            expected = output.to_vec();
        }
        for threads in [1, 2, 7] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let found = pool.install(|| block::infer_all(&links, images, &floats[0].input));
            assert_eq!(found[..], expected[..], "{isa}, {threads} threads");
        }
        assert!(expected.iter().any(|&x| x != expected[0]), "{isa}");
    }
}

/// As many numbers in another shape would be taken for the wrong pixels.
#[test]
#[should_panic(expected = "images of [2, 3, 4] are not what")]
fn blocks_that_follow_each_other_agree_on_the_shape() {
    let convolution = |height, width, channels| Block {
        map: LinearMap::Convolution(Convolution {
            height,
            width,
            inputs: channels,
            outputs: channels,
            kernel: [1, 1],
            stride: 1,
            padding: [0, 0],
        }),
        ..plain().0
    };
    let blocks = [convolution(2, 3, 4), convolution(3, 2, 4)];
    let parameters = Parameters::of_weight(&[0.5; 16]);
    let prepared = blocks.map(|block| block.prepare(Isa::best(), parameters, None));
    let links = prepared.each_ref().map(|prepared| Link {
        prepared,
        parameters,
    });
    block::infer_all(&links, 1, &[1.0; 24]);
}

#[test]
fn blocks_read_images_of_their_shape() {
    let (dense, _) = plain();
    assert!(dense.reads([1, 1, 3]));
    assert!(!dense.reads([1, 3, 1]) && !dense.reads([3, 1, 1]));
    let pooled = full_block();
    let LinearMap::Convolution(c) = pooled.map else {
        unreachable!("it is a convolution")
    };
    assert!(pooled.reads([c.height, c.width, c.inputs]));
    assert!(!pooled.reads([c.width, c.height, c.inputs]));
}

#[test]
fn nan_is_not_hidden_by_pooling() {
    // Three ways: the smallest or the largest of a window decides, the largest, or neither.
    for function in [Function::Prelu, Function::Relu, Function::Sine] {
        let block = Block {
            map: LinearMap::Convolution(Convolution {
                height: 4,
                width: 4,
                inputs: 1,
                outputs: 20,
                kernel: [1, 1],
                stride: 1,
                padding: [0, 0],
            }),
            normalization: Normalization::None,
            function,
            pool: true,
            dropout: 0.0,
        };
        let floats = Case::new(block, 1, 3).floats();
        // The corners of the window at the right and below.
        for place in [10, 11, 14, 15] {
            let mut input = floats.input.clone();
            input[place] = f32::NAN;
            for isa in Isa::available() {
                let trained = block.train(isa, 1, &input, floats.parameters(), KEY).output;
                let prepared = block.prepare(isa, floats.parameters(), None);
                let inferred = prepared.infer(1, &input, floats.parameters());
                for output in [trained, inferred] {
                    let (others, window) = output.split_at(3 * 20);
                    assert!(window.iter().all(|x| x.is_nan()), "{isa} {function:?}");
                    assert!(others.iter().all(|x| x.is_finite()), "{isa} {function:?}");
                }
            }
        }
    }
}

/// Where a randomised rectifier drew a slope on the way forward, it has that slope on the way back.
#[test]
fn drawn_slopes_are_those_of_the_gradients() {
    const CHANNELS: usize = 18;
    const SIZE: [usize; 2] = [5, 7];
    let mut weight = vec![0.0; CHANNELS * CHANNELS];
    weight
        .iter_mut()
        .step_by(CHANNELS + 1)
        .for_each(|x| *x = 1.0);
    for (pool, images) in [(false, 3), (true, 3)] {
        let [height, width] = SIZE;
        let block = Block {
            map: LinearMap::Convolution(Convolution {
                height,
                width,
                inputs: CHANNELS,
                outputs: CHANNELS,
                kernel: [1, 1],
                stride: 1,
                padding: [0, 0],
            }),
            normalization: Normalization::None,
            function: Function::Rrelu {
                lower: 0.2,
                upper: 0.9,
            },
            pool,
            dropout: 0.0,
        };
        let [output_height, output_width, _] = block.output_size();
        let negative = |x: f32| -1.5 + x;
        let floats = Floats {
            input: numbers(images * height * width * CHANNELS, 1)
                .into_iter()
                .map(negative)
                .collect(),
            weight: weight.clone(),
            bias: None,
            scale: None,
            shift: None,
            function_parameter: 0.0,
            gradient: vec![1.0; images * output_height * output_width * CHANNELS],
        };
        for isa in Isa::available() {
            let (output, gradients) = floats.train(isa, &block, images);
            let gradient = gradients.input.unwrap();
            // input · slope of each image, row, column and channel.
            let products: Vec<f32> = floats
                .input
                .iter()
                .zip(gradient.iter())
                .map(|(x, slope)| x * slope)
                .collect();
            let window = if pool { 2 } else { 1 };
            let mut chosen = 0;
            for (index, &expected) in output.output.iter().enumerate() {
                let (pixel, channel) = (index / CHANNELS, index % CHANNELS);
                let (row, column) = (pixel / output_width, pixel % output_width);
                let (image, row) = (row / output_height, row % output_height);
                let corners = (0..window * window).map(|corner| {
                    let row = window * row + corner / window;
                    let column = window * column + corner % window;
                    products[((image * height + row) * width + column) * CHANNELS + channel]
                });
                let found: Vec<f32> = corners.filter(|&product| product != 0.0).collect();
                assert_eq!(found.len(), 1, "{isa} {pool}");
                assert!((found[0] - expected).abs() < 1e-5, "{isa} {pool}");
                chosen += found.len();
            }
            let all = products.iter().filter(|&&product| product != 0.0).count();
            assert_eq!(all, chosen, "{isa} {pool}");
        }
    }
}

/// What is the same everywhere has no deviation, however large it is, and however many numbers the
/// mean is taken of.
#[test]
fn a_constant_channel_is_normalised_to_its_shift() {
    const SIDE: usize = up_to(28, 5);
    let convolution = Convolution {
        height: SIDE,
        width: SIDE,
        inputs: 3,
        outputs: 20,
        kernel: [1, 1],
        stride: 1,
        padding: [0, 0],
    };
    let dense = Dense {
        pixels: 1,
        channels: 3,
        outputs: 20,
    };
    for (map, pixels) in [
        (LinearMap::Dense(dense), 1),
        (LinearMap::Convolution(convolution), SIDE * SIDE),
    ] {
        for normalization in [
            Normalization::Batch { epsilon: 1e-5 },
            Normalization::Group {
                groups: 1,
                epsilon: 1e-5,
            },
        ] {
            let block = Block {
                map,
                normalization,
                function: Function::Identity,
                pool: false,
                dropout: 0.0,
            };
            let input = [1000.3f32, 2.7, -13.1].repeat(5 * pixels);
            let parameters = Parameters {
                scale: Some(&[3.0; 20]),
                shift: Some(&[0.25; 20]),
                ..Parameters::of_weight(&[1.0; 60])
            };
            for isa in Isa::available() {
                let output = block.train(isa, 5, &input, parameters, KEY).output;
                assert!(
                    output.iter().all(|&x| x == 0.25),
                    "{isa}: {:?}",
                    &output[..3]
                );
            }
        }
    }
}

/// A small block that does nothing but multiply, and its parameters.
fn plain() -> (Block, Parameters<'static>) {
    let block = Block {
        map: LinearMap::Dense(Dense {
            pixels: 1,
            channels: 3,
            outputs: 5,
        }),
        normalization: Normalization::None,
        function: Function::Identity,
        pool: false,
        dropout: 0.0,
    };
    (block, Parameters::of_weight(&[0.5; 15]))
}

/// They would be taken for the statistics of other images.
#[test]
#[should_panic(expected = "2 groups do not divide 5 channels")]
fn groups_divide_the_channels() {
    let (block, parameters) = plain();
    let block = Block {
        normalization: Normalization::Group {
            groups: 2,
            epsilon: 1e-5,
        },
        ..block
    };
    block.train(Isa::best(), 2, &[1.0; 6], parameters, 0);
}

/// Training would apply it, and inference drop it.
#[test]
#[should_panic(expected = "scale and shift belong to a normalisation")]
fn there_is_no_scale_without_normalisation() {
    let (block, parameters) = plain();
    let parameters = Parameters {
        scale: Some(&[2.0; 5]),
        ..parameters
    };
    block.prepare(Isa::best(), parameters, None);
}

#[test]
#[should_panic(expected = "scale and shift belong to a normalisation")]
fn there_is_no_shift_without_normalisation() {
    let (block, parameters) = plain();
    let parameters = Parameters {
        shift: Some(&[2.0; 5]),
        ..parameters
    };
    block.train(Isa::best(), 2, &[1.0; 6], parameters, 0);
}

/// Their first numbers would be taken.
#[test]
#[should_panic(expected = "running statistics have a number for each channel")]
fn running_statistics_are_not_longer_than_the_channels() {
    let (block, parameters) = plain();
    let block = Block {
        normalization: Normalization::Batch { epsilon: 1e-5 },
        ..block
    };
    let (mean, variance) = (&[0.0; 10][..], &[1.0; 10][..]);
    block.prepare(Isa::best(), parameters, Some((mean, variance)));
}

#[test]
#[should_panic(expected = "what was saved is not of these images and this block")]
fn gradients_are_those_of_the_images_that_were_trained() {
    let (block, parameters) = plain();
    let isa = Isa::best();
    let Output { saved, .. } = block.train(isa, 3, &[1.0; 9], parameters, 0);
    block.backward(isa, 2, &[1.0; 6], parameters, &saved, &[1.0; 10], true);
}

/// Its lengths are the same, but not its derivatives.
#[test]
#[should_panic(expected = "what was saved is not of these images and this block")]
fn gradients_are_those_of_the_block_that_was_trained() {
    let (block, parameters) = plain();
    let isa = Isa::best();
    let Output { saved, .. } = block.train(isa, 2, &[1.0; 6], parameters, 0);
    let other = Block {
        function: Function::Relu,
        ..block
    };
    other.backward(isa, 2, &[1.0; 6], parameters, &saved, &[1.0; 10], true);
}

#[test]
#[should_panic(expected = "a parameter has a number for each channel")]
fn gradients_are_of_parameters_of_the_same_length() {
    let (block, parameters) = plain();
    let isa = Isa::best();
    let Output { saved, .. } = block.train(isa, 2, &[1.0; 6], parameters, 0);
    let parameters = Parameters {
        bias: Some(&[0.0; 4]),
        ..parameters
    };
    block.backward(isa, 2, &[1.0; 6], parameters, &saved, &[1.0; 10], true);
}

#[test]
#[should_panic(expected = "an image of the input or the output has no numbers")]
fn an_image_of_the_output_is_not_empty() {
    let (block, _) = plain();
    let block = Block {
        map: LinearMap::Dense(Dense {
            pixels: 1,
            channels: 3,
            outputs: 0,
        }),
        ..block
    };
    block.train(Isa::best(), 2, &[1.0; 6], Parameters::of_weight(&[]), 0);
}

#[test]
#[should_panic(expected = "an image of the input or the output has no numbers")]
fn an_image_of_the_input_is_not_empty() {
    let (block, parameters) = plain();
    let block = Block {
        map: LinearMap::Convolution(Convolution {
            height: 0,
            width: 4,
            inputs: 3,
            outputs: 5,
            kernel: [1, 1],
            stride: 1,
            padding: [1, 1],
        }),
        ..block
    };
    block.train(Isa::best(), 2, &[], parameters, 0);
}

/// A part of an image would be left out.
#[test]
fn dense_layers_take_whole_images() {
    let dense = Dense {
        pixels: 2,
        channels: 3,
        outputs: 5,
    };
    let isa = Isa::best();
    let forward = dense::ForwardPanel::new(isa, dense, &[0.5; 30], None);
    let backward = dense::BackwardPanel::new(isa, dense, &[0.5; 30]);
    let mut numbers = [0.0; 12];
    forward.output(&[1.0; 12], &mut numbers[..10]);
    backward.input_gradient(&[1.0; 10], &mut numbers);
    for (input, output) in [(12, 11), (11, 10), (11, 9)] {
        let forwards = AssertUnwindSafe(|| {
            forward.output(&[1.0; 12][..input], &mut [0.0; 12][..output]);
        });
        assert!(catch_unwind(forwards).is_err(), "{input} to {output}");
        let backwards = AssertUnwindSafe(|| {
            backward.input_gradient(&[1.0; 12][..output], &mut [0.0; 12][..input]);
        });
        assert!(catch_unwind(backwards).is_err(), "{output} to {input}");
    }
}

/// Slices would be checked by what is left of the length.
#[test]
#[should_panic(expected = "are more numbers than can be counted")]
fn lengths_of_dense_layers_do_not_wrap_around() {
    let dense = Dense {
        pixels: 1 << (usize::BITS - 1),
        channels: 2,
        outputs: 1,
    };
    dense.inputs();
}

/// As many images of nothing as there are of something, if their length wraps around.
#[test]
#[should_panic(expected = "are more numbers than can be counted")]
fn lengths_of_batches_do_not_wrap_around() {
    let (block, parameters) = plain();
    let block = Block {
        map: LinearMap::Dense(Dense {
            pixels: 1,
            channels: 4,
            outputs: 4,
        }),
        ..block
    };
    let parameters = Parameters {
        weight: &[0.5; 16],
        ..parameters
    };
    let prepared = block.prepare(Isa::best(), parameters, None);
    prepared.infer(1 << (usize::BITS - 2), &[], parameters);
}

#[test]
fn images_of_more_pixels_than_can_be_counted_are_not_read() {
    let block = Block {
        map: LinearMap::Dense(Dense {
            pixels: 0,
            channels: 3,
            outputs: 5,
        }),
        ..plain().0
    };
    assert!(!block.reads([1 << (usize::BITS - 1), 2, 3]));
}
