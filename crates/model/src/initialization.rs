//! Initial weights: drawn on the host from the run's seed, so that they are the same on every
//! backend, and so that networks that differ only in their activation start from the same draws.

use std::str::FromStr;

use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use rand_distr::{Distribution, StandardNormal};
use seed::{Purpose, stream};
use serde::{Deserialize, Serialize};

use crate::activation::Activation;

/// How the weights in front of an activation are drawn. Biases start at the configuration's
/// `initial_bias`.
///
/// Every variant is a normal distribution with mean zero; what differs is its standard deviation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Initialization {
    /// The one of the others that the literature recommends for the activation at hand; see
    /// [`Initialization::matched`].
    #[default]
    Matched,
    /// √(2 / fan_in): He et al. 2015, <https://arxiv.org/abs/1502.01852>.
    He,
    /// √(2 / (fan_in + fan_out)): Glorot and Bengio 2010.
    Xavier,
    /// √(1 / fan_in): LeCun et al. 1998, "Efficient BackProp".
    Lecun,
}

/// An initialisation that is not one of those known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown initialization `{0}`; expected `matched`, `he`, `xavier` or `lecun`")]
pub struct ParseInitializationError(String);

impl FromStr for Initialization {
    type Err = ParseInitializationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "matched" => Ok(Self::Matched),
            "he" => Ok(Self::He),
            "xavier" => Ok(Self::Xavier),
            "lecun" => Ok(Self::Lecun),
            _ => Err(ParseInitializationError(text.to_owned())),
        }
    }
}

impl Initialization {
    /// What [`Initialization::Matched`] stands for with `activation`, never `Matched` itself.
    ///
    /// He for rectifiers and their smooth relatives, which pass about half of the variance; Xavier
    /// for functions that saturate on both sides, and for the sigmoid's logarithm; LeCun for SELU, whose
    /// self-normalisation assumes it (Klambauer et al. 2017), and for functions that leave the variance near
    /// zero as it is. For the shrinkages, the threshold and LiSHT nobody recommends one; they have He's.
    pub fn matched(activation: &Activation) -> Self {
        use Activation::*;
        match activation {
            Sigmoid | Tanh | HardSigmoid | HardTanh | Softsign | Softmax | LogSigmoid
            | PenalizedTanh => Self::Xavier,
            Selu | Identity | Snake { .. } | Sine => Self::Lecun,
            Relu
            | LeakyRelu { .. }
            | Prelu { .. }
            | Rrelu { .. }
            | Relu6
            | Elu { .. }
            | Celu { .. }
            | Gelu
            | GeluTanh
            | QuickGelu
            | Silu
            | SwishBeta { .. }
            | Mish
            | HardMish
            | HardSwish
            | Softplus { .. }
            | TanhShrink
            | HardShrink { .. }
            | SoftShrink { .. }
            | Threshold { .. }
            | Squareplus { .. }
            | Lisht => Self::He,
        }
    }

    /// The standard deviation of the weights of a layer that feeds `activation`.
    ///
    /// `fan_in` and `fan_out` count the connections into and out of one unit (for a convolution:
    /// channels × kernel area). He's deviation takes a rectifier's negative slope a into account:
    /// √(2 / ((1 + a²) fan_in)).
    pub fn standard_deviation(self, activation: &Activation, fan_in: usize, fan_out: usize) -> f64 {
        match self {
            Self::Matched => {
                Self::matched(activation).standard_deviation(activation, fan_in, fan_out)
            }
            Self::He => {
                let slope = activation.negative_slope();
                (2.0 / ((1.0 + slope * slope) * fan_in as f64)).sqrt()
            }
            Self::Xavier => (2.0 / (fan_in + fan_out) as f64).sqrt(),
            Self::Lecun => (1.0 / fan_in as f64).sqrt(),
        }
    }
}

/// A weight of the given shape whose elements are `standard_deviation` times standard normal
/// draws of the run's stream for layer number `layer`.
pub(crate) fn normal_weight<const D: usize>(
    shape: [usize; D],
    standard_deviation: f64,
    run_seed: u64,
    layer: u64,
    device: &Device,
) -> Param<Tensor<D>> {
    let rng = stream(run_seed, Purpose::Initialisation, 0, layer);
    let draws = Distribution::<f64>::sample_iter(StandardNormal, rng);
    let values: Vec<f32> = draws
        .map(|draw| (standard_deviation * draw) as f32)
        .take(shape.iter().product())
        .collect();
    Param::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change here changes every recorded run.
    #[test]
    fn initial_weights_are_stable() {
        let weight = normal_weight([4], 1.0, 7, 2, &Device::flex());
        let weights: Vec<f32> = weight.val().into_data().iter().collect();
        assert_eq!(weights, [-0.41453394, 1.218579, 1.1483352, -0.36497355]);
    }
}
