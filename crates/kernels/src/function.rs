//! Activation functions and their derivatives, element by element.
//!
//! A new one takes a variant of [`Function`], an arm in `dispatch`, and a line in the tests. An arm
//! gives the value together with the derivative; where only one of them is wanted, the compiler
//! drops what the other alone needs.
//!
//! Values and derivatives are finite wherever their true values fit the number format; infinite
//! inputs may give NaN. The value at NaN is NaN; the derivative there may be that of whichever piece
//! comparisons with NaN lead to. At kinks the derivatives follow
//! PyTorch: they are those of the side which holds the kink. Gradients are multiplied by derivatives:
//! an infinite one is NaN where the derivative is 0, and not 0 as by a definition that selects.
//!
//! Where the functions and their constants come from, `Activation::facts` of the crate `model` says.

mod max_pooling;
#[allow(unsafe_code)]
mod normalized_row;
mod piecewise;
#[allow(unsafe_code)]
mod pooling_rows;
mod smooth;

use crate::random::{Uniforms, same_upper};
use crate::simd::{Isa, Routine, Simd};

pub(crate) use normalized_row::{NormalizedRow, RowGradient};
pub(crate) use pooling_rows::{PoolingRows, TrainingPoolingRows};
pub use smooth::{SELU_ALPHA, SELU_SCALE};

/// An element-wise activation function, with its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// x.
    Identity,
    /// σ(x) = 1 / (1 + e⁻ˣ).
    Sigmoid,
    /// tanh x.
    Tanh,
    /// max(x, 0).
    Relu,
    /// x where it is positive, else slope · x.
    LeakyRelu {
        /// Slope below zero.
        slope: f32,
    },
    /// x where it is positive, else parameter · x.
    Prelu,
    /// x where it is positive, else s · x with an s drawn for each element, uniformly.
    Rrelu {
        /// Lower end of the slopes.
        lower: f32,
        /// Upper end of the slopes.
        upper: f32,
    },
    /// x limited to 0..6.
    Relu6,
    /// x where it is positive, else α (eˣ − 1).
    Elu {
        /// α.
        alpha: f32,
    },
    /// x where it is positive, else α (e^(x/α) − 1).
    Celu {
        /// α; positive, and not subnormal.
        alpha: f32,
    },
    /// 1.0507 x where it is positive, else 1.7581 (eˣ − 1).
    Selu,
    /// x Φ(x), with the normal distribution function Φ.
    Gelu,
    /// x σ(2u) = x (1 + tanh u) / 2 with u = √(2/π) (x + 0.044715 x³).
    GeluTanh,
    /// x σ(1.702 x).
    QuickGelu,
    /// x σ(x).
    Silu,
    /// x σ(parameter · x).
    SwishBeta,
    /// x tanh(ln(1 + eˣ)).
    Mish,
    /// x/2 · min(2, max(0, x + 2)).
    HardMish,
    /// (x + 3) / 6 limited to 0..1.
    HardSigmoid,
    /// x times the hard sigmoid of it.
    HardSwish,
    /// x limited to −1..1.
    HardTanh,
    /// ln(1 + e^(βx)) / β.
    Softplus {
        /// β; positive, and not subnormal.
        beta: f32,
    },
    /// x / (1 + |x|).
    Softsign,
    /// ln σ(x).
    LogSigmoid,
    /// x − tanh x.
    TanhShrink,
    /// x where |x| > λ, else 0.
    HardShrink {
        /// λ; not negative.
        lambda: f32,
    },
    /// x, moved towards 0 by λ, and 0 if it is nearer than that.
    SoftShrink {
        /// λ; not negative.
        lambda: f32,
    },
    /// x where x > θ, else a constant.
    Threshold {
        /// θ.
        theta: f32,
        /// The constant.
        value: f32,
    },
    /// (x + √(x² + b)) / 2.
    Squareplus {
        /// b; positive, and not subnormal.
        b: f32,
    },
    /// tanh x where x is positive, else tanh(x) / 4.
    PenalizedTanh,
    /// x tanh x.
    Lisht,
    /// x + sin²(αx) / α.
    Snake {
        /// α; neither zero nor subnormal.
        alpha: f32,
    },
    /// sin x.
    Sine,
}

/// What a function needs beside its input.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// The slope of [`Function::Prelu`], or β of [`Function::SwishBeta`]; the others ignore it.
    pub parameter: f32,
    /// Where [`Function::Rrelu`] draws its slopes; without, it has the mean slope.
    pub draws: Option<Draws>,
}

/// Which random numbers the elements of a slice get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draws {
    /// Names the sequence of numbers; see [`crate::random`].
    pub key: u64,
    /// Place of the slice's first element in the sequence.
    pub first: u64,
}

impl Function {
    /// Replaces every x of `values` by f(x).
    pub fn apply(self, isa: Isa, context: Context, values: &mut [f32]) {
        let here = self.drawn_together(context, values.len());
        let (values, rest) = values.split_at_mut(here);
        isa.run(ElementwiseRoutine {
            function: self,
            context,
            elements: Values(values),
        });
        if !rest.is_empty() {
            self.apply(isa, context.after(here), rest);
        }
    }

    /// Multiplies every number of `gradients` by f′(x), with the x of `inputs` in its place.
    ///
    /// # Panics
    ///
    /// If `inputs` has another length.
    pub fn backward(self, isa: Isa, context: Context, inputs: &[f32], gradients: &mut [f32]) {
        assert_eq!(inputs.len(), gradients.len());
        let here = self.drawn_together(context, inputs.len());
        let (inputs, rest) = inputs.split_at(here);
        let (gradients, gradients_rest) = gradients.split_at_mut(here);
        isa.run(ElementwiseRoutine {
            function: self,
            context,
            elements: Derivatives { inputs, gradients },
        });
        if !rest.is_empty() {
            self.backward(isa, context.after(here), rest, gradients_rest);
        }
    }

    /// The sum of gradient · ∂f/∂parameter over all elements; 0 if the function has no parameter.
    /// The gradients are those by the outputs, before [`Function::backward`] changes them.
    ///
    /// # Panics
    ///
    /// If `inputs` has another length.
    pub fn parameter_gradient(
        self,
        isa: Isa,
        context: Context,
        inputs: &[f32],
        gradients: &[f32],
    ) -> f32 {
        assert_eq!(inputs.len(), gradients.len());
        if !self.has_parameter() {
            return 0.0;
        }
        // The sums of `f32` are short, so that they are as good as their terms.
        const PORTION: usize = 2048;
        let portions = inputs.chunks(PORTION).zip(gradients.chunks(PORTION));
        let sum: f64 = portions
            .map(|(inputs, gradients)| {
                isa.run(ParameterGradient {
                    function: self,
                    parameter: context.parameter,
                    inputs,
                    gradients,
                }) as f64
            })
            .sum();
        sum as f32
    }

    /// Whether it is known never to decrease, so that the largest of several values comes from the
    /// largest of several inputs.
    pub fn is_nondecreasing(self) -> bool {
        match self {
            Self::Identity
            | Self::Sigmoid
            | Self::Tanh
            | Self::Relu
            | Self::Relu6
            | Self::Celu { .. }
            | Self::Selu
            | Self::HardSigmoid
            | Self::HardTanh
            | Self::Softplus { .. }
            | Self::Softsign
            | Self::LogSigmoid
            | Self::TanhShrink
            | Self::HardShrink { .. }
            | Self::SoftShrink { .. }
            | Self::Squareplus { .. }
            | Self::PenalizedTanh
            | Self::Snake { .. } => true,
            Self::LeakyRelu { slope } => slope >= 0.0,
            Self::Elu { alpha } => alpha >= 0.0,
            Self::Threshold { theta, value } => value <= theta,
            // Of some others it depends on what is learned or drawn.
            _ => false,
        }
    }

    /// Whether it is known never to increase up to some place and never to decrease from there on, so
    /// that the largest of several values comes from the smallest or the largest of several inputs.
    pub fn is_quasiconvex(self) -> bool {
        match self {
            Self::LeakyRelu { .. }
            | Self::Prelu
            | Self::Elu { .. }
            | Self::Gelu
            | Self::GeluTanh
            | Self::QuickGelu
            | Self::Silu
            | Self::Mish
            | Self::HardMish
            | Self::HardSwish
            | Self::Lisht => true,
            other => other.is_nondecreasing(),
        }
    }

    /// How max pooling of the function's values is computed.
    pub(crate) fn pooling_order(self) -> PoolingOrder {
        if self.is_nondecreasing() {
            PoolingOrder::PoolThenActivate
        } else if self.is_quasiconvex() {
            PoolingOrder::ActivateExtremes
        } else {
            PoolingOrder::ActivateThenPool
        }
    }

    /// Whether the function draws random numbers, in training.
    pub fn is_random(self) -> bool {
        matches!(self, Self::Rrelu { .. })
    }

    /// Whether the function has a parameter that is learnt.
    pub fn has_parameter(self) -> bool {
        matches!(self, Self::Prelu | Self::SwishBeta)
    }

    /// How many of `len` elements one loop can do: the places of the numbers that it draws must
    /// have the same upper 32 bits.
    fn drawn_together(self, context: Context, len: usize) -> usize {
        match context.draws {
            Some(draws) if self.is_random() => same_upper(draws.first, len),
            _ => len,
        }
    }
}

/// How max pooling of a function's values is computed: the largest value comes from the largest input,
/// from the smallest or the largest, or from any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PoolingOrder {
    /// The function of the largest input alone.
    PoolThenActivate,
    /// Of the smallest and the largest input, by [`Function::pool`].
    ActivateExtremes,
    /// Of all inputs.
    ActivateThenPool,
}

impl Context {
    /// For what comes after `count` elements.
    fn after(self, count: usize) -> Self {
        let draws = self.draws.map(|draws| Draws {
            first: draws.first.wrapping_add(count as u64),
            ..draws
        });
        Self { draws, ..self }
    }
}

/// A loop over some slices that takes a function's value or derivative at every element.
///
/// [`dispatch`] passes it the function, so that the loop is compiled for each of them.
pub(crate) trait Elementwise: Sized {
    /// Runs the loop with `f`, which gives (f(x), f′(x)) and is called with the x from the first
    /// vector to the last.
    fn run<S: Simd>(self, s: S, f: impl FnMut(S::F32) -> (S::F32, S::F32));

    /// [`run`](Self::run) for f(x) = x.
    #[inline(always)]
    fn run_identity<S: Simd>(self, s: S) {
        let one = s.splat(1.0);
        self.run(
            s,
            #[inline(always)]
            |x| (x, one),
        );
    }
}

/// [`dispatch`] as a routine.
struct ElementwiseRoutine<E> {
    function: Function,
    context: Context,
    elements: E,
}

impl<E: Elementwise> Routine for ElementwiseRoutine<E> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        dispatch(s, self.function, self.context, self.elements);
    }
}

/// Runs `elements` with `function`.
#[inline(always)]
fn dispatch<S: Simd>(s: S, function: Function, context: Context, elements: impl Elementwise) {
    use piecewise::*;
    use smooth::*;
    // Not a function, because what is not inlined is not compiled for the instruction set.
    macro_rules! each {
        (|$x:ident| $pair:expr) => {
            elements.run(
                s,
                #[inline(always)]
                |$x| $pair,
            )
        };
    }
    match function {
        Function::Identity => elements.run_identity(s),
        Function::Sigmoid => each!(|x| sigmoid(s, x)),
        Function::Tanh => each!(|x| tanh(s, x)),
        Function::Relu => each!(|x| relu(s, x)),
        Function::LeakyRelu { slope } => each!(|x| rectifier(s, x, s.splat(slope))),
        Function::Prelu => each!(|x| rectifier(s, x, s.splat(context.parameter))),
        Function::Rrelu { lower, upper } => match context.draws {
            Some(Draws { key, first }) => {
                let mut uniforms = Uniforms::new(s, key, first);
                let (width, lower) = (s.splat(upper - lower), s.splat(lower));
                each!(|x| rectifier(s, x, s.mul_add(uniforms.next(), width, lower)))
            }
            None => {
                let mean = (f64::from(lower) + f64::from(upper)) / 2.0;
                each!(|x| rectifier(s, x, s.splat(mean as f32)))
            }
        },
        Function::Relu6 => each!(|x| clip(s, x, 0.0, 6.0)),
        Function::Elu { alpha } => {
            let elu = Elu::new(1.0, alpha.into(), 1.0);
            each!(|x| elu.at(s, x))
        }
        Function::Celu { alpha } => {
            let elu = Elu::new(1.0, alpha.into(), alpha.into());
            each!(|x| elu.at(s, x))
        }
        Function::Selu => {
            let elu = Elu::new(SELU_SCALE, SELU_SCALE * SELU_ALPHA, 1.0);
            each!(|x| elu.at(s, x))
        }
        Function::Gelu => each!(|x| gelu(s, x)),
        Function::GeluTanh => each!(|x| gelu_tanh(s, x)),
        Function::QuickGelu => each!(|x| swish(s, x, s.splat(1.702))),
        Function::Silu => each!(|x| swish(s, x, s.splat(1.0))),
        Function::SwishBeta => each!(|x| swish(s, x, s.splat(context.parameter))),
        Function::Mish => each!(|x| mish(s, x)),
        Function::HardMish => each!(|x| hard_mish(s, x)),
        Function::HardSigmoid => each!(|x| hard_sigmoid(s, x)),
        Function::HardSwish => each!(|x| hard_swish(s, x)),
        Function::HardTanh => each!(|x| clip(s, x, -1.0, 1.0)),
        Function::Softplus { beta } => each!(|x| softplus(s, x, beta)),
        Function::Softsign => each!(|x| softsign(s, x)),
        Function::LogSigmoid => each!(|x| log_sigmoid(s, x)),
        Function::TanhShrink => each!(|x| tanh_shrink(s, x)),
        Function::HardShrink { lambda } => each!(|x| hard_shrink(s, x, s.splat(lambda))),
        Function::SoftShrink { lambda } => each!(|x| soft_shrink(s, x, s.splat(lambda))),
        Function::Threshold { theta, value } => {
            each!(|x| threshold(s, x, s.splat(theta), s.splat(value)))
        }
        Function::Squareplus { b } => {
            let squareplus = Squareplus::new(b);
            each!(|x| squareplus.at(s, x))
        }
        Function::PenalizedTanh => each!(|x| penalized_tanh(s, x)),
        Function::Lisht => each!(|x| lisht(s, x)),
        Function::Snake { alpha } => each!(|x| snake(s, x, alpha)),
        Function::Sine => each!(|x| sine(s, x)),
    }
}

/// Every x becomes f(x).
struct Values<'a>(&'a mut [f32]);

impl Elementwise for Values<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S, mut f: impl FnMut(S::F32) -> (S::F32, S::F32)) {
        s.map(
            self.0,
            #[inline(always)]
            |x| f(x).0,
        );
    }

    /// Nothing changes.
    #[inline(always)]
    fn run_identity<S: Simd>(self, _: S) {}
}

/// Every gradient becomes gradient · f′(x).
struct Derivatives<'a> {
    inputs: &'a [f32],
    gradients: &'a mut [f32],
}

impl Elementwise for Derivatives<'_> {
    #[inline(always)]
    fn run<S: Simd>(self, s: S, mut f: impl FnMut(S::F32) -> (S::F32, S::F32)) {
        s.zip_map(
            self.gradients,
            self.inputs,
            #[inline(always)]
            |gradient, x| s.mul(gradient, f(x).1),
        );
    }

    /// Nothing changes.
    #[inline(always)]
    fn run_identity<S: Simd>(self, _: S) {}
}

/// The sum of gradient · ∂f/∂parameter.
struct ParameterGradient<'a> {
    function: Function,
    parameter: f32,
    inputs: &'a [f32],
    gradients: &'a [f32],
}

impl Routine for ParameterGradient<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let mut sum = s.splat(0.0);
        match self.function {
            Function::Prelu => s.zip_for_each(
                self.inputs,
                self.gradients,
                #[inline(always)]
                |x, gradient| {
                    sum = s.mul_add(gradient, piecewise::rectifier_by_slope(s, x), sum);
                },
            ),
            Function::SwishBeta => s.zip_for_each(
                self.inputs,
                self.gradients,
                #[inline(always)]
                |x, gradient| {
                    let beta = s.splat(self.parameter);
                    sum = s.mul_add(gradient, smooth::swish_by_beta(s, x, beta), sum);
                },
            ),
            _ => {}
        }
        s.sum(sum)
    }
}
