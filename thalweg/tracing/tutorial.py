"""A step as a tutorial writes it: lines of NumPy, with the tutorial's names and the numbers of the step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from thalweg import words
from thalweg.program.ir.instruction import Array
from thalweg.tracing.step import Step
from thalweg.tracing.values import TracedStep, TracedWeight, Value
from thalweg.words import Text


@cache
def meanings() -> dict[str, Text]:
    """What the names of a tutorial stand for."""
    return {
        "x": words.text("the inputs"),
        "y": words.text("the target"),
        "w": words.text("the weights"),
        "b": words.text("the bias"),
        "learn_rate": words.text("the learning rate"),
        "h": words.text("the weighted sum of the inputs"),
        "a": words.text("the activation"),
        "y_predict": words.text("the prediction"),
        "error": words.text("how far the prediction is from the target"),
        "error_term": words.text("minus the derivative of the loss with respect to h"),
        "delta_w": words.text("the change of the weights"),
        "delta_b": words.text("the change of the bias"),
        "w +=": words.text("the weights after the step"),
        "b +=": words.text("the bias after the step"),
    }


FACTORS: dict[str, Callable[[int], float]] = {  # of the error in the error term, if the loss is over n outputs
    "SumSquaredError": lambda n: 2.0,
    "MeanSquaredError": lambda n: 2.0 / n,
    "BinaryCrossentropy": lambda n: 1.0 / n,
    "CategoricalCrossentropy": lambda n: 1.0,
    "SparseCategoricalCrossentropy": lambda n: 1.0,
}
CLOSE = 1e-3  # in float32; a line that isn't true of the numbers isn't written


@dataclass(frozen=True, eq=False)
class Line:
    """A line of NumPy, and the value of what it names."""

    name: str
    code: str  # empty for what is given
    value: Array
    meaning: Text


@dataclass(frozen=True, eq=False)
class Dense:
    """A dense layer of the chain, with the values of the step."""

    number: str  # in the names: "" if it is the only one
    x: str  # the name of what it takes
    taken: Array
    weights: TracedWeight
    bias: TracedWeight | None
    h: Array
    activation: str  # "" for none
    a: Array
    adjoint: Array  # of h

    def called(self, name: str) -> str:
        """A name with the layer's number."""
        return f"{name}{self.number}"


def lines(trace: Step) -> list[Line]:
    """The step's lines; none if the network isn't a chain of dense layers, or its loss has no error in this sense."""
    chain = list(layers_of(trace))
    made = Writer(trace, chain) if chain else None
    return list(made.lines()) if made is not None and made.holds() else []


def givens(trace: Step) -> list[Line]:
    """What the lines start from: x, y, the weights, the learning rate."""
    made = Writer(trace, list(layers_of(trace)))
    return list(made.given())


def layers_of(trace: Step) -> Iterator[Dense]:
    """The dense layers, if the network is nothing but a chain of them with activations between; otherwise nothing."""
    weights = {w.name: w for w in trace.weights}
    if len(trace.setting.losses) != 1 or trace.setting.losses[0] not in FACTORS or "x" not in trace:
        return
    steps = [s for s in trace.steps if s.section == "forward" and s.title not in ("gather", "gather bytes")]
    pairs: list[tuple[TracedStep, str, Value]] = []  # each product with its activation and what comes out
    for step in steps:
        if step.title == "affine":
            pairs.append((step, "", step.outputs[0]))
        elif step.elementwise and pairs and step.inputs[0].name == pairs[-1][2].name and len(step.inputs) == 1:
            pairs[-1] = (pairs[-1][0], step.title.replace(" ", "_"), step.outputs[0])
        elif pairs and "crossentropy" in step.title and " + " in step.title:
            y_pred = next((v for v in step.outputs if v.name == "y_pred"), None)
            if y_pred is not None:
                pairs[-1] = (pairs[-1][0], step.title.split(" + ")[0], y_pred)
        elif any(v.name.startswith(("L", "score", "penalty")) for v in step.outputs):
            continue
        else:
            return
    x, name = trace["x"], "x"
    if not pairs or x.ndim != 2 or pairs[-1][2].name != "y_pred":
        return
    for place, (step, activation, out) in enumerate(pairs, start=1):
        number = str(place) if len(pairs) > 1 else ""
        h, adjoint = step.outputs[0], trace.get(f"d{step.outputs[0].name}")
        operands = [weights.get(v.name) for v in step.inputs[1:]]
        if adjoint is None or not operands or operands[0] is None or h.array.ndim != 2:
            return
        bias = operands[1] if len(operands) > 1 else None
        yield Dense(number, name, x, operands[0], bias, h.array, activation, out.array, adjoint)
        x, name = out.array, f"a{number}"


class Writer:
    """Writes the lines of a chain."""

    def __init__(self, trace: Step, chain: list[Dense]) -> None:
        self.trace, self.chain = trace, chain
        self.one = trace.setting.rows == 1
        # The tutorial's first example: the weights of one unit are a vector, and h is a number.
        self.flat = self.one and len(chain) == 1 and chain[0].h.shape[-1] == 1
        self.loss = trace.setting.losses[0] or ""

    def shaped(self, array: Array, row: bool = True) -> Array:
        """A value as the lines have it: one row without its axis, one unit's as a number."""
        array = array[0] if row and self.one else array
        return array.reshape(array.shape[:-1]) if self.flat and array.shape[-1:] == (1,) else array

    def line(self, name: str, code: str, value: Array, row: bool = True, meaning: str = "") -> Line:
        return Line(name, code, self.shaped(value, row), meanings()[meaning or name.rstrip("0123456789")])

    @property
    def sparse(self) -> bool:
        """Whether the target is a class number."""
        return self.loss.startswith("Sparse")

    @property
    def target(self) -> Array:
        y = self.trace["y"].reshape(len(self.trace["y"]), -1)
        classes = self.chain[-1].a.shape[-1]
        return np.eye(classes)[y[:, 0].astype(int)] if self.sparse else y

    @property
    def factor(self) -> float:
        """Of the error in the last error term."""
        return 1.0 if self.trace.setting.half_squared else FACTORS[self.loss](self.chain[-1].a.shape[-1])

    @property
    def factored(self) -> str:
        """The same, as it is written before the error."""
        n = self.chain[-1].a.shape[-1]
        return "" if self.factor == 1 else f"{self.factor * n:g} / {n} * " if n > 1 else f"{self.factor:g} * "

    @property
    def of_logits(self) -> bool:
        """Whether the error term is the error itself: a cross-entropy after its activation."""
        return "Crossentropy" in self.loss

    def error(self) -> Array:
        """y − ŷ."""
        error: Array = self.target - self.chain[-1].a
        return error

    def term(self, layer: Dense) -> Array:
        """The error term of a layer, of each row by itself: a loss that is a mean divides it by the rows."""
        return -layer.adjoint * self.trace.setting.divisor

    def holds(self) -> bool:
        """Whether the last error term follows from the error, as the lines say."""
        last = self.chain[-1]
        wanted = self.factor * self.error()
        if self.of_logits:
            return last.activation in ("sigmoid", "softmax") and close(self.term(last), wanted)
        if not last.activation:
            return close(self.term(last), wanted)
        adjoint = self.trace.get("dy_pred")
        return adjoint is not None and close(-adjoint * self.trace.setting.divisor, wanted)

    def given(self) -> Iterator[Line]:
        """What the lines start from."""
        if not self.chain:
            return
        y = self.trace["y"].reshape(len(self.trace["y"]), -1)
        y = y[:, 0].astype(int) if self.sparse else y
        yield self.line("x", "", self.trace["x"])
        yield Line("y", "", self.shaped(y) if y.ndim > 1 else (y[0] if self.one else y), meanings()["y"])
        for layer in self.chain:
            yield self.line(layer.called("w"), "", layer.weights.before, row=False)
            if layer.bias is not None:
                yield self.line(layer.called("b"), "", layer.bias.before, row=False)
        yield Line("learn_rate", "", np.array(self.trace.setting.learning_rate), meanings()["learn_rate"])

    def lines(self) -> Iterator[Line]:
        """Forward, errors, error terms backwards, changes, new weights."""
        yield from self.forward()
        y = f"np.eye({self.chain[-1].a.shape[-1]})[y]" if self.sparse else "y"
        yield self.line("error", f"error = {y} - y_predict", self.error())
        yield from self.terms()
        for layer in self.chain:
            yield from self.changes(layer)
        for layer in self.chain:
            for name, weight in (("w", layer.weights), ("b", layer.bias)):
                if weight is not None:
                    called = layer.called(name)
                    yield self.line(
                        called, f"{called} += {layer.called(f'delta_{name}')}", weight.after, False, f"{name} +="
                    )

    def forward(self) -> Iterator[Line]:
        for layer in self.chain:
            h, last = layer.called("h"), layer is self.chain[-1]
            bias = "" if layer.bias is None else f" + {layer.called('b')}"
            yield self.line(h, f"{h} = np.dot({layer.x}, {layer.called('w')}){bias}", layer.h)
            a = "y_predict" if last else layer.called("a")
            yield self.line(a, f"{a} = {layer.activation}({h})" if layer.activation else f"{a} = {h}", layer.a)

    def terms(self) -> Iterator[Line]:
        for place in reversed(range(len(self.chain))):
            layer = self.chain[place]
            if place + 1 == len(self.chain):
                from_behind = f"{self.factored}error"
            else:
                behind = self.chain[place + 1]
                from_behind = f"np.dot({behind.called('error_term')}, {behind.called('w')}.T)"
            plain = not layer.activation or (place + 1 == len(self.chain) and self.of_logits)
            slope = "" if plain else f" * {layer.activation}_prime({layer.called('h')})"
            name = layer.called("error_term")
            yield self.line(name, f"{name} = {from_behind}{slope}", self.term(layer))

    def changes(self, layer: Dense) -> Iterator[Line]:
        """What is added to the weights: by gradient descent a product, otherwise what the optimizer made of it."""
        setting, term = self.trace.setting, self.term(layer)
        called = layer.called("error_term")
        if self.one:
            of_w = f"{called} * {layer.x}" if self.flat else f"np.outer({layer.x}, {called})"
            of_b = called
        else:
            over = " / len(x)" if setting.divisor > 1 else ""
            of_w, of_b = f"np.dot({layer.x}.T, {called}){over}", f"{called}.sum(axis=0){over}"
        wanted = {"w": (layer.weights, of_w, layer.taken.T @ term / setting.divisor)}
        if layer.bias is not None:
            wanted["b"] = (layer.bias, of_b, term.sum(axis=0) / setting.divisor)
        for name, (weight, code, descent) in wanted.items():
            change = weight.after - weight.before
            delta = layer.called(f"delta_{name}")
            if setting.plain and close(change, setting.learning_rate * descent):
                yield self.line(delta, f"{delta} = learn_rate * {code}", change, False)
            else:
                w = layer.called(name)
                how = f"{w}_after - {w}  # {setting.optimizer}'s step"
                yield self.line(delta, f"{delta} = {how}", change, False)


def close(a: Array, b: Array) -> bool:
    """Whether two arrays are equal up to rounding in float32."""
    return a.shape == b.shape and bool(abs(a - b).max(initial=0.0) <= CLOSE * max(float(abs(b).max(initial=0.0)), 1e-6))


def in_tutorial(trace: Step, name: str) -> str:
    """What the tutorial calls a value of the listing, if the step is a tutorial's: "error_term = -rows*dh"."""
    rows = "" if trace.setting.divisor == 1 else "rows*"
    if name == "y_pred":
        return "y_predict"
    if name == "dy_pred" and trace.setting.half_squared:
        return f"error = -{rows}dy_pred"
    stem = name.rstrip("0123456789")
    if stem == "h":
        return name
    if stem == "dh":
        return f"error_term = -{rows}{name}"
    if stem in ("dW", "db") and trace.setting.plain:
        return f"delta_{'w' if stem == 'dW' else 'b'} = -learn_rate*{name}"
    return ""
