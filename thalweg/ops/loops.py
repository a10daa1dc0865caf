"""Loops over steps: those of recurrent layers, and Keras's, whose body is a function of the user's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from thalweg.ops.arrangement import concatenate, expand_dims, moveaxis, ndim, reshape, shape, squeeze, stack
from thalweg.ops.contractions import per_row
from thalweg.ops.creation import zeros_like
from thalweg.ops.operation import F, across_rows, operation
from thalweg.ops.scanning import Step, Values, chosen, filled, row_values, scanned
from thalweg.ops.tensor import Operators, Traced, program_of, refuse, traced
from thalweg.program.builder import Builder
from thalweg.support.nested import leaves

__all__ = ["associative_scan", "fori_loop", "scan", "while_loop"]


def over_steps(
    step: Step,
    states: Values,
    inputs: Values,
    *,
    steps: int | None = None,
    mask: Any = None,
    backwards: bool = False,
    in_order: bool = False,
    unroll: bool = False,
    zero_output_for_mask: bool = False,
    all_outputs: bool = True,
) -> tuple[Any, Values]:
    """Takes a step for each place along axis 1, and hands the states on from each to the next.

    What is the same in all steps (weights, masks of dropout) is what `step` closes over.

    Args:
        step: of the inputs of one step and the states; returns an output, or a structure of them, and the next states.
        states: the first ones, (rows, …) each.
        inputs: (rows, steps, …) each; what is the same for all rows, (steps, …).
        steps: their number, for a loop without inputs.
        mask: (rows, steps), 0 for the steps of a row that are left out: they keep its states, and their output is the
            one before, or 0 in the beginning.
        backwards: whether to begin with the last step.
        in_order: whether the outputs are returned in the order of the steps, rather than in which they were computed.
        unroll: whether the instructions are written once for each step, rather than once as the body of a scan. So
            are those of a step that a scan can't repeat, such as one that draws random numbers.
        zero_output_for_mask: whether the output of a step that is left out is 0.
        all_outputs: whether the outputs of all steps are returned.

    Returns:
        (outputs, states): the outputs (rows, steps, …), or the last one, (rows, …); and the states after the last step.
    """
    count = int(shape(inputs[0])[int(per_row(inputs[0]))]) if steps is None else steps
    if not unroll and any(per_row(x) and isinstance(x, Traced) for x in (*inputs, *states)):
        how = {"backwards": backwards, "in_order": in_order, "zeros": zero_output_for_mask, "all_outputs": all_outputs}
        found = scanned(step, states, inputs, mask, count, **how)
        if found is not None:
            return found
    value: Any = None
    last: list[Any] = []
    outputs: list[list[Any]] = []
    for k in reversed(range(count)) if backwards else range(count):
        value, after = step(tuple(x[:, k] if per_row(x) else x[k] for x in inputs), states)
        new = list(leaves(value))
        if mask is not None:
            counts = mask[:, k]
            before = list(map(zeros_like, new)) if not outputs or zero_output_for_mask else last
            new = [chosen(counts, v, old) for v, old in zip(new, before, strict=True)]
            after = tuple(chosen(counts, v, old) for v, old in zip(after, states, strict=True))
        last, states = new, tuple(after)
        outputs.append(new)
    if all_outputs:
        columns = zip(*(outputs[::-1] if backwards and in_order else outputs), strict=True)
        last = [stack(column, int(any(map(per_row, column)))) for column in columns]
    return filled(value, last), states


def of_both(function: F) -> F:
    """An operation that does the same with arrays as with tensors."""
    return operation(function)(function)


def writer(values: list[Any]) -> Builder | None:
    """The program of which some values have rows; None if none does."""
    return program_of(values) if any(per_row(v) for v in values) else None


def carried(value: Any, program: Builder | None) -> Any:
    """What a loop carries: in a program numbers of each row, which for an array (1, …), or without rows, are alike."""
    if program is None:
        return value if isinstance(value, Operators) else np.asarray(value)
    x = traced(value, program)
    if not x.buffer.per_row and x.shape[:1] == (1,):
        x = Traced(program, program.reshape(x.buffer, x.buffer.shape[1:]))
    return Traced(program, row_values(program, x))


def next_states(found: Any, before: Values, program: Builder | None, what: str) -> Values:
    """The states that a step has left; raises if they aren't shaped as those before it."""
    after = tuple(carried(v, program) for v in leaves(found))
    shapes = [[tuple(map(str, shape(v))) for v in values] for values in (after, before)]
    if shapes[0] != shapes[1]:
        got, wanted = (", ".join(f"({', '.join(s)})" for s in some) or "nothing" for some in shapes)
        raise refuse(f"{what} carries values of the same shapes from step to step: it began with {wanted}, got {got}")
    return after


def step_count(inputs: list[Any], length: Any) -> int:
    """How many steps a scan has."""
    if any(len(shape(x)) <= int(per_row(x)) for x in inputs):
        raise refuse("scan goes along the leading axis of xs, in a network of each row: one of them has none")
    counts = {int(shape(x)[int(per_row(x))]) for x in inputs} | ({int(length)} if length is not None else set())
    if len(counts) != 1 or min(counts) < 1:
        raise refuse(f"scan needs a number of steps, in xs and length the same: got {sorted(counts) or 'neither'}")
    return counts.pop()


@of_both
def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """(carry, ys) after carry, y_k = f(carry, xs[k]) for each k along the leading axis: a loop with a memory.

    In a network axis 0 are the rows, each of which has its own carry; the steps of xs (rows, steps, …) lie along axis
    1, and so do those of ys. What is the same for all rows may be an array (steps, …), of which f gets (rows, …) too.

    Args:
        f: of the carry and one step of xs; returns the next carry, of the same shapes, and y, or None.
        init: the first carry: tensors (rows, …), arrays (1, …) or numbers, in lists, tuples or dicts.
        xs: the steps, in such a structure, too; without it f gets None.
        length: the number of steps, needed without xs.
        reverse: whether to begin with the last step; ys stand in the order of xs.
        unroll: True writes the instructions of each step, instead of one that repeats them; a number changes nothing.

    Its adjoint is a loop in the other direction. In a graph, f can use other tensors only if they are given to it in xs
    or init, and a graph with a function in it can't be saved; both are possible in a layer's call.

    >>> carry, sums = scan(lambda total, x: (total + x, total + x), 0, np.array([1, 2, 3]))
    >>> int(carry), sums.tolist()
    (6, [1, 3, 6])
    """
    if not isinstance(unroll, int) or unroll < 0 or (unroll == 0 and unroll is not False):
        raise refuse(f"scan takes unroll as a number from 1 on, True or False, got {unroll!r}")
    inputs = tuple(x if isinstance(x, Operators) else np.asarray(x) for x in leaves(xs))
    count = step_count(list(inputs), length)
    program = writer([*leaves(init), *inputs])
    states = tuple(carried(v, program) for v in leaves(init))

    def step(parts: Values, given: Values) -> tuple[Any, Values]:
        carry, y = f(filled(init, given), filled(xs, parts))
        return y, next_states(carry, given, program, "scan")

    ys, after = over_steps(step, states, inputs, steps=count, backwards=reverse, in_order=True, unroll=unroll is True)
    return filled(init, after), ys


@of_both
def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """loop_vars after loop_vars = body(loop_vars), as long as cond(loop_vars), at most maximum_iterations times.

    In a network each row has its own variables and goes on for as long as its own condition holds; the bound is needed
    there, as that many steps are computed: of a row that has stopped, the results are dropped. On arrays, a condition
    of several numbers is one for each place along axis 0.

    Args:
        cond: of the variables; returns one truth value, of a row (rows,) or (rows, 1).
        body: of the variables; returns the next ones, of the same shapes.
        loop_vars: a list or tuple of what cond and body get one by one, or a single structure; tensors (rows, …),
            arrays (1, …) or numbers.
        maximum_iterations: the bound.

    >>> int(while_loop(lambda n: n < 10, lambda n: n * 2, 3))
    12
    """
    program = writer(list(leaves(loop_vars)))
    several = isinstance(loop_vars, (list, tuple))
    states = tuple(carried(v, program) for v in leaves(loop_vars))

    def called(function: Callable[..., Any], given: Values) -> Any:
        values = filled(loop_vars, given)
        return function(*values) if several else function(values)

    def going_on(given: Values) -> Any:
        running = called(cond, given)
        if any(n != 1 for n in shape(running)[1:]):
            raise refuse(f"while_loop: cond returns one truth value for each row, got the shape {shape(running)}")
        return reshape(running, (-1,)) if shape(running) else running

    def advanced(running: Any, given: Values) -> Values:
        after = next_states(called(body, given), given, program, "while_loop")
        return tuple(chosen(running, new, old) for new, old in zip(after, given, strict=True))

    if program is not None:
        if maximum_iterations is None or maximum_iterations < 1:
            raise refuse(
                "while_loop needs maximum_iterations in a network, 1 or more: how often a row goes round is known only "
                f"when it is computed, and room for its steps is made before, got {maximum_iterations!r}"
            )
        _, states = over_steps(
            lambda _, given: (None, advanced(going_on(given), given)), states, (), steps=int(maximum_iterations)
        )
        return filled(loop_vars, states)
    count = 0
    while maximum_iterations is None or count < maximum_iterations:
        running = going_on(states)
        if isinstance(running, Operators):
            raise refuse("while_loop: cond depends on a tensor that is none of loop_vars: give it as one of them")
        if not np.any(running):
            break
        states, count = advanced(running, states), count + 1
    return filled(loop_vars, states)


def fori_loop(lower: int, upper: int, body_fun: Callable[[int, Any], Any], init_val: Any) -> Any:
    """val after val = body_fun(k, val) for k from lower to upper − 1, whole numbers.

    In a network the body is written once for each k, which it may use as a place, x[:, k]; `scan` writes it once.

    >>> int(fori_loop(0, 4, lambda k, total: total + k, 0))
    6
    """
    if any(isinstance(bound, Operators) for bound in (lower, upper)):
        raise refuse(
            "fori_loop needs bounds that are known when the network is drawn; a while_loop with maximum_iterations "
            "stops each row by itself"
        )
    for k in range(int(lower), int(upper)):
        init_val = body_fun(k, init_val)
    return init_val


@of_both
def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """x₁, f(x₁, x₂), f(f(x₁, x₂), x₃), … along an axis: f is associative, and works on each place of the axis alike.

    It computes the results one after the other, as `scan`, each of all rows at once. In a network axis 0 are the rows,
    so the axis is 1 or a later one.

    Args:
        f: of two structures like elems, whose axis has the size 1; returns a third.
        elems: a tensor or an array, or a structure of them, of one size along the axis.
        reverse: whether to begin with the last place.
        axis: along which; the rows count.

    >>> associative_scan(lambda a, b: a * b, np.array([1, 2, 3, 4])).tolist()
    [1, 2, 6, 24]
    """
    flat = [x if isinstance(x, Operators) else np.asarray(x) for x in leaves(elems)]
    program = writer(flat)
    if program is not None:
        flat = [carried(x, program) for x in flat]
    if not flat or any(not -ndim(x) <= axis < ndim(x) for x in flat):
        raise refuse(f"associative_scan needs tensors with an axis {axis}, got {[shape(x) for x in flat]}")
    rows = int(program is not None)
    axes = [axis % ndim(x) for x in flat]
    if any(a < rows for a in axes):
        raise across_rows("associative_scan")
    lines = [moveaxis(x, a, rows) for x, a in zip(flat, axes, strict=True)]
    counts = {int(shape(x)[rows]) for x in lines}
    if len(counts) != 1:
        raise refuse(f"associative_scan needs tensors of one size along axis {axis}, got {sorted(counts)}")
    count = counts.pop()

    def step(parts: Values, given: Values) -> tuple[Any, Values]:
        one, other = (filled(elems, map(expand_dims, values, axes)) for values in (given, parts))
        found = [squeeze(v, a) for v, a in zip(leaves(f(one, other)), axes, strict=True)]
        after = next_states(found, given, program, "associative_scan")
        return after, after

    def places(x: Any, key: Any) -> Any:
        return x[:, key] if rows else x[key]

    last = count - 1 if reverse else 0
    first = tuple(places(x, last) for x in lines)
    ends = [places(x, slice(last, last + 1)) for x in lines]
    found = ends
    if count > 1:
        rest = slice(0, -1) if reverse else slice(1, None)
        others, _ = over_steps(step, first, tuple(places(x, rest) for x in lines), backwards=reverse, in_order=True)
        pairs = zip(others, ends, strict=True) if reverse else zip(ends, others, strict=True)
        found = [concatenate(list(pair), rows) for pair in pairs]
    return filled(elems, [moveaxis(x, rows, a) for x, a in zip(found, axes, strict=True)])
