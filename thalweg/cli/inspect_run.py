"""`thalweg inspect`: how a run was made, and what is in it."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from thalweg.cli import report
from thalweg.cli.console import Grid, say
from thalweg.cli.options import RunFolder
from thalweg.engine.lanes import usable_lanes
from thalweg.program.passes.draft import Request
from thalweg.runs import image_run, table_run
from thalweg.support.checks import whole


def inspect(
    run: RunFolder,
    batch_size: Annotated[int | None, typer.Option(help="rows of the listed step; by default the run's")] = None,
) -> None:
    """Shows a run: how it was made, its columns or classes, network, program and history."""
    loaded = image_run.load(run) if image_run.is_image_run(run) else table_run.load(run)
    facts, model = loaded.facts, loaded.model
    batch = int(facts["options"]["batch_size"]) if batch_size is None else whole("--batch-size", batch_size)
    say(f"command: {shlex.join(facts['command'])}")
    say("versions: " + ", ".join(f"{name} {number}" for name, number in facts["versions"].items()))
    say(f"seed: {facts['seed']}", "")  # drawn if the command gives none
    if isinstance(loaded, image_run.ImageRun):
        say(f"images of {'×'.join(map(str, model.input_shape))}; classes: {', '.join(loaded.classes)}", "")
    else:
        report.show_columns(loaded.features)
    model.summary()
    listing = model.program("training", batch)
    print(f"\none training step of {batch} rows\n{listing}\n")
    flops = sum(row.flops for row in listing)
    lanes = usable_lanes(facts["options"]["lanes"], model.lower(Request())[0], batch, model.engine)
    say(f"lanes: {lanes} for {flops:,} FLOPs a step", "")
    keys = [key for key in loaded.history[0] if key != "epoch"] if loaded.history else []
    say(Grid("history", ["epoch", *keys], [history_line(record, keys) for record in shortened(loaded.history)]), "")
    report.show_scores(facts["held-out"], facts["rows"]["test"], facts["baseline"])


def history_line(record: dict[str, Any], keys: list[str]) -> list[str]:
    """An epoch's row in the history table."""
    return [str(record["epoch"] + 1), *("" if record[key] is None else f"{record[key]:.4f}" for key in keys)]


def shortened(records: list[dict[str, Any]], most: int = 20) -> list[dict[str, Any]]:
    """All records, or about `most` evenly chosen ones with the first and the last."""
    if len(records) <= most:
        return records
    return [records[round(k * (len(records) - 1) / (most - 1))] for k in range(most)]
