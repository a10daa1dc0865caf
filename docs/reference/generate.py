"""Writes the reference pages, generated from the code: python docs/reference/generate.py FOLDER, or `make docs`.

A page for each catalogue: a table of everything in it, then an entry each with its call, formula, curve, and when to
use it. Every fact is an attribute of the thing itself.
"""

from __future__ import annotations

import inspect
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thalweg import activations, constraints, initializers, layers, losses, metrics, optimizers, regularizers, schedules
from thalweg.support.naming import snake_case

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

import curves  # noqa: E402 — stands beside this file

FACTS = {
    "formula": "Formula 公式",
    "derivative": "Derivative 導數",
    "range": "Range 值域",
    "targets": "Targets 目標",
    "use": "When to use it 適用",
    "avoid": "When not 不適用",
    "paper": "Source 出處",
}
CODE = ("formula", "derivative")


@dataclass(frozen=True)
class Section:
    """One page: a catalogue, the facts each entry has, and what is drawn of it."""

    name: str
    title_zh: str
    intro: str
    things: dict[str, Any]
    facts: tuple[str, ...]
    draw: Callable[[str, Any, Path], bool] | None = None


def classes(module: Any, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """The public classes of a catalogue, by name."""
    held = module.CLASSES
    named = dict(held) if isinstance(held, dict) else {c.__name__: c for c in held}
    return {name: thing for name, thing in sorted(named.items()) if name not in skip}


def sections() -> list[Section]:
    """Every page."""
    rule = ("formula", "use", "avoid", "paper")
    return [
        Section(
            "activations",
            "激勵函數",
            'What a unit makes of its pre-activation: `Dense(64, activation="relu")`.',
            dict(sorted(activations.NAMES.items())),
            ("formula", "derivative", "range", "use", "avoid", "paper"),
            curves.activation,
        ),
        Section(
            "losses",
            "損失函數",
            'What training makes small: `model.compile(loss="mse")`.',
            classes(losses),
            ("formula", "derivative", "range", "targets", "use", "avoid", "paper"),
            curves.loss,
        ),
        Section(
            "optimizers",
            "優化器",
            'How the weights follow the gradient: `model.compile(optimizer="adam")`.',
            classes(optimizers),
            rule,
        ),
        Section(
            "schedules",
            "學習率排程",
            "The learning rate as a function of the step: `SGD(CosineDecay(0.1, 1000))`.",
            classes(schedules),
            rule,
            curves.schedule,
        ),
        Section(
            "initializers",
            "權重初始化",
            'How weights start: `Dense(64, kernel_initializer="he_normal")`.',
            classes(initializers),
            rule,
            curves.initializer,
        ),
        Section(
            "regularizers",
            "正則化",
            'Penalties on weights or outputs, added to the loss: `Dense(64, kernel_regularizer="l2")`.',
            classes(regularizers),
            rule,
        ),
        Section(
            "constraints",
            "權重約束",
            'What weights are brought to after every update: `Dense(64, kernel_constraint="max_norm")`.',
            classes(constraints),
            rule,
        ),
        Section(
            "metrics",
            "評估指標",
            'Scores for people, beside the loss: `model.compile(metrics=["accuracy"])`.',
            dict(sorted((classes(metrics) | metrics.BY_THEMSELVES).items())),
            (),
        ),
        Section(
            "layers",
            "層",
            "What a network is made of: `Sequential([Input((4,)), Dense(3)])`.",
            classes(layers),
            (),
        ),
    ]


# --- facts -----------------------------------------------------------------------------------------------------------


def fact(thing: Any, which: str) -> str:
    """One fact of an entry, which is its own attribute."""
    value = getattr(thing, which, None)
    if which == "paper" and value == "":
        return "a definition, no paper"
    return value if isinstance(value, str) else ""


def call(name: str, thing: Any) -> str:
    """How it is made, with its defaults."""
    if not inspect.isclass(thing):
        used = getattr(thing, "argument_names", tuple)()
        return f'"{name}"' + (f", or activations.{name}.using({', '.join(f'{u}=…' for u in used)})" if used else "")
    parameters = [p for p in inspect.signature(thing).parameters.values() if p.name != "self"]
    shown = [
        f"**{p.name}" if p.kind is p.VAR_KEYWORD
        else f"*{p.name}" if p.kind is p.VAR_POSITIONAL
        else p.name if p.default is p.empty
        else f"{p.name}={p.default!r}"
        for p in parameters
    ]  # fmt: skip
    return f"{name}({', '.join(shown)})"


def text_of(thing: Any) -> tuple[str, str]:
    """The first paragraph of the docstring, and the rest as it stands. An activation has its facts instead."""
    if not inspect.isclass(thing):
        return "", ""
    first, _, rest = (inspect.getdoc(thing) or "").partition("\n\n")
    return first.strip(), rest.strip()


# --- pages -----------------------------------------------------------------------------------------------------------


def page(section: Section, folder: Path) -> str:
    """The Markdown of a catalogue; its pictures are written beside it."""
    lines = [f"# {section.name.capitalize()} {section.title_zh}", "", section.intro, ""]
    lines += ["| name | 中文 | |", "|---|---|---|"]
    for name, thing in section.things.items():
        title, summary = (fact(thing, which) for which in ("title_zh", "summary_zh"))
        lines.append(f"| [`{name}`](#{name.lower()}) | {title} | {summary} |")
    for name, thing in section.things.items():
        lines += ["", *entry(section, name, thing, folder)]
    return "\n".join(lines) + "\n"


def entry(section: Section, name: str, thing: Any, folder: Path) -> Iterator[str]:
    """The lines of one entry."""
    title, summary = (fact(thing, which) for which in ("title_zh", "summary_zh"))
    yield f"## {name} {title} {{: #{name.lower()} }}"
    yield ""
    yield summary
    first, rest = text_of(thing)
    if first:
        yield ""
        yield first
    yield ""
    yield f"```python\n{call(name, thing)}\n```"
    if section.facts:
        yield ""
        yield "| | |"
        yield "|---|---|"
        for which in section.facts:
            value = fact(thing, which)
            shown = f"`{value}`" if which in CODE else value
            yield f"| **{FACTS[which]}** | {shown.replace('|', chr(92) + '|')} |"
    picture = f"{section.name}-{snake_case(name)}.svg"
    if section.draw is not None and section.draw(name, thing, folder / picture):
        yield ""
        yield f"![{name}]({picture})"
    if rest:
        yield ""
        yield f"```text\n{rest}\n```"


def write(folder: Path) -> list[Path]:
    """All pages, with the texts and pictures of docs/ beside them, into an empty folder."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    written = []
    for section in sections():
        path = folder / f"{section.name}.md"
        path.write_text(page(section, folder), encoding="utf-8")
        written.append(path)
    for source in sorted([*HERE.parent.glob("*.md"), *HERE.parent.glob("*.svg"), *HERE.parent.glob("*.png")]):
        shutil.copy(source, folder)
    lines = ["# thalweg", "", "The reference, generated from the code. 參考手冊，由程式碼產生。", ""]
    for section in sections():
        names = ", ".join(f"[`{name}`]({section.name}.md#{name.lower()})" for name in section.things)
        lines += [f"## [{section.name.capitalize()} {section.title_zh}]({section.name}.md)", "", names, ""]
    (folder / "index.md").write_text("\n".join(lines), encoding="utf-8")
    return written


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs")):
        print(path)
