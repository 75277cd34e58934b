"""Restart policies, update and rename."""
import json
import signal
import time

import pytest

from support.process import eventually

pytestmark = pytest.mark.usefixtures("no_leaks")


def state(cli, name):
    return cli.inspect(name)["State"]


def count(cli, name):
    return cli.inspect(name)["RestartCount"]


class TestPolicies:
    def test_on_failure_gives_up_after_its_retries(self, cli, name):
        cli("run", "-d", "--name", name, "--restart", "on-failure:2", "busybox", "sh", "-c", "echo run; exit 3").ok()
        eventually(lambda: state(cli, name)["Status"] == "exited", 15, "it gives up")
        assert count(cli, name) == 2
        assert state(cli, name)["ExitCode"] == 3
        assert cli("logs", name).ok().out == "run\n" * 3
        assert cli.inspect(name)["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}

    def test_on_failure_leaves_a_success_alone(self, cli, name):
        cli("run", "-d", "--name", name, "--restart", "on-failure", "busybox", "true").ok()
        cli("wait", name).ok()
        assert state(cli, name)["Status"] == "exited" and count(cli, name) == 0

    def test_the_wait_grows_and_is_told(self, cli, name):
        cli("run", "-d", "--name", name, "--restart", "always", "busybox", "false").ok()
        eventually(lambda: count(cli, name) >= 3, 15, "three restarts")
        eventually(lambda: state(cli, name)["Status"] == "restarting", 15)
        told = state(cli, name)
        if told["Status"] == "restarting":
            assert told["Running"] and told["Restarting"] and told["Pid"] == 0
        eventually(lambda: "Restarting (1)" in cli("ps", "--format", "{{.Names}} {{.Status}}").out, 15, "ps tells it")
        cli("exec", name, "true").fails(1)
        cli("stop", name).ok()
        assert state(cli, name)["Status"] == "exited"
        restarts = count(cli, name)
        time.sleep(0.5)
        assert count(cli, name) == restarts

    @pytest.mark.parametrize("policy", ["always", "unless-stopped", "on-failure"])
    def test_who_is_asked_to_stop_stays_stopped(self, cli, name, policy):
        cli("run", "-d", "--name", name, "--restart", policy, "busybox", "sleep", "300").ok()
        cli("kill", name).ok()
        eventually(lambda: state(cli, name)["Status"] == "exited", 10, "it has ended")
        time.sleep(0.3)
        assert state(cli, name)["Status"] == "exited" and count(cli, name) == 0

    def test_a_start_counts_from_nothing(self, cli, name):
        cli("run", "-d", "--name", name, "--restart", "on-failure:1", "busybox", "false").ok()
        eventually(lambda: state(cli, name)["Status"] == "exited", 15, "it gives up")
        assert count(cli, name) == 1
        cli("start", name).ok()
        eventually(lambda: state(cli, name)["Status"] == "exited" and count(cli, name) == 1, 15, "once more")

    def test_removal_ends_it(self, cli, name):
        cli("run", "-d", "--name", name, "--restart", "always", "busybox", "false").ok()
        eventually(lambda: count(cli, name) >= 2, 15)
        result = cli("rm", name)
        assert result.rc == 1 and "container is" in result.err
        cli("rm", "-f", name).ok()
        assert name not in cli("ps", "-a", "--format", "{{.Names}}").out.split()

    def test_bad_policies(self, cli):
        cli("run", "--restart", "bad", "busybox", "true").fails(125, "nvalid restart policy")
        cli("run", "--restart", "always:3", "busybox", "true").fails(
            125, "maximum retry count can")
        cli("run", "--rm", "--restart", "always", "busybox", "true").fails(125)

    def test_filter_by_status(self, cli, name):
        cli("run", "-d", "--name", name, "--restart", "always", "busybox", "false").ok()
        eventually(lambda: name in cli("ps", "--filter", "status=restarting", "--format",
                                       "{{.Names}}").out.split(), 15)


class TestUpdate:
    def test_limits_change_at_once(self, cli, name):
        cli("run", "-d", "--name", name, "-m", "64m", "busybox", "sleep", "300").ok()
        cli("update", "-m", "96m", "--memory-swap", "128m", "--cpu-shares", "512", "--pids-limit", "77", name).ok()
        host = cli.inspect(name)["HostConfig"]
        assert host["Memory"] == 96 << 20 and host["MemorySwap"] == 128 << 20
        assert host["CpuShares"] == 512 and host["PidsLimit"] == 77
        limit = cli("exec", name, "sh", "-c",
                    "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max").ok()
        assert int(limit.out) == 96 << 20
        pids = cli("exec", name, "sh", "-c",
                   "cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max").ok()
        assert int(pids.out) == 77

    def test_a_stopped_one_too(self, cli, name):
        cli("create", "--name", name, "busybox", "sleep", "300").ok()
        assert cli("update", "--memory", "64m", name).ok().out.strip() == name
        assert cli.inspect(name)["HostConfig"]["Memory"] == 64 << 20

    def test_the_restart_policy(self, cli, name):
        cli("run", "-d", "--name", name, "busybox", "sh", "-c", "sleep 0.3; exit 1").ok()
        cli("update", "--restart", "on-failure:1", name).ok()
        assert cli.inspect(name)["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 1}
        eventually(lambda: count(cli, name) == 1, 10, "it is restarted")

    def test_what_cannot_be_is_refused_and_nothing_changes(self, cli, name):
        cli("run", "-d", "--name", name, "-m", "64m", "busybox", "sleep", "300").ok()
        cli("update", "-m", "1m", name).fails(1, "Minimum memory limit allowed is 6MB")
        cli("update", "--restart", "bad", name).fails(1, "restart policy")
        assert cli.inspect(name)["HostConfig"]["Memory"] == 64 << 20

    def test_events(self, cli, name):
        cli("run", "-d", "--name", name, "busybox", "sleep", "300").ok()
        cli("update", "--cpu-shares", "300", name).ok()
        events = cli("events", "--since", "1m", "--until", int(time.time()) + 1, "--filter", f"container={name}",
                     "--format", "{{.Action}}").ok().out.split()
        assert "update" in events


class TestAfterTheEngine:
    @pytest.fixture
    def fresh(self, own_engine, archives):
        engine = own_engine()
        engine.start().berth()("load", input=archives["busybox:latest"]).ok()
        return engine

    def test_always_comes_back_even_when_stopped(self, fresh):
        cli = fresh.berth()
        for policy in ("always", "unless-stopped", "no"):
            cli("run", "-d", "--name", policy, "--restart", policy, "busybox", "sleep", "300").ok()
            cli("stop", "-t", "0", policy).ok()
        fresh.restart(signal.SIGTERM)
        cli = fresh.berth()
        eventually(lambda: state(cli, "always")["Running"], 10, "always is started")
        assert not state(cli, "unless-stopped")["Running"]
        assert not state(cli, "no")["Running"]

    def test_what_waited_for_its_restart_is_started(self, fresh):
        cli = fresh.berth()
        cli("run", "-d", "--name", "box", "--restart", "always", "busybox", "sh", "-c",
            "test -e /ready && exec sleep 300; exit 1").ok()
        eventually(lambda: count(cli, "box") >= 5 and state(cli, "box")["Status"] == "restarting", 20)
        fresh.kill()
        fresh.start()
        cli = fresh.berth()
        restarts = count(cli, "box")
        eventually(lambda: count(cli, "box") > restarts, 20, "it goes on")
        assert json.loads(fresh.request("GET", "/containers/json?all=1")[1])[0]["State"] in ("restarting", "running")
