"""One side of the page: a thread that trains in bursts, does what the page asks between them, and makes frames."""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from thalweg.engine.lanes import cores
from thalweg.errors import DivergedError, ThalwegError
from thalweg.play.apart import THREAD
from thalweg.play.exercises.uploads import Uploads
from thalweg.play.frame import Frame
from thalweg.play.requests.page_state import State
from thalweg.play.requests.refusal import RefusedError, told
from thalweg.play.rhythm import BURST, Pace, Turns
from thalweg.play.survey import Survey
from thalweg.play.training.arithmetic import Choice
from thalweg.play.training.journey import Course
from thalweg.words import Text

FRAME_SECONDS = 1 / 60
"""From one frame to the next, at least."""
INBOX = 200
"""Messages that may wait; of a page that sends faster than they are done, the oldest are left undone."""
SHORT_EPOCH = 0.25
"""Seconds: an epoch that takes less is finished before a pause, so that `fit` can repeat the training."""
TRAINS = ("play", "step", "epoch", "reset")
"""What trains with the settings that the page shows."""
TURNS = Turns(cores())
"""Of all sides: those of a class would take the processor from each other."""
SHOWN = ("surface", "units", "weights", "findings", "reading")


class Side:
    """Trains for one half of a page. All methods but `close` return at once; the work is done in its thread.

    Args:
        number: 0 or 1.
        uploads: the tables that its data may come from.
        post: takes each frame; called in the thread.
        numbers: of frames, counted over both sides.
    """

    def __init__(
        self,
        number: int,
        uploads: Uploads,
        post: Callable[[dict[str, Any]], None],
        numbers: Iterator[int] | None = None,
    ) -> None:
        self.number, self.uploads, self.post = number, uploads, post
        self.numbers = itertools.count(1) if numbers is None else numbers
        self.condition = threading.Condition()
        self.working = threading.RLock()  # held while the course changes
        self.inbox: deque[dict[str, Any]] = deque()
        self.closed = False
        self.awaited: int | None = None  # the frame that the page has to acknowledge
        self.course: Course | None = None
        self.refused: Text | None = None  # why the newest state can't be: the course is one of an older state
        self.playing = False
        self.pace = Pace(60.0)
        self.frame = Frame(number)
        self.dirty = False  # whether a frame would tell something new
        self.next_frame = 0.0
        self.wanted: set[str] = set(SHOWN)
        self.choice = Choice()
        self.serial = 0  # of the newest message with a number that was done, or refused
        self.survey: Survey | None = None
        self.thread = threading.Thread(target=self.live, name=f"{THREAD}, side {number}", daemon=True)
        self.thread.start()

    # --- called by the connection --------------------------------------------------------------------------------

    def tell(self, message: dict[str, Any]) -> None:
        """Passes a message on to the thread; of several states that wait, only the newest counts."""
        with self.condition:
            if message["do"] == "state":
                self.inbox = deque(m for m in self.inbox if m["do"] != "state")
            if len(self.inbox) >= INBOX:
                del self.inbox[int(self.inbox[0]["do"] == "state")]  # the newest count, and what they are about
                self.frame.error = told(RefusedError("too many messages at once"))
            self.inbox.append(message)
            self.condition.notify()

    def acknowledge(self, frame: int) -> None:
        """The page has drawn this frame; the next may be made."""
        with self.condition:
            if frame == self.awaited:
                self.awaited = None
                self.condition.notify()

    @contextmanager
    def still(self) -> Iterator[Course]:
        """The course, while its thread waits."""
        with self.working:
            if self.refused is not None:
                raise RefusedError("{error}", error=self.refused)
            if self.course is None:
                raise RefusedError("there is no network yet")
            yield self.course

    def close(self, seconds: float = 10.0) -> bool:
        """Ends the thread after its burst, and frees all it has; returns whether it ended in time."""
        with self.condition:
            self.closed = True
            self.condition.notify()
        self.thread.join(seconds)
        return not self.thread.is_alive()

    # --- its thread ----------------------------------------------------------------------------------------------

    def live(self) -> None:
        """Lives until it is closed."""
        self.rounds()
        if self.survey is not None:
            self.survey.abandoned = True
        with self.working:
            self.course = self.survey = None

    def rounds(self) -> None:
        """Waits, does what was asked, trains, makes a frame; until it is closed."""
        while True:
            with self.condition:
                while not self.closed and (delay := self.idle()) is not False:
                    self.condition.wait(delay)
                if self.closed:
                    break
                messages, self.inbox = list(self.inbox), deque()
            try:
                with self.working, TURNS.taken():
                    self.work(messages)
            except Exception as error:  # a page stays alive whatever happens: it is told, and so is the terminal
                traceback.print_exc()
                self.fail(error, "failed")
                self.send(empty=True)

    def idle(self) -> float | bool | None:
        """Seconds to wait; None for until something happens; False if there is something to do."""
        if self.inbox:
            return False
        waits = []
        if self.playing and self.course is not None:
            waits.append(self.pace.wait(self.course.bursts.steps_per_epoch))
        if self.dirty and self.awaited is None:
            waits.append(self.next_frame - time.monotonic())
        if not waits:
            return None
        return False if min(waits) <= 0 else min(waits)

    def work(self, messages: list[dict[str, Any]]) -> None:
        """One round."""
        for message in messages:
            if self.closed:
                return
            try:
                self.do(message)
            except DivergedError as error:
                self.fail(error, "diverged")
            except (ThalwegError, MemoryError) as error:
                self.refuse(told(error))
            finally:
                self.serial = message.get("serial", self.serial)
        if self.playing and self.course is not None:
            self.train(self.course)
        if self.dirty and self.awaited is None and time.monotonic() >= self.next_frame:
            self.send()

    def train(self, course: Course) -> None:
        """A burst."""
        self.pace.burst = BURST * TURNS.share
        steps = self.pace.steps(course.bursts.steps_per_epoch)
        if steps < 1:
            return
        begin = time.monotonic()
        try:
            course.run(steps)
        except DivergedError as error:
            self.fail(error, "diverged")
        self.pace.done(steps, time.monotonic() - begin, course.bursts.steps_per_epoch)
        self.dirty = True

    def do(self, message: dict[str, Any]) -> None:
        """One message."""
        self.dirty = True
        course = self.course
        match message["do"]:
            case "state":
                self.take_state(message["state"])
            case "refuse":
                self.refuse(message["error"])
            case "want":
                self.wanted = set(message["what"])
            case "pace":
                self.pace.set(message["epochs"])
            case "select":
                given = {k: message[k] for k in ("layer", "unit", "row", "said") if message.get(k) is not None}
                self.choice = Choice(**{**vars(self.choice), **given})
            case "survey":
                self.frame.landed(self.survey)
            case do if self.refused is not None and do in TRAINS:  # it would train what the page no longer shows
                self.refuse(self.refused)
            case _ if course is None:
                raise RefusedError("there is no network yet: send a state")
            case "play":
                self.playing, self.frame.status = True, "playing"
                self.pace.begin()
            case "pause":
                self.pause(course)
            case "step":
                self.pause(course, finish=False)
                course.one_step()
                self.frame.status = "paused"
            case "epoch":
                self.pause(course, finish=False)
                self.finish_epoch(course)
                self.frame.status = "paused"
            case "reset":
                self.begin(course.state)
            case "draw":
                self.frame.drawing = course.responses.drawing(message["image"])

    def pause(self, course: Course, finish: bool = True) -> None:
        """Stops playing; a short epoch is finished first."""
        bursts = course.bursts
        left = bursts.steps_per_epoch - bursts.batch
        if finish and self.playing and bursts.batch and left * self.pace.step_seconds < SHORT_EPOCH:
            course.run(left)
        if self.playing:  # a training that has diverged stays so
            self.playing, self.frame.status = False, "paused"

    def finish_epoch(self, course: Course) -> None:
        """The rest of this epoch, in bursts, so that closing the page isn't kept waiting."""
        left = course.bursts.steps_per_epoch - course.bursts.batch
        while left and not self.closed:
            steps = min(left, self.pace.affordable())
            begin = time.monotonic()
            course.run(steps)
            self.pace.done(steps, time.monotonic() - begin, course.bursts.steps_per_epoch)
            left -= steps

    def take_state(self, given: Any) -> None:
        """Another state, or why it can't be; then the training rests until there is one that can."""
        self.refused = None
        try:
            self.set_state(given)
        except DivergedError:
            raise
        except (ThalwegError, MemoryError) as error:
            self.refused = told(error)
            if self.playing:
                self.playing, self.frame.status = False, "paused"
            raise

    def set_state(self, given: Any) -> None:
        """Another state: with the same weights if they can be kept, or anew."""
        self.frame.error = None  # of an older state
        state = State.of(given)
        course = self.course
        if course is None or not state.keeps_weights(course.state):
            self.begin(state)
            return
        if (
            course.bursts.batch
            and course.bursts.steps_per_epoch * self.pace.step_seconds < SHORT_EPOCH
            and self.playing
        ):
            try:
                course.run(course.bursts.steps_per_epoch - course.bursts.batch)
            except DivergedError as error:  # what is changed may be the remedy
                self.fail(error, "diverged")
        if course.change(state):
            self.frame.changed(course)
            self.survey = None

    def begin(self, state: State) -> None:
        """A new course; while it is made the page is told so. If it can't be made, the old one lives on."""
        if self.awaited is None and time.monotonic() >= self.next_frame:
            self.deliver({"status": "building"})
        self.course = Course(state, self.uploads)
        self.choice = replace(self.choice, said="")
        self.survey = None
        self.frame.reset(self.course)
        self.frame.status = "playing" if self.playing else "paused"
        self.pace.begin()

    def refuse(self, error: Text) -> None:
        """What was asked for can't be: the page is told, and all stays as it is."""
        self.frame.error, self.dirty = error, True

    def fail(self, error: BaseException, status: str) -> None:
        """The training has stopped."""
        self.playing, self.frame.status, self.dirty = False, status, True
        self.frame.error = told(error)

    def send(self, empty: bool = False) -> None:
        """Makes a frame of what is now, and posts it; an empty one has nothing that could fail."""
        course = self.course
        self.dirty = False
        if course is None or empty:
            self.deliver(self.frame.empty())
            return
        self.deliver(self.frame.made(course, self.wanted, self.choice, self.pace.measured))
        if "landscape" in self.wanted and (self.survey is None or (self.frame.outside and self.survey.old)):
            self.survey = Survey(course, lambda: self.tell({"do": "survey"}))

    def deliver(self, content: dict[str, Any]) -> None:
        """Numbers and posts a frame."""
        number = next(self.numbers)
        with self.condition:
            self.awaited = number
        self.next_frame = time.monotonic() + FRAME_SECONDS
        self.post({"frame": number, "side": self.number, "serial": self.serial, **content})
