"""Takes the conditions of the native engine's passes away in turn; prints those that nothing notices.

Each is tried in a process of its own: a kernel that is given what it can't take may write anywhere.

    python tests/tables/native_pass_damage.py winograd
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
from networks import NETWORKS, network
from pass_checks import PASSES, ROWS, computed
from pass_damage import damaged

from thalweg import Input, Model, Sequential, ops
from thalweg.engine.native.kernels.names import name_of
from thalweg.engine.native.passes import input_split
from thalweg.engine.native.runtime.executor import NativeExecutor
from thalweg.engine.reference import ReferenceExecutor
from thalweg.layers import Add, Dense, Flatten
from thalweg.optimizers import SGD
from thalweg.program.passes.draft import Pass, Request
from thalweg.program.plain import PLAIN

IMAGES = ("channels", "convolutions", "images", "pooled", "norms", "windows")
COLUMNS = [n for n in NETWORKS if n.startswith(("narrow", "joined", "operations", "inputs", "columns", "one", "few"))]


# Without these a pass does more than it should, or less, and the numbers stay what they are.
PAYS = {
    "input_split": [
        "first_layer: isinstance(i, Affine)",  # other kinds are counted as readers all the same
        "first_layer: isinstance(i, WeightGradient)",
        "first_layer: wide_gradient(i)",  # shared_gradients asks again
        "splits: request.trains",  # for what doesn't train it is never asked
        "splits: request.visible",
        "splits: layer.affine.W.shape[0] > MANY * batch",  # speed
        "splits: bool(shared_gradients(schedule_of(program), batch, lanes))",  # memory
    ],
    "winograd": [
        "plan: inputs + outputs > MOST_CHANNELS",  # speed
        "plan: all((0 <= n < r for n in window.before))",  # no layer pads so much
        "plan: i",  # an image smaller than a tile is left to direct computation by its cost
        "plan: j",
        "replaced: way is None",
    ],
    "image_columns": [
        "batches_by_columns: 1 < x.size <= NARROW",  # speed
        "batches_by_columns: readers",  # what nobody reads may have any layout
        "takes_columns: i.W.shape[1] <= MOST_UNITS",
        "takes_columns: i.dW.shape[1] <= MOST_UNITS",
        "images_of: b.per_row",  # what isn't per row has other axes than an image
        "images_of: b.region == WORKSPACE",
        "fits: i.per_row",
        "fits: any((len(b.shape) != 3 for b in images_of(i)))",  # a group without a product never pays
        "fits: isinstance(i, Activation | ElementwiseAdjoint)",
        "fits: i.parameters",  # its gradient's images would have to be moved, which never pays
        "fits: narrow",  # speed
        "fits: planned(i) is None",
        "filled: width % g == 0",
        "groups_of: all((writers.count(b) == 1 for b in images_of(i)))",  # the verifier asks again
        "groups_of: images.isdisjoint(images_of(i))",
        "crossing: b is not None",
        "images_by_columns: pays(group, both)",  # speed
    ],
}


def wide() -> Iterator[Model]:
    """First layers whose inputs lanes share, and some like them whose inputs they can't."""
    yield Sequential([Input((900,)), Dense(48, "relu"), Dense(3)], seed=2)
    yield Sequential([Input((30, 30)), Flatten(), Dense(48, use_bias=False), Dense(3)], seed=2)
    yield Sequential([Input((2, 900)), Dense(48), Flatten(), Dense(3)], seed=2)
    yield Sequential([Input((900,)), Dense(3)], seed=2)
    x = Input((900,))
    yield Model(x, Add()([Dense(48)(x), Dense(48, "tanh")(x)]), seed=2)
    yield Model(x, Add()([Dense(3)(Dense(48)(x)), Dense(3, use_bias=False)(x)]), seed=2)
    yield Model(x, Add()([Dense(48)(x), Dense(48)(ops.tanh(x))]), seed=2)
    frozen = [Dense(48, trainable=False), Dense(48, trainable=False)]
    yield Model(x, Dense(3)(Add()([f(x) for f in frozen])), seed=2)


def built(model: Model) -> Model:
    model.compile(SGD(0.1, momentum=0.9), "mse")
    model.build()
    model._compiled.prepare_slots()
    return model


def chosen(model: Model, module: ModuleType, passes: tuple[Pass, ...], lanes: int) -> tuple[Pass, ...]:
    """With the pass that splits inputs only where the module says that it pays."""
    alone = tuple(p for p in passes if p.name != "split inputs")
    if lanes == 1:
        return alone
    plain = model._compiled._lower(Request("training", ROWS), None, alone)[0]
    splits: Callable[..., bool] = getattr(module, "splits", input_split.splits)
    return passes if splits(plain, Request("training", ROWS, lanes)) else alone


def listing(model: Model, passes: tuple[Pass, ...], lanes: int) -> list[Any]:
    program, _ = model._compiled._lower(Request("training", ROWS, lanes), None, passes)
    return [(i.title, name_of(i), i.formula, i.sizes) for i in program]


def noticed(models: list[Model], module: ModuleType, passes: tuple[Pass, ...], lanes: int) -> bool:
    """Whether the verifier refuses the result, there is no kernel for it, or the numbers are others."""
    for model in models:
        usual = listing(model, chosen(model, input_split, PASSES, lanes), lanes)
        right = computed(model, ReferenceExecutor, np.float64, "training", PLAIN)
        try:
            own = chosen(model, module, passes, lanes)
            if listing(model, own, lanes) != usual:
                found = computed(model, NativeExecutor, np.float32, "training", own, None, lanes)
                for value, expected in zip(found, right, strict=True):
                    np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
        except Exception:
            return True
    return False


def main(name: str) -> int:
    """Prints what isn't noticed; returns 1 if it isn't what `PAYS` says."""
    unnoticed = []
    module = importlib.import_module(f"thalweg.engine.native.passes.{name}")
    lanes = 2 if module is input_split else 1
    models = (
        [built(m) for m in wide()]
        if lanes == 2
        else [network(n) for n in NETWORKS if n in COLUMNS or any(word in n for word in IMAGES)]
    )
    for damage, other in damaged(module):
        passes = tuple(replace(p, rewrite=vars(other).get(p.rewrite.__name__, p.rewrite)) for p in PASSES)
        child = os.fork()
        if not child:
            signal.alarm(120)  # it may never end
            os._exit(noticed(models, other, passes, lanes))
        if os.waitpid(child, 0)[1] == 0:
            print(damage, flush=True)
            unnoticed.append(damage)
    return int(unnoticed != PAYS[name])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
