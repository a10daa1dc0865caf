"""Tables, read from files, queries and frames, and their columns fitted into a matrix. Importing this is cheap: tables
are imported when they are asked for, and DuckDB, narwhals and scikit-learn when a function needs them."""

from typing import TYPE_CHECKING

from thalweg.support.lazily import lazily

if TYPE_CHECKING:
    from thalweg.batches.on_disk import OnDisk
    from thalweg.data.tables import Column, Table, read_table, write_table
    from thalweg.data.target import Target, infer_task, split_rows

__all__ = ["Column", "OnDisk", "Table", "Target", "infer_task", "read_table", "split_rows", "write_table"]

TABLES, TARGET = "thalweg.data.tables", "thalweg.data.target"
lazily(
    __name__,
    dict.fromkeys(("Column", "Table", "read_table", "write_table"), TABLES)
    | dict.fromkeys(("Target", "infer_task", "split_rows"), TARGET)
    | {"OnDisk": "thalweg.batches.on_disk"},
)
