"""Every pass leaves what a program computes as it is, and is shown by its name."""

import numpy as np
import pytest
from networks import NETWORKS, network
from pass_checks import PASSES, check_every_pass, rewriting

from thalweg import Input, Sequential
from thalweg.engine.native.instructions.variants import native
from thalweg.engine.native.runtime.executor import NativeExecutor
from thalweg.engine.reference import ReferenceExecutor
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.layers import Activation, Dense, Dropout, Parallel, PeriodicEmbedding
from thalweg.program.instructions.linear import Affine
from thalweg.program.passes.draft import KINDS, Pass, Request, names
from thalweg.support.extras import can_compile


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("executor", "dtype", "tolerance"), [(ReferenceExecutor, np.float64, 1e-9), (NativeExecutor, np.float32, 1e-4)]
)
def test_every_pass_leaves_what_is_computed_as_it_is(name, kind, executor, dtype, tolerance):
    """After each pass, references in float64 and kernels in float32 compute what the plain program does in float64."""
    check_every_pass(network(name), kind, executor, dtype, tolerance)


def test_a_wrong_pass_would_be_noticed():
    """One that no verifier can refuse, as each value is read and written as before."""

    def damaged(draft):
        plain = next(i for i in draft.forward if isinstance(i, Affine))
        return draft.changed({plain: [native(plain, relu=True)]})

    wrong = [*PASSES, Pass("damage", damaged, lambda r: r.trains)]
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_every_pass(network("joined"), "training", ReferenceExecutor, np.float64, 1e-9, wrong)


def test_every_pass_has_been_tried():
    """All change the training of some network but those for several lanes, and for programs that are looked at."""

    def written(draft):
        return [(i.formula, [b.region for b in i.outputs]) for i in draft]

    def differ(before, after):
        return written(before) != written(after)

    changed = {name for each in NETWORKS for name in rewriting(network(each), "training", seen=differ)}
    assert changed == {p.name for p in PASSES} - {"split inputs", "write steps out"}


def test_the_last_pass_leaves_the_program_that_runs():
    model = network("many channels")
    for kind in KINDS:
        last = names(PASSES, Request(kind))[-1]
        assert str(model.schedule(kind, after=last)) == str(model.schedule(kind))


def test_inputs_are_split_after_a_pass_of_that_name():
    model = Sequential([Input((3000,)), Dense(64, "relu"), Dense(3)])
    model.compile("sgd", "mse")
    before, after = (model.schedule(lanes=2, after=name) for name in ("winograd", "split inputs"))
    assert "gather share" not in [row.name for row in before]
    assert "gather share" in [row.name for row in after]


def test_of_an_input_gradient_what_is_read_is_computed():
    """Between two parts without weights lie one of 3 columns and one of 10 that need theirs."""
    rows = {row.name: row for row in network("joined").schedule()}
    assert rows["input gradient"].shape == (32, 13)
    whole = {row.name: row for row in network("joined").schedule(after="derive")}
    assert whole["input gradient"].shape == (32, 23)
    one = Sequential([Input((5,)), Parallel([[], [PeriodicEmbedding(4, 2)]]), Dense(4)])
    one.compile("sgd", "mse")
    assert "slice" not in [row.name for row in one.schedule()]


def test_masks_are_seen_where_the_output_is_kept():
    def adjoints(*layers):
        model = Sequential([Input((5,)), Dense(4, "tanh"), *layers])
        model.compile("sgd", "mse")
        return [row.name for row in model.schedule() if row.section == "backward" and "dropout" in row.name]

    assert adjoints(Dropout(0.4), Dense(2)) == ["dropout adjoint"]
    assert adjoints(Dropout(0.4), Activation("sigmoid"), Dense(2)) == ["dropout"]  # whose output nothing else keeps


def test_before_the_derivatives_there_is_no_update():
    assert {row.section for row in network("narrow").schedule(after="pool before relu")} == {"forward"}
    assert {row.section for row in network("narrow").schedule(after="derive")} == {"forward", "backward", "update"}


def test_an_unknown_pass_is_told_with_the_nearest_name_and_all_that_run():
    model = network("narrow")
    with pytest.raises(
        ArgumentError, match=r"unknown pass of a program for training 'derivation'; did you mean 'derive'\?"
    ):
        model.schedule(after="derivation")
    chains = "fuse chains, " if can_compile() else ""
    choices = f"embed mean, {chains}fuse relu, leave out what is unread, place steps, share values, winograd"
    with pytest.raises(ArgumentError, match=rf"for inference 'derive'.* Choose from: {choices}$"):
        model.schedule("inference", after="derive")
    with pytest.raises(ArgumentError, match=r"'split inputs'"):
        model.schedule(after="split inputs")  # one lane
    with pytest.raises(ArgumentError, match=r"'images by columns'"):
        network("few channels").schedule(batch_size=4, after="images by columns")  # vectors of rows would be half empty


def test_the_reference_engine_runs_the_plain_program():
    model = network("few channels", engine="reference")
    listed = [row.name for row in model.schedule()]
    assert {"convolution", "relu", "relu adjoint"} <= set(listed)
    assert str(model.schedule(after="fuse losses")) == str(model.schedule())


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


def test_a_length_is_refused_where_nothing_takes_it():
    """Sequences come next; requests have room for them, and programs are kept by requests."""
    assert len({Request(), Request(length=5), Request(length=6), Request(length=5)}) == 3
    model = network("narrow")
    with pytest.raises(ThalwegError, match="no layer takes sequences of 5 elements yet: leave the length out"):
        model.lower(Request(length=5))
    assert model.lower(Request()) is model.lower(Request())
