"""Keras's public names, and what thalweg says of those that it lacks, as docs/keras-differences.md lists them.

`python tests/tables/keras_names.py` writes that part of the page; with Keras installed, the list of its names too.
"""

import os
import types
from pathlib import Path

import thalweg
from thalweg import absent

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "keras-differences.md"
STORED = Path(__file__).with_name("keras_names.txt")
START, END = "<!-- names: begin -->\n", "<!-- names: end -->\n"
KINDS = {  # how the page calls what has attributes → its base class
    "a layer": thalweg.Layer,
    "a model": thalweg.Model,
    "an optimizer": thalweg.Optimizer,
    "a loss": thalweg.Loss,
    "a metric": thalweg.Metric,
    "an initializer": thalweg.Initializer,
    "a callback": thalweg.callbacks.Callback,
}


def public(thing):
    return {name for name in dir(thing) if not name.startswith("_")} - {"src"}


def modules(keras):
    """Keras's public modules by name, "" for Keras itself."""
    found = {"": keras}
    pending = [""]
    while pending:
        path = pending.pop()
        for name in public(found[path]):
            thing = getattr(found[path], name)
            inner = f"{path}.{name}".strip(".")
            public_module = isinstance(thing, types.ModuleType) and thing.__name__.startswith("keras.")
            if public_module and ".src" not in thing.__name__ and inner.count(".") < 3:
                found[inner] = thing
                pending.append(inner)
    return found


def names_of(keras):
    """(module, name) of all of them."""
    return sorted((path, name) for path, module in modules(keras).items() for name in public(module))


def stored():
    """The version of Keras, and (module, name), that were written down."""
    version, *lines = STORED.read_text(encoding="utf-8").splitlines()
    return version, [
        (path, name) for path, _, names in (line.partition(": ") for line in lines) for name in names.split()
    ]


def module_here(path):
    """The module of thalweg for one of Keras; None if it is said not to be there."""
    place = thalweg
    for part in path.replace("optimizers.schedules", "schedules").split(".") if path else []:
        if not hasattr(place, part):
            return None
        place = getattr(place, part)
    return place


def rendered():
    """The part of the page."""
    lines = []
    for module, rows in absent.NAMES.items():
        lines += [f"\n### `keras{'.' * bool(module)}{module}`\n", "| not there | instead |", "|---|---|"]
        lines += [f"| {cells(names.split())} | {instead} |" for names, instead in rows]
    for kind, base in KINDS.items():
        lines += [f"\n### {kind[0].upper()}{kind[1:]}\n", "| not there | instead |", "|---|---|"]
        by_sentence = {}
        for name, instead in (base.uncalled | base.lacking).items():  # some are there, but nothing calls one's own
            if name not in dir(base):
                by_sentence.setdefault(instead, []).append(name)
        lines += [f"| {cells(names)} | {instead} |" for instead, names in by_sentence.items()]
    return "\n".join(lines).lstrip("\n") + "\n"


def cells(names):
    return ", ".join(f"`{name}`" for name in names)


def on_page():
    text = PAGE.read_text(encoding="utf-8")
    return text[text.index(START) + len(START) : text.index(END)]


def write():
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text[: text.index(START) + len(START)], text[text.index(END) :]
    PAGE.write_text(f"{head}\n{rendered()}\n{rest}", encoding="utf-8")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        import keras
    except ImportError:
        return
    by_module = {}
    for path, name in names_of(keras):
        by_module.setdefault(path, []).append(name)
    lines = [keras.__version__, *(f"{path}: {' '.join(names)}" for path, names in by_module.items())]
    STORED.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()
