"""One network trained by several processes: the same bits on any number of them, and nothing hangs."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import killed_ranks
import numpy as np
import pytest

from thalweg.data import write_table
from thalweg.engine.ranks.exchange import Piece, joined
from thalweg.engine.ranks.forecast import Forecast
from thalweg.engine.ranks.world import WHOLE, Ranks, digest
from thalweg.errors import MissingPackageError

SCRIPT = Path(__file__).with_name("on_ranks.py")
ROOT = Path(__file__).parents[2]
SECONDS = 300


def run(ranks, *arguments, script=SCRIPT, **environment):
    """What it prints, its errors, and its exit code."""
    pytest.importorskip("mpi4py")
    launcher = killed_ranks.mpiexec()
    if launcher is None:
        pytest.skip("mpiexec is not on the PATH")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [launcher, "-n", str(ranks), sys.executable, str(script), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, env=os.environ | {"PYTHONPATH": path} | environment
    )


def results(done):
    """Those of all ranks."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_same_bits_on_any_number_of_ranks():
    expected = None
    for ranks in (1, 2, 4, 3):
        found = results(run(ranks, "bits"))
        assert len(found) == ranks
        expected = found[0] if expected is None else expected
        for other in found:
            assert other == expected


def test_the_bits_of_an_ordinary_fit_unless_sums_are_taken_elsewhere():
    pytest.importorskip("mpi4py")
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        import on_ranks
    finally:
        sys.path.pop(0)
    (found,) = results(run(1, "bits"))
    plain = on_ranks.bits(None)
    # A wide weight gradient, whose rows lanes of one process don't sum one by one; a penalty, which they add earlier.
    apart = {"dense", "dropout", "orthogonal"}
    assert {name for name in plain if plain[name] != found[name]} <= apart


def test_fast_sums_are_equal_but_for_rounding():
    near = {ranks: results(run(ranks, "fast")) for ranks in (2, 4)}
    (exact,) = results(run(1, "fast"))
    for found in near.values():
        assert all(other == found[0] for other in found)
        for name, mean in exact.items():
            assert found[0][name] == pytest.approx(mean, rel=1e-3)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Rows of a disk: several windows an epoch, the last of which is short."""
    folder, rng = tmp_path_factory.mktemp("stored"), np.random.default_rng(0)
    np.save(folder / "x.npy", rng.normal(size=(5003, 20)).astype(np.float32))
    np.save(folder / "y.npy", rng.integers(0, 3, 5003))
    return folder


@pytest.mark.parametrize("order", ["", "lying"])
def test_each_rank_reads_its_part_of_a_disk(order, stored):
    (one,) = results(run(1, "disk", str(stored), order))
    for ranks in (2, 3) if order == "" else (4,):
        found = results(run(ranks, "disk", str(stored), order))
        assert [other["bits"] for other in found] == [one["bits"]] * ranks
        for other in found:
            assert other["read"] == pytest.approx(one["read"] / ranks, rel=0.01)


def test_only_the_first_rank_writes_and_prints(tmp_path):
    done = run(2, "one", "", str(tmp_path), "5", "2")
    first, second = results(done)
    assert first == second
    assert sorted(p.name for p in tmp_path.iterdir()) == ["written"]
    assert done.stdout.count("epoch 5/5") == 1
    assert "2 ranks with 4 lanes: a step takes" in done.stdout
    assert "forecast for ranks on such a network" in done.stdout


def test_a_killed_rank_ends_all_and_fewer_ranks_continue_from_the_last_epoch(tmp_path):
    (expected, *_) = results(run(2, "one"))
    done = run(3, "one", "killed", str(tmp_path))
    assert done.returncode != 0
    first, second = results(run(2, "one", "", str(tmp_path)))
    assert first == second
    assert first["vector"] == expected["vector"]
    assert first["epochs"][-1] == expected["epochs"][-1]
    assert len(first["epochs"]) < len(expected["epochs"])


def test_a_full_disk_ends_all_with_one_sentence_and_the_last_checkpoint(tmp_path):
    done = run(2, "one", "full disk", str(tmp_path))
    assert done.returncode != 0
    assert "rank 0 of 2 has failed, and with it all ranks: ModelFileError: " in done.stderr
    assert "epoch-000003.safetensors can't be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    (expected,) = results(run(1, "one"))
    (found,) = results(run(1, "one", "", str(tmp_path)))
    assert found["vector"] == expected["vector"]
    assert found["epochs"] == [2, 3, 4]


def test_a_rank_that_is_stopped_is_waited_for_and_told_of():
    (expected,) = results(run(1, "one"))
    done = run(2, "one", "stopped")
    assert [found["vector"] for found in results(done)] == [expected["vector"]] * 2
    assert done.stderr.count("rank 0 of 2 has waited for 1 s for another, which may be busy, stopped or out of") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="ranks are found in /proc")
def test_ranks_killed_at_random_moments():
    """Many are killed by `tests/tables/killed_ranks.py`."""
    if killed_ranks.mpiexec() is None:
        pytest.skip("mpiexec is not on the PATH")
    pytest.importorskip("mpi4py")
    assert len(list(killed_ranks.storm(2))) == 2


def test_a_raising_rank_ends_all_with_one_sentence():
    done = run(2, "one", "raising")
    assert done.returncode != 0
    assert "rank 1 of 2 has failed, and with it all ranks: ValueError: this callback is wrong" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("what", ["interrupted", "stopping"])
def test_what_ends_the_training_of_one_rank_ends_that_of_all(what, tmp_path):
    done = run(2, "one", what, str(tmp_path))
    if what == "interrupted":
        assert done.returncode != 0
        assert done.stderr.count("KeyboardInterrupt") == 1
    else:
        first, second = results(done)
        assert first == second
        assert first["epochs"] == [0, 1, 2]
    assert len((tmp_path / "written" / "log.csv").read_text().splitlines()) in (4, 5)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("other data", "RanksError: the data (X) of rank 1 differs from that of rank 0: all ranks call fit with"),
        ("other version", "RanksError: the version of thalweg of rank 1 differs from that of rank 0 (0.1, not "),
        ("other seed", "RanksError: the seed of rank 1 differs from that of rank 0 (1, not 0): all ranks"),
        ("other weights", "RanksError: the weights of rank 1 differs from that of rank 0"),
        ("another rate", "RanksError: the learning rate of rank 1 differs from that of rank 0 (0.1, not 0.001)"),
        ("no seed", "ArgumentError: 'sequential' has no seed, and every rank would draw another"),
        ("one lane", "ArgumentError: 1 lanes are too few for 2 ranks"),
        ("too large", "DivergedError: training stopped in epoch 1, batch 1 of 4"),
    ],
)
def test_ranks_that_differ_are_refused(what, sentence):
    first, second = results(run(2, "caught", what))
    assert first == second
    assert first.startswith(sentence)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("fewer rows", "RanksError: the number of rows of rank 1 differs from that of rank 0 (5002, not 5003)"),
        ("other rows", "RanksError: the data (x) of rank 1 differs from that of rank 0"),
        ("other engine", "ArgumentError: ranks divide the lanes of the native engine, and the reference engine has"),
        ("recorded", "ArgumentError: a recording looks at all rows, and each rank has some of those"),
        ("infinite", "DivergedError: training stopped in epoch 1, batch"),
    ],
)
def test_ranks_that_cannot_share_rows_are_refused(what, sentence, stored):
    first, second = results(run(2, "caught", what, str(stored)))
    assert first == second
    assert first.startswith(sentence)
    if what == "infinite":
        (alone,) = results(run(1, "caught", what, str(stored)))
        assert first == alone
        assert "the data holds inf: x at row" in first


def test_an_error_of_all_ranks_is_printed_once():
    done = run(2, "one", "other seed")
    assert done.returncode == 1
    assert done.stderr.count("RanksError: the seed of rank 1") == 1


def test_another_level_of_processors_is_refused(tmp_path):
    from thalweg.engine.native.compiler.levels import USABLE

    if len(USABLE) < 2:
        pytest.skip("this machine has one level")
    script = tmp_path / "other_level.py"
    script.write_text(
        "import os, runpy, sys\n"
        f"if os.environ.get('PMI_RANK', os.environ.get('OMPI_COMM_WORLD_RANK')) == '1':\n"
        f"    os.environ['THALWEG_LEVEL'] = {USABLE[-1].name!r}\n"
        f"sys.argv = [{str(SCRIPT)!r}, 'caught', '']\n"
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
    )
    first, _ = results(run(2, script=script))
    assert first.startswith("RanksError: the level of processors of rank 1 differs from that of rank 0")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of images of two classes."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (120, 8, 8, 1), dtype=np.uint8)
    x[60:, :4] //= 4
    np.savez(folder / "two.npz", x=x, y=np.repeat([0, 1], 60))
    return folder / "two.npz"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A table that is learned from on the disk."""
    file, rng = tmp_path_factory.mktemp("large") / "large.parquet", np.random.default_rng(0)
    x = rng.normal(size=(24_000, 3))
    write_table(file, {f"x{k}": x[:, k] for k in range(3)} | {"target": x[:, 0] * x[:, 1] + x[:, 2]})
    return file


def command(ranks, *arguments):
    return run(ranks, "-m", "thalweg", *map(str, arguments), script="-u")


@pytest.mark.parametrize("kind", ["table", "large", "images"])
def test_the_command_trains_on_all_ranks(kind, pictures, large, tmp_path):
    source = {
        "table": [ROOT / "examples" / "penguins.csv", "--target", "target", "--no-trees"],
        "large": [large, "--target", "target", "--memory", "1GB", "--members", 2],
        "images": [pictures],
    }[kind]
    options = [*source, "--seed", 1, "--lanes", 2 if kind == "images" else 1, "--epochs", 3, "--no-report"]
    weights = []
    for ranks in (1, 2):
        folder = tmp_path / str(ranks)
        done = command(ranks, "train", *options, "--out", folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("run folder:") == 1
        weights.append((folder / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_fast_sums_without_ranks_are_refused():
    told = {name: value for name, value in os.environ.items() if not name.startswith(("PMI", "OMPI", "SLURM"))}
    arguments = [sys.executable, "-m", "thalweg", "train", "photos", "--fast-sums"]
    told |= {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=SECONDS, env=told)
    assert done.returncode == 2
    assert "--fast-sums is for several processes: mpiexec -n 4 thalweg train" in done.stderr


@pytest.mark.parametrize(
    "wrong",
    [
        ["--target", "nothing"],
        ["--target", "target", "--layers", "x"],
        ["--target", "target", "--memory", "1MB"],
        ["--target", "target", "--memory", "much"],
    ],
)
def test_a_wrong_call_is_one_line_and_its_exit_code(wrong):
    done = command(2, "train", ROOT / "examples" / "penguins.csv", *wrong)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("thalweg: ")


def test_a_launcher_of_another_mpi_is_named():
    pytest.importorskip("mpi4py")
    told = os.environ | {"OMPI_COMM_WORLD_SIZE": "4", "PYTHONPATH": str(ROOT)}
    arguments = [
        sys.executable,
        "-m",
        "thalweg",
        "train",
        str(ROOT / "examples" / "penguins.csv"),
        "--target",
        "target",
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=SECONDS, env=told)
    assert done.returncode == 2
    assert "the launcher started 4 processes, but mpi4py's library, " in done.stderr


def test_without_a_library_of_mpi_it_says_what_to_install():
    pytest.importorskip("mpi4py")
    told = os.environ | {"MPI4PY_LIBMPI": "nothing.so", "PMI_SIZE": "2", "PYTHONPATH": str(ROOT)}
    source = [str(ROOT / "examples" / "penguins.csv"), "--target", "target"]
    arguments = [sys.executable, "-m", "thalweg", "train", *source]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=SECONDS, env=told)
    assert done.returncode == 2
    assert done.stderr.startswith("thalweg: mpi4py finds no MPI (cannot load MPI library nothing.so: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_mpi4py_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("thalweg.support.extras.find_spec", lambda name: None)
    with pytest.raises(
        MissingPackageError, match=r"training on several ranks needs mpi4py: pip install 'thalweg\[mpi\]'"
    ):
        Ranks()


def test_pieces_that_touch_are_sent_as_one():
    assert joined([Piece(64, 8), Piece(72, 8), Piece(96, 0), Piece(100, 4)]) == [Piece(64, 16), Piece(100, 4)]


def test_the_forecast_is_the_model():
    one = Forecast(
        ranks=2, lanes=8, rows=4e-3, finish=1e-3, exchanged=2e-3, vector=8_000_000, other=0, meetings=2,
        latency=1e-5, bandwidth=1e9,
    )  # fmt: skip
    assert one.seconds(1) == pytest.approx(8e-3 + 1e-3)
    assert one.received(4) == 8_000_000 * 6 // 4 + 8_000_000 * 3 // 4
    assert replace(one, fast=True).received(4) == 2 * 8_000_000 * 3 // 4
    assert one.seconds(4) == pytest.approx(2e-3 + 1e-3 + 2 * 3 * 1e-5 + 18e6 / 1e9)
    assert one.efficiency(4, 0.0, 1e12) == pytest.approx(9e-3 / (4 * 3e-3), rel=1e-2)
    assert "more than 1 would be slower" in str(one)
    assert "nothing is sent" in str(Forecast(1, 8, 4e-3, 1e-3, 0.0, 8_000_000, 0, 2))


def test_arrays_are_compared_by_what_is_in_them():
    x = np.arange(12, dtype=np.float32)
    assert digest(x) == digest(x.copy()) != digest(x.reshape(3, 4))
    large = np.zeros(WHOLE // 4 + 1000, np.float32)
    mark = digest(large)
    large[0] = 1
    assert digest(large) != mark
