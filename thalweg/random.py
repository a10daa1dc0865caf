"""Random numbers by Keras's names: `thalweg.random.normal(shape)`."""

from thalweg.ops.draws import SeedGenerator, bernoulli, dropout, normal, uniform
from thalweg.support.naming import answer_for

__all__ = ["SeedGenerator", "bernoulli", "dropout", "normal", "uniform"]

answer_for(__name__)
