"""What `test_ranks.py` runs: `mpiexec -n N python on_ranks.py MODE …` prints a JSON list of all ranks' results."""

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from thalweg import Input, Sequential, callbacks, data, layers, optimizers, regularizers
from thalweg.batches import on_disk
from thalweg.distributed import Ranks
from thalweg.engine.ranks import exchange, team
from thalweg.errors import ThalwegError

LANES, BATCH = 4, 64


def networks():
    """By name: layers, rows of x, and an optimizer. The last batch of 210 rows leaves lanes without a block."""
    rng = np.random.default_rng(0)
    x, images, ids = rng.normal(size=(210, 20)), rng.normal(size=(210, 8, 8, 3)), rng.integers(0, 300, size=(210, 6))

    def last():
        return layers.Dense(3, activation="softmax")

    def normal():
        return [layers.BatchNormalization(), layers.Activation("relu")]

    def dense():
        return [Input((20,)), layers.Dense(300, activation="relu"), layers.Dense(200, activation="relu")]

    yield "dense", [*dense(), last()], x, "adam"
    yield "dropout", [*dense(), layers.Dropout(0.3), last()], x, optimizers.SGD(0.05, momentum=0.9, clipnorm=0.5)
    yield "batch-normalised", [Input((20,)), layers.Dense(32), *normal(), last()], x, "adam"
    image = [Input((8, 8, 3)), layers.Conv2D(8, 3, padding="same"), *normal(), layers.Conv2D(8, 3, activation="relu")]
    yield "convolutional", [*image, layers.MaxPooling2D(), layers.Flatten(), last()], images, "adam"
    yield "embedding", [Input((6,)), layers.Embedding(300, 8), layers.Flatten(), last()], ids, "adam"
    apart = regularizers.OrthogonalRegularizer(0.01)
    yield "orthogonal", [Input((20,)), layers.Dense(16, kernel_regularizer=apart), last()], x, "lamb"


def compiled(made, optimizer="adam", seed=0, engine="native"):
    model = Sequential(made, seed=seed, engine=engine)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def marks(*values):
    return [hashlib.md5(v.tobytes() if isinstance(v, np.ndarray) else repr(v).encode()).hexdigest() for v in values]


def bits(ranks):
    """100 steps of each network: weights, the optimizer's vectors and the history."""
    found = {}
    for name, made, x, optimizer in networks():
        model, y = compiled(made, optimizer), np.arange(len(x)) % 3
        history = model.fit(x, y, BATCH, 25, verbose=0, lanes=LANES, validation_data=(x[:50], y[:50]))
        found[name] = marks(model.vector, *model._compiled.training_state().values(), history.history)
    return found


def disk(ranks, folder, what=""):
    """Training on rows of a disk whose windows are small: its bits, and the bytes that this rank reads."""
    x, y = (np.load(Path(folder) / name, mmap_mode="r") for name in ("x.npy", "y.npy"))
    weights, last = np.where(np.arange(len(x)) % 5, 1.0, 0.5).astype(np.float32), ranks.number == ranks.size - 1
    if what == "fewer rows" and last:
        x, y, weights = x[:-1], y[:-1], weights[:-1]
    if what == "other rows" and last:
        x = x + np.float32(1)
    if what == "infinite":
        x = x.copy()
        x[70, 3] = np.inf
    read, fill = [], on_disk.Reader.fill

    def counted(reader, out, first, after):
        read.append(out.nbytes)
        fill(reader, out, first, after)

    on_disk.WINDOW_BYTES, on_disk.Reader.fill = 40_000, counted
    normal = [layers.BatchNormalization(), layers.Activation("relu")]
    made = [Input((20,)), layers.Dense(32), *normal, layers.Dense(3, activation="softmax")]
    model = compiled(made, engine="reference" if what == "other engine" else "native")
    rows, heard = data.OnDisk(x, y, weights, batch_size=BATCH), [Happens(what, ranks)]
    recorded = what == "recorded"
    history = model.fit(
        rows, epochs=4, verbose=0, lanes=LANES, callbacks=heard, record=recorded, shuffle=what != "lying"
    )
    return {"bits": marks(model.vector, history.history), "read": sum(read)}


def fast(ranks):
    """The last loss of each network after 20 steps whose gradients MPI sums."""
    found = {}
    for name, made, x, optimizer in networks():
        model, y = compiled(made, optimizer), np.arange(len(x)) % 3
        found[name] = model.fit(x, y, BATCH, 5, verbose=0, lanes=LANES).history["loss"][-1]
    return found


class Happens(callbacks.Callback):
    """Something that happens to the last rank after the third epoch."""

    def __init__(self, what, ranks):
        self.what, self.last = what, ranks.number == ranks.size - 1

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2 and self.what == "full disk":  # for the first rank, which alone writes
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        if epoch != 2 or not self.last:
            return
        if self.what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "stopped":  # for some seconds
            subprocess.Popen(["/bin/sh", "-c", f"sleep 3; kill -CONT {os.getpid()}"])
            os.kill(os.getpid(), signal.SIGSTOP)
        if self.what == "interrupted":
            os.kill(os.getpid(), signal.SIGINT)
        if self.what == "raising":
            raise ValueError("this callback is wrong")
        if self.what == "stopping":
            self.model.stop_training = True
        if self.what == "another rate":
            self.model.optimizer.learning_rate = 0.1


def one(ranks, what="", folder=None, epochs=5, verbose=0):
    """One network, to which something happens."""
    _, made, x, _ = next(networks())
    y, last = np.arange(len(x)) % 3, ranks.number == ranks.size - 1
    if what == "other data" and last:
        x = x.copy()
        x[7, 7] += 1
    if what == "other version" and last:
        team.__version__ = "0.1"
    if what == "stopped":
        exchange.PATIENCE = 1.0
    model = compiled(made, seed=None if what == "no seed" else int(what == "other seed" and last))
    if what == "other weights" and last:
        model.set_weights([w + 1 for w in model.get_weights()])
    heard = [Happens(what, ranks)]
    if folder:
        mine = Path(folder) / ("written" if ranks.first else f"of rank {ranks.number}")
        if ranks.first:
            mine.mkdir(exist_ok=True)
        heard += [callbacks.BackupAndRestore(mine / "backup"), callbacks.CSVLogger(mine / "log.csv", append=True)]
    lanes = 1 if what == "one lane" else LANES
    rows = x * 1e30 if what == "too large" else x
    history = model.fit(rows, y, BATCH, int(epochs), verbose=int(verbose), lanes=lanes, callbacks=heard)
    return {"vector": marks(model.vector)[0], "history": marks(history.history)[0], "epochs": history.epoch}


def caught(ranks, what, folder=None):
    """The sentence of an error that all ranks have."""
    try:
        one(ranks, what) if folder is None else disk(ranks, folder, what)
    except ThalwegError as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


if __name__ == "__main__":
    mode, *arguments = sys.argv[1:]
    with Ranks(fast_sums=mode == "fast") as ranks:
        modes = {"bits": bits, "fast": fast, "disk": disk, "one": one, "caught": caught}
        result = modes[mode](ranks, *arguments)
        everyones = ranks.comm.gather(result)
        if ranks.first:
            print(json.dumps(everyones), flush=True)
