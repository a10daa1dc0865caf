"""Which processes work on common trials, and which of them have died.

A process of this machine is asked for at the system. Any other shows that it lives by a number that it counts up among
the trials, now and then; who looks measures by a clock of its own how long that number has stood still, so no two
machines have to agree on the time. Optuna's own heartbeats do the same in a database, but not in a journal file, and
not for trials that are asked for one by one.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event, Thread
from typing import Any

BEAT = 15.0  # seconds from one sign of life to the next
SILENCE = 120.0  # a process of another machine whose number stands still for so long has died
NAMELESS = 60.0  # and so has one that took a trial and hasn't said for so long who it is


def process() -> dict[str, Any]:
    """What tells this process from all others."""
    return {"host": socket.gethostname(), "space": space(), "pid": os.getpid(), "born": born(os.getpid())}


def space() -> str:
    """What tells the processes that this one sees from those of a container with the same host name; "" elsewhere."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def born(pid: int) -> str:
    """When a process began, in the system's own clock; "" if it isn't known here, or there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def name_of_worker(owner: Mapping[str, Any]) -> str:
    """Under which name its signs of life stand."""
    return "worker " + ":".join(str(owner.get(key, "")) for key in ("host", "space", "pid", "born", "ledger"))


def lives_here(owner: Mapping[str, Any]) -> bool | None:
    """Whether a process lives, as the system says; None if it belongs to another machine, or can't be asked for."""
    pid, own = owner.get("pid"), process()
    elsewhere = any(owner.get(key, own[key]) != own[key] for key in ("host", "space"))
    if elsewhere or sys.platform == "win32" or not isinstance(pid, int):  # on Windows, a signal 0 would end it
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        pass
    return owner.get("born") == born(pid)


class Watch:
    """For how long others have been silent, by this process's own clock.

    Time in which nobody looked, as while a database couldn't be reached or this machine slept, counts as one look.
    """

    def __init__(self) -> None:
        self.seen: dict[str, tuple[Any, float]] = {}  # the last sign, and how long it has been the last
        self.looked: float | None = None

    def look(self, signs: Mapping[str, Any]) -> None:
        """Notes the present signs, by name."""
        now = time.monotonic()
        passed = 0.0 if self.looked is None else min(now - self.looked, 2 * BEAT)
        self.looked = now
        for name, sign in signs.items():
            before, silent = self.seen.get(name, (sign, -passed))
            self.seen[name] = sign, silent + passed if before == sign else 0.0

    def silent(self, name: str) -> float:
        """Seconds without another sign, as far as they were seen."""
        return self.seen[name][1] if name in self.seen else 0.0


class Pulse:
    """Calls `beat` with 1, 2, 3 …, now and then, in a thread of its own, until it is ended or `beat` fails."""

    def __init__(self, beat: Callable[[int], object]) -> None:
        self.beat, self.ended = beat, Event()
        self.thread: Thread | None = None

    def begin(self) -> None:
        """The first call begins it, others do nothing."""
        if self.thread is None:
            self.thread = Thread(target=self.run, name="thalweg-pulse", daemon=True)
            self.thread.start()

    def run(self) -> None:
        """What the thread does."""
        count = 0
        while not self.ended.wait(BEAT):
            count += 1
            try:
                self.beat(count)
            except Exception:  # the lanes meet the same error, and tell it
                return

    def end(self) -> None:
        """The thread ends, soon."""
        self.ended.set()
