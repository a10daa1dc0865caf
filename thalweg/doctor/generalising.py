"""Rules on what the network makes of rows that it hasn't learned from: overfitting, the majority, rare classes, and
whether it was worth a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.doctor.case import Case
from thalweg.doctor.rule import Numbers, Rule
from thalweg.doctor.yardsticks import loss_of

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

RISEN = 0.15
"""Of the constant answer's loss: by how much the validation loss has risen above its least value …"""
GAP = 0.15
"""… and by how much it is above the training loss."""
FEWER = 0.02
"""The share of answers that were right and are wrong now; at least two standard errors."""
VAGUE = 0.05
"""Two standard errors of an accuracy that tells little."""
ONE_ANSWER, EXACTLY = 0.99, 0.003
"""The share of rows with the same answer that counts as all; how near the accuracy is to a class's share, if it is all
that is known."""
RARE = 0.2
"""A class is rare if it has less than this part of an equal share of the rows."""
FOUND, OTHERS_FIND = 0.1, 0.3
"""A rare class is overlooked if no more than the first part of its rows is found, and simple models find the second."""
FEWEST = 8
"""Of so few rows of a class nothing is said."""
FEW_ROWS = 20
"""Fewer rows of a class to learn from, or fewer to validate by, show nothing that holds for others."""
WORSE, BETTER = 0.1, 0.1
"""Of the constant answer's loss: how much worse than a linear model a network is, or how much better a forest is."""


def overfitting(case: Case) -> Numbers | None:
    constant = case.constant
    assert constant is not None
    held, loss = case.held_loss, case.loss
    least = float(held.min())
    risen = (held[-2:] - least) / constant
    gap = (held[-2:] - loss[-2:]) / constant
    if (risen < RISEN).any() or (gap < GAP).any() or loss[-1] > loss[int(held.argmin())]:
        return None
    if better_now(case, least + RISEN / 2 * constant) or not costly(case, held / constant):
        return None
    return {"held": float(held[-1]), "least": least, "epoch": int(held.argmin()) + 1, "loss": float(loss[-1])}


def costly(case: Case, held: Floats) -> bool:
    """Whether fewer answers are right than when the validation loss was least, beyond chance.

    A validation loss may rise because the network is too sure of itself, while its answers get no worse. Of so few rows
    that their answers tell little, or without an accuracy, it is harm if they are worth less than a constant answer.
    """
    right = case.held_accuracy
    if right is None or len(right) != len(held) or len(right) < 4:
        return True
    least = int(held.argmin())
    then = float(right[max(0, least - 1) : least + 2].mean())
    rows = max(1, int(case.facts.get("held_rows") or 1))
    chance = 2 * np.sqrt(then * (1 - then) / rows)
    return bool((then - right[-2:] >= max(FEWER, chance)).all() or (chance > VAGUE and (held[-2:] > 1).all()))


def better_now(case: Case, least: float) -> bool:
    """Whether the network as it was left has a smaller loss on new rows, as after restore_best_weights."""
    kept = case.facts.get("kept_epoch")
    if kept and kept <= len(case.held_loss):
        return bool(case.held_loss[kept - 1] < least)
    if case.predict is None or case.recording.sample.held_x is None or case.recording.sample.held_y is None:
        return False
    function = loss_of(case.facts)
    held_x, held_y = case.recording.sample.held_x, case.recording.sample.held_y
    return function is not None and float(function(held_y, case.answers(held_x))) < least


def codes(values: Floats, outputs: int) -> Codes:
    """Class numbers (rows,) of probabilities or targets."""
    if values.ndim == 2 and values.shape[1] > 1:
        return np.asarray(values.argmax(axis=1))
    flat = values.reshape(len(values))
    return np.asarray(flat > 0.5 if outputs == 1 else flat).astype(np.int64)


def answered(case: Case) -> tuple[Codes, Codes]:
    """The network's classes for the rows it is judged by, and the true ones."""
    assert case.outputs is not None
    assert case.judged is not None
    width = case.outputs.shape[1]
    margin = width == 1 and case.facts.get("output_activation") == "linear"
    return codes(case.outputs + 0.5 if margin else case.outputs, width), codes(np.asarray(case.judged[1]), width)


def majority(case: Case) -> Numbers | None:
    shares = case.shares
    assert shares is not None
    if not case.poor or case.diverged:
        return None
    greatest = float(shares.max())
    if case.outputs is not None:
        guesses, _ = answered(case)
        same = float((guesses == np.bincount(guesses).argmax()).mean())
        if same < ONE_ANSWER:
            return None
    elif case.accuracy is None or len(case.accuracy) < 5 or (np.abs(case.accuracy[-2:] - greatest) > EXACTLY).any():
        return None
    else:
        same = float(case.accuracy[-1])
    return case.harm | {"same": same, "class": int(shares.argmax()), "greatest": greatest}


def imbalance(case: Case) -> Numbers | None:
    shares = case.shares
    assert shares is not None
    assert case.yardsticks is not None
    guesses, truth = answered(case)
    width = case.outputs.shape[1] if case.outputs is not None else 1
    judge = codes(np.asarray(case.yardsticks.y), width)
    for label in np.flatnonzero(shares < RARE / len(shares)):
        rows = truth == label
        if rows.sum() < FEWEST or (judge == label).sum() < FEWEST:
            continue
        found = float((guesses[rows] == label).mean())
        if case.accuracy is None and not case.poor and found:
            continue
        # simple models answer with the class whose probability is greatest in proportion to its share
        easily = max(
            float((in_proportion(values, shares)[judge == label] == label).mean())
            for values in case.yardsticks.predicted.values()
        )
        if found <= FOUND and easily - found >= OTHERS_FIND:
            return {"class": int(label), "share": float(shares[label]), "found": found, "easily": easily}
    return None


def in_proportion(probabilities: Floats, shares: Floats) -> Codes:
    """The class numbers that are likeliest if all classes were equally frequent."""
    if probabilities.shape[1] == 1:
        probabilities = np.hstack([1 - probabilities, probabilities])
    return np.asarray((probabilities / np.maximum(shares, 1e-12)).argmax(axis=1))


def too_few(case: Case) -> Numbers | None:
    rows, held = int(case.facts.get("rows") or 0), int(case.facts.get("held_rows") or 0)
    classes = 1 if case.shares is None else int(np.count_nonzero(case.shares))
    if case.diverged or not rows or rows >= FEW_ROWS * classes:
        return None
    judged = held >= FEW_ROWS and len(case.held_loss) >= 2
    if judged and (case.held_loss[-2:] <= case.constant).any():
        return None
    learned = words.text(
        "{rows:,} rows" if classes == 1 else "{rows:,} rows of {classes} classes", rows=rows, classes=classes
    )
    if judged:
        so = words.text(
            "{held} to validate by have a loss of {loss:.4g}, and a constant answer has {constant:.4g}",
            held=held,
            loss=float(case.held_loss[-1]),
            constant=case.constant,
        )
    elif held:
        so = words.text(
            "{held} to validate by, where one more or less that is right is {share:.0%} of the accuracy",
            held=held,
            share=1 / held,
        )
    else:
        so = words.text("none to validate by")
    x = case.recording.sample.x
    if x is not None and x.ndim == 4:
        so_far = words.text("vary the images that there are (layers.RandomFlip, layers.RandomTranslation)")
    else:
        so_far = words.text("judge by cross-validation (of a table, thalweg train: --folds 5)")
    return {"learned": learned, "so": so, "so_far": so_far}


def no_better(case: Case) -> Numbers | None:
    yardsticks = case.yardsticks
    assert yardsticks is not None
    if case.diverged or not case.hidden:
        return None
    reached = (1 - case.held_loss / case.constant) if len(case.held_loss) >= 2 else case.gone
    last = float(reached[-2:].max())
    worse = yardsticks.linear - last
    better = yardsticks.forest - last
    if worse < WORSE and not (worse > -WORSE / 4 and better > BETTER):
        return None
    if case.outputs is not None and not confirmed(case, "linear" if worse >= WORSE else "forest"):
        return None
    assert case.constant is not None
    name = "forest" if worse < WORSE else "linear"
    other = words.text("a linear model") if name == "linear" else yardsticks.name
    return {
        "loss": (1 - last) * case.constant,
        "linear": (1 - yardsticks.linear) * case.constant,
        "forest": (1 - yardsticks.forest) * case.constant,
        "other": other,
    }


def confirmed(case: Case, name: str) -> bool:
    """Whether the network is worse row by row, by more than twice the standard error of the difference.

    Of classes, fewer of its answers are right; of numbers, its squared errors are larger.
    """
    assert case.yardsticks is not None
    network = case.answers(case.yardsticks.x)
    other, y, least = case.yardsticks.predicted[name], np.asarray(case.yardsticks.y), 0.0
    if case.shares is None:
        truth = y.reshape(len(y), -1)
        difference = (np.square(network - truth) - np.square(other - truth)).mean(axis=1)
    else:
        width, least = network.shape[1], FEWER
        margin = width == 1 and case.facts.get("output_activation") == "linear"
        guesses = codes(network + 0.5 if margin else network, width)
        difference = (codes(other, width) == codes(y, width)).astype(float) - (guesses == codes(y, width))
    return bool(difference.mean() > max(least, 2 * difference.std() / np.sqrt(len(difference))))


def row_losses_of(case: Case, predicted: Floats, y: NDArray[Any]) -> Floats | None:
    """The loss of each row: −ln p of its class, or the mean squared error of its numbers; None if they are no such."""
    predicted = predicted.reshape(len(predicted), -1).astype(np.float64)
    if case.shares is None:
        return np.asarray(np.square(predicted - y.reshape(len(y), -1)).mean(axis=1))
    truth = codes(y, predicted.shape[1])
    if predicted.shape[1] == 1:
        predicted = np.hstack([1 - predicted, predicted])
    if (predicted < 0).any() or (np.abs(predicted.sum(axis=1) - 1) > 1e-3).any():
        return None  # not probabilities
    return np.asarray(-np.log(np.maximum(predicted[np.arange(len(y)), truth], 1e-7)))


RULES = [
    Rule(
        name="overfitting",
        symptom=f"the validation loss is above its least value by {RISEN:.0%} of the constant answer's loss, and "
        f"above the training loss by {GAP:.0%}",
        harm=f"in the last two epochs {FEWER:.0%} fewer answers are right than when that loss was least, beyond "
        f"chance; or, if chance alone may be {VAGUE:.0%}, they are worth less than a constant answer; of numbers, the "
        "loss itself",
        needs=("constant", "validation", "each", "plain"),
        check=overfitting,
        sentence="The network learns its rows by heart: it has become worse on those that it doesn't learn from.",
        evidence="the validation loss was {least:.4g} in epoch {epoch} and is {held:.4g}, the training loss {loss:.4g}",
        remedy="Stop at the best epoch (callbacks.EarlyStopping(patience=10, restore_best_weights=True)); "
        "layers.Dropout, kernel_regularizer='l2', fewer units, or more rows.",
    ),
    Rule(
        name="too few rows",
        symptom=f"fewer than {FEW_ROWS} rows of a class to learn from, on average (of numbers: in all)",
        harm=f"fewer than {FEW_ROWS} rows to validate by, so that no score means anything; or the validation loss of "
        "the last two epochs is above that of a constant answer",
        needs=("constant", "course"),
        check=too_few,
        sentence="There are too few rows to learn anything that holds for others.",
        evidence="{learned} to learn from; {so}",
        remedy="Get more rows, some hundreds of each class; until then use few units, and {so_far}.",
    ),
    Rule(
        name="answers the majority",
        severity="error",
        symptom=f"{ONE_ANSWER:.0%} of the answers are the same class (without predictions: the accuracy is its share)",
        harm="poor progress",
        needs=("classes", "constant", "course"),
        check=majority,
        sentence="The network gives the same answer to every row.",
        evidence="{same:.0%} of the answers are one class; the most frequent class, {class}, has {greatest:.0%} "
        "of the rows; {harm}",
        remedy="Look at the other findings first; then class_weight in fit, scaled inputs, or a larger "
        "learning_rate.",
    ),
    Rule(
        name="imbalance",
        symptom=f"a class has less than {RARE:.0%} of an equal share of the rows",
        harm=f"no more than {FOUND:.0%} of its rows are found, where a simple model that weighs classes finds "
        f"{OTHERS_FIND:.0%} more",
        needs=("classes", "predictions", "yardsticks"),
        thorough=True,
        yields_to=("answers the majority",),
        check=imbalance,
        sentence="The network overlooks the rare class {class}.",
        evidence="class {class} has {share:.1%} of the rows; the network finds {found:.0%} of them, a simple "
        "model that weighs classes equally {easily:.0%}",
        remedy="Give fit a class_weight (thalweg train: --class-weight balanced), more rows of this class, or "
        "choose the threshold by what mistakes cost.",
    ),
    Rule(
        name="no better than a linear model",
        symptom="on new rows the loss of the last two epochs isn't below that of a linear model",
        harm=f"it is above it by {WORSE:.0%} of the constant answer's, or a forest is better by {BETTER:.0%}; row "
        f"by row, "
        "by two standard errors",
        needs=("constant", "course", "yardsticks"),
        thorough=True,
        yields_to=("not finite", "diverging", "overfitting", "dead units", "saturated units", "symmetry",
                   "vanishing gradients", "exploding gradients", "learning rate too low", "learning rate too high",
                   "loss that doesn't fit", "bad start", "answers the majority", "still falling",
                   "unscaled inputs", "oscillation"),
        check=no_better,
        sentence="The network is no better than a linear model.",
        evidence="its loss on new rows is {loss:.4g}; a linear model has {linear:.4g}, a forest of decision "
        "trees {forest:.4g}",
        remedy="Give the hidden layers an activation ('relu') and more units, or train longer; if {other} "
        "stays better, use it.",
    ),
]  # fmt: skip
