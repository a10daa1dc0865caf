"""Graphs that were drawn: tensors from inputs to outputs, and the calls between them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from thalweg.errors import ArgumentError, ShapeError, ThalwegError
from thalweg.layers import Input, Layer
from thalweg.layers.layer import Shape, name_layers
from thalweg.layers.lookups.lookup import Lookup
from thalweg.models.graph import Feed, Graph
from thalweg.ops.any_length import common_lengths, merged, of_any_length
from thalweg.ops.tensor import Call, Symbol, Traced, probe, traced, writing
from thalweg.program.builder import Builder
from thalweg.support.nested import leaves, mapped


class Drawn(Graph):
    """The calls on the way from `inputs` to `outputs`, in an order in which each has its arguments."""

    def __init__(self, inputs: Any, outputs: Any, name: str | None) -> None:
        self.name, self.named_by_us = name or "functional", name is None
        inputs, outputs = from_inputs(inputs, outputs)
        self.taken = inputs
        self.inputs = list(leaves(inputs))
        self.given = outputs
        self.outputs = list(leaves(outputs))
        self.check()
        self.drawn = calls_between(self.inputs, self.outputs)  # every call; those of look-ups aren't the network's
        self.calls = [c for c in self.drawn if not isinstance(c.function, Lookup)]
        found = [c.function for c in self.drawn if isinstance(c.function, Layer)]
        self.layers = list({id(layer): layer for layer in found}.values())
        name_layers(self.layers)
        name_inputs(self.inputs)
        fronts = {id(x): x.layer for x in self.inputs}
        ends = list(sorted_leaves(inputs)), list(sorted_leaves(outputs))
        steps = by_distance(*ends, calls_between(*ends))
        self.order = [fronts.get(id(step), step) for step in steps if id(step) in fronts or isinstance(step, Layer)]
        self.fed = self.find_fed()
        for feed, _ in self.fed:
            feed.check(self.inputs)
        self.structure = mapped(outputs, lambda _: 0)
        self.output_shapes = [s.row_shape for s in self.outputs]
        self.lengths = common_lengths([r for c in self.calls for r in leaves(c.result)] + self.inputs)
        if self.lengths:
            self.shown_outputs = [s.shape[1:] for s in self.outputs]
            self.output_shapes = [s.lengths.get(self.lengths[0], (s.row_shape, None))[0] for s in self.outputs]

    def __getstate__(self) -> dict[str, Any]:
        return {"calls": self.calls} | self.__dict__  # each after those before it: no deep recursion

    def check(self) -> None:
        """Raises unless the inputs are inputs, each once, and the outputs tensors."""
        for x in self.inputs:
            if not isinstance(x, Input):
                raise ArgumentError(f"a model's inputs are tensors made by Input, got {x!r}")
        if not self.inputs or len({id(x) for x in self.inputs}) < len(self.inputs):
            raise ArgumentError("a model needs inputs, each of them once")
        for y in self.outputs:
            if not isinstance(y, Symbol):
                raise ArgumentError(f"a model's outputs are tensors that layers returned, got {y!r}")
            if y.over_rows:
                raise ArgumentError("a mean over the rows of the batch is a loss, no output: give it to add_loss")
        if not self.outputs:
            raise ArgumentError("a model needs outputs: Model(inputs, outputs)")

    def find_fed(self) -> list[tuple[Feed, Symbol]]:
        """The tensors that the network gets: inputs, and what the look-up layers behind them make of them."""
        used = [s for call in self.calls for s in call.inputs()] + self.outputs
        places = {id(x): k for k, x in enumerate(self.inputs)}
        found: list[tuple[Feed, Symbol]] = []
        for symbol in {id(s): s for s in used}.values():
            feed = feed_of(symbol, places)
            if feed is not None:
                found.append((feed, symbol))
        found.sort(key=lambda pair: pair[0].place)
        return found

    @property
    def listed(self) -> list[Layer]:
        """The layers as Keras counts them: with the inputs, and those that are the farthest from the outputs first."""
        return list(self.order)

    @property
    def feeds(self) -> list[Feed]:
        return [feed for feed, _ in self.fed]

    @property
    def output_names(self) -> list[str]:
        """The keys of a dict of outputs, otherwise the names of the layers that compute them, each made unique."""
        if isinstance(self.given, dict) and len(self.given) == len(self.outputs):
            return [str(k) for k in self.given]
        names: list[str] = []
        for y in self.outputs:
            base = str(getattr(y.node.function, "name", None) or y.name) if y.node else y.name
            number, name = 0, base
            while name in names:
                number += 1
                name = f"{base}_{number}"
            names.append(name)
        return names

    def behind_inputs(self) -> list[list[Layer]]:
        takers = [[c.function for c in self.drawn if any(s is x for s in c.inputs())] for x in self.inputs]
        alone = (all(isinstance(f, Layer) for f in found) for found in takers)
        used = {id(y) for y in self.outputs}
        return [
            found if single and id(x) not in used else []
            for x, found, single in zip(self.inputs, takers, alone, strict=True)
        ]

    def run(self, program: Builder, values: list[Traced]) -> list[Traced]:
        known: dict[int, Any] = {id(s): v for (_, s), v in zip(self.fed, values, strict=True)}
        for call in self.calls:
            if isinstance(call.function, Layer) and call.function.weighted:
                first = next(iter(call.inputs()), None)
                if first is not None:
                    program.features = known[id(first)].buffer
            with writing(program):
                call.run(known)
        return [traced(known[id(y)], program) for y in self.outputs]

    @contextmanager
    def building(self, input_shape: Any) -> Iterator[None]:
        """Its shapes were fixed when it was drawn."""
        if input_shape is not None and not same_shapes(input_shape, self.input_shape):
            raise ShapeError(f"the model takes rows of shape {self.input_shape}, it can't be built for {input_shape}")
        yield


def from_inputs(inputs: Any, outputs: Any) -> tuple[Any, Any]:
    """The same, with new inputs and calls where a tensor that a layer returned is to be an input, as in Keras."""
    begins = list(leaves(inputs))
    if all(isinstance(x, Input) for x in begins) or not all(
        isinstance(x, Symbol) and x.shape[:1] == (None,) for x in begins
    ):
        return inputs, outputs
    names = list(inputs) if isinstance(inputs, dict) and len(inputs) == len(begins) else [x.name for x in begins]
    taken = {
        id(x): x
        if isinstance(x, Input)
        else Input(x.shape[1:], name if names.count(name) == 1 and "/" not in name else None)
        for x, name in zip(begins, names, strict=True)
    }
    known: dict[int, Any] = dict(taken)
    ends = [y for y in leaves(outputs) if isinstance(y, Symbol)]
    for call in calls_between(begins, ends):
        noted = vars(call.function).get("results")
        call.run(known)
        if noted is not None:
            call.function.results = noted  # `layer.output` stays that of the caller's own call
    return mapped(inputs, lambda x: taken[id(x)]), mapped(outputs, lambda y: known.get(id(y), y))


def feed_of(symbol: Symbol, places: dict[int, int]) -> Feed | None:
    """How the network gets this tensor from the inputs, whose places are known; None: a layer of its own makes it."""
    lookups: list[Lookup] = []
    while id(symbol) not in places:
        if symbol.node is None or not isinstance(symbol.node.function, Lookup):
            return None
        lookups.insert(0, symbol.node.function)
        sources = symbol.node.inputs()
        if len(sources) > 1:
            columns = [feed for feed in (feed_of(source, places) for source in sources) if feed is not None]
            return Feed(columns[0].place, lookups, columns) if len(columns) == len(sources) else None
        (symbol,) = sources
    return Feed(places[id(symbol)], lookups)


def same_shapes(one: Any, other: Any) -> bool:
    """Whether two structures of shapes are equal, lists and tuples alike; None is any length."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same_shapes, one, other))
    return bool(one == other)


def name_inputs(inputs: list[Any]) -> None:
    """Gives unnamed inputs names: input, input_1, …"""
    names = {x.name for x in inputs if x.name}
    for x in inputs:
        number = 0
        while not x.name:
            name = "input" if number == 0 else f"input_{number}"
            number += 1
            if name not in names:
                x.name = name
                names.add(name)


def calls_between(inputs: list[Any], outputs: list[Any]) -> list[Call]:
    """The calls that the outputs need, each after those that make its arguments."""
    order: list[Call] = []
    seen: set[int] = {id(x) for x in inputs}
    done: set[int] = set()
    for y in outputs:
        pending: list[tuple[Any, bool]] = [(y, False)]
        while pending:
            symbol, ready = pending.pop()
            if id(symbol) in seen:
                continue
            if symbol.node is None:
                raise ThalwegError(
                    f"the graph is disconnected: {symbol!r} is needed for {y!r}, but isn't among the model's inputs"
                )
            if ready:
                seen.update(id(s) for s in leaves(symbol.node.result))
                if id(symbol.node) not in done:
                    done.add(id(symbol.node))
                    order.append(symbol.node)
                continue
            pending.append((symbol, True))
            pending.extend((s, False) for s in reversed(symbol.node.inputs()))
    return order


def sorted_leaves(structure: Any) -> Iterator[Any]:
    """The values of a structure as Keras orders layers by them: those of a dict by their keys."""
    if isinstance(structure, dict):
        structure = [structure[key] for key in sorted(structure)]
    if isinstance(structure, (list, tuple)):
        for inner in structure:
            yield from sorted_leaves(inner)
    else:
        yield structure


def by_distance(inputs: list[Any], outputs: list[Any], calls: list[Call]) -> list[Any]:
    """The inputs, layers and operations in Keras's order: by their greatest distance from an output.

    Of equal ones the order is that in which a search finds them, from the outputs backwards and depth first.
    """
    ends = {id(x) for x in inputs}
    found = {id(x): -1 for x in inputs}  # of what is found, the number
    known: dict[int, Any] = {id(x): x for x in inputs}
    pending, seen = list(reversed(outputs)), set()
    while pending:
        symbol = pending.pop()
        call = symbol if id(symbol) in ends else symbol.node
        if id(call) in seen:
            continue
        seen.add(id(call))
        step = call if call is symbol else step_of(call)
        if found.get(id(step), -1) < 0:
            found[id(step)] = len(seen)
        known[id(step)] = step
        if call is not symbol:
            pending.extend(reversed(call.inputs()))
    of_call: dict[int, int] = {}
    distance = dict.fromkeys(known, 0)
    for call in reversed(calls):
        step = id(step_of(call))
        distance[step] = far = max(of_call.get(id(call), 0), distance[step])
        for symbol in call.inputs():
            source = id(symbol) if id(symbol) in ends else id(symbol.node)
            nearest = distance if source in ends else of_call
            nearest[source] = max(nearest.get(source, 0), far + 1)
    return sorted(known.values(), key=lambda step: (-distance[id(step)], found[id(step)]))


def step_of(call: Call) -> Any:
    """What Keras counts as one: a layer, however often it is called, or an operation, which is another each time."""
    return call.function if isinstance(call.function, Layer) else call


class Own(Graph):
    """A model whose class computes its outputs in `call`, from layers that are its attributes."""

    def __init__(self, model: Any, name: str | None) -> None:
        self.model, self.name, self.named_by_us = model, name or model.default_name, name is None
        self.inputs: list[Input] = []
        self.output_shapes = []
        self.shapes: Any = None  # of the inputs: a structure with the place of each

    @property
    def computes(self) -> bool:
        """Whether there is a `call`; a model that is only trained, by a step of its own, needs none."""
        return self.own_step is None or hasattr(self.model, "call")

    @property
    def layers(self) -> list[Layer]:  # type: ignore[override]
        """The layers that are attributes of the model."""
        return list(self.model.inside)

    @property
    def output_names(self) -> list[str]:
        """The keys of a dict of outputs, otherwise output, or output_1, output_2, …"""
        if isinstance(self.structure, dict) and len(self.structure) == len(self.output_shapes):
            return [str(k) for k in self.structure]
        count = len(self.output_shapes)
        return ["output"] if count == 1 else [f"output_{k}" for k in range(1, count + 1)]

    def run(self, program: Builder, values: list[Traced]) -> list[Traced]:
        result = self.outputs_of(program, values)
        return [traced(v, program) for v in leaves(result)]

    def takes_structure(self, x: Any) -> bool:
        return isinstance(x, (list, tuple)) and all(np.ndim(a) >= 1 and hasattr(a, "shape") for a in x)

    def outputs_of(self, program: Builder, values: list[Traced]) -> Any:
        """What `call` returns for these values."""
        places = iter(values)
        x = mapped(self.shapes, lambda _: next(places))
        if not self.computes:
            return x
        with writing(program):
            return Layer.called(self.model, program, (x,), {})

    @contextmanager
    def building(self, input_shape: Any) -> Iterator[None]:
        if input_shape is None:
            raise ThalwegError(f"{self.name!r} learns its shapes from the first data: call fit, or build(input_shape)")
        shapes = shapes_of(input_shape)
        places = itertools.count()
        self.shapes = mapped(shapes, lambda _: next(places))
        inputs = [Input(s.sizes) for s in leaves(shapes)]
        if isinstance(shapes, dict) and len(shapes) == len(inputs):
            inputs = [Input(s.sizes, str(key)) for key, s in shapes.items()]
        name_inputs(inputs)
        name_layers(self.layers)
        build = type(self.model).__dict__.get("build")
        if build is not None:
            whole = [x.shape for x in inputs]
            self.model.building = True  # it may call super().build, which would begin anew
            try:
                build(self.model, whole[0] if len(whole) == 1 else whole)
            finally:
                self.model.building = False
        name_layers(self.layers)
        if self.own_step is not None:
            self.own_step.build_inside()
        result, found = self.outputs_for(inputs)
        name_layers(self.layers)
        yield
        self.structure = mapped(result, lambda _: 0)
        self.lengths = [length for length in found if length is not None]
        self.shown_outputs = [merged(shapes) for shapes in zip(*found.values(), strict=True)]
        self.inputs, self.output_shapes = inputs, next(iter(found.values()))

    def outputs_for(self, inputs: list[Input]) -> tuple[Any, dict[int | None, list[Shape]]]:
        """What `call` returns, and the shapes of the outputs by the length of sequences; None: there is one."""
        found: dict[int | None, list[Shape]] = {}
        errors: list[ThalwegError] = []
        lengths = common_lengths(list(inputs))
        known: list[int | None] = [*lengths] or [None]
        for length in known:
            program = Builder(training=False)
            try:
                result = self.outputs_of(program, [probe(program, x, length) for x in inputs])
                found[length] = [traced(v, program).buffer.shape for v in leaves(result)]
            except ThalwegError as error:
                if not lengths:
                    raise
                errors.append(error)
        if lengths and len(found) < 2:
            raise of_any_length(f"{self.name!r}", errors)
        return result, found


class Sizes:
    """The shape of a row, as one value of a structure; it may be given with None for the rows in front."""

    def __init__(self, sizes: Any) -> None:
        sizes = tuple(sizes)
        self.sizes = sizes[1:] if len(sizes) > 1 and sizes[0] is None else sizes


def shapes_of(given: Any) -> Any:
    """A structure of shapes as one of Sizes: a tuple or list of numbers is a shape."""
    if isinstance(given, dict):
        return {key: shapes_of(inner) for key, inner in given.items()}
    if isinstance(given, (list, tuple)) and all(n is None or isinstance(n, int) for n in given):
        return Sizes(given)
    return [shapes_of(inner) for inner in given]
