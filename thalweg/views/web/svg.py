"""Static pictures as SVG: curves, without a browser's help and without matplotlib.

Inside a page or a notebook's output they take its text colour (`currentColor`), so that they are readable on dark and
on light paper; as a picture of their own they have white paper. Every text is escaped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

import numpy as np

from thalweg.views.chart import Array, Chart, Curve, english

COLOURS = ("#3b82c4", "#e07020", "#2f9e6e", "#b0559c", "#9a8200", "#6b5bb8", "#c2423d", "#7c868e")
"""Readable on white and on black."""
FONT = (
    "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'PingFang TC', 'Microsoft JhengHei', 'Noto Sans TC', sans-serif"
)
WIDTH, HEIGHT = 380, 250  # of a chart
LEFT, RIGHT, TOP, BOTTOM = 52, 20, 30, 38  # its margins
MOST_POINTS = 500
LETTER = 6.6  # width, roughly
PALE = 'fill-opacity="0.75"'


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
            ends.append(f"{english(curve.name)} from {number(y[0])} to {number(y[-1])}")
    return f"{english(one.title)}: {', '.join(ends)}" if ends else english(one.title)


def chart(one: Chart) -> str:
    """A chart's axes, curves and legend."""
    points = [(x, side) for _, _, x, y, band in one.drawn() for side in (y, *band)]
    xs, ys = (np.concatenate([p[k] for p in points]) if points else np.zeros(0) for k in (0, 1))
    known = np.isfinite(xs) & np.isfinite(ys)
    title = english(one.title)
    if not known.any():
        return text(WIDTH / 2, HEIGHT / 2, f"{title}: nothing to draw", "middle")
    x_low, x_high, low, high = (float(end(part[known])) for part in (xs, ys) for end in (np.min, np.max))
    y_ticks = decades(low, high) if one.log_y else ticks(low, high)
    y_low, y_high = min(y_ticks[0], low), max(y_ticks[-1], high)
    right, bottom, middle = WIDTH - RIGHT, HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2
    across = partial(placed, low=x_low, high=x_high, start=LEFT, end=right, log=one.log_x)
    up = partial(placed, low=y_low, high=y_high, start=bottom, end=TOP, log=one.log_y)
    parts = [f"<title>{escape(english(one.note))}</title>"] if one.note else []
    parts.append(text(LEFT, 16, title, "start", 'font-weight="600"'))
    for y in y_ticks:
        parts += [rule(LEFT, up(y), right, up(y)), text(LEFT - 6, up(y) + 4, number(y), "end", PALE)]
    for x in (decades if one.log_x else whole_ticks)(x_low, x_high):
        parts.append(text(across(x), bottom + 16, number(x), "middle", PALE))
    parts.append(text((LEFT + right) / 2, HEIGHT - 6, english(one.x_label), "middle", PALE))
    if one.y_label:
        parts.append(text(12, middle, english(one.y_label), "middle", f'transform="rotate(-90 12 {middle})" {PALE}'))
    for x, word in one.marks:
        if x_low <= x <= x_high:
            parts.append(rule(across(x), TOP, across(x), bottom, 'stroke-dasharray="3 3" stroke-opacity="0.5"'))
            side = "end" if across(x) > WIDTH / 2 else "start"
            parts.append(text(across(x) + (-4 if side == "end" else 4), TOP + 10, english(word), side, PALE))
    return "".join(parts) + curves(one, across, up) + legend(one, LEFT + LETTER * 1.15 * len(title) + 12)


def placed(value: Any, low: float, high: float, start: float, end: float, log: bool) -> Any:
    """Where a value of an axis from `low` to `high`, or an array of them, lies between two places."""
    if log:
        value, low, high = np.log(value), math.log(low), math.log(high)
    return start + (end - start) * ((value - low) / (high - low) if high > low else 0.5 * np.ones_like(value))


def curves(one: Chart, across: Callable[[Any], Any], up: Callable[[Any], Any]) -> str:
    """A chart's curves with their bands, the grey ones below."""
    parts = []
    for curve, colour, x, y, band in sorted(one.drawn(), key=lambda each: each[1] is not None):
        if band:
            low, high = ([*zip(*thinned(across(x), up(side)), strict=True)] for side in band)
            edge = [f"{a:.1f} {b:.1f}" for a, b in [*low, *high[::-1]] if math.isfinite(a) and math.isfinite(b)]
            parts.append(f'<path d="M{"L".join(edge)}Z" fill="{ink(colour)}" fill-opacity="0.1"/>')
        parts.append(path(*thinned(across(x), up(y)), curve, colour))
    return "".join(parts)


def legend(one: Chart, start: float) -> str:
    """Samples of the curves with their names, right of `start`; below each other in the plot if that is too narrow."""
    told = [(curve, colour, y) for curve, colour, _, y, _ in one.drawn() if curve.told]
    if len(told) < 2:
        return ""
    names = [name if len(name) <= 22 else name[:21] + "…" for name in (english(curve.name) for curve, *_ in told)]
    widths = [LETTER * len(name) + 30 for name in names]
    beside = start + sum(widths) <= WIDTH - RIGHT
    rising = 2 * sum(len(y) > 0 and not y[0] >= y[-1] for *_, y in told) > len(told)
    top = HEIGHT - BOTTOM + 9.0 - 15 * len(told) if rising else TOP + 14.0  # in the corner that has room
    parts, right = [], float(WIDTH - RIGHT)
    for n, ((curve, colour, _), name, width) in reversed(list(enumerate(zip(told, names, widths, strict=True)))):
        left, y = (right - width, 16.0) if beside else (WIDTH - RIGHT - max(widths), top + 15 * n)
        sample = f"M{left + 9:.1f} {y - 4:.1f}h0" if curve.dots else f"M{left:.1f} {y - 4:.1f}h18"
        parts.append(f'<path d="{sample}" {pen(curve, colour)}/>{text(left + 22, y, name, "start")}')
        right -= width
    return "".join(parts)


def path(xs: Array, ys: Array, curve: Curve, colour: int | None) -> str:
    """A curve; a point alone is a dot."""
    steps, start = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(x) and math.isfinite(y):
            steps.append(f"M{x:.1f} {y:.1f}h0" if curve.dots else f"{start}{x:.1f} {y:.1f}")
            start = "L"
        else:
            start = "M"
    if len(steps) == 1 and not curve.dots:
        cx, cy = steps[0][1:].split()
        return f'<circle cx="{cx}" cy="{cy}" r="3" fill="{ink(colour)}"/>'
    return f'<path d="{"".join(steps)}" {pen(curve, colour)}/>'


def pen(curve: Curve, colour: int | None) -> str:
    """How a curve's line is drawn."""
    width = 4 if curve.dots else 2 if colour is not None else 1
    more = (' stroke-linecap="round"' if curve.dots else "") + (' stroke-dasharray="5 3"' if curve.dashed else "")
    more += ' stroke-opacity="0.35"' if colour is None else ""
    return f'fill="none" stroke="{ink(colour)}" stroke-width="{width}" stroke-linejoin="round"{more}'


def ink(colour: int | None) -> str:
    """A colour by its number; None is grey, by `pen`."""
    return "currentColor" if colour is None else COLOURS[colour % len(COLOURS)]


def rule(x0: float, y0: float, x1: float, y1: float, more: str = 'stroke-opacity="0.15"') -> str:
    """A thin line."""
    return f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="currentColor" {more}/>'


def text(x: float, y: float, words: str, anchor: str, more: str = "") -> str:
    """A text in the colour of the page's text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor" {more}>{escape(words)}</text>'


def thinned(x: Array, y: Array) -> tuple[Array, Array]:
    """At most about 500 points of a curve: the least and the greatest of each stretch, so that no peak is lost."""
    size = len(x)
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


def decades(low: float, high: float) -> list[float]:
    """Powers of ten within the range, about six at most; where there are few, twice and five times them, too.

    >>> decades(1e-7, 10.0), decades(0.03, 0.5)
    ([1e-07, 1e-05, 0.001, 0.1, 10.0], [0.05, 0.1, 0.2, 0.5])
    """
    first, last = math.floor(math.log10(low)), math.floor(math.log10(high))
    factors = (1, 2, 5) if last - first < 3 else (1,)
    powers = range(first, last + 1, 1 + (last - first) // 6)
    return [t for k in powers for f in factors if low <= (t := float(f"{f}e{k}")) <= high] or [low, high]


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
