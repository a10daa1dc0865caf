"""A class: who has opened the page, and whose tasks are done. It is kept in memory, while the server runs."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, field
from typing import Any

from thalweg.play.requests.bounds import NAME, PUPIL_PAGES
from thalweg.play.requests.refusal import RefusedError
from thalweg.play.scenes import lessons
from thalweg.support.naming import choose

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of a token that is typed: none of them looks like another."""
KEY = range(16, 65)
"""Characters of the key by which a page is known when it is loaded again."""


def typed_token(groups: int = 3, letters: int = 4) -> str:
    """A secret that thirty pupils can type; by default one of 8e17.

    >>> len(typed_token())
    14
    """
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(letters)) for _ in range(groups))


@dataclass
class Pupil:
    """Who has given this name, the lesson that is open, and the lessons whose task is done, in that order."""

    name: str
    lesson: str | None = None
    solved: list[str] = field(default_factory=list)
    pages: int = 0

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


@dataclass
class Classroom:
    """The pupils by their keys.

    Args:
        seats: how many there may be.
        token: the teacher's, for the list.
    """

    seats: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    pupils: dict[str, Pupil] = field(default_factory=dict)

    def enter(self, key: str, name: str) -> Pupil:
        """The pupil of a page that is opened; `pages` counts it.

        Raises:
            RefusedError: no name, a key that isn't one, no seat is left, or the pupil has enough pages open.
        """
        name = " ".join(name.split())
        if not name or len(name) > NAME or not name.isprintable():
            raise RefusedError("a name has 1 to {most} characters", most=NAME)
        if len(key) not in KEY or not key.isascii() or not key.isalnum():
            raise RefusedError("this page has no key of its own: load it again")
        pupil = self.pupils.get(key)
        if pupil is None:
            self.make_room()
            pupil = self.pupils[key] = Pupil(name)
        if pupil.pages >= PUPIL_PAGES:
            raise RefusedError("you have {most} pages open: close one first", most=PUPIL_PAGES)
        pupil.name = name
        pupil.pages += 1
        return pupil

    def make_room(self) -> None:
        """Forgets who has gone without having done anything, if all seats are taken."""
        if len(self.pupils) >= self.seats:
            self.pupils = {key: pupil for key, pupil in self.pupils.items() if pupil.pages or pupil.solved}
        if len(self.pupils) >= self.seats:
            raise RefusedError("all {seats} seats are taken", seats=self.seats)

    def to_json(self) -> list[dict[str, Any]]:
        """The list that the teacher sees, by name; the keys stay here."""
        return [asdict(pupil) for pupil in sorted(self.pupils.values(), key=lambda pupil: pupil.name)]
