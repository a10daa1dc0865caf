"""Weights of torch's modules: a state dict, by a mapping of layers to modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    Layer,
)
from thalweg.layers.variables import Parameter
from thalweg.models.drawing import Drawn
from thalweg.ops.variable import set_arrays
from thalweg.support.naming import choose, listed, suggesting
from thalweg.support.nested import leaves

Array = NDArray[Any]
KEYS = {
    "W": "weight", "b": "bias", "γ": "weight", "β": "bias", "μ": "running_mean", "σ²": "running_var", "α": "weight",
}  # fmt: skip
"""What torch calls a layer's arrays."""
UNUSED = "num_batches_tracked"  # of a BatchNorm of torch's, which counts what nobody needs here
CONVOLUTIONS = (Conv1D, Conv2D, Conv3D, Conv1DTranspose, Conv2DTranspose, DepthwiseConv2D)


@suggesting
def load_torch_state(model: Any, state: Mapping[str, Any] | str | Path, mapping: Mapping[str, str]) -> None:
    """Takes weights out of a state dict of torch's: all of the model's, or none if something doesn't fit.

    Kernels are turned: torch's are (outputs, inputs, …). Behind a `Flatten` of images the elements are put in another
    order, too, as torch's images have their channels first.

    Args:
        model: a model of the same layers.
        state: what `module.state_dict()` returned, or a .safetensors file of it. (Of a .pt file, which is a pickle:
            `torch.load(path, weights_only=True)`.)
        mapping: for each layer with weights the name of torch's module: {"dense": "fc1", "conv2d": "features.0"}. The
            name of an array's own may follow, {"dense/W": "fc1.kernel"}, and takes precedence.

    Raises:
        ArgumentError: a layer, a module or an array is missing, or one of the state isn't used.
        ShapeError: an array has another shape.

    >>> import numpy as np
    >>> import thalweg
    >>> model = thalweg.Sequential([thalweg.Input((2,)), Dense(1, name="out")])
    >>> load_torch_state(model, {"fc.weight": np.array([[1.0, 2.0]]), "fc.bias": np.array([3.0])}, {"out": "fc"})
    >>> model.predict([[1.0, 1.0]])
    array([[6.]], dtype=float32)
    """
    model.build()
    arrays = {name: numbers(name, array) for name, array in opened(state).items()}
    turned = behind_images(model._graph)
    named = model._weights.named()
    known = {str(layer.name) for layer in holders(model._graph.layers)} | {path for path, _ in named}
    for key in mapping:
        choose("layer or array in the mapping", key, sorted(known))
    found: list[Any] = []
    used = set()
    for layer, path, parameter in arrays_of(model._graph.layers):
        name = mapping.get(path)
        if name is None:
            module = mapping.get(str(layer.name))
            if module is None:
                raise ArgumentError(
                    f"the mapping says no module of torch's for layer {layer.name!r}: {{{layer.name!r}: …}}"
                )
            if parameter.key not in KEYS:
                raise ArgumentError(f"torch has no name for {path}: give it in the mapping, {{{path!r}: …}}")
            name = f"{module}.{KEYS[parameter.key]}"
        if name not in arrays:
            raise ArgumentError(f"the state has no {name!r} for {path}; it has {listed(sorted(arrays), 10)}")
        used.add(name)
        found.append(converted(layer, parameter, arrays[name], turned.get(id(layer)), f"{name} for {path}"))
    left = sorted(name for name in arrays.keys() - used if not name.endswith(UNUSED))
    if left:
        raise ArgumentError(
            f"the state has {listed(left, 5)}, which the mapping doesn't use: leave out what isn't wanted"
        )
    set_arrays([(path, parameter) for _, path, parameter in arrays_of(model._graph.layers)], found)


def opened(state: Any) -> Mapping[str, Any]:
    """The arrays by name."""
    if isinstance(state, Mapping):
        return state
    path = Path(state)
    if path.suffix.lower() != ".safetensors":
        raise ArgumentError(f"{path} isn't read: load it by torch.load(path, weights_only=True), and give the dict")
    from safetensors.numpy import load_file

    from thalweg.support.untrusted import readable

    with readable(ArgumentError, f"{path} is no safetensors file, or it is damaged"):
        found: Mapping[str, Any] = load_file(path)
    return found


def numbers(name: str, given: Any) -> Array:
    """A tensor of torch's, or an array."""
    array = np.asarray(given.detach().cpu().numpy() if hasattr(given, "detach") else given)
    if array.dtype.kind not in "fiu":
        raise ArgumentError(f"the state's {name!r} is of {array.dtype}, not of numbers")
    return array


def holders(layers: list[Layer]) -> Iterator[Layer]:
    """The layers with arrays of their own, those inside others as well, each once."""
    seen: set[int] = set()
    waiting = list(layers)
    while waiting:
        layer = waiting.pop(0)
        if id(layer) not in seen:
            seen.add(id(layer))
            waiting[:0] = layer.inside
            if layer.parameters:
                yield layer


def arrays_of(layers: list[Layer]) -> list[tuple[Layer, str, Parameter]]:
    """Every array with its layer, and layer/key."""
    return [(layer, f"{layer.name}/{p.key}", p) for layer in holders(layers) for p in layer.parameters]


def converted(layer: Layer, parameter: Parameter, array: Array, image: tuple[int, ...] | None, what: str) -> Array:
    """An array as the layer has it."""
    shape = parameter.buffer.shape
    if parameter.key == "W" and isinstance(layer, Dense) and array.ndim == 2:
        array = array.T
    elif parameter.key == "W" and isinstance(layer, CONVOLUTIONS) and array.ndim == len(shape):
        array = array.transpose(*range(2, array.ndim), 1, 0)
        if isinstance(layer, DepthwiseConv2D) and array.shape == (*shape[:2], 1, shape[2] * shape[3]):
            array = array.reshape(shape)
    if parameter.key == "α" and array.ndim == 1 and array.size == np.prod(shape):
        array = array.reshape(shape)
    if array.shape != shape:
        raise ShapeError(
            f"the state's {what} has the shape {array.shape} in our order of axes, the layer needs {shape}"
        )
    if image is not None and array.shape[0] == np.prod(image):
        array = array.reshape(image[-1], *image[:-1], *shape[1:])
        array = np.moveaxis(array, 0, len(image) - 1).reshape(shape)
    return array


def behind_images(graph: Any) -> dict[int, tuple[int, ...]]:
    """The layers whose inputs are elements of an image in one row: the id of each, with the image's shape."""
    found: dict[int, tuple[int, ...]] = {}
    if not isinstance(graph, Drawn):
        image = None
        for layer in graph.layers:
            image = after(layer, image, found)
        return found
    images: dict[int, tuple[int, ...] | None] = {}
    for call in graph.calls:
        if isinstance(call.function, Layer):
            first = next(iter(call.inputs()), None)
            image = after(call.function, images.get(id(first)), found)
            images |= dict.fromkeys(map(id, leaves(call.result)), image)
    return found


def after(layer: Layer, image: tuple[int, ...] | None, found: dict[int, tuple[int, ...]]) -> tuple[int, ...] | None:
    """The image whose elements are in a layer's rows; notes the layer if they are in its inputs'."""
    if isinstance(layer, Flatten):
        return layer.input_shape if len(layer.input_shape) > 2 or image is None else image
    if image is not None:
        found[id(layer)] = image
    return image if layer.output_shape == layer.input_shape and not isinstance(layer, Dense) else None
