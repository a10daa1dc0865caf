"""Functions of `thalweg.ops` in networks: as a layer's `call` and as a graph, their values and their gradients."""

from typing import Any

import numpy as np
from ops_rows import Row

from thalweg import Input, Model, ops
from thalweg.layers import Layer
from thalweg.optimizers import SGD
from thalweg.support.nested import leaves

FLOAT64 = {"engine": "reference", "dtype": "float64"}
ROWS_OF_DATA = 4


def data(row: Row, kinds: tuple[str, ...]) -> list[Any]:
    """An array for each operand: of one row where it is a weight or a constant."""
    draw = np.random.default_rng(len(row.name))
    leading = [ROWS_OF_DATA if kind == "rows" else 1 for kind in kinds]
    return [row.values(draw, (n, *shape)).astype(np.float32) for n, shape in zip(leading, row.shapes, strict=True)]


def one_matrix(values: Any) -> Any:
    """All results of a function in one array, (rows, numbers)."""
    parts = []
    for value in leaves(values):
        numbers = int(np.prod([int(n) for n in ops.shape(value)[1:]]))
        parts.append(ops.reshape(value, (-1, numbers)))
    return ops.concatenate(parts, 1) if len(parts) > 1 else parts[0]


class Apply(Layer):
    """A function of its inputs, each times a weight; of a weight or an array in the place of some."""

    def __init__(self, row: Row, kinds: tuple[str, ...], fixed: list[Any]) -> None:
        super().__init__()
        self.row, self.kinds, self.fixed = row, kinds, fixed

    def build(self, input_shape: Any) -> None:
        self.scales, self.values = {}, {}
        for k, (kind, shape) in enumerate(zip(self.kinds, self.row.shapes, strict=True)):
            if kind == "rows" and self.row.slope:
                self.scales[k] = self.add_weight(shape=shape, initializer="ones", name=f"scale{k}")
            if kind == "weight":
                self.values[k] = self.add_weight(shape=(1, *shape), initializer=self.fixed[k], name=f"value{k}")

    def call(self, inputs: Any) -> Any:
        operands = dict(enumerate(inputs)) | dict(enumerate(self.fixed)) | self.values
        for k, kind in enumerate(self.kinds):
            if kind == "rows":
                operands[k] = inputs[k] * self.scales[k] if self.row.slope else inputs[k]
        result = one_matrix(self.row.function(*(operands[k] for k in range(len(self.kinds)))))
        return result if "rows" in self.kinds else result + 0 * inputs[-1]


def layer_model(row: Row, kinds: tuple[str, ...], fixed: list[Any], **options: Any) -> Model:
    """A model of the layer, which has another input that only has rows."""
    inputs = [Input(shape) for shape in (*row.shapes, (1,))]
    return Model(inputs, Apply(row, kinds, fixed)(inputs), seed=3, **options)


def arrays_for(values: list[Any], kinds: tuple[str, ...]) -> list[Any]:
    """Arrays for all inputs of the model; those that aren't used are of zeros."""
    unused = [
        np.zeros((ROWS_OF_DATA, *v.shape[1:])) if kind != "rows" else v for v, kind in zip(values, kinds, strict=True)
    ]
    return [*unused, np.zeros((ROWS_OF_DATA, 1))]


def wanted(row: Row, values: list[Any]) -> Any:
    """What the function gives for arrays."""
    want = one_matrix(row.function(*(v.astype(np.float64) for v in values)))
    return np.broadcast_to(np.asarray(want, np.float64), (ROWS_OF_DATA, want.shape[1]))


def check_values(row: Row, kinds: tuple[str, ...], native: bool = True) -> None:
    """The layer's outputs are those of the function on arrays, in both engines."""
    values = data(row, kinds)
    want = wanted(row, values)
    got = layer_model(row, kinds, values, **FLOAT64).predict(arrays_for(values, kinds))
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-7)
    if native:
        got = layer_model(row, kinds, values).predict(arrays_for(values, kinds))
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 * max(1, np.abs(want).max()))


def combined(y_true: Any, y_pred: Any) -> Any:
    """Σ c·y with fixed c."""
    return ops.sum(y_true * y_pred, -1)


def slopes(model: Model, x: Any, c: Any) -> list[Any]:
    """What one step of gradient descent takes away."""
    before = model.get_weights()
    model.optimizer.learning_rate = 1.0
    model.train_on_batch(x, c)
    after = model.get_weights()
    model.set_weights(before)
    model.optimizer.learning_rate = 0.0
    return [b - a for b, a in zip(before, after, strict=True)]


def check_gradients(model: Model, x: Any, y: Any, loss: Any = combined, directions: int = 2) -> list[Any]:
    """The derivative of the loss along random directions, both ways, to 1e-6; returns the gradients."""
    draw = np.random.default_rng(5)
    model.compile(SGD(1.0), loss)
    weights, gradients = model.get_weights(), slopes(model, x, y)
    trained = [p.trainable for _, p in model.named_parameters()]  # averages move, but by no gradient
    for _ in range(directions):
        steps = [draw.normal(size=w.shape) * moves for w, moves in zip(weights, trained, strict=True)]
        adjoint = sum(float((g * d).sum()) for g, d in zip(gradients, steps, strict=True))
        moved = []
        for step in (1e-5, -1e-5):
            model.set_weights([w + step * d for w, d in zip(weights, steps, strict=True)])
            moved.append(float(model.train_on_batch(x, y, return_dict=True)["loss"]))
        model.set_weights(weights)
        difference = (moved[0] - moved[1]) / 2e-5
        assert abs(adjoint - difference) <= 1e-6 * max(1, abs(difference)), (
            f"the adjoints give {adjoint:.12g}, a central difference {difference:.12g}\n{model.program()}"
        )
    return gradients


def check_slopes(row: Row, kinds: tuple[str, ...], native: bool = True) -> None:
    """Gradients of a fixed random combination of all outputs."""
    values = data(row, kinds)
    x, model = arrays_for(values, kinds), layer_model(row, kinds, values, **FLOAT64)
    c = np.random.default_rng(6).normal(size=(ROWS_OF_DATA, *model.output_shape[1:])).astype(np.float32)
    want = check_gradients(model, x, c)
    assert all(np.isfinite(g).all() for g in want)
    if native:
        model = layer_model(row, kinds, values)
        model.compile(SGD(1.0), combined)
        for one, other in zip(slopes(model, x, c), want, strict=True):
            np.testing.assert_allclose(one, other, atol=2e-5 * max(1, np.abs(other).max()))


def graph_model(row: Row, **options: Any) -> Model:
    """The function between inputs and outputs of a graph."""
    inputs = [Input(shape) for shape in row.shapes]
    return Model(inputs, one_matrix(row.function(*inputs)), seed=3, **options)
