"""The command line as a new user meets it: the whole way from a table to predictions, and every wrong turn."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from thalweg import layers
from thalweg.cli import report
from thalweg.data.tables import read_table
from thalweg.runs import table_run as runs
from thalweg.runs import table_training

ROOT = Path(__file__).parents[2]
PENGUINS = ROOT / "examples" / "penguins.csv"
SHARED = ROOT.parent / "shared" / "data"
QUICK = ("--members", "1", "--no-trees", "--epochs", "3", "--early-stopping", "0", "--layers", "8", "--seed", "0")


@pytest.fixture
def thalweg(run_thalweg):
    """Runs a command in an empty folder; returns exit code, standard output, standard error."""
    return run_thalweg


@pytest.fixture
def trained(thalweg, run_made):
    """A run folder."""
    return Path(shutil.copytree(run_made("train", PENGUINS, "--target", "target", *QUICK) / "run", "run"))


def penguins(change):
    """The penguins' lines after `change(lines)`, as a file in the current folder."""
    with open(PENGUINS) as file:
        lines = list(csv.reader(file))
    change(lines)
    with open("changed.csv", "w", newline="") as file:
        csv.writer(file).writerows(lines)
    return "changed.csv"


def test_the_whole_way(thalweg):
    code, out, _ = thalweg("train", PENGUINS, "--target", "target", "--seed", "0")
    assert code == 0
    for part in ("bill_length_mm", "category", "number", "multiclass: Adelie, Chinstrap, Gentoo", "Total params"):
        assert part in out
    for part in (
        "always Adelie",
        "logistic regression",
        "95 % interval",
        "AUC",
        "F1 (macro)",
        "calibration",
        "taken for",
    ):
        assert part in out
    assert "4 networks like this one, each of the epoch chosen by" in out
    assert "runs/penguins" in out
    facts = json.loads(Path("runs/penguins/run.json").read_text())
    assert facts["command"] == ["thalweg", "train", str(PENGUINS), "--target", "target", "--seed", "0"]
    assert facts["held-out"]["accuracy"] >= 0.95 > facts["baseline"]["scores"]["accuracy"]
    assert facts["linear"]["scores"]["accuracy"] >= 0.95
    low, high = facts["intervals"]["accuracy"]
    assert low < facts["held-out"]["accuracy"] < high
    assert np.sum(facts["mistakes"]["confusion"]["counts"]) == facts["rows"]["test"] == 69
    assert sum(facts["rows"].values()) == 344
    assert len(facts["members"]) == 4
    assert facts["options"]["batch_size"] == 16  # of 240 rows: 15 steps an epoch
    assert sorted(p.name for p in Path("runs/penguins").iterdir()) == [
        "columns.json",
        "evidence.json",
        "evidence.npz",
        "history.jsonl",
        "model.safetensors",
        "recording.npz",
        "report.html",
        "run.json",
    ]
    history = [json.loads(line) for line in Path("runs/penguins/history.jsonl").read_text().splitlines()]
    for number, member in enumerate(facts["members"]):
        records = [record for record in history if record["member"] == number]
        assert [record["epoch"] for record in records] == list(range(member["epochs"]))
        assert records[-1]["loss"] < records[0]["loss"]
        assert records[member["best epoch"] - 1]["held_out"] == min(record["held_out"] for record in records)

    code, out, _ = thalweg("evaluate", "runs/penguins", PENGUINS)
    assert code == 0
    assert "accuracy" in out

    code, out, _ = thalweg("predict", "runs/penguins", PENGUINS, "--out", "answers.csv")
    assert code == 0
    answers, truth = read_table("answers.csv"), read_table(PENGUINS)
    assert answers.rows == truth.rows
    assert (answers["prediction"] == truth["target"]).mean() >= 0.95
    shares = np.column_stack([answers[f"probability of {name}"] for name in ("Adelie", "Chinstrap", "Gentoo")])
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)

    code, out, _ = thalweg("inspect", "runs/penguins")
    assert code == 0
    for part in (
        *("command: thalweg train", "·W2 + b2", "dW2 = ", "lanes: ", "log loss, held out"),
        *("history of network 4", "of the first network", "always Adelie", "95 % interval", "calibration"),
    ):
        assert part in out


def test_two_classes_a_number_and_a_query(thalweg):
    code, out, _ = thalweg("train", PENGUINS, "--target", "sex", "--out", "two", *QUICK)
    assert code == 0
    assert "binary: FEMALE, MALE" in out
    assert "11 rows without a target" in out
    code, _, _ = thalweg("predict", "two", PENGUINS, "--out", "two.parquet")
    assert read_table("two.parquet").names == ["prediction", "probability of FEMALE", "probability of MALE"]

    query = f"SELECT * FROM '{PENGUINS}' WHERE body_mass_g > 3500"
    code, out, _ = thalweg("train", query, "--target", "body_mass_g", "--ignore", "island", *QUICK)
    assert code == 0
    assert "regression" in out
    assert "R²" in out
    code, _, _ = thalweg("predict", "runs/query", PENGUINS, "--out", "mass.csv")
    assert code == 0
    mass = read_table("mass.csv")
    assert mass.names == ["prediction"]
    assert 2500 < mass["prediction"].mean() < 6500


def test_names_and_classes_are_printed_as_they_are(thalweg):
    """Square brackets are markup to rich: units such as [kg] must not vanish, nor [/x] end the command."""
    lines = "".join(f"{i % 7},{i * 0.37 % 1},{'[bold]' if i % 7 < 3 else '[/x] :smile:'}\n" for i in range(100))
    Path("units.csv").write_text("weight [kg],[/b] price,[red]\n" + lines, encoding="utf-8")
    out_folder = "a" * 150 + "[kg]"  # nor is a long path broken over lines
    code, out, error = thalweg("train", "units.csv", "--target", "[red]", "--out", out_folder, *QUICK)
    assert code == 0, error
    for part in ("weight [kg]", "[/b] price", "target [red]: binary: [/x] :smile:, [bold]", f": {out_folder}\n"):
        assert part in out
    code, out, error = thalweg("inspect", out_folder)
    assert code == 0, error
    assert "always [/x] :smile:" in out
    assert "\nseed: 0\n" in out


def test_rows_without_a_target_are_not_judged(thalweg):
    thalweg("train", PENGUINS, "--target", "sex", "--out", "two", *QUICK)
    code, out, _ = thalweg("evaluate", "two", PENGUINS)
    assert code == 0
    assert "333 rows" in out


@pytest.fixture
def announced(monkeypatch):
    """What is known before training."""
    tasks = []
    monkeypatch.setattr(report, "announce_table", lambda plan: tasks.append(plan.prepared))
    return tasks


def test_every_option_reaches_the_training(thalweg, announced):
    code, _, error = thalweg(
        *("train", PENGUINS, "--target", "target", "--task", "multiclass", "--ignore", "sex", "--ignore", "island"),
        *("--layers", "7,5", "--activation", "tanh", "--initial-weights", "glorot_normal", "--loss", "mse"),
        *("--optimizer", "sgd", "--learning-rate", "0.3", "--batch-size", "16", "--epochs", "4", "--dropout", "0.25"),
        *("--l2", "0.001", "--test-share", "0.25", "--validation-share", "0.2", "--early-stopping", "0"),
        *("--seed", "5", "--lanes", "1", "--out", "run", "--category", "body_mass_g", "--members", "2"),
        *("--metric", "accuracy", "--class-weight", "balanced", "--quality", "fast", "--no-trees"),
    )
    assert code == 0, error
    (task,), run = announced, runs.load("run")
    network = task.blueprint.member(0, 0, 1)[0]
    hidden = [layer for layer in network.layers if isinstance(layer, layers.Dense)]
    assert [layer.units for layer in hidden] == [7, 5, 3]
    assert hidden[0].activation.name == "tanh"
    assert hidden[0].kernel_regularizer.l2 == 0.001
    assert type(hidden[0].kernel_initializer).__name__ == "GlorotNormal"
    assert [layer.rate for layer in network.layers if isinstance(layer, layers.Dropout)] == [0.25, 0.25]
    assert network.loss.name == "mean_squared_error"
    assert type(network.optimizer).__name__ == "SGD"
    assert network.optimizer.schedule(0) == pytest.approx(0.3)
    assert task.blueprint.settings.trees == ()
    assert task.judge.metric == run.facts["metric"] == "accuracy"
    sums = [task.rows.weights[task.rows.y == code].sum() for code in range(3)]
    assert sums == pytest.approx([206 / 3 + 52 / 3] * 3)
    assert [len(rows) for rows in task.folds[:2]] == [52, 52]
    assert set(task.folds[0]) != set(task.folds[1])
    assert run.facts["rows"] == {"train": 258, "validation": 0, "test": 86, "without target": 0, "skipped": 0}
    assert run.facts["options"]["batch_size"] == 16
    assert (run.facts["seed"], run.facts["options"]["lanes"]) == (5, 1)
    assert len(run.history) == 2 * 4
    kinds = {column.name: column.kind for column in run.features.describe()}
    assert "sex" not in kinds
    assert kinds["body_mass_g"] == "category"
    assert [layer.units for layer in run.first_network().layers if isinstance(layer, layers.Dense)] == [7, 5, 3]


def test_early_stopping_counts_epochs_without_a_better_one(thalweg):
    train = ("train", PENGUINS, "--target", "target", "--seed", "0", "--epochs", "60")
    train += ("--members", "1", "--no-trees", "--no-report", "--layers", "16")
    for number, (given, rule) in enumerate(
        [
            (("--early-stopping", "3"), lambda best: best + 3),
            (("--early-stopping", "0"), lambda best: 60),
            ((), lambda best: np.ceil(2.5 * best + 4)),
        ]
    ):
        code, _, error = thalweg(*train, *given, "--learning-rate", "0.2", "--out", f"run{number}")
        assert code == 0, error
        (member,) = runs.load(f"run{number}").facts["members"]
        assert member["epochs"] == min(60, rule(member["best epoch"]))
        assert (member["epochs"] < 60) == (given[1:] != ("0",))


def test_without_validation_the_last_epoch_is_kept(thalweg):
    arguments = ("--validation-share", "0", "--early-stopping", "0", "--epochs", "3", "--out", "run")
    code, out, error = thalweg("train", PENGUINS, "--target", "target", *arguments)
    assert code == 0, error
    assert "each of the last epoch" in out
    assert {(m["best epoch"], m["held out"]) for m in runs.load("run").facts["members"]} == {(3, 0)}


def test_the_same_seed_gives_the_same_model(thalweg):
    for name in ("one", "two"):
        thalweg("train", PENGUINS, "--target", "target", "--out", name, *QUICK)
    assert Path("one/model.safetensors").read_bytes() == Path("two/model.safetensors").read_bytes()


def test_nothing_is_overwritten(thalweg, trained):
    before = {path.name: path.read_bytes() for path in trained.iterdir()}
    code, _, error = thalweg("train", PENGUINS, "--target", "target", "--out", trained, *QUICK)
    assert (code, error.count("\n")) == (2, 1)
    assert "exists already" in error
    assert {path.name: path.read_bytes() for path in trained.iterdir()} == before
    for _ in range(2):
        thalweg("train", PENGUINS, "--target", "target", *QUICK)
    assert sorted(path.name for path in Path("runs").iterdir()) == ["penguins", "penguins-2"]
    Path("answers.csv").write_text("mine")
    code, _, error = thalweg("predict", trained, PENGUINS, "--out", "answers.csv")
    assert code == 2
    assert Path("answers.csv").read_text() == "mine"


def one_class(lines):
    for line in lines[1:]:
        line[6] = "Adelie"


def all_missing(lines):
    for line in lines[1:]:
        line[:6] = [""] * 6


def text_among_numbers(lines):
    lines[17][1] = "long"


def only_a_header(lines):
    del lines[1:]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (one_class, "one value only, 'Adelie'"),
        (all_missing, "no column to learn from"),
        (text_among_numbers, "row 17 of the column 'bill_length_mm' holds the text 'long'"),
        (only_a_header, "but no rows"),
    ],
)
def test_bad_data_is_named_and_exits_with_1(thalweg, change, said):
    code, _, error = thalweg("train", penguins(change), "--target", "target", *QUICK)
    assert code == 1
    assert said in error
    assert error.count("\n") == 1
    assert not Path("runs").exists()


def test_a_folder_of_tables_is_not_taken_for_images(thalweg):
    for left_by_programs in ("__pycache__", "__MACOSX", ".ipynb_checkpoints"):
        Path("tables", left_by_programs).mkdir(parents=True)
    Path("tables", "penguins.csv").write_bytes(PENGUINS.read_bytes())
    code, _, error = thalweg("train", "tables", "--target", "target")
    assert code == 1
    assert "is a folder; name a file in it" in error


def test_an_empty_file(thalweg):
    Path("empty.csv").touch()
    code, _, error = thalweg("train", "empty.csv", "--target", "target")
    assert (code, error) == (1, "thalweg: empty.csv is empty: it holds no header and no rows\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pengiuns.csv", "--target", "target"), "there is no file pengiuns.csv"),
        (("*.nope.csv", "--target", "target"), "no file matches"),
        ((PENGUINS, "--target", "targt"), "no column 'targt' (did you mean target?)"),
        ((PENGUINS, "--target", "target", "--ignore", "isle"), "no column 'isle'"),
        ((PENGUINS, "--target", "target", "--task", "guess"), "--task guess is unknown"),
        ((PENGUINS, "--target", "target", "--activation", "rleu"), "did you mean 'relu'?"),
        ((PENGUINS, "--target", "target", "--loss", "msee"), "did you mean 'mse'?"),
        ((PENGUINS, "--target", "target", "--optimizer", "adm"), "did you mean 'adam'?"),
        ((PENGUINS, "--target", "target", "--initial-weights", "he"), "unknown initializer 'he'"),
        ((PENGUINS, "--target", "target", "--layers", "64,x"), "whole numbers such as 64,64"),
        ((PENGUINS, "--target", "target", "--layers", "0"), "at least 1"),
        ((PENGUINS, "--target", "target", "--batch-size", "0"), "batch size"),
        ((PENGUINS, "--target", "target", "--epochs", "0"), "epochs"),
        ((PENGUINS, "--target", "target", "--learning-rate", "-1"), "learning_rate"),
        ((PENGUINS, "--target", "target", "--dropout", "1"), "dropout has to be a number in [0, 1)"),
        ((PENGUINS, "--target", "target", "--l2", "-1"), "l2"),
        ((PENGUINS, "--target", "target", "--test-share", "1"), "test share has to be above 0 and below 1, got 1"),
        ((PENGUINS, "--target", "target", "--test-share", "0"), "test share has to be above 0 and below 1, got 0"),
        ((PENGUINS, "--target", "target", "--out", PENGUINS / "run"), "run can't be made: Not a directory"),
        ((PENGUINS, "--target", "target", "--out", "r" * 300), "can't be made: File name too long"),
        ((PENGUINS, "--target", "target", "--validation-share", "0", "--early-stopping", "5"), "validation rows"),
        ((PENGUINS, "--target", "target", "--early-stopping", "-1"), "patience"),
        ((PENGUINS, "--target", "target", "--seed", "-1"), "seed"),
        ((PENGUINS, "--target", "target", "--lanes", "0"), "lanes"),
        ((PENGUINS, "--target", "target", "--quality", "bset"), "did you mean 'best'?"),
        ((PENGUINS, "--target", "target", "--metric", "acuracy"), "did you mean 'accuracy'?"),
        ((PENGUINS, "--target", "target", "--metric", "rmse"), "doesn't fit a multiclass target"),
        ((PENGUINS, "--target", "target", "--members", "0"), "members"),
        ((PENGUINS, "--target", "target", "--folds", "1"), "at least 2"),
        ((PENGUINS, "--target", "target", "--time-limit", "0"), "time limit"),
        ((PENGUINS, "--target", "target", "--class-weight", "even"), "Choose from: balanced"),
        ((PENGUINS, "--target", "body_mass_g", "--class-weight", "balanced"), "is for classes"),
        ((PENGUINS, "--target", "target", "--group", "isle"), "no column 'isle'"),
        ((PENGUINS, "--target", "target", "--time", "isle"), "no column 'isle'"),
        ((PENGUINS, "--target", "target", "--id", "isle"), "no column 'isle'"),
        ((PENGUINS, "--target", "target", "--group", "target"), "can't be the column of --id, --group or --time too"),
        ((PENGUINS, "--target", "target", "--group", "sex", "--time", "body_mass_g"), "by --group or by --time"),
        ((PENGUINS, "--target", "target", "--keep-time"), "--keep-time goes with --time"),
    ],
)
def test_a_wrong_call_exits_with_2_and_writes_nothing(thalweg, arguments, said):
    code, _, error = thalweg("train", *arguments)
    assert code == 2
    assert said in error
    assert error.count("\n") == 1
    assert not Path("runs").exists()


def test_a_missing_option_is_a_wrong_call(thalweg):
    code, _, error = thalweg("train", PENGUINS)
    assert code == 2
    assert "--target" in error


def test_training_that_explodes_exits_with_1(thalweg):
    code, out, error = thalweg(
        *("train", PENGUINS, "--target", "body_mass_g", "--optimizer", "sgd", "--learning-rate", "1e6", "--seed", "0")
    )
    assert code == 1
    for part in ("stopped in epoch", "batch", "not finite", "smaller learning rate (it is 1e+06)"):
        assert part in error
    assert "report: runs/penguins-failed.html (" in out
    assert [path.name for path in Path("runs").iterdir()] == ["penguins-failed.html"]


def truncated(run):
    path = run / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def tampered(run):
    path = run / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)


def half_columns(run):
    path = run / "columns.json"
    path.write_text(path.read_text()[:300])


def no_scores(run):
    path = run / "run.json"
    path.write_text(path.read_text().replace('"held-out"', '"x"'))


def no_history(run):
    (run / "history.jsonl").write_text("[1]\n")


def other_columns(run):
    path = run / "columns.json"
    stored = json.loads(path.read_text())
    del stored["columns"][1]
    path.write_text(json.dumps(stored))


def test_what_the_system_refuses_is_one_line(thalweg, trained, monkeypatch):
    def refused(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_text", refused)
    code, _, error = thalweg("inspect", trained)
    assert (code, error) == (1, f"thalweg: {trained / 'history.jsonl'}: Permission denied\n")


def test_an_interruption_is_said(thalweg, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(table_training, "train", interrupted)
    code, _, error = thalweg("train", PENGUINS, "--target", "target")
    assert (code, error) == (130, "thalweg: interrupted\n")


def test_the_batch_of_inspect_is_checked_before_anything_is_shown(thalweg, trained):
    for size in ("0", "-3"):
        code, out, error = thalweg("inspect", trained, "--batch-size", size)
        assert (code, out) == (2, "")
        assert f"--batch-size has to be a whole number of at least 1, got {size}" in error


def test_inspect_prints_the_program_or_its_schedule(thalweg, trained):
    program, schedule = (thalweg("inspect", trained, *more)[1] for more in ((), ("--schedule",)))
    assert "rows in a block" in schedule
    assert "rows in a block" not in program
    lines = [[line.strip() for line in listing.splitlines()] for listing in (program, schedule)]
    assert ["backward" in part for part in lines] == [True, False]
    assert ["finish" in part for part in lines] == [False, True]


def test_a_score_that_is_no_number_is_null_in_the_files(thalweg):
    """Of one row R² is not defined; NaN isn't JSON."""
    Path("few.csv").write_text("a,y\n" + "".join(f"{i},{i * 1.5}\n" for i in range(60)))
    code, out, error = thalweg("train", "few.csv", "--target", "y", "--test-share", "0.01", "--out", "run", *QUICK)
    assert (code, error) == (0, "")
    assert "nan" not in out
    for line in [Path("run/run.json").read_text(), *Path("run/history.jsonl").read_text().splitlines()]:
        json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert json.loads(Path("run/run.json").read_text())["held-out"]["R²"] is None
    assert thalweg("inspect", "run")[0] == 0


def test_scores_of_very_large_numbers(thalweg):
    Path("large.csv").write_text("a,y\n" + "".join(f"{i},{i}e200\n" for i in range(60)))
    code, _, error = thalweg("train", "large.csv", "--target", "y", *QUICK)
    assert (code, error) == (0, "")
    scores = json.loads(Path("runs/large/run.json").read_text())["held-out"]
    assert 1e198 < scores["MAE"] <= scores["RMSE"] < 1e203


@pytest.mark.parametrize("change", [truncated, tampered, half_columns, no_scores, no_history, other_columns])
def test_a_damaged_run_is_refused(thalweg, trained, change):
    change(trained)
    for command in (("inspect", trained), ("predict", trained, PENGUINS, "--out", "answers.csv")):
        code, _, error = thalweg(*command)
        assert code == 1, error
        assert error.count("\n") == 1
        assert "damaged" in error or "changed" in error or "belong together" in error
    assert not Path("answers.csv").exists()


def test_a_folder_that_is_no_run(thalweg):
    Path("empty").mkdir()
    for folder, said in (
        ("empty", "not a run folder"),
        ("nope", "no run folder"),
        (PENGUINS, "a file, not a run folder"),
    ):
        code, _, error = thalweg("evaluate", folder, PENGUINS)
        assert (code, error.count("\n")) == (2, 1)
        assert said in error


def test_prediction_on_other_tables(thalweg, trained):
    def without_island(lines):
        for line in lines:
            del line[0]

    def shuffled_and_wider(lines):
        for number, line in enumerate(lines):
            line.reverse()
            line.append("new" if number == 0 else "1")

    def unseen(lines):
        for line in lines[1:]:
            line[0] = line[0].replace("Biscoe", "Atlantis")

    code, _, error = thalweg("predict", trained, penguins(without_island), "--out", "a.csv")
    assert code == 1
    assert "lacks 'island'" in error
    assert thalweg("predict", trained, penguins(shuffled_and_wider), "--out", "b.csv")[0] == 0
    assert thalweg("predict", trained, PENGUINS, "--out", "c.csv")[0] == 0
    assert Path("b.csv").read_text() == Path("c.csv").read_text()
    code, _, error = thalweg("predict", trained, penguins(unseen), "--out", "d.csv")
    assert code == 0
    assert "Atlantis" in error
    for name, said in (("e.xls", "must end in"), ("no/e.csv", "no folder")):
        code, _, error = thalweg("predict", trained, PENGUINS, "--out", name)
        assert code == 2
        assert said in error


@pytest.mark.parametrize(("name", "score", "least"), [("adult", "accuracy", 0.85), ("diamonds", "R²", 0.97)])
def test_real_tables(name, score, least):
    path = SHARED / f"{name}.parquet"
    if not path.exists():
        pytest.skip("the data isn't here")
    options = runs.TableOptions(target="target", seed=0, quality="fast", epochs=8)
    run = table_training.train(read_table(path), options)
    assert run.facts["held-out"][score] >= least
    assert run.facts["linear"]["scores"][score] < run.facts["held-out"][score]


# ------------------------------------------------------------------------------------------- what the messages call it


def test_truth_values_are_called_so(thalweg):
    Path("t.csv").write_text("x,y\n" + "".join(f"{n},{n % 3 == 0}\n" for n in range(60)))
    Path("t.json").write_text(json.dumps([{"x": n, "y": n % 3 == 0} for n in range(60)]))
    for name in ("t.csv", "t.json"):
        code, out, error = thalweg("train", name, "--target", "y", "--out", f"run-{name}", *QUICK)
        assert code == 0, error
        assert "always False" in out
        assert "binary: False, True" in out
        assert "always False" in thalweg("inspect", f"run-{name}")[1]
    Path("n.csv").write_text("x,y\n" + "".join(f"{n},{1234567 + n % 2}\n" for n in range(60)))
    assert "always 123456" in thalweg("train", "n.csv", "--target", "y", *QUICK)[1]


def test_messages_name_options_and_not_arguments(thalweg):
    Path("t.csv").write_text("x,y\n" + "".join(f"{n},{3 + n % 5}\n" for n in range(60)))
    out = thalweg("train", "t.csv", "--target", "y", *QUICK)[1]
    assert "taken as quantities (--task multiclass takes them as classes)" in out
    Path("t.csv").write_text("x,y\n" + "".join(f"{n},{n % 3}\n" for n in range(60)))
    out = thalweg("train", "t.csv", "--target", "y", *QUICK)[1]
    assert "numbered as classes are (--task regression takes them as quantities)" in out
    code, _, error = thalweg("train", "t.csv", "--target", "y", "--task", "ordinal", *QUICK)
    assert (code, error) == (2, "thalweg: --task ordinal is unknown; it is one of binary, multiclass, regression\n")


def test_one_table_at_a_time(thalweg, trained):
    code, _, error = thalweg("predict", trained, PENGUINS, PENGUINS, "--out", "p.csv")
    assert code == 2
    assert error == (
        "thalweg: run was trained on a table and takes one source, got 2: call it for each of them, or give a glob in "
        "quotes, such as 'rows-*.csv'\n"
    )
    code, _, error = thalweg("predict", trained, PENGUINS)
    assert (code, error) == (2, "thalweg: a table's predictions are written to a file: add --out predictions.csv\n")


def test_many_columns_are_counted(thalweg):
    names = [f"c{n}" for n in range(300)]
    rows = [[f"{(n * 7 + k) % 50 / 4}" if k < 200 else "ab"[n % 2] for k in range(300)] for n in range(60)]
    Path("t.csv").write_text(
        "\n".join(",".join(row) for row in [[*names, "y"], *([*r, "pq"[len(r[0]) % 2]] for r in rows)])
    )
    code, out, error = thalweg("train", "t.csv", "--target", "y", "--out", "run", *QUICK)
    assert code == 0, error
    line = "… and 260 more columns (160 number, 100 category); the run folder's columns.json has them all"
    for listing in (out, thalweg("inspect", "run")[1]):
        assert line in listing.splitlines()
        assert "c39 " in listing
        assert "c40" not in listing
        assert listing.count("\n") < 140
    Path("new.csv").write_text(Path("t.csv").read_text().replace("a", "z"))
    _, _, error = thalweg("evaluate", "run", "new.csv")
    assert error.count("\n") == 41
    assert "note: nor did they have some cells of 60 more columns" in error
