"""The activation functions, by Keras's names: the equation of each, and the facts that the reference pages show.

An equation is a text in h and the function's arguments; its slope is one in h, or in a, the function's value. Where
they would be infinity times 0, h is clipped to a range beyond which nothing changes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from thalweg.activations.function import ActivationFunction, BuiltInFunction, elementwise
from thalweg.program.formula.operations import UNARY
from thalweg.program.instructions import rowwise
from thalweg.program.instructions.activations import GENERAL_RELU, RELU, SIGMOID

linear = BuiltInFunction(
    "linear",
    None,
    range="(−∞, ∞)",
    use="the output of a regression; a layer that only mixes its inputs",
    avoid="hidden layers: several linear layers in a row are one",
)
sigmoid = BuiltInFunction(
    "sigmoid",
    SIGMOID,
    range="(0, 1)",
    use="the output for two classes or several independent ones; gates",
    avoid="hidden layers of deep networks: the slope is at most ¼ and vanishes for large |x|",
    paper="Rumelhart, Hinton & Williams, Nature 1986",
)
tanh = BuiltInFunction(
    "tanh",
    UNARY["tanh"],
    range="(−1, 1)",
    use="hidden layers of small networks; centred on 0, so that the next layer learns faster",
    avoid="deep networks: the slope vanishes for large |x|",
    paper="LeCun, Bottou, Orr & Müller, Efficient BackProp, 1998",
)
relu = BuiltInFunction(
    "relu",
    RELU,
    general=GENERAL_RELU,
    range="[0, ∞)",
    use="the first choice for hidden layers: cheap, and the slope doesn't vanish for x > 0",
    avoid="a large learning rate: a unit that is negative for every row stops learning",
    paper="Nair & Hinton, ICML 2010",
)
leaky_relu = BuiltInFunction(
    "leaky_relu",
    UNARY["leaky_relu"],
    range="(−∞, ∞)",
    use="where relu units die",
    avoid="where exact zeros are wanted",
    paper="Maas, Hannun & Ng, ICML 2013",
)
relu6 = elementwise(
    "relu6",
    "min(max(h, 0), 6)",
    "where(0 < a < 6, 1, 0)",
    cost=2,
    range="[0, 6]",
    use="networks that will be stored in few bits",
    avoid="other networks: beyond 6 the slope is 0",
    paper="Howard et al., MobileNets, arXiv 1704.04861",
)
elu = BuiltInFunction(
    "elu",
    UNARY["elu"],
    range="(−alpha, ∞)",
    use="hidden layers whose mean should be near 0, without normalisation",
    avoid="where the cost of an exponential matters",
    paper="Clevert, Unterthiner & Hochreiter, ICLR 2016",
)
celu = elementwise(
    "celu",
    "where(h > 0, h, alpha * expm1(h / alpha))",
    "where(a > 0, 1, a / alpha + 1)",
    arguments={"alpha": 1.0},
    limits={"alpha": (1e-6, math.inf)},
    cost=13,
    range="(−alpha, ∞)",
    use="like elu, with a slope that is continuous for every alpha",
    avoid="like elu",
    paper="Barron, arXiv 1704.07483",
)
selu = elementwise(
    "selu",
    "where(h > 0, 1.0507009873554805 * h, 1.7580993408473766 * expm1(h))",
    "where(a > 0, 1.0507009873554805, a + 1.7580993408473766)",
    cost=12,
    range="(−1.758, ∞)",
    use="deep plain networks without normalisation, with lecun_normal weights and AlphaDropout",
    avoid="networks with normalisation, residual paths or other initial weights",
    paper="Klambauer et al., Self-Normalizing Neural Networks, NeurIPS 2017",
)
gelu = BuiltInFunction(
    "gelu",
    UNARY["gelu"],
    general=UNARY["gelu_approximate"],
    range="[−0.170, ∞)",
    use="transformers; often a little better than relu",
    avoid="where relu does as well and speed counts",
    paper="Hendrycks & Gimpel, arXiv 1606.08415",
)
silu = BuiltInFunction(
    "silu",
    UNARY["silu"],
    range="[−0.278, ∞)",
    use="deep networks, as a smooth relu",
    avoid="where relu does as well and speed counts",
    paper="Ramachandran, Zoph & Le, Searching for Activation Functions, 2017",
)
mish = elementwise(
    "mish",
    "h * mish_gate(h)",
    """x = min(max(h, -100), 100)
mish_gate(x) + x * mish_gate_slope(x)""",
    cost=20,
    range="[−0.309, ∞)",
    use="image networks, as a smooth relu",
    avoid="where relu does as well and speed counts",
    paper="Misra, BMVC 2020",
)
golu = elementwise(
    "golu",
    """x = max(h, -4.5)
h * exp(-exp(-x))""",
    """x = max(h, -4.5)
exp(-exp(-x)) * (1 + x * exp(-x))""",
    cost=20,
    range="[−0.0973, ∞)",
    use="deep networks, in place of gelu or silu; its gate is lower for small x, which lowers the variance",
    avoid="where relu does as well and speed counts",
    paper="Das et al., Gompertz Linear Units, 2025",
)
lisht = elementwise(
    "lisht",
    "h * tanh(h)",
    """x = min(max(h, -30), 30)
t = tanh(x)
t + x * (1 - t**2)""",
    cost=14,
    range="[0, ∞)",
    use="where the sign of an input means nothing: it is even, and never negative",
    avoid="where units have to tell x from −x",
    paper="Roy et al., LiSHT: Non-Parametric Linearly Scaled Hyperbolic Tangent, arXiv 1901.05894",
)
softplus = BuiltInFunction(
    "softplus",
    UNARY["softplus"],
    range="(0, ∞)",
    use="an output that has to be positive: a scale, a rate, a variance",
    avoid="hidden layers: relu is cheaper and learns faster",
    paper="Dugas et al., NIPS 2000",
)
softsign = elementwise(
    "softsign",
    "h / (1 + abs(h))",
    "(1 - abs(a))**2",
    cost=3,
    range="(−1, 1)",
    use="in place of tanh, with tails that flatten more slowly",
    avoid="where a probability is wanted",
    paper="Turian, Bergstra & Bengio, 2009",
)
exponential = BuiltInFunction(
    "exponential",
    UNARY["exp"],
    range="(0, ∞)",
    use="the output of a Poisson regression, whose logarithm is linear",
    avoid="hidden layers: it explodes",
)
hard_sigmoid = elementwise(
    "hard_sigmoid",
    "min(max(h / 6 + 0.5, 0), 1)",
    "where(0 < a < 1, 1 / 6, 0)",
    cost=4,
    range="[0, 1]",
    use="gates where an exponential is too slow",
    avoid="outputs that are read as probabilities: it reaches 0 and 1",
    paper="Courbariaux, Bengio & David, NIPS 2015",
)
hard_silu = elementwise(
    "hard_silu",
    "h * min(max(h / 6 + 0.5, 0), 1)",
    "where(h <= -3, 0, where(h >= 3, 1, h / 3 + 0.5))",
    cost=5,
    range="[−0.375, ∞)",
    use="small image networks on phones",
    avoid="where the cost of silu doesn't matter",
    paper="Howard et al., MobileNetV3, ICCV 2019",
)
hard_tanh = elementwise(
    "hard_tanh",
    "min(max(h, -1), 1)",
    "where(-1 < a < 1, 1, 0)",
    cost=2,
    range="[−1, 1]",
    use="in place of tanh where an exponential is too slow",
    avoid="deep networks: beyond ±1 the slope is 0",
    paper="Collobert, PhD thesis, 2004",
)
hard_shrink = elementwise(
    "hard_shrink",
    "where(abs(h) <= threshold, 0, h)",
    "where(a == 0, 0, 1)",
    arguments={"threshold": 0.5},
    limits={"threshold": (0.0, math.inf)},
    range="(−∞, −threshold) ∪ {0} ∪ (threshold, ∞)",
    use="to remove small values, as in denoising",
    avoid="as the only activation: it jumps at ±threshold",
    paper="Donoho & Johnstone, Biometrika 1994",
)
soft_shrink = elementwise(
    "soft_shrink",
    "h - min(max(h, -threshold), threshold)",
    "where(a == 0, 0, 1)",
    arguments={"threshold": 0.5},
    limits={"threshold": (0.0, math.inf)},
    cost=3,
    range="(−∞, ∞)",
    use="sparse codes: the step of an L1 penalty",
    avoid="where large values have to keep their size",
    paper="Donoho & Johnstone, Biometrika 1994",
)
tanh_shrink = elementwise(
    "tanh_shrink",
    "tanh_shrink(h)",
    "tanh(h)**2",
    cost=14,
    range="(−∞, ∞)",
    use="sparse codes; nearly 0 around 0",
    avoid="as a general activation: its slope is 0 at 0",
)
log_sigmoid = elementwise(
    "log_sigmoid",
    "-softplus(-h)",
    "-expm1(a)",
    cost=20,
    range="(−∞, 0)",
    use="the logarithm of a probability, without loss of digits",
    avoid="hidden layers",
)
squareplus = elementwise(
    "squareplus",
    "max(h, 0) + b / (2 * (sqrt(h**2 + b) + abs(h)))",
    "1 / (1 + b / (4 * a**2))",
    arguments={"b": 4.0},
    limits={"b": (1e-6, math.inf)},
    cost=6,
    range="(0, ∞)",
    use="in place of softplus, without exponential or logarithm",
    avoid="where its slow approach to 0 for x < 0 matters",
    paper="Barron, arXiv 2112.11687",
)
sparse_plus = elementwise(
    "sparse_plus",
    "where(h >= 1, h, (max(h, -1) + 1)**2 / 4)",
    "min(sqrt(a), 1)",
    cost=5,
    range="[0, ∞)",
    use="with sparse_sigmoid: the softplus that belongs to sparsemax",
    avoid="where every unit has to keep learning: below −1 the slope is 0",
    paper="Martins & Astudillo, ICML 2016",
)
sparse_sigmoid = elementwise(
    "sparse_sigmoid",
    "min(max((h + 1) / 2, 0), 1)",
    "where(0 < a < 1, 0.5, 0)",
    cost=4,
    range="[0, 1]",
    use="sparsemax for two classes",
    avoid="deep networks: beyond ±1 the slope is 0",
    paper="Martins & Astudillo, ICML 2016",
)
threshold = elementwise(
    "threshold",
    "where(h <= threshold, default_value, h)",
    "where(h > threshold, 1, 0)",
    arguments={"threshold": None, "default_value": None},
    range="{default_value} ∪ (threshold, ∞)",
    use="to pass only what exceeds a threshold",
    avoid="as the only activation: it may jump",
)
step = elementwise(
    "step",
    "where(h < 0, 0, where(h >= 0, 1, h))",
    "0 * a",
    range="{0, 1}",
    use="to show what a perceptron computes; prediction only",
    avoid="training: the slope is 0, so nothing before it learns",
    paper="McCulloch & Pitts, 1943; Rosenblatt, 1958",
)
gaussian = elementwise(
    "gaussian",
    "exp(-(h**2))",
    """x = min(max(h, -100), 100)
-2 * x * exp(-(x**2))""",
    cost=11,
    range="(0, 1]",
    use="units that respond only near one point, such as radial basis functions",
    avoid="deep networks: the slope vanishes for large |x|",
    paper="Broomhead & Lowe, 1988",
)
sine = BuiltInFunction(
    "sine",
    UNARY["sin"],
    range="[−1, 1]",
    use="signals, images and fields as functions of a coordinate; periodic data",
    avoid="tables: many local minima",
    paper="Sitzmann et al., SIREN, NeurIPS 2020",
)
arctan = BuiltInFunction(
    "arctan",
    UNARY["arctan"],
    range="(−π/2, π/2)",
    use="in place of tanh, with tails that flatten more slowly",
    avoid="where an output between −1 and 1 is wanted",
)
bent_identity = elementwise(
    "bent_identity",
    """x = min(max(h, -1e9), 1e9)
h + h * (x / (sqrt(x**2 + 1) + 1)) / 2""",
    """x = min(max(h, -1e9), 1e9)
1 + x / (2 * sqrt(x**2 + 1))""",
    cost=7,
    range="(−∞, ∞)",
    use="regression, where a slope that never falls below ½ is wanted",
    avoid="networks that need strong curvature or sparse values",
)
softmax = BuiltInFunction(
    "softmax",
    rowwise.Softmax,
    range="(0, 1), each row sums to 1",
    use="the output for one of several classes",
    avoid="hidden layers, except for attention",
    paper="Bridle, NATO ASI 1990",
)
log_softmax = BuiltInFunction(
    "log_softmax",
    rowwise.LogSoftmax,
    range="(−∞, 0)",
    use="logarithms of class probabilities, without loss of digits",
    avoid="before a cross-entropy, which takes probabilities or logits",
)
sparsemax = BuiltInFunction(
    "sparsemax",
    rowwise.Sparsemax,
    range="[0, 1], each row sums to 1",
    use="attention, or class probabilities of which many should be exactly 0",
    avoid="with a cross-entropy: the logarithm of 0",
    paper="Martins & Astudillo, ICML 2016",
)
glu = BuiltInFunction(
    "glu",
    rowwise.Glu,
    range="(−∞, ∞), half as many outputs",
    use="gated layers: one half decides how much of the other passes",
    avoid="where the layer before can't be twice as wide",
    paper="Dauphin et al., ICML 2017",
)

NAMES = {f.name: f for f in tuple(globals().values()) if isinstance(f, ActivationFunction)}

swish, hard_swish = silu, hard_silu  # Keras's second names
ALIASES = {"swish": swish, "hard_swish": hard_swish}

if not TYPE_CHECKING:  # type checkers see every name that is defined here
    __all__ = [*NAMES, *ALIASES]
