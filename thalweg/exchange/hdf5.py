"""HDF5 files from elsewhere: arrays by their paths, each checked before it is read."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ModelFileError
from thalweg.support.extras import need
from thalweg.support.untrusted import allowed, readable, too_large

Array = NDArray[Any]
MOST_TEXT = 64 << 20  # bytes of an attribute
MOST_GROUPS = 100_000
GZIP = 1  # HDF5's number of this filter


@contextmanager
def opened(path: Path, content: IO[bytes]) -> Iterator[Stored]:
    """The arrays of a file, whose content is given."""
    need("h5py", "keras", "an HDF5 file")
    import h5py

    with readable(ModelFileError, f"{path} is damaged, or its weights are no HDF5"):
        file = h5py.File(content, "r")
    with file:
        yield Stored(file, path)


class Stored:
    """The groups and arrays of an HDF5 file. Links to other places, to other files and to parts of other arrays are
    refused, and so are filters other than gzip."""

    def __init__(self, file: Any, path: Path) -> None:
        self.file, self.path = file, path
        self.left = self.limit = allowed(path)

    def find(self, path: str) -> Any:
        """The group or dataset at a path; None if there is none."""
        import h5py

        at = self.file
        for part in path.split("/") if path else ():
            if not isinstance(at, h5py.Group) or part in ("", ".", ".."):
                return None
            link = at.get(part, getclass=True, getlink=True)  # `in` would follow it, into another file too
            if link is None:
                return None
            if link is not h5py.HardLink:
                raise ModelFileError(f"{self.path} has a link at {path!r}: only arrays of the file itself are read")
            at = at[part]
        return at

    def names(self, path: str) -> list[str]:
        """What is in a group, in the order of its numbers where they are; nothing if there is no such group."""
        group = self.find(path)
        if group is None or not hasattr(group, "keys"):
            return []
        if len(group) > MOST_GROUPS:
            raise ModelFileError(f"{self.path} has {len(group):,} parts at {path!r}")
        found = [str(name) for name in group]
        return sorted(found, key=lambda name: (int(name) if name.isdecimal() and len(name) < 9 else -1, name))

    def text(self, path: str, name: str) -> Any:
        """An attribute of a group: a text, or a list of them; None if it isn't there."""
        group = self.find(path)
        if group is None or name not in group.attrs:
            return None
        held = group.attrs.get_id(name)
        size = math.prod(held.shape) * held.dtype.itemsize
        if size > MOST_TEXT:
            raise too_large(f"the attribute {name} in {self.path}", MOST_TEXT, size)
        value = group.attrs[name]
        return [plain(v) for v in value] if isinstance(value, (np.ndarray, list)) else plain(value)

    def array(self, path: str, shape: tuple[int, ...]) -> Array:
        """The array of float32 at a path, which must have this shape: it is checked first."""
        import h5py

        found = self.find(path)
        if not isinstance(found, h5py.Dataset):
            raise ModelFileError(f"{self.path} lacks the array {path!r}")
        if found.external or found.is_virtual:
            raise ModelFileError(
                f"{self.path} keeps {path!r} in another place: only arrays of the file itself are read"
            )
        properties = found.id.get_create_plist()
        filters = [properties.get_filter(k)[0] for k in range(properties.get_nfilters())]
        if any(number != GZIP for number in filters):
            raise ModelFileError(f"{self.path} packs {path!r} by another filter than gzip, which isn't read")
        if found.dtype != np.dtype("<f4") and found.dtype != np.dtype(">f4"):
            raise ModelFileError(f"{self.path} holds {path!r} as {found.dtype}: only float32 is read")
        if found.shape != shape:
            raise ModelFileError(f"{self.path}: {path!r} has the shape {found.shape}, the network needs {shape}")
        self.left -= math.prod(shape) * found.dtype.itemsize
        if self.left < 0:
            raise too_large(f"{self.path}, unpacked,", self.limit)
        return np.asarray(found[()], np.float32)

    @property
    def floats(self) -> int:
        """How many numbers it can hold at most: no network of it has more weights."""
        return self.limit // 4


def plain(value: Any) -> str:
    """A text of an attribute."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, str):
        return str(value)
    raise ModelFileError(f"an attribute holds {type(value).__name__}, not a text")
