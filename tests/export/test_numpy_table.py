"""Tables' networks as NumPy files: the run's predictions from the same cells, and errors as sentences."""

import subprocess
import sys

import numpy as np
import pytest

from thalweg.data import read_table
from thalweg.exchange.targets import export
from thalweg.runs import table_training
from thalweg.runs.table_run import TableOptions

ROWS = 240


def cells():
    """Columns of all kinds, with missing cells, rare categories and a date before 1970."""
    draw = np.random.default_rng(0)
    seconds = draw.integers(-(10**9), 10**9, ROWS)
    columns = {
        "size (kg)": draw.normal(50, 10, ROWS).round(2).tolist(),
        "顏色": draw.choice(["紅", "綠", "藍"], ROWS).tolist(),
        "side": draw.choice(["left", "right"], ROWS).tolist(),
        "shop": draw.choice([f"s{k}" for k in range(103)], ROWS, p=np.arange(1, 104) / 5356).tolist(),
        "open": draw.choice(["yes", "no"], ROWS).tolist(),
        "paid": draw.choice([True, False], ROWS).tolist(),
        "grade": draw.choice(["1", "2", "10", "none"], ROWS).tolist(),
        "seen": np.datetime_as_string(np.datetime64(0, "s") + seconds.astype("timedelta64[s]")).tolist(),
    }
    for name in columns:
        for row in draw.integers(0, ROWS, 9):
            columns[name][row] = None
    size = np.array([50 if v is None else v for v in columns["size (kg)"]])
    score = size / 10 + 2 * np.array([v == "left" for v in columns["side"]]) + draw.normal(size=ROWS)
    columns["number"] = score.round(3).tolist()
    columns["two"] = np.where(score > 6, "high", "low").tolist()
    columns["three"] = np.select([score > 7, score > 5], ["a", "b"], "c").tolist()
    return columns


TARGETS = ("number", "two", "three")


@pytest.fixture(scope="module", params=TARGETS)
def run(request):
    table = cells()
    others = tuple(name for name in TARGETS if name != request.param)
    options = TableOptions(
        target=request.param, ignore=others, trees=False, members=2, layers=(8,), epochs=4, seed=0, lanes=1,
        categories=("shop",),
    )  # fmt: skip
    return table_training.train(read_table(table), options), table


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.py"
    export(run[0].model, path, features=run[0].features)
    return path


def defined(file):
    space = {"__name__": "model"}
    exec(file.read_text(encoding="utf-8"), space)
    return space


def test_cells_become_the_run_s_predictions(run, file):
    trained, table = run
    space, want = defined(file), trained.predicted(read_table(table))
    found = space["predict"](table) if trained.target.task == "regression" else space["predict_proba"](table)
    assert found.shape == want.shape
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)
    if trained.target.task == "regression":
        np.testing.assert_allclose(space["predict"](table), trained.predict(read_table(table)), rtol=1e-5)
    else:
        assert list(space["predict"](table)) == list(trained.predict(read_table(table)))


def test_cells_written_otherwise_mean_the_same(run, file):
    trained, table = run
    answer = defined(file).get("predict_proba", defined(file)["predict"])
    said = {"paid": ["1", "no", "TRUE", "-", "f"], "open": ["True", "N", "1", "—", "maybe"]}
    said |= {"grade": ["1.0", "02", "10", "none", "-"], "size (kg)": [" 5 ", "n.a.", "-", "7", "1e2"]}
    rows = {name: said.get(name, column[:5]) for name, column in table.items()}
    np.testing.assert_allclose(answer(rows), trained.predicted(read_table(rows)), rtol=1e-5, atol=1e-6)


def test_a_row_alone_is_the_row_among_many(run, file):
    _, table = run
    space = defined(file)
    answer = space.get("predict_proba", space["predict"])
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    np.testing.assert_allclose(answer(rows[:1]), answer(table)[:1], rtol=1e-6)
    unknown = {**rows[0], "顏色": "紫", "shop": "never seen", "more": 1}
    assert np.isfinite(answer([unknown])).all()


def test_the_file_answers_a_csv_file(run, file, tmp_path):
    _, table = run
    rows = [",".join("" if cell is None else str(cell) for cell in row) for row in zip(*table.values(), strict=True)]
    (tmp_path / "rows.csv").write_text("\n".join([",".join(table), *rows]), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "rows.csv")], capture_output=True, text=True, check=True
    )
    said = done.stdout.split()
    assert said[0] == "prediction"
    assert len(said) == ROWS + 1
    assert said[1] == str(defined(file)["predict"](table)[0])


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("size (kg)", "heavy", "row 1 of the column 'size (kg)' holds 'heavy', which is no number"),
        ("size (kg)", float("inf"), "holds inf, which is no number"),
        ("size (kg)", "1_000", "holds '1_000', which is no number"),
        ("paid", "perhaps", "row 1 of the column 'paid' holds 'perhaps', which is no yes or no"),
        ("seen", "soon", "which is no date such as 2024-05-31"),
    ],
)
def test_a_cell_that_means_nothing_is_named(file, column, cell, said):
    table = {name: values[:1] for name, values in cells().items()}
    with pytest.raises(ValueError, match="column") as error:
        defined(file)["predict"](table | {column: [cell]})
    assert said in str(error.value)


def test_a_column_that_lacks_is_named(file):
    table = cells()
    del table["side"]
    with pytest.raises(ValueError, match="the table lacks 'side', which the model was trained with"):
        defined(file)["predict"](table)


def test_a_header_can_t_become_code(tmp_path):
    """Names of columns, classes and files stand in comments and docstrings of a file that is run."""
    bad = 'x"""\nraise SystemExit("run")\n"""\\'
    rows = {bad: np.arange(40.0).tolist(), "kind": [f"a{k % 2}{bad}" for k in range(40)]}
    rows[f"y{bad}"] = [f"{bad}{k % 3}" for k in range(40)]
    options = TableOptions(target=f"y{bad}", members=1, layers=(4,), epochs=1, seed=0, lanes=1, trees=False)
    trained = table_training.train(read_table(rows), options)
    export(trained.model, path := tmp_path / 'a"""\nraise SystemExit(1).py', features=trained.features)
    np.testing.assert_allclose(defined(path)["predict_proba"](rows), trained.predicted(read_table(rows)), atol=1e-6)
