//! Burn's Adam and AdamW, in one pass over the memory.

use burn::optim::{
    AdamConfig, AdamState, AdamWConfig, AdamWState, AdaptiveMomentumState, LearningRate, Optimizer,
};
use burn::tensor::{Device, Tensor, TensorData};
use kernels::adam;
use kernels::simd::Isa;

use crate::host::{change, is_in_reach, read};

/// β₁ and β₂, Burn's and everybody's.
const BETAS: [f32; 2] = [0.9, 0.999];

/// Adam without weight decay: [`burn::optim::Adam`] but for rounding, with the same state. It is
/// Burn's own where the kernels do not run.
#[derive(Clone)]
pub struct Adam {
    kernel: adam::Adam,
    stock: burn::optim::Adam,
}

/// Adam with decoupled weight decay: [`burn::optim::AdamW`] but for rounding, with the same state.
/// It is Burn's own where the kernels do not run.
#[derive(Clone)]
pub struct AdamW {
    kernel: adam::Adam,
    stock: burn::optim::AdamW,
}

impl Adam {
    /// With ε = `epsilon`, β₁ = 0.9 and β₂ = 0.999.
    pub fn new(epsilon: f32) -> Self {
        Self {
            kernel: kernel(epsilon, 0.0),
            stock: AdamConfig::new().with_epsilon(epsilon).build(),
        }
    }
}

impl AdamW {
    /// With ε = `epsilon`, β₁ = 0.9 and β₂ = 0.999.
    pub fn new(epsilon: f32, weight_decay: f32) -> Self {
        Self {
            kernel: kernel(epsilon, weight_decay),
            stock: AdamWConfig::new()
                .with_epsilon(epsilon)
                .with_weight_decay(weight_decay)
                .build(),
        }
    }
}

fn kernel(epsilon: f32, weight_decay: f32) -> adam::Adam {
    let [beta1, beta2] = BETAS;
    adam::Adam {
        beta1,
        beta2,
        epsilon,
        weight_decay,
    }
}

impl Optimizer for Adam {
    type State<const D: usize> = AdamState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let momentum = state.as_ref().map(|state| &state.momentum);
        if !are_in_reach(&tensor, &grad, momentum) {
            return self.stock.step(lr, tensor, grad, state);
        }
        let momentum = state.map(|state| state.momentum);
        let (tensor, momentum) = step(&self.kernel, lr, tensor, grad, momentum);
        (tensor, Some(AdamState::new(momentum)))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        burn::optim::Adam::to_device(state, device)
    }
}

impl Optimizer for AdamW {
    type State<const D: usize> = AdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let momentum = state.as_ref().map(|state| &state.momentum);
        if !are_in_reach(&tensor, &grad, momentum) {
            return self.stock.step(lr, tensor, grad, state);
        }
        let momentum = state.map(|state| state.momentum);
        let (tensor, momentum) = step(&self.kernel, lr, tensor, grad, momentum);
        (tensor, Some(AdamWState::new(momentum)))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        burn::optim::AdamW::to_device(state, device)
    }
}

/// Whether the kernels can compute on all that a step reads.
fn are_in_reach<const D: usize>(
    parameter: &Tensor<D>,
    gradient: &Tensor<D>,
    momentum: Option<&AdaptiveMomentumState<D>>,
) -> bool {
    let moments = momentum.map(|momentum| [&momentum.moment_1, &momentum.moment_2]);
    [parameter, gradient]
        .into_iter()
        .chain(moments.into_iter().flatten())
        .all(is_in_reach)
}

/// One step of one parameter. The moments are updated in their memory. The parameter is not: who
/// asks for a step, as Burn's Learner does, holds on to the network before it.
fn step<const D: usize>(
    adam: &adam::Adam,
    learning_rate: LearningRate,
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    momentum: Option<AdaptiveMomentumState<D>>,
) -> (Tensor<D>, AdaptiveMomentumState<D>) {
    let device = parameter.device();
    let shape = parameter.dims();
    let tensor = |numbers| Tensor::from_data(TensorData::new(numbers, shape), &device);
    let (mut time, [mut moment_1, mut moment_2]) = match momentum {
        Some(momentum) => (
            momentum.time,
            [momentum.moment_1, momentum.moment_2].map(into_numbers),
        ),
        None => (0, [(); 2].map(|()| vec![0.0; shape.iter().product()])),
    };
    time += 1;
    let updated = read(&gradient, |gradient| {
        change(&parameter, |parameter, updated| {
            adam.step(
                Isa::best(),
                learning_rate,
                time,
                parameter,
                updated,
                gradient,
                [&mut moment_1, &mut moment_2],
            );
        })
    });
    let momentum = AdaptiveMomentumState::new(time, tensor(moment_1), tensor(moment_2));
    (updated, momentum)
}

/// The numbers of an `f32` tensor, row by row; its own memory where nobody else looks at it.
fn into_numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    match tensor.into_data().try_into_vec() {
        Ok(numbers) => numbers,
        Err(error) => unreachable!("the kernels are for `f32`: {error:?}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(deprecated)]

    use burn::tensor::DType;

    use super::*;

    /// Numbers of another format are Burn's, whichever of the tensors has them.
    #[test]
    fn all_tensors_of_a_step_are_looked_at() {
        for device in [Device::flex(), Device::ndarray()] {
            let tensor = |dtype| Tensor::<1>::from_data([1.0f32, 2.0], &device).cast(dtype);
            for other in 0..4 {
                let [parameter, gradient, moment_1, moment_2] = [0, 1, 2, 3].map(|place| {
                    tensor(if place == other {
                        DType::F64
                    } else {
                        DType::F32
                    })
                });
                let momentum = AdaptiveMomentumState::new(1, moment_1, moment_2);
                assert!(!are_in_reach(&parameter, &gradient, Some(&momentum)));
                // Without moments, in the first step.
                assert_eq!(are_in_reach(&parameter, &gradient, None), other > 1);
            }
            let tensor = tensor(DType::F32);
            let momentum = AdaptiveMomentumState::new(1, tensor.clone(), tensor.clone());
            assert!(are_in_reach(&tensor, &tensor, Some(&momentum)));
        }
    }
}
