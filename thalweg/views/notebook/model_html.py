"""A model in a notebook: a drawing, and its layers as a table."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from thalweg.views.web.boxes_svg import Step, boxes
from thalweg.views.web.html_parts import block, line, long, table
from thalweg.views.web.network_svg import Glyph, chain

MOST_ROWS = 30  # of the table; of a longer one the rest is folded
MOST_BOXES = 40


def model_html(name: str, kind: str, steps: Sequence[Step], glyphs: Sequence[Glyph], count: int | None) -> str:
    """The HTML. `glyphs`: the layers of a chain, to be drawn; `count`: the number of weights, None while unknown."""
    branched = any(len(step.sources) != 1 for step in steps if step.kind != "Input")
    branched = branched or any(a.name not in b.sources for a, b in itertools.pairwise(steps))
    rows = [
        [step.name, step.kind, step.shape, "?" if step.params is None else f"{step.params:,}"]
        + ([", ".join(step.sources)] if branched else [])
        for step in steps
    ]
    header = ["layer", "type", "output shape", "weights", *(["takes"] if branched else [])]
    shown = table(header, rows[:MOST_ROWS], right=(3,))
    if len(rows) > MOST_ROWS:
        shown += long(f"{len(rows) - MOST_ROWS} more layers", table(header, rows[MOST_ROWS:], right=(3,)))
    size = "shapes follow from the first data, or from Input(shape) in front" if count is None else f"{count:,} weights"
    drawing = chain(glyphs) if len(glyphs) > 1 else ""
    if branched and count is not None and len(steps) <= MOST_BOXES:
        drawing = boxes(steps, [[f"{step.name}: {step.kind}", step.shape] for step in steps])
    return block(line(f"{kind} {name}: {size}", strong=True), drawing, shown)
