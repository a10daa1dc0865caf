"""What the page asked for and can't have, in all of its languages."""

from __future__ import annotations

from typing import Any

from thalweg import words
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.words import Text


class RefusedError(ArgumentError):
    """A setting of the page that can't be, as one sentence: in English, for the catalogue, with its values.

    >>> str(RefusedError("a batch has at least {count} row", count=1))
    'a batch has at least 1 row'
    """

    def __init__(self, said: str, /, **values: Any) -> None:
        super().__init__(said if isinstance(said, words.Said) else words.Said(said, **values))


def told(error: BaseException) -> Text:
    """An error as the page shows it. A sentence that the catalogue lacks is English; Chinese says so.

    >>> told(RefusedError("no"))["en"]
    'no'
    """
    said = words.Said.of(error)
    if isinstance(said, words.Said):
        return said.text
    english = str(error) if isinstance(error, ThalwegError) else f"{type(error).__name__}: {error}"
    return words.text("{error}", context="refused", error=english)


def shortened(value: Any, most: int = 60) -> str:
    """A received value as it is named in an error: not longer than a line.

    >>> shortened([1, 2])
    '[1, 2]'
    """
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"
