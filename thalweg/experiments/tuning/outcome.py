"""The result of a search: its trials, the reruns, the best network, and all of it as text, table, JSON and pictures."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from thalweg.errors import ArgumentError
from thalweg.experiments.tuning.importance import METHODS
from thalweg.experiments.tuning.jury import Metric, Verdict, label_of
from thalweg.experiments.tuning.reruns import DEFAULT, Reruns
from thalweg.experiments.tuning.space import KNOBS, Candidate, Range, Space
from thalweg.models.model import Model
from thalweg.support.files import finite, to_json, writing
from thalweg.support.naming import choose
from thalweg.support.terminal import columns, table
from thalweg.tabular.features import Features
from thalweg.views.figures import write_figure
from thalweg.views.searches import Axis, draw_parallel, draw_slices

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]
SHOWN = 6  # trials in the table


@dataclass(frozen=True)
class Attempt:
    """One trial. scores: held-out, at the end of each cycle that it reached; state: complete, pruned or diverged."""

    number: int
    candidate: Candidate
    state: str
    scores: list[float]
    temperatures: list[float]
    seconds: float = math.nan
    default: bool = False


@dataclass
class Tuning:
    """What `tune` found; printing it shows the best trials, the reruns and the scores on the rows set apart.

    Attributes:
        metric, task: what trials were ranked by, and the target's task.
        space: what was searched. trials: those that count, in order.
        reruns: the best few against the default on other folds and seeds.
        best: the settings chosen; `chosen` is their name among the reruns: "default", or "trial 7".
        model: the network refitted with them on all rows but those set apart; it gives probabilities, or a standardised
            number. default_model: the same with the default settings; None if it diverged.
        features: how columns become their input. history: the records of the refit's epochs.
        held_out: the scores of both on the rows set apart, "best" and "default".
        difference: of their losses on these rows, best − default, a row (log-loss, or squared error), with its
            standard error.
        rows: how many there are to learn from, to judge trials by, and set apart. row_numbers: those learned from in
            the end, and those set apart, as numbers of the table's rows, from 0.
        importance: {method: {knob: share}}, most important first.
    """

    PICTURES = ("slices", "parallel")

    metric: Metric
    task: str
    space: Space
    trials: list[Attempt]
    reruns: Reruns
    chosen: str
    best: Candidate
    model: Model
    default_model: Model | None
    features: Features
    history: list[dict[str, Any]]
    held_out: dict[str, Verdict]
    difference: tuple[float, float]
    rows: dict[str, int]
    row_numbers: tuple[Array, Array]
    cycles: int
    importance: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    interrupted: bool = False

    def ranked(self) -> list[Attempt]:
        """The trials, best first: those that got further before others, then by their score there."""
        return sorted(self.trials, key=lambda trial: rank(trial, self.metric), reverse=True)

    def table(self) -> dict[str, list[Any]]:
        """The trials as columns by name, for `pandas.DataFrame` or `polars.DataFrame`."""
        found: dict[str, list[Any]] = {name: [] for name in ("trial", "state", "cycles", self.metric.name, *KNOBS)}
        for trial in self.trials:
            row = [trial.number, trial.state, len(trial.scores), best_score(trial, self.metric)]
            for name, value in zip(found, [*row, *asdict(trial.candidate).values()], strict=True):
                found[name].append(value)
        return found | {"seconds": [trial.seconds for trial in self.trials]}

    # --- as text -----------------------------------------------------------------------------------------------------

    def lines_of_trials(self) -> list[list[str]]:
        """The best trials and the default, each in a line."""
        best = self.ranked()[:SHOWN]
        best += [trial for trial in self.trials if trial.default and trial not in best]
        return [[name_of(t), number_text(best_score(t, self.metric)), t.candidate.text()] for t in best]

    def lines_of_reruns(self) -> list[list[str]]:
        """The candidates, best mean first, each in a line."""
        if not self.reruns.pairs:
            return []
        p_values = self.reruns.p_values()
        return [
            [
                entry.name,
                number_text(self.reruns.mean(entry)),
                f"{p_values[entry.name]:.3f}" if entry.name in p_values else "",
                self.reruns.conclusion(entry),
            ]
            for entry in self.reruns.ranked()
        ]

    def lines_of_scores(self) -> list[list[str]]:
        """The scores on the rows set apart."""
        best = self.held_out["best"].scores
        default = self.held_out["default"].scores if "default" in self.held_out else {}
        return [
            [label_of(name), number_text(score), number_text(default.get(name, math.nan))]
            for name, score in best.items()
        ]

    def lines_of_importance(self) -> list[list[str]]:
        """The knobs, each with its share by every method."""
        if not self.importance:
            return []
        first = next(iter(self.importance.values()))
        return [[knob, *(f"{found[knob]:.0%}" for found in self.importance.values())] for knob in first]

    def summary(self) -> list[str]:
        """What came of it, in sentences."""
        states = [trial.state for trial in self.trials]
        counted = ", ".join(f"{states.count(s)} {s}" for s in ("complete", "pruned", "diverged") if s in states)
        lines = [f"{len(self.trials)} trials ({counted}) in {self.seconds:.0f} s"]
        lines.append(f"settings kept, those of {self.chosen}: {self.best.text()}")
        lines.append(self.verdict())
        mean, error = self.difference
        what = "log-loss" if self.task != "regression" else "squared error, standardised,"
        if self.chosen != DEFAULT and not math.isnan(mean):
            lines.append(f"{what} a row, best − default, on the rows set apart: {mean:+.4f} ± {error:.4f}")
        return lines

    def verdict(self) -> str:
        """Whether the search has found anything better, in a sentence."""
        if self.interrupted and not self.reruns.pairs:
            return f"interrupted before any rerun: {self.chosen} is the best of the trials, and may owe it to luck"
        if not self.reruns.pairs:
            return f"there was no rerun: {self.chosen} is the best of the trials, and may owe it to luck"
        if self.chosen == DEFAULT:
            return f"nothing was better than the default on average, in {len(self.reruns.pairs)} reruns of each"
        pairs, conclusion = len(self.reruns.pairs), self.reruns.conclusion(self.reruns.entry(self.chosen))
        more = f"; {self.reruns.needed} are needed" if pairs < self.reruns.needed else ""
        kept = "" if conclusion == "better" else "; its settings are kept for their mean, the default's may be as good"
        return f"{self.chosen} against the default in {pairs} rerun{'s' * (pairs > 1)}: {conclusion}{more}{kept}"

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Title, header and lines of each table of the report."""
        label = self.metric.label
        best = "least" if self.metric.sign < 0 else "greatest"
        folds = f"reruns on other folds and seeds, {len(self.reruns.pairs)} each"
        found = [
            (f"best trials, by {best} validation {label}", ["trial", label, "settings"], self.lines_of_trials()),
            (folds, ["settings", f"mean {label}", "p", "against the default"], self.lines_of_reruns()),
            (f"{self.rows['test']:,} rows set apart", ["score", "best", "default"], self.lines_of_scores()),
            ("which knob mattered", ["knob", *METHODS], self.lines_of_importance()),
        ]
        return [part for part in found if part[2]]

    def __str__(self) -> str:
        parts = []
        for title, header, lines in self.tables():
            last = len(header) - 1
            right = [
                c for c in range(1, len(header)) if all(not line[c] or line[c][0] in "-0123456789" for line in lines)
            ]
            parts.append(f"{title}\n{table([header, *lines], right, columns(), last if last not in right else 0)}")
        return "\n\n".join([*parts, "\n".join(self.summary())])

    # --- as files ----------------------------------------------------------------------------------------------------

    def records(self) -> dict[str, Any]:
        """Everything but the network, as plain values that `json` writes; numbers that aren't finite are None."""
        facts = {
            "metric": self.metric.name,
            "task": self.task,
            "rows": self.rows,
            "space": self.space.facts(),
            "chosen": self.chosen,
            "best": asdict(self.best),
            "verdict": self.verdict(),
            "held out": {name: verdict.scores for name, verdict in self.held_out.items()},
            "difference": {"mean": self.difference[0], "standard error": self.difference[1]},
            "importance": self.importance,
            "reruns": [
                {
                    "name": entry.name,
                    "settings": asdict(entry.candidate),
                    "scores": self.reruns.scores(entry) if self.reruns.pairs else [],
                    "cycle": self.reruns.best_cycle(entry) + 1 if self.reruns.pairs else None,
                    "against the default": self.reruns.conclusion(entry),
                }
                for entry in self.reruns.entries
            ],
            "trials": [asdict(trial) for trial in self.trials],
            "seconds": self.seconds,
            "interrupted": self.interrupted,
        }
        result: dict[str, Any] = finite(facts)
        return result

    def save(self, path: str | Path, picture: str = "slices") -> None:
        """Writes `records()` as .json, the network as .safetensors, or a picture as .png or .svg."""
        path = Path(path)
        if path.suffix == ".json":
            with writing(path) as new:
                new.write_text(to_json(self.records(), indent=1), encoding="utf-8")
        elif path.suffix == ".safetensors":
            self.model.save(path)
        elif path.suffix in (".png", ".svg"):
            write_figure(self.figure(picture), path)
        else:
            raise ArgumentError(f"a search is saved as .json, .safetensors, .png or .svg, not as {path.name!r}")

    def figure(self, picture: str = "slices") -> Figure:
        """ "slices": the score over each knob; "parallel": a line for each trial through all knobs."""
        choose("picture", picture, self.PICTURES)
        trials = [trial for trial in self.trials if trial.scores and trial.state != "diverged"]
        axes = [
            Axis(knob, [getattr(trial.candidate, knob) for trial in trials], isinstance(v, Range) and v.step is None)
            for knob, v in self.space.searched.items()
        ]
        scores = [best_score(trial, self.metric) for trial in trials]
        reached = [len(trial.scores) / self.cycles for trial in trials]
        draw = draw_slices if picture == "slices" else draw_parallel
        return draw(axes, scores, reached, self.metric.label, self.metric.sign)


def rank(trial: Attempt, metric: Metric) -> tuple[bool, int, float]:
    """For sorting: the better the larger."""
    score = best_score(trial, metric)
    return trial.state != "diverged", len(trial.scores), -math.inf if math.isnan(score) else metric.ahead(score)


def best_score(trial: Attempt, metric: Metric) -> float:
    """The best at the end of any cycle; NaN if there is none."""
    return max(trial.scores, key=metric.ahead) if trial.scores and trial.state != "diverged" else math.nan


def name_of(trial: Attempt) -> str:
    """ "default", or "trial 7"."""
    return DEFAULT if trial.default else f"trial {trial.number}"


def number_text(value: float) -> str:
    """Four decimals, or four digits of a larger number; nothing for NaN."""
    if math.isnan(value):
        return ""
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.4g}"
