//! Normalisation layers: which one, and its Burn module.

use std::fmt;
use std::str::FromStr;

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, GroupNorm, GroupNormConfig};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Which normalisation stands between a layer and its activation.
///
/// Written as `batch`, `layer`, `group:G` or `none`. All have a learnable scale and shift per
/// channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Normalization {
    /// Over the batch and all positions, per channel: <https://arxiv.org/abs/1502.03167>.
    #[default]
    Batch,
    /// Over all channels and positions, per image: <https://arxiv.org/abs/1607.06450>.
    Layer,
    /// Over groups of channels and all positions, per image: <https://arxiv.org/abs/1803.08494>.
    Group(usize),
    /// No normalisation; the layer has a bias instead.
    None,
}

/// A normalisation that is not one of those known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown normalization `{0}`; expected `batch`, `layer`, `group:G` with G ≥ 1, or `none`")]
pub struct ParseNormalizationError(String);

impl FromStr for Normalization {
    type Err = ParseNormalizationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseNormalizationError(text.to_owned());
        match text.split_once(':') {
            Some(("group", groups)) => match groups.parse() {
                Ok(0) | Err(_) => Err(error()),
                Ok(groups) => Ok(Self::Group(groups)),
            },
            Some(_) => Err(error()),
            None => match text {
                "batch" => Ok(Self::Batch),
                "layer" => Ok(Self::Layer),
                "none" => Ok(Self::None),
                _ => Err(error()),
            },
        }
    }
}

impl fmt::Display for Normalization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch => f.write_str("batch"),
            Self::Layer => f.write_str("layer"),
            Self::Group(groups) => write!(f, "group:{groups}"),
            Self::None => f.write_str("none"),
        }
    }
}

impl TryFrom<String> for Normalization {
    type Error = ParseNormalizationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Normalization> for String {
    fn from(normalization: Normalization) -> Self {
        normalization.to_string()
    }
}

impl Normalization {
    /// The layer for `channels` channels. `Group(g)` needs g to divide `channels`, which
    /// [`CnnConfig::check`](crate::CnnConfig::check) has made sure of.
    pub(crate) fn init(self, channels: usize, device: &Device) -> NormalizationLayer {
        let group =
            |groups| NormalizationLayer::Group(GroupNormConfig::new(groups, channels).init(device));
        match self {
            Self::Batch => NormalizationLayer::Batch(BatchNormConfig::new(channels).init(device)),
            Self::Layer => group(1),
            Self::Group(groups) => group(groups),
            Self::None => NormalizationLayer::None(None),
        }
    }
}

/// The normalisation of one layer.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum NormalizationLayer {
    /// Batch normalisation, with its running statistics.
    Batch(BatchNorm),
    /// Group normalisation; with one group it is layer normalisation.
    Group(GroupNorm),
    /// Passes its input through. (The module derive wants every variant to hold one value.)
    None(Option<BatchNorm>),
}

impl NormalizationLayer {
    /// Input and output: `[batch, channels, ...]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Batch(layer) => layer.forward(x),
            Self::Group(layer) => layer.forward(x),
            Self::None(_) => x,
        }
    }
}
