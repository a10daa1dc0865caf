"""TextVectorization against an independent statement of Keras's rules, in a model, and saved."""

import math
import re
from collections import Counter

import numpy as np
import pytest

import thalweg
from thalweg import Sequential, layers, saving
from thalweg.errors import ArgumentError, DataError, ShapeError, ThalwegError
from thalweg.layers import Dense, Embedding, GlobalAveragePooling1D, Input, IntegerLookup, StringLookup
from thalweg.layers import TextVectorization as Texts

SAID = ["The cat sat, the cat!", "A dog; a DOG\tand a cat", "", "É été — don't", "dog"]


def tokens(text, widths=(1,)):
    """Keras's documentation in regular expressions: ASCII in lower case, ASCII punctuation gone, ASCII spaces part."""
    text = re.sub("[A-Z]", lambda m: m[0].lower(), text)
    text = re.sub(r'[!"#$%&()\*\+,-\./:;<=>?@\[\\\]^_`{|}~\']', "", text)
    words = [w for w in re.split("[ \t\n\r\v\f]+", text) if w]
    return [" ".join(words[k : k + n]) for n in widths for k in range(len(words) - n + 1)]


@pytest.mark.parametrize(("ngrams", "widths"), [(None, (1,)), (2, (1, 2)), ((3, 1), (3, 1))])
@pytest.mark.parametrize("most", [None, 5])
def test_it_follows_the_rules(ngrams, widths, most):
    rows = [tokens(text, widths) for text in SAID]
    counts = Counter(token for row in rows for token in row)
    order = sorted(counts, key=lambda token: (counts[token], token), reverse=True)[: None if most is None else most - 2]
    layer = Texts(max_tokens=most, ngrams=ngrams)
    layer.adapt(SAID)
    assert layer.get_vocabulary() == ["", "[UNK]", *order]
    assert layer.get_vocabulary(include_special_tokens=False) == order
    assert layer.vocabulary_size() == len(order) + 2
    longest = max(map(len, rows))
    places = {token: k + 2 for k, token in enumerate(order)}
    wanted = [[places.get(t, 1) for t in row] + [0] * (longest - len(row)) for row in rows]
    assert layer(SAID).tolist() == wanted
    assert layer(np.array(SAID)[:, None]).tolist() == wanted
    for text, row in zip(SAID, rows, strict=True):
        assert layer(text).tolist() == [places.get(t, 1) for t in row]  # a text by itself has no axis of rows
    # Vectors have no place for the padding, and "binary" and "tf-idf" are older names.
    for mode in ("multi_hot", "binary", "count", "tf_idf", "tf-idf"):
        vectors = Texts(max_tokens=most, ngrams=ngrams, output_mode=mode)
        vectors.adapt(SAID)
        known = vectors.get_vocabulary()
        assert known[0] == "[UNK]"
        inside = {t: sum(t in row for row in rows) for t in known[1:]}
        idf = [math.log(1 + len(rows) / (1 + inside[t])) for t in known[1:]]
        weights = np.array([np.mean(idf), *idf])
        count = np.array([[sum((t if t in known else "[UNK]") == k for t in row) for k in known] for row in rows])
        made = {"count": count, "multi_hot": count > 0, "binary": count > 0}.get(mode, count * weights)
        np.testing.assert_allclose(vectors(SAID), made, rtol=1e-5)


def test_data_may_come_in_batches():
    def batches():
        yield SAID[:2]
        yield np.array(SAID[2:])[:, None]

    whole, parts = Texts(), Texts()
    whole.adapt(SAID)
    parts.adapt(batches())
    assert parts.get_vocabulary() == whole.get_vocabulary()
    parts.set_vocabulary(["cat", "dog"])
    assert parts(["dog bird cat"]).tolist() == [[3, 1, 2]]


@saving.register_keras_serializable()
def shouted(texts):
    return np.char.upper(texts)


@saving.register_keras_serializable()
def by_commas(texts):
    return [text.split(",") for text in texts]


def test_functions_are_called_and_saved_by_name():
    layer = Texts(standardize=shouted, split=by_commas, output_sequence_length=3, vocabulary=["A B", "C"])
    assert layer(["a b,c", "x"]).tolist() == [[2, 3, 0], [1, 0, 0]]
    again = layers.deserialize(layers.serialize(layer))
    assert again(["a b,c"]).tolist() == [[2, 3, 0]]
    with pytest.raises(ArgumentError, match="is a lambda"):
        layers.serialize(Texts(split=lambda texts: [["a"]] * len(texts), vocabulary=["a"]))
    with pytest.raises(ThalwegError, match="made 1 rows of 2 texts"):
        Texts(split=lambda texts: [["a"]], vocabulary=["a"])(["a", "b"])
    with pytest.raises(ShapeError, match="its standardize made"):
        Texts(standardize=lambda texts: texts[:1], vocabulary=["a"])(["a", "b"])


def test_it_stands_before_an_embedding(tmp_path):
    words = Texts(output_sequence_length=6)
    words.adapt(SAID)
    model = Sequential(
        [Input((1,), dtype="string"), words, Embedding(words.vocabulary_size(), 3), GlobalAveragePooling1D(), Dense(1)]
    )
    model.compile("adam", "mse")
    model.fit(np.array(SAID)[:, None], np.arange(5.0), epochs=2, verbose=0)
    together = model.predict(np.array(SAID)[:, None], verbose=0)
    for k, text in enumerate(SAID):
        np.testing.assert_allclose(model.predict(np.array([[text]]), verbose=0)[0], together[k], rtol=1e-5, atol=1e-7)
    model.save(tmp_path / "m.safetensors")
    again = thalweg.load_model(tmp_path / "m.safetensors")
    assert np.array_equal(again.predict(np.array(SAID)[:, None], verbose=0), together)
    scalars = Sequential([Input((), dtype="string"), Texts(output_mode="count", vocabulary=["cat"]), Dense(1)])
    assert scalars.predict(SAID, verbose=0).shape == (5, 1)


def test_older_names_of_modes():
    assert StringLookup(vocabulary=["a"], output_mode="binary").output_mode == "multi_hot"
    assert IntegerLookup(vocabulary=[1], output_mode="tf-idf", idf_weights=[1.0]).output_mode == "tf_idf"
    assert layers.CategoryEncoding(3, output_mode="binary").output_mode == "multi_hot"
    for make in (lambda: layers.Hashing(3, output_mode="binary"), lambda: Texts(output_mode="one_hot")):
        with pytest.raises(ArgumentError, match="unknown output_mode"):
            make()


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: Texts(standardize="lowr"), ArgumentError, "lower"),
        (lambda: Texts(split="words"), ArgumentError, "whitespace"),
        (lambda: Texts(ngrams=0), ArgumentError, "ngrams"),
        (lambda: Texts(ragged=True), ArgumentError, "leave ragged False"),
        (lambda: Texts(sparse=True), ArgumentError, "leave sparse False"),
        (lambda: Texts(output_sequence_length=3, output_mode="count"), ArgumentError, "belongs to output_mode='int'"),
        (lambda: Texts()(["a"]), ThalwegError, "no vocabulary yet"),
        (lambda: Texts(vocabulary=["a"])([["a", "b"]]), ShapeError, "splits one text a row"),
        (lambda: Texts(vocabulary=["a"]).adapt(SAID), ArgumentError, "was given its vocabulary"),
        (lambda: Texts(split=None, output_sequence_length=2, vocabulary=["a"])(["a"]), ShapeError, "rows of tokens"),
        (lambda: Sequential([Input((1,), dtype="string"), Texts(vocabulary=["a"]), Dense(1)]).build(), ArgumentError,
         "needs output_sequence_length"),
        (lambda: Sequential([Input((2,), dtype="string"), Texts(vocabulary=["a"]), Dense(1)]).build(), ShapeError,
         "splits one text a row"),
    ],
)  # fmt: skip
def test_what_is_refused(make, error, said):
    with pytest.raises(error, match=said):
        make()


class Stored:
    """What `fit` asks of a tf.data.Dataset; its strings are arrays of objects that are bytes."""

    def __init__(self, *batches):
        self.batches = batches

    def __iter__(self):
        raise AssertionError("NumPy's arrays are asked for")

    def as_numpy_iterator(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)


def bytes_of(texts):
    """As tf.data has them; NumPy would pad its own bytes."""
    return np.array([text.encode() for text in texts], object)


def of_texts(shape):
    words = Texts(output_sequence_length=3, vocabulary=["cat", "dog", "é"])
    model = Sequential(
        [Input(shape, dtype="string"), words, Embedding(5, 3), GlobalAveragePooling1D(), Dense(1)], seed=1
    )
    model.compile("sgd", "mse")
    return model


LINES = ["cat", "a dog and a cat", "é", "dog cat"]


@pytest.mark.parametrize("shape", [(), (1,)])
@pytest.mark.parametrize(
    "given",
    [np.array(LINES, object), np.array([text.encode() for text in LINES]), bytes_of(LINES), list(bytes_of(LINES))],
    ids=["objects", "S", "objects of bytes", "a list of bytes"],
)
def test_a_column_of_bytes_is_one_of_texts(given, shape):
    model, other = of_texts(shape), of_texts(shape)
    assert np.array_equal(model.predict(given), other.predict(LINES))
    targets = np.arange(4.0)
    model.fit(given, targets, shuffle=False, verbose=0)
    other.fit(LINES, targets, shuffle=False, verbose=0)
    assert model.evaluate(given, targets, verbose=0) == other.evaluate(LINES, targets, verbose=0)
    assert all(np.array_equal(v, w) for v, w in zip(model.get_weights(), other.get_weights(), strict=True))


@pytest.mark.parametrize("shape", [(), (1,)])
def test_tf_data_s_texts_come_in_batches_of_bytes(shape):
    model, other = of_texts(shape), of_texts(shape)
    targets = np.arange(4.0)
    parts = [(bytes_of(LINES[k : k + 2]), targets[k : k + 2]) for k in (0, 2)]
    model.fit(Stored(*parts), epochs=2, verbose=0)
    other.fit(LINES, targets, batch_size=2, epochs=2, shuffle=False, verbose=0)
    for v, w in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(v, w, rtol=1e-6)
    assert np.array_equal(model.predict(Stored(*(x for x, _ in parts))), model.predict(LINES))


@pytest.mark.parametrize("shape", [(), (1,)])
def test_bytes_that_are_no_text_are_told(shape):
    wrong = np.array([b"cat", b"\xff\xfe dog", b"x"], object)
    for use in (lambda: of_texts(shape).predict(wrong), lambda: of_texts(shape).fit(wrong, np.zeros(3), verbose=0)):
        with pytest.raises(DataError, match=r"the bytes b'\\xff\\xfe dog' in row 1 aren't text in utf-8"):
            use()
    with pytest.raises(DataError, match="x has to be numbers"):
        Sequential([Input((1,)), Dense(1)]).predict(wrong)
    with pytest.raises(ShapeError, match="rows of different lengths, 2 in row 0 and 1 in row 1"):
        Sequential([Input((1,)), Dense(1)]).predict(np.array([[1, 2], [3]], object))
