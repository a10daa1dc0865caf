"""The files of predictions for parts of a table: as many processes as there are parts make the whole."""

from __future__ import annotations

import re
from pathlib import Path

from thalweg.data.large_source import Shard
from thalweg.errors import ArgumentError

_NAME = re.compile(r"part-(\d{5,})-of-(\d{5,})\.parquet")


def part_path(folder: Path, shard: Shard) -> Path:
    """The file of a part: part-00003-of-00016.parquet."""
    return folder / f"part-{shard.number:05}-of-{shard.count:05}.parquet"


def parts_in(folder: Path) -> list[Shard]:
    """The parts that a folder holds."""
    found = [_NAME.fullmatch(path.name) for path in sorted(folder.iterdir())] if folder.is_dir() else []
    return [Shard(int(name[1]), int(name[2])) for name in found if name is not None]


def check_parts(folder: Path, shard: Shard) -> None:
    """Raises if a part of a whole that is divided otherwise is there, or the folder can't be one."""
    if folder.exists() and not folder.is_dir():
        raise ArgumentError(f"{folder} is a file: with a shard, give a folder, in which each shard writes a file")
    other = next((part for part in parts_in(folder) if part.count != shard.count), None)
    if other is not None:
        raise ArgumentError(
            f"{folder} holds parts of {other.count}, and {shard} is one of {shard.count}: give another folder"
        )
