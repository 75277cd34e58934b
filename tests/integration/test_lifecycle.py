"""ps, logs, inspect, stop, kill, restart, pause, rm, rename (rows 6-8, 13, 14)."""
import json
import re
import time

import pytest

from support.process import eventually

pytestmark = pytest.mark.usefixtures("no_leaks")


def sleeper(cli, name, *flags):
    return cli("run", "-d", "--name", name, *flags, "busybox", "sleep", "300").ok().words


def obedient(cli, name, *flags):
    """A container that ends with 3 on SIGTERM; returns once it listens."""
    cli("run", "-d", "--name", name, *flags, "busybox", "sh", "-c",
        "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.05; done").ok()
    eventually(lambda: "ready" in cli("logs", name).out, what="the trap is set")


class TestPs:
    def test_columns(self, cli, name):
        id = sleeper(cli, name)
        header, *rows = cli("ps").ok().out.splitlines()
        assert header.split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
        row = next(r for r in rows if r.split()[0] == id[:12])
        assert row[header.index("IMAGE"):].split()[0] == "busybox"
        assert row[header.index("COMMAND"):].startswith('"sleep 300"')
        assert re.match(r"(Less than a|\d+) seconds? ago", row[header.index("CREATED"):])
        assert row[header.index("STATUS"):].startswith("Up ")
        assert row.split()[-1] == name

    def test_only_the_running_ones_unless_a(self, cli, names):
        running, ended = names("r"), names("e")
        sleeper(cli, running)
        cli("run", "--name", ended, "busybox", "sh", "-c", "exit 5")
        assert running in cli("ps").out and ended not in cli("ps").out
        every = cli("ps", "-a").ok().out
        assert running in every
        assert "Exited (5)" in next(line for line in every.splitlines() if ended in line)

    def test_quiet_prints_ids(self, cli, name):
        id = sleeper(cli, name)
        assert id[:12] in cli("ps", "-q").ok().out.split()
        assert id in cli("ps", "-q", "--no-trunc").ok().out.split()

    def test_newest_first_and_last(self, cli, names):
        first, second = names("a"), names("b")
        sleeper(cli, first)
        sleeper(cli, second)
        order = [line.split()[-1] for line in cli("ps").ok().out.splitlines()[1:]]
        assert order.index(second) < order.index(first)
        assert [line.split()[-1] for line in cli("ps", "-n", "1").ok().out.splitlines()[1:]] == [second]

    @pytest.mark.parametrize("filter, found", [
        ("name={}", True), ("status=running", True), ("status=exited", False), ("label=a=b", True),
        ("label=a", True), ("label=a=c", False), ("ancestor=busybox", True), ("id=none", False),
    ])
    def test_filters(self, cli, name, filter, found):
        sleeper(cli, name, "--label", "a=b")
        result = cli("ps", "--filter", filter.format(name), "--format", "{{.Names}}").ok()
        assert (name in result.out.split()) == found

    def test_format_json_is_an_object_a_line(self, cli, name):
        id = sleeper(cli, name)
        rows = [json.loads(line) for line in cli("ps", "--format", "{{json .}}").ok().out.splitlines()]
        row = next(r for r in rows if r["Names"] == name)
        assert (row["ID"], row["Image"], row["Command"], row["State"]) == (id[:12], "busybox", '"sleep 300"', "running")
        assert {"CreatedAt", "Labels", "LocalVolumes", "Mounts", "Networks", "Ports", "RunningFor", "Size",
                "Status"} <= set(row)

    def test_format_template(self, cli, name):
        id = sleeper(cli, name, "-l", "x=1")
        result = cli("ps", "--filter", f"name={name}", "--format", '{{.ID}}|{{.Image}}|{{.Label "x"}}').ok()
        assert result.words == f"{id[:12]}|busybox|1"


class TestLogs:
    def test_streams_lines_and_tail(self, cli, name):
        cli("run", "--name", name, "busybox", "sh", "-c", "seq 1 5; sleep 0.2; echo bad >&2").ok()
        result = cli("logs", name).ok()
        assert (result.out, result.err) == ("1\n2\n3\n4\n5\n", "bad\n")
        assert cli("logs", "--tail", "2", name).ok().out == "5\n"
        assert cli("logs", "-n", "0", name).ok().out == ""
        assert cli("logs", "--tail", "all", name).ok().out == "1\n2\n3\n4\n5\n"

    def test_timestamps(self, cli, name):
        cli("run", "--name", name, "busybox", "echo", "line").ok()
        stamp, text = cli("logs", "-t", name).ok().words.split(" ", 1)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", stamp) and text == "line"

    def test_follow_ends_with_the_container(self, cli, name):
        cli("run", "-d", "--name", name, "busybox", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done").ok()
        assert cli("logs", "-f", name, timeout=20).ok().out == "1\n2\n3\n"

    def test_since_and_until(self, cli, name):
        cli("run", "--name", name, "busybox", "sh", "-c", "echo early; sleep 2; echo late").ok()
        middle = cli("logs", "-t", name).out.splitlines()[0].split()[0]
        moment = re.sub(r"\.\d+Z", "Z", middle)
        whole = cli("logs", "--since", moment, name).ok().out
        assert whole == "early\nlate\n"
        assert cli("logs", "--since", "1h", name).ok().out == "early\nlate\n"
        later = cli("logs", "-t", name).out.splitlines()[1].split()[0]
        assert cli("logs", "--since", later, name).ok().out == "late\n"
        assert cli("logs", "--until", middle, name).ok().out in ("", "early\n")

    def test_of_a_terminal(self, cli, name):
        cli("run", "-d", "-t", "--name", name, "busybox", "sh", "-c", "echo out; echo err >&2").ok()
        cli("wait", name).ok()
        result = cli("logs", name).ok()
        assert (result.out, result.err) == ("out\r\nerr\r\n", "")

    def test_long_lines_and_strange_bytes(self, cli, name):
        cli("run", "--name", name, "busybox", "sh", "-c", "head -c 50000 /dev/zero | tr '\\0' x; echo; printf 'a\\001b\\n'").ok()
        assert cli("logs", name).ok().stdout == b"x" * 50000 + b"\na\x01b\n"

    def test_a_megabyte_of_lines(self, cli, name):
        cli("run", "-d", "--name", name, "busybox", "seq", "1", "150000").ok()
        cli("wait", name).ok()
        assert cli("logs", name).ok().stdout == b"".join(b"%d\n" % n for n in range(1, 150001))

    def test_none_keeps_nothing(self, cli, name):
        cli("run", "--log-driver", "none", "--name", name, "busybox", "echo", "unkept").ok()
        cli("logs", name).fails(1, "configured logging driver does not support reading")


class TestInspect:
    def test_the_shape(self, cli, name):
        id = sleeper(cli, name, "-e", "A=1", "-w", "/tmp", "-l", "k=v", "-m", "64m", "--hostname", "guest")
        seen = cli.inspect(name)
        assert seen["Id"] == id
        assert (seen["Path"], seen["Args"]) == ("sleep", ["300"])
        state = seen["State"]
        assert (state["Status"], state["Running"], state["Paused"], state["Dead"]) == ("running", True, False, False)
        assert state["Pid"] > 1 and state["FinishedAt"] == "0001-01-01T00:00:00Z"
        config = seen["Config"]
        assert "A=1" in config["Env"] and config["WorkingDir"] == "/tmp" and config["Labels"]["k"] == "v"
        assert (config["Hostname"], config["Image"], config["Cmd"]) == ("guest", "busybox", ["sleep", "300"])
        assert seen["HostConfig"]["Memory"] == 64 << 20
        assert seen["Image"].startswith("sha256:") and len(seen["Image"]) == 71
        assert seen["HostConfig"]["NetworkMode"] in ("bridge", "default")
        network = seen["NetworkSettings"]["Networks"]["bridge"]
        assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", network["IPAddress"])
        assert re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", network["MacAddress"])
        assert network["Gateway"] and network["IPPrefixLen"] > 0
        assert {"Created", "LogPath", "Name", "RestartCount", "Driver", "Platform", "MountLabel", "ProcessLabel",
                "AppArmorProfile", "ExecIDs", "GraphDriver", "Mounts"} <= set(seen)

    def test_format(self, cli, name):
        sleeper(cli, name)
        assert cli("inspect", "--format", "{{.State.Status}} {{.Name}}", name).ok().words == f"running /{name}"
        assert cli("inspect", "-f", "{{json .Config.Cmd}}", name).ok().words == '["sleep","300"]'

    def test_by_the_beginning_of_the_id(self, cli, name):
        id = sleeper(cli, name)
        assert cli.inspect(id[:12])["Name"] == "/" + name
        assert cli.inspect(id[:6])["Id"] == id

    def test_of_several_one_missing(self, cli, name):
        sleeper(cli, name)
        result = cli("inspect", name, "t-nobody").fails(1, "Error: No such object: t-nobody")
        assert [c["Name"] for c in json.loads(result.out)] == ["/" + name]

    def test_of_an_image(self, cli):
        seen = cli.inspect("settings:1")
        assert seen["RepoTags"] == ["settings:1"]
        assert seen["Config"]["Entrypoint"] == ["/bin/busybox"] and seen["Config"]["User"] == "worker"
        assert seen["Architecture"] == "amd64" and seen["Os"] == "linux" and seen["RootFS"]["Type"] == "layers"


class TestStop:
    def test_asks_first(self, cli, name):
        obedient(cli, name)
        start = time.monotonic()
        assert cli("stop", name).ok().out == f"{name}\n"
        assert time.monotonic() - start < 5
        assert cli.inspect(name)["State"]["ExitCode"] == 3
        assert cli("logs", name).out == "ready\nasked\n"

    def test_then_kills(self, cli, name):
        sleeper(cli, name)  # sleep as PID 1 ignores SIGTERM
        start = time.monotonic()
        cli("stop", "-t", "1", name).ok()
        assert 0.9 < time.monotonic() - start < 6
        assert cli.inspect(name)["State"]["ExitCode"] == 137

    def test_with_the_signal_that_was_chosen(self, cli, name):
        cli("run", "-d", "--name", name, "--stop-signal", "USR1", "busybox", "sh", "-c",
            "trap 'exit 8' USR1; echo ready; while :; do sleep 0.05; done").ok()
        eventually(lambda: "ready" in cli("logs", name).out)
        cli("stop", name).ok()
        assert cli.inspect(name)["State"]["ExitCode"] == 8

    def test_of_a_stopped_one_is_fine(self, cli, name):
        cli("run", "--name", name, "busybox", "true").ok()
        assert cli("stop", name).ok().out == f"{name}\n"

    def test_twenty_times_in_a_row(self, cli, name):
        obedient(cli, name)
        for _ in range(20):
            cli("stop", "-t", "5", name).ok()
            assert cli.inspect(name)["State"]["Running"] is False
            cli("start", name).ok()
            assert cli.inspect(name)["State"]["Running"] is True

    def test_restart(self, cli, name):
        sleeper(cli, name)
        before = cli.inspect(name)["State"]
        assert cli("restart", "-t", "0", name).ok().out == f"{name}\n"
        after = cli.inspect(name)["State"]
        assert after["Running"] and after["Pid"] != before["Pid"] and after["StartedAt"] > before["StartedAt"]


class TestKill:
    @pytest.mark.parametrize("flags, status", [([], 137), (["-s", "TERM"], 3), (["--signal", "SIGTERM"], 3),
                                               (["-s", "15"], 3)])
    def test_signals(self, cli, name, flags, status):
        obedient(cli, name)
        assert cli("kill", *flags, name).ok().out == f"{name}\n"
        cli("wait", name).ok()
        assert cli.inspect(name)["State"]["ExitCode"] == status

    def test_a_bad_signal(self, cli, name):
        sleeper(cli, name)
        cli("kill", "-s", "NOSUCH", name).fails(1, "nvalid signal: NOSUCH")
        assert cli.inspect(name)["State"]["Running"] is True


class TestPause:
    def test_stands_still_and_goes_on(self, cli, name):
        cli("run", "-d", "--name", name, "busybox", "sh", "-c",
            "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done").ok()
        eventually(lambda: cli("logs", name).out.count("\n") > 3)
        assert cli("pause", name).ok().out == f"{name}\n"
        assert cli.inspect(name)["State"]["Status"] == "paused"
        assert "(Paused)" in cli("ps", "--filter", f"name={name}").out
        first = cli("logs", "--tail", "1", name).out
        assert cli("logs", "--tail", "1", name).out == first
        cli("exec", name, "true").fails(1, "is paused, unpause the container before exec")
        assert cli("unpause", name).ok().out == f"{name}\n"
        eventually(lambda: cli("logs", "--tail", "1", name).out != first, what="it goes on")

    def test_of_what_does_not_run(self, cli, name):
        cli("create", "--name", name, "busybox", "true").ok()
        cli("pause", name).fails(1, "is not running")

    def test_unpause_of_a_running_one(self, cli, name):
        sleeper(cli, name)
        cli("unpause", name).fails(1, "is not paused")

    def test_a_paused_one_can_be_stopped(self, cli, name):
        obedient(cli, name)
        cli("pause", name).ok()
        cli("stop", "-t", "2", name).ok()
        assert cli.inspect(name)["State"]["Status"] == "exited"


class TestRemove:
    def test_of_an_exited_one(self, cli, name):
        cli("run", "--name", name, "busybox", "true").ok()
        assert cli("rm", name).ok().out == f"{name}\n"
        assert name not in cli("ps", "-a").out

    def test_of_a_running_one_is_refused(self, cli, name):
        id = sleeper(cli, name)
        result = cli("rm", name)
        assert result.rc == 1 and "remove" in result.err.lower()
        assert name in result.err or id in result.err
        assert "force remove" in result.err
        assert cli.inspect(name)["State"]["Running"] is True

    def test_by_force(self, cli, name):
        sleeper(cli, name)
        assert cli("rm", "-f", name).ok().out == f"{name}\n"
        cli("inspect", name).fails(1)

    def test_force_does_not_mind_a_missing_one(self, cli):
        result = cli("rm", "-f", "t-nobody")
        # Clients up to 20.10 tell it and fail; later ones and ours tell it and succeed, as rm(1) does.
        assert "No such container: t-nobody" in result.err or result.rc == 0

    def test_frees_the_name(self, cli, name):
        for _ in range(3):
            cli("create", "--name", name, "busybox", "true").ok()
            cli("rm", name).ok()


class TestNames:
    def test_a_name_is_made_up(self, cli):
        id = cli("create", "busybox", "true").ok().words
        try:
            assert re.fullmatch(r"/[a-z]+_[a-z]+\d?", cli.inspect(id)["Name"])
        finally:
            cli.remove(id)

    def test_rename(self, cli, names):
        old, new = names("old"), names("new")
        sleeper(cli, old)
        result = cli("rename", old, new)
        if cli.is_berth and "unknown command" in result.err:
            pytest.skip("berth rename is not offered yet")
        result.ok()
        assert cli.inspect(new)["Name"] == "/" + new
        cli("inspect", old).fails(1)


@pytest.mark.parametrize("verb", [["start"], ["stop"], ["kill"], ["rm"], ["logs"], ["wait"], ["restart"], ["pause"],
                                  ["unpause"], ["exec", "-i"], ["attach"]])
def test_of_a_missing_container(cli, verb):
    command = ["true"] if verb[0] == "exec" else []
    cli(*verb, "t-nobody", *command).fails(1, "No such container: t-nobody")
