"""The workspace verbs of the berth command: up, ls, ssh, start, stop, rm, at a portal of the test's own."""
import json
import os
import secrets
import shutil

import pytest

from support.client import Client
from support.engine import Engine, build_dir
from support.portal import Portal, guest_tools
from support.process import run

pytestmark = pytest.mark.skipif(bool(os.environ.get("BERTH_TEST_HOST")), reason="needs an engine of its own")


@pytest.fixture(scope="module")
def engine_of_workspaces(archives):
    engine = Engine(arguments=["--guest-tools", guest_tools(), "--portal-group", "nogroup"])
    engine.root.chmod(0o755)  # the portal is another account
    engine.start()
    try:
        engine.berth()("load", input=archives["busybox:latest"], timeout=120).ok()
        yield engine
    finally:
        engine.destroy()


@pytest.fixture(scope="module")
def portal(engine_of_workspaces, tmp_path_factory):
    portal = Portal(engine_of_workspaces, tmp_path_factory.mktemp("portal"), port=8085).start()
    yield portal
    portal.end()


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "id"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path]).ok()
    return path


@pytest.fixture(scope="module")
def berth(engine_of_workspaces, portal):
    """The berth command, told where engine and portal are."""
    client = Client("berth", build_dir() / "berth", engine_of_workspaces.host)

    def call(*words, input=None, **environment):
        return client(*words, input=input, env={"BERTH_PORTAL": f"unix://{portal.socket}", **environment})
    return call


@pytest.fixture
def workspace(berth, key):
    name = "w" + secrets.token_hex(3)
    berth("up", name, "--key", f"{key}.pub").ok()
    yield name
    berth("workspace", "rm", "--data", name)


def show(berth, name):
    return next(json.loads(line) for line in berth("ls", "-o", "json").ok().out.splitlines()
                if json.loads(line)["name"] == name)


def test_up_prints_the_ssh_command_and_is_idempotent(berth, key, workspace):
    again = berth("up", workspace, "--key", f"{key}.pub").ok()
    port = show(berth, workspace)["ssh"]["port"]
    assert again.words == f"ssh -p {port} user@localhost"
    assert berth("up", workspace, "--key", (key.parent / "id.pub").read_text()).ok().out == again.out
    assert berth("up", workspace, "--key", "-", input=(key.parent / "id.pub").read_bytes()).ok().out == again.out
    answer = json.loads(berth("up", workspace, "--key", f"{key}.pub", "-o", "json").ok().out)
    assert answer["ssh"]["port"] == port and answer["ssh"]["cmd"] == again.words


def test_up_carries_its_limits(berth, key):
    name = "w" + secrets.token_hex(3)
    try:
        berth("up", name, "--key", f"{key}.pub", "--memory", "64m", "--cpus", "0.5", "--image", "busybox:latest").ok()
        seen = show(berth, name)
        assert (seen["memory"], seen["nano_cpus"], seen["image"]) == (64 << 20, 500000000, "busybox:latest")
    finally:
        berth("workspace", "rm", "--data", name)


def test_up_says_what_is_wrong(berth, key, tmp_path):
    berth("up", "x", "--key", key).fails(1, f"{key} is a private key, which stays with you: give {key}.pub")
    berth("up", "x", "--key", tmp_path / "none").fails(1, "read the key", "No such file")
    berth("up", "BAD NAME", "--key", f"{key}.pub").fails(1)
    berth("up", "x", "--key", f"{key}.pub", "--memory", "much").fails(1, "512m")
    berth("up", "x", HOME=str(tmp_path)).fails(1, "--key FILE", "ssh-keygen")


def test_up_takes_the_persons_own_key(berth, key, workspace, tmp_path):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519.pub").write_text((key.parent / "id.pub").read_text())
    berth("up", workspace, HOME=str(tmp_path)).ok()


def test_ls(berth, workspace):
    header, *rows = berth("ls").ok().out.splitlines()
    assert header.split() == ["NAME", "STATE", "IMAGE", "SSH", "LAST-USED"]
    row = next(r for r in rows if r.split()[0] == workspace)
    assert "stopped" in row and "ssh -p" in row and row.rstrip().endswith("never")
    assert workspace in berth("ls", "-q").ok().out.split()
    assert berth("ls", "--format", "{{.Name}}").ok().out == berth("ls", "-q").out


def test_ssh_runs_a_command_and_passes_its_code(berth, key, workspace, tmp_path):
    words = ["ssh", "-i", key, "-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "BatchMode=yes", workspace]
    assert berth(*words, "echo", "in $(id -un)").ok().words == "in user"
    berth(*words, "exit 7").fails(7)
    assert show(berth, workspace)["state"] == "running"
    berth("ssh", "nosuch").fails(1)


def test_ssh_offers_the_key_that_quickstart_made_and_the_persons_own(berth, key, workspace, tmp_path):
    ssh = tmp_path / ".ssh"
    ssh.mkdir(mode=0o700)
    words = ["-o", f"UserKnownHostsFile={tmp_path}/known", "-o", "BatchMode=yes", "-o", "IdentityAgent=none", workspace]
    stranger = tmp_path / "stranger"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger]).ok()
    for right, wrong in (("berth_ed25519", "id_ed25519"), ("id_ed25519", "berth_ed25519")):
        shutil.copy(key, ssh / right)
        shutil.copy(stranger, ssh / wrong)
        assert berth("ssh", *words, "id -un", HOME=str(tmp_path)).ok().words == "user", right


def test_start_stop_and_rm_take_the_workspace_of_that_name(berth, workspace):
    assert berth("start", workspace).ok().words == workspace
    assert show(berth, workspace)["state"] == "running"
    assert berth("stop", workspace).ok().words == workspace
    assert show(berth, workspace)["state"] == "stopped"
    assert berth("rm", workspace).ok().words == workspace
    assert workspace not in berth("ls", "-q").out.split()
    assert f"{workspace}-home" in berth("volume", "ls", "-q").out, "the files are kept"
    berth("rm", "--data", workspace).ok()
    assert f"{workspace}-home" not in berth("volume", "ls", "-q").out


def test_start_stop_and_rm_take_a_container_otherwise(berth, workspace):
    name = "c" + secrets.token_hex(3)
    berth("run", "-d", "--name", name, "busybox", "sleep", "600").ok()
    assert berth("stop", "-t", "0", workspace, name).ok().out.split() == [workspace, name]
    assert berth("start", name).ok().words == name
    assert berth("rm", "-f", name).ok().words == name
    berth("rm", "nosuch").fails(1, "No such container: nosuch")


def test_the_explicit_forms_look_for_nothing_else(berth, workspace):
    berth("container", "rm", workspace).fails(1, f"No such container: {workspace}")
    berth("workspace", "rm", "nosuch").fails(1)


def test_no_portal(berth, key):
    nowhere = {"BERTH_PORTAL": "unix:///nonexistent/portal.sock"}
    berth("ls", **nowhere).fails(1, "The Berth portal is not running", "systemctl start berth-portal")
    berth("up", "x", "--key", f"{key}.pub", **nowhere).fails(1, "The Berth portal is not running")
    berth("rm", "nosuch", **nowhere).fails(1, "No such container: nosuch")


def test_doctor_tells_the_host_and_that_nobody_answers(berth, portal):
    report = json.loads(berth("doctor", "-o", "json").out)
    assert {check["status"] for check in report["checks"]} <= {"ok", "warn", "fail"}
    assert berth("doctor").out.splitlines()[0].split()[0] in ("ok", "warn", "fail")
    silent = Client("berth", build_dir() / "berth", "unix:///nonexistent/engine.sock")
    said = silent("doctor")
    assert said.rc == 1 and said.out.startswith("fail") and "berth engine" in said.out
    assert json.loads(silent("doctor", "-o", "json").out)["checks"][0]["status"] == "fail"
    silent("ps").fails(1, "The Berth engine is not running", "systemctl start berth-engine")
