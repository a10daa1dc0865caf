"""Who is compared. Each peer does the same work on the same weights and batches, in its own best way.

A peer's module has `variants(work)`: the ways in which it can do a workload, by name; empty if it can't.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import thalweg
from benchmarks.peers.base import Runner
from benchmarks.workloads import Workload

Variants = dict[str, Callable[[Workload], Runner]]


@dataclass(frozen=True)
class Peer:
    module: str  # here
    package: str
    needs: tuple[str, ...]
    imports: str  # the statement that is timed as `import`


BEFORE = "thalweg before"  # another version of it, with --before
ON_JAX, JAX_IMAGES = "thalweg, engine='jax'", "JAX, images too"  # with --jax
SELDOM = (BEFORE, ON_JAX, JAX_IMAGES)
PEERS = {
    "thalweg": Peer("ours", "thalweg", ("thalweg",), "from thalweg import *"),
    BEFORE: Peer("ours", "thalweg", ("thalweg",), "from thalweg import *"),
    "PyTorch": Peer("pytorch", "torch", ("torch",), "import torch"),
    "Keras on JAX": Peer("keras_jax", "keras", ("keras", "jax"), "import keras"),
    "JAX": Peer("jax_scan", "jax", ("jax",), "import jax"),
    ON_JAX: Peer("our_jax", "jax", ("thalweg", "jax"), "import jax"),
    JAX_IMAGES: Peer("jax_images", "jax", ("jax",), "import jax"),
    "scikit-learn": Peer("scikit", "scikit-learn", ("sklearn",), "import sklearn.neural_network"),
}


def present(names: list[str] | None = None) -> list[str]:
    """The peers that are installed; prints the missing ones."""
    wanted = [name for name in PEERS if name not in SELDOM] if names is None else names
    absent = [n for n in wanted if not all(importlib.util.find_spec(m) for m in PEERS[n].needs)]
    if absent:
        print(f"not installed and left out: {', '.join(absent)}; pip install 'thalweg[bench]'")
    return [n for n in wanted if n not in absent]


def variants(peer: str, work: Workload) -> Variants:
    module = importlib.import_module(f"{__name__}.{PEERS[peer].module}")
    result: Variants = module.variants(work)
    return result


def versions(names: list[str]) -> str:
    """The versions compared, without the suffixes of local builds."""
    found = [
        f"{PEERS[n].package} {version(PEERS[n].package).partition('+')[0]}"
        for n in names
        if n not in ("thalweg", BEFORE)
    ]
    return ", ".join([f"thalweg {thalweg.__version__}", *found])
