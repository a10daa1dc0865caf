"""Attention of several heads, each with its own projections. Names, arguments and defaults are Keras's."""

from __future__ import annotations

import math
from dataclasses import InitVar
from inspect import signature
from typing import Annotated, Any, ClassVar

import numpy as np

from thalweg import ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.layer import Layer, Shape
from thalweg.ops.attention import Looking, attended, joined, mask_of_heads
from thalweg.ops.operation import operand
from thalweg.ops.tensor import Traced, program_of, traced
from thalweg.ops.variable import WeightBuffer
from thalweg.program.builder import Builder
from thalweg.program.ir.instruction import Buffer
from thalweg.support.arguments import Checked, Taken, arguments, default
from thalweg.support.checks import whole

NO_FLASH = kinds.only(
    False, ": flash_attention asks for a GPU's kernel, so it is None or False; here no scores are kept anyway"
)


def only_axis(what: str, axes: Any) -> tuple[int] | None:
    """The steps' axis, which is the only one."""
    given = axes if isinstance(axes, (list, tuple)) or axes is None else (axes,)
    if given is not None and list(given) not in ([1], [-2]):
        raise ArgumentError(f"{what} can only be None, 1 or -2, the axis of the steps, got {axes!r}")
    return None if given is None else (1,)


class Heads(Layer):
    """Base of attention with projections: W (inputs, heads, size) and b (heads, size) of queries, keys and values."""

    supports_masking = True
    lacking = Layer.lacking | dict.fromkeys(
        ("query_dense", "key_dense", "value_dense", "output_dense"), "its kernels are in weights, under Keras's names"
    )
    fed = ("query_mask", "value_mask", "key_mask", "attention_mask")
    size: ClassVar[str]  # the argument that is the size of a head

    dropout: kinds.Share
    use_bias: bool
    sliding_window: int | None
    kernel_initializer: kinds.Initializer
    bias_initializer: kinds.Initializer
    kernel_regularizer: kinds.Regularizer
    bias_regularizer: kinds.Regularizer
    activity_regularizer: kinds.ActivityRegularizer
    kernel_constraint: kinds.Constraint
    bias_constraint: kinds.Constraint
    use_gate: bool
    seed: kinds.Seed

    def __call__(self, *given: Any, **named: Any) -> Any:
        """On query, value and perhaps key (rows, steps, …): a tensor of as many steps as the query has.

        Args:
            given, named: as of `call`.
        """
        try:
            of = signature(self.call).bind(*given, **named).arguments
        except TypeError as error:
            raise ArgumentError(f"{type(self).__name__} is called on query and value: {error}") from None
        tensors = [of.pop(name, None) for name in ("query", "value", "key")]
        return super().__call__(*(t for t in tensors if t is not None), **of)

    def on_arrays(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """The outputs for arrays; an attention mask that is the same for all rows is repeated."""
        mask = named.get("attention_mask")
        if mask is not None:
            mask = np.asarray(mask)
            mask = mask[None] if mask.ndim == 2 else mask
            shape = (len(arguments[0]), *mask.shape[1:]) if len(mask) == 1 else mask.shape
            named = named | {"attention_mask": np.broadcast_to(mask, shape)}
        return super().on_arrays(arguments, named)

    def declare_for(self, input_shape: Any) -> None:
        if not isinstance(input_shape, list):
            raise ShapeError(f"{type(self).__name__} is called on query and value, got one tensor of {input_shape}")
        self.build(*((None, *shape) for shape in input_shape))

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """Heads and size of each projection, in Keras's order."""
        raise NotImplementedError

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:  # type: ignore[override]
        key_shape = value_shape if key_shape is None else key_shape
        for name, shape in (("query", query_shape), ("value", value_shape), ("key", key_shape)):
            if len(shape) != 3:
                raise ShapeError(f"{type(self).__name__} takes a {name} (rows, steps, inputs), got the shape {shape}")
        if key_shape[1] != value_shape[1]:
            raise ShapeError(f"{type(self).__name__}: key and value have {key_shape[1]} and {value_shape[1]} steps")
        inputs = {"key": key_shape[-1], "value": value_shape[-1]}
        self.kernels: dict[str, WeightBuffer] = {}
        self.biases: dict[str, WeightBuffer | None] = {}
        for name, shape in self.projections.items():
            self.declare_projection(name, (inputs.get(name, query_shape[-1]), *shape), shape)
        heads, width = self.projections["query"][0], self.projections["value"][1]
        outputs = self.outputs(query_shape)
        self.declare_projection("attention_output", (heads, width, *outputs), outputs)

    def outputs(self, query_shape: Any) -> Shape:
        """The shape of a step of the output."""
        return (query_shape[-1],)

    def declare_projection(self, name: str, kernel: Shape, bias: Shape) -> None:
        """Declares the weights of one."""
        start, penalty, bound = self.kernel_initializer, self.kernel_regularizer, self.kernel_constraint
        self.kernels[name] = self.add_weight(f"{name}/W", kernel, start, penalty, constraint=bound)
        start, penalty, bound = self.bias_initializer, self.bias_regularizer, self.bias_constraint
        self.biases[name] = (
            self.add_weight(f"{name}/b", bias, start, penalty, constraint=bound) if self.use_bias else None
        )

    def projected(self, program: Builder, x: Buffer, name: str, inner: int = 1) -> Buffer:
        """x·W + b for each step, the last `inner` axes of x being those of W's that are summed over."""
        W, b = self.kernels[name], self.biases[name]
        outputs, steps = W.shape[inner:], x.shape[:-inner]
        rows = math.prod(W.shape[:inner])
        x = x if inner == 1 else program.reshape(x, (*steps, rows))
        flat = None if b is None else b if len(b.shape) == 1 else program.reshape(b, (b.size,))
        h = program.affine(x, W if len(W.shape) == 2 else program.reshape(W, (rows, W.size // rows)), flat)
        h = h if len(outputs) == 1 else program.reshape(h, (*steps, *outputs))
        if self.activity_regularizer is not None:
            self.activity_regularizer.penalize(program, h)
        return h

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """query (rows, T, …), value and key (rows, S, …) → (rows, T, outputs), and (rows, heads, T, S) if wanted.

        Args:
            query, value, key: the key is the value, if it is None.
            query_mask: (rows, T); a query with 0 looks at all keys alike. value_mask, key_mask: (rows, S), 0 for keys
                that aren't looked at.
            attention_mask: (rows, T, S) or (rows, heads, T, S), 0 for pairs that don't look at each other.
            return_attention_scores: whether to return the weights too, before dropout; they are then kept in memory.
            training: whether weights are dropped.
            use_causal_mask: whether query i looks at the keys up to i only.
        """
        program = program_of([query, value, key])
        q, v, k = (traced(x, program).buffer for x in (query, value, value if key is None else key))
        shape = (self.projections["query"][0], q.shape[0], k.shape[0])
        masks = [ops.expand_dims(query_mask, -1)] if query_mask is not None else []
        masks += [ops.expand_dims(m, 1) for m in (value_mask, key_mask) if m is not None]
        masks += [attention_mask] if attention_mask is not None else []
        mask = joined(program, [mask_of_heads(program, m, shape) for m in masks])
        gate = self.projected(program, q, "gate") if self.use_gate else None
        given = ((q, "query"), (k, "key"), (v, "value"))
        heads = [Traced(program, self.projected(program, x, name)) for x, name in given]
        how = Looking(
            getattr(self, self.size) ** -0.5, bool(use_causal_mask), self.sliding_window or 0, self.dropout, self.seed
        )
        o, weights = attended(heads[0], heads[1], heads[2], mask, how, told=bool(return_attention_scores))
        if gate is not None:
            o = o * ops.sigmoid(Traced(program, gate))
        output = Traced(program, self.projected(program, operand(program, o), "attention_output", inner=2))
        return (output, weights) if return_attention_scores else output


@arguments
class MultiHeadAttention(Heads):
    """Each head: softmax(q·kᵀ/√key_dim)·v, with q = query·W + b, and so k and v; then all heads times one more W

    query (rows, T, …), value and key (rows, S, …) → (rows, T, outputs). Vaswani et al., Attention Is All You Need,
    NIPS 2017. The native engine keeps no T×S scores, unless they are asked for: see `call` for masks and scores.
    A query that may look at no key looks at all of them alike, as in Keras.

    Args:
        num_heads: the number of heads. key_dim: the size of a query and a key. value_dim: that of a value; None for
            key_dim.
        dropout: the share of the weights that is dropped in training.
        use_bias: whether the projections have biases.
        output_shape: the shape of a step of the output; None for that of the query.
        attention_axes: None or 1, the axis of the steps.
        sliding_window: a query looks at the keys less than so many steps away; None for all.
        flash_attention: None or False.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, activity_regularizer,
            kernel_constraint, bias_constraint: of all projections.
        use_gate: whether the heads' results are multiplied by σ(query·W + b) of a projection more.
        seed: shifts the layer's random numbers; the model's seed sets all of them.

    >>> from thalweg import Input
    >>> x = Input((5, 8))
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=4)
    >>> layer(x, x, use_causal_mask=True).shape
    (None, 5, 8)
    >>> [w.shape for w in layer.weights][:2]  # of the queries
    [(8, 2, 4), (2, 4)]
    """

    size = "key_dim"

    num_heads: kinds.Count
    key_dim: kinds.Count
    value_dim: Annotated[Taken[int | None, int], Checked(kinds.optional(whole))] = default(None)
    dropout: kinds.Share = 0.0
    use_bias: bool = True
    output_shape: InitVar[Any] = None
    attention_axes: Annotated[Taken[Any, tuple[int] | None], Checked(only_axis, kinds.listed)] = default(None)
    sliding_window: Annotated[int | None, Checked(kinds.optional(whole))] = None
    flash_attention: Annotated[bool | None, Checked(NO_FLASH, kept=False)] = None
    kernel_initializer: kinds.Initializer = default("glorot_uniform")
    bias_initializer: kinds.Initializer = default("zeros")
    kernel_regularizer: kinds.Regularizer = default(None)
    bias_regularizer: kinds.Regularizer = default(None)
    activity_regularizer: kinds.ActivityRegularizer = default(None)
    kernel_constraint: kinds.Constraint = default(None)
    bias_constraint: kinds.Constraint = default(None)
    use_gate: bool = False
    seed: kinds.Seed = None
    name: str | None = None

    def __post_init__(self, output_shape: Any) -> None:
        self.value_dim = self.key_dim if self.value_dim is None else self.value_dim
        sizes = (
            [] if output_shape is None else output_shape if isinstance(output_shape, (list, tuple)) else [output_shape]
        )
        self.wanted = tuple(whole("MultiHeadAttention's output_shape", n) for n in sizes)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer."""
        return super().get_config() | {"output_shape": list(self.wanted) or None}

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        keyed, valued = (self.num_heads, self.key_dim), (self.num_heads, self.value_dim)
        gate = {"gate": valued} if self.use_gate else {}
        return {"query": keyed, "key": keyed, **gate, "value": valued}

    def outputs(self, query_shape: Any) -> Shape:
        return self.wanted or super().outputs(query_shape)


@arguments
class GroupQueryAttention(Heads):
    """As `MultiHeadAttention`, but several heads of queries share a head of keys and values

    query (rows, T, …), value and key (rows, S, …) → (rows, T, inputs of the query). Ainslie et al., GQA, EMNLP 2023.
    With one head of keys and values it is multi-query attention.

    Args:
        head_dim: the size of a head. num_query_heads: the number of heads, a multiple of num_key_value_heads.
        dropout, use_bias, sliding_window, flash_attention, …: as in `MultiHeadAttention`.

    >>> from thalweg import Input
    >>> x = Input((5, 8))
    >>> GroupQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)(x, x).shape
    (None, 5, 8)
    """

    size = "head_dim"

    head_dim: kinds.Count
    num_query_heads: kinds.Count
    num_key_value_heads: kinds.Count
    dropout: kinds.Share = 0.0
    use_bias: bool = True
    sliding_window: Annotated[int | None, Checked(kinds.optional(whole))] = None
    flash_attention: Annotated[bool | None, Checked(NO_FLASH, kept=False)] = None
    kernel_initializer: kinds.Initializer = default("glorot_uniform")
    bias_initializer: kinds.Initializer = default("zeros")
    kernel_regularizer: kinds.Regularizer = default(None)
    bias_regularizer: kinds.Regularizer = default(None)
    activity_regularizer: kinds.ActivityRegularizer = default(None)
    kernel_constraint: kinds.Constraint = default(None)
    bias_constraint: kinds.Constraint = default(None)
    use_gate: bool = False
    seed: kinds.Seed = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.num_query_heads % self.num_key_value_heads:
            raise ArgumentError(
                f"GroupQueryAttention: num_query_heads={self.num_query_heads} has to be a multiple of "
                f"num_key_value_heads={self.num_key_value_heads}"
            )

    @property
    def default_name(self) -> str:
        """As in Keras, whose class has another name than it is imported by."""
        return "grouped_query_attention"

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        heads, shared = (self.num_query_heads, self.head_dim), (self.num_key_value_heads, self.head_dim)
        gate = {"gate": heads} if self.use_gate else {}
        return {"query": heads, "key": shared, **gate, "value": shared}
