"""Where trials are kept: in memory, in a file on a disk that several machines see, or in a database."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from thalweg.errors import ArgumentError, MissingPackageError, ThalwegError
from thalweg.experiments.trial_file import open_file
from thalweg.support.extras import need

IN_USE = (5, 6)  # SQLite's codes: BUSY, LOCKED
URL = re.compile(r"[a-z][a-z0-9]*(\+[a-z0-9]+)?://")
DRIVERS = ("psycopg", "psycopg2")  # for PostgreSQL, the better one first
DEAD_CLIENT = 60  # seconds after which a server ends the transaction of a machine that doesn't answer, and its locks
POSTGRES = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 1000 * DEAD_CLIENT,
    "options": f"-c idle_in_transaction_session_timeout={DEAD_CLIENT}s -c statement_timeout={DEAD_CLIENT}s",
}
"""Otherwise a machine that vanishes within a transaction stops all others, for hours: until the system gives it up."""


@dataclass(frozen=True)
class TrialStorage:
    """A storage as it was given: a file's path, a database's URL, or None for memory."""

    given: str | Path | None

    def __str__(self) -> str:
        """For people: without a password."""
        return "memory" if self.given is None else without_password(str(self.given))

    @property
    def is_database(self) -> bool:
        """Whether it is a URL."""
        return isinstance(self.given, str) and URL.match(self.given) is not None

    @property
    def is_shared(self) -> bool:
        """Whether other processes see it."""
        return self.given is not None

    def open(self) -> Any:
        """Optuna's storage, made if it isn't there.

        Raises:
            ModelFileError: the file is no journal of Optuna's, or is damaged before its end: nothing is changed.
            ArgumentError: no such URL. MissingPackageError: the database's driver isn't installed.
        """
        if self.given is None:
            from optuna.storages import InMemoryStorage

            return InMemoryStorage()
        return self.open_database() if self.is_database else open_file(Path(self.given))

    def open_database(self) -> Any:
        """Its tables are made if they aren't there."""
        from optuna.storages import RDBStorage
        from sqlalchemy import exc

        try:
            return RDBStorage(self.url, engine_kwargs=self.engine)
        except ImportError as error:
            name = getattr(error.__cause__ or error, "name", None) or "the database's driver"
            raise MissingPackageError(f"trials in {self} need {name}: pip install {name}") from None
        except (ValueError, RuntimeError, exc.ArgumentError) as error:
            raise ArgumentError(f"{self} can't keep trials: {first_line(error)}") from None

    @cached_property
    def url(self) -> str:
        """With PostgreSQL's driver, which SQLAlchemy's versions choose differently."""
        url = str(self.given)
        scheme, _, rest = url.partition("://")
        if scheme not in ("postgresql", "postgres"):
            return url
        installed = [driver for driver in DRIVERS if find_spec(driver) is not None]
        if not installed:
            need(DRIVERS[0], "postgresql", "a search in a PostgreSQL database")
        return f"postgresql+{installed[0]}://{rest}"

    @property
    def engine(self) -> dict[str, Any]:
        """What SQLAlchemy's engine is told, besides the URL, whose own options count more."""
        if self.url.startswith("sqlite"):
            from sqlalchemy.pool import NullPool

            return {"poolclass": NullPool}  # a file needs no connection that stays open
        if not self.url.startswith("postgresql+psycopg"):
            return {"pool_pre_ping": True}
        named = re.findall(r"[?&]([^=&]+)=", self.url)
        return {
            "pool_pre_ping": True,
            "connect_args": {name: value for name, value in POSTGRES.items() if name not in named},
        }


def without_password(text: str) -> str:
    """A text in which no URL says its password.

    >>> without_password("--storage=postgresql://ann:secret@host/trials")
    '--storage=postgresql://ann:***@host/trials'
    """
    return re.sub(r"(://[^:/@\s]*:)[^/@\s]*@", r"\1***@", text)


def is_outage(error: BaseException) -> bool:
    """Whether a database failed, so that the same question may succeed later."""
    if find_spec("sqlalchemy") is None:
        return False
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    return isinstance(error, StorageInternalError | SQLAlchemyError)


def is_failure(error: BaseException) -> bool:
    """Whether asking again is no use: a file is damaged, or can't be written. A SQLite file may also be in use."""
    origin = origin_of(error)
    code = getattr(origin, "sqlite_errorcode", None)
    return isinstance(error, OSError) or (code is not None and code & 0xFF not in IN_USE)


def origin_of(error: BaseException) -> BaseException:
    """What a database's driver raised."""
    while error.__cause__ is not None:
        error = error.__cause__
    return getattr(error, "orig", None) or error


def first_line(error: BaseException) -> str:
    """What a database's driver said, or the system of a file, in one line, without the SQL."""
    origin = origin_of(error)
    said = origin.strerror if isinstance(error, OSError) and isinstance(origin, OSError) else None
    lines = (said or str(origin)).strip().splitlines()
    return (lines[0] if lines else type(origin).__name__).rstrip(".! ")


class OutageError(ThalwegError):
    """The storage of trials doesn't answer any more; what it holds is kept."""


@contextmanager
def silent() -> Iterator[None]:
    """Without Optuna's log."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


@contextmanager
def quiet() -> Iterator[None]:
    """Without its warnings either, that a class may still change. Not in threads: these are the whole process's."""
    import optuna

    with silent(), warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
