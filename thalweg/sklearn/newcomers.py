"""Cells in rows to predict that the training rows didn't prepare for: counted, warned of, and taken in a stated way."""

from __future__ import annotations

import warnings

import numpy as np

from thalweg.data.cells import Column
from thalweg.data.columns import BooleanColumn, CategoryColumn, NumberColumn, TextColumn
from thalweg.data.dates import DateColumn
from thalweg.data.tables import Table
from thalweg.errors import ThalwegWarning
from thalweg.tabular.features import Features

HUGE = 1e300
READ = (NumberColumn, CategoryColumn, BooleanColumn, DateColumn, TextColumn)


def understood(features: Features, table: Table) -> Table:
    """The table with infinite numbers replaced by huge ones, which the scale limits; warns of what is new in it.

    * an infinite number counts as a very large or small one
    * an odd cell among numbers counts as missing, where training rows had some; otherwise it is an error
    * a category that no training row has is none of those known: 0 in all its columns
    * a missing cell in a column that had none is taken as the median, or as no category
    """
    found: list[str] = []
    replaced: dict[str, Column] = {}
    for column in features.columns:
        if not column.features or column.name not in table:
            continue
        cells = table.column(column.name)
        if isinstance(column, NumberColumn):
            values, odd = column.numbers(cells, table)
            infinite = np.isinf(values)
            if infinite.any():
                values = np.where(infinite, np.sign(values) * HUGE, values)
                found.append(f"{column.name!r} has {infinite.sum():,} infinite numbers, taken as very large ones")
            if odd:
                found.append(f"{column.name!r} has {len(odd):,} cells that are no numbers, taken as missing")
            if values is not cells.values:
                cells = replaced[column.name] = Column("number", values)
        if isinstance(column, CategoryColumn):
            unknown = column.unknown(cells)
            if unknown.any():
                some = ", ".join(sorted(set(cells.as_text()[unknown].tolist()))[:3])
                found.append(f"{column.name!r} has {unknown.sum():,} cells of unknown categories ({some})")
        if not column.missing and isinstance(column, READ):
            missing = int(cells.missing().sum())
            if missing:
                found.append(f"{column.name!r} lacks {missing:,} values, and no training row did")
    if found:
        more = f"; and {len(found) - 5} more columns" if len(found) > 5 else ""
        warnings.warn("; ".join(found[:5]) + more, ThalwegWarning, stacklevel=5)
    if not replaced:
        return table
    return table.with_columns(replaced)
