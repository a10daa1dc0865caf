"""A graph of layers as a static picture: a box for each input, layer and operation, and arrows along the tensors."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Protocol

BOX, ROW, GAP, LINE, LETTER = 26, 64, 28, 16, 7.2  # pixels: a box, from level to level, between boxes, a line, a letter


class Step(Protocol):
    """A layer, an operation or an input, as a model's inspection shows it."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def shape(self) -> str: ...
    @property
    def params(self) -> int | None: ...
    @property
    def sources(self) -> list[str]: ...


def boxes(steps: Sequence[Step], texts: Sequence[list[str]]) -> str:
    """The graph by levels: each step below the last of its sources, in the order of the calls."""
    levels: dict[str, int] = {}
    for step in steps:
        levels[step.name] = 1 + max((levels[s] for s in step.sources), default=-1)
    widths = [max(LETTER * len(line) for line in text) + 24 for text in texts]
    rows = [[k for k, s in enumerate(steps) if levels[s.name] == level] for level in range(max(levels.values()) + 1)]
    spans = [sum(widths[k] for k in row) + GAP * (len(row) - 1) for row in rows]
    height, total = BOX + LINE * (max(map(len, texts)) - 1) + 8, max(spans) + 2 * GAP
    places: dict[str, tuple[float, float]] = {}  # the middle of each box's upper edge
    for level, (row, span) in enumerate(zip(rows, spans, strict=True)):
        left = (total - span) / 2
        for k in row:
            places[steps[k].name] = left + widths[k] / 2, GAP + level * (height + ROW - BOX)
            left += widths[k] + GAP
    lines = [
        f'<path d="M{places[source][0]:.0f} {places[source][1] + height:.0f} L{places[s.name][0]:.0f} '
        f'{places[s.name][1] - 2:.0f}" stroke="#555" fill="none" marker-end="url(#arrow)"/>'
        for s in steps
        for source in s.sources
    ]
    for step, text, width in zip(steps, texts, widths, strict=True):
        x, y = places[step.name]
        colour = "#e8f0fe" if step.kind == "Input" else "#fff8e1" if step.kind == "operation" else "#f5f5f5"
        lines.append(
            f'<rect x="{x - width / 2:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height}" rx="4" fill="{colour}" '
            'stroke="#555"/>'
        )
        lines += [
            f'<text x="{x:.0f}" y="{y + 20 + LINE * k:.0f}" text-anchor="middle" fill="#111">{escape(line)}</text>'
            for k, line in enumerate(text)
        ]
    bottom = GAP * 2 + len(rows) * (height + ROW - BOX)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total:.0f}" height="{bottom:.0f}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="12">'
        '<rect width="100%" height="100%" fill="white"/>'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>' + "".join(lines) + "</svg>\n"
    )
