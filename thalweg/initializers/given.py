"""Initial weights given by the user: an array, a file, a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from thalweg.errors import ArgumentError, DataError, ModelFileError, NotFoundError, ShapeError
from thalweg.initializers.initializer import Array, Initializer, Shape
from thalweg.support.arguments import Checked, arguments
from thalweg.support.untrusted import Npz, read_npy, readable


def checked(values: Any, shape: Shape, source: str) -> Array:
    """`values` as numbers of `shape`; an error names where they came from."""
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        raise ShapeError(f"{source} is no array: its rows have different lengths") from None
    if array.dtype.kind not in "buif":
        raise DataError(f"{source} has to hold numbers, got an array of {array.dtype}")
    if array.shape != shape:
        raise ShapeError(f"{source} has the shape {array.shape}, the weights have {shape}")
    if not np.isfinite(array).all():
        raise DataError(f"{source} holds a value that is not finite")
    return array.astype(np.float64)


@arguments
class FromArray(Initializer):
    """The given values, of exactly the weights' shape. A layer also takes the NumPy array itself.

    A saved model keeps the values in its description, as text: for large arrays use `FromFile`.

    >>> from thalweg.layers import Dense
    >>> Dense(2, kernel_initializer=np.eye(2)).kernel_initializer((2, 2))
    array([[1., 0.],
           [0., 1.]])
    """

    values: Annotated[Any, Checked(lambda what, value: value, lambda value: np.asarray(value).tolist())]

    formula = "W = values"
    use = "Weights worked out by hand, or made by other code."
    avoid = "Large arrays in models that are saved: use FromFile."
    paper = "a definition, no paper"

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        return checked(self.values, shape, "the array of initial weights")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FromArray) and bool(np.array_equal(self.values, other.values))

    __hash__ = None  # type: ignore[assignment]


def weight_file(what: str, path: Any) -> str:
    """A file's name, of a kind that can be read."""
    if Path(path).suffix not in (".npy", ".npz", ".safetensors"):
        raise ArgumentError(f"FromFile reads .npy, .npz and .safetensors files, got {str(path)!r}")
    return str(path)


@arguments
class FromFile(Initializer):
    """The array in a file: .npy, or the one called `name` in an .npz or safetensors file, such as a saved model.

    Without `name` it is the array with the weights' own name: dense/W, dense/b, dense_1/W, … It is read when the model
    is built; a saved model has its weights and no longer needs the file.

    Raises:
        NotFoundError: no such file, or no such array in it.
        ModelFileError: it can't be read. ShapeError: the array has another shape.
    """

    path: Annotated[str, Checked(weight_file)]
    name: str | None = None

    formula = "W = the array in the file"
    use = "Weights from an earlier training, of one layer or all."
    avoid = "Loading a whole model: load_model does it."
    paper = "a definition, no paper"

    def of(self, parameter: str) -> Initializer:
        return self if self.name is not None else FromFile(self.path, parameter)

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        if not Path(self.path).is_file():
            raise NotFoundError(f"there is no file {self.path} to take initial weights from")
        with readable(ModelFileError, f"{self.path} can't be read as weights"):
            source, values = self.read()
        return checked(values, shape, source)

    def read(self) -> tuple[str, Array]:
        """The array's name in messages, and the array."""
        path = Path(self.path)
        if path.suffix == ".npy":
            with path.open("rb") as stream:
                return self.path, read_npy(stream, path.stat().st_size)
        if path.suffix == ".npz":
            with Npz(path) as archive:
                return self.found(archive.members), archive[str(self.name)]
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as held:
            return self.found(held.keys()), held.get_tensor(self.name)

    def found(self, names: Iterable[str]) -> str:
        """The array's name in messages; raises if there is no such array."""
        names = sorted(names)
        if self.name not in names:
            raise NotFoundError(
                f"{self.path} has no array {self.name!r}; it holds {', '.join(names[:12]) or 'nothing'}"
            )
        return f"{self.name} in {self.path}"


@arguments
class Function(Initializer):
    """Your own function f(shape, generator) → array, or f(shape, dtype). A layer also takes the function itself.

    A saved model keeps only the function's name: it has its weights, but can't draw new ones.

    >>> from thalweg.layers import Dense
    >>> layer = Dense(2, kernel_initializer=lambda shape, rng: rng.choice([-1.0, 1.0], shape))
    >>> np.abs(layer.kernel_initializer((1, 2)))
    array([[1., 1.]])
    """

    name: str
    function: Callable[..., Any] | None = None

    formula = "W = f(shape, generator)"
    use = "A distribution that the catalogue lacks."
    avoid = "Where a named one will do: a file can't hold a function."
    paper = "a definition, no paper"

    def sample(self, shape: Shape, generator: np.random.Generator) -> Array:
        if self.function is None:
            raise ArgumentError(f"the initializer {self.name} was a function, which a file can't hold: give it again")
        function: Any = self.function
        keras = "dtype" in signature(function).parameters  # f(shape, dtype), which draws by thalweg.random
        values = function(shape, dtype="float32") if keras else function(shape, generator)
        return checked(values, shape, f"what the initializer {self.name} returned")

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}
