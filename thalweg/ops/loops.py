"""The loop over the steps of sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thalweg.ops.arrangement import expand_dims, ndim, shape, stack
from thalweg.ops.creation import zeros_like
from thalweg.ops.pointwise import where

Values = tuple[Any, ...]
Step = Callable[[Values, Values], tuple[Any, Values]]


def over_steps(
    step: Step,
    states: Values,
    inputs: Values,
    *,
    mask: Any = None,
    backwards: bool = False,
    unroll: bool = False,
    zero_output_for_mask: bool = False,
    all_outputs: bool = True,
) -> tuple[Any, Values]:
    """Takes a step for each place along axis 1, and hands the states on from each to the next.

    What is the same in all steps (weights, masks of dropout) is what `step` closes over.

    Args:
        step: of the inputs of one step and the states; returns an output and the next states.
        states: the first ones, (rows, …) each.
        inputs: (rows, steps, …) each.
        mask: (rows, steps), 0 for the steps of a row that are left out: they keep its states, and their output is the
            one before, or 0 in the beginning.
        backwards: whether to begin with the last step.
        unroll: whether the instructions are written once for each step, which they are.
        zero_output_for_mask: whether the output of a step that is left out is 0.
        all_outputs: whether the outputs of all steps are returned.

    Returns:
        (outputs, states): the outputs (rows, steps, …) in the order in which they were computed, or the last one,
        (rows, …); and the states after the last step.
    """
    places = range(int(shape(inputs[0])[1]))
    output, outputs = None, []
    for k in reversed(places) if backwards else places:
        value, after = step(tuple(x[:, k] for x in inputs), states)
        if mask is not None:
            counts = mask[:, k]
            before = zeros_like(value) if output is None or zero_output_for_mask else output
            value = chosen(counts, value, before)
            after = tuple(chosen(counts, new, old) for new, old in zip(after, states, strict=True))
        output, states = value, tuple(after)
        outputs.append(output)
    return (stack(outputs, 1) if all_outputs else output), states


def chosen(counts: Any, new: Any, old: Any) -> Any:
    """For each row the new value if its step counts, otherwise the old one."""
    while ndim(counts) < ndim(new):
        counts = expand_dims(counts, -1)
    return where(counts, new, old)
