"""The kernels kept on disk: loaded without a compiler, an edit or damage anywhere is noticed, folders fall back."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import llvmlite
import pytest
from seeded_cache import seeded

import thalweg
from thalweg.engine.native.compiler import fingerprint, levels
from thalweg.engine.native.compiler.kernel import HOME, Kernel
from thalweg.engine.native.kernels.table import KERNELS, MACHINE

pytestmark = pytest.mark.jit
PACKAGE = Path(thalweg.__file__).parent
SCRIPT = """
from thalweg import Sequential, layers
for name in ("relu", "sigmoid"):
    model = Sequential([layers.Input((2,)), layers.Activation(name)])
    print(*(f"{value:.3f}" for value in model.predict([[-1.0, 2.0]])[0]))
"""
RIGHT = "0.000 2.000\n0.269 0.881\n"
ANNOUNCEMENT = "compiling kernels that this network is the first here to need"


def start(package_parent, script=SCRIPT, **environment):
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("THALWEG", "XDG"))}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        cwd=package_parent,  # Python looks there first
        env=variables | {"PYTHONPATH": str(package_parent), "THALWEG_READY": "0"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out, err


def run(package_parent, script=SCRIPT, **environment):
    """(stdout, stderr) of a fresh process."""
    return finish(start(package_parent, script, **environment))


def edit(path, text):
    """Appends to a file and gives it its old time stamp again, as a reinstalled package may have."""
    before = path.stat()
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    os.utime(path, (before.st_atime, before.st_mtime))


def test_an_edit_is_picked_up_where_it_counts_and_compiling_is_announced_once(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "thalweg", ignore=shutil.ignore_patterns("__pycache__"))
    native = tmp_path / "thalweg" / "engine" / "native"
    folder = seeded(tmp_path / "cache", "generated")
    settings = {"THALWEG_CACHE_DIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}

    first, second = (start(tmp_path, **settings) for _ in range(2))  # two at once disturb each other in nothing
    for out, err in (finish(first), finish(second)):
        assert out == RIGHT
        assert err.count(ANNOUNCEMENT) <= 1
    assert run(tmp_path, **settings) == (RIGHT, "")

    edit(native / "kernels" / "images" / "pooling.py", "# of no kernel here\n")
    assert run(tmp_path, **settings) == (RIGHT, "")
    # In a file that the kernel's own imports.
    edit(
        native / "linalg" / "mathematics.py",
        "\n\n@inlined\ndef sigmoid(x):\n    return x * _f(3)\n",
    )
    out, err = run(tmp_path, **settings)
    assert out == "0.000 2.000\n-3.000 6.000\n"
    assert err.count(ANNOUNCEMENT) == 1
    assert run(tmp_path, **settings) == (out, "")


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    """A copy of the package, to which comments are added."""
    folder = tmp_path_factory.mktemp("sources")
    shutil.copytree(PACKAGE, folder / "thalweg", ignore=shutil.ignore_patterns("__pycache__", "ready"))
    return folder


@pytest.fixture
def sources(copied, monkeypatch):
    """The copy, in which fingerprints are taken."""
    monkeypatch.setattr(fingerprint, "ROOT", copied)
    forget()
    yield copied
    forget()


def forget():
    """What was read of the sources."""
    fingerprint.source.cache_clear()
    fingerprint.module_of.cache_clear()
    fingerprint.fingerprint.cache_clear()
    fingerprint.environment.cache_clear()


def path_in(folder, module):
    return folder.joinpath(*module.split(".")).with_suffix(".py")


@pytest.mark.parametrize("module", sorted({kernel.module for kernel in (*KERNELS.values(), MACHINE)}))
def test_a_kernel_depends_on_its_file_and_all_that_this_imports(module, sources):
    """The imports are found by Python's own parser here."""
    kernel = Kernel(module, "any")
    needed, waiting = set(), [f"{HOME}.{module}"]
    while waiting:
        name = waiting.pop()
        if name not in needed and path_in(sources, name).exists():
            needed.add(name)
            for node in ast.walk(ast.parse(path_in(sources, name).read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.level == 0:
                    waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    assert len(needed) > 2
    before = fingerprint.fingerprint(kernel)
    for name in needed:
        text = path_in(sources, name).read_text(encoding="utf-8")
        path_in(sources, name).write_text(text + "# an edit\n", encoding="utf-8")
        forget()
        assert fingerprint.fingerprint(kernel) != before, name
        path_in(sources, name).write_text(text, encoding="utf-8")
    for path in (sources / "thalweg").rglob("*.py"):
        if ".".join(path.relative_to(sources).with_suffix("").parts) not in needed:
            edit(path, "# an edit\n")
    forget()
    assert fingerprint.fingerprint(kernel) == before


def test_what_makes_object_code_counts_for_all(sources):
    before = fingerprint.environment()
    edit(path_in(sources, fingerprint.EMITTER), "# an edit\n")
    forget()
    assert fingerprint.environment() != before


@pytest.mark.parametrize(("what", "other"), [("LEVEL", levels.OTHER), ("sys.version", "another")])
def test_level_and_python_count(what, other, monkeypatch, sources):
    before = fingerprint.environment()
    monkeypatch.setattr(f"thalweg.engine.native.compiler.fingerprint.{what}", other)
    forget()
    assert fingerprint.environment() != before


def test_the_compiler_s_version_counts(monkeypatch, sources):
    real = fingerprint.version_of
    assert llvmlite.__version__ in real("llvmlite")
    before = fingerprint.environment()
    monkeypatch.setattr(fingerprint, "version_of", lambda name: "another")
    forget()
    assert fingerprint.environment() != before


def test_another_system_counts(monkeypatch, sources):
    before = fingerprint.environment()
    monkeypatch.setenv("THALWEG_TRIPLE", "aarch64-unknown-linux-gnu")
    forget()
    assert fingerprint.environment() != before


# --- without the compiler ----------------------------------------------------------------------------------------

TRAINING = """
import json, sys
import numpy as np
from thalweg import Sequential, layers, activations
x = np.random.default_rng(0).random((300, 20), dtype=np.float32)
model = Sequential([layers.Input((20,)), layers.Dense(16, {activation}), layers.Dense(40, "softmax")], seed=1)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, np.arange(300) % 40, epochs=2, verbose=0, lanes=2)
few, many = model.predict(x[:1]), model.predict(x, lanes=2)
bits = [a.tobytes().hex() for a in (model.vector, few, many)]
names = {{name.partition(".")[0] for name in sys.modules}}
names |= {{name.rpartition(".")[2] for name in sys.modules if "native.language" in name}}
print(json.dumps([bits, history.history["loss"], sorted(names)]))
"""


def trained(activation, **settings):
    """(bits of weights and predictions, losses, packages in memory, what was said) of a fresh process."""
    out, err = run(PACKAGE.parent, TRAINING.format(activation=activation), **settings)
    bits, losses, modules = json.loads(out)
    return bits, losses, set(modules), err


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with the kernels of TRAINING, and what the process that compiled them says."""
    trained('"sigmoid"')  # so that this user has the others
    path = seeded(tmp_path_factory.mktemp("filled"), "generated", "kernels", "updates")
    return path, trained('"sigmoid"', THALWEG_CACHE_DIR=str(path))


def test_a_process_that_finds_its_kernels_imports_no_compiler_and_computes_the_same_bits(filled):
    path, cold = filled
    warm = trained('"sigmoid"', THALWEG_CACHE_DIR=str(path))
    assert "translation" in cold[2]
    assert cold[3].count(ANNOUNCEMENT) == 1
    assert warm[:2] == cold[:2]
    assert warm[3] == ""
    assert "llvmlite" in warm[2]
    assert not warm[2] & {
        "translation",
        "sklearn",
        "scipy",
        "pandas",
        "duckdb",
        "matplotlib",
        "rich",
        "safetensors",
    }


@pytest.mark.parametrize(
    "activation", ['"x * sigmoid(1.702 * x)"', 'activations.formula("a * x", parameters={"a": 1})']
)
def test_a_formula_is_found_too(activation, filled):
    settings = {"THALWEG_CACHE_DIR": str(filled[0])}
    cold, warm = trained(activation, **settings), trained(activation, **settings)
    assert warm[:2] == cold[:2]
    assert "translation" in cold[2]
    assert "translation" not in warm[2]


CROWDED = """
import ctypes
from pathlib import Path
from thalweg.engine.native.compiler import loader
system, load = ctypes.CDLL(None), loader.load
system.mmap.restype = ctypes.c_void_p
system.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
NEW, HERE = 0x4022, 0x104022  # address space alone, anywhere or at a free place
WALL, PAGE = 1 << 32, 4096

def taken(size, place=None):
    return system.mmap(place, size, 0, HERE if place else NEW, -1, 0)

def crowded(*given):
    wall, end = taken(WALL), None
    for line in Path("/proc/self/maps").read_text().splitlines():
        begin, next_end = (int(word, 16) for word in line.split()[0].split("-"))
        if end is not None and wall < end < begin and "[stack]" not in line:
            taken(begin - end, end)
        end = next_end
    system.munmap(ctypes.c_void_p(wall + WALL - 2 * PAGE), ctypes.c_size_t(PAGE))
    return load(*given)

loader.load = crowded
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it takes up address space as Linux gives it out")
def test_kernels_are_loaded_beside_mappings_of_gigabytes(filled):
    """As where a table or Ray's store of objects is mapped: then a page is free here, and the next 4 GiB below."""
    path, cold = filled
    out, _ = run(PACKAGE.parent, CROWDED + TRAINING.format(activation='"sigmoid"'), THALWEG_CACHE_DIR=str(path))
    assert tuple(json.loads(out)[:2]) == cold[:2]


OWN = """
import sys
from thalweg import Sequential, layers, activations
def value(h):
    {value}
def derivative(h):
    return 2 * h
own = activations.custom("own", value, derivative)
found = Sequential([layers.Activation(own)]).predict([[1.0, 3.0]])
print(found, "thalweg.engine.native.language.translation" in sys.modules)
"""


def test_a_python_function_is_found_too(tmp_path, filled):
    (tmp_path / "own.py").write_text(OWN.format(value="return h * h"))
    script = f"import runpy; runpy.run_path({str(tmp_path / 'own.py')!r})"
    for warm in (False, True):
        out, _ = run(PACKAGE.parent, script, THALWEG_CACHE_DIR=str(filled[0]))
        assert out == f"[[1. 9.]] {not warm}\n"


@pytest.mark.parametrize("damage", ["cut off", "empty", "a bit", "of another kind"])
def test_what_is_damaged_is_compiled_again(damage, tmp_path, filled):
    shutil.copytree(filled[0], tmp_path, dirs_exist_ok=True)
    settings = {"THALWEG_CACHE_DIR": str(tmp_path)}
    script = SCRIPT.replace('"relu", "sigmoid"', '"sigmoid",')
    right = RIGHT.splitlines(keepends=True)[1]
    (path,) = tmp_path.glob("*/generated.sigmoid_" + "[0-9a-f]" * 16 + ".*")
    whole = path.read_bytes()
    damaged = {"cut off": whole[:-100], "empty": b"", "a bit": whole[:500] + bytes([whole[500] ^ 1]) + whole[501:]}
    path.write_bytes(damaged.get(damage, b"something else"))
    out, err = run(PACKAGE.parent, script, **settings)
    assert (out, err.count(ANNOUNCEMENT)) == (right, 1)
    assert run(PACKAGE.parent, script, **settings) == (right, "")
