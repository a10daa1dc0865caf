"""What a wrong pass does is refused, whatever numbers it gives: see `program/passes/verifier.py`."""

from dataclasses import FrozenInstanceError, replace

import pytest
from networks import network
from pass_checks import PASSES

from thalweg import Input, Sequential
from thalweg.engine.native.instructions.normalization import BatchMoments, NativeBatchSums
from thalweg.engine.native.instructions.variants import native
from thalweg.engine.native.scheduling.schedule import Schedule
from thalweg.errors import ThalwegError
from thalweg.layers import Dense
from thalweg.program.instructions.activations import is_relu
from thalweg.program.instructions.batches import GatherBytes, GatherFloats
from thalweg.program.instructions.elementwise import Add, Copy, Reshape
from thalweg.program.instructions.linear import Affine, BiasGradient
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.ir.instruction import BYTES, DOUBLE, FLOAT, GRADIENTS, TOTALS, Buffer
from thalweg.program.passes.draft import Pass, Request
from thalweg.program.passes.verifier import in_order
from thalweg.program.plain import DERIVE, FUSE_LOSSES

USUAL = Request()


def test_an_instruction_never_changes():
    a, b = Buffer("a", (2,)), Buffer("b", (2,))
    copy = Copy(a, b)
    for name in ("x", "another"):
        with pytest.raises(FrozenInstanceError, match=f"copy: an instruction never changes, nor does its {name}"):
            setattr(copy, name, b)
    assert replace(copy, x=b).x is b
    assert copy.x is a
    assert copy != replace(copy)
    assert repr(copy).startswith("Copy(x=Buffer(name='a', shape=(2,)")


def first(draft, kind):
    return next(i for i in draft if isinstance(i, kind))


def without(draft, *names):
    return draft.changed({i: [] for i in draft if i.name in names})


def a_product_away(draft):
    """What the sum reads is no longer written."""
    relu = next(i for i in draft if is_relu(i))
    product = next(iter(draft.writers(relu.h)))
    return draft.changed({product: [native(product, h=relu.a, relu=True)], relu: []})


def in_reverse(draft):
    return replace(draft, forward=draft.forward[::-1])


def twice(draft):
    i = first(draft, Affine)
    return draft.changed({i: [i, replace(i)]})


def gradient_of_another_shape(draft):
    i = first(draft, BiasGradient)
    return draft.changed({i: [replace(i, db=Buffer("db", (99,), GRADIENTS, False, i.db.offset))]})


def gradient_elsewhere(draft):
    i = first(draft, BiasGradient)
    return draft.changed({i: [replace(i, db=Buffer("db", i.db.shape, GRADIENTS, False, 10_000))]})


def a_gradient_of_each_row(draft):
    i = first(draft, BiasGradient)
    return draft.changed({i: [replace(i, db=Buffer("db", i.db.shape, GRADIENTS, True, i.db.offset))]})


def a_view_of_something_larger(draft):
    i = first(draft, Affine)
    view = Buffer("view", (1, 2), view_of=i.h)
    return draft.changed({i: [i, Add(view, view, Buffer("z", (1, 2)))]})


def a_view_of_bytes(draft):
    i = first(draft, Affine)
    view = Buffer("view", i.h.shape, view_of=i.h, dtype=BYTES)
    return draft.changed({i: [i, Reshape(i.h, view)]})


def a_sum_of_floats(draft):
    i = next(i for i in draft.backward if isinstance(i, LossAndGradient))
    i.sums.dtype = FLOAT
    return replace(draft, backward=[*draft.backward])


def a_double_of_each_row(draft):
    i = first(draft, Affine)
    i.h.dtype = DOUBLE
    return replace(draft, forward=[*draft.forward])


def gathered_bytes(draft):
    i = first(draft, GatherFloats)
    X = Buffer(i.X.name, i.X.shape, i.X.region, dtype=BYTES)
    return draft.changed({i: [replace(i, X=X)]})


def gathered_floats(draft):
    i = first(draft, GatherFloats)
    return draft.changed({i: [GatherBytes(i.X, i.x)]})


def a_sum_of_other_shapes(draft):
    i = first(draft, Add)
    return draft.changed({i: [replace(i, y=first(draft, GatherFloats).x)]})


def a_relu_of_less(draft):
    i = next(i for i in draft if is_relu(i))
    less = Buffer("less", (1,))
    return draft.changed({i: [i, replace(i, a=less)]})


def a_relu_for_all_rows(draft):
    i = next(i for i in draft if is_relu(i))
    once = Buffer("once", i.a.shape, per_row=False)
    return draft.changed({i: [i, replace(i, a=once)]})


def a_copy_of_less(draft):
    i = first(draft, Affine)
    return draft.changed({i: [i, Copy(i.h, Buffer("less", (3,)))]})


def a_reshape_of_once(draft):
    i = first(draft, Affine)
    return draft.changed({i: [i, Reshape(i.h, Buffer("once", i.h.shape, per_row=False))]})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (a_product_away, r"'add' \(.*\) reads h1, which nothing has written"),
        (in_reverse, "which nothing has written"),
        (twice, "h1 is written by 'affine' and 'affine'"),
        (lambda d: without(d, "gather"), "reads x, which nothing has written"),
        (lambda d: without(d, "bias gradient"), "db2 is no longer written"),
        (gradient_of_another_shape, r"db, a gradient of shape \(99,\), is not one of a trained weight's"),
        (gradient_elsewhere, "is not one of a trained weight's"),
        (a_gradient_of_each_row, "db has a value for each row, for which the gradients have no place"),
        (a_view_of_something_larger, "view is a view of h1, which has other elements"),
        (a_view_of_bytes, "view is a view of h1, which has other elements"),
        (a_sum_of_floats, "L, of type float, can't lie among the totals"),
        (a_double_of_each_row, "h1, of type float64, can't lie among the workspace"),
        (gathered_bytes, r"'gather' \(.*\) takes X for float, but it is uint8"),
        (gathered_floats, r"'gather bytes' \(.*\) takes X for uint8, but it is float"),
        (
            a_sum_of_other_shapes,
            r"'add' \(.*\): h1 of shape \(4,\) and x of shape \(5,\) and z1 of shape \(4,\) don't fit",
        ),
        (a_relu_of_less, r"'relu' \(.*\): less of shape \(1,\) has no place for each of \(4,\)"),
        (a_relu_for_all_rows, r"'relu' \(.*\): once of shape \(4,\) has no place for each of"),
        (a_copy_of_less, r"'copy' \(.*\): less has other elements than h1"),
        (a_reshape_of_once, r"'reshape' \(.*\): once has other elements than h1"),
    ],
    ids=lambda v: getattr(v, "__name__", None),
)
def test_a_wrong_pass_is_refused(damage, message):
    with pytest.raises(ThalwegError, match=f"the pass 'damage' made a wrong program: .*{message}"):
        lowered("relu of a sum", damage, PASSES.index(DERIVE) + 1)


def lowered(name, damage, place=None, request=USUAL):
    """The program of a network, damaged by a further pass."""
    passes = [*PASSES]
    passes.insert(len(PASSES) if place is None else place, Pass("damage", damage, lambda r: True))
    return network(name)._compiled._lower(request, None, passes)


def test_a_loss_is_not_lost():
    def lost(draft):
        return draft.changed({i: [] for i in draft if any(b.region == TOTALS for b in i.outputs)})

    with pytest.raises(ThalwegError, match="L is no longer written"):
        lowered("relu of a sum", lost, request=Request("evaluation"))


def test_no_contribution_is_lost():
    """A sum forgets one of its two operands, which is still computed."""

    def forgotten(draft):
        sums = next(i for i in draft if isinstance(i, NativeBatchSums) and i.more is not None)
        return draft.changed({sums: [replace(sums, more=None)]})

    with pytest.raises(ThalwegError, match=r"nothing reads d.* any more, though it is computed"):
        lowered("norms joined", forgotten)


def test_an_output_that_has_to_be_visible_is_not_lost():
    def hidden(draft):
        return without(draft, "sigmoid")

    passes = [DERIVE, FUSE_LOSSES, Pass("damage", hidden, lambda r: r.visible)]
    model = network("sigmoid, crossentropy")
    model._compiled._lower(Request(), None, passes)  # nothing reads it: the loss computes it along the way
    with pytest.raises(ThalwegError, match="y_pred, an output, has to be visible but nothing writes it"):
        model._compiled._lower(Request(visible=True), None, [DERIVE, Pass("damage", hidden, lambda r: r.visible)])


def test_phases_find_what_they_read():
    program, _ = network("norms joined")._compiled._lower(Request(), None, PASSES)
    schedule = Schedule(program)
    in_order(schedule, "the division into phases")
    moments = first(program, BatchMoments)
    schedule.rows.remove(moments)
    schedule.finish.append(moments)
    with pytest.raises(ThalwegError, match=r"the division into phases made a wrong program: .*'batch normali[sz]ation"):
        in_order(schedule, "the division into phases")


def test_what_is_added_to_has_been_written():
    """The gradient of a penalty adds to a weight's, which has to be there."""

    def first(draft):
        added = [i for i in draft.backward if i.accumulates]
        return replace(draft, backward=[*added, *(i for i in draft.backward if not i.accumulates)])

    model = Sequential([Input((5,)), Dense(3, kernel_regularizer="l2"), Dense(2)])
    model.compile("sgd", "mse")
    model.build()
    with pytest.raises(ThalwegError, match="reads dW1, which nothing has written"):
        model._compiled._lower(USUAL, None, [DERIVE, Pass("damage", first, lambda r: True)])


def test_an_optimizer_reads_gradients_as_one_vector():
    program, _ = network("narrow")._compiled._lower(Request(), None, PASSES)
    schedule = Schedule(program)
    schedule.rows.insert(0, schedule.finish.pop())
    with pytest.raises(ThalwegError, match=r"'momentum' .* reads dw, which nothing has written"):
        in_order(schedule, "the division into phases")
