"""`thalweg export`: a network in another form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from thalweg.cli.console import say
from thalweg.errors import ArgumentError, NotFoundError


def export(
    source: Annotated[Path, typer.Argument(metavar="RUN", help="a run folder, or a file that Model.save wrote")],
    *,
    to: Annotated[
        str | None, typer.Option(help="numpy, onnx, c, javascript, html, keras, torch; by default by --out")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="the file; by default the run's name with the form's ending")] = None,
    train: Annotated[bool, typer.Option("--train", help="the training too, not the prediction alone")] = False,
    batch_size: Annotated[int | None, typer.Option(help="c with --train: the rows of a step; by default 32")] = None,
    opset: Annotated[int | None, typer.Option(help="onnx: the version of the operators; by default the lowest")] = None,
    int8: Annotated[bool, typer.Option("--int8", help="c, javascript, html: a byte for each weight")] = False,
    force: Annotated[bool, typer.Option("--force", help="replaces a file that exists")] = False,
) -> None:
    """Writes a trained network as a file that predicts without thalweg."""
    from thalweg.exchange import targets

    if to is None and out is None:
        raise ArgumentError(f"say the form: --to {', '.join(targets.BY_NAME)}; or a file with its ending: --out FILE")
    target = targets.chosen(to, out)
    path = out or Path(source.name).with_suffix(target.endings[0])
    model, known = source_of(source)
    wishes: dict[str, Any] = {"train": train, "batch_size": batch_size, "opset": opset, "int8": int8}
    for written in targets.export(model, path, to, force, **wishes, **known, remedy="another --out, or --force"):
        say(f"{written}: {written.stat().st_size:,} bytes")
    if int8:
        say(cost_of(source))


def source_of(path: Path) -> tuple[Any, dict[str, Any]]:
    """The network of a run, or in a file; and what a run knows besides: columns, or classes of pictures."""
    if path.is_file():
        from thalweg.models.loading import load_model

        return load_model(path), {}
    if not path.exists():
        raise NotFoundError(f"there is no {path}")
    from thalweg.runs.stored import load_run

    run = load_run(path)
    known = {name: getattr(run, name) for name in ("features", "classes", "notes") if hasattr(run, name)}
    scores = {name: value for name, value in run.facts["held-out"].items() if value is not None}
    return getattr(run, "ensemble", run.model), {**known, "scores": scores}


def cost_of(path: Path) -> str:
    """What weights of eight bits cost in accuracy, which only a run has rows to measure by."""
    if path.is_file():
        return f"what weights of eight bits cost wasn't measured: {path} has no rows, as a run folder has"
    from thalweg.runs.reports.eight_bits import cost_of_eight_bits
    from thalweg.runs.stored import load_run

    try:
        return cost_of_eight_bits(load_run(path), path)
    except NotFoundError as error:  # the file is written all the same
        return str(error)
