"""The lines of NumPy that compute a unit's answer and its error term from h: they follow what the network is now.

A lesson prints them beside their values, so each has to be true of the numbers: `y_predict = tanh(h)` once tanh is
chosen, `error_term = error` once a cross-entropy is. A built-in function and its derivative are called by its name,
`sigmoid(h)` and `sigmoid_prime(h)`; a formula is written out, as is the sine. Where a loss has no line of its own, it
is `loss_prime`, the derivative of the row's loss with respect to y_predict. A line is empty where one unit's numbers
don't make it: behind a softmax in a hidden layer, say.
"""

from __future__ import annotations

import ast
import math
from fractions import Fraction
from typing import Any

from thalweg.activations import FormulaFunction
from thalweg.play.training.network import Network, activation_name
from thalweg.tracing.tutorial import FACTORS

SPELLED = ("sine",)
"""What is written out as a formula is: NumPy has it, by another name."""


def numpy_lines(network: Network, layer: Any, found: dict[str, Any], place: str) -> dict[str, str]:
    """The lines for y_predict, error and error_term.

    Args:
        found: the unit's numbers, with the kind of error that the error term is made of.
        place: what stands behind a name of a unit among several: "[k]", "[i, j]" or nothing.
    """
    h, y_predict, target, error = f"h{inner(place)}", f"y_predict{inner(place)}", f"y{place}", f"error{inner(place)}"
    value, slope = functions(layer, h, y_predict)
    lines = {"y_predict": f"{y_predict} = {value}", "slope": slope}
    sloped = f" * {slope}" if slope not in ("1", "") else ""
    if layer is not network.layers[-1]:
        error_of = "error = np.dot(W_next[k], error_term_next)" if "next" in found and slope else ""
        return lines | {"error": error_of, "error_term": f"error_term = error{sloped}" if error_of else ""}
    lines["error"] = f"{error} = {target} - {y_predict}"
    term = f"error_term{inner(place)} = "
    factor = factor_of(network)
    if found["joined"] and factor is not None:  # a cross-entropy and its activation: their derivatives cancel
        return lines | {"error_term": term + times(factor, error)}
    if not slope:
        return lines | {"error_term": ""}
    if factor is None or found["joined"] or "Crossentropy" in type(network.loss).__name__:
        return lines | {"error_term": f"{term}-loss_prime(y, y_predict){place}{sloped}"}
    return lines | {"error_term": term + times(factor, error) + sloped}


def inner(place: str) -> str:
    """What stands behind a name that is a map in a convolution, and a number of this unit in a dense layer."""
    return place if "," in place else ""


def factor_of(network: Network) -> Fraction | None:
    """What the error is multiplied by in the error term, before the activation's slope: a loss is a mean over places,
    and some over units, too. None if the loss isn't made of the error."""
    *places, units = network.layers[-1].output_shape
    kind = type(network.loss).__name__
    if kind not in FACTORS:
        return None
    factor = 1.0 if getattr(network.loss, "half", False) else FACTORS[kind](units)
    return Fraction(factor).limit_denominator(10**6) / int(math.prod(places))


def times(factor: Fraction, of: str) -> str:
    """A product as it is written in code: nothing before it for 1.

    >>> times(Fraction(1), "error"), times(Fraction(2), "error"), times(Fraction(1, 18), "error")
    ('error', '2 * error', 'error / 18')
    """
    over = f" / {factor.denominator}" if factor.denominator > 1 else ""
    return (f"{factor.numerator} * " if factor.numerator > 1 else "") + of + over


def functions(layer: Any, h: str, y_predict: str) -> tuple[str, str]:
    """The activation of h, and its derivative."""
    function, name = layer.activation, str(activation_name(layer))
    if name == "linear":
        return h, "1"
    if function.rowwise:  # all units of the layer at once, and a matrix of derivatives
        return f"{name}(h_all)[k]", ""
    if not isinstance(function, FormulaFunction) and name not in SPELLED:
        return f"{name}({h})", f"{name}_prime({h})"
    equation, names = getattr(function, "of", function).equation, {"h": h, "a": y_predict}
    value, slope = (renamed(text, names) for text in (equation.value, equation.slope))
    single = isinstance(ast.parse(slope, mode="eval").body, (ast.Name, ast.Call, ast.Constant))
    return value, slope if single else f"({slope})"


def renamed(text: str, names: dict[str, str]) -> str:
    """An expression with other names.

    >>> renamed("a * (h + a)", {"h": "h", "a": "y_predict"})
    'y_predict * (h + y_predict)'
    """
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return ast.unparse(tree)
