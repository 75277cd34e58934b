"""attach as programs use it: over a WebSocket, with detach keys, with bytes sent ahead."""
import base64
import os
import socket
import struct
import time

import pytest

pytestmark = pytest.mark.usefixtures("no_leaks")


class Socket:
    """The client's side of RFC 6455, as much as the tests need."""

    def __init__(self, path, target):
        self.raw = socket.socket(socket.AF_UNIX)
        self.raw.settimeout(20)
        self.raw.connect(path)
        key = base64.b64encode(os.urandom(16)).decode()
        self.raw.sendall((f"GET {target} HTTP/1.1\r\nHost: d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.rest += self._more()
        self.head, self.rest = self.rest.split(b"\r\n\r\n", 1)

    def _more(self):
        got = self.raw.recv(65536)
        if not got:
            raise EOFError
        return got

    def _take(self, size):
        while len(self.rest) < size:
            self.rest += self._more()
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def send(self, payload, opcode=2):
        mask = os.urandom(4)
        body = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
        self.raw.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + body)

    def receive(self):
        first, size = self._take(2)
        if size == 126:
            size, = struct.unpack(">H", self._take(2))
        return first & 15, self._take(size)

    def read_until(self, text):
        seen = b""
        while text not in seen:
            opcode, payload = self.receive()
            assert opcode == 2, (opcode, seen)
            seen += payload
        return seen


def attach(engine, name, query="stream=1&stdin=1&stdout=1&stderr=1"):
    return Socket(engine.host.removeprefix("unix://"), f"/v1.43/containers/{name}/attach/ws?{query}")


def test_bytes_go_both_ways(engine, one_cli, name):
    one_cli("run", "-d", "-i", "--name", name, "busybox", "cat").ok()
    ws = attach(engine, name)
    assert b" 101 " in ws.head.split(b"\r\n")[0] + b" "
    ws.send(b"hello\n")
    assert ws.read_until(b"hello\n") == b"hello\n", "without Docker's frames"
    ws.send(b"knock", opcode=9)
    assert ws.receive() == (10, b"knock")
    one_cli("kill", name).ok()
    opcode, payload = ws.receive()
    assert opcode == 8 and payload == b"\x03\xe8"


def test_what_is_no_websocket_is_refused(engine, one_cli, name):
    one_cli("run", "-d", "--name", name, "busybox", "sleep", "300").ok()
    status, _ = engine.request("GET", f"/containers/{name}/attach/ws?stream=1")
    assert status == 400


def test_a_client_that_breaks_the_rules_is_dropped(engine, one_cli, name):
    one_cli("run", "-d", "-i", "--name", name, "busybox", "cat").ok()
    ws = attach(engine, name)
    ws.raw.sendall(b"\xff" * 64)
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            ws.receive()
    assert one_cli.inspect(name)["State"]["Running"]


def hijack(engine, target, ahead=b""):
    """The stream of an attach, and what has come of it already."""
    raw = socket.socket(socket.AF_UNIX)
    raw.settimeout(20)
    raw.connect(engine.host.removeprefix("unix://"))
    raw.sendall(f"POST {target} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode() + ahead)
    head = b""
    while b"\r\n\r\n" not in head:
        head += raw.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return raw


def read_all(raw):
    seen = b""
    while got := raw.recv(65536):
        seen += got
    return seen


@pytest.mark.parametrize("query, keys", [("", b"\x10\x11"), ("&detachKeys=ctrl-a,x", b"\x01x")])
def test_keys_that_detach(engine, one_cli, name, query, keys):
    one_cli("run", "-d", "-it", "--name", name, "busybox", "cat").ok()
    raw = hijack(engine, f"/v1.43/containers/{name}/attach?stream=1&stdin=1&stdout=1{query}")
    raw.sendall(b"before" + keys[:1] + b"between\r")
    seen = b""
    while b"between" not in seen:  # keys that lead nowhere are typed
        seen += raw.recv(65536)
    raw.sendall(keys)
    read_all(raw)
    assert one_cli.inspect(name)["State"]["Running"]
    events = one_cli("events", "--since", "1m", "--until", int(time.time()) + 1, "--filter", f"container={name}",
                     "--format", "{{.Action}}").ok().out.split()
    assert "detach" in events


def test_bad_detach_keys(engine, one_cli, name):
    one_cli("run", "-d", "-it", "--name", name, "busybox", "cat").ok()
    status, body = engine.request("POST", f"/v1.43/containers/{name}/attach?stream=1&detachKeys=ctrl-%2B")
    assert status == 400 and b"Invalid detach keys" in body


def test_bytes_sent_with_the_request_are_not_lost(engine, one_cli, name):
    one_cli("create", "-i", "-a", "stdin", "-a", "stdout", "--name", name, "busybox", "cat").ok()
    raw = hijack(engine, f"/v1.43/containers/{name}/attach?stream=1&stdin=1&stdout=1", ahead=b"early\n")
    one_cli("start", name).ok()
    raw.sendall(b"late\n")
    raw.shutdown(socket.SHUT_WR)
    assert read_all(raw).replace(b"\x01\x00\x00\x00\x00\x00\x00\x06", b"").endswith(b"late\n")
    assert one_cli("logs", name).ok().out == "early\nlate\n"
