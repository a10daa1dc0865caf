"""The program of a training step, with the time that each instruction takes."""

from __future__ import annotations

from typing import Any

from thalweg import words
from thalweg.views.report.subject import Clock, Subject

REPEATS = 20
LEAST = 0.5
MOST_ROWS = 120
LONGEST = 160
SECTIONS = {"forward": words.text("forward"), "backward": words.text("backward"), "update": words.text("update")}


def cut(formula: str) -> str:
    """A formula, or the beginning of a long one."""
    return formula if len(formula) <= LONGEST else formula[: LONGEST - 1] + "…"


def timing(subject: Subject, clock: Clock) -> dict[str, Any] | None:
    """The section; None without a network that can train."""
    network = subject.network
    if network is None or not network.model.compiled:
        return None
    measured = clock.has(LEAST, words.text("time of each instruction"))
    model, batch = network.model, network.batch
    listing = model.profile(batch, REPEATS) if measured else model.schedule("training", batch)
    rows = []
    parts = sorted(listing.rows, key=lambda row: list(SECTIONS).index(row.section))  # a schedule has other phases
    for number, row in enumerate(parts[:MOST_ROWS], start=1):
        line: list[Any] = [str(number), SECTIONS[row.section], row.name, cut(row.heading)]
        line += ["×".join(map(str, row.shape)), f"{row.flops:,}"]
        if measured:
            line += ["", ""] if row.seconds is None else [f"{row.seconds * 1e6:,.1f}", f"{row.share or 0:.1%}"]
        rows.append(line)
        for part in row.inner:
            indent = "\N{NO-BREAK SPACE}" * len(part.indent)
            cells = ["", "", indent + part.name, indent + cut(part.formula), "×".join(map(str, part.shape)), ""]
            rows.append(cells + ["", ""] * measured)
    columns: list[Any] = ["#", words.text("part"), words.text("instruction"), words.text("formula")]
    columns += [words.text("shape"), "FLOPs", *([words.text("µs"), words.text("share")] if measured else [])]
    total = sum(row.seconds or 0.0 for row in listing.rows)
    flops = sum(row.flops for row in listing.rows)
    note = words.text("One step of {batch} rows: {flops:,} FLOPs", batch=batch, flops=flops)
    if measured and total:
        note = words.text(
            "{note}, {microseconds:,.0f} µs on one core of the machine that wrote this report.",
            note=note,
            microseconds=total * 1e6,
        )
    if len(listing.rows) > MOST_ROWS:
        more = len(listing.rows) - MOST_ROWS
        note = words.text("{note} {more} more instructions aren't listed.", note=note, more=more)
    return {
        "id": "program",
        "text": [
            words.text(
                "The network as it is computed: forward, backward by the chain rule, update. dv is the "
                "derivative of the loss with respect to v."
            )
        ],
        "figures": [
            {
                "kind": "table",
                "title": words.text("The program"),
                "note": note,
                "columns": columns,
                "rows": rows,
                "numeric": [True, False, False, False, False, True, *([True, True] if measured else [])],
                "mono": True,
            }
        ],
    }
