"""A class: who has opened the page, and whose tasks are done. It is kept in memory, while the server runs."""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass, field
from itertools import count
from json import loads
from time import monotonic
from typing import Any

from thalweg.play.bounds import FORMULA, NAME, NAMES
from thalweg.play.refusal import RefusedError, shortened
from thalweg.play.scenes import lessons
from thalweg.support.naming import choose

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of a token that is typed: none of them looks like another."""
KEY = range(16, 65)
"""Characters of the key by which a page is known when it is loaded again."""

PATIENCE = 100.0
"""Seconds without a word after which a page has gone: browsers let hidden ones speak once a minute."""


def typed_token(groups: int = 3, letters: int = 4) -> str:
    """A secret that thirty pupils can type; by default one of 8e17.

    >>> len(typed_token())
    14
    """
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(letters)) for _ in range(groups))


@dataclass
class Pupil:
    """Whose work this is: the lesson that is open, and the lessons whose task is done, in that order."""

    name: str  # in the teacher's list, unlike all others
    key: str  # of the page that gave the name last; it stays here
    given: str  # the name that was given
    lesson: str | None = None
    solved: list[str] = field(default_factory=list)
    heard: dict[str, float] = field(default_factory=dict)  # the pages that are open: until when each is taken to be
    there: float = 0.0  # seconds that pages were open, until `since`
    since: float = 0.0

    def progress(self, lesson: str | None, solved: list[str]) -> None:
        """What the page tells of itself; what is done stays done.

        Raises:
            ArgumentError: there is no lesson of this name.
        """
        known = list(lessons())
        for name in (*solved, *([] if lesson is None else [lesson])):
            choose("lesson", name, known)
        self.lesson = lesson
        self.solved = list(dict.fromkeys([*self.solved, *solved]))

    def leave(self, page: str) -> None:
        """A page has been closed."""
        if self.heard.pop(page, None) is not None and not self.heard:
            self.there += monotonic() - self.since

    def look(self) -> None:
        """Pages that haven't been heard of for long have gone."""
        for page, until in list(self.heard.items()):
            if until < monotonic():
                self.leave(page)

    def to_json(self) -> dict[str, Any]:
        """What the teacher sees."""
        return {"name": self.name, "lesson": self.lesson, "solved": self.solved, "pages": len(self.heard)}


@dataclass
class Classroom:
    """The pupils by their names. A seat is taken by who is there; who has left keeps what is done, under the name.

    Args:
        seats: how many there may be at once.
        token: the teacher's, for the list.
    """

    seats: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    pupils: dict[str, Pupil] = field(default_factory=dict)
    freed: dict[str, None] = field(default_factory=dict)  # pages whose seat the teacher has freed, the newest last

    def hear(self, key: str, name: str, page: str, patience: float = PATIENCE) -> Pupil:
        """The pupil of a page that is open, and is taken to be for so many seconds more.

        Raises:
            RefusedError: no name, a key that isn't one, no seat is left, or the teacher has freed it.
        """
        name = unicodedata.normalize("NFC", " ".join(name.split()))
        if not name or len(name) > NAME or not name.isprintable():
            raise RefusedError("a name has 1 to {most} characters", most=NAME)
        if len(key) not in KEY or not key.isascii() or not key.isalnum():
            raise RefusedError("this page has no key of its own: load it again")
        if page in self.freed:
            raise RefusedError("the teacher has freed this seat")
        self.look()
        pupil = next((p for p in self.pupils.values() if (p.key, p.given) == (key, name)), None)
        pupil = pupil or self.named(key, name)
        if not pupil.heard:
            if sum(bool(other.heard) for other in self.pupils.values()) >= self.seats:
                raise RefusedError("all {seats} seats are taken", seats=self.seats)
            pupil.key, pupil.given, pupil.since = key, name, monotonic()
        pupil.heard[page] = monotonic() + patience
        self.pupils[pupil.name] = pupil
        gone = [other for other in self.pupils.values() if not other.heard]
        if len(gone) > NAMES:  # names are made up faster than anything is learned
            del self.pupils[min(gone, key=lambda other: other.there).name]
        return pupil

    def told(self, content: bytes) -> Pupil | None:
        """What a page says of itself, as JSON: whose it is, and what is solved; or that it goes. None when it goes.

        Raises:
            RefusedError: it isn't what pages say; or as `hear`.
            ArgumentError: there is no lesson of such a name.
        """
        try:
            found = loads(content)
        except (ValueError, RecursionError) as error:
            raise RefusedError("a message has to be JSON: {error}", error=error) from None
        if not isinstance(found, dict):
            raise RefusedError(
                "{what} has to be an object, {{…}}, got {value}", what="a message", value=shortened(found)
            )
        key, name, page = (short(part, found.get(part)) for part in ("pupil", "name", "page"))
        if found.get("leaves"):
            self.leave(key, page)
            return None
        lesson, solved = found.get("lesson"), found.get("solved")
        if not isinstance(solved, list):
            raise RefusedError(
                "{what} has to be a list of at most 1,000, got {value}", what="solved", value=shortened(solved)
            )
        pupil = self.hear(key, name, page)
        pupil.progress(None if lesson is None else short("lesson", lesson), [short("solved", one) for one in solved])
        return pupil

    def leave(self, key: str, page: str) -> None:
        """A page says that it goes."""
        for pupil in self.pupils.values():
            if pupil.key == key:
                pupil.leave(page)

    def free(self, name: str) -> None:
        """Gives the seat of a pupil who is there to others; takes the name of one who has left off the list.

        Raises:
            RefusedError: nobody has this name.
        """
        self.look()
        pupil = self.pupils.get(name)
        if pupil is None:
            raise RefusedError("nobody in the list has this name")
        if not pupil.heard:
            del self.pupils[name]
        for page in list(pupil.heard):
            pupil.leave(page)
            self.freed[page] = None
        for page in list(self.freed)[:-NAMES]:
            del self.freed[page]

    def look(self) -> None:
        """Who hasn't been heard of for long has left."""
        for pupil in self.pupils.values():
            pupil.look()

    def named(self, key: str, name: str) -> Pupil:
        """Who has left under this name, or somebody new; with a number behind it beside somebody who is there."""
        own = (name if number == 1 else f"{name} ({number})" for number in count(1))
        free = next(one for one in own if one not in self.pupils or not self.pupils[one].heard)
        return self.pupils.get(free) or Pupil(free, key, name)

    def to_json(self) -> list[dict[str, Any]]:
        """The list that the teacher sees, by name; the keys stay here."""
        self.look()
        return [pupil.to_json() for pupil in sorted(self.pupils.values(), key=lambda pupil: pupil.name)]


def short(what: str, value: Any) -> str:
    """A text that isn't long."""
    if not isinstance(value, str) or not value.strip() or len(value) > FORMULA:
        raise RefusedError(
            "{what} has to be a text of at most {formula} characters, got {value}",
            what=what,
            formula=FORMULA,
            value=shortened(value),
        )
    return value.strip()
