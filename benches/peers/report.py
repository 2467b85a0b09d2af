"""From runs to ratios, to the tables that are printed, and to the file with everything."""

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from contest import Run, Workload

LABELS = {"ours": "ours", "torch": "PyTorch", "keras": "Keras"}


@dataclass(frozen=True)
class Spread:
    """The middle and the ends of what the rounds gave."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Side:
    """What one contender reached."""

    name: str
    threads: int
    jobs: int
    images_per_second: Spread
    peak_rss_kib: int


@dataclass(frozen=True)
class Comparison:
    """One contender beside another, in the same rounds. `ratio`: `first` over `second`."""

    workload: Workload
    first: Side
    second: Side
    ratio: Spread
    rounds: int


@dataclass(frozen=True)
class Middle:
    """The median of what the rounds gave, and its 95 % confidence interval, by order statistics;
    of fewer than six rounds the ends, which say less."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Middle":
        ordered, count = sorted(values), len(values)
        cut = 0
        while 2 * sum(math.comb(count, k) for k in range(cut + 2)) <= 0.05 * 2**count:
            cut += 1
        return cls(statistics.median(ordered), ordered[cut], ordered[-1 - cut])


@dataclass(frozen=True)
class Price:
    """What an activation function costs beside another, in the same rounds.

    `ours`, `peers`: time with it over time with `base`. `lead`: our lead over the peer's fastest
    with it, over that with `base`.
    """

    workload: Workload
    base: str
    threads: int
    first: str
    second: str
    ours: Middle
    peers: Middle
    lead: Middle
    rounds: int


@dataclass(frozen=True)
class Tables:
    """Everything that is compared."""

    against_peers: list[Comparison]
    prices: list[Price]
    among_ours: list[Comparison]
    scaling: list[Comparison]
    parallel_jobs: list[Comparison]


# All runs of one contender at one workload, by round.
Rounds = dict[int, Run]


def _side(runs: Rounds) -> Side:
    run = next(iter(runs.values()))
    return Side(
        name=f"{LABELS[run.side]} {run.variant}",
        threads=run.threads,
        jobs=run.jobs,
        images_per_second=Spread.of([run.images_per_second for run in runs.values()]),
        peak_rss_kib=int(statistics.median(run.peak_rss_kib for run in runs.values())),
    )


def _compare(first: Rounds, second: Rounds) -> Comparison:
    common = sorted(first.keys() & second.keys())
    first = {number: first[number] for number in common}
    second = {number: second[number] for number in common}
    ratios = [
        first[number].images_per_second / second[number].images_per_second for number in common
    ]
    return Comparison(
        workload=first[common[0]].workload,
        first=_side(first),
        second=_side(second),
        ratio=Spread.of(ratios),
        rounds=len(common),
    )


def _group(runs: Sequence[Run]) -> dict[tuple[Workload, int, int, str], dict[str, Rounds]]:
    """Runs by workload, threads, jobs and side, then by variant and round."""
    groups: dict[tuple[Workload, int, int, str], dict[str, Rounds]] = defaultdict(dict)
    for run in runs:
        variants = groups[run.workload, run.threads, run.jobs, run.side]
        variants.setdefault(run.variant, {})[run.round] = run
    return groups


def _fastest(variants: dict[str, Rounds]) -> Rounds:
    """The fastest variant by its median, among those that ran in every round."""
    rounds = max(map(len, variants.values()))
    complete = [runs for runs in variants.values() if len(runs) == rounds]
    return max(complete, key=lambda runs: _side(runs).images_per_second.median)


def compare(runs: Sequence[Run]) -> Tables:
    """All comparisons that the runs allow."""
    return Tables(
        _against_peers(runs),
        _prices(runs),
        _among_ours(runs),
        _scaling(runs),
        _parallel_jobs(runs),
    )


def _against_peers(runs: Sequence[Run]) -> list[Comparison]:
    """Each variant of ours against each peer's fastest."""
    groups = _group(runs)
    return [
        _compare(our_runs, _fastest(groups[workload, threads, 1, peer]))
        for (workload, threads, jobs, side), variants in groups.items()
        if side == "ours" and jobs == 1
        for our_runs in variants.values()
        for peer in LABELS
        if peer != "ours" and (workload, threads, 1, peer) in groups
    ]


def _prices(runs: Sequence[Run]) -> list[Price]:
    """Each further activation function beside the first."""
    groups = _group(runs)
    bases: dict[tuple[Any, ...], Workload] = {}
    prices = []
    for (workload, threads, jobs, side), variants in groups.items():
        kind = (workload.preset, workload.mode, workload.batch)
        base = bases.setdefault(kind, workload)
        if side != "ours" or jobs > 1 or base == workload:
            continue
        for peer in LABELS:
            if peer == "ours" or (workload, threads, 1, peer) not in groups:
                continue
            theirs = _fastest(groups[workload, threads, 1, peer])
            their_base = _fastest(groups[base, threads, 1, peer])
            for name, ours in variants.items():
                our_base = groups[base, threads, 1, side][name]
                prices.append(_price(base.activation, (ours, our_base), (theirs, their_base)))
    return prices


def _price(base: str, ours: tuple[Rounds, Rounds], theirs: tuple[Rounds, Rounds]) -> Price:
    common = sorted(set.intersection(*(set(runs) for runs in (*ours, *theirs))))

    def times(pair: tuple[Rounds, Rounds]) -> list[float]:
        with_it, with_base = pair
        return [
            with_base[number].images_per_second / with_it[number].images_per_second
            for number in common
        ]

    run = ours[0][common[0]]
    our_times, their_times = times(ours), times(theirs)
    return Price(
        workload=run.workload,
        base=base,
        threads=run.threads,
        first=_side(ours[0]).name,
        second=_side(theirs[0]).name,
        ours=Middle.of(our_times),
        peers=Middle.of(their_times),
        lead=Middle.of([b / a for a, b in zip(our_times, their_times, strict=True)]),
        rounds=len(common),
    )


def _among_ours(runs: Sequence[Run]) -> list[Comparison]:
    """Each further variant of ours against the first."""
    return [
        _compare(other, first)
        for (_, _, jobs, side), variants in _group(runs).items()
        if side == "ours" and jobs == 1
        for first, *others in [list(variants.values())]
        for other in others
    ]


def _scaling(runs: Sequence[Run]) -> list[Comparison]:
    """More threads against the fewest: each variant of ours, and each peer's fastest."""
    groups = _group(runs)
    comparisons = []
    for (workload, threads, jobs, side), variants in groups.items():
        fewest = min(t for w, t, j, s in groups if (w, j, s) == (workload, 1, side))
        if jobs > 1 or threads == fewest:
            continue
        base = groups[workload, fewest, 1, side]
        if side == "ours":
            comparisons += [_compare(variants[name], base[name]) for name in variants]
        else:
            comparisons.append(_compare(_fastest(variants), _fastest(base)))
    return comparisons


def _parallel_jobs(runs: Sequence[Run]) -> list[Comparison]:
    """Several processes with one thread against one process with as many threads."""
    groups = _group(runs)
    return [
        _compare(job_runs, groups[workload, jobs, 1, side][variant])
        for (workload, _, jobs, side), variants in groups.items()
        if jobs > 1
        for variant, job_runs in variants.items()
    ]


def to_text(tables: Tables) -> str:
    """The tables in Markdown, each with its title."""
    titles = {
        "Ours over each peer's fastest": tables.against_peers,
        "Ours over our first": tables.among_ours,
        "More threads over fewer": tables.scaling,
        "Several processes with one thread over one process": tables.parallel_jobs,
    }
    parts = [f"{title}:\n\n{_table(rows)}" for title, rows in titles.items() if rows]
    if tables.prices:
        parts.insert(1, _price_table(tables.prices))
    return "\n\n".join(parts)


WORKLOAD_HEADER = ("network", "activation", "mode", "batch")


def _workload_cells(workload: Workload) -> tuple[str, ...]:
    return (workload.preset, workload.activation, workload.mode, str(workload.batch))


def _price_table(prices: Sequence[Price]) -> str:
    header = (*WORKLOAD_HEADER, "threads", "first", "its time", "second", "its time", "lead")
    rows = [
        (
            *_workload_cells(price.workload),
            str(price.threads),
            price.first,
            _middle(price.ours),
            price.second,
            _middle(price.peers),
            _middle(price.lead),
        )
        for price in prices
    ]
    title = f"Time of a step with a function over that with {prices[0].base}, 95 % intervals:"
    return f"{title}\n\n{table(header, rows, {0, 1, 2, 5, 7})}"


def _middle(middle: Middle) -> str:
    return f"{middle.median:.3f} ({middle.low:.3f} to {middle.high:.3f})"


def _table(comparisons: Sequence[Comparison]) -> str:
    """A Markdown table."""
    header = (
        *WORKLOAD_HEADER,
        "threads",
        "first",
        "images/s (min to max)",
        "second",
        "images/s (min to max)",
        "ratio",
        "min",
        "max",
        "peak MiB",
    )
    # Texts to the left, numbers to the right.
    return table(header, [_row(comparison) for comparison in comparisons], {0, 1, 2, 5, 7})


def table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: set[int]) -> str:
    """A Markdown table whose columns `texts` stand to the left, and the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = [
        "-" * width if index in texts else "-" * (width - 1) + ":"
        for index, width in enumerate(widths)
    ]
    lines = []
    for cells in (header, rule, *rows):
        padded = [
            cell.ljust(width) if index in texts else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append(f"| {' | '.join(padded)} |")
    return "\n".join(lines)


def _row(comparison: Comparison) -> tuple[str, ...]:
    first, second = comparison.first, comparison.second
    ratio = comparison.ratio
    threads = [
        f"{side.jobs} of {side.threads}" if side.jobs > 1 else f"{side.threads}"
        for side in (first, second)
    ]
    return (
        *_workload_cells(comparison.workload),
        threads[0] if threads[0] == threads[1] else " / ".join(threads),
        first.name,
        _rate(first.images_per_second),
        second.name,
        _rate(second.images_per_second),
        f"{ratio.median:.2f}",
        f"{ratio.min:.2f}",
        f"{ratio.max:.2f}",
        f"{first.peak_rss_kib / 1024:.0f} / {second.peak_rss_kib / 1024:.0f}",
    )


def _rate(spread: Spread) -> str:
    return f"{spread.median:,.0f} ({spread.min:,.0f} to {spread.max:,.0f})"


def busy(shares: Sequence[float | None]) -> str:
    """How busy other programs kept the machine, as the end of a sentence."""
    known = [share for share in shares if share is not None]
    if not known:
        return ""
    return (
        f"; other programs kept {statistics.median(known):.2f} cores busy "
        f"(at most {max(known):.2f})"
    )


def save(path: Path, results: Any) -> None:
    """Writes a data class as JSON, under another name first: what can be seen is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}.partial")
    hidden.write_text(json.dumps(asdict(results), indent=1) + "\n", encoding="utf-8")
    hidden.replace(path)
