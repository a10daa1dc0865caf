"""`thalweg train` on a table with free text, and everything that can be done with the run."""

import csv
import re
from pathlib import Path

import numpy as np

from thalweg.runs.reports.run_subjects import free_texts
from thalweg.serve.answering import has_page, opened

QUICK = ("--members", "1", "--layers", "16", "--epochs", "12", "--seed", "0", "--no-trees")
PARTS = ["房間乾淨", "早餐普通", "離車站近", "隔音尚可", "櫃台在一樓", "電梯很小", "附近有便利商店", "床不大不小"]


def reviews(rows, seed):
    """Chinese, where nothing stands between words: one of two phrases tells how many stars there are."""
    random = np.random.default_rng(seed)
    stars = random.integers(0, 2, rows)
    said = [
        "，".join([*random.permutation(PARTS)[:4], ("服務很差", "非常滿意")[k], PARTS[n % 8]])
        for n, k in enumerate(stars)
    ]
    return [
        {"stars": ("one", "five")[k], "text": t, "id": f"r{n}"}
        for n, (k, t) in enumerate(zip(stars, said, strict=True))
    ]


def write(path, rows):
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_from_a_table_to_predictions(run_thalweg):
    write("reviews.csv", reviews(300, 0))
    code, out, error = run_thalweg("train", "reviews.csv", "--target", "stars", *QUICK, "--out", "run")
    assert code == 0, error
    assert re.search(r"text +text +free text of [0-9]+ words or signs on average; .* too rare to count +2560", out)
    assert re.search(r"id +left out +all 240 values differ, as in an id or free text", out)
    new = reviews(50, 1)
    write("new.csv", [*new, {"stars": "one", "text": "", "id": "empty"}])
    code, _, error = run_thalweg("predict", "run", "new.csv", "--out", "found.csv")
    assert code == 0, error
    with Path("found.csv").open(encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert len(found) == 51
    assert np.mean([f["prediction"] == n["stars"] for f, n in zip(found, new, strict=False)]) > 0.9
    code, out, error = run_thalweg("evaluate", "run", "new.csv")
    assert code == 0, error
    model = opened(Path("run"), 1)
    assert not has_page(model)
    assert model.description()["columns"][0]["kind"] == "text"
    row = model.run.features.of_row({"text": new[0]["text"]})
    shares = {name: float(value) for name, value in found[0].items() if name != "prediction"}
    np.testing.assert_allclose(np.ravel(model.run.of_matrix(row))[-1], shares["probability of one"], atol=1e-5)
    ((name, told),) = free_texts(model.run)
    assert (name["en"], told["en"].partition(" of")[0]) == ("columns of free text", "text: free text")
    for form in ("numpy", "c", "javascript", "html", "onnx"):
        code, _, error = run_thalweg("export", "run", "--to", form, "--out", f"model.{form}")
        assert code != 0
        assert "the column 'text' is free text, which only thalweg itself can read" in error, (form, error)
