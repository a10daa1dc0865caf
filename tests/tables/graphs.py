"""Random networks: any directed acyclic graph of instructions, composed in a user's own layer."""

from typing import Any

from hypothesis import strategies as st

from thalweg import Sequential, activations
from thalweg.initializers import RandomNormal
from thalweg.layers import Dense, Dropout, Flatten, Input, Layer
from thalweg.optimizers import SGD
from thalweg.program.instructions import rowwise
from thalweg.regularizers import L1L2

WIDTH = 6
ACTIVATIONS = {
    "sigmoid": activations.sigmoid,
    "tanh": activations.tanh,
    "leaky": activations.leaky_relu.using(negative_slope=0.3),
}
OPERATIONS = ("affine", "affine", "add", "add", "softmax", "reshape", "views", "dropout", "unused", *ACTIVATIONS)


class Graph(Layer):
    """Every step (operation, i, j) takes earlier values i and j and adds one; the output is the sum of all.

    There are three kernels and three biases: steps of the same j share them.
    """

    def __init__(self, steps: list[tuple[str, int, int]], name: str | None = None) -> None:
        super().__init__(name)
        self.steps = [tuple(step) for step in steps]

    def build(self, input_shape: tuple[int, ...]) -> None:
        used = sorted({j % 3 for operation, _, j in self.steps if operation == "affine"})
        normal = RandomNormal(stddev=0.6)
        self.kernels = {j: self.add_weight(f"W{j}_", (WIDTH, WIDTH), normal, L1L2(0.01, 0.02)) for j in used}
        self.biases = {j: self.add_weight(f"b{j}_", (WIDTH,), normal) for j in used if j > 0}

    def forward(self, program: Any, x: Any) -> Any:
        values = [x]
        for operation, i, j in self.steps:
            v, w = values[i % len(values)], values[j % len(values)]
            if operation == "affine":
                v = program.affine(v, self.kernels[j % 3], self.biases.get(j % 3))
            elif operation == "add":
                v = program.add(v, w)
            elif operation == "softmax":
                v = program.rowwise(rowwise.Softmax, v)
            elif operation == "reshape":  # softmax over halves
                v = program.reshape(program.rowwise(rowwise.Softmax, program.reshape(v, (2, WIDTH // 2))), (WIDTH,))
            elif operation == "views":  # a view of a view
                v = program.reshape(program.reshape(v, (WIDTH // 2, 2)), (WIDTH,))
            elif operation == "dropout":
                v = program.dropout(v, 0.4)
            elif operation == "unused":
                program.rowwise(rowwise.Softmax, program.reshape(v, (2, WIDTH // 2)))
            else:
                v = ACTIVATIONS[operation].forward(program, v)
            values.append(v)
        total = values[0]
        for value in values[1:]:
            total = program.add(total, value)
        return total

    def get_config(self) -> dict[str, Any]:
        return {"steps": self.steps, "name": self.name}


STEPS = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 9), st.integers(0, 9)), max_size=7)
LOSSES = st.sampled_from(("mse", "mae", "bce", "categorical_crossentropy"))
OUTPUTS = {"mse": None, "mae": "tanh", "bce": "sigmoid", "categorical_crossentropy": "softmax"}


def network(steps: list[tuple[str, int, int]], loss: str = "mse", rate: float = 1.0, **options: Any) -> Sequential:
    """The graph between two dense layers, so that its input has to be differentiated too."""
    layers = [Input((WIDTH,)), Dense(WIDTH, "tanh"), Graph(steps), Dropout(0.2), Flatten(), Dense(3, OUTPUTS[loss])]
    model = Sequential(layers, seed=4, **options)
    model.compile(SGD(rate), loss, metrics=["mae"])
    return model
