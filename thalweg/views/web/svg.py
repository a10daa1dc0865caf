"""Static pictures as SVG: curves, without a browser's help and without matplotlib.

Inside a page or a notebook's output they take its text colour (`currentColor`), so that they are readable on dark and
on light paper; as a picture of their own they have white paper. Every text is escaped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

COLOURS = ("#3b82c4", "#e07020", "#2f9e6e", "#b0559c", "#9a8200", "#6b5bb8", "#c2423d", "#7c868e")
"""Readable on white and on black."""
FONT = (
    "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'PingFang TC', 'Microsoft JhengHei', 'Noto Sans TC', sans-serif"
)
WIDTH, HEIGHT = 380, 250  # of a chart
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 30, 38  # its margins
MOST_POINTS = 500
LETTER = 6.6  # width, roughly


@dataclass(frozen=True)
class Curve:
    """A line: y over x; NaN makes a gap."""

    name: str
    x: Sequence[float] | Array
    y: Sequence[float] | Array
    dashed: bool = False


@dataclass(frozen=True)
class Chart:
    """Curves over a common axis."""

    title: str
    curves: Sequence[Curve]
    x_label: str = ""
    marks: Sequence[tuple[float, str]] = field(default_factory=tuple)  # vertical lines with a word


def inline(charts: Sequence[Chart], across: int = 2) -> str:
    """The charts as SVG that stands within a page.

    >>> inline([Chart("loss", [Curve("loss", [1, 2], [0.5, 0.25])])])[:12]
    '<svg viewBox'
    """
    return drawn(charts, across, 'role="img" style="max-width:100%;height:auto;color:inherit"', "")


def standalone(charts: Sequence[Chart], across: int = 2) -> str:
    """The charts as a file, or as an image/svg+xml output: on white paper."""
    start = 'xmlns="http://www.w3.org/2000/svg" role="img" color="#1c2127"'
    return drawn(charts, across, start, '<rect width="100%" height="100%" fill="#ffffff"/>')


def drawn(charts: Sequence[Chart], across: int, attributes: str, paper: str) -> str:
    """The charts side by side, `across` in a row."""
    across = max(1, min(across, len(charts)))
    width, height = WIDTH * across, HEIGHT * -(-len(charts) // across)
    parts = [
        f'<g transform="translate({WIDTH * (n % across)} {HEIGHT * (n // across)})">{chart(one)}</g>'
        for n, one in enumerate(charts)
    ]
    names = escape("; ".join(summary(one) for one in charts))
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" {attributes} '
        f'font-family="{escape(FONT)}" font-size="12" aria-label="{names}">{paper}{"".join(parts)}</svg>'
    )


def summary(one: Chart) -> str:
    """The chart in words: where each curve begins and ends."""
    ends = []
    for curve in one.curves:
        y = np.asarray(curve.y, np.float64)
        y = y[np.isfinite(y)]
        if y.size:
            ends.append(f"{curve.name} from {number(y[0])} to {number(y[-1])}")
    return f"{one.title}: {', '.join(ends)}" if ends else one.title


def chart(one: Chart) -> str:
    """A chart's axes, curves and legend."""
    points = [thinned(np.asarray(c.x, np.float64), np.asarray(c.y, np.float64)) for c in one.curves]
    xs, ys = (np.concatenate([p[k] for p in points]) if points else np.zeros(0) for k in (0, 1))
    known = np.isfinite(xs) & np.isfinite(ys)
    if not known.any():
        return text(WIDTH / 2, HEIGHT / 2, f"{one.title}: nothing to draw", "middle")
    x_low, x_high = float(xs[known].min()), float(xs[known].max())
    y_ticks = ticks(float(ys[known].min()), float(ys[known].max()))
    y_low, y_high = min(y_ticks[0], float(ys[known].min())), max(y_ticks[-1], float(ys[known].max()))
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM

    def across(x: float) -> float:
        return LEFT + (right - LEFT) * ((x - x_low) / (x_high - x_low) if x_high > x_low else 0.5)

    def up(y: float) -> float:
        return bottom - (bottom - TOP) * ((y - y_low) / (y_high - y_low) if y_high > y_low else 0.5)

    parts = [text(LEFT, 16, one.title, "start", 'font-weight="600"')]
    for y in y_ticks:
        parts.append(rule(LEFT, up(y), right, up(y)))
        parts.append(text(LEFT - 6, up(y) + 4, number(y), "end", 'fill-opacity="0.75"'))
    below = 'fill-opacity="0.75"'
    parts += [text(across(x), bottom + 16, number(x), "middle", below) for x in whole_ticks(x_low, x_high)]
    parts.append(text((LEFT + right) / 2, HEIGHT - 6, one.x_label, "middle", 'fill-opacity="0.75"'))
    for x, word in one.marks:
        if x_low <= x <= x_high:
            parts.append(rule(across(x), TOP, across(x), bottom, 'stroke-dasharray="3 3" stroke-opacity="0.5"'))
            side = "end" if across(x) > WIDTH / 2 else "start"
            parts.append(text(across(x) + (-4 if side == "end" else 4), TOP + 10, word, side, 'fill-opacity="0.75"'))
    for n, (curve, (x_points, y_points)) in enumerate(zip(one.curves, points, strict=True)):
        parts.append(
            path([across(x) for x in x_points], [up(y) for y in y_points], COLOURS[n % len(COLOURS)], curve.dashed)
        )
    return "".join(parts) + legend(one.curves, LEFT + LETTER * 1.15 * len(one.title) + 12)


def legend(curves: Sequence[Curve], start: float) -> str:
    """Samples of the curves with their names, right of `start`; below each other in the plot if that is too narrow."""
    if len(curves) < 2:
        return ""
    names = [curve.name if len(curve.name) <= 22 else curve.name[:21] + "…" for curve in curves]
    widths = [LETTER * len(name) + 30 for name in names]
    beside = start + sum(widths) <= WIDTH - RIGHT
    parts, right = [], float(WIDTH - RIGHT)
    for n, (curve, name, width) in reversed(list(enumerate(zip(curves, names, widths, strict=True)))):
        left, y = (right - width, 16.0) if beside else (WIDTH - RIGHT - max(widths), TOP + 14.0 + 15 * n)
        dash = 'stroke-dasharray="5 3" ' if curve.dashed else ""
        parts.append(
            f'<path d="M{left:.1f} {y - 4:.1f}h18" stroke="{COLOURS[n % len(COLOURS)]}" stroke-width="2" {dash}'
            f'fill="none"/>{text(left + 22, y, name, "start")}'
        )
        right -= width
    return "".join(parts)


def path(xs: Sequence[float], ys: Sequence[float], colour: str, dashed: bool) -> str:
    """A curve; a point alone is a dot."""
    steps, pen = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(x) and math.isfinite(y):
            steps.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        else:
            pen = "M"
    if len(steps) == 1:
        cx, cy = steps[0][1:].split()
        return f'<circle cx="{cx}" cy="{cy}" r="3" fill="{colour}"/>'
    dash = ' stroke-dasharray="5 3"' if dashed else ""
    return f'<path d="{"".join(steps)}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"{dash}/>'


def rule(x0: float, y0: float, x1: float, y1: float, more: str = 'stroke-opacity="0.15"') -> str:
    """A thin line."""
    return f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="currentColor" {more}/>'


def text(x: float, y: float, words: str, anchor: str, more: str = "") -> str:
    """A text in the colour of the page's text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor" {more}>{escape(words)}</text>'


def thinned(x: Array, y: Array) -> tuple[Array, Array]:
    """At most about 500 points of a curve: the least and the greatest of each stretch, so that no peak is lost."""
    size = min(len(x), len(y))
    x, y = x[:size], y[:size]
    if size <= MOST_POINTS:
        return x, y
    edges = np.linspace(0, size, MOST_POINTS // 2 + 1).astype(int)
    kept = {0, size - 1}
    for low, high in itertools.pairwise(edges):
        part = y[low:high]
        if np.isfinite(part).any():
            kept |= {low + int(np.nanargmin(part)), low + int(np.nanargmax(part))}
        else:
            kept.add(int(low))
    places = np.array(sorted(kept))
    return x[places], y[places]


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers from at most `low` to at least `high`.

    >>> ticks(0.03, 0.68)
    [0.0, 0.2, 0.4, 0.6, 0.8]
    """
    if not high > low:
        low, high = (low - 0.5, high + 0.5) if abs(low) < 1e6 else (low * 0.9, high * 1.1)
        low, high = min(low, high), max(low, high)
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) if step > 1e-9 else k * step for k in range(first, last + 1)]


def whole_ticks(low: float, high: float) -> list[float]:
    """Whole numbers within the range, such as epochs; round ones where the range has no two."""
    if not high > low:
        return [low]
    found = [t for t in ticks(low, high, 6) if low <= t <= high]
    whole = [t for t in found if t == int(t)]
    return whole if len(whole) > 1 else found


def number(value: float) -> str:
    """A number to four digits.

    >>> number(0.25), number(1200.0), number(-0.0), number(1e-7)
    ('0.25', '1200', '0', '1e-07')
    """
    return f"{value + 0.0:.4g}" if abs(value) < 1e4 or abs(value) >= 1e15 else f"{value:,.0f}"
