"""What a run folder holds beside model and columns, read back: every value that is used later is checked here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from thalweg.errors import ModelFileError, NotFoundError
from thalweg.support.untrusted import read_json, readable

MODEL, COLUMNS, HISTORY, RUN = "model.safetensors", "columns.json", "history.jsonl", "run.json"
Facts = dict[str, Any]
Records = list[dict[str, Any]]


def is_number(value: object) -> bool:
    """Whether JSON holds a number; null stands for NaN."""
    return value is None or isinstance(value, float) or is_whole(value, -(1 << 63))


def is_whole(value: object, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value < 1 << 63


def is_text(value: object) -> bool:
    return isinstance(value, str)


def holds(value: object, check: Callable[[Any], bool], *needed: str) -> bool:
    """Whether it is an object with these keys at least, all values of one kind."""
    return isinstance(value, dict) and value.keys() >= set(needed) and all(map(check, value.values()))


def is_baseline(value: Any) -> bool:
    """None, or an answer with the scores of always giving it."""
    if value is None:
        return True
    known = isinstance(value, dict) and value.keys() >= {"answer", "scores"} and holds(value["scores"], is_number)
    answer = value["answer"] if known else None
    return isinstance(answer, str | bool) or (answer is not None and is_number(answer))


FACTS: dict[str, Callable[[Any], bool]] = {  # what run.json holds
    "command": lambda value: isinstance(value, list) and all(map(is_text, value)),
    "options": lambda value: (
        isinstance(value, dict)
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


def read_folder(folder: Path, description: str) -> tuple[Any, Records, Facts]:
    """What describes the data (the file of that name), the history, and the facts of a run folder."""
    if not folder.exists():
        raise NotFoundError(f"there is no run folder {folder}")
    if not folder.is_dir():
        raise NotFoundError(f"{folder} is a file, not a run folder")
    missing = [name for name in (MODEL, description, HISTORY, RUN) if not (folder / name).is_file()]
    if missing:
        raise NotFoundError(f"{folder} is not a run folder: it has no {missing[0]}")
    records, facts = read_history(folder / HISTORY), read_json(folder / RUN, ModelFileError)
    for name, check in FACTS.items():
        if not isinstance(facts, dict) or name not in facts:
            raise ModelFileError(f"{folder / RUN} is damaged: it lacks {name!r}")
        if not check(facts[name]):
            raise ModelFileError(f"{folder / RUN} is damaged: {name!r} is not what a training writes")
    return read_json(folder / description, ModelFileError), records, facts


def read_history(path: Path) -> Records:
    """The records of the epochs, one a line: numbers by the same names in each."""
    with readable(ModelFileError, f"{path} is damaged"):
        lines = path.read_text("utf-8").splitlines()
    records = [read_json(path, ModelFileError, line) for line in lines]
    for number, record in enumerate(records, start=1):
        if not holds(record, is_number, "epoch") or not is_whole(record["epoch"]):
            raise ModelFileError(f"{path} is damaged: line {number} is no record of an epoch")
        if record.keys() != records[0].keys():
            raise ModelFileError(f"{path} is damaged: line {number} names other values than line 1")
    return records
