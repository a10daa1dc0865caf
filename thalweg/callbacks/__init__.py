"""Callbacks: objects whose methods training calls at its events. Names, arguments and defaults are Keras's.

A callback that listens to batches makes training (evaluation, prediction) run batch by batch; one that listens to
epochs, epoch by epoch; with neither, as many epochs as fit into a tenth of a second run in one native call.
"""

from thalweg.callbacks.average import SwapEMAWeights
from thalweg.callbacks.callback import Callback, History, LambdaCallback, Logs
from thalweg.callbacks.checkpoints import BackupAndRestore, CSVLogger, ModelCheckpoint
from thalweg.callbacks.tensorboard import TensorBoard
from thalweg.callbacks.watching import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau, TerminateOnNaN
from thalweg.support.naming import answer_for

__all__ = [
    "BackupAndRestore", "CSVLogger", "Callback", "EarlyStopping", "History", "LambdaCallback", "LearningRateScheduler",
    "Logs", "ModelCheckpoint", "ReduceLROnPlateau", "SwapEMAWeights", "TensorBoard", "TerminateOnNaN",
]  # fmt: skip

answer_for(__name__)
