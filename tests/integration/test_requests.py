"""Requests as other clients than Docker's own send them: docker-py, dockerode, testcontainers."""
import json
import socket
import struct

import pytest

pytestmark = pytest.mark.usefixtures("no_leaks")


def post(engine, path, body):
    status, answer = engine.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    return status, json.loads(answer) if answer.strip() else None


@pytest.fixture
def created(engine, name):
    def make(**config):
        status, answer = post(engine, f"/containers/create?name={name}", {"Image": "busybox", **config})
        assert status == 201, answer
        return name

    return make


def hijack(engine, path, body):
    """What comes on the connection after the head of the answer to a request to upgrade."""
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" \
           f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(engine.socket))
        connection.sendall(head.encode() + data)
        came = b""
        while piece := connection.recv(65536):
            came += piece
    head, _, rest = came.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), came
    return rest


def frame(text):
    return struct.pack(">BxxxI", 1, len(text)) + text


def test_fields_that_the_api_does_not_know_are_let_stand(engine, created):
    made = created(strange={"a": 1}, Dns=["10.0.0.1"], Cmd=["true"])
    assert engine.berth().inspect(made)["Config"]["Cmd"] == ["true"]


def test_fields_of_the_host_configuration_are_refused_by_name(engine, name):
    status, answer = post(engine, f"/containers/create?name={name}",
                          {"Image": "busybox", "HostConfig": {"NoSuchField": 1000}})
    assert (status, answer["message"]) == (400, "HostConfig.NoSuchField is not supported by this engine")


def test_attach_takes_a_body(engine, created):
    made = created(Cmd=["echo", "said"])
    engine.berth()("start", "-a", made).ok()
    assert hijack(engine, f"/containers/{made}/attach?logs=1&stdout=1", {"stream": True}) == frame(b"said\n")


def test_exec_frames_by_the_tty_of_its_start(engine, created):
    made = created(Cmd=["sleep", "100"])
    engine.berth()("start", made).ok()
    body = {"Cmd": ["sh", "-c", "tty >/dev/null && echo a terminal"], "Tty": True, "AttachStdout": True}
    for tty, expected in ((False, frame(b"a terminal\r\n")), (True, b"a terminal\r\n")):
        _, answer = post(engine, f"/containers/{made}/exec", body)
        assert hijack(engine, f"/exec/{answer['Id']}/start", {"Detach": False, "Tty": tty, "stdin": True}) == expected


def test_kill_returns_when_it_has_ended(engine, created):
    made = created(Cmd=["sleep", "100"])
    engine.berth()("start", made).ok()
    assert engine.request("POST", f"/containers/{made}/kill")[0] == 204
    state = engine.berth().inspect(made)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 137)


def test_the_first_line_is_not_older_than_the_start(engine, created):
    made = created(Cmd=["echo", "first"])
    for start in (("start", "-a"), ("restart",)):
        engine.berth()(*start, made).ok()
        engine.berth()("wait", made).ok()
        begun = engine.berth().inspect(made)["State"]["StartedAt"]
        assert engine.berth()("logs", "--since", begun, made).ok().out == "first\n"


def test_a_variable_without_a_value_is_kept_and_not_passed(engine, created):
    made = created(Cmd=["env"], Env=["ALONE", "GIVEN=yes", "EMPTY="])
    said = engine.berth()("start", "-a", made).ok().out.split("\n")
    assert "GIVEN=yes" in said and "EMPTY=" in said and not any(line.startswith("ALONE") for line in said)
    assert "ALONE" in engine.berth().inspect(made)["Config"]["Env"]


def test_a_bad_archive_is_told_in_the_stream_of_load(engine):
    status, answer = engine.request("POST", "/images/load", b"abc", {"Content-Type": "application/x-tar"})
    assert status == 200
    last = json.loads(answer.strip().splitlines()[-1])
    assert last["error"] and last["errorDetail"]["message"] == last["error"]


def test_copies_reach_the_volumes_of_a_container_that_does_not_run(engine, created, tmp_path):
    made = created(Cmd=["sh", "-c", "cat /data/file; echo later >/data/sub/later"],
                   HostConfig={"Mounts": [{"Type": "volume", "Target": "/data"},
                                          {"Type": "volume", "Target": "/fixed", "ReadOnly": True}]})
    cli = engine.berth()
    (tmp_path / "file").write_text("before the start\n")
    (tmp_path / "sub").mkdir()
    cli("cp", tmp_path / "file", f"{made}:/data/").ok()
    cli("cp", tmp_path / "sub", f"{made}:/data/../data").ok()
    cli("cp", tmp_path / "file", f"{made}:/fixed/").fails(1, "mounted volume is marked read-only")
    assert cli("start", "-a", made).ok().out == "before the start\n"
    cli("cp", f"{made}:/data", tmp_path / "out").ok()
    assert (tmp_path / "out/file").read_text() == "before the start\n"
    assert (tmp_path / "out/sub/later").read_text() == "later\n"
    cli("cp", f"{made}:/data/none", tmp_path).fails(1, f"Could not find the file /data/none in container {made}")
