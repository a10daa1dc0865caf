"""The benchmark's pieces work and agree; how fast anything is, is not asserted."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks/ is not installed

from benchmarks import charts, cliff, estimators, peers, report, scaling, strain
from benchmarks.compare import Best, Contender, Plan, agreed, difference, duration, entrants, measure, show
from benchmarks.convolutions import CONVOLUTIONS
from benchmarks.costs import Cost, Share, share
from benchmarks.graphs import GRAPHS, SEQUENCES, Graph
from benchmarks.images import IMAGES
from benchmarks.peak import bandwidth, peak
from benchmarks.peers.base import Arrays
from benchmarks.report import ENGLISH, Report
from benchmarks.scaling import Series
from benchmarks.worker import Worker, WorkerError
from benchmarks.workloads import LARGE, SMALL, WORKLOADS, Workload, dense, shrunk

TINY = Plan(rounds=2, seconds=0.001, compiled=False)
LITTLE = [shrunk(work) for work in WORKLOADS if work.sizes != LARGE.sizes]


def made_up(work: Workload, seconds: dict[str, float]) -> tuple[Workload, Best]:
    """A result without a measurement."""
    result = {}
    for peer, time in seconds.items():
        worker = object.__new__(Worker)
        worker.peer, worker.threads = peer, 1
        result[peer] = Contender(worker, "", seconds=[time])
    return work, result


@pytest.fixture(scope="module")
def worker() -> Iterator[Callable[..., Worker]]:
    """Workers by their arguments: a peer is imported once for all tests."""
    with ExitStack() as running:
        yield cache(lambda *arguments: running.enter_context(Worker(*arguments)))


@pytest.fixture
def whole() -> Report:
    results = [
        made_up(WORKLOADS[1], {"thalweg": 1e-5, "PyTorch": 2e-4, "JAX": 9e-6}),
        made_up(WORKLOADS[5], {"thalweg": 1e-3, "PyTorch": 2e-3}),
    ]
    costs = [Cost("import", {"thalweg": "0.1 s", "PyTorch": "1 s"})]
    return Report(results, costs, Share(LARGE, 1e11, 2e11, 0.9, 0.85, 0.8, 0.7), 3, "thalweg 0", 2)


def test_workers_measure_the_workloads_and_agree(capsys: pytest.CaptureFixture[str]) -> None:
    with Worker("thalweg") as ours, Worker("scikit-learn", 1) as theirs:
        for work in LITTLE:
            only_ours = work.does == "fit many"  # joblib would start processes of its own
            result = measure(work, [ours] if only_ours else [ours, theirs], TINY)
            show(work, result, TINY)
            assert set(result) == {"thalweg"} | (
                {"scikit-learn"} if work.task == "classes" and not only_ours else set()
            )
            assert all(c.median > 0 for c in result.values())
        memory = ours.ask("memory")
        assert memory.peak >= memory.now > 0
    assert capsys.readouterr().out.count("all agree") == len(LITTLE)


def test_a_peer_that_computes_something_else_stops_the_run() -> None:
    work = dense(SMALL, 4, 3)
    start: Arrays = list(work.weights())
    ours: Arrays = [w + 1e-3 for w in start]
    assert difference(work, ours, [w + 1e-3 for w in start]) < 1e-6
    assert difference(work, ours, [w + 2e-3 for w in start]) > 0.5
    assert difference(replace(work, does="predict"), [np.ones(3)], [np.ones(3) * 1.1]) == pytest.approx(0.1)


@pytest.mark.parametrize("work", [replace(work, batch=4, rows=8) for work in GRAPHS], ids=lambda work: work.name)
def test_graphs_run_beside_their_limits(
    work: Graph, worker: Callable[..., Worker], capsys: pytest.CaptureFixture[str]
) -> None:
    show(work, measure(work, [worker("thalweg")], TINY), TINY)
    assert "limit (arithmetic" in capsys.readouterr().out
    assert 0 < work.limit.arithmetic <= work.limit.seconds
    assert 0 < work.limit.memory <= work.limit.seconds
    assert work.limit.bytes > 4 * 2 * 3 * sum(w.size for w in work.weights()[len(work.tables) :])


@pytest.mark.parametrize("peer", ["PyTorch", "Keras on JAX"])
@pytest.mark.parametrize(
    "work", [replace(work, batch=4, rows=20) for work in (*GRAPHS, *SEQUENCES[1:])], ids=lambda work: work.name
)
def test_graphs_agree(peer: str, work: Graph, worker: Callable[..., Worker]) -> None:
    """Every way in which a peer computes them; torch.compile is left to the benchmark."""
    if not peers.present([peer]):
        pytest.skip(f"{peer} is not installed")
    workers = [worker("thalweg"), worker(peer, 1)]
    everyone = list(entrants(work, workers, TINY))
    assert len(everyone) > 1
    racing = agreed(work, iter(everyone), replace(TINY, seconds=0.0))
    for one in workers:
        one.ask("clear")
    assert [c.variant for c in racing] == [c.variant for c in everyone]


def test_what_a_worker_raises_is_said_and_the_worker_stays() -> None:
    with Worker("thalweg") as worker:
        with pytest.raises(WorkerError, match="KeyError: 'nothing'"):
            worker.ask("run", "nothing", 1)
        assert worker.ask("variants", "thalweg", LARGE) == [""]
        with pytest.raises(WorkerError, match="no answer in 0 seconds"):
            worker.ask("make", "thalweg", LARGE, "", timeout=0)
        with pytest.raises(WorkerError, match=r"ended|died"):
            worker.ask("memory", timeout=5)


def test_absent_peers_are_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(peers.PEERS, "PyTorch", replace(peers.PEERS["PyTorch"], needs=("no_such_module",)))
    assert peers.present(["thalweg", "PyTorch"]) == ["thalweg"]
    assert "PyTorch" in capsys.readouterr().out


def test_the_readmes_get_the_tables_in_their_language_with_what_loses(
    whole: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    files = [name for readme, page, _ in report.LANGUAGES for name in (readme, page)]
    for name in files:
        (tmp_path / name).write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")
    (tmp_path / "docs" / "speed.svg").touch()
    for _ in range(2):  # a second run replaces the first's
        report.write(whole)
    texts = {name: (tmp_path / name).read_text(encoding="utf-8") for name in files}
    for name, text in texts.items():
        assert text.startswith("before\n")
        assert text.endswith("after\n")
        assert "old" not in text
        assert text.count("**20.0×**") == 1
        assert "0.90×" in text
        page = name.startswith("docs/")
        assert ("](speed.svg)" in text) == ("100,000" in text) == page
    assert "thalweg is slower than JAX on 30-64-64-3" in texts["README.md"]
    assert "預測 100,000 列" in texts["docs/compared.zh.md"]
    assert "30-64-64-3，批次 64，Adam 慢於 JAX（0.90×）" in texts["README.zh-TW.md"]


def test_every_name_of_a_workload_is_told_in_chinese() -> None:
    names = [work.name for work in (*WORKLOADS, *IMAGES, *CONVOLUTIONS, *GRAPHS, *SEQUENCES)]
    names += [network for _, network, _ in scaling.plans(8)]
    for name in names:
        chinese = report.translated(name, report.CHINESE)
        left = re.sub(r"Keras|MNIST|LeNet|LSTM|GRU|nanoGPT|Adam|SGD|wide & deep|Transformer", "", chinese)
        assert not re.search(r"[A-Za-z]{2,}|, ", left), f"{name}: {chinese}"
        assert report.translated(name, report.ENGLISH) == name


def test_both_languages_have_the_same_words() -> None:
    assert set(report.ENGLISH) == set(report.CHINESE)


@pytest.mark.filterwarnings("ignore")
def test_pictures(whole: Report, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    one = scaling.Series("width", "w-w-w", [8, 16], {"thalweg": [1e-6, 2e-6], "PyTorch": [1e-5, float("nan")]})
    charts.speed(whole.results, tmp_path / "speed.svg")
    charts.scaling([one] * 4, tmp_path / "scaling.svg")
    assert "thalweg" in (tmp_path / "speed.svg").read_text(encoding="utf-8")
    assert "w-w-w" in (tmp_path / "scaling.svg").read_text(encoding="utf-8")


def test_scaling_goes_through_every_size(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "PLAN", replace(scaling.PLAN, rounds=1, seconds=0.001))
    sizes = [series.size for series in scaling.scaling(["thalweg"], limit=16)]
    assert sizes == ["width", "batch", "depth", "lanes"]


@pytest.mark.filterwarnings("ignore::thalweg.errors.ThalwegWarning")  # width 1: a softmax over one output
def test_cliff_and_soak(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cliff, "ROUND_SECONDS", 0.0)
    cliff.cliff(widths=4, rounds=1)
    strain.soak(predicts=20, fits=10)
    printed = capsys.readouterr().out
    assert "most slower" in printed
    assert "KiB" in printed


def test_peak_and_share_are_numbers() -> None:
    assert peak(1, 1e-4) > 1e6
    assert bandwidth(2, 1 << 16, times=1, seconds=1e-4) > 1e6
    reached = share(shrunk(WORKLOADS[1]), rounds=1, seconds=0.0)
    assert min(reached.one, reached.all, reached.products, reached.step_on_one, reached.step) > 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.5e-6, "1.5 µs"), (0.000123, "123 µs"), (0.0456, "45.6 ms"), (2.0, "2 s"), (0.5, "500 ms")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_loss_in_the_scaling_chart_is_told():
    series = Series("width", "w-w-w", [8, 2048], {"thalweg": [1.0, 4.0], "PyTorch": [2.0, 1.0]})
    said = Report([], [], None, 3, "thalweg 0", 2, [series]).lost(ENGLISH)
    assert said == "thalweg is slower than PyTorch on w-w-w, w = 2048 (0.25×)."


def test_formulas_compute_what_the_built_in_functions_do(monkeypatch, capsys):
    from benchmarks import formulas

    rows = formulas.measure(["relu", "elu"], rounds=1, times=1)
    assert [row.name for row in rows] == ["relu", "elu"]
    assert all(row.difference < 2e-6 and row.built_in > 0 and row.formula > 0 for row in rows)
    monkeypatch.setitem(formulas.TEXTS, "relu", "max(x, 0.5)")  # the control
    monkeypatch.setattr(formulas, "measure", lambda names: [formulas.Row("relu", 1.0, 1.0, 0.5)])
    with pytest.raises(SystemExit, match="relu: the formula computes something else"):
        formulas.formulas("relu")
    assert "max(x, 0.5)" in capsys.readouterr().out


def test_estimators_agree_before_they_are_timed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = next(case for case in estimators.CASES if case.name.startswith("iris"))
    few = replace(small, epochs=3)
    monkeypatch.setattr(estimators, "CASES", [few])
    estimators.estimators("iris", 1)
    assert "times as fast" in capsys.readouterr().out
    monkeypatch.setattr(
        estimators.Case,
        "made",
        lambda self, module: module.MLPClassifier(alpha=float(module is estimators.theirs) * 100),
    )
    with pytest.raises(SystemExit, match="the loss curves differ"):
        estimators.estimators("iris", 1)


@pytest.mark.parametrize("number", [0, 1])
def test_the_examples_learn_as_pytorch_does(number: int) -> None:
    pytest.importorskip("torch")
    from benchmarks import losses

    sizes = ({"STEPS": 6, "UNITS": 8}, {"BLOCKS": 1, "HEADS": 2, "WIDTH": 8, "CONTEXT": 6})[number]
    case = replace(losses.CASES[number], sizes=sizes, batch=4)
    text = "the quick brown fox jumps over the lazy dog\n" * 9
    ours, theirs = losses.side_by_side(case, text, count=4)
    assert abs(ours - theirs).max() < 1e-4
    own = losses.each_its_own_way(case, text, seed=1, count=2)
    assert all(2 < loss < 5 for loss in own)
    rates = {"lr": 0.006, "weight_decay": 0.0, "betas": (0.9, 0.99)}  # the control
    peer = lambda *given: setattr(net := losses.CASES[number].peer(*given), "options", rates) or net  # noqa: E731
    ours, theirs = losses.side_by_side(replace(case, peer=peer), text, count=4)
    assert abs(ours - theirs).max() > 1e-3
