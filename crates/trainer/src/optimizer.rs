//! From the configuration to Burn's optimizer.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdamConfig, AdamWConfig, LearningRate, ModuleOptimizer, Optimizer, RecordState, RmsPropConfig,
    SgdConfig, StateSink, StateSource,
};
use burn::tensor::{Device, Tensor};
use model::Kernels;

use crate::config::{OptimizerConfig, OptimizerKind};

/// Burn's Adam divides by √v + 1e-5 unless told otherwise; everybody else's adds 1e-8.
const EPSILON: f32 = 1e-8;

impl OptimizerConfig {
    /// The optimizer, with no state yet. Those with a kernel are computed by `kernels`; their
    /// states are the same.
    pub fn init(&self, kernels: Kernels) -> ModuleOptimizer {
        let fused = kernels == Kernels::Fused;
        match self.kind {
            OptimizerKind::Adam if fused && self.weight_decay == 0.0 => {
                self.module_optimizer(|_| fused::Adam::new(EPSILON))
            }
            OptimizerKind::Adam => self.module_optimizer(|decay| {
                AdamConfig::new()
                    .with_epsilon(EPSILON)
                    .with_weight_decay(in_gradient(decay))
                    .build()
            }),
            OptimizerKind::Adamw if fused => {
                self.module_optimizer(|decay| fused::AdamW::new(EPSILON, decay))
            }
            OptimizerKind::Adamw => self.module_optimizer(|decay| {
                AdamWConfig::new()
                    .with_epsilon(EPSILON)
                    .with_weight_decay(decay)
                    .build()
            }),
            OptimizerKind::Sgd => self.module_optimizer(|decay| {
                SgdConfig::new()
                    .with_weight_decay(in_gradient(decay))
                    .with_momentum(Some(
                        MomentumConfig::new()
                            .with_momentum(0.9)
                            .with_dampening(0.0)
                            .with_nesterov(true),
                    ))
                    .build()
            }),
            OptimizerKind::Rmsprop => self.module_optimizer(|decay| {
                RmsPropConfig::new()
                    .with_alpha(0.99)
                    .with_epsilon(EPSILON)
                    .with_momentum(0.0)
                    .with_weight_decay(in_gradient(decay))
                    .build()
            }),
        }
    }

    /// The optimizer that `with_decay` makes, by its weight decay.
    fn module_optimizer<O: Optimizer>(&self, with_decay: impl Fn(f32) -> O) -> ModuleOptimizer {
        ModuleOptimizer::from(RestoredOnCpu(MatricesDecay {
            matrices: with_decay(self.weight_decay),
            vectors: with_decay(0.0),
        }))
    }
}

/// Weight decay as part of the gradient.
fn in_gradient(decay: f32) -> Option<WeightDecayConfig> {
    (decay > 0.0).then(|| WeightDecayConfig::new(decay))
}

/// An optimizer whose weight decay leaves out the parameters with one dimension: biases, the scales
/// and shifts of normalisations, the parameters of activation functions.
#[derive(Clone)]
struct MatricesDecay<O> {
    /// With weight decay.
    matrices: O,
    /// Without.
    vectors: O,
}

impl<O: Optimizer> Optimizer for MatricesDecay<O> {
    type State<const D: usize> = O::State<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let optimizer = if D > 1 { &self.matrices } else { &self.vectors };
        optimizer.step(lr, tensor, grad, state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        O::to_device(state, device)
    }
}

/// An optimizer whose state is restored from a checkpoint on the CPU.
///
/// Burn 0.22 restores it on the default device, which is a GPU in every build that knows one, and
/// panics where the machine has none. Where it is restored makes no difference: the next step
/// moves it to its parameter's device.
#[derive(Clone)]
struct RestoredOnCpu<O>(O);

#[derive(Clone)]
struct State<S>(S);

impl<O: Optimizer> Optimizer for RestoredOnCpu<O> {
    type State<const D: usize> = State<O::State<D>>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let (tensor, state) = self.0.step(lr, tensor, grad, state.map(|state| state.0));
        (tensor, state.map(State))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        State(O::to_device(state.0, device))
    }
}

impl<S: RecordState> RecordState for State<S> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        self.0.state_flatten(prefix, out);
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, _default: &Device) -> Option<Self> {
        S::state_unflatten(prefix, src, &Device::flex()).map(State)
    }
}

#[cfg(test)]
mod tests {
    use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
    use burn::nn::{Initializer, Linear, LinearConfig};
    use burn::optim::GradientsParams;
    use burn::tensor::TensorData;

    use super::*;

    /// A step with gradients that depend on `scale`.
    fn step(optimizer: &mut ModuleOptimizer, layer: Linear, scale: f32) -> Linear {
        let device = layer.weight.val().device();
        let values: Vec<f32> = (0..12).map(|i| scale * (i as f32).sin()).collect();
        let x = Tensor::<2>::from_data(TensorData::new(values, [3, 4]), &device);
        let loss = layer.forward(x).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &layer);
        optimizer.step(ModuleLearningRate::from(0.01), layer, gradients)
    }

    /// The weights have no gradient here, so that decay alone moves them; the biases have one, and
    /// Adam's first step is as long as the learning rate.
    #[test]
    fn matrices_decay_and_vectors_do_not() {
        let device = Device::flex().autodiff();
        let layer = LinearConfig::new(4, 5)
            .with_initializer(Initializer::Ones)
            .init(&device);
        let numbers = |numbers: TensorData| numbers.try_into_vec::<f32>().unwrap();
        for kernels in [Kernels::Fused, Kernels::Stock] {
            let mut optimizer = OptimizerConfig {
                kind: OptimizerKind::Adamw,
                weight_decay: 0.5,
                ..OptimizerConfig::default()
            }
            .init(kernels);
            let layer = step(&mut optimizer, layer.clone(), 0.0);
            let bias = layer.bias.map(|bias| bias.val().into_data()).unwrap();
            assert!(numbers(bias).iter().all(|x| (x - 0.99).abs() < 1e-6));
            // 1 − learning rate × decay.
            let weight = numbers(layer.weight.val().into_data());
            assert!(
                weight.iter().all(|x| (x - 0.995).abs() < 1e-6),
                "{weight:?}"
            );
        }
    }

    /// A run that begins with one kind of kernels goes on with the other as if it were its own.
    #[test]
    fn states_are_the_same_for_all_kernels() {
        let device = Device::flex().autodiff();
        let layer = LinearConfig::new(4, 5).init(&device);
        for kind in [OptimizerKind::Adam, OptimizerKind::Adamw] {
            let config = OptimizerConfig {
                kind,
                ..OptimizerConfig::default()
            };
            let kernels = [Kernels::Fused, Kernels::Stock];
            let run = |first: Kernels, then: Kernels| {
                let mut optimizer = config.init(first);
                let mut layer = layer.clone();
                for scale in [1.0, -2.0, 0.5] {
                    layer = step(&mut optimizer, layer, scale);
                }
                let record = optimizer.to_record();
                let layer = step(&mut config.init(then).load_record(record), layer, 3.0);
                layer.weight.val().into_data().try_into_vec::<f32>()
            };
            let stock = run(Kernels::Stock, Kernels::Stock).unwrap();
            for (first, then) in kernels
                .map(|first| kernels.map(|then| (first, then)))
                .concat()
            {
                let found = run(first, then).unwrap();
                let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-6;
                assert!(
                    found.iter().zip(&stock).all(close),
                    "{kind:?} {first} {then}"
                );
            }
        }
    }
}
