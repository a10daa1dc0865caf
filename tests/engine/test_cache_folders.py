"""Where compiled kernels are kept: only where nobody else can put code, and where nothing can be kept, in memory."""

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from thalweg.engine.native.compiler import cache
from thalweg.engine.native.compiler.cache import announce
from thalweg.engine.native.compiler.kernel import Kernel
from thalweg.support.terminal import redrawing

pytestmark = pytest.mark.jit
PARENT = Path(cache.__file__).parents[4]
KERNEL = Kernel("test", "kernel")
SCRIPT = """
from thalweg import Sequential, layers
{before}
for name in ("relu", "tanh"):
    model = Sequential([layers.Input((2,)), layers.Activation(name)])
    print(*(f"{{value:.3f}}" for value in model.predict([[-1.0, 2.0]])[0]))
"""
RIGHT = "0.000 2.000\n-0.762 0.964\n"
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners of files")
needs_root = pytest.mark.skipif(not ROOT, reason="only root can give files away, and mount")


def run(before="", **environment):
    """(predictions, what was said) of a fresh process, to which permissions apply even if it is root's."""
    if ROOT and shutil.which("setpriv") is None:
        pytest.skip("root may do everything, and setpriv is missing")
    obeys = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if ROOT else []
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("THALWEG", "XDG"))}
    done = subprocess.run(
        [*obeys, sys.executable, "-W", "error", "-c", SCRIPT.format(before=before)],
        cwd=PARENT,  # Python looks there first
        env=variables
        | {"PYTHONPATH": str(PARENT), "THALWEG_READY": "0"}
        | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def warnings(said):
    """The lines that warn: all but the announcement, and how far it is."""
    return [line for line in said.splitlines() if "compiling kernels" not in line]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A folder with all that SCRIPT needs."""
    folder = tmp_path_factory.mktemp("cache")
    out, said = run(THALWEG_CACHE_DIR=folder)
    assert (out, warnings(said)) == (RIGHT, [])
    return folder


@pytest.fixture
def copy(filled, tmp_path):
    """A copy of that folder, to be changed, and the file of relu in it."""
    shutil.copytree(filled, tmp_path / "copy")
    (relu,) = tmp_path.glob("copy/*/generated.relu_" + "[0-9a-f]" * 16 + ".*")
    return tmp_path / "copy", relu


# --- nothing can be kept -----------------------------------------------------------------------------------------


@posix
def test_where_no_folder_can_be_written_kernels_are_compiled_in_memory(tmp_path):
    """A home that can't be searched, a file in the told folder's place, a temporary folder that can only be read."""
    home, file, temporary = tmp_path / "home", tmp_path / "file", tmp_path / "tmp"
    file.write_text("in the way")
    home.mkdir(mode=0o000)
    temporary.mkdir(mode=0o500)
    before = f"import tempfile; tempfile.tempdir = {str(temporary)!r}"
    try:
        out, said = run(before, HOME=home, THALWEG_CACHE_DIR=file)
    finally:
        home.chmod(0o700)
    assert out == RIGHT
    (warning,) = warnings(said)
    for told in (file, home / ".cache" / "thalweg", temporary):
        assert str(told) in warning
    assert warning.count("(not a folder)") == 1
    assert warning.count("(Permission denied)") == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "home", "tmp"]


@posix
def test_a_folder_that_can_only_be_read_is_read(copy, tmp_path):
    told, relu = copy
    relu.unlink()
    relu.parent.chmod(0o500)
    out, said = run(THALWEG_CACHE_DIR=told, XDG_CACHE_HOME=tmp_path)
    assert out == RIGHT
    assert f"kept in {tmp_path / 'thalweg'}, not in {told} (Permission denied)" in said
    assert [path.name for path in tmp_path.glob("thalweg/*/*")] == [relu.name]
    assert run(THALWEG_CACHE_DIR=told, XDG_CACHE_HOME=tmp_path) == (RIGHT, "")
    relu.parent.chmod(0o700)


@posix
def test_a_file_that_cannot_be_written_whole_leaves_nothing_behind(tmp_path):
    """By the limit on the size of files, which nothing needs root for."""
    before = """
import resource
from thalweg.engine.native.compiler import cache
from thalweg.engine.native.compiler.cache import announce
cache.PROBE = 0
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
"""
    out, said = run(before, THALWEG_CACHE_DIR=tmp_path)
    assert out == RIGHT
    (warning,) = warnings(said)
    assert f"can't be kept in {tmp_path} (File too large)" in warning
    left = list(tmp_path.glob("*/*"))
    assert all(path.suffix == ".compiled" and path.stat().st_size <= 4000 for path in left)


@pytest.fixture
def small_disk(tmp_path):
    """A file system with room for a few kernels."""
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24k,mode=700", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("can't mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


@needs_root
def test_a_disk_that_fills_up_leaves_nothing_unfinished(small_disk):
    out, said = run("from thalweg.engine.native.compiler import cache; cache.PROBE = 0", THALWEG_CACHE_DIR=small_disk)
    assert out == RIGHT
    assert "(No space left on device)" in "".join(warnings(said))
    assert {path.suffix for path in small_disk.glob("*/*")} == {".compiled"}


# --- whose folder it is ------------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("mask", [0o000, 0o077, 0o002])
def test_what_is_made_is_this_users_alone_whatever_the_umask(mask, tmp_path, monkeypatch, fresh):
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path / "some" / "where"))
    before = os.umask(mask)
    try:
        cache.keep(KERNEL, b"code")
    finally:
        os.umask(before)
    modes = {path.relative_to(tmp_path).parts[-1]: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes.pop(cache.file_name(KERNEL)) == 0o600
    assert len(modes) == 3
    assert set(modes.values()) == {0o700}
    assert cache.kept(KERNEL) == b"code"


def foreign(path):
    os.chown(path, 65534, 65534)


def foreign_link(path):
    path.rename(path.with_name("behind"))
    path.symlink_to(path.with_name("behind"))
    os.lchown(path, 65534, 65534)


def link_to_foreign(path):
    foreign_link(path)
    foreign(path.with_name("behind"))
    os.lchown(path, 0, 0)


WAYS = {
    "others": (lambda path: path.chmod(0o707), "others can write to it"),
    "group": (lambda path: path.chmod(0o770), "others can write to it"),
    "sticky": (lambda path: path.chmod(0o1777), "others can write to it"),
    "foreign": (foreign, "somebody else's"),
    "link": (foreign_link, "somebody else's"),
    "link to foreign": (link_to_foreign, "somebody else's"),
}


@posix
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("variable", ["THALWEG_CACHE_DIR", "XDG_CACHE_HOME", "HOME", "TMPDIR"])
def test_a_folder_that_others_can_put_code_in_is_not_used(variable, way, tmp_path, monkeypatch, fresh):
    change, why = WAYS[way]
    if "somebody" in why and not ROOT:
        pytest.skip("only root can give files away")
    settings = {
        "THALWEG_CACHE_DIR": tmp_path / "told",
        "XDG_CACHE_HOME": tmp_path / "xdg",
        "HOME": tmp_path / "home",
        "TMPDIR": tmp_path,
    }
    for name in ("THALWEG_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(settings[variable]))
    cache.keep(KERNEL, b"code")
    (mine,) = fresh().read
    assert mine.is_relative_to(settings[variable])
    assert cache.kept(KERNEL) == b"code"
    for folder in (mine, mine.parent):  # the folder of the fingerprint, or the one it lies in
        kept = tmp_path / "kept"
        shutil.copytree(mine.parent, kept)
        change(folder)
        found = fresh()
        assert mine not in found.read
        assert any(f"{mine.parent} (" in text and why in text for text in found.refused)
        assert cache.kept(KERNEL) is None
        folder.unlink() if folder.is_symlink() else shutil.rmtree(folder)
        shutil.rmtree(mine.parent, ignore_errors=True)
        shutil.rmtree(mine.parent.with_name("behind"), ignore_errors=True)
        kept.rename(mine.parent)
        assert mine in fresh().read


@posix
@pytest.mark.parametrize("mode", [0o606, 0o620, 0o600])
def test_a_file_that_others_can_write_is_not_loaded(mode, tmp_path, monkeypatch, fresh):
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    cache.keep(KERNEL, b"code")
    (file,) = tmp_path.glob("*/*")
    file.chmod(mode)
    assert cache.kept(KERNEL) == (b"code" if mode == 0o600 else None)
    if ROOT:
        foreign(file)
        assert cache.kept(KERNEL) is None


@needs_root
def test_nothing_is_made_in_somebody_elses_home(tmp_path, monkeypatch, fresh):
    monkeypatch.delenv("THALWEG_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    foreign(tmp_path / "home")
    assert fresh().write.parent.parent == Path(tempfile.gettempdir())
    assert list((tmp_path / "home").iterdir()) == []


def test_relative_paths_are_not_used(tmp_path, monkeypatch, fresh):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("THALWEG_CACHE_DIR", "there")
    found = fresh()
    assert found.write.parent == tmp_path / "home" / ".cache" / "thalweg"
    assert found.refused == ("there (not an absolute path)",)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_a_refused_folder_is_told_when_something_is_compiled(copy, tmp_path):
    told, relu = copy
    told.rename(tmp_path / "thalweg")
    settings = {"THALWEG_CACHE_DIR": "relative", "XDG_CACHE_HOME": tmp_path}
    assert run(**settings) == (RIGHT, "")
    (tmp_path / "thalweg" / relu.parent.name / relu.name).unlink()
    out, said = run(**settings)
    assert (out, len(warnings(said))) == (RIGHT, 1)
    assert "not in relative (not an absolute path)" in said
    assert run(**settings) == (RIGHT, "")


# --- which code it is --------------------------------------------------------------------------------------------


def test_kernels_under_each_others_names_are_not_loaded(copy):
    folder, relu = copy
    (tanh,), between = folder.glob("*/generated.tanh_" + "[0-9a-f]" * 16 + ".*"), folder / "between"
    relu.rename(between)
    tanh.rename(relu)
    between.rename(tanh)
    out, said = run(THALWEG_CACHE_DIR=folder)
    assert out == RIGHT
    assert "compiling kernels" in said
    assert run(THALWEG_CACHE_DIR=folder) == (RIGHT, "")


@pytest.mark.parametrize(
    "other", [Kernel("test", "other"), Kernel("test", "kernel", "text"), ("test", "kernel", "", True)]
)
def test_code_of_another_kernel_or_folder_is_not_loaded(other, tmp_path, monkeypatch, fresh):
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    other = Kernel(*other)
    cache.keep(other, b"code")
    (file,) = tmp_path.glob("*/*")
    file.rename(file.with_name(cache.file_name(KERNEL)))
    assert cache.kept(KERNEL) is None
    cache.keep(KERNEL, b"code")
    assert cache.kept(KERNEL) == b"code"
    monkeypatch.setattr(cache, "environment", lambda: "0123456789abcdef")
    shutil.copytree(file.parent, tmp_path / "0123456789abcdef")
    assert fresh().write.name == "0123456789abcdef"
    assert cache.kept(KERNEL) is None


# --- which folder ------------------------------------------------------------------------------------------------


def test_the_folder_is_the_first_that_can_be_written(tmp_path, monkeypatch, fresh):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path / "told"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    assert fresh().write.parent == tmp_path / "told"
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path / "file" / "below"))  # not even root can make this
    assert fresh().write.parent == tmp_path / "xdg" / "thalweg"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "temporary").mkdir()
    assert fresh().write.parent.parent == tmp_path / "temporary"
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path / "file"))
    assert fresh().write is None
    assert len(fresh().refused) == 3


def test_without_a_home_the_temporary_folder_serves(tmp_path, monkeypatch, fresh):
    def homeless():
        raise RuntimeError("no home")

    monkeypatch.delenv("THALWEG_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache.Path, "home", homeless)
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    assert fresh().write.parent.parent == tmp_path
    assert fresh().refused == ()


def test_what_is_old_is_removed_and_nothing_else(tmp_path, monkeypatch, fresh):
    long_ago = time.time() - cache.KEEP_SECONDS - 1000
    monkeypatch.setattr(cache, "environment", lambda: "0000111122223333")
    names = ("0123456789abcdef", "fedcba9876543210", "my_important_dir", "cafe" * 4, "0000111122223333")
    folders = {name: tmp_path / name for name in names}
    for name, folder in folders.items():
        folder.mkdir(mode=0o700)
        (folder / ("thesis.txt" if name == "cafe" * 4 else "elementwise.relu.compiled")).touch()
        if name != "fedcba9876543210":
            os.utime(folder, (long_ago, long_ago))
    unused = ("elementwise.tanh.compiled", 2 * cache.KEEP_SECONDS)
    for name, age in (("old.new", 2 * cache.UNFINISHED_SECONDS), ("begun.new", 10), ("thesis.txt", 10**8), unused):
        file = folders["0000111122223333"] / name
        file.touch()
        os.utime(file, (time.time() - age,) * 2)
    monkeypatch.setenv("THALWEG_CACHE_DIR", str(tmp_path))
    assert fresh().write.name == "0000111122223333"
    assert {path.name for path in tmp_path.iterdir()} == {*names}  # only what is compiled costs time
    cache.keep(KERNEL, b"")
    assert {path.name for path in tmp_path.iterdir()} == {*names} - {"0123456789abcdef"}
    left = {path.name for path in folders["0000111122223333"].iterdir()} - {cache.file_name(KERNEL)}
    assert left == {"begun.new", "thesis.txt", "elementwise.relu.compiled"}


@pytest.mark.parametrize("redraws", [False, True])
def test_a_terminal_whose_line_is_redrawn_is_told_nothing_between(redraws, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    announce.cache_clear()
    with redrawing() if redraws else nullcontext():
        announce()
        announce()
    announce.cache_clear()
    assert stream.getvalue().count("compiling kernels") == int(not redraws)


def test_a_reader_who_leaves_ends_no_compiling(monkeypatch):
    stream = io.StringIO()
    stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    announce.cache_clear()
    announce()
    announce.cache_clear()
