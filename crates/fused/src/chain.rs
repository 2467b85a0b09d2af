//! Blocks one after the other, where nothing is trained.

use std::sync::Arc;

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;
use kernels::block::{self, Block, LinearMap, Link, Prepared};

use crate::block::{Parameters, Statistics, check_images, check_parameters};
use crate::host::{CHANNELS_LAST, Host, on_host, read};
use crate::prepared::prepare;

/// Blocks of a network, each of which reads what the one before it gives; the last one is dense.
///
/// What they compute is what [`infer`](crate::infer) does for one after the other. Together they
/// are faster, as a few images at a time go through all of them.
#[derive(Debug, Default)]
pub struct Chain {
    links: Vec<Member>,
    /// Numbers for an image that the last block gives, if it is dense.
    outputs: Option<usize>,
}

/// A block and its parameters but for the weight.
#[derive(Debug)]
struct Member {
    prepared: Arc<Prepared>,
    bias: Option<Vec<f32>>,
    scale: Option<Vec<f32>>,
    shift: Option<Vec<f32>>,
    function_parameter: f32,
}

impl Chain {
    /// Appends a block with the parameters that it has now. Batch normalisation takes the `running`
    /// statistics.
    ///
    /// # Panics
    ///
    /// If the parameters are on a device that [`runs_on`](crate::runs_on) does not know or that has
    /// autodiff, are not `f32`, or do not fit the block; if batch normalisation has no statistics.
    pub fn push<const D: usize>(
        &mut self,
        block: Block,
        parameters: &Parameters<D>,
        running: Option<&Statistics>,
    ) {
        let function = parameters
            .function_parameter
            .as_ref()
            .map(|tensor| tensor.dims());
        let function = function.as_ref().map(<[usize; 1]>::as_slice);
        check_parameters(&block, &parameters.weight.dims(), function);
        let numbers = |tensor: &Tensor<1>| read(tensor, <[f32]>::to_vec);
        let running =
            running.map(|Statistics { mean, variance }| [numbers(mean), numbers(variance)]);
        let [bias, scale, shift] = [&parameters.bias, &parameters.scale, &parameters.shift]
            .map(|tensor| tensor.as_ref().map(numbers));
        // Functions without a parameter do not look at it.
        let function_parameter = parameters
            .function_parameter
            .as_ref()
            .map_or(0.0, |tensor| numbers(tensor)[0]);
        let others = block::Parameters {
            weight: &[],
            bias: bias.as_deref(),
            scale: scale.as_deref(),
            shift: shift.as_deref(),
            function_parameter,
        };
        let prepared = on_host!(parameters.weight, |weight: B| {
            prepared_on::<B>(&block, &weight, others, running.as_ref())
        });
        self.outputs = match block.map {
            LinearMap::Dense(dense) => Some(dense.outputs),
            LinearMap::Convolution(_) => None,
        };
        self.links.push(Member {
            prepared,
            bias,
            scale,
            shift,
            function_parameter,
        });
    }

    /// The last block's output, `[batch, outputs]`, for `images`, `[batch, channels, height,
    /// width]`.
    ///
    /// # Panics
    ///
    /// If the images are on a device that [`runs_on`](crate::runs_on) does not know or that has
    /// autodiff, or are not `f32`; if they do not fit the first block, a block does not fit the one
    /// before it, or the last one is not dense.
    pub fn infer(&self, images: Tensor<4>) -> Tensor<2> {
        on_host!(images, |images: B| {
            Tensor::from_primitive::<B>(self.infer_on::<B>(&images))
        })
    }

    fn infer_on<B: Host>(&self, images: &FloatTensor<B>) -> FloatTensor<B> {
        let Some(outputs) = self.outputs else {
            panic!("the last block is dense")
        };
        let links: Vec<Link> = self.links.iter().map(Member::link).collect();
        if let Some(first) = links.first() {
            check_images(first.prepared.block(), &images.shape());
        }
        let count = images.shape()[0];
        let output = block::infer_all(&links, count, &B::permuted(images, &CHANNELS_LAST));
        B::tensor(output, [count, outputs])
    }
}

impl Member {
    fn link(&self) -> Link<'_> {
        Link {
            prepared: &self.prepared,
            parameters: block::Parameters {
                weight: &[],
                bias: self.bias.as_deref(),
                scale: self.scale.as_deref(),
                shift: self.shift.as_deref(),
                function_parameter: self.function_parameter,
            },
        }
    }
}

fn prepared_on<B: Host>(
    block: &Block,
    weight: &FloatTensor<B>,
    others: block::Parameters,
    running: Option<&[Vec<f32>; 2]>,
) -> Arc<Prepared> {
    let numbers = B::numbers(weight);
    let parameters = block::Parameters {
        weight: &numbers,
        ..others
    };
    prepare::<B>(block, weight, parameters, running)
}
