"""How a layer is called: on tensors of a graph, on values of a program, on arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import Parameter as Argument
from inspect import signature
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thalweg.engine.eager import LayerValues, evaluate
from thalweg.errors import ArgumentError, ShapeError, ThalwegError
from thalweg.ops.masks import mask_outputs, masks_before, masks_taken, set_mask
from thalweg.ops.operation import row_value
from thalweg.ops.tensor import OverRows, Symbol, Tensor, Traced, caller, current, program_of, record, traced, writing
from thalweg.ops.variable import WeightBuffer
from thalweg.ops.with_numpy import ArrayResult
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support import hooks
from thalweg.support.nested import leaves, mapped
from thalweg.support.seeds import draw_seed

Shape = tuple[int, ...]
Array = NDArray[Any]


class Called(hooks.Configured):
    """Base of layers, as far as they are called: a subclass has `call(self, x)` or `forward(self, program, x)`."""

    fed: ClassVar[tuple[str, ...]] = ("mask",)  # named arguments of `call` that are arrays (rows, …), too
    name: str | None
    trainable: bool
    input_shape: Any
    output_shape: Any
    supports_masking: bool = False  # whether a mask of the input goes on to the output, as in Keras
    takes_mask: ClassVar[bool] = False  # of a layer with a `forward`: whether it looks at the mask of its input
    masks_inside: ClassVar[bool] = False  # whether layers inside give its outputs their masks
    computes_mask: ClassVar[bool] = False  # whether it has a `compute_mask` of its own
    told_of_mask = False  # whether it was said that a mask ends here
    has_added_loss = False  # whether its call has added terms to the loss
    kept_loss_terms: Any = ()  # these terms, of the last call on arrays
    called_on: Any = None  # of a model: the arrays of its last call, whose terms nobody has asked for

    @property
    def default_name(self) -> str:
        """The name of a layer that was given none."""
        raise NotImplementedError

    @property
    def shown_name(self) -> str:
        """Its name in messages, in quotes, even before it has one."""
        return repr(self.name or self.default_name)

    @property
    def connected(self) -> bool:
        """Whether the shapes are known and the parameters declared."""
        return self.input_shape is not None

    @property
    def inside(self) -> list[Any]:
        """The layers inside."""
        raise NotImplementedError

    def build_for(self, input_shape: Any) -> None:
        """Declares the weights for an input shape."""
        raise NotImplementedError

    def place_for(self, shape: Any) -> None:
        """Lets it know that rows have another shape than when it was built."""
        raise NotImplementedError

    def check_made(self) -> None:
        """Raises if the class's `__init__` didn't call the one of its base."""
        raise NotImplementedError

    def all_parameters(self) -> list[tuple[str, Any]]:
        """(path, parameter) of the weights."""
        raise NotImplementedError

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.computes_mask = cls.compute_mask is not Called.compute_mask
        own = next((c for c in cls.__mro__ if {"call", "forward"} & vars(c).keys()), Called)
        if "call" in vars(own) and cls.forward is not Called.forward:
            base = next(c for c in cls.__mro__ if "forward" in vars(c))
            raise ArgumentError(
                f"{cls.__name__}.call would never be called: {base.__name__} composes its instructions in "
                f"forward(self, program, x); derive from Layer, and call a {base.__name__} inside"
            )

    def forward(self, program: Builder, x: Any) -> Any:
        """Appends the layer's instructions to the program and returns the buffer of its output."""
        result = self.traced(program, (mapped(x, lambda b: Traced(program, b)),), {})
        return mapped(result, lambda v: traced(v, program).buffer)

    @property
    def composes(self) -> bool:
        """Whether it appends its instructions itself, in `forward`."""
        return type(self).forward is not Called.forward

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """On tensors of a network: the tensors of its outputs. On arrays: its outputs, in NumPy.

        >>> import thalweg
        >>> thalweg.layers.Dense(3)(thalweg.Input((2,))).shape
        (None, 3)
        """
        self.check_made()
        tensors = [a for a in leaves([arguments, named]) if isinstance(a, Tensor)]
        program = current()
        if not tensors and (program is None or not any(True for _ in leaves(arguments))):
            return self.on_arrays(arguments, named)
        if any(isinstance(t, Symbol) for t in tensors):
            result = record(self, arguments, named, self.name or self.default_name)
            self.results = [*vars(self).get("results", []), result]
            if any(isinstance(t, Symbol) and t.lengths for t in tensors):
                given = arguments[0] if len(arguments) == 1 else list(arguments)
                self.input_shape, self.output_shape = mapped(given, shown_row), mapped(result, shown_row)
            return result
        if tensors or program is None:
            program = program_of(tensors)
        return self.traced(program, arguments, named)

    @property
    def output(self) -> Any:
        """The tensor that its only call in a network returned, from which other models may go on."""
        return self.only_call()[1]

    @property
    def input(self) -> Any:
        """The tensor on which it was called."""
        return self.only_call()[0]

    def only_call(self) -> tuple[Any, Any]:
        """What the layer was called with in a network, and what it returned."""
        chain = vars(self).get("_sequential")
        if chain is not None and not vars(self).get("results"):
            chain.draw()  # the layers of a Sequential are called when somebody asks
        results = vars(self).get("results", [])
        if len(results) != 1:
            raise ThalwegError(
                f"layer {self.shown_name} was called {len(results)} times in networks, so it has no one output"
            )
        call = next(leaves(results[0])).node
        return (call.arguments[0] if len(call.arguments) == 1 else list(call.arguments)), results[0]

    def on_arrays(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """The outputs for arrays (rows, …), in NumPy; draws initial weights if there are none yet."""
        inputs: list[tuple[Buffer, Array]] = []
        program = Builder(training=bool(named.get("training")))
        program.told = named.get("training") is not None

        def taken(value: Any) -> Any:
            array = np.asarray(value)
            if array.dtype.kind not in "buif" or array.ndim == 0:
                raise ArgumentError(
                    f"{caller()}: {type(self).__name__} takes tensors or arrays (rows, …), got {value!r}"
                )
            inputs.append((Buffer("x", array.shape[1:]), array.astype(np.float32)))
            return Traced(program, inputs[-1][0])

        told = {k: mapped(v, taken) if k in self.fed else v for k, v in named.items() if v is not None}
        result = self.traced(program, mapped(arguments, taken), told)
        generator = np.random.default_rng(draw_seed())
        for path, parameter in self.all_parameters():
            if parameter.array is None:
                parameter.array = np.zeros(parameter.buffer.shape, np.float32)
                parameter.array[...] = parameter.initializer.of(path)(parameter.buffer.shape, generator)
        for states in program.carried.values():
            states.layer.claim(len(inputs[0][1]))
            inputs.extend(zip(states.first, states.layer.held(np.float32), strict=True))
        values = evaluate(program, inputs, draw_seed())
        for states in program.carried.values():
            for array, last in zip(states.layer.kept, states.last, strict=True):
                array[...] = values[last]
        self.note_loss_terms(program, values)
        return mapped(result, lambda v: ArrayResult.of(np.array(values[traced(v, program).buffer], np.float32)))

    @property
    def adds_loss_terms(self) -> bool:
        """Whether the layer, or one inside, adds terms to the loss when it is called."""
        own = self.has_added_loss or vars(self).get("activity_regularizer") is not None
        return own or any(layer.adds_loss_terms for layer in self.inside)

    def note_loss_terms(self, program: Builder, values: LayerValues) -> None:
        """Leaves the terms of a call on arrays to this layer and to those inside, for `losses`."""
        self.forget_loss_terms()
        told: set[tuple[str, int]] = set()  # those of layers inside, which come first
        for layer, objectives, penalties in program.terms_of:
            for n in objectives:
                v, total = program.objectives[n]
                if ("objective", n) not in told:
                    layer.kept_loss_terms.append(values[v].sum() if total else values[v].mean())
            for n in penalties:
                a, l1, l2 = program.penalties[n]
                if ("penalty", n) not in told:
                    layer.kept_loss_terms.append((l1 * np.abs(values[a]) + l2 * values[a] ** 2).sum() / len(values[a]))
            told |= {("objective", n) for n in objectives} | {("penalty", n) for n in penalties}

    def forget_loss_terms(self) -> None:
        """Lets go of the terms of the last call, here and inside."""
        self.kept_loss_terms = []
        for layer in self.inside:
            layer.forget_loss_terms()

    def all_loss_terms(self) -> list[Any]:
        """The terms of the last call, here and inside; those of a model's are computed now."""
        if self.called_on is not None:
            x, self.called_on = self.called_on, None
            self.on_arrays((x,), {"training": False})
        return [*self.kept_loss_terms, *(term for layer in self.inside for term in layer.all_loss_terms())]

    def traced(self, program: Builder, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """The outputs for values of a program; builds the layer for their shapes if it is its first call."""
        shapes = [mapped(a, lambda v: row_shape(v, program)) for a in arguments if any(True for _ in leaves(a))]
        if hasattr(self, "state_size"):
            shapes = shapes[:1]  # weights don't depend on states
        if not self.connected:
            self.build_for(shapes[0] if len(shapes) == 1 else shapes)
        elif self.composes and len(shapes) == 1:
            self.place_for(shapes[0])
        training = named.get("training")
        if training is None and not program.told:
            training = self.usual_training
        masks = masks_before(arguments, named)
        terms = len(program.objectives), len(program.penalties)
        with self.acting(program, training), writing(program):
            result = (
                self.composed(program, arguments, named) if self.composes else self.called(program, arguments, named)
            )
            mask_outputs(self, program, arguments, masks, result)
        if terms != (len(program.objectives), len(program.penalties)):
            self.has_added_loss = True
            now = range(terms[0], len(program.objectives)), range(terms[1], len(program.penalties))
            program.terms_of.append((self, *now))
        if self.output_shape is None:
            self.output_shape = mapped(result, lambda v: row_shape(v, program))
            self.check_stated_shape()
        return result

    def check_stated_shape(self) -> None:
        """Raises if the class has a `compute_output_shape`, as in Keras, that states another shape."""
        state = getattr(self, "compute_output_shape", None)
        if state is None:
            return
        stated = state(with_rows(self.input_shape))
        if list(leaves(stated)) != list(leaves(self.output_shape)):
            raise ShapeError(
                f"{type(self).__name__}.compute_output_shape states {stated}, but its call computes "
                f"{with_rows(self.output_shape)}"
            )

    @contextmanager
    def acting(self, program: Builder, training: Any) -> Iterator[None]:
        """Inside, layers act as in training if it is True, as in prediction if False, and are frozen with this one."""
        before = program.frozen, program.training, program.told
        program.frozen = program.frozen or not self.trainable
        if training is not None:
            program.training, program.told = bool(training), True
        try:
            yield
        finally:
            program.frozen, program.training, program.told = before

    @property
    def usual_training(self) -> bool | None:
        """What `training` is on arrays if nobody says it: the default that `call` has, as in Keras; else None."""
        takes = signature(self.call).parameters if hasattr(self, "call") else {}
        default = takes["training"].default if "training" in takes else None
        return default if isinstance(default, bool) else None

    @property
    def trains_unasked(self) -> bool:
        """Whether the layer, or one inside, acts as in training when it is called on arrays."""
        usual = self.usual_training
        return any(layer.trains_unasked for layer in self.inside) if usual is None else usual

    def composed(self, program: Builder, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """The outputs of a layer with a `forward`."""
        known = ("training", "mask") if self.takes_mask else ("training",)
        unknown = {name: value for name, value in named.items() if name not in known and value is not None}
        if len(arguments) != 1 or unknown:
            raise ArgumentError(
                f"{caller()}: {type(self).__name__} takes one tensor, or one list of them"
                + (f", not {', '.join(unknown)}" if unknown else f", got {len(arguments)} arguments")
            )
        if named.get("mask") is not None:
            set_mask(traced(arguments[0], program), named["mask"])
        result = self.forward(program, mapped(arguments[0], lambda v: traced(v, program).buffer))
        return mapped(result, lambda b: Traced(program, b))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the output, from the input and its mask; a layer of your own may override it, as in Keras."""
        return previous_mask

    def called(self, program: Builder, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """The outputs of a layer with a `call`."""
        call = getattr(self, "call", None)
        if call is None:
            raise hooks.unwritten(self, "call(self, x)", hooks.FORWARD)
        takes = signature(call).parameters
        if "training" in takes or any(p.kind is Argument.VAR_KEYWORD for p in takes.values()):
            named = named | {"training": program.training} if "training" in takes else named
        elif "training" in named:
            named = {name: value for name, value in named.items() if name != "training"}
        return call(*arguments, **named | masks_taken(list(takes), arguments, named))

    def add_loss(self, value: Any) -> None:
        """In `call`: adds a term to the loss, a tensor whose numbers of a row are averaged, or a mean over all rows.

        >>> from thalweg import ops
        >>> from thalweg.layers import Layer
        >>> class Small(Layer):
        ...     def call(self, x):
        ...         self.add_loss(0.01 * ops.mean(ops.square(x)))
        ...         return x
        """
        for term in leaves(value):
            if not isinstance(term, (Tensor, WeightBuffer)) or isinstance(term, Symbol):
                raise ArgumentError(f"{caller()}: add_loss takes a tensor computed in call, got {term!r}")
            program = program_of([term.value if isinstance(term, OverRows) else term])
            program.objectives.append(row_value(program, term))


def with_rows(shape: Any) -> Any:
    """Shapes of rows as Keras has them, with None for the rows in front: one, or a list, tuple or dict of them."""
    if isinstance(shape, dict):
        return {key: with_rows(inner) for key, inner in shape.items()}
    if isinstance(shape, list) or (shape and isinstance(shape[0], (list, tuple, dict))):
        return [with_rows(inner) for inner in shape]
    return (None, *shape)


def without_rows(shape: Any) -> Any:
    """Of the shapes of rows that Keras has, without the None for the rows: one, or a list, tuple or dict of them.

    >>> without_rows((None, 4)), without_rows([(None, 4), (None, 3, 2)])
    ((4,), [(4,), (3, 2)])
    """
    if isinstance(shape, dict):
        return {key: without_rows(inner) for key, inner in shape.items()}
    if shape and isinstance(shape[0], (list, tuple, dict)):
        return [without_rows(inner) for inner in shape]
    return tuple(shape[1:] if shape and shape[0] is None else shape)


def shown_row(value: Any) -> Any:
    """The shape of a row of a tensor of a graph, with None for any length."""
    return tuple(value.shape[1:]) if isinstance(value, Tensor) else None


def row_shape(value: Any, program: Builder) -> Shape:
    """The shape of a value without its rows."""
    return traced(value, program).buffer.shape
