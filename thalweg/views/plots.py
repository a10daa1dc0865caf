"""Pictures of what a network has learned: kernels, feature maps, kernels over the epochs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thalweg.callbacks import Callback, Logs
from thalweg.callbacks.callback import Model
from thalweg.errors import ArgumentError
from thalweg.layers import Layer
from thalweg.support.naming import choose
from thalweg.views.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from thalweg.models.sequential import Sequential

Array = NDArray[Any]
MOST = 16  # pictures in a row, and in a column
LONGEST = 10  # characters of a class's name under a bar


def kernels_of(model: Model) -> dict[str, Layer]:
    """The layers with a kernel (height, width, inputs, outputs), by name."""
    model.build()
    return {str(layer.name): layer for layer in model.layers if any(len(p.buffer.shape) == 4 for p in layer.parameters)}


def kernel_of(model: Model, layer: str | None) -> tuple[str, Array]:
    """The name and the kernel of a layer, by default of the first convolution."""
    found = kernels_of(model)
    if not found:
        raise ArgumentError("the network has no convolution layer whose kernels could be shown")
    name = next(iter(found)) if layer is None else layer
    return name, choose("convolution layer", name, found).get_weights()[0]


class KernelHistory(Callback):
    """Keeps the kernels of a convolution (by default the first), before the training and after every epoch.

    `kernels` is a list of arrays (height, width, inputs, outputs); `draw_strip` shows them.
    """

    def __init__(self, layer: str | None = None) -> None:
        self.layer = layer
        self.kernels: list[Array] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.kernels = [kernel_of(self.model, self.layer)[1]]

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.kernels.append(kernel_of(self.model, self.layer)[1])


def feature_maps(model: Sequential, picture: Array) -> dict[str, Array]:
    """The output of every layer for one row, by the layer's name, in the order of the network."""
    model.build()
    values: dict[str, Array] = {}
    x = picture[None]
    for layer in model.inside:
        x = layer(x, training=False)
        values[str(layer.name)] = x[0]
    return values


# --- drawing ---------------------------------------------------------------------------------------------------------


def draw_filters(kernel: Array, title: str) -> Figure:
    """Draws every filter as a picture: blue below 0, red above; three input channels as one picture in colour.

    kernel (height, width, inputs, outputs). With more inputs, a row for each input channel; at most 16 of each.
    """
    inputs, outputs = kernel.shape[2:]
    limit = float(np.abs(kernel).max()) or 1.0
    if inputs in (1, 3):
        columns = min(8, outputs)
        cells = [kernel[:, :, :, k] for k in range(min(outputs, MOST * MOST))]
        rows = [cells[k : k + columns] for k in range(0, len(cells), columns)]
        left = [""] * len(rows)
    else:
        columns = min(MOST, outputs)
        rows = [[kernel[:, :, i, k, None] for k in range(columns)] for i in range(min(MOST, inputs))]
        left = [f"input {i}" for i in range(len(rows))]
        title += "" if inputs <= MOST and outputs <= MOST else f" (the first {len(rows)}×{columns})"
    title += " (mid-grey is 0)" if inputs == 3 else ""
    drawn = new_figure(1 + 0.9 * columns, 1 + 0.9 * len(rows))
    axes = drawn.subplots(len(rows), columns, squeeze=False)
    shown = None
    for line, cells, text in zip(axes, rows, left, strict=True):
        for place, axis in enumerate(line):
            bare(axis)
            if place < len(cells):
                shown = show_kernel(axis, cells[place], limit)
        line[0].set_ylabel(text, fontsize=7)
    if shown is not None and inputs != 3:
        drawn.colorbar(shown, ax=axes, shrink=0.6, label="weight")
    drawn.suptitle(title)
    return drawn


def show_kernel(axis: Any, cell: Array, limit: float) -> Any:
    """Draws one filter: signed, or in colour if it has three channels (0 is mid-grey)."""
    if cell.shape[2] == 3:
        return axis.imshow(0.5 + 0.5 * cell / limit)
    return axis.imshow(cell[:, :, 0], cmap="RdBu_r", vmin=-limit, vmax=limit)


def draw_strip(kernels: Sequence[Array], title: str) -> Figure:
    """Draws kernels over the epochs: a row for each of some epochs, the first before training; a column per filter."""
    if not kernels:
        raise ArgumentError("no kernels were recorded")
    outputs = min(MOST, kernels[0].shape[3])
    epochs = sorted({round(k * (len(kernels) - 1) / max(1, MOST - 1)) for k in range(MOST)})
    limit = max(float(np.abs(k).max()) for k in kernels) or 1.0
    drawn = new_figure(1.2 + 0.7 * outputs, 0.8 + 0.7 * len(epochs))
    axes = drawn.subplots(len(epochs), outputs, squeeze=False)
    for line, epoch in zip(axes, epochs, strict=True):
        for number, axis in enumerate(line):
            bare(axis)
            cell = kernels[epoch][:, :, :, number]
            show_kernel(axis, cell if cell.shape[2] in (1, 3) else cell[:, :, :1], limit)
        line[0].set_ylabel(f"epoch {epoch}" if epoch else "before", fontsize=7, rotation=0, ha="right", va="center")
    drawn.suptitle(title)
    return drawn


def draw_features(values: dict[str, Array], picture: Array, title: str, classes: Sequence[str] = ()) -> Figure:
    """Draws the picture, then up to 16 maps of each layer; vectors as bars, the last one's named by `classes`.

    A layer that only passes its input on is left out, such as Flatten, or Dropout outside of training.
    """
    shown: dict[str, Array] = {}
    before = picture
    for name, value in values.items():
        if value.ndim in (1, 3) and not np.array_equal(value.ravel(), before.ravel()):
            shown[name] = value
        before = value
    drawn = new_figure(2.5 + 0.75 * MOST, 0.6 + 0.95 * (1 + len(shown)))
    grid = drawn.add_gridspec(1 + len(shown), MOST)
    pictures = np.moveaxis(picture, -1, 0) if picture.shape[2] == 1 else [picture[:, :, :3]]
    maps(drawn, [grid[0, k] for k in range(MOST)], pictures, "picture", "gray")
    for row, (name, value) in enumerate(shown.items(), start=1):
        label = f"{name}\n{'×'.join(map(str, value.shape))}"
        if value.ndim == 3:
            maps(drawn, [grid[row, k] for k in range(MOST)], np.moveaxis(value, -1, 0), label, "viridis")
        else:
            last = row == len(shown) and len(value) == len(classes)
            bars(drawn.add_subplot(grid[row, :]), value, label, classes if last else ())
    drawn.suptitle(title)
    return drawn


def maps(drawn: Figure, places: Sequence[Any], cells: Any, label: str, colours: str) -> None:
    """Draws a map in each place, each in its own range of colours; the name is on the left."""
    for place, cell in zip(places, cells, strict=False):
        axis = drawn.add_subplot(place)
        bare(axis)
        axis.imshow(cell, cmap=colours)
        if place is places[0]:
            beside(axis, label)


def bars(axis: Any, value: Array, label: str, names: Sequence[str]) -> None:
    """Draws a vector: a bar for each number, with its index or its name below."""
    axis.stairs(value, np.arange(len(value) + 1) - 0.5, fill=True)
    axis.margins(x=0.01)
    axis.tick_params(labelsize=6)
    axis.locator_params(axis="x", integer=True)
    if 0 < len(names) <= 2 * MOST:
        axis.set_xticks(
            range(len(names)), [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
        )
    beside(axis, label)


def beside(axis: Any, label: str) -> None:
    """Writes a name on the left."""
    axis.set_ylabel(label, fontsize=7, rotation=0, ha="right", va="center", labelpad=8)


def bare(axis: Any) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
