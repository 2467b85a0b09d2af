"""What all seeds came to, and the table of it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from recipes import Case
from report import LABELS, Spread, table
from trainings import Training


@dataclass(frozen=True)
class Accuracy:
    """What the seeds reached on held-out rows. The deviation is that of the sample."""

    mean: float
    standard_deviation: float | None
    min: float
    max: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Accuracy":
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), deviation, min(values), max(values), len(values))


@dataclass(frozen=True)
class Outcome:
    """What one side made of one case, over all seeds."""

    case: Case
    side: str
    variant: str
    accuracy: Accuracy
    seconds: Spread
    validating_seconds: Spread
    # What PyTorch's side did before the clock of training; `None` where that is not apart.
    reading_seconds: Spread | None
    warming_up_seconds: Spread | None
    process_seconds: Spread
    # Its seconds of training over ours, of the same seed; `None` for ours.
    ratio: Spread | None


def outcomes(trainings: Sequence[Training]) -> list[Outcome]:
    """By case and side, in the order in which they came."""
    groups: dict[tuple[Case, str], list[Training]] = {}
    for training in trainings:
        groups.setdefault((training.case, training.side), []).append(training)
    ours = {(one.case, one.seed): one.seconds for one in trainings if one.side == "ours"}
    return [_outcome(group, ours) for group in groups.values()]


def _outcome(group: Sequence[Training], ours: dict[tuple[Case, int], float]) -> Outcome:
    first = group[0]
    pairs = [(one, ours[one.case, one.seed]) for one in group if (one.case, one.seed) in ours]
    ratios = [one.seconds / seconds for one, seconds in pairs if one.side != "ours"]
    return Outcome(
        case=first.case,
        side=first.side,
        variant=first.variant,
        accuracy=Accuracy.of([one.accuracy for one in group]),
        seconds=Spread.of([one.seconds for one in group]),
        validating_seconds=Spread.of([one.validating_seconds for one in group]),
        reading_seconds=_known([one.reading_seconds for one in group]),
        warming_up_seconds=_known([one.warming_up_seconds for one in group]),
        process_seconds=Spread.of([one.process_seconds for one in group]),
        ratio=_known(ratios),
    )


def _known(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread.of(known) if known else None


def to_text(found: Sequence[Outcome]) -> str:
    """The table in Markdown."""
    header = (
        "network",
        "activation",
        "epochs",
        "side",
        "accuracy, %",
        "SD",
        "n",
        "training, s",
        "PyTorch / ours",
        "validating, s",
        "reading, s",
        "warming up, s",
        "all in all, s",
    )
    return table(header, [_row(outcome) for outcome in found], {0, 1, 3})


def _row(outcome: Outcome) -> tuple[str, ...]:
    accuracy = outcome.accuracy
    deviation = accuracy.standard_deviation
    return (
        outcome.case.preset,
        outcome.case.activation,
        str(outcome.case.epochs),
        f"{LABELS[outcome.side]} {outcome.variant}",
        f"{100 * accuracy.mean:.2f}",
        "–" if deviation is None else f"{100 * deviation:.2f}",
        str(accuracy.n),
        _spread(outcome.seconds, 1),
        _spread(outcome.ratio, 2),
        _median(outcome.validating_seconds),
        _median(outcome.reading_seconds),
        _median(outcome.warming_up_seconds),
        _median(outcome.process_seconds),
    )


def _median(spread: Spread | None) -> str:
    return "–" if spread is None else f"{spread.median:.1f}"


def _spread(spread: Spread | None, places: int) -> str:
    if spread is None:
        return "–"
    ends = (spread.median, spread.min, spread.max)
    median, least, most = (f"{value:,.{places}f}" for value in ends)
    return f"{median} ({least} to {most})"
