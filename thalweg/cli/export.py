"""`thalweg export`: a network in another form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.console import say
from thalweg.errors import ArgumentError, NotFoundError


def export(
    source: Annotated[Path, typer.Argument(metavar="RUN", help="a run of images, or a file that Model.save wrote")],
    *,
    to: Annotated[str | None, typer.Option(help="the form: numpy; by default by the ending of --out")] = None,
    out: Annotated[Path | None, typer.Option(help="the file; by default the run's name with the form's ending")] = None,
    train: Annotated[bool, typer.Option("--train", help="the training too, not the prediction alone")] = False,
    opset: Annotated[int | None, typer.Option(help="onnx: the version of the operators; by default the lowest")] = None,
    force: Annotated[bool, typer.Option("--force", help="replaces a file that exists")] = False,
) -> None:
    """Writes a trained network as a file that predicts without thalweg."""
    from thalweg.export import targets

    if to is None and out is None:
        raise ArgumentError(f"say the form: --to {', '.join(targets.BY_NAME)}; or a file with its ending: --out FILE")
    target = targets.chosen(to, out)
    path = out or Path(source.name).with_suffix(target.endings[0])
    for written in targets.export(model_of(source), path, to, force, train, opset, remedy="--out, or --force"):
        say(f"{written}: {written.stat().st_size:,} bytes")


def model_of(source: Path) -> object:
    """The network of a run, or in a file."""
    if source.is_file():
        from thalweg.models.loading import load_model

        return load_model(source)
    if not source.exists():
        raise NotFoundError(f"there is no {source}")
    from thalweg.runs import image_run

    if not image_run.is_image_run(source):
        raise ArgumentError(
            f"{source} is a run of a table, whose preparation no form has yet; a run of images can be exported, or a "
            "file that Model.save wrote"
        )
    return image_run.load(source).model
