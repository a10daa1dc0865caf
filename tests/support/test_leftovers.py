"""What a killed process leaves behind is removed by the next; what a living one uses stays."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import thalweg
from thalweg.support.files import ENDING, own_folder, sweep

pytest.importorskip("fcntl")
ROOT = Path(thalweg.__file__).parents[1]
HOLD = """
import sys
from pathlib import Path
from thalweg.support.files import own_folder
with own_folder(sys.argv[1], Path(sys.argv[2])) as folder:
    (folder / "half").write_text("written")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holding(tmp_path):
    """A process that holds a folder with this prefix in `tmp_path`; and the folder."""
    started = []

    def hold(prefix):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, prefix, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process, Path(process.stdout.readline().strip())

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("prefix", [".r3.", "thalweg-play-"])
def test_a_killed_process_leaves_nothing_for_long_and_a_living_one_keeps_its_folder(prefix, holding, tmp_path):
    dead, left = holding(prefix)
    living, used = holding(prefix)
    dead.send_signal(signal.SIGKILL)
    dead.wait()
    assert left.is_dir()  # the control
    with own_folder(".r4.", tmp_path) as folder:
        assert not left.exists()
        assert (used / "half").read_text() == "written"
        sweep(tmp_path)
        assert folder.is_dir()  # this process's own, too
    living.communicate("")
    assert list(tmp_path.iterdir()) == []


def test_what_only_looks_like_a_leftover_stays(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / f"link{ENDING}").symlink_to(tmp_path / "target")
    (tmp_path / f"file{ENDING}").touch()
    (tmp_path / ".other.abcd").mkdir()
    before = sorted(tmp_path.iterdir())
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_a_sweep_took_first_is_made_again(tmp_path, monkeypatch):
    """Between making a folder and locking it, another process removes it."""
    lock, seen = thalweg.support.files.lock, []

    def late(folder):
        seen.append(folder)
        if len(seen) == 1:
            folder.rmdir()
        return lock(folder)

    monkeypatch.setattr(thalweg.support.files, "lock", late)
    with own_folder("x-", tmp_path) as folder:
        assert folder.is_dir()
        assert len(seen) == 2
