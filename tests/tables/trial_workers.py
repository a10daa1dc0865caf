"""Workers on the trials of one storage, killed at random moments: `python tests/tables/trial_workers.py` shows it.

A trial's training is a short sleep. In the end every trial of the budget has been ended once, by whoever was alive."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEAT, SILENCE, NAMELESS = 0.3, 8.0, 4.0  # of hosts in these tests, instead of minutes


def journal(storage, seed=0):
    from thalweg.data.recipe import recipe
    from thalweg.experiments.trial_storage import TrialStorage
    from thalweg.experiments.tuning.journal import Journal
    from thalweg.experiments.tuning.jury import Metric
    from thalweg.experiments.tuning.space import Space

    space = Space.of(recipe("binary"), 1000)
    return Journal(TrialStorage(storage), space, Metric.of("binary", None), {"rows": 1}, seed)


def hurry():
    """Signs of life follow each other quickly, and are missed soon."""
    from thalweg.experiments import ledger, liveness

    liveness.BEAT = BEAT
    ledger.SILENCE, ledger.NAMELESS = SILENCE, NAMELESS


def work(storage, host, budget, seconds):
    """Takes trials as a process of this host, and prints the number of each that it has ended."""
    from thalweg.experiments import liveness

    hurry()
    liveness.socket.gethostname = lambda: host
    trials = journal(storage)
    while not trials.over(budget):
        trial = trials.claim(budget, quasi_random=True)
        if trial is None:
            time.sleep(0.05)
            continue
        time.sleep(random.uniform(0, seconds))
        ended = not trials.report(trial, 0, random.random())
        time.sleep(random.uniform(0, seconds))
        facts = {"scores": [], "temperatures": [], "seconds": 0.0}
        if trials.end(trial, facts, random.random() if ended else None):
            print(trial.number, flush=True)
    trials.close()


class Worker:
    """A process that does `work`."""

    def __init__(self, storage, host, budget, seconds):
        command = [sys.executable, __file__, json.dumps([str(storage), host, budget, seconds])]
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )  # fmt: skip

    def alive(self):
        return self.process.poll() is None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)

    def result(self, seconds=300):
        """The numbers of the trials that it ended; an error unless it ended well or was killed."""
        out, error = self.process.communicate(timeout=seconds)
        assert self.process.returncode in (0, -signal.SIGKILL), error
        return [int(line) for line in out.split()], self.process.returncode


def storm(storage, budget, kills, strike=None, hosts=("one", "other"), each=2, seconds=0.1, pause=(0.1, 0.8)):
    """`each` workers on every host; `kills` times, at random moments, `strike`, or the death of one, whose place a new
    one takes. Returns how many processes there were, and how long it took."""
    begin = time.monotonic()
    workers = [Worker(storage, host, budget, seconds) for host in hosts for _ in range(each)]
    everyone = list(workers)
    for _ in range(kills):
        time.sleep(random.uniform(*pause))
        if strike is not None:
            strike()
            continue
        place = random.randrange(len(workers))
        workers[place].kill()
        workers[place] = Worker(storage, hosts[place // each], budget, seconds)
        everyone.append(workers[place])
    results = [worker.result() for worker in everyone]
    assert all(code == 0 for worker in workers for _, code in [results[everyone.index(worker)]]), (
        "the last ones end well"
    )
    said = Counter(number for numbers, _ in results for number in numbers)
    trials = journal(storage)
    found = trials.finished()
    trials.close()
    done = [trial.number for trial in found]
    assert len(done) == budget, (len(done), budget)
    assert said.keys() <= set(done), "what a worker has ended counts"
    assert max(said.values()) == 1, "each trial is ended once"
    assert sum(bool(trial.user_attrs.get("default")) for trial in found) == 1, "the default is neither lost nor twice"
    points = Counter(json.dumps(trial.params, sort_keys=True) for trial in found)
    assert max(points.values()) == 1, "no point is tried twice"
    return len(everyone), time.monotonic() - begin


def show(kind, kills, processes, seconds):
    print(
        f"{kind}: {kills} at random moments, {processes} processes, {seconds:.0f} s: nothing lost, nothing twice",
        flush=True,
    )


def main(kills=30, budget=200):
    import tempfile

    from postgres_server import programs, serving

    with tempfile.TemporaryDirectory() as folder:
        show("SIGKILL of a worker, a journal file", kills, *storm(Path(folder, "trials"), budget, kills))
    if programs() is None:
        print("PostgreSQL isn't installed")
        return
    with serving() as server:
        show("SIGKILL of a worker, PostgreSQL", kills, *storm(server.database("workers"), budget // 2, kills))
        strike = striking(server, "connections")
        show(
            "SIGKILL of a connection's server",
            kills,
            *storm(server.database("connections"), budget // 2, kills, strike, pause=(0.5, 2.5)),
        )
        url = server.database("terminated")
        strike = terminating(server, "terminated")
        show("a connection ended by the server", kills, *storm(url, budget // 2, kills, strike))


def striking(server, name):
    """Kills the server's process behind a random connection: the server ends all others, and recovers."""

    def strike():
        try:
            backends = server.backends(name)
        except subprocess.CalledProcessError:  # it is still recovering
            return
        if backends:
            server.kill(random.choice(backends))

    return strike


def terminating(server, name):
    """Ends a random connection, as an administrator does."""

    def strike():
        found = server.backends(name)
        if found:
            server.ask(f"SELECT pg_terminate_backend({random.choice(found)})")

    return strike


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(*json.loads(sys.argv[1]))
    else:
        main()
