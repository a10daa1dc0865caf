"""The line at the end of a terminal that is redrawn. Two that redraw it would overwrite each other: whoever finds it
taken has its news shown in the other's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_taken = 0
_news = ""


@contextmanager
def redrawing() -> Iterator[None]:
    """Within it, the line is the caller's, who shows the `news` too."""
    global _taken
    _taken += 1
    try:
        yield
    finally:
        _taken -= 1


def taken() -> bool:
    """Whether somebody redraws the line."""
    return _taken > 0


def tell(text: str) -> None:
    """Sets the news; an empty text takes them back."""
    global _news
    _news = text


def news() -> str:
    """What others have to say."""
    return _news
