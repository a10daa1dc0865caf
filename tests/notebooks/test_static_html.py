"""What models, histories, comparisons and listings show in a notebook: escaped, whole, and drawn."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from thalweg import Model, Sequential, compare
from thalweg.callbacks import History
from thalweg.errors import ThalwegWarning
from thalweg.layers import Concatenate, Conv2D, Dense, Flatten, Input, MaxPooling2D
from thalweg.views.chart import Chart, Curve, by_epoch
from thalweg.views.notebook.live import MOST_POINTS, Points, noted
from thalweg.views.notebook.screens import Screen
from thalweg.views.web import svg
from thalweg.views.web.encoding import decode
from thalweg.views.web.svg import inline, standalone

ATTACK = "<script>alert('1')&\"<img_src=x>"
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(80, 4)), np.arange(80) % 2


class Tags(HTMLParser):
    """The tags that a browser would see, each closed."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.open, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.refuse(attrs)
        if tag not in ("br", "img", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.refuse(attrs)

    def refuse(self, attrs):
        """Nothing is run and nothing is asked for."""
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "href", "xlink:href", "data", "srcdoc")
            assert not re.search(r"url\((?!#)", value or "")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "\n".join(self.words)


def checked(html):
    """The HTML's tags and words, if it is whole, runs nothing, asks for nothing, and needs no style sheet."""
    tags = Tags(html)
    assert tags.open == []
    assert not {"script", "img", "iframe", "link", "style", "object", "a"} & set(tags.seen)
    return tags


def chain():
    model = Sequential([Input((4,)), Dense(12, "relu", name=ATTACK), Dense(2, "softmax")], name=ATTACK, seed=0)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_layer_called_like_a_script_is_text():
    tags = checked(chain()._repr_html_())
    assert ATTACK in tags.text
    assert "svg" in tags.seen
    assert tags.seen.count("circle") == 4 + 7 + 2  # eight places, of which one is the three dots
    for part in ("Dense", "(None, 12)", "60", "86 weights"):
        assert part in tags.text


def test_images_graphs_and_models_without_shapes():
    images = Sequential([Input((8, 8, 1)), Conv2D(8, 3), MaxPooling2D(), Flatten(), Dense(3)])
    tags = checked(images._repr_html_())
    assert tags.seen.count("rect") == 1 + 2 * 4
    assert "6×6×8" in tags.text
    x = Input((4,))
    a = Dense(3, name="a<b>")(x)
    graph = Model(x, Dense(1)(Concatenate()([x, a])))
    tags = checked(graph._repr_html_())
    assert tags.seen.count("rect") == 1 + 4
    assert "a<b>: Dense" in tags.text
    assert "shapes follow from the first data" in checked(Sequential([Dense(3)])._repr_html_()).text
    deep = Sequential([Input((4,)), *[Dense(4) for _ in range(40)]])
    tags = checked(deep._repr_html_())
    assert "10 more layers" in tags.text
    assert "details" in tags.seen


def test_a_history():
    model = chain()
    history = model.fit(X, Y, epochs=4, validation_split=0.25, validation_freq=2, verbose=0)
    tags = checked(history._repr_html_())
    for part in ("loss", "val_accuracy", "epoch 4: loss"):
        assert part in tags.text
    assert "no epoch" in checked(History()._repr_html_()).text
    history.history[ATTACK] = [1.0, 2.0, 3.0, 4.0]
    assert ATTACK[:15] in checked(history._repr_html_()).text


def test_listings():
    model = chain()
    tags = checked(model.program()._repr_html_())
    for part in ("forward", "backward", "update", "one step", "x = X[order]"):
        assert part in tags.text
    assert "µs" not in tags.text
    assert "µs" in checked(model.profile(8, repeats=2)._repr_html_()).text


def test_a_trace():
    model = chain()
    tags = checked(model.trace(X[:1], Y[:1], gradient_check=True)._repr_html_())
    for part in ("h1 = np.dot(x, w1) + b1", "weight gradient", "central differences", ATTACK, "loss before"):
        assert part in tags.text
    assert "details" in tags.seen


def test_a_comparison():
    found = compare("activation", X, Y, entries={ATTACK: "relu", "tanh": "tanh"}, epochs=2, seeds=2, lanes=1)
    tags = checked(found._repr_html_())
    assert ATTACK in tags.text
    assert "held-out accuracy" in tags.text
    assert "svg" in tags.seen


@pytest.mark.parametrize("draw", [inline, standalone])
def test_curves_are_drawn_where_the_numbers_are(draw):
    text = draw([Chart("a & b", [Curve("<b>", [1, 2, 3], [0.0, 1.0, 0.5])], "epoch")])
    checked(text)
    steps = [tuple(map(float, p.split())) for p in re.search(r'd="M([\d.L ]+)" fill="none"', text)[1].split("L")]
    assert [x for x, _ in steps] == sorted({x for x, _ in steps})
    (_, low), (_, high), (_, middle) = steps
    assert low > middle > high  # down is more
    assert abs(middle - (low + high) / 2) < 0.2


def test_gaps_single_points_and_no_points():
    text = inline([Chart("gaps", [Curve("y", [1, 2, 3, 4, 5], [1.0, np.nan, 2.0, np.inf, 3.0])])])
    assert "nan" not in text.lower().replace("nantialiased", "")
    assert "inf" not in text.split("aria-label")[1].split(">", 1)[1]
    assert "<circle" in inline([Chart("one", [Curve("y", [1], [2.0])])])
    assert "nothing to draw" in inline([Chart("none", [Curve("y", [1.0], [np.nan])])])
    assert "nothing to draw" in inline([Chart("none", [])])
    for value in (0.0, 5.0, -3.0, 1e9, 1e-12, 1e300):
        checked(inline([Chart("flat", [Curve("y", [1, 2], [value, value])])]))


@pytest.mark.parametrize(("last", "wanted"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (60, [10, 20, 30, 40, 50, 60])])
def test_there_is_no_epoch_between_two(last, wanted):
    assert svg.whole_ticks(1.0, float(last)) == wanted


def test_a_long_curve_keeps_its_peaks():
    y = np.zeros(20_000)
    y[12_345] = 1.0
    x_kept, y_kept = svg.thinned(np.arange(20_000.0), y)
    assert len(x_kept) <= svg.MOST_POINTS + 2
    assert y_kept.max() == 1.0
    assert x_kept[y_kept.argmax()] == 12_345


def test_points_of_a_long_training_are_thinned_evenly():
    points = Points()
    for first in range(0, 50_000, 100):
        points.add(first, [{"loss": float(first + k)} for k in range(100)], dict)
    assert MOST_POINTS / 2 <= len(points) <= 2 * MOST_POINTS + 1
    x, y = points.columns()["loss"]
    assert (x[0], x[-1], y[-1]) == (1, 50_000, 49_999.0)
    assert len(set(np.diff(x[:-1]))) == 1
    shown = noted(points.columns(), "epoch 1/2")
    assert [(chart.title, chart.note) for chart in shown] == [("loss", "epoch 1/2")]


class Kept(Screen):
    """Keeps what it is to show."""

    def __init__(self, broken=False):
        self.broken, self.shown, self.left = broken, [], []

    def show(self, widget):
        if self.broken:
            raise OSError("no page is listening")
        self.shown.append(widget)

    def leave(self, picture, text, instead):
        self.left.append((picture, text, instead))


@pytest.mark.parametrize("broken", [False, True])
def test_a_notebook_that_shows_nothing_ends_no_training(broken, monkeypatch):
    pytest.importorskip("anywidget")
    from thalweg.views.notebook import live

    monkeypatch.setattr(live, "LATER", 0.0)
    monkeypatch.setattr(live, "PAUSE", 0.0)
    monkeypatch.setattr(live, "SHARE", 0.0)
    figure = live.LiveFigure(Kept(broken))
    figure.add(0, [{"loss": 2.0}, {"loss": 1.0}], dict)
    if broken:
        with pytest.warns(ThalwegWarning, match="the live figure stops here: no page is listening"):
            figure.say("epoch 2/9")
    else:
        figure.say("epoch 2/9")
        (shown,) = decode(figure.screen.shown[0].figure)
        assert shown["series"][0]["y"].tolist() == [2.0, 1.0]
        assert shown["note"] == "epoch 2/9"
    figure.add(2, [{"loss": 0.5}], dict)
    figure.say("epoch 3/9")  # the second frame, or nothing more
    assert figure.close("")
    ((picture, text, _),) = figure.screen.left
    assert text == "epoch 3: loss 0.5"
    assert "loss from 2 to 0.5" in picture


def test_held_out_numbers_share_the_chart_of_their_name():
    pair = ([1.0], [2.0])
    columns = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"), pair)
    made = by_epoch({"": columns}, end="interrupted")
    assert [(c.title, [x.name for x in c.curves]) for c in made] == [
        ("loss", ["loss", "val_loss"]),
        ("accuracy", ["accuracy", "val_accuracy"]),
        ("learning rate", ["learning_rate"]),
    ]
    assert made[0].marks == [(1.0, "interrupted")]
