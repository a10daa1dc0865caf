"""Lessons and presets: data that the page reads; every state of them can be, and trains."""

import pytest
from node_page import Course

from thalweg.errors import ArgumentError
from thalweg.play.scenes import initial, lessons, presets, states_of

SCENES = {f"lesson: {name}": scene for name, scene in lessons().items()}
SCENES |= {f"preset: {name}": scene for name, scene in presets().items()}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_every_scene_can_be_played(scene):
    assert set(scene["title"]) == {"en", "zh"}
    assert scene["text"]["zh"]
    for given in states_of(scene):
        course = Course(given)
        course.run(3)
        assert course.iteration == 3
        assert course.do("facts")["parameters"] > 0
        assert course.arithmetic(**scene.get("select", {}))["learning_rate"] > 0


def test_there_are_the_lessons_and_the_presets():
    assert len(lessons()) == 15
    assert next(iter(lessons())) == "unit"
    assert len(presets()) >= 6


def test_unknown_names_list_the_choices():
    with pytest.raises(ArgumentError, match="did you mean 'one-row'"):
        initial("one-rwo", None, False)
    with pytest.raises(ArgumentError, match=r"unknown preset 'x'\. Choose from: .*local-valley"):
        initial(None, "x", False)
    assert initial("one-row", None, False)[0]["layers"] == []
    assert initial(None, None, True)[0]["data"]["name"] == "table"
