"""Layers for columns of numbers: periodic embeddings, codes by bins, a scale for each column."""

from __future__ import annotations

from thalweg.layers.numerical.edges import quantile_edges, tree_edges
from thalweg.layers.numerical.periodic import PeriodicEmbedding
from thalweg.layers.numerical.piecewise import PiecewiseLinearEncoding
from thalweg.layers.numerical.scale import ElementwiseScale

__all__ = ["ElementwiseScale", "PeriodicEmbedding", "PiecewiseLinearEncoding", "quantile_edges", "tree_edges"]
