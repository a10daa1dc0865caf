"""What `thalweg export --int8` says that rounding costs."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error

from thalweg.data import read_table
from thalweg.errors import NotFoundError
from thalweg.runs import table_training
from thalweg.runs.evidence import load_evidence
from thalweg.runs.reports.eight_bits import cost_of_eight_bits, round_weights
from thalweg.runs.stored import load_run
from thalweg.runs.table_run import TableOptions

PENGUINS = Path(__file__).parents[2] / "examples" / "penguins.csv"


def run_of(folder, target):
    options = TableOptions(target=target, members=1, layers=(8,), epochs=20, seed=0, lanes=1, trees=False)
    table_training.train(read_table(PENGUINS), options).save(folder, ["thalweg", "train"])
    return load_run(folder)


def rounded_by_hand(model):
    """Whole numbers from −127 to 127 and a scale for each column; embeddings of numbers and biases stay."""
    made = []
    for name, W in zip([path for path, _ in model._weights.listed()], model.get_weights(), strict=True):
        scale = abs(W).max(axis=0) / 127
        made.append(np.rint(W / scale) * scale if W.ndim == 2 and name.endswith("/W") else W)
    return made


@pytest.mark.parametrize("target", ["target", "body_mass_g"])
def test_scores_are_those_of_the_rounded_weights(target, tmp_path):
    run = run_of(tmp_path / "birds", target)
    kept = load_evidence(tmp_path / "birds", run.model.row_in, len(run.target.classes))
    x, truth = kept.x[: kept.random], kept.held.truth[kept.at[: kept.random]]
    before = run.of_matrix(x)
    by_hand = rounded_by_hand(run.model)
    said = cost_of_eight_bits(run, tmp_path / "birds")
    for mine, theirs in zip(by_hand, run.model.get_weights(), strict=True):
        np.testing.assert_allclose(theirs, mine, rtol=1e-6, atol=1e-7)
    after = run.of_matrix(x)
    told = {name: (float(new), float(old)) for name, new, old in re.findall(r"(\w[\w ]*) (\S+), was ([^;\s]+)", said)}
    if target == "target":
        scores = {
            "accuracy": [accuracy_score(truth, shares.argmax(axis=1)) for shares in (after, before)],
            "log loss": [
                log_loss(truth, shares / shares.sum(axis=1, keepdims=True, dtype=float)) for shares in (after, before)
            ],
        }
        assert f"by {abs(after - before).max():.3g} at most" in said
    else:
        scores = {"RMSE": [root_mean_squared_error(truth, numbers) for numbers in (after, before)]}
        assert f"a number moves by {abs(after - before).max():.3g} at most" in said
    for name, (new, old) in scores.items():
        np.testing.assert_allclose(told[name], (new, old), rtol=1e-4)
    assert abs(after - before).max() > 0
    assert f"on {len(x)} rows held out" in said


def test_without_kept_rows_nothing_is_guessed(tmp_path):
    run = run_of(tmp_path / "birds", "target")
    for name in ("evidence.npz", "evidence.json"):
        (tmp_path / "birds" / name).unlink()
    weights = run.model.get_weights()
    with pytest.raises(NotFoundError, match="keeps no rows on which to measure"):
        cost_of_eight_bits(run, tmp_path / "birds")
    assert all(np.array_equal(a, b) for a, b in zip(weights, run.model.get_weights(), strict=True))
    round_weights(run.model)
    assert not all(np.array_equal(a, b) for a, b in zip(weights, run.model.get_weights(), strict=True))
