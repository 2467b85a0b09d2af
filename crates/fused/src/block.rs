//! A block as one operation with one gradient.

use std::borrow::Cow;
use std::sync::Arc;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, ExtensionType, Flex, NdArray, TensorMetadata, backend_extension,
};
use burn::tensor::{DType, Device, Distribution, Tensor, TensorData};
use kernels::block::{Block, LinearMap, Saved};
use kernels::buffer::Buffer;
use kernels::convolution::Convolution;
use kernels::simd::Isa;

use crate::host::{CHANNELS_LAST, Host};
use crate::prepared;

/// What a block learns. The weight has the layout of Burn's modules: four dimensions for a
/// convolution, `[outputs, inputs, height, width]`, two for a dense layer, `[inputs, outputs]`.
#[derive(Clone, Debug)]
pub struct Parameters<const D: usize> {
    /// The weight of the linear map.
    pub weight: Tensor<D>,
    /// Its bias: `[outputs]`.
    pub bias: Option<Tensor<1>>,
    /// The scale of the normalisation, γ: `[outputs]`.
    pub scale: Option<Tensor<1>>,
    /// The shift of the normalisation, β: `[outputs]`.
    pub shift: Option<Tensor<1>>,
    /// PReLU's slope or Swish's β: `[1]`.
    pub function_parameter: Option<Tensor<1>>,
}

/// Mean and biased variance of every channel over a batch and all its pixels: `[outputs]`.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// The means.
    pub mean: Tensor<1>,
    /// The variances.
    pub variance: Tensor<1>,
}

/// The output of `block` in training, and the batch's statistics if it is normalised by them.
///
/// `input`: `[batch, channels, height, width]`; output: `[batch, outputs, height', width']` for a
/// convolution, `[batch, outputs]` for a dense layer. Gradients flow to the input and to the
/// parameters, not from the statistics. Dropout and the randomised rectifier draw from the device's
/// generator.
///
/// # Panics
///
/// If the input's device is none of those that [`runs_on`](crate::runs_on) knows, if the numbers
/// are not `f32`, or if the shapes do not fit the block.
pub fn train<const D: usize>(
    block: Block,
    input: Tensor<4>,
    parameters: Parameters<D>,
) -> (Tensor<D>, Option<Statistics>) {
    let device = input.device();
    let draws = block.dropout > 0.0 || block.function.is_random();
    let key = if draws { draw_key(&device) } else { 0 };
    let operands = Operands::new(input, parameters);
    let Trained { output, statistics } = <Dispatch as Training>::train(operands, block, key);
    let statistics = statistics.map(|[mean, variance]| Statistics {
        mean: Tensor::from_data(&mean[..], &device),
        variance: Tensor::from_data(&variance[..], &device),
    });
    (Tensor::from_dispatch(output), statistics)
}

/// The output of `block` when nothing is trained, without dropout. Batch normalisation takes the
/// `running` statistics. The shapes are those of [`train`].
///
/// # Panics
///
/// As [`train`], and if a tensor is on a device with autodiff.
pub fn infer<const D: usize>(
    block: Block,
    input: Tensor<4>,
    parameters: Parameters<D>,
    running: Option<Statistics>,
) -> Tensor<D> {
    let numbers = |tensor: Tensor<1>| -> Vec<f32> { tensor.into_data().iter().collect() };
    let running = running.map(|Statistics { mean, variance }| [numbers(mean), numbers(variance)]);
    let operands = Operands::new(input, parameters);
    Tensor::from_dispatch(<Dispatch as Inference>::infer(operands, block, running))
}

/// 53 random bits from the generator of `device`.
fn draw_key(device: &Device) -> u64 {
    let options = (&device.clone().without_autodiff(), DType::F64);
    let draw = Tensor::<1>::random([1], Distribution::Default, options);
    draw.into_data().iter::<f64>().map(f64::to_bits).sum()
}

/// What a block computes with, on some backend.
#[derive(Debug, ExtensionType)]
struct Operands<B: Backend> {
    input: FloatTensor<B>,
    weight: FloatTensor<B>,
    #[extension_type]
    bias: Operand<B>,
    #[extension_type]
    scale: Operand<B>,
    #[extension_type]
    shift: Operand<B>,
    #[extension_type]
    function: Operand<B>,
}

/// A tensor that not every block has.
#[derive(Debug, ExtensionType)]
enum Operand<B: Backend> {
    Given(FloatTensor<B>),
    Absent,
}

/// What comes of a training step forward.
#[derive(ExtensionType)]
struct Trained<B: Backend> {
    output: FloatTensor<B>,
    /// Mean and variance.
    statistics: Option<[Vec<f32>; 2]>,
}

#[backend_extension(Flex, NdArray, Autodiff)]
trait Training: Backend {
    fn train(#[extension_type] operands: Operands<Self>, block: Block, key: u64) -> Trained<Self>;
}

#[backend_extension(Flex, NdArray)]
trait Inference: Backend {
    fn infer(
        #[extension_type] operands: Operands<Self>,
        block: Block,
        running: Option<[Vec<f32>; 2]>,
    ) -> FloatTensor<Self>;
}

impl Training for Flex {
    fn train(operands: Operands<Self>, block: Block, key: u64) -> Trained<Self> {
        operands.train(&block, key).0
    }
}

impl Training for NdArray {
    fn train(operands: Operands<Self>, block: Block, key: u64) -> Trained<Self> {
        operands.train(&block, key).0
    }
}

impl Inference for Flex {
    fn infer(
        operands: Operands<Self>,
        block: Block,
        running: Option<[Vec<f32>; 2]>,
    ) -> FloatTensor<Self> {
        operands.infer(&block, running.as_ref())
    }
}

impl Inference for NdArray {
    fn infer(
        operands: Operands<Self>,
        block: Block,
        running: Option<[Vec<f32>; 2]>,
    ) -> FloatTensor<Self> {
        operands.infer(&block, running.as_ref())
    }
}

impl<B: Host, C: CheckpointStrategy> Training for Autodiff<B, C> {
    fn train(operands: Operands<Self>, block: Block, key: u64) -> Trained<Self> {
        let (operands, nodes) = operands.into_parts();
        let (Trained { output, statistics }, saved) = operands.train(&block, key);
        let preparation = Backward::<B, OPERANDS>::prepare::<C>(Step, nodes);
        let output = match preparation.compute_bound().stateful() {
            OpsKind::Tracked(preparation) => {
                let state = StepState {
                    block,
                    operands,
                    saved,
                };
                preparation.finish(Arc::new(state), output)
            }
            OpsKind::UnTracked(preparation) => preparation.finish(output),
        };
        Trained { output, statistics }
    }
}

impl Operands<Dispatch> {
    fn new<const D: usize>(input: Tensor<4>, parameters: Parameters<D>) -> Self {
        let operand = |tensor: Option<Tensor<1>>| {
            tensor.map_or(Operand::Absent, |tensor| {
                Operand::Given(tensor.into_dispatch())
            })
        };
        Self {
            input: input.into_dispatch(),
            weight: parameters.weight.into_dispatch(),
            bias: operand(parameters.bias),
            scale: operand(parameters.scale),
            shift: operand(parameters.shift),
            function: operand(parameters.function_parameter),
        }
    }
}

/// Number of operands.
const OPERANDS: usize = 6;

impl<B: Backend, C: CheckpointStrategy> Operands<Autodiff<B, C>> {
    /// The tensors and their places in the graph, in the order of the fields.
    fn into_parts(self) -> (Operands<B>, [NodeGuard; OPERANDS]) {
        let (input, input_node) = self.input.into_parts();
        let (weight, weight_node) = self.weight.into_parts();
        let part = |operand| match operand {
            Operand::<Autodiff<B, C>>::Given(tensor) => {
                let (tensor, node) = tensor.into_parts();
                (Operand::Given(tensor), node)
            }
            // A tensor that no gradient is asked for.
            Operand::Absent => {
                let constant = FloatTensor::<Autodiff<B, C>>::new(weight.clone());
                (Operand::Absent, constant.node())
            }
        };
        let (bias, bias_node) = part(self.bias);
        let (scale, scale_node) = part(self.scale);
        let (shift, shift_node) = part(self.shift);
        let (function, function_node) = part(self.function);
        let operands = Operands {
            input,
            weight,
            bias,
            scale,
            shift,
            function,
        };
        let nodes = [
            input_node,
            weight_node,
            bias_node,
            scale_node,
            shift_node,
            function_node,
        ];
        (operands, nodes)
    }
}

/// The numbers of a block's parameters.
struct Numbers<'a> {
    weight: Cow<'a, [f32]>,
    bias: Option<Cow<'a, [f32]>>,
    scale: Option<Cow<'a, [f32]>>,
    shift: Option<Cow<'a, [f32]>>,
    function_parameter: f32,
}

impl Numbers<'_> {
    fn parameters(&self) -> kernels::block::Parameters<'_> {
        kernels::block::Parameters {
            weight: &self.weight,
            bias: self.bias.as_deref(),
            scale: self.scale.as_deref(),
            shift: self.shift.as_deref(),
            function_parameter: self.function_parameter,
        }
    }
}

impl<B: Host> Operand<B> {
    fn numbers(&self) -> Option<Cow<'_, [f32]>> {
        match self {
            Self::Given(tensor) => Some(B::numbers(tensor)),
            Self::Absent => None,
        }
    }
}

impl<B: Host> Operands<B> {
    fn images(&self) -> usize {
        self.input.shape()[0]
    }

    /// The input with its channels last.
    fn pixels(&self) -> Cow<'_, [f32]> {
        B::permuted(&self.input, &CHANNELS_LAST)
    }

    fn numbers(&self) -> Numbers<'_> {
        Numbers {
            weight: B::numbers(&self.weight),
            bias: self.bias.numbers(),
            scale: self.scale.numbers(),
            shift: self.shift.numbers(),
            // Functions without a parameter do not look at it.
            function_parameter: self.function.numbers().map_or(0.0, |numbers| numbers[0]),
        }
    }

    /// Panics if the shapes do not fit the block: as many numbers in another shape would be taken
    /// for others.
    fn check(&self, block: &Block) {
        check_images(block, &self.input.shape());
        let function = match &self.function {
            Operand::Given(tensor) => Some(tensor.shape()),
            Operand::Absent => None,
        };
        check_parameters(block, &self.weight.shape(), function.as_deref());
    }

    fn train(&self, block: &Block, key: u64) -> (Trained<B>, Saved) {
        self.check(block);
        let numbers = self.numbers();
        let output = block.train(
            Isa::best(),
            self.images(),
            &self.pixels(),
            numbers.parameters(),
            key,
        );
        let statistics = [output.mean, output.variance];
        let trained = Trained {
            output: self.output(block, output.output),
            statistics: (!statistics[0].is_empty()).then_some(statistics),
        };
        (trained, output.saved)
    }

    fn infer(&self, block: &Block, running: Option<&[Vec<f32>; 2]>) -> FloatTensor<B> {
        self.check(block);
        let numbers = self.numbers();
        let parameters = numbers.parameters();
        let prepared = prepared::prepare::<B>(block, &self.weight, parameters, running);
        let output = prepared.infer(self.images(), &self.pixels(), parameters);
        self.output(block, output)
    }

    fn output(&self, block: &Block, numbers: Buffer) -> FloatTensor<B> {
        let [height, width, channels] = block.output_size();
        let images = self.images();
        match block.map {
            LinearMap::Convolution(_) => B::images(numbers, [images, channels, height, width]),
            LinearMap::Dense(_) => B::tensor(numbers, [images, channels]),
        }
    }
}

/// Panics unless `images`, `[batch, channels, height, width]`, are what the block reads.
pub(crate) fn check_images(block: &Block, images: &[usize]) {
    let fit = match *images {
        [_, channels, height, width] => block.reads([height, width, channels]),
        _ => false,
    };
    assert!(
        fit,
        "images of {images:?} are not what {:?} reads",
        block.map
    );
}

/// Panics unless the weight, and the function's parameter if there is one, have the shapes of
/// [`Parameters`], and a function that has a parameter is given one.
pub(crate) fn check_parameters(block: &Block, weight: &[usize], function: Option<&[usize]>) {
    let fits = match block.map {
        LinearMap::Convolution(Convolution {
            inputs,
            outputs,
            kernel: [rows, columns],
            ..
        }) => *weight == [outputs, inputs, rows, columns],
        LinearMap::Dense(dense) => *weight == [dense.inputs(), dense.outputs],
    };
    assert!(fits, "a weight of {weight:?} does not fit {:?}", block.map);
    if let Some(function) = function {
        assert!(
            *function == [1],
            "the function has one parameter, not {function:?}"
        );
    }
    assert!(
        function.is_some() || !block.function.has_parameter(),
        "{:?} lacks its parameter",
        block.function
    );
}

/// The node of a block in the graph.
#[derive(Debug)]
struct Step;

/// What a block keeps for its gradients, until the graph is used up.
#[derive(Debug)]
struct StepState<B: Backend> {
    block: Block,
    operands: Operands<B>,
    saved: Saved,
}

impl<B: Host> Backward<B, OPERANDS> for Step {
    type State = Arc<StepState<B>>;

    fn backward(
        self,
        ops: Ops<Self::State, OPERANDS>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let StepState {
            block,
            operands,
            saved,
        } = &*ops.state;
        let output_gradient = gradients.consume::<B>(&ops.node);
        let [input, weight, bias, scale, shift, function] = ops.parents;
        let found = block.backward(
            Isa::best(),
            operands.images(),
            &operands.pixels(),
            operands.numbers().parameters(),
            saved,
            &match block.map {
                LinearMap::Convolution(_) => B::permuted(&output_gradient, &CHANNELS_LAST),
                LinearMap::Dense(_) => B::numbers(&output_gradient),
            },
            input.is_some(),
        );
        if let (Some(node), Some(numbers)) = (input, found.input) {
            let gradient = B::images(numbers, operands.input.shape().dims());
            gradients.register::<B>(node.id, gradient);
        }
        if let Some(node) = weight {
            let gradient = B::tensor(found.weight, operands.weight.shape());
            gradients.register::<B>(node.id, gradient);
        }
        let device = operands.input.device();
        let function_gradient = found.function_parameter.map(|number| vec![number]);
        for (node, numbers) in [
            (bias, found.bias),
            (scale, found.scale),
            (shift, found.shift),
            (function, function_gradient),
        ] {
            if let (Some(node), Some(numbers)) = (node, numbers) {
                let length = numbers.len();
                let gradient = TensorData::new(numbers, [length]);
                let gradient = B::float_from_data(gradient, &device);
                gradients.register::<B>(node.id, gradient);
            }
        }
    }
}
