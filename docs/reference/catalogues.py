"""What the reference's pages show: catalogues of which every entry has facts, and things told by their docstrings."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import curves

import thalweg
from thalweg import (
    activations,
    callbacks,
    constraints,
    data,
    doctor,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    recordings,
    regularizers,
    schedules,
    sklearn,
    tabular,
    words,
)
from thalweg.runs.run import Run
from thalweg.tracing.step_trace import Trace

DEFINITION = "a definition, no paper"
RULE = ("formula", "use", "avoid", "paper")
MODEL = (  # the methods that a user calls, in the order in which one meets them
    *("build", "compile", "fit", "evaluate", "predict", "summary", "program", "schedule", "profile"),
    *("trace", "diagnose", "report"),
    *("save", "save_weights", "load_weights", "get_weights", "set_weights", "count_params", "get_layer"),
    *("train_on_batch", "test_on_batch", "predict_on_batch", "get_config", "from_config", "to_json"),
)
RESULTS: dict[str, tuple[Any, tuple[str, ...]]] = {  # what calls return, and the methods of it that a user calls
    "Recording": (recordings.Recording, ("of", "weights_at", "with_facts", "save", "load")),
    "Trace": (Trace, ("tutorial", "text", "to_json", "figure")),
    "Diagnosis": (doctor.Diagnosis, ("text", "to_json")),
    "Finding": (doctor.Finding, ("text", "to_json")),
    "diagnose": (doctor.diagnose, ()),
    "Run": (Run, ("predict", "predict_proba", "evaluate", "diagnose")),
    "Comparison": (thalweg.Comparison, ("ranked", "records", "save", "figure")),
    "LearningRateTest": (thalweg.LearningRateTest, ("plot",)),
    "Tuning": (thalweg.Tuning, ("ranked", "summary", "verdict", "table", "records", "save", "figure")),
}
EXPERIMENTS = ("compare", "find_learning_rate", "fit_many", "lsuv", "tune")


@dataclass(frozen=True)
class Section:
    """One page: a catalogue, the facts each entry has, and what is drawn of it."""

    name: str
    title: str
    title_zh: str
    intro: str
    intro_zh: str
    things: dict[str, Any]
    facts: tuple[str, ...] = ()
    draw: Callable[[str, Any, Path], bool] | None = None
    methods: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of things that are returned, not made


def classes(module: Any) -> dict[str, Any]:
    """The public classes of a catalogue, by name."""
    held = module.CLASSES
    named = dict(held) if isinstance(held, dict) else {c.__name__: c for c in held}
    return dict(sorted(named.items()))


def by_name(module: Any) -> dict[str, Any]:
    """What a module gives out that has a docstring of its own: classes and functions."""
    held = {name: getattr(module, name) for name in module.__all__}
    return {name: thing for name, thing in sorted(held.items()) if inspect.isclass(thing) or inspect.isfunction(thing)}


def of_models() -> dict[str, Any]:
    """Sequential and Model, the methods of both, and what loads, compares and searches."""
    things: dict[str, Any] = {"Input": thalweg.Input, "Sequential": thalweg.Sequential, "Model": thalweg.Model}
    things |= {f"Model.{name}": getattr(thalweg.Model, name) for name in MODEL}
    things |= {name: getattr(models, name) for name in ("load_model", "from_sklearn", "load_torch_state")}
    things |= {"load_run": thalweg.load_run}
    return things | {name: getattr(thalweg, name) for name in EXPERIMENTS}


def of_tables() -> dict[str, Any]:
    """The estimators, and the parts of which they are made."""
    return by_name(sklearn) | by_name(tabular) | {n: t for n, t in by_name(data).items() if n not in tabular.__all__}


def sections() -> list[Section]:
    """Every page."""
    return [
        Section(
            "models",
            "Models",
            "模型",
            "Build a network, train it, look into it and keep it. How they belong together: [training](training.md).",
            "建立網路、訓練、查看內部、儲存。",
            of_models(),
        ),
        Section(
            "results",
            "What calls return",
            "傳回的物件",
            "What `fit(…, record=True)`, `trace`, `diagnose`, `load_run`, `compare`, `find_learning_rate` and `tune` "
            "leave or return. In sentences: [looking in](looking-in.md).",
            "記錄、追蹤、診斷、訓練結果、比較與搜尋的結果。",
            {name: thing for name, (thing, _) in RESULTS.items()},
            methods={name: methods for name, (_, methods) in RESULTS.items() if methods},
        ),
        Section(
            "layers",
            "Layers",
            "層",
            "What a network is made of: `Sequential([Input((4,)), Dense(3)])`.",
            "網路由層組成。",
            classes(layers),
        ),
        Section(
            "activations",
            "Activations",
            "激勵函數",
            'What a unit makes of its pre-activation: `Dense(64, activation="relu")`.',
            "單元如何由預激勵值得到輸出。",
            dict(sorted(activations.NAMES.items())),
            ("formula", "derivative", "range", "use", "avoid", "paper"),
            curves.activation,
        ),
        Section(
            "losses",
            "Losses",
            "損失函數",
            'What training makes small: `model.compile(loss="mse")`.',
            "訓練要變小的數。",
            classes(losses),
            ("formula", "derivative", "range", "targets", "use", "avoid", "paper"),
            curves.loss,
        ),
        Section(
            "optimizers",
            "Optimizers",
            "最佳化方法",
            'How the weights follow the gradient: `model.compile(optimizer="adam")`.',
            "權重如何跟著梯度移動。",
            classes(optimizers),
            RULE,
        ),
        Section(
            "schedules",
            "Schedules",
            "學習率排程",
            "The learning rate as a function of the step: `SGD(CosineDecay(0.1, 1000))`.",
            "學習率隨步驟變化。",
            classes(schedules),
            RULE,
            curves.schedule,
        ),
        Section(
            "initializers",
            "Initializers",
            "權重初始化",
            'How weights start: `Dense(64, kernel_initializer="he_normal")`.',
            "權重的起點。",
            classes(initializers),
            RULE,
            curves.initializer,
        ),
        Section(
            "regularizers",
            "Regularizers",
            "正則化",
            'Penalties on weights or outputs, added to the loss: `Dense(64, kernel_regularizer="l2")`.',
            "加到損失上的懲罰，針對權重或輸出。",
            classes(regularizers),
            RULE,
        ),
        Section(
            "constraints",
            "Constraints",
            "權重約束",
            'What weights are brought to after every update: `Dense(64, kernel_constraint="max_norm")`.',
            "每次更新後，權重必須回到的範圍。",
            classes(constraints),
            RULE,
        ),
        Section(
            "metrics",
            "Metrics",
            "評估指標",
            'Scores for people, beside the loss: `model.compile(metrics=["accuracy"])`.',
            "損失之外，給人看的分數。",
            dict(sorted((classes(metrics) | metrics.BY_THEMSELVES).items())),
        ),
        Section(
            "callbacks",
            "Callbacks",
            "回呼",
            "Objects whose methods training calls at its events: `model.fit(x, y, callbacks=[EarlyStopping()])`. "
            "How to use and write them: [training](training.md#callbacks).",
            "訓練進行中被呼叫的物件。",
            by_name(callbacks),
        ),
        Section(
            "estimators",
            "Tables and estimators",
            "表格與估計器",
            "Networks by scikit-learn's contract, and the parts of which they are made: "
            "`TabularClassifier().fit(frame, labels)`. How they work: [tables](tables.md).",
            "遵循 scikit-learn 介面的網路，以及組成它們的零件。",
            of_tables(),
        ),
    ]


def fact(thing: Any, which: str) -> str:
    """One fact of an entry, which is its own attribute."""
    value = getattr(thing, which, None)
    if which == "paper" and value == "":
        return DEFINITION
    return value if isinstance(value, str) else ""


def fact_zh(section: Section, name: str, which: str) -> str:
    """A fact in Chinese; also its "title", a translation of the name, and its "summary", one sentence on it."""
    if which in ("title", "summary"):
        return words.say(name, "zh", context=f"{section.name}: {which}")
    english = fact(section.things[name], which)
    return words.say(english, "zh", context=f"{section.name}: {which}") if in_words(which, english) else english


def in_words(which: str, english: str) -> bool:
    """Whether a fact is a sentence, rather than a formula, an interval or the title of a paper."""
    if which in ("range", "targets"):
        return bool(re.search(r"\b(to|or)\b|[a-z]{3}", re.sub("alpha|threshold|default_value", "", english)))
    return which in ("use", "avoid") or (which == "paper" and english == DEFINITION)


def sentences() -> Iterator[tuple[str, str]]:
    """(context, English) of all that the pages say in Chinese, too: keys of the catalogue."""
    for section in sections():
        for name, thing in section.things.items():
            yield from ((f"{section.name}: {which}", name) for which in ("title", "summary"))
            told = ((which, fact(thing, which)) for which in section.facts)
            yield from ((f"{section.name}: {which}", text) for which, text in told if in_words(which, text))


def call(name: str, thing: Any) -> str:
    """How it is made or called, with its defaults, in lines of at most 88 signs."""
    if not inspect.isclass(thing) and not inspect.isroutine(thing):
        used = getattr(thing, "argument_names", tuple)()
        return f'"{name}"' + (f", or activations.{name}.using({', '.join(f'{u}=…' for u in used)})" if used else "")
    parameters = [p for p in inspect.signature(thing).parameters.values() if p.name not in ("self", "cls")]
    shown = [
        f"**{p.name}" if p.kind is p.VAR_KEYWORD
        else f"*{p.name}" if p.kind is p.VAR_POSITIONAL
        else p.name if p.default is p.empty
        else f"{p.name}={default(p.default)}"
        for p in parameters
    ]  # fmt: skip
    alone = [n for n, p in enumerate(parameters) if p.kind is p.KEYWORD_ONLY]
    if alone and not any(p.kind is p.VAR_POSITIONAL for p in parameters):
        shown.insert(alone[0], "*")
    name = name.replace("Model.", "model.")
    line = f"{name}({', '.join(shown)})"
    if len(line) <= 88:
        return line
    filled = textwrap.wrap(", ".join(part.replace(" ", "\0") for part in shown) + ",", 84)
    return f"{name}(\n" + "\n".join(f"    {part}" for part in filled).replace("\0", " ") + "\n)"


def default(value: Any) -> str:
    """A default as one writes it: a class or function by its name, no addresses."""
    return value.__name__ if inspect.isclass(value) or inspect.isfunction(value) else repr(value)


def arguments(thing: Any) -> list[str]:
    """The names of its arguments."""
    return list(inspect.signature(thing).parameters) if callable(thing) else []


def text_of(thing: Any) -> tuple[str, str]:
    """The first paragraph of the docstring, and the rest as it stands. An activation has its facts instead."""
    if not inspect.isclass(thing) and not inspect.isroutine(thing):
        return "", ""
    first, _, rest = (inspect.getdoc(thing) or "").partition("\n\n")
    return first.strip(), rest.strip("\n")
