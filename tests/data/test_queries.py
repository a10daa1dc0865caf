"""A SQL source is one SELECT that reads the local files it names, and does nothing else."""

import os
from pathlib import Path

import pytest

from thalweg.data import read_table
from thalweg.errors import DataError, NotFoundError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with rows.csv, rows.parquet and others, which is the working folder; nothing may be written to it."""
    (tmp_path / "rows.csv").write_text("a,b,when\n1,yes,2024-05-31\n2,no,2024-06-01\n3,NA,\n")
    (tmp_path / "other.csv").write_text("a,c\n1,x\n2,y\n")
    (tmp_path / "rows.json").write_text('[{"a": 1}, {"a": 2}]')
    (tmp_path / "secret.txt").write_text("password\n")
    (tmp_path / "many").mkdir()
    duckdb = pytest.importorskip("duckdb")
    with duckdb.connect() as connection:
        for number in (1, 2):
            connection.execute(f"COPY (SELECT {number} AS a) TO '{tmp_path}/many/{number}.parquet'")
    monkeypatch.chdir(tmp_path)
    before = files()
    yield tmp_path
    assert files() == before


def files():
    return {str(path): path.read_bytes() for path in Path.cwd().rglob("*") if path.is_file()}


def refused(query, error=DataError):
    with pytest.raises(error) as caught:
        read_table(query)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_what_a_query_may_read(folder):
    for query, expected in [
        ("SELECT * FROM 'rows.csv'", [1, 2, 3]),
        (f"SELECT * FROM '{folder}/rows.csv' WHERE b = 'no'", [2]),
        ("SELECT * FROM 'rows.csv' WHERE b IS NULL", [3]),
        ("SELECT rows.a FROM 'rows.csv' WHERE rows.a > 1 ORDER BY rows.a DESC", [3, 2]),
        ("SELECT rows.* FROM 'rows.csv' JOIN 'other.csv' ON rows.a = other.a ORDER BY 1", [1, 2]),
        ("SELECT r.a FROM 'rows.csv' AS r JOIN 'other.csv' USING (a) ORDER BY 1", [1, 2]),
        ("FROM 'rows.csv' SELECT a WHERE when > DATE '2024-05-31'".replace("when", '"when"'), [2]),
        ("FROM \"rows.csv\" UNION ALL BY NAME FROM 'rows.csv' ORDER BY a", [1, 1, 2, 2, 3, 3]),
        ("WITH t AS (SELECT a FROM 'rows.csv'), \"rows\" AS (SELECT a + 1 AS a FROM t) FROM rows", [2, 3, 4]),
        ("SELECT a FROM 'rows.json' WHERE a IN (SELECT a FROM 'other.csv' WHERE c = 'y')", [2]),
        ("SELECT a FROM '*.csv' ORDER BY a", [1, 1, 2, 2, 3]),
        ("SELECT a FROM 'many/*.parquet' ORDER BY a", [1, 2]),
        (f"SELECT a FROM '{folder}/many/*.parquet' ORDER BY a", [1, 2]),
        ("SELECT a FROM read_parquet(['many/2.parquet', 'many/1.parquet'])", [2, 1]),
        ("SELECT a FROM read_csv('rows.csv', delim = ',', header = true)", [1, 2, 3]),
        ("SELECT range AS a FROM range(3)", [0, 1, 2]),
        ("SELECT unnest([3, 4]) AS a", [3, 4]),
        ("SELECT 1 AS a -- ); COPY (SELECT 1) TO 'f.csv'", [1]),
        ("SELECT 1 AS a /* ; */ ;  -- done", [1]),
        ("SELECT length('ü;') AS a;", [2]),
        ("FROM (VALUES (1), (2)) v(a) WHERE a > 1", [2]),
    ]:
        assert read_table(query)["a"].tolist() == expected, query


def test_csv_files_read_as_everywhere():
    table = read_table("SELECT * FROM 'rows.csv'")
    whole = read_table("rows.csv")
    assert [table.column(name).kind for name in table.names] == ["integer", "text", "date"]
    assert [table.column(name).kind for name in whole.names] == ["integer", "text", "date"]
    assert table["b"].tolist() == whole["b"].tolist() == ["yes", "no", None]
    assert read_table("SELECT sum(a) / 2 AS half, max(\"when\") AS last FROM 'rows.csv'")["half"].tolist() == [3]
    Path("big.csv").write_text("id,flag,code\n12345678901234567890,true,007\n1,false,010\n")
    try:
        big = read_table("SELECT * FROM 'big.csv' WHERE flag")
        assert big["id"].tolist() == [12345678901234567890.0]
        assert big["code"].tolist() == ["007"]
    finally:
        Path("big.csv").unlink()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS a); COPY (SELECT 'x') TO 'f.csv'; SELECT (1",
        "SELECT 1; COPY (SELECT 'x') TO 'f.csv'",
        "SELECT 1; SELECT 2",
        "SELECT 1 /*",
        "SELECT 1)) --",
        "FROM (COPY (SELECT 1) TO 'f.csv')",
        "WITH t AS (COPY (SELECT 1) TO 'f.csv') SELECT 1",
        "WITH t AS (DELETE FROM x RETURNING *) SELECT 1",
        "WITH t AS (SELECT 1 AS a) INSERT INTO x FROM t",
        "FROM 'rows.csv' LIMIT 1; ATTACH 'f.db'",
        "SELECT 1; INSTALL httpfs",
        "SELECT 1; SET enable_external_access = true",
        "SELECT 1; PRAGMA database_list",
        "FROM (PIVOT 'rows.csv' ON b)",
        "FROM query('SELECT 1 AS a')",
        "FROM query_table('rows.csv')",
        "FROM read_text('secret.txt')",
        "FROM read_blob('secret.txt')",
        "FROM glob('*')",
        "FROM sniff_csv('rows.csv')",
        "FROM duckdb_secrets()",
        "FROM duckdb_settings()",
        "FROM which_secret('a', 'b')",
        "FROM enable_logging()",
        "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
        "SELECT getenv('HOME')",
        "SELECT getenv('HOME') FROM 'rows.csv'",
        "FROM 'https://example.com/rows.csv'",
        "FROM 'https://example.com/rows.parquet'",
        "FROM read_parquet('s3://bucket/rows.parquet')",
        "FROM read_csv(concat('secret', '.txt'))",
        "FROM read_csv('secr' || 'et.txt')",
        "FROM read_csv(replace('secret_txt', '_', '.'))",
        "FROM read_csv(['rows.csv', concat('secret', '.txt')])",
        "WITH t AS (SELECT 'secret.txt' AS f) FROM read_csv((SELECT f FROM t))",
        "SELECT * FROM 'rows.csv' WHERE a IN (SELECT a FROM read_csv(concat('other', '.csv')))",
        "FROM '/etc/passwd'",
    ],
)
def test_what_a_query_may_not_do(query):
    assert not refused(query).endswith("Error")


def test_a_refusal_says_why():
    assert refused("SELECT 1; COPY (SELECT 'x') TO 'f.csv'") == "a query is one SELECT statement, got SELECT, COPY"
    assert "a query can't call read_text() in FROM" in refused("FROM read_text('secret.txt')")
    assert refused("FROM 'https://example.com/a.csv'") == (
        "the query names 'https://example.com/a.csv', and a query reads local files only"
    )
    assert "it reads only local files that it names, as in FROM 'rows.parquet'" in refused(
        "FROM read_csv(concat('secret', '.txt'))"
    )
    assert "did you mean rows.csv?" in refused("FROM 'row.csv'", NotFoundError)
    assert "no file matches none/*.parquet" in refused("FROM 'none/*.parquet'", NotFoundError)
    assert "did you mean rows.json?" in refused("SELECT a FROM read_json('row.json')", NotFoundError)
    Path("ragged.csv").write_text("a,b\n1,2\n3\n")
    try:
        assert refused("FROM 'ragged.csv'") == "can't read ragged.csv: line 3: 1 cells, and the header has 2"
    finally:
        Path("ragged.csv").unlink()


def test_no_setting_can_be_changed_nor_an_extension_loaded():
    settings = read_table(
        "SELECT current_setting('enable_external_access') AS files, current_setting('lock_configuration') AS locked, "
        "current_setting('autoinstall_known_extensions') AS installs, "
        "current_setting('autoload_known_extensions') AS loads, "
        "current_setting('allow_community_extensions') AS community, "
        "current_setting('allow_persistent_secrets') AS secrets"
    )
    assert {name: bool(settings[name][0]) for name in settings.names} == {
        "files": False, "locked": True, "installs": False, "loads": False, "community": False, "secrets": False
    }  # fmt: skip


def test_a_deeply_nested_query_is_one_sentence():
    for depth in (50, 900, 20_000):
        query = "SELECT " + "(" * depth + "1" + ")" * depth + " AS a"
        try:
            assert read_table(query)["a"].tolist() == [1]
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_no_file_is_left_behind():
    read_table("SELECT count(*) AS n FROM 'rows.csv'")
    assert not [name for name in os.listdir() if name.startswith(".")]
