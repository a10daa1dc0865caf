"""What a network is to learn: rows to train on and rows to validate on, from a data set of the page."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.play.exercises import planar
from thalweg.play.requests.bounds import GIVEN_COLUMNS, GIVEN_ROWS
from thalweg.play.requests.page_state import State
from thalweg.play.requests.refusal import RefusedError
from thalweg.support.extras import need

Array = NDArray[Any]

GENERATED = ("blobs", "moons", "circles", "spiral", "xor", "plane", "hills", "line")
NUMBERS = ("plane", "hills", "line")
REACH = 3.3
"""How far the pictures of generated data reach from the middle."""
KERNELS = {"vertical": [[1.0, 0.0, -1.0]] * 3, "horizontal": [[1.0] * 3, [0.0] * 3, [-1.0] * 3]}
"""Differences between left and right, and between above and below."""


@dataclass(frozen=True)
class Sight:
    """The part of a plane, or of a line, that pictures show, and the rows that its points stand for.

    names: of the one or two inputs that vary. ranges: the least and greatest shown of each.
    rows: points (n, 1) or (n, 2) → the network's inputs. points, held_points: where the data lie.
    """

    names: list[str]
    ranges: list[tuple[float, float]]
    rows: Callable[[Array], Array]
    points: Array
    held_points: Array

    def grid(self, side: int) -> Array:
        """Points in rows of equal x1, the lowest first: (side², 2); on a line: (side, 1)."""
        axes = [np.linspace(low, high, side) for low, high in self.ranges]
        if len(axes) == 1:
            return axes[0][:, None]
        x0, x1 = np.meshgrid(*axes)
        return np.stack([x0.ravel(), x1.ravel()], axis=1)


@dataclass(frozen=True)
class Exercise:
    """Rows and what is known of them.

    task: "binary", "multiclass", "numbers", or "maps" (images to images).
    x, held_x: float32 (rows, …). y, held_y: class numbers (rows,), or float32 (rows, outputs) or (rows, h, w, 1).
    target_scale: mean and standard deviation that were taken out of a table's target.
    vocabulary: the letters or words whose numbers are in x, (rows, steps); None for other rows.
    code: Python that makes x, y, x_held and y_held, and the imports it needs.
    """

    task: str
    x: Array
    y: Array
    held_x: Array
    held_y: Array
    inputs: list[str]
    targets: list[str]
    classes: list[str] | None
    sight: Sight | None
    code: str
    imports: list[str] = field(default_factory=list)
    target_scale: tuple[float, float] | None = None
    vocabulary: list[str] | None = None

    @property
    def outputs(self) -> int:
        """Units of an output layer: one for two classes."""
        if self.task == "binary":
            return 1
        if self.classes is not None:
            return len(self.classes)
        return int(np.prod(self.y.shape[1:]))

    @property
    def held(self) -> int:
        """How many rows there are to validate on."""
        return len(self.held_x)


def generated(state: State) -> Exercise:
    """A data set in the plane, or on a line."""
    data = state.data
    name, share, seed = data["name"], data["share"], data["seed"]
    make: Any = getattr(planar, name)
    flat = name == "line"
    names = [n for n in state.inputs if not flat or n in ("x0", "x0²", "sin x0")]
    names = list(dict.fromkeys(names)) or ["x0"]
    points, y = make(data["rows"], data["noise"], seed, data.get("classes", 2))
    train, held = planar.divided(len(points), share, seed)
    x = planar.expanded(points, names)
    if name in NUMBERS:
        y = y[:, None].astype(np.float32)
    sight = Sight(
        ["x0"] if flat else ["x0", "x1"],
        [(-REACH, REACH)] * (1 if flat else 2),
        lambda p: planar.expanded(p, names),
        points[train],
        points[held],
    )
    classes = None if name in NUMBERS else [str(c) for c in range(data.get("classes", 2))]
    column = "[:, None].astype(np.float32)" if name in NUMBERS else ""
    code = sources(make, planar.divided, planar.expanded)
    code += (
        f"\n\n\npoints, y = {name}(rows={data['rows']}, noise={data['noise']}, seed={seed}, "
        f"classes={data.get('classes', 2)})\n"
        f"train, held = divided(len(points), share={share}, seed={seed})\n"
        f"x = expanded(points, {names!r})\n"
        f"x, y, x_held, y_held = x[train], y[train]{column}, x[held], y[held]{column}"
    )
    task = "numbers" if classes is None else "binary" if len(classes) == 2 else "multiclass"
    return Exercise(task, x[train], y[train], x[held], y[held], names, ["y"], classes, sight, code)


def sources(*functions: Any) -> str:
    """The texts of functions, as a program holds them."""
    return "\n\n\n".join(inspect.getsource(function).rstrip() for function in functions)


def written(state: State) -> Exercise:
    """Rows that stand in the state."""
    data = state.data
    x, y = matrix("data.x", data["x"]), matrix("data.y", data["y"])
    if len(x) != len(y) or not len(x):
        raise RefusedError(
            "data.x and data.y need one row each for every example, got {rows} and {targets}",
            rows=len(x),
            targets=len(y),
        )
    names = named_columns(data["names"], x.shape[1], "x")
    classes: list[str] | None = None
    task = data["task"]
    if task == "classes":
        codes = np.unique(y)
        if y.shape[1] != 1 or len(codes) < 2 or not np.array_equal(codes, np.arange(len(codes))):
            raise RefusedError(
                "classes in data.y are whole numbers 0, 1, 2, … without gaps, at least two, one for each row"
            )
        classes, y = [str(int(c)) for c in codes], y[:, 0].astype(int)
        targets = ["y"]
        task = "binary" if len(classes) == 2 else "multiclass"
    else:
        targets = named_columns(data["target_names"], y.shape[1], "y")
    train, held = planar.divided(len(x), data["share"], data["seed"])
    code = f"x = np.array({x.astype(float).tolist()}, np.float32)\ny = np.array({y.tolist()}"
    code += ")\n" if classes else ", np.float32)\n"
    if data["share"]:
        code = f"{sources(planar.divided)}\n\n\n{code}"
        code += f"train, held = divided(len(x), share={data['share']}, seed={data['seed']})\n"
        code += "x, y, x_held, y_held = x[train], y[train], x[held], y[held]"
    else:
        code += "x_held, y_held = x[:0], y[:0]"
    sight = None
    if x.shape[1] <= 2:
        ranges = [reach(column) for column in x.T]
        sight = Sight(names, ranges, lambda p: p.astype(np.float32), x[train], x[held])
    return Exercise(task, x[train], y[train], x[held], y[held], names, targets, classes, sight, code)


def reach(values: Array) -> tuple[float, float]:
    """A range that shows these values with some room."""
    low, high = float(values.min()), float(values.max())
    room = (high - low) * 0.15 or max(1.0, abs(low))
    return low - room, high + room


def matrix(what: str, rows: Any) -> Array:
    """Lists as float32 (rows, columns); plain numbers are a column."""
    try:
        found: Array = np.array(rows, np.float32)
    except ValueError:  # rows of different lengths
        found = np.zeros((0, 0, 0))
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim != 2 or not 0 < len(found) <= GIVEN_ROWS or not 0 < found.shape[1] <= GIVEN_COLUMNS:
        raise RefusedError(
            "{what} is a list of 1 to {rows:,} rows of equal length, 1 to {columns} numbers each",
            what=what,
            rows=GIVEN_ROWS,
            columns=GIVEN_COLUMNS,
        )
    return found


def named_columns(names: list[str] | None, count: int, letter: str) -> list[str]:
    """The names given, or letter1, letter2, …"""
    if names is None:
        return [letter] if letter == "y" and count == 1 else [f"{letter}{n}" for n in range(1, count + 1)]
    if len(names) != count:
        raise RefusedError(
            "there are {count} columns of {letter} and {names} names", count=count, letter=letter, names=len(names)
        )
    return names


LOAD = """images, labels = load_digits(return_X_y=True)
x = (images / 16).reshape(-1, 8, 8, 1).astype(np.float32)
"""


def loaded() -> tuple[Array, Array]:
    """scikit-learn's handwritten digits: images (1797, 8, 8, 1) of 0 … 1, and what they are."""
    need("sklearn", "", "the exercise with digits")
    from sklearn.datasets import load_digits  # a heavy package

    images, labels = load_digits(return_X_y=True)
    return (images / 16).reshape(-1, 8, 8, 1).astype(np.float32), labels


def digits(state: State) -> Exercise:
    """Handwritten digits, to tell apart."""
    images, labels = loaded()
    kept = sorted(set(state.data["digits"] or range(10)))
    if len(kept) < 2:
        raise RefusedError("there have to be two digits at least to tell apart")
    rows = np.flatnonzero(np.isin(labels, kept))[: state.data["rows"]]
    x, y = images[rows], np.searchsorted(kept, labels[rows])
    if len(np.unique(y)) < len(kept):
        raise RefusedError("these are too few rows: some digits are missing")
    code = f"rows = np.flatnonzero(np.isin(labels, {kept}))[:{len(rows)}]\n"
    code += f"x, y = x[rows], np.searchsorted({kept}, labels[rows])\n"
    task = "binary" if len(kept) == 2 else "multiclass"
    return of_images(state, task, x, y, [str(digit) for digit in kept], code, planar.divided)


def edge_maps(state: State) -> Exercise:
    """The map that a kernel makes of each digit, for a convolution to find the kernel."""
    kernel = wanted_kernel(state.data["kernel"])
    x = loaded()[0][: state.data["rows"]]
    y = planar.edges(x, kernel).astype(np.float32)
    code = f"x = x[:{len(x)}]\ny = edges(x, np.array({kernel.tolist()})).astype(np.float32)\n"
    if state.output is not None:  # a dense layer at the end: all places of the map
        y = y.reshape(len(y), -1)
        code += "y = y.reshape(len(y), -1)\n"
    return of_images(state, "maps", x, y, None, code, planar.divided, planar.edges)


def of_images(
    state: State, task: str, x: Array, y: Array, classes: list[str] | None, code: str, *functions: Any
) -> Exercise:
    """Images and their targets, divided."""
    share, seed = state.data["share"], state.data["seed"]
    train, held = planar.divided(len(x), share, seed)
    code += f"train, held = divided(len(x), share={share}, seed={seed})\n"
    code += "x, y, x_held, y_held = x[train], y[train], x[held], y[held]"
    return Exercise(
        task=task,
        x=x[train],
        y=y[train],
        held_x=x[held],
        held_y=y[held],
        inputs=[f"pixel {row},{column}" for row in range(8) for column in range(8)],
        targets=["edges"] if classes is None else ["digit"],
        classes=classes,
        sight=None,
        code=f"{sources(*functions)}\n\n\n{LOAD}{code}",
        imports=["from sklearn.datasets import load_digits"],
    )


def wanted_kernel(given: Any) -> Array:
    """The kernel whose map is to be found."""
    if isinstance(given, str):
        return np.array(KERNELS[given])
    kernel = matrix("data.kernel", given).astype(float)
    if max(kernel.shape) > 5:
        raise RefusedError("data.kernel has 5 × 5 numbers at most")
    return kernel
