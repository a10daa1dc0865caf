"""`thalweg train` and `thalweg inspect` print what the doctor finds."""

from pathlib import Path

import pytest

from thalweg import doctor, load_run

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"
QUICK = ("--members", "1", "--no-trees", "--layers", "8", "--early-stopping", "0", "--seed", "1", "--no-report")


@pytest.fixture
def trained(run_thalweg):
    """What `train` prints of a run in the folder `run`, from the diagnosis on, and what `inspect` prints of it."""

    def train(*options):
        code, out, error = run_thalweg("train", PENGUINS, "--target", "target", "--out", "run", *QUICK, *options)
        assert code == 0, error
        _, heading, after = out.partition("diagnosis, by ")
        assert heading
        code, out, error = run_thalweg("inspect", "run")
        assert code == 0, error
        return after.split("\n\n")[0].strip(), out.partition("diagnosis, by ")[2].strip()

    return train


def test_a_finding_is_printed_with_evidence_and_remedy(trained):
    said, inspected = trained("--epochs", "6", "--learning-rate", "1e-9")
    lines = said.splitlines()[1:]
    assert lines[0] == "The learning rate is too low."
    assert lines[1].startswith("  evidence: a step changes the weights by 10^")
    assert lines[2] == "  remedy: Give the optimizer learning_rate=0.001 instead of 1e-09."
    assert inspected == said
    assert "linear model." not in said  # of which the run's own warnings tell


def test_a_good_training_has_no_findings(trained):
    said, _ = trained("--epochs", "30")
    assert said.splitlines()[1:] == ["nothing wrong was found"]


def test_overfitting_is_checked_by_the_rows_that_a_member_holds_out(run_thalweg):
    quick = ("--members", "2", "--no-trees", "--layers", "8", "--epochs", "12", "--seed", "1", "--no-report")
    assert run_thalweg("train", PENGUINS, "--target", "target", "--out", "run", *quick)[0] == 0
    run = load_run("run")
    course = run.recording.facts["history"]
    own = [record["held_out"] for record in run.history if record["member"] == 0]
    assert len(course["val_loss"]) == len(course["loss"]) == len(own)
    # The metric is the same loss, as if one more row were wrong.
    assert all(0 < loss < score for loss, score in zip(course["val_loss"], own, strict=True))
    assert run.recording.facts["kept_epoch"] == run.facts["members"][0]["best epoch"]
    assert "overfitting" in run.diagnose().checked


@pytest.mark.parametrize("failing", [False, True], ids=["trained", "failed"])
def test_the_doctor_is_asked_once_for_the_terminal_and_the_report(run_thalweg, monkeypatch, failing):
    asked, original = [], doctor.diagnose

    def counted(*given, **how):
        asked.append(1)
        return original(*given, **how)

    for place in ("thalweg.runs.run", "thalweg.doctor", "thalweg.views.report.findings"):
        monkeypatch.setattr(f"{place}.diagnose", counted)
    quick = [option for option in QUICK if option != "--no-report"]
    more = ("--optimizer", "sgd", "--learning-rate", "1e30") if failing else ()
    code, out, _ = run_thalweg("train", PENGUINS, "--target", "target", "--out", "run", "--epochs", "3", *quick, *more)
    assert (code, len(asked)) == (int(failing), 1)
    assert out.count("report: ") == 1


def test_row_numbers_among_the_inputs_are_warned_of(run_thalweg):
    rows = PENGUINS.read_text(encoding="utf-8").splitlines()
    numbered = [f"PenguinId,{rows[0]}", *(f"{k},{row}" for k, row in enumerate(rows[1:], start=1))]
    Path("numbered.csv").write_text("\n".join(numbered), encoding="utf-8")
    train = ("train", "numbered.csv", "--target", "sex", *QUICK, "--epochs", "2")
    out = run_thalweg(*train)[1]
    assert "inputs that look like row numbers or keys: 'PenguinId' (1 … 344)" in out
    assert "leave them out with --ignore PenguinId" in " ".join(out.split())
    assert "row numbers or keys" not in run_thalweg(*train, "--ignore", "PenguinId")[1]
