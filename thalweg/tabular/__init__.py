"""From the columns of a table to the matrix a network takes, fitted on the training rows, stored with the model."""

from thalweg.tabular.features import ColumnSummary, Features, Target, infer_task, split_rows, without_bad_rows

__all__ = ["ColumnSummary", "Features", "Target", "infer_task", "split_rows", "without_bad_rows"]
