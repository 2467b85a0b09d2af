//! A layer with its epilogue as one block of the CPU's kernels.
//!
//! The results are those of Burn's modules but for rounding, and for what is drawn at random.

use burn::module::RunningState;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Dropout, Linear, PaddingConfig2d};
use burn::tensor::{DType, Tensor};
use fused::{Chain, Parameters, Statistics};
use kernels::block::{Block, LinearMap, Normalization};
use kernels::convolution::Convolution;
use kernels::dense::Dense;
use kernels::function::Function;

use crate::activation::ActivationLayer;
use crate::normalization::NormalizationLayer;

/// What follows a layer's linear map.
pub(crate) struct Epilogue<'a> {
    pub(crate) normalization: &'a NormalizationLayer,
    /// Without one, the output is the pre-activation.
    pub(crate) activation: Option<&'a ActivationLayer>,
    /// 2×2 max pooling.
    pub(crate) pool: bool,
    pub(crate) dropout: Option<&'a Dropout>,
}

impl Epilogue<'_> {
    /// Nothing but the normalisation: what goes into the activation.
    pub(crate) fn pre_activation_only(&self) -> Self {
        Self {
            activation: None,
            pool: false,
            dropout: None,
            ..*self
        }
    }
}

/// The convolution of `x`, `[batch, channels_in, height, width]`, and what follows it; `None` where
/// the kernels cannot compute it.
pub(crate) fn convolution(
    x: &Tensor<4>,
    layer: &Conv2d,
    epilogue: &Epilogue<'_>,
) -> Option<Tensor<4>> {
    if !computes_on(x) {
        return None;
    }
    let [_, _, height, width] = x.dims();
    compute(
        x,
        FusedLayer::of_convolution([height, width], layer, epilogue)?,
    )
}

/// The dense layer of `x`, `[batch, channels, height, width]`, flattened, and what follows it;
/// `None` where the kernels cannot compute it.
pub(crate) fn dense(x: &Tensor<4>, layer: &Linear, epilogue: &Epilogue<'_>) -> Option<Tensor<2>> {
    if !computes_on(x) {
        return None;
    }
    let [_, channels, height, width] = x.dims();
    let size = [height, width, channels];
    compute(x, FusedLayer::of_dense(size, layer, epilogue)?)
}

/// Whether the kernels compute on tensors such as `x`.
pub(crate) fn computes_on(x: &Tensor<4>) -> bool {
    x.dtype() == DType::F32 && fused::runs_on(&x.device())
}

/// A layer with what follows it, for the kernels.
pub(crate) struct FusedLayer<'a, const D: usize> {
    pub(crate) block: Block,
    parameters: Parameters<D>,
    /// Where the running statistics are, and to be.
    batch: Option<&'a BatchNorm>,
}

impl<'a> FusedLayer<'a, 4> {
    /// The convolution of images of `[height, width]`; `None` where the kernels cannot compute it.
    pub(crate) fn of_convolution(
        [height, width]: [usize; 2],
        layer: &Conv2d,
        epilogue: &Epilogue<'a>,
    ) -> Option<Self> {
        let [outputs, inputs, _, _] = layer.weight.shape().dims();
        let padding = match layer.padding {
            PaddingConfig2d::Valid => [0, 0],
            PaddingConfig2d::Explicit(top, left, bottom, right)
                if [top, left] == [bottom, right] =>
            {
                [top, left]
            }
            PaddingConfig2d::Explicit(..) | PaddingConfig2d::Same => return None,
        };
        let [stride, other_stride] = layer.stride;
        if stride != other_stride || layer.dilation != [1, 1] || layer.groups != 1 {
            return None;
        }
        let map = LinearMap::Convolution(Convolution {
            height,
            width,
            inputs,
            outputs,
            kernel: layer.kernel_size,
            stride,
            padding,
        });
        let bias = layer.bias.as_ref().map(|bias| bias.val());
        Self::new(map, layer.weight.val(), bias, epilogue)
    }
}

impl<'a> FusedLayer<'a, 2> {
    /// The dense layer of features of `[height, width, channels]`, flattened; `None` where the
    /// kernels cannot compute it.
    pub(crate) fn of_dense(
        [height, width, channels]: [usize; 3],
        layer: &Linear,
        epilogue: &Epilogue<'a>,
    ) -> Option<Self> {
        let [_, outputs] = layer.weight.shape().dims();
        let map = LinearMap::Dense(Dense {
            pixels: height * width,
            channels,
            outputs,
        });
        let bias = layer.bias.as_ref().map(|bias| bias.val());
        Self::new(map, layer.weight.val(), bias, epilogue)
    }
}

impl<'a, const D: usize> FusedLayer<'a, D> {
    fn new(
        map: LinearMap,
        weight: Tensor<D>,
        bias: Option<Tensor<1>>,
        epilogue: &Epilogue<'a>,
    ) -> Option<Self> {
        if weight.dtype() != DType::F32 {
            return None;
        }
        let (normalization, scale, shift) = match epilogue.normalization {
            NormalizationLayer::Batch(layer) => {
                let epsilon = layer.epsilon as f32;
                let (scale, shift) = (layer.gamma.val(), layer.beta.val());
                (Normalization::Batch { epsilon }, Some(scale), Some(shift))
            }
            NormalizationLayer::Group(layer) => {
                let normalization = Normalization::Group {
                    groups: layer.num_groups,
                    epsilon: layer.epsilon as f32,
                };
                let [scale, shift] = [&layer.gamma, &layer.beta]
                    .map(|parameter| parameter.as_ref().map(|parameter| parameter.val()));
                (normalization, scale, shift)
            }
            NormalizationLayer::None(_) => (Normalization::None, None, None),
        };
        let dropout = epilogue
            .dropout
            .filter(|dropout| dropout.training.is_enabled())
            .map_or(0.0, |dropout| dropout.prob as f32);
        let block = Block {
            map,
            normalization,
            function: match epilogue.activation {
                Some(activation) => activation.kernel()?,
                None => Function::Identity,
            },
            pool: epilogue.pool,
            dropout,
        };
        let parameters = Parameters {
            weight,
            bias,
            scale,
            shift,
            function_parameter: epilogue.activation.and_then(ActivationLayer::parameter),
        };
        let batch = match epilogue.normalization {
            NormalizationLayer::Batch(layer) => Some(layer),
            _ => None,
        };
        Some(Self {
            block,
            parameters,
            batch,
        })
    }

    fn running(&self) -> Option<Statistics> {
        self.batch.map(|layer| Statistics {
            mean: layer.running_mean.value(),
            variance: layer.running_var.value(),
        })
    }

    /// Appends it to others, for inference.
    pub(crate) fn append_to(&self, chain: &mut Chain) {
        chain.push(self.block, &self.parameters, self.running().as_ref());
    }
}

fn compute<const D: usize>(x: &Tensor<4>, layer: FusedLayer<'_, D>) -> Option<Tensor<D>> {
    if !x.is_autodiff() && !layer.parameters.weight.is_autodiff() {
        let running = layer.running();
        let FusedLayer {
            block, parameters, ..
        } = layer;
        return Some(fused::infer(block, x.clone(), parameters, running));
    }
    let FusedLayer {
        block,
        parameters,
        batch,
    } = layer;
    // Frozen among layers that are trained: the kernels have no gradient for that.
    if batch.is_some_and(|layer| !layer.training.is_enabled()) {
        return None;
    }
    let (output, statistics) = fused::train(block, x.clone(), parameters);
    if let (Some(layer), Some(statistics)) = (batch, statistics) {
        update_running(layer, statistics);
    }
    Some(output)
}

/// What [`BatchNorm::forward`] does with a batch's statistics in training.
fn update_running(layer: &BatchNorm, batch: Statistics) {
    let update = |running: &RunningState<Tensor<1>>, of_batch: Tensor<1>| {
        let before = running.value_sync().to_device(&of_batch.device());
        let after = before
            .mul_scalar(1.0 - layer.momentum)
            .add(of_batch.mul_scalar(layer.momentum));
        running.update(after.detach());
    };
    update(&layer.running_mean, batch.mean);
    update(&layer.running_var, batch.variance);
}
