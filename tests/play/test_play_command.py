"""`thalweg play`: the address it prints, how it ends, what it says when something is missing or wrong."""

import contextlib
import http.client
import inspect
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from types import SimpleNamespace

import pytest
from served_client import fetch, wait_until

from thalweg.cli.play import play
from thalweg.errors import ThalwegError
from thalweg.play.pages import server
from thalweg.support import extras
from thalweg.views.web.encoding import decode

COMMAND = [sys.executable, "-W", "error", "-m", "thalweg", "play", "--no-open"]


def started(*arguments):
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    address = process.stdout.readline().strip()
    port, _, token = address.removeprefix("http://127.0.0.1:").partition("/?token=")
    return process, SimpleNamespace(port=int(port), token=token, address=address)


def options(**given):
    """All options of the command, the others with their defaults."""
    return {name: option.default for name, option in inspect.signature(play).parameters.items()} | given


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_it_serves_until_ctrl_c_and_ends_quietly(tmp_path):
    (tmp_path / "t.csv").write_text("a,b,c\n" + "".join(f"{n},{n % 3},{n * 2}\n" for n in range(50)))
    process, site = started(str(tmp_path / "t.csv"))
    try:
        with urllib.request.urlopen(site.address, timeout=30) as answer:
            assert b"<!doctype html>" in answer.read().lower()
        assert decode(fetch(site, "/table")[1])["name"] == "t.csv"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


SLOW = """
import sys
import duckdb
from thalweg.play import page_table
page_table.read_table = lambda path: duckdb.sql("SELECT sum(sin(range)) FROM range(10000000000000)").fetchall()
sys.argv = ["thalweg", "play", "--no-open"]
from thalweg.cli.main import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("times", [1, 3])
def test_ctrl_c_ends_the_server_while_a_file_is_read(times):
    """Code that no Python signal reaches: it would be waited for, or abort the interpreter's end."""
    process = subprocess.Popen([sys.executable, "-c", SLOW], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        address = process.stdout.readline().strip()
        port, _, token = address.removeprefix("http://127.0.0.1:").partition("/?token=")
        site = SimpleNamespace(port=int(port), token=token, address=address)

        def upload():
            with contextlib.suppress(OSError, http.client.HTTPException):  # the server goes before it answers
                fetch(site, "/upload", b"a,b\n1,2\n")

        sender = threading.Thread(target=upload)
        sender.start()
        before = cpu(process.pid)
        assert wait_until(lambda: cpu(process.pid) > before + 0.5)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
        assert process.wait(30) in (0, 130)
        sender.join(30)
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.communicate()


def cpu(pid):
    """Seconds of processor time, or of waiting where that can't be read."""
    if not os.path.exists("/proc/self/stat"):
        return time.monotonic() / 5
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"preset": "nothing"}, "local-valley"),
        ({"source": "nowhere.csv"}, "nowhere.csv"),
        ({"port": 99999}, "from 0"),
        ({"port": -1}, "from 0"),
        ({"encoding": "cp950"}, "--encoding, --sheet and --quote say how SOURCE is read"),
        ({"quote": ""}, "--encoding, --sheet and --quote say how SOURCE is read"),
        ({"lesson": "one-row", "preset": "local-valley"}, "one of SOURCE, --lesson and --preset"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(arguments, words):
    with pytest.raises(ThalwegError, match=re.escape(words)):
        play(**options(**arguments))


def test_an_unknown_lesson_is_a_wrong_call():
    done = subprocess.run([*COMMAND, "--lesson", "one-rwo"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "did you mean 'one-row'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_said():
    with server.listening(0) as taken:
        taken.listen()
        with pytest.raises(ThalwegError, match="can't be used"):
            play(**options(port=taken.getsockname()[1]))


def test_without_the_packages_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda package: None)
    with pytest.raises(ImportError, match=r"the live page needs starlette: pip install 'thalweg\[play\]'"):
        server.check_installed()


def test_the_browser_is_opened_only_where_there_are_windows(monkeypatch):
    module = sys.modules["thalweg.cli.play"]
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(module.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    module.open_browser("http://127.0.0.1:1/")
    monkeypatch.setenv("DISPLAY", ":0")
    module.open_browser("http://127.0.0.1:2/")
    assert wait_until(lambda: opened == ["http://127.0.0.1:2/"])


@pytest.mark.parametrize("given", [{"pupils": 3}, {"pupils": 0, "host": "127.0.0.1"}, {"host": "256.0.0.1"}])
def test_wishes_for_a_class_that_cannot_be(given):
    with pytest.raises(
        ThalwegError, match="--pupils is a number" if "pupils" in given else "--host is an IPv4 address"
    ):
        play(**options(**given))


@pytest.mark.parametrize(
    "given", [{"host": "127.0.0.1"}, {"pupils": 3}, {"port": 80}, {"no_open": True}, {"lesson": "loss"}]
)
def test_a_page_without_a_server_takes_no_servers_wishes(given, tmp_path):
    with pytest.raises(ThalwegError, match="--static stands alone"):
        play(**options(static=tmp_path / "site", **given))
    assert not (tmp_path / "site").exists()
