"""A network in other forms."""

from __future__ import annotations

from pathlib import Path

from thalweg.support.naming import suggesting


class Exporting:
    """Base of `Model`: what makes a network leave."""

    @suggesting
    def export(
        self,
        filepath: str | Path,
        format: str | None = None,
        overwrite: bool = False,
        train: bool = False,
        batch_size: int | None = None,
        opset: int | None = None,
        int8: bool = False,
    ) -> None:
        """Writes the network in another form, made of its program: it predicts elsewhere, without thalweg.

        | Format | Ending | What it is |
        |---|---|---|
        | `"numpy"` | `.py` | a Python file that needs NumPy alone; with `train` the training too |
        | `"onnx"` | `.onnx` | for onnxruntime and others; float32, any number of rows (needs `thalweg[onnx]`) |
        | `"c"` | `.c`, `.h` | C99 without malloc, one row at a time; with `train` it learns, on batches of one size |
        | `"javascript"` | `.js`, `.mjs` | a script for pages and Node, or an ES module; one row at a time |
        | `"html"` | `.html` | for a table's estimator or run: a page with a form, which answers CSV files, too |
        | `"keras"` | `.keras` | what Keras 3 loads (needs `thalweg[keras]`) |
        | `"torch"` | `.py`, `.safetensors` | an `nn.Module` and its weights; ask for it by name |

        Args:
            filepath: the file. format: one of the formats; by default the one of the file's ending.
            overwrite: whether a file that exists is replaced.
            train: whether the training is exported, too; the model has to be compiled.
            batch_size: rows of a step of the training in C; 32 by default.
            opset: the version of ONNX's operators; by default the lowest that has all that are used.
            int8: in C and JavaScript, a byte for each weight of matrices and kernels, with a factor for each output.

        Raises:
            ArgumentError: an unknown format, a file that exists, or a wish that the format can't grant.
            ThalwegError: a part of the network that the format can't say, which is named.

        >>> import pathlib, tempfile, thalweg
        >>> model = thalweg.Sequential([thalweg.Input((2,)), thalweg.layers.Dense(1, "sigmoid")], seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export(path := pathlib.Path(folder, "model.py"))
        ...     lines = path.read_text(encoding="utf-8").splitlines()
        >>> print(*lines[8:12], sep="\\n")
            # h = x·W + b
            h = x @ W + b
            # y_pred = σ(h)
            y_pred = sigmoid(h)
        """
        from thalweg.exchange import targets

        self.build()  # type: ignore[attr-defined]
        targets.export(self, filepath, format, overwrite, train, batch_size, opset, int8)
