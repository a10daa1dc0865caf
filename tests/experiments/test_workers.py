"""Workers of two hosts on the trials of one storage, some of them killed: a short storm, of which
`python tests/tables/trial_workers.py` makes a long one. And what a worker's command does."""

import json
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import postgres_server
import pytest
from trial_workers import storm, striking

import thalweg
from thalweg.experiments.comparison import compare
from thalweg.experiments.results import Comparison

pytest.importorskip("optuna")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
SMALL = ("width=8", "depth=1", "batch_size=32", "activation=relu,tanh", "batch_normalization=off", "loss=mse")
SMALL += ("numbers=plain",)
QUICK = ["--lanes", "1", *(part for text in SMALL for part in ("--search", text))]


@pytest.fixture(scope="module")
def server():
    if postgres_server.programs() is None:
        pytest.skip("PostgreSQL isn't installed")
    if find_spec("psycopg") is None and find_spec("psycopg2") is None:
        pytest.skip("no driver for PostgreSQL is installed")
    with postgres_server.serving() as running:
        yield running


def test_killed_workers_of_two_hosts_on_a_file(tmp_path):
    processes, _ = storm(tmp_path / "trials", budget=12, kills=2, each=1, seconds=0.05)
    assert processes == 4


def test_killed_workers_of_two_hosts_on_postgresql(server):
    processes, _ = storm(server.database("killed"), budget=8, kills=1, each=1, seconds=0.05)
    assert processes == 3


def test_killed_connections_to_postgresql(server):
    url = server.database("connections")
    processes, _ = storm(url, budget=8, kills=2, strike=striking(server, "connections"), each=1, seconds=0.1)
    assert processes == 2


def command(run_thalweg, storage, *more):
    given = ("--target", "target", "--storage", storage, *QUICK, *more)
    return run_thalweg("tune", PENGUINS, *given)


def check_shared_search(run_thalweg, storage, *more):
    """A worker trains the trials, another command makes the run of them; neither shows a password."""
    code, out, error = command(run_thalweg, storage, "--trials", "3", "--worker", *more)
    assert code == 0, error
    assert "3 trials trained here, for the search in " in out
    assert not Path("runs").exists()
    result = ("--trials", "3", "--folds", "2", "--seeds", "1", "--out", "run")
    code, out, error = command(run_thalweg, storage, *result, *more)
    assert code == 0, error
    assert "3 trials (" in out
    assert len(json.loads(Path("run", "trials.json").read_text())["trials"]) == 3
    assert "secret" not in out + Path("run", "run.json").read_text()


def test_a_worker_and_the_command_that_makes_the_run(run_thalweg):
    check_shared_search(run_thalweg, "kept")


def test_the_same_in_postgresql(server, run_thalweg):
    url = server.database("search").replace("thalweg@", "thalweg:secret@")
    check_shared_search(run_thalweg, url, "--study", "penguins")
    code, out, error = command(run_thalweg, url, "--study", "second", "--trials", "1", "--worker")
    assert code == 0, error
    assert "1 trial trained here" in out
    assert ":***@" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--worker"], "a --worker needs --storage"),
        (["--worker", "--storage", "kept", "--out", "run"], "--out is for the command that makes the results"),
        (["--worker", "--storage", "kept", "--folds", "3"], "--folds is for the command that makes the results"),
    ],
)
def test_wrong_calls_of_a_worker(run_thalweg, arguments, message):
    code, _, error = run_thalweg("tune", PENGUINS, "--target", "target", *arguments)
    assert code == 2
    assert message in error


def test_a_storage_that_can_t_be_reached_is_one_sentence(run_thalweg, monkeypatch):
    pytest.importorskip("psycopg")
    monkeypatch.setattr("thalweg.experiments.ledger.OPENING", 0.0)
    code, out, error = command(run_thalweg, "postgresql://ann:secret@127.0.0.1:1/none", "--trials", "1")
    assert code == 1
    assert "postgresql://ann:***@127.0.0.1:1/none doesn't answer" in error
    assert error.count("\n") == 1
    assert "secret" not in out + error


# --- comparisons ---------------------------------------------------------------------------------------------------


def plainly(found: Comparison):
    """Everything but the seconds."""
    records = found.records()
    for entry in records["entries"]:
        del entry["seconds"]
        for run in entry["runs"]:
            del run["seconds"]
    return records


@pytest.fixture
def problem():
    table = thalweg.data.read_table(PENGUINS)
    x = table["body_mass_g"][:120, None] / 1000 - 4
    return x, (x[:, 0] > 0).astype(int)


def test_a_comparison_that_processes_share_has_the_same_numbers(problem, tmp_path):
    given = {"entries": [0.0, 0.01, 1e30], "seeds": 2, "epochs": 3}  # one is stuck, and one diverges
    alone = plainly(compare("learning_rate", *problem, **given))
    told = []

    def tell(done, total):
        told.append((done, total))

    shared = compare("learning_rate", *problem, storage=tmp_path / "kept", progress=tell, **given)
    assert plainly(shared) == alone
    assert told[-1] == (6, 6)
    again = compare("learning_rate", *problem, storage=tmp_path / "kept", **given)
    assert again.records() == shared.records(), "nothing is trained again"
    with pytest.raises(thalweg.errors.ArgumentError, match="its seeds differ"):
        compare("learning_rate", *problem, storage=tmp_path / "kept", **given | {"seeds": 3})
    with pytest.raises(thalweg.errors.ArgumentError, match="its entries differ"):
        compare("learning_rate", *problem, storage=tmp_path / "kept", **given | {"entries": [0.1]})
    with pytest.raises(thalweg.errors.ArgumentError, match="its settings differ"):
        compare("learning_rate", *problem, storage=tmp_path / "kept", **given | {"epochs": 4})


def test_ctrl_c_leaves_a_comparison_for_later(problem, tmp_path):
    given = {"entries": ["relu", "tanh"], "seeds": 2, "epochs": 2, "lanes": 1, "storage": tmp_path / "kept"}

    pressed = []

    def press(done, total):
        if not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        compare("activation", *problem, progress=press, **given)
    assert len(compare("activation", *problem, **given).entries) == 2


def test_a_worker_of_a_comparison_writes_nothing(run_thalweg):
    given = ("--target", "target", "--entries", "relu,tanh", "--seeds", "1", "--epochs", "1", "--storage", "kept")
    code, out, error = run_thalweg("compare", "activation", PENGUINS, *given, "--worker")
    assert code == 0, error
    assert "the 2 trainings in kept are done" in out
    assert not Path("comparisons").exists()
    code, out, error = run_thalweg("compare", "activation", PENGUINS, *given)
    assert code == 0, error
    assert Path("comparisons/penguins-activation/comparison.json").exists()
