"""Runs from disk, of either kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from thalweg.runs.folder import is_image_run
from thalweg.support.naming import suggesting

if TYPE_CHECKING:
    from thalweg.runs.run import Run


@suggesting
def load_run(path: str | Path) -> Run:
    """A run from the folder that `thalweg train` wrote: its networks with the columns, classes or pictures they know.

    It has `predict`, `predict_proba` and `evaluate`, which take what the command line takes (for a table: a pandas,
    Polars or Arrow frame, a dict of columns, a row as a dict, a list of such rows, a path, a glob or a SQL query),
    `model`, `history` (a record for each epoch) and `facts` (run.json: command, options, scores, versions).

    Raises:
        NotFoundError: there is no such folder, or it holds no run. ModelFileError: it is damaged.

    >>> import tempfile
    >>> from thalweg.data import read_table
    >>> from thalweg.runs import table_training
    >>> from thalweg.runs.table_run import TableOptions
    >>> options = TableOptions(target="sex", trees=False, members=1, layers=(16,), epochs=10, seed=0, lanes=1)
    >>> made = table_training.train(read_table("examples/penguins.csv"), options)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made.save(Path(folder) / "run", ["thalweg", "train"])
    ...     run = load_run(f"{folder}/run")
    >>> birds = read_table("SELECT * FROM 'examples/penguins.csv' LIMIT 3")
    >>> run.predict(birds), run.predict_proba(birds).shape
    (array(['MALE', 'FEMALE', 'FEMALE'], dtype=object), (3, 2))
    >>> run.evaluate("examples/penguins.csv")["accuracy"] > 0.8
    True
    """
    folder = Path(path)
    if is_image_run(folder):
        from thalweg.runs import image_run

        return image_run.load(folder)
    from thalweg.runs import table_run

    return table_run.load(folder)
