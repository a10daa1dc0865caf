"""The files of data sets: found in a folder, or downloaded and checked."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thalweg.errors import ArgumentError, DataError, NotFoundError
from thalweg.support.files import explained, writing
from thalweg.support.terminal import interactive
from thalweg.support.untrusted import CHUNK, reason

VARIABLE = "THALWEG_DATA"
GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
TIMEOUT = 30.0  # seconds without a byte
MOST_BYTES = 1 << 30  # several times the largest file

Folder = str | os.PathLike[str] | None


@dataclass(frozen=True)
class Source:
    """A file of a data set: its place in the folder, where it comes from, and its SHA-256 (or MD5) in hexadecimal."""

    name: str
    url: str
    digest: str


def folders(given: Folder = None) -> list[Path]:
    """Where files are looked for; the first is where they are downloaded to."""
    told = os.environ.get(VARIABLE)
    if given is not None or told:
        return [Path(given if given is not None else str(told)).expanduser()]
    keras = os.environ.get("KERAS_HOME")
    return [Path.home() / ".thalweg" / "datasets", (Path(keras) if keras else Path.home() / ".keras") / "datasets"]


def present(names: list[str], folder: Folder) -> Path | None:
    """The first of these files or folders that is there."""
    for place in folders(folder):
        for name in names:
            if (place / name).exists():
                return place / name
    return None


def fetch(source: Source, folder: Folder = None, path: Folder = None) -> Path:
    """The file, downloaded if it isn't there. `path` is its name in the folder if that is another one."""
    name = source.name if path is None else os.fspath(path)
    if not isinstance(name, str) or not name:
        raise ArgumentError(f"path is the name of a file, got {path!r}")
    found = present([name], folder)
    if found is None:
        found = folders(folder)[0] / name
        download(source, found)
    elif not found.is_file():
        raise DataError(f"{found} is a folder, not the file {Path(source.name).name}")
    return found


def download(source: Source, target: Path) -> None:
    """Writes the whole file, or nothing if the connection breaks or the checksum is another one."""
    with explained(target, DataError):
        target.parent.mkdir(parents=True, exist_ok=True)
    remedy = f"put the file there yourself, or set {VARIABLE} to the folder that holds it"
    total = hashlib.new("sha256" if len(source.digest) == 64 else "md5", usedforsecurity=False)
    with writing(target, DataError) as new, new.open("wb") as file:
        try:
            for chunk in received(source, target.name):
                total.update(chunk)
                file.write(chunk)
        except Unreachable as error:
            raise NotFoundError(
                f"{target} is missing and can't be downloaded from {source.url} ({error}): {remedy}"
            ) from None
        if total.hexdigest() != source.digest:
            raise DataError(
                f"what {source.url} sent isn't the published file, its checksum is another one: try again later, or "
                f"{remedy}: {target}"
            )


class Unreachable(Exception):
    """The network, not the disk, failed."""


def received(source: Source, name: str) -> Iterator[bytes]:
    """The file's content, chunk by chunk; on a terminal, a line says how far it is."""
    from urllib.request import urlopen  # here, because it loads much that nothing else needs

    with reachable():
        response = urlopen(source.url, timeout=TIMEOUT)
    size = int(response.headers.get("Content-Length") or 0)
    done, shown = 0, interactive()
    with response:
        while chunk := piece(response):
            done += len(chunk)
            if done > MOST_BYTES:
                raise Unreachable(f"it sends more than {MOST_BYTES:,} bytes")
            if shown:
                rest = f" of {size / 1e6:.1f}" if size else ""
                sys.stdout.write(f"\r{name}: {done / 1e6:.1f}{rest} MB")
                sys.stdout.flush()
            yield chunk
    if shown:
        sys.stdout.write("\n")
    if size and done < size:
        raise Unreachable(f"the connection ended after {done:,} of {size:,} bytes")


def piece(response: Any) -> bytes:
    """The next bytes."""
    with reachable():
        return bytes(response.read(CHUNK))


@contextmanager
def reachable() -> Iterator[None]:
    """Turns the network's errors into ours, with the reason in a few words."""
    from http.client import HTTPException

    try:
        yield
    except (OSError, HTTPException) as error:
        inner = getattr(error, "reason", None)
        raise Unreachable(reason(inner if isinstance(inner, BaseException) else error)) from None
