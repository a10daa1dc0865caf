"""The errors thalweg raises on purpose, and its warning. Each message names what was wrong, what was expected and
what to try.

The command line prints the message without a traceback and exits with `exit_code`: 1 when the data or the training
failed, 2 when the call was wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

MOST_QUOTED, MOST_SAID = 160, 2_500
"""Signs of a value that a message quotes, and of a message, at most."""
_QUOTED = re.compile(rf"""(?<!\w)('(?:[^'\\]|\\.){{{MOST_QUOTED},}}'|"(?:[^"\\]|\\.){{{MOST_QUOTED},}}")(?!\w)""")


def brief(said: Any) -> Any:
    """A message with the values that it quotes cut short, and itself, if it is longer than anybody reads.

    >>> len(brief("there is no column '" + "a" * 100_000 + "' here"))
    187
    """
    if not isinstance(said, str) or len(said) <= MOST_QUOTED:
        return said
    short = _QUOTED.sub(lambda found: f"{found[0][:MOST_QUOTED]} …{found[0][0]}", said)
    if len(short) > MOST_SAID:
        short = f"{short[: MOST_SAID // 2]} … {short[-MOST_SAID // 2 :]}"
    return said if short == said else short


class ThalwegError(Exception):
    """Base of every error that thalweg raises on purpose. Its message is `brief`."""

    exit_code: ClassVar[int] = 1

    def __init__(self, *said: Any, **more: Any) -> None:
        super().__init__(*map(brief, said), **more)


class DataError(ThalwegError, ValueError):
    """The data can't be used as given: an empty file, text in a number column, NaN, labels out of range."""


class BadRowsError(DataError):
    """Some rows or files of a source can't be used, though the others can; correct them or leave them out.

    Attributes:
        problems: what is wrong with each, by row (its number in the source, from 1) or by file.
        remedy: what can be done, the end of the message.
    """

    SHOWN: ClassVar[int] = 3

    def __init__(self, problems: Mapping[Any, str], remedy: str = "", said: str = "") -> None:
        self.problems, self.remedy = dict(problems), remedy
        super().__init__(f"{said or first_of(list(self.problems.values()))}{remedy}")

    @classmethod
    def together(cls, errors: Sequence[BadRowsError]) -> BadRowsError:
        """One error for several columns; for a row with several problems, it names the first."""
        problems: dict[Any, str] = {}
        for error in errors:
            problems = {**error.problems, **problems}
        return cls(dict(sorted(problems.items())), "".join(dict.fromkeys(error.remedy for error in errors)))


def first_of(problems: Sequence[str]) -> str:
    """The first three, and how many more there are.

    >>> first_of(["row 1 is bad", "row 2 is bad", "row 5 is bad", "row 7 is bad"])
    'row 1 is bad; row 2 is bad; row 5 is bad; and 1 more'
    """
    more = len(problems) - BadRowsError.SHOWN
    return "; ".join([*problems[: BadRowsError.SHOWN], *([f"and {more:,} more"] if more > 0 else [])])


class NotFoundError(DataError):
    """Something that the call names isn't there: a file, a column, a run folder."""

    exit_code = 2


class ShapeError(ThalwegError, ValueError):
    """Two shapes that have to match don't; the message names both."""


class ArgumentError(ThalwegError, ValueError):
    """An argument is unknown or out of its range; the message lists what is allowed."""

    exit_code = 2


class SignatureError(ArgumentError, TypeError):
    """A call names an argument that there isn't (the message names the nearest one, and all), or leaves one out."""


class FormulaError(ArgumentError):
    """A formula can't be read or differentiated; the message points at the place."""


class ModelFileError(ThalwegError, ValueError):
    """A file or folder is not a saved model or run, is damaged, or can't be written."""


class DivergedError(ThalwegError, FloatingPointError):
    """A value stopped being finite during training; the message names epoch, batch and instruction.

    Attributes:
        model: the network, with its last finite weights, of a training by `thalweg train`; None otherwise: the caller
            of `fit` has it.
    """

    model: Any = None


class RanksError(ThalwegError):
    """The processes that train together differ in their data, model or versions, or don't find each other."""

    exit_code = 2


class AbsentNameError(ThalwegError, AttributeError):
    """Keras has a name that isn't here; the message says what to use instead. `hasattr` is False."""

    exit_code = 2


class AbsentModuleError(ThalwegError, ModuleNotFoundError):
    """The same of a module, or of a name that was to be imported."""

    exit_code = 2


class ThalwegWarning(UserWarning):
    """Something that works, but certainly not as intended; the message, which is `brief`, says what to do."""

    def __init__(self, *said: Any) -> None:
        super().__init__(*map(brief, said))


class MissingPackageError(ThalwegError, ImportError):
    """A package that only this part of thalweg needs isn't installed; the message says how to install it."""
