"""Frames and their acknowledgment, messages of every kind, and pages that end."""

import time

import numpy as np
import pytest
from node_page import Page, call


def test_the_page_is_greeted(page):
    hello = page.hello
    assert "tanh" in [a["name"] for a in hello["choices"]["activations"]]
    assert hello["limits"]["units"] == 256
    first = page.until(lambda f: f.get("reset"))
    assert first["state"]["learning_rate"] == 0.01
    assert first["facts"]["parameters"] == 105
    assert first["status"] == "paused"
    assert first["epoch"] == 0
    assert first["surface"]["values"].shape == (48, 48)
    assert first["surface"]["points"].shape == (280, 2)
    assert [u["maps"].shape for u in first["units"]] == [(8, 24, 24), (8, 24, 24)]
    assert [w.shape for w in first["weights"]] == [(2, 8), (8, 8), (8, 1)]


def test_a_frame_waits_for_the_acknowledgment_of_the_last(page):
    page.until(lambda f: f.get("reset"))
    page.say("play")
    page.next()
    last = page.read()  # not acknowledged
    with pytest.raises(TimeoutError):
        page.read(1.0)
    page.say("ack", frame=last["frame"] - 1)  # an older one
    with pytest.raises(TimeoutError):
        page.read(0.5)
    page.say("ack", frame=last["frame"])
    newest = page.read()
    assert newest["frame"] == last["frame"] + 1
    assert newest["epoch"] > last["epoch"] + 20  # the training went on, and the newest frame is what comes


def test_the_newest_of_waiting_states_wins(page):
    page.until(lambda f: f.get("reset"))
    page.say("reset")
    last = page.read()
    for rows in range(100, 120):
        page.say("state", state={"data": {"name": "moons", "rows": rows}})
    page.say("ack", frame=last["frame"])
    end = page.until(lambda f: f.get("state", {}).get("data", {}).get("rows") == 119)
    resets = [f for f in page.frames if f.get("reset")]
    assert len(resets) < 10
    assert end["epoch"] == 0


def test_a_paused_page_is_silent_and_costs_nothing(page):
    page.until(lambda f: f.get("reset"))
    page.say("play")
    page.until(lambda f: f.get("epoch", 0) > 3)
    page.say("pause")
    page.until(lambda f: f["status"] == "paused")
    with pytest.raises(TimeoutError):
        page.read(0.3)
    before = call("idle")["seconds"]
    time.sleep(2)
    assert (call("idle")["seconds"] - before) / 2 < 0.05


def test_a_closed_page_ends_its_training_and_gives_its_memory_back():
    with Page() as page:
        page.until(lambda f: f.get("reset"))
        page.say("state", side=1, state={})
        page.until(lambda f: f["side"] == 1 and f.get("reset"))
        page.say("want", what=["landscape"])
        page.say("play")
        page.until(lambda f: f["side"] == 0 and f.get("epoch", 0) > 3)
        lent = call("idle")["memories"]
    at_rest = call("idle")
    assert at_rest["memories"] >= lent + 2
    time.sleep(1)
    assert call("idle")["seconds"] - at_rest["seconds"] < 0.05
    assert call("idle")["memories"] == at_rest["memories"]


def test_two_sides_train_side_by_side(page):
    page.until(lambda f: f.get("reset"))
    page.say("state", side=1, state={"learning_rate": 0.1, "data": {"name": "xor"}})
    page.until(lambda f: f["side"] == 1 and f.get("reset"))
    page.say("play")
    found = {0: 0, 1: 0}
    while min(found.values()) < 20:
        frame = page.next()
        found[frame["side"]] = frame["epoch"]
    numbers = [f["frame"] for f in page.frames]
    assert numbers == sorted(set(numbers))
    page.say("pause", side=1)
    page.until(lambda f: f["side"] == 1 and f["status"] == "paused")
    at = page.until(lambda f: f["side"] == 0)["epoch"]
    assert page.until(lambda f: f["side"] == 0 and f["epoch"] > at + 5)["status"] == "playing"
    page.say("play", side=1)
    page.until(lambda f: f["side"] == 1 and f["status"] == "playing")
    page.say("state", side=1, state=None)
    page.say("pace", epochs=61, serial=1)  # of the sides that there are
    page.until(lambda f: f["serial"] == 1)
    page.frames.clear()
    page.until(lambda f: f["epoch"] > at + 30)
    assert {f["side"] for f in page.frames} == {0}


WRONG = [
    None,
    "play",
    [],
    3,
    {},
    {"do": 3},
    {"do": "dance"},
    {"do": "ack"},
    {"do": "ack", "frame": "x"},
    {"do": "play", "side": 7},
    {"do": "play", "side": "0"},
    {"do": "play", "serial": -1},
    {"do": "pace", "epochs": -1},
    {"do": "pace", "epochs": float("inf")},
    {"do": "pace", "epochs": float("nan")},
    {"do": "want", "what": "surface"},
    {"do": "want", "what": ["secrets"]},
    {"do": "select", "layer": -1},
    {"do": "select", "unit": 1.5},
    {"do": "select", "said": 5},
    {"do": "draw", "image": [[2]]},
    {"do": "draw", "image": 5},
    {"do": "draw", "image": [[0] * 8] * 8},
    {"do": "state", "state": None},
    {"do": "state", "state": [1]},
    "$deep",
    {"do": "$deep"},
    {"do": "state", "state": {"data": {"name": "given", "x": "$deep"}}},
]


@pytest.mark.parametrize("message", WRONG, ids=range(len(WRONG)))
def test_a_wrong_message_is_answered_and_the_page_lives(page, message):
    page.until(lambda f: f.get("reset"))
    page.tell(message)
    error = page.until(lambda f: "error" in f)["error"]
    assert set(error) == {"en", "zh"}
    assert 0 < len(error["en"]) < 1500
    assert error["zh"] != error["en"]
    if isinstance(message, dict) and message.get("state"):  # nothing is trained until there is a state that can be
        page.set({"seed": 3})
    page.say("step")
    assert page.until(lambda f: f["iteration"] == 1)["loss_now"] > 0


def test_too_many_messages_are_answered(page):
    page.until(lambda f: f.get("reset"))
    for _ in range(3000):
        page.say("step")
    page.say("pace", epochs=5)
    page.say("reset")
    assert page.until(lambda f: f.get("reset") and f["epoch"] == 0)


def test_only_what_is_wanted_is_sent(page):
    page.until(lambda f: f.get("reset"))
    page.say("want", what=["weights"])
    page.say("step")
    frame = page.until(lambda f: f["iteration"] == 1)
    assert "weights" in frame
    assert not {"surface", "units", "arithmetic", "landscape"} & set(frame)


def test_the_pace_is_kept(page):
    page.until(lambda f: f.get("reset"))
    page.say("pace", epochs=20)
    page.say("play")
    first, begin = page.until(lambda f: f["epoch"] >= 2)["epoch"], time.monotonic()
    last = page.until(lambda f: f["epoch"] >= 22)["epoch"]
    assert (last - first) / (time.monotonic() - begin) < 30
    page.say("pace", epochs=None)
    assert page.until(lambda f: f["epoch"] > 500, 60)


def test_curves_go_on_where_they_ended(page):
    first = page.until(lambda f: f.get("reset"))
    points = list(first["curves"]["loss"])
    page.say("play")
    while len(points) < 30:
        curves = page.next().get("curves")
        if curves:
            assert curves["from"] == len(points)
            points += list(curves["loss"])
    assert np.isfinite(points).all()
    assert points[-1] < points[0]
