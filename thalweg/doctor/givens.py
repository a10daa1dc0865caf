"""Rules on what the network was given: inputs out of scale, a column that tells the answer, rows in both parts, and a
loss that doesn't fit the output."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.doctor.case import Case
from thalweg.doctor.generalising import codes, row_losses_of
from thalweg.doctor.leaks import GIVES_AWAY, tells_apart, tree_score
from thalweg.doctor.rule import Numbers, Rule
from thalweg.words import Text

Array = NDArray[Any]

LARGE, SMALL = 10.0, 0.01
"""The root mean square of an input that is out of scale: of the largest above, or of the largest below."""
SCALING = {"Rescaling", "Normalization", "BatchNormalization", "LayerNormalization", "Embedding", "UnitNormalization"}
"""Layers that take inputs of any scale."""
MOST_COLUMNS = 200
"""Of wider tables, no column is called a leak."""
SURE = 0.8
"""A network whose loss is below the constant answer's by this part may owe it to a column."""
LESS = 0.05
"""A column is a leak if without it a tree scores less by this."""
TWINS, MOST_TWINS = 0.05, 0.2
"""The share of validation rows that were learned from: the least that is looked at, and what is too much in itself."""
FLATTERED, MUCH = 0.05, 0.25
"""How much better the validation looks because of them, as a part of the constant answer's loss: harm if there are more
twins than the training rows have among themselves, and harm in any case."""
OUT_OF_REACH = 0.1
"""The part of the constant answer's loss that an output's range leaves in any case."""
RANGES = {"sigmoid": (0, 1), "softmax": (0, 1), "hard_sigmoid": (0, 1), "tanh": (-1, 1), "relu": (0, np.inf),
          "softplus": (0, np.inf), "exponential": (0, np.inf), "relu6": (0, 6), "softsign": (-1, 1)}  # fmt: skip
PROBABLE: dict[str, tuple[str, ...]] = {
    "binary_crossentropy": ("sigmoid", "hard_sigmoid", "softmax"),
    "categorical_crossentropy": ("softmax", "sigmoid"),
    "sparse_categorical_crossentropy": ("softmax", "sigmoid"),
}
"""The output activations that give probabilities, by the losses that take them."""


def column_name(case: Case, place: int) -> Text:
    """A column by its name, or its number from 0."""
    names = case.facts.get("columns")
    if names and place < len(names):
        return words.text("column {name}", name=names[place])
    return words.text("column {place}", place=place)


def unscaled(case: Case) -> Numbers | None:
    x = case.recording.sample.x
    assert x is not None
    first = case.recording.layers[0] if case.recording.layers else None
    for entry in case.facts.get("architecture") or []:
        if entry["kind"] in SCALING:
            return None
        if entry["name"] == first:
            break
    if not case.poor:
        return None
    by_column = x.ndim == 2
    flat = x.reshape(len(x), -1).astype(np.float64)
    sizes = np.sqrt(np.square(flat).mean(axis=0)) if by_column else np.sqrt(np.square(flat).mean(keepdims=True)).ravel()
    place, largest = int(sizes.argmax()), float(sizes.max())
    if SMALL <= largest <= LARGE:
        return None
    what = column_name(case, place) if by_column else words.text("the inputs")
    return case.harm | {"what": what, "size": largest}


def leaking(case: Case) -> Numbers | None:
    x, y = case.recording.sample.x, case.recording.sample.y
    assert x is not None
    assert y is not None
    gone = 1 - case.held_loss / case.constant if len(case.held_loss) >= 2 else case.gone
    if len(gone) < 2 or gone[-2:].min() < SURE or not 2 <= x.shape[1] <= MOST_COLUMNS:
        return None
    task = "regression" if case.shares is None else "classes"
    target = y.reshape(len(y), -1)
    if task == "regression" and target.shape[1] > 1:
        return None
    truth = target[:, 0] if task == "regression" else codes(y, 1 if case.facts.get("target_kind") == "binary" else 2)
    order = np.random.default_rng(0).permutation(len(x))[:1000]
    learn, judge = order[: len(order) // 2], order[len(order) // 2 :]
    if not (tells_apart(truth[learn]) and tells_apart(truth[judge])):
        return None
    scores = np.zeros(x.shape[1])
    for k in range(x.shape[1]):
        begin = time.perf_counter()
        scores[k] = tree_score(x[:, [k]], truth, learn, judge, task)
        if k == 1:  # after the imports: it tells what the others take, and the tree on all of them as much again
            case.budget.allow(2 * x.shape[1] * (time.perf_counter() - begin))
    place = int(scores.argmax())
    if scores[place] < GIVES_AWAY:
        return None
    without = tree_score(np.delete(x, place, axis=1), truth, learn, judge, task)
    if scores[place] - without < LESS:
        return None
    measure = words.text("R²") if task == "regression" else words.text("balanced accuracy")
    return {"what": column_name(case, place), "score": float(scores[place]), "without": without, "measure": measure}


def shared(case: Case) -> Numbers | None:
    found = case.facts["twins"]
    equal, looked = int(found["equal"]), int(found["looked_at"])
    share = equal / max(looked, 1)
    if share < TWINS:
        return None
    flattered = flattery(case)
    seems = flattered or 0.0
    unusual = share > 2 * repeated_share(case)
    if seems < MUCH and not (unusual and (seems >= FLATTERED or share >= MOST_TWINS)):
        return None
    found = words.text(
        "{equal:,} of {looked:,} validation rows ({share:.0%}) are also trained on",
        equal=equal,
        looked=looked,
        share=share,
    )
    if flattered is not None:
        found = words.text(
            "{found}; without them the validation loss is larger by {flattered:.0%} of the constant answer's",
            found=found,
            flattered=flattered,
        )
    return {"found": found}


def row_keys(x: Array) -> list[bytes]:
    """Each row as bytes, which are equal if its numbers are."""
    rows = np.ascontiguousarray(x.reshape(len(x), -1) + 0)  # −0 becomes 0
    return [row.tobytes() for row in rows]


def repeated_share(case: Case) -> float:
    """The share of the rows trained on that have a twin among themselves, as far as the recorded ones tell."""
    x = case.recording.sample.x
    if x is None or not len(x):
        return 0.0
    keys = row_keys(x)
    counts: dict[bytes, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    share = sum(counts[key] > 1 for key in keys) / len(keys)
    return min(1.0, share * max(1.0, float(case.facts.get("rows", len(keys))) / len(keys)))


def flattery(case: Case) -> float | None:
    """By how much the loss on validation rows without a twin is above that of all, as a part of the constant answer's.

    None unless all rows trained on were recorded, there is something to compare, and the difference is beyond chance.
    """
    sample = case.recording.sample
    if case.outputs is None or case.constant is None or sample.x is None or sample.held_x is None:
        return None
    if len(sample.x) < case.facts.get("rows", len(sample.x)):
        return None
    known = set(row_keys(sample.x))
    new = np.array([key not in known for key in row_keys(sample.held_x)])
    losses = row_losses_of(case, case.outputs, np.asarray(sample.held_y))
    if losses is None or new.sum() < 10 or new.all():
        return None
    difference = losses[new].mean() - losses[~new].mean()
    error = np.sqrt(losses[new].var() / new.sum() + losses[~new].var() / (~new).sum())
    if difference < 2 * error:
        return None
    return float((losses[new].mean() - losses.mean()) / case.constant)


def unfitting(case: Case) -> Numbers | None:
    loss, activation = case.facts.get("loss"), case.facts.get("output_activation") or "linear"
    y = case.recording.sample.y
    assert y is not None
    if not isinstance(loss, str):
        return None
    units = next((entry.get("units") for entry in reversed(case.facts.get("architecture") or [])), None)
    if loss in PROBABLE and (activation not in PROBABLE[loss] or (activation == "softmax" and units == 1)):
        if not case.poor:
            return None  # such as with from_logits=True
        wanted = PROBABLE[loss][0]
        what = words.text(
            "{loss} takes probabilities, and the output's activation is {activation}", loss=loss, activation=activation
        )
        if activation == "softmax":
            what, wanted = words.text("softmax over a single output is always 1"), "sigmoid"
        return case.harm | {"what": what, "wanted": wanted}
    low, high = (0.0, 1.0) if loss == "binary_crossentropy" else RANGES.get(activation, (-np.inf, np.inf))
    if case.shares is not None or not np.isfinite([low, high]).any():
        return None
    values = y.reshape(len(y), -1).astype(np.float64)
    beyond = values - np.clip(values, low, high)
    share = float((np.abs(beyond) > 1e-6 * np.abs(values).max()).mean())
    left = float(np.square(beyond).mean() / max(values.var(axis=0).mean(), 1e-30))
    gone = case.gone[-2:].max(initial=-np.inf) if case.constant is not None else -np.inf
    if left < OUT_OF_REACH or gone > 1 - OUT_OF_REACH / 2:
        return None
    what = words.text(
        "{activation} gives numbers from {low:g} to {high:g}, and {share:.0%} of the targets are outside",
        activation=activation,
        low=low,
        high=high,
        share=share,
    )
    return case.harm | {"what": what, "wanted": "linear"}


RULES = [
    Rule(
        name="unscaled inputs",
        symptom=f"the root mean square of an input is above {LARGE:g}, or all are below {SMALL:g}, and no layer "
        f"scales them",
        harm="poor progress",
        needs=("rows", "course", "samples"),
        check=unscaled,
        sentence="The inputs are not scaled.",
        evidence="{what}: the root mean square is {size:.3g}, where about 1 is expected; {harm}",
        remedy="Put layers.Normalization() (after adapt(x)) or layers.Rescaling(1 / 255) in front, or scale x "
        "to mean 0 and deviation 1.",
    ),
    Rule(
        name="leaking column",
        symptom=f"a column alone predicts the target with {GIVES_AWAY:g} (balanced accuracy or R² of a small tree)",
        harm=f"the network's score rests on it: {SURE:.0%} of the constant answer's loss are gone in the last two "
        f"epochs, and "
        f"without the column a tree scores {LESS:g} less",
        needs=("columns", "rows", "constant", "course"),
        thorough=True,
        check=leaking,
        sentence="{what} alone predicts the target.",
        evidence="a small tree on it alone has a {measure} of {score:.3f}, and {without:.3f} on all other columns",
        remedy="If it is known only after the target, leave it out (thalweg train: --ignore NAME).",
    ),
    Rule(
        name="shared rows",
        symptom=f"at least {TWINS:.0%} of the validation rows are equal to a row trained on",
        harm=f"without them the validation loss is larger by {MUCH:.0%} of the constant answer's (beyond chance); "
        f"or they are "
        f"twice as many as the training rows have among themselves, and it is larger by {FLATTERED:.0%}, or they are "
        f"{MOST_TWINS:.0%} of the rows",
        needs=("twins",),
        thorough=True,
        check=shared,
        sentence="Training and validation share rows: the validation flatters the network.",
        evidence="{found}",
        remedy="Drop repeated rows before splitting, or keep them on one side (thalweg train: --group COLUMN).",
    ),
    Rule(
        name="loss that doesn't fit",
        severity="error",
        symptom="the loss takes probabilities and the output gives none; or targets lie outside the output's range",
        harm=f"poor progress; or {OUT_OF_REACH:.0%} of the constant answer's loss remain in any case",
        needs=("rows", "course"),
        check=unfitting,
        sentence="Loss, output and target don't fit together.",
        evidence="{what}; {harm}",
        remedy="End the network with activation='{wanted}', or choose the loss for the target (model.compile(loss=…)).",
    ),
]
