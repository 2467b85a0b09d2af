//! How much of the loss's gradient arrives at each layer.

use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorReadError};
use model::{Cnn, Weight};
use serde::{Deserialize, Serialize};

/// Sums of gradient norms over the batches of an epoch that were measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GradientTally {
    /// Number of batches.
    pub batches: usize,
    /// Sum of the norms of each layer, input first.
    pub sums: Vec<f64>,
}

impl GradientTally {
    /// Adds one batch's norms, one per layer.
    pub fn add(&mut self, norms: &[f64]) {
        self.batches += 1;
        self.sums.resize(norms.len(), 0.0);
        for (sum, norm) in self.sums.iter_mut().zip(norms) {
            *sum += norm;
        }
    }

    /// The mean norm of layer number `layer` (from 0).
    pub fn mean(&self, layer: usize) -> Option<f64> {
        let sum = self.sums.get(layer)?;
        Some(sum / self.batches as f64)
    }
}

/// ‖∂L/∂W‖₂ for the weights W in front of each site, input first: of one batch, by the mean loss of
/// its images.
///
/// # Errors
///
/// If the device cannot compute or copy them.
pub fn gradient_norms(
    network: &Cnn,
    gradients: &GradientsParams,
) -> Result<Vec<f64>, TensorReadError> {
    network
        .layers()
        .map(|layer| match layer.weight {
            Weight::Convolution(weight) => norm(weight, gradients),
            Weight::Dense(weight) => norm(weight, gradients),
        })
        .collect()
}

/// 0 for a weight that no gradient has reached at all.
fn norm<const D: usize>(
    weight: &Param<Tensor<D>>,
    gradients: &GradientsParams,
) -> Result<f64, TensorReadError> {
    let Some(gradient) = gradients.get::<D>(weight.id) else {
        return Ok(0.0);
    };
    let values = gradient.try_into_vec_as::<f32>()?;
    // The small gradients of deep networks have squares below the least `f32`.
    let squares = values.iter().map(|&x| f64::from(x).powi(2));
    Ok(squares.sum::<f64>().sqrt())
}
