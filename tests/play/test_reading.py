"""Texts and sentences on the live page: what is learned from, what is drawn, and what is refused."""

import time

import numpy as np
import pytest
from node_page import Course, PageError

from thalweg.play.page_state import RHYME

WRITTEN = 60  # letters
TEXT = {"data": {"name": "text"}, "layers": [{"kind": "embedding"}, {"kind": "recurrent"}], "learning_rate": 0.01}
LOOKS = {"kind": "attention", "units": 8}
SENTENCES = {
    "data": {"name": "sentences"},
    "layers": [{"kind": "embedding"}, LOOKS, {"kind": "average"}],
    "learning_rate": 0.02,
    "batch": 16,
}


def course_of(state, **changes):
    return Course(state | changes)


def read(course, said="", row=0, iteration=0):
    return course.do("reading", said=said, row=row, iteration=iteration)


def test_windows_are_followed_by_their_next_letter():
    rows = course_of(TEXT, data={"name": "text", "text": "abcabd", "window": 2}).rows()
    assert rows.vocabulary == ["a", "b", "c", "d"]
    assert rows.x.tolist() == [[0, 1], [1, 2], [2, 0], [0, 1]]
    assert rows.y.tolist() == [2, 0, 1, 3]


def test_no_word_alone_tells_whether_a_sentence_praises():
    rows = course_of(SENTENCES, data={"name": "sentences", "share": 0.0}).rows()
    x, y, words = rows.x, rows.y, rows.vocabulary
    assert len(x) == 192
    for place in range(x.shape[1]):
        for word in np.unique(x[:, place]):
            assert y[x[:, place] == word].mean() == 0.5, words[int(word)]
    sentence = [words.index(word) for word in ["the", "soup", "was", "not", "dull"]]
    assert y[(x == sentence).all(axis=1)].tolist() == [1]


def test_attention_tells_what_the_mean_of_words_cannot():
    scores = []
    for layers in (SENTENCES["layers"], [{"kind": "embedding"}, {"kind": "average"}]):
        course = course_of(SENTENCES, layers=layers)
        course.run(40 * course.steps_per_epoch)
        scores.append(course.val_metric)
    assert scores[0] >= 0.95
    assert scores[1] <= 0.6


def test_it_writes_words_of_its_text():
    course = course_of(TEXT)
    course.run(40 * course.steps_per_epoch)
    shown = read(course, "This is the ", iteration=course.iteration)
    assert "".join(shown["tokens"]) == "This is the "
    assert len(shown["written"]) == WRITTEN
    known = set(RHYME.replace(".", "").split())
    written = shown["written"].replace(".", "").split()[1:-1]  # the first and the last may be parts of words
    assert np.mean([word in known for word in written]) >= 0.5
    assert shown["probabilities"].sum() == pytest.approx(1, rel=1e-5)
    assert shown["likeliest"] == shown["classes"][int(shown["probabilities"].argmax())]
    assert shown["probabilities"][shown["classes"].index("T")] < 0.1


def test_while_it_trains_it_writes_anew_twice_a_second():
    course = course_of(TEXT)
    texts = [read(course, iteration=iteration)["written"] for iteration in (1, 2)]
    assert texts[0] == texts[1]
    time.sleep(0.6)
    assert read(course, iteration=3)["written"] != texts[0]


def test_states_are_those_of_the_layer():
    """By hand: what an LSTM is at each letter, and what the last layer says of its last state."""
    course = course_of(TEXT, layers=[{"kind": "embedding"}, {"kind": "recurrent", "cell": "lstm", "units": 6}])
    course.run(20)
    E, W, R, b, V, c = (array.astype(float) for array in course.do("arrays"))
    h, cell, states = np.zeros(6), np.zeros(6), []
    for letter in course.rows().x[5].astype(int):
        i, f, g, o = np.split(E[letter] @ W + h @ R + b, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(cell)
        states.append(h)
    powers = np.exp(h @ V + c)
    shown = read(course, row=5)
    np.testing.assert_allclose(shown["states"], np.transpose(states), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(shown["probabilities"], powers / powers.sum(), rtol=1e-4, atol=1e-6)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_what_cannot_be_read_is_said_and_the_row_is_read():
    course = course_of(SENTENCES)
    row = read(course, row=2)["tokens"]
    for said, why in (
        ("the soup was not tasty", "the word tasty; it knows the, film"),
        ("the soup was good", "has 5 words"),
    ):
        shown = read(course, said, row=2)
        assert shown["tokens"] == row
        assert why in shown["unread"]["en"]
        assert shown["unread"]["zh"] != shown["unread"]["en"]
    assert "no letter x" in read(course_of(TEXT), "x")["unread"]["en"]
    assert "unread" not in read(course, "the soup was not good", row=2)


def test_a_frame_has_a_reading_of_texts_alone():
    for state, there in ((TEXT, True), ({}, False)):
        assert ("reading" in course_of(state).do("frame", wanted=["reading"])) is there


def test_what_was_typed_is_forgotten_with_its_text(page):
    page.set(TEXT)
    page.say("want", what=["reading"])
    page.say("select", said="that Jack")
    page.until(lambda f: "".join(f.get("reading", {}).get("tokens", [])) == "   that Jack")
    shown = page.set(SENTENCES)["reading"]
    assert len(shown["tokens"]) == 5
    assert "unread" not in shown


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (TEXT | {"layers": [{"kind": "recurrent"}, {"kind": "average"}, LOOKS]}, "layer 3, attention, is for a text"),
        (TEXT | {"layers": [{"kind": "embedding"}, {"kind": "embedding"}]}, "layer 2, embedding, is for a text"),
        ({"layers": [{"kind": "recurrent"}]}, "layer 1, recurrent, is for a text or sentences"),
        (TEXT | {"layers": [{"kind": "embedding"}, {"kind": "conv2d"}]}, "layer 2, conv2d, takes images"),
        (TEXT | {"data": {"name": "text", "text": "abcabc", "window": 6}}, "longer than 7 letters"),
        (TEXT | {"data": {"name": "text", "text": "aabbaabbabab", "window": 2}}, "3 to 120 different ones"),
        (TEXT | {"data": {"name": "text", "text": "\n"}}, "a text of at most 4000 characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence(state, why):
    with pytest.raises(PageError, match=why) as refused:
        course_of(state)
    assert refused.value.text["zh"] != refused.value.text["en"]


@pytest.mark.parametrize(
    ("layers", "made"),
    [
        ([], ["Embedding", "Flatten", "Dense"]),
        ([{}], ["Embedding", "Flatten", "Dense", "Dense"]),
        ([{"kind": "embedding"}, {"kind": "recurrent"}, {}], ["Embedding", "SimpleRNN", "Dense", "Dense"]),
        ([LOOKS, {"kind": "recurrent", "cell": "gru"}], ["Embedding", "MultiHeadAttention", "GRU", "Dense"]),
        ([{"kind": "recurrent"}, {"kind": "average"}], ["Embedding", "SimpleRNN", "GlobalAveragePooling1D", "Dense"]),
    ],
)
def test_what_a_state_leaves_out_is_there(layers, made):
    course = course_of(TEXT | {"layers": layers})
    assert [layer["kind"] for layer in course.do("facts")["layers"]] == made
    course.run(2)


def test_a_text_in_any_language_is_read():
    course = course_of(
        TEXT | {"data": {"name": "text", "text": "床前明月光 疑是地上霜  舉頭望明月 低頭思故鄉", "window": 3}}
    )
    assert "  " not in course.state["data"]["text"]
    assert len(read(course, "明月")["written"]) == WRITTEN
