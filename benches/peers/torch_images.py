"""Labelled digits for PyTorch's side: all in memory, standardised, cut into batches."""

import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from torch import Tensor

from split import Split
from steps import SIDE, open_table


@dataclass(frozen=True)
class Images:
    """Standardised images, `[n, pixels]`, and their labels."""

    pixels: Tensor
    labels: Tensor
    channels_last: bool

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """These images, `[batch, 1, side, side]`, and their labels."""
        pixels = self.pixels.index_select(0, indices)
        if self.channels_last:
            images = pixels.view(-1, SIDE, SIDE, 1).permute(0, 3, 1, 2)
        else:
            images = pixels.view(-1, 1, SIDE, SIDE)
        return images, self.labels.index_select(0, indices)

    def batches(self, order: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """These images in as few batches of at most this size as there can be, none of them
        larger by more than one than another, as in `crates/data/src/loader.rs`."""
        for indices in order.tensor_split(batch_count(len(order), size)):
            yield self.batch(indices)


def batch_count(images: int, size: int) -> int:
    return -(-images // size)


def read_table(path: Path) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Pixels and labels of all rows."""
    with open_table(path) as file:
        names = file.readline().split(",")
        if names[0].strip().strip('"') != "label" or len(names) != 1 + SIDE * SIDE:
            sys.exit(f"{path}: the columns are not `label` and {SIDE * SIDE} pixels")
        try:
            table = numpy.loadtxt(file, delimiter=",", dtype=numpy.uint8, ndmin=2)
        except ValueError as error:
            sys.exit(f"{path}: {error}")
    return table[:, 1:], table[:, 0]


def standardised(
    pixels: numpy.ndarray, labels: numpy.ndarray, parts: Split, channels_last: bool
) -> tuple[Images, Images, float]:
    """Training and held-out images by mean and deviation of the training images' pixels, and that
    mean as a share of white."""
    counts = numpy.bincount(pixels[parts.training].ravel(), minlength=256)
    values = numpy.arange(256)
    count, total, squares = (int((counts * values**power).sum()) for power in range(3))
    mean, deviation = total / count, math.sqrt(count * squares - total**2) / count
    table = ((values - mean) / deviation).astype(numpy.float32)

    def part(rows: numpy.ndarray) -> Images:
        numbers = torch.from_numpy(labels[rows].astype(numpy.int64))
        return Images(torch.from_numpy(table[pixels[rows]]), numbers, channels_last)

    return part(parts.training), part(parts.validation), mean / 255
