"""Trains on a table that may be larger than memory.

Rows are read into a file of DuckDB's, and from there in blocks. Columns are fitted on a sample of the rows to learn
from (on all of them, if they are no more than the sample would be), and every row is then arranged by them into the
compact store, from which networks learn window by window. Some rows are held out to judge by.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.batches.on_disk import HELD, WINDOW_BYTES, DiskRows
from thalweg.data.database import confine
from thalweg.data.large_source import LargeSource
from thalweg.data.stored_rows import StoredRows, stored_rows
from thalweg.data.tables import Table
from thalweg.data.target import Target
from thalweg.errors import ArgumentError, DataError
from thalweg.recordings.datafacts import evenly
from thalweg.runs.large.allowance import Allowance
from thalweg.runs.large.converted import ABOUT, Converted, convert, is_whole, rows_of
from thalweg.runs.large.memory import fetcher, idle, reader, trim
from thalweg.runs.large.roles import MOST_HELD, Array, Roles
from thalweg.runs.run import Parts
from thalweg.runs.table_run import TableOptions, TableRun
from thalweg.runs.table_training import COMPARED, Begin, Beside, Plan, compared, faster, judged, lanes_of, solve, train
from thalweg.support.files import explained, own_folder, to_json
from thalweg.support.interrupts import Kept
from thalweg.support.progress import stage
from thalweg.support.seeds import draw_seed
from thalweg.support.stopwatch import Elapsed
from thalweg.tabular.clock import Clock
from thalweg.tabular.design import design
from thalweg.tabular.ensemble import Rows
from thalweg.tabular.features import Features
from thalweg.tabular.judge import Judge
from thalweg.tabular.pace import SHARE, measured
from thalweg.tabular.planning import outlook
from thalweg.tabular.preparation import Prepared, encoded
from thalweg.tabular.qualities import Settings

SMALL = 20_000
"""A table of fewer rows is read into memory."""
SELDOMER = 2
"""A row is learned from so many times less often than in memory: more rows teach more than more epochs."""
MOST_CLASSES = 2000
MOST_INPUTS = 16_000_000
"""Numbers of the matrices that are in memory, at most, each of them float32: of wide ones there are fewer rows."""
LEARNED_AT_HAND = 4096
"""Rows to learn from that are in memory, for the recording and to time a step."""
TIMED = 16_384
"""Rows that are converted to time it."""
IN_TIME = "in-time"
"""Behind the name of a store with those rows that a time limit allowed."""
NOT_HERE = {
    "group": "--group", "time": "--time", "folds": "--folds", "class_weight": "--class-weight",
    "skip_bad": "--skip-bad",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where and how a large table is kept.

    Attributes:
        memory: bytes that the process may take.
        cache: a folder that keeps what was read and converted, for the next training; None: a temporary one.
    """

    memory: int
    cache: Path | None = None

    @contextmanager
    def folder(self, source: LargeSource) -> Iterator[Path]:
        """Where the rows of a source are kept."""
        if self.cache is not None and not source.files:
            raise ArgumentError("--cache is for files, which can be seen to change: save what this is of as .parquet")
        with own_folder("thalweg-rows-") if self.cache is None else nullcontext(self.cache) as folder:
            with explained(folder, DataError):
                folder.mkdir(parents=True, exist_ok=True)
            yield folder

    @contextmanager
    def rows(self, source: LargeSource, folder: Path, options: TableOptions, clock: Clock) -> Iterator[StoredRows]:
        """The rows of a source, read; afterwards DuckDB's memory is free for the training. A time limit that is over
        before ends this, and what is done with the rows."""
        at_once = min(lanes_of(options), options.settings.members)
        memory = reader(self.memory, at_once * HELD * WINDOW_BYTES, clock.limit < math.inf)
        with clock.refusing("reading the table and its columns"), ExitStack() as reading:
            with stage(f"reading {source.name}"):
                rows = reading.enter_context(stored_rows(source, folder, *memory, options.categories))
            yield rows
        trim()


def train_large(
    source: LargeSource,
    options: TableOptions,
    place: Place,
    announce: Callable[[Plan], None] | None = None,
    progress: Begin | None = None,
    clock: Clock | None = None,
    kept: Kept | None = None,
) -> TableRun:
    """Reads, converts, trains and judges; the other arguments are those of `table_training.train`.

    Raises:
        ArgumentError: an option that needs all rows in memory; a limit of memory below the least.
        DataError: a file or the disk has a problem (see `stored_rows` and `convert`).
    """
    options.check()
    for name, option in NOT_HERE.items():
        if getattr(options, name):
            raise ArgumentError(f"{option} needs all rows in memory: leave out --memory and --cache")
    options = replace(options, seed=draw_seed() if options.seed is None else options.seed)
    clock = clock or Clock(options.time_limit)
    with place.folder(source) as folder:
        with place.rows(source, folder, options, clock) as rows:
            small = rows.table(0, rows.rows) if rows.rows < SMALL else None
            found = None if small is not None else prepared_rows(rows, source, options, folder, clock)
        if found is None:
            assert small is not None
            return train(small, options, announce, progress, clock, kept)
        return train_prepared(found, options, announce, progress, clock, kept)


@dataclass(frozen=True)
class Ready:
    """A large table ready to be learned from.

    Attributes:
        prepared, parts: as in a `Plan`; of the rows to learn from, none.
        store: all of them. sample: how many of them the columns were fitted on.
        source: its name. rows: how many the source has.
        share: of the rows to learn from, those that the time limit allows.
        beside: what was found of the rows before the training; None where none are set apart to judge by.
    """

    prepared: Prepared
    parts: Parts[Table]
    store: Converted
    sample: int
    source: str
    rows: int
    share: float
    beside: Beside | None


def prepared_rows(rows: StoredRows, source: LargeSource, options: TableOptions, folder: Path, clock: Clock) -> Ready:
    """Fits the columns, and converts the rows."""
    settings = options.settings
    settings = replace(settings, trees=(), row_epochs=settings.row_epochs // SELDOMER)
    clock.reserve(COMPARED * clock.limit)
    memory = fetcher(rows.memory, rows.rows, rows.columns)
    confine(rows.connection, memory)
    roles = Roles.of(rows.rows, rows.columns, options.test_share, settings.members, options.split_seed)
    with stage("fitting the columns on a sample of the rows"):
        target = target_of(rows, roles, options)
        sample, test = (known(rows.taken(chosen), target) for chosen in (roles.sampled(), roles.tested()))
        target = target.fitted(sample)
        features = Features.fit(
            sample, target, ignore=options.no_inputs, categories=options.categories, numbers=options.inputs_as_numbers
        )
        sample, test = (
            table.take(evenly(table.rows, MOST_INPUTS // len(features.feature_names))) for table in (sample, test)
        )
        x, y = features.matrix(sample), encoded(target, sample)
        settings = replace(settings, epochs=settings.epochs_of(rows.rows, target.task))
        blueprint = design(features, x, y, settings, None, options.split_seed)
    parts = Parts(sample, None, test)
    prepared = of_sample(features, blueprint, x, y, options)
    with idle(rows.connection, memory):
        beside = compared(prepared, parts, options, clock) if options.test_share else None
    made_of = what_it_is_made_of(source, options, roles)
    place = folder / hashlib.sha256(to_json(made_of).encode()).hexdigest()[:16]
    allowed = None
    if clock.limit < math.inf and not is_whole(place, features, made_of, rows.rows):
        allowed = allowance(rows, prepared, clock, lanes_of(options))
        place = place.with_name(f"{place.name}-{IN_TIME}")
        (place / ABOUT).unlink(missing_ok=True)  # another limit allowed other rows
    parts = replace(parts, train=sample.take(np.arange(0)))  # its memory is free from here on
    fitted_on = sample.rows
    del x, y, sample, prepared
    share = 1.0 if allowed is None else allowed.of(rows.rows, 0)
    size = (rows.rows - len(test)) * share * Converted(folder, features).row_bytes
    trim()
    with stage(f"converting the rows: {size / 1e9:.1f} GB in {folder}"):
        store = convert(rows, roles, features, place, made_of, allowed=allowed)
    if allowed is not None and allowed.least < 1:
        share = min(1.0, store.rows / (rows.rows - len(test)))
    with stage("preparing the rows that networks hold out"), idle(rows.connection, memory):
        prepared = ready(store, features, settings, blueprint, options)
    return Ready(prepared, parts, store, fitted_on, rows.name, rows.rows, share, beside)


def train_prepared(
    found: Ready,
    options: TableOptions,
    announce: Callable[[Plan], None] | None,
    progress: Begin | None,
    clock: Clock,
    kept: Kept | None,
) -> TableRun:
    """Trains, and judges."""
    prepared, parts, store = found.prepared, found.parts, found.store
    assert found.beside is not None
    foreseen = [] if options.time_limit is not None else outlook(prepared, lanes_of(options), *lighter(options))
    if announce is not None:
        announce(Plan(prepared, parts, None, foreseen, found.rows, store.rows, told(found)))
    if kept is not None:
        kept.begin(clock.interrupt)
    passed = Elapsed()
    ended = solve(prepared, options, "training", progress, clock, record=True)
    test = parts.test.rows
    counts = {"train": store.rows, "validation": 0, "test": test, "skipped": 0, "without target": store.missing}
    if found.share < 1:
        counts["left out by the time limit"] = found.rows - store.missing - store.rows - test
    trim()
    return judged(ended, prepared, parts, options, found.source, counts, passed.seconds, found.beside)


def target_of(rows: StoredRows, roles: Roles, options: TableOptions) -> Target:
    """The target, by the sample, the rows to judge by, and the first row of each different value, so that no class is
    unknown later."""
    names = [name for name, _ in rows.how.types]
    rows.table(0, 1).column(options.target)
    query = f"SELECT min(rowid) FROM fetched GROUP BY c{names.index(options.target)} LIMIT {MOST_CLASSES}"
    first = [row for (row,) in rows.connection.execute(query).fetchall()]
    chosen = np.union1d(roles.sampled(), roles.tested())
    if len(first) < MOST_CLASSES:
        chosen = np.union1d(chosen, np.array(first, np.int64))
    return Target.of(rows.taken(chosen), options.target, options.task)


def known(table: Table, target: Target) -> Table:
    """The rows with a target."""
    return table.take(np.flatnonzero(~target.missing_in(table)))


def lighter(options: TableOptions) -> list[Settings]:
    """The settings of the quality "fast", if that is another, as they are here."""
    return [replace(one, trees=(), row_epochs=one.row_epochs // SELDOMER) for one in faster(options)]


def of_sample(features: Features, blueprint: Any, x: Array, y: Array, options: TableOptions) -> Prepared:
    """The sample as if it were learned from, for what is done and timed before the rows are converted.

    y: class numbers, or standardised numbers.
    """
    target, settings = features.target, blueprint.settings
    assert target is not None
    judge = Judge.of(target.task, y, None, options.metric, settings.loss, target.mean, target.scale)
    held = np.arange(min(MOST_HELD, len(x)) if settings.folds else 0)
    rows = Rows(x, y if target.task == "multiclass" else y.astype(np.float32)[:, None])
    return Prepared(features, rows, blueprint, [held] * settings.members, judge, options.split_seed)


def allowance(rows: StoredRows, prepared: Prepared, clock: Clock, lanes: int) -> Allowance:
    """How many of the rows the time limit allows, by trials."""
    begin, block, sample = clock.passed, min(rows.rows, TIMED), prepared.rows
    prepared.features.matrix(rows.table(0, block))
    each = (clock.passed - begin) / block
    step, settings = measured(prepared.blueprint, sample.x, sample.y), prepared.blueprint.settings
    learning = step / settings.batch_of(len(sample.x)) / SHARE * math.ceil(min(lanes, settings.members) / lanes)
    return Allowance(clock, rows.rows, each, learning)


def what_it_is_made_of(source: LargeSource, options: TableOptions, roles: Roles) -> dict[str, Any]:
    """What the converted rows depend on."""
    files = [list(stamp) for stamp in source.stamps()]
    columns = {name: getattr(options, name) for name in ("target", "task", "no_inputs", "categories", "numbers")}
    return {"files": files, "columns": columns, "roles": asdict(roles), "form": 1}


def ready(store: Converted, features: Features, settings: Settings, blueprint: Any, options: TableOptions) -> Prepared:
    """All that the training needs: in memory are only the rows that networks hold out, and some others."""
    target = replace(store.target, missing=store.missing)
    each = min(MOST_HELD, len(store.held) // settings.members, MOST_INPUTS // (settings.members * store.width))
    each = each if settings.folds else 0
    order = np.random.default_rng(options.split_seed).permutation(len(store.held))[: each * settings.members]
    held = np.sort(np.array(store.held, np.int64)[order])
    at_hand = np.union1d(held, evenly(store.rows, LEARNED_AT_HAND))
    x, y = rows_of(store, at_hand)
    numbers = y.astype(np.int64) if target.task != "regression" else y.astype(np.float64)
    targets = store.targets() if target.task == "multiclass" else store.targets().reshape(-1, 1)
    judge = Judge.of(target.task, numbers, None, options.metric, settings.loss, target.mean, target.scale)
    if target.task == "regression":
        judge = replace(judge, low=store.low, high=store.high)
    places = np.searchsorted(at_hand, held)
    folds = [places[k :: settings.members] for k in range(settings.members)]
    in_memory = numbers if target.task == "multiclass" else numbers.astype(np.float32)[:, None]
    rows = Rows(x, in_memory, None, DiskRows(store.matrix(), targets, at_hand))
    blueprint = replace(blueprint, settings=settings)
    return Prepared(replace(features, target=target), rows, blueprint, folds, judge, options.split_seed)


def told(found: Ready) -> str:
    """What is said of the rows."""
    store, sample = found.store, found.sample
    fitted = "all of them" if sample >= store.rows else f"{sample:,} of them, drawn at random"
    said = f"they lie in {store.folder}, {store.rows * store.row_bytes / 1e9:.1f} GB; networks alone learn from them; "
    said += f"columns were fitted on {fitted}"
    if found.share < 1:
        said += f"; the time limit allows {found.share:.0%} of the {found.rows:,} rows"
    return said
