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
LEAST_PIXELS, FRAME, GAP = 48, 1, 6  # of a picture in a sheet, of the line around it, and between two
SIGNED = "RdBu_r"


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
    axis = drawn.subplots()
    show(axis, [[coloured(cell, limit) for cell in cells] for cells in rows], left)
    if inputs != 3:
        from matplotlib.cm import ScalarMappable

        drawn.colorbar(ScalarMappable(cmap=SIGNED), ax=axis, shrink=0.6, label="weight").mappable.set_clim(
            -limit, limit
        )
    drawn.suptitle(title)
    return drawn


def draw_strip(kernels: Sequence[Array], title: str) -> Figure:
    """Draws kernels over the epochs: a row for each of some epochs, the first before training; a column per filter."""
    if not kernels:
        raise ArgumentError("no kernels were recorded")
    outputs = min(MOST, kernels[0].shape[3])
    epochs = sorted({round(k * (len(kernels) - 1) / max(1, MOST - 1)) for k in range(MOST)})
    limit = max(float(np.abs(k).max()) for k in kernels) or 1.0
    channels = kernels[0].shape[2] if kernels[0].shape[2] in (1, 3) else 1
    drawn = new_figure(1.2 + 0.7 * outputs, 0.8 + 0.7 * len(epochs))
    rows = [[coloured(kernels[epoch][:, :, :channels, k], limit) for k in range(outputs)] for epoch in epochs]
    show(drawn.subplots(), rows, [f"epoch {epoch}" if epoch else "before" for epoch in epochs])
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
    axes = drawn.subplots(1 + len(shown), squeeze=False)[:, 0]
    in_colour = picture.shape[2] >= 3
    show(axes[0], [[picture[:, :, :3] / 255 if in_colour else mapped(picture[:, :, 0], "gray")]], ["picture"], MOST)
    for row, (name, value) in enumerate(shown.items(), start=1):
        label = f"{name}\n{'×'.join(map(str, value.shape))}"
        if value.ndim == 3:
            show(
                axes[row],
                [[mapped(value[:, :, k], "viridis") for k in range(min(MOST, value.shape[2]))]],
                [label],
                MOST,
            )
        else:
            last = row == len(shown) and len(value) == len(classes)
            bars(axes[row], value, label, classes if last else ())
    drawn.suptitle(title)
    return drawn


def coloured(cell: Array, limit: float) -> Array:
    """A filter's colours: signed, or its own if it has three channels (0 is mid-grey)."""
    share = 0.5 + 0.5 * cell / limit
    return share if cell.shape[2] == 3 else mapped(share[:, :, 0], SIGNED, (0.0, 1.0))


def mapped(cell: Array, colours: str, limits: tuple[float, float] | None = None) -> Array:
    """The colours of numbers, (height, width, 3), by default from their least to their largest."""
    from matplotlib import colormaps

    low, high = limits or (float(cell.min()), float(cell.max()))
    found: Array = colormaps[colours]((cell - low) / ((high - low) or 1.0))[:, :, :3]
    return found


def show(axis: Any, rows: Sequence[Sequence[Array]], left: Sequence[str], columns: int = 0) -> None:
    """Draws pictures of one size as one image, which takes a small part of the time of an axis each.

    columns: for how many there is room in a row. left: what is written beside each row.
    """
    height, width = rows[0][0].shape[:2]
    times = -(-LEAST_PIXELS // max(height, width))
    down, across = times * height + 2 * FRAME + GAP, times * width + 2 * FRAME + GAP
    sheet = np.zeros((down * len(rows) - GAP, across * max(columns, *map(len, rows)) - GAP, 4))
    for i, row in enumerate(rows):
        for k, cell in enumerate(row):
            framed = sheet[i * down : (i + 1) * down - GAP, k * across : (k + 1) * across - GAP]
            framed[:] = (0, 0, 0, 1)
            framed[FRAME:-FRAME, FRAME:-FRAME, :3] = cell.repeat(times, 0).repeat(times, 1)
    axis.imshow(sheet)
    axis.set_anchor("W" if columns else "C")
    axis.set_xticks([])
    axis.set_yticks([i * down + (down - GAP) / 2 for i in range(len(rows))], left, fontsize=7)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


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
    axis.set_ylabel(label, fontsize=7, rotation=0, ha="right", va="center", labelpad=8)
