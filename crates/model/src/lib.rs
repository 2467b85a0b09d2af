//! One convolutional network with any activation function.
//!
//! [`CnnConfig`] says what the network looks like, [`CnnConfig::init`] builds it, and
//! [`Cnn::forward`] takes images `[batch, 1, height, width]` to logits `[batch, classes]`. Every
//! hidden layer is convolution or dense layer → [`Normalization`] → [`Activation`]; pooling and
//! dropout come after that. [`Cnn::forward_observed`] shows what goes into every activation. On CPUs
//! the layers are computed by kernels of our own, see [`Kernels`].

mod activation;
mod cnn;
mod config;
mod fused_layer;
mod initialization;
mod kernel_choice;
mod normalization;
mod observe;
mod preset;

pub use activation::{
    Activation, ActivationLayer, Facts, Interval, ParseActivationError, Smoothness,
};
pub use cnn::{Cnn, Layer, Task, Weight};
pub use config::{CnnConfig, CnnConfigError, Downsampling, Padding, StageConfig};
pub use initialization::{Initialization, ParseInitializationError};
pub use kernel_choice::{Kernels, ParseKernelsError};
pub use normalization::{Normalization, NormalizationLayer, ParseNormalizationError};
pub use observe::{Observer, Site};
pub use preset::{ParsePresetError, Preset};
