//! The network: shapes, initial weights, observation, and a gradient check.

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData, Tolerance};
use model::{
    Activation, ActivationLayer, CnnConfig, CnnConfigError, Downsampling, Initialization, Kernels,
    Normalization, Observer, Padding, Preset, Site, StageConfig, Task,
};

const DIGITS: Task = Task {
    height: 28,
    width: 28,
    classes: 10,
};

fn images(batch: usize, side: usize, device: &Device) -> Tensor<4> {
    let values: Vec<f32> = (0..batch * side * side)
        .map(|i| (i as f32 * 0.37).sin())
        .collect();
    Tensor::from_data(TensorData::new(values, [batch, 1, side, side]), device)
}

/// Counted by hand: weights and biases, plus scale and shift of every normalised channel.
#[test]
fn presets_have_as_many_parameters_as_counted_by_hand() {
    let tiny = (16 * 25 + 2 * 16) + (32 * 16 * 9 + 2 * 32) + (32 * 49 * 128 + 2 * 128);
    let small = (24 * 25 + 2 * 24) + (32 * 24 * 9 + 2 * 32) + (32 * 49 * 256 + 2 * 256);
    let classic = (32 * 9 + 64)
        + (32 * 32 * 9 + 64)
        + (64 * 32 * 9 + 128)
        + (64 * 64 * 9 + 128)
        + (64 * 49 * 128 + 2 * 128);
    let kaggle = (32 * 9 + 64)
        + (32 * 32 * 9 + 64)
        + (32 * 32 * 25 + 64)
        + (64 * 32 * 9 + 128)
        + (64 * 64 * 9 + 128)
        + (64 * 64 * 25 + 128)
        + (64 * 16 * 128 + 2 * 128);
    let deep = (16 * 9 + 16) + (16 * 16 * 9 + 16) * 2 + (16 * 49 * 64 + 64);
    for (preset, hidden, units) in [
        (Preset::Tiny, tiny, 128),
        (Preset::Small, small, 256),
        (Preset::Classic, classic, 128),
        (Preset::Kaggle, kaggle, 128),
        (Preset::Deep(3), deep, 64),
    ] {
        let network = CnnConfig::from(preset)
            .init(DIGITS, 0, &Device::flex())
            .unwrap();
        assert_eq!(
            network.num_parameters(),
            hidden + units * 10 + 10,
            "{preset}"
        );
        let logits = network.forward(images(2, 28, &Device::flex()));
        assert_eq!(logits.dims(), [2, 10], "{preset}");
    }
}

/// Any size of image, any number of classes, every padding and downsampling.
#[test]
fn the_shape_announced_is_the_shape_computed() {
    let device = Device::flex();
    for side in [9, 12, 17] {
        for padding in [Padding::Same, Padding::Valid] {
            for downsampling in [Downsampling::None, Downsampling::Pool, Downsampling::Stride] {
                let config = CnnConfig {
                    hidden_units: 4,
                    stages: vec![
                        StageConfig::new(3, 5)
                            .padded(padding)
                            .downsampled(downsampling),
                        StageConfig::new(2, 3).repeated(2).downsampled(downsampling),
                    ],
                    ..CnnConfig::default()
                };
                let task = Task {
                    height: side,
                    width: side,
                    classes: 7,
                };
                let network = config.init(task, 0, &device).unwrap();
                let logits = network.forward(images(3, side, &device));
                assert_eq!(logits.dims(), [3, 7]);
            }
        }
    }
}

#[test]
fn what_cannot_be_built_is_refused() {
    let stage = StageConfig::new(4, 3);
    let with = |stages: Vec<StageConfig>| CnnConfig {
        stages,
        ..CnnConfig::default()
    };
    let error = |config: CnnConfig| config.check([4, 4]).unwrap_err().to_string();
    assert_eq!(
        error(with(vec![StageConfig::new(0, 3)])),
        "channels must be at least 1"
    );
    assert_eq!(
        error(with(vec![stage.clone(), StageConfig::new(4, 2)])),
        "stage 2: kernel is 2, but must be odd"
    );
    assert_eq!(
        error(with(vec![stage.clone().with_dropout(1.0)])),
        "stage 1: dropout is 1, but must be at least 0 and below 1"
    );
    let pooled = stage.clone().downsampled(Downsampling::Pool);
    assert_eq!(
        error(with(vec![pooled.clone(), pooled.clone(), pooled])),
        "stage 3 leaves nothing of its 1×1 input: use fewer or smaller stages, padding = \"same\", or another preset"
    );
    let too_large = "the network has more than 1000000000 weights: use fewer channels or hidden units, or smaller kernels";
    for stage in [
        StageConfig::new(1_000_000_000, 3),
        StageConfig::new(4, 100_001),
        StageConfig::new(usize::MAX, 1),
    ] {
        assert_eq!(error(with(vec![stage])), too_large);
    }
    let deep = stage.clone().repeated(usize::MAX);
    assert_eq!(
        error(with(vec![stage.clone(), deep])),
        "the network has more than 10000 convolutions: use fewer stages, or less repeat"
    );
    let wide = CnnConfig {
        hidden_units: usize::MAX,
        ..with(vec![stage.clone()])
    };
    assert_eq!(error(wide), too_large);
    // As a number of half the digits it is 1.
    let dropped = with(vec![stage.clone().with_dropout(0.999_999_999)]);
    assert!(matches!(
        dropped.check([4, 4]),
        Err(CnnConfigError::Dropout { .. })
    ));
    let grouped = CnnConfig {
        normalization: Normalization::Group(3),
        ..with(vec![stage.clone()])
    };
    let found = grouped.check([4, 4]).unwrap_err();
    assert!(matches!(found, CnnConfigError::Groups { groups: 3, .. }));
    assert_eq!(
        error(with(vec![StageConfig::new(4, 9)])),
        "stage 1: kernel is 9, but more than 7 reaches beyond the 4×4 input from everywhere"
    );
    assert!(with(vec![StageConfig::new(4, 7)]).check([4, 4]).is_ok());
}

/// PyTorch refuses these too, where it can tell: "Expected more than 1 value per channel when training".
#[test]
fn single_numbers_are_not_normalized() {
    let network = |normalization, hidden_units, channels| CnnConfig {
        normalization,
        hidden_units,
        stages: vec![StageConfig::new(channels, 3).downsampled(Downsampling::Stride)],
        ..CnnConfig::default()
    };
    let group = Normalization::Group(8);
    let message = network(group, 8, 8).check([4, 4]).unwrap_err().to_string();
    assert_eq!(
        message,
        "the hidden layer: group:8 normalization has a single number to take the deviation of, which leaves nothing: use fewer groups, more channels or units, or another normalization"
    );
    assert!(network(group, 16, 8).check([4, 4]).is_ok());
    // What is left of 2×2 pixels is one.
    let place = |config: CnnConfig| match config.check([2, 2]) {
        Err(CnnConfigError::OneNumber { place, .. }) => Some(place),
        _ => None,
    };
    assert_eq!(place(network(group, 16, 8)).as_deref(), Some("stage 1"));
    assert_eq!(place(network(group, 16, 16)), None);
    assert_eq!(
        place(network(Normalization::Layer, 1, 8)).as_deref(),
        Some("the hidden layer")
    );
    assert_eq!(place(network(Normalization::Layer, 2, 8)), None);

    let batch = network(Normalization::Batch, 8, 8);
    assert!(batch.check_batches(2, [2, 2]).is_ok());
    let message = batch.check_batches(1, [4, 4]).unwrap_err().to_string();
    assert!(
        message.starts_with("the hidden layer: batch normalization has"),
        "{message}"
    );
    let mut batch = network(Normalization::Layer, 8, 8);
    batch.stages[0].normalization = Some(Normalization::Batch);
    assert!(batch.check_batches(1, [4, 4]).is_ok());
    let message = batch.check_batches(1, [2, 2]).unwrap_err().to_string();
    assert!(message.starts_with("stage 1: batch"), "{message}");
}

/// For one seed, networks with different activations start from the same draws: their weights
/// differ by a factor only, that of their initialisations.
#[test]
fn initial_weights_are_paired_and_have_the_stated_deviation() {
    let weights = |activation: Activation| {
        let config = Preset::Small.network(activation);
        let network = config.init(DIGITS, 5, &Device::flex()).unwrap();
        first_weight(network)
    };
    let (relu, tanh) = (weights(Activation::Relu), weights(Activation::Tanh));
    // The first layer has 25 inputs per unit and feeds 24·25: He against Xavier.
    let factor = (2.0_f64 / 25.0).sqrt() / (2.0_f64 / (25.0 + 600.0)).sqrt();
    for (relu, tanh) in relu.iter().zip(&tanh) {
        assert!((f64::from(*relu) - factor * f64::from(*tanh)).abs() < 1e-6);
    }
    let n = relu.len() as f64;
    let square: f64 = relu.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / n;
    // 600 draws: the deviation is known to about 3 %.
    assert!((square.sqrt() / (2.0_f64 / 25.0).sqrt() - 1.0).abs() < 0.1);
}

fn first_weight(network: impl Module) -> Vec<f32> {
    use burn::module::{ModuleVisitor, Param};
    struct First(Option<Vec<f32>>);
    impl ModuleVisitor for First {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0
                .get_or_insert_with(|| parameter.val().into_data().try_into_vec().unwrap());
        }
    }
    let mut first = First(None);
    network.visit(&mut first);
    first.0.unwrap()
}

#[test]
fn recommended_initializations() {
    for (text, expected) in [
        ("relu", Initialization::He),
        ("gelu", Initialization::He),
        ("sigmoid", Initialization::Xavier),
        ("tanh", Initialization::Xavier),
        ("selu", Initialization::Lecun),
    ] {
        let activation: Activation = text.parse().unwrap();
        assert_eq!(Initialization::matched(&activation), expected, "{text}");
    }
    let leaky: Activation = "leaky-relu:0.5".parse().unwrap();
    let deviation = Initialization::Matched.standard_deviation(&leaky, 50, 7);
    assert!((deviation - (2.0_f64 / (1.25 * 50.0)).sqrt()).abs() < 1e-12);
}

#[derive(Default)]
struct Sites(Vec<(Site, Tensor<3>)>);

impl Observer for Sites {
    fn observe(&mut self, site: Site, layer: &ActivationLayer, pre_activation: Tensor<3>) {
        assert_eq!(layer.activation(), Activation::Relu);
        self.0.push((site, pre_activation));
    }
}

#[test]
fn an_observer_sees_every_site_and_changes_nothing() {
    let device = Device::flex();
    let observed = [Kernels::Stock, Kernels::Fused].map(|kernels| {
        let network = Preset::Kaggle
            .network(Activation::Relu)
            .init(DIGITS, 1, &device)
            .unwrap()
            .with_kernels(kernels);
        let mut sites = Sites::default();
        let observed = network.forward_observed(images(2, 28, &device), &mut sites);
        assert_eq!(
            observed.into_data(),
            network.forward(images(2, 28, &device)).into_data()
        );
        sites.0
    });
    let [stock, fused] = observed;
    let convolution = |stage, layer| Site::Convolution { stage, layer };
    let shapes: Vec<_> = stock.iter().map(|(site, x)| (*site, x.dims())).collect();
    assert_eq!(
        shapes,
        [
            (convolution(0, 0), [2, 26 * 26, 32]),
            (convolution(0, 1), [2, 24 * 24, 32]),
            (convolution(1, 0), [2, 12 * 12, 32]),
            (convolution(2, 0), [2, 10 * 10, 64]),
            (convolution(2, 1), [2, 8 * 8, 64]),
            (convolution(3, 0), [2, 4 * 4, 64]),
            (Site::Hidden, [2, 1, 128]),
        ]
    );
    for ((site, x), (same_site, same_x)) in stock.into_iter().zip(fused) {
        assert_eq!(site, same_site);
        let tolerance = Tolerance::<f32>::rel_abs(1e-3, 1e-3);
        x.into_data()
            .assert_approx_eq(&same_x.into_data(), tolerance);
    }
}

/// The gradient of the loss by the images, against central differences, for every normalisation.
#[test]
fn gradients_agree_with_finite_differences() {
    let device = Device::flex().autodiff();
    let task = Task {
        height: 6,
        width: 6,
        classes: 3,
    };
    for normalization in ["batch", "layer", "group:2", "none"] {
        let config = CnnConfig {
            activation: Activation::Tanh,
            normalization: normalization.parse().unwrap(),
            hidden_units: 6,
            stages: vec![
                StageConfig::new(4, 3)
                    .repeated(2)
                    .downsampled(Downsampling::Stride),
            ],
            ..CnnConfig::default()
        };
        let network = config.init(task, 2, &device).unwrap();
        let loss = |x: Tensor<4>| {
            let labels = Tensor::<1, Int>::from_data([0, 1, 2, 0], &device);
            CrossEntropyLossConfig::new()
                .init(&device)
                .forward(network.forward(x), labels)
        };
        let x = images(4, 6, &device).require_grad();
        let gradient = x.grad(&loss(x.clone()).backward()).unwrap();
        let gradient: Vec<f32> = gradient.into_data().try_into_vec().unwrap();
        let base: Vec<f32> = images(4, 6, &device).into_data().try_into_vec().unwrap();
        let shifted = |index: usize, by: f32| {
            let mut values = base.clone();
            values[index] += by;
            let x = Tensor::from_data(TensorData::new(values, [4, 1, 6, 6]), &device);
            loss(x).into_scalar::<f32>()
        };
        let step = 1e-2;
        let indices = [0, 17, 40, 77, 101, 143];
        let numeric = indices.map(|i| (shifted(i, step) - shifted(i, -step)) / (2.0 * step));
        let exact = indices.map(|i| gradient[i]);
        TensorData::from(exact)
            .assert_approx_eq::<f32>(&TensorData::from(numeric), Tolerance::absolute(3e-4));
        assert!(
            exact.iter().any(|g| g.abs() > 3e-3),
            "{normalization}: {exact:?}"
        );
    }
}
