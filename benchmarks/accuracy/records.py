"""The results: one line of JSON for each fit, appended as soon as it is there, so a run can be stopped and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Record = dict[str, Any]
Key = tuple[str, str, int]


def key(record: Record) -> Key:
    """Method, table and split."""
    return record["method"], record["table"], record["split"]


def read(path: Path, key: Callable[[Record], Key] = key) -> dict[Key, Record]:
    """All records, the last of each key; a line cut off by a crash is left out."""
    found: dict[Key, Record] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[key(record)] = record
    return found


def append(path: Path, record: Record) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = path.exists() and not path.read_bytes().endswith(b"\n") and path.stat().st_size > 0
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * cut + json.dumps(record) + "\n")


def succeeded(records: Iterable[Record]) -> list[Record]:
    return [record for record in records if "failed" not in record]


def missing(wanted: Iterable[Key], found: dict[Key, Record]) -> list[Key]:
    """What is still to be measured: without a record, or with one of a failure."""
    return [one for one in wanted if one not in found or "failed" in found[one]]
