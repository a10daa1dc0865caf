"""Rows of many requests become batches; where they are computed depends on how long a row takes."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from thalweg.serve.reply import AnsweredError
from thalweg.serve.row_queue import AT_ONCE, LITTLE, Batches, Job


def course(puts, seconds, most_rows=100, wait=0.0, most_waiting=1_000, wrong=()):
    """The batches that are made of jobs of so many rows, the threads that compute them, and every job's outcome."""
    batches, threads, outcomes = [], [], {}

    def predict(jobs):
        batches.append([len(job.rows) for job in jobs])
        threads.append(threading.current_thread())
        if len(batches) - 1 in wrong:
            raise ValueError("no")
        return [len(job.rows) for job in jobs]

    async def put():
        with ThreadPoolExecutor(1) as executor:
            queue = Batches(predict, most_rows, wait, most_waiting, seconds, executor, lambda rows: None)
            for turn in puts:
                for rows in turn:
                    number = len(outcomes) + sum(len(job.rows) > 0 for job in queue.jobs) + 1000 * len(batches)
                    queue.put(Job([0] * rows, lambda found, number=number: outcomes.setdefault(number, found)))
                await asyncio.sleep(0)
            while queue.jobs or queue.computing or queue.called:
                await asyncio.sleep(0.001)

    asyncio.run(put())
    return batches, [thread is threading.main_thread() for thread in threads], list(outcomes.values())


def test_what_comes_in_one_turn_is_a_batch():
    assert course([[1, 2, 3]], 1e-9) == ([[1, 2, 3]], [True], [1, 2, 3])


def test_a_batch_has_no_more_rows_than_it_may():
    batches, _, outcomes = course([[2, 2, 2, 9, 1]], 1e-9, most_rows=5)
    assert batches == [[2, 2], [2], [9], [1]]
    assert outcomes == [2, 2, 2, 9, 1]


def test_a_batch_in_the_loop_keeps_others_waiting_no_longer_than_it_may():
    batches, here, _ = course([[1] * 30], AT_ONCE / 20)
    assert len(batches[0]) == 20
    assert here[0]


def test_rows_that_take_long_are_computed_by_a_thread():
    batches, here, outcomes = course([[1, 1]], 2 * LITTLE)
    assert (batches, here, outcomes) == ([[1, 1]], [False], [1, 1])


def test_what_comes_while_a_batch_waits_joins_it():
    batches, _, _ = course([[1], [1], [1]], 1e-9, wait=0.05)
    assert batches == [[1, 1, 1]]
    batches, _, _ = course([[3]], 1e-9, most_rows=3, wait=60.0)  # full: it waits for no more
    assert batches == [[3]]
    batches, _, _ = course([[1], [1], [1]], 1e-9, most_rows=3, wait=60.0)  # it becomes full
    assert batches == [[1, 1, 1]]


def test_a_failure_is_that_of_its_batch():
    batches, _, outcomes = course([[2, 2, 2]], 1e-9, most_rows=4, wrong=[0])
    assert batches == [[2, 2], [2]]
    assert [type(found) for found in outcomes] == [ValueError, ValueError, int]


def test_too_many_rows_are_refused():
    with pytest.raises(AnsweredError, match="5 rows are waiting") as caught:
        course([[3, 2, 1]], 1e-9, most_waiting=5)
    assert caught.value.reply.headers == {"Retry-After": "1"}


def test_rows_that_are_answered_wait_no_longer():
    batches, _, outcomes = course([[3], [3], [3], [3]], 1e-9, most_waiting=5)
    assert (batches, outcomes) == ([[3]] * 4, [3] * 4)
