"""Columns of free text: which are, what their matrix is, and that nothing else changes it."""

import json
import math
import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from thalweg.data.cells import bare_column
from thalweg.data.columns import CategoryColumn, TextColumn, fit_column
from thalweg.data.fitted import LeftOut
from thalweg.data.notations.texts import (
    ENDS,
    FINE,
    SORTS,
    WIDTH,
    counted,
    is_free_text,
    least,
    places,
    terms,
    weights_of,
)
from thalweg.data.tables import Table
from thalweg.errors import DataError, ModelFileError
from thalweg.tabular.features import Features

random = np.random.default_rng(0)
WORDS = [
    "the",
    "a",
    "train",
    "room",
    "was",
    "is",
    "late",
    "again",
    "clean",
    "and",
    "not",
    "very",
    "good",
    "bad",
    "we",
    "will",
    "never",
    "come",
    "back",
    "here",
]
SENTENCES = [" ".join(random.choice(WORDS, 9)) for _ in range(120)]
CHINESE = [
    "".join(random.choice(list("房間很乾淨但是隔音不好早餐好吃服務人員親切下次再來"), 14)) + "。" for _ in range(60)
]


def fitted(cells):
    table = Table({"t": bare_column(cells)}, "the table")
    return fit_column("t", table, False)


def written(column, cells):
    out = np.full((len(cells), len(column.features)), np.nan, np.float32)
    table = Table({"t": bare_column(cells)}, "the table")
    column.write(table.column("t"), table, out)
    return out


@pytest.mark.parametrize(
    "cells",
    [
        SENTENCES,
        CHINESE,
        [text.upper().lower().capitalize() for text in SENTENCES],
        [f"поезд номер {n} снова опоздал на час" for n in range(40)],
        [f"ट्रेन {n} आज फिर बहुत देर से आई" for n in range(40)],
        [f"รถไฟขบวนที่ {n} มาสายอีกแล้ววันนี้" for n in range(40)],
    ],
)  # fmt: skip
def test_sentences_are_free_text(cells):
    assert isinstance(fitted(cells), TextColumn)


@pytest.mark.parametrize(
    "cells",
    [
        [f"Braund, Mr. Owen Harris {n}" for n in range(60)],
        [f"THE ORDER {n} WAS SENT BY MAIL TODAY" for n in range(60)],  # may be names, or a machine's notes
        [f"https://example.org/one/two/three/four?five={n}" for n in range(60)],
        [f"{n} 17 23 42 11 {n + 1} 8" for n in range(60)],
        [f"王小明{n}" for n in range(60)],
        [f"room-{n}" for n in range(60)],
        SENTENCES[:20],  # too few to tell
    ],
)
def test_names_ids_and_codes_are_left_out_as_before(cells):
    assert isinstance(left := fitted(cells), LeftOut)
    assert "differ, as in an id or free text" in left.reason


def test_few_different_sentences_are_categories():
    assert isinstance(fitted(SENTENCES[:40] * 3), CategoryColumn)
    table = Table({"t": bare_column(SENTENCES)}, "the table")
    assert isinstance(fit_column("t", table, True), CategoryColumn)  # as the user says


def test_the_matrix_by_its_definition():
    """Words, weights, places and signs put together in plain Python; places and signs are the module's."""
    column, known = fitted(SENTENCES), weights_of
    text = "The train was LATE, the ＴＲＡＩＮ 7 was bad"
    x = written(column, [text])[0, : SORTS[0].width]
    said = ["the", "train", "was", "late", ",", "the", "train", "0", "was", "bad"]
    expected = np.zeros(SORTS[0].width)
    for word, count in Counter(said).items():
        ((_, number, _),) = [next(iter(terms([word])))]
        rows_with = sum(word in sentence.split() for sentence in SENTENCES)
        idf = 1 + math.log((1 + len(SENTENCES)) / (1 + rows_with)) if rows_with >= 2 else 0.0
        assert known(column.weights)[0, number[0]] == pytest.approx(round(idf * FINE) / FINE)
        (place,), (sign,) = places(number, SORTS[0].width)
        expected[place] += sign * (1 + math.log(count)) * round(idf * FINE) / FINE
    np.testing.assert_allclose(x, expected * SORTS[0].length / np.linalg.norm(expected), atol=1e-5)
    assert np.count_nonzero(expected) == 5  # the comma and the number are in no training row


def test_terms_are_counted_within_their_row():
    rows, units = np.array([0, 0, 0, 1, 1], np.uint64), np.array([5, 5, 5, 5, 6], np.uint64)
    at, numbers, counts = counted(rows, units, SORTS[1])
    assert (at.tolist(), sorted(counts.tolist())) == ([0, 1], [1, 2])
    assert len(set(numbers.tolist())) == 2
    at, numbers, counts = counted(rows[:3], units[:3], SORTS[2])
    assert (at.tolist(), counts.tolist()) == ([0], [1])
    assert [len(part) for part in counted(rows[:0], units[:0], SORTS[2])] == [0, 0, 0]
    assert [least(SORTS[k], rows) for k, rows in ((2, 100), (2, 10_000), (0, 10_000))] == [2, 5, 2]


def test_hashes_are_stable():
    """Runs that were stored stay readable: a term's number and place never change."""
    _, numbers, counts = next(iter(terms(["late 早 late"])))
    assert (numbers.tolist(), counts.tolist()) == ([44980, 109468], [1, 2])
    assert [part.tolist() for part in places(numbers, 1024)] == [[915, 681], [1.0, -1.0]]


def test_a_row_by_itself_is_as_among_others():
    column = fitted(SENTENCES + [None] * 3)
    cells = [*SENTENCES, None, "", "?!", "早", "😀", "late " * 3000, "x" * 700]
    together = written(column, cells)
    assert np.isfinite(together).all()
    for k, cell in enumerate(cells):
        assert (written(column, [cell])[0] == together[k]).all()
    features = Features((column,), None, len(SENTENCES))
    single = np.concatenate([features.of_row({"t": cell}) for cell in cells])
    assert (single == together).all()


def test_missing_and_empty_and_unknown_texts_are_zero():
    with_gaps = fitted([*SENTENCES, None, None])
    assert (with_gaps.missing, with_gaps.features[-1]) == (2, "t is missing")
    x = written(with_gaps, [None, "", "zzzzz qqqqq", SENTENCES[0]])
    assert x[:, -1].tolist() == [1, 1, 0, 0]  # an empty cell says nothing in every format
    assert not x[:3, :-1].any()
    lengths = [np.linalg.norm(x[3, start:end]) for start, end in pairwise(ENDS)]
    np.testing.assert_allclose(lengths, [sort.length for sort in SORTS], rtol=1e-5)
    assert len(fitted(SENTENCES).features) == WIDTH


def test_texts_that_are_alike_have_products_that_say_so():
    """Chinese without spaces, case, width, and one letter that is wrong."""
    for cells, text, near, far in [
        (CHINESE, "房間很乾淨早餐好吃", "早餐好吃，房間乾淨", "不好下次"),
        (SENTENCES, "the room was very good", "THE ROOM WAS VERY GOOOD", "we will never come back"),
    ]:
        x = written(fitted(cells), [text, near, far])
        assert x[0] @ x[1] > 3 * abs(x[0] @ x[2])


def test_it_is_stored_without_loss_and_damage_is_found():
    table = Table({"t": bare_column(SENTENCES)}, "the table")
    features = Features.fit(table)
    stored = json.loads(json.dumps(features.to_json()))
    again = Features.from_json(stored)
    assert again.columns == features.columns
    assert (again.matrix(table) == features.matrix(table)).all()
    assert features.kept == ("t",)
    assert features.describe()[0].kind == "text"
    assert re.match(
        r"free text of 9 words or signs on average; [0-9,]+ words, pairs", features.describe()[0].understood
    )
    assert len(json.dumps(stored)) < 400_000
    for damage in ("", "not base 85 \\", stored["columns"][0]["weights"][:-10]):
        stored["columns"][0]["weights"] = damage
        with pytest.raises(ModelFileError, match="the column 't'"):
            Features.from_json(stored)


def test_other_kinds_later_are_read_as_their_text():
    column = fitted(SENTENCES)
    table = Table.of({"t": [7.0, 8.5]})
    out = np.zeros((2, WIDTH), np.float32)
    column.write(table.column("t"), table, out)
    assert (out == written(column, ["7", "8.5"])).all()
    lists = Table.of({"t": [[1], [2]]})
    with pytest.raises(DataError, match="the column 't' held text in training"):
        column.write(lists.column("t"), lists, out)


def test_words_that_no_two_rows_share_are_left_out():
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    cells = [" ".join("".join(random.choice(list(alphabet), 9)) for _ in range(6)) for _ in range(21)]
    column = fitted(cells)
    assert isinstance(column, TextColumn)  # pieces of letters are shared
    assert column.rare > column.known
    assert is_free_text(cells)
