"""Times training steps or inference of PyTorch on the CPU. See `steps.py` for the command line.

Variants: as it comes, or with tensors in channels-last order, either of them compiled with
`torch.compile`. Compiled inference has its weights frozen, which folds the normalisation into the
convolutions; `torchscript` does the same in PyTorch's older way, and is for inference only.
"""

import sys
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

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

VARIANTS = ("eager", "channels_last", "compiled", "compiled_channels_last", "torchscript")

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "elu": nn.ELU,
    "prelu": nn.PReLU,
}


def build(options: Options) -> nn.Sequential:
    """The network of the preset."""
    activation = ACTIVATIONS[options.activation]
    network = options.network
    layers: list[nn.Module] = []
    channels, side = 1, SIDE
    for c in network.convolutions:
        layers += [
            nn.Conv2d(channels, c.channels, c.kernel, c.stride, c.padding, bias=False),
            nn.BatchNorm2d(c.channels),
            activation(),
        ]
        channels, side = c.channels, (side + 2 * c.padding - c.kernel) // c.stride + 1
        if c.pool:
            layers.append(nn.MaxPool2d(2))
            side //= 2
        if c.dropout:
            layers.append(nn.Dropout(c.dropout))
    units = network.hidden_units
    layers += [
        nn.Flatten(),
        nn.Linear(channels * side * side, units, bias=False),
        nn.BatchNorm1d(units),
        activation(),
    ]
    if network.hidden_dropout:
        layers.append(nn.Dropout(network.hidden_dropout))
    layers.append(nn.Linear(units, CLASSES))
    model = nn.Sequential(*layers)
    check_parameters(options, sum(p.numel() for p in model.parameters()))
    return model


def training_step(
    options: Options, model: nn.Module, images: Tensor, labels: Tensor
) -> Callable[[], object]:
    """Forward, loss, backward and Adam."""
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, eps=EPSILON, fused=True)

    def loss(images: Tensor, labels: Tensor) -> Tensor:
        return criterion(model(images), labels)

    if options.variant.startswith("compiled"):
        loss = torch.compile(loss)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(images, labels).backward()
        optimizer.step()

    return step


def inference_step(options: Options, model: nn.Module, images: Tensor) -> Callable[[], object]:
    """The logits of a batch."""
    if options.variant == "torchscript":
        warnings.filterwarnings("ignore")
        with torch.no_grad():
            traced = torch.jit.freeze(torch.jit.trace(model, images))
            model = torch.jit.optimize_for_inference(traced)
    elif options.variant.startswith("compiled"):
        torch._inductor.config.freezing = True
        model = torch.compile(model)

    def step() -> Tensor:
        with torch.inference_mode():
            return model(images)

    return step


def step_of(options: Options) -> Callable[[], object]:
    """A step of a network of its own."""
    torch.manual_seed(0)
    model = build(options).train(options.training)
    images, labels = map(torch.from_numpy, load_batch(options))
    if options.variant.endswith("channels_last"):
        model = model.to(memory_format=torch.channels_last)
        images = images.to(memory_format=torch.channels_last)
    if options.training:
        return training_step(options, model, images, labels)
    return inference_step(options, model, images)


def main() -> None:
    options = parse_options(VARIANTS)
    first = options[0]
    if first.training and first.variant == "torchscript":
        sys.exit("torchscript is for --mode eval")
    torch.set_num_threads(first.threads)
    seconds = time_steps(first, [step_of(one) for one in options])
    print_results(options, seconds, {"torch": torch.__version__})


if __name__ == "__main__":
    main()
