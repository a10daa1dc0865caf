"""engine="jax": instructions, networks and whole trainings are those of the reference engine."""

import functools
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import amounts
import numpy as np
import pytest
import random_networks
from conformance import EVERY
from harness import Case, Shape, execute
from jax_trainings import NETWORKS, trained
from pass_checks import check_every_pass

from thalweg import Input, Sequential, engine, layers
from thalweg.activations import custom, formula
from thalweg.batches import on_disk
from thalweg.batches.ordering import Ordering, Taken
from thalweg.data import OnDisk
from thalweg.engine.contract import Chunk
from thalweg.engine.jax import use_devices
from thalweg.errors import ArgumentError, DivergedError, MissingPackageError, ThalwegError
from thalweg.optimizers import SGD
from thalweg.program.ir.instruction import DATA, WORKSPACE, Constant
from thalweg.program.ir.program import Program
from thalweg.program.plain import PLAIN
from thalweg.support import extras

jax = pytest.importorskip("jax", exc_type=ImportError)
from thalweg.engine.jax import chunks, devices, loop  # noqa: E402
from thalweg.engine.jax.pieces import Layout  # noqa: E402
from thalweg.engine.jax.traced_step import TracedStep  # noqa: E402

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SHAPE = Shape(rows=4, width=6, units=2, flags=255, seed=5)  # every option
OF_NUMPY = ("custom", "custom_adjoint")  # the user's own Python function, which is called number by number
PLAIN_ROWS = [
    name
    for name, build in EVERY.items()
    if name not in OF_NUMPY and type(Case(build, SHAPE).instruction).__module__.startswith("thalweg.program.")
]
TOLERANCE = 1e-9  # in float64: of sums in another order


@pytest.fixture
def quick(monkeypatch):
    """Loops compiled without the optimizations, which would take most of the time of a test."""
    options = {"xla_backend_optimization_level": 0}
    monkeypatch.setattr(loop.jax, "jit", functools.partial(jax.jit, compiler_options=options))


class Platform(devices.Devices):
    """This computer's devices, by another name: XLA's forms are those for GPUs."""

    platform = "gpu"


def kept(case, platform):
    """What a step keeps of an instruction's results, by the buffers that it writes."""
    i, m = case.instruction, case.memory(np.float64)
    flat, data, arrays = {}, {}, {}
    for b in dict.fromkeys(b.storage for b in i.operands if b is not None and not isinstance(b, Constant)):
        if b.region == DATA:
            data[b.name] = m[b]
        elif b.region == WORKSPACE:
            arrays[b] = m[b]
        else:
            b.offset = sum(a.size for a in flat.setdefault(b.region, []))
            flat[b.region].append(m[b].reshape(-1))
    with devices.double():
        vectors = {region: jax.numpy.concatenate(parts) for region, parts in flat.items()}
        layout = Layout(Program([i]), {region: v.size for region, v in vectors.items()})
        pieces = {region: layout.cut(region, v) for region, v in vectors.items()}
        step = TracedStep(layout, pieces, jax.device_put(data), m.step, np.float64, platform)
        step.arrays = {b: jax.numpy.asarray(values) for b, values in arrays.items()}
        step.execute([i])
        return [np.asarray(step[b]) for b in i.outputs]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # what isn't finite is compared, too
@pytest.mark.parametrize("name", PLAIN_ROWS)
def test_a_step_keeps_what_the_reference_says(name):
    case = Case(EVERY[name], SHAPE)
    m = case.memory(np.float64)
    m.accumulate = False
    for constant in [b for b in m if isinstance(b, Constant)]:
        del m[constant]  # rounded there
    execute(case.instruction, m)
    for b, got in zip(case.instruction.outputs, kept(case, Platform(devices.chosen().mesh)), strict=True):
        field = next((f for f, other in case.outputs().items() if other is b), "")
        size = case.magnitudes[field](m) if field in case.magnitudes else np.abs(m[b])
        bad = ~((got == m[b]) | (np.isnan(got) & np.isnan(m[b])) | (abs(got - m[b]) <= 1e-10 * size + 1e-13))
        assert not bad.any(), f"{name}: {b} is {got[bad][0]}, by NumPy {m[b][bad][0]}"


@pytest.mark.parametrize("seed", range(amounts.examples(100)))
def test_random_networks(seed, monkeypatch, quick):
    cube = formula("x * x * x / (1 + x * x)")
    monkeypatch.setattr(random_networks, "custom", lambda *functions: cube)  # a function of Python's isn't JAX's
    model, of_outputs = random_networks.random_network(seed)
    model.compile(SGD(0.05), of_outputs if len(of_outputs) > 1 else of_outputs[0])
    model.build()
    model._compiled.prepare_slots()
    check_every_pass(model, "training", chunks.JaxExecutor, np.float64, 1e-7, passes=PLAIN, last=True)


@pytest.mark.parametrize("name", NETWORKS)
def test_twenty_steps(name, quick):
    """Weights, the optimizer's vectors, scores and predictions in float64."""
    want, got = (trained(name, engine=engine, dtype="float64") for engine in ("reference", "jax"))
    for what, right in want.items():
        np.testing.assert_allclose(got[what], right, TOLERANCE, 1e-10, err_msg=f"{name}: {what}")


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("dense", 1e-6), ("convnet by SGD", 1e-6), ("convnet", 1e-3)],
)
def test_twenty_steps_in_float32(name, tolerance, quick):
    """The larger difference is Adam's: where a gradient is nearly 0, its step is as large as any, and its sign is that
    of a rounding error. In float64 the same network differs by 1e-9 at most, and by SGD as little as the others."""
    want, got = (trained(name, engine=engine) for engine in ("reference", "jax"))
    assert got["weights"].dtype == np.float32
    assert np.abs(got["weights"] - want["weights"]).max() <= tolerance
    np.testing.assert_allclose(got["loss"], want["loss"], rtol=1e-4)


# --- the contract -----------------------------------------------------------------------------------------------------


def job_of(engine_name, rows=19, batch=8, **options):
    random = np.random.default_rng(0)
    stack = [layers.Dense(6, "tanh", kernel_regularizer="l2"), layers.Dropout(0.2), layers.Dense(3, "softmax")]
    model = Sequential([Input((4,)), *stack], seed=1, engine=engine_name, dtype="float64")
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    x, y = random.normal(size=(rows, 4)), random.integers(0, 3, rows)
    compiled = model._compiled
    compiled.ready(x)
    job = compiled.training_job(compiled.data(x, y, random.uniform(size=rows)), batch, None, True)
    vars(job).update(options)
    return job


@pytest.mark.parametrize(("rows", "batch"), [(19, 8), (16, 8), (5, 8)], ids=["ragged", "even", "one batch"])
def test_chunks_records_losses_and_watched_gradients(rows, batch, quick):
    """However the steps are cut into chunks, over epochs and within them."""
    found = []
    for name in ("reference", "jax"):
        job = job_of(name, rows, batch, by_step=True)
        executor, done, results = engine.make_executor(name, job), 0, []
        for steps in (1, 5, 2, 4):
            epoch, at = divmod(done, job.steps_per_epoch)
            rates, penalties = np.linspace(0.01, 0.02, steps), np.linspace(1, 2, steps)
            outcome = executor.run(Chunk(epoch, at, steps, done, rates, penalties, watched=True))
            assert outcome.steps == steps
            assert outcome.finite
            results += [outcome.records.ravel(), outcome.totals, outcome.losses.ravel(), executor.gradient().copy()]
            done += steps
        found.append(np.concatenate([*results, job.parameters, job.slots]))
    np.testing.assert_allclose(found[1], found[0], TOLERANCE, 1e-11)


def test_a_job_with_other_data_is_taken(quick):
    job, other = job_of("jax"), job_of("jax")
    other.program, other.data["Y"] = job.program, job.data["Y"].copy()
    executor = chunks.JaxExecutor(job)
    executor.run(Chunk(0, 0, 3, 0, np.full(3, 0.01)))
    assert executor.rebind(other)
    executor.run(Chunk(0, 0, 3, 0, np.full(3, 0.01)))
    np.testing.assert_array_equal(other.parameters, job.parameters)
    assert not executor.rebind(job_of("jax"))


class Given(Ordering):
    def epoch(self, number):
        random = np.random.default_rng(number)
        return Taken(random.permutation(19), random.uniform(size=19), random.uniform(size=3))


def fitted(name, **how):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(19, 4)), random.normal(size=(19, 2))
    model = Sequential([Input((4,)), layers.Dense(3, "tanh", kernel_regularizer="l2"), layers.Dense(2)], seed=0,
                       engine=name, dtype="float64")  # fmt: skip
    model.compile("adam", "mse")
    if how.pop("stream", False):
        epoch = [(x[k : k + 8], y[k : k + 8]) for k in range(0, 19, 8)]
        history = model.fit((batch for _ in range(3) for batch in epoch), epochs=3, steps_per_epoch=3, verbose=0)
    elif how.pop("windows", False):
        source = OnDisk(x, y, batch_size=4)
        assert len(list(source.shuffled(0, 0))) > 2
        history = model.fit(source, epochs=3, verbose=0)
    else:
        history = model.fit(x, y, 8, epochs=3, verbose=0, **how)
    loss = model.train_on_batch(x[:5], y[:5])
    return np.concatenate([model.vector, history.history["loss"], [loss]])


@pytest.mark.parametrize(
    "how",
    [
        {"stream": True},
        {"windows": True},
        {"shuffle": Given(), "sample_weight": np.ones(19)},
        {"validation_split": 0.2},
    ],
    ids=["stream", "windows", "order", "validation"],  # an object's text isn't the same in two processes
)
def test_streams_orders_and_validation(how, quick, monkeypatch):
    monkeypatch.setattr(on_disk, "WINDOW_BYTES", 300)
    np.testing.assert_allclose(fitted("jax", **how), fitted("reference", **how), TOLERANCE, 1e-11)


@pytest.mark.parametrize("rate", [1e30, 1e200])
def test_what_is_not_finite_is_named(rate, quick):
    """The same instruction, epoch and batch, and the weights of the last step that was fine."""

    def stopped(name):
        random = np.random.default_rng(0)
        model = Sequential([Input((4,)), layers.Dense(8, "relu"), layers.Dense(1)], seed=0, engine=name)
        model.compile(SGD(rate), "mse")
        with pytest.raises(DivergedError) as error:
            model.fit(random.normal(size=(40, 4)), random.normal(size=40), 8, epochs=3, verbose=0)
        return str(error.value), model.vector.copy(), model.optimizer.iterations

    (said, weights, steps), (wanted, right, count) = map(stopped, ("jax", "reference"))
    assert said == wanted
    assert "the first value that is not finite is" in said
    assert steps == count
    np.testing.assert_allclose(weights, right, 1e-5)


def test_predictions_of_many_sizes_share_what_is_compiled(quick):
    models = [
        Sequential([Input((4,)), layers.Dense(5, "tanh"), layers.Dense(3, "softmax")], seed=0, engine=name)
        for name in ("jax", "reference")
    ]
    x = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
    for rows in (1, 97, 99, 100, 112, 120):
        for batch in (None, 50):
            got, want = (model.predict(x[:rows], batch, verbose=0) for model in models)
            np.testing.assert_allclose(got, want, 1e-5)
    made = [found[0] for found in models[0]._compiled._programs.values() if isinstance(found, tuple)]
    (program,) = [one for one in made if "jax" in one.kept]
    (only,) = program.kept["jax"].values()
    assert only.run._cache_size() == 8  # rows of the data and of a batch: 1 1, 112 112, 112 56, 120 120 …


def test_some_devices_may_be_chosen():
    with pytest.raises(ArgumentError, match=r"a jax.sharding.Mesh or some of jax.devices\(\), got 'cpu'"):
        use_devices("cpu")
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]).reshape(1, 1), ("a", "b"))
    try:
        use_devices(mesh)
        assert devices.chosen().mesh is mesh
        use_devices(jax.devices()[:1])
        assert devices.chosen().mesh.axis_names == ("rows",)
    finally:
        use_devices()
    assert devices.chosen().mesh.size == len(jax.devices())


# --- what it refuses --------------------------------------------------------------------------------------------------


def test_without_jax_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda package: None)
    for asked in (lambda: Sequential([Input((1,)), layers.Dense(1)], engine="jax"), use_devices):
        with pytest.raises(MissingPackageError, match=re.escape("engine='jax' needs jax: pip install 'thalweg[jax]'")):
            asked()


def test_what_it_cannot_do_it_says():
    model = Sequential(
        [Input((2,)), layers.Dense(1, custom("cube", random_networks.cube, random_networks.slope_of_cube))],
        engine="jax",
    )
    with pytest.raises(ThalwegError, match="cube is a function of Python's, which JAX can't trace: write a formula"):
        model.predict(np.ones((1, 2)), verbose=0)
    model = Sequential([Input((2,)), layers.Dense(1)], engine="jax")
    model.compile("sgd", "mse")
    with pytest.raises(ThalwegError, match="no instruction has a time of its own"):
        model.profile(repeats=1)
    with pytest.raises(ArgumentError, match="the jax engine runs on one lane, not 2"):
        model.fit(np.ones((4, 2)), np.ones(4), verbose=0, lanes=2)


def test_several_processes_take_chunks_of_one_length(monkeypatch, quick):
    """Whatever their clocks say; and so they record nothing."""
    monkeypatch.setattr(devices, "steps_together", lambda: 3)
    lengths, run = [], chunks.JaxExecutor.run
    monkeypatch.setattr(chunks.JaxExecutor, "run", lambda self, c: (lengths.append(c.steps), run(self, c))[1])
    model = Sequential([Input((2,)), layers.Dense(1)], engine="jax")
    model.compile("sgd", "mse")
    model.fit(np.ones((10, 2)), np.ones(10), 1, epochs=2, verbose=0)
    assert lengths == [3] * 6 + [2]
    with pytest.raises(ArgumentError, match="several train: leave out record"):
        model.fit(np.ones((10, 2)), np.ones(10), verbose=0, record=True)


# --- several devices, several processes -------------------------------------------------------------------------------


def run(*arguments, flags=""):
    """A process that trains as `jax_trainings.py` says."""
    here = {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE.parent / "tables")]),
        "XLA_FLAGS": f"{flags} --xla_backend_optimization_level=0",
        "JAX_PLATFORMS": "cpu",
    }
    command = [sys.executable, str(HERE.parent / "tables" / "jax_trainings.py"), *map(str, arguments)]
    how = {"env": os.environ | here, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **how)


def ended(*processes):
    """What they say."""
    try:
        for process in processes:
            out, errors = process.communicate(timeout=500)
            assert process.returncode == 0, errors
            yield [line for line in out.splitlines() if "Gloo" not in line]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_four_devices_equal_one():
    assert list(ended(run("devices", flags="--xla_force_host_platform_device_count=4"))) == [["equal", "divided"]]


def test_two_processes_equal_one():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    assert list(ended(*(run("process", number, port) for number in range(2)))) == [["equal", "refused"]] * 2
