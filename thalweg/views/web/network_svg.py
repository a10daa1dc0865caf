"""A network as a static picture: a glyph for each layer, units as circles, images as sheets; or boxes and arrows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from thalweg.views.web.svg import COLOURS, FONT, LETTER, rule, text

MOST_UNITS = 8  # circles of a layer; the rest are three dots
MOST_LAYERS = 12
COLUMN, HEIGHT, MIDDLE = 96, 210, 84  # from layer to layer; of the picture; where the glyphs are centred
EDGES = 64  # lines between two layers, at most


@dataclass(frozen=True)
class Glyph:
    """A layer as it is drawn."""

    name: str
    kind: str
    shape: tuple[int, ...]  # of one row's output
    weights: bool = False  # whether it has a matrix to the layer before


def chain(layers: Sequence[Glyph]) -> str:
    """The layers from left to right, as SVG that stands within a page.

    >>> chain([Glyph("input", "Input", (4,)), Glyph("dense", "Dense", (1,), True)])[:12]
    '<svg viewBox'
    """
    shown = list(layers)
    if len(shown) > MOST_LAYERS:  # the middle is left out
        half = MOST_LAYERS // 2
        shown = [*shown[:half], Glyph("…", "", ()), *shown[-half + 1 :]]
    width = COLUMN * len(shown)
    parts, before = [], None
    for n, layer in enumerate(shown):
        x = COLUMN * (n + 0.5)
        own = places(layer, x)
        if before is not None:
            parts.append(lines(before, own, layer.weights and len(layer.shape) == 1))
        before = own
    for n, layer in enumerate(shown):
        parts.append(glyph(layer, COLUMN * (n + 0.5), COLOURS[0] if n in (0, len(shown) - 1) else COLOURS[2]))
    words = escape(", ".join(f"{g.kind} {'×'.join(map(str, g.shape))}" for g in layers[:40]))
    return (
        f'<svg viewBox="0 0 {width} {HEIGHT}" width="{width}" height="{HEIGHT}" role="img" '
        f'style="max-width:100%;height:auto;color:inherit" font-family="{escape(FONT)}" font-size="11" '
        f'aria-label="{words}">{"".join(parts)}</svg>'
    )


def places(layer: Glyph, x: float) -> list[tuple[float, float]]:
    """The middles of a layer's circles, or of its sheets."""
    if len(layer.shape) != 1:
        return [(x, MIDDLE)]
    count = min(layer.shape[0], MOST_UNITS)
    step = min(24.0, 150.0 / max(1, count))
    return [(x, MIDDLE + step * (k - (count - 1) / 2)) for k in range(count)]


def lines(before: list[tuple[float, float]], own: list[tuple[float, float]], every: bool) -> str:
    """What connects two layers: a line for each weight if both are columns of units, otherwise one line."""
    pairs = [(a, b) for a in before for b in own] if every else []
    if not pairs or len(pairs) > EDGES:
        edge = 'stroke-opacity="0.45" stroke-width="1.2"'
        return rule(before[0][0] + 26, MIDDLE, own[0][0] - 26, MIDDLE, edge)
    return "".join(rule(*a, *b, 'stroke-opacity="0.25" stroke-width="0.8"') for a, b in pairs)


def glyph(layer: Glyph, x: float, colour: str) -> str:
    """A layer's circles or sheets, with its kind and its shape below."""
    parts = []
    if not layer.kind:
        parts.append(text(x, MIDDLE + 4, "…", "middle", 'font-size="20"'))
    elif len(layer.shape) == 1:
        radius = min(9.0, 150.0 / min(layer.shape[0], MOST_UNITS) / 2.6)
        folded = layer.shape[0] > MOST_UNITS
        for n, (cx, cy) in enumerate(places(layer, x)):
            if folded and n == MOST_UNITS // 2:
                parts.append(text(cx, cy + 4, "⋮", "middle", 'font-size="15"'))
            else:
                parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{radius:.1f}" fill="{colour}"/>')
    elif layer.shape:
        parts.append(sheets(layer.shape, x, colour))
    else:
        parts.append(f'<circle cx="{x:.1f}" cy="{MIDDLE}" r="9" fill="{colour}"/>')
    most = int(COLUMN / LETTER * 1.05)
    kind = layer.kind if len(layer.kind) <= most else layer.kind[: most - 1] + "…"
    shape = "×".join(f"{size:,}" for size in layer.shape)
    parts.append(text(x, HEIGHT - 22, kind, "middle"))
    parts.append(text(x, HEIGHT - 7, shape, "middle", 'fill-opacity="0.7"'))
    return "".join(parts)


def sheets(shape: tuple[int, ...], x: float, colour: str) -> str:
    """Feature maps as sheets behind each other: larger images are larger, more channels are more sheets."""
    count = min(6, 1 + int(math.log2(max(1, shape[-1]))))
    size = 14 + 7 * min(5.5, math.log2(max(1, shape[0])))
    left, top = x - size / 2 - 2 * (count - 1), MIDDLE - size / 2 - 2 * (count - 1)
    return "".join(
        f'<rect x="{left + 4 * k:.1f}" y="{top + 4 * k:.1f}" width="{size:.1f}" height="{size:.1f}" rx="2" '
        f'fill="{colour}" fill-opacity="{0.35 + 0.5 * k / max(1, count - 1):.2f}" stroke="currentColor" '
        'stroke-opacity="0.35"/>'
        for k in range(count)
    )
