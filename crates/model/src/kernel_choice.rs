//! Whether kernels of our own or Burn's operations compute the network.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The kernels of the network's layers.
///
/// Written as `fused` or `stock`. Where the kernels do not run, on GPUs or for a function that has
/// none, `Fused` is the same as `Stock`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kernels {
    /// Burn's operations, one after the other.
    Stock,
    /// On CPUs, kernels that compute a layer and what follows it at once.
    #[default]
    Fused,
}

/// Kernels that are not one of those known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kernels `{0}`; expected `fused` or `stock`")]
pub struct ParseKernelsError(String);

impl FromStr for Kernels {
    type Err = ParseKernelsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "stock" => Ok(Self::Stock),
            "fused" => Ok(Self::Fused),
            _ => Err(ParseKernelsError(text.to_owned())),
        }
    }
}

impl fmt::Display for Kernels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stock => "stock",
            Self::Fused => "fused",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for kernels in [Kernels::Stock, Kernels::Fused] {
            assert_eq!(kernels.to_string().parse(), Ok(kernels));
        }
        assert!("Fused".parse::<Kernels>().is_err());
    }
}
