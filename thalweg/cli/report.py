"""What the command line reports: columns, network, scores, history, predictions."""

from __future__ import annotations

import math
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.cli.console import Grid, folded, in_options, say, say_skipped
from thalweg.data.images.image_set import BYTES, Images
from thalweg.data.images.likeness import PROPORTIONS
from thalweg.data.tables import Table
from thalweg.data.target import label_text
from thalweg.doctor import Diagnosis
from thalweg.doctor.budget import SECONDS
from thalweg.errors import ModelFileError
from thalweg.models.sequential import Sequential
from thalweg.runs.folder import Facts
from thalweg.runs.forecasts.series_run import SeriesRun
from thalweg.runs.run import Parts, Run, Scores
from thalweg.runs.table_run import TableRun
from thalweg.runs.table_training import Plan
from thalweg.support.stopwatch import compiling
from thalweg.tabular.features import Features
from thalweg.tabular.planning import Outlook, peak_memory

MOST_COLUMNS = 40
"""How many columns of a table are listed; a line counts the others."""
EXAMINED = 1 / 3
"""Of what a time limit has left, what the doctor may take."""
LONG = 30.0
"""Seconds of a training from which on it is said before how long it takes."""


def announce_table(plan: Plan) -> None:
    """Prints how the columns were understood, the network, and how long it will take, before training begins."""
    prepared, parts = plan.prepared, plan.parts
    target = prepared.features.target
    assert target is not None
    show_columns(prepared.features, missing=True)
    classes = f": {', '.join(map(str, target.classes[:12]))}{', …' if len(target.classes) > 12 else ''}"
    say(f"target {target.name}: {target.task}{classes if target.classes else ''} ({in_options(target.why)})")
    if target.missing:
        say(f"{target.missing:,} rows without a target are left out")
    say_skipped(parts.skipped)
    say(f"rows: {plan.learned:,} to learn from, {parts.test.rows:,} held out to judge by")
    say(*[plan.on_disk] * bool(plan.on_disk), "")
    prepared.blueprint.member(0, 0, 1)[0].summary()
    settings = prepared.blueprint.settings
    members = settings.members
    count, held = members, max(map(len, prepared.folds[:members]))
    lead = "one network" if count == 1 else f"{count} networks like this one"
    each = "each " if count > 1 else ""
    epoch = f"{each}of the epoch chosen by {held:,} rows that it doesn't learn from"
    if settings.together and count > 1:
        epoch = f"each without {held:,} of the rows, all of the epoch chosen by the rows that they don't learn from"
    beside = f"; {' and '.join(settings.trees)} where they help" if settings.trees else ""
    text = f"{lead}, {epoch if held else f'{each}of the last epoch'}{beside}"
    say("", folded(text) if settings.together else text)
    if plan.sample is not None:
        of, needed = plan.rows, plan.sample.needed
        say(f"the time limit allows {plan.learned:,} of {of:,} rows; --time-limit {needed} would allow all")
    if plan.outlook and plan.outlook[0].seconds > LONG:
        say(outlook_text(plan.outlook))


def outlook_text(outlook: Sequence[Outlook]) -> str:
    """How long it will take, how much memory, and what is faster."""
    first, *others = outlook
    in_use = peak_memory()
    memory = f", with up to {(in_use + first.memory) / 1e9:.1f} GB of memory" if in_use else ""
    fast = [f"--quality fast takes {time_text(other.seconds)}" for other in others if other.seconds < first.seconds]
    choices = ", ".join([*fast, "--time-limit SECONDS ends it in time"])
    return f"this takes {time_text(first.seconds)}{memory}; {choices}"


def time_text(seconds: float) -> str:
    """About how long.

    >>> [time_text(seconds) for seconds in (33, 95, 260, 7000)]
    ['about 30 seconds', 'about 2 minutes', 'about 4 minutes', 'about 2 hours']
    """
    for unit, size in (("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * size:
            return f"about {seconds / size:.0f} {unit}"
    return f"about {max(1, round(seconds / 10)) * 10} seconds"


def show_columns(features: Features, missing: bool = False) -> None:
    """Prints the first `MOST_COLUMNS` columns, with their missing cells if asked for, and counts the others."""
    columns = features.describe()
    header = ["column", "kind", "understood as", *["missing"] * missing, "inputs"]
    rows = [
        [c.name, c.kind, c.understood, *[f"{c.missing:,}" if c.missing else ""] * missing, str(c.features or "")]
        for c in columns[:MOST_COLUMNS]
    ]
    say(Grid("columns", header, rows))
    if kinds := Counter(column.kind for column in columns[MOST_COLUMNS:]):
        counted = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
        say(f"… and {kinds.total():,} more columns ({counted}); the run folder's columns.json has them all")
    say("")


def announce_images(parts: Parts[Images], model: Sequential, course: str) -> None:
    """Prints what was read, and the network, before training begins."""
    images = parts.train
    height, width, channels = images.shape
    names = ", ".join(images.classes[:12]) + (", …" if len(images.classes) > 12 else "")
    kind = "bytes" if images.x.dtype.name == "uint8" else "numbers"
    black_white = "" if images.range in (BYTES, None) else f" from {images.range[0]:g} (black) to {images.range[1]:g}"
    say(
        f"images of {height}×{width} pixels, channels: {channels}, as {kind}{black_white}",
        f"{len(images.classes)} classes: {names}",
        *distortion(images),
    )
    say_skipped(parts.skipped)
    held = len(parts.validation.y) if parts.validation is not None else 0
    say(f"images: {len(images.y):,} to learn from, {held:,} to watch by, {len(parts.test.y):,} held out", "")
    model.summary()
    say("", course, learning_rate(model), "")


def distortion(images: Images) -> list[str]:
    """A line on pictures whose proportions are changed, if any are noticeably."""
    if images.stretched is None or images.files is None:
        return []
    change = np.maximum(images.stretched, 1 / images.stretched)
    changed = int((change > PROPORTIONS).sum())
    if not changed:
        return []
    worst = int(change.argmax())
    how = "squeezed" if images.stretched[worst] < 1 else "flattened"
    return [
        f"proportions are changed in {changed:,} of {len(change):,} pictures, at most {change[worst]:.2f} times "
        f"({images.files[worst]} is {how}); --fit crop or --fit pad keeps them"
    ]


def learning_rate(model: Sequential) -> str:
    """A line that describes the course of the learning rate."""
    optimizer = model.optimizer
    schedule, name = optimizer.schedule, type(optimizer).__name__
    if schedule is None:
        return f"{name}'s learning rate: {optimizer.learning_rate:g}, constant"
    peak, rising, down = schedule.warmup_target, schedule.warmup_steps, schedule.decay_steps
    return f"{name}'s learning rate: up to {peak:g} in {rising:,} steps, then to 0 in {down:,} along half a cosine"


def show_trained(run: Run, folder: Path, new: str, left: float = math.inf) -> None:
    """Prints how the training went, where it is kept, and what to do next; `left`: seconds of a time limit."""
    facts = run.facts
    stopped = " (interrupted)" if facts["interrupted"] else ""
    compiled = compile_seconds()
    apart = f" (and {compiled} s to compile kernels)" if compiled else ""
    networks = f"{len(facts['members'])} networks, " if len(facts.get("members", [])) > 1 else ""
    say("", f"trained {networks}{len(run.history)} epochs in {facts['seconds']:.2f} s{apart}{stopped}", "")
    show_facts(facts)
    show_diagnosis(run, left)
    quoted = shlex.quote(str(folder))
    say(
        "",
        f"run folder: {folder}",
        f"  look:    thalweg inspect {quoted}",
        f"  predict: thalweg predict {quoted} {new}",
    )


def show_forecast(run: SeriesRun, folder: Path) -> None:
    """Prints the scores of a run on series beside those of simple methods, and where it is."""
    facts, steps = run.facts, run.forecaster.horizon_
    title = f"the last {steps} step{'s' * (steps > 1)} of each series, held out"
    show_scores(title, facts["rows"]["test"], facts["held-out"], None, facts["others"], "forecast")
    say("", f"run: {folder}", f"the next steps: thalweg predict {shlex.quote(str(folder))} --out forecasts.csv")


def show_facts(facts: Facts) -> None:
    """Prints what run.json says about the networks and their predictions; old ones say less."""
    members = facts.get("members", [])
    if members:
        show_members(members, facts.get("metric", "score"))
        models = {kind["name"]: kind["weight"] for kind in facts.get("trees", [])}
        if models:
            shares = {"networks": 1 - sum(models.values())} | models
            said = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
            say("", f"shares in the predictions: {said}")
        say("")
    others: dict[str, Scores] = {"networks": facts["networks"]} if "networks" in facts else {}
    if facts["baseline"] is not None:
        answer = facts["baseline"]["answer"]
        said = format(answer, ".6g") if isinstance(answer, float) else str(answer)
        others[f"always {said}"] = facts["baseline"]["scores"]
    if facts.get("linear"):
        others["linear"] = facts["linear"]["scores"]
    title = "ensemble" if facts.get("trees") else f"{len(members)} networks" if len(members) > 1 else "network"
    rows, linear = facts["rows"]["test"], facts.get("linear")
    beside = f" (linear: {linear['model']}; networks: by themselves)" if "networks" in facts and linear else ""
    beside = beside or (f" (linear: {linear['model']})" if linear else "")
    show_scores(f"held-out score{beside}", rows, facts["held-out"], facts.get("intervals"), others, title)
    show_mistakes(facts.get("mistakes"))
    show_folds(facts.get("folds"))
    if facts.get("twins"):
        say("", f"held-out rows with the same inputs as a row learned from: {facts['twins']:,}")
    for warning in facts.get("warnings", []):
        say("", folded(f"warning: {warning}"))


def show_diagnosis(run: Run, left: float = math.inf) -> None:
    """Prints what the doctor finds in the training, if it was recorded, in a part of the seconds that are left."""
    diagnosis = run.diagnose(min(SECONDS, left * EXAMINED))
    if diagnosis is None:
        return
    several = len(run.facts.get("members", [])) > 1
    show_findings(diagnosis, " of the first network" if several else "")


def show_findings(diagnosis: Diagnosis, whose: str = "") -> None:
    """Prints what the doctor finds, each with evidence and remedy."""
    say("", f"diagnosis{whose}, by {len(diagnosis.checked)} rules")
    for finding in diagnosis.findings:
        say(*(folded(line.strip(), len(line) - len(line.lstrip())) for line in finding.text().splitlines()))
    if not diagnosis.findings:
        say("nothing wrong was found")


def show_members(members: Sequence[dict[str, Any]], metric: str) -> None:
    """Prints which epoch of each network was kept."""
    name = metric.replace("_", " ")
    header = ["network", "epochs", "kept", "rows held out", name]
    rows = [
        [str(number), *(f"{member[key]:,}" for key in ("epochs", "best epoch", "held out")), figure(member["score"])]
        for number, member in enumerate(members, start=1)
    ]
    say(Grid("networks", header, rows))


def compile_seconds() -> str:
    """The seconds of compilation, which training times leave out; "" if negligible."""
    return f"{compiling.seconds:.1f}" if compiling.seconds >= 0.05 else ""


def end_after(problem: str) -> None:
    """Ends with an error if there was a problem, after reporting what went well."""
    if problem:
        raise ModelFileError(problem)


def figure(value: float | None) -> str:
    """A number in four digits, or whole in its thousands; nothing for JSON's null and NaN.

    >>> [figure(value) for value in (0.97104, 12.3456, 18573.2, 3e200, None)]
    ['0.9710', '12.35', '18,573', '3e+200', '']
    """
    if value is None or math.isnan(value):
        return ""
    if 1000 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 10 else f"{value:.4f}"


def show_scores(
    title: str,
    rows: int,
    scores: Scores,
    intervals: dict[str, list[float | None]] | None = None,
    others: Mapping[str, Scores] | None = None,
    network: str = "network",
) -> None:
    """Prints scores with their intervals, beside those of other answers, by what gives them."""
    header = [f"{rows:,} rows", network, *(["95 % interval"] if intervals else []), *(others or {})]
    lines = []
    for name, value in scores.items():
        line = [name, figure(value)]
        if intervals:
            line.append(interval_text(intervals.get(name)))
        lines.append([*line, *(figure(other.get(name)) for other in (others or {}).values())])
    say(Grid(title, header, lines))


def interval_text(limits: list[float | None] | None) -> str:
    """ "0.92 to 0.98"; nothing if it isn't known."""
    low, high = (
        f"{limit:.3f}" if limit is not None and 0.1 <= abs(limit) < 10 else figure(limit)
        for limit in limits or (None, None)
    )
    return f"{low} to {high}" if low and high else ""


def show_mistakes(mistakes: dict[str, Any] | None) -> None:
    """Prints where predictions are wrong, if it is known."""
    if mistakes is None:
        return
    if "confusion" in mistakes:
        show_confusion(mistakes["confusion"])
        show_calibration(mistakes["calibration"])
    else:
        show_errors(mistakes)


def show_confusion(found: dict[str, Any]) -> None:
    """Prints a confusion matrix."""
    names = [label_text(label) for label in found["classes"]]
    right = [row[place] for place, row in enumerate(found["counts"])]
    if found.get("others"):
        names.append(f"{found['others']} others")
        right[-1] = found["right among others"]
    rows = [
        [name, *(f"{count:,}" if count else "" for count in row), f"{hits / sum(row):.1%}" if any(row) else ""]
        for name, row, hits in zip(names, found["counts"], right, strict=True)
    ]
    say("", Grid("true classes (lines), and the classes they were taken for", ["", *names, "right"], rows))


def show_calibration(found: dict[str, Any]) -> None:
    """Prints how far predicted probabilities are from what comes true."""
    rows = [
        [
            f"{part['from']:.1f} to {part['to']:.1f}",
            f"{part['rows']:,}",
            f"{part['probability']:.3f}",
            f"{part['right']:.3f}",
        ]
        for part in found["bins"]
    ]
    title = f"calibration: the probabilities are off by {found['error']:.3f} on average"
    say("", Grid(title, ["probability", "rows", "mean", "right"], rows))


def show_errors(found: dict[str, Any]) -> None:
    """Prints the errors by quarters of the truth, and the worst rows."""
    rows = [
        [
            f"{figure(part['from'])} to {figure(part['to'])}",
            f"{part['rows']:,}",
            figure(part["MAE"]),
            figure(part["too high by"]),
        ]
        for part in found["quarters"]
    ]
    say("", Grid("errors by the true value", ["true value", "rows", "MAE", "too high by"], rows))
    rows = [[f"{row['row']:.0f}", figure(row["truth"]), figure(row["prediction"])] for row in found["worst"]]
    say("", Grid("furthest off", ["row", "true value", "prediction"], rows))


def show_folds(folds: dict[str, list[float]] | None) -> None:
    """Prints how scores vary over folds."""
    if not folds:
        return
    import statistics

    rows = []
    for name, values in folds.items():
        known = [value for value in values if value is not None and not math.isnan(value)]
        if known:
            spread = statistics.stdev(known) if len(known) > 1 else math.nan
            rows.append([name, *map(figure, (statistics.fmean(known), spread, min(known), max(known)))])
    count = max(map(len, folds.values()))
    header = ["", "mean", "standard deviation", "least", "greatest"]
    say("", Grid(f"cross-validated score ({count} folds)", header, rows))


def warn_of_unseen(run: TableRun, table: Table) -> None:
    """Prints which categories the network has never met."""
    say_unseen(run.features.unseen(table))


def say_unseen(unseen: Mapping[str, list[str]]) -> None:
    """Prints them, by column."""
    for column, names in list(unseen.items())[:MOST_COLUMNS]:
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        print(f"note: the training rows had no {shown} in column {column}; such cells say nothing", file=sys.stderr)
    if len(unseen) > MOST_COLUMNS:
        print(f"note: nor did they have some cells of {len(unseen) - MOST_COLUMNS:,} more columns", file=sys.stderr)


def show_predictions(columns: dict[str, Any]) -> None:
    """Prints a line for each picture: its class, and the three likeliest with their probabilities."""
    names = [name for name in columns if name.startswith("probability of ")]
    rows = []
    for row, file in enumerate(columns["file"]):
        likeliest = sorted(names, key=lambda name: -columns[name][row])[:3]
        shares = [f"{name.removeprefix('probability of ')} {columns[name][row]:.1%}" for name in likeliest]
        rows.append([str(file), str(columns["prediction"][row]), ", ".join(shares)])
    say(Grid("predictions", ["picture", "prediction", "probabilities"], rows))
