"""Callbacks that write files: models, a table of the epochs, and backups from which an interrupted fit continues."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from thalweg.callbacks.callback import Callback, Logs
from thalweg.callbacks.watching import MODES, improvement, monitored
from thalweg.errors import ArgumentError, ModelFileError
from thalweg.support.checks import model_path
from thalweg.support.files import UNFINISHED, append, explained
from thalweg.support.naming import choose
from thalweg.support.printing import out


class ModelCheckpoint(Callback):
    """Saves the model, after every epoch or when `monitor` improves; the file name may contain {epoch} and log names.

    Args:
        filepath: such as "best.safetensors" or "model-{epoch:03d}-{val_loss:.3f}.safetensors" (epoch counts from 1).
        monitor: a name in the logs, for `save_best_only`.
        verbose: 1 reports each save.
        save_best_only: whether to save only improvements.
        save_weights_only: whether the description and the optimizer are left out (see `Sequential.load_weights`).
        mode: "min", "max", or "auto": as the metric of that name says; for anything else, less is better.
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: the value to beat at first.
    """

    first_rank_only = True

    def __init__(
        self,
        filepath: str | Path,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        self.filepath = str(model_path(filepath))
        self.monitor = monitor
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.mode = choose("mode", mode, MODES)
        if save_freq != "epoch" and (not isinstance(save_freq, int) or save_freq < 1):
            raise ArgumentError(f"ModelCheckpoint: save_freq is 'epoch' or a number of batches, got {save_freq!r}")
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self.batches = 0
        self.epoch = 0

    def listens(self, event: str) -> bool:
        if event == "on_train_batch_end":
            return self.save_freq != "epoch"
        return super().listens(event)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.batches += 1
        if isinstance(self.save_freq, int) and self.batches % self.save_freq == 0:
            self.save(self.epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch":
            self.save(epoch, logs)

    def save(self, epoch: int, logs: Logs | None) -> None:
        """Saves the model; with `save_best_only`, if it has improved."""
        if self.save_best_only:
            current = monitored("ModelCheckpoint", self.monitor, logs)
            better = improvement(self.monitor, self.mode, self.model)
            if self.best is not None and not better(current, self.best):
                return
            self.best = current
        try:
            path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
        except KeyError as missing:
            raise ArgumentError(
                f"ModelCheckpoint's filepath {self.filepath!r} names {missing}, which isn't logged; "
                f"logged: epoch, {', '.join(logs or {})}"
            ) from None
        except (IndexError, ValueError) as error:
            raise ArgumentError(f"ModelCheckpoint's filepath {self.filepath!r} can't be filled in: {error}") from None
        if self.save_weights_only:
            self.model.save_weights(path)
        else:
            self.model.save(path)
        if self.verbose:
            out(f"Epoch {epoch + 1}: saved {path}")


class CSVLogger(Callback):
    """Writes a line per epoch to a CSV file: epoch (from 0), then the logs by name; "NA" where a number is missing.

    There are always columns for the validation, even without one.

    Args:
        filename: such as "training.csv".
        separator: one character.
        append: whether to continue an existing file, which must have the same columns, instead of overwriting it.

    >>> import tempfile, thalweg
    >>> model = thalweg.Sequential([thalweg.Input((1,)), thalweg.layers.Dense(1, "linear", False)], seed=0)
    >>> model.compile("sgd", "mse")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "training.csv"
    ...     history = model.fit([[0.0]], [1.0], epochs=2, verbose=0, callbacks=[CSVLogger(path)])
    ...     print(path.read_text().splitlines())
    ['epoch,loss,val_loss', '0,1.0,NA', '1,1.0,NA']
    """

    first_rank_only = True

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False) -> None:
        if not isinstance(separator, str) or len(separator) != 1:
            raise ArgumentError(f"CSVLogger's separator is one character, got {separator!r}")
        self.filename, self.separator, self.append = Path(filename), separator, bool(append)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.columns: list[str] = []
        if not self.filename.parent.is_dir():
            raise ArgumentError(f"CSVLogger: the folder {self.filename.parent} does not exist")
        if self.append and self.filename.exists():
            with self.filename.open(encoding="utf-8", newline="") as file:
                self.columns = next(csv.reader(file, delimiter=self.separator), [])
        else:
            with explained(self.filename):
                self.filename.write_text("", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        names = sorted(logs)
        if not any(name.startswith("val_") for name in names):
            names += [f"val_{name}" for name in names]
        lines = io.StringIO(newline="")
        writer = csv.writer(lines, delimiter=self.separator)
        if not self.columns:
            self.columns = ["epoch", *names]
            writer.writerow(self.columns)
        missing = sorted(logs.keys() - set(self.columns))
        if missing or self.columns[0] != "epoch":
            raise ArgumentError(
                f"CSVLogger: {self.filename} has the columns {', '.join(self.columns)}, without "
                f"{', '.join(missing) or 'epoch'}"
            )
        writer.writerow([epoch, *(logs.get(name, "NA") for name in self.columns[1:])])
        append(self.filename, lines.getvalue())


class BackupAndRestore(Callback):
    """Saves the model after every epoch, so that the same `fit`, called again after a crash, continues from there.

    Weights, the optimizer with its learning rate, and the counts of steps and epochs are restored: a model with the
    same seed ends with the same bits as without the interruption. The state of other callbacks and the history's
    earlier epochs are not restored.

    Args:
        backup_dir: a folder for this training alone, made if need be; what a killed process left unfinished is removed.
        save_freq: "epoch".
        double_checkpoint: whether the previous epoch is kept too, in case the last file is damaged.
        delete_checkpoint: whether to delete the files when training ends; after Ctrl-C or an error they are kept.

    Raises:
        ArgumentError: another save_freq: the record of an epoch would lose its first batches.
        ModelFileError: a backup is damaged or was made by another network or optimizer.
    """

    first_rank_only = True

    def __init__(
        self,
        backup_dir: str | Path,
        save_freq: str = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        if not backup_dir:
            raise ArgumentError("BackupAndRestore's backup_dir is empty")
        if save_freq != "epoch":
            raise ArgumentError(f"BackupAndRestore saves after each epoch: save_freq is 'epoch', got {save_freq!r}")
        self.backup_dir = Path(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint, self.delete_checkpoint = bool(double_checkpoint), bool(delete_checkpoint)

    def backups(self) -> list[tuple[int, Path]]:
        """(epochs done, file) of each backup, the latest first."""
        names = self.backup_dir.glob("epoch-*.safetensors")
        return sorted(((int(p.stem.removeprefix("epoch-")), p) for p in names), reverse=True)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        with explained(self.backup_dir):
            for path in self.backup_dir.glob(f"{UNFINISHED}*"):  # of a process that was killed while it wrote
                path.unlink()
        found = self.backups()
        for epochs, path in found:
            try:
                self.model.load_state(path)
            except ModelFileError:
                if path == found[-1][1]:
                    raise  # otherwise the previous one may serve
            else:
                self.model.initial_epoch = epochs
                return

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        with explained(self.backup_dir):
            self.backup_dir.mkdir(parents=True, exist_ok=True)
            self.model.save(self.backup_dir / f"epoch-{epoch + 1:06d}.safetensors")
            for _, path in self.backups()[1 + self.double_checkpoint :]:
                path.unlink()

    def on_train_end(self, logs: Logs | None = None) -> None:
        history = self.model.history
        if self.delete_checkpoint and not (history is not None and history.interrupted):
            with explained(self.backup_dir):
                for _, path in self.backups():
                    path.unlink()
                if self.backup_dir.is_dir() and not any(self.backup_dir.iterdir()):
                    self.backup_dir.rmdir()
