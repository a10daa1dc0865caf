"""What a message quotes is cut short, wherever it is raised; sentences are left alone."""

import copy
import json
import pickle
import warnings

import pytest

from thalweg import errors
from thalweg.data import Table
from thalweg.data.target import Target
from thalweg.errors import MOST_QUOTED, MOST_SAID, BadRowsError, ModelFileError, NotFoundError, ThalwegWarning, brief

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ThalwegError)]


@pytest.mark.parametrize("value", ["x" * 100_000, "it's " + "x" * 100_000, "\n" * 100_000, "\"'" * 50_000])
@pytest.mark.parametrize("kind", KINDS)
def test_a_long_value_is_cut_short_in_every_error(kind, value):
    problem = f"the column {value!r} isn't there, and can't be guessed"
    error = kind({3: problem}, "; leave it out") if kind is BadRowsError else kind(problem)
    assert len(str(error)) < MOST_QUOTED + 120
    assert str(error).startswith("the column ")
    assert "… isn't there" in str(error).replace("…'", "…").replace('…"', "…")
    assert "can't be guessed" in str(error)
    if kind is not BadRowsError:
        assert str(pickle.loads(pickle.dumps(error))) == str(copy.copy(error)) == str(error)


def test_sentences_and_short_values_stay():
    for said in ("it can't be that " + "y" * 300 + " isn't", f"the choices are {['name'] * 150}", "'a'" * 200, ""):
        assert brief(said) is said
    assert len(brief(f"{list(range(100_000))} are too many")) <= MOST_SAID + 3
    assert brief(7) == 7


def test_a_long_value_is_cut_short_in_a_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(f"the column {'x' * 9000!r} is odd", ThalwegWarning, stacklevel=1)
    assert len(str(caught[0].message)) < 200


def test_a_damaged_description_is_no_page_of_text():
    stored = json.loads(json.dumps(Target.of({"y": ["a", "b"] * 9}, "y").to_json()))
    with pytest.raises(ModelFileError) as caught:
        Target.from_json(stored | {"scale": -1, "name": "x" * 100_000})
    assert len(str(caught.value)) < 500
    with pytest.raises(NotFoundError) as missing:
        Table.of({"a": [1]}).column("x" * 100_000)
    assert len(str(missing.value)) < 300
