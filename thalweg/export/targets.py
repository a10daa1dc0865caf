"""The forms in which a network leaves: each writes a file from the network's program."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.support.files import writing
from thalweg.support.naming import choose, listed
from thalweg.version import __version__


@dataclass(frozen=True)
class Wish:
    """What is wanted besides the network.

    Attributes:
        name: of the file, without its ending.
        features: the columns of the table that the model was trained on; None for a network alone.
        train: whether the training is exported, too.
        opset: of ONNX; None for the lowest.
    """

    name: str
    features: Any = None
    train: bool = False
    opset: int | None = None

    @property
    def title(self) -> str:
        """What a file says of itself."""
        what = "predicts and trains" if self.train else "predicts"
        return f"{self.name}: a network that {what}. Written by thalweg {__version__}."


@dataclass(frozen=True)
class Target:
    """A form.

    Attributes:
        name: by which it is asked for.
        endings: of its files; the first is that of the path which is given.
        write: model, wish → contents of each of its files.
        takes: the wishes that it can grant, besides the name.
    """

    name: str
    endings: tuple[str, ...]
    write: Callable[[Any, Wish], tuple[str | bytes, ...]]
    takes: tuple[str, ...] = ()


def numpy(model: Any, wish: Wish) -> tuple[str, ...]:
    from thalweg.export.network import network_of
    from thalweg.export.numpy_file import numpy_file
    from thalweg.export.training import training_of

    if wish.features is not None:
        from thalweg.export.numpy_table import numpy_table_file
        from thalweg.export.tables import table_network

        return (numpy_table_file(table_network(model, wish.features), wish.title),)
    training = training_of(model) if wish.train else None
    return (numpy_file(network_of(model), wish.title, training),)


TARGETS = (Target("numpy", (".py",), numpy, ("features", "train")),)
BY_NAME = {target.name: target for target in TARGETS}


def export(
    model: Any,
    filepath: str | Path,
    format: str | None = None,
    overwrite: bool = False,
    train: bool = False,
    opset: int | None = None,
    features: Any = None,
    remedy: str = "another path, or overwrite=True",
) -> list[Path]:
    """Writes a model in another form: see `Model.export`. Returns the paths of its files.

    features: of a model on a table, which then is exported with its columns. remedy: what to give if a file exists.
    """
    path = Path(filepath)
    target = chosen(format, path)
    if features is not None:
        refuse_for_tables(target, train)
    for wish, value in {"train": train, "opset": opset}.items():
        if value not in (None, False) and wish not in target.takes:
            able = [other.name for other in TARGETS if wish in other.takes]
            raise ArgumentError(
                f"the format {target.name!r} takes no {wish}{f'; {listed(able, 9)} can' if able else ''}"
            )
    paths = [path.with_suffix(ending) if k else path for k, ending in enumerate(target.endings)]
    for other in paths:
        if other.exists() and not overwrite:
            raise ArgumentError(f"{other} exists already and is not overwritten: give {remedy}")
    contents = target.write(model, Wish(path.stem, features, bool(train), opset))
    with ExitStack() as stack:
        new = [stack.enter_context(writing(other)) for other in paths]
        for place, content in zip(new, contents, strict=True):
            place.write_bytes(content.encode() if isinstance(content, str) else content)
    return paths


def refuse_for_tables(target: Target, train: bool) -> None:
    """Raises if a form can't say how a table's columns are read, or is to train on them."""
    if "features" not in target.takes:
        able = [other.name for other in TARGETS if "features" in other.takes]
        raise ArgumentError(
            f"the format {target.name!r} can't say how a table's columns are read; {listed(able, 9)} can"
        )
    if train:
        raise ArgumentError("the training on a table, of several networks and trees, isn't exported: leave train out")


def chosen(name: str | None, path: Path | None) -> Target:
    """The form of that name, or by the ending of a path."""
    if name is not None or path is None:
        return choose("format", name, BY_NAME)
    for target in TARGETS:
        if path.suffix.lower() == target.endings[0]:
            return target
    endings = ", ".join(f"{target.endings[0]} for {target.name}" for target in TARGETS)
    raise ArgumentError(f"{path} doesn't say in which format to export: give a format, or an ending: {endings}")
