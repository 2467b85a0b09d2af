//! The activation functions among the CPU's kernels.

use kernels::function::Function;

use super::{Activation, ActivationLayer};

impl Activation {
    /// The kernel that computes this activation; `None` if there is none, and Burn's operations do.
    pub fn kernel(&self) -> Option<Function> {
        Some(match *self {
            Self::Identity => Function::Identity,
            Self::Sigmoid => Function::Sigmoid,
            Self::Tanh => Function::Tanh,
            Self::Relu => Function::Relu,
            Self::LeakyRelu { slope } => Function::LeakyRelu { slope },
            Self::Prelu { .. } => Function::Prelu,
            Self::Rrelu { lower, upper } => Function::Rrelu { lower, upper },
            Self::Relu6 => Function::Relu6,
            Self::Elu { alpha } => Function::Elu { alpha },
            Self::Celu { alpha } => Function::Celu { alpha },
            Self::Selu => Function::Selu,
            Self::Gelu => Function::Gelu,
            Self::GeluTanh => Function::GeluTanh,
            Self::QuickGelu => Function::QuickGelu,
            Self::Silu => Function::Silu,
            Self::SwishBeta { .. } => Function::SwishBeta,
            Self::Mish => Function::Mish,
            Self::HardMish => Function::HardMish,
            Self::HardSigmoid => Function::HardSigmoid,
            Self::HardSwish => Function::HardSwish,
            Self::HardTanh => Function::HardTanh,
            Self::Softplus { beta } => Function::Softplus { beta },
            Self::Softsign => Function::Softsign,
            Self::LogSigmoid => Function::LogSigmoid,
            Self::TanhShrink => Function::TanhShrink,
            Self::HardShrink { lambda } => Function::HardShrink { lambda },
            Self::SoftShrink { lambda } => Function::SoftShrink { lambda },
            Self::Threshold { theta, value } => Function::Threshold { theta, value },
            Self::Squareplus { b } => Function::Squareplus { b },
            Self::PenalizedTanh => Function::PenalizedTanh,
            Self::Lisht => Function::Lisht,
            Self::Snake { alpha } => Function::Snake { alpha },
            Self::Sine => Function::Sine,
            // Not element by element.
            Self::Softmax => return None,
        })
    }
}

impl ActivationLayer {
    /// The kernel that does what [`ActivationLayer::forward`] does; `None` if there is none.
    pub fn kernel(&self) -> Option<Function> {
        match self.activation {
            // Frozen, it draws nothing.
            Activation::Rrelu { .. } if !self.training.is_enabled() => Some(Function::LeakyRelu {
                slope: self.activation.negative_slope() as f32,
            }),
            activation => activation.kernel(),
        }
    }
}
