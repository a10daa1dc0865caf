"""The worst mistakes, with their inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg import words
from thalweg.views.report.subject import Array, ColumnInputs, Figure, Held, PictureInputs, Subject, written

MOST, FEW = 20, 6
MOST_COLUMNS = 12
LONGEST = 60
"""Letters of a cell that are shown."""
SIDE = 96
"""Pixels of a picture's side, at most."""
CAPTIONS = words.text("The class, what it was taken for, and the probability given to that.")


def badness(held: Held) -> Array:
    """How far off each row is: the log loss, or the absolute error; (rows,)."""
    if held.predicted.ndim == 2:
        share = held.predicted[np.arange(len(held.truth)), held.truth.astype(np.int64)].astype(np.float64)
        loss: Array = -np.log(np.clip(share, 1e-12, 1))
        return loss
    with np.errstate(over="ignore"):
        off: Array = abs(held.predicted.astype(np.float64) - held.truth)
    return np.nan_to_num(off, nan=np.inf)


def worst_of(held: Held, most: int = MOST) -> Array:
    """The places of the worst rows, the worst first; of classes they may be right, with a low probability."""
    return np.argsort(-badness(held), kind="stable")[:most]


def worst_rows(subject: Subject, important: list[str] | None = None) -> dict[str, Any] | None:
    """The section; None if there are no mistakes, or nothing is known of the rows.

    important: the columns to show first.
    """
    held = subject.held
    if held is None or not len(held.truth) or not subject.task:
        return None
    places, wrong = worst_of(held), True
    if held.predicted.ndim == 2:
        mistaken = held.guesses[places] != held.truth[places]
        wrong = bool(mistaken.any())
        places = places[mistaken] if wrong else places[:FEW]
    inputs = subject.inputs
    if isinstance(inputs, PictureInputs):
        figure = pictures(subject, held, inputs, places)
    else:
        figure = rows_table(subject, held, inputs, places, important or [])
    if figure is None:
        return None
    name = subject.rows_name
    text = words.text(
        "{rows} that the prediction misses most: wrong labels and unusual cases stand here first.",
        rows={language: text.capitalize() for language, text in name.items()},
    )
    if not wrong:
        text = words.text("All {name} are predicted right; of these the prediction was least sure.", name=name)
        figure["title"] = words.text("The least sure rows")
    return {"id": "mistakes", "text": [text], "figures": [figure]}


def found_in(inputs: ColumnInputs | PictureInputs, places: Array) -> tuple[Array, Array]:
    """Which of these places the inputs are kept of, and where they stand among them."""
    order = np.argsort(inputs.at, kind="stable")
    at = np.searchsorted(inputs.at[order], places)
    at = np.minimum(at, len(order) - 1)
    there = inputs.at[order[at]] == places
    return there, order[at]


def said(subject: Subject, held: Held, place: int) -> tuple[str, str, str]:
    """Truth, prediction, and the probability of the truth or the error, of a row."""
    truth = held.truth[place]
    if held.predicted.ndim == 1:
        guess = float(held.predicted[place])
        return written(float(truth)), written(guess), written(guess - float(truth))
    shares = held.predicted[place]
    answer = int(shares.argmax())
    known, guessed = (shortened(str(subject.classes[k])) for k in (int(truth), answer))
    return known, guessed, f"{float(shares[int(truth)]):.1%}"


def rows_table(
    subject: Subject, held: Held, inputs: ColumnInputs | None, places: Array, important: list[str]
) -> Figure:
    """The worst rows as a table."""
    numbers, numbered = held.predicted.ndim == 1, len(held.rows) > 0
    shown: list[int] = []
    at = places
    there = np.ones(len(places), bool)
    if inputs is not None and inputs.names:
        there, at = found_in(inputs, places)
        rank = {name: place for place, name in enumerate(important)}
        order = sorted(range(len(inputs.names)), key=lambda k: rank.get(inputs.names[k], len(rank) + k))
        shown = order[:MOST_COLUMNS]
    rows = []
    for place, kept, where in zip(places.tolist(), there.tolist(), at.tolist(), strict=True):
        line = [*([f"{int(held.rows[place]):,}"] if numbered else []), *said(subject, held, place)]
        if inputs is not None:
            line += [cell_text(inputs.cells[k][where]) if kept else "" for k in shown]
        rows.append(line)
    names = [inputs.names[k] for k in shown] if inputs is not None else []
    numeric = [inputs.numeric[k] for k in shown] if inputs is not None else []
    last = words.text("predicted − true") if numbers else words.text("probability of the truth")
    first = [words.text("row")] if numbered else []
    figure: Figure = {
        "kind": "table",
        "title": words.text("The worst row" if len(rows) == 1 else "The {count} worst rows", count=len(rows)),
        "columns": [*first, words.text("truth"), words.text("prediction"), last, *names],
        "rows": rows,
        "numeric": [*[True] * numbered, numbers, numbers, True, *numeric],
    }
    if inputs is not None and len(names) < len(inputs.names):
        figure["note"] = words.text(
            "With {count} of {columns:,} columns, the most important first.",
            count=len(names),
            columns=len(inputs.names),
        )
    return figure


def cell_text(cell: Any) -> str:
    """A cell for people; "—" if it is missing."""
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return "—"
    return shortened(written(cell))


def shortened(text: str) -> str:
    """A text of at most `LONGEST` letters."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def pictures(subject: Subject, held: Held, inputs: PictureInputs, places: Array) -> Figure | None:
    """The worst pictures, each with what it is and what it was taken for."""
    there, at = found_in(inputs, places)
    if not there.any():
        return None
    shown = as_small(inputs.bytes[at[there]])
    captions = [caption(subject, held, place) for place in places[there].tolist()]
    return {
        "kind": "images",
        "title": words.text(
            "The worst picture" if len(captions) == 1 else "The {count} worst pictures", count=len(captions)
        ),
        "note": CAPTIONS,
        "images": shown,
        "captions": captions,
        "scale": max(1, round(SIDE / max(shown.shape[1:3]))),
    }


def caption(subject: Subject, held: Held, place: int) -> str:
    """What stands below a picture; see `CAPTIONS`."""
    truth, guess, _ = said(subject, held, place)
    return f"{truth} → {guess} ({float(held.predicted[place].max()):.0%})"


def as_small(images: Array) -> Array:
    """Pictures whose sides are at most `SIDE` pixels; larger ones lose rows and columns of pixels."""
    step = max(1, -(-max(images.shape[1:3]) // SIDE))
    return np.ascontiguousarray(images[:, ::step, ::step])
