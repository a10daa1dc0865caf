"""The base of all layers: shapes, parameters, and a forward pass composed of instructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import wraps
from inspect import signature
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg import activations, constraints, initializers, regularizers
from thalweg.engine.eager import evaluate
from thalweg.errors import ArgumentError, ShapeError, SignatureError, ThalwegError
from thalweg.layers.calls import Called, without_rows
from thalweg.layers.keywords import EVERY, accept, check_shape, config_of, hinting, is_ours
from thalweg.layers.variables import Parameter, Variable
from thalweg.ops.tensor import caller, current
from thalweg.ops.variable import HasVariables, WeightBuffer, set_arrays, variables_of
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import DOUBLE, TOTALS, Buffer, StepState
from thalweg.support import hooks
from thalweg.support.arguments import configuration
from thalweg.support.naming import snake_case
from thalweg.support.nested import leaves, mapped
from thalweg.support.registry import REGISTERED

Shape = tuple[int, ...]
Shapes = Any  # the shape of a row, or a list of them for several inputs
Array = NDArray[Any]


class Layer(HasVariables, Called):
    """Base of all layers. A subclass declares its weights in `build`, and says what it computes in one of two ways.

    Keras's way is `call(self, x)`, in functions of `thalweg.ops`, Python's operators and calls of other layers, which
    may be attributes of this one. It is called while a network is drawn, with tensors that have shapes but no numbers;
    what it does becomes instructions. `training` and `mask` are passed if it takes them. `build` gets Keras's input
    shape, that begins with None for the rows.

    thalweg's way is `forward(self, program, x)`, which appends instructions itself; its `build` gets the shape of a
    row.

    A layer never writes a backward pass: the program derives it. `layer.trainable = False` freezes its weights.

    >>> from thalweg import ops
    >>> class Gate(Layer):
    ...     def build(self, input_shape):
    ...         self.w = self.add_weight(shape=(input_shape[-1], input_shape[-1]), name="w")
    ...     def call(self, x):
    ...         return x * ops.sigmoid(ops.matmul(x, self.w))
    """

    uncalled, lacking = hooks.LAYER, hooks.LAYER_LACKS
    of_all: ClassVar[tuple[str, ...]] = EVERY  # what the constructor of every layer takes
    keeps_variables: ClassVar[bool] = True  # whether variables that are attributes become its weights
    adapted: bool = False  # whether it has measured data
    takes_numbers: ClassVar[bool] = False  # whether a row may be one number, of shape ()
    declared: Mapping[str, Any] = MappingProxyType({})  # of these, the input's shape and type, where they were given

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        accept(cls)
        if "build" in vars(cls) and cls.build_for is Layer.build_for:
            cls.build = building(cls.build)  # type: ignore[method-assign]
        elif "build" in vars(cls) and "build_for" not in vars(cls):
            cls.build = within_building(cls, cls.build)  # type: ignore[method-assign]

    attached: tuple[str, ...] = ()  # the attributes that are layers, or hold some, or are lists that may get some
    building: bool = False  # whether `build` is running
    _kept: list[Parameter] | None = None  # while `build` runs again for another length: the weights that there are

    def __init__(self, name: str | None = None) -> None:
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ArgumentError(f"a layer's name is a word without '/', got {name!r}")
        self.name = name
        self.named_by_us = False
        self.trainable = True
        self._placed: Shapes = None  # the shape for which it last ran
        self.parameters: list[Parameter] = []
        self.input_shape: Shapes = None
        self.output_shape: Shapes = None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if isinstance(
            value, (Layer, list, tuple, dict, Variable)
        ):  # without vars(self), which would make attributes slow to read
            empty = isinstance(value, (list, dict)) and not value  # which `append` may fill
            if name not in self.attached and (empty or any(isinstance(layer, Layer) for layer in leaves(value))):
                super().__setattr__("attached", (*self.attached, name))
            for variable in leaves(value):
                if isinstance(variable, Variable) and variable.parameter.free:
                    self.adopt(variable, name)

    def adopt(self, variable: Variable, name: str) -> None:
        """Makes a variable that was made by itself one of the layer's weights."""
        self.check_made()
        parameter: Parameter = variable.parameter
        if not self.keeps_variables:
            raise ArgumentError(f"{type(self).__name__}.{name}: a variable belongs to a layer; give it to one inside")
        if variable.array.dtype != np.float32:
            raise ArgumentError(
                f"{type(self).__name__}.{name}: a layer's variables are float32, this one is {variable.array.dtype}"
            )
        parameter.key, parameter.free = self.free_key(parameter.key or name), False
        variable.name = variable.path = parameter.key
        self.parameters.append(parameter)

    @property
    def inside(self) -> list[Layer]:
        """The layers that are attributes of this one, alone or in lists, tuples and dicts, each once."""
        found = [layer for name in self.attached for layer in self.layers_in(name)]
        return list({id(layer): layer for layer in found}.values())

    def layers_in(self, attribute: str) -> list[Layer]:
        """The layers that an attribute is, or holds now."""
        return [layer for layer in leaves(vars(self).get(attribute)) if isinstance(layer, Layer)]

    @property
    def listed(self) -> list[Layer]:
        """The layers inside, in Keras's order."""
        return self.inside

    @property
    def built(self) -> bool:
        """Whether it is connected, or has adapted to data, as Keras says it."""
        return self.connected or self.adapted

    @built.setter
    def built(self, value: bool) -> None:
        if value is not True:  # which Keras's layers say at the end of build
            raise ArgumentError(f"{type(self).__name__} sets built = {value!r}: thalweg knows itself what is built")

    @property
    def row_in(self) -> Shapes:
        """The shape of a row of the input, as layers know it; that of a model is Keras's, with None for the rows."""
        return self.input_shape

    @property
    def row_out(self) -> Shapes:
        """The same of the output."""
        return self.output_shape

    def __repr__(self) -> str:
        shape = "" if self.output_shape is None else f": {self.input_shape} → {self.output_shape}"
        return f"<{type(self).__name__} {self.name or '(unnamed)'}{shape}>"

    @property
    def default_name(self) -> str:
        """The name of a layer that was given none, as in Keras."""
        return snake_case(type(self).__name__)

    def build(self, input_shape: Any) -> None:
        """Declares the weights, by `add_weight`, for inputs of shape (rows, *input_shape)."""

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return configuration(self) | {"name": self.name}

    def add_weight(
        self,
        *given: Any,
        shape: Any = None,
        initializer: initializers.InitializerLike = "glorot_uniform",
        regularizer: Any = None,
        trainable: bool = True,
        constraint: Any = None,
        name: str | None = None,
        key: str | None = None,
        dtype: str | None = None,
    ) -> Variable:
        """Declares an array of weights, to compute with.

        Args:
            given: shape, initializer, …, as in Keras; or a name before them.
            shape: its shape; () for one number.
            initializer: its initial values, see `thalweg.initializers`.
            regularizer: a penalty, see `thalweg.regularizers`.
            trainable: whether gradients change it.
            constraint: kept after every update, see `thalweg.constraints`.
            name, key: its name within the layer; by default weight, weight_1, …
            dtype: float32, or None.
        """
        if given and isinstance(given[0], str):
            key, *given = given  # type: ignore[assignment]
        order = ["shape", "initializer", "regularizer", "trainable", "constraint"]
        values = {"shape": shape, "initializer": initializer, "regularizer": regularizer}
        values |= {"trainable": trainable, "constraint": constraint}
        if len(given) > len(order):
            raise ArgumentError(f"add_weight takes {', '.join(order)} and a name, got {given!r}")
        values |= dict(zip(order, given, strict=False))
        if values["shape"] is None:
            raise ArgumentError(f"{type(self).__name__}: add_weight needs a shape, such as shape=(3, 4)")
        if dtype not in (None, "float32"):
            raise ArgumentError(f"{type(self).__name__}: weights are float32, got dtype={dtype!r}")
        return self.declare(key or name or self.free_key(), **values)

    def free_key(self, base: str = "weight") -> str:
        """weight, weight_1, …: a name that no weight of the layer has."""
        taken, number = {p.key for p in self.parameters}, 0
        while (key := base if number == 0 else f"{base}_{number}") in taken:
            number += 1
        return key

    def declare(
        self, key: str, shape: Any, initializer: Any, regularizer: Any, trainable: bool, constraint: Any
    ) -> Variable:
        """Adds a parameter."""
        sizes = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        if any(not isinstance(n, (int, np.integer)) or n < 1 for n in sizes):
            raise ShapeError(f"{type(self).__name__}: {key} can't have the shape {tuple(sizes)}")
        if not self.keeps_variables:
            raise ArgumentError(
                f"{type(self).__name__}.add_weight({key!r}): the weights of a model are its layers'; write a layer "
                "that makes and uses this one"
            )
        if self._kept is not None:
            return self.kept_weights(key, tuple(sizes))
        buffer = Variable.declared(key, tuple(int(n) for n in sizes))
        start, penalty = initializers.get(initializer), regularizers.get(regularizer)
        if penalty is not None:
            penalty.check(buffer.shape)
        bound = None if constraint is None else constraints.get(constraint)
        buffer.parameter = parameter = Parameter(key, buffer, start, penalty, bool(trainable), bound)
        self.parameters.append(parameter)
        return buffer

    def kept_weights(self, key: str, shape: Shape) -> Variable:
        """The weights that an earlier `build` declared under this key."""
        assert self._kept is not None
        parameter = next(p for p in self._kept if p.key == key)
        if parameter.buffer.shape != shape:
            raise ShapeError(
                f"{key} of layer {self.shown_name} has the shape {parameter.buffer.shape}, for rows of shape "
                f"{self.input_shape}, but rows of another shape would need {shape}"
            )
        self.parameters.append(parameter)
        return parameter.buffer

    def place_for(self, shape: Shapes) -> None:
        """Lets a built layer know that rows have another shape, such as a length: `build` again, with its weights."""
        if shape == self._placed:
            return
        self._kept, self.parameters, self._placed, self.building = self.parameters, [], None, True
        try:
            self.build(shape)
            self._placed = shape
        finally:
            self.parameters, self._kept, self.building = self._kept, None, False

    def add_activation(self, activation: activations.ActivationFunction, units: int) -> None:
        """Declares an activation's trained parameters: each in its formula has a number for every unit."""
        self.trained_by_activation = []
        if isinstance(activation, activations.FormulaFunction):
            for key, start in activation.starts:
                if any(p.key == key for p in self.parameters):
                    raise ArgumentError(
                        f"the layer already has weights called {key}: choose another name in the formula"
                    )
                self.trained_by_activation.append(self.add_weight(key, (units,), start))

    def activated(self, program: Builder, activation: activations.ActivationFunction, h: Buffer) -> Buffer:
        """a = activation(h), with what `add_activation` declared."""
        if isinstance(activation, activations.FormulaFunction):
            return activation.forward(program, h, self.trained_by_activation)
        return activation.forward(program, h)

    def connect(self, input_shape: Shapes) -> Shapes:
        """Builds the layer for an input shape and returns the output shape. A layer belongs to one model."""
        self.check_free()
        try:
            self.build_for(input_shape)
            probe = Builder(training=False)
            x = [Buffer("x", s) for s in input_shape] if isinstance(input_shape, list) else Buffer("x", input_shape)
            self.output_shape = mapped(self.forward(probe, x), lambda b: b.shape)
        except BaseException:
            Layer.release(self)  # not layers inside: one may be another model's, and `build` has released the others
            raise
        return self.output_shape

    def build_for(self, input_shape: Shapes) -> None:
        """Declares the weights for an input shape, and names the layers inside."""
        check_shape(self, input_shape)
        name_layers(self.inside)
        self.building = True
        try:
            self.declare_for(input_shape)
        finally:
            self.building = False
        name_layers(self.inside)
        self.input_shape = self._placed = input_shape

    def declare_for(self, input_shape: Shapes) -> None:
        """Calls `build` with the shape as it expects it: that of a row, or Keras's, which begins with None."""
        several = isinstance(input_shape, list)
        if self.composes:
            self.build(input_shape)
        else:
            whole = [(None, *shape) for shape in input_shape] if several else (None, *input_shape)
            taken = signature(self.build).parameters
            needed = [p for p in taken.values() if p.default is p.empty]
            each = several and len(needed) == len(whole) > 1
            self.build(*(() if not taken else whole if each else (whole,)))

    def check_made(self) -> None:
        """Raises if the class's `__init__` didn't call the one of its base."""
        if "parameters" not in vars(self):
            raise ArgumentError(f"{type(self).__name__}.__init__ has to call super().__init__() first")

    def check_free(self) -> None:
        """Raises if the layer belongs to a built model, or its class didn't call `Layer.__init__`."""
        self.check_made()
        if self.connected:
            raise ThalwegError(
                f"layer {self.shown_name} already belongs to a model; make a new layer (its weights can be "
                "copied with get_weights and set_weights)"
            )

    def release(self) -> None:
        """Undoes `connect` if the model can't be built, so that the layer can be used again."""
        self.parameters = [p for p in self.parameters if p.own]
        self.input_shape = self.output_shape = None

    def all_parameters(self) -> list[tuple[str, Parameter]]:
        """(path, parameter) of this layer's weights and of those of layers inside it."""
        own = [(f"{self.name}/{p.key}", p) for p in self.parameters]
        return own + [(f"{self.name}/{path}", p) for layer in self.inside for path, p in layer.all_parameters()]

    def live_parameters(self) -> list[tuple[str, Parameter]]:
        """Those of `all_parameters` that training changes, moving averages included; none if `trainable` is False."""
        if not self.trainable:
            return []
        own = [(f"{self.name}/{p.key}", p) for p in self.parameters]
        return own + [(f"{self.name}/{path}", p) for layer in self.inside for path, p in layer.live_parameters()]

    def trained_parameters(self) -> list[tuple[str, Parameter]]:
        """Those of `all_parameters` that gradients change."""
        return [(path, p) for path, p in self.live_parameters() if p.trainable]

    @property
    def losses(self) -> list[np.float32]:
        """What it adds to a loss: the terms of its last call on arrays, and the penalties on its trained weights, now.

        The terms are what it, and layers inside, gave to `add_loss`, and the penalties on their outputs; those of a
        model that was called as model(x) are computed when they are asked for. `fit` and `evaluate` add both by
        themselves.

        >>> from thalweg.layers import Dense
        >>> dense = Dense(2, kernel_initializer="ones", kernel_regularizer="l2")
        >>> _ = dense(np.array([[1.0, 2.0]]))
        >>> [float(loss) for loss in dense.losses]
        [0.03999999910593033]
        """
        if current() is not None:
            raise ThalwegError(f"{caller()}: the losses of layers are added by themselves, after what is returned here")
        penalised = [p for _, p in self.trained_parameters() if p.regularizer is not None and p.array is not None]
        return [np.float32(term) for term in (*self.all_loss_terms(), *map(penalty_of, penalised))]

    @property
    def weighted(self) -> bool:
        """Whether the layer has weights with gradients, trained or frozen."""
        return any(p.trainable for _, p in self.all_parameters())

    def build_around(self) -> None:
        """Builds the `Sequential` that the layer is in, if its input is known: then the layer has weights."""
        if not self.connected and "_sequential" in vars(self):
            vars(self)["_sequential"].make()

    @property
    def weights(self) -> list[WeightBuffer]:
        """All weights, kernel before bias; none while the input's shape is unknown."""
        self.build_around()
        return variables_of(self.all_parameters())

    def count_params(self) -> int:
        """The number of weights in the layer."""
        self.build_around()
        return sum(p.buffer.size for _, p in self.all_parameters())

    def get_weights(self) -> list[Array]:
        """Copies of the layer's arrays, kernel before bias."""
        self.build_around()
        return [np.array(self.bound(p)) for _, p in self.all_parameters()]

    def set_weights(self, weights: list[ArrayLike]) -> None:
        """Replaces the layer's arrays with ones of the same shapes."""
        self.build_around()
        set_arrays(self.all_parameters(), weights)

    def bound(self, parameter: Parameter) -> Array:
        """The parameter's array in the model."""
        if parameter.array is None:
            raise ThalwegError(f"layer {self.shown_name} has no weights yet: build its model first")
        return parameter.array


accept(Layer)
hinting(Layer)


def penalty_of(parameter: Parameter) -> Any:
    """The penalty on a weight's numbers."""
    assert parameter.regularizer is not None
    program = Builder(training=False)
    term = parameter.regularizer.term(program, parameter.buffer)
    if term is not None:
        return evaluate(program, [], 0)[term[0]].sum()
    sums = Buffer("penalty", (1,), TOTALS, per_row=False, dtype=DOUBLE)
    instruction: Any = parameter.regularizer.lower(parameter.buffer, sums)
    found = instruction.reference(np, parameter.array, StepState(rows=1, batch_rows=1))
    return found[0] if isinstance(found, tuple) else found


def building(build: Any) -> Any:
    """`build`, but called by the user, such as by the `build` of a layer around it, it builds the whole layer once."""

    @wraps(build)
    def once(self: Layer, *shapes: Any, **named: Any) -> None:
        self.check_made()
        try:
            bound = signature(build).bind(self, *shapes, **named)
        except TypeError as error:
            example = "the shape of its inputs, which begins with None for the rows: build((None, 4))"
            raise SignatureError(f"{type(self).__name__}.build takes {example}; {error}") from None
        bound.apply_defaults()
        shapes = bound.args[1:]
        if self.building:
            build(self, *shapes)
            return
        rows = [without_rows(shape) for shape in shapes]
        shape = rows[0] if len(rows) == 1 else rows
        if shape not in (self.input_shape, self._placed):
            self.check_free()
            self.build_for(shape)

    return once


Layer.build = building(Layer.build)  # type: ignore[method-assign]  # so that one without weights is built, too


def within_building(model: Any, build: Any) -> Any:
    """`build` of a class of models, which is called while one is built; called otherwise, it builds the whole model."""

    @wraps(build)
    def once(self: Layer, *shapes: Any, **named: Any) -> None:
        if self.building:
            build(self, *shapes, **named)
        else:
            super(model, self).build(*shapes, **named)

    return once


def name_layers(layers: Sequence[Layer]) -> None:
    """Gives layers without a name of the user's Keras's names: dense, dense_1, … counted within one model."""
    taken = [layer.name for layer in layers if layer.name is not None and not layer.named_by_us]
    for name in taken:
        if taken.count(name) > 1:
            raise ArgumentError(f"two layers are called {name!r}: names have to differ")
    names = set(taken)
    for layer in layers:
        if layer.name is None or layer.named_by_us:
            base, number = layer.default_name, 0
            name = layer.name or base
            while name in names:
                number += 1
                name = f"{base}_{number}"
            layer.name, layer.named_by_us = name, True
            names.add(name)


def serialize(layer: Layer) -> dict[str, Any]:
    """A plain description that `deserialize` turns back into an equal layer, without its weights.

    One of thalweg's layers is "thalweg>NAME" where the user has registered another class of that name.
    """
    kind = type(layer)
    hidden = is_ours(kind) and REGISTERED.get(kind.__name__, kind) is not kind
    return {"class_name": f"thalweg>{kind.__name__}" if hidden else kind.__name__, "config": config_of(layer)}


def check_last_axis(layer: str, axis: int, shape: Shape) -> None:
    """Raises unless the axis is the last one of inputs (rows, *shape)."""
    if axis not in (-1, len(shape)):
        raise ShapeError(
            f"{layer} works along the last axis, which is axis {len(shape)} of inputs {('rows', *shape)}, not {axis}"
        )
