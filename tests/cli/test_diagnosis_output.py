"""`thalweg train` and `thalweg inspect` print what the doctor finds."""

from pathlib import Path

import pytest

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
