"""Trains by a recipe with PyTorch on the CPU, and prints one JSON line with accuracy and times."""

import argparse
import copy
import json
import math
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import recipes
from recipes import Recipe
from split import split
from steps import CLASSES, Options, positive
from torch_images import Images, batch_count, read_table, standardised
from torch_learner import Learner, Loss, initialise
from torch_steps import build

VARIANTS = ("eager", "channels_last", "compiled", "compiled_channels_last")
WARMUP_STEPS = 3
VALIDATION_BATCH = 1000


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="labelled digits as CSV")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=positive, default=1)
    parser.add_argument("--variant", choices=VARIANTS, default=VARIANTS[0])
    return parser.parse_args()


def make_model(recipe: Recipe, arguments: argparse.Namespace) -> nn.Sequential:
    options = Options(
        preset=recipe.case.preset,
        activation=recipe.case.activation,
        mode="train",
        batch=recipe.batch_size,
        threads=arguments.threads,
        warmup=WARMUP_STEPS,
        steps=1,
        variant=arguments.variant,
        data=arguments.data,
    )
    model = build(options)
    initialise(model, recipe)
    if arguments.variant.endswith("channels_last"):
        model = model.to(memory_format=torch.channels_last)
    return model


def make_loss(model: nn.Module, recipe: Recipe, variant: str) -> Loss:
    def loss(images: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(model(images), labels, label_smoothing=recipe.label_smoothing)

    # Both sizes of batches are compiled for themselves.
    return torch.compile(loss, dynamic=False) if variant.startswith("compiled") else loss


def warm_up(learner: Learner, images: Images, batch_size: int) -> float:
    """Seconds of a few steps with batches of both sizes, of which nothing stays in the network."""
    start = time.perf_counter()
    state = copy.deepcopy(learner.model.state_dict())
    learner.model.train()
    batches = batch_count(len(images), batch_size)
    for size in {len(images) // batches, batch_count(len(images), batches)}:
        for _ in range(WARMUP_STEPS):
            learner.step(*images.batch(torch.arange(size)))
    learner.model.load_state_dict(state)
    return time.perf_counter() - start


def train_epoch(learner: Learner, images: Images, batch_size: int) -> float:
    """Seconds of an epoch of training, from a new order of the images to the last step."""
    learner.model.train()
    start = time.perf_counter()
    loss = torch.zeros(())
    for batch in images.batches(torch.randperm(len(images)), batch_size):
        loss = learner.step(*batch)
    if not math.isfinite(loss.item()):
        sys.exit("the loss is no longer finite")
    return time.perf_counter() - start


def validate(model: nn.Module, images: Images) -> tuple[float, float]:
    """Share of images read correctly, and the seconds that took."""
    model.eval()
    start = time.perf_counter()
    right = 0
    with torch.inference_mode():
        for pixels, labels in images.batches(torch.arange(len(images)), VALIDATION_BATCH):
            right += int((model(pixels).argmax(1) == labels).sum())
    return right / len(images), time.perf_counter() - start


def epochs(
    recipe: Recipe, learner: Learner, train: Images, valid: Images
) -> Iterator[dict[str, float]]:
    for number in range(1, recipe.case.epochs + 1):
        seconds = train_epoch(learner, train, recipe.batch_size)
        accuracy, validating = validate(learner.validated, valid)
        yield {
            "epoch": number,
            "accuracy": accuracy,
            "training_seconds": seconds,
            "validating_seconds": validating,
        }


def main() -> None:
    arguments = parse_arguments()
    recipe = recipes.parse(recipes.read(arguments.recipe))
    torch.set_num_threads(arguments.threads)
    start = time.perf_counter()
    pixels, labels = read_table(arguments.data)
    seed = arguments.seed if recipe.split_seed is None else recipe.split_seed
    parts = split(labels, recipe.validation, recipe.test, recipe.training, seed)
    channels_last = arguments.variant.endswith("channels_last")
    train, valid, mean = standardised(pixels, labels, parts, channels_last)
    reading = time.perf_counter() - start

    torch.manual_seed(arguments.seed)
    model = make_model(recipe, arguments)
    loss = make_loss(model, recipe, arguments.variant)
    steps = recipe.case.epochs * batch_count(len(train), recipe.batch_size)
    warming_up = warm_up(Learner(model, recipe, steps, loss), train, recipe.batch_size)
    # Compiling from here on would be in the clock of training.
    torch._dynamo.config.error_on_recompile = True
    done = list(epochs(recipe, Learner(model, recipe, steps, loss), train, valid))

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = {
        "variant": arguments.variant,
        "training_images": len(train),
        "training_mean": mean,
        "held_out_by_class": torch.bincount(valid.labels, minlength=CLASSES).tolist(),
        "epochs": done,
        "reading_seconds": reading,
        "warming_up_seconds": warming_up,
        # Linux counts in KiB, macOS in bytes.
        "peak_rss_kib": peak // 1024 if sys.platform == "darwin" else peak,
        "versions": {"torch": torch.__version__},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
