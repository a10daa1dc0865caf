"""A program whose reader has gone, as `head` goes, ends without a word: pipes that are closed from the beginning."""

import http.client
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pytest

import thalweg
from thalweg.cli.main import HOMES
from thalweg.data import read_table
from thalweg.exchange.targets import export
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions

ROOT = Path(__file__).parents[2]
PENGUINS = ROOT / "examples" / "penguins.csv"
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(thalweg.__file__).parents[1])}
COMMAND = [sys.executable, "-m", "thalweg"]
ENDS = (0, 141, -getattr(signal, "SIGPIPE", 0))
"""As `cat` does, killed by SIGPIPE or seen so by a shell; or all is done."""
pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes and signals are POSIX's")
TABLE = ("train", str(PENGUINS), "--target", "target", "--members", "1", "--no-trees", "--epochs", "1")
IMAGES = ("train", "pictures.npz", "--model", "net.yaml", "--epochs", "1", "--batch-size", "16")
SMALL = ("--folds", "2", "--seeds", "1", "--lanes", "1", "--search", "width=8", "--search", "depth=1")
WORK = {
    "train": ((*TABLE, "--out", "again"), TABLE),
    "evaluate": (("evaluate", "run", str(PENGUINS)), TABLE),
    "predict": (("predict", "run", str(PENGUINS), "--out", "-"), TABLE),
    "report": (("report", "run", "--out", "page.html"), TABLE),
    "compare": (("compare", "optimizer", str(PENGUINS), "--target", "target", "--epochs", "1", "--entries", "sgd"), ()),
    "tune": (("tune", str(PENGUINS), "--target", "target", "--trials", "1", *SMALL), ()),
    "inspect": (("inspect", "run"), TABLE),
    "trace": (("trace", "run", str(PENGUINS), "--row", "1"), TABLE),
    "export": (("export", "run", "--to", "c", "--int8"), TABLE),
    "import": (("import", "net.keras"), ()),
    "filters": (("filters", "run"), IMAGES),
    "features": (("features", "run", "new.png"), IMAGES),
}
"""What each command is called with, and what has made the folder in which it works."""
SERVERS = {"serve": ("serve", "run", "--port"), "play": ("play", "--no-open", "--port")}


def closed(call, folder, *streams):
    """How a program ends that writes where nobody reads, and what it says on its other streams."""
    reads, writes = os.pipe()
    os.close(reads)
    given = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE) | dict.fromkeys(streams, writes)
    done = subprocess.run(call, cwd=folder, env=ENVIRONMENT, timeout=600, **given)
    os.close(writes)
    return done.returncode, (done.stdout or b"").decode(), (done.stderr or b"").decode()


def prepared():
    """What the commands read, in the current folder."""
    draw = np.random.default_rng(0)
    np.savez("pictures.npz", x=draw.integers(0, 255, (60, 8, 8)).astype(np.uint8), y=np.arange(60) % 2)
    Path("net.yaml").write_text("- Conv2D: {filters: 2, kernel_size: 3}\n- Flatten\n", encoding="utf-8")


def test_the_control_would_be_noticed(tmp_path):
    code, _, said = closed([sys.executable, "-c", "print('a line')"], tmp_path, "stdout")
    assert code not in ENDS
    assert "BrokenPipeError" in said


@pytest.mark.parametrize("name", ["", "train"])  # the others' are printed by the same function
def test_a_help_ends_quietly(name, tmp_path):
    assert closed([*COMMAND, *filter(None, [name]), "--help"], tmp_path, "stdout") == (0, "", "")


def test_every_command_is_tried():
    assert {*WORK, *SERVERS} == {*HOMES}


@pytest.mark.parametrize("name", WORK)
def test_a_command_does_its_work_without_a_word_about_the_pipe(name, run_made, tmp_path):
    call, before = WORK[name]
    if name == "tune":
        pytest.importorskip("optuna")
    if before is IMAGES or name == "features":
        for package in ("PIL", "yaml", "matplotlib"):
            pytest.importorskip(package)
    folder = tmp_path / "work"
    shutil.copytree(run_made(*before, prepare=prepared) if before else tmp_path, folder)
    if name == "features":
        image = pytest.importorskip("PIL.Image")
        image.fromarray(np.full((8, 8), 9, np.uint8)).save(folder / "new.png")
    if name == "import":
        pytest.importorskip("h5py")
        thalweg.Sequential([thalweg.Input((3,)), thalweg.layers.Dense(1)]).export(folder / "net.keras")
    code, _, said = closed([*COMMAND, *call], folder, "stdout")
    told = ("… ", "note: ", "344 predictions")
    assert (code, [line for line in said.splitlines() if not line.startswith(told)]) == (0, [])
    if name in ("predict", "export"):
        assert closed([*COMMAND, *call, *["--force"] * (name == "export")], folder, "stdout", "stderr") == (0, "", "")


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_goes_on_and_ends_quietly(name, run_made):
    """It says where it is to nobody, answers, and ends when it is told to."""
    for package in ("starlette", "uvicorn") if name == "play" else ():
        pytest.importorskip(package)
    folder = run_made(*TABLE, prepare=prepared)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    reads, writes = os.pipe()
    os.close(reads)
    call = [*COMMAND, *SERVERS[name], str(port)]
    with subprocess.Popen(call, cwd=folder, env=ENVIRONMENT, stdout=writes, stderr=subprocess.PIPE) as server:
        os.close(writes)
        try:
            while server.poll() is None and not is_answering(port):
                time.sleep(0.05)
            assert is_answering(port)
        finally:
            server.send_signal(signal.SIGINT)
        assert server.stderr.read().decode() in ("", "thalweg: interrupted\n")
    assert server.returncode in (0, 130)


def is_answering(port):
    """Whether a server answers at a port of this machine, whatever it says."""
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(asking), suppress(ConnectionError):
        asking.request("GET", "/v2/health/live")
        return asking.getresponse().status > 0
    return False


def test_an_error_that_nobody_reads_has_its_exit_code(tmp_path):
    assert closed([*COMMAND, "predict", "none", "rows.csv"], tmp_path, "stdout", "stderr")[0] == 2


# --- exported files --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A folder with an exported program, and rows enough that they are written in several pieces."""
    folder = tmp_path_factory.mktemp("exported")
    options = TableOptions(target="target", members=1, layers=(4,), epochs=1, seed=0, lanes=1, trees=False)
    trained = table_training.train(read_table(PENGUINS), options)
    export(trained.model, folder / "penguins.py", features=trained.features)
    head, *rows = PENGUINS.read_text(encoding="utf-8").splitlines()
    (folder / "few.csv").write_text("\n".join([head, *rows[:3]]), encoding="utf-8")
    (folder / "many.csv").write_text("\n".join([head, *rows * 20]), encoding="utf-8")
    return folder


@pytest.mark.parametrize("rows", ["few.csv", "many.csv"])
@pytest.mark.parametrize("streams", [("stdout",), ("stdout", "stderr")])
def test_an_exported_program_ends_quietly(exported, rows, streams):
    code, *said = closed([sys.executable, "penguins.py", rows], exported, *streams)
    assert (code in ENDS, said) == (True, ["", ""])


def test_an_exported_program_that_is_read_ends_well(exported):
    code, out, said = closed([sys.executable, "penguins.py", "few.csv"], exported, "stderr")
    assert (code, len(out.split()), said) == (0, 4, "")


@pytest.mark.parametrize(("where", "said"), [("/dev/full", "No space left on device"), (None, "Bad file descriptor")])
def test_answers_that_can_t_be_written_aren_t_the_input_s_fault(exported, where, said):
    if where is not None and not os.path.exists(where):
        pytest.skip("no device that is always full")
    call = shlex.join([sys.executable, "penguins.py", "few.csv"]) + (f" > {where}" if where else " >&-")
    done = subprocess.run(call, shell=True, cwd=exported, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr.decode()) == (1, f"standard output: {said}\n")


# --- programs of the repository --------------------------------------------------------------------------------------

PRINTS = """
from thalweg.support.printing import lasting_streams
with lasting_streams(ends=True):
    for line in range(100_000):
        print(line)
    print("all was printed", file=__import__("sys").stderr)
"""


def test_a_program_that_only_prints_ends_with_its_reader(tmp_path):
    assert closed([sys.executable, "-c", PRINTS], tmp_path, "stdout") == (141, "", "")
    assert closed([sys.executable, "-c", PRINTS], tmp_path, "stdout", "stderr") == (141, "", "")
    code, out, _ = closed([sys.executable, "-c", PRINTS], tmp_path, "stderr")  # one that can still be read goes on
    assert (code, out.count("\n")) == (0, 100_000)


def test_the_benchmarks_end_with_their_reader(tmp_path):
    if not (ROOT / "benchmarks").exists():
        pytest.skip("the sources aren't here")
    call = [sys.executable, "-m", "benchmarks", "--quick", "--only", "none"]
    assert closed(call, tmp_path, "stdout") == (141, "", "")


def test_every_program_of_the_repository_says_how_it_ends():
    """A program that prints for people, and whose output may be piped, has its streams set."""
    children = {"on_disk.py", "compiling.py", "large.py", "fitting.py"}  # whose output another program reads
    programs = [path for folder in ("benchmarks", "wheels", "docs") for path in ROOT.glob(f"{folder}/**/*.py")]
    programs += [ROOT / "tests/tables" / f"{name}.py" for name in ("chinese_words", "sentences", "keras_programs")]
    if not (ROOT / "benchmarks").exists():
        pytest.skip("the sources aren't here")
    for path in programs:
        head, main, rest = path.read_text(encoding="utf-8").partition('\nif __name__ == "__main__":')
        if main and "print(" in head and path.name not in children:
            assert "\n    with lasting_streams(" in rest, path
