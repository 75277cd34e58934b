"""Volumes of the local driver's options: directories of the host."""
import json

import pytest


@pytest.fixture
def directory(tmp_path):
    """A directory that containers reach: each part of its path may be passed through."""
    for part in [tmp_path, *tmp_path.parents]:
        if str(part).startswith("/tmp/"):
            part.chmod(part.stat().st_mode | 0o711)
    (tmp_path / "file").write_text("of the host\n")
    return tmp_path


@pytest.fixture
def volume(engine, name):
    yield name
    engine.berth()("volume", "rm", "-f", name)


def create(engine, volume, device, options="bind"):
    words = ["--opt", "type=none", "--opt", f"o={options}", "--opt", f"device={device}"]
    return engine.berth()("volume", "create", *words, volume)


def test_a_directory_as_a_volume(engine, volume, directory):
    berth = engine.berth()
    create(engine, volume, directory).ok()
    assert berth("run", "--rm", "-v", f"{volume}:/data", "busybox", "cat", "/data/file").ok().out == "of the host\n"
    berth("run", "--rm", "-v", f"{volume}:/data", "busybox", "sh", "-c", "echo new > /data/made").ok()
    assert (directory / "made").read_text() == "new\n"
    shown = json.loads(berth("volume", "inspect", volume).ok().out)[0]
    assert shown["Options"] == {"type": "none", "o": "bind", "device": str(directory)}
    berth("volume", "rm", volume).ok()
    assert (directory / "file").exists()


def test_read_only(engine, volume, directory):
    create(engine, volume, directory, "bind,ro").ok()
    answer = engine.berth()("run", "--rm", "-v", f"{volume}:/data", "busybox", "touch", "/data/x")
    answer.fails(1, "Read-only file system")


def test_nothing_there(engine, volume, tmp_path):
    create(engine, volume, tmp_path / "none").ok()
    answer = engine.berth()("run", "--rm", "-v", f"{volume}:/data", "busybox", "true")
    answer.fails(127, "failed to mount local volume", "no such file or directory")


def test_the_portals_socket_takes_no_options(engine):
    import http.client
    import socket

    connection = http.client.HTTPConnection("engine", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(engine.run_dir / "engine-portal.sock"))
    body = {"Name": "portal-volume", "DriverOpts": {"type": "none", "o": "bind", "device": "/etc"}}
    connection.request("POST", "/volumes/create", json.dumps(body), {"Content-Type": "application/json"})
    assert connection.getresponse().status == 403
    connection.close()
