"""The loop over the steps of sequences."""

from __future__ import annotations

from typing import Any

from thalweg.ops.arrangement import shape, stack
from thalweg.ops.creation import zeros_like
from thalweg.ops.scanning import Step, Values, chosen, scanned
from thalweg.ops.tensor import Traced


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
        unroll: whether the instructions are written once for each step, rather than once as the body of a scan. So
            are those of a step that a scan can't repeat, such as one that draws random numbers.
        zero_output_for_mask: whether the output of a step that is left out is 0.
        all_outputs: whether the outputs of all steps are returned.

    Returns:
        (outputs, states): the outputs (rows, steps, …) in the order in which they were computed, or the last one,
        (rows, …); and the states after the last step.
    """
    if not unroll and all(isinstance(x, Traced) for x in inputs):
        found = scanned(step, states, inputs, mask, backwards, zero_output_for_mask, all_outputs)
        if found is not None:
            return found
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
