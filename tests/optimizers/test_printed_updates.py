"""The steps of a listing, read back as they are printed, give the vectors what the reference gives them."""

import re

import numpy as np
import pytest
from conformance_updates import STATEMENTS
from harness import Case, Shape

from thalweg.program.formula.statements import run

NAMES = {
    "√": np.sqrt, "sqrt": np.sqrt, "abs": np.abs, "min": np.minimum, "max": np.maximum, "sign": np.sign,
    "where": np.where, "product": lambda a, q, n: np.prod([1 - a * q**k for k in range(n)]),
}  # fmt: skip
SIGNS = {"−": "-", "·": "*", "²": "**2", "³": "**3", "^": "**", " mod ": "%"}


def python(line):
    """A printed formula in Python's syntax."""
    line = re.sub(r"Π_\{k<(\w+)\} \(1 − (\S+)·(\S+)\^k\)", r"product(\2, \3, \1)", line)
    for sign, word in SIGNS.items():
        line = line.replace(sign, word)
    line = re.sub(r"√(\w+)", r"sqrt(\1)", line).replace("√(", "sqrt(")
    line = re.sub(r"\|([^|]*)\|", r"abs(\1)", line)
    line = re.sub(r"(\w) = (\w)", r"\1 == \2", line)
    return re.sub(r"\((.*?) \? (.*?) : (.*)\)$", r"where(\1, \2, \3)", line)


def carried_out(text, values):
    """The values after a step as printed."""
    for branch in re.findall(r"; if .*|^if .*", text):
        test, yes, _, no = re.fullmatch(r"(?:; )?if (.*?): \((.*?)\)(?= else|$)( else \((.*)\))?", branch).groups()
        values = carried_out(text.removesuffix(branch), values)
        return carried_out(yes if eval(python(test), NAMES | values) else no or "", values)
    for line in text.split("; ") if text else ():
        name, operation, formula = re.fullmatch(r"(\w+) ([+−]?)= (.*)", line).groups()
        new = eval(python(formula), NAMES | values)
        old = values.get(name)
        values = values | {name: old + new if operation == "+" else old - new if operation else new}
    return values


def check(case):
    i, m = case.instruction, case.memory(np.float64)
    given = {"t": m.step.update, "iteration": m.step.iteration, "learning_rate": m.step.learning_rate}
    with np.errstate(all="ignore"):
        after = carried_out(i.formula, {b.name: m[b] for b in i.operands} | given)
    for name, right in case.reference().items():
        np.testing.assert_allclose(after[name] + np.zeros(right.shape), right, rtol=1e-9, atol=1e-9, err_msg=i.formula)


@pytest.mark.parametrize("name", STATEMENTS)
def test_what_is_printed_is_what_is_done(name):
    for seed in range(12):
        check(Case(STATEMENTS[name], Shape(rows=3, width=5, seed=seed, flags=seed)))


def test_a_wrong_sign_in_print_is_noticed():
    case = Case(STATEMENTS["lion"], Shape(seed=1))
    i = case.instruction
    case.instruction = type("Wrong", (), {"formula": i.formula.replace("+", "−"), "operands": i.operands})()
    case.reference = Case(STATEMENTS["lion"], Shape(seed=1)).reference
    with pytest.raises(AssertionError):
        check(case)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("t", [1, 3])
def test_a_number_of_the_step_may_be_an_array(t, dtype):
    """Then both sides of an if are computed; of a number that is known, only one, where the other may divide by 0."""
    text = "if t > 1:\n    part = learning_rate / (t - 1)\n    w -= part * dw\nelse:\n    w = 0"
    given = {"w": np.ones(3, dtype), "dw": np.arange(3, dtype=dtype), "learning_rate": 0.1, "t": t}
    with np.errstate(divide="ignore"):
        known, traced = (run(text, given | {"t": number}, np)["w"] for number in (t, np.asarray(t)))
    want = 0 if t == 1 else given["w"] - dtype(0.1 / (t - 1)) * given["dw"]
    for w in (known, traced):
        assert w.dtype == dtype
        np.testing.assert_array_equal(w, np.broadcast_to(want, 3))
