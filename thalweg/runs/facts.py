"""What run.json holds, checked when it is read: files may be damaged, or come from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def is_number(value: object) -> bool:
    """Whether JSON holds a number; null stands for NaN."""
    return value is None or isinstance(value, float) or is_whole(value, -(1 << 63))


def is_whole(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 1 << 63


def is_text(value: object) -> bool:
    return isinstance(value, str)


def holds(value: object, check: Callable[[Any], bool], *needed: str) -> bool:
    """Whether it is an object with at least these keys, whose values all pass the check."""
    return isinstance(value, dict) and value.keys() >= set(needed) and all(map(check, value.values()))


def is_baseline(value: Any) -> bool:
    """None, or an answer with the scores of always giving it."""
    if value is None:
        return True
    known = isinstance(value, dict) and value.keys() >= {"answer", "scores"} and holds(value["scores"], is_number)
    return known and is_label(value["answer"])


FACTS: dict[str, Callable[[Any], bool]] = {  # what run.json holds
    "command": lambda value: isinstance(value, list) and all(map(is_text, value)),
    "options": lambda value: (
        isinstance(value, dict)
        and all(value.get(name) is None or is_text(value[name]) for name in ("optimizer", "loss", "id"))
        and is_whole(value.get("batch_size"), 1)
        and "lanes" in value
        and (value["lanes"] is None or is_whole(value["lanes"], 1))
    ),
    "rows": lambda value: holds(value, is_whole, "train", "test"),
    "seed": is_whole,
    "seconds": is_number,
    "held-out": lambda value: holds(value, is_number),
    "baseline": is_baseline,
    "versions": lambda value: holds(value, is_text),
}
BIN = ("from", "to", "rows", "probability", "right")
QUARTER = ("from", "to", "rows", "MAE", "too high by")
WORST = ("row", "truth", "prediction")
FURTHER: dict[str, Callable[[Any], bool]] = {  # what some runs lack, and old ones
    "source": is_text,
    "intervals": lambda value: holds(value, lambda ends: is_list(ends, is_number, 2)),
    "linear": lambda value: (
        isinstance(value, dict) and is_text(value.get("model")) and holds(value.get("scores"), is_number)
    ),
    "mistakes": lambda value: is_class_mistakes(value) or is_number_mistakes(value),
    "twins": is_whole,
    "trees": lambda value: is_list(value, is_kind),
    "networks": lambda value: holds(value, is_number),
    "metric": is_text,
    "warnings": lambda value: isinstance(value, list) and all(map(is_text, value)),
    "folds": lambda value: holds(value, lambda scores: is_list(scores, is_number)),
    "members": lambda value: is_list(value, is_member),
}


def problem_in(facts: object) -> str:
    """What is wrong with the content of run.json; "" if nothing is."""
    for name, check in (FACTS | FURTHER).items():
        if not isinstance(facts, dict) or (name in FACTS and name not in facts):
            return f"it lacks {name!r}"
        if name in facts and not check(facts[name]):
            return f"{name!r} is not what a training writes"
    return ""


def is_list(value: object, check: Callable[[Any], bool], length: int | None = None) -> bool:
    """Whether it is a list (of this length) whose parts all pass the check."""
    return isinstance(value, list) and length in (None, len(value)) and all(map(check, value))


def is_known(value: object) -> bool:
    """Whether it is a number, and not null."""
    return value is not None and is_number(value)


def is_kind(value: object) -> bool:
    """The name and the weight of one kind of trees."""
    return isinstance(value, dict) and is_text(value.get("name")) and is_known(value.get("weight"))


def is_label(value: object) -> bool:
    return isinstance(value, str | int) or is_known(value)  # an id may have any number of digits


def is_member(value: object) -> bool:
    """Which epoch of a network was kept, of how many, and its score on the rows that it held out."""
    return (
        isinstance(value, dict)
        and all(is_whole(value.get(name)) for name in ("best epoch", "epochs", "held out"))
        and "score" in value
        and is_number(value["score"])
    )


def is_class_mistakes(value: Any) -> bool:
    """A confusion matrix and a calibration (`mistakes.class_mistakes`)."""
    if not isinstance(value, dict):
        return False
    confusion, calibration = value.get("confusion"), value.get("calibration")
    if not isinstance(confusion, dict) or not is_list(confusion.get("classes"), is_label):
        return False
    others = confusion.get("others", 0)
    size = len(confusion["classes"]) + (others != 0)
    return (
        is_whole(others)
        and (not others or is_whole(confusion.get("right among others")))
        and is_list(confusion.get("counts"), lambda row: is_list(row, is_whole, size), size)
        and isinstance(calibration, dict)
        and "error" in calibration
        and is_known(calibration["error"])
        and is_list(calibration.get("bins"), lambda part: holds(part, is_known, *BIN))
    )


def is_number_mistakes(value: Any) -> bool:
    """The errors by quarters of the truth, and the worst rows (`mistakes.number_mistakes`)."""
    return (
        isinstance(value, dict)
        and is_list(value.get("quarters"), lambda part: holds(part, is_number, *QUARTER) and is_known(part["rows"]))
        and is_list(value.get("worst"), lambda row: holds(row, is_number, *WORST) and is_known(row["row"]))
    )
