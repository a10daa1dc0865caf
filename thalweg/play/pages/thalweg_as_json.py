"""What the page has to know of thalweg, as JSON: names, defaults, ranges, equations, limits.

The JavaScript of views/web/worker reads it and types none of it twice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from math import inf
from typing import Any

import numpy as np

from thalweg import activations, initializers, losses, optimizers, words
from thalweg.data.reading import MISSING_MARKERS
from thalweg.data.recipe import RECIPES, Recipe
from thalweg.doctor import blowups, case, generalising, givens, lifeless, steps
from thalweg.doctor.examination import RULES
from thalweg.doctor.finding import SEVERITIES, title_of
from thalweg.doctor.rule import Rule
from thalweg.initializers.drawn import TRUNCATED_STDDEV, Scaled
from thalweg.landscapes import planes, terrain
from thalweg.layers import Dense, Input
from thalweg.losses import Loss, SumSquaredError
from thalweg.losses.outputs import doubt
from thalweg.models.sequential import Sequential
from thalweg.play import bounds, scenes
from thalweg.play.choices import HALVED, MOST, RATES, SCHEDULES, SPECIAL, arguments, choices
from thalweg.play.exports_as_json import exports
from thalweg.play.page_state import rules
from thalweg.play.passages import judgements
from thalweg.program.formula.language import parsed
from thalweg.program.lowering import forward
from thalweg.program.passes.draft import Request
from thalweg.recordings import measuring
from thalweg.recordings.recorder import target_kind
from thalweg.support.naming import snake_case
from thalweg.tracing.tutorial import FACTORS
from thalweg.version import __version__

OPERATORS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "mod", ast.Pow: "**", ast.And: "and",
    ast.Or: "or", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
MODULES = (blowups, bounds, case, generalising, givens, lifeless, measuring, planes, steps, terrain)
"""Whose constants the page reads, by their names."""


def site_facts() -> dict[str, Any]:
    """Everything.

    >>> found = site_facts()
    >>> found["losses"]["mean_squared_error"]["slope"]
    {'let': [], 'value': ['*', 2, ['-', 'p', 'y']]}
    """
    return {
        "version": __version__,
        "choices": choices(),
        "limits": bounds.limits(),
        "constants": {key: value for module in MODULES for key, value in constants(module)},
        "sentences": dict(zip(("x", "y", "words"), map(plain, judgements()), strict=True)),
        "state": rules(),
        "recipes": {task: recipe_json(recipe) for task, recipe in RECIPES.items()},
        "activations": {name: activation_json(name) for name in usable()},
        "losses": {name: loss_json(loss) for name, loss in offered_losses()},
        "doubts": doubts(),
        "halved": HALVED,
        "factors": {kind: [factor(1), factor(2)] for kind, factor in FACTORS.items()},
        "initializers": {name: initializer_json(name) for name in initializers.NAMES} | {
            other: initializer_json(name) for other, name in initializers.ALIASES.items()
        },
        "truncated_stddev": TRUNCATED_STDDEV,
        "optimizers": {name: arguments(kind, ("learning_rate",)) for name, kind in optimizers.NAMES.items()},
        "ranges": {name: ranges(kind) for name, kind in optimizers.NAMES.items()},
        "most": MOST,
        "schedules": {name: arguments(kind, RATES) for name, kind in SCHEDULES.items()},
        "doctor": {
            "rules": {name: rule_json(rule) for name, rule in RULES.items()},
            "severities": SEVERITIES,
            "ranges": {name: [low, high if high < inf else None] for name, (low, high) in givens.RANGES.items()},
            "probable": givens.PROBABLE,
            "scaling": sorted(givens.SCALING),
        },
        "missing": MISSING_MARKERS,
        "exports": exports([name for name, _ in offered_losses() if name not in HALVED]),
        "initial": scenes.initial(None, None, False),
    }  # fmt: skip


def plain(value: Any) -> list[Any]:
    """An array of whole numbers as lists."""
    return list(value.astype(int).tolist() if isinstance(value, np.ndarray) else value)


def constants(module: Any) -> Iterator[tuple[str, Any]]:
    """A module's own numbers: those whose names are in capitals."""
    for key, value in vars(module).items():
        if key.isupper() and isinstance(value, (int, float)):
            yield f"{module.__name__.rpartition('.')[2]}.{key}", value


def ranges(kind: Any) -> dict[str, Any]:
    """Of the arguments of an optimizer: from which number on, and below which, as it checks them itself.

    >>> ranges(optimizers.SGD)
    {'momentum': [0.0, 1.0]}
    """
    found: dict[str, Any] = {}

    def check(self: Any, name: str, value: Any, low: float = 0.0, high: float = inf) -> Any:
        found[name] = [low if low > -inf else None, high if high < inf else None]
        return kind.check(self, name, value, low, high)

    type(kind.__name__, (kind,), {"check": check})()
    return {name: found[name] for name in arguments(kind, ("learning_rate",)) if name in found}


def usable() -> list[str]:
    """The activations of the page's menu."""
    return [activation["name"] for activation in choices()["activations"]]


def activation_json(name: str) -> dict[str, Any]:
    """An activation: its equations as trees, and as texts if code spells them out."""
    function: Any = activations.NAMES[name]
    equation = function.equation
    found: dict[str, Any] = {"name": name, "rowwise": function.rowwise}
    if equation is not None:
        found |= {"value": tree(equation.value), "slope": tree(equation.slope), "numbers": function.numbers()}
    return found | ({"texts": [equation.value, equation.slope]} if name == "sine" else {})


def loss_json(loss: Loss) -> dict[str, Any]:
    """A loss: its equation if each output has its own, its arguments, and what a row's sum is multiplied by."""
    of = loss.kind
    options = list(getattr(of, "arguments", ())) if loss.equation is not None else list(loss.instruction.options())
    found: dict[str, Any] = {
        "name": loss.name,
        "kind": type(loss).__name__,
        "half": getattr(loss, "half", False),
        "arguments": {option: float(loss.option(option)) for option in options},
        "coefficients": [loss.row_coefficient((1,)), loss.row_coefficient((2,))],
        "targets": [target_kind(loss, (1,)), target_kind(loss, (2,))],
        "sparse": loss.target_shape((2,)) == (1,),
        "noise": getattr(loss, "noise", None),
        "after": loss.after if loss.after is None else getattr(loss.after, "name", "softmax"),
    }
    if loss.equation is not None:
        found |= {"value": tree(loss.equation.value), "slope": tree(loss.equation.slope)}
    return found


def offered_losses() -> Iterator[tuple[str, Loss]]:
    """Every loss that a state may name."""
    for name, kind in losses.NAMES.items():
        if kind.__name__ not in SPECIAL:
            yield name, losses.get(name)
    for name in HALVED:
        yield name, SumSquaredError(half=True)


def doubts() -> dict[str, dict[str, list[Any]]]:
    """What is said where an output activation doesn't suit a loss: of one output, and of several."""
    offered = [losses.get(name) for name in choices()["losses"] if name not in HALVED]
    found: dict[str, dict[str, list[Any]]] = {}
    for ending in usable():
        ends = [forward(network_of(units, ending), Request("inference")) for units in (1, 2)]
        for loss in offered:
            said = [doubt(loss, outputs[0], builder.instructions) for builder, outputs in ends]
            if any(said):
                found.setdefault(ending, {})[loss.name] = [None if s is None else s.text for s in said]
    return found


def network_of(units: int, ending: str) -> Any:
    """The smallest network with this end."""
    model = Sequential([Input((1,)), Dense(units, ending)], seed=0)
    model.build()
    return model._compiled.network()


def rule_json(rule: Rule) -> dict[str, Any]:
    """A rule of the doctor's: what it needs, and its texts."""
    texts = {name: words.text(getattr(rule, name)) for name in ("sentence", "evidence", "remedy")}
    title = title_of(rule.name)
    return {"title": title, "severity": rule.severity, "needs": rule.needs, "yields_to": rule.yields_to, **texts}


def recipe_json(recipe: Recipe) -> dict[str, Any]:
    """How a network for a task ends."""
    return {"loss": recipe.loss, "activation": recipe.activation, "fitting": dict(recipe.fitting)}


def initializer_json(name: str) -> dict[str, Any]:
    """A rule for initial weights: its kind and arguments; Glorot's and others' as the scaling of a variance."""
    kind = initializers.NAMES[name]
    made: Any = kind()
    own = arguments(kind, ())
    scaling: dict[str, Any] = {}
    if isinstance(made, Scaled):
        of = made.scaling()
        scaling = {"scale": of.scale, "mode": of.mode, "distribution": of.distribution}
    return {"kind": "variance_scaling" if scaling else snake_case(kind.__name__), "arguments": own, "fixed": scaling}


def tree(text: str) -> dict[str, Any]:
    """A formula as JSON: the parts that it names, and its value; an operation is a list that begins with its name.

    >>> tree("max(h, 0)")
    {'let': [], 'value': ['max', 'h', 0]}
    """
    definitions, value = parsed(text)
    return {"let": [[name, branch(part)] for name, part in definitions], "value": branch(value)}


def branch(e: ast.expr) -> Any:
    """An expression: a number, a name, or an operation and its operands."""
    match e:
        case ast.Constant(value=number):
            return number
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=ast.USub(), operand=x):
            return ["neg", branch(x)]
        case ast.UnaryOp(op=ast.Not(), operand=x):
            return ["not", branch(x)]
        case ast.BinOp(left=x, op=op, right=y):
            return [OPERATORS[type(op)], branch(x), branch(y)]
        case ast.BoolOp(op=op, values=parts):
            return [OPERATORS[type(op)], *map(branch, parts)]
        case ast.Compare(left=x, ops=ops, comparators=others):
            sides = [branch(side) for side in (x, *others)]
            pairs = [[OPERATORS[type(o)], a, b] for o, a, b in zip(ops, sides, sides[1:], strict=False)]
            return pairs[0] if len(pairs) == 1 else ["and", *pairs]
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return [name, *map(branch, arguments)]
    raise TypeError(f"not part of a formula: {ast.unparse(e)}")
