"""The same version, level, lanes and seed give the same bits on every machine: hashes of what networks learn.

They hold for kernels made by one version of LLVM, which same_bits.json names; a wheel's library says which made it.
After a change of kernels that is meant to change bits:
PYTHONPATH=tests/tables python tests/engine/test_same_bits.py, at each level.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from amounts import soaking

from thalweg import Sequential, layers
from thalweg.engine.native.compiler import ready
from thalweg.engine.native.compiler.levels import LEVEL, USABLE

NOTES = Path(__file__).with_name("same_bits.json")
EXPECTED = json.loads(NOTES.read_text(encoding="utf-8"))
ROWS = 96


def networks():
    """Products, convolutions and tables; activations by all means of arithmetic; sums over rows and weights."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(ROWS, 30)).astype(np.float32), np.arange(ROWS) % 3
    dense = [layers.Dense(64, "tanh"), layers.Dropout(0.2), layers.Dense(64, "gelu"), layers.Dense(3, "softmax")]
    yield "dense", dense, "adam", x, y
    images = random.normal(size=(ROWS, 12, 12, 1)).astype(np.float32)
    convolutions = [layers.Conv2D(8, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D()]
    yield "convnet", [*convolutions, layers.Flatten(), layers.Dense(3, "softmax")], "sgd", images, y
    ids = random.integers(0, 50, (ROWS, 6)).astype(np.float32)
    yield "embedding", [layers.Embedding(50, 8), layers.Flatten(), layers.Dense(3, "softmax")], "rmsprop", ids, y


def hashes():
    """The hash of each network's weights and answers after three epochs, on one lane and on two."""
    found = {}
    for name, parts, optimizer, x, y in networks():
        for lanes in (1, 2):
            model = Sequential([layers.Input(x.shape[1:]), *parts], seed=3)
            model.compile(optimizer, "sparse_categorical_crossentropy")
            model.fit(x, y, batch_size=16, epochs=3, verbose=0, lanes=lanes)
            bits = model.vector.tobytes() + model.predict(x, lanes=lanes).tobytes()
            found[f"{name}, {lanes}"] = hashlib.sha256(bits).hexdigest()[:16]
    return found


def made_by():
    """The version of LLVM that made the kernels."""
    found = ready.library()
    if found is not None:
        return list(found.llvm)
    binding = pytest.importorskip("llvmlite.binding", reason="needs thalweg[jit]")
    return list(binding.llvm_version_info)


@pytest.mark.parametrize("level", [level.name for level in USABLE if level.name in EXPECTED["levels"]])
def test_a_level_has_the_same_bits_everywhere(level):
    if made_by() != EXPECTED["llvm"]:
        pytest.skip(f"the kernels are made by LLVM {made_by()}, the hashes are of {EXPECTED['llvm']}")
    if level != LEVEL.name and not soaking() and not (ready.folder_of() / f"{level}.json").exists():
        pytest.skip("kernels of a lower level than this machine's would be compiled: make soak")
    done = subprocess.run(
        [sys.executable, __file__],
        env={**os.environ, "THALWEG_LEVEL": level, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found, expected = json.loads(done.stdout), EXPECTED["levels"][level]
    assert {name: found[name] for name in expected} == expected


def test_networks_lanes_and_levels_have_hashes_of_their_own():
    of_levels = EXPECTED["levels"].values()
    names = {name for hashes in of_levels for name in hashes}
    missing = {(level, name) for level, hashes in EXPECTED["levels"].items() for name in names - {*hashes}}
    assert missing <= {("arm64", "convnet, 2")}  # since few images are divided among lanes, no such machine was at hand
    assert len(names) == 6
    assert len({found for hashes in of_levels for found in hashes.values()}) == 6 * len(of_levels) - len(missing)
    assert len({json.dumps(hashes) for hashes in EXPECTED["levels"].values()}) == len(EXPECTED["levels"])


if __name__ == "__main__":
    print(json.dumps(hashes()))
