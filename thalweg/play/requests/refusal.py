"""What the page asked for and can't have, in all of its languages."""

from __future__ import annotations

from typing import Any

from thalweg import words
from thalweg.errors import ArgumentError, DivergedError, ThalwegError
from thalweg.words import Text


class RefusedError(ArgumentError):
    """A setting of the page that can't be, as one sentence: in English, for the catalogue, with its values; or a text.

    >>> str(RefusedError("a batch has at least {count} row", count=1))
    'a batch has at least 1 row'
    """

    def __init__(self, said: str | Text, /, **values: Any) -> None:
        self.text = words.text(said, **values) if isinstance(said, str) else said
        super().__init__(self.text["en"])


def told(error: BaseException) -> Text:
    """An error as the page shows it. The library's own sentences are English; Chinese says so.

    >>> told(RefusedError("no"))["en"]
    'no'
    """
    if isinstance(error, RefusedError):
        return error.text
    if isinstance(error, DivergedError):
        return words.text("NaN: {error}", error=error)
    english = str(error) if isinstance(error, ThalwegError) else f"{type(error).__name__}: {error}"
    return words.text("{error}", context="refused", error=english)


def shortened(value: Any, most: int = 60) -> str:
    """A received value as it is named in an error: not longer than a line.

    >>> shortened([1, 2])
    '[1, 2]'
    """
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"
