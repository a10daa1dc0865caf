"""Whether a network's output suits its loss: a mismatch is reported before training."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg import activations, words
from thalweg.losses.loss import Loss
from thalweg.losses.probabilities import Dice, KLDivergence, OfClassNumbers, OfOneHot, OfProbabilities, Tversky
from thalweg.program.instructions import rowwise
from thalweg.program.instructions.activations import GENERAL_RELU, Elementwise, is_activation
from thalweg.program.instructions.convolution import Convolution, TransposedConvolution
from thalweg.program.instructions.elementwise import Reshape
from thalweg.program.instructions.linear import Affine
from thalweg.program.instructions.shapes import Permutation
from thalweg.program.ir.instruction import Buffer, Instruction

PRODUCTS = (Affine, Convolution, TransposedConvolution)
MOVES = (Reshape, Permutation)
OF_A_ROW: dict[type[Instruction], int] = {
    rowwise.Softmax: 1,
    rowwise.Sparsemax: 1,
    rowwise.LogSoftmax: 0,
}  # and their value for one output
WITHIN = (  # 0 … 1
    "sigmoid", "gaussian", "hard_sigmoid", "sparse_sigmoid", "step", "softmax", "sparsemax",
)  # fmt: skip
POSITIVE = ("exponential", "softplus", "squareplus")  # probabilities once they are divided by their sum
UNKNOWN = ("linear", "threshold")  # what it is depends on its numbers
BEYOND = tuple(activations.NAMES.keys() - {*WITHIN, *UNKNOWN})
DIVIDING = (
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "sparse_categorical_crossentropy",
    "center_loss",
)


def doubt(loss: Loss, y_pred: Buffer, instructions: Sequence[Instruction]) -> words.Said | None:
    """What is certainly wrong with these predictions for the loss, and the remedy; None if nothing is."""
    source = origin(y_pred, instructions)
    if source is None:
        return None
    one = y_pred.shape[-1:] in ((), (1,))
    if one and type(source) in OF_A_ROW:
        return words.Said(
            "{end} over one output is always {value}: end the network with Dense(1, activation='sigmoid') for two "
            "classes, or with an output for each class",
            end=source.name,
            value=OF_A_ROW[type(source)],
        )
    if one and isinstance(loss, (OfOneHot, OfClassNumbers)):
        return words.Said(
            "{loss} compares classes, but the network has one output: take binary_crossentropy with "
            "activation='sigmoid' for two classes, or an output for each class with activation='softmax'",
            loss=loss.name,
        )
    if getattr(loss, "from_logits", False):
        if not made_by(source, WITHIN):
            return None
        return words.Said(
            "{loss} with from_logits=True takes pre-activations, but the network ends with {end}: leave out one of the "
            "two",
            loss=loss.name,
            end=source.name,
        )
    if not of_probabilities(loss) or not leaves(source, loss):
        return None
    single = isinstance(loss, (Dice, Tversky)) or not isinstance(loss, (OfOneHot, OfClassNumbers, KLDivergence))
    bare = isinstance(source, PRODUCTS)
    doubted = words.Said(
        "{loss} takes probabilities, but the network ends with {end}, which leaves 0 … 1: end it with "
        "activation={needed!r}",
        loss=loss.name,
        end=words.Said("no activation") if bare else source.name.removeprefix("general "),
        needed="sigmoid" if single else "softmax",
    )
    logits = bare and hasattr(loss, "from_logits")
    return words.Said("{doubted} (or give the loss from_logits=True)", doubted=doubted) if logits else doubted


def origin(value: Buffer, instructions: Sequence[Instruction]) -> Instruction | None:
    """The instruction that computed these numbers, in any order."""
    source = next((i for i in instructions if any(o is value for o in i.outputs)), None)
    return origin(source.inputs[0], instructions) if isinstance(source, MOVES) else source


def of_probabilities(loss: Loss) -> bool:
    return isinstance(loss, (OfProbabilities, OfClassNumbers, KLDivergence, Dice, Tversky))


def leaves(source: Instruction, loss: Loss) -> bool:
    """Whether values certainly leave 0 … 1, even if the loss divides them by their sum."""
    if (
        isinstance(source, Elementwise)
        and source.equation == GENERAL_RELU
        and source.numbers["max_value"] <= 1
        and source.numbers["negative_slope"] == 0
    ):
        return False
    if made_by(source, POSITIVE) and loss.name in DIVIDING:
        return False
    return isinstance(source, PRODUCTS) or made_by(source, BEYOND)


def made_by(source: Instruction, names: Sequence[str]) -> bool:
    """Whether it is one of these activations."""
    functions = (f for f in map(activations.NAMES.get, names) if isinstance(f, activations.BuiltInFunction))
    return any(is_activation(source, kind) for f in functions for kind in (f.kind, f.general) if kind is not None)
