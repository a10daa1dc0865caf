"""One description of a chart: what stands on its axes, as SVG, by matplotlib, and as a page's figure."""

import re

import numpy as np
import pytest

from thalweg.views.chart import Chart, Curve, by_epoch, by_name, wide
from thalweg.views.figures import draw_chart, new_figure
from thalweg.views.web.encoding import decode, encode
from thalweg.views.web.svg import inline, placed

RATES = np.array([0.0, 1e-3, 1e-2, 1e-1, 1.0])
MEAN = np.array([9.0, 3.0, 2.0, 1.0, -5.0])
CHART = Chart(
    {"en": "loss", "zh": "損失"},
    [
        Curve("of a step", RATES, [9, 4, 2, 3, 1], dots=True, faint=True),
        Curve("mean", RATES, MEAN, band=(MEAN - 1, MEAN + 1)),
        Curve("another", RATES, [2, 2, 2, 2, 2], faint=True),
        Curve("best", RATES, [1, 1, 1, 1, np.nan], dashed=True),
    ],
    "learning rate",
    "nats",
    "a <note>",
    log_x=True,
    floor=0.0,
    marks=[(1e-2, "here")],
)


def test_what_an_axis_has_no_place_for():
    _, mean, *_ = CHART.drawn()
    assert [colour for _, colour, *_ in CHART.drawn()] == [None, 0, None, 1]
    np.testing.assert_array_equal(mean[2], [np.nan, *RATES[1:]])
    np.testing.assert_array_equal(mean[3], [9, 3, 2, 1, np.nan])  # below the floor
    assert [side.tolist() for side in mean[4]] == [[8, 2, 1, 0, 0], [10, 4, 3, 2, 0]]
    curve = Curve("", [1, 2, 3, 4], [0.0, 2, 8], band=([0, 1, 4], [1, 3, 9]))
    ((_, _, x, y, band),) = Chart("", [curve], log_y=True).drawn()
    assert x.tolist() == [1, 2, 3]  # as many as there are
    np.testing.assert_array_equal(y, [np.nan, 2, 8])
    assert [side.tolist() for side in band] == [[2, 2, 4], [2, 3, 9]]  # the band ends at the least above 0


def test_as_svg():
    text = inline([CHART])
    said = re.findall(r"<text [^>]*>([^<]*)</text>", text)
    assert {"loss", "nats", "learning rate", "here", "of a step", "mean", "best"} <= set(said)
    assert "another" not in said  # a legend tells grey lines from one another by nothing
    assert "<title>a &lt;note&gt;</title>" in text
    ticks = re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle"[^>]*>(0\.001|0\.01|0\.1|1)</text>', text)
    assert np.ptp(np.diff([float(x) for x, _ in ticks])) < 0.2
    assert len(ticks) == 4
    assert text.count('fill-opacity="0.1"') == 1  # the band
    assert text.count("h0") == 4 + 1  # dots, and their sample
    band = text.index('fill-opacity="0.1"')
    assert text[:band].count('stroke-opacity="0.35"') == 2  # the grey ones lie below
    assert placed(np.array([2.0, np.inf]), 3.0, 3.0, 0.0, 10.0, False).tolist() == [5.0, 5.0]


@pytest.mark.parametrize(("values", "rows"), [([1, 2], [142, 157, 172, 187, 202]), ([2, 1], [40, 55, 70, 85, 100])])
def test_a_long_legend_is_where_there_is_room(values, rows):
    text = inline([Chart("many", [Curve(f"a long name {k}", [1, 2], values) for k in range(5)])])
    assert sorted(float(y) for y in re.findall(r'd="M[\d.]+ ([\d.]+)h18"', text)) == rows


def test_by_matplotlib():
    pytest.importorskip("matplotlib")
    axes = new_figure(4, 3).subplots()
    draw_chart(axes, CHART)
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == ("log", "learning rate", "nats")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["of a step", "mean", "best", "here"]
    assert [line.get_color() for line in axes.lines] == ["0.7", "C0", "0.7", "C1", "C3"]
    assert [line.get_linestyle() for line in axes.lines] == ["None", "-", "-", "--", ":"]
    assert axes.lines[0].zorder < axes.lines[1].zorder
    assert len(axes.collections) == 1
    assert axes.get_title() == "a <note>"


def test_on_a_page():
    figure = decode(encode(CHART.figure()))
    assert (figure["kind"], figure["title"], figure["y_label"]) == ("curves", CHART.title, "nats")
    assert (figure["log_x"], figure["log_y"], figure["note"]) == (True, False, "a <note>")
    assert figure["marks"] == [{"x": 0.01, "text": "here"}]
    assert [(s["dashed"], s["dots"], s["faint"], len(s["band"])) for s in figure["series"]] == [
        (False, True, True, 0), (False, False, False, 2), (False, False, True, 0), (True, False, False, 0)
    ]  # fmt: skip
    np.testing.assert_array_equal(figure["series"][1]["y"], [9, 3, 2, 1, np.nan])
    plain = Chart("a", []).figure()
    assert plain["y_label"] == "a"
    assert "note" not in plain


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 0.009], True), ([1, 0.02], False), ([1, 0.009, -1], False), ([1, 0.009, 1, 1, 1, 1, 0], True),
     ([1, 0.009, 0], False), ([np.nan, np.nan], False)],
)  # fmt: skip
def test_what_spans_much_has_a_logarithmic_axis(values, expected):
    assert wide([Curve("", range(len(values)), values)]) is expected


def test_several_trainings_share_the_chart_of_a_name():
    records = [{"epoch": 0, "member": 1, "loss": 2.0, "val_loss": None}, {"epoch": 1, "loss": 1.0, "val_loss": 3.0}]
    columns = by_name(records)
    assert columns["loss"] == ([1, 2], [2.0, 1.0])
    np.testing.assert_array_equal(columns["val_loss"], ([1, 2], [np.nan, 3.0]))  # a gap, not a line across
    (chart,) = by_epoch({0: columns, 1: columns}, lambda name, number: f"{name} {number}", str.upper, "stopped")
    assert chart.title == "LOSS"
    assert [c.name for c in chart.curves] == ["loss 0", "val_loss 0", "loss 1", "val_loss 1"]
    assert [c.dashed for c in chart.curves] == [False, True, False, True]
    assert chart.marks == [(2.0, "stopped")]
    many = {f"metric {k}": ([1], [1.0]) for k in range(9)}
    assert [len(by_epoch({0: many}, most=most)) for most in (6, None)] == [6, 9]
