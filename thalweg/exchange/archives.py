"""A Keras archive: a zip with the network as JSON, and its weights as HDF5. Two members are read, none is unpacked."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

from thalweg.errors import ModelFileError
from thalweg.support.untrusted import allowed, read_exactly, readable, too_large

CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
MOST_TEXT = 64 << 20
"""Bytes of JSON: that of a network of 10,000 layers has 10 MB."""
MOST_MEMBERS = 100_000
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive(NamedTuple):
    """What is in it."""

    config: dict[str, Any]
    weights: bytes


def read_archive(path: Path) -> Archive:
    """The two members that make a network; sizes are checked before anything is read.

    Raises:
        ModelFileError: it is damaged, or no archive of Keras's. DataError: it is too large.
    """
    limit = allowed(path)
    with readable(ModelFileError, f"{path} is a damaged zip archive"), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise ModelFileError(f"{path} has {len(members):,} members, a Keras file has a few")
        found = {m.filename: m for m in members}
        if CONFIG not in found:
            raise ModelFileError(f"{path} is a zip archive without {CONFIG}, so it is no model of Keras's")
        if WEIGHTS not in found:
            raise ModelFileError(f"{path} has no {WEIGHTS}: Keras's model.save writes it")
        text = member(archive, found[CONFIG], path, min(MOST_TEXT, limit))
        weights = member(archive, found[WEIGHTS], path, limit)
    with readable(ModelFileError, f"{path} is damaged: its {CONFIG} can't be read"):
        config = json.loads(text)
    return Archive(config, bytes(weights))


def is_archive(path: Path) -> bool:
    """Whether a file begins as a zip archive."""
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, limit: int) -> bytearray:
    """The content of a member of a known size."""
    if info.file_size > limit:
        raise too_large(f"{info.filename} in {path}", limit, info.file_size)
    if info.flag_bits & 1 or info.compress_type not in METHODS:
        raise ModelFileError(f"{info.filename} in {path} is encrypted, or packed in a way that Keras doesn't use")
    with archive.open(info) as stream:
        content = read_exactly(stream, info.file_size)
        if len(content) < info.file_size or stream.read(1):
            raise ModelFileError(f"{info.filename} in {path} has another size than the archive says")
    return content


def archive_of(config: dict[str, Any], metadata: dict[str, Any], weights: bytes) -> bytes:
    """A new archive; equal networks give equal ones."""
    contents: dict[str, str | bytes] = {METADATA: json.dumps(metadata), CONFIG: json.dumps(config), WEIGHTS: weights}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()
