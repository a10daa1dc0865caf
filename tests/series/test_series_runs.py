"""Series on the command line: trained, continued, evaluated and reported, and the sentences for what can't be."""

import csv
import re
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from thalweg.cli import train as train_command
from thalweg.cli.main import app
from thalweg.data.tables import read_table
from thalweg.errors import ArgumentError, DataError
from thalweg.runs.forecasts import series_run, series_training
from thalweg.runs.forecasts.series_training import SeriesOptions, train
from thalweg.runs.stored import load_run
from thalweg.support import stopwatch

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def call(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def said(*arguments):
    result = call(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def refused(*arguments):
    result = call(*arguments)
    assert result.exit_code != 0
    return str(result.exception)


def write(path, first, count, shops="AB", level=20.0):
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write("day,shop,sold,promo\n")
        for place, shop in enumerate(shops):
            for k in range(first, first + count):
                value = level * (place + 1) + 5 * np.sin(k * 2 * np.pi / 7) + rng.normal(0, 0.3)
                file.write(f"{np.datetime64('2022-01-01') + k},{shop},{value:.2f},{k % 3}\n")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    rows = write(folder / "sales.csv", 0, 120)
    output = said(
        "train", rows, "--target", "sold", "--time", "day", "--group", "shop", "--horizon", 5, "--epochs", 2,
        "--members", 1, "--seed", 0, "--out", folder / "run",
    )  # fmt: skip
    return folder, output


def test_training_says_what_it_found_and_how_good_it_is(trained):
    _, output = trained
    assert "2 series with steps of 1 day, 240 values, a season of 7" in output
    assert re.search(r"in the forecast: \w+( \w+)? \d+%", output)
    assert "the last 5 steps of each series, held out" in output
    assert all(word in output for word in ("MASE", "as last season", "smoothing", "linear model", "coverage"))


def test_a_run_continues_its_series(trained):
    folder, _ = trained
    said("predict", folder / "run", "--out", folder / "next.csv")
    rows = list(csv.DictReader((folder / "next.csv").read_text().splitlines()))
    assert list(rows[0]) == ["shop", "day", "prediction", "quantile 0.1", "quantile 0.9"]
    assert [(r["shop"], r["day"]) for r in rows][4:6] == [("A", "2022-05-05"), ("B", "2022-05-01")]
    shorter = said("predict", folder / "run", "--horizon", 2)
    assert shorter.splitlines()[1].split(",")[0:3] == list(rows[0].values())[:3]
    assert all(15 < float(r["prediction"]) < 50 for r in rows)


def test_newer_rows_are_continued_as_if_they_had_been_there(trained):
    folder, _ = trained
    newer = write(folder / "newer.csv", 120, 10, shops="B", level=40.0)
    rows = list(csv.DictReader(said("predict", folder / "run", newer).splitlines()))
    assert (rows[0]["shop"], rows[0]["day"]) == ("B", "2022-05-11")
    run = series_run.load(folder / "run")
    line = run.with_newer(read_table(newer)).lines[0]
    assert len(line) == 130
    np.testing.assert_array_equal(line.values[:120], run.panel.lines[1].values)


def test_a_loaded_run_says_what_the_forecaster_says(trained):
    folder, _ = trained
    first, again = (series_run.load(folder / "run") for _ in range(2))
    np.testing.assert_array_equal(first.forecaster.forecasts(first.panel), again.forecaster.forecasts(again.panel))
    assert first.forecaster.predict(3)["sold"].shape == (6,)


def test_a_run_that_is_read_back_combines_as_the_one_that_was_written(trained, tmp_path):
    folder, _ = trained
    options = SeriesOptions(target="sold", time="day", group="shop", horizon=5, epochs=2, members=2, seed=1)
    made = train(read_table(folder / "sales.csv"), options)
    made.save(tmp_path / "run", [])
    again = series_run.load(tmp_path / "run")
    assert again.forecaster.shares_ == made.forecaster.continuation_.shares
    assert 0 < again.forecaster.shares_["networks"] < 1
    np.testing.assert_array_equal(again.forecaster.forecasts(again.panel), made.forecaster.forecasts(made.panel))


def test_evaluation_by_rolling_origins(trained):
    folder, _ = trained
    output = said("evaluate", folder / "run", write(folder / "later.csv", 100, 32, level=20.0))
    assert "3 origins" in output
    assert "MASE as last season" in output
    assert "has no values after those of the training" in refused("evaluate", folder / "run", folder / "sales.csv")


def test_the_report_has_scores_pictures_and_the_course(trained):
    from thalweg.runs.forecasts.series_page import series_document

    folder, _ = trained
    assert (folder / "run" / "report.html").stat().st_size > 50_000
    document = series_document(series_run.load(folder / "run"), "run")
    assert [section["id"] for section in document["sections"]] == ["overview", "judgement", "course", "reproduction"]
    scores, pictures = document["sections"][0]["figures"][0], document["sections"][1]["figures"]
    assert scores["rows"][0][0] == "MASE"
    assert [picture["title"] for picture in pictures] == ["sold, A", "sold, B"]
    assert {len(series["band"]) for series in pictures[0]["series"]} == {0, 2}
    said("report", folder / "run", "--language", "zh", "--out", folder / "zh.html")


def test_columns_known_in_advance(trained, tmp_path):
    folder, _ = trained
    given = ("--target", "sold", "--time", "day", "--group", "shop", "--horizon", 3, "--known", "promo", "--epochs", 1)
    said("train", folder / "sales.csv", *given, "--members", 1, "--no-report", "--out", tmp_path / "run")
    assert "have no row for 2022-05-01 of 'A', step 1" in refused("predict", tmp_path / "run")
    later = tmp_path / "later.csv"
    later.write_text("day,shop,sold,promo\n" + "".join(f"2022-05-0{k},B,,{k}\n" for k in (1, 2, 3)))
    rows = said("predict", tmp_path / "run", later).splitlines()
    assert [row[:12] for row in rows[1:4]] == [f"B,2022-05-0{k}" for k in (1, 2, 3)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ("--target", "sold", "--horizon", "5", "--time", "day"),
            "row 121 of .* has the time stamp of row 1, 2022-01-01",
        ),
        (("--target", "sold", "--horizon", "5", "--layers", "3"), "--layers is for tables and images; with --horizon"),
        (
            ("--target", "sold", "--horizon", "70", "--time", "day", "--group", "shop"),
            "has 120 values: a horizon of 70 needs 142 or more, 70 of them to judge by",
        ),
        (("--target", "sold", "--horizon", "0", "--time", "day"), "horizon has to be a whole number of at least 1"),
        (("--target", "sold", "--horizon", "5", "--time", "sold"), "are three columns"),
        (("--target", "sold", "--season", "7"), "--season is for series; give --horizon STEPS"),
        (("--target", "sold", "--horizon", "5", "--interval", "2"), "interval has to be a number in"),
        (("--target", "wrong", "--horizon", "5"), "has no column 'wrong'"),
    ],
)
def test_what_can_not_be_trained(trained, tmp_path, given, message):
    folder, _ = trained
    assert re.search(message, refused("train", folder / "sales.csv", *given, "--out", tmp_path / "run"))


@pytest.mark.parametrize("cells", ["5 3 8 4 9 2", "7 7 7 7 7 7"], ids=["any", "constant"])
@pytest.mark.parametrize(("size", "horizon"), [(4, 1), (5, 1), (6, 2)])
def test_the_shortest_series_are_runs(tmp_path, cells, size, horizon):
    table = {"t": np.arange(float(size)), "v": np.array(cells.split(), float)[:size]}
    options = SeriesOptions(target="v", time="t", horizon=horizon, epochs=1, members=1, seed=1)
    run = train(read_table(table), options)
    assert np.isfinite([run.facts["held-out"][name] for name in ("sMAPE", "pinball", "coverage")]).all()
    shorter = {name: values[:-1] for name, values in table.items()}
    needed = f"has {size - 1} values: a horizon of {horizon} needs {size} or more, {horizon} of them to judge by"
    if size == 2 * horizon + 2:
        with pytest.raises(DataError, match=needed):
            train(read_table(shorter), options)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("soon,3", "row 8 of odd.csv has 'soon' in 'day': the time 'day' is dates, or numbers that count steps"),
        ("2022-01-08,n/k", "row 8 of odd.csv has 'n/k' in 'sold': the target 'sold' of a series has numbers"),
    ],
)
def test_an_odd_cell_is_named_with_its_row(tmp_path, monkeypatch, row, message):
    monkeypatch.chdir(tmp_path)
    rows = [f"2022-01-{day:02},{day * day % 11}" for day in range(1, 31)]
    (tmp_path / "odd.csv").write_text("day,sold\n" + "\n".join([*rows[:7], row, *rows[8:]]) + "\n")
    given = ("--target", "sold", "--time", "day", "--horizon", 3, "--out", tmp_path / "run")
    assert refused("train", "odd.csv", *given) == message


def test_commands_that_a_series_has_no_use_for(trained):
    folder, _ = trained
    run = folder / "run"
    assert "--id is for tables and images" in refused("predict", run, "--id", "x")
    assert "step 9 is beyond the horizon" in refused("predict", run, "--horizon", 9)
    assert "was trained on series: thalweg predict, evaluate and report take such a run" in refused("inspect", run)
    with pytest.raises(ArgumentError, match="was trained on series"):
        load_run(run)


def test_a_damaged_folder_is_said_so(trained, tmp_path):
    import shutil

    from thalweg.errors import ModelFileError

    folder, _ = trained
    shutil.copytree(folder / "run", tmp_path / "run")
    (tmp_path / "run" / "series.npz").write_bytes(b"no")
    with pytest.raises(ModelFileError, match="is damaged"):
        series_run.load(tmp_path / "run")


# ------------------------------------------------------------------------------------------------------- a time limit


@pytest.mark.parametrize(("limit", "all_values"), [(60.0, True), (10.0, False)])
def test_both_trainings_and_what_follows_are_within_the_limit(counted, monkeypatch, limit, all_values):
    """Writing a run takes two seconds there, comparing three."""
    clock, save = counted(limit, page=1.0), series_run.SeriesRun.save

    def saved(*given):
        clock.seconds += 2
        save(*given)

    def compared(*given):
        clock.seconds += 3
        return {}

    monkeypatch.setattr(series_run.SeriesRun, "save", saved)
    monkeypatch.setattr(series_training, "simple_forecasts", compared)
    table = {"t": np.arange(90.0), "v": 5 + np.sin(np.arange(90.0) * 2 * np.pi / 7)}
    told = []
    options = SeriesOptions(target="v", time="t", horizon=3, epochs=60, members=2, seed=1, time_limit=limit)
    train(read_table(table), options, told.append, clock)
    assert clock.after == 3 or not all_values  # half as much again as a trial took
    assert clock.seconds <= limit - clock.kept
    assert clock.seconds > limit / 2
    assert ("the time limit left none to learn from the last steps" in told[-1]) != all_values


def test_a_series_command_counts_from_the_start_of_its_process(trained, tmp_path, monkeypatch):
    folder, _ = trained
    monkeypatch.setattr(stopwatch.command, "began", time.perf_counter() - 601)
    given = ("--target", "sold", "--time", "day", "--group", "shop", "--horizon", 5, "--time-limit", 600)
    said = refused("train", folder / "sales.csv", *given, "--out", tmp_path / "run")
    assert "600 s was over before training began: reading the table took 6" in said
    assert "time limit has to be" in refused("train", folder / "sales.csv", *given[:-1], -5, "--out", tmp_path / "run")


@pytest.mark.parametrize(("more", "kept"), [((), 42.0), (("--no-report",), 0.0)])
def test_seconds_are_kept_for_the_page_of_series(trained, tmp_path, monkeypatch, more, kept):
    folder, _ = trained
    made, real = [], train_command.Clock
    monkeypatch.setattr(train_command, "Clock", lambda *given: made.append(real(*given)) or made[-1])
    given = ("--target", "sold", "--time", "day", "--group", "shop", "--horizon", 5, "--epochs", 1, "--members", 1)
    said("train", folder / "sales.csv", *given, "--time-limit", 600, *more, "--out", tmp_path / "run")
    assert made[-1].page == pytest.approx(min(15.0, kept))
