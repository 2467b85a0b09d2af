"""The split into training and held-out rows, row for row that of `crates/data/src/split.rs`."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy

# `Purpose::Split` of `crates/seed`.
SPLIT = 2
CONSTANTS = numpy.frombuffer(b"expand 32-byte k", dtype="<u4")
# Columns and diagonals of the state.
QUARTERS = (
    (0, 4, 8, 12),
    (1, 5, 9, 13),
    (2, 6, 10, 14),
    (3, 7, 11, 15),
    (0, 5, 10, 15),
    (1, 6, 11, 12),
    (2, 7, 8, 13),
    (3, 4, 9, 14),
)


@dataclass(frozen=True)
class Split:
    """Rows in the order of the file, counted from 0."""

    training: numpy.ndarray
    validation: numpy.ndarray


def split(
    labels: numpy.ndarray, validation: float, test: float, training: float, seed: int
) -> Split:
    """The same share of every class for each part; what is for the test is in neither."""
    trained, held_out = [], []
    for label in range(int(labels.max()) + 1):
        rows = numpy.flatnonzero(labels == label).tolist()
        _shuffle(rows, _numbers((seed, SPLIT, 0, label), len(rows)))
        spare = max(0, len(rows) - 1)
        valid = min(_rounded(validation * len(rows)), spare)
        tested = min(_rounded(test * len(rows)), spare - valid)
        rest = len(rows) - valid - tested
        held_out += rows[:valid]
        trained += rows[len(rows) - min(max(_rounded(training * rest), 1), rest) :]
    return Split(numpy.array(sorted(trained)), numpy.array(sorted(held_out)))


def _rounded(number: float) -> int:
    return math.floor(number + 0.5)


def _shuffle(items: list[int], numbers: Iterator[int]) -> None:
    for last in range(len(items) - 1, 0, -1):
        other = (next(numbers) * (last + 1)) >> 64
        items[last], items[other] = items[other], items[last]


def _numbers(key: tuple[int, int, int, int], count: int) -> Iterator[int]:
    """The first 64-bit numbers of the ChaCha8 stream with this key, nonce and counter 0."""
    blocks = count // 8 + 1
    state = numpy.zeros((16, blocks), dtype=numpy.uint32)
    state[:4] = CONSTANTS[:, None]
    state[4:12] = numpy.array(key, dtype="<u8").view("<u4")[:, None]
    state[12] = numpy.arange(blocks)
    mixed = state.copy()
    for _ in range(4):
        for a, b, c, d in QUARTERS:
            for to, by, other, places in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                mixed[to] += mixed[by]
                word = mixed[other] ^ mixed[to]
                mixed[other] = (word << places) | (word >> (32 - places))
    words = (mixed + state).T.astype("<u4").ravel()
    return iter(words.view("<u8").tolist())
