"""Populations: many networks trained on the same data at once, one per lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from importlib import import_module
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from numpy.typing import ArrayLike

from thalweg.callbacks import History, LambdaCallback
from thalweg.engine.lanes import cores, startable
from thalweg.errors import ArgumentError, DivergedError
from thalweg.models.cloning import take_over
from thalweg.support.checks import whole
from thalweg.support.extras import need
from thalweg.support.once import once

if TYPE_CHECKING:
    from thalweg.models.sequential import Sequential

T = TypeVar("T")


def awaited(future: Future[Any]) -> Any:
    """A future's result, in short waits: a Ctrl-C just before one is noticed only when it is over."""
    while not future.done():
        wait([future], timeout=0.1)
    return future.result()


def side_by_side(trainings: Sequence[Callable[[], T]], at_once: int, stop: Callable[[], None]) -> list[T]:
    """The results of trainings, in their order, so many of them at a time, each in a thread.

    If one fails, or on Ctrl-C, no other begins, `stop` is called, which has to end those that run, and the error is
    raised.
    """
    at_once = startable(min(at_once, len(trainings)))
    if not at_once:
        return [train() for train in trainings]
    with ThreadPoolExecutor(at_once, "thalweg-fit") as pool:
        try:
            futures = [pool.submit(train) for train in trainings]
            return [awaited(future) for future in futures]
        except BaseException:
            stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@once
def _libraries() -> Any:
    """Those with threads that scikit-learn computes with: to look for them takes milliseconds."""
    from threadpoolctl import ThreadpoolController

    for name in ("ensemble", "linear_model"):
        import_module(f"sklearn.{name}")
    return ThreadpoolController()


def one_thread(kind: Literal["blas", "openmp"] | None = None) -> Any:
    """Within it, scikit-learn uses one thread: several wait for one another by spinning, which a busy machine
    punishes."""
    return _libraries().limit(limits=1, user_api=kind)


@overload
def fit_many(
    models: Sequence[Sequential],
    x: ArrayLike,
    y: ArrayLike,
    *,
    lanes: int | None = None,
    n_jobs: int | None = None,
    return_errors: Literal[False] = False,
    ended: Callable[[], None] | None = None,
    **arguments: Any,
) -> list[History]: ...
@overload
def fit_many(
    models: Sequence[Sequential],
    x: ArrayLike,
    y: ArrayLike,
    *,
    lanes: int | None = None,
    n_jobs: int | None = None,
    return_errors: Literal[True],
    ended: Callable[[], None] | None = None,
    **arguments: Any,
) -> list[History | DivergedError]: ...
def fit_many(
    models: Sequence[Sequential],
    x: ArrayLike,
    y: ArrayLike,
    *,
    lanes: int | None = None,
    n_jobs: int | None = None,
    return_errors: bool = False,
    ended: Callable[[], None] | None = None,
    **arguments: Any,
) -> list[History] | list[History | DivergedError]:
    """Trains independent models on the same data at once; each result has the bits of its own `fit` with one lane.

    Args:
        models: compiled models; they may differ in everything.
        x, y: as in `Sequential.fit`.
        lanes: how many are trained at a time, in threads; by default as many as there are cores.
        n_jobs: trains them through joblib instead, so many at a time, -1 as many as there are workers: in processes of
            this machine, or where `joblib.parallel_config(backend=…)` says, such as "dask" or "ray". Threads share the
            data, begin at once and are as fast; this is for other machines. The bits are the same.
        return_errors: a training that diverges returns its DivergedError in place of a history, and the others go on.
        ended: called after each training, one call at a time: in its thread, or when joblib brings its result.
        arguments: further arguments of `Sequential.fit`, the same for all, but no callbacks: they can't be shared.

    Returns:
        the histories, in the order of the models.

    Raises:
        the error of the first model that fails, or KeyboardInterrupt, after the others have been stopped; with n_jobs,
            those of models that fail after the others have ended.

    >>> import thalweg
    >>> def make(seed):
    ...     model = thalweg.Sequential([thalweg.Input((1,)), thalweg.layers.Dense(1)], seed=seed)
    ...     model.compile("sgd", "mse")
    ...     return model
    >>> histories = fit_many([make(0), make(1), make(2)], [[0.0], [1.0]], [1.0, 3.0], epochs=3000)
    >>> [round(history.history["loss"][-1], 3) for history in histories]
    [0.0, 0.0, 0.0]
    """
    if arguments.get("callbacks"):
        raise ArgumentError("fit_many takes no callbacks: one callback can't follow several models")
    if not isinstance(models, (list, tuple)):
        raise ArgumentError(f"fit_many takes a list of models, got {models!r}")
    if len({id(model) for model in models}) < len(models):
        raise ArgumentError("fit_many got the same model twice")
    arguments = {"verbose": 0, **arguments}
    if arguments["verbose"] not in (0, "auto"):
        raise ArgumentError("fit_many shows no progress: leave verbose at 0")
    if n_jobs is not None:
        if lanes is not None:
            raise ArgumentError("lanes are threads of this process, n_jobs goes through joblib: give one of them")
        return through_joblib(models, x, y, n_jobs, return_errors, ended, arguments)
    one_by_one, stopped = Lock(), Event()

    def train(model: Sequential) -> Any:
        def begin(logs: Any) -> None:
            if stopped.is_set():  # a fit resets the flag when it begins
                model.stop_training = True

        try:
            return model.fit(x, y, lanes=1, **{**arguments, "callbacks": [LambdaCallback(on_train_begin=begin)]})
        except DivergedError as error:
            if not return_errors:
                raise
            return error
        finally:
            if ended is not None:
                with one_by_one:
                    ended()

    def stop() -> None:
        stopped.set()
        for model in models:
            model.stop_training = True

    at_once = cores() if lanes is None else whole("lanes", lanes)
    return side_by_side([partial(train, model) for model in models], at_once, stop)


def through_joblib(
    models: Sequence[Sequential],
    x: ArrayLike,
    y: ArrayLike,
    n_jobs: int,
    return_errors: bool,
    ended: Callable[[], None] | None,
    arguments: dict[str, Any],
) -> list[Any]:
    """What `fit_many` does, on joblib's workers: copies of the models are trained there, and their state comes back."""
    need("joblib", "", "n_jobs")
    from joblib import Parallel, delayed

    if isinstance(n_jobs, bool) or not isinstance(n_jobs, int) or n_jobs == 0:
        raise ArgumentError(f"n_jobs has to be a whole number of workers, or -1 for all, got {n_jobs!r}")
    workers = Parallel(n_jobs=n_jobs)
    if getattr(workers._backend, "supports_return_generator", False):  # then `ended` is called meanwhile
        workers = Parallel(n_jobs=n_jobs, return_as="generator")
    ends: list[Any] = []
    for model, (trained, end, recording) in zip(
        models, workers(delayed(train_copy)(model, x, y, arguments) for model in models), strict=True
    ):
        take_over(model, trained, x)
        model.recording = recording
        ends.append(model.history if end is None else end)
        if ended is not None:
            ended()
    failed = next((end for end in ends if isinstance(end, DivergedError)), None)
    if failed is not None and not return_errors:
        raise failed
    return ends


def train_copy(model: Sequential, x: ArrayLike, y: ArrayLike, arguments: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Trains a model on a worker: it, the error if it diverged, and what was recorded, which pickling leaves out."""
    error = None
    try:
        model.fit(x, y, lanes=1, **arguments)
    except DivergedError as diverged:
        error = diverged
    return model, error, model.recording
