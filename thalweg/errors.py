"""The errors thalweg raises on purpose. Each message names what was wrong, what was expected and what to try.

The command line prints the message without a traceback and exits with `exit_code`: 1 when the data or the training
failed, 2 when the call was wrong.
"""

from typing import ClassVar


class ThalwegError(Exception):
    """Base of every error that thalweg raises on purpose."""

    exit_code: ClassVar[int] = 1


class DataError(ThalwegError, ValueError):
    """The data can't be used as given: an empty file, text in a number column, NaN, labels out of range."""


class NotFoundError(DataError):
    """Something that the call names isn't there: a file, a column, a run folder."""

    exit_code = 2


class ShapeError(ThalwegError, ValueError):
    """Two shapes that have to fit do not; the message names both."""


class ArgumentError(ThalwegError, ValueError):
    """An argument is unknown or out of its range; the message lists what is allowed."""

    exit_code = 2


class FormulaError(ArgumentError):
    """A formula can't be read, or not differentiated; the message points at the place."""

    def __init__(self, message: str, text: str = "", start: int = -1, end: int = -1) -> None:
        if start >= 0:
            shown = "".join(c if c.isprintable() else "?" for c in text)
            start = min(start, len(text))
            message += f"\n    {shown}\n    {' ' * start}{'^' * max(1, min(end, len(text)) - start)}"
        super().__init__(message)


class ModelFileError(ThalwegError, ValueError):
    """A file or folder is not a saved model or run, is damaged, or can't be written."""


class DivergedError(ThalwegError, FloatingPointError):
    """A value stopped being finite during training; the message names epoch, batch and instruction."""


class MissingPackageError(ThalwegError, ImportError):
    """A package that only this part of thalweg needs isn't installed; the message says how to install it."""
