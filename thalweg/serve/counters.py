"""What Prometheus is told, in its text format, version 0.0.4."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock

TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65536)
HELP = {
    "thalweg_requests_total": ("counter", "Requests that were answered, by endpoint and status."),
    "thalweg_request_seconds": ("histogram", "Seconds from a request's first byte to its answer, by endpoint."),
    "thalweg_batch_rows": ("histogram", "Rows of a batch, by model."),
    "thalweg_rows_total": ("counter", "Rows that were predicted, by model."),
    "thalweg_unknown_cells_total": ("counter", "Cells that say nothing, as training had none like them, by column."),
    "thalweg_waiting_rows": ("gauge", "Rows that wait for a batch, by model."),
    "thalweg_reloads_total": ("counter", "Runs that were loaded again, by model and outcome."),
    "thalweg_connections": ("gauge", "Open connections."),
    "thalweg_waiting_bytes": ("gauge", "Bytes of requests that are being answered."),
}
Labels = tuple[tuple[str, str], ...]


class Histogram:
    """How many values were at most as large as each bound."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds, self.counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def lines(self, name: str, labels: Labels) -> Iterator[str]:
        """Its lines: a bucket counts those in all smaller ones, too."""
        count = 0
        for bound, here in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            count += here
            yield f"{name}_bucket{written((*labels, ('le', bound)))} {count}"
        yield f"{name}_sum{written(labels)} {self.total:.9g}"
        yield f"{name}_count{written(labels)} {count}"


class Counters:
    """The numbers of a server.

    >>> counters = Counters()
    >>> counters.add("thalweg_rows_total", (("model", "penguins"),), 3)
    >>> print(counters.text({}).splitlines()[-1])
    thalweg_rows_total{model="penguins"} 3
    """

    def __init__(self) -> None:
        self.counts: dict[str, dict[Labels, int]] = defaultdict(lambda: defaultdict(int))
        self.histograms: dict[str, dict[Labels, Histogram]] = defaultdict(dict)
        self.lock = Lock()
        self.of_endpoints: dict[str, Histogram] = {}
        self.statuses: dict[tuple[str, int], int] = defaultdict(int)

    def add(self, name: str, labels: Labels, number: int = 1) -> None:
        """Counts further; in any thread."""
        with self.lock:
            self.counts[name][labels] += number

    def observe(self, name: str, labels: Labels, value: float, bounds: Sequence[float]) -> None:
        """Adds a value to a histogram; in any thread."""
        with self.lock:
            known = self.histograms[name]
            if labels not in known:
                known[labels] = Histogram(bounds)
            known[labels].add(value)

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts a request; in the event loop alone, as `text` is called."""
        label = ("endpoint", endpoint)
        if (known := self.of_endpoints.get(endpoint)) is None:
            known = self.of_endpoints[endpoint] = Histogram(SECONDS)
            self.histograms["thalweg_request_seconds"][(label,)] = known
        known.add(seconds)
        self.statuses[endpoint, status] += 1

    def text(self, gauges: Mapping[str, Mapping[Labels, float]]) -> str:
        """All of it, with the values that are known at this moment alone."""
        for (endpoint, status), number in self.statuses.items():
            self.counts["thalweg_requests_total"][("endpoint", endpoint), ("status", str(status))] = number
        with self.lock:
            return "\n".join(self.lines(gauges)) + "\n"

    def lines(self, gauges: Mapping[str, Mapping[Labels, float]]) -> Iterator[str]:
        """The lines of each number."""
        for name, (kind, said) in HELP.items():
            own = [f"{name}{written(labels)} {count}" for labels, count in self.counts.get(name, {}).items()]
            own += [line for labels, one in self.histograms.get(name, {}).items() for line in one.lines(name, labels)]
            own += [f"{name}{written(labels)} {value:g}" for labels, value in gauges.get(name, {}).items()]
            if own:
                yield from (f"# HELP {name} {said}", f"# TYPE {name} {kind}", *own)


def written(labels: Labels) -> str:
    r"""Labels as Prometheus reads them.

    >>> written((("model", 'a "b"\n'),))
    '{model="a \\"b\\"\\n"}'
    """
    escaped = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    return "{" + ",".join(f'{name}="{value.translate(escaped)}"' for name, value in labels) + "}" if labels else ""
