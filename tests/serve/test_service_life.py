"""A server's life: it starts, loads runs again, counts, and ends without losing a request."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest
from conftest import trained
from served_runs import SECONDS, Client, request, running, until
from test_plain_endpoint import GOOD

import thalweg
from thalweg.cli.export import source_of
from thalweg.errors import ArgumentError
from thalweg.exchange import targets
from thalweg.runs.folder import COLUMNS, MODEL
from thalweg.serve import serving
from thalweg.serve.service import named_runs

ROOT = Path(__file__).parents[2]
KEPT = {name: cell for name, cell in GOOD.items() if name != "key"}


def share(port):
    with Client(port) as client:
        return client.ask("/v1/predict", KEPT).json["probability of a"]


def test_a_run_that_changes_is_loaded_again(classes, tmp_path, monkeypatch, capfd):
    """While it is being written, and if it can't be read, the earlier one answers."""
    monkeypatch.setattr(serving, "LOOK", 0.05)
    folder = shutil.copytree(classes, tmp_path / "run")
    other = trained(tmp_path / "other", "kind", seed=1, id="key", ignore=("amount",))
    wanted = thalweg.load_run(other).predict_proba([KEPT])[0, 0]
    with running(run=folder) as service:
        before = share(service.port)
        assert before != pytest.approx(wanted, abs=1e-3)
        served = service.models["run"]
        model = served.model
        (folder / MODEL).write_bytes((other / MODEL).read_bytes()[:1000])
        until(lambda: "still answers" in capfd.readouterr().err)
        assert share(service.port) == before
        shutil.rmtree(folder)
        time.sleep(0.2)
        assert share(service.port) == before
        assert served.model is model
        shutil.copytree(other, tmp_path / "made")
        (tmp_path / "made").rename(folder)
        until(lambda: served.model is not model)
        assert share(service.port) == pytest.approx(wanted, abs=1e-6)
        with Client(service.port) as client:
            assert 'reloads_total{model="run",outcome="failed"} 1' in client.ask("/metrics").body.decode()


def test_a_run_is_not_loaded_while_it_is_written(classes, tmp_path):
    folder = shutil.copytree(classes, tmp_path / "run")
    with running(run=folder) as service:
        served = service.models["run"]
        loaded = []
        served.load = loaded.append
        for k in range(3):
            os.utime(folder / COLUMNS, (k, k))
            served.look()
            assert not loaded
        served.look()
        until(lambda: loaded)


def test_what_happens_is_counted(classes):
    with running(classes=classes) as service, Client(service.port) as client:
        client.socket.sendall(request(service.port, "/v1/predict", GOOD) * 3)
        assert [client.read().status for _ in range(3)] == [200] * 3
        client.ask("/v1/predict", [GOOD] * 5)
        client.ask("/v1/predict", {})
        client.ask("/nothing")
        lines = client.ask("/metrics").body.decode().splitlines()
        numbers = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        assert numbers['thalweg_requests_total{endpoint="/v1/predict",status="200"}'] == "4"
        assert numbers['thalweg_requests_total{endpoint="/v1/predict",status="400"}'] == "1"
        assert numbers['thalweg_requests_total{endpoint="none",status="404"}'] == "1"
        assert numbers['thalweg_request_seconds_bucket{endpoint="/v1/predict",le="+Inf"}'] == "5"
        assert numbers['thalweg_request_seconds_count{endpoint="/v1/predict"}'] == "5"
        assert numbers['thalweg_rows_total{model="classes"}'] == "9"
        assert numbers["thalweg_connections"] == "1"
        assert numbers['thalweg_waiting_rows{model="classes"}'] == "0"
        for line in lines:
            assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+({(\w+="[^"]*",?)+})? [\d.e+-]+', line), line


def test_the_openapi_document_says_what_is_answered(several):
    with Client(several.port) as client:
        document = client.ask("/openapi.json").json
        assert document["openapi"] == "3.1.0"
        for path, operations in document["paths"].items():
            if "get" in operations:
                assert client.ask(path).status == 200, path
            else:
                assert client.ask(path, b"").status in (400, 415), path

        def check(schema, value):
            jsonschema.validate(value, {"$ref": f"#/components/schemas/{schema}", "components": document["components"]})

        plain = {
            "size": 12.5,
            "price": "7",
            "weight": None,
            "share": 0.4,
            "colour": "red",
            "fresh": True,
            "day": "2011-06-05",
        }
        check("classes.Row", plain)
        assert client.ask("/v1/models/classes/predict", plain).status == 200
        with pytest.raises(jsonschema.ValidationError):
            check("classes.Row", {name: cell for name, cell in plain.items() if name != "day"})
        check("classes.Prediction", client.ask("/v1/models/classes/predict", KEPT).json)
        check("numbers.Prediction", client.ask("/v1/models/numbers/predict", KEPT).json)
        check("Error", client.ask("/nothing").json)
        assert {c["name"] for c in client.ask("/v1/models/classes").json["columns"]} == set(KEPT)


def test_several_models_have_their_addresses(several, client):
    with Client(several.port) as of_several:
        assert [one["name"] for one in of_several.ask("/v1/models").json["models"]] == [
            "classes",
            "numbers",
            "pictures",
        ]
        assert "/v1/models/numbers/predict" in of_several.ask("/v1/predict", GOOD).error
        assert b'href="/v1/models/numbers/form"' in of_several.ask("/").body
        assert "did you mean numbers?" in of_several.ask("/v1/models/number").error
        assert b'href="/v1/models/pictures"' in of_several.ask("/").body
        assert of_several.ask("/v1/models/pictures/form").status == 404
    assert client.ask("/v1/models/classes/predict", GOOD).json == client.ask("/v1/predict", GOOD).json


def test_the_page_is_that_of_the_export(client, classes, tmp_path):
    answer = client.ask("/")
    model, known = source_of(classes)
    (page,) = targets.export(model, tmp_path / "classes.html", "html", False, **known, remedy="")
    assert answer.body == page.read_bytes()
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_an_error_of_the_server_is_said_and_logged(classes, capfd):
    """The log says where, and nothing of what was sent: not what the error says, nor those that led to it."""

    def fail(jobs):
        cell = jobs[0].rows[0]["colour"]
        try:
            {}[cell]
        except KeyError as error:
            raise ZeroDivisionError(f"no {cell}") from error

    row = {**GOOD, "colour": "secret"}
    with running(classes=classes) as service, Client(service.port) as client:
        service.models["classes"].batches.predict = fail
        answers = [client.ask("/v1/predict", row) for _ in range(2)]
        assert [(a.status, "its log says" in a.error) for a in answers] == [(500, True)] * 2
        service.loop.call_soon_threadsafe(fail, [SimpleNamespace(rows=[row])])
        client.ask("/v1/predict", GOOD)
        said = capfd.readouterr().err
        assert said.count("builtins.KeyError\n") == said.count("builtins.ZeroDivisionError\n") == 4
        assert "in fail\n" in said
        assert "secret" not in said


# --- the command -----------------------------------------------------------------------------------------------------


def command(*words):
    """The command, started."""
    code = "from thalweg.cli.main import main; main()"
    called = [sys.executable, "-c", code, "serve", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(called, **pipes, env=os.environ | {"PYTHONPATH": str(ROOT)})


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
def test_sigterm_under_load_loses_no_request(classes, tmp_path):
    """Every request that a connection took is answered, then the connection is ended, and the server."""
    (tmp_path / "token").write_text("t0ken\n")
    server = command(f"mine={classes}", "--port", 0, "--token-file", tmp_path / "token", "--wait", 5)
    port = int(re.fullmatch(r"http://127.0.0.1:(\d+)\n", server.stdout.readline())[1])
    assert "/v1/models/mine/predict" in server.stdout.readline()
    whole = request(port, "/v1/predict", GOOD, Authorization="Bearer t0ken")
    started, counts, lost = threading.Barrier(9), [], []

    def load(depth):
        with Client(port) as client:
            started.wait()
            number = 0
            while True:
                client.socket.sendall(whole * depth)
                answers = [client.read() for _ in range(depth)]
                number += depth
                lost.extend(answer for answer in answers if answer.status != 200)
                if answers[-1].headers.get("connection") == "close":
                    counts.append(number)
                    lost.extend([client] * (not client.ended()))
                    return

    threads = [threading.Thread(target=load, args=[depth]) for depth in (1, 1, 1, 1, 3, 3, 9, 9)]
    for thread in threads:
        thread.start()
    started.wait()
    time.sleep(0.3)
    server.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(SECONDS)
    _, said = server.communicate(timeout=SECONDS)
    assert server.returncode == 0, said
    assert (len(counts), lost) == (8, [])
    assert min(counts) > 1


def test_a_port_that_is_taken_is_said_in_a_sentence(classes):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = command(classes, "--port", taken.getsockname()[1])
        _, said = server.communicate(timeout=SECONDS)
        assert server.returncode == 2
        assert re.fullmatch(r"thalweg: port \d+ of 127.0.0.1 can't be used \(.*\): take another, or 0 .*\n", said), said


@pytest.mark.parametrize(
    ("host", "port", "said"), [("127.0.0.1", 70_000, "--port is a number"), ("nowhere.invalid", 0, "--host")]
)
def test_an_address_that_is_none_is_refused(host, port, said):
    with pytest.raises(ArgumentError, match=said):
        serving.listening(host, port)


def test_runs_have_names(tmp_path):
    assert named_runs([f"{tmp_path}/a", f"b={tmp_path}/a"]) == {"a": tmp_path / "a", "b": tmp_path / "a"}
    with pytest.raises(ArgumentError, match="two runs would be called 'a'"):
        named_runs(["x/a", "y/a"])
    with pytest.raises(ArgumentError, match="give the run a name, such as mine="):
        named_runs(["x/a b"])


def test_a_token_is_one_line(tmp_path, monkeypatch):
    from thalweg.cli.serve import TOKEN, token_in

    monkeypatch.setenv(TOKEN, " of the environment \n".replace(" of ", "of-").replace("the ", "the-"))
    assert token_in(None) == "of-the-environment"
    (tmp_path / "token").write_text("of-the-file\n")
    assert token_in(tmp_path / "token") == "of-the-file"
    for wrong in ("", "\n", "two words", "ünicode"):
        (tmp_path / "token").write_text(wrong)
        with pytest.raises(ArgumentError, match="holds no token"):
            token_in(tmp_path / "token")
    with pytest.raises(thalweg.errors.NotFoundError, match="can't be read"):
        token_in(tmp_path / "nothing")


def test_pythons_own_loop_serves_too(classes, monkeypatch):
    monkeypatch.setattr(serving, "fast_loop", lambda: None)
    with running(classes=classes) as service, Client(service.port) as client:
        assert type(service.loop).__module__.startswith("asyncio")
        client.socket.sendall(request(service.port, "/v1/predict", GOOD) * 20)
        assert [client.read().status for _ in range(20)] == [200] * 20
        assert client.ask("/v2", Connection="close").status == 200
        assert client.ended()
