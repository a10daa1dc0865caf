"""Tables, read from files, queries and frames, and their columns fitted into a matrix. Importing this is cheap:
DuckDB, narwhals and scikit-learn are imported when a function needs them."""

from thalweg.data.tables import Column, Table, read_table, write_table
from thalweg.data.target import Target, infer_task, split_rows

__all__ = ["Column", "Table", "Target", "infer_task", "read_table", "split_rows", "write_table"]
