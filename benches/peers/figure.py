"""A figure of accuracy against seconds, as SVG."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 860, 520
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 24, 56
LABEL_HEIGHT = 16
DASHES = ("", "7 4", "2 4", "10 4 2 4")

STYLE = """
svg { background: #fff; font: 13px system-ui, sans-serif; }
text { fill: #1f2328; } .grid { stroke: #d8dde3; } .leader { stroke: #8c959f; }
.c0 { --c: #0969da; } .c1 { --c: #c4490b; } .c2 { --c: #1a7f37; } .c3 { --c: #8250df; }
.line { fill: none; stroke: var(--c); stroke-width: 2; } .whisker { stroke: var(--c); opacity: .5; }
.point { fill: var(--c); } text.name { fill: var(--c); }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117; } text { fill: #e6edf3; } .grid { stroke: #30363d; }
  .leader { stroke: #6e7681; }
  .c0 { --c: #6cb6ff; } .c1 { --c: #f0883e; } .c2 { --c: #57ab5a; } .c3 { --c: #b083f0; }
}
"""


@dataclass(frozen=True)
class Point:
    """Seconds of training, and the error in percent: its mean and its ends."""

    seconds: float
    error: float
    least: float
    most: float
    epochs: int


@dataclass(frozen=True)
class Line:
    """The points of one network with one activation function."""

    preset: str
    activation: str
    points: list[Point]


class Axis:
    """A logarithmic axis from one place on the page to another."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low, self._high = math.log(min(values) / 1.08), math.log(max(values) * 1.08)
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        share = (math.log(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> Iterator[float]:
        """Round numbers, the closer the less there is to show."""
        decades = (self._high - self._low) / math.log(10)
        digits = (1, 2, 5) if decades > 1.2 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)
        first = math.floor(self._low / math.log(10))
        for power in range(first, first + math.ceil(decades) + 2):
            for digit in digits:
                value = digit * 10.0**power
                if self._low <= math.log(value) <= self._high:
                    yield value


def draw(lines: Sequence[Line]) -> str:
    """The figure. Points without any error have no place on a logarithmic axis."""
    lines = [
        Line(line.preset, line.activation, [p for p in line.points if p.error > 0])
        for line in lines
    ]
    lines = [line for line in lines if line.points]
    points = [point for line in lines for point in line.points]
    if not points:
        raise ValueError("no training has an error to draw")
    ends = [end for p in points for end in (p.least, p.error, p.most) if end > 0]
    x = Axis([point.seconds for point in points], LEFT, WIDTH - RIGHT)
    y = Axis(ends, HEIGHT - BOTTOM, TOP)
    body = [*_axes(x, y)]
    presets = list(dict.fromkeys(line.preset for line in lines))
    activations = list(dict.fromkeys(line.activation for line in lines))
    for line in lines:
        dash = DASHES[activations.index(line.activation) % len(DASHES)]
        body.append(f'<g class="c{presets.index(line.preset) % 4}">')
        body += _line(line, x, y, dash)
        body.append("</g>")
    body += _names(lines, presets, x, y)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        "<title>Error on held-out images against seconds of training</title>\n"
        f"<style>{STYLE}</style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _axes(x: Axis, y: Axis) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in x.ticks():
        at = f"{x.place(value):.1f}"
        yield f'<line class="grid" x1="{at}" x2="{at}" y1="{TOP}" y2="{bottom}"/>'
        yield f'<text x="{at}" y="{bottom + 18}" text-anchor="middle">{value:g}</text>'
    for value in y.ticks():
        at = y.place(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{value:g}</text>'
    middle = (LEFT + right) / 2
    yield f'<text x="{middle}" y="{HEIGHT - 14}" text-anchor="middle">seconds of training</text>'
    middle = (TOP + bottom) / 2
    turn = f'transform="rotate(-90 20 {middle})"'
    name = "error, % of held-out images"
    yield f'<text x="20" y="{middle}" text-anchor="middle" {turn}>{name}</text>'


def _line(line: Line, x: Axis, y: Axis, dash: str) -> Iterator[str]:
    places = [(x.place(point.seconds), y.place(point.error)) for point in line.points]
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
    yield f'<polyline class="line" stroke-dasharray="{dash or "none"}" points="{path}"/>'
    for point, (across, down) in zip(line.points, places, strict=True):
        # An end without any error has no place.
        low = y.place(point.least) if point.least > 0 else down
        high = y.place(point.most)
        yield (
            f'<line class="whisker" x1="{across:.1f}" x2="{across:.1f}" '
            f'y1="{low:.1f}" y2="{high:.1f}"/>'
        )
        about = f"{line.preset} {line.activation}, {point.epochs} epochs: {point.error:.2f} %"
        yield (
            f'<circle class="point" cx="{across:.1f}" cy="{down:.1f}" r="3.5">'
            f"<title>{escape(about)}, {point.seconds:.1f} s</title></circle>"
        )


def _names(lines: Sequence[Line], presets: Sequence[str], x: Axis, y: Axis) -> Iterator[str]:
    """The lines' names to their right, moved apart where they would touch."""
    ends = [(x.place(line.points[-1].seconds), y.place(line.points[-1].error)) for line in lines]
    order = sorted(range(len(lines)), key=lambda index: ends[index][1])
    places, lowest = {}, TOP
    for index in order:
        places[index] = lowest = max(lowest, ends[index][1])
        lowest += LABEL_HEIGHT
    # Back up where the last ones would be below the axis.
    highest = HEIGHT - BOTTOM
    for index in reversed(order):
        places[index] = highest = min(highest, places[index])
        highest -= LABEL_HEIGHT
    left = WIDTH - RIGHT + 16
    for index, line in enumerate(lines):
        (across, down), place = ends[index], places[index]
        yield (
            f'<line class="leader" stroke-width=".7" x1="{across + 5:.1f}" y1="{down:.1f}" '
            f'x2="{left - 4}" y2="{place:.1f}"/>'
        )
        name = escape(f"{line.preset} {line.activation}")
        colour = presets.index(line.preset) % 4
        yield f'<text class="name c{colour}" x="{left}" y="{place + 4:.1f}">{name}</text>'
