"""Texts and sentences on the live page: what is learned from, what is drawn, and what is refused."""

import time

import numpy as np
import pytest

from thalweg.errors import ArgumentError
from thalweg.play.exercises.passages import judgements, windows
from thalweg.play.exercises.uploads import Uploads
from thalweg.play.frame import Frame
from thalweg.play.requests.page_state import RHYME, State
from thalweg.play.session import read
from thalweg.play.training.arithmetic import Choice
from thalweg.play.training.journey import Course
from thalweg.play.training.readings import WRITTEN

TEXT = {"data": {"name": "text"}, "layers": [{"kind": "embedding"}, {"kind": "recurrent"}], "learning_rate": 0.01}
LOOKS = {"kind": "attention", "units": 8}
SENTENCES = {
    "data": {"name": "sentences"},
    "layers": [{"kind": "embedding"}, LOOKS, {"kind": "average"}],
    "learning_rate": 0.02,
    "batch": 16,
}


def course_of(state, **changes):
    return Course(State.of(state | changes), Uploads())


def test_windows_are_followed_by_their_next_letter():
    x, y, alphabet = windows("abcabd", 2)
    assert alphabet == ["a", "b", "c", "d"]
    assert x.tolist() == [[0, 1], [1, 2], [2, 0], [0, 1]]
    assert y.tolist() == [2, 0, 1, 3]


def test_no_word_alone_tells_whether_a_sentence_praises():
    x, y, words = judgements()
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
        course.run(40 * course.bursts.steps_per_epoch)
        scores.append(course.last["val_accuracy"])
    assert scores[0] >= 0.95
    assert scores[1] <= 0.6


def test_it_writes_words_of_its_text():
    course = course_of(TEXT)
    course.run(60 * course.bursts.steps_per_epoch)
    shown = course.reading.shown("This is the ", 0, course.iteration)
    assert "".join(shown["tokens"]) == "This is the "
    assert len(shown["written"]) == WRITTEN
    known = set(RHYME.replace(".", "").split())
    written = shown["written"].replace(".", "").split()[1:-1]  # the first and the last may be parts of words
    assert np.mean([word in known for word in written]) >= 0.5
    assert shown["probabilities"].sum() == pytest.approx(1, rel=1e-5)
    assert shown["likeliest"] == shown["classes"][int(shown["probabilities"].argmax())]
    assert shown["probabilities"][shown["classes"].index("T")] < 0.1


def test_while_it_trains_it_writes_anew_twice_a_second(monkeypatch):
    course = course_of(TEXT)
    texts = [course.reading.shown("", 0, iteration)["written"] for iteration in (1, 2)]
    assert texts[0] == texts[1]
    later = time.monotonic() + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert course.reading.shown("", 0, 3)["written"] != texts[0]


def test_states_are_those_of_the_layer():
    course = course_of(TEXT, layers=[{"kind": "embedding"}, {"kind": "recurrent", "cell": "lstm", "units": 6}])
    shown = course.reading.shown("", 5, 1)
    outputs = course.network.outputs(course.network.exercise.x[5:6])
    assert shown["states"].shape == (6, 12)
    np.testing.assert_allclose(shown["states"][:, -1], outputs[1][0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(shown["probabilities"], outputs[-1][0], rtol=1e-5, atol=1e-6)


def test_what_cannot_be_read_is_said_and_the_row_is_read():
    course = course_of(SENTENCES)
    row = course.reading.shown("", 2, 0)["tokens"]
    for said, why in (
        ("the soup was not tasty", "the word tasty; it knows the, film"),
        ("the soup was good", "has 5 words"),
    ):
        shown = course.reading.shown(said, 2, 0)
        assert shown["tokens"] == row
        assert why in shown["unread"]["en"]
    assert "no letter x" in course_of(TEXT).reading.shown("x", 0, 0)["unread"]["en"]
    assert "unread" not in course.reading.shown("the soup was not good", 2, 0)


def test_a_frame_has_a_reading_of_texts_alone():
    for state, there in ((TEXT, True), ({}, False)):
        course = course_of(state)
        frame = Frame(0)
        frame.reset(course)
        assert ("reading" in frame.made(course, {"reading"}, Choice(), 0.0)) is there
        assert "reading" not in frame.made(course, {"weights"}, Choice(), 0.0)
    assert read('{"do": "select", "said": " a b "}')["said"] == "a b"
    assert read('{"do": "select", "said": ""}')["said"] == ""
    assert "said" not in read('{"do": "select", "row": 1}')


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
    with pytest.raises(ArgumentError, match=why):
        course_of(state)


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
    assert [type(layer).__name__ for layer in course.network.layers] == made
    course.run(2)


def test_a_text_in_any_language_is_read():
    course = course_of(
        TEXT | {"data": {"name": "text", "text": "床前明月光 疑是地上霜  舉頭望明月 低頭思故鄉", "window": 3}}
    )
    assert "  " not in course.state.data["text"]
    assert len(course.reading.shown("明月", 0, 0)["written"]) == WRITTEN
