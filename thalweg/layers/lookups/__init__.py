"""Layers at a model's entry, which turn text, category numbers and ranges into numbers for the network."""

from __future__ import annotations

from thalweg.layers.lookups.crossing import HashedCrossing
from thalweg.layers.lookups.lookup import CategoryEncoding, Discretization, Hashing
from thalweg.layers.lookups.text_vectorization import TextVectorization
from thalweg.layers.lookups.vocabulary import IntegerLookup, StringLookup

__all__ = [
    "CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup", "StringLookup",
    "TextVectorization",
]  # fmt: skip
