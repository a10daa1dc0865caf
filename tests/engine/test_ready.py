"""Ready kernels: a library takes the compiler's place, and what is wrong with it is said in a sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from amounts import soaking
from jit import skip_module

import thalweg
from thalweg import Input, Sequential
from thalweg.engine.native.compiler import levels, ready
from thalweg.engine.native.compiler.kernel import symbol_of
from thalweg.engine.native.kernels.table import MACHINE
from thalweg.layers import Dense

skip_module()
pytest.importorskip("ziglang", reason="needs thalweg[wheels]")

LEVEL = levels.LEVEL.name
PACKAGE = Path(thalweg.__file__).parent
BLOCKED = """
import importlib.util, sys
class Blocked:
    def find_spec(self, name, path=None, of=None):
        if name.partition(".")[0] == "llvmlite":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "llvmlite" else found(name, package)
"""
TRAINING = """
import json, sys
import numpy as np
from thalweg import Sequential, layers
x = np.random.default_rng(0).random((300, 20), dtype=np.float32)
model = Sequential([layers.Input((20,)), layers.Dense(16, "relu"), layers.Dense(40, "softmax")], seed=1)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x, np.arange(300) % 40, epochs=2, verbose=0, lanes=2)
bits = [a.tobytes().hex() for a in (model.vector, model.predict(x[:1]), model.predict(x, lanes=2))]
print(json.dumps([bits, history.history["loss"], sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def run(script, **settings):
    """(stdout, stderr, exit status) of a process."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("THALWEG")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=variables | {"PYTHONPATH": str(PACKAGE.parent)} | {k: str(v) for k, v in settings.items()},
        capture_output=True,
        text=True,
    )
    return done.stdout, done.stderr, done.returncode


def trained(script, **settings):
    """(bits of weights and predictions, losses), packages in memory, and what was said."""
    out, said, status = run(script, **settings)
    assert status == 0, said
    bits, losses, modules = json.loads(out)
    return (bits, losses), set(modules), said


def kernels_of_training():
    """Every kernel that TRAINING needs, as its networks' programs name them."""
    from thalweg.engine.native.kernels.table import ALONE, ENTER

    model = Sequential([Input((20,)), Dense(16, "relu"), Dense(40, "softmax")], seed=1)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    asked = []
    patched = pytest.MonkeyPatch()
    with patched.context() as patch:
        from thalweg.engine.native.runtime import executor

        prepare = executor.prepare
        patch.setattr(executor, "prepare", lambda kernels: asked.extend(kernels) or prepare(kernels))
        x = np.zeros((300, 20), np.float32)
        model.fit(x, np.arange(300) % 40, verbose=0, lanes=2)
        model.predict(x[:1])
        model.predict(x, lanes=2)
    return {MACHINE, ALONE, ENTER, *asked}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """A folder with a library of the kernels of TRAINING."""
    sys.path.insert(0, str(PACKAGE.parent))
    from wheels.libraries import make_library

    folder = tmp_path_factory.mktemp("ready")
    make_library(folder, kernels_of_training())
    return folder


@pytest.fixture(scope="module")
def compiled():
    """What TRAINING gives if all is compiled."""
    return trained(TRAINING, THALWEG_READY="0")[0]


@pytest.fixture
def copied(libraries, tmp_path):
    """A copy of it, to be damaged."""
    for file in libraries.glob(f"{LEVEL}.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def code_in(folder):
    """The file of the library."""
    return folder / json.loads((folder / f"{LEVEL}.json").read_text())["file"]


def test_a_process_without_a_compiler_trains_to_the_same_bits(libraries, compiled):
    result, modules, said = trained(BLOCKED + TRAINING, THALWEG_READY=libraries, HOME="/nowhere")
    assert result == compiled
    assert said == ""
    assert "llvmlite" not in modules


def test_without_a_compiler_nothing_is_kept(libraries, tmp_path):
    _, _, said = trained(BLOCKED + TRAINING, THALWEG_READY=libraries, HOME=tmp_path, TMPDIR=tmp_path)
    assert (said, list(tmp_path.iterdir())) == ("", [])


def test_ready_kernels_are_preferred_to_compiled_ones(libraries):
    _, modules, said = trained(TRAINING, THALWEG_READY=libraries, THALWEG_CACHE_DIR="/nowhere")
    assert (said, modules & {"llvmlite"}) == ("", set())


def damage(folder, how):
    code, listed = code_in(folder), folder / f"{LEVEL}.json"
    whole, contents = code.read_bytes(), json.loads(listed.read_text())
    match how:
        case "a bit":
            code.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
        case "cut off":
            code.write_bytes(whole[:-100])
        case "no file":
            code.unlink()
        case "no JSON":
            listed.write_text(listed.read_text()[:-2])
        case "no object":
            listed.write_text("[1]")
        case "version":
            other = contents["kernels"] | {symbol_of(MACHINE): "0" * 16}
            listed.write_text(json.dumps(contents | {"version": "0.0.1", "kernels": other}))
        case "another system":
            code.write_bytes(b"MZ" + bytes(len(whole) - 2))
            checks = {"bytes": len(whole), "crc32": ready.zlib.crc32(code.read_bytes())}
            listed.write_text(json.dumps(contents | checks))


DAMAGES = {
    "a bit": "is damaged",
    "cut off": "is damaged",
    "no file": "No such file",
    "no JSON": "is damaged",
    "no object": "is damaged",
    "version": f"is of thalweg 0.0.1, not {thalweg.__version__}",
    "another system": "invalid ELF header" if sys.platform == "linux" else "",
}


@pytest.mark.parametrize(("how", "said"), DAMAGES.items())
def test_what_is_damaged_is_said_and_compiled(how, said, copied, compiled):
    damage(copied, how)
    result, _, told = trained(TRAINING, THALWEG_READY=copied)
    assert result == compiled
    first, *_ = told.splitlines()
    assert first.startswith("thalweg: reinstall thalweg: ")
    assert said in first
    assert first.endswith("; until then kernels are compiled")


def test_without_a_compiler_the_next_level_is_used_or_an_error_says_what_to_install(copied):
    damage(copied, "a bit")
    out, told, status = run(BLOCKED + TRAINING, THALWEG_READY=copied)
    assert (out, status) == ("", 1)
    last = told.splitlines()[-1]
    assert last.startswith("thalweg.errors.MissingPackageError: thalweg has no ready code for ")
    assert last.endswith("""isn't installed: pip install 'thalweg[jit]', or take engine="reference\"""")


@pytest.mark.skipif(len(levels.USABLE) < 2, reason="this machine has one level")
def test_the_next_level_takes_the_place_of_a_damaged_one(copied):
    """The next level's library is this level's under its name."""
    contents, below = json.loads((copied / f"{LEVEL}.json").read_text()), levels.USABLE[1].name
    (copied / f"{below}.so").write_bytes(code_in(copied).read_bytes())
    (copied / f"{below}.json").write_text(json.dumps(contents | {"file": f"{below}.so"}))
    damage(copied, "a bit")
    _, _, told = trained(BLOCKED + TRAINING, THALWEG_READY=copied)
    assert told.endswith(f"is damaged; until then those for {below} are used\n")


def test_of_another_version_the_same_kernels_are_used(copied):
    """A checkout has a new version with each commit."""
    listed = copied / f"{LEVEL}.json"
    listed.write_text(json.dumps(json.loads(listed.read_text()) | {"version": "0.0.1"}))
    _, modules, said = trained(TRAINING, THALWEG_READY=copied)
    assert (said, modules & {"llvmlite"}) == ("", set())


def test_a_kernel_whose_sources_were_edited_is_not_ready(copied):
    listed = copied / f"{LEVEL}.json"
    contents = json.loads(listed.read_text())
    assert symbol_of(MACHINE) in contents["kernels"]
    contents["kernels"][symbol_of(MACHINE)] = "0" * 16
    listed.write_text(json.dumps(contents))
    script = """
from thalweg.engine.native.compiler.ready import is_ready, library
from thalweg.engine.native.kernels.table import ALONE, MACHINE
assert library() is not None
print(is_ready(MACHINE), is_ready(ALONE))"""
    assert run(script, THALWEG_READY=copied)[:2] == ("False True\n", "")


FOR_ANOTHER = """
from pathlib import Path
from thalweg.engine.native.kernels.table import ALONE, MACHINE
from wheels.libraries import make_library
print(make_library(Path({folder!r}), [ALONE, MACHINE]))
"""
MAGIC = {"linux": b"\x7fELF", "macos": b"\xcf\xfa\xed\xfe", "windows": b"MZ"}


@pytest.mark.parametrize("name", ["linux-arm64", "macos-arm64", "windows-x86_64"])
def test_libraries_are_made_for_other_systems(name, tmp_path):
    """They can't be loaded here. `MACHINE` calls the clock, which is another function on each."""
    from wheels.__main__ import SYSTEMS

    if name != "macos-arm64" and not soaking():
        pytest.skip("zig takes a minute for Windows' libraries the first time; Linux and arm64 are tried: make soak")

    system = SYSTEMS[name]
    settings = {"THALWEG_LEVEL": system.levels[-1], "THALWEG_TRIPLE": system.triple, "THALWEG_CACHE_DIR": tmp_path}
    out, said, status = run(FOR_ANOTHER.format(folder=str(tmp_path / "made")), HOME=Path.home(), **settings)
    assert status == 0, said
    code = Path(out.strip()).read_bytes()
    assert code.startswith(MAGIC[name.partition("-")[0]])
    for symbol in (symbol_of(MACHINE), ready.HOOKS):
        assert symbol.encode() in code
    assert b"QueryPerformanceCounter" not in code  # the loader binds it: nothing of a system is linked but C's library
