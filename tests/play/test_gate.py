"""Who may speak to the server, and what of this machine it gives away."""

import contextlib
import http.client
import importlib.metadata

import pytest
from served_client import fetch, told

from thalweg.play import scenes
from thalweg.play.gate import Gate
from thalweg.play.pages import server
from thalweg.play.pages import site as static

TOKEN_PATHS = ["/", "/begin.json", "/table", "/upload"]


def raw(site, path, method="GET", **headers):
    """A request with exactly these headers: (status, headers, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    with contextlib.closing(connection):
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()


@pytest.mark.parametrize("path", TOKEN_PATHS)
@pytest.mark.parametrize("token", ["", "?token=", "?token=wrong", "?token=%00", "?tokens={}", "?token={}&token={}"])
def test_the_token_is_needed(site, path, token):
    method = "POST" if path == "/upload" else "GET"
    status, _, text = raw(site, path + token.replace("{}", site.token), method, Host=f"127.0.0.1:{site.port}")
    assert status == 403
    assert b"token" in text
    assert text.count(b"\n") == 1


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{}", "127.0.0.1", "127.0.0.2:{}", "127.0.0.1:{}.evil", ""]
)
def test_a_foreign_host_is_refused(site, host):
    """A name that was made to point to this machine: DNS rebinding."""
    status, _, text = raw(site, f"/?token={site.token}", Host=host.replace("{}", str(site.port)))
    assert status in (400, 403)
    assert site.token.encode() not in text


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1:{}.evil", "file://"]
)
@pytest.mark.parametrize("path", ["/", "/begin.json", "/page.css"])
def test_a_foreign_origin_is_refused(site, origin, path):
    origin = origin.replace("{}", str(site.port))
    status, _, _ = raw(site, f"{path}?token={site.token}", Host=f"127.0.0.1:{site.port}", Origin=origin)
    assert status == 403


def test_the_page_is_given_with_its_policy(site):
    status, headers, text = raw(site, f"/?token={site.token}", Host=f"127.0.0.1:{site.port}")
    assert status == 200
    assert b"<!doctype html>" in text.lower()
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert raw(site, f"/?token={site.token}", Host=f"localhost:{site.port}")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/encoding.py", "/../../errors.py", "/%2e%2e/%2e%2e/errors.py", "/..%2f..%2fpyproject.toml", "//etc/passwd",
        "/%2fetc%2fpasswd", "/play", "/web/theme.css", "/index.html", "/index.html%00.js", "/page.js%00", "/nothing.js",
    ],
)  # fmt: skip
@pytest.mark.parametrize("token", ["", "?token={}"])
def test_no_other_file_is_given(site, path, token):
    status, _, text = raw(site, path + token.replace("{}", site.token), Host=f"127.0.0.1:{site.port}")
    assert status in (400, 403, 404)
    assert b"root:" not in text
    assert b"import" not in text


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("page.css", "text/css"), ("page.js", "text/javascript"), ("lessons.json", "application/json"),
        ("thalweg.wasm", "application/wasm"), ("icon.svg", "image/svg+xml"),
    ],
)  # fmt: skip
def test_the_pages_files_are_given(site, path, kind):
    status, headers, text = raw(site, f"/{path}", Host=f"127.0.0.1:{site.port}")
    assert status == 200
    assert headers["content-type"].startswith(kind)
    assert text == static.files()[path]


def test_a_large_upload_is_refused(site, monkeypatch):
    monkeypatch.setattr(server, "UPLOAD_BYTES", 1000)
    status, answer = told(site, "/upload", b"a,b\n" + b"1,2\n" * 1000)
    assert status == 413
    assert "larger" in answer["error"]["en"]

    def chunks():  # without a length
        yield b"a,b\n"
        for _ in range(1000):
            yield b"1,2\n"

    status, _ = fetch(site, "/upload", chunks(), {"Transfer-Encoding": "chunked"})
    assert status == 413


@pytest.mark.parametrize(
    ("urls", "address"),
    [
        (None, ""),
        (["Source, https://x.org/code"], ""),
        (["Source, https://x.org/code", "Documentation, https://x.org/docs"], "https://x.org/docs/"),
        (["Documentation, https://x.org/docs/"], "https://x.org/docs/"),
    ],
)
def test_the_page_knows_where_its_documentation_is(site, monkeypatch, urls, address):
    class Metadata:
        def get_all(self, name):
            assert name == "Project-URL"
            return urls

    monkeypatch.setattr(importlib.metadata, "metadata", lambda name: Metadata())
    assert scenes.documentation() == address
    assert f'<meta name="documentation" content="{address}">' in fetch(site, "/")[1].decode()


def scope(host, server="192.168.1.5", origin=None, token="right", path="/"):
    headers = [(b"host", host.encode()), *([] if origin is None else [(b"origin", origin.encode())])]
    query = f"token={token}".encode()
    return {"type": "http", "path": path, "headers": headers, "query_string": query, "server": (server, 80)}


@pytest.mark.parametrize(
    ("asked", "passes"),
    [
        (scope("192.168.1.5:8000"), True),
        (scope("192.168.1.5:8000", origin="http://192.168.1.5:8000"), True),
        (scope("evil.example:8000"), False),  # a name that was made to point here
        (scope("127.0.0.1:8000"), False),
        (scope("localhost:8000"), False),
        (scope("192.168.1.5"), False),
        (scope("192.168.1.6:8000"), False),
        (scope("192.168.1.5:8000", origin="http://evil.example:8000"), False),
        (scope("192.168.1.5:8000", token="wrong"), False),
        (scope("127.0.0.1:8000", server="127.0.0.1"), True),
        (scope("192.168.1.5:8000", server="127.0.0.1"), False),
        (scope("192.168.1.5:8000", path="/class"), False),
        (scope("192.168.1.5:8000", path="/class/list", token="teachers"), True),
        (scope("192.168.1.5:8000", path="/classes", token="teachers"), False),
    ],
)
def test_the_gate_knows_the_address_that_was_reached(asked, passes):
    assert (Gate(None, 8000, "right", ["/page.js"], "teachers").refusal(asked) is None) == passes
