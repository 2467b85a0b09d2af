//! A look inside the network while it computes.

use burn::tensor::Tensor;

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

/// Receives what goes into and comes out of each activation in a forward pass, in the order of
/// computation.
///
/// `()` is the observer that does not look, and costs nothing.
pub trait Observer {
    /// Whether to be called at all; a constant, so that the calls vanish where it is `false`.
    const ACTIVE: bool = true;

    /// `pre_activation` and `activation`: `[batch, units, positions]`, where a convolution's
    /// units are its channels and its positions the pixels of its output, and a dense layer has
    /// one position.
    fn observe(&mut self, site: Site, pre_activation: Tensor<3>, activation: Tensor<3>);
}

impl Observer for () {
    const ACTIVE: bool = false;

    fn observe(&mut self, _: Site, _: Tensor<3>, _: Tensor<3>) {}
}
