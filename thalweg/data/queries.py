"""SQL queries: one SELECT, run by DuckDB in memory, that reads the local files it names and nothing else.

CSV files are read as everywhere in this package before the query sees them. DuckDB reads Parquet and JSON files itself;
text in the result is read likewise. All else is closed: writing, other files, the network,
extensions, settings, several statements, and table functions but those that read such files or make rows (`_READERS`,
`_MAKERS`).
"""

from __future__ import annotations

import glob
import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thalweg.data.cells import Column
from thalweg.data.database import (
    confine,
    connect,
    converted,
    duckdb_error,
    fetch,
    literal,
    literals,
    load,
    one_line,
    quoted,
)
from thalweg.data.reading import bare_text
from thalweg.data.sources import csv_source, file_kind, from_csv, is_table_file, named_files
from thalweg.errors import DataError
from thalweg.support.extras import need
from thalweg.support.untrusted import allowed

if TYPE_CHECKING:
    import duckdb

_READERS = {
    "read_csv", "read_csv_auto", "read_parquet", "parquet_scan", "read_json", "read_json_auto", "read_ndjson",
    "read_ndjson_auto",
}  # fmt: skip
_MAKERS = {"range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"}
_SELECTS = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_REFUSED = "disabled by configuration"

Node = dict[str, Any]


def read_query(query: str, verbatim: Collection[str] = (), text: Collection[str] = ()) -> dict[str, Column]:
    """The columns of a SELECT's result, in its row order. `verbatim`, `text`: as in `read_table`.

    Raises:
        DataError: `query` isn't exactly one SELECT, it fails, or it reads something it may not.
        NotFoundError: a file that it names isn't there.
    """
    with opened_query(query, verbatim, text) as (connection, select, limit):
        return fetch(connection, select, "the query", limit, verbatim=verbatim, text=text)


@contextmanager
def opened_query(
    query: str,
    verbatim: Collection[str] = (),
    text: Collection[str] = (),
    beside: Path | None = None,
    memory: int | None = None,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, str, int]]:
    """A database in which the query can run, which it can't leave; the query as it runs there; the bytes it may take.

    beside: a database's file that may be written to, as "kept". memory: bytes that it may take at most.
    """
    with connect(allowed()) as connection:
        select = _without_semicolon(query)
        tree = _tree(connection, select)
        paths, shadows = _files(connection, tree, verbatim, text)
        if _renamed(tree, shadows):
            select = connection.execute("SELECT json_deserialize_sql(?)", [json.dumps(tree)]).fetchall()[0][0]
        behind = (file for name in shadows for file in named_files(name))
        limit = allowed(*(path for name in paths if (path := Path(name)).is_file()), *behind)
        limit = limit if memory is None else min(limit, memory)
        if beside is not None:
            connection.execute(f"ATTACH {literal(str(beside))} AS kept")
        confine(connection, limit)
        connection.execute(f"SET allowed_paths = {literals(sorted(paths))}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            yield connection, select, limit
        except DataError as error:
            if _REFUSED not in str(error):
                raise
            where = str(error).partition(" - ")[0]
            raise DataError(f"{where}: it reads only local files that it names, as in FROM 'rows.parquet'") from None


def _without_semicolon(query: str) -> str:
    """The query up to a semicolon at its end, which a comment may follow."""
    need("duckdb", "", "a table's file or query")
    import duckdb

    text = query.encode()
    tokens = [start for start, kind in duckdb.tokenize(query) if kind.name != "comment"]
    end = tokens[-1] if tokens and text[tokens[-1] : tokens[-1] + 1] == b";" else len(text)
    return text[:end].decode()


def _tree(connection: duckdb.DuckDBPyConnection, text: str) -> Node:
    """The query as DuckDB's parser understands it, if it is one SELECT that calls only the table functions above."""
    failure = duckdb_error()
    try:
        kinds = [statement.type.name for statement in connection.extract_statements(text)]
        if kinds != ["SELECT"]:
            raise DataError(f"a query is one SELECT statement, got {', '.join(kinds) or 'none'}")
        tree: Node = json.loads(connection.execute("SELECT json_serialize_sql(?)", [text]).fetchall()[0][0])
    except failure as error:
        raise DataError(f"can't read the query: {one_line(error)}") from None
    except RecursionError:
        raise DataError("can't read the query: it is nested too deeply") from None
    if tree["error"]:
        raise DataError(f"can't read the query: {tree['error_message']}")
    for node in _nodes(tree):
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in _SELECTS:
            raise DataError(f"a query is one SELECT statement; in it is {kind.partition('_')[0]}")
        if kind == "TABLE_FUNCTION" and node["function"]["function_name"].lower() not in _READERS | _MAKERS:
            raise DataError(
                f"a query can't call {node['function']['function_name']}() in FROM: "
                f"it reads files with {', '.join(sorted(_READERS))}, or FROM 'rows.parquet'"
            )
    return tree


def _files(
    connection: duckdb.DuckDBPyConnection, tree: Node, verbatim: Collection[str], text: Collection[str]
) -> tuple[set[str], dict[str, str]]:
    """The paths that the query may read; and the CSV files that are tables now, by name, with the alias of each."""
    paths: set[str] = set()
    shadows: dict[str, str] = {}
    for node in _nodes(tree):
        if node.get("type") == "TABLE_FUNCTION":
            for name in _texts(node["function"]):
                if is_table_file(Path(name)) or Path(name).is_file():
                    paths |= _paths(name)
        elif node.get("type") == "BASE_TABLE" and is_table_file(Path(node["table_name"])):
            name = node["table_name"]
            if file_kind(Path(name)) in ("workbook", "arrow"):
                raise DataError(f"a query can't read {name}: give the file itself, or save it as .parquet or .csv")
            if name in shadows or file_kind(Path(name)) != "csv":
                paths |= _paths(name)
            else:
                _shadow(connection, name, verbatim, text)
                shadows[name] = Path(name).name.partition(".")[0]
    return paths, shadows


def _paths(name: str) -> set[str]:
    """A file or glob as written, and all paths that it stands for."""
    if "://" in name:
        raise DataError(f"the query names {name!r}, and a query reads local files only")
    whole = Path(name).expanduser().absolute()
    found = named_files(name) if is_table_file(Path(name)) else [whole]
    pattern = {str(whole)} if glob.has_magic(name) else set()
    return {name, *pattern, *(str(path) for file in found for path in (file, file.absolute()))}


def _shadow(connection: duckdb.DuckDBPyConnection, name: str, verbatim: Collection[str], text: Collection[str]) -> None:
    """Makes a table named as a CSV file, which the query reads instead: integers, numbers, moments and text. A verbatim
    column is text as it stands, unless it is integers that are written in no other way."""
    if "://" in name:
        raise DataError(f"the query names {name!r}, and a query reads local files only")
    failure = duckdb_error()

    def read(files: Sequence[Path]) -> None:
        confine(connection, allowed(*files))
        try:
            _make(connection, name, csv_source(files), verbatim, text)
        except failure as error:
            raise DataError(f"can't read {name}: {one_line(error)}") from None

    from_csv(named_files(name), read)


def _make(
    connection: duckdb.DuckDBPyConnection, name: str, source: str, verbatim: Collection[str], text: Collection[str]
) -> None:
    """Makes the table of what `source` reads as text."""
    types = load(connection, "cells", source)
    texts = [i for i, (column, _) in enumerate(types) if column not in text]
    read = converted(connection, "cells", texts, names=False)
    whole = [i for i, (kind, _) in read.items() if kind == "integer"]
    small = ", ".join(f"count({read[i][1]}) = count(TRY_CAST({read[i][1]} AS BIGINT))" for i in whole)
    fitting = connection.execute(f"SELECT {small} FROM cells").fetchall()[0] if whole else ()
    sql = {i: sql for i, (_, sql) in read.items()}
    sql |= {i: f"CAST({sql[i]} AS BIGINT)" for i, fits in zip(whole, fitting, strict=True) if fits}
    kept = [i for i, (column, _) in enumerate(types) if column in verbatim]
    same = ", ".join(f"bool_and(c{i} IS NOT DISTINCT FROM CAST({sql.get(i, 'NULL')} AS VARCHAR))" for i in kept)
    equal = connection.execute(f"SELECT {same} FROM cells").fetchall()[0] if kept else ()
    sql |= {i: f"c{i}" for i, unchanged in zip(kept, equal, strict=True) if not unchanged}
    columns = ", ".join(
        f"{sql.get(i) or bare_text(f'c{i}')} AS {quoted(column)}" for i, (column, _) in enumerate(types)
    )
    connection.execute(f"CREATE TEMP TABLE {quoted(name)} AS SELECT {columns} FROM cells")
    connection.execute("DROP TABLE cells")


def _renamed(tree: Node, shadows: dict[str, str]) -> bool:
    """Gives tables the alias that DuckDB gives files, if the query uses it: SELECT rows.age FROM 'rows.csv'."""
    used = {str(node.get("relation_name", "")).lower() for node in _nodes(tree)}
    used |= {str(node["column_names"][0]).lower() for node in _nodes(tree) if len(node.get("column_names", ())) > 1}
    changed = False
    for node in _nodes(tree):
        alias = shadows.get(node.get("table_name", "")) if node.get("type") == "BASE_TABLE" else None
        if alias is not None and not node["alias"] and alias.lower() in used:
            node["alias"], changed = alias, True
    return changed


def _nodes(tree: Any) -> Iterator[Node]:
    """All nodes of a tree of dicts and lists."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _texts(function: Node) -> Iterator[str]:
    """All texts in a call."""
    for node in _nodes(function):
        yield from (node[key] for key in ("text", "value") if isinstance(node.get(key), str))
