"""The results of a comparison: every training, every entry with its trainings, and all as table, JSON and chart."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thalweg.errors import ArgumentError
from thalweg.experiments.problem import Settings
from thalweg.support.extras import need
from thalweg.support.files import finite, to_json, writing
from thalweg.support.terminal import columns, table
from thalweg.views.chart import Chart, Curve
from thalweg.views.figures import draw_scores, write_figure
from thalweg.views.web.html_parts import block, line
from thalweg.views.web.html_parts import table as html_table
from thalweg.views.web.svg import inline

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]
LEVEL = 0.05
HIGHLIGHTED = 6  # curves in colour; the others are grey
FLOOR = -0.5  # an R² may be far below 0


@dataclass
class Run:
    """One training: an entry with one seed."""

    seed: int
    scores: list[float] = field(default_factory=list)  # held-out, after each epoch
    losses: list[float] = field(default_factory=list)  # of training, in each epoch
    seconds: float = 0.0
    failure: str = ""  # "", "diverged: …", or "stuck: …"
    dead: float = math.nan  # share of hidden units whose output is the same on every row
    saturated: float = math.nan  # share of hidden units that hardly react to their input on nearly every row

    @property
    def diverged(self) -> bool:
        """Whether a value stopped being finite."""
        return self.failure.startswith("diverged")


@dataclass
class Entry:
    """One value of the knob with its runs."""

    name: str
    runs: list[Run]

    @property
    def finals(self) -> list[float]:
        """The last score of each run that reached its end."""
        return [run.scores[-1] for run in self.runs if not run.diverged]

    @property
    def score(self) -> float:
        """The mean of the last held-out scores; NaN if every run diverged."""
        return float(np.mean(self.finals)) if self.finals else math.nan

    @property
    def interval(self) -> float:
        """Half of the 95% confidence interval of `score` over the seeds, by Student's t; NaN for fewer than two."""
        finals = self.finals
        if len(finals) < 2:
            return math.nan
        need("scipy", "", "a confidence interval")
        from scipy.stats import t

        return float(t.ppf(0.975, len(finals) - 1) * np.std(finals, ddof=1) / math.sqrt(len(finals)))

    @property
    def failed(self) -> float:
        """The share of runs that diverged or did not get beyond chance."""
        return sum(bool(run.failure) for run in self.runs) / len(self.runs)

    @property
    def seconds(self) -> float:
        """The median time of a training."""
        return float(np.median([run.seconds for run in self.runs]))

    def units(self, kind: str) -> float:
        """The mean share of "dead" or "saturated" hidden units; NaN if unknown."""
        known = [value for run in self.runs if not math.isnan(value := getattr(run, kind))]
        return float(np.mean(known)) if known else math.nan

    def curve(self) -> tuple[Array, Array, Array]:
        """Mean, least and largest held-out score after each epoch, over the runs that reached their end."""
        scores = np.array([run.scores for run in self.runs if not run.diverged])
        return (scores.mean(axis=0), scores.min(axis=0), scores.max(axis=0)) if scores.size else (scores,) * 3


@dataclass
class Comparison:
    """What `compare` found; printing it shows the table, best entry first.

    Attributes:
        knob, task, metric: what was varied, the target's task, and the score on the rows held out.
        chance: the score of an answer that doesn't look at x.
        settings: what all trainings had in common.
        rows: how many there were to learn from, and held out.
        entries: each value of the knob with its trainings; `score` is their mean, `interval` half of its 95%
            confidence interval over the seeds.
        left_out: the entries that don't fit the task, each with the reason.
    """

    KNOBS: ClassVar[tuple[str, ...]] = ("activation", "loss", "learning_rate", "initializer", "optimizer")

    knob: str
    task: str
    metric: str
    chance: float
    settings: Settings
    rows: tuple[int, int]
    entries: list[Entry]
    left_out: dict[str, str] = field(default_factory=dict)

    def ranked(self) -> list[Entry]:
        """The entries, best score first; those without a score last."""
        return sorted(self.entries, key=lambda e: (math.isnan(e.score), -e.score if not math.isnan(e.score) else 0.0))

    def worse(self, entry: Entry) -> bool:
        """Whether an entry is told apart from the best: by the differences of their scores over common seeds.

        The 95% intervals of all entries together, by Student's t for the level 0.05/(entries − 1) (Bonferroni); scores
        that differ by less than a row of those held out count as different by chance.
        """
        best = {run.seed: run.scores[-1] for run in self.ranked()[0].runs if not run.diverged}
        pairs = [run.scores[-1] - best[run.seed] for run in entry.runs if not run.diverged and run.seed in best]
        if len(pairs) < 2:
            return False
        need("scipy", "", "a confidence interval")
        from scipy.stats import t

        spread = max(float(np.std(pairs, ddof=1)), 1 / self.rows[1])
        level = LEVEL / 2 / max(1, len(self.entries) - 1)
        return bool(np.mean(pairs) < -t.ppf(1 - level, len(pairs) - 1) * spread / math.sqrt(len(pairs)))

    def summary(self) -> list[str]:
        """What the numbers tell, in sentences."""
        best, *others = self.ranked()
        seeds = max(len(entry.runs) for entry in self.entries)
        if math.isnan(best.score):
            return ["every training diverged"]
        if not others:
            return []
        worse = sum(map(self.worse, others))
        over = f"over {seeds} seed{'s' * (seeds > 1)}"
        if not worse:
            return [f"nothing is told apart from {best.name}, the best on average {over}; more seeds may tell"]
        rest = "; the order of the others may be chance" if worse < len(others) else ""
        return [f"worse than {best.name}, the best on average {over}: {worse} of {len(others)}{rest}"]

    def header(self) -> list[str]:
        """The columns of the table."""
        return [self.knob, f"held-out {self.metric}", "± 95%", "", "failed", "seconds", "dead", "saturated"]

    def lines(self) -> list[list[str]]:
        """The rows of the table."""
        return [
            [
                e.name,
                number_text(e.score, "{:.4f}"),
                number_text(e.interval, "{:.4f}"),
                "worse" if self.worse(e) else "",
                f"{e.failed:.0%}" if e.failed else "",
                f"{e.seconds:.2f}",
                number_text(e.units("dead"), "{:.0%}"),
                number_text(e.units("saturated"), "{:.0%}"),
            ]
            for e in self.ranked()
        ]

    def __str__(self) -> str:
        return "\n".join([table([self.header(), *self.lines()], range(1, 8), columns()), *self.summary()])

    @property
    def headline(self) -> str:
        """What was compared."""
        return f"{self.knob.replace('_', ' ')}: {self.task}, {self.rows[0]:,} rows to learn from"

    def _repr_html_(self) -> str:
        """The table and the curves, for notebooks."""
        parts = [
            line(self.headline, strong=True),
            html_table(self.header(), self.lines(), range(1, 8)),
            *map(line, self.summary()),
            inline([self.chart()]),
        ]
        return block(*parts, *(line(f"left out: {name}: {why}") for name, why in self.left_out.items()))

    def records(self) -> dict[str, Any]:
        """Everything, as plain values that `json` writes; numbers that aren't finite are None."""
        entries = [
            {
                "name": e.name,
                "score": e.score,
                "interval": e.interval,
                "worse": self.worse(e),
                "failed": e.failed,
                "seconds": e.seconds,
                "dead": e.units("dead"),
                "saturated": e.units("saturated"),
                "runs": [asdict(run) for run in e.runs],
            }
            for e in self.ranked()
        ]
        facts = {
            "knob": self.knob,
            "task": self.task,
            "metric": self.metric,
            "chance": self.chance,
            "rows": {"train": self.rows[0], "held out": self.rows[1]},
            "settings": {name: plain(value) for name, value in vars(self.settings).items()},
            "left out": self.left_out,
            "summary": self.summary(),
            "entries": entries,
        }
        result: dict[str, Any] = finite(facts)
        return result

    def save(self, path: str | Path) -> None:
        """Writes `records()` as JSON, or the picture as PNG or SVG, by the ending of the path."""
        path = Path(path)
        if path.suffix == ".json":
            with writing(path) as new:
                new.write_text(to_json(self.records(), indent=1), encoding="utf-8")
        elif path.suffix in (".png", ".svg"):
            write_figure(self.figure(), path)
        else:
            raise ArgumentError(f"a comparison is saved as .json, .png or .svg, not as {path.name!r}")

    def chart(self) -> Chart:
        """The mean score after each epoch, the best entries in colour, with the spread over seeds, and chance."""
        curves = []
        for place, entry in enumerate(self.ranked()):
            mean, *band = entry.curve()
            epochs, grey = np.arange(1, mean.size + 1), place >= HIGHLIGHTED
            if mean.size:
                curves.append(Curve(entry.name, epochs, mean, band=() if grey else band, faint=grey))
        ends = np.array([1, self.settings.epochs])
        curves.append(Curve("chance", ends, np.full(2, self.chance), dashed=True, faint=True))
        note = "mean over seeds; the band reaches from the least to the largest"
        floor = max(np.nanmin([self.chance, *(entry.score for entry in self.entries)]), FLOOR) - 0.02
        return Chart(f"held-out {self.metric}", curves, "epoch", note=note, floor=floor)

    def figure(self) -> Figure:
        """Scores with their intervals, and curves with the spread over seeds: a matplotlib figure."""
        layers = "-".join(map(str, self.settings.layers)) or "none"
        title = f"{self.headline}, layers {layers}, {self.settings.epochs} epochs"
        return draw_scores(self.ranked(), self.chart(), self.chance, title)


def number_text(value: float, form: str) -> str:
    """A formatted number; nothing for NaN."""
    return "" if math.isnan(value) else form.format(value)


def plain(value: Any) -> Any:
    """A setting in a form that JSON can hold."""
    return value if isinstance(value, (str, int, float, tuple, type(None))) else repr(value)
