"""Berth as a person has it on Debian 12: units of systemd, cgroup v2. The tests build on each other, in this order."""
import json

import pytest

from support.process import eventually

QUICKSTART = ["/root/berth/scripts/quickstart", "--programs", "/root/programs", "--image-archive", "/root/workspace.tar"]
SUITES = ["run", "lifecycle", "options", "exec", "isolation", "workspace"]


@pytest.fixture(scope="module")
def installed(machine):
    """scripts/quickstart with the programs that are built already; its last lines."""
    done = machine(*QUICKSTART, timeout=300)
    assert done.rc == 0, done.describe()
    assert machine("sh", "-c", "command -v cc c++ clang++-19").rc != 0, "nothing was compiled here"
    return done.out


@pytest.fixture(scope="module")
def berth(machine, installed):
    """Runs the berth command inside."""
    return lambda *words, **options: machine("berth", *words, **options)


@pytest.fixture
def box(berth):
    """Starts containers that are removed after the test."""
    names = []

    def start(*words):
        names.append(f"box{len(names)}")
        berth("run", "-d", "--name", names[-1], *words).ok()
        return names[-1]

    yield start
    for name in names:
        berth("rm", "-f", name)


def inspect(berth, name):
    return json.loads(berth("inspect", name).ok().out)[0]


def workspaces(berth):
    """Name and address of each."""
    listed = map(json.loads, berth("ls", "-o", "json").ok().out.splitlines())
    return [(one["name"], one["ssh"]) for one in listed]


def pid_of(machine, unit):
    return machine.sh(f"systemctl show -p MainPID --value {unit}")


def ssh_line(installed):
    """The ssh command that quickstart printed."""
    line = next(line for line in installed.splitlines() if line.startswith("Your workspace is ready:"))
    return line.split(":", 1)[1].split() + ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]


def enter(machine, installed, script):
    return machine(*ssh_line(installed), script)


IMAGE = "berth/workspace:latest"


def test_the_machine_is_what_is_promised(machine):
    assert machine.sh("stat -fc %T /sys/fs/cgroup") == "cgroup2fs"
    assert machine.sh("cat /proc/1/comm") == "systemd"


def test_quickstart_ends_with_a_workspace_that_answers(machine, installed):
    assert enter(machine, installed, "id -un").ok().words == "user"
    for unit in ("berth-engine", "berth-portal"):
        assert machine.sh(f"systemctl is-active {unit}; systemctl is-enabled {unit}") == "active\nenabled"


def test_a_second_quickstart_is_harmless(machine, installed):
    before = [pid_of(machine, unit) for unit in ("berth-engine", "berth-portal")]
    machine(*QUICKSTART, timeout=120).ok()
    assert [pid_of(machine, unit) for unit in ("berth-engine", "berth-portal")] == before, "restarted without need"


def test_doctor_finds_nothing(berth):
    done = berth("doctor")
    assert done.rc == 0, done.describe()
    assert "version 2" in done.out, done.describe()


def test_limits_reach_the_control_group(machine, berth, box):
    name = box("--memory", "64m", "--cpus", "0.5", "--pids-limit", "20", "--cpu-shares", "512", IMAGE, "sleep", "1000")
    group = "/sys/fs/cgroup/berth/" + inspect(berth, name)["Id"]
    read = lambda file: machine.sh(f"cat {group}/{file}")  # noqa: E731
    assert read("memory.max") == str(64 << 20)
    assert read("cpu.max") == "50000 100000"
    assert read("pids.max") == "20"
    assert read("cgroup.procs") != ""
    assert berth("exec", name, "sh", "-c", "for i in $(seq 40); do sleep 5 & done").rc != 0, "the 21st process"


def test_the_cpu_limit_holds(machine, berth, box):
    name = box("--cpus", "0.25", IMAGE, "sh", "-c", "while :; do :; done")
    group = "/sys/fs/cgroup/berth/" + inspect(berth, name)["Id"]
    used = machine.sh(f"a=$(awk '/usage_usec/ {{print $2}}' {group}/cpu.stat); sleep 2; "
                      f"b=$(awk '/usage_usec/ {{print $2}}' {group}/cpu.stat); echo $((b - a))")
    assert 300_000 < int(used) < 700_000, f"{used} us of processor time in 2 s with a quarter of one"


def test_out_of_memory_is_seen(berth, box):
    name = box("--memory", "32m", IMAGE, "sh", "-c", "dd if=/dev/zero of=/dev/null bs=200M count=1 || exit 7")
    assert berth("wait", name).ok().words == "7"
    assert inspect(berth, name)["State"]["OOMKilled"] is True


def test_the_freezer_stops_and_goes_on(machine, berth, box):
    name = box(IMAGE, "sh", "-c", "i=0; while :; do i=$((i + 1)); echo $i; sleep 0.05; done")
    group = "/sys/fs/cgroup/berth/" + inspect(berth, name)["Id"]
    berth("pause", name).ok()
    assert "frozen 1" in machine.sh(f"cat {group}/cgroup.events")
    before = berth("logs", name).ok().out
    machine.sh("sleep 0.3")
    assert berth("logs", name).ok().out == before
    berth("unpause", name).ok()
    eventually(lambda: berth("logs", name).ok().out != before, 10 * machine.slowness)


def test_stats_are_right(machine, berth, box):
    name = box("--memory", "256m", IMAGE, "sh", "-c", "dd if=/dev/zero of=/dev/shm/held bs=1M count=50; sleep 1000")
    group = "/sys/fs/cgroup/berth/" + inspect(berth, name)["Id"]
    eventually(lambda: int(machine.sh(f"cat {group}/memory.current")) > 50 << 20, 20 * machine.slowness)
    stats = json.loads(machine.sh(f"curl -sS --unix-socket /run/berth/engine.sock 'http://x/containers/{name}/stats?stream=0'"))
    assert stats["memory_stats"]["limit"] == 256 << 20
    assert 50 << 20 <= stats["memory_stats"]["usage"] <= 90 << 20
    assert stats["pids_stats"]["current"] >= 1
    assert stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0


@pytest.mark.parametrize("how", ["systemctl restart berth-engine", "systemctl kill -s KILL --kill-who=main berth-engine"])
def test_containers_outlive_the_engine(machine, berth, box, installed, how):
    name = box("-p", "127.0.0.1:18080:80", IMAGE, "sh", "-c", "for i in $(seq 10000); do echo $i; sleep 0.1; done")
    enter(machine, installed, "(sleep 1000) >/dev/null 2>&1 </dev/null &").ok()
    pid, before = inspect(berth, name)["State"]["Pid"], pid_of(machine, "berth-engine")
    machine.sh(how)
    eventually(lambda: pid_of(machine, "berth-engine") not in ("0", before) and berth("version").rc == 0, 30 * machine.slowness)
    state = inspect(berth, name)["State"]
    assert (state["Running"], state["Pid"]) == (True, pid)
    lines = len(berth("logs", name).ok().out.splitlines())
    eventually(lambda: len(berth("logs", name).ok().out.splitlines()) > lines, 10 * machine.slowness, "its output goes on")
    assert berth("exec", name, "true").rc == 0
    assert "sleep 1000" in enter(machine, installed, "ps").ok().out


def test_stopping_both_units_is_quick_and_leaves_containers(machine, berth, box):
    name = box(IMAGE, "sleep", "1000")
    pid = inspect(berth, name)["State"]["Pid"]
    took = machine.sh("a=$(date +%s%N); systemctl stop berth-portal berth-engine; echo $((($(date +%s%N) - a) / 1000000))")
    assert int(took) < 1500 * machine.slowness, f"{took} ms"
    assert machine.sh(f"cat /proc/{pid}/comm") == "sleep"
    machine.sh("systemctl start berth-engine berth-portal")
    eventually(lambda: berth("ls").rc == 0, 20 * machine.slowness)
    assert inspect(berth, name)["State"]["Pid"] == pid


def test_after_a_reboot_everything_is_where_it_was(machine, berth, installed):
    enter(machine, installed, "echo kept >~/note").ok()
    berth("run", "-d", "--name", "gone", IMAGE, "sleep", "1000").ok()
    before = workspaces(berth)
    machine.reboot()
    eventually(lambda: berth("ls").rc == 0, 60 * machine.slowness, "the portal answers")
    assert workspaces(berth) == before
    # The same host key too: accept-new refuses another one.
    assert enter(machine, installed, "cat ~/note").ok().words == "kept"
    state = inspect(berth, "gone")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 255)
    berth("rm", "gone").ok()
    assert berth("doctor").rc == 0
    assert machine.sh("systemctl --failed --no-legend") == ""


@pytest.mark.parametrize("suite", SUITES)
def test_integration(machine, installed, suite, request):
    """The suites of tests/integration, run inside beside the live installation."""
    if machine.slowness > 1:
        pytest.skip("an emulated machine would take hours")
    request.getfixturevalue("cache")
    script = (f"cd /root/berth && BERTH_BUILD=/root/build /usr/bin/python3 -m pytest -p no:cacheprovider -q --tb=short "
              f"tests/integration/test_{suite}.py")
    machine.sh("mkdir -p /root/build/bin && cp -n /usr/local/bin/berth /usr/local/lib/berth/berth-* /root/build/bin/")
    done = machine("bash", "-c", script, timeout=1500)
    assert done.rc == 0, done.out[-8000:]


def test_uninstall_leaves_nothing(machine, installed):
    machine("/root/berth/scripts/uninstall", "--data", timeout=120).ok()
    assert machine.sh("ls /sys/fs/cgroup | grep -c berth || true") == "0"
    assert machine.sh("ip -o link | grep -c berth || true") == "0"
    assert machine.sh("nft list tables | grep -c berth || true") == "0"
    assert machine.sh("pgrep -fc berth- || true") == "0"
