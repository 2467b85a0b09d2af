//! A look inside the network while it computes.

use std::fmt;

use burn::tensor::Tensor;

use crate::activation::ActivationLayer;

/// One place in the network where an activation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    /// After convolution number `layer` (from 0) of stage number `stage` (from 0).
    Convolution {
        /// Number of the stage, from 0.
        stage: usize,
        /// Number of the convolution within the stage, from 0.
        layer: usize,
    },
    /// After the hidden dense layer.
    Hidden,
}

impl fmt::Display for Site {
    /// Counts from 1: `stage 1, layer 2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Convolution { stage, layer } => {
                write!(f, "stage {}, layer {}", stage + 1, layer + 1)
            }
            Self::Hidden => f.write_str("hidden"),
        }
    }
}

/// Receives what goes into each activation in a forward pass, in the order of computation.
///
/// `()` is the observer that does not look, and costs nothing.
pub trait Observer {
    /// Whether to be called at all; a constant, so that the calls vanish where it is `false`.
    const ACTIVE: bool = true;

    /// `pre_activation`: `[batch, positions, units]`, where a convolution's units are its channels
    /// and its positions the pixels of its output, and a dense layer has one position. `layer` is
    /// the activation that it goes into.
    fn observe(&mut self, site: Site, layer: &ActivationLayer, pre_activation: Tensor<3>);
}

impl Observer for () {
    const ACTIVE: bool = false;

    fn observe(&mut self, _: Site, _: &ActivationLayer, _: Tensor<3>) {}
}
