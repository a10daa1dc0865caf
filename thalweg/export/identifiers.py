"""Names of arrays that every language takes."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable

from thalweg.program.ir.instruction import Buffer

SPOKEN = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "η": "eta", "θ": "theta", "κ": "kappa",
    "λ": "lambda_", "μ": "mean", "σ²": "variance", "σ": "sigma", "τ": "tau", "φ": "phi", "ω": "omega", "Σ": "sum_",
    "Δ": "delta_", "∂": "d", "′": "_", "²": "2", "x̂": "x_hat", "ŷ": "y_hat",
}  # fmt: skip
"""How letters that not every language allows are written."""


def identifiers(buffers: Iterable[Buffer], taken: Iterable[str] = (), ascii: bool = True) -> dict[Buffer, str]:
    """A name for each array; no two are alike, also where case doesn't count.

    ascii: whether the language has ASCII letters alone; then what has none of them is called x with its number.

    >>> list(identifiers([Buffer("h1", (3,)), Buffer("σ²2", (3,)), Buffer("H1", (3,)), Buffer("√", ())]).values())
    ['h1', 'variance2', 'H1_', 'x4']
    >>> list(identifiers([Buffer("Größe (m²)", ())], ascii=False).values())
    ['Größe__m2_']
    """
    names: dict[Buffer, str] = {}
    used = {name.lower() for name in taken}
    for place, buffer in enumerate(dict.fromkeys(buffers), start=1):
        name = buffer.name
        for letter, spoken in SPOKEN.items():
            name = name.replace(letter, spoken)
        # Python takes names for the same that are in this form
        name = re.sub(r"\W", "_", unicodedata.normalize("NFKC", name), flags=re.ASCII if ascii else 0)
        name = "".join(letter if f"_{letter}".isidentifier() else "_" for letter in name)
        name = name if name.strip("_") or not buffer.name.strip("_") else f"x{place}"
        name = name if name.isidentifier() else f"_{name}"
        while name.lower() in used or keyword.iskeyword(name):
            name += "_"
        used.add(name.lower())
        names[buffer] = name
    return names
