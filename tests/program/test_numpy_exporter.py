"""The JSON of a program is enough to compute it: a Python file written from it alone gives what the references give."""

import json
import subprocess
import sys

import numpy as np
import numpy_exporter
import pytest
from conformance import EVERY, SHAPES
from harness import Case, execute
from networks import NETWORKS, network
from numpy_table import LOSSES, OF_CLASSES, TABLE
from pass_checks import ROWS as BATCH
from pass_checks import ran

from thalweg import Input, Sequential, ops
from thalweg.engine.contract import Chunk
from thalweg.engine.reference import ReferenceExecutor
from thalweg.layers import BatchNormalization, Dense, Layer
from thalweg.losses import CenterLoss
from thalweg.optimizers import SGD, Adam
from thalweg.program.instructions.custom_activation import CustomActivation
from thalweg.program.interchange.operation_names import operations
from thalweg.program.interchange.writing import Writer, to_json
from thalweg.program.ir.instruction import REGIONS
from thalweg.program.passes.draft import KINDS, Request
from thalweg.program.plain import PLAIN

with np.errstate():  # the head changes it for good, as its file is a program's own
    import numpy_runtime

WRITTEN = [name for name in NETWORKS if name != "own output"]  # which has a Python function in it
CLIPPING = [Adam(global_clipnorm=0.1), Adam(clipnorm=0.1), Adam(clipvalue=1e-3, weight_decay=0.01, use_ema=True)]


def can_be_written(i):
    """Whether it isn't a native form, nor holds a Python function."""
    return type(i) in operations().values() and not isinstance(getattr(i, "of", i), CustomActivation)


def run_of(document):
    """The function of the written file, of which the head is always the same."""
    names = dict(vars(numpy_runtime))
    exec(compile(numpy_exporter.run(json.loads(json.dumps(document))), "exported", "exec"), names)
    return np.errstate(all="ignore")(names["run"])


def close(found, wanted, what=""):
    np.testing.assert_allclose(found, wanted, 1e-9, 1e-9, err_msg=what)


def check(model, request):
    """One step of the file beside one of the reference engine, in float64."""
    program, totals = model._compiled._lower(request, None, PLAIN)
    before = model._compiled.slots.copy()
    job, sums = ran(model, ReferenceExecutor, np.float64, program, totals, 1, request.of_bytes)
    data = {name: array.copy() for name, array in job.data.items()}
    for name in data:
        if name.startswith("Y_pred"):
            data[name][...] = 0
    parameters, slots = model.vector.astype(np.float64), np.zeros(len(before))
    found = run_of(to_json(program))(data, parameters, slots, np.arange(BATCH), learning_rate=0.1)
    close(parameters, job.parameters)
    close(slots, job.slots)
    close(found["totals"], sums[: len(found["totals"])])
    for name, array in job.data.items():
        close(data[name], array, name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", WRITTEN)
def test_a_written_file_computes_a_network(name, kind):
    check(network(name), Request(kind))


class Reshaped(Layer):
    """x·W for W as it lies under another shape."""

    def build(self, shape):
        self.w = self.add_weight((2, 2 * shape[-1]), "glorot_uniform", name="w")

    def call(self, x):
        return ops.matmul(x, ops.reshape(self.w, (x.shape[-1], 4)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_of_weights_comes_before_what_reads_it(kind):
    model = Sequential([Input((6,)), Reshaped(), Dense(2)], seed=1)
    model.compile(SGD(0.1), "mse")
    model.build()
    model._compiled.prepare_slots()
    check(model, Request(kind))


@pytest.mark.parametrize("optimizer", [SGD(0.1, momentum=0.9), Adam(0.1, gradient_accumulation_steps=3)])
def test_several_steps(optimizer):
    """Updates are counted apart from steps, and happen in some of them alone."""
    model = Sequential([Input((5,)), Dense(3, "tanh"), Dense(2)], seed=1, engine="reference", dtype="float64")
    model.compile(optimizer, "mse")
    model.build()
    model._compiled.prepare_slots()
    x, y = np.random.default_rng(0).normal(size=(8, 5)), np.random.default_rng(1).normal(size=(8, 2))
    job = model._compiled.job("training", {"X": x, "Y": y}, 8)
    run, every = run_of(to_json(job.program)), job.program.every
    parameters, slots = job.parameters.copy(), job.slots.copy()
    ReferenceExecutor(job).run(Chunk(0, 0, 7, 0, np.full(7, 0.1)))
    for step in range(7):
        given = {"iteration": step + 1, "update": step // every + 1, "learning_rate": 0.1}
        run({"X": x, "Y": y}, parameters, slots, np.arange(8), **given)
    close(parameters, job.parameters)
    close(slots, job.slots)


@pytest.mark.parametrize("name", ["few channels", "narrow", "two losses"])
def test_with_weights_and_bytes(name):
    check(network(name), Request("training", weighted=True, of_bytes=True))


@pytest.mark.parametrize("optimizer", CLIPPING)
def test_with_what_is_done_to_gradients(optimizer):
    layers = [Dense(4, "tanh", kernel_regularizer="l1_l2"), BatchNormalization(), Dense(3, "softmax")]
    model = Sequential([Input((5,)), *layers], seed=1)
    model.compile(optimizer, "categorical_crossentropy", ["accuracy", "auc"])
    model.build()
    model._compiled.prepare_slots()
    check(model, Request("training", weighted=True))


def test_with_centres():
    """They move once everything has been computed with the old ones."""
    model = Sequential([Input((5,)), Dense(4, "tanh"), Dense(3, "softmax")], seed=1)
    model.compile(SGD(0.1), CenterLoss(0.3))
    model.build()
    model._compiled.prepare_slots()
    check(model, Request("training"))


def alone(i, m):
    """A document of one instruction whose values are all given, and the given arrays by number."""
    for b in i.operands:
        if b is not None and b.region not in REGIONS:  # of the native form, which the row builds, too
            b.region = "workspace"
    writer = Writer()
    written = writer.instruction(i)
    values = json.loads(json.dumps(writer.values))
    for value in values:
        if value["region"] != "data":
            value["region"] = "workspace"
            value.pop("offset", None)
    given = {n: m[b].copy() for b, n in writer.numbers.items()}
    document = {"every": 1, "values": values, "forward": [written], "backward": [], "update": []}
    return document, given, writer.numbers


def json_is_enough_to_compute_it(name):
    for shape in SHAPES:
        case = Case(EVERY[name], shape)
        i, m = case.instruction, case.memory(np.float64)
        if not can_be_written(i):
            continue
        m.update({b: b.values for b in i.operands if hasattr(b, "values")})
        document, given, numbers = alone(i, m)
        data = {b.name: given[n] for b, n in numbers.items() if b.region == "data"}
        s = m.step
        step = (s.order, s.batch_rows, s.first_row, s.seed, s.iteration, s.update, s.learning_rate, s.penalties)
        found = run_of(document)(data, np.zeros(0), np.zeros(0), *step, given)
        execute(i, m)
        for b in i.outputs:
            close(found[numbers[b]], m[b], f"{b} of {name} at {shape}")


def test_the_table_has_nothing_else():
    """An operation that states its equation needs no line, and one that is gone has none."""
    lines = {name.split()[0] for name in TABLE} | set(LOSSES) | set(OF_CLASSES)
    made = [Case(build, shape).instruction for build in EVERY.values() for shape in SHAPES]
    unstated = {type(i) for i in made if i.stated is None}
    assert lines == {name for name, kind in operations().items() if kind in unstated} - {
        "custom_activation",  # a Python function
        "elementwise_adjoint",  # stated, unless that of a Python function
        "loss_and_gradient",  # stated, or in the tables of losses
        "table_update",  # stated, for the rows that occur
    }


def test_a_wrong_equation_would_be_noticed():
    document = to_json(network("narrow")._compiled._lower(Request("inference"), None, PLAIN)[0])
    x, parameters = np.ones((2, 5)), network("narrow").vector.astype(np.float64)

    def predicted():
        data = {"X": x, "Y_pred": np.zeros((2, 1))}
        run_of(document)(data, parameters, np.zeros(0), np.arange(2))
        return data["Y_pred"]

    before = predicted()
    for i in document["forward"]:
        if "equation" in i:
            i["equation"]["text"] = i["equation"]["text"].replace("sigmoid", "tanh")
    assert np.abs(predicted() - before).max() > 1e-3


def test_the_file_needs_numpy_alone(tmp_path):
    """In a process of its own, in which thalweg can't be imported."""
    model = network("few channels")
    program, _ = model._compiled._lower(Request("inference"), None, PLAIN)
    x = np.random.default_rng(0).normal(size=(3, 12, 12, 1))
    (tmp_path / "exported.py").write_text(numpy_exporter.exported(to_json(program)), encoding="utf-8")
    np.savez(tmp_path / "given.npz", x=x, parameters=model.vector.astype(np.float64))
    code = """
import sys
sys.modules["thalweg"] = None
import numpy as np
from exported import run
given = np.load("given.npz")
data = {"X": given["x"], "Y_pred": np.zeros((3, 4))}
run(data, given["parameters"], np.zeros(0), np.arange(3))
assert {name.partition(".")[0] for name in sys.modules} & {"scipy", "llvmlite"} == set()
np.save("found.npy", data["Y_pred"])
"""
    subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120, env={"PYTHONPATH": str(tmp_path)}
    )
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), model.predict(x), 1e-4, 1e-5)
