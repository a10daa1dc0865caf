"""Center loss: a cross-entropy that also pulls the features of a class together."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from thalweg.errors import ArgumentError, ShapeError
from thalweg.losses.loss import Shape
from thalweg.losses.probabilities import OfClassNumbers
from thalweg.program.instructions import rowwise
from thalweg.program.instructions.losses import centers, row_losses
from thalweg.program.ir.instruction import Buffer, Instruction
from thalweg.support.arguments import arguments
from thalweg.support.checks import Amount, Portion

CENTERS = "centers"


@arguments
class CenterLoss(OfClassNumbers):
    """ℓ = −log ŷ[y] + weight·½·‖x − c_y‖², y a class number from 0, x (rows, features) the features of the row.

    The features are the input of the last layer with weights; another layer with weights has to precede it. Each class
    has a centre c among them, (classes, features), initially 0. After every training batch, with sums over its rows,

        c_j ← c_j − alpha·Σ [y = j]·(c_j − x)/(1 + Σ [y = j])

    No gradient moves the centres. Like the optimizer's vectors, they are saved and loaded with the model, as
    "/loss/centers" in the file, and reset by `compile`; `model.training_state()["loss/centers"]` is a view of them.
    Like every loss, ℓ is averaged over the rows (the paper's equations have sums, its code means), or summed with
    `reduction="sum"`. The weight of a row multiplies its ℓ; in the step of the centres, the row counts that many times.
    Evaluation uses the centres as they are. A center loss can't be called with predictions alone.

    Args:
        weight: λ, the weight of the distance to the centre.
        alpha: the centres' learning rate, between 0 and 1.
        from_logits: ŷ is a pre-activation. label_smoothing: as in `SparseCategoricalCrossentropy`.

    >>> import numpy as np, thalweg
    >>> model = thalweg.Sequential([
    ...     thalweg.Input((3,)), thalweg.layers.Dense(2, name="features"), thalweg.layers.Dense(4, "softmax")
    ... ], seed=0)
    >>> model.compile("adam", CenterLoss(weight=0.1))
    >>> history = model.fit(np.eye(3), [0, 1, 3], verbose=0)
    >>> model.training_state()["loss/centers"].shape
    (4, 2)
    """

    weight: Amount = 0.003
    alpha: Portion = 0.5
    from_logits: bool = False
    label_smoothing: Portion = 0.0

    instruction = row_losses.SparseCategoricalCrossentropy
    after = rowwise.Softmax
    fused = row_losses.SparseCategoricalCrossentropyLogits

    formula = "ℓ = −log ŷ[y] + λ·½·‖x − c_y‖²"
    derivative = "that of the cross-entropy; by the features also λ·(x − c_y)"
    range = "0 and above"
    targets = "class numbers from 0"
    use = "Features that are compared by distance, such as faces: near within a class, far between classes."
    avoid = "Where only the class counts: there are two more numbers to tune."
    paper = "Wen, Zhang, Li and Qiao, ECCV 2016"

    uncalled = OfClassNumbers.uncalled  # its __call__ is only for users, like that of every loss

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        raise ArgumentError(
            "CenterLoss needs a network's features, not only its predictions: compile a model with it, then evaluate"
        )

    def state_shapes(self, output: Shape, features: Shape | None) -> dict[str, Shape]:
        if features is None:
            raise ArgumentError(
                "CenterLoss pulls together the inputs of the last layer with weights: "
                "the network needs a layer with weights before that one"
            )
        if len(output) != 1:
            raise ShapeError(f"CenterLoss needs one class a row, so outputs (rows, classes), not (rows, {output})")
        return {CENTERS: (output[0], math.prod(features))}

    def lower_state(
        self, features: Buffer, y: Buffer, weight: Buffer | None, sums: Buffer, state: dict[str, Buffer], training: bool
    ) -> list[Instruction]:
        of, total = state[CENTERS], self.reduction == "sum"
        distance = centers.CenterDistance(features, y, weight, of, sums, self.weight, total)
        if not training:
            return [distance]
        parts = Buffer(f"parts of {of}", (of.shape[0], of.shape[1] + 1), per_row=False)
        return [
            distance,
            centers.CenterSums(features, y, weight, of, parts),
            centers.CenterUpdate(parts, of, self.alpha),
        ]
