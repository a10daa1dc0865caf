"""Rows as they are written, one and 100,000 of them: python -m benchmarks.written_rows RUN TABLE

RUN is a run on a table, TABLE its rows. thalweg predicts by the run; onnxruntime by what `thalweg export` makes of it,
from arrays of the columns' cells; CatBoost, LightGBM and HistGradientBoosting by fits with their own defaults to 2,000
of the rows. One row is a dict of its cells, and everything until its probabilities (or its number) counts; many rows
are a pandas frame. "prepared" is without the reading of cells: from the matrix, from arrays, from a pool. Loading is of
a file, once everything is imported. Each has one thread and its CPU time is measured, so that a busy machine slows all
of them, and none by waiting.

thalweg's rows alone have to be its rows among all, and onnxruntime's answers thalweg's, before anything is timed.
Contenders are timed in turn, round after round; medians are shown, and where thalweg isn't first, it says so.
"""

from __future__ import annotations

import os
import pickle
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from thalweg import load_run
from thalweg.exchange import targets
from thalweg.export.exported_tables import table_network
from thalweg.support.printing import lasting_streams
from thalweg.tabular.single_row import row_of

MANY, LEARNED, CHECKED = 100_000, 2000, 500
AT_ONCE = 1000
"""Rows that onnxruntime gets: all of them at once would take gigabytes."""
ROUNDS, SECONDS = 6, 0.03
Call = Callable[[], Any]
COLUMNS = ("one row", "prepared", f"of {MANY:,}", "load, ms")


class Contender(NamedTuple):
    """What is timed; None for what there isn't."""

    one: Call
    prepared: Call | None
    many: Call
    load: Call


def main(folder: str, table: str) -> None:
    run: Any = load_run(folder)
    numeric = run.target.task == "regression"
    frame = duckdb.sql(f"SELECT * FROM '{table}'").df()
    y = frame[run.target.name]
    frame = frame[list(run.features.used)]
    draw = np.random.default_rng(0)
    learned = draw.permutation(len(frame))[:LEARNED]
    many = frame.iloc[draw.integers(0, len(frame), MANY)].reset_index(drop=True)
    row, coded = plain(many[:1]), with_categories(frame)
    with tempfile.TemporaryDirectory() as place:
        here = Path(place)
        contenders = {
            "thalweg": of_thalweg(run, folder, row, many),
            "onnxruntime": of_onnx(run, here, row, many),
            "CatBoost": of_catboost(here, frame.iloc[learned], y.iloc[learned], row, many, numeric),
            "HistGradientBoosting": of_hist(coded.iloc[learned], y.iloc[learned], row, many, numeric),
            "LightGBM": of_lightgbm(here, coded.iloc[learned], y.iloc[learned], row, many, numeric),
        }
        check(run, contenders, row, many)
        show(measured(contenders))


def plain(frame: Any) -> dict[str, Any]:
    """A frame's first row as a dict of Python's own numbers and text, None for a missing cell."""
    cells = {name: frame[name].iloc[0] for name in frame}
    return {name: None if pd.isna(c) else c.item() if hasattr(c, "item") else c for name, c in cells.items()}


def check(run: Any, contenders: dict[str, Contender], row: dict[str, Any], many: Any) -> None:
    """Raises if answers that have to be the same aren't."""
    ours, theirs = (np.array(contenders[name].many(), float) for name in ("thalweg", "onnxruntime"))
    spread = ours.std() if run.target.task == "regression" else 1.0
    assert np.abs(ours - theirs.reshape(ours.shape)).max() < 1e-5 * spread, "onnxruntime's answers"
    rows = many[:CHECKED].astype(object).where(many[:CHECKED].notna(), None).to_dict("records")
    alone = np.concatenate([answer_of(run)(cells) for cells in rows])
    assert np.abs(alone - ours[:CHECKED]).max() < 1e-5 * spread, "rows alone"
    assert run.features.of_row(row_of(row)) is not None, "the row is read as a table"


def answer_of(run: Any) -> Callable[[Any], Any]:
    answer: Callable[[Any], Any] = run.predict if run.target.task == "regression" else run.predict_proba
    return answer


# --- contenders ------------------------------------------------------------------------------------------------------


def of_thalweg(run: Any, folder: str, row: dict[str, Any], many: Any) -> Contender:
    answer, x = answer_of(run), run.features.of_row(row)
    return Contender(lambda: answer(row), lambda: run.of_matrix(x), lambda: answer(many), lambda: load_run(folder))


def of_onnx(run: Any, here: Path, row: dict[str, Any], many: Any) -> Contender:
    import onnxruntime

    path = str(here / "net.onnx")
    targets.export(run.ensemble, path, None, False, features=run.features)

    def load() -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(path, options)

    session = load()
    answer = session.get_outputs()[0].name
    columns = table_network(run.ensemble, run.features, 1).columns
    kinds = [(place.name, c.name, c.kind) for place, c in zip(session.get_inputs(), columns, strict=True)]

    def cells(name: str, kind: str) -> Any:
        values = many[name]
        if kind == "number":
            return values.to_numpy(np.float64, na_value=np.nan)
        return values.astype(object).where(values.notna(), "").to_numpy()

    def one() -> Any:
        given = {
            place: np.array([row[name]], np.float64) if kind == "number" else np.array([row[name] or ""], object)
            for place, name, kind in kinds
        }
        return session.run([answer], given)[0]

    def in_pieces(given: dict[str, Any]) -> Any:
        pieces = (slice(first, first + AT_ONCE) for first in range(0, MANY, AT_ONCE))
        return np.concatenate([session.run([answer], {k: v[some] for k, v in given.items()})[0] for some in pieces])

    given = {place: cells(name, kind)[:1] for place, name, kind in kinds}
    return Contender(
        one,
        lambda: session.run([answer], given)[0],
        lambda: in_pieces({place: cells(name, kind) for place, name, kind in kinds}),
        load,
    )


def of_catboost(here: Path, x: Any, y: Any, row: dict[str, Any], many: Any, numeric: bool) -> Contender:
    from catboost import CatBoostClassifier, CatBoostRegressor, Pool

    named = [name for name in x if not is_number(x[name])]

    def told(frame: Any) -> Any:
        return frame.assign(**{name: frame[name].astype(object).where(frame[name].notna(), "") for name in named})

    made = (CatBoostRegressor if numeric else CatBoostClassifier)(
        cat_features=named, verbose=0, random_seed=0, allow_writing_files=False
    )
    made.fit(told(x), y)
    path = str(here / "model.cbm")
    made.save_model(path)
    answer = partial(made.predict if numeric else made.predict_proba, thread_count=1)
    places = [list(x).index(name) for name in named]
    pool = Pool([list(row.values())], cat_features=places)
    return Contender(
        lambda: answer([["" if cell is None else cell for cell in row.values()]]),
        lambda: answer(pool),
        lambda: answer(told(many)),
        lambda: type(made)().load_model(path),
    )


def with_categories(frame: Any) -> Any:
    """A frame whose text is of categories."""
    return frame.astype({name: "category" for name in frame if not is_number(frame[name])})


def is_number(column: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def of_frames(answer: Callable[[Any], Any], x: Any, row: dict[str, Any], many: Any, load: Call) -> Contender:
    """A contender that takes a frame with categories."""
    types = x.dtypes.to_dict()
    known = pd.DataFrame([row]).astype(types)
    return Contender(
        lambda: answer(pd.DataFrame([row]).astype(types)),
        lambda: answer(known),
        lambda: answer(many.astype(types)),
        load,
    )


def of_hist(x: Any, y: Any, row: dict[str, Any], many: Any, numeric: bool) -> Contender:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    made = HistGradientBoostingRegressor() if numeric else HistGradientBoostingClassifier()
    made.set_params(categorical_features="from_dtype").fit(x, y)
    stored = pickle.dumps(made)
    return of_frames(made.predict if numeric else made.predict_proba, x, row, many, lambda: pickle.loads(stored))


def of_lightgbm(here: Path, x: Any, y: Any, row: dict[str, Any], many: Any, numeric: bool) -> Contender:
    import lightgbm

    made = (lightgbm.LGBMRegressor if numeric else lightgbm.LGBMClassifier)(verbose=-1, n_jobs=1)
    made.fit(x, y)
    path = str(here / "model.txt")
    made.booster_.save_model(path)
    answer = made.predict if numeric else made.predict_proba
    return of_frames(answer, x, row, many, lambda: lightgbm.Booster(model_file=path))


# --- times -----------------------------------------------------------------------------------------------------------


def seconds(call: Call, least: float) -> float:
    """Of one call: as many of them as take so long."""
    begin, count = time.process_time(), 0
    while count == 0 or time.process_time() - begin < least:
        call()
        count += 1
    return (time.process_time() - begin) / count


def measured(contenders: dict[str, Contender]) -> dict[str, list[float]]:
    """The medians of each contender, in the order of `COLUMNS`; NaN for what there isn't."""
    times: dict[tuple[str, int], list[float]] = {}
    for number in range(ROUNDS + 1):  # the first one warms up
        for name, each in contenders.items():
            for place, call in enumerate(each):
                if call is not None and (place != 2 or number % 3 == 0):
                    passed = seconds(call, 0 if place == 2 else SECONDS)
                    times.setdefault((name, place), []).extend([passed] * (number > 0))
    scale = (1e6, 1e6, 1e6 / MANY, 1e3)
    return {
        name: [statistics.median(times.get((name, place), [np.nan])) * scale[place] for place in range(len(scale))]
        for name in contenders
    }


def show(medians: dict[str, list[float]]) -> None:
    print(f"{'µs of CPU a row':22}" + "".join(f"{name:>14}" for name in COLUMNS))
    for name, values in medians.items():
        print(f"{name:22}" + "".join(f"{value:14.{1 if value >= 10 else 2}f}" for value in values))
    ours = medians["thalweg"]
    for place, what in enumerate(COLUMNS):
        ahead = [f"{n} ({ours[place] / v[place]:.1f}×)" for n, v in medians.items() if v[place] < ours[place]]
        print(f"{what}: " + (f"slower than {', '.join(ahead)}" if ahead else "thalweg is first"))


if __name__ == "__main__":
    os.environ |= {"THALWEG_LANES": "1", "OMP_NUM_THREADS": "1"}  # before OpenMP is loaded
    with lasting_streams(ends=True), threadpool_limits(1):
        main(*sys.argv[1:])
