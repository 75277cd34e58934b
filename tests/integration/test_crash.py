"""kill -9 of engine, shim and client at every step; a new engine comes up right, and nothing is left."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading

import pytest

from support import images, leaks
from support.engine import build_dir
from support.portal import Portal, Ssh, guest_tools
from support.process import eventually, run
from support.registry import Stub

pytestmark = pytest.mark.crash


def crash_points():
    listed = subprocess.run([build_dir() / "berth-engine", "--list-crash-points"], capture_output=True, text=True)
    return listed.stdout.split()


def points(*prefixes):
    """The points of these groups; a name stands for itself where the program is not built, so that the test fails."""
    try:
        found = [p for p in crash_points() if p.split(".")[0] in prefixes]
    except OSError:
        found = []
    return found or [f"{prefixes[0]}.none-listed"]


@pytest.fixture
def crashing(own_engine, archives):
    """An engine with the busybox image; its leak baseline is taken before anything has run."""
    engine = own_engine()
    engine.start()
    engine.berth()("load", input=archives["busybox:latest"]).ok()
    engine.baseline = leaks.snapshot(engine)
    return engine


def restart_with(engine, point):
    engine.stop()
    engine.start({"BERTH_CRASH_AT": point})


def wait_for_death(engine, point):
    assert engine.process.wait(30) == -signal.SIGKILL, f"{point}: {engine.log()[-2000:]}"


def recover(engine):
    """Starts a new engine, which must answer and know nothing half-made."""
    engine.start()
    for container in json.loads(engine.request("GET", "/containers/json?all=1")[1]):
        assert container["State"] in ("created", "running", "restarting", "exited", "dead",
                                      "removing"), container
        shown = engine.berth()("inspect", container["Id"])
        # One with --rm may be removed at this very moment.
        assert shown.rc == 0 or "No such object" in shown.err, shown.describe()
    return engine.berth()


def assert_clean(engine):
    """Everything can be removed and then the machine is as it was before the crash."""
    cli = engine.berth()
    names = cli("ps", "-aq").ok().out.split()
    if names:
        cli("rm", "-f", "-v", *names).ok()
    changed = []

    def same():
        changed[:] = leaks.difference(engine.baseline, leaks.snapshot(engine))
        return not changed

    try:
        eventually(same, 5)
    except AssertionError:
        pytest.fail("left or taken away:\n" + "\n".join(changed) + "\n" + engine.log()[-2000:])
    cli("run", "--rm", "busybox", "true").ok()


@pytest.mark.parametrize("point", points("create"))
def test_create(crashing, point):
    restart_with(crashing, point)
    result = crashing.berth()("create", "--name", "box", "-v", "/data", "busybox", "sh", "-c", "exit 3")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    listed = cli("ps", "-a", "--format", "{{.Names}}").ok().out.split()
    assert listed in ([], ["box"])
    if result.rc == 0:
        assert listed == ["box"], "it was acknowledged and is gone"
    if listed:
        assert cli("start", "-a", "box").rc == 3
    else:
        cli("create", "--name", "box", "busybox", "true").ok()
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("start"))
def test_start(crashing, point):
    crashing.berth()("create", "--name", "box", "-p", "127.0.0.1:18601:80", "busybox", "sleep", "1000").ok()
    restart_with(crashing, point)
    result = crashing.berth()("start", "box")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    state = cli.inspect("box")["State"]
    if result.rc == 0:
        assert state["Running"], "it was acknowledged and does not run"
    if state["Running"]:
        assert cli("exec", "box", "true").rc == 0
        cli("restart", "-t", "0", "box").ok()
    else:
        cli("start", "box").ok()
    assert cli.inspect("box")["State"]["Running"]
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("exec"))
def test_exec(crashing, point):
    crashing.berth()("run", "-d", "--name", "box", "busybox", "sleep", "1000").ok()
    restart_with(crashing, point)
    crashing.berth()("exec", "box", "sh", "-c", "sleep 0.2")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    assert cli.inspect("box")["State"]["Running"]
    assert cli("exec", "box", "sh", "-c", "exit 5").rc == 5
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("update"))
def test_update(crashing, point):
    crashing.berth()("run", "-d", "--name", "box", "-m", "64m", "busybox", "sleep", "1000").ok()
    restart_with(crashing, point)
    crashing.berth()("update", "-m", "96m", "--memory-swap", "96m", "--restart", "on-failure:4", "box")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    host = cli.inspect("box")["HostConfig"]
    # It was noted before the crash, so it holds: in the kernel as in what is shown.
    assert host["Memory"] == 96 << 20 and host["RestartPolicy"]["MaximumRetryCount"] == 4
    limit = cli("exec", "box", "sh", "-c",
                "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max").ok()
    assert int(limit.out) == 96 << 20
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("restart"))
def test_restart_by_policy(crashing, point):
    restart_with(crashing, point)
    crashing.berth()("run", "-d", "--name", "box", "--restart", "always", "busybox", "sh", "-c",
                     "test -e /tmp/second && exec sleep 1000; touch /tmp/second; exit 1")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    eventually(lambda: cli("exec", "box", "true").rc == 0, 10, "it is started again")
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("health"))
def test_health(crashing, point):
    restart_with(crashing, point)
    crashing.berth()("run", "-d", "--name", "box", "--health-cmd", "true", "--health-interval", "100ms", "busybox",
                     "sleep", "1000")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    eventually(lambda: cli.inspect("box")["State"]["Health"]["Status"] == "healthy", 10, "it is checked again")
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("stop", "exit"))
def test_stop(crashing, point):
    crashing.berth()("run", "-d", "--name", "box", "busybox", "sh", "-c",
                     "trap 'exit 4' TERM; echo ready; while :; do sleep 0.05; done").ok()
    eventually(lambda: "ready" in crashing.berth()("logs", "box").out)
    restart_with(crashing, point)
    crashing.berth()("stop", "-t", "5", "box")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    eventually(lambda: not cli.inspect("box")["State"]["Running"], 10, "it has ended")
    assert cli.inspect("box")["State"]["ExitCode"] == 4
    assert cli("logs", "box").ok().out == "ready\n"
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("exit", "remove"))
def test_run_with_rm(crashing, point):
    restart_with(crashing, point)
    crashing.berth()("run", "--rm", "--name", "box", "-v", "/data", "busybox", "true")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    eventually(lambda: cli("ps", "-aq").ok().out == "", what="the container that should remove itself is gone")
    cli("run", "--rm", "--name", "box", "busybox", "true").ok()
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("remove"))
@pytest.mark.parametrize("running", [False, True])
def test_remove(crashing, point, running):
    crashing.berth()(*(["run", "-d"] if running else ["create"]), "--name", "box", "busybox", "sleep", "1000").ok()
    restart_with(crashing, point)
    crashing.berth()("rm", "-f", "box")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    cli("rm", "-f", "box")
    assert cli("ps", "-aq").ok().out == ""
    cli("run", "--rm", "--name", "box", "busybox", "true").ok()
    assert_clean(crashing)


def places(cli, name):
    return set(cli.inspect(name)["NetworkSettings"]["Networks"])


def assert_on(cli, name, networks):
    """Its record, its interfaces and its way out say the same."""
    eventually(lambda: len(cli("exec", name, "ls", "/sys/class/net").out.split()) == 1 + len(networks), 5, "interfaces")
    assert places(cli, name) == networks
    assert "default via" in cli("exec", name, "ip", "route").out
    assert cli("port", name).out.strip() == "80/tcp -> 127.0.0.1:18602"


@pytest.mark.parametrize("point", points("attach", "connect"))
def test_connect(crashing, point):
    cli = crashing.berth()
    cli("network", "create", "more").ok()
    cli("run", "-d", "--name", "box", "-p", "127.0.0.1:18602:80", "busybox", "sleep", "1000").ok()
    restart_with(crashing, point)
    result = cli("network", "connect", "more", "box")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    there = places(cli, "box")
    if result.rc == 0 or point == "connect.done":
        assert there == {"bridge", "more"}, "it was acknowledged and is gone"
    assert_on(cli, "box", there)
    if "more" not in there:
        cli("network", "connect", "more", "box").ok()
        assert_on(cli, "box", {"bridge", "more"})
    cli("rm", "-f", "box").ok()
    cli("network", "rm", "more").ok()
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("detach", "disconnect"))
def test_disconnect(crashing, point):
    cli = crashing.berth()
    cli("network", "create", "more").ok()
    cli("run", "-d", "--name", "box", "-p", "127.0.0.1:18602:80", "busybox", "sleep", "1000").ok()
    cli("network", "connect", "more", "box").ok()
    restart_with(crashing, point)
    cli("network", "disconnect", "bridge", "box")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    assert_on(cli, "box", {"more"})
    cli("rm", "-f", "box").ok()
    cli("network", "rm", "more").ok()
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("network"))
def test_network(crashing, point):
    cli = crashing.berth()
    if point == "network.record-removed":
        cli("network", "create", "more").ok()
    restart_with(crashing, point)
    cli("network", *(["rm"] if point == "network.record-removed" else ["create"]), "more")
    wait_for_death(crashing, point)
    cli = recover(crashing)
    if "more" in cli("network", "ls", "--format", "{{.Name}}").out.split():
        cli("run", "--rm", "--network", "more", "busybox", "true").ok()
        cli("network", "rm", "more").ok()
    assert_clean(crashing)


def test_every_point_is_reached_by_some_test():
    reached = points("create", "start", "exec", "stop", "exit", "remove", "pull", "image", "workspace", "attach",
                     "connect", "detach", "disconnect", "network", "update", "restart", "health", "build", "derive")
    assert set(crash_points()) <= set(reached), "a new group of points needs a test here"


def image_files(engine):
    """What the image store holds, whatever the names."""
    top = engine.state_dir / "images"
    return {folder: len(os.listdir(top / folder)) for folder in ("layers", "outlines", "configs", "tmp")}


@pytest.mark.parametrize("point", points("pull", "image"))
def test_pull(crashing, point):
    before = image_files(crashing)
    layers = [images.bare_layer(), images.Layer().add("second", b"2" * 100_000).finish()]
    with Stub(layers, {"Cmd": ["/echo", "pulled"]}) as stub:
        reference = f"{stub.address}/thing:latest"
        restart_with(crashing, point)
        result = crashing.berth()("pull", reference)
        wait_for_death(crashing, point)
        cli = recover(crashing)
        listed = cli("images", "-q", f"{stub.address}/thing").ok().words
        assert listed or result.rc != 0, "it was acknowledged and is gone"
        if not listed:
            assert image_files(crashing) == before, "an image that is not there has left something"
        cli("pull", reference).ok()
        assert cli("run", "--rm", reference).ok().words == "pulled"
        cli("rmi", reference).ok()
    eventually(lambda: image_files(crashing) == before, 10, "the image store is as it was")
    assert not os.listdir(crashing.state_dir / "images" / "downloads")
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("image"))
def test_load(crashing, point):
    before = image_files(crashing)
    archive = images.archive("t-load:1", [images.bare_layer()], {"Cmd": ["/echo", "loaded"]})
    restart_with(crashing, point)
    crashing.berth()("load", input=archive)
    wait_for_death(crashing, point)
    cli = recover(crashing)
    if not cli("images", "-q", "t-load").ok().words:
        assert image_files(crashing) == before
    cli("load", input=archive).ok()
    assert cli("run", "--rm", "t-load:1").ok().words == "loaded"
    cli("rmi", "t-load:1").ok()
    eventually(lambda: image_files(crashing) == before, 10, "the image store is as it was")
    assert_clean(crashing)


@pytest.fixture
def portal(crashing, tmp_path):
    """A portal over the engine that crashes not; the test ends it or has it die."""
    crashing.root.chmod(0o755)  # the portal is another account
    crashing.arguments += ["--guest-tools", guest_tools(), "--portal-group", "nogroup"]
    crashing.restart(signal.SIGTERM)
    portal = Portal(crashing, tmp_path).start()
    crashing.baseline = leaks.snapshot(crashing)
    yield portal
    portal.end()


@pytest.fixture
def key(tmp_path):
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"]).ok()
    return tmp_path / "key"


def die_at(portal, point, action):
    """Has the portal die at the point while it does something, and starts it anew."""
    portal.end()
    portal.start({"BERTH_CRASH_AT": point})
    with pytest.raises((OSError, http.client.HTTPException)):
        action()
    assert portal.process.wait(30) == -signal.SIGKILL
    portal.start()


def workspace_points(*words):
    return [point for point in points("workspace") if point.split(".")[-1] in words]


def assert_no_workspace_is_left(engine, portal):
    assert portal.get("/api/v1/workspaces").ok().json == []
    assert engine.berth()("volume", "ls", "-q").ok().words == ""
    assert_clean(engine)


@pytest.mark.parametrize("point", workspace_points("volume-made", "volumes-made", "created"))
def test_a_workspace_is_made(crashing, portal, key, tmp_path, point):
    die_at(portal, point, lambda: portal.create("w", key))
    # The same command again finishes it, whatever there is; another one's key does not get what is half there.
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"]).ok()
    portal.create("w", tmp_path / "other").fails(409, "name_taken")
    answer = portal.create("w", key).ok().json
    assert Ssh(tmp_path, key, answer["ssh"]["port"])("id -un").ok().words == "user"
    portal.remove("w").ok()
    assert_no_workspace_is_left(crashing, portal)


@pytest.mark.parametrize("point", workspace_points("announced", "old-removed", "new-created", "replaced"))
def test_a_workspace_is_replaced(crashing, portal, key, tmp_path, point):
    port = portal.create("w", key).ok().json["ssh"]["port"]
    ssh = Ssh(tmp_path, key, port)
    ssh("echo kept >note").ok()
    die_at(portal, point, lambda: portal.act("w", "replace", {"memory": "64m"}))
    # The new portal goes on by itself.
    eventually(lambda: crashing.berth()("ps", "-a", "--format", "{{.Names}}").words == "ws-w", 10, "it was finished")
    shown = portal.show("w")
    assert (shown["memory"], shown["ssh"]["port"]) == (64 << 20, port)
    assert ssh("cat note").ok().words == "kept"
    portal.remove("w").ok()
    assert_no_workspace_is_left(crashing, portal)


@pytest.mark.parametrize("point", workspace_points("container-removed", "home-removed", "data-removed"))
def test_a_workspace_is_removed(crashing, portal, key, point):
    portal.create("w", key).ok()
    die_at(portal, point, lambda: portal.remove("w"))
    assert portal.get("/api/v1/workspaces").ok().json == []
    again = portal.remove("w")
    assert again.status < 400 or point.endswith("data-removed"), again.body
    assert_no_workspace_is_left(crashing, portal)


def test_a_pull_cut_by_the_engines_death_goes_on(crashing):
    layer = images.Layer().add("big", os.urandom(3_000_000)).finish()
    with Stub([images.bare_layer(), layer], {"Cmd": ["/echo", "pulled"]}) as stub:
        stub.stall = threading.Event()
        reference = f"{stub.address}/thing:latest"
        pull = crashing.berth().start("pull", reference)
        eventually(lambda: stub.downloads(1) == 1)
        crashing.kill()
        pull.communicate(timeout=20)
        assert pull.returncode != 0
        stub.stall.set()
        cli = recover(crashing)
        assert cli("images", "-q", f"{stub.address}/thing").ok().out == ""
        cli("pull", reference).ok()
        assert cli("run", "--rm", reference).ok().words == "pulled"
        cli("rmi", reference).ok()
    assert_clean(crashing)


def test_a_load_cut_by_the_engines_death_leaves_nothing(crashing):
    load = crashing.berth().start("load")
    archive = images.archive("t-half:1", [images.busybox_layer()])
    load.stdin.write(archive[: len(archive) // 2])
    load.stdin.flush()
    crashing.kill()
    load.stdin.close()
    load.wait(20)
    cli = recover(crashing)
    assert cli("images", "-q", "t-half").ok().out == ""
    assert os.listdir(crashing.state_dir / "images" / "tmp") == []
    assert len(os.listdir(crashing.state_dir / "images" / "layers")) == 1
    assert_clean(crashing)


class TestEngineDies:
    def test_containers_logs_and_status_go_on(self, crashing):
        cli = crashing.berth()
        cli("run", "-d", "--name", "talks", "busybox", "sh", "-c", "for i in $(seq 40); do echo $i; sleep 0.05; done; exit 9").ok()
        cli("run", "-d", "--name", "stays", "busybox", "sleep", "1000").ok()
        pid = cli.inspect("stays")["State"]["Pid"]
        crashing.kill()
        recover(crashing)
        state = cli.inspect("stays")["State"]
        assert (state["Running"], state["Pid"]) == (True, pid)
        assert cli("wait", "talks", timeout=30).ok().words == "9"
        assert cli("logs", "talks").ok().out == "".join(f"{n}\n" for n in range(1, 41))
        assert_clean(crashing)

    def test_an_exit_while_no_engine_runs_is_known_afterwards(self, crashing):
        cli = crashing.berth()
        cli("run", "-d", "--name", "box", "busybox", "sh", "-c", "sleep 0.5; echo last words; exit 12").ok()
        pid = cli.inspect("box")["State"]["Pid"]
        crashing.kill()
        eventually(lambda: not os.path.exists(f"/proc/{pid}"))
        recover(crashing)
        state = cli.inspect("box")["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", 12)
        assert cli("logs", "box").ok().out == "last words\n"
        assert_clean(crashing)

    def test_one_that_should_remove_itself_does_so_afterwards(self, crashing):
        cli = crashing.berth()
        cli("run", "-d", "--rm", "--name", "box", "busybox", "sleep", "0.5").ok()
        pid = cli.inspect("box")["State"]["Pid"]
        crashing.kill()
        eventually(lambda: not os.path.exists(f"/proc/{pid}"))
        recover(crashing)
        eventually(lambda: cli("ps", "-aq").out == "")
        assert_clean(crashing)

    def test_again_and_again_under_load(self, crashing):
        cli = crashing.berth()
        cli("run", "-d", "--name", "stays", "busybox", "sleep", "1000").ok()
        for number in range(6):
            clients = [cli.start("run", "--rm", "busybox", "sh", "-c", "sleep 0.05") for _ in range(4)]
            eventually(lambda: clients[number % 4].poll() is not None)
            crashing.kill()
            for client in clients:
                client.communicate(timeout=30)
            recover(crashing)
            assert cli.inspect("stays")["State"]["Running"]
        eventually(lambda: cli("ps", "-aq", "--filter", "status=running").out.count("\n") <= 5)
        assert_clean(crashing)

    def test_a_clean_stop_leaves_containers_running(self, crashing):
        cli = crashing.berth()
        cli("run", "-d", "--name", "box", "busybox", "sleep", "1000").ok()
        pid = cli.inspect("box")["State"]["Pid"]
        assert crashing.stop() == 0
        assert os.path.exists(f"/proc/{pid}")
        recover(crashing)
        assert cli.inspect("box")["State"]["Pid"] == pid
        assert_clean(crashing)

    def test_two_engines_over_one_state_are_refused(self, crashing):
        command = list(map(str, crashing.command()))
        second = run(command, timeout=20)
        assert second.rc not in (0, -signal.SIGABRT, -signal.SIGSEGV)
        assert len(second.err.strip().splitlines()) >= 1
        crashing.berth()("run", "--rm", "busybox", "true").ok()


def shim_of(engine, name):
    id = engine.berth().inspect(name)["Id"]
    found = [p for p in leaks.processes(engine) if "berth-shim" in p and id in p]
    assert len(found) == 1, found
    return int(found[0].split()[1])


class TestShimDies:
    def test_its_container_is_stopped_and_shown_with_the_reason(self, crashing):
        cli = crashing.berth()
        cli("run", "-d", "--name", "box", "busybox", "sleep", "1000").ok()
        pid = cli.inspect("box")["State"]["Pid"]
        os.kill(shim_of(crashing, "box"), signal.SIGKILL)
        eventually(lambda: not cli.inspect("box")["State"]["Running"], 15, "it is seen as ended")
        eventually(lambda: not os.path.exists(f"/proc/{pid}"), 5, "its process is gone")
        state = cli.inspect("box")["State"]
        assert state["Status"] in ("exited", "dead") and state["Error"], state
        assert cli("start", "box").rc == 0 or state["Status"] == "dead"
        assert_clean(crashing)

    def test_while_no_engine_runs(self, crashing):
        cli = crashing.berth()
        cli("run", "-d", "--name", "box", "busybox", "sleep", "1000").ok()
        pid, shim = cli.inspect("box")["State"]["Pid"], shim_of(crashing, "box")
        crashing.kill()
        os.kill(shim, signal.SIGKILL)
        recover(crashing)
        eventually(lambda: not cli.inspect("box")["State"]["Running"], 15)
        eventually(lambda: not os.path.exists(f"/proc/{pid}"), 5, "its process is gone")
        assert_clean(crashing)


class TestClientDies:
    @pytest.mark.parametrize("words", [["run", "--rm", "-i", "busybox", "cat"], ["run", "-i", "busybox", "cat"]])
    def test_the_engine_does_not_mind(self, crashing, words):
        clients = [crashing.berth().start(*words) for _ in range(3)]
        eventually(lambda: crashing.berth()("ps", "-q").out.count("\n") == 3)
        for client in clients:
            client.kill()
            client.communicate()
        assert_clean(crashing)

    def test_in_the_middle_of_an_exec(self, crashing):
        cli = crashing.berth()
        cli("run", "-d", "--name", "box", "busybox", "sleep", "1000").ok()
        client = cli.start("exec", "-i", "box", "cat")
        eventually(lambda: "cat" in cli("exec", "box", "ps").out)
        client.kill()
        client.communicate()
        eventually(lambda: " cat" not in cli("exec", "box", "ps").out, 10, "cat has seen the end of its input")
        assert_clean(crashing)


class TestReconcile:
    def test_what_nobody_claims_is_removed(self, crashing):
        cli = crashing.berth()
        cli("run", "-d", "--name", "box", "busybox", "sleep", "1000").ok()
        id = cli.inspect("box")["Id"]
        pid = cli.inspect("box")["State"]["Pid"]
        crashing.kill()
        shutil.rmtree(crashing.state_dir / "containers" / id)
        recover(crashing)
        eventually(lambda: not os.path.exists(f"/proc/{pid}"), 10, "the unclaimed container is gone")
        assert_clean(crashing)

    def test_what_is_others_stays(self, crashing):
        """Things whose names only look like ours: another engine's control group, bridge and rules."""
        other = "/berth-test-other"
        groups = [p for p in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/pids") if os.path.isdir(p)] or ["/sys/fs/cgroup"]
        try:
            for top in groups:
                os.makedirs(f"{top}{other}/0123456789abcdef", exist_ok=True)
            subprocess.run(["ip", "link", "add", "berth9", "type", "bridge"], check=True)
            subprocess.run(["nft", "add table inet berth_other"], check=True)
            crashing.baseline = leaks.snapshot(crashing)
            crashing.restart()
            for top in groups:
                assert os.path.isdir(f"{top}{other}/0123456789abcdef")
            assert "berth9" in run(["ip", "-o", "link"]).out
            assert "berth_other" in run(["nft", "list", "tables"]).out
            assert_clean(crashing)
        finally:
            for top in groups:
                os.rmdir(f"{top}{other}/0123456789abcdef")
                os.rmdir(f"{top}{other}")
            subprocess.run(["ip", "link", "del", "berth9"])
            subprocess.run(["nft", "delete table inet berth_other"])

    def test_told_to_leave_the_machine_it_takes_everything_along(self, crashing):
        """--remove-from-host, which scripts/uninstall calls: no interface, rule or control group of ours is left."""
        cli = crashing.berth()
        cli("run", "--name", "box", "-p", "127.0.0.1:18603:80", "busybox", "true").ok()
        crashing.stop()
        run([*crashing.command(), "--remove-from-host"]).ok()
        left = [line for line in leaks.interfaces() | leaks.rules() if crashing.tag in line]
        groups = [top for top in os.listdir("/sys/fs/cgroup") if os.path.isdir(f"/sys/fs/cgroup/{top}{crashing.cgroup_parent}")]
        assert (left, groups, os.path.isdir(f"/sys/fs/cgroup{crashing.cgroup_parent}")) == ([], [], False)
        crashing.start()
        assert cli("start", "-a", "box").rc == 0

    def test_after_a_reboot_containers_are_seen_as_ended(self, crashing):
        """A new boot: processes, control groups, interfaces and the run directory are gone; the state is there."""
        cli = crashing.berth()
        cli("run", "-d", "--name", "box", "-p", "127.0.0.1:18602:80", "busybox", "sleep", "1000").ok()
        id, pid, shim = cli.inspect("box")["Id"], cli.inspect("box")["State"]["Pid"], shim_of(crashing, "box")
        crashing.kill()
        os.kill(shim, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: not os.path.exists(f"/proc/{pid}"))
        shutil.rmtree(crashing.run_dir)
        crashing.run_dir.mkdir()
        status = crashing.state_dir / "containers" / id / "status.json"
        now = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert now in status.read_text()
        status.write_text(status.read_text().replace(now, "00000000-0000-0000-0000-000000000000"))
        recover(crashing)
        assert cli.inspect("box")["State"]["Running"] is False
        cli("start", "box").ok()
        assert cli("exec", "box", "true").rc == 0
        assert_clean(crashing)


class TestFullDisk:
    @pytest.fixture
    def small(self, own_engine, tmp_path, archives):
        """An engine whose state is on a file system of 24 MB."""
        disk = tmp_path / "disk.img"
        disk.write_bytes(b"")
        os.truncate(disk, 24 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", disk], check=True)
        place = tmp_path / "disk"
        place.mkdir()
        if run(["mount", "-o", "loop", disk, place]).rc != 0:
            pytest.skip("this machine has no loop devices")
        engine = own_engine(state_dir=place / "state")
        engine.start()
        engine.berth()("load", input=archives["busybox:latest"]).ok()
        yield engine, place
        engine.destroy()
        subprocess.run(["umount", place], check=True)

    def fill(self, place):
        with open(place / "ballast", "wb", 0) as ballast:
            try:
                while True:
                    ballast.write(b"x" * 4096)
            except OSError:
                pass

    def test_load_says_so_and_leaves_nothing(self, small):
        engine, place = small
        cli = engine.berth()
        free = shutil.disk_usage(place).free
        big = images.archive("t-big:1", [images.Layer().add("big", os.urandom(60 << 20)).finish()])
        result = cli("load", input=big, timeout=60)
        assert result.rc == 1 and "no space left on device" in result.err.lower(), result.describe()
        assert cli("images", "-q", "t-big").ok().out == ""
        eventually(lambda: shutil.disk_usage(place).free >= free - (256 << 10), what="the space is free again")
        cli("run", "--rm", "busybox", "true").ok()

    def test_create_says_so_and_leaves_nothing(self, small):
        engine, place = small
        cli = engine.berth()
        self.fill(place)
        result = cli("run", "--rm", "--name", "box", "busybox", "true")
        assert result.rc == 125 and "no space left on device" in result.err.lower(), result.describe()
        assert cli("ps", "-aq").ok().out == ""
        os.unlink(place / "ballast")
        cli("run", "--rm", "--name", "box", "busybox", "true").ok()

    def test_it_starts_on_a_full_disk(self, small):
        engine, place = small
        engine.berth()("create", "--name", "box", "busybox", "true").ok()
        self.fill(place)
        engine.restart()
        assert "box" in engine.berth()("ps", "-a").ok().out
        os.unlink(place / "ballast")
        engine.berth()("start", "-a", "box").ok()


@pytest.mark.parametrize("point", points("build", "derive"))
def test_build(crashing, point, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM busybox\nCOPY f /f\nRUN echo x > /x\nENV A=1\n")
    (tmp_path / "f").write_text("f")
    restart_with(crashing, point)
    result = crashing.berth()("build", "-t", "made:1", tmp_path)
    wait_for_death(crashing, point)
    assert result.rc != 0
    cli = recover(crashing)
    assert cli("ps", "-aq").ok().out == "", "a step's container outlived its build"
    assert not list((crashing.state_dir / "build/tmp").iterdir())
    assert not list((crashing.state_dir / "images/tmp").iterdir())
    cli("build", "-t", "made:1", tmp_path).ok()
    assert cli("run", "--rm", "made:1", "cat", "/f", "/x").ok().out == "fx\n"
    assert_clean(crashing)


@pytest.mark.parametrize("point", points("derive"))
def test_commit(crashing, point):
    crashing.berth()("run", "--name", "box", "busybox", "sh", "-c", "echo x > /x").ok()
    restart_with(crashing, point)
    assert crashing.berth()("commit", "box", "made:1").rc != 0
    wait_for_death(crashing, point)
    cli = recover(crashing)
    cli("commit", "box", "made:1").ok()
    assert cli("run", "--rm", "made:1", "cat", "/x").ok().out == "x\n"
    assert_clean(crashing)
