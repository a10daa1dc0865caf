"""What a command has computed is kept whatever happens to its terminal: real pipes, devices, signals."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import thalweg
from thalweg.runs import judging
from thalweg.runs.run import Run

ROOT = Path(thalweg.__file__).parents[1]
PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
TRAIN = ["train", str(PENGUINS), "--target", "target", "--members", "1", "--no-trees", "--seed", "1", "--no-report"]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes and signals are POSIX's")


def started(folder, *more, **streams):
    """The command, at work in this folder."""
    code = "from thalweg.__main__ import main; main()"
    call = [sys.executable, "-c", code, *TRAIN, "--out", "run", *more]
    return subprocess.Popen(call, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, **streams)


def whole(folder):
    """The facts of a run that can be used."""
    run = folder / "run"
    assert {"model.safetensors", "history.jsonl", "columns.json"} <= {path.name for path in run.iterdir()}
    return json.loads((run / "run.json").read_text())


def test_a_reader_that_has_read_enough_loses_nothing(tmp_path):
    """As `head -1` does: one line, and the pipe is closed."""
    command = started(tmp_path, "--epochs", "3", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert command.stdout.readline() == b"columns\n"
    command.stdout.close()
    with command.stderr:
        said = command.stderr.read()
    assert (command.wait(300), b"rror" in said or b"roken" in said) == (0, False)
    assert not whole(tmp_path)["interrupted"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_full_disk_behind_the_output_is_said_when_the_work_is_done(tmp_path):
    with open("/dev/full", "wb") as full:
        command = started(tmp_path, "--epochs", "3", stdout=full, stderr=subprocess.PIPE)
        said = command.communicate()[1].decode()
    assert command.returncode == 1
    assert said.splitlines()[-1] == "thalweg: not all of the output could be written: No space left on device"
    whole(tmp_path)


@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2)])
def test_streams_that_are_closed_from_the_beginning(closed, tmp_path):
    def close():
        for number in closed:
            os.close(number)

    assert started(tmp_path, "--epochs", "3", preexec_fn=close).wait(300) == 0
    whole(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_terminal_that_goes_away_ends_the_training_and_keeps_it(number, tmp_path):
    """Where the terminal was there is nothing left to write to; the signal comes more than once."""
    here, there = pty.openpty()
    command = started(
        tmp_path, "--epochs", "1000000", "--early-stopping", "0", stdin=there, stdout=there, stderr=there,
        start_new_session=True,
    )  # fmt: skip
    os.close(there)
    said = b""
    while b"epoch" not in said.replace(b"the epoch", b""):  # the bar
        said += os.read(here, 1000)
    time.sleep(0.5)
    os.close(here)
    for _ in range(3):
        command.send_signal(number)
        time.sleep(0.02)
    assert command.wait(300) == 0
    assert whole(tmp_path)["interrupted"]


def test_what_ends_an_idle_command_still_ends_it(tmp_path):
    """The control: before there is anything to keep, a closed terminal ends the command."""
    code = "from thalweg.__main__ import main; main()"
    call = [sys.executable, "-c", code, "train", "SELECT sum(range) AS y FROM range(100000000000000)", "--target", "y"]
    command = subprocess.Popen(
        call, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    )
    assert command.stderr.readline().startswith("… ")  # what it is doing
    command.send_signal(signal.SIGHUP)
    assert command.communicate()[1].splitlines()[-1] == "thalweg: interrupted"
    assert command.returncode == 130
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("owner", "name"),
    [(judging, "judge"), (Run, "save"), (Run, "diagnose")],
    ids=["scoring", "saving", "reporting"],
)
def test_ctrl_c_after_the_training_loses_nothing(owner, name, run_thalweg, monkeypatch, tmp_path):
    work = getattr(owner, name)

    def pressed(*arguments):
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
        return work(*arguments)

    monkeypatch.setattr(owner, name, pressed)
    code, out, error = run_thalweg(*TRAIN, "--epochs", "2", "--out", "run")
    assert (code, error) == (0, "")
    assert "run folder: run" in out
    assert not whole(Path())["interrupted"]
