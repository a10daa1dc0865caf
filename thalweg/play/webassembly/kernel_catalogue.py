"""What JavaScript has to know of the native engine, as JSON: layouts of tables, signatures of kernels, and how what has
a formula is lowered.

Layers with weights are lowered by rules in JavaScript, as their rows depend on their neighbours. An activation, a loss,
a metric or an optimizer is a kernel with numbers; which, is read here from a small network that the native engine
lowers, so that nothing is said twice. Its sizes are chosen so that each number tells what it stands for.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np

from thalweg import layers, losses, metrics, optimizers
from thalweg.engine.native.compiler.kernel import Kernel, symbol_of
from thalweg.engine.native.kernels.table import KERNELS, MACHINE, kernel_of, parameters_of
from thalweg.engine.native.layouts.job import COME, CONSTANTS, ROW_WIDTH, LaneJob
from thalweg.engine.native.layouts.record import LINE
from thalweg.engine.native.layouts.state import Reals, State
from thalweg.engine.native.runtime.partition import SLICE
from thalweg.engine.native.scheduling.schedule import Schedule, schedule_of
from thalweg.errors import ThalwegError
from thalweg.layers import Input
from thalweg.models.sequential import Sequential
from thalweg.play.choices import HALVED, choices
from thalweg.program.instructions.activations import Activation, ElementwiseAdjoint
from thalweg.program.instructions.losses.loss_instruction import LossAndGradient
from thalweg.program.instructions.losses.penalties import Penalty, PenaltyGradient
from thalweg.program.instructions.rowwise import Rowwise, RowwiseAdjoint
from thalweg.program.instructions.updates.matrix_updates import WholeUpdate
from thalweg.program.instructions.updates.updates import Statements
from thalweg.program.ir.alignment import ALIGNMENT, align
from thalweg.program.ir.instruction import (
    FIRST_METRIC,
    GRADIENTS,
    LOSS,
    PARAMETERS,
    PENALTY,
    ROWS,
    WORKSPACE,
    Buffer,
    Instruction,
)
from thalweg.program.passes.draft import Request

STRUCTURE = (
    "gather", "affine", "input_gradient", "weight_gradient", "bias_gradient", "transpose",
    "convolution", "transposed_convolution", "flip", "kernel_gradient", "max_pooling", "max_pooling_adjoint",
    "dropout", "dropout_adjoint", "batch_moments", "batch_normalization", "batch_sums", "batch_normalization_adjoint",
    "channel_gradient", "moving_average", "normalization", "embedding", "embedding_gradient", "attention",
    "attention_adjoint", "average_pooling", "average_pooling_adjoint",
)  # fmt: skip
"""The kernels that JavaScript's own rules name."""
ENDINGS = ("linear", "sigmoid", "softmax")
"""The output layer's activations that a loss may be computed together with."""
METRICS = {"accuracy": "accuracy", "mae": "mae", "margin": metrics.BinaryAccuracy(0.0)}
"""A page's metrics; "margin" is the accuracy where what is above 0 means yes."""
INPUTS, POSITIONS, UNITS = 3, 7, 5
OTHER_UNITS = 11
Template = dict[str, Any]
Names = Mapping[str, float]


class Catalogue:
    """The kernels of a page's networks, by symbol, and the JSON that describes them.

    >>> found = Catalogue().to_json()
    >>> found["activations"]["tanh"]["reads"], found["losses"]["mean_squared_error"]["many"]["targets"]
    ('a', 'units')
    """

    def __init__(self) -> None:
        self.kernels: dict[str, Kernel] = {symbol_of(k): k for k in (KERNELS[name] for name in STRUCTURE)}
        menus = choices()
        self.activations = {a["name"]: self.activation(a["name"]) for a in menus["activations"]}
        self.losses = {name: {"one": self.loss(name, 1), "many": self.loss(name, UNITS)} for name in menus["losses"]}
        self.optimizers = {name: self.optimizer(name, given) for name, given in menus["optimizers"].items()}
        penalised = schedule_of_a_network([layers.Dense(UNITS, kernel_regularizer="l1_l2")])
        self.penalties = {
            key: self.template(found(penalised, kind)[0], {"size": INPUTS * UNITS}) | {"constants": {}}
            for key, kind in (("penalty", Penalty), ("gradient", PenaltyGradient))
        }

    def to_json(self) -> dict[str, Any]:
        """Everything that JavaScript reads."""
        normalised = layers.BatchNormalization()
        return {
            "machine": symbol_of(MACHINE),
            "layout": {
                "row": ROW_WIDTH, "constants": CONSTANTS, "state": State.size, "reals": Reals.size,
                "job_size": LaneJob.size, "shared": COME + LINE, "slice": SLICE, "alignment": ALIGNMENT,
                "job": LaneJob.places, "rows": State.rows, "batch_rows": State.batch_rows,
                "totals": {"loss": LOSS, "rows": ROWS, "penalty": PENALTY, "metric": FIRST_METRIC},
            },
            "kernels": {name: signature(kernel) for name, kernel in self.kernels.items()},
            "structure": {name: symbol_of(KERNELS[name]) for name in STRUCTURE},
            "activations": self.activations,
            "losses": self.losses,
            "optimizers": self.optimizers,
            "penalties": self.penalties,
            "batch_norm": {"epsilon": normalised.epsilon, "momentum": normalised.momentum},
        }  # fmt: skip

    def wanted(self) -> list[Kernel]:
        """Every kernel that the module exports."""
        return [MACHINE, *self.kernels.values()]

    def template(self, i: Instruction, names: Names) -> Template:
        """The kernel of an instruction with its sizes and constants, for which names stand where they have one."""
        kernel = kernel_of(i)
        self.kernels[symbol_of(kernel)] = kernel
        return {
            "kernel": symbol_of(kernel),
            "sizes": {key: named(value, names) for key, value in i.sizes.items()},
            "constants": {key: named(value, names) for key, value in i.constants.items()},
            "extents": {key: named(b.size, names) for key, b in i.named_operands.items() if isinstance(b, Buffer)},
        }

    def activation(self, name: str) -> Template:
        """Forward and backward; null where nothing is done. reads: which of h and a the backward kernel is given."""
        schedule = schedule_of_a_network([layers.Dense(UNITS, name), layers.Flatten(), layers.Dense(1)], POSITIONS)
        names = {"size": POSITIONS * UNITS, "positions": POSITIONS, "units": UNITS}
        forward, backward = found(schedule, Activation, Rowwise), found(schedule, ElementwiseAdjoint, RowwiseAdjoint)
        reads = None
        for i in backward:
            reads = "a" if i.v is forward[0].a else "h"
        return {
            "forward": self.template(forward[0], names) if forward else None,
            "backward": self.template(backward[0], names) if backward else None,
            "reads": reads,
        }

    def loss(self, name: str, units: int) -> dict[str, Any]:
        """A loss of an output layer of one or several units, together with each activation that it may include."""
        result: dict[str, Any] = {"endings": {}}
        for ending in ENDINGS:
            template = self.ending(name, ending, units)
            other = self.ending(name, ending, OTHER_UNITS) if units > 1 else template
            if other != template:
                raise ValueError(f"{name} of {ending}: {template} depends otherwise on the units: {other}")
            result["endings"][ending] = template
        target = loss_of(name).target_shape((units,))
        return result | {"targets": "one" if target == (1,) else "units"}

    def ending(self, name: str, ending: str, units: int) -> dict[str, Any]:
        """A loss after an output layer with this activation, which it may compute itself (`joined`), and the metrics
        that go with it."""
        names = {} if units == 1 else {"units": units, "1/units": 1 / units}
        result: dict[str, Any] = {}
        for metric, kind in METRICS.items():
            try:
                schedule = schedule_of_a_network([layers.Dense(units, ending)], loss=loss_of(name), metric=kind)
            except ThalwegError:  # the metric takes other targets
                continue
            (loss,) = found(schedule, LossAndGradient)
            result["loss"] = self.template(loss, names)
            result["joined"] = ending != "linear" and not found(schedule, Activation, Rowwise)
            (score,) = (i for i in schedule.rows if i is not loss and i.named_operands.get("sums") is not None)
            result[metric] = self.template(score, names)
        return result

    def optimizer(self, name: str, menu: Mapping[str, Any]) -> dict[str, Any]:
        """An optimizer's rows for each choice of the arguments that decide on its equation (`switches`, by whether they
        are 0 or false); others of those (`fixed`) can only be the default."""
        kind = optimizers.NAMES[name]
        defaults = {"weight_decay": 0.0, **{key: value for key, value in menu.items() if value is not None}}
        switches = [key for key, value in defaults.items() if key == "weight_decay" or not value or value is True]
        probes = {key: probe(n, value) for n, (key, value) in enumerate(defaults.items())}
        usual = kernels_of(self.variant(kind, defaults))
        others = {key: {**defaults, key: probes[key]} for key in defaults if key not in switches}
        fixed = [key for key, values in others.items() if kernels_of(self.variant(kind, values)) != usual]
        variants = {}
        for chosen in product((False, True), repeat=len(switches)):
            on = dict(zip(switches, chosen, strict=True))
            values = {
                key: value if key in fixed else probes[key] if on.get(key, True) else type(value)(0)
                for key, value in defaults.items()
            }
            variants["".join("01"[yes] for yes in chosen)] = self.variant(kind, values)
        return {"defaults": defaults, "switches": switches, "fixed": fixed, "variants": variants}

    def variant(self, kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
        """The rows over the whole vector, or over each kernel (matrix) and each bias (vector), of an optimizer with
        these arguments; its vectors, and what each begins with: the weights, or an argument."""
        optimizer = kind(**values)
        schedule = schedule_of_a_network([layers.Dense(UNITS)], optimizer=optimizer)
        whole, stride = align(INPUTS * UNITS) + UNITS, align(align(INPUTS * UNITS) + UNITS)
        matrix = {"size": INPUTS * UNITS, "rows": INPUTS, "columns": UNITS, "matrices": 1}
        over = {
            whole: ("all", {"size": whole}),
            INPUTS * UNITS: ("matrix", matrix | {"scratch": 3 * INPUTS * UNITS + 2 * INPUTS**2}),
            UNITS: ("vector", {"size": UNITS}),
        }
        numbers = {key: value for key, value in values.items() if value and not isinstance(value, bool)}
        if "rms_rate" in numbers:
            numbers["step"] = numbers["rms_rate"] * UNITS**0.5  # rms_rate·√max(rows, columns)
        arguments = {value: key for key, value in numbers.items()}
        rows = []
        for i in (*found(schedule, Statements), *found(schedule, WholeUpdate)):
            operands = {key: b for key, b in i.named_operands.items() if isinstance(b, Buffer)}
            kind_of_row, names = over[next(iter(operands.values())).size]
            row = self.template(i, {"ns_steps": numbers.get("ns_steps", -1), **names})
            row["constants"] = {key: arguments.get(value, value) for key, value in i.constants.items()}
            row["operands"] = {key: placed(b, stride) for key, b in operands.items()}
            rows.append(row | {"over": kind_of_row})
        return {
            "rows": rows,
            "names": list(optimizer.own_slots()),
            "slots": self.beginnings(optimizer, arguments),
            "flat": isinstance(optimizer, optimizers.Muon),
        }

    def beginnings(self, optimizer: Any, arguments: Mapping[float, str]) -> list[str | None]:
        """What each of the optimizer's vectors begins with; null for 0."""
        w = np.linspace(1, 2, UNITS, dtype=np.float64)
        slots = {name: np.zeros(UNITS) for name in optimizer.own_slots()}
        optimizer.initial_slots(slots, w)
        return ["w" if (v == w).all() else arguments[v[0]] if v.any() else None for v in slots.values()]


def signature(kernel: Kernel) -> dict[str, Any]:
    """The names of what a kernel asks for, in the order of a row, and the defaults of some."""
    asked = parameters_of(kernel)
    if asked.rest:
        raise ValueError(f"{kernel.name} takes any number of numbers, which a page doesn't")
    defaults = {p.name: p.default for p in (*asked.words, *asked.reals) if p.default is not None}
    return {"words": [p.name for p in asked.words], "reals": [p.name for p in asked.reals], "defaults": defaults}


def schedule_of_a_network(
    made: list[Any], positions: int = 0, loss: Any = "mse", metric: Any = "mae", optimizer: Any = "sgd"
) -> Schedule:
    """How the native engine trains a small network, none of whose values it leaves out."""
    shape = (positions, INPUTS) if positions else (INPUTS,)
    model = Sequential([Input(shape), *made], seed=0)
    model.build()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of endings that don't fit a loss
        model.compile(optimizer, loss, metrics=[metric])
    program, _ = model._compiled.lower(Request("training", visible=True))
    return schedule_of(program)


def loss_of(name: str) -> losses.Loss:
    return losses.SumSquaredError(half=True) if name in HALVED else losses.get(name)


def found(schedule: Schedule, *kinds: type[Any]) -> list[Any]:
    """The schedule's instructions of these kinds, in order."""
    return [i for i in schedule if isinstance(i, kinds)]


def named(value: Any, names: Names) -> Any:
    """The name of a number, or the number."""
    return next((name for name, number in names.items() if number == value), value)


def placed(buffer: Buffer, stride: int) -> str | int:
    """w, dw, scratch, or the number of the optimizer's vector that an operand lies in."""
    known = {PARAMETERS: "w", GRADIENTS: "dw", WORKSPACE: "scratch"}
    return known.get(buffer.region, buffer.offset // stride)


def kernels_of(variant: Mapping[str, Any]) -> list[str]:
    return [row["kernel"] for row in variant["rows"]]


def probe(place: int, value: Any) -> Any:
    """A value of an argument that no other has."""
    if isinstance(value, float):
        return value * (1 - 0.013 * (place + 1)) if value else 0.017 * (place + 1)
    return True if isinstance(value, bool) else value + 7
