"""Networks for all series at once: they learn what comes on top of a simple base, as quantiles of every step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import layers, losses, optimizers, schedules
from thalweg.engine.lanes import cores
from thalweg.errors import DataError
from thalweg.experiments.population import side_by_side
from thalweg.models.functional import Functional
from thalweg.models.model import Model
from thalweg.series.combination import error_of, shares_of
from thalweg.series.linear_start import linear_model, scaled_targets
from thalweg.series.origins import Base, Strip, View
from thalweg.series.smoothing import LATEST
from thalweg.tabular.clock import Clock

Array = NDArray[Any]
Watch = Callable[[dict[str, Any]], None]

SIZES = ((20_000, 512, 256, 1e-3), (3_000, 256, 128, 1e-3), (800, 128, 64, 2e-3), (0, 64, 32, 3e-3))
"""From so many windows on, so many units, windows in a batch, and the learning rate at first."""
AN_EPOCH, LEAST_STEPS, UPDATES, LEAST_EPOCHS, MOST_EPOCHS = 36_000, 32, 1_900, 12, 60
"""Windows that an epoch draws, at most; its steps at least, of few windows again and again; updates in all, about; and
the bounds of epochs."""
DECAY, BLOCKS = 1e-4, 2
LEAST_BEFORE = 2
"""Values before an origin, at least: a step in time is the distance of two."""
TRIED = 1 / 3
"""Of the time, the share of the network that shows how long to train."""
TRIALS, MOST_HELD = 256, 4
"""Windows that are held out, about, to find out how long to train; of a series at most a fourth."""
NETWORKS = "networks"
"""Their name among the methods that are combined."""


@dataclass(frozen=True)
class Plan:
    """How networks are trained. None: by the number of windows.

    Attributes:
        networks: how many are averaged. clock: of a time limit. until: on it, when the networks have to be trained.
    """

    networks: int = 3
    units: int | None = None
    epochs: int | None = None
    batch: int | None = None
    rate: float = 1e-3
    clock: Clock = field(default_factory=lambda: Clock(None))
    until: float = math.inf

    def of(self, windows: int) -> Plan:
        """The same with everything decided."""
        _, units, batch, rate = next(size for size in SIZES if windows >= size[0])
        batch = self.batch or batch
        epochs = self.epochs or int(np.clip(UPDATES * batch // drawn(windows, batch), LEAST_EPOCHS, MOST_EPOCHS))
        return replace(self, units=self.units or units, batch=batch, epochs=epochs, rate=rate)

    def in_time(self, epoch: float, least: int) -> Plan:
        """The same with as many networks as can have an epoch of so many seconds each before the time is over."""
        rounds = int(min(self.networks, max(0.0, self.until - self.clock.passed) / max(epoch, 1e-9)))
        return replace(self, networks=max(least, min(self.networks, rounds * cores())))

    def deadlines(self) -> list[float]:
        """When each network has to be trained, on the clock: those that cores train one after the other share it."""
        now, rounds = self.clock.passed, -(-self.networks // cores())
        return [now + (self.until - now) * (k // cores() + 1) / rounds for k in range(self.networks)]


@dataclass(frozen=True)
class Continuation:
    """Networks that continue series, together with simple forecasts.

    ŷ = share·(base + scale·mean of the networks) + Σ share·simple forecast; around it, quantiles as far off as the
    networks say, + scale·shift

    Attributes:
        model: the networks' mean, an output (horizon,) for each quantile. view: what they see.
        shares: of "networks" and each simple forecast, together 1. shifts: (quantiles,) so that on the windows held out
            as many values lie below each quantile as it says.
        records: of the trainings' epochs. held: what was found on the windows held out. errors: of each method there.
        epochs: of each network. epoch: seconds of one, where a limit needs them.
    """

    model: Model
    view: View
    quantiles: tuple[float, ...]
    shares: dict[str, float]
    shifts: tuple[float, ...]
    records: list[dict[str, Any]] = field(default_factory=list)
    held: dict[str, float] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    epochs: int | None = None
    epoch: float = 0.0

    def forecast(self, strip: Strip, lines: Array, origins: Array) -> Array:
        """The quantiles of the steps after origins: (windows, horizon, quantiles)."""
        x, base, scale = strip.at(lines, origins)
        found = said(self.model, x)
        middle = found[:, :, self.quantiles.index(0.5)]
        points = self.shares[NETWORKS] * (base + scale * middle)
        for name in self.view.bases:
            if self.shares.get(name):
                points = points + self.shares[name] * strip.base(name, lines, origins)
        beside = around(found - middle[:, :, None] + np.asarray(self.shifts), self.quantiles)
        return strip.limited(points[:, :, None] + scale[:, :, None] * beside, lines, origins)


def around(beside: Array, quantiles: Sequence[float]) -> Array:
    """What quantiles are beside the median, (…, quantiles), in their order: 0 at the median."""
    sides = np.sign(np.asarray(quantiles) - 0.5)
    return np.sort(np.where(sides < 0, np.minimum(beside, 0), np.where(sides > 0, np.maximum(beside, 0), 0)), axis=-1)


def network(view: View, quantiles: Sequence[float], units: int, seed: int) -> Model:
    """x → for each quantile the residuals of all steps.

    h₀ = relu(x W + b);  h_k = h_{k−1} + relu(h_{k−1} W_k + b_k);  output: [h, x] W + b
    """
    x = layers.Input((view.size,))
    h: Any = layers.Dense(units, "relu")(x)
    for _ in range(BLOCKS):
        h = layers.Add()([h, layers.Dense(units, "relu")(h)])
    h = layers.Concatenate()([h, x])  # what is linear is there from the beginning
    heads = [
        layers.Dense(view.horizon, kernel_initializer="zeros", name=f"quantile_{k}")(h) for k in range(len(quantiles))
    ]
    return Functional(x, heads, seed=seed)


def begin_linear(model: Model, quantiles: Sequence[float], weights: Array, bias: Array, left: Array) -> None:
    """Has a network say at first what the linear model does, its quantiles by what that has left."""
    for place, q in enumerate(quantiles):
        head = model.get_layer(f"quantile_{place}")
        kernel = np.zeros_like(head.get_weights()[0])
        kernel[len(kernel) - len(weights) :] = weights
        beside = 0.0 if q == 0.5 else np.quantile(left, q, axis=0)
        head.set_weights([kernel, (bias + beside).astype(np.float32)])


def said(model: Model, x: Array) -> Array:
    """What a network says: float64 (windows, horizon, quantiles)."""
    outputs: Any = model.predict(x, verbose=0)
    return np.stack(outputs if isinstance(outputs, list) else [outputs], axis=2).astype(np.float64)


def learn(
    strip: Strip, lines: Array, origins: Array, quantiles: Sequence[float], plan: Plan, seed: int, until: float,
    watch: Watch | None = None, look: Callable[[Model], float] | None = None, halt: Event | None = None,
    lanes: int | None = None,
) -> tuple[Model, list[dict[str, Any]]]:  # fmt: skip
    """Trains a network on windows, of which each epoch draws anew; with `look`, back to the epoch it liked best.

    `until`: on the plan's clock; no epoch begins after it, or would end then, nor when `halt` is set.
    """
    assert plan.batch
    assert plan.units
    assert plan.epochs
    draws = np.random.default_rng(seed)
    model = network(strip.view, quantiles, plan.units, seed)
    begin_linear(model, quantiles, *linear_model(strip, lines, origins, seed))
    count = drawn(len(lines), plan.batch)
    steps = plan.epochs * -(-count // plan.batch)
    rate = schedules.CosineDecay(plan.rate, steps)
    model.compile(optimizers.AdamW(rate, weight_decay=DECAY), [losses.Quantile(q) for q in quantiles])
    records: list[dict[str, Any]] = []
    best, kept, took = np.inf, None, 0.0
    for epoch in range(plan.epochs):
        begin = plan.clock.passed
        if begin + took > until or (halt is not None and halt.is_set()):
            break
        chosen = np.concatenate([draws.permutation(len(lines)) for _ in range(-(-count // len(lines)))])[:count]
        x, target, seen = scaled_targets(strip, lines[chosen], origins[chosen])
        target = target.astype(np.float32)
        weights = None if seen.all() else seen.mean(axis=1).astype(np.float32)
        history = model.fit(
            x, [target] * len(quantiles) if len(quantiles) > 1 else target, batch_size=plan.batch,
            initial_epoch=epoch, epochs=epoch + 1, sample_weight=weights, verbose=0, lanes=lanes,
        )  # fmt: skip
        record: dict[str, Any] = {"epoch": epoch, "loss": float(history.history["loss"][-1]) / len(quantiles)}
        if look is not None:
            record["held_out"] = look(model)
            if record["held_out"] < best:
                best, kept = record["held_out"], model.get_weights()
        records.append(record)
        took = plan.clock.passed - begin
        if watch is not None:
            watch(record)
    if kept is not None:
        model.set_weights(kept)
    return model, records


def continuation(
    strip: Strip, quantiles: Sequence[float], plan: Plan, seed: int, watch: Watch | None = None,
    like: Continuation | None = None,
) -> Continuation:  # fmt: skip
    """Networks for a strip: one that shows, on the latest windows, how long to train and how wide the intervals are;
    then those that learn from all windows. `like`: another, of less of the same series, which has shown it."""
    view = strip.view
    lines, origins = strip.origins(least_before(view))
    if not len(lines):
        longest = int(strip.sizes.max())
        raise DataError(
            f"the longest series has {longest} values: a horizon of {view.horizon} needs "
            f"{view.horizon + least_before(view)} or more; give a shorter horizon, or longer series"
        )
    plan = plan.of(len(lines))
    found = untried(strip, tuple(quantiles))
    if like is not None:
        found, strip.view = like, like.view
    elif (trial := tried(strip, quantiles, plan, seed, watch)) is not None:
        found = trial
    records = [{**record, "network": 0} for record in found.records]
    plan = replace(plan, epochs=found.epochs or plan.epochs).in_time(found.epoch, 0 if found.records else 1)
    if not plan.networks:  # the one that has shown it is what there was time for
        return found if like is not None else replace(found, records=records, epochs=plan.epochs)
    halt = Event()
    trained = side_by_side(
        [
            partial(learn, strip, lines, origins, quantiles, plan, seed + k, until, watch, None, halt, 1)
            for k, until in enumerate(plan.deadlines(), start=1)
        ],
        cores(),
        halt.set,
    )
    for number, (_, own) in enumerate(trained, start=1):
        records += [{**record, "network": number} for record in own]
    model = joined(strip.view, [network for network, _ in trained])
    return replace(found, model=model, records=records, epochs=plan.epochs)


def drawn(windows: int, batch: int) -> int:
    """How many windows an epoch draws."""
    return min(max(windows, LEAST_STEPS * batch), AN_EPOCH)


def least_before(view: View) -> int:
    """How many values a window has before its origin, at least."""
    return max(LEAST_BEFORE, min(view.lags, view.season + 1))


def untried(strip: Strip, quantiles: tuple[float, ...]) -> Continuation:
    """For series too short to judge on: what is combined counts the same."""
    strip.view = view = replace(strip.view, base=strip.view.bases[0])
    names = dict.fromkeys((NETWORKS, view.base, "smoothing"))
    model = network(view, quantiles, 1, 0)
    return Continuation(model, view, quantiles, dict.fromkeys(names, 1 / len(names)), (0.0,) * len(quantiles))


def tried(strip: Strip, quantiles: Sequence[float], plan: Plan, seed: int, watch: Watch | None) -> Continuation | None:
    """A network that hasn't seen the latest windows: what it and simple forecasts show there; None where the series are
    too short for that."""
    least, horizon = least_before(strip.view), strip.view.horizon
    before = strip.view
    wanted = horizon - 1 + -(-TRIALS // len(strip.lines))
    held = int(np.clip(wanted, horizon, max(horizon, int(strip.sizes.max()) // MOST_HELD)))
    lines, origins = strip.origins(least, held)
    late_lines, late = strip.origins(least)
    new = late >= strip.sizes[late_lines] - held
    late_lines, late = late_lines[new], late[new]
    if len(lines) < 2 or not len(late):
        return None
    strip.judge(held)
    y, seen = strip.targets(late_lines, late)
    scale = strip.scales[late_lines][:, None]
    y = np.where(seen, y, np.nan) / scale
    methods: dict[str, Array] = {name: strip.base(name, late_lines, late) / scale for name in strip.view.bases}
    strip.view = view = replace(strip.view, base=best_base(strip, y, methods))
    x, base, _ = strip.at(late_lines, late)

    def look(model: Model) -> float:
        return float(np.nanmean(pinballs(y - base / scale, said(model, x), quantiles)))

    begin = plan.clock.passed
    until = begin + TRIED * (plan.until - begin)
    model, records = learn(strip, lines, origins, quantiles, plan, seed, until, watch, look)
    if not records:
        strip.judge(0)
        strip.view = before
        return None
    epoch = (plan.clock.passed - begin) / len(records) * min(cores(), plan.networks)  # of several, a core each
    epochs = 1 + int(np.argmin([record["held_out"] for record in records]))
    outputs, middle = said(model, x), list(quantiles).index(0.5)
    methods = {NETWORKS: base / scale + outputs[:, :, middle], **methods}
    shares = shares_of(y, methods, len(np.unique(late_lines)) * held / horizon)
    points = np.asarray(sum(share * methods[name] for name, share in shares.items()))
    left = (y - points)[:, :, None] - (outputs - outputs[:, :, [middle]])
    shifts = tuple(0.0 if q == 0.5 else float(np.nanquantile(left[:, :, k], q)) for k, q in enumerate(quantiles))
    floor = best_floor(strip, late_lines, late, y * scale, points * scale, scale)
    strip.view = view = replace(view, floor=floor)
    points = strip.limited(points * scale, late_lines, late) / scale
    found = {"scaled error": error_of(y, points), "as the base": error_of(y, base / scale), "windows": float(len(late))}
    errors = {name: error_of(y, method) for name, method in methods.items()}
    strip.judge(0)
    return Continuation(model, view, tuple(quantiles), shares, shifts, records, found, errors, epochs, epoch)


def best_base(strip: Strip, y: Array, simple: dict[str, Array]) -> Base:
    """The simple forecast that was nearest, and of which every window has the state: what the networks add to."""
    names = [name for name in strip.view.bases if name != "smoothing" or int(strip.sizes.max()) <= LATEST]
    return min(names, key=lambda name: error_of(y, simple[name]))


def best_floor(strip: Strip, lines: Array, origins: Array, y: Array, points: Array, scale: Array) -> int:
    """The `floor` of a view with which forecasts were nearest, on windows held out; the lesser of equal ones."""
    view, errors = strip.view, []
    for floor in (0, 1, 2):
        strip.view = replace(view, floor=floor)
        errors.append(float(np.nanmean(np.abs(y - strip.limited(points, lines, origins)) / scale)))
    # What is never negative isn't forecast so, unless that has helped.
    return 2 if errors[2] < errors[1] * 0.999 else 1 if errors[1] <= errors[0] else 0


def pinballs(wanted: Array, found: Array, quantiles: Sequence[float]) -> Array:
    """The pinball losses, (windows, horizon, quantiles), NaN where nothing is known."""
    q = np.asarray(quantiles)
    error = wanted[:, :, None] - found
    return np.asarray(np.maximum(q * error, (q - 1) * error))


def joined(view: View, networks: Sequence[Model]) -> Model:
    """The mean of networks as one graph."""
    if len(networks) == 1:
        return networks[0]
    x = layers.Input((view.size,))
    said_by: list[Any] = [each(x) for each in networks]
    outputs = [part if isinstance(part, list) else [part] for part in said_by]
    means = [layers.Average()([own[k] for own in outputs]) for k in range(len(outputs[0]))]
    return Functional(x, means, seed=0)
