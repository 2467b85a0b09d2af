//! From the configuration to Burn's optimizer.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdamConfig, AdamWConfig, LearningRate, ModuleOptimizer, Optimizer, RecordState, RmsPropConfig,
    SgdConfig, StateSink, StateSource,
};
use burn::tensor::{Device, Tensor};

use crate::config::{OptimizerConfig, OptimizerKind};

/// Burn's Adam divides by √v + 1e-5 unless told otherwise; everybody else's adds 1e-8.
const EPSILON: f32 = 1e-8;

impl OptimizerConfig {
    /// The optimizer, with no state yet.
    pub fn init(&self) -> ModuleOptimizer {
        let decay = (self.weight_decay > 0.0).then(|| WeightDecayConfig::new(self.weight_decay));
        match self.kind {
            OptimizerKind::Adam => restorable(
                AdamConfig::new()
                    .with_epsilon(EPSILON)
                    .with_weight_decay(decay)
                    .build(),
            ),
            OptimizerKind::Adamw => restorable(
                AdamWConfig::new()
                    .with_epsilon(EPSILON)
                    .with_weight_decay(self.weight_decay)
                    .build(),
            ),
            OptimizerKind::Sgd => restorable(
                SgdConfig::new()
                    .with_weight_decay(decay)
                    .with_momentum(Some(
                        MomentumConfig::new()
                            .with_momentum(0.9)
                            .with_dampening(0.0)
                            .with_nesterov(true),
                    ))
                    .build(),
            ),
            OptimizerKind::Rmsprop => restorable(
                RmsPropConfig::new()
                    .with_alpha(0.99)
                    .with_epsilon(EPSILON)
                    .with_momentum(0.0)
                    .with_weight_decay(decay)
                    .build(),
            ),
        }
    }
}

fn restorable<O: Optimizer>(optimizer: O) -> ModuleOptimizer {
    ModuleOptimizer::from(RestoredOnCpu(optimizer))
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
