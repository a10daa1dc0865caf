"""Random numbers by Keras's names: `thalweg.random.normal(shape)`."""

from thalweg.absent import answer_for
from thalweg.ops.draws import SeedGenerator, bernoulli, dropout, normal, uniform

__all__ = ["SeedGenerator", "bernoulli", "dropout", "normal", "uniform"]

answer_for(__name__)
