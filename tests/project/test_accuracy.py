"""The comparison of predictions: splits, scores, ranks, ratios, and resuming; no library is compared here."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks/ is not installed

from benchmarks.accuracy import columns, few, page, picture, records, runs, small, tables
from benchmarks.accuracy.command import RESULTS
from benchmarks.accuracy.methods import METHODS, Fitted
from benchmarks.accuracy.ranking import DEFAULT, REFERENCE, Comparison, complete, measured, partial
from benchmarks.accuracy.scores import area, of_classes, of_numbers, ranks

ROOT = Path(__file__).parents[2]
TOLD = (
    "README.md",
    "README.zh-TW.md",
    "docs/compared.md",
    "docs/compared.zh.md",
    "docs/tables.md",
    "docs/tour.md",
    "docs/tour.zh.md",
)
WHOLE = {"adult": [101, 102], "nursery": [101, 102], "abalone": [101, 102]}


def record(method: str, table: str, split: int, error: float, **more: float) -> records.Record:
    """A result without a measurement."""
    task = tables.TABLES[table].task
    scores = {"nrmse": error} if task == "numbers" else {"error": error, "log_loss": 2 * error}
    costs = {"fit_cpu": 1.0, "fit_wall": 2.0, "predict_wall": 0.1, "above_mib": 10.0, "rows": 100}
    return {"method": method, "table": table, "split": split, "task": task, **scores, **costs, **more}


def by_key(*found: records.Record) -> dict[records.Key, records.Record]:
    return {records.key(one): one for one in found}


@pytest.fixture
def made_up() -> dict[records.Key, records.Record]:
    """A is better on two tables of three, nursery is solved, and C has only one table."""
    errors = {"CatBoost": (0.2, 0.004, 0.5), "A": (0.1, 0.002, 0.55)}
    names = ("adult", "nursery", "abalone")
    found = [record(m, t, s, e) for m, es in errors.items() for t, e in zip(names, es, strict=True) for s in (101, 102)]
    return by_key(*found, record("C", "adult", 101, 0.05), record("D", "adult", 101, 1) | {"failed": "no"})


# --- Splits ----------------------------------------------------------------------------------------------------------


def test_a_split_is_disjoint_whole_and_its_seeds_own() -> None:
    y = np.random.default_rng(0).integers(3, size=1000)
    one, other, again = (tables.split(y, "classes", seed) for seed in (101, 102, 101))
    assert sorted([*one.train, *one.test]) == list(range(1000))
    assert abs(len(one.test) - 200) <= 2
    assert (one.test == again.test).all()
    assert (one.train == again.train).all()
    assert set(one.test) != set(other.test)
    for kind in range(3):  # classes keep their parts
        assert (y[one.test] == kind).sum() == round((y == kind).sum() / 5)


def test_the_cap_keeps_the_test_rows_and_rare_classes() -> None:
    y = np.repeat([0, 1, 2], [9000, 990, 10])
    whole, capped = tables.split(y, "classes", 101), tables.split(y, "classes", 101, cap=500)
    assert (whole.test == capped.test).all()
    assert set(capped.train) < set(whole.train)
    assert len(capped.train) <= 500
    assert np.bincount(y[capped.train]).tolist() == [449, 49, 2]
    numbers = tables.split(np.arange(1000.0), "numbers", 101, cap=300)
    assert (len(numbers.train), len(numbers.test)) == (300, 200)


def test_a_class_of_two_rows_is_trained_on() -> None:
    y = np.repeat([0, 1], [98, 2])
    for seed in range(20):
        assert (y[tables.split(y, "classes", seed).train] == 1).sum() == 2


@pytest.mark.parametrize(("counts", "cap", "kept"), [([5, 5], 20, [5, 5]), ([90, 10, 1], 20, [17, 2, 1])])
def test_shares(counts: list[int], cap: int, kept: list[int]) -> None:
    assert tables.shares(counts, cap) == kept


# --- Scores ----------------------------------------------------------------------------------------------------------


def test_scores_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(1)
    y = random.integers(2, size=200)
    p = np.round(random.random(200) * 0.6 + y * 0.3, 2)  # with ties
    found = of_classes(y, np.stack([1 - p, p], axis=1))
    assert found["auc"] == pytest.approx(roc_auc_score(y, p))
    assert found["log_loss"] == pytest.approx(log_loss(y, p))
    assert found["error"] == pytest.approx(np.mean((p > 0.5) != y))
    assert area(np.array([0, 1]), np.array([0.5, 0.5])) == 0.5
    assert "auc" not in of_classes(np.array([0, 1, 2]), np.eye(3))


def test_a_wrong_certainty_costs_a_finite_loss() -> None:
    found = of_classes(np.array([1, 0]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    assert found["log_loss"] == pytest.approx(-np.log(1e-7) / 2, rel=1e-6)


def test_the_mean_has_an_nrmse_of_one() -> None:
    y = np.array([1.0, 2.0, 6.0])
    assert of_numbers(y, np.full(3, y.mean())) == {"nrmse": pytest.approx(1)}
    assert of_numbers(y, y) == {"nrmse": 0}


def test_ranks_share_ties() -> None:
    assert ranks(np.array([0.3, 0.1, 0.3, 0.2])).tolist() == [3.5, 1, 3.5, 2]


# --- Ranks, ratios and wins ------------------------------------------------------------------------------------------


def test_ranks_ratios_and_wins(made_up: dict[records.Key, records.Record]) -> None:
    assert measured(made_up, "C", ("adult", "nursery")) == {"adult": [101]}
    assert measured(made_up, "D", ("adult",)) == {}
    assert complete(made_up, WHOLE) == ["CatBoost", "A"]
    assert complete(made_up, {"adult": [101]}) == ["CatBoost", "A", "C"]  # D failed
    one = Comparison(made_up, ["CatBoost", "A"], WHOLE)
    assert one.ranked(one.errors) == pytest.approx({"CatBoost": 5 / 3, "A": 4 / 3})
    assert one.ranked(one.losses) == {"CatBoost": 2, "A": 1}
    assert one.solved == ["nursery"]
    assert one.ratios("error", "CatBoost").tolist() == pytest.approx([0, -100 * np.log(2)])
    assert one.ratios("nrmse", "CatBoost").tolist() == pytest.approx([0, 100 * np.log(1.1)])
    assert one.wins("CatBoost") == ([0, 2], [3, 0])
    assert one.total("fit_cpu").tolist() == [3, 3]


def test_a_score_is_the_mean_of_the_splits() -> None:
    found = by_key(record("A", "adult", 101, 0.1), record("A", "adult", 102, 0.3))
    assert Comparison(found, ["A"], {"adult": [101, 102]}).errors.tolist() == [[pytest.approx(0.2)]]


def test_ours_do_not_take_ranks_from_each_other() -> None:
    errors = {"CatBoost": 0.4, "linear": 0.5, "thalweg balanced": 0.1, "thalweg best": 0.2, "thalweg fast": 0.45}
    found = by_key(*(record(name, "adult", 101, error) for name, error in errors.items()))
    one = Comparison(found, list(errors), {"adult": [101]})
    assert {name: one.rank(name, one.errors) for name in errors} == {
        "CatBoost": 2, "linear": 3, "thalweg balanced": 1, "thalweg best": 1, "thalweg fast": 2}  # fmt: skip


def test_methods_without_all_tables_are_compared_where_they_are(made_up: dict[records.Key, records.Record]) -> None:
    few = partial(made_up, Comparison(made_up, ["CatBoost", "A"], WHOLE))
    assert list(few) == ["C"]
    assert few["C"].splits == {"adult": [101]}
    assert few["C"].ranked(few["C"].errors) == {"CatBoost": 3, "A": 2, "C": 1}


def test_the_page_tells_losses_and_methods_with_few_tables(made_up: dict[records.Key, records.Record]) -> None:
    ours = {k: r | {"method": DEFAULT} if r["method"] == "A" else r for k, r in made_up.items()}
    ours = by_key(*ours.values())
    text = page.markdown(ours, ("adult", "nursery", "abalone"))
    assert text.count("**3 tables, splits 101, 102**") == 1
    assert "split 101**" not in text  # no further method has all tables on the first split
    more = [record("B", table, 101, 0.3) for table in WHOLE]
    with_first = page.markdown(ours | by_key(*more), tuple(WHOLE))
    assert with_first.index("**3 tables, splits 101, 102**") < with_first.index("**3 tables, split 101**")
    third = [record(name, "adult", 103, 0.2) for name in (REFERENCE, DEFAULT)]
    uneven = page.markdown(by_key(*ours.values(), *third), tuple(WHOLE))
    assert "| thalweg balanced | 1.33 (CatBoost 1.67) | 1.00 (CatBoost 2.00) |" in text
    assert "**3 tables, splits 101, 102, 103 of adult; splits 101, 102 of nursery, abalone**" in uneven
    assert "thalweg balanced has more error than CatBoost on abalone (+10 %)." in text
    assert "| C | 1: adult; split 101 |" in text
    assert "-69.3 / -69.3 / +9.5" in text
    assert page.markdown({}, ("adult",)).startswith("Nothing to compare yet")


def test_what_a_fit_costs_is_told_by_size_and_kind_of_table() -> None:
    """A sum is made by the tables on which the reference is slow; in a mean of ratios each table counts once."""
    found = []
    for table, rows, theirs, ours in (("adult", 10_000, 90, 9), ("nursery", 9_999, 2, 4), ("abalone", 1_999, 1, 5)):
        found += [record(REFERENCE, table, 101, 0.2) | {"rows": rows, "fit_cpu": theirs}]
        found += [record(DEFAULT, table, 101, 0.1) | {"rows": rows, "fit_cpu": ours}]
    text = page.markdown(by_key(*found), tuple(WHOLE))
    assert page.costs(page.comparisons(by_key(*found), tuple(WHOLE))[0]) in text
    for told in (
        "| tables | thalweg balanced | CPU s: CatBoost / thalweg balanced |",
        "| fewer than 2,000 training rows: 1 | 5.00 (5.00 to 5.00) | 1.0 / 5.0 |",
        "| 2,000 to 10,000: 1 | 2.00 (2.00 to 2.00) | 2.0 / 4.0 |",
        "| 10,000 and more: 1 | 0.10 (0.10 to 0.10) | 90 / 9.0 |",
        "| classes: 2 | 0.45 (0.10 to 2.00) | 92 / 13 |",
        "| numbers: 1 | 5.00 (5.00 to 5.00) | 1.0 / 5.0 |",
        "| all: 3 | 1.00 (0.10 to 5.00) | 93 / 18 |",
    ):
        assert told in text


def test_the_pages_say_what_the_stored_results_tell() -> None:
    """And wherever there are sums of CPU seconds, also what a fit costs on one table, by its size and kind."""
    stored = records.read(RESULTS)
    shown = {name: (ROOT / name).read_text(encoding="utf-8") for name in (*TOLD, "docs/accuracy.md")}
    assert page.markdown(stored) in shown["docs/accuracy.md"]
    rows = [line.split("|")[2:4] for line in page.costs(page.comparisons(stored)[0]).splitlines()[2:]]
    means = [ours.split()[0] for ours, _ in rows]
    for name in TOLD:
        assert "1.50" in shown[name], name  # of seven tables outside the comparison
        wanted = {"compared": [f"|{ours}|{fast}|" for ours, fast in rows], "tour": means[-1:]}
        for one in wanted.get(Path(name).name.partition(".")[0], means):
            assert one.replace(" to ", " 到 " if ".zh" in name else " to ") in shown[name], f"{name}: {one}"


def test_the_page_is_replaced_between_its_marks(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("before\n<!-- accuracy: begin -->\nold\n<!-- accuracy: end -->\nafter\n")
    page.write(path, "new")
    assert path.read_text() == "before\n<!-- accuracy: begin -->\nnew\n<!-- accuracy: end -->\nafter\n"
    path.write_text("no marks")
    with pytest.raises(SystemExit, match="no place for the results"):
        page.write(path, "new")


def test_the_picture_names_the_methods(made_up: dict[records.Key, records.Record], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture.draw(Comparison(made_up, ["CatBoost", "A"], WHOLE), tmp_path / "picture.svg")
    text = (tmp_path / "picture.svg").read_text()
    assert text.count(">CatBoost<") == text.count(">A<") == 2


# --- Records and runs ------------------------------------------------------------------------------------------------


def test_a_run_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path, done = tmp_path / "new" / "results.jsonl", []

    def fit(one: records.Key) -> records.Record:
        done.append(one)
        return record(*one, 0.1) if len(done) != 2 else record(*one, 0.1) | {"failed": "broken"}

    monkeypatch.setattr(runs, "fit", fit)
    keys = [("linear", name, 101) for name in ("adult", "letter", "abalone")]
    runs.measure(keys[:2], path)
    runs.measure(keys, path)  # what failed, and what is new
    assert done == [keys[0], keys[1], keys[1], keys[2]]
    runs.measure(keys, path)
    assert len(done) == 4
    runs.measure(keys[:1], path, again=True)
    assert done[4:] == keys[:1]
    assert len(path.read_text().splitlines()) == 5
    assert capsys.readouterr().out.count("failed: broken") == 1


def test_the_last_record_counts_and_a_cut_line_does_not(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    assert records.read(path) == {}
    records.append(path, record("A", "adult", 101, 0.2))
    records.append(path, record("A", "adult", 101, 0.1))
    with path.open("a") as file:
        file.write('{"method": "A", "tab')
    records.append(path, record("B", "adult", 101, 0.3))
    assert {k[0]: r["error"] for k, r in records.read(path).items()} == {"A": 0.1, "B": 0.3}


def test_slow_methods_have_tables_of_their_own() -> None:
    slow = METHODS["RealMLP-TD"]
    assert slow.tables is not None
    planned = runs.plan([METHODS["linear"], slow], None, 2)
    assert {seed for name, _, seed in planned if name == slow.name} == {101}
    assert {t for name, t, _ in planned if name == slow.name} <= set(slow.tables)
    assert [seed for _, _, seed in planned] == sorted(seed for _, _, seed in planned)
    asked = runs.plan([slow], [tables.TABLES["wine"]], 2)
    assert asked == [("RealMLP-TD", "wine", 101), ("RealMLP-TD", "wine", 102)]


def test_a_fit_in_a_process_of_its_own() -> None:
    found = runs.fit(("linear", "wine", 101))
    assert found["error"] < 0.2
    assert found["fit_cpu"] > 0
    assert (found["rows"], found["test_rows"], found["columns"]) == (142, 36, 13)


def test_a_failure_is_a_record() -> None:
    assert "KeyError" in runs.fit(("linear", "no such table", 101))["failed"]


# --- Few rows --------------------------------------------------------------------------------------------------------


def test_draws_of_few_rows_are_nested_and_apart_from_the_test() -> None:
    y = np.random.default_rng(0).choice([0, 0, 0, 0, 0, 0, 0, 0, 1, 2], size=3000)
    for number in range(5):
        ten, forty = (small.draw(y, "classes", rows, number) for rows in (10, 40))
        assert forty.train[:10].tolist() == ten.train.tolist()
        assert len(np.unique(y[ten.train])) > 1
        assert not set(forty.train) & set(forty.test)
        assert set(y[ten.test]) <= set(y[ten.train])
        assert len(forty.test) <= small.TEST
    assert small.draw(y, "classes", 10, 0).train.tolist() != small.draw(y, "classes", 10, 1).train.tolist()


def few_records() -> dict[small.Key, records.Record]:
    """The default is better than the linear model on adult, worse on abalone, and has another draw than CatBoost."""
    found = {}
    for size in (10, 20):
        for name, losses in {
            "linear": [0.5, 0.6, 0.7],
            DEFAULT: [0.4, 0.51, 0.6, 9],
            REFERENCE: [0.5, 0.5, 0.9],
        }.items():
            classes = {"error": [0.2] * 4, "log_loss": losses, "sure": [0.9] * 4}
            numbers = [0.5, 0.51, 0.5] if name == "linear" else [0.6, 0.62, 0.6]
            for table, scores in {"adult": classes, "abalone": {"nrmse": numbers}}.items():
                found[name, table, size] = {"method": name, "table": table, "rows": size, **scores}
    del found[REFERENCE, "adult", 20]
    return found


def test_differences_are_paired_and_those_beyond_their_interval_are_told() -> None:
    one = few.Few.of(few_records())
    assert (one.methods, one.tables, one.sizes) == (["linear", DEFAULT], ["adult", "abalone"], [10, 20])
    mean, half = one.difference(DEFAULT, "adult", 10)
    assert mean == pytest.approx(-0.29 / 3)
    assert half == pytest.approx(4.3027 * np.std([-0.1, -0.09, -0.1], ddof=1) / np.sqrt(3), rel=1e-4)
    assert one.worse_and_better(DEFAULT, 10) == (1, 1)
    assert one.certainty(DEFAULT, 10) == pytest.approx(10)  # 90 % sure, 80 % right
    assert one.mean_ranks(10).tolist() == [1.5, 1.5]
    text = few.markdown(one)
    assert "worse than the linear model by more than the interval in 2 of 4 cells, and better by more in 2" in text
    assert "| abalone | **+0.103 ± " in text
    assert few.markdown(few.Few.of({})).startswith("Nothing to compare yet")


def test_the_picture_of_few_rows_names_the_methods(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    few.draw(few.Few.of(few_records()), tmp_path / "few.svg")
    text = (tmp_path / "few.svg").read_text()
    assert f">{DEFAULT}<" in text
    assert ">linear<" in text


def test_fits_of_few_rows_are_records_or_failures() -> None:
    done, failed = small.fits("linear", "breast_cancer", [10], 2), small.fits("linear", "no such table", [10], 2)
    assert len(next(done)["log_loss"]) == 2
    assert "KeyError" in next(failed)["failed"]


# --- Methods ---------------------------------------------------------------------------------------------------------


def test_columns_as_the_libraries_want_them() -> None:
    pandas = pytest.importorskip("pandas")
    train = pandas.DataFrame({"a": [1.0, None, 4.0], "b": ["x", None, "y"]})
    test = pandas.DataFrame({"a": [None, 2.0], "b": ["z", "y"]})
    made = columns.categories(train)(test)["b"]
    assert made.cat.codes.tolist() == [-1, 1]  # z wasn't in the training rows
    assert columns.strings(train)(train)["b"].tolist() == ["x", "missing", "y"]
    filled = columns.filled_categories(train)(test)
    assert filled["a"].tolist() == [2.5, 2.0]
    assert filled["b"].cat.codes.tolist() == [-1, 1]
    assert np.asarray(columns.encoder(train).fit(train).transform(test)).shape[1] == 1 + 3


@pytest.mark.parametrize("name", ["majority or mean", "linear"])
def test_probabilities_are_of_all_classes(name: str) -> None:
    table = tables.TABLES["wine"]
    frame, y = table.load()
    known = y != 0  # the first class isn't trained on
    fitted = Fitted(METHODS[name], "classes", 1, frame[known], y[known])
    p = fitted.predict(frame)
    assert p.shape == (len(y), 3)
    assert not p[:, 0].any()
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_tables_from_the_shared_data() -> None:
    if not tables.TABLES["adult"].present:
        pytest.skip("no shared data")
    pytest.importorskip("pandas")
    frame, y = tables.TABLES["adult"].load()
    assert "split" not in frame
    assert "target" not in frame
    assert set(y) == {0, 1}
    assert len(tables.TABLES["spambase"].load()[0].columns.unique()) == 57
