"""The forms in which a network leaves: each writes a file from the network's program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thalweg.errors import ArgumentError
from thalweg.export.exported_network import network_of
from thalweg.export.exported_tables import table_network, values_told
from thalweg.export.exported_training import training_of
from thalweg.support.checks import whole
from thalweg.support.files import writing
from thalweg.support.naming import choose, listed
from thalweg.version import __version__


@dataclass(frozen=True)
class Wish:
    """What is wanted besides the network.

    Attributes:
        path: of the first file.
        features: the columns of the table that the model was trained on; None for a network alone.
        train: whether the training is exported, too; in C on batches of `batch_size` rows.
        opset: of ONNX; None for the lowest.
        int8: whether weights are stored in a byte each.
        classes: what the outputs are the probabilities of, in order, where the features don't say it.
        notes: sentences that a file says of itself besides.
        scores: of a table's run, on rows held out.
    """

    path: Path
    features: Any = None
    train: bool = False
    batch_size: int = 32
    opset: int | None = None
    int8: bool = False
    classes: Sequence[str] = ()
    notes: Sequence[str] = ()
    scores: Mapping[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What a file says of itself."""
        what = "predicts and trains" if self.train else "predicts"
        return " ".join([f"{self.path.stem}: a network that {what}. Written by thalweg {__version__}.", *self.notes])

    @property
    def heading(self) -> list[str]:
        """The same with what the answer is."""
        said = [f"The answer is the probabilities of {', '.join(self.classes)}."] if self.classes else []
        return [self.title, *said]


@dataclass(frozen=True)
class Target:
    """A form.

    Attributes:
        name: by which it is asked for.
        endings: of its files; the first is that of the path which is given.
        write: model, wish → contents of each of its files.
        takes: the wishes that it can grant.
        nearest: for a form that only takes tables, the one for a network alone.
        other: an ending that asks for another dialect.
    """

    name: str
    endings: tuple[str, ...]
    write: Callable[[Any, Wish], tuple[str | bytes, ...]]
    takes: tuple[str, ...] = ()
    nearest: str = ""
    other: str = ""


def numpy(model: Any, wish: Wish) -> tuple[str]:
    from thalweg.export.numpy_file import numpy_file
    from thalweg.export.numpy_table import numpy_table_file

    if wish.features is not None:
        return (numpy_table_file(table_network(model, wish.features), wish.title),)
    training = training_of(model) if wish.train else None
    return (numpy_file(network_of(model), wish.title, training, classes=wish.classes),)


def onnx(model: Any, wish: Wish) -> tuple[bytes]:
    from thalweg.export.onnx import onnx_model
    from thalweg.export.onnx.table_model import onnx_table_model

    if wish.features is not None:
        made = onnx_table_model(table_network(model, wish.features), wish.opset)
    else:
        made = onnx_model(network_of(model), wish.opset, wish.classes)
    return (made.SerializeToString(deterministic=True),)


def c(model: Any, wish: Wish) -> tuple[str, str]:
    from thalweg.export.c.c_files import c_files
    from thalweg.export.c.c_training import c_training_files

    name, rows, told = wish.path.stem, wish.batch_size, wish.heading
    if wish.features is None:
        network = network_of(model, 1)
    else:
        table = table_network(model, wish.features, 1)
        network, told = table.network, [wish.title, *values_told(table)]
    title = "\n * ".join(told)
    if wish.train:
        made = c_training_files(network, training_of(model, rows), rows, name, title)
    else:
        made = c_files(network, name, title, wish.int8)
    return made.code, made.header


def javascript(model: Any, wish: Wish) -> tuple[str]:
    from thalweg.export.js.js_files import js_file
    from thalweg.export.js.js_table import js_table_file

    module = wish.path.suffix.lower() == ".mjs"
    if wish.features is None:
        return (js_file(network_of(model, 1), "\n * ".join(wish.heading), wish.int8, module),)
    return (js_table_file(table_network(model, wish.features, 1), wish.title, wish.int8, module),)


def html(model: Any, wish: Wish) -> tuple[str]:
    from thalweg.export.html.predicting_page import predicting_page

    table = table_network(model, wish.features, 1)
    return (predicting_page(table, wish.path.stem, wish.scores, wish.int8),)


def torch(model: Any, wish: Wish) -> tuple[str, bytes]:
    from thalweg.export.torch_file import torch_file

    return torch_file(network_of(model), " ".join(wish.heading))


def keras(model: Any, wish: Wish) -> tuple[bytes]:
    from thalweg.exchange.keras_writing import keras_content

    if wish.path.suffix != ".keras":
        raise ArgumentError(f"{wish.path}: Keras takes only names that end in .keras, such as {wish.path.stem}.keras")
    return (keras_content(model, str(wish.path)),)


TARGETS = (
    Target("numpy", (".py",), numpy, ("features", "train")),
    Target("onnx", (".onnx",), onnx, ("features", "opset")),
    Target("c", (".c", ".h"), c, ("features", "train", "batch_size", "int8")),
    Target("javascript", (".js",), javascript, ("features", "int8"), other=".mjs"),
    Target("html", (".html",), html, ("features", "int8"), "javascript"),
    Target("keras", (".keras",), keras),
    Target("torch", (".py", ".safetensors"), torch),
)
BY_NAME = {target.name: target for target in TARGETS}


def export(
    model: Any,
    filepath: str | Path,
    format: str | None = None,
    overwrite: bool = False,
    train: bool = False,
    batch_size: int | None = None,
    opset: int | None = None,
    int8: bool = False,
    features: Any = None,
    classes: Sequence[str] = (),
    notes: Sequence[str] = (),
    scores: Mapping[str, float] | None = None,
    remedy: str = "another path, or overwrite=True",
) -> list[Path]:
    """Writes a model in another form: see `Model.export`. Returns the paths of its files.

    features: of a model on a table, which then is exported with its columns. classes, notes, scores: see `Wish`.
    remedy: what to give if a file exists.
    """
    path = Path(filepath)
    target = chosen(format, path)
    if features is not None:
        refuse_for_tables(target, train)
    elif target.nearest:
        raise ArgumentError(
            f"the format {target.name!r} shows a table's columns, and this is a network alone; {target.nearest} can"
        )
    for wish, value in {"train": train, "batch_size": batch_size, "opset": opset, "int8": int8}.items():
        if value not in (None, False) and wish not in target.takes:
            able = [other.name for other in TARGETS if wish in other.takes]
            raise ArgumentError(
                f"the format {target.name!r} takes no {wish}{f'; {listed(able, 9)} can' if able else ''}"
            )
    paths = [path.with_suffix(ending) if k else path for k, ending in enumerate(target.endings)]
    for other in paths:
        if other.exists() and not overwrite:
            raise ArgumentError(f"{other} exists already and is not overwritten: give {remedy}")
    if int8 and train:
        raise ArgumentError("int8 is for a network that has learned: leave it out, or train")
    if batch_size is not None and not train:
        raise ArgumentError("batch_size is that of the training: it goes with train")
    rows = 32 if batch_size is None else whole("batch_size", batch_size)
    refuse_lookups(target, model)
    asked = Wish(path, features, bool(train), rows, opset, bool(int8), classes, notes, scores or {})
    contents = target.write(model, asked)
    with ExitStack() as stack:
        new = [stack.enter_context(writing(other)) for other in paths]
        for place, content in zip(new, contents, strict=True):
            place.write_bytes(content.encode() if isinstance(content, str) else content)
    return paths


def refuse_lookups(target: Target, model: Any) -> None:
    """Raises if a network begins with what its program doesn't have: layers that look up texts or categories."""
    for feed in model._compiled.graph.feeds:
        if feed.lookups and target.name != "keras":  # which says itself what Keras has
            raise ArgumentError(
                f"{feed.lookups[0].spelled} works before the program begins, and the format {target.name!r} has the "
                "program alone: export a model of the layers after it"
            )


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
        if path.suffix.lower() in (target.endings[0], target.other or None):
            return target
    endings = ", ".join(f"{t.endings[0]}{f' or {t.other}' * bool(t.other)} for {t.name}" for t in TARGETS)
    raise ArgumentError(f"{path} doesn't say in which format to export: give a format, or an ending: {endings}")
