"""A report in Chinese is Chinese: of runs on tables, with their warnings, of pictures, of a training that failed.

Names stay as they are: columns, classes, layers, settings' values, code and formulas.
"""

import json
import pickle
import re

import numpy as np
import pytest
from chinese_words import is_english

from thalweg import Sequential, layers, words
from thalweg.data.images import Images
from thalweg.data.tables import Table
from thalweg.errors import DataError, DivergedError
from thalweg.optimizers import SGD
from thalweg.runs import image_run, table_training
from thalweg.runs.folder import COLUMNS, RUN
from thalweg.runs.reports import pages
from thalweg.runs.stored import load_run
from thalweg.runs.table_run import TableOptions
from thalweg.views.report.document import report_document
from thalweg.views.report.several import comparison_document
from thalweg.views.web.encoding import decode, encode
from thalweg.words import translations

QUICK = {"seed": 0, "lanes": 1, "members": 1, "layers": (4,), "epochs": 1, "trees": False}
WAITING = [  # sentences without Chinese, as patterns: a release has none, which test_words.py sees to
    re.sub(r"\\\{.*?\\\}", ".*", re.escape(english))
    for (_, english), chinese in translations.catalogue("zh").items()
    if not chinese
]
UNSEEN = {"kind", "id", "language", "rule"}
NAMES = (
    "name of bird",
    "row id",
    "the day",
    "one thing",
    "dark green",
    "mean |Δw|",
    "rare one",
    "no date",
    "ink, rest",
)
DATES = [f"2020-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 11)]


def table():
    """A column of each kind: an id, text, a date, a leak, one value, none, missing cells, numbers with units; and a
    rare class."""
    rng = np.random.default_rng(0)
    y = np.array(["low", "high"], object)[np.arange(120) % 2]
    y[:6] = "rare one"
    return {
        "row id": np.arange(1, 121),
        "name of bird": [f"bird {k}" for k in range(120)],
        "the day": DATES,
        "one thing": ["a"] * 120,
        "no date": ["2020-01-01"] * 120,
        "empty": [""] * 120,
        "weight": [f"{n:,} kg" for n in rng.integers(1000, 9999, 120)],
        "share": [None if k % 7 == 0 else float(k) for k in rng.random(120)],
        "kind": np.array(["red", "dark green", "blue"], object)[rng.integers(0, 3, 120)],
        "leak": (y == "low") * 1.0 + (y == "rare one") * 2.0,
        "y": y,
    }


def seen(value, key=""):
    """The texts of a page in Chinese; code and formulas, in figures of code or with fixed widths, are no sentences."""
    if isinstance(value, dict):
        if value.keys() == {"en", "zh"}:
            yield value["zh"]
        elif value.get("kind") != "code":
            mono = value.get("mono")
            for name, part in value.items():
                if name == "rows" and mono:
                    part = [line[:1] if isinstance(line[0], dict) else [] for line in part]  # settings by their names
                yield from () if name in UNSEEN else seen(part, name)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from seen(part, key)
    elif isinstance(value, str):
        yield value


def english(document, names=NAMES):
    """The sentences of a page in Chinese that are English, but for those that wait for a translator."""
    found = [text for text in seen(decode(encode(document))) if is_english(text, names)]
    return [text for text in found if not any(re.search(wait, text) for wait in WAITING)]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Folders of runs: classes, a number, and pictures."""
    place = tmp_path_factory.mktemp("runs")
    data = table()
    numbers = {name: column for name, column in data.items() if name != "y"} | {"y": np.arange(120.0) ** 1.5}
    options = {"ignore": ("leak",), "id": "row id"}
    table_training.train(Table.of(data), TableOptions(target="y", **QUICK)).save(place / "classes", ["thalweg"])
    run = table_training.train(Table.of(numbers), TableOptions(target="y", **QUICK, **options))
    run.save(place / "numbers", ["thalweg"])
    rng = np.random.default_rng(0)
    images = Images(rng.integers(0, 256, (40, 6, 6, 1), np.uint8), np.arange(40) % 2, ("ink", "rest"), "pictures")
    options = image_run.ImageOptions(model="mlp", epochs=1, batch_size=16, seed=0, lanes=1)
    image_run.train(images, options).save(place / "pictures", ["thalweg"])
    return place


@pytest.mark.parametrize("name", ["classes", "numbers", "pictures"])
def test_a_report_is_chinese(kept, name):
    document = report_document(pages.stored_subject(kept / name), "zh", seconds=0.3)
    assert english(document) == []
    assert len(document["sections"]) > 6


def test_a_comparison_is_chinese(kept):
    subject = pages.stored_subject(kept / "classes")
    other = pages.stored_subject(kept / "classes")
    other.settings |= dict.fromkeys(subject.settings, "other")
    assert english(comparison_document([subject, other], ["a", "b"], "zh")) == []


def test_what_isnt_translated_is_found(kept, monkeypatch):
    """A warning, why a column is left out, why the target is what it is, a score, a setting: each is missed."""
    known = translations.catalogue("zh")
    missed = {
        "classes": [
            "rare classes, ",
            "columns that tell",
            "inputs that look like",
            "text with {count}",
            "all {present} values",
        ],
        "numbers": ["one date", "no values in"],
        "pictures": ["few pictures to learn", "{pictures}: one more"],
    }
    for name, begins in missed.items():
        for begin in begins:
            (key,) = (key for key in known if key[1].startswith(begin))
            monkeypatch.setattr(translations, "catalogue", lambda _, key=key: known | {key: ""})
            assert english(report_document(pages.stored_subject(kept / name), "zh", seconds=0.0)), begin
    monkeypatch.setattr(translations, "catalogue", lambda _: known | {("score", "balanced accuracy"): ""})
    assert english(report_document(pages.stored_subject(kept / "classes"), "zh", seconds=0.0))


def test_a_failed_training_is_told_in_chinese(tmp_path):
    model = Sequential([layers.Input((2,)), layers.Dense(4, "relu"), layers.Dense(1)], seed=0, name="failed")
    model.compile(SGD(1.0), "mse")
    x = 10 * np.random.default_rng(0).normal(size=(64, 2))
    with pytest.raises(DivergedError, match="training stopped in epoch 2, batch 1 of 2") as caught:
        model.fit(x, x[:, :1] ** 2, epochs=9, verbose=0, record=True, lanes=1)
    caught.value.model = model
    written = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "write_page", lambda path, document: written.append(document))
        pages.write_failed(caught.value, tmp_path / "failed.html", "a.csv", model.diagnose())
    found = english(written[0], ("Sequential failed", "squared error"))
    assert found == []
    model.recording.save(tmp_path / "recording.npz")
    again = type(model.recording).load(tmp_path / "recording.npz")
    assert again.facts == model.recording.facts
    assert again.facts["diverged"].text["zh"].startswith("訓練停在第 2 輪、第 1 個批次")


def test_files_hold_english_and_what_it_is_made_of(kept):
    facts = json.loads((kept / "classes" / RUN).read_text("utf-8"))
    rare = "rare classes, with their shares of the rows: rare one (0.052); --class-weight balanced lets each class"
    (warning,) = (said for said in facts["warnings"] if said.startswith(rare))
    made = facts["said"][warning]
    assert made["values"] == {"shown": ["rare one (0.052)"]}
    assert made["template"].startswith("rare classes, with their shares of the rows: {shown}; --class-weight")
    columns = json.loads((kept / "numbers" / COLUMNS).read_text("utf-8"))
    reasons = {column["name"]: column.get("reason") for column in columns["columns"]}
    assert reasons["empty"] == "no values in the training rows"
    run = load_run(kept / "classes")
    assert "said" not in run.facts
    assert run.facts["warnings"] == facts["warnings"]
    assert run.target.why == "text with 3 different values"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("template", "{shown.__class__} {shown}"),
        ("template", "{shown}"),
        ("template", ["x"]),
        ("values", {"shown": "another class"}),
        ("values", {"other": 1}),
        ("values", None),
        ("context", {}),
    ],
)
def test_a_sentence_that_isnt_the_catalogues_stays_as_it_is(kept, key, value):
    """Such as a file of an older version has, or one from elsewhere."""
    facts = json.loads((kept / "classes" / RUN).read_text("utf-8"))
    place = next(n for n, said in enumerate(facts["warnings"]) if said.startswith("rare classes"))
    assert isinstance(words.restored(facts)["warnings"][place], words.Said)
    facts["said"][facts["warnings"][place]][key] = value
    again = words.restored(facts)
    assert again["warnings"] == facts["warnings"]
    assert type(again["warnings"][place]) is str
    assert words.restored(facts | {"said": [1]})["warnings"] == facts["warnings"]


def test_said_again():
    """A sentence goes through pickles and errors, and its numbers are JSON's."""
    left = words.Said("{count:,} rows", count=np.int64(2000))
    again = pickle.loads(pickle.dumps(left))
    assert (again, again.values, again.text) == ("2,000 rows", {"count": 2000}, left.text)
    assert words.Said.of(DataError(left)) is left
    assert (str(DataError(left)), words.Said.of(DataError("as it is"))) == ("2,000 rows", "as it is")
    told = words.kept({"why": left})["said"]
    assert json.loads(json.dumps(told)) == {"2,000 rows": {"template": "{count:,} rows", "values": {"count": 2000}}}
