"""Every pass leaves what a program computes as it is, and is shown by its name."""

from dataclasses import replace

import numpy as np
import pytest
from networks import NETWORKS, network

from thalweg import Input, Sequential
from thalweg.engine import TARGETS, aligned
from thalweg.engine.contract import Chunk, Job
from thalweg.engine.native.runtime.executor import NativeExecutor
from thalweg.engine.reference import ReferenceExecutor
from thalweg.errors import ArgumentError
from thalweg.layers import Activation, Dense, Dropout, Parallel, PeriodicEmbedding
from thalweg.program.instructions.linear import Affine
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.ir.instruction import LOSS
from thalweg.program.lowering import places
from thalweg.program.passes.draft import KINDS, Pass, Request, names
from thalweg.program.plain import PLAIN

ROWS = 16
PASSES = TARGETS["native"].passes


def program(model, kind, passes, after=None):
    return model._compiled._lower(Request(kind), after, passes)[0]


def computed(model, executor, dtype, kind, passes, after=None):
    """The parameters after one step, the loss and the outputs, as far as a program has them."""
    random, own = np.random.default_rng(1), model._compiled
    x = random.normal(size=(ROWS, *model.input_shape[1:])).astype(dtype)
    for ids in own.id_inputs():
        x = random.integers(0, ids.size, x.shape).astype(dtype)
    shapes = own.scored_shapes
    targets = [random.integers(0, 2, (ROWS, *goal.loss.target_shape(shape))) for goal, shape in own.goals_and_shapes()]
    outputs = [np.zeros((ROWS, *shape), dtype) for shape in shapes]
    arrays = [(places("Y", len(shapes)), targets), (places("Y_pred", len(shapes)), outputs)]
    data = {name: array.astype(dtype, copy=False) for some in arrays for name, array in zip(*some, strict=True)}
    parameters, slots = aligned(model.vector.size, dtype), aligned(own.slots.size, dtype)
    parameters[:] = model.vector
    lowered, totals = own._lower(Request(kind), after, passes)
    job = Job(lowered, {"X": x} | data, ROWS, ROWS, parameters, slots, totals)
    sums = executor(job).run(Chunk(0, 0, 1, 0, np.array([0.1]))).records[0]
    return parameters, sums[LOSS], np.concatenate([y.reshape(ROWS, -1) for y in outputs], axis=1)


def check_every_pass(name, kind, executor, dtype, tolerance, passes=PASSES):
    model = network(name)
    weights, loss, outputs = computed(model, ReferenceExecutor, np.float64, kind, PLAIN)
    if kind == "training":
        assert np.abs(weights - model.vector).max() > 1e-3
    for after in names(passes, Request(kind)):
        found = computed(model, executor, dtype, kind, passes, after)
        np.testing.assert_allclose(found[2], outputs, rtol=tolerance, atol=tolerance)
        steps = program(model, kind, passes, after)
        if steps.backward or kind != "training":
            np.testing.assert_allclose(found[0], weights, rtol=tolerance, atol=tolerance)
        if not any(isinstance(i, LossAndGradient) for i in steps.backward):  # which count the loss once more
            np.testing.assert_allclose(found[1], loss, rtol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("executor", "dtype", "tolerance"), [(ReferenceExecutor, np.float64, 1e-9), (NativeExecutor, np.float32, 2e-4)]
)
def test_every_pass_leaves_what_is_computed_as_it_is(name, kind, executor, dtype, tolerance):
    """After each pass, references in float64 and kernels in float32 compute what the plain program does in float64."""
    check_every_pass(name, kind, executor, dtype, tolerance)


def test_a_wrong_pass_would_be_noticed():
    """One that no verifier can refuse, as each value is read and written as before."""

    def damaged(draft):
        plain = next(i for i in draft.forward if isinstance(i, Affine))
        return draft.changed({plain: [replace(plain, relu=True)]})

    wrong = [*PASSES, Pass("damage", damaged, lambda r: r.trains)]
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_every_pass("joined", "training", ReferenceExecutor, np.float64, 1e-9, wrong)


def test_every_pass_has_been_tried():
    """All change the training of some network but the one for several lanes, which has tests of its own."""
    changed = set()
    for name in NETWORKS:
        model = network(name)
        steps = [[i.formula for i in program(model, "training", PASSES[:n])] for n in range(len(PASSES) + 1)]
        changed |= {p.name for p, before, after in zip(PASSES, steps, steps[1:], strict=False) if before != after}
    assert changed == {p.name for p in PASSES} - {"split inputs"}


def test_the_last_pass_leaves_the_program_that_runs():
    model = network("many channels")
    for kind in KINDS:
        last = names(PASSES, Request(kind))[-1]
        assert str(model.program(kind, after=last)) == str(model.program(kind))


def test_inputs_are_split_after_a_pass_of_that_name():
    model = Sequential([Input((3000,)), Dense(64, "relu"), Dense(3)])
    model.compile("sgd", "mse")
    before, after = (model.program(lanes=2, after=name) for name in ("winograd", "split inputs"))
    assert "gather share" not in [row.name for row in before]
    assert "gather share" in [row.name for row in after]


def test_of_an_input_gradient_what_is_read_is_computed():
    """Between two parts without weights lie one of 3 columns and one of 10 that need theirs."""
    rows = {row.name: row for row in network("joined").program()}
    assert rows["input gradient"].shape == (32, 13)
    whole = {row.name: row for row in network("joined").program(after="derive")}
    assert whole["input gradient"].shape == (32, 23)
    one = Sequential([Input((5,)), Parallel([[], [PeriodicEmbedding(4, 2)]]), Dense(4)])
    one.compile("sgd", "mse")
    assert "slice" not in [row.name for row in one.program()]


def test_masks_are_seen_where_the_output_is_kept():
    def adjoints(*layers):
        model = Sequential([Input((5,)), Dense(4, "tanh"), *layers])
        model.compile("sgd", "mse")
        return [row.name for row in model.program() if row.section == "backward" and "dropout" in row.name]

    assert adjoints(Dropout(0.4), Dense(2)) == ["dropout adjoint"]
    assert adjoints(Dropout(0.4), Activation("sigmoid"), Dense(2)) == ["dropout"]  # whose output nothing else keeps


def test_before_the_derivatives_there_is_no_update():
    assert {row.section for row in network("narrow").program(after="pool before relu")} == {"forward"}
    assert {row.section for row in network("narrow").program(after="derive")} == {"forward", "backward", "update"}


def test_an_unknown_pass_is_told_with_the_nearest_name_and_all_that_run():
    model = network("narrow")
    with pytest.raises(
        ArgumentError, match=r"unknown pass of a program for training 'derivation'; did you mean 'derive'\?"
    ):
        model.program(after="derivation")
    with pytest.raises(
        ArgumentError, match=r"for inference 'derive'.* Choose from: embed mean, fuse chains, fuse relu, winograd$"
    ):
        model.program("inference", after="derive")
    with pytest.raises(ArgumentError, match=r"'split inputs'"):
        model.program(after="split inputs")  # one lane
    with pytest.raises(ArgumentError, match=r"'images by columns'"):
        network("few channels").program(batch_size=4, after="images by columns")  # vectors of rows would be half empty


def test_the_reference_engine_runs_the_plain_program():
    model = network("few channels", engine="reference")
    listed = [row.name for row in model.program()]
    assert {"convolution", "relu", "relu adjoint"} <= set(listed)
    assert str(model.program(after="fuse losses")) == str(model.program())


# --- which requests get the same program -----------------------------------------------------------------------------


def test_few_batches_and_lanes_make_a_difference():
    model = Sequential([Input((3000,)), Dense(64, "relu"), Dense(3)])
    model.compile("sgd", "mse")
    model.build()
    usual = model.lower(Request())
    assert model.lower(Request(batch=2000)) is usual
    assert model.lower(Request(batch=2000, lanes=2)) is usual  # so many rows that each lane takes some
    assert model.lower(Request(lanes=2)) is not usual
    assert model.lower(Request(lanes=2)) is not model.lower(Request(lanes=3))
    assert model.lower(Request(batch=2)) is not usual
    assert model.lower(Request(batch=2)) is model.lower(Request(batch=3))
    assert model.lower(Request(visible=True)) is not usual
    reference = Sequential([Input((3000,)), Dense(64, "relu"), Dense(3)], engine="reference")
    reference.compile("sgd", "mse")
    reference.build()
    assert reference.lower(Request(batch=2)) is reference.lower(Request())
