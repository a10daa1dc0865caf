"""Estimators on tables that needn't be in memory: paths, queries, Arrow datasets, memory-mapped arrays."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from thalweg.data import write_table
from thalweg.errors import ArgumentError, DataError
from thalweg.runs.large import converted, large_training, memory, roles
from thalweg.sklearn import TabularClassifier, TabularRegressor, large_tables, table_sources

ROWS = 3000
SMALL = {"members": 2, "layers": (8,), "epochs": 3, "random_state": 3}
KINDS = {"classes": TabularClassifier, "codes": TabularClassifier, "number": TabularRegressor}


def table(rows=ROWS):
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 2))
    return {
        "a": np.where(random.random(rows) < 0.1, np.nan, x[:, 0]).round(4),
        "b": x[:, 1].round(4),
        "town": np.array([f"town {k}" for k in random.integers(0, 20, rows)], object),
        "classes": np.array(["low", "middle", "high"], object)[np.digitize(x[:, 1], [-0.5, 0.5])],
        "codes": np.digitize(x[:, 1], np.linspace(-1.5, 1.5, 39)),
        "number": (x[:, 1] * 3).round(3),
    }


def only(name, rows=ROWS):
    """The inputs, and one of the targets."""
    return {column: values for column, values in table(rows).items() if column in ("a", "b", "town", name)}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Limits that a small table exceeds."""
    for module in (large_training, large_tables):
        monkeypatch.setattr(module, "SMALL", 1000)
    monkeypatch.setattr(converted, "BLOCK_CELLS", 4_000)
    monkeypatch.setattr(roles, "MOST_HELD", 300)
    monkeypatch.setattr(memory, "MOST_ROWS", 500)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_is_learned_from_and_predicted(tmp_path, name):
    path = tmp_path / "rows.parquet"
    write_table(path, only(name))
    frame = pd.DataFrame(only(name))
    model = KINDS[name](memory="2GB", **SMALL).fit(path, name)
    assert model.feature_names_in_.tolist() == ["a", "b", "town"]
    assert model.n_features_in_ == 3
    found = model.predict(str(path))
    inputs = frame.drop(columns=name)
    assert np.array_equal(found, model.predict(inputs))
    assert model.score(path, name) == pytest.approx(model.score(inputs, frame[name]))
    assert model.score(path, name) > {"classes": 0.7, "codes": 0.05, "number": 0.8}[name]
    assert not hasattr(model, "out_of_fold_")
    assert np.isfinite(model.validation_score_)
    assert len(model.members_) == 2
    assert max(m.held_out.max() for m in model.members_) > 2000  # numbers among all rows
    if name != "number":
        assert model.classes_.tolist() == sorted(frame[name].unique().tolist())
        assert np.array_equal(model.predict_proba(path), model.predict_proba(inputs))


def test_every_row_is_learned_from_or_held_out(tmp_path, monkeypatch):
    write_table(tmp_path / "rows.parquet", only("classes"))
    sizes, real = [], large_training.ready

    def counted(store, *more):
        sizes.append(store.rows)
        return real(store, *more)

    monkeypatch.setattr(large_training, "ready", counted)
    TabularClassifier(memory="2GB", **SMALL).fit(tmp_path / "rows.parquet", "classes")
    assert sizes == [ROWS]


def test_a_folder_a_query_and_a_dataset_are_the_same_rows(tmp_path):
    dataset = pytest.importorskip("pyarrow.dataset")
    folder = tmp_path / "rows"
    folder.mkdir()
    for number in range(3):
        part = {name: values[1000 * number : 1000 * (number + 1)] for name, values in only("classes").items()}
        write_table(folder / f"{number}.parquet", part)
    query = f"SELECT * FROM '{folder}/*.parquet'"
    first = None
    for source in (folder, f"{folder}/*.parquet", query, dataset.dataset(str(folder))):
        model = TabularClassifier(memory="2GB", **SMALL).fit(source, "classes")
        shares = model.predict_proba(source)
        first = shares if first is None else first
        assert np.array_equal(shares, first)


def test_a_cache_is_used_again(tmp_path, monkeypatch):
    write_table(tmp_path / "rows.parquet", only("classes"))
    model = TabularClassifier(cache=tmp_path / "kept", **SMALL).fit(tmp_path / "rows.parquet", "classes")
    assert (tmp_path / "kept" / "rows.duckdb").exists()
    monkeypatch.setattr(converted, "part", None)  # nothing is converted again
    again = clone(model).fit(tmp_path / "rows.parquet", "classes")
    assert np.array_equal(again.model_.vector, model.model_.vector)


def test_few_rows_are_read_into_memory(tmp_path):
    path, frame = tmp_path / "rows.csv", pd.DataFrame(only("classes", 400))
    frame.to_csv(path, index=False)
    model = TabularClassifier(memory="2GB", **SMALL).fit(path, "classes")
    plain = TabularClassifier(**SMALL).fit(path, "classes")
    wanted = TabularClassifier(**SMALL).fit(frame.drop(columns="classes"), frame["classes"].to_numpy())
    for one in (model, plain):
        assert np.array_equal(one.predict_proba(path), wanted.predict_proba(frame.drop(columns="classes")))
        assert one.feature_names_in_.tolist() == ["a", "b", "town"]
        assert len(one.out_of_fold_) == 400
    assert plain.cross_validate(path, "classes", 2).mean > 0


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_a_mapped_array_is_learned_from_in_parts(tmp_path, monkeypatch, kind):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(large_tables, "ARRAY_BYTES", 10_000)
    random = np.random.default_rng(0)
    x = random.normal(size=(20_000, 3)).astype(kind)
    y = np.where(x[:, 0] > 0, "yes", "no")
    x.tofile(tmp_path / "x")
    mapped = np.memmap(tmp_path / "x", kind, "r", shape=x.shape)
    model = TabularClassifier(memory="2GB", **SMALL).fit(mapped, y)
    assert not hasattr(model, "feature_names_in_")
    assert np.array_equal(model.predict_proba(mapped), model.predict_proba(x))
    assert model.score(mapped, y) > 0.9
    monkeypatch.setattr(table_sources, "BLOCK_BYTES", 1)
    assert [len(some) for some in table_sources.slices(mapped)] == [4096, 4096, 4096, 4096 + 3616]
    assert np.array_equal(model.predict_proba(mapped), model.predict_proba(x))


def test_a_mapped_array_larger_than_memory_is_refused_without_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("thalweg.sklearn.table_estimator.memory_there", lambda: 1000)
    x = np.memmap(tmp_path / "x", "f4", "w+", shape=(300, 3))
    with pytest.raises(DataError, match=r'TabularRegressor\(memory="500MB"\), which learns from a disk'):
        TabularRegressor(**SMALL).fit(x, np.arange(300.0))


REFUSED = [
    ({"sample_weight": np.ones(ROWS)}, {}, "sample_weight needs all rows in memory"),
    ({"groups": np.ones(ROWS)}, {}, "groups needs all rows in memory"),
    ({"time": np.ones(ROWS)}, {}, "time needs all rows in memory"),
    ({}, {"class_weight": "balanced"}, "class_weight needs all rows in memory"),
    ({}, {"ignore": [0]}, "given by name, got 0"),
    ({}, {"ignore": "a"}, r"ignore is a list of columns, got the text 'a': give \['a'\]"),
    ({}, {"memory": "10MB"}, "too little for this table"),
    ({}, {"memory": "much"}, "a number of bytes such as 500MB"),
]


@pytest.mark.parametrize(("given", "parameters", "said"), REFUSED)
def test_what_cannot_be_honoured_is_refused(tmp_path, given, parameters, said):
    write_table(tmp_path / "rows.parquet", only("classes"))
    model = TabularClassifier(**{"memory": "2GB"} | SMALL | parameters)
    with pytest.raises(ArgumentError, match=said):
        model.fit(tmp_path / "rows.parquet", "classes", **given)


def test_what_is_not_there_is_named(tmp_path):
    path = tmp_path / "rows.parquet"
    write_table(path, only("classes"))
    model = TabularClassifier(memory="2GB", **SMALL)
    with pytest.raises(DataError, match="has no column 'clases'"):
        model.fit(path, "clases")
    for one in (model, clone(model).set_params(memory=None)):
        with pytest.raises(ArgumentError, match="y is the name of its column to predict, got a list"):
            one.fit(path, [1, 2])
    with pytest.raises(ArgumentError, match="got a DataFrame, which is in memory: leave them out"):
        model.fit(pd.DataFrame(only("classes")).drop(columns="classes"), table()["classes"])
    with pytest.raises(ArgumentError, match="cross_validate needs all rows in memory"):
        model.cross_validate(path, "classes")
    holes = only("classes")
    holes["classes"][7] = None
    write_table(tmp_path / "holes.parquet", holes)
    with pytest.raises(DataError, match="y contains NaN: 1 rows have no value in 'classes'"):
        model.fit(tmp_path / "holes.parquet", "classes")
    with pytest.raises(DataError, match="y contains NaN: row 8 of 'classes' has no value"):
        clone(model).set_params(memory=None).fit(tmp_path / "holes.parquet", "classes")
    model.fit(path, "classes")
    write_table(tmp_path / "lacking.parquet", {"a": np.ones(3), "b": np.ones(3)})
    with pytest.raises(DataError, match=r"(?s)missing:\n- town"):
        model.predict(tmp_path / "lacking.parquet")
