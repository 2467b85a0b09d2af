//! The moving average of a network, from step to step.

use std::any::Any;
use std::collections::VecDeque;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::classifier::Classifier;
use crate::config::AveragingConfig;

/// A network whose weights and running statistics follow those of another.
#[derive(Clone)]
pub struct Average {
    config: AveragingConfig,
    network: Classifier,
}

impl Average {
    /// An average that stands at `network`, which is in inference mode.
    pub fn new(config: AveragingConfig, network: Classifier) -> Self {
        Self { config, network }
    }

    /// The network whose weights are the average.
    pub fn network(&self) -> &Classifier {
        &self.network
    }

    /// Takes in the network after a step: `current`, in inference mode, after `steps` (from
    /// 1) since the run began.
    pub fn take_in(&mut self, current: &Classifier, steps: usize) {
        let mut followed = Parameters::default();
        current.visit(&mut followed);
        let mut follow = Follow {
            current: followed.0,
            weight: self.weight(steps),
        };
        self.network = self.network.clone().map(&mut follow);
    }

    /// Share of the way to the network that the average goes in this step.
    fn weight(&self, steps: usize) -> f32 {
        let steps = steps as f64;
        let decay = self.config.decay.min((1.0 + steps) / (10.0 + steps));
        (1.0 - decay) as f32
    }
}

/// The tensors of a network, in its order, of whatever rank.
#[derive(Default)]
struct Parameters(VecDeque<Box<dyn Any>>);

impl ModuleVisitor for Parameters {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.0.push_back(Box::new(parameter.val()));
    }
}

struct Follow {
    current: VecDeque<Box<dyn Any>>,
    weight: f32,
}

impl ModuleMapper for Follow {
    fn map_float<const D: usize>(&mut self, average: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let current = self
            .current
            .pop_front()
            .map(|of| of.downcast::<Tensor<D>>());
        let Some(Ok(current)) = current else {
            unreachable!("the average is of a network of the same shape")
        };
        average.map(|average| fused::move_towards(average, *current, self.weight))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use model::{CnnConfig, Task};

    use super::*;
    use crate::config::Loss;

    struct Sum(f64);

    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let numbers: Vec<f64> = parameter.val().into_data().iter().collect();
            self.0 += numbers.iter().sum::<f64>();
        }
    }

    struct Fill(f32);

    impl ModuleMapper for Fill {
        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            parameter.map(|tensor| tensor.zeros_like() + self.0)
        }
    }

    fn network(value: f32) -> Classifier {
        let task = Task {
            height: 8,
            width: 8,
            classes: 3,
        };
        let network = CnnConfig::default().init(task, 0, &Device::flex()).unwrap();
        let classifier = Classifier {
            network,
            loss: Loss::default(),
            label_smoothing: 0.0,
        };
        classifier.map(&mut Fill(value))
    }

    fn sum(network: &Classifier) -> f64 {
        let mut sum = Sum(0.0);
        network.visit(&mut sum);
        sum.0
    }

    #[test]
    fn the_first_networks_are_soon_forgotten() {
        let config = AveragingConfig { decay: 0.75 };
        let mut average = Average::new(config, network(0.0));
        let ones = sum(&network(1.0));
        // The share left: 2/11, 3/12, …, and 0.75 from 31/40 on.
        let mut expected = 0.0;
        for (steps, left) in [(1, 2.0 / 11.0), (2, 0.25), (30, 0.75), (31, 0.75)] {
            average.take_in(&network(steps as f32), steps);
            expected = left * expected + (1.0 - left) * steps as f64;
            let found = sum(average.network()) / ones;
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
}
