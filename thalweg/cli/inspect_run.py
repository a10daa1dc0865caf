"""`thalweg inspect`: how a run was made, and what is in it."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer

from thalweg.cli import report
from thalweg.cli.console import Grid, say
from thalweg.cli.options import RunFolder
from thalweg.engine import ENGINES, usable_lanes
from thalweg.program.passes.draft import Request
from thalweg.runs import image_run, table_run
from thalweg.runs.folder import is_image_run
from thalweg.support.checks import whole
from thalweg.tabular.training import SCORE

MOST_EPOCHS = 24
"""How many epochs are listed, of all networks together; at least two of each."""


def inspect(
    run: RunFolder,
    batch_size: Annotated[int | None, typer.Option(help="rows of the listed step; by default the run's")] = None,
    schedule: Annotated[
        bool, typer.Option("--schedule", help="how the engine runs the program, instead of it")
    ] = False,
) -> None:
    """Shows a run: how it was made, its columns or classes, networks, program, history and scores."""
    loaded = image_run.load(run) if is_image_run(run) else table_run.load(run)
    facts, model = loaded.facts, loaded.model
    batch = int(facts["options"]["batch_size"]) if batch_size is None else whole("--batch-size", batch_size)
    say(f"command: {shlex.join(facts['command'])}")
    say("versions: " + ", ".join(f"{name} {number}" for name, number in facts["versions"].items()))
    say(f"seed: {facts['seed']}", "")  # drawn if the command gives none
    if isinstance(loaded, image_run.ImageRun):
        say(f"images of {'×'.join(map(str, model.row_in))}; classes: {', '.join(loaded.classes)}", "")
    else:
        report.show_columns(loaded.features)
    one = loaded.first_network() if isinstance(loaded, table_run.TableRun) else model
    one.summary()
    if len(facts.get("members", [])) > 1:
        count, size = len(facts["members"]), model.count_params()
        say("", f"{count} networks like this one, {size:,} parameters in all; the mean of what they give is the answer")
    lanes = usable_lanes(facts["options"]["lanes"], one.lower(Request())[0], batch, ENGINES[one.engine])
    listing = one.schedule("training", batch, lanes) if schedule else one.program("training", batch)
    print(f"\none training step of {batch} rows{'' if one is model else ', of the first network'}\n{listing}\n")
    flops = sum(row.flops for row in one.schedule("training", batch))
    say(f"lanes: {lanes} for {flops:,} FLOPs a step", "")
    show_history(loaded.history, facts.get("metric", ""))
    report.show_facts(facts)
    report.show_diagnosis(loaded)


def show_history(history: list[dict[str, Any]], metric: str) -> None:
    """Prints the records of the epochs, fewer of each network if there are several."""
    networks = dict.fromkeys(record.get("member") for record in history)
    for network in networks:
        records = [record for record in history if record.get("member") == network]
        keys = [key for key in records[0] if key not in ("epoch", "member")]
        title = "history" if network is None or len(networks) == 1 else f"history of network {network + 1}"
        names = [f"{metric.replace('_', ' ')}, held out" if key == SCORE else key for key in keys]
        lines = [
            [str(record["epoch"] + 1), *("" if record[key] is None else f"{record[key]:.4f}" for key in keys)]
            for record in shortened(records, max(2, MOST_EPOCHS // len(networks)))
        ]
        say(Grid(title, ["epoch", *names], lines), "")


def shortened(records: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """All records, or about `most` evenly chosen ones with the first and the last."""
    if len(records) <= most:
        return records
    return [records[round(k * (len(records) - 1) / (most - 1))] for k in range(most)]
