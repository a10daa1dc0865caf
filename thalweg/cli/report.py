"""What the command line reports: columns, network, scores, history, predictions."""

from __future__ import annotations

import math
import re
import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from thalweg.cli.console import Grid, say, say_skipped
from thalweg.data.images import Images
from thalweg.data.tables import Table
from thalweg.errors import ModelFileError
from thalweg.models.sequential import Sequential
from thalweg.runs.run import Parts, Run, Scores
from thalweg.runs.table_run import TableRun
from thalweg.support.stopwatch import compiling
from thalweg.tabular.features import Features

MOST_COLUMNS = 40
"""How many columns of a table are listed; a line counts the others."""


def announce_table(parts: Parts[Table], features: Features, model: Sequential) -> None:
    """Prints how the columns were understood, and the network, before training begins."""
    target = features.target
    assert target is not None
    show_columns(features, missing=True)
    classes = f": {', '.join(map(str, target.classes[:12]))}{', …' if len(target.classes) > 12 else ''}"
    say(f"target {target.name}: {target.task}{classes if target.classes else ''} ({in_options(target.why)})")
    if target.missing:
        say(f"{target.missing:,} rows without a target are left out")
    say_skipped(parts.skipped)
    held = parts.validation.rows if parts.validation is not None else 0
    say(f"rows: {parts.train.rows:,} to learn from, {held:,} to stop by, {parts.test.rows:,} held out", "")
    model.summary()
    say("")


def show_columns(features: Features, missing: bool = False) -> None:
    """Prints the first `MOST_COLUMNS` columns, with their missing cells if asked for, and counts the others."""
    columns = features.describe()
    header = ["column", "kind", "understood as", *["missing"] * missing, "inputs"]
    rows = [
        [c.name, c.kind, c.understood, *[f"{c.missing:,}" if c.missing else ""] * missing, str(c.features or "")]
        for c in columns[:MOST_COLUMNS]
    ]
    say(Grid("columns", header, rows))
    if kinds := Counter(column.kind for column in columns[MOST_COLUMNS:]):
        counted = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        say(f"… and {kinds.total():,} more columns ({counted}); the run folder's columns.json has them all")
    say("")


def in_options(text: str) -> str:
    """A message with arguments spelled as options: task="multiclass" becomes --task multiclass."""
    return re.sub(r"""\btask=["'](\w+)["']""", r"--task \1", text)


def announce_images(parts: Parts[Images], model: Sequential, course: str) -> None:
    """Prints what was read, and the network, before training begins."""
    images = parts.train
    height, width, channels = images.shape
    names = ", ".join(images.classes[:12]) + (", …" if len(images.classes) > 12 else "")
    kind = "bytes" if images.x.dtype.name == "uint8" else "numbers"
    say(
        f"images of {height}×{width} pixels, channels: {channels}, as {kind}", f"{len(images.classes)} classes: {names}"
    )
    say_skipped(parts.skipped)
    held = len(parts.validation.y) if parts.validation is not None else 0
    say(f"images: {len(images.y):,} to learn from, {held:,} to watch by, {len(parts.test.y):,} held out", "")
    model.summary()
    say("", course, learning_rate(model), "")


def learning_rate(model: Sequential) -> str:
    """A line that describes the course of the learning rate."""
    optimizer = model.optimizer
    schedule, name = optimizer.schedule, type(optimizer).__name__
    if schedule is None:
        return f"{name}'s learning rate: {optimizer.learning_rate:g}, constant"
    peak, rising, down = schedule.warmup_target, schedule.warmup_steps, schedule.decay_steps
    return f"{name}'s learning rate: up to {peak:g} in {rising:,} steps, then to 0 in {down:,} along half a cosine"


def show_trained(run: Run, folder: Path, new: str) -> None:
    """Prints how the training went, where it is kept, and what to do next."""
    facts = run.facts
    stopped = " (interrupted)" if facts["interrupted"] else ""
    compiled = compile_seconds()
    apart = f" (and {compiled} s to compile kernels)" if compiled else ""
    say("", f"trained {len(run.history)} epochs in {facts['seconds']:.2f} s{apart}{stopped}", "")
    show_scores(facts["held-out"], facts["rows"]["test"], facts["baseline"])
    quoted = shlex.quote(str(folder))
    say(
        "",
        f"run folder: {folder}",
        f"  look:    thalweg inspect {quoted}",
        f"  predict: thalweg predict {quoted} {new}",
    )


def compile_seconds() -> str:
    """The seconds of compilation, which training times leave out; "" if negligible."""
    return f"{compiling.seconds:.1f}" if compiling.seconds >= 0.05 else ""


def end_after(problem: str) -> None:
    """Ends with an error if there was a problem, after reporting what went well."""
    if problem:
        raise ModelFileError(problem)


def figure(value: float | None) -> str:
    """A number in four digits; nothing for JSON's null and NaN."""
    if value is None or math.isnan(value):
        return ""
    return f"{value:.4g}" if abs(value) >= 10 else f"{value:.4f}"


def show_scores(scores: Scores, rows: int, baseline: dict[str, Any] | None) -> None:
    """Prints the scores, beside those of always giving one answer."""
    header, lines = [f"{rows:,} rows", "network"], []
    if baseline is not None:
        answer = baseline["answer"]
        header.append(f"always {format(answer, '.6g') if isinstance(answer, float) else answer}")
    for name, value in scores.items():
        line = [name, figure(value)]
        if baseline is not None:
            line.append(figure(baseline["scores"].get(name)))
        lines.append(line)
    say(Grid("held-out score" if baseline is not None else "score", header, lines))


def warn_of_unseen(run: TableRun, table: Table) -> None:
    """Prints which categories the network has never met."""
    unseen = run.features.unseen(table)
    for column, names in list(unseen.items())[:MOST_COLUMNS]:
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        print(f"note: the training rows had no {shown} in column {column}; such cells say nothing", file=sys.stderr)
    if len(unseen) > MOST_COLUMNS:
        print(f"note: nor did they have some cells of {len(unseen) - MOST_COLUMNS:,} more columns", file=sys.stderr)


def show_predictions(columns: dict[str, Any]) -> None:
    """Prints a line for each picture: its class, and the three likeliest with their probabilities."""
    names = [name for name in columns if name.startswith("probability of ")]
    rows = []
    for row, file in enumerate(columns["file"]):
        likeliest = sorted(names, key=lambda name: -columns[name][row])[:3]
        shares = [f"{name.removeprefix('probability of ')} {columns[name][row]:.1%}" for name in likeliest]
        rows.append([str(file), str(columns["prediction"][row]), ", ".join(shares)])
    say(Grid("predictions", ["picture", "prediction", "probabilities"], rows))
