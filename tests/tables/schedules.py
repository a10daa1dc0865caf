"""Threads under an explicit schedule: which one goes on is decided before each operation on what they share.

A thread is a function of Python's, and is run again from its beginning for each operation, with the results of those
before; at the next one it breaks off. So threads that have come somewhere are a value, and every state that they can
come to is looked at once.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from thalweg.engine.native.layouts.record import Record

WORK, LOAD, STORE, ADD, WAIT, PAUSE, DONE = "work", "load", "store", "add", "wait", "pause", "done"
Operation = tuple[Any, ...]  # its name, and what it is about
History = tuple[tuple[Operation, Any], ...]


class Asked(Exception):
    """The operation that comes next."""


class State(NamedTuple):
    """What is shared, by address (0 where nothing has been written), and what each thread has done."""

    memory: frozenset[tuple[int, int]]
    histories: tuple[History, ...]

    def work(self) -> list[list[Operation]]:
        """What each thread has worked on."""
        return [[o[1:] for o, _ in history if o[0] == WORK] for history in self.histories]


class Threads:
    """Threads that run a function of their number. What they share they reach by `add`, `load` and `store`.

    clock: whether time goes on while a thread waits; else there are fewer states.
    """

    def __init__(self, count: int, run: Callable[[int], Any], clock: bool = True) -> None:
        self.count, self.run, self.clock = count, run, clock
        self.history: History = ()  # of the thread that is run now
        self.at = 0
        self.known: dict[tuple[int, History], tuple[Operation, Any]] = {}

    # --- what a thread does

    def operation(self, *asked: Any) -> Any:
        if self.at == len(self.history):
            raise Asked(*asked)
        then, result = self.history[self.at]
        assert then == asked, "with the same results, a thread does something else"
        self.at += 1
        return result

    def add(self, address: int, value: int) -> Any:
        return self.operation(ADD, int(address), int(value))

    def load(self, address: int) -> Any:
        return self.operation(LOAD, int(address))

    def store(self, address: int, value: int) -> None:
        self.operation(STORE, int(address), int(value))

    def wait(self, turns: int) -> None:
        """Until what was loaded last is another number."""
        (_, address), seen = next(done for done in reversed(self.history[: self.at]) if done[0][0] == LOAD)
        self.operation(WAIT, address, seen)

    def pause(self) -> None:
        self.operation(PAUSE)

    def work(self, *on: Any) -> None:
        self.operation(WORK, *on)

    def ticks(self) -> int:
        """The clock, each thread's own."""
        return self.clock and sum(o[0] in (WAIT, PAUSE) for o, _ in self.history[: self.at])

    # --- the schedule

    def following(self, number: int, history: History) -> tuple[Operation, Any]:
        """What a thread does next (at the end: DONE, its result), and a key: with the same one, it goes on the same."""
        if (number, history) not in self.known:
            self.history, self.at = history, 0
            try:
                found: Any = (DONE, self.run(number)), None
            except Asked as asked:
                found = asked.args, (self.ticks(), place_of(asked))
            self.known[number, history] = found
        return self.known[number, history]

    def moves(self, state: State) -> list[tuple[int, State]]:
        """The thread that goes on, and the state that follows; if there is none, every thread has ended."""
        memory, found, ended = dict(state.memory), [], 0
        for number, history in enumerate(state.histories):
            (kind, *on), _ = self.following(number, history)
            result = memory.get(on[0], 0) if kind in (ADD, LOAD, WAIT) else None
            ended += kind == DONE
            if kind == DONE or (kind == WAIT and result == on[1]):
                continue
            after = memory | ({on[0]: result + on[1]} if kind == ADD else {on[0]: on[1]} if kind == STORE else {})
            longer = (*history, ((kind, *on), result))
            histories = (*state.histories[:number], longer, *state.histories[number + 1 :])
            found.append((number, State(frozenset(after.items()), histories)))
        assert found or ended == self.count, "threads wait for ever"
        return found

    def results(self, state: State) -> tuple[Any, ...]:
        """What the threads have returned, at the end."""
        return tuple(self.following(number, history)[0][1] for number, history in enumerate(state.histories))

    def begin(self) -> State:
        return State(frozenset(), ((),) * self.count)

    def alone(self, number: int, state: State) -> State:
        """The state in which a thread has ended, if no other goes on before."""
        while mine := [after for who, after in self.moves(state) if who == number]:
            state = mine[0]
        return state

    def every_order(self) -> Iterator[tuple[State, bool]]:
        """Every state that the threads can come to, and whether all have ended."""
        waiting, seen = [self.begin()], set()
        while waiting:
            state = waiting.pop()
            following = self.moves(state)
            yield state, not following
            for _, after in following:
                keys = tuple(self.following(number, history) for number, history in enumerate(after.histories))
                if (key := (after.memory, tuple(map(tuple, after.work())), keys)) not in seen:
                    seen.add(key)
                    waiting.append(after)

    def some_orders(self, count: int, seed: int) -> Iterator[tuple[State, bool]]:
        """The states of some orders, drawn at random: a thread goes on for a while, or all by turns."""
        draw = random.Random(seed)
        for _ in range(count):
            state, last, stays = self.begin(), 0, draw.choice([0.0, 0.5, 0.9])
            while following := self.moves(state):
                yield state, False
                same = [move for move in following if move[0] == last]
                last, state = draw.choice(same if same and draw.random() < stays else following)
            yield state, True


def place_of(error: Asked) -> tuple[Any, ...]:
    """Where a thread is: the functions that it is in, the places in them, and the values of their names."""
    found, each = [], error.__traceback__
    while each is not None:
        names = [(name, plain(value)) for name, value in each.tb_frame.f_locals.items()]
        found.append((each.tb_frame.f_code.co_name, each.tb_lasti, tuple(names)))
        each = each.tb_next
    return tuple(f for f in found if f[0] not in ("following", "operation"))


def plain(value: Any) -> Any:
    """A value that can be compared; of what can't be, only the type."""
    if isinstance(value, Record | np.ndarray):
        return np.asarray(getattr(value, "numbers", value)).tobytes()
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return value if isinstance(value, int | float | str | np.generic) else type(value)
