//! The survey and the gradients, against the definitions written out with Burn's operations.

use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Tensor};
use measurement::{Survey, SurveyedSite, gradient_norms};
use model::{Activation, ActivationLayer, Cnn, CnnConfig, Kernels, Observer, Site, Task, Weight};

const TASK: Task = Task {
    height: 12,
    width: 12,
    classes: 3,
};

fn network(activation: &str, normalization: &str, device: &Device) -> Cnn {
    let config: CnnConfig = CnnConfig {
        activation: activation.parse().unwrap(),
        normalization: normalization.parse().unwrap(),
        hidden_units: 20,
        ..CnnConfig::from("small".parse::<model::Preset>().unwrap())
    };
    config.init(TASK, 3, device).unwrap()
}

fn images(count: usize, device: &Device) -> Tensor<4> {
    device.seed(5);
    Tensor::random([count, 1, 12, 12], Distribution::Normal(0.0, 1.0), device)
}

fn survey(network: &Cnn, batches: &[Tensor<4>]) -> (Vec<SurveyedSite>, Option<f64>) {
    let mut survey = Survey::new();
    for batch in batches {
        network.forward_observed(batch.clone(), &mut survey);
    }
    let surveyed = survey.finish().unwrap();
    (surveyed.sites, surveyed.effective_rank)
}

/// Keeps all pre-activations.
#[derive(Default)]
struct Keep(Vec<(Site, Activation, Tensor<3>)>);

impl Observer for Keep {
    fn observe(&mut self, site: Site, layer: &ActivationLayer, pre_activation: Tensor<3>) {
        self.0.push((site, layer.activation(), pre_activation));
    }
}

/// f and f′ at all elements, by automatic differentiation.
fn value_and_slope(activation: Activation, z: Tensor<3>) -> (Vec<f32>, Vec<f32>) {
    let device = z.device().autodiff();
    let layer = activation.init(&device);
    let z = Tensor::<3>::from_data(z.into_data(), &device).require_grad();
    let a = layer.forward(z.clone());
    let gradients = a.clone().sum().backward();
    let slopes = z.grad(&gradients).unwrap();
    (
        a.into_data().iter().collect(),
        slopes.into_data().iter().collect(),
    )
}

#[test]
fn shares_and_moments_are_those_of_the_definitions() {
    let device = Device::flex();
    // Greatest slopes: 1, 1, ¼, for GELU 1.1289 (Hendrycks and Gimpel's x Φ(x) at √2), and for Swish
    // 1.0998, whatever its β, at 2.3994/β.
    for (name, greatest) in [
        ("relu", 1.0),
        ("tanh", 1.0),
        ("sigmoid", 0.25),
        ("gelu", 1.128_904),
        ("prelu:0.1", 1.0),
        ("prelu:3", 3.0),
        ("swish-beta:0.05", 1.099_839),
    ] {
        for normalization in ["batch", "none"] {
            for kernels in [Kernels::Fused, Kernels::Stock] {
                let network = network(name, normalization, &device).with_kernels(kernels);
                let batches = [images(7, &device), images(4, &device) * 3.0];
                let (found, _) = survey(&network, &batches);
                let mut kept = [Keep::default(), Keep::default()];
                for (batch, keep) in batches.iter().zip(&mut kept) {
                    network.forward_observed(batch.clone(), keep);
                }
                let [first, second] = kept;
                assert_eq!(found.len(), 3);
                for ((found, first), second) in found.iter().zip(first.0).zip(second.0) {
                    assert_eq!(found.site, first.0);
                    let [_, _, units] = first.2.dims();
                    assert_eq!(found.units, units);
                    let z = Tensor::cat(vec![first.2, second.2], 0);
                    let (a, slopes) = value_and_slope(first.1, z.clone());
                    let z: Vec<f32> = z.into_data().iter().collect();
                    let n = z.len() as f64;
                    let share = |count: usize| count as f64 / n;
                    let mean = |of: &[f32]| of.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
                    let deviation = |of: &[f32]| {
                        let mean = mean(of);
                        let squares = of.iter().map(|&x| (f64::from(x) - mean).powi(2));
                        (squares.sum::<f64>() / n).sqrt()
                    };
                    let threshold = 0.01 * greatest;
                    let saturated = slopes.iter().filter(|x| x.abs() < threshold).count();
                    let zeros = a.iter().filter(|&&x| x == 0.0).count();
                    let dead = (0..units)
                        .filter(|unit| slopes[*unit..].iter().step_by(units).all(|&x| x == 0.0))
                        .count();
                    let measured = found.measured;
                    let close = |found: Option<f64>, expected: f64, what| {
                        let found = found.unwrap();
                        let near = (found - expected).abs() < 1e-4 * (1.0 + expected.abs());
                        assert!(near, "{name}, {normalization}, {what}: {found} {expected}");
                    };
                    close(measured.dead, dead as f64 / units as f64, "dead");
                    // A pre-activation or two may lie at the threshold to the last bit.
                    let difference = measured.saturated.unwrap() - share(saturated);
                    assert!(difference.abs() <= 2.0 / n, "{name}: {difference}");
                    // Burn's GELU is zero already where its last bits cancel.
                    if name != "gelu" {
                        close(measured.sparsity, share(zeros), "sparsity");
                    }
                    close(measured.pre_activation_mean, mean(&z), "mean of z");
                    close(measured.pre_activation_sd, deviation(&z), "deviation of z");
                    close(measured.activation_mean, mean(&a), "mean of a");
                    close(measured.activation_sd, deviation(&a), "deviation of a");
                }
            }
        }
    }
}

/// Signals that collapse have a mean far greater than their deviation, of which single precision then keeps
/// little: here 2 against 0.001.
#[test]
fn small_deviations_around_a_large_mean_are_found() {
    let device = Device::flex();
    let layer = "identity".parse::<Activation>().unwrap().init(&device);
    let pre_activations: Vec<f32> = (0..30_000)
        .map(|place| 2.0 + 1e-3 * (place as f32 * 0.731).sin())
        .collect();
    let n = pre_activations.len() as f64;
    let wide = pre_activations.iter().map(|&x| f64::from(x));
    let mean = wide.clone().sum::<f64>() / n;
    let deviation = (wide.map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let mut survey = Survey::new();
    survey.observe(
        Site::Hidden,
        &layer,
        Tensor::<1>::from_floats(&pre_activations[..], &device).reshape([300, 1, 100]),
    );
    let found = survey.finish().unwrap().sites[0].measured;
    for deviation_found in [found.pre_activation_sd, found.activation_sd] {
        let ratio = deviation_found.unwrap() / deviation;
        assert!((ratio - 1.0).abs() < 1e-4, "{ratio}");
    }
}

/// The survey takes a function without a kernel for the softmax, and the slopes of all others for
/// limited.
#[test]
fn every_function_but_the_softmax_has_a_kernel() {
    for &activation in Activation::ALL {
        let range = activation.facts().derivative_range;
        assert!(
            range.low.is_finite() && range.high.is_finite(),
            "{activation}"
        );
        let expected = activation != Activation::Softmax;
        assert_eq!(activation.kernel().is_some(), expected, "{activation}");
    }
}

/// Biases so low that no image makes a unit active: dead for ReLU, but not for leaky ReLU.
#[test]
fn units_without_gradient_are_dead() {
    let device = Device::flex();
    for (name, dead) in [("relu", 1.0), ("leaky-relu", 0.0)] {
        let config = CnnConfig {
            activation: name.parse().unwrap(),
            normalization: "none".parse().unwrap(),
            initial_bias: -1000.0,
            ..CnnConfig::default()
        };
        let network = config.init(TASK, 1, &device).unwrap();
        let (sites, _) = survey(&network, &[images(3, &device)]);
        for site in sites {
            assert_eq!(site.measured.dead, Some(dead), "{name}, {}", site.site);
            assert_eq!(
                site.measured.saturated,
                Some(if dead == 1.0 { 1.0 } else { 0.0 })
            );
        }
    }
}

#[test]
fn softmax_is_surveyed_by_position() {
    let device = Device::flex();
    let network = network("softmax", "batch", &device);
    let (sites, rank) = survey(&network, &[images(30, &device)]);
    for site in &sites {
        // The activations of a position sum to 1.
        let mean = site.measured.activation_mean.unwrap();
        assert!((mean - 1.0 / site.units as f64).abs() < 1e-6);
        assert_eq!(site.measured.dead, Some(0.0));
    }
    assert!((1.0..=20.0).contains(&rank.unwrap()));
}

#[test]
fn histograms_count_the_first_batch() {
    let device = Device::flex();
    let network = network("tanh", "none", &device);
    let batches = [images(3, &device), images(5, &device)];
    let (sites, _) = survey(&network, &batches);
    let histogram = &sites[2].pre_activations;
    let inside: u64 = histogram.counts.iter().sum();
    assert_eq!(inside + histogram.below + histogram.above, 3 * 20);
}

/// Bins of a tenth from −8 to 8, by hand.
#[test]
fn histograms_have_each_number_in_its_bin() {
    let device = Device::flex();
    let layer = Activation::Tanh.init(&device);
    let z = [
        -9.0_f32,
        -8.0,
        -7.95,
        -0.05,
        0.0,
        0.05,
        7.99,
        8.0,
        9.0,
        f32::INFINITY,
    ];
    let mut survey = Survey::new();
    let z = Tensor::<1>::from_floats(z, &device).reshape([1, 1, 10]);
    survey.observe(Site::Hidden, &layer, z);
    let surveyed = survey.finish().unwrap();
    let histogram = &surveyed.sites[0].pre_activations;
    assert_eq!((histogram.low, histogram.high), (-8.0, 8.0));
    assert_eq!((histogram.below, histogram.above), (1, 3));
    let filled = (0..)
        .zip(&histogram.counts)
        .filter(|(_, count)| **count > 0);
    let filled: Vec<(usize, u64)> = filled.map(|(bin, &count)| (bin, count)).collect();
    assert_eq!(filled, [(0, 2), (79, 1), (80, 2), (159, 1)]);
    assert_eq!(histogram.counts.len(), 160);
}

#[test]
fn gradient_norms_are_those_of_the_weights() {
    let device = Device::flex().autodiff();
    let network = network("tanh", "batch", &device);
    let loss = network.forward(images(6, &device)).powi_scalar(2).mean();
    let mut gradients = loss.backward();
    let expected: Vec<f64> = network
        .layers()
        .map(|layer| {
            let values: Vec<f64> = match layer.weight {
                Weight::Convolution(weight) => {
                    let gradient = weight.val().grad(&gradients).unwrap();
                    gradient.into_data().iter().collect()
                }
                Weight::Dense(weight) => {
                    let gradient = weight.val().grad(&gradients).unwrap();
                    gradient.into_data().iter().collect()
                }
            };
            values.iter().map(|x| x * x).sum::<f64>().sqrt()
        })
        .collect();
    let gradients = GradientsParams::from_module(&mut gradients, &network);
    let found = gradient_norms(&network, &gradients).unwrap();
    assert_eq!(found.len(), 3);
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-9 * expected,
            "{found} {expected}"
        );
        assert!(*found > 0.0);
    }
}
