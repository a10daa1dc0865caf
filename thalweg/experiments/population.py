"""Populations: many networks trained on the same data at once, one per lane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from numpy.typing import ArrayLike

from thalweg.callbacks import History, LambdaCallback
from thalweg.engine.lanes import cores, startable
from thalweg.errors import ArgumentError, DivergedError
from thalweg.support.checks import whole

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


@overload
def fit_many(
    models: Sequence[Sequential],
    x: ArrayLike,
    y: ArrayLike,
    *,
    lanes: int | None = None,
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
    return_errors: bool = False,
    ended: Callable[[], None] | None = None,
    **arguments: Any,
) -> list[History] | list[History | DivergedError]:
    """Trains independent models on the same data at once; each result has the bits of its own `fit` with one lane.

    Args:
        models: compiled models; they may differ in everything.
        x, y: as in `Sequential.fit`.
        lanes: how many are trained at a time; by default as many as there are cores.
        return_errors: a training that diverges returns its DivergedError in place of a history, and the others go on.
        ended: called after each training, in its thread, one call at a time.
        arguments: further arguments of `Sequential.fit`, the same for all, but no callbacks: they can't be shared.

    Returns:
        the histories, in the order of the models.

    Raises:
        the error of the first model that fails, or KeyboardInterrupt, after the others have been stopped.

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
