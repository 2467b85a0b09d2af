"""Times training steps or inference of Keras 3 on the CPU. See `steps.py` for the command line.

The variants are Keras's backends. `tensorflow` computes with oneDNN; `tensorflow_xla` has
`jit_compile` on, which is what Keras itself chooses.
"""

import math
import os
from collections.abc import Callable

from steps import (
    CLASSES,
    EPSILON,
    LEARNING_RATE,
    SIDE,
    Options,
    check_parameters,
    load_batch,
    parse_options,
    print_results,
    time_steps,
)

VARIANTS = ("tensorflow", "tensorflow_xla", "jax", "torch")


def select_backend(options: Options) -> tuple[str, str]:
    """Sets backend and threads, before Keras is loaded; the backend's name and version."""
    name = options.variant.split("_")[0]
    os.environ["KERAS_BACKEND"] = name
    match name:
        case "tensorflow":
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
            import tensorflow

            tensorflow.config.threading.set_intra_op_parallelism_threads(options.threads)
            tensorflow.config.threading.set_inter_op_parallelism_threads(1)
            return name, tensorflow.__version__
        case "jax":
            # XLA takes as many threads as there are processors to run on, or one.
            if options.threads == 1:
                os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
            import jax

            return name, jax.__version__
        case _:
            import torch

            torch.set_num_threads(options.threads)
            return name, torch.__version__


def build(options: Options):  # noqa: ANN201 - keras.Model is not known here
    """The network of the preset, compiled."""
    import keras
    from keras import layers

    def block(layer: layers.Layer) -> list[layers.Layer]:
        # Keras's momentum is the share that stays.
        normalization = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        if options.activation == "prelu":
            axes = list(range(1, 4 if isinstance(layer, layers.Conv2D) else 2))
            slope = keras.initializers.Constant(0.25)
            return [layer, normalization, layers.PReLU(slope, shared_axes=axes)]
        return [layer, normalization, layers.Activation(options.activation)]

    network = options.network
    model = keras.Sequential([layers.Input((SIDE, SIDE, 1))])
    parts: list[layers.Layer] = []
    for c in network.convolutions:
        if c.padding and c.stride > 1:
            # "same" would pad one border more than the other.
            parts.append(layers.ZeroPadding2D(c.padding))
        padding = "same" if c.padding and c.stride == 1 else "valid"
        parts += block(
            layers.Conv2D(c.channels, c.kernel, strides=c.stride, padding=padding, use_bias=False)
        )
        if c.pool:
            parts.append(layers.MaxPooling2D(2))
        if c.dropout:
            parts.append(layers.Dropout(c.dropout))
    parts += [layers.Flatten(), *block(layers.Dense(network.hidden_units, use_bias=False))]
    if network.hidden_dropout:
        parts.append(layers.Dropout(network.hidden_dropout))
    parts.append(layers.Dense(CLASSES))
    for part in parts:
        model.add(part)
    check_parameters(options, sum(math.prod(w.shape) for w in model.trainable_weights))
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE, epsilon=EPSILON),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=options.variant in ("tensorflow_xla", "jax"),
    )
    return model


def step_of(options: Options) -> Callable[[], object]:
    """A step of a network of its own."""
    import keras

    keras.utils.set_random_seed(0)
    model = build(options)
    images, labels = load_batch(options)
    images = keras.ops.convert_to_tensor(images.transpose(0, 2, 3, 1))
    labels = keras.ops.convert_to_tensor(labels)
    if options.training:
        return lambda: model.train_on_batch(images, labels)
    return lambda: model.predict_on_batch(images)


def main() -> None:
    options = parse_options(VARIANTS)
    backend, version = select_backend(options[0])
    import keras

    seconds = time_steps(options[0], [step_of(one) for one in options])
    print_results(options, seconds, {"keras": keras.__version__, backend: version})


if __name__ == "__main__":
    main()
