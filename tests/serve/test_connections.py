"""HTTP: order, limits, tokens, and what is no HTTP at all."""

import os
import random
import re
import socket
import threading

import pytest
from served_runs import Client, request, running, until
from test_plain_endpoint import GOOD

from thalweg.serve import connection
from thalweg.serve.served import Limits


def raw(client, data):
    """The answer to bytes."""
    client.socket.sendall(data)
    return client.read()


def test_answers_keep_the_order_of_their_requests(client):
    """Large requests are answered by threads, small ones in batches, errors at once: all in turn."""
    big = [{**GOOD, "key": f"big {k}"} for k in range(400)]
    bodies = [{**GOOD, "key": 0}, big, {**GOOD, "key": 1}, 3, [{**GOOD, "key": 2}], big, {**GOOD, "key": 3}]
    client.socket.sendall(b"".join(request(client.port, "/v1/predict", body) for body in bodies))
    found = [client.read() for _ in bodies]
    assert [answer.status for answer in found] == [200, 200, 200, 400, 200, 200, 200]
    assert found[0].json["key"] == 0
    assert found[1].json[-1]["key"] == "big 399"
    assert found[4].json[0]["key"] == 2
    assert found[6].json["key"] == 3


def test_a_request_may_come_in_pieces(client):
    whole = request(client.port, "/v1/predict", GOOD)
    for first in range(0, len(whole), 7):
        client.socket.sendall(whole[first : first + 7])
    assert client.read().status == 200


def test_a_body_in_chunks(client):
    body = b'{"size": 1, "price": 2, "weight": 3, "share": 0.5,'
    rest = b' "colour": "red", "fresh": true, "day": null}'
    head = (
        f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode()
    )
    assert raw(client, head + body + f"\r\n{len(rest):x}\r\n".encode() + rest + b"\r\n0\r\n\r\n").status == 200


def test_a_client_may_ask_before_it_sends_a_body(client):
    whole = request(client.port, "/v1/predict", GOOD, Expect="100-continue")
    head, body = whole.split(b"\r\n\r\n")
    client.socket.sendall(head + b"\r\n\r\n")
    assert client.file.readline() + client.file.readline() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.socket.sendall(body)
    assert client.read().status == 200


def test_connections_end_when_they_are_told_to(client):
    assert client.ask("/v2", Connection="close").headers["connection"] == "close"
    assert client.ended()
    with Client(client.port) as old:
        assert raw(old, b"GET /v2 HTTP/1.0\r\nHost: localhost\r\n\r\n").status == 200
        assert old.ended()
    with Client(client.port) as half:
        half.send("/v1/predict", GOOD)
        half.socket.shutdown(socket.SHUT_WR)
        assert half.read().status == 200
        assert half.ended()


def test_methods_are_told_apart(client):
    answer = client.ask("/v2", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0
    for path, method, allowed in (("/v1/predict", "GET", "POST"), ("/v2", "DELETE", "GET, HEAD")):
        refused = client.ask(path, method=method)
        assert (refused.status, refused.headers["allow"], method in refused.error) == (405, allowed, True)
    assert client.ask("/v1/predicted").status == 404
    assert "did you mean /v1/predict" in client.ask("/v1/predic").error


def test_a_request_for_another_protocol_is_answered_in_this_one(client):
    answer = raw(client, b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nmore")
    assert answer.status == 200
    assert client.ended()


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v2 HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET /v2 HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /v2 HTTP/1.1\r\n" + b"A: a\r\n" * 10_000 + b"\r\n", 431),
        (b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"GET /v2 HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", 403),
        (b"GET /v2 HTTP/1.1\r\n\r\n", 403),
    ],
)
def test_what_can_not_be_read_ends_the_connection(client, data, status):
    answer = raw(client, data)
    assert answer.status == status
    assert answer.error
    assert client.ended()


def test_a_body_that_is_too_large_is_refused_though_it_is_still_sent(classes):
    with running(limits=Limits(request_bytes=1_000), classes=classes) as service:
        head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n"
        for length in (b"Content-Length: 5000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n4c4b40\r\n"):
            with Client(service.port) as client:
                answer = raw(client, head + length + b" " * 5_000_000)
                assert (answer.status, "1,000 bytes" in answer.error) == (413, True)
                assert client.ended()
        with Client(service.port) as client:
            assert client.ask("/v1/predict", GOOD).status == 200


def test_the_token_is_asked_for_before_a_body_is_read(classes):
    with running(token="s3cret", local=False, classes=classes) as service:
        for header in (None, "Bearer s3creT", "Bearer", "s3cret", "Basic s3cret", "Bearer s3cret2"):
            with Client(service.port) as client:
                how = {} if header is None else {"Authorization": header}
                head = request(service.port, "/v1/predict", GOOD, **how).split(b"\r\n\r\n")[0]
                answer = raw(client, head + b"\r\n\r\n")
                assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        with Client(service.port) as client:
            good = {"Authorization": "Bearer s3cret"}
            assert client.ask("/v1/predict", GOOD, **good).status == 200
            for path in ("/v2/health/live", "/v2/health/ready"):
                assert client.ask(path).status == 200
            assert client.ask("/metrics", **good, Host="elsewhere.example").status == 200
            assert client.ask("/metrics").status == 401


def test_what_is_too_slow_is_ended(service, monkeypatch):
    for name in ("SLOW", "IDLE", "LINGER"):
        monkeypatch.setattr(connection, name, 0.01)
    with Client(service.port) as slow, Client(service.port) as idle:
        slow.socket.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n1")
        assert slow.read().status == 408
        assert slow.ended()
        assert idle.ended()


def test_too_many_connections_are_refused(classes):
    with running(limits=Limits(connections=1), classes=classes) as service, Client(service.port) as one:
        assert one.ask("/v2").status == 200
        with Client(service.port) as two:
            refused = two.read()
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert two.ended()


def test_more_than_may_wait_is_refused(classes):
    limits = Limits(waiting_rows=3, wait=0.2, batch_rows=100)
    with running(limits=limits, classes=classes) as service, Client(service.port) as client:
        client.socket.sendall(b"".join(request(client.port, "/v1/predict", [GOOD]) for _ in range(5)))
        found = [client.read() for _ in range(5)]
        assert [answer.status for answer in found] == [200, 200, 200, 503, 503]
        assert found[3].headers["retry-after"] == "1"
        assert "3 rows are waiting" in found[3].error
        assert client.ask("/v1/predict", [GOOD] * 9).status == 200  # more than may wait, and nothing else does


def test_what_arrives_is_bounded_for_all_connections_together(classes):
    limits = Limits(request_bytes=5_000, waiting_bytes=1_000)
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 700\r\n\r\n"
    with running(limits=limits, classes=classes) as service:
        with Client(service.port) as one, Client(service.port) as two:
            one.socket.sendall(head + b" " * 600)
            two.ask("/v2")
            refused = raw(two, head + b" " * 600)
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
            assert raw(one, b" " * 100).status == 400
            one.socket.sendall(head + b" " * 600)
        with Client(service.port) as three:
            until(lambda: service.waiting_bytes == 0)
            assert three.ask("/v1/predict", GOOD).status == 200
        assert service.waiting_bytes == 0


def memory():
    """The bytes that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
def test_a_thousand_malformed_requests_leave_memory_as_it_is(service):
    """Each is answered with an error of the client's, and the server goes on."""
    chance = random.Random(0)
    good = request(service.port, "/v1/predict", GOOD)
    head = good.split(b"\r\n\r\n")[0]

    def malformed(number):
        broken = bytearray(good)
        if number % 4 == 0:  # a body that is damaged, and for certain no JSON
            at = good.index(b"\r\n\r\n") + 4
            broken[at + chance.randrange(len(broken) - at)] = 0
        elif number % 4 == 1:
            return b"\x00" + good[chance.randrange(1, 20) :] + b"\r\n\r\n"
        elif number % 4 == 2:
            body = b"[" * 3_000 + b"\x01" * chance.randrange(1, 30_000)
            return re.sub(rb"Content-Length: \d+", f"Content-Length: {len(body)}".encode(), head) + b"\r\n\r\n" + body
        else:
            return good.replace(b"/v1/predict", b"/" + bytes(chance.choices(b"abc%_~", k=9)))
        return bytes(broken)

    def send(numbers):
        statuses = []
        for number in numbers:
            with Client(service.port) as client:
                statuses.append(raw(client, malformed(number)).status)
        return statuses

    send(range(300))
    before, threads = memory(), threading.active_count()
    statuses = send(range(1_000))
    assert set(statuses) <= {400, 403, 404}
    assert memory() - before < 5_000_000
    assert threading.active_count() <= threads + 4
    with Client(service.port) as client:
        assert client.ask("/v1/predict", GOOD).status == 200
    assert service.waiting_bytes == 0
