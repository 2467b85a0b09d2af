//! Ready-made networks.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::activation::Activation;
use crate::config::{CnnConfig, Downsampling, Padding, StageConfig};
use crate::initialization::Initialization;
use crate::normalization::Normalization;

/// A named network. Written as `tiny`, `small`, `classic`, `kaggle` or `deep:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Preset {
    /// 16C5-P-32C3-P-128: about 0.21 million parameters, the fastest to 99 %.
    Tiny,
    /// 24C5-P-32C3-P-256: about 0.41 million parameters.
    #[default]
    Small,
    /// Twice 32C3, pool, dropout, twice 64C3, pool, dropout, dense 128: the network of many Keras
    /// tutorials.
    Classic,
    /// 32C3-32C3-32C5S2-64C3-64C3-64C5S2-128 with dropout 0.4: after C. Deotte, "25 Million
    /// Images! MNIST", Kaggle 2018.
    Kaggle,
    /// N plain 3×3 convolutions of 16 channels without normalisation, pooled after the first and
    /// the last, then dense 64: for studying how gradients vanish with depth.
    Deep(usize),
}

/// A preset that is not one of those known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown preset `{0}`; expected `tiny`, `small`, `classic`, `kaggle`, or `deep:N` with N from 1 to {MAX_DEPTH}"
)]
pub struct ParsePresetError(String);

/// The deepest `deep:N`. Beyond it nothing is learned about vanishing gradients, and every layer
/// costs time and memory.
const MAX_DEPTH: usize = 200;

impl FromStr for Preset {
    type Err = ParsePresetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParsePresetError(text.to_owned());
        match text {
            "tiny" => Ok(Self::Tiny),
            "small" => Ok(Self::Small),
            "classic" => Ok(Self::Classic),
            "kaggle" => Ok(Self::Kaggle),
            _ => {
                let depth = text.strip_prefix("deep:").ok_or_else(error)?;
                match depth.parse() {
                    Ok(depth) if (1..=MAX_DEPTH).contains(&depth) => Ok(Self::Deep(depth)),
                    _ => Err(error()),
                }
            }
        }
    }
}

impl TryFrom<String> for Preset {
    type Error = ParsePresetError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tiny => f.write_str("tiny"),
            Self::Small => f.write_str("small"),
            Self::Classic => f.write_str("classic"),
            Self::Kaggle => f.write_str("kaggle"),
            Self::Deep(depth) => write!(f, "deep:{depth}"),
        }
    }
}

impl Preset {
    /// The network of this preset with `activation` at every site.
    pub fn network(self, activation: Activation) -> CnnConfig {
        let network = CnnConfig {
            activation,
            normalization: Normalization::default(),
            initialization: Initialization::default(),
            initial_bias: 0.0,
            hidden_units: 256,
            hidden_dropout: 0.0,
            stages: Vec::new(),
        };
        match self {
            Self::Tiny => CnnConfig {
                stages: vec![
                    StageConfig::new(16, 5).downsampled(Downsampling::Pool),
                    StageConfig::new(32, 3).downsampled(Downsampling::Pool),
                ],
                hidden_units: 128,
                ..network
            },
            Self::Small => CnnConfig {
                stages: vec![
                    StageConfig::new(24, 5).downsampled(Downsampling::Pool),
                    StageConfig::new(32, 3).downsampled(Downsampling::Pool),
                ],
                ..network
            },
            Self::Classic => {
                let stage = |channels| {
                    StageConfig::new(channels, 3)
                        .repeated(2)
                        .downsampled(Downsampling::Pool)
                        .with_dropout(0.25)
                };
                CnnConfig {
                    stages: vec![stage(32), stage(64)],
                    hidden_units: 128,
                    hidden_dropout: 0.5,
                    ..network
                }
            }
            Self::Kaggle => {
                let stages = |channels| {
                    [
                        StageConfig::new(channels, 3)
                            .repeated(2)
                            .padded(Padding::Valid),
                        StageConfig::new(channels, 5)
                            .downsampled(Downsampling::Stride)
                            .with_dropout(0.4),
                    ]
                };
                CnnConfig {
                    stages: [stages(32), stages(64)].concat(),
                    hidden_units: 128,
                    hidden_dropout: 0.4,
                    ..network
                }
            }
            Self::Deep(depth) => {
                let pooled = StageConfig::new(16, 3).downsampled(Downsampling::Pool);
                let mut stages = vec![pooled.clone()];
                if depth > 2 {
                    stages.push(StageConfig::new(16, 3).repeated(depth - 2));
                }
                if depth > 1 {
                    stages.push(pooled);
                }
                CnnConfig {
                    stages,
                    hidden_units: 64,
                    normalization: Normalization::None,
                    ..network
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for text in ["tiny", "small", "classic", "kaggle", "deep:1", "deep:20"] {
            let preset: Preset = text.parse().unwrap();
            assert_eq!(preset.to_string(), text);
        }
        for text in [
            "", "Small", "deep", "deep:", "deep:0", "deep:201", "deep:-1",
        ] {
            assert!(text.parse::<Preset>().is_err(), "{text}");
        }
    }

    #[test]
    fn deep_has_as_many_convolutions_as_it_says() {
        for depth in [1, 2, 3, 20] {
            let network = Preset::Deep(depth).network(Activation::Relu);
            let layers: usize = network.stages.iter().map(|stage| stage.repeat).sum();
            assert_eq!(layers, depth);
        }
    }
}
