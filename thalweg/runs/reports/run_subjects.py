"""A run as what a report is about."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from thalweg import words
from thalweg.data.cells import Array
from thalweg.data.columns import TextColumn
from thalweg.data.recipe import recipe
from thalweg.data.target import label_text
from thalweg.models.functional import Functional
from thalweg.models.inspection import steps_of
from thalweg.models.model import Model
from thalweg.runs.evidence import Evidence
from thalweg.runs.image_run import ImageRun
from thalweg.runs.run import Run
from thalweg.runs.table_run import TableRun
from thalweg.tabular.qualities import LINEAR
from thalweg.views.report.of_model import retrained, retrained_share
from thalweg.views.report.subject import ColumnInputs, Network, PictureInputs, Score, Subject, Text, written

MOST_LEFT_OUT = 30
"""Columns that aren't used and are named."""
TASKS = {
    "binary": words.Said("binary", context="task"),
    "multiclass": words.Said("multiclass", context="task"),
    "regression": words.Said("regression", context="task"),
}
FIRST_NAMED = "member_1_"
"""How the names of the first network's layers begin in an ensemble's graph."""


def subject_of_run(run: Run, evidence: Evidence | None, folder: Path) -> Subject:
    """What is known of a run.

    Args:
        run: loaded from the folder.
        evidence: what its folder keeps for the report; None in folders of older versions.
        folder: the run folder.
    """
    subject = Subject(name=run_name(folder), history=run.history, recording=run.recording)
    subject.remarks = [words.text("Warning: {said}.", said=said) for said in run.facts.get("warnings", [])]
    if run.facts.get("interrupted"):
        subject.remarks.insert(0, words.text("The training was interrupted by Ctrl-C."))
    subject.diagnose = run.diagnose if run.recording is not None else None
    subject.metric = str(run.facts.get("metric", ""))
    subject.scores = scores_of(run)
    subject.settings = {key: text for key, value in run.facts["options"].items() if (text := shown(value))}
    subject.sizes = {
        "weights": float(run.model.count_params()),
        "seconds": number(run.facts.get("seconds")),
        "epochs": float(len(run.history)),
        "rows": float(run.facts["rows"]["train"]),
    }
    subject.code = code_of(run, folder)
    if isinstance(run, TableRun):
        about_table(subject, run, evidence)
    elif isinstance(run, ImageRun):
        about_images(subject, run, evidence)
    if evidence is None:
        subject.missing.append(
            words.text(
                "The run folder keeps no held-out rows: it was made by an older version. Train again for "
                "confusion, curves, importance and mistakes."
            )
        )
    if subject.recording is None:
        subject.missing.append(
            words.text(
                "Nothing was recorded while it trained: there are no statistics of layers, loss by batch, "
                "path of descent, or findings."
            )
        )
    return subject


def shown(value: Any) -> str:
    """An option's value for people; "" for one that says nothing."""
    if value in (None, "", [], (), False):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def scores_of(run: Run) -> list[Score]:
    """The held-out scores, with their intervals and those of simpler answers."""
    facts = run.facts
    others: dict[str, dict[str, Any]] = {}
    if "networks" in facts:
        others[words.Said("networks alone")] = facts["networks"]
    if facts.get("linear"):
        others[facts["linear"]["model"]] = facts["linear"]["scores"]
    if facts.get("baseline"):
        answer = facts["baseline"]["answer"]
        said = written(answer) if isinstance(answer, float) else label_text(answer)
        others[words.Said("always {answer}", answer=said)] = facts["baseline"]["scores"]
    found = []
    for name, value in facts["held-out"].items():
        low, high = facts.get("intervals", {}).get(name, (None, None))
        beside = {other: number(scores.get(name)) for other, scores in others.items()}
        found.append(Score(name=name, value=number(value), low=number(low), high=number(high), others=beside))
    return found


def code_of(run: Run, folder: Path) -> list[tuple[Text, str, str]]:
    """The command, and Python that uses the run."""
    command = list(run.facts["command"])
    command += [] if "--seed" in command else ["--seed", str(run.facts["seed"])]
    source = str(run.facts.get("source", "ROWS"))
    python = f"""import thalweg

run = thalweg.load_run({str(folder)!r})
run.predict({source!r})
run.evaluate({source!r})
"""
    versions = "".join(f"{package} {version}\n" for package, version in run.facts["versions"].items())
    return [
        (words.text("The command"), "shell", shlex.join(command) + "\n"),
        (words.text("In Python"), "python", python),
        (words.text("Versions"), "text", versions),
    ]


def rows_text(facts: dict[str, Any]) -> Text:
    """How many rows were for what."""
    rows = facts["rows"]
    held = rows.get("validation") or 0
    return words.text(
        "{train:,} to learn from, {held:,} to watch by, {test:,} held out"
        if held
        else "{train:,} to learn from, {test:,} held out",
        train=rows["train"],
        held=held,
        test=rows["test"],
    )


def seconds_text(facts: dict[str, Any], epochs: int) -> Text:
    """How long it trained."""
    seconds = number(facts.get("seconds"))
    return words.text("{epochs:,} epochs in {seconds:.2f} s", epochs=epochs, seconds=seconds)


def number(value: Any) -> float:
    """A number of the facts; NaN for JSON's null."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


# --- tables ----------------------------------------------------------------------------------------------------------


def about_table(subject: Subject, run: TableRun, evidence: Evidence | None) -> None:
    """Adds what is known of a run on a table."""
    facts, target = run.facts, run.target
    members, trees = max(1, len(facts.get("members", []))), run.trees
    subject.task, subject.target = target.task, target.name
    subject.classes = [label_text(label) for label in target.classes]
    used = sum(1 for column in run.features.columns if column.features)
    subject.facts = [
        (words.text("source"), facts.get("source", "")),
        (
            words.text("target"),
            words.text("{name}, {task}: {why}", name=target.name, task=TASKS[target.task], why=target.why),
        ),
        (
            words.text("columns", context="fact"),
            words.text(
                "{used} of {columns} used, as {inputs} inputs",
                used=used,
                columns=len(run.features.columns),
                inputs=len(run.features.feature_names),
            ),
        ),
        *free_texts(run),
        *left_out(run),
        (words.text("rows", context="fact"), rows_text(facts)),
        (words.text("trained"), trained_text(members, trees, run.model.count_params())),
        (words.text("training", context="fact"), seconds_text(facts, len(run.history))),
        (words.text("seed"), str(facts["seed"])),
    ]
    first = alone(run)
    steps = steps_of(first._weights.graph)
    batch = int(facts["options"]["batch_size"])
    done = steps_done(facts, subject.recording, members, batch)
    subject.network = Network(
        model=first,
        nodes=[unprefixed(vars(step)) for step in steps],
        batch=batch,
        others=other_members(run, members),
        again=retrained(first, batch, done) if members < 3 else None,
        seconds=number(facts.get("seconds")) / members * retrained_share(done),
    )
    if members > 1 or trees:
        subject.inside = words.text(
            "Of the first network; the prediction is {predictors}.", predictors=trained_text(members, trees, 0)
        )
    recorded(subject)
    if subject.recording is not None:
        layers = [name.removeprefix(FIRST_NAMED) for name in subject.recording.layers]
        subject.recording = replace(subject.recording, layers=layers)
    if evidence is None:
        return
    subject.held = evidence.held
    subject.inputs = columns_of(run, evidence)
    if subject.x is None:
        rows = evidence.at[: evidence.random]
        subject.x, subject.y = evidence.x[: evidence.random], encoded(run, first, evidence.held.truth[rows])


def left_out(run: TableRun) -> list[tuple[Text, Text]]:
    """The columns that aren't inputs, each with the reason; nothing if all are."""
    options = run.facts["options"]
    unused = {column.name: column.understood for column in run.features.describe() if not column.features}
    unused |= dict.fromkeys(options.get("ignore") or (), "--ignore")
    unused |= {options[name]: f"--{name}" for name in ("id", "group", "time") if options.get(name)}
    used = {column.name for column in run.features.columns if column.features}  # such as a time that is kept
    named = [words.Said("{name}: {why}", name=name, why=why) for name, why in unused.items() if name not in used]
    if not named:
        return []
    more = [f"… {len(named) - MOST_LEFT_OUT:,}"] * (len(named) > MOST_LEFT_OUT)
    return [(words.text("columns left out"), words.listed([*named[:MOST_LEFT_OUT], *more], "; "))]


def free_texts(run: TableRun) -> list[tuple[Text, Text]]:
    """The columns of free text, each with how it was read; nothing if there are none."""
    texts = [column for column in run.features.columns if isinstance(column, TextColumn)]
    told = [words.Said("{name}: {why}", name=c.name, why=c.understood) for c in texts[:MOST_LEFT_OUT]]
    return [(words.text("columns of free text"), words.listed(told, "; "))] if told else []


def models_beside(names: Sequence[str]) -> Text:
    """What models of these names are, as `tabular.trees.called` says it in the terminal."""
    trees = any(name != LINEAR for name in names)
    if LINEAR not in names:
        return words.text("trees")
    return words.text("a linear model and trees" if trees else "a linear model")


def trained_text(members: int, trees: Any, weights: int) -> dict[str, str]:
    """How many networks, and what is beside them."""
    said = words.text("the mean of {members} networks" if members > 1 else "one network", members=members)
    if weights:
        said = words.text("{networks}, {weights:,} weights", networks=said, weights=weights)
    if trees:
        names = [kind.name for kind in trees]
        beside = {LINEAR: words.Said("linear model")}  # the others are names
        parts = [
            words.Said("{name} {weight:.0%}", name=beside.get(kind.name, kind.name), weight=kind.weight)
            for kind in trees
        ]
        said = words.text(
            "{networks}, with {models} ({parts} of the prediction)",
            networks=said,
            models=models_beside(names),
            parts=parts,
        )
    return said


def alone(run: TableRun) -> Model:
    """The first network as a model of its own, compiled."""
    first: Any = run.first_network()
    task = recipe(run.target.task)
    options = run.facts["options"]
    copy: Model = type(first).from_config(first.get_config())
    copy.set_weights(first.get_weights())
    copy.compile(options.get("optimizer") or "adam", first.loss if first.compiled else options.get("loss") or task.loss)
    return copy


def unprefixed(node: dict[str, Any]) -> dict[str, Any]:
    """A layer of the first network by its name there, without the network's."""
    sources = [source.removeprefix(FIRST_NAMED) for source in node["sources"]]
    return node | {"name": node["name"].removeprefix(FIRST_NAMED), "sources": sources}


def other_members(run: TableRun, members: int) -> dict[str, Array]:
    """The weights of the other networks of an ensemble, as vectors."""
    found = {}
    for number_of in range(2, members + 1):
        end: Any = run.model.get_layer(f"member_{number_of}_output").output
        network = Functional(run.model.input, end, seed=0)
        found[f"network {number_of}"] = np.concatenate([array.ravel() for array in network.get_weights()])
    return found


def steps_done(facts: dict[str, Any], recording: Any, members: int, batch: int) -> int:
    """The steps of one network's training."""
    if recording is not None and recording.facts.get("steps"):
        return int(recording.facts["steps"])
    epochs = max((member["epochs"] for member in facts.get("members", [])), default=1)
    return int(epochs * -(-facts["rows"]["train"] // batch))


def recorded(subject: Subject) -> None:
    """Takes the rows that a recording kept as those that the landscape is of."""
    sample = None if subject.recording is None else subject.recording.sample
    if sample is not None and sample.x is not None and sample.y is not None:
        subject.x, subject.y = sample.x, sample.y


def encoded(run: TableRun, model: Model, truth: Array) -> Array:
    """Targets as the network's loss takes them."""
    target = run.target
    if target.task == "regression":
        scaled: Array = ((truth - target.mean) / target.scale).astype(np.float32)[:, None]
        return scaled
    y = truth.astype(np.float32)[:, None] if target.task == "binary" else truth
    return recipe(target.task).encode(y, target.outputs, model.loss)


def columns_of(run: TableRun, evidence: Evidence) -> ColumnInputs:
    """The columns of the rows whose inputs are kept."""
    names, places, first = [], [], 0
    for column in run.features.columns:
        if column.features:
            names.append(column.name)
            places.append(slice(first, first + len(column.features)))
            first += len(column.features)
    cells = [evidence.cells.get(name, [None] * len(evidence.at)) for name in names]
    numeric = [any(is_numeral(c) for c in column) and not any(isinstance(c, str) for c in column) for column in cells]
    arrays = [
        np.array([np.nan if cell is None else cell for cell in column], np.float64)
        if numbers
        else np.array([cell if cell is None else str(cell) for cell in column], object)
        for column, numbers in zip(cells, numeric, strict=True)
    ]
    return ColumnInputs(
        at=evidence.at,
        random=evidence.random,
        names=names,
        numeric=numeric,
        cells=arrays,
        places=places,
        x=evidence.x,
        predict=run.of_matrix,
    )


def is_numeral(cell: Any) -> bool:
    return isinstance(cell, int | float) and not isinstance(cell, bool)


def shares(run: TableRun, y_pred: Array) -> Array:
    return np.column_stack(list(run.features.probabilities(y_pred).values()))


# --- images ----------------------------------------------------------------------------------------------------------


def about_images(subject: Subject, run: ImageRun, evidence: Evidence | None) -> None:
    """Adds what is known of a run on images."""
    facts, model = run.facts, run.model
    subject.task, subject.target = "multiclass" if len(run.classes) > 2 else "binary", "class"
    subject.classes = run.classes
    shape = "×".join(map(str, model.row_in))
    count = model.count_params()
    subject.facts = [
        (words.text("source"), facts.get("source", "")),
        (words.text("images", context="fact"), shape),
        (words.text("classes"), f"{len(run.classes)}: {', '.join(run.classes[:12])}"),
        (words.text("images for what"), rows_text(facts)),
        (
            words.text("trained"),
            words.text("{model}, {count:,} weights", model=facts["options"].get("model"), count=count),
        ),
        (words.text("training", context="fact"), seconds_text(facts, len(run.history))),
        *((words.text("weights kept"), kept_text(member)) for member in facts.get("members", [])),
        (words.text("seed"), str(facts["seed"])),
    ]
    batch = int(facts["options"]["batch_size"])
    steps = len(run.history) * -(-facts["rows"]["train"] // batch)
    subject.network = Network(
        model=model,
        nodes=[vars(step) for step in steps_of(model._weights.graph)],
        batch=batch,
        again=retrained(model, batch, steps),
        seconds=number(facts.get("seconds")) * retrained_share(steps),
    )
    recorded(subject)
    if evidence is None:
        return
    subject.held = evidence.held
    subject.inputs = PictureInputs(at=evidence.at, random=evidence.random, x=evidence.x)
    if subject.x is None:
        subject.x = evidence.x[: evidence.random]
        subject.y = evidence.held.truth[evidence.at[: evidence.random]]


def kept_text(member: dict[str, Any]) -> Text:
    """Which epoch's weights were kept."""
    best, epochs = member["best epoch"], member["epochs"]
    return words.text("those of epoch {best:,} of {epochs:,}", best=best, epochs=epochs)


def run_name(folder: Path) -> str:
    """The name of a run, for titles."""
    return folder.resolve().name or "run"
