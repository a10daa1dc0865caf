"""Series in every form: read, and given back with their index, its types, zone and names."""

import numpy as np
import pytest

from thalweg.errors import ArgumentError, DataError

pd = pytest.importorskip("pandas")


def days(count, **given):
    return pd.date_range("2020-01-01", periods=count, **given)


@pytest.mark.parametrize("freq", ["D", "h", "15min", "W", "B", "MS", "ME", "QE", "YS"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_a_pandas_series_gets_its_index_continued(quick, wave, freq, zone):
    if zone and freq not in ("D", "h", "15min"):
        pytest.skip("once is enough")
    given = pd.Series(wave, index=days(80, freq=freq, tz=zone), name="sold")
    found = quick().fit(given).predict()
    pd.testing.assert_index_equal(found.index, pd.date_range(given.index[-1], periods=5, freq=freq)[1:], exact=True)
    assert (found.index.freq, found.name) == (given.index.freq, "sold")


def test_days_over_a_change_of_the_clock(quick, wave):
    given = pd.Series(wave, index=pd.date_range("2020-01-08", periods=80, tz="Europe/Berlin"))
    found = quick().fit(given).predict()
    assert list(found.index.strftime("%m-%d %H:%M %z")) == [f"03-{day} 00:00 +0100" for day in (28, 29)] + [
        f"03-{day} 00:00 +0200" for day in (30, 31)
    ]


@pytest.mark.parametrize(
    ("index", "more"),
    [
        (pd.RangeIndex(80), [80, 81, 82, 83]),
        (np.arange(80) / 4 + 1900, [1920.0, 1920.25, 1920.5, 1920.75]),
        (np.arange(0, 160, 2, dtype=np.int32), [160, 162, 164, 166]),
        (pd.period_range("2014-01", periods=80, freq="M"), list(pd.period_range("2020-09", periods=4, freq="M"))),
    ],
)
def test_other_indices(quick, wave, index, more):
    given = pd.Series(wave, index=index)
    found = quick().fit(given).predict()
    assert found.index.tolist() == more
    assert found.index.dtype == given.index.dtype


def test_sktimes_forms(quick, wave):
    index = pd.MultiIndex.from_product([pd.Categorical(["b", "a"]), [1, 2], days(80)], names=["shop", "item", "day"])
    given = pd.DataFrame({"y": np.tile(wave, 4)}, index=index)
    model = quick().fit(given, fh=[1, 2])
    found = model.predict()
    assert found.index.names == index.names
    assert found.index.to_frame().dtypes.equals(index.to_frame().dtypes)
    assert found.index.tolist()[:3] == [("b", 1, days(82)[-2]), ("b", 1, days(82)[-1]), ("b", 2, days(82)[-2])]
    quantiles = model.predict_quantiles()
    assert quantiles.columns.tolist() == [("y", 0.1), ("y", 0.5), ("y", 0.9)]
    np.testing.assert_array_equal(quantiles["y", 0.5], found["y"])
    single = quick().fit(pd.Series(wave)).predict_quantiles(1)
    assert single.columns.tolist() == [(0, 0.1), (0, 0.5), (0, 0.9)]


def test_a_frame_with_a_column_for_each_series(quick, wave):
    given = pd.DataFrame({"a": wave, 7: wave * 2}, index=days(80))
    model = quick().fit(given)
    found = model.predict()
    assert found.columns.tolist() == ["a", 7]
    assert found.index.tolist() == days(84)[-4:].tolist()
    np.testing.assert_allclose(found[7], 2 * found["a"], rtol=1e-4)
    assert model.predict_quantiles().columns.tolist()[3:] == [(7, 0.1), (7, 0.5), (7, 0.9)]
    assert quick(target="a").fit(given).predict().columns.tolist() == ["a"]


def nixtla(wave, zone=None):
    stamps = np.tile(days(80, tz=zone), 2)
    return pd.DataFrame({"unique_id": np.repeat([10, 2], 80), "ds": stamps, "y": np.r_[wave, wave * 2]})


@pytest.mark.parametrize("zone", [None, "Asia/Taipei"])
def test_nixtlas_names(quick, wave, zone):
    given = nixtla(wave, zone).sample(frac=1, random_state=0)  # in any order
    found = quick().fit(given).predict(2)
    assert found.columns.tolist() == ["unique_id", "ds", "y"]
    assert found.dtypes.equals(given.dtypes)
    assert sorted(found["unique_id"]) == [2, 2, 10, 10]
    quantiles = quick().fit(given).predict_quantiles(2, quantiles=[0.5])
    assert quantiles.columns.tolist() == ["unique_id", "ds", "y 0.5"]
    ordered = quick().fit(nixtla(wave, zone)).predict(2)
    pd.testing.assert_frame_equal(
        found.sort_values(["unique_id", "ds"], ignore_index=True),
        ordered.sort_values(["unique_id", "ds"], ignore_index=True),
        rtol=1e-4,
    )


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
@pytest.mark.parametrize("zone", [None, "Asia/Taipei"])
def test_other_frames(quick, wave, library, zone):
    pytest.importorskip("pyarrow")
    module = pytest.importorskip(library)
    plain = nixtla(wave, zone)
    given = module.from_pandas(plain) if library == "polars" else module.Table.from_pandas(plain)
    found = quick().fit(given).predict_quantiles(2)
    assert type(found) is type(given)
    place = 0 if library == "pyarrow" else "unique_id"
    assert found.schema[place] == given.schema[place]
    read = found.to_pandas()
    assert read.columns.tolist() == ["unique_id", "ds", "y 0.1", "y 0.5", "y 0.9"]
    wanted = pd.DataFrame(quick().fit(plain).predict(2))
    assert read["ds"].tolist() == wanted["ds"].tolist()
    np.testing.assert_array_equal(read["y 0.5"], wanted["y"])


def test_tables_and_files(quick, wave, tmp_path):
    path = tmp_path / "sales.csv"
    rows = [f"{day:%d.%m.%Y};{shop};{value:.3f}" for shop in "AB" for day, value in zip(days(80), wave, strict=True)]
    path.write_text("\n".join(["date;shop;sold", *rows]))
    found = quick(target="sold", group="shop").fit(path).predict(2)
    assert found["shop"].tolist() == ["A", "A", "B", "B"]
    assert found["date"].tolist()[:2] == [stamp.to_pydatetime() for stamp in days(82)[-2:]]
    columns = {"date": days(80).to_numpy(), "sold": wave}
    np.testing.assert_allclose(quick(target="sold").fit(columns).predict(2)["sold"], found["sold"][:2], rtol=0.05)


def test_text_that_says_dates_comes_back_as_dates(quick, wave):
    given = nixtla(wave)
    found = quick().fit(given.assign(ds=given["ds"].dt.strftime("%Y-%m-%d"))).predict(2)
    assert found["ds"].tolist() == quick().fit(given).predict(2)["ds"].tolist()


def test_arrays(quick, wave):
    assert quick().fit(wave.tolist()).predict(3).shape == (3,)
    model = quick().fit({"a": wave, 2: wave[:50].tolist()})
    assert {key: part.shape for key, part in model.predict_quantiles(3).items()} == {"a": (3, 3), 2: (3, 3)}


def test_columns_known_in_advance_of_an_index(quick, wave):
    index = days(84)
    X = pd.DataFrame({"holiday": np.arange(84) % 7 == 3, "kind": ["x", "y", "z"] * 28}, index=index)
    y = pd.Series(wave, index=index[:80])
    model = quick().fit(y, X=X[:80])
    with pytest.raises(DataError, match="no row for 2020-03-21, step 1"):
        model.predict()
    found = model.predict(X=X[80:])
    np.testing.assert_array_equal(found, model.predict(X=X[80:][::-1]))
    with pytest.raises(DataError, match="no row for 2020-03-23, step 3"):
        model.predict(X=X[80:82])
    assert len(model.predict(2, X=X[80:82])) == 2
    with pytest.raises(DataError, match="a row for each time stamp of y's index"):
        quick().fit(y, X=X[5:])


def test_columns_known_in_advance_of_a_table(quick, wave):
    given = nixtla(wave).assign(price=np.arange(160) % 9)
    later = pd.DataFrame({"unique_id": [10] * 4 + [2] * 4, "ds": np.tile(days(84)[80:], 2), "price": np.arange(8.0)})
    model = quick(known=["price"]).fit(given)
    found = model.predict(X=later)
    assert len(found) == 8
    inside = quick(known=["price"]).fit(pd.concat([given, later], ignore_index=True))
    pd.testing.assert_frame_equal(inside.predict(), found, rtol=1e-3)
    with pytest.raises(DataError, match=r"no row for 2020-03-21 of 2, step 1"):
        model.predict(X=later[:4])
    with pytest.raises(DataError, match="X has rows of 5, and there is no such series"):
        model.predict(X=later.assign(unique_id=5))


def test_newer_values_and_new_series(quick, wave):
    given = nixtla(wave)
    model = quick().fit(given[given["unique_id"] == 10])
    other = model.predict(y=given[given["unique_id"] == 2])
    assert other["unique_id"].tolist() == [2] * 4
    shorter = model.predict(y=given[:40])
    assert shorter["ds"].tolist() == days(44)[-4:].tolist()


@pytest.mark.parametrize(
    ("given", "arguments", "message"),
    [
        ({"a": [1, 2], "b": [3, 4]}, {"target": "a", "time": "c"}, "has no column 'c'"),
        (pd.DataFrame({"a": [1], "b": [2]}, index=pd.MultiIndex.from_tuples([(1, 2)])), {}, "which one is the target"),
        (pd.DataFrame({"a": [1.0] * 9}), {"target": "z"}, "y has no column 'z'"),
        (pd.DataFrame({"a": [1.0] * 9}), {"time": "z"}, "names a column that y lacks"),
        (np.ones((4, 3)), {}, r"has to be one series, got the shape \(4, 3\)"),
        (["a", "b"], {}, "y has to hold numbers"),
        ({"a": pd.Series([1.0, 2.0])}, {}, "the series 'a' has an index, which a dict of arrays loses"),
        (pd.Series([1.0, 2.0], index=["x", "y"]), {}, "the time stamps are of type"),
    ],
)
def test_what_is_no_series(quick, given, arguments, message):
    with pytest.raises((DataError, ArgumentError), match=message):
        quick(**arguments).fit(given)
