"""NumPy and safetensors are enough for networks on arrays; what else a part needs, its error says how to install."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import thalweg

ROOT = Path(thalweg.__file__).parents[1]
COMPILER = {"llvmlite"}
ENOUGH = {"numpy", "safetensors", "thalweg"} | COMPILER
BARE = """
import sys
from importlib.machinery import PathFinder

class Bare:
    'Finds packages as if no others were installed.'

    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target)
        return None if "site-packages" in str(spec) and name.partition(".")[0] not in ENOUGH else spec

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
""".replace("ENOUGH", repr(ENOUGH))
UNCOMPILED = BARE.replace(repr(ENOUGH), repr(ENOUGH - COMPILER))
FOREIGN = """
import json
new = {name: getattr(module, "__file__", None) for name, module in sys.modules.items() if name not in before}
print(json.dumps(sorted({name.partition(".")[0] for name, file in new.items() if "site-packages" in str(file)})))
"""
NETWORK = """
import numpy as np
from thalweg import Input, Model, Sequential, callbacks, initializers, layers, load_model, losses, metrics, models, ops
from thalweg import optimizers, regularizers, schedules

rng = np.random.default_rng(0)
x, y = rng.normal(size=(128, 30)).astype("f"), rng.integers(0, 3, 128)
model = Sequential([
    Input((30,)),
    layers.Dense(64, activation="relu", kernel_initializer=initializers.HeNormal(seed=1)),
    layers.Dropout(0.1),
    layers.Dense(64, activation="gelu", kernel_regularizer=regularizers.L2(1e-4)),
    layers.Dense(3, activation="softmax"),
])
model.compile(
    optimizers.Adam(schedules.CosineDecay(1e-3, 8)),
    losses.SparseCategoricalCrossentropy(),
    metrics=["accuracy", metrics.SparseTopKCategoricalAccuracy(2)],
)
kept = [callbacks.CSVLogger("log.csv"), callbacks.ModelCheckpoint("best.safetensors"), callbacks.EarlyStopping()]
model.fit(x, y, epochs=2, batch_size=32, validation_split=0.25, callbacks=kept)
model.summary()
print(model.program(), model.schedule(), model.evaluate(x, y, verbose=0))
model.save("model.safetensors")
assert (load_model("model.safetensors").predict(x) == model.predict(x)).all()

class Own(layers.Layer):
    def call(self, h):
        return ops.tanh(h) * 2.0

def squared(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1)

start = Input((30,))
branches = [Own()(start), layers.Dense(30)(start)]
functional = Model(start, layers.Dense(1)(layers.Concatenate()(branches)))
functional.compile("sgd", squared)
functional.fit(x, y, epochs=1, verbose=0)
models.clone_model(model).summary()
"""


def ran(code, folder):
    """What a fresh Python prints for the code, run in a folder."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def imported(code, folder):
    """The packages besides Python's own and thalweg that code imports where all are installed."""
    return set(json.loads(ran(f"import sys\nbefore = {{*sys.modules}}\n{code}\n{FOREIGN}", folder).splitlines()[-1]))


def test_importing_takes_numpy_alone(tmp_path):
    assert imported("import thalweg", tmp_path) == set()
    assert imported("from thalweg import Sequential, layers", tmp_path) == {"numpy"}
    assert imported("import safetensors", tmp_path) == {"safetensors"}  # the control


def test_a_network_takes_numpy_and_safetensors(tmp_path):
    ran(NETWORK, tmp_path)  # compiles what isn't ready
    assert {"numpy", "safetensors"} <= imported(NETWORK, tmp_path) <= ENOUGH


def test_a_network_works_where_nothing_else_is_installed(tmp_path):
    assert "epoch 2/2  loss " in ran(BARE + NETWORK, tmp_path)
    ran(f"{UNCOMPILED}\nfrom thalweg import *", tmp_path)
    ran(
        UNCOMPILED + NETWORK.replace("])\nmodel", '], engine="reference")\nmodel').partition("\nclass Own")[0], tmp_path
    )
    with pytest.raises(AssertionError, match="No module named 'rich'"):  # the control
        ran(f"{BARE}\nimport rich", tmp_path)


def test_the_reference_engine_works_without_a_compiler(tmp_path):
    network = NETWORK.partition("\nclass Own")[0].replace("])\nmodel", '], engine="reference")\nmodel')
    assert "epoch 2/2  loss " in ran(f"{UNCOMPILED}\nfrom thalweg import *\n{network}", tmp_path)


BUILT_IN = """
from thalweg import Input, Sequential, activations, layers, losses, optimizers
from thalweg.activations.catalogue import NAMES

threshold = activations.threshold.using(threshold=0.0, default_value=0.0)
for activation in {**NAMES, "threshold": threshold}.values():
    Sequential([Input((2,)), layers.Activation(activation)], engine="reference").predict([[0.5, -0.5]])
trainings = [(name, "mse") for name in optimizers.NAMES] + [("sgd", kind()) for kind in losses.CLASSES.values()]
for optimizer, loss in trainings:
    network = Sequential([Input((2,)), layers.Dense(3), layers.Dense(2, "softmax")])
    network.compile(optimizer, loss)
    assert network.program()
"""


def test_what_is_built_in_takes_no_more(tmp_path):
    assert imported(BUILT_IN, tmp_path) <= ENOUGH


FORMULAS = """
import numpy as np
from thalweg import Input, Sequential, layers

network = Sequential([Input((2,)), layers.Dense(3, "x * sigmoid(1.702 * x)"), layers.Dense(1)])
network.compile("sgd", "log(cosh(y_pred - y_true))")
network.fit(np.ones((4, 2)), np.ones(4), epochs=2, verbose=0)
"""
REFERENCE = FORMULAS.replace("])\nnetwork", '], engine="reference")\nnetwork')


def test_formulas_take_a_compiler_alone(tmp_path):
    assert imported(FORMULAS, tmp_path) <= ENOUGH
    assert imported(REFERENCE, tmp_path) == {"numpy"}
    ran(UNCOMPILED + REFERENCE, tmp_path)
    with pytest.raises(AssertionError, match=r"MissingPackageError: thalweg has no ready code .*thalweg\[jit\]"):
        ran(UNCOMPILED + FORMULAS, tmp_path)


TERMINAL = """
import io

class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True

sys.stdout = Terminal(sys.stdout.detach(), encoding="utf-8", write_through=True)
"""


def test_without_rich_a_terminal_gets_a_line_an_epoch(tmp_path):
    """Where lines would be redrawn."""
    network = NETWORK.partition("\nclass Own")[0]
    redrawn, plain = (ran(f"import sys\n{before}{TERMINAL}{network}", tmp_path) for before in ("", BARE))
    assert "\x1b" in redrawn
    assert "\x1b" not in plain
    assert [line.split("  ")[0] for line in plain.splitlines()[:2]] == ["epoch 1/2", "epoch 2/2"]


ONE = "import numpy as np\nfrom thalweg import Input, Sequential, activations, compare, layers\n"
NEEDS = {
    "from thalweg.export.onnx import onnx_model; onnx_model(None)":
        "an ONNX model needs onnx: pip install 'thalweg[onnx]'",
    "import thalweg.sklearn": "thalweg.sklearn needs scikit-learn: pip install scikit-learn",
    'layers.tree_edges(np.ones((30, 2)), np.arange(30), "regression")':
        "tree_edges needs scikit-learn: pip install scikit-learn",
    'from thalweg.tabular import split_rows; split_rows(np.arange(9), "regression", 0.5, 0)':
        "a division of rows needs scikit-learn: pip install scikit-learn",
    'from thalweg.data import read_table; read_table("rows.csv")':
        "a table's file or query needs duckdb: pip install duckdb",
    'from thalweg.data import read_table; read_table("SELECT 1 AS a")':
        "a table's file or query needs duckdb: pip install duckdb",
    'from thalweg.data import read_table; read_table(type("Frame", (), {"__module__": "polars.frame"})())':
        "a pandas, Polars or Arrow frame needs narwhals: pip install narwhals",
    'layers.Normalization().adapt(type("Frame", (), {"__module__": "polars.frame"})())':
        "a pandas, Polars or Arrow frame needs narwhals: pip install narwhals",
    'from thalweg.doctor.leaks import tree_score; tree_score(np.ones((2, 1)), np.ones(2), [0], [1], "regression")':
        "the doctor needs scikit-learn: pip install scikit-learn",
    'compare("activation", np.ones((9, 1)), np.ones(9), validation_data=(np.ones((9, 1)), np.ones(9)), '
    'task="regression", entries=["relu"], seeds=2, epochs=1, lanes=1).entries[0].interval':
        "a confidence interval needs scipy: pip install scipy",
    'import pathlib; from thalweg.runs.stored_trees import load_fitted; load_fitted(pathlib.Path("trees.skops"), None)':
        "a file of trees needs skops: pip install skops",
}  # fmt: skip


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What is said where the packages are missing, by code; all in one process."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "rows.csv").write_text("a\n1\n")
    tried = f"""
said = {{}}
for code in {list(NEEDS)!r}:
    try:
        exec(code)
        said[code] = "nothing"
    except Exception as error:
        said[code] = type(error).__name__ + ": " + str(error)
import json
print(json.dumps(said))
"""
    return json.loads(ran(BARE + ONE + tried, folder).splitlines()[-1])


@pytest.mark.parametrize("code", NEEDS)
def test_what_is_missing_is_said(code, said):
    assert said[code] == f"MissingPackageError: {NEEDS[code]}"


def test_the_command_says_what_is_missing(tmp_path):
    code = f"{BARE}\nimport runpy\nsys.argv = ['thalweg', '--help']\nrunpy.run_module('thalweg', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == "thalweg: the command line needs duckdb: pip install duckdb\n"
