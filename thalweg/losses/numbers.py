"""Losses of predictions that are numbers: errors, hinges, counts and variances."""

from __future__ import annotations

from typing import Annotated

from thalweg.errors import ShapeError
from thalweg.losses.loss import Array, Axis, Loss, Shape
from thalweg.program.formula.equation import Equation
from thalweg.program.instructions.losses import row_losses
from thalweg.support.arguments import Checked, arguments
from thalweg.support.checks import Amount, Positive, positive

SQUARED_ERROR = Equation("squared error", "(p - y)**2", "2 * (p - y)")


@arguments
class MeanSquaredError(Loss):
    """ℓ = mean (y − ŷ)² over the outputs."""

    equation = SQUARED_ERROR

    formula = "ℓ = mean (y − ŷ)²"
    derivative = "2·(ŷ − y)/outputs"
    range = "0 and above"
    targets = "any number"
    use = "Regression with normally distributed errors; the default."
    avoid = "Targets with gross outliers: their squares dominate."
    paper = "Legendre, Nouvelles méthodes, 1805"


@arguments
class SumSquaredError(Loss):
    """SSE: ℓ = Σ (y − ŷ)² over the outputs, with `half` ½ of that, whose derivative is the plain error ŷ − y.

    By default the batch's loss is the mean over its rows; with `reduction="sum"` it is the sum over all rows and
    outputs. Not in Keras.

    >>> SumSquaredError(half=True)([[0.0, 2.0]], [[1.0, 0.0]])
    2.5
    """

    half: bool = False

    equation = SQUARED_ERROR

    def row_coefficient(self, output: Shape) -> float:
        return 0.5 if self.half else 1.0

    formula = "ℓ = Σ (y − ŷ)², or ½·Σ (y − ŷ)² with half"
    derivative = "2·(ŷ − y), or ŷ − y with half"
    range = "0 and above"
    targets = "any number"
    use = "Following a textbook's delta rule by hand."
    avoid = "Networks with many outputs: the step grows with their number."
    paper = "Widrow and Hoff, Adaptive switching circuits, 1960"


@arguments
class MeanAbsoluteError(Loss):
    """ℓ = mean |y − ŷ| over the outputs."""

    equation = Equation("absolute error", "abs(p - y)", "sign(p - y)")

    formula = "ℓ = mean |y − ŷ|"
    derivative = "sign(ŷ − y)/outputs, 0 where they are equal"
    range = "0 and above"
    targets = "any number"
    use = "Targets with outliers; predicts the median."
    avoid = "When small errors should count little: the slope doesn't shrink near the target."
    paper = "Boscovich, 1757"


@arguments
class MeanAbsolutePercentageError(Loss):
    """ℓ = mean 100·|y − ŷ|/max(|y|, 10⁻⁷) over the outputs."""

    equation = Equation(
        "percentage error", "abs(p - y) * (100 / max(abs(y), 1e-7))", "sign(p - y) * (100 / max(abs(y), 1e-7))"
    )

    formula = "ℓ = mean 100·|y − ŷ|/|y|"
    derivative = "100·sign(ŷ − y)/(|y|·outputs)"
    range = "0 and above"
    targets = "any number but 0"
    use = "Errors that matter in proportion to the target: prices, quantities."
    avoid = "Targets near 0, where a tiny error is a huge percentage."
    paper = "Makridakis, International Journal of Forecasting, 1993"


@arguments
class MeanSquaredLogarithmicError(Loss):
    """ℓ = mean (log(1 + y) − log(1 + ŷ))² over the outputs; both are at least 10⁻⁷."""

    equation = Equation(
        "squared logarithmic error",
        """q = 1 + max(p, 1e-7)
(log(q) - log(1 + max(y, 1e-7)))**2""",
        """q = 1 + max(p, 1e-7)
where(p < 1e-7, 0, 2 * (log(q) - log(1 + max(y, 1e-7))) / q)""",
    )

    formula = "ℓ = mean (log(1 + y) − log(1 + ŷ))²"
    derivative = "2·(log(1 + ŷ) − log(1 + y))/((1 + ŷ)·outputs), 0 for ŷ < 10⁻⁷"
    range = "0 and above"
    targets = "0 and above"
    use = "Counts and amounts over several powers of ten."
    avoid = "Predictions that may be negative: they get no gradient."
    paper = ""


@arguments
class LogCosh(Loss):
    """ℓ = mean log cosh(ŷ − y) over the outputs: half the square of a small error, |e| − log 2 of a large one."""

    equation = Equation("log cosh", "logcosh(p - y)", "tanh(p - y)")

    formula = "ℓ = mean log cosh(ŷ − y)"
    derivative = "tanh(ŷ − y)/outputs"
    range = "0 and above"
    targets = "any number"
    use = "Like Huber, with a slope that is smooth everywhere."
    avoid = "Errors of a scale far from 1: scale the targets first."
    paper = "Green, IEEE Transactions on Medical Imaging, 1990"


@arguments
class Huber(Loss):
    """ℓ = mean of ½e² for |e| ≤ delta, otherwise delta·|e| − ½delta², with e = y − ŷ.

    >>> Huber(delta=1.0)([[0.0, 0.0]], [[1.0, 3.0]])
    1.5
    """

    delta: Positive = 1.0

    equation = Equation(
        "huber",
        """e = p - y
where(abs(e) <= delta, 0.5 * e**2, delta * abs(e) - 0.5 * delta**2)""",
        "min(max(p - y, -delta), delta)",
        {"delta": 1.0},
    )

    formula = "ℓ = mean ½e² for |e| ≤ δ, else δ·|e| − ½δ²"
    derivative = "clip(ŷ − y, −δ, δ)/outputs"
    range = "0 and above"
    targets = "any number"
    use = "Regression where some targets are wrong."
    avoid = "When δ can't be set to the size of an ordinary error."
    paper = "Huber, Annals of Mathematical Statistics, 1964"


@arguments
class Quantile(Loss):
    """ℓ = mean max(q·e, (q − 1)·e) over the outputs, with e = y − ŷ: predicts the q-quantile. Not in Keras.

    >>> Quantile(0.9)([[1.0, 0.0]], [[0.0, 1.0]])
    0.5
    """

    quantile: Annotated[float, Checked(positive(1.0))] = 0.5

    equation = Equation(
        "quantile",
        """e = p - y
where(e > 0, (1 - quantile) * e, -quantile * e)""",
        """e = p - y
where(e > 0, 1 - quantile, where(e < 0, -quantile, e))""",
        {"quantile": 0.5},
    )

    formula = "ℓ = mean max(q·e, (q − 1)·e), e = y − ŷ"
    derivative = "([ŷ > y] − q)/outputs, 0 where they are equal"
    range = "0 and above"
    targets = "any number"
    use = "Prediction intervals: one network each for .05 and .95."
    avoid = "When the mean is wanted."
    paper = "Koenker and Bassett, Econometrica, 1978"


@arguments
class Poisson(Loss):
    """ℓ = mean ŷ − y·log(ŷ + 10⁻⁷) over the outputs; ŷ is a rate."""

    equation = Equation("poisson", "p - y * log(p + 1e-7)", "1 - y / (p + 1e-7)")

    formula = "ℓ = mean ŷ − y·log ŷ"
    derivative = "(1 − y/ŷ)/outputs"
    range = "any number"
    targets = "0 and above"
    use = "Counts; end the network with softplus or exponential."
    avoid = "Outputs that may be negative: the logarithm is then not a number."
    paper = "Nelder and Wedderburn, Generalized linear models, 1972"


@arguments
class GaussianNLL(Loss):
    """ℓ = mean ½(log v + (y − μ)²/v) over the targets: two outputs for each, first all means μ, then all variances v.

    By default the second half of the outputs is log v, which may be any number. `log_variance=False` takes v itself,
    at least `eps`, like PyTorch's GaussianNLLLoss. Not in Keras.

    >>> round(GaussianNLL()([[1.0]], [[0.0, 0.0]]), 6)  # μ = 0, v = 1
    0.5
    """

    log_variance: bool = True
    eps: Amount = 1e-6

    instruction = row_losses.GaussianNLL

    @property
    def kind(self) -> type[row_losses.RowLoss]:
        return row_losses.GaussianNLLLogarithm if self.log_variance else row_losses.GaussianNLL

    def row_coefficient(self, output: Shape) -> float:
        return 2 / output[-1]

    def target_shape(self, output: Shape) -> Shape:
        return (*output[:-1], max(1, output[-1] // 2))

    def check_targets(self, y: Array, output: Shape) -> Array:
        if output[-1] % 2:
            raise ShapeError(f"gaussian_nll needs two outputs for each target, got {output[-1]} outputs")
        return super().check_targets(y, output)

    formula = "ℓ = mean ½(log v + (y − μ)²/v)"
    derivative = "(μ − y)/v by μ, ½(1 − (y − μ)²/v) by log v"
    range = "any number"
    targets = "any number"
    use = "Regression that also says how uncertain it is."
    avoid = "Few rows: the variance shrinks around memorized targets."
    paper = "Nix and Weigend, ICNN 1994"


@arguments
class Hinge(Loss):
    """ℓ = mean max(1 − y·ŷ, 0) over the outputs, y −1 or 1 (0 counts as −1)."""

    equation = Equation(
        "hinge",
        """t = where(y == 0, -1, y)
max(1 - t * p, 0)""",
        """t = where(y == 0, -1, y)
where(t * p < 1, -t, 0)""",
    )

    formula = "ℓ = mean max(1 − y·ŷ, 0)"
    derivative = "−y/outputs where y·ŷ < 1, else 0"
    range = "0 and above"
    targets = "−1 or 1; 0 counts as −1"
    use = "A linear output that only has to be on the right side, with a margin."
    avoid = "When probabilities are wanted."
    paper = "Cortes and Vapnik, Machine Learning, 1995"


@arguments
class SquaredHinge(Loss):
    """ℓ = mean max(1 − y·ŷ, 0)² over the outputs, y −1 or 1 (0 counts as −1)."""

    equation = Equation(
        "squared hinge",
        """t = where(y == 0, -1, y)
max(1 - t * p, 0)**2""",
        """t = where(y == 0, -1, y)
-2 * t * max(1 - t * p, 0)""",
    )

    formula = "ℓ = mean max(1 − y·ŷ, 0)²"
    derivative = "−2·y·max(1 − y·ŷ, 0)/outputs"
    range = "0 and above"
    targets = "−1 or 1; 0 counts as −1"
    use = "Like Hinge, but smooth at the margin."
    avoid = "Wrong labels: their squares dominate."
    paper = "Cortes and Vapnik, Machine Learning, 1995"


@arguments
class CategoricalHinge(Loss):
    """ℓ = max(max (1 − y)·ŷ − Σ y·ŷ + 1, 0) over the classes, y one-hot."""

    instruction = row_losses.CategoricalHinge

    formula = "ℓ = max(max (1 − y)·ŷ − Σ y·ŷ + 1, 0)"
    derivative = "[largest wrong class] − [right class] where ℓ > 0"
    range = "0 and above"
    targets = "one-hot"
    use = "Scores of classes that only have to be in the right order."
    avoid = "When probabilities are wanted."
    paper = "Weston and Watkins, ESANN 1999"


@arguments
class CosineSimilarity(Loss):
    """ℓ = −Σ y·ŷ/(‖y‖·‖ŷ‖) over the last axis: −1 for the same direction, 1 for the opposite one."""

    axis: Axis = -1

    instruction = row_losses.CosineSimilarity

    formula = "ℓ = −Σ y·ŷ/(‖y‖·‖ŷ‖)"
    derivative = "−(y/‖y‖ + ℓ·ŷ/‖ŷ‖)/‖ŷ‖"
    range = "−1 to 1"
    targets = "vectors that aren't 0"
    use = "Embeddings, whose length means nothing."
    avoid = "One output: only its sign is left."
    paper = "Salton, Wong and Yang, Communications of the ACM, 1975"
