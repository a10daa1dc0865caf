"""What `thalweg play` answers: files without a token, how the page begins, tables that it reads, a class's progress."""

import numpy as np
import pytest
from served_client import fetch, serving, told

from thalweg.errors import MissingPackageError
from thalweg.play import page_table
from thalweg.play.page_table import PageTable
from thalweg.play.pages.site import files
from thalweg.views.web.encoding import decode

ODD = "when,weight,town,sure,price\n" + "".join(
    f"{1 + n % 28}/{1 + n % 12}/2020,{40 + n % 9} kg,{('Ulm', 'Köln')[n % 2]},{('TRUE', 'FALSE')[n % 2]},{n}\n"
    for n in range(60)
)


@pytest.fixture(scope="module", autouse=True)
def engine():
    try:
        files()
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def served():
    with serving(states=[{"data": {"name": "moons"}}], lesson="loss") as site:
        yield site


def test_the_sites_files_are_given_without_a_token(served):
    for name, content in files().items():
        expected = (200, content) if name != "index.html" else (403, b"")
        status, given = fetch(served, f"/{name}", token=False)
        assert (status, given if status == 200 else b"") == expected


def test_the_rest_needs_the_token(served):
    for path in ("/", "/begin.json", "/table", "/upload"):
        assert fetch(served, path, token=False)[0] == 403
        assert fetch(served, path, token="wrong")[0] == 403
    assert b'name="thalweg-begins" content="begin.json"' in fetch(served, "/")[1]
    assert b"thalweg-begins" not in files()["index.html"]
    assert fetch(served, "/begin.json", headers=[("Origin", "http://evil.example")])[0] == 403


def test_how_the_page_begins(served):
    assert told(served, "/begin.json") == (
        200,
        {"lesson": "loss", "preset": None, "states": [{"data": {"name": "moons"}}], "table": False, "class": False,
         "upload_bytes": 20_000_000},
    )  # fmt: skip
    assert fetch(served, "/table")[0] == 404


def columns_of(sent):
    return {column["name"]: column for column in sent["columns"]}


def numbers(column):
    return column["numbers"].view("<f8")


def test_a_table_is_read_as_for_any_run(served):
    status, answer = fetch(served, "/upload", ODD.encode(), name="../odd.csv")
    sent = decode(answer)
    assert (status, sent["name"], sent["rows"], sent["of"]) == (200, "odd.csv", 60, 60)
    found = columns_of(sent)
    assert {name: column["kind"] for name, column in found.items()} == {
        "when": "date", "weight": "integer", "town": "text", "sure": "boolean", "price": "integer",
    }  # fmt: skip
    assert numbers(found["weight"])[:3].tolist() == [40, 41, 42]
    assert numbers(found["when"])[0] == np.datetime64("2020-01-01").astype("datetime64[s]").astype(int)
    assert found["town"]["words"] == ["Ulm", "Köln"]
    assert found["town"]["codes"][:3].tolist() == [0, 1, 0]
    assert found["sure"]["written"] == [[1, "TRUE"], [0, "FALSE"]]
    assert found["weight"]["first"][0] == "40 kg"


def test_a_long_table_is_a_sample(tmp_path, monkeypatch):
    monkeypatch.setattr(page_table, "TABLE_ROWS", 10)
    (tmp_path / "a.csv").write_text(ODD)
    with serving(source=PageTable.of_source(str(tmp_path / "a.csv"))) as site:
        assert told(site, "/begin.json")[1]["table"] is True
        sent = decode(fetch(site, "/table")[1])
    prices = numbers(columns_of(sent)["price"]).tolist()
    assert (sent["rows"], sent["of"], len(prices)) == (10, 60, 10)
    assert prices == sorted(set(prices))
    assert prices != list(range(10))


def test_what_cannot_be_read_is_said(served):
    status, answer = told(served, "/upload", b"a,b\n", name="x.csv")
    assert status == 400
    assert "x.csv" in answer["error"]["en"]
    texts = b"a,b\n" + b"".join(b"%d,%s\n" % (n, f"my {n} good words of a long text {n}".encode()) for n in range(90))
    assert columns_of(decode(fetch(served, "/upload", texts)[1]))["b"] == {
        "name": "b", "kind": "other", "why": "it differs in nearly every row",
    }  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\x01\x02\xff" * 100, b"a,b\n", "價,錢\n".encode("utf-16")],
    ids=["empty", "bytes", "no rows", "another encoding"],
)
def test_a_broken_file_is_refused_in_a_sentence(served, content):
    status, answer = told(served, "/upload", content)
    assert status == 400
    assert 5 < len(answer["error"]["en"]) < 600
    assert "Traceback" not in answer["error"]["en"]
    assert "/tmp" not in answer["error"]["en"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\x00b.csv", "x" * 5000, "", "..", "上傳.csv"])
def test_a_name_never_becomes_a_path(served, name):
    status, answer = fetch(served, "/upload", b"a,b\n1,2\n3,4\n", name=name)
    assert status == 200
    assert "/" not in decode(answer)["name"]
    assert len(decode(answer)["name"]) <= 80


@pytest.mark.parametrize("encoding", ["cp950", "utf-16"])
def test_another_encoding_is_named_with_what_can_be_done(served, encoding):
    text = "坪數,房間數,價格\n" + "".join(f"{n},{n % 4},{n * 30}\n" for n in range(40))
    _, answer = told(served, "/upload", text.encode(encoding), name="房價.csv")
    assert f"looks like {encoding}: save it as UTF-8, or start with thalweg play FILE" in answer["error"]["en"]


def test_a_wide_file_is_refused_by_its_header_before_it_is_read(served, monkeypatch):
    header = ",".join(f'"c,{n}"' if n % 2 else f"c{n}" for n in range(page_table.TABLE_FEATURES))
    row = "1," * (page_table.TABLE_FEATURES - 1) + "2\n"
    monkeypatch.setattr(page_table, "read_table", lambda path: pytest.fail("it was read"))
    for wide in (header + ",one more", header.replace(",", ";") + ";one more"):
        status, answer = told(served, "/upload", (wide + "\n" + row).encode(), name="wide.csv")
        assert status == 400
        assert f"wide.csv has {page_table.TABLE_FEATURES + 1:,} columns" in answer["error"]["en"]
        assert "2,001 欄" in answer["error"]["zh"]
    monkeypatch.undo()
    assert fetch(served, "/upload", (header + "\n" + row * 3).encode(), name="wide.csv")[0] == 200
