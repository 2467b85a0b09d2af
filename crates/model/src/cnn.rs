//! The convolutional network.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor};
use fused::Chain;

use crate::activation::ActivationLayer;
use crate::config::{CnnConfig, CnnConfigError, Downsampling, Padding, StageConfig};
use crate::fused_layer::{self, Epilogue, FusedLayer};
use crate::initialization::normal_weight;
use crate::kernel_choice::Kernels;
use crate::normalization::{Normalization, NormalizationLayer};
use crate::observe::{Observer, Site};

/// Size of the images and number of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Task {
    /// Height of the images in pixels.
    pub height: usize,
    /// Width of the images in pixels.
    pub width: usize,
    /// Number of classes.
    pub classes: usize,
}

/// A convolutional network: convolution stages, a hidden dense layer, an output layer of logits.
#[derive(Module, Debug)]
pub struct Cnn {
    stages: Vec<Stage>,
    hidden: Hidden,
    output: Linear,
    #[module(skip)]
    kernels: Kernels,
}

/// Convolution layers, then pooling and dropout where the stage has them.
#[derive(Module, Debug)]
struct Stage {
    layers: Vec<ConvolutionLayer>,
    pool: Option<MaxPool2d>,
    dropout: Dropout,
}

/// Convolution, normalisation, activation.
#[derive(Module, Debug)]
struct ConvolutionLayer {
    convolution: Conv2d,
    normalization: NormalizationLayer,
    activation: ActivationLayer,
}

/// Dense layer, normalisation, activation, dropout.
#[derive(Module, Debug)]
struct Hidden {
    linear: Linear,
    normalization: NormalizationLayer,
    activation: ActivationLayer,
    dropout: Dropout,
}

impl Cnn {
    /// Logits for a batch of images. `images`: `[batch, 1, height, width]`; output:
    /// `[batch, classes]`.
    ///
    /// On a device with autodiff the network is in training: dropout and randomised activations
    /// draw from the device's generator, and batch normalisation uses the batch's statistics.
    ///
    /// # Panics
    ///
    /// If the images have more than one channel, or are of a size that leaves another number of
    /// features than the [`Task`] that the network was made for.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_observed(images, &mut ())
    }

    /// [`Cnn::forward`], showing every activation's input to `observer`. In training an active
    /// observer sees [`Kernels::Stock`], whichever kernels the network has.
    pub fn forward_observed<O: Observer>(&self, images: Tensor<4>, observer: &mut O) -> Tensor<2> {
        // The kernels keep no activation's input. Computing it a second time is no way in training,
        // where batch normalisation would count the batch twice.
        let training = images.is_autodiff() || self.output.weight.val().is_autodiff();
        let kernels = if O::ACTIVE && training {
            Kernels::Stock
        } else {
            self.kernels
        };
        if !O::ACTIVE
            && !training
            && kernels == Kernels::Fused
            && let Some(chain) = self.chain(&images)
        {
            return self.output.forward(chain.infer(images));
        }
        let mut features = images;
        for (number, stage) in self.stages.iter().enumerate() {
            features = stage.forward(features, number, kernels, observer);
        }
        let hidden = self.hidden.forward(features, kernels, observer);
        self.output.forward(hidden)
    }

    /// All but the output layer as blocks for inference on images such as `images`; `None` where
    /// the kernels cannot compute one of them.
    fn chain(&self, images: &Tensor<4>) -> Option<Chain> {
        if !fused_layer::computes_on(images) {
            return None;
        }
        let [_, channels, height, width] = images.dims();
        let mut size = [height, width, channels];
        let mut chain = Chain::default();
        for stage in &self.stages {
            for (layer, end) in stage.layers() {
                let [height, width, _] = size;
                let epilogue = layer.epilogue(end);
                let layer =
                    FusedLayer::of_convolution([height, width], &layer.convolution, &epilogue)?;
                layer.append_to(&mut chain);
                size = layer.block.output_size();
            }
        }
        FusedLayer::of_dense(size, &self.hidden.linear, &self.hidden.epilogue())?
            .append_to(&mut chain);
        Some(chain)
    }

    /// The same network, computed by `kernels`.
    pub fn with_kernels(self, kernels: Kernels) -> Self {
        Self { kernels, ..self }
    }

    /// The layers with an activation behind them, input first: all but the output layer.
    pub fn layers(&self) -> impl Iterator<Item = Layer<'_>> {
        let convolutions = (0..).zip(&self.stages).flat_map(|(stage, of)| {
            (0..).zip(&of.layers).map(move |(layer, of)| Layer {
                site: Site::Convolution { stage, layer },
                weight: Weight::Convolution(&of.convolution.weight),
                activation: &of.activation,
            })
        });
        let hidden = Layer {
            site: Site::Hidden,
            weight: Weight::Dense(&self.hidden.linear.weight),
            activation: &self.hidden.activation,
        };
        convolutions.chain([hidden])
    }

    /// Number of trainable parameters: weights, biases, scales and shifts, but not the running
    /// statistics of batch normalisation.
    pub fn num_parameters(&self) -> usize {
        let mut counter = ParameterCounter::default();
        self.visit(&mut counter);
        counter.count
    }
}

/// A layer of a network that has an activation behind it.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Where the activation stands.
    pub site: Site,
    /// The weights in front of it.
    pub weight: Weight<'a>,
    /// The activation.
    pub activation: &'a ActivationLayer,
}

/// The weights of a layer.
#[derive(Clone, Copy, Debug)]
pub enum Weight<'a> {
    /// `[channels_out, channels_in, kernel, kernel]`.
    Convolution(&'a Param<Tensor<4>>),
    /// `[inputs, outputs]`.
    Dense(&'a Param<Tensor<2>>),
}

/// Burn's own count has the running statistics in it.
#[derive(Default)]
struct ParameterCounter {
    count: usize,
    in_running_statistic: bool,
}

impl ModuleVisitor for ParameterCounter {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.in_running_statistic = name.starts_with("running_");
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.in_running_statistic = false;
    }

    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if !self.in_running_statistic {
            self.count += parameter.lazy_shape().num_elements();
        }
    }
}

impl Stage {
    /// The layers in order, the last one with this stage, whose pooling and dropout follow it.
    fn layers(&self) -> impl Iterator<Item = (&ConvolutionLayer, Option<&Self>)> {
        let last = self.layers.len() - 1;
        let layers = self.layers.iter().enumerate();
        layers.map(move |(number, layer)| (layer, (number == last).then_some(self)))
    }

    /// `x`: `[batch, channels_in, height, width]`; output: `[batch, channels, height', width']`.
    fn forward<O: Observer>(
        &self,
        x: Tensor<4>,
        stage: usize,
        kernels: Kernels,
        observer: &mut O,
    ) -> Tensor<4> {
        let mut x = x;
        for (layer, (convolution, end)) in self.layers().enumerate() {
            let site = Site::Convolution { stage, layer };
            x = convolution.forward(x, end, site, kernels, observer);
        }
        x
    }
}

impl ConvolutionLayer {
    /// What follows the convolution, if it is the last one of `end` that stage's pooling and
    /// dropout too.
    fn epilogue<'a>(&'a self, end: Option<&'a Stage>) -> Epilogue<'a> {
        Epilogue {
            normalization: &self.normalization,
            activation: Some(&self.activation),
            pool: end.is_some_and(|stage| stage.pool.is_some()),
            dropout: end.map(|stage| &stage.dropout),
        }
    }

    /// The layer and, if it is the last one of `end`, that stage's pooling and dropout.
    ///
    /// `x`: `[batch, channels_in, height, width]`; output: `[batch, channels, height', width']`.
    fn forward<O: Observer>(
        &self,
        x: Tensor<4>,
        end: Option<&Stage>,
        site: Site,
        kernels: Kernels,
        observer: &mut O,
    ) -> Tensor<4> {
        let pool = end.and_then(|stage| stage.pool.as_ref());
        let dropout = end.map(|stage| &stage.dropout);
        if kernels == Kernels::Fused {
            let compute =
                |epilogue: &Epilogue<'_>| fused_layer::convolution(&x, &self.convolution, epilogue);
            if let Some(output) = fused(compute, &self.epilogue(end), site, observer) {
                return output;
            }
        }
        let x = self.convolution.forward(x);
        let x = self.normalization.forward(x);
        observe_pre_activation(&self.activation, x.clone(), site, observer);
        let x = self.activation.forward(x);
        let x = match pool {
            Some(pool) => pool.forward(x),
            None => x,
        };
        match dropout {
            Some(dropout) => dropout.forward(x),
            None => x,
        }
    }
}

impl Hidden {
    fn epilogue(&self) -> Epilogue<'_> {
        Epilogue {
            normalization: &self.normalization,
            activation: Some(&self.activation),
            pool: false,
            dropout: Some(&self.dropout),
        }
    }

    /// `x`: `[batch, channels, height, width]`; output: `[batch, units]`.
    fn forward<O: Observer>(&self, x: Tensor<4>, kernels: Kernels, observer: &mut O) -> Tensor<2> {
        if kernels == Kernels::Fused {
            let compute = |epilogue: &Epilogue<'_>| fused_layer::dense(&x, &self.linear, epilogue);
            if let Some(output) = fused(compute, &self.epilogue(), Site::Hidden, observer) {
                return output;
            }
        }
        let x = self.linear.forward(x.flatten(1, 3));
        let x = self.normalization.forward(x);
        observe_pre_activation(&self.activation, x.clone(), Site::Hidden, observer);
        let x = self.activation.forward(x);
        self.dropout.forward(x)
    }
}

/// What `compute` gives for a layer with this epilogue, if the kernels can. To an observer that looks,
/// the pre-activation is shown, which they compute apart.
fn fused<const D: usize, O: Observer>(
    compute: impl Fn(&Epilogue<'_>) -> Option<Tensor<D>>,
    epilogue: &Epilogue<'_>,
    site: Site,
    observer: &mut O,
) -> Option<Tensor<D>> {
    let output = compute(epilogue)?;
    if O::ACTIVE
        && let Some(activation) = epilogue.activation
        && let Some(pre_activation) = compute(&epilogue.pre_activation_only())
    {
        observe_pre_activation(activation, pre_activation, site, observer);
    }
    Some(output)
}

/// Shows `pre_activation`, `[batch, units, ..]`, to an observer that looks.
fn observe_pre_activation<const D: usize, O: Observer>(
    layer: &ActivationLayer,
    pre_activation: Tensor<D>,
    site: Site,
    observer: &mut O,
) {
    if O::ACTIVE {
        let [batch, units, positions @ ..] = &pre_activation.dims()[..] else {
            unreachable!("a layer's output has a batch and units")
        };
        let shape = [*batch, positions.iter().product(), *units];
        // The kernels' order in memory, so that nothing is copied.
        let by_position = pre_activation.movedim(1, D - 1);
        observer.observe(site, layer, by_position.reshape(shape));
    }
}

impl CnnConfig {
    /// A fresh network on `device`, its weights drawn from `run_seed`.
    ///
    /// # Errors
    ///
    /// What [`CnnConfig::check`] finds wrong.
    pub fn init(&self, task: Task, run_seed: u64, device: &Device) -> Result<Cnn, CnnConfigError> {
        let [channels, height, width] = self.check([task.height, task.width])?;
        let mut builder = Builder {
            config: self,
            run_seed,
            layer: 0,
            device,
        };
        let mut channels_in = 1;
        let mut stages = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            stages.push(builder.stage(stage, channels_in));
            channels_in = stage.channels;
        }
        Ok(Cnn {
            stages,
            hidden: builder.hidden(channels * height * width),
            output: builder.output(self.hidden_units, task.classes),
            kernels: Kernels::default(),
        })
    }
}

/// Makes the layers of one network in order; each draws its weights from its own stream.
struct Builder<'a> {
    config: &'a CnnConfig,
    run_seed: u64,
    /// Number of layers with weights made so far.
    layer: u64,
    device: &'a Device,
}

impl Builder<'_> {
    fn stage(&mut self, stage: &StageConfig, channels_in: usize) -> Stage {
        let layers = (0..stage.repeat)
            .map(|layer| {
                let channels_in = if layer == 0 {
                    channels_in
                } else {
                    stage.channels
                };
                self.convolution(stage, channels_in, stage.is_strided(layer))
            })
            .collect();
        Stage {
            layers,
            pool: (stage.downsampling == Downsampling::Pool)
                .then(|| MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init()),
            dropout: DropoutConfig::new(stage.dropout).init(),
        }
    }

    fn convolution(
        &mut self,
        stage: &StageConfig,
        channels_in: usize,
        strided: bool,
    ) -> ConvolutionLayer {
        let StageConfig {
            channels, kernel, ..
        } = *stage;
        let normalization = stage.normalization.unwrap_or(self.config.normalization);
        let stride = if strided { 2 } else { 1 };
        let padding = match (strided, stage.padding) {
            // As large as half the input, rounded up, for odd kernels and any input.
            (true, _) | (false, Padding::Same) => {
                let border = kernel / 2;
                PaddingConfig2d::Explicit(border, border, border, border)
            }
            (false, Padding::Valid) => PaddingConfig2d::Valid,
        };
        let mut convolution = Conv2dConfig::new([channels_in, channels], [kernel, kernel])
            .with_stride([stride, stride])
            .with_padding(padding)
            .with_bias(normalization == Normalization::None)
            .with_initializer(self.shift())
            .init(self.device);
        let area = kernel * kernel;
        convolution.weight = self.weight(
            [channels, channels_in, kernel, kernel],
            self.deviation(channels_in * area, channels * area),
        );
        ConvolutionLayer {
            convolution,
            normalization: self.normalization(normalization, channels),
            activation: self.config.activation.init(self.device),
        }
    }

    fn hidden(&mut self, features: usize) -> Hidden {
        let CnnConfig {
            hidden_units: units,
            hidden_dropout,
            normalization,
            activation,
            ..
        } = self.config;
        let bias = *normalization == Normalization::None;
        let deviation = self.deviation(features, *units);
        Hidden {
            linear: self.linear([features, *units], bias.then(|| self.shift()), deviation),
            normalization: self.normalization(*normalization, *units),
            activation: activation.init(self.device),
            dropout: DropoutConfig::new(*hidden_dropout).init(),
        }
    }

    /// The output layer has no activation behind it: LeCun's deviation keeps the variance of its
    /// input.
    fn output(&mut self, units: usize, classes: usize) -> Linear {
        let bias = Some(Initializer::Zeros);
        self.linear([units, classes], bias, (1.0 / units as f64).sqrt())
    }

    fn linear(
        &mut self,
        [inputs, outputs]: [usize; 2],
        bias: Option<Initializer>,
        deviation: f64,
    ) -> Linear {
        let mut linear = LinearConfig::new(inputs, outputs)
            .with_bias(bias.is_some())
            .with_initializer(bias.unwrap_or(Initializer::Zeros))
            .init(self.device);
        linear.weight = self.weight([inputs, outputs], deviation);
        linear
    }

    /// What all pre-activations are moved by at first.
    fn shift(&self) -> Initializer {
        Initializer::Constant {
            value: self.config.initial_bias,
        }
    }

    fn normalization(&self, kind: Normalization, channels: usize) -> NormalizationLayer {
        let mut layer = kind.init(channels, self.device);
        match &mut layer {
            NormalizationLayer::Batch(layer) => {
                layer.beta = self.shift().init([channels], self.device);
            }
            NormalizationLayer::Group(layer) => {
                layer.beta = Some(self.shift().init([channels], self.device));
            }
            NormalizationLayer::None(_) => {}
        }
        layer
    }

    /// Standard deviation of weights that feed the network's activation.
    fn deviation(&self, fan_in: usize, fan_out: usize) -> f64 {
        self.config
            .initialization
            .standard_deviation(&self.config.activation, fan_in, fan_out)
    }

    fn weight<const D: usize>(&mut self, shape: [usize; D], deviation: f64) -> Param<Tensor<D>> {
        let weight = normal_weight(shape, deviation, self.run_seed, self.layer, self.device);
        self.layer += 1;
        weight
    }
}
