"""Random numbers by Keras's names: `thalweg.random.normal(shape)`."""

from thalweg import absent
from thalweg.ops.draws import SeedGenerator, bernoulli, dropout, normal, uniform

__all__ = ["SeedGenerator", "bernoulli", "dropout", "normal", "uniform"]

absent.answer_for(__name__)
