"""fit_many through joblib's workers: copies are trained there, and the models end with the bits of threads."""

import joblib
import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

import thalweg
from thalweg.errors import ArgumentError, DivergedError
from thalweg.layers import BatchNormalization, Dense, Dropout

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.fixture(scope="module", autouse=True)
def ended():
    """joblib keeps its processes for a while."""
    yield
    get_reusable_executor().shutdown(wait=True)


def made(seed, rate=0.01):
    layers = [Dense(8, "relu"), Dropout(0.2), BatchNormalization(), Dense(1, "sigmoid")]
    model = thalweg.Sequential(layers, seed=seed)
    model.compile(thalweg.optimizers.Adam(rate), "binary_crossentropy", ["accuracy"])
    return model


def check_same(one, other, folder):
    assert np.array_equal(one.vector, other.vector)
    assert one.history.history == other.history.history
    assert np.array_equal(one.predict(X), other.predict(X))
    for name, model in (("one", one), ("other", other)):
        model.save(folder / name)  # with the optimizer's vectors and counts
    assert (folder / "one").read_bytes() == (folder / "other").read_bytes()


@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
def test_the_bits_are_those_of_threads(backend, tmp_path):
    here, there = [[made(seed) for seed in range(3)] for _ in range(2)]
    ends = []
    for epochs in (2, 1):  # the second time they go on
        thalweg.fit_many(here, X, Y, epochs=epochs, batch_size=32)
        with joblib.parallel_config(backend=backend):
            histories = thalweg.fit_many(
                there, X, Y, n_jobs=2, epochs=epochs, batch_size=32, ended=lambda: ends.append(1)
            )
    assert histories == [model.history for model in there]
    assert len(ends) == 6
    for one, other in zip(here, there, strict=True):
        check_same(one, other, tmp_path)


def test_a_training_that_diverges():
    models = [made(0), made(1, 1e30), made(2)]
    found = thalweg.fit_many(models, X, Y, n_jobs=2, epochs=1, return_errors=True)
    assert [isinstance(end, DivergedError) for end in found] == [False, True, False]
    assert np.isfinite(models[1].vector).all()
    with pytest.raises(DivergedError, match="smaller learning rate"):
        thalweg.fit_many([made(0), made(1, 1e30)], X, Y, n_jobs=2, epochs=1)


def test_what_was_recorded_comes_back():
    (model,) = models = [made(0)]
    thalweg.fit_many(models, X, Y, n_jobs=1, epochs=3, record=True)
    assert model.recording is not None
    assert model.recording.facts["history"]["loss"] == model.history.history["loss"]


@pytest.mark.parametrize("wrong", [{"n_jobs": 0}, {"n_jobs": 1.5}, {"n_jobs": True}, {"n_jobs": 2, "lanes": 2}])
def test_wrong_calls(wrong):
    with pytest.raises(ArgumentError, match="n_jobs"):
        thalweg.fit_many([made(0)], X, Y, **wrong)


def check_workers(backend, folder):
    here, there = [[made(seed) for seed in range(2)] for _ in range(2)]
    thalweg.fit_many(here, X, Y, epochs=2)
    with joblib.parallel_config(backend=backend):
        thalweg.fit_many(there, X, Y, n_jobs=-1, epochs=2)
    for one, other in zip(here, there, strict=True):
        check_same(one, other, folder)


def test_dask_s_workers(tmp_path):
    pytest.importorskip("distributed")
    from distributed import Client

    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None):
        check_workers("dask", tmp_path)


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_ray_s_workers(tmp_path):
    ray = pytest.importorskip("ray", reason="Ray isn't installed")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False)
    try:
        register_ray()
        check_workers("ray", tmp_path)
    finally:
        ray.shutdown()
