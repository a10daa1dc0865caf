"""Files are written under another name and then moved: a file is either complete or as it was before."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from thalweg.errors import ThalwegError


@contextmanager
def explained(path: Path, error: type[ThalwegError] = ThalwegError) -> Iterator[None]:
    """Turns the system's error while writing into one of ours."""
    try:
        yield
    except OSError as caught:
        why = caught.strerror or str(caught)
        raise error(f"{path} can't be written: {why}; make room there, or give another path") from None


@contextmanager
def writing(path: Path, error: type[ThalwegError] = ThalwegError) -> Iterator[Path]:
    """A temporary path to write to; the finished file is moved to `path`, after an error it is deleted.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with writing(Path(folder) / "a.txt") as new:
    ...         _ = new.write_text("whole")
    ...     [(path.name, path.read_text()) for path in Path(folder).iterdir()]
    [('a.txt', 'whole')]
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise error(f"{path} is a folder or a device: give the path of a file")
    new = path.with_name(f".thalweg-{os.urandom(8).hex()}{path.suffix}")
    with explained(path, error):
        try:
            new.open("xb").close()
            yield new
            new.replace(path)
        except BaseException:
            with suppress(OSError):
                new.unlink()
            raise


def append(path: Path, text: str) -> None:
    """Appends text to a file, all of it or nothing."""
    rest = text.encode()
    with explained(path), path.open("ab", buffering=0) as file:
        before = file.tell()
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            with suppress(OSError):
                file.truncate(before)
            raise


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON with a line break at its end. NaN and infinity, which JSON lacks, become null.

    >>> to_json({"loss": float("nan"), "scores": (0.5, 1.0)})
    '{"loss": null, "scores": [0.5, 1.0]}\\n'
    """
    return json.dumps(finite(value), indent=indent, ensure_ascii=False, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """Plain values with None in place of NaN and infinity."""
    if isinstance(value, dict):
        return {key: finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
