"""What a model has for training steps of its own."""

from __future__ import annotations

from typing import Any

from thalweg import optimizers
from thalweg.errors import ArgumentError, ThalwegError
from thalweg.models.steps.losses import compiled_loss
from thalweg.models.steps.optimizers_in_turn import Several
from thalweg.models.steps.own_step import OwnStep
from thalweg.models.steps.tracing import current_step
from thalweg.optimizers import Optimizer


class Stepping:
    """Base of `Model`: a subclass may override `train_step` and `test_step`."""

    _compiled: Any

    def train_step(self, data: Any) -> Any:
        """Override it to say what `fit` does with a batch, in `thalweg.ops`, and call `minimize` once or more in it.

        It is called to write the programs of a step, with tensors that have no numbers, and not again for every batch.
        Each `minimize` is a program: it computes its loss, the gradient and the update. They run one after the other on
        a batch. What was computed before a `minimize` and is used again behind it is computed again, with the weights
        as they are then. As in Keras, layers act as in training where they are called with training=True.

        data: (x, y) or (x, y, sample_weight), or x alone if there are no targets, as `fit` gets them; see
            `utils.unpack_x_y_sample_weight`.

        Returns: a dict of names and numbers for the logs. What has a number a row is averaged over the rows.

        Raises:
            ThalwegError: it trains nothing, or calls a layer that has no shapes yet.

        >>> import thalweg
        >>> from thalweg import ops
        >>> class Own(thalweg.Model):
        ...     def train_step(self, data):
        ...         x, y = data
        ...         loss = ops.mean(ops.square(y - self(x, training=True)))
        ...         self.minimize(loss)
        ...         return {"loss": loss}
        >>> x = thalweg.Input((1,))
        >>> model = Own(x, thalweg.layers.Dense(1, use_bias=False, kernel_initializer="ones")(x))
        >>> model.compile(thalweg.optimizers.SGD(0.25))
        >>> model.fit([[1.0], [1.0]], [[0.0], [0.0]], epochs=2, verbose=0).history
        {'loss': [1.0, 0.25]}
        """
        raise ThalwegError("train_step is the one that compile's loss makes: write your own, with self.minimize(loss)")

    def test_step(self, data: Any) -> Any:
        """Override it to say what `evaluate` does with a batch, as `train_step` for `fit`, without `minimize`.

        Without it, `evaluate` computes the loss and metrics of `compile`.
        """
        raise ThalwegError("test_step is the one that compile's loss makes: write your own, which returns the logs")

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Override it to compute the loss from tensors, with `thalweg.ops`; by default it is the one of `compile`.

        In `train_step` and `test_step`, that one may be called.

        Returns: one number a row, or a mean over the rows. What layers gave to `add_loss` is added.
        """
        return compiled_loss(self._compiled, y, y_pred, sample_weight)

    def minimize(self, loss: Any, weights: Any = None, optimizer: Optimizer | None = None) -> None:
        """In `train_step`: one update of some weights by the gradient of a loss, dw = ∂loss/∂w.

        Args:
            loss: a tensor: one number a row, whose mean is minimised, or `ops.mean` or `ops.sum` over the rows. What
                layers called since the last `minimize` gave to `add_loss`, and the penalties of the weights, are added.
            weights: a layer, a model, or a list of these or of their weights; by default all of this model.
            optimizer: by default that of `compile`.

        Raises:
            ThalwegError: called elsewhere, or there are no weights to train. ArgumentError: not a loss, no optimizer.
        """
        current_step("minimize").minimize(loss, weights, optimizer)

    def gradient(self, value: Any, wrt: Any) -> Any:
        """In a step: ∂value/∂wrt of each row by itself, as a tensor that may stand in a loss, and be derived again.

        Args:
            value: a tensor; the sum of a row's numbers is derived. `ops.sum` over the rows gives the same.
            wrt: a tensor with a value for each row, such as inputs, or several in a list or dict.

        Returns: tensors of their shapes, in the same structure.

        Raises:
            ArgumentError: `value` is a mean over the rows, or `wrt` are weights. ThalwegError: the value doesn't depend
            on it, or passes through a layer that mixes the rows. If a loss needs the derivative of the gradient, and an
            instruction has none, `fit` names it.
        """
        return current_step("gradient").gradient(value, wrt)

    @property
    def optimizer(self) -> Optimizer:
        """The compiled optimizer. If `train_step` has others, and `compile` got none, all of them as one."""
        compiled: Optimizer = self._compiled.optimizer
        return getattr(compiled, "given", None) or compiled

    @optimizer.setter
    def optimizer(self, value: Optimizer) -> None:
        self._compiled.optimizer = value

    def _own_step(self) -> OwnStep | None:
        """The steps that the class defines, if it does."""
        kind = type(self)
        trains, tests = kind.train_step is not Stepping.train_step, kind.test_step is not Stepping.test_step
        return OwnStep(self, trains, tests) if trains or tests else None

    def _optimizing(self, optimizer: str | Optimizer | None) -> str | Optimizer:
        """What `compile` got, for a step of one's own with room for others."""
        if self._compiled.graph.step_of("training") is not None:
            return Several(None if optimizer is None else optimizers.get(optimizer))
        if optimizer is None:
            raise ArgumentError("compile needs an optimizer, such as model.compile('adam', loss='mse')")
        return optimizer
