"""A callback that writes what TensorBoard shows: scalars, histograms of the weights, the graph of the network."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thalweg.callbacks.callback import Callback, Logs
from thalweg.errors import ArgumentError
from thalweg.program.passes.draft import Request
from thalweg.support.checks import whole
from thalweg.support.extras import need
from thalweg.support.files import explained

if TYPE_CHECKING:
    from thalweg.program.ir.program import Program

BINS = 30  # of a histogram, as TensorFlow's


class TensorBoard(Callback):
    """Writes event files for TensorBoard, under Keras's names: `tensorboard --logdir logs` shows them.

    In log_dir/train: epoch_loss, epoch_learning_rate and a scalar for each metric, over the epochs; in
    log_dir/validation: epoch_loss, …, of the validation, and evaluation_loss_vs_iterations, … over the steps, also of
    `evaluate`. The files are written by tensorboardX: pip install 'thalweg[tensorboard]'.

    Args:
        log_dir: a folder for this training alone.
        histogram_freq: epochs between histograms of each array of weights, such as dense/W/histogram; 0: none.
        write_graph: whether the instructions of a prediction are written as a graph.
        write_images: False; `thalweg filters RUN` draws kernels.
        write_steps_per_second: whether epoch_steps_per_second is written too.
        update_freq: "epoch"; or "batch" or a number of batches: batch_loss, … over the batches, which makes training
            go batch by batch.
        profile_batch: 0; `model.profile()` times every instruction.
        embeddings_freq, embeddings_metadata: 0 and None.

    Raises:
        ArgumentError: an argument that can't be honoured. MissingPackageError: tensorboardX isn't installed.

    >>> board = TensorBoard("logs/first", histogram_freq=5)
    >>> TensorBoard(profile_batch=2)
    Traceback (most recent call last):
    thalweg.errors.ArgumentError: TensorBoard can't profile, profile_batch has to be 0: see model.profile()
    """

    first_rank_only = True

    def __init__(
        self,
        log_dir: str | Path = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: int = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ) -> None:
        if write_images:
            raise ArgumentError("TensorBoard can't write images, write_images has to be False: see thalweg.views.plots")
        if profile_batch:
            raise ArgumentError("TensorBoard can't profile, profile_batch has to be 0: see model.profile()")
        if embeddings_freq or embeddings_metadata is not None:
            raise ArgumentError("TensorBoard writes no embeddings: embeddings_freq has to be 0, its metadata None")
        if update_freq not in ("epoch", "batch") and (type(update_freq) is not int or update_freq < 1):
            raise ArgumentError(
                f"TensorBoard's update_freq is 'epoch', 'batch' or a number of batches, got {update_freq!r}"
            )
        self.log_dir = Path(log_dir)
        self.histogram_freq = whole("TensorBoard's histogram_freq", histogram_freq, 0)
        self.write_graph, self.write_images = bool(write_graph), False
        self.write_steps_per_second = bool(write_steps_per_second)
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.profile_batch, self.embeddings_freq, self.embeddings_metadata = 0, 0, None
        self.writers: dict[str, Any] = {}
        self.training = False
        self.batches = 0  # of this fit

    def listens(self, event: str) -> bool:
        if event in ("on_train_batch_begin", "on_train_batch_end"):
            return self.update_freq != "epoch"
        if event == "on_epoch_begin":
            return self.write_steps_per_second
        return super().listens(event)

    # --- writing -------------------------------------------------------------------------------------------------

    def writer(self, part: str) -> Any:
        """The writer of "train" or "validation"; its file is made when there is something to write.

        It writes in this thread: FileWriter's own thread dies when the disk is full, and then everything waits for it.
        """
        need("tensorboardX", "tensorboard", "the TensorBoard callback")
        from tensorboardX.event_file_writer import EventsWriter

        if part not in self.writers:
            folder = self.log_dir / part
            folder.mkdir(parents=True, exist_ok=True)
            self.writers[part] = EventsWriter(str(folder / "events"))
        return self.writers[part]

    def write(self, part: str, step: int = 0, **content: Any) -> None:
        """An event: a summary of a step, or the graph."""
        with explained(self.log_dir):
            writer = self.writer(part)
            from tensorboardX.proto.event_pb2 import Event

            writer.write_event(Event(wall_time=time.time(), step=step, **content))

    def scalars(self, part: str, logs: Logs, name: str, step: int) -> None:
        """Writes each number under `name`, in which {} stands for its own name."""
        from tensorboardX import summary

        for key, value in logs.items():
            self.write(part, step, summary=summary.scalar(name.format(key), value))

    def flush(self) -> None:
        """Writes everything to disk."""
        with explained(self.log_dir):
            for writer in self.writers.values():
                writer.flush()

    def close(self) -> None:
        """Finishes the files."""
        with explained(self.log_dir):
            for writer in self.writers.values():
                writer.close()
        self.writers.clear()

    # --- events --------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs | None = None) -> None:
        with explained(self.log_dir):
            self.writer("train")  # raises before training if it can't be made
        self.training, self.batches = True, 0
        if self.write_graph:
            self.write("train", graph_def=graph(self.model.lower(Request("inference"))[0]))

    def on_train_end(self, logs: Logs | None = None) -> None:
        self.training = False
        self.close()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch_began, self.steps_before = time.perf_counter(), self.model.optimizer.iterations

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        optimizer = self.model.optimizer
        train = {key: value for key, value in logs.items() if not key.startswith("val_")}
        train["learning_rate"] = optimizer.learning_rate
        if self.write_steps_per_second:
            steps = optimizer.iterations - self.steps_before
            train["steps_per_second"] = steps / (time.perf_counter() - self.epoch_began)
        self.scalars("train", train, "epoch_{}", epoch)
        held = {key.removeprefix("val_"): value for key, value in logs.items() if key.startswith("val_")}
        self.scalars("validation", held, "epoch_{}", epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self.histograms(epoch)
        self.flush()

    def histograms(self, epoch: int) -> None:
        """The distribution of each array of weights."""
        from tensorboardX import summary

        for path, parameter in self.model.named_parameters():
            values = summary.histogram(f"{path}/histogram", parameter.array, BINS)
            self.write("train", epoch, summary=values)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self.batch_began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.batches += 1
        if isinstance(self.update_freq, int) and self.batches % self.update_freq == 0:
            numbers = dict(logs or {})
            if self.write_steps_per_second:
                numbers["steps_per_second"] = 1 / (time.perf_counter() - self.batch_began)
            self.scalars("train", numbers, "batch_{}", self.batches)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self.scalars("validation", logs or {}, "evaluation_{}_vs_iterations", self.model.optimizer.iterations)
        if not self.training:
            self.close()


def graph(program: Program) -> bytes:
    """The instructions of a program as TensorBoard's graph: a node for each value, named as in the listing."""
    from tensorboardX.proto.attr_value_pb2 import AttrValue
    from tensorboardX.proto.graph_pb2 import GraphDef
    from tensorboardX.proto.node_def_pb2 import NodeDef

    nodes: dict[str, Any] = {}
    for i in program:
        for read in i.inputs:
            nodes.setdefault(read.name, NodeDef(name=read.name, op=read.region))
        for written in i.outputs:
            formula = AttrValue(s=i.formula.encode())
            names = [read.name for read in i.inputs]
            nodes[written.name] = NodeDef(name=written.name, op=i.title, input=names, attr={"formula": formula})
    written_graph: bytes = GraphDef(node=nodes.values()).SerializeToString()
    return written_graph
