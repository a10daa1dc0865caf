"""`thalweg import`: another library's model file as one of thalweg's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thalweg.cli.console import say
from thalweg.errors import ArgumentError, ModelFileError

PICKLE = b"\x80"  # how one begins, from its second protocol on
PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth")  # others are compressed, or in a zip


def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="a model file of Keras's: .keras or .h5")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="the model file; by default FILE's name with the ending .safetensors")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="replaces a file that exists")] = False,
) -> None:
    """Writes a model file of Keras's as one of thalweg's, with the same weights, to the bit."""
    from thalweg.models.loading import load_model
    from thalweg.models.model_file import existing, kind_of

    path = out or Path(source.name).with_suffix(".safetensors")
    if path.exists() and not force:
        raise ArgumentError(f"{path} exists already and is not overwritten: give another --out, or --force")
    refuse_pickles(existing(source))
    if kind_of(source) is None:
        raise ModelFileError(f"{source} is no file of Keras's, .keras or .h5, by what is in it")
    model = load_model(source)
    model.save(path)
    say(f"{path}: {model.count_params():,} weights in {len(model.layers)} layers, {path.stat().st_size:,} bytes")


def refuse_pickles(path: Path) -> None:
    """Raises for what runs code when it is read."""
    with path.open("rb") as file:
        pickled = file.read(1) == PICKLE
    if pickled or path.suffix.lower() in PICKLES:
        raise ModelFileError(
            f"{path} is a pickle, which runs what is in it: where you trust it, load it in Python, and give an MLP of "
            "scikit-learn's to thalweg.models.from_sklearn, a state dict of torch's to thalweg.models.load_torch_state"
        )
