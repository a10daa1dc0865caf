"""The base of all optimizers: an equation over the flat vectors, its slots, and what all of them share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, TypedDict

import numpy as np
from numpy.typing import NDArray

from thalweg import schedules
from thalweg.errors import ArgumentError
from thalweg.optimizers.layout import Layout, Run, matches
from thalweg.program.formula.functions import FUNCTIONS
from thalweg.program.formula.statements import functions_of, names_of, shown_step, targets
from thalweg.program.instructions.updates import gradients
from thalweg.program.instructions.updates.matrix_updates import WholeUpdate
from thalweg.program.instructions.updates.table_updates import TableUpdate, of_rows
from thalweg.program.instructions.updates.updates import GIVEN, Update
from thalweg.program.ir.instruction import DOUBLE, NORMS, Buffer, Instruction
from thalweg.program.lowering import Weight
from thalweg.support import hooks
from thalweg.support.checks import number, whole

Array = NDArray[Any]
Rate = float | schedules.LearningRateSchedule | Callable[..., float]

SYMBOLS = {
    "learning_rate": "lr",
    "beta_1": "β₁",
    "beta_2": "β₂",
    "epsilon": "ε",
    "rho": "ρ",
    "momentum": "μ",
    "eta": "η",
    "beta": "β",
    "learning_rate_power": "p",
    "l1_regularization_strength": "l1",
    "l2_regularization_strength": "l2",
    "l2_shrinkage_regularization_strength": "shrinkage",
}  # of the names in equations that are shown without numbers

AVERAGE, ACCUMULATED = "average", "accumulated"  # slots of use_ema and of gradient_accumulation_steps


class Shared(TypedDict, total=False):
    """The keyword-only arguments of every optimizer; see `Optimizer`."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None
    learning_rate_factors: dict[str, float] | None


class Common(Shared, total=False):
    """Those, and the one that two optimizers take in another position."""

    weight_decay: float | None


class Printed:
    """A text with equations of the class, without numbers, in the signs of mathematics; printed when one asks for it.

    names: of the equations, in the order of their places in the text.
    """

    def __init__(self, text: str, *names: str) -> None:
        self.text, self.names = text, names

    def __get__(self, thing: object, kind: type) -> str:
        return self.text.format(*(shown_step(getattr(kind, name), {}, SYMBOLS) for name in self.names))


def printed(text: str, *names: str) -> Any:
    """To a type checker it is a text."""
    return Printed(text, *names)


class Optimizer(hooks.Configured):
    """Base of all optimizers.

    Args:
        learning_rate: a number, one of `thalweg.schedules`, or a function of the step (0, 1, …) or of nothing,
            which is called for every step.
        weight_decay: before each update w −= learning_rate·weight_decay·w (see `exclude_from_weight_decay`).
        clipnorm: the largest norm of the gradient of one array of weights.
        clipvalue: the largest absolute value of an element of the gradient.
        global_clipnorm: the largest norm of the gradient of all weights together. Give at most one of the three.
        use_ema: whether a moving average of the weights is kept; it replaces them when `fit` ends.
        ema_momentum: the share of the old average that is kept in each step.
        ema_overwrite_frequency: the number of updates from one replacement of the weights by the average to the next.
        loss_scale_factor: None; there is nothing to scale in float32.
        gradient_accumulation_steps: the number of batches whose gradients are averaged for one update.
        name: a name; the class's by default.
        learning_rate_factors: {layer or "layer/W": factor}: the learning rate of these weights is multiplied by it.
    """

    uncalled, lacking = hooks.OPTIMIZER, hooks.OPTIMIZER_LACKS

    earlier: ClassVar[dict[str, str]] = {  # arguments of earlier versions of Keras → what takes their place
        "lr": ": it is called learning_rate",
        "decay": ": a falling learning rate is a schedule, learning_rate=schedules.InverseTimeDecay(0.01, 1, decay)",
    }
    elementwise: ClassVar[bool] = True  # whether an element's step depends on no other element
    slots: ClassVar[tuple[str, ...]] = ()  # names of the vectors it keeps
    arguments: ClassVar[tuple[str, ...]] = ()  # its own, besides the learning rate
    equation: ClassVar[str] = ""  # the statements of a step, see `step`
    formula: ClassVar[str] = printed("{}", "equation")  # as shown
    use: ClassVar[str]  # when it is the right choice
    avoid: ClassVar[str]  # and when not
    paper: ClassVar[str]

    def __init__(
        self,
        learning_rate: Rate,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        learning_rate_factors: dict[str, float] | None = None,
    ) -> None:
        self.name = name or type(self).__name__.lower()
        self.schedule: Any = None  # called with a step
        self.set_learning_rate(learning_rate)
        self.iterations = 0  # steps done
        self.owner: Any = None  # the model whose steps are counted
        self.weight_decay = self.optional("weight_decay", weight_decay)
        limits = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        given = [key for key, limit in limits.items() if limit is not None]
        if len(given) > 1:
            raise ArgumentError(f"{self.kind}: only one of {' and '.join(given)} can be given")
        self.clipnorm, self.clipvalue, self.global_clipnorm = (self.limit(k, v) for k, v in limits.items())
        self.use_ema = bool(use_ema)
        self.ema_momentum = self.check("ema_momentum", ema_momentum, 0.0, 1.0)
        overwrite = ema_overwrite_frequency
        self.ema_overwrite_frequency = None if overwrite is None else self.whole("ema_overwrite_frequency", overwrite)
        if loss_scale_factor is not None:
            raise ArgumentError(f"{self.kind}: loss_scale_factor has to be None: in float32 there is nothing to scale")
        self.loss_scale_factor = None
        steps = gradient_accumulation_steps
        self.gradient_accumulation_steps = (
            None if steps is None else self.whole("gradient_accumulation_steps", steps, 2)
        )
        factors = dict(learning_rate_factors or {})
        self.learning_rate_factors = {k: self.check(f"the factor of {k!r}", v) for k, v in factors.items()}
        self.not_decayed: tuple[str, ...] = ()  # patterns

    def __repr__(self) -> str:
        return f"<{self.kind}: learning rate {self.learning_rate:g}, {self.iterations} steps done>"

    # --- arguments -----------------------------------------------------------------------------------------------

    @property
    def kind(self) -> str:
        return type(self).__name__

    def check(self, name: str, value: Any, low: float = 0.0, high: float = math.inf) -> float:
        """`value` as a float in [low, high)."""
        return number(f"{self.kind}: {name}", value, low, high)

    def whole(self, name: str, value: Any, least: int = 1) -> int:
        return whole(f"{self.kind}: {name}", value, least)

    def optional(self, name: str, value: float | None) -> float | None:
        return None if value is None else self.check(name, value)

    def limit(self, name: str, value: float | None) -> float | None:
        """A bound for gradients: 0 would stop every step."""
        if value is not None and self.check(name, value) == 0:
            raise ArgumentError(f"{self.kind}: {name} has to be above 0, or None")
        return None if value is None else float(value)

    def exclude_from_weight_decay(
        self, var_list: Sequence[str] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        """Excludes weights from the decay; call it before `compile`.

        var_list: names of arrays, such as "dense_1/W".
        var_names: regular expressions to search for in the names. A kernel is called W and also kernel, a bias b and
            also bias, so ["bias"] means all biases.

        >>> optimizer = Optimizer(0.1, weight_decay=0.01)
        >>> optimizer.exclude_from_weight_decay(var_names=["bias"])
        >>> optimizer.not_decayed
        ('bias',)
        """
        if self.owner is not None:
            raise ArgumentError(f"{self.kind}: exclude_from_weight_decay comes before compile")
        self.not_decayed = (*(f"^{re.escape(name)}$" for name in var_list or ()), *(var_names or ()))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer."""
        common = [name for name in Common.__annotations__ if name not in self.arguments]
        rate = self._learning_rate if self.schedule is None else schedules.serialize(self.schedule)
        return {"learning_rate": rate} | {name: getattr(self, name) for name in (*self.arguments, *common)}

    # --- the learning rate ---------------------------------------------------------------------------------------

    @property
    def learning_rate(self) -> float:
        """The size of the next step, per unit of gradient; may be set at any time between batches."""
        return self._learning_rate if self.schedule is None else float(self.rates(1)[0])

    @learning_rate.setter
    def learning_rate(self, value: Rate) -> None:
        if isinstance(self.schedule, schedules.LearningRateSchedule) and not callable(value):
            name = type(self.schedule).__name__
            raise ArgumentError(f"the learning rate of this {self.kind} follows {name} and can't be set to a number")
        self.set_learning_rate(value)

    def set_learning_rate(self, value: Any) -> None:
        """A number, or anything that is called with a step."""
        if isinstance(value, dict):
            value = schedules.get(value)
        if callable(value):
            self.schedule, self._learning_rate = value, 0.0
        else:
            self.schedule, self._learning_rate = None, self.check("learning_rate", value)

    def rates(self, steps: int) -> NDArray[np.float64]:
        """The learning rates of the next steps."""
        if self.schedule is None:
            return np.full(steps, self._learning_rate)
        return schedules.evaluate(self.schedule, self.iterations, steps)

    # --- lowering ------------------------------------------------------------------------------------------------

    def own_slots(self) -> tuple[str, ...]:
        """The slots that the equation needs with these arguments."""
        return self.slots

    def slot_names(self) -> tuple[str, ...]:
        """All slots, those of averaging and accumulation included."""
        extra = (AVERAGE,) * self.use_ema + (ACCUMULATED,) * (self.gradient_accumulation_steps is not None)
        return (*self.own_slots(), *extra)

    def initial_slots(self, slots: dict[str, Array], w: Array) -> None:
        """Sets the initial values of the slots, which are all 0."""

    @property
    def every(self) -> int:
        """Steps per update."""
        return self.gradient_accumulation_steps or 1

    @property
    def by_rows(self) -> bool:
        """Whether some rows of an array can be updated alone, without a look at the others or a change of theirs."""
        by_norm = self.clipnorm is not None or self.global_clipnorm is not None
        return self.elementwise and not by_norm and not self.use_ema and self.every == 1

    def step(self) -> tuple[str, str]:
        """A step's name in listings, and its statements: those of a variant if the arguments ask for one.

        They are in w, dw, the slots, attributes of the optimizer, learning_rate, and t, the update's number.
        """
        return self.kind.lower(), self.equation

    def update(self, run: Run) -> Instruction:
        """The instruction that does one step on a run of weights."""
        called, text = self.step()
        if not text:
            raise hooks.unwritten(self, "equation", hooks.OPTIMIZER["update_step"])
        vectors = {"w": run.w, "dw": run.dw} | {name: run.slots[name] for name in self.own_slots()}
        names = sorted(names_of(text) - {*vectors, *GIVEN, *targets(text)})
        if unknown := [name for name in names if not hasattr(self, name)]:
            raise ArgumentError(f"{self.kind}: its equation names {unknown[0]!r}, which is neither slot nor attribute")
        if unknown := sorted(functions_of(text) - set(FUNCTIONS)):
            raise ArgumentError(f"{self.kind}: its equation calls {unknown[0]!r}; it may call {', '.join(FUNCTIONS)}")
        if reserved := sorted({*GIVEN, "w", "dw"} & set(self.own_slots())):
            raise ArgumentError(f"{self.kind}: no slot can be called {reserved[0]!r}, which means something else")
        numbers = {name: float(getattr(self, name)) for name in names}
        return Update(called, text, vectors, numbers, factor=self.factor_of(run.weights[0]))

    def kind_of(self, weight: Weight) -> Any:
        """What weights must have in common, besides learning rate and decay, to be updated as one run."""
        return None

    def decay_of(self, weight: Weight) -> float:
        """The weight decay of these weights."""
        return 0.0 if matches(self.not_decayed, weight.path) else self.weight_decay or 0.0

    def factor_of(self, weight: Weight) -> float:
        """The factor of the longest name that matches."""
        names = [n for n in self.learning_rate_factors if weight.path == n or weight.path.startswith(f"{n}/")]
        return self.learning_rate_factors[max(names, key=len)] if names else 1.0

    def lower(self, weights: Sequence[Weight], vector: int) -> list[Instruction]:
        """All instructions on the gradients: clipping, decay, update, average.

        weights: those that are trained, in the order of the parameter vector. It and every slot have `vector` elements.
        """
        for name in self.learning_rate_factors:
            if not any(w.path == name or w.path.startswith(f"{name}/") for w in weights):
                raise ArgumentError(f"{self.kind}: learning_rate_factors names {name!r}, which no weight belongs to")
        for pattern in self.not_decayed:
            if not any(matches((pattern,), w.path) for w in weights):
                raise ArgumentError(f"{self.kind}: no weight to exclude from decay matches {pattern!r}")
        layout = Layout([w for w in weights if w.rows is None], vector, self.slot_names())
        everything = layout.runs(lambda weight: None)
        groups = layout.runs(lambda weight: (self.kind_of(weight), self.factor_of(weight), self.decay_of(weight)))
        steps: list[Instruction] = []
        if self.gradient_accumulation_steps:
            n = self.gradient_accumulation_steps
            steps += [gradients.accumulate(run.dw, run.slots[ACCUMULATED], n) for run in everything]
        steps += self.clipping(layout, everything)
        for run in groups:
            decay = self.decay_of(run.weights[0])
            if decay:
                steps.append(gradients.weight_decay(run.w, decay, self.factor_of(run.weights[0])))
            steps.append(self.update(run))
        for weight in weights:
            steps += self.step_of_table(weight, layout)
        steps.sort(key=lambda i: isinstance(i, WholeUpdate | TableUpdate))  # first what works element by element
        if self.use_ema:
            overwrite = self.ema_overwrite_frequency or 0
            steps += [gradients.average(r.w, r.slots[AVERAGE], self.ema_momentum, overwrite) for r in everything]
        return steps

    def step_of_table(self, weight: Weight, layout: Layout) -> Iterator[Instruction]:
        """The instructions on a table of which only some rows are updated, those of the batch; none for others."""
        if weight.rows is None:
            return
        run, columns = layout.run([weight]), weight.buffer.shape[1]
        steps: list[Instruction] = []
        if self.clipvalue is not None:
            steps.append(gradients.clip_value(run.dw, self.clipvalue))
        if decay := self.decay_of(weight):
            steps.append(gradients.weight_decay(run.w, decay, self.factor_of(weight)))
        for step in (*steps, self.update(run)):
            assert isinstance(step, Update)  # of an optimizer that works element by element
            yield of_rows(step, weight.rows.counts, columns, weight.rows.ids)

    def clipping(self, layout: Layout, everything: list[Run]) -> list[Instruction]:
        """The instructions that bound the gradients."""
        if self.clipvalue is not None:
            return [gradients.clip_value(run.dw, self.clipvalue) for run in everything]
        limit = self.clipnorm or self.global_clipnorm
        if limit is None:
            return []
        if self.clipnorm is None:
            groups = {"‖d…‖²": [run.dw for run in everything]}
        else:
            groups = {f"‖{run.dw}‖²": [run.dw] for run in layout.runs(lambda weight: weight.path)}
        norms = [Buffer(name, (1,), NORMS, per_row=False, offset=k, dtype=DOUBLE) for k, name in enumerate(groups)]
        parts = list(zip(norms, groups.values(), strict=True))
        return [
            *(gradients.SquaredNorm(tuple(dws), n) for n, dws in parts),
            *(gradients.ClipNorm(dw, n, limit) for n, dws in parts for dw in dws),
        ]
