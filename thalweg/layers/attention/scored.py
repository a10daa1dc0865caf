"""Attention of one head, without projections: by products, or by tanh. Names, arguments and defaults are Keras's."""

from __future__ import annotations

from typing import Annotated, Any

from thalweg import ops
from thalweg.errors import ArgumentError, ShapeError
from thalweg.layers import kinds
from thalweg.layers.layer import Layer
from thalweg.ops.attention import Looking, attended, joined, mask_of_heads, weighted
from thalweg.ops.operation import operand
from thalweg.ops.tensor import Traced, program_of
from thalweg.support.arguments import Checked, arguments


class Scored(Layer):
    """Base of attention on a list: query and value, or query, value and key."""

    supports_masking = True
    fed = ("mask",)

    use_scale: bool
    dropout: kinds.Share
    seed: kinds.Seed

    def check(self, inputs: Any, what: str = "inputs") -> list[Any]:
        """The tensors, or their shapes, of which there are two or three."""
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3):
            raise ArgumentError(
                f"layer {self.shown_name} takes a list of {what}, [query, value] or [query, value, key], got {inputs!r}"
            )
        return list(inputs)

    def build(self, input_shape: Any) -> None:
        """Declares the weights of the scores."""
        shapes = self.check(input_shape if isinstance(input_shape[0], (list, tuple)) else [input_shape])
        if any(len(shape) != 3 for shape in shapes) or shapes[-1][1] != shapes[1][1]:
            raise ShapeError(
                f"layer {self.shown_name} takes (rows, steps, size), the key with the value's steps, got {shapes}"
            )

    def scores(self, query: Any, key: Any) -> Any:
        """Of each query and key, (rows, T, S), for queries (rows, T, 1, size) and keys (rows, 1, S, size)."""
        raise NotImplementedError

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """A list of query (rows, T, size), value (rows, S, n) and key (rows, S, size) → (rows, T, n).

        Args:
            inputs: [query, value], the value being the key too, or [query, value, key].
            mask: [query_mask, value_mask], (rows, T) and (rows, S), each or None: where the query's is 0, the output
                is 0; values where theirs is 0 aren't looked at.
            training: whether weights are dropped.
            return_attention_scores: whether to return the weights (rows, T, S), too; they are then kept in memory.
            use_causal_mask: whether query i looks at the keys up to i only.
        """
        query, value, *rest = self.check(inputs)
        key = rest[0] if rest else value
        of_query, of_value, *_ = (None, None) if mask is None else self.check(mask, "masks")
        program = program_of([query, value, key])
        shape = (1, query.shape[1], value.shape[1])
        masks = [] if of_value is None else [mask_of_heads(program, ops.expand_dims(of_value, 1), shape)]
        how = Looking(1.0, bool(use_causal_mask), 0, self.dropout, self.seed)
        o, weights = self.looked(
            query, key, ops.expand_dims(value, 2), joined(program, masks), how, return_attention_scores
        )
        o = ops.reshape(o, (-1, *o.shape[1:2], o.shape[3]))
        if of_query is not None:
            o = ops.where(ops.expand_dims(of_query, -1), o, 0.0)
        return (o, ops.reshape(weights, (-1, *weights.shape[2:]))) if return_attention_scores else o

    def looked(self, query: Any, key: Any, value: Any, mask: Any, how: Looking, told: bool) -> tuple[Any, Any]:
        """The mean of the values, with an axis of one head, and the weights, (rows, 1, T, S)."""
        program = value.program
        scores = self.scores(ops.expand_dims(query, 2), ops.expand_dims(key, 1))
        scores = operand(program, ops.expand_dims(scores, 1))
        stream = program.stream(how.seed) if how.rate else 0
        weights, o = weighted(program, scores, value.buffer, mask, how, stream)
        return Traced(program, o), Traced(program, weights)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The query's."""
        return None if mask is None else mask[0]


@arguments
class Attention(Scored):
    """softmax(scale·q·kᵀ)·v for one head      q (rows, T, d), k (rows, S, d), v (rows, S, n) → (rows, T, n)

    Luong, Pham and Manning, EMNLP 2015. It is called on [query, value] or [query, value, key]; see `call` for masks,
    and for the weights. Unlike `MultiHeadAttention` it doesn't divide by √d.

    Args:
        use_scale: whether the scores are multiplied by a trained number, 1 at the start.
        score_mode: "dot", or "concat": the scores are weight·Σ tanh(scale·(q + k)), with a trained weight.
        dropout: the share of the weights that is dropped in training.
        seed: shifts the layer's random numbers.

    >>> from thalweg import Input
    >>> Attention()([Input((5, 8)), Input((3, 8))]).shape
    (None, 5, 8)
    """

    use_scale: bool = False
    score_mode: Annotated[str, Checked(kinds.one_of("dot", "concat"))] = "dot"
    dropout: kinds.Share = 0.0
    seed: kinds.Seed = None
    name: str | None = None

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.scale = self.add_weight("scale", (), "ones") if self.use_scale else None
        concatenated = self.score_mode == "concat"
        self.concat_score_weight = self.add_weight("concat_score_weight", (), "ones") if concatenated else None

    def looked(self, query: Any, key: Any, value: Any, mask: Any, how: Looking, told: bool) -> tuple[Any, Any]:
        if self.score_mode == "concat":
            return super().looked(query, key, value, mask, how, told)
        q = query if self.scale is None else query * self.scale
        return attended(ops.expand_dims(q, 2), ops.expand_dims(key, 2), value, mask, how, told=told)

    def scores(self, query: Any, key: Any) -> Any:
        total = query + key if self.scale is None else self.scale * (query + key)
        return self.concat_score_weight * ops.sum(ops.tanh(total), axis=-1)


@arguments
class AdditiveAttention(Scored):
    """softmax(Σ scale·tanh(q + k))·v      q (rows, T, d), k (rows, S, d), v (rows, S, n) → (rows, T, n)

    Bahdanau, Cho and Bengio, ICLR 2015. It is called on [query, value] or [query, value, key]; see `call` for masks,
    and for the weights. All T·S sums of d numbers are kept in memory: `Attention` needs far less time and memory.

    Args:
        use_scale: whether there is a trained scale (d,).
        dropout: the share of the weights that is dropped in training.
        seed: shifts the layer's random numbers.

    >>> from thalweg import Input
    >>> AdditiveAttention()([Input((5, 8)), Input((3, 8))]).shape
    (None, 5, 8)
    """

    use_scale: bool = True
    dropout: kinds.Share = 0.0
    seed: kinds.Seed = None
    name: str | None = None

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        self.scale = self.add_weight("scale", (input_shape[0][-1],), "glorot_uniform") if self.use_scale else None

    def scores(self, query: Any, key: Any) -> Any:
        total = ops.tanh(query + key)
        return ops.sum(total if self.scale is None else self.scale * total, axis=-1)
