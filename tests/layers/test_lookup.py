"""Layers at a model's entry: what they return, what they learn, where they may stand, and what they refuse."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from lookup_rows import INTEGERS, LOOKUPS, TEXT, WORDS, adapted

import thalweg
from thalweg import Model, Sequential, layers, load_model
from thalweg.errors import ArgumentError, DataError, NotFoundError, ShapeError, ThalwegError
from thalweg.layers import (
    CategoryEncoding,
    Dense,
    Discretization,
    Flatten,
    HashedCrossing,
    Hashing,
    Input,
    IntegerLookup,
    Residual,
    StringLookup,
)
from thalweg.layers.lookups.fingerprints import fingerprint64
from thalweg.layers.lookups.lookup import Lookup

ROWS = [pytest.param(*row, id=f"{kind.__name__}{n}") for kind, rows in LOOKUPS.items() for n, row in enumerate(rows)]
INSIDE = [row for row in ROWS if np.ndim(row.values[1]) == 2 and np.asarray(row.values[2]).dtype.kind in "if"]


def test_every_such_layer_has_a_row():
    assert {kind for kind in layers.CLASSES.values() if issubclass(kind, Lookup)} == set(LOOKUPS)
    assert all(LOOKUPS.values())


@pytest.mark.parametrize(("make", "values", "wanted"), ROWS)
def test_what_it_returns(make, values, wanted):
    result = make()(values)
    assert result.shape == np.shape(wanted)
    if np.asarray(wanted).dtype.kind == "U":
        assert result.tolist() == wanted
    else:
        np.testing.assert_allclose(result, wanted, rtol=1e-6)


@pytest.mark.parametrize(("make", "values", "wanted"), ROWS)
def test_whole_indices_are_integers_and_vectors_are_floats(make, values, wanted):
    layer = make()
    kind = np.int64 if layer.output_mode == "int" else np.float32
    assert layer(values).dtype == kind or (layer.takes == ("numbers",) and getattr(layer, "takes_text", False))


@pytest.mark.parametrize(("make", "values", "wanted"), ROWS)
def test_its_description_makes_an_equal_layer(make, values, wanted):
    layer = make()
    again = layers.deserialize(layers.serialize(layer))
    assert layers.serialize(again) == layers.serialize(layer)
    assert np.array_equal(again(values), layer(values))


@pytest.mark.parametrize(("make", "values", "wanted"), INSIDE)
def test_it_does_the_same_at_the_entry_of_a_model(make, values, wanted, tmp_path):
    layer = make()
    kind = "string" if isinstance(values[0][0], str) else "float32"
    shape = np.shape(wanted)[1:]
    model = Sequential([Input(np.shape(values)[1:], dtype=kind), layer, Flatten(), Dense(2)], seed=1)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(values, np.zeros((len(values), 2)), epochs=2, verbose=0)
    W, b = model.get_weights()
    assert layer.output_shape == shape
    np.testing.assert_allclose(
        model.predict(values), np.reshape(wanted, (len(values), -1)) @ W + b, rtol=1e-4, atol=1e-6
    )
    model.save(tmp_path / "m.safetensors")
    again = thalweg.load_model(tmp_path / "m.safetensors")
    assert again.input.kind == kind
    assert np.array_equal(again.predict(values), model.predict(values))


# --- in a model ------------------------------------------------------------------------------------------------------

X = np.array([["red"], ["blue"], ["green"], ["red"]])
Y = np.array([1.0, 2.0, 3.0, 1.0])


def colours(**options):
    model = Sequential(
        [Input((1,), dtype="string"), adapted(StringLookup(output_mode="one_hot"), X), Dense(1)], **options
    )
    model.compile("adam", "mse")
    return model


def test_a_model_takes_text_wherever_it_takes_numbers(capsys):
    model = colours(seed=0)
    vectors = model.layers[0](X)
    plain = Sequential([Input((4,)), Dense(1)], seed=0)
    plain.compile("adam", "mse")
    plain.set_weights(model.get_weights())
    assert model.input_shape == (None, 1)
    for step in (
        lambda m, x: m.fit(x, Y, epochs=3, validation_data=(x, Y), verbose=0).history,
        lambda m, x: m.fit(x, Y, epochs=2, validation_split=0.25, class_weight=None, verbose=0).history,
        lambda m, x: m.evaluate(x, Y, verbose=0),
        lambda m, x: m.train_on_batch(x[:2], Y[:2]),
        lambda m, x: m.predict(x).tolist(),
        lambda m, x: m.predict(x, batch_size=3, verbose=1).tolist(),
        lambda m, x: m.predict(x[:1]).tolist(),
        lambda m, x: m.trace(x, Y)["y_pred"].tolist(),
    ):
        assert step(model, X) == step(plain, vectors)
    model.profile(4)
    model.summary()
    assert "string_lookup" in capsys.readouterr().out


def test_batches_reach_the_callbacks_of_a_prediction():
    seen = []

    class Seen(thalweg.callbacks.Callback):
        def on_predict_batch_end(self, batch, logs):
            seen.append(logs["outputs"])

    model = colours()
    result = model.predict(X, batch_size=3, callbacks=[Seen()])
    assert [len(s) for s in seen] == [3, 1]
    assert np.array_equal(np.concatenate(seen), result)
    assert np.array_equal(result, model.predict(X))


def test_a_row_of_floats_is_looked_up_and_not_taken_as_it_is():
    """One row of float32 has exactly the form that the engine takes."""
    model = Sequential([Input((1,)), IntegerLookup(vocabulary=[7, 9]), Dense(1)])
    model.set_weights([np.ones((1, 1)), np.zeros(1)])
    for _ in range(2):
        assert model.predict(np.array([[9]], np.float32)).tolist() == [[2]]


def test_the_shape_follows_from_the_first_text():
    model = Sequential([StringLookup(vocabulary=WORDS), Dense(2)])
    assert model.predict(np.array(TEXT)).shape == (2, 2)
    assert model.input_shape == (None, 3)
    assert model.input.kind == "string"
    assert Sequential([StringLookup(vocabulary=WORDS), Dense(2)]).predict(list("abc")).shape == (3, 2)


def test_layers_at_the_entry_may_follow_each_other():
    encoded = Sequential([IntegerLookup(vocabulary=[5, 7]), CategoryEncoding(3, output_mode="one_hot")])
    assert encoded.predict([[5], [7], [9]]).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_the_reference_engine_gets_the_same():
    model, other = colours(seed=0), colours(seed=0, engine="reference", dtype="float64")
    np.testing.assert_allclose(model.predict(X), other.predict(X), rtol=1e-6)


def test_lsuv_looks_at_what_the_network_gets():
    model = Sequential([Input((1,)), Discretization([0.0, 1.0], output_mode="one_hot"), Dense(4)], seed=0)
    x = np.random.default_rng(0).normal(size=(100, 1))
    assert thalweg.lsuv(model, x)["dense/W"] == pytest.approx(1, abs=0.1)


MISPLACED = {
    "behind another layer": lambda: Sequential([Dense(3), IntegerLookup(vocabulary=[1])]),
    "inside another layer": lambda: Sequential([Input((2,)), Residual([Discretization([0])]), Dense(1)]).build(),
}


@pytest.mark.parametrize("make", MISPLACED.values(), ids=MISPLACED)
def test_elsewhere_in_a_model_it_is_refused(make):
    with pytest.raises(ThalwegError, match="stands first in a model, right behind Input"):
        make()


def test_the_input_and_the_layer_behind_it_have_to_agree():
    with pytest.raises(ArgumentError, match=r"takes text: give Input\(\(1,\), dtype='string'\)"):
        Sequential([Input((1,)), StringLookup(vocabulary=["a"]), Dense(1)]).build()
    with pytest.raises(ArgumentError, match="what follows takes numbers: put StringLookup before it"):
        Sequential([Input((1,), dtype="string"), Dense(1)]).build()
    with pytest.raises(ArgumentError, match="what follows takes numbers"):
        Sequential([Input((1,), dtype="string"), IntegerLookup(vocabulary=[1]), Dense(1)]).build()
    with pytest.raises(ArgumentError, match="makes text"):
        Sequential([Input((1,)), StringLookup(vocabulary=["a"], invert=True)]).build()
    with pytest.raises(ArgumentError, match="unknown dtype of an input 'text'"):
        Input((1,), dtype="text")
    assert Sequential([Input((1,), dtype="string"), Hashing(5), Dense(1)]).predict([["a"]]).shape == (1, 1)
    assert Sequential([Input((1,), dtype=np.int64), Hashing(5), Dense(1)]).predict([[3]]).shape == (1, 1)


def test_more_indices_than_floats_can_tell_apart_are_refused():
    Sequential([Input((1,)), Hashing(1 << 24), Dense(1)]).build()
    with pytest.raises(ArgumentError, match="exact up to 16,777,216"):
        Sequential([Input((1,)), Hashing((1 << 24) + 1), Dense(1)]).build()


def test_a_layer_that_has_learned_nothing_is_told_to():
    for layer, said in ((StringLookup(), "no vocabulary yet"), (Discretization(num_bins=3), "no boundaries yet")):
        with pytest.raises(ThalwegError, match=said):
            layer(["a"] if isinstance(layer, StringLookup) else [1.0])
    with pytest.raises(ThalwegError, match="no vocabulary yet"):
        Sequential([Input((1,), dtype="string"), StringLookup(output_mode="one_hot"), Dense(1)]).build()


def test_the_vocabulary_of_a_model_keeps_its_size():
    model = colours()
    model.build()
    layer = model.layers[0]
    with pytest.raises(ThalwegError, match="can't change any more: it is 4, not 3"):
        layer.adapt(["red", "blue"])
    assert layer.vocabulary_size() == 4
    layer.adapt(["x", "y", "z"])
    assert layer.get_vocabulary() == ["[UNK]", "z", "y", "x"]
    ranges = Discretization(num_bins=3, output_mode="one_hot")
    ranges.adapt(np.arange(100))
    Sequential([Input((1,)), ranges, Dense(1)]).build()
    with pytest.raises(ThalwegError, match="can't change any more"):
        ranges.adapt([1.0])


# --- in a model that is drawn ----------------------------------------------------------------------------------------


def wide_and_deep(seed=0):
    """A text, a number and a category, each behind its own input."""
    colour, size, kind = Input((1,), "colour", dtype="string"), Input((2,), "size"), Input((1,), "kind", dtype="int64")
    words = adapted(StringLookup(output_mode="one_hot"), X)(colour)
    numbers = CategoryEncoding(4, "one_hot")(IntegerLookup(vocabulary=[10, 20, 30])(kind))
    h = layers.Concatenate()([words, size, numbers])
    model = thalweg.Model([colour, size, kind], Dense(1, name="out")(h), seed=seed)
    model.compile("adam", "mse")
    return model


SEVERAL = {"colour": X, "size": np.arange(8.0).reshape(4, 2), "kind": np.array([[10], [30], [7], [20]])}


def test_each_input_of_a_drawn_model_has_its_own(tmp_path):
    model = wide_and_deep()
    assert model.input_shape == [(None, 1), (None, 2), (None, 1)]
    W, b = model.get_weights()
    kinds = np.eye(4)[[1, 3, 0, 2]]
    words = StringLookup(vocabulary=["red", "green", "blue"], output_mode="one_hot")(X)
    x = np.concatenate([words, SEVERAL["size"], kinds], axis=1)
    np.testing.assert_allclose(model.predict(SEVERAL), x @ W + b, rtol=1e-5)
    np.testing.assert_allclose(model.predict(list(SEVERAL.values())), x @ W + b, rtol=1e-5)
    model.fit(SEVERAL, Y, epochs=2, batch_size=2, validation_split=0.25, verbose=0)
    model.evaluate(SEVERAL, Y, verbose=0)
    model.predict(SEVERAL, verbose=1, batch_size=2)
    model.profile(4)
    model.save(tmp_path / "m.safetensors")
    again = thalweg.load_model(tmp_path / "m.safetensors")
    assert np.array_equal(again.predict(SEVERAL), model.predict(SEVERAL))
    with pytest.raises(DataError, match="no value in row 1"):
        model.predict(SEVERAL | {"colour": [["red"], [None], ["red"], ["red"]]})
    with pytest.raises(ShapeError, match="x of 'kind'"):
        model.predict(SEVERAL | {"kind": np.ones((4, 2), int)})


def test_one_input_of_a_drawn_model():
    x = Input((1,), dtype="string")
    layer = adapted(StringLookup(output_mode="one_hot"), X)
    model = thalweg.Model(x, Dense(1)(layer(x)), seed=0)
    chain = colours(seed=0)
    assert np.array_equal(model.predict(X), chain.predict(X))
    assert np.array_equal(thalweg.Model(x, layer(x)).predict(X), layer(X))  # and one without weights
    assert model.predict(X, steps=1, batch_size=2).shape == (2, 1)
    ids = Input((1,))
    row = thalweg.Model(ids, Dense(1, use_bias=False, kernel_initializer="ones")(IntegerLookup(vocabulary=[7, 9])(ids)))
    assert row.predict(np.array([[9]], np.float32)).tolist() == [[2]]


def test_an_input_may_be_looked_up_and_used_as_it_is():
    x = Input((2,))
    model = thalweg.Model(x, layers.Concatenate()([x, Discretization([0.0])(x), Discretization([1.0])(x)]))
    assert model.predict([[0.5, -3.0], [4.0, 1.0]]).tolist() == [[0.5, -3, 1, 0, 0, 0], [4, 1, 1, 1, 1, 1]]


def test_in_a_drawn_model_they_stand_behind_inputs_alone():
    x, text = Input((2,)), Input((2,), dtype="string")
    with pytest.raises(ThalwegError, match="stands first in a model"):
        Discretization([0])(Dense(1)(x))
    with pytest.raises(ArgumentError, match="takes text: give Input"):
        thalweg.Model(x, StringLookup(vocabulary=["a"])(x))
    with pytest.raises(ArgumentError, match="takes numbers"):
        thalweg.Model(text, IntegerLookup(vocabulary=[1])(text))
    with pytest.raises(ArgumentError, match="takes numbers: put StringLookup before it"):
        thalweg.Model(text, Dense(1)(text))
    with pytest.raises(ThalwegError, match="stands first in a model"):
        colours()(Input((1,)))  # a model with such a layer, inside another


# --- what they learn -------------------------------------------------------------------------------------------------


def test_a_vocabulary_is_sorted_by_count_and_then_backwards():
    layer = adapted(StringLookup(mask_token="", num_oov_indices=2), [*TEXT, ["", "[UNK]", "é"]])
    assert layer.get_vocabulary() == ["", "[UNK]", "[UNK]", "d", "é", "z", "c", "b", "a"]
    assert layer.get_vocabulary(include_special_tokens=False) == ["d", "é", "z", "c", "b", "a"]
    assert layer.vocabulary_size() == 9
    assert adapted(IntegerLookup(), INTEGERS).get_vocabulary() == [-1, 42, 1138, 1000, 36, 12]
    assert adapted(IntegerLookup(max_tokens=3), INTEGERS).get_vocabulary() == [-1, 42, 1138]


def test_the_weights_of_tf_idf_are_keras_s():
    """Three documents: "a" is in two, "b" in one, and counts once however often it occurs there."""
    layer = adapted(StringLookup(output_mode="tf_idf"), [["a", "a"], ["a", "c"], ["b", "c"]])
    assert layer.get_vocabulary() == ["[UNK]", "a", "c", "b"]
    two, one = np.log(1 + 3 / (1 + 2)), np.log(1 + 3 / (1 + 1))
    mean = (2 * two + one) / 3
    np.testing.assert_allclose(layer([["a", "a"], ["b", "?"]]), [[0, 2 * two, 0, 0], [mean, 0, 0, one]], rtol=1e-6)
    single = adapted(StringLookup(output_mode="tf_idf"), ["a", "a", "b"])  # a list of texts is a document each
    np.testing.assert_allclose(single.idf_weights[1:], [two, one], rtol=1e-6)


def test_ranges_are_about_equally_full():
    x = np.random.default_rng(0).normal(size=20_000)
    layer = adapted(Discretization(num_bins=5), x)
    counts = np.bincount(layer(x), minlength=5)
    assert len(layer.bin_boundaries) == 4
    assert abs(counts / len(x) - 0.2).max() < 0.015


KINDS = {
    "U": np.array(TEXT), "bytes": np.array(TEXT).astype("S"), "objects": np.array(TEXT, dtype=object), "lists": TEXT,
    "tuples": tuple(map(tuple, TEXT)), "pandas": pd.DataFrame(TEXT),
    "categories": pd.DataFrame(TEXT).astype("category"),
    "polars": pl.DataFrame(TEXT, orient="row"), "objects of bytes": np.array(TEXT).astype("S").astype(object),
    "arrow": pd.DataFrame(TEXT).astype("string[pyarrow]"), "NumPy's letters": [list(map(np.str_, row)) for row in TEXT],
}  # fmt: skip


@pytest.mark.parametrize("values", KINDS.values(), ids=KINDS)
def test_text_of_any_kind(values):
    assert StringLookup(vocabulary=WORDS)(values).tolist() == [[1, 3, 4], [4, 0, 2]]
    assert adapted(StringLookup(), values).get_vocabulary() == ["[UNK]", "d", "z", "c", "b", "a"]
    assert Hashing(100)(values).tolist() == Hashing(100)(TEXT).tolist()


@pytest.mark.parametrize("values", [pd.Series(["d", "a"]), pl.Series(["d", "a"]), ["d", "a"]], ids=type)
def test_columns_of_text(values):
    assert StringLookup(vocabulary=WORDS)(values).tolist() == [4, 1]


def test_one_text():
    assert StringLookup(vocabulary=WORDS)("c").tolist() == 3
    assert StringLookup(vocabulary=WORDS, invert=True)(3).tolist() == "c"
    assert StringLookup(vocabulary=["é"], encoding="latin1")(["é".encode("latin1")]).tolist() == [1]


@pytest.mark.parametrize("values", [pd.Series([7, 36]), pl.Series([7, 36]), [7.0, 36.0], np.array([7, 36], np.uint8)])
def test_numbers_of_any_kind(values):
    assert IntegerLookup(vocabulary=[36])(values).tolist() == [0, 1]
    assert Hashing(100)(values).tolist() == Hashing(100)(["7", "36"]).tolist()


def test_masked_and_unknown_values_have_fixed_places():
    assert Hashing(5, mask_value=3)([[3], [4]])[0] == 0
    assert (Hashing(5, mask_value=3)(np.arange(100)) == 0).sum() == 1
    counted = StringLookup(vocabulary=WORDS, output_mode="count", mask_token="")
    assert counted([["", "", "?"]]).tolist() == [[1, 0, 0, 0, 0]]


def test_a_crossing_hashes_its_columns_one_after_the_other():
    """Computed once more, in Python's numbers; FarmHash has tests of its own."""
    factor, most = 0xC6A4A7935BD1E995, (1 << 64) - 1

    def joined(a, b):
        b = b * factor & most
        result = (a ^ factor ^ (b ^ b >> 47) * factor & most) * factor & most
        result = (result ^ result >> 47) * factor & most
        return result ^ result >> 47

    words, numbers, more = ["cat", "dog", "cat"], np.array([3, -1, 4]), [1 << 40, 0, 7]
    total = [0xDECAFCAFFE] * 3
    for column in (fingerprint64([w.encode() for w in words]).tolist(), [int(n) & most for n in numbers], more):
        total = [joined(a, b) for a, b in zip(total, column, strict=True)]
    assert HashedCrossing(1000)([words, numbers, more]).tolist() == [n % 1000 for n in total]
    assert HashedCrossing(1000)((words[0], 3, more[0])) == total[0] % 1000
    assert HashedCrossing(1000)([numbers, words, more]).tolist() != [n % 1000 for n in total]


def test_a_crossing_in_a_model(tmp_path):
    words, town, number = StringLookup(vocabulary=["a", "b"]), Input((1,), dtype="string"), Input((1,), dtype="int32")
    ids = words(town)
    crossed = HashedCrossing(7)([ids, number])
    outputs = {
        "of ids": CategoryEncoding(7)(crossed),
        "as they are": HashedCrossing(5, output_mode="one_hot")([town, number, number]),
    }
    model = Model([town, number], outputs)
    columns = [np.array([["b"], ["a"], ["x"]]), np.array([[3], [-2], [8]])]
    found = model.predict(columns)
    of_ids = HashedCrossing(7)([words(columns[0]), columns[1]])
    np.testing.assert_array_equal(found["of ids"], np.eye(7)[of_ids[:, 0]])
    alone = HashedCrossing(5, output_mode="one_hot")([*columns, columns[1]])
    np.testing.assert_array_equal(found["as they are"], alone)
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path / "model.safetensors").predict(columns)
    np.testing.assert_array_equal(again["as they are"], alone)
    with pytest.raises(DataError, match=r"row 1 holds 0\.5"):
        model.predict([columns[0], np.array([1, 0.5, 2])])
    with pytest.raises(ShapeError, match="one shape"):
        model.predict([columns[0], columns[1][:2]])


def test_a_vocabulary_file(tmp_path):
    (tmp_path / "words.txt").write_text("a\nb\nc\nd\n", encoding="utf-8")
    (tmp_path / "numbers.txt").write_text("12\n36\n", encoding="utf-8")
    assert StringLookup(vocabulary=str(tmp_path / "words.txt"))(TEXT).tolist() == [[1, 3, 4], [4, 0, 2]]
    assert IntegerLookup(vocabulary=tmp_path / "numbers.txt")([36, 1]).tolist() == [2, 0]
    with pytest.raises(NotFoundError, match="there is no vocabulary file"):
        StringLookup(vocabulary="a")
    with pytest.raises(ArgumentError, match="not as the path"):  # a model file may not read other files
        layers.deserialize({"class_name": "StringLookup", "config": {"vocabulary": str(tmp_path / "words.txt")}})


def test_weights_of_counts():
    layer = CategoryEncoding(4, output_mode="count")
    weights = [[0.1, 0.2], [0.1, 0.1], [0.2, 0.3], [0.4, 0.2]]
    result = layer([[0, 1], [0, 0], [1, 2], [3, 1]], count_weights=weights)
    wanted = [[0.1, 0.2, 0, 0], [0.2, 0, 0, 0], [0, 0.2, 0.3, 0], [0, 0.2, 0, 0.4]]
    np.testing.assert_allclose(result, wanted, rtol=1e-6)
    with pytest.raises(ArgumentError, match="belong to output_mode='count'"):
        CategoryEncoding(4)([[0]], count_weights=[[1]])
    with pytest.raises(ShapeError, match="count_weights has the shape"):
        layer([[0, 1]], count_weights=[1])


# --- refused ---------------------------------------------------------------------------------------------------------

STRINGS, NUMBERED = StringLookup(vocabulary=WORDS), IntegerLookup(vocabulary=[1])
REFUSED = {
    "None": (lambda: STRINGS(["a", None]), DataError, "no value in row 1"),
    "NaN": (lambda: STRINGS(np.array(["a", np.nan], dtype=object)), DataError, "no value in row 1"),
    "a missing cell": (lambda: STRINGS(pd.Series(["a", None, "b"])), DataError, "no value in row 1"),
    "a null": (lambda: STRINGS(pl.Series(["a", None, "b"])), DataError, "no value in row 1"),
    "a missing cell of a frame": (
        lambda: STRINGS(pd.DataFrame({"u": ["a", "b"], "v": ["c", None]})), DataError, "no value in row 1"),
    "mixed types": (lambda: STRINGS(["a", 3]), DataError, "row 1 holds 3"),
    "numbers for text": (lambda: STRINGS(np.arange(3)), DataError, "takes text, got an array of int64"),
    "rows of different lengths": (lambda: STRINGS([["a"], ["b", "c"]]), ShapeError, "different lengths"),
    "bytes that aren't text": (lambda: STRINGS([b"a", b"\xff"]), DataError, "in row 1 aren't text in utf-8"),
    "text for numbers": (lambda: NUMBERED(["a"]), DataError, "have to be numbers"),
    "half a number": (lambda: NUMBERED([[1, 2], [1, 1.5]]), DataError, "whole numbers, but row 1 holds 1.5"),
    "not a number": (lambda: NUMBERED([1, np.nan]), DataError, "row 1 holds nan"),
    "a large number": (lambda: NUMBERED(np.array([1 << 63], np.uint64)), DataError, "below 2⁶³"),
    "an infinite number": (lambda: NUMBERED([np.inf]), DataError, "row 0 holds inf"),
    "nan in a range": (lambda: Discretization([0])([[1], [np.nan]]), DataError, "row 1 holds nan"),
    "a category too many": (lambda: CategoryEncoding(3)([[1], [3]]), DataError, "from 0 to 2, but row 1 holds 3"),
    "a negative category": (lambda: CategoryEncoding(3)([-1]), DataError, "row 0 holds -1"),
    "no out-of-vocabulary index": (
        lambda: StringLookup(vocabulary=WORDS, num_oov_indices=0)([["a"], ["y"], ["x"]]), DataError, "'y', 'x'"),
    "a mask of another type": (lambda: Hashing(3, mask_value=0)(["a"]), DataError, "was given text"),
    "missing text to hash": (lambda: Hashing(3)(["a", None]), DataError, "no value in row 1"),
    "one column to cross": (lambda: HashedCrossing(3)([["a"]]), ArgumentError, "two columns or more"),
    "columns as an array": (lambda: HashedCrossing(3)(np.ones((2, 3))), ArgumentError, "got ndarray"),
    "columns of two lengths": (lambda: HashedCrossing(3)([["a"], [1, 2]]), ShapeError, "columns of one shape"),
    "wide columns": (lambda: HashedCrossing(3)([[[1, 2]], [[1, 2]]]), ShapeError, r"or \(rows, 1\), got \(1, 2\)"),
    "fractions to cross": (lambda: HashedCrossing(3)([[1.5], [1]]), DataError, "row 0 holds 1.5"),
    "a mode of crossings": (lambda: HashedCrossing(3, output_mode="count"), ArgumentError, "unknown output_mode"),
    "a crossing behind a layer": (
        lambda: HashedCrossing(3)([Dense(1)(Input((1,))), Input((1,))]), ThalwegError, "right behind Input"),
    "a crossing of inputs of two shapes": (
        lambda: HashedCrossing(3)([Input(()), Input((1,))]), ShapeError, "one shape"),
    "a crossing of wide inputs": (lambda: HashedCrossing(3)([Input((2,)), Input((2,))]), ShapeError, "one shape"),
    "a crossing of one input": (lambda: HashedCrossing(3)([Input((1,))]), ArgumentError, "two columns or more"),
    "nothing to learn": (lambda: StringLookup().adapt([]), DataError, "an empty array"),
    "no numbers to learn": (lambda: Discretization(num_bins=2).adapt([]), DataError, "an empty array"),
    "a given vocabulary": (lambda: STRINGS.adapt(TEXT), ArgumentError, "was given its vocabulary"),
    "given boundaries": (lambda: Discretization([0]).adapt([1]), ArgumentError, "was given its boundaries"),
    "repeated words": (lambda: StringLookup(vocabulary=["a", "b", "a"]), ArgumentError, "repeats 'a'"),
    "an empty vocabulary": (lambda: StringLookup(vocabulary=[]), ArgumentError, "empty vocabulary"),
    "a mask inside": (lambda: StringLookup(vocabulary=["a", "-"], mask_token="-"), ArgumentError, "with '-' inside"),
    "too many words": (lambda: StringLookup(3, vocabulary=WORDS), ArgumentError, "5 tokens, max_tokens is 3"),
    "max_tokens": (lambda: StringLookup(1), ArgumentError, "at least 2"),
    "num_oov_indices": (lambda: StringLookup(num_oov_indices=-1), ArgumentError, "at least 0"),
    "sparse": (lambda: StringLookup(output_mode="count", sparse=True), ArgumentError, "leave sparse False"),
    "invert": (lambda: StringLookup(invert=True, output_mode="count"), ArgumentError, "not 'count'"),
    "pad_to_max_tokens": (lambda: StringLookup(pad_to_max_tokens=True), ArgumentError, "needs max_tokens"),
    "output_mode": (lambda: StringLookup(output_mode="hot"), ArgumentError, "unknown output_mode of StringLookup"),
    "encoding": (lambda: StringLookup(encoding="klingon"), ArgumentError, "encoding is a name"),
    "weights without tf_idf": (
        lambda: StringLookup(vocabulary=WORDS, idf_weights=[1] * 4), ArgumentError, "takes no idf_weights"),
    "tf_idf without weights": (
        lambda: StringLookup(vocabulary=WORDS, output_mode="tf_idf"), ArgumentError, "needs idf_weights"),
    "too few weights": (
        lambda: StringLookup(vocabulary=WORDS, output_mode="tf_idf", idf_weights=[1]), ArgumentError, "needs 4"),
    "weights alone": (lambda: StringLookup(idf_weights=[1]), ArgumentError, "give both"),
    "vocabulary_dtype": (lambda: IntegerLookup(vocabulary_dtype="int32"), ArgumentError, "is 'int64'"),
    "salt without a hash": (lambda: IntegerLookup(salt=3), ArgumentError, "needs oov_method='farmhash'"),
    "words for numbers": (lambda: IntegerLookup(vocabulary=["a"]), DataError, "has to be whole numbers"),
    "no num_tokens": (lambda: CategoryEncoding(), ArgumentError, "needs num_tokens"),
    "whole indices of categories": (lambda: CategoryEncoding(3, output_mode="int"), ArgumentError, "unknown output_mo"),
    "no boundaries": (lambda: Discretization(), ArgumentError, "either bin_boundaries, or num_bins"),
    "both": (lambda: Discretization([0], 2), ArgumentError, "either bin_boundaries, or num_bins"),
    "falling boundaries": (lambda: Discretization([1, 0]), ArgumentError, "increasing numbers"),
    "salt": (lambda: Hashing(3, salt=[1, 2, 3]), ArgumentError, "a whole number or two"),
    "num_bins": (lambda: Hashing(0), ArgumentError, "at least 1"),
    "a model's numbers for text": (lambda: colours().predict(np.ones((2, 1))), DataError, "takes text"),
    "a model's missing text": (lambda: colours().fit([["red"], [None]], [1, 2]), DataError, "no value in row 1"),
    "a model's shape": (lambda: colours().predict(TEXT), ShapeError, r"inputs of shape \(rows, 1\)"),
    "no rows": (lambda: colours().predict(np.zeros((0, 1), "U1")), DataError, "needs rows"),
}  # fmt: skip


@pytest.mark.parametrize(("call", "error", "said"), REFUSED.values(), ids=REFUSED)
def test_refused(call, error, said):
    with pytest.raises(error, match=said) as caught:
        call()
    assert "\n" not in str(caught.value)


# --- beside Keras ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [5, 40, 1000, 12_345])
def test_keras_measures_the_same_ranges(keras, count):
    x = np.random.default_rng(count).gamma(2, size=count)
    for bins, epsilon in ((3, 0.01), (10, 0.01), (4, 0.1)):
        ours, theirs = (
            Discretization(num_bins=bins, epsilon=epsilon),
            keras.layers.Discretization(num_bins=bins, epsilon=epsilon),
        )
        ours.adapt(x)
        theirs.update_state(x)  # adapt itself needs TensorFlow
        theirs.finalize_state()
        np.testing.assert_allclose(ours.bin_boundaries, theirs.bin_boundaries, rtol=1e-6)
        assert np.array_equal(ours(x), np.asarray(theirs(x)))


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
def test_keras_encodes_the_same(keras, mode):
    x = np.random.default_rng(0).integers(0, 6, (20, 3))
    ours, theirs = CategoryEncoding(6, mode), keras.layers.CategoryEncoding(6, mode)
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)))
