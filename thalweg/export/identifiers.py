"""Names of arrays that every language takes."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from thalweg.program.ir.instruction import Buffer

SPOKEN = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "η": "eta", "θ": "theta", "κ": "kappa",
    "λ": "lambda_", "μ": "mean", "σ²": "variance", "σ": "sigma", "τ": "tau", "φ": "phi", "ω": "omega", "Σ": "sum_",
    "Δ": "delta_", "∂": "d", "′": "_", "²": "2", "x̂": "x_hat", "ŷ": "y_hat",
}  # fmt: skip
"""How letters that not every language allows are written."""


def identifiers(buffers: Iterable[Buffer], taken: Iterable[str] = ()) -> dict[Buffer, str]:
    """A name for each array, that of the listing in ASCII letters; no two are alike, also where case doesn't count.

    >>> list(identifiers([Buffer("h1", (3,)), Buffer("σ²2", (3,)), Buffer("H1", (3,))]).values())
    ['h1', 'variance2', 'H1_']
    """
    names: dict[Buffer, str] = {}
    used = {name.lower() for name in taken}
    for buffer in dict.fromkeys(buffers):
        name = buffer.name
        for letter, spoken in SPOKEN.items():
            name = name.replace(letter, spoken)
        name = re.sub(r"\W", "_", name, flags=re.ASCII) or "_"
        name = f"_{name}" if name[0].isdigit() else name
        while name.lower() in used or keyword.iskeyword(name):
            name += "_"
        used.add(name.lower())
        names[buffer] = name
    return names
