"""Health checks: run by the engine, told by inspect, ps, events and filters."""
import json
import re
import time

import pytest

from support.process import eventually

pytestmark = pytest.mark.usefixtures("no_leaks")

QUICK = ["--health-interval", "200ms", "--health-timeout", "2s"]


def start(cli, name, command, *flags):
    cli("run", "-d", "--name", name, "--health-cmd", command, *QUICK, *flags, "busybox", "sleep", "300").ok()


def health(cli, name):
    return cli.inspect(name)["State"]["Health"]


def until(cli, name, status):
    eventually(lambda: health(cli, name)["Status"] == status, 15, f"{name} is {status}")


class TestHealth:
    def test_becomes_healthy_and_unhealthy_and_healthy_again(self, cli, name):
        start(cli, name, "test ! -e /tmp/sick", "--health-retries", "2")
        assert health(cli, name)["Status"] in ("starting", "healthy")
        until(cli, name, "healthy")
        assert "(healthy)" in cli("ps", "--filter", f"name={name}", "--format", "{{.Status}}").ok().out
        cli("exec", name, "touch", "/tmp/sick").ok()
        until(cli, name, "unhealthy")
        assert health(cli, name)["FailingStreak"] >= 2
        assert "(unhealthy)" in cli("ps", "--filter", f"name={name}", "--format", "{{.Status}}").ok().out
        cli("exec", name, "rm", "/tmp/sick").ok()
        until(cli, name, "healthy")
        assert health(cli, name)["FailingStreak"] == 0

    def test_keeps_the_last_five_results(self, cli, name):
        start(cli, name, "echo out; echo err >&2; exit 4")
        eventually(lambda: len(health(cli, name)["Log"]) == 5, 15, "five results")
        entry = health(cli, name)["Log"][-1]
        assert sorted(entry["Output"].split()) == ["err", "out"]
        assert entry["ExitCode"] == 4
        assert re.match(r"\d{4}-\d\d-\d\dT", entry["Start"]) and entry["Start"] < entry["End"]

    def test_a_check_that_takes_too_long_fails(self, cli, name):
        start(cli, name, "echo begun; sleep 60", "--health-timeout", "300ms", "--health-retries", "1")
        until(cli, name, "unhealthy")
        entry = health(cli, name)["Log"][0]
        assert entry["ExitCode"] == -1
        assert entry["Output"].startswith("Health check exceeded timeout (300ms)")
        eventually(lambda: "sleep 60" not in cli("top", name).out or
                   cli("top", name).out.count("sleep 60") <= 1, 5, "it is killed")

    def test_filters_and_events(self, cli, names):
        good, none = names("good"), names("none")
        start(cli, good, "true")
        cli("run", "-d", "--name", none, "busybox", "sleep", "300").ok()
        until(cli, good, "healthy")
        assert cli("ps", "--filter", "health=healthy", "--format", "{{.Names}}").ok().out.split() == [good]
        assert none in cli("ps", "--filter", "health=none", "--format", "{{.Names}}").ok().out.split()
        assert good not in cli("ps", "--filter", "health=unhealthy", "--format", "{{.Names}}").ok().out.split()
        events = cli("events", "--since", "1m", "--until", int(time.time()) + 1, "--filter", f"container={good}",
                     "--format", "{{.Action}}").ok().out
        assert "health_status: healthy" in events

    def test_no_check_is_run_while_paused(self, cli, name):
        start(cli, name, "true")
        until(cli, name, "healthy")
        cli("pause", name).ok()
        before = health(cli, name)["Log"][-1]["Start"]
        with pytest.raises(AssertionError):
            eventually(lambda: health(cli, name)["Log"][-1]["Start"] != before, 0.8)
        cli("unpause", name).ok()
        eventually(lambda: health(cli, name)["Log"][-1]["Start"] != before, 10, "checks go on")

    def test_what_was_asked_is_shown(self, cli, name):
        start(cli, name, "true", "--health-retries", "7", "--health-start-period", "1s")
        check = cli.inspect(name)["Config"]["Healthcheck"]
        assert check == {"Test": ["CMD-SHELL", "true"], "Interval": 200000000, "Timeout": 2000000000,
                         "StartPeriod": 1000000000, "Retries": 7}

    def test_none_where_none_is_asked_for(self, cli, name):
        cli("run", "-d", "--name", name, "--no-healthcheck", "busybox", "sleep", "300").ok()
        assert "Health" not in cli.inspect(name)["State"]
        assert cli.inspect(name)["Config"]["Healthcheck"] == {"Test": ["NONE"]}

    def test_a_stopped_one_is_not_healthy(self, cli, name):
        start(cli, name, "true")
        until(cli, name, "healthy")
        cli("stop", "-t", "0", name).ok()
        assert health(cli, name)["Status"] == "unhealthy"

    def test_bad_requests(self, cli):
        cli("run", "--health-cmd", "true", "--health-interval", "1us", "busybox", "true").fails(
            125, "Interval in Healthcheck cannot be less than 1ms")
        cli("run", "--no-healthcheck", "--health-cmd", "true", "busybox", "true").fails(
            125, "--no-healthcheck conflicts with --health-* options")

    def test_times_alone_keep_the_command_of_the_image(self, one_cli, engine, name):
        body = {"Image": "busybox", "Cmd": ["sleep", "300"], "Healthcheck": {"Interval": 5000000000}}
        status, answer = engine.request("POST", f"/containers/create?name={name}", json.dumps(body))
        assert status == 201, answer
        one_cli("start", name).ok()
        assert "Health" not in one_cli.inspect(name)["State"], "there is no command to run"


def test_checks_go_on_under_a_new_engine(own_engine, archives):
    engine = own_engine()
    cli = engine.start().berth()
    cli("load", input=archives["busybox:latest"]).ok()
    start(cli, "box", "true")
    until(cli, "box", "healthy")
    engine.restart()
    cli = engine.berth()
    state = health(cli, "box")
    assert state["Status"] == "healthy", "what was known is known"
    last = state["Log"][-1]["Start"]
    eventually(lambda: health(cli, "box")["Log"][-1]["Start"] > last, 10, "a further check")
