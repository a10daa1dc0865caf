"""The kernels kept on disk: an edit anywhere is noticed, a folder that can't be written is passed over."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import thalweg
from thalweg.engine.native import compile as compiling

PACKAGE = Path(thalweg.__file__).parent
SCRIPT = """
from thalweg import Sequential, layers
for name in ("relu", "sigmoid"):
    model = Sequential([layers.Input((2,)), layers.Activation(name)])
    print(*(f"{value:.3f}" for value in model.predict([[-1.0, 2.0]])[0]))
"""
RIGHT = "0.000 2.000\n0.269 0.881\n"
ANNOUNCEMENT = "compiling kernels for this processor; this happens once"


def start(package_parent, **environment):
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("THALWEG", "XDG"))}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        cwd=package_parent,  # Python looks there first
        env=variables | {"PYTHONPATH": str(package_parent)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out, err


def run(package_parent, **environment):
    """(stdout, stderr) of predictions in a fresh process."""
    return finish(start(package_parent, **environment))


def edit(path, text):
    """Appends to a file and gives it its old time stamp again, as a reinstalled package may have."""
    before = path.stat()
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    os.utime(path, (before.st_atime, before.st_mtime))


def test_an_edit_in_any_kernel_file_is_picked_up_and_compiling_is_announced_once(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "thalweg", ignore=shutil.ignore_patterns("__pycache__"))
    native = tmp_path / "thalweg" / "engine" / "native"
    settings = {"THALWEG_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}

    first, second = (start(tmp_path, **settings) for _ in range(2))  # two at once disturb each other in nothing
    for out, err in (finish(first), finish(second)):
        assert out == RIGHT
        assert err.count(ANNOUNCEMENT) <= 1
    assert len(list((tmp_path / "cache").iterdir())) == 1

    out, err = run(tmp_path, **settings)
    assert (out, err) == (RIGHT, "")

    # A helper in the kernel's own file, then one in another file, which numba's own cache would not look at.
    edit(native / "rectifiers.py", "\n\n@scalar\ndef relu_value(h, k):\n    return h + h\n")
    out, err = run(tmp_path, **settings)
    assert out.splitlines()[0] == "-2.000 4.000"
    assert out.splitlines()[1] == RIGHT.splitlines()[1]
    assert err.count(ANNOUNCEMENT) == 1
    edit(native / "mathematics.py", "\n\n@numba.njit(inline='always')\ndef sigmoid(x):\n    return x * _f(3)\n")
    out, err = run(tmp_path, **settings)
    assert out == "-2.000 4.000\n-3.000 6.000\n"
    assert err.count(ANNOUNCEMENT) == 1
    assert len(list((tmp_path / "cache").iterdir())) == 3
    assert run(tmp_path, **settings) == (out, "")


@pytest.mark.parametrize("name", [p.name for p in (PACKAGE / "engine" / "native").glob("*.py")])
def test_every_kernel_file_counts(name, tmp_path, monkeypatch):
    copy = tmp_path / "native"
    shutil.copytree(PACKAGE / "engine" / "native", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(compiling, "__file__", str(copy / "compile.py"))
    before = compiling.fingerprint()
    assert compiling.fingerprint() == before
    edit(copy / name, "# an edit\n")
    changed = compiling.fingerprint()
    assert changed != before
    (copy / name).rename(copy / f"other_{name}")
    assert compiling.fingerprint() not in (before, changed)


@pytest.mark.parametrize("what", ["numba.__version__", "llvmlite.__version__", "FEATURES", "VW", "sys.version"])
def test_versions_and_processor_count(what, monkeypatch):
    before = compiling.fingerprint()
    monkeypatch.setattr(f"thalweg.engine.native.compile.{what}", "another")
    assert compiling.fingerprint() != before


@pytest.fixture
def fresh():
    """`folder` decides again; afterwards the kernels of this process have their own folder back."""
    compiling.folder.cache_clear()
    yield compiling.folder
    compiling.folder.cache_clear()


def test_the_folder_is_the_first_that_can_be_written(tmp_path, monkeypatch, fresh):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path / "told"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    assert fresh().parent == tmp_path / "told"
    fresh.cache_clear()
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path / "file" / "below"))  # not even root can make this
    assert fresh().parent == tmp_path / "xdg" / "thalweg"
    fresh.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert fresh().parent.parent == tmp_path / "temporary"
    fresh.cache_clear()
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    with pytest.raises(OSError, match="THALWEG_CACHE_DIR"):
        fresh()


def test_without_a_home_the_temporary_folder_serves(tmp_path, monkeypatch, fresh):
    def homeless():
        raise RuntimeError("no home")

    monkeypatch.delenv("THALWEG_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(compiling.Path, "home", homeless)
    monkeypatch.setattr(compiling.tempfile, "gettempdir", lambda: str(tmp_path))
    assert fresh().parent.parent == tmp_path


def test_folders_of_old_versions_are_removed_and_nothing_else(tmp_path, monkeypatch, fresh):
    long_ago = time.time() - compiling.KEEP_SECONDS - 1000
    folders = {
        name: tmp_path / name for name in ("0123456789abcdef", "fedcba9876543210", "my_important_dir", "cafe" * 4)
    }
    for name, folder in folders.items():
        folder.mkdir()
        (folder / ("thesis.txt" if name == "cafe" * 4 else "elementwise.relu.compiled")).touch()
        if name != "fedcba9876543210":
            os.utime(folder, (long_ago, long_ago))
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    made = fresh()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {made.name, "fedcba9876543210", "my_important_dir", "cafe" * 4}


def test_numbas_own_setting_is_left_as_it_was(tmp_path):
    from numba.core import config

    before = config.CACHE_DIR
    with compiling.kept_in(tmp_path):
        assert str(tmp_path) == config.CACHE_DIR
    assert before == config.CACHE_DIR
