//! What goes into and comes out of every activation of a network over many images.

use burn::tensor::{Tensor, TensorReadError};
use kernels::function::{Context, Function};
use kernels::simd::{Isa, Routine, Simd};
use model::{Activation, ActivationLayer, Observer, Site};
use rayon::prelude::*;
use study::record::{Histogram, SiteEpoch};

use crate::moments::Moments;
use crate::rank::effective_rank;

/// The share of the greatest slope below which a pre-activation is saturated.
const SATURATED: f32 = 0.01;
/// The bins of the histogram of pre-activations: from −8 to 8 in steps of 0.1.
const LOW: f32 = -8.0;
const HIGH: f32 = 8.0;
const BINS: usize = 160;
/// About so many numbers are surveyed at once, so that they stay in the nearest cache.
const PORTION: usize = 4096;
/// Numbers that are added up side by side.
const LANES: usize = 16;

/// Looks at every activation of a network, batch by batch, in forward passes without training.
pub struct Survey {
    isa: Isa,
    sites: Vec<SiteTally>,
    /// Activations of the last site, `[images, units]`.
    hidden: Vec<f32>,
    error: Option<TensorReadError>,
}

/// What was found in a network.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// At each site, input first.
    pub sites: Vec<SurveyedSite>,
    /// Effective rank of the last hidden layer's activations, from 1 to the number of its units.
    pub effective_rank: Option<f64>,
}

/// What was found at one site.
#[derive(Clone, Debug)]
pub struct SurveyedSite {
    /// Where it is.
    pub site: Site,
    /// Number of its units.
    pub units: usize,
    /// Shares, means and deviations.
    pub measured: SiteEpoch,
    /// The pre-activations of the first batch.
    pub pre_activations: Histogram,
}

struct SiteTally {
    site: Site,
    sums: Sums,
    /// For each unit, whether any slope was not zero: the bits of all slopes but their signs.
    slopes: Vec<u32>,
    parameter: Option<f64>,
    histogram: Histogram,
}

/// What is summed up of pre-activations z and activations a = f(z).
#[derive(Clone, Copy, Default)]
struct Sums {
    count: u64,
    zeros: u64,
    saturated: u64,
    pre_activations: Moments,
    activations: Moments,
}

/// What the activation of a site does to a row of units.
#[derive(Clone, Copy)]
enum Operation {
    Elementwise(Function, Context),
    /// The softmax over the units of each position.
    Softmax,
}

impl Survey {
    /// A survey that has seen nothing yet.
    pub fn new() -> Self {
        Self {
            isa: Isa::best(),
            sites: Vec::new(),
            hidden: Vec::new(),
            error: None,
        }
    }

    /// What was found.
    ///
    /// # Errors
    ///
    /// If the device could not compute or copy a pre-activation.
    pub fn finish(self) -> Result<Surveyed, TensorReadError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let units = self.sites.last().map_or(0, |site| site.slopes.len());
        Ok(Surveyed {
            sites: self.sites.iter().map(SiteTally::finish).collect(),
            effective_rank: effective_rank(&self.hidden, units),
        })
    }

    fn survey(&mut self, site: Site, layer: &ActivationLayer, z: &[f32], units: usize) {
        let known = self.sites.iter().position(|tally| tally.site == site);
        let index = known.unwrap_or(self.sites.len());
        if known.is_none() {
            self.sites.push(SiteTally::new(site, units));
        }
        let tally = &mut self.sites[index];
        let parameter = layer
            .parameter()
            .map(|parameter| parameter.into_data().iter::<f32>().sum::<f32>());
        tally.parameter = parameter.map(f64::from);
        let operation = match layer.kernel() {
            Some(function) => Operation::Elementwise(
                function,
                Context {
                    parameter: parameter.unwrap_or_default(),
                    draws: None,
                },
            ),
            // The only function without a kernel, as a test makes sure.
            None => Operation::Softmax,
        };
        if known.is_none() {
            tally.histogram.absorb(z);
        }
        let threshold = SATURATED * operation.greatest_slope(layer.activation());
        let isa = self.isa;
        let length = units * PORTION.div_ceil(units);
        let portions: Vec<(Sums, Vec<u32>, Vec<f32>)> = z
            .par_chunks(length)
            .map(|z| {
                let (a, slopes) = operation.apply(isa, z, units);
                let sums = isa.run(Summing {
                    z,
                    a: &a,
                    slopes: &slopes,
                    threshold,
                });
                let mut alive = vec![0; units];
                for row in slopes.chunks_exact(units) {
                    for (alive, slope) in alive.iter_mut().zip(row) {
                        // Without the sign, which a zero may have.
                        *alive |= slope.to_bits() << 1;
                    }
                }
                (
                    sums,
                    alive,
                    if site == Site::Hidden { a } else { Vec::new() },
                )
            })
            .collect();
        // In order, so that the sums do not depend on the number of threads.
        for (sums, alive, activations) in portions {
            tally.sums.add(&sums);
            for (all, some) in tally.slopes.iter_mut().zip(alive) {
                *all |= some;
            }
            self.hidden.extend(activations);
        }
    }
}

impl Default for Survey {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Survey {
    fn observe(&mut self, site: Site, layer: &ActivationLayer, pre_activation: Tensor<3>) {
        let [_, _, units] = pre_activation.dims();
        match pre_activation.try_into_vec_as::<f32>() {
            Ok(z) => self.survey(site, layer, &z, units),
            Err(error) => self.error = Some(error),
        }
    }
}

impl SiteTally {
    fn new(site: Site, units: usize) -> Self {
        Self {
            site,
            sums: Sums::default(),
            slopes: vec![0; units],
            parameter: None,
            histogram: empty_histogram(),
        }
    }

    fn finish(&self) -> SurveyedSite {
        let Sums {
            count,
            zeros,
            saturated,
            pre_activations,
            activations,
        } = self.sums;
        let n = count as f64;
        let dead = self.slopes.iter().filter(|&&slopes| slopes == 0).count();
        SurveyedSite {
            site: self.site,
            units: self.slopes.len(),
            measured: SiteEpoch {
                dead: Some(dead as f64 / self.slopes.len() as f64),
                saturated: Some(saturated as f64 / n),
                sparsity: Some(zeros as f64 / n),
                pre_activation_mean: Some(pre_activations.mean),
                pre_activation_sd: Some(pre_activations.standard_deviation()),
                activation_mean: Some(activations.mean),
                activation_sd: Some(activations.standard_deviation()),
                gradient_norm: None,
                parameter: self.parameter,
            },
            pre_activations: self.histogram.clone(),
        }
    }
}

/// Sums of every sixteenth number, side by side.
#[derive(Default)]
struct LaneSums {
    /// Of what is left of z beside some value, of its square, and likewise of a.
    moments: [[f32; LANES]; 4],
    /// Of zeros, and of saturated pre-activations.
    counts: [[u32; LANES]; 2],
}

impl LaneSums {
    #[inline(always)]
    fn add(&mut self, lane: usize, [z, a]: [f32; 2], is_zero: bool, is_saturated: bool) {
        self.moments[0][lane] += z;
        self.moments[1][lane] += z * z;
        self.moments[2][lane] += a;
        self.moments[3][lane] += a * a;
        // A check of every sum would keep the compiler from making vectors; a few thousand are far from too many.
        self.counts[0][lane] = self.counts[0][lane].wrapping_add(is_zero.into());
        self.counts[1][lane] = self.counts[1][lane].wrapping_add(is_saturated.into());
    }
}

/// What [`Sums`] are of: pre-activations, activations and slopes f′(z), a few thousand of each at most.
struct Summing<'a> {
    z: &'a [f32],
    a: &'a [f32],
    slopes: &'a [f32],
    /// Slopes below it are those of saturated pre-activations.
    threshold: f32,
}

impl Routine for Summing<'_> {
    type Output = Sums;

    /// The compiler makes vectors of the lanes, for the instruction set that this is compiled for.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> Sums {
        let Self {
            z,
            a,
            slopes,
            threshold,
        } = self;
        let mut sums = LaneSums::default();
        // Sums of what is left beside some value: those of squares would cancel where the mean is far
        // greater than the deviation.
        let near = [z, a].map(|values| values.first().copied().unwrap_or_default());
        let whole = z.len() - z.len() % LANES;
        let rows = z[..whole]
            .chunks_exact(LANES)
            .zip(a[..whole].chunks_exact(LANES))
            .zip(slopes[..whole].chunks_exact(LANES));
        for ((z, a), slopes) in rows {
            for lane in 0..LANES {
                let beside = [z[lane] - near[0], a[lane] - near[1]];
                sums.add(lane, beside, a[lane] == 0.0, slopes[lane].abs() < threshold);
            }
        }
        for place in whole..z.len() {
            let beside = [z[place] - near[0], a[place] - near[1]];
            let is_saturated = slopes[place].abs() < threshold;
            sums.add(place - whole, beside, a[place] == 0.0, is_saturated);
        }
        let [z_sum, z_squared, a_sum, a_squared] = sums
            .moments
            .map(|lanes| lanes.iter().map(|&x| f64::from(x)).sum());
        let [zeros, saturated] = sums
            .counts
            .map(|lanes| lanes.iter().map(|&n| u64::from(n)).sum());
        let moments =
            |near: f32, sum, squares| Moments::from_sums(z.len() as u64, near.into(), sum, squares);
        Sums {
            count: z.len() as u64,
            zeros,
            saturated,
            pre_activations: moments(near[0], z_sum, z_squared),
            activations: moments(near[1], a_sum, a_squared),
        }
    }
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.zeros += other.zeros;
        self.saturated += other.saturated;
        self.pre_activations.merge(&other.pre_activations);
        self.activations.merge(&other.activations);
    }
}

impl Operation {
    /// Activations, and slopes of each by its own input.
    fn apply(self, isa: Isa, z: &[f32], units: usize) -> (Vec<f32>, Vec<f32>) {
        let mut a = z.to_vec();
        match self {
            Self::Elementwise(function, context) => {
                function.apply(isa, context, &mut a);
                let mut slopes = vec![1.0; z.len()];
                function.backward(isa, context, z, &mut slopes);
                (a, slopes)
            }
            Self::Softmax => {
                a.chunks_exact_mut(units).for_each(softmax);
                let slopes = a.iter().map(|&p| p * (1.0 - p)).collect();
                (a, slopes)
            }
        }
    }

    /// The greatest |f′|, of a learnable function with the parameter that it has by now.
    fn greatest_slope(self, activation: Activation) -> f32 {
        match self {
            Self::Softmax => 0.25,
            Self::Elementwise(_, Context { parameter, .. }) => {
                let now = activation.with_parameter(parameter);
                let range = now.facts().derivative_range;
                range.low.abs().max(range.high.abs()) as f32
            }
        }
    }
}

/// Replaces a row by its softmax.
fn softmax(row: &mut [f32]) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for x in row.iter_mut() {
        *x = (*x - highest).exp();
    }
    let sum: f32 = row.iter().sum();
    for x in row.iter_mut() {
        *x /= sum;
    }
}

fn empty_histogram() -> Histogram {
    Histogram {
        low: LOW.into(),
        high: HIGH.into(),
        counts: vec![0; BINS],
        below: 0,
        above: 0,
    }
}

trait Absorb {
    fn absorb(&mut self, values: &[f32]);
}

impl Absorb for Histogram {
    fn absorb(&mut self, values: &[f32]) {
        let scale = BINS as f32 / (HIGH - LOW);
        for &value in values {
            if value < LOW {
                self.below += 1;
            } else if value >= HIGH {
                self.above += 1;
            } else if value.is_finite() {
                let bin = ((value - LOW) * scale) as usize;
                self.counts[bin.min(BINS - 1)] += 1;
            }
        }
    }
}
