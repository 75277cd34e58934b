"""Clients of the API that do what no good client does: each gets a clear answer or none, and the engine goes on."""
import json
import resource
import socket

import pytest

JSON = {"Content-Type": "application/json"}


def connect(engine):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(engine.socket))  # waits where the engine has others to accept first
    connection.settimeout(30)
    return connection


def raw(engine, data, end=False):
    """Everything that comes back for these bytes; `end` closes our direction after them."""
    with connect(engine) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def message(status_and_body):
    return status_and_body[0], json.loads(status_and_body[1]).get("message", "")


@pytest.mark.parametrize("body", [
    b"{", b"[]", b'"x"', b"1", b"\xff\xfe", b'{"Image":1}', b'{"Image":"busybox","Cmd":7}', b'{"Image":"busybox","Env":{"a":1}}',
    b'{"Image":"busybox","HostConfig":[]}', b'{"Image":"busybox","HostConfig":{"Memory":"much"}}',
    b'{"Image":"busybox","HostConfig":{"Memory":1e400}}', b'{"Image":"busybox","Labels":["a"]}',
    b'{"Image":"busybox","HostConfig":{"Binds":[1]}}', b'{"Image":"busybox","ExposedPorts":{"x":{}}}',
    b'{"Image":"busybox","HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"70000"}]}}}',
    b"[" * 100_000, b'{"a":' * 50_000,
], ids=lambda body: body[:40].decode(errors="replace"))
def test_wrong_bodies_of_create(engine, body):
    status, text = message(engine.request("POST", "/containers/create", body, JSON))
    assert 400 <= status < 500 and text


def test_a_body_that_is_too_large(engine):
    body = b'{"Image":"busybox","Labels":{"a":"' + 5_000_000 * b"x" + b'"}}'
    status, text = message(engine.request("POST", "/containers/create", body, JSON))
    assert status == 413 and text


@pytest.mark.parametrize("path", ["/containers/create", "/images/load", "/images/create?fromSrc=-", "/exec/x/start"])
def test_a_body_that_ends_early(engine, path):
    request = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()
    answer = raw(engine, request + b'{"Image":', end=True)
    complete = answer.endswith(b"0\r\n\r\n") and b'"error"' not in answer
    assert not answer or answer.split()[1][:1] in (b"4", b"5") or not complete
    assert engine.request("GET", "/_ping")[0] == 200


@pytest.mark.parametrize("request_line", [
    b"GET /%zz HTTP/1.1", b"GET /containers/%00/json HTTP/1.1", b"GET /v9.99/info HTTP/1.1", b"GET /v1.5/info HTTP/1.1",
    b"GET /v1.41.1/info HTTP/1.1", b"BREW /info HTTP/1.1", b"GET //info HTTP/1.1", b"GET /containers/../info HTTP/1.1",
    b"GET /images/" + 300 * b"a/" + b"json HTTP/1.1", b"DELETE /containers/json HTTP/1.1",
])
def test_wrong_paths(engine, request_line):
    answer = raw(engine, request_line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 4"), answer[:200]


@pytest.mark.parametrize("path", [
    "/containers/json?filters={bad", "/containers/json?filters=[]",
    "/images/json?filters={%22nosuch%22:[%22x%22]}", "/images/json?filters={%22until%22:[%22never%22]}",
    "/events?since=x", "/volumes?filters={%22nosuch%22:[%22x%22]}", "/images/search?term=x&limit=-1",
])
def test_wrong_parameters(engine, path):
    status, text = message(engine.request("GET", path))
    assert status == 400 and text


def test_thousands_of_idle_connections(engine):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = 3000
    if limit[1] < count + 500:
        pytest.skip(f"only {limit[1]} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))

    def memory():
        for line in open(f"/proc/{engine.process.pid}/status"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])

    before, idle = memory(), []
    try:
        for _ in range(count):
            idle.append(connect(engine))
        assert engine.request("GET", "/_ping")[0] == 200
        assert memory() - before < 100_000  # kB
    finally:
        for each in idle:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)
