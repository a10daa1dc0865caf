"""What the page asked for and can't have, in both of its languages."""

from __future__ import annotations

from typing import Any

from thalweg.errors import ArgumentError, DivergedError, ThalwegError

Text = dict[str, str]
"""The same sentence by language: "en" and "zh"."""


class RefusedError(ArgumentError):
    """A setting of the page that can't be, as one sentence in each language.

    >>> str(RefusedError("a batch has at least one row", "一個批次至少要有一列"))
    'a batch has at least one row'
    """

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(english)
        self.chinese = chinese


def told(error: BaseException) -> Text:
    """An error as the page shows it. The library's own sentences are English; Chinese says so.

    >>> told(RefusedError("no", "不行"))["zh"]
    '不行'
    """
    if isinstance(error, DivergedError):
        return {"en": f"NaN: {error}", "zh": f"NaN：訓練中止（原文）：{error}"}
    english = str(error) if isinstance(error, ThalwegError) else f"{type(error).__name__}: {error}"
    chinese = error.chinese if isinstance(error, RefusedError) else f"這樣不行（原文）：{english}"
    return {"en": english, "zh": chinese}


def both(english: str, chinese: str) -> Text:
    """A sentence that isn't an error.

    >>> both("yes", "好")
    {'en': 'yes', 'zh': '好'}
    """
    return {"en": english, "zh": chinese}


def shortened(value: Any, most: int = 60) -> str:
    """A received value as it is named in an error: not longer than a line.

    >>> shortened([1, 2])
    '[1, 2]'
    """
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}…"
