"""Who may speak to the server, and what of this machine it gives away."""

import contextlib
import http.client
import importlib.metadata
import json

import pytest
from page_client import Page, fetch, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from thalweg.play import server
from thalweg.play.requests.bounds import SESSIONS

TOKEN_PATHS = ["/", "/export/python", "/export/model", "/upload"]


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
@pytest.mark.parametrize("path", ["/", "/export/python", "/web/theme.css"])
def test_a_foreign_origin_is_refused(site, origin, path):
    origin = origin.replace("{}", str(site.port))
    status, _, _ = raw(site, f"{path}?token={site.token}", Host=f"127.0.0.1:{site.port}", Origin=origin)
    assert status == 403


@pytest.mark.parametrize(
    ("token", "origin"),
    [("", "own"), ("wrong", "own"), ("right", "https://evil.example"), ("right", None), ("right", "null")],
)
def test_the_socket_is_refused(site, token, origin):
    own = f"http://127.0.0.1:{site.port}"
    address = f"ws://127.0.0.1:{site.port}/socket?token={site.token if token == 'right' else token}"
    with pytest.raises(InvalidStatus) as error, connect(address, origin=own if origin == "own" else origin):
        pass
    assert error.value.response.status_code == 403
    assert wait_until(lambda: not site.sessions)


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
        "/web/encoding.py",
        "/web/../../errors.py",
        "/web/%2e%2e/%2e%2e/errors.py",
        "/web/..%2f..%2f..%2fpyproject.toml",
        "/web//etc/passwd",
        "/web/%2fetc%2fpasswd",
        "/web/play",
        "/web/",
        "/web/play/index.html%00.js",
        "/web/nothing.js",
    ],
)
def test_no_file_outside_the_folder_is_given(site, path):
    status, _, text = raw(site, path, Host=f"127.0.0.1:{site.port}")
    assert status in (400, 404)
    assert b"root:" not in text
    assert b"import" not in text


@pytest.mark.parametrize(
    ("path", "kind"),
    [("theme.css", "text/css"), ("decode.js", "text/javascript"), ("play/lessons.json", "application/json")],
)
def test_the_pages_files_are_given(site, path, kind):
    status, headers, text = raw(site, f"/web/{path}", Host=f"127.0.0.1:{site.port}")
    assert status == 200
    assert headers["content-type"].startswith(kind)
    assert text


def test_a_large_message_closes_the_socket(site):
    with Page(site) as page:

        def send():
            page.socket.send(json.dumps({"do": "state", "state": {"loss": "x" * 100_000_000}}))
            page.until(lambda frame: False)

        with pytest.raises(ConnectionClosed):
            send()
        assert page.socket.protocol.close_code in (1009, 1006)  # 1006: while it was being sent
    with Page(site) as page:  # the server lives on
        assert page.next()["frame"] == 1


def test_a_large_upload_is_refused(page, site, monkeypatch):
    monkeypatch.setattr(server, "UPLOAD_BYTES", 1000)
    status, answer = page.upload(b"a,b\n" + b"1,2\n" * 1000)
    assert status == 413
    assert "larger" in answer["error"]["en"]

    def chunks():  # without a length
        yield b"a,b\n"
        for _ in range(1000):
            yield b"1,2\n"

    status, _ = fetch(site, "/upload", chunks(), {"Transfer-Encoding": "chunked"}, session=page.hello["session"])
    assert status == 413


def test_an_upload_and_an_export_need_an_open_page(site):
    assert fetch(site, "/upload", b"a\n1\n", session="none")[0] == 400
    assert fetch(site, "/export/python", session="none")[0] == 400
    assert fetch(site, "/export/nothing", session="none")[0] == 400


def test_only_so_many_pages_are_open(site):
    assert wait_until(lambda: not site.sessions)
    pages = [Page(site) for _ in range(SESSIONS)]
    try:
        with pytest.raises(ConnectionClosed):
            Page(site)
    finally:
        for page in pages:
            page.close()


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
    assert server.documentation() == address
    assert f'<meta name="documentation" content="{address}">' in fetch(site, "/")[1].decode()
