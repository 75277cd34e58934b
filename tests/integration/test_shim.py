"""berth-shim by its protocol (docs/design/shim.md): the test is the engine, the runtimes are real, the root is one
static busybox."""
import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import tempfile
import time

import pytest

from support import leaks
from support.engine import build_dir
from support.process import eventually
from support.shim import CGROUP_PARENT, IDS, RUN, USERNS_BASE, Shim, make_root, pss, read_all, read_fields, read_until, unframe

RUNTIMES = ["/usr/bin/crun", "/usr/sbin/runc"]
both_runtimes = pytest.mark.parametrize("runtime", RUNTIMES, ids=["crun", "runc"])
SANITIZED = "asan" in os.environ.get("BERTH_BUILD", "")


@pytest.fixture(autouse=True, scope="module")
def nothing_is_left():
    """After the suite no new mount is there, and no process or control group of this run is left."""
    mounts = leaks.mounts()
    yield
    assert leaks.mounts() <= mounts
    eventually(lambda: not any(names_suite(p) for p in os.listdir("/proc") if p.isdigit()), 5, "no process is left")
    groups = leaks.control_groups(CGROUP_PARENT)
    assert [group for group in groups if RUN in group] == []
    for group in groups:
        try:
            os.rmdir(group.removeprefix("cgroup "))  # the parent, unless another run uses it
        except OSError:
            pass


def names_suite(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() + pathlib.Path(f"/proc/{pid}/cgroup").read_bytes()
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return int(pid) != os.getpid() and state != "Z" and RUN.encode() in text


@pytest.fixture
def shim():
    """Makes shims and destroys them after the test."""
    made = []

    def make(*arguments, **options):
        made.append(Shim(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.destroy()


@pytest.fixture
def folder():
    """A directory that a stranger may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix=f"{RUN}data-", dir="/tmp") as path:
        os.chmod(path, 0o755)
        yield pathlib.Path(path)


def sh(script):
    return ["sh", "-c", script]


def stream_pair():
    """Two ends of a stream; reading the first does not wait for ever."""
    mine, its = socket.socketpair()
    mine.settimeout(20)
    return mine, its


# Start and exit


@both_runtimes
def test_exit_status_is_on_disk_before_it_is_told(shim, runtime):
    s = shim(sh("exit 7"), runtime=runtime)
    answer = s.start()
    assert int(answer["pid"]) > 1
    event = s.peer.event("exit")
    kept = read_fields(s.exit_file)
    assert (event["code"], event["signal"]) == ("7", "0")
    assert {k: kept[k] for k in ("code", "signal", "time")} == {k: event[k] for k in ("code", "signal", "time")}
    assert abs(int(event["time"]) / 1e9 - time.time()) < 60
    s.leaves()
    assert not (s.root / "control").exists()


@both_runtimes
def test_a_container_that_ends_before_the_runtime_has_returned(shim, runtime):
    for _ in range(5):
        s = shim(["true"], runtime=runtime)
        assert s.run()["code"] == "0"


def test_start_time_names_the_process(shim):
    s = shim(["cat"], open_stdin=1)
    answer = s.start()
    fields = pathlib.Path(f"/proc/{answer['pid']}/stat").read_text().rsplit(")", 1)[1].split()
    assert answer["start_time"] == fields[19]
    assert (s.root / "pid").read_text().strip() == answer["pid"]
    status = s.peer.ok("status")
    assert (status["pid"], status["start_time"]) == (answer["pid"], answer["start_time"])
    assert (status["state"], status["running"]) == ("running", "1")
    s.peer.ok("close-stdin")
    assert s.exits()["code"] == "0"


@both_runtimes
def test_signal(shim, runtime):
    s = shim(sh("trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.05; done"), runtime=runtime)
    stream = s.peer.attach("stdout=1")
    s.start()
    read_until(stream, b"ready\n")
    s.peer.ok("signal", f"signal={int(signal.SIGUSR1)}")
    assert read_all(stream) == b"got it\n"
    assert s.exits()["code"] == "3"


def test_killed_by_a_signal(shim):
    s = shim(["sleep", "100"])
    s.start()
    s.peer.ok("signal", "signal=9")
    event = s.exits()
    assert (event["code"], event["signal"]) == ("137", "9")


def test_shim_outlives_signals_meant_for_others(shim):
    s = shim(["cat"], open_stdin=1)
    s.start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT):
        s.process.send_signal(number)
    assert s.peer.ok("status")["running"] == "1"
    s.peer.ok("close-stdin")
    s.exits()


def test_container_does_not_inherit_the_shims_signals_or_descriptors(shim):
    s = shim(sh("cat /proc/self/status; ls -l /proc/self/fd"))
    s.run()
    text = s.log_text()
    assert re.search(r"^SigIgn:\t0+$", text, re.M) and re.search(r"^SigBlk:\t0+$", text, re.M), text
    descriptors = re.findall(r" (\d+) -> ", text)
    assert set(descriptors) <= {"0", "1", "2", "3"}, text  # 3 is ls reading the directory


# Failures


@both_runtimes
def test_the_runtimes_own_words_reach_the_engine(shim, runtime):
    s = shim(["/no/such/program"], runtime=runtime)
    values = s.fails_to_start()
    assert values["stage"] == "runtime"
    assert "/no/such/program" in values["message"] and "o such file" in values["message"]
    assert not s.log_path.exists() or s.log_path.read_text() == ""


def test_a_missing_runtime(shim):
    values = shim(["true"], runtime="/no/such/runtime").fails_to_start()
    assert (values["stage"], values["errno"]) == ("runtime", "2")
    assert "/no/such/runtime" in values["message"]


def fake_runtime(folder, script):
    path = folder / "runtime"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return str(path)


def test_a_runtime_that_hangs_is_ended(shim, folder):
    # What it has started is ended with it: the suite's last check would see the tail.
    runtime = fake_runtime(folder, f"tail -f {folder}/runtime & wait\n")
    values = shim(["true"], runtime=runtime, runtime_timeout=1).fails_to_start()
    assert "did not answer within 1 s" in values["message"]


def test_a_runtime_that_dies_without_a_log(shim, folder):
    runtime = fake_runtime(folder, "echo libfoo.so.1: cannot open shared object file >&2; exit 127\n")
    assert "libfoo.so.1" in shim(["true"], runtime=runtime).fails_to_start()["message"]
    runtime = fake_runtime(folder, "exit 3\n")
    assert "said nothing" in shim(["true"], runtime=runtime).fails_to_start()["message"]


def test_a_file_system_that_cannot_be_idmapped_is_named(shim):
    s = shim(["true"], binds=[("/sys/kernel", "/data", True, False)])
    values = s.fails_to_start()
    assert values["stage"] == "mount"
    for text in ("/sys/kernel", "sysfs", "cannot be idmapped", "--userns=host"):
        assert text in values["message"]


def test_a_missing_bind_source_is_named(shim):
    values = shim(["true"], binds=[("/no/such/source", "/data", True, False)]).fails_to_start()
    assert (values["stage"], values["errno"]) == ("mount", "2")
    assert "/no/such/source" in values["message"]


def test_bad_requests_are_answered(shim):
    s = shim(["cat"], open_stdin=1)
    assert "unknown request" in s.peer.refused("fly")["message"]
    assert s.peer.refused("network-ready")["errno"] == "22"
    assert s.peer.refused("signal", "signal=15")["errno"] == "3"
    assert s.peer.refused("attach", "stdout=1")["errno"] == "9"
    assert s.peer.refused("exec", "id=a", "process=/x")["errno"] == "3"
    s.start()
    assert s.peer.refused("start")["errno"] == "114"
    assert s.peer.refused("shutdown")["errno"] == "16"
    assert s.peer.refused("signal", "signal=9", "exec=none")["errno"] == "2"
    assert s.peer.refused("signal", "signal=9999")["errno"] == "22"
    for bad in ("", "../up", "a/b", ".", "x" * 129):
        assert s.peer.refused("exec", f"id={bad}", "process=/x")["errno"] == "22"
    s.peer.sock.send(b"no end")
    assert s.peer.receive()[0] == "error"
    s.peer.ok("close-stdin")
    s.exits()


@pytest.mark.parametrize("content", [b"", b"id=x\0", b"nonsense=1\0", b"id=x"], ids=["empty", "short", "unknown", "cut"])
def test_a_bad_configuration_is_refused(folder, content):
    (folder / "conf").write_bytes(content)
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with mine, its:
        done = subprocess.run([build_dir() / "berth-shim", folder / "conf"], stdin=subprocess.DEVNULL, timeout=10,
                              capture_output=True, text=True, check=False, pass_fds=[3],
                              preexec_fn=lambda: os.dup2(its.fileno(), 3))
    assert done.returncode == 1 and done.stderr.startswith(f"berth-shim: {folder}/conf: ")


# Streams


def test_stdin_is_byte_exact(shim):
    data = os.urandom(3 << 20)
    s = shim(["cat"], open_stdin=1, stdin_once=1, log_driver="none")
    stream = s.peer.attach("stdin=1", "stdout=1", "stderr=1")
    s.start()
    got = exchange(stream, data)
    assert got == data
    assert s.exits()["code"] == "0"


def exchange(stream, data):
    """Sends data and half-closes, reading all the time."""
    stream.setblocking(False)
    parts, sent = [], 0
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if sent < len(data):
            try:
                sent += stream.send(data[sent:sent + (1 << 16)])
            except BlockingIOError:
                pass
            if sent == len(data):
                stream.shutdown(socket.SHUT_WR)
        try:
            part = stream.recv(1 << 16)
        except BlockingIOError:
            continue
        if not part:
            return b"".join(parts)
        parts.append(part)
    raise AssertionError(f"no end of the stream: {sent} of {len(data)} sent, {sum(map(len, parts))} received")


def test_framed_and_raw_streams_side_by_side(shim):
    s = shim(sh("echo out; echo err >&2; sleep 0.1; printf more"))
    framed = s.peer.attach("stdout=1", "stderr=1", "framed=1")
    only_err = s.peer.attach("stderr=1", "framed=1")
    raw = s.peer.attach("stdout=1")
    s.start()
    assert unframe(read_all(framed)) == {1: b"out\nmore", 2: b"err\n"}
    assert unframe(read_all(only_err)) == {1: b"", 2: b"err\n"}
    assert read_all(raw) == b"out\nmore"
    s.exits()


def test_a_peer_that_closes_at_once_still_has_its_input_read(shim):
    s = shim(["wc", "-c"], open_stdin=1, stdin_once=1)
    stream = s.peer.attach("stdin=1")
    stream.sendall(b"x" * 100_000)
    stream.close()
    s.run()
    assert s.log_text() == "100000\n"


def test_input_outlives_a_stream_without_stdin_once(shim):
    s = shim(["cat"], open_stdin=1, stdin_once=0)
    first = s.peer.attach("stdin=1", "stdout=1")
    s.start()
    first.sendall(b"one\n")
    read_until(first, b"one\n")
    first.close()
    second = s.peer.attach("stdin=1", "stdout=1")
    second.sendall(b"two\n")
    assert read_until(second, b"two\n") == b"two\n"
    s.peer.ok("close-stdin")
    assert read_all(second) == b""
    s.exits()


def test_a_slow_reader_stops_the_output_and_loses_nothing(shim):
    total = 6 << 20
    s = shim(sh(f"yes 0123456 | head -c {total}; echo done >&2"), log_driver="none")
    slow = s.peer.attach("stdout=1")
    told = s.peer.attach("stderr=1")
    s.start()
    before = pss(s.process.pid)
    told.settimeout(0.7)
    with pytest.raises(TimeoutError):
        told.recv(1)
    if not SANITIZED:
        assert pss(s.process.pid) < before + 400, "a reader that waits must not fill the shim"
    assert s.peer.ok("status")["running"] == "1"
    got = read_all(slow)
    assert len(got) == total and got == b"0123456\n" * (total // 8)
    assert s.exits()["code"] == "0"


def test_a_reader_that_left_stops_nobody(shim):
    s = shim(sh("yes | head -c 4000000; echo end"), log_driver="none")
    gone = s.peer.attach("stdout=1")
    stays = s.peer.attach("stdout=1")
    s.start()
    gone.recv(100)
    gone.close()
    assert read_all(stays).endswith(b"end\n")
    s.exits()


@pytest.fixture
def stuck(shim):
    """A container that has written 60,000 bytes, of which its reader has taken next to none."""
    s = shim(sh("yes 0123456 | head -c 60000; echo written >&2; sleep 100"), log_driver="none")
    stream = s.peer.attach("stdout=1", send_buffer=4096)
    told = s.peer.attach("stderr=1")
    s.start()
    read_until(told, b"written\n")
    yield s, stream
    stream.close(), told.close()


def test_a_reader_that_does_not_read_cannot_hold_the_exit(stuck):
    s, stream = stuck
    s.peer.ok("signal", "signal=9")
    assert s.peer.event("exit")["code"] == "137"
    assert s.process.poll() is None, "the rest of the output waits for its reader"
    assert read_all(stream) == b"0123456\n" * 7500
    s.leaves()


def test_output_left_in_the_pipe_is_delivered_though_another_holds_it(shim):
    # A process of the host's pid namespace survives PID 1 with the pipe open.
    def host_pids(config):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "pid"]
        config["mounts"] = [m for m in config["mounts"] if m["type"] != "proc"]

    s = shim(sh("setsid sleep 3 & echo last words"), userns=False, config=host_pids)
    stream = s.peer.attach("stdout=1")
    start = time.monotonic()
    s.start()
    assert read_all(stream) == b"last words\n"
    s.exits()
    assert time.monotonic() - start < 2.5
    assert s.log_text() == "last words\n"
    eventually(lambda: not any(names_suite(p) for p in os.listdir("/proc") if p.isdigit()), 10, "the sleeper ends")


def test_a_peer_that_sends_for_ever_cannot_hold_the_exit(shim):
    s = shim(["true"], open_stdin=1)
    stream = s.peer.attach("stdin=1", "stdout=1")
    stream.setblocking(False)
    s.start()
    end = time.monotonic() + 15
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        while time.monotonic() < end:
            try:
                stream.send(b"x" * 65536)
            except BlockingIOError:
                pass
    assert s.exits()["code"] == "0"


def test_a_runtime_may_complain_beside_a_terminal(folder, shim):
    runtime = fake_runtime(folder, '/usr/bin/crun "$@"; code=$?; echo a warning >&2; echo more; exit $code\n')
    s = shim(["echo", "only this"], runtime=runtime, tty=True)
    assert s.run()["code"] == "0"
    assert s.log_text() == "only this\r\n"


def test_attach_is_refused_after_the_end(stuck):
    s, _ = stuck
    s.peer.ok("signal", "signal=9")
    s.peer.event("exit")
    mine, its = stream_pair()
    with mine, its:
        assert s.peer.refused("attach", "stdout=1", fds=[its.fileno()])["errno"] == "3"
    status = s.peer.ok("status")
    assert (status["state"], status["code"]) == ("exited", "137")
    s.peer.ok("shutdown")
    s.leaves(5)


# Terminals


def until_size(size):
    """A resize reaches a terminal that exists, and its process may have been quicker."""
    return f'until [ "$(stty size 2>/dev/null)" = "{size}" ]; do :; done; echo "is {size}"'


@both_runtimes
def test_terminal(shim, runtime):
    script = f'{until_size("33 111")}; read line; echo "<$line>"; {until_size("50 90")}; exit 4'
    s = shim(sh(script), runtime=runtime, tty=True, open_stdin=1)
    s.peer.ok("resize", "rows=33", "cols=111")
    stream = s.peer.attach("stdin=1", "stdout=1", "stderr=1")
    s.start()
    assert read_until(stream, b"is 33 111\r\n") == b"is 33 111\r\n", "a terminal's output has no frames"
    s.peer.ok("resize", "rows=50", "cols=90")
    stream.sendall(b"typed\n")
    assert read_all(stream) == b"typed\r\n<typed>\r\nis 50 90\r\n"
    assert s.exits()["code"] == "4"
    assert s.log_text("stdout").startswith("is 33 111\r\n")


@both_runtimes
def test_first_size_of_a_terminal(shim, runtime):
    def console_size(config):
        config["process"]["consoleSize"] = {"height": 21, "width": 43}

    s = shim(["stty", "size"], runtime=runtime, tty=True, config=console_size)
    s.run()
    assert s.log_text() == "21 43\r\n"
    s = shim(sh(until_size("21 43")), runtime=runtime, tty=True, rows=21, cols=43)
    assert s.run()["code"] == "0"


def test_a_terminal_that_nobody_holds_for_a_moment_goes_on(shim):
    """As an init system does with its console: every descriptor closed, later opened anew."""
    s = shim(sh("echo one; exec 0<&- 1>&- 2>&-; sleep 0.3; exec 1<>/dev/console; echo two"), tty=True)
    s.run()
    assert s.log_text() == "one\r\ntwo\r\n"


def test_a_terminal_carries_much_output_to_its_end(shim):
    s = shim(["seq", "1", "60000"], tty=True)
    s.run()
    assert s.log_text() == "".join(f"{i}\r\n" for i in range(1, 60001))


# Execs


@both_runtimes
def test_exec_relay(shim, runtime):
    s = shim(["cat"], runtime=runtime, open_stdin=1)
    s.start()
    data = os.urandom(300_000)
    mine, its = stream_pair()
    fields = s.exec_fields("e1", sh("cat; echo done >&2; exit 5"), stdio="relay", stdin=1, stdout=1, stderr=1, framed=1)
    answer = s.peer.ok(*fields, fds=[its.fileno()])
    its.close()
    assert os.path.exists(f"/proc/{answer['pid']}")
    assert unframe(exchange(mine, data)) == {1: data, 2: b"done\n"}
    event = s.peer.event("exec-exit")
    assert (event["id"], event["code"]) == ("e1", "5")
    assert read_fields(s.root / "exec-e1.exit")["code"] == "5"
    assert not list((s.root / "bundle").glob("exec-*"))
    assert s.log_path.read_text() == "", "the output of an exec is not the container's"
    s.peer.ok("close-stdin")
    s.exits()


@both_runtimes
def test_exec_direct_gives_the_socket_itself_to_the_process(shim, runtime):
    s = shim(["cat"], runtime=runtime, open_stdin=1)
    s.start()
    mine, its = stream_pair()
    with its:
        inode = f"socket:[{os.fstat(its.fileno()).st_ino}]"
        s.peer.ok(*s.exec_fields("d", sh("ls -l /proc/self/fd; cat"), stdio="direct"), fds=[its.fileno()])
    got = read_until(mine, b"2 -> ")
    assert got.count(inode.encode()) >= 2, got
    s.process.send_signal(signal.SIGSTOP)  # the shim is not in the path of the bytes
    try:
        mine.sendall(b"ping\n")
        read_until(mine, b"ping\n")
        mine.shutdown(socket.SHUT_WR)
        assert read_all(mine) == b""
    finally:
        s.process.send_signal(signal.SIGCONT)
    assert s.peer.event("exec-exit")["code"] == "0"
    s.peer.ok("close-stdin")
    s.exits()


def test_exec_direct_with_three_descriptors(shim, folder):
    s = shim(["cat"], open_stdin=1)
    s.start()
    (folder / "in").write_bytes(b"input")
    with open(folder / "in", "rb") as i, open(folder / "out", "wb") as o, open(folder / "err", "wb") as e:
        s.peer.ok(*s.exec_fields("d", sh("cat; echo bad >&2"), stdio="direct"), fds=[f.fileno() for f in (i, o, e)])
    s.peer.event("exec-exit")
    assert ((folder / "out").read_bytes(), (folder / "err").read_bytes()) == (b"input", b"bad\n")
    s.peer.ok("close-stdin")
    s.exits()


@both_runtimes
def test_exec_with_a_terminal(shim, runtime):
    s = shim(["cat"], runtime=runtime, open_stdin=1)
    s.start()
    mine, its = stream_pair()
    script = f'{until_size("9 8")}; read line; {until_size("70 60")}'
    fields = s.exec_fields("t", sh(script), True, stdio="relay", stdin=1, stdout=1, rows=9, cols=8)
    s.peer.ok(*fields, fds=[its.fileno()])
    its.close()
    read_until(mine, b"is 9 8\r\n")
    s.peer.ok("resize", "exec=t", "rows=70", "cols=60")
    mine.sendall(b"\n")
    assert read_all(mine).endswith(b"is 70 60\r\n")
    s.peer.event("exec-exit")
    s.peer.ok("close-stdin")
    s.exits()


def test_execs_side_by_side_signal_and_status(shim):
    s = shim(["cat"], open_stdin=1)
    s.start()
    for i in range(6):
        s.peer.ok(*s.exec_fields(f"e{i}", ["sleep", "100"], stdio="relay"))
    assert s.peer.refused(*s.exec_fields("e3", ["true"], stdio="relay"))["errno"] == "17"
    listed = s.peer.ok("status")["execs"]
    assert [entry.split(":")[0] for entry in listed] == [f"e{i}" for i in range(6)]
    s.peer.ok("signal", "exec=e2", "signal=9")
    event = s.peer.event("exec-exit")
    assert (event["id"], event["code"], event["signal"]) == ("e2", "137", "9")
    s.peer.ok("close-stdin")  # PID 1 ends, and takes the others with it
    s.exits()
    for i in (0, 1, 3, 4, 5):
        assert read_fields(s.root / f"exec-e{i}.exit")["code"] == "137"


@both_runtimes
def test_exec_of_a_missing_program(shim, runtime):
    s = shim(["cat"], runtime=runtime, open_stdin=1)
    s.start()
    mine, its = stream_pair()
    values = s.peer.refused(*s.exec_fields("m", ["/no/such"], stdio="relay", stdout=1, stderr=1), fds=[its.fileno()])
    its.close()
    assert "/no/such" in values["message"]
    assert read_all(mine) == b"", "the runtime's complaints are not the process's output"
    assert not (s.root / "exec-m.exit").exists()
    assert s.peer.ok(*s.exec_fields("m", ["true"], stdio="relay"))["pid"], "the id is free again"
    s.peer.event("exec-exit")
    s.peer.ok("close-stdin")
    s.exits()


def test_exec_ends_with_its_process_though_children_hold_the_pipe(shim):
    s = shim(["cat"], open_stdin=1)
    s.start()
    mine, its = stream_pair()
    s.peer.ok(*s.exec_fields("b", sh("sleep 50 & echo started"), stdio="relay", stdout=1), fds=[its.fileno()])
    its.close()
    assert read_all(mine) == b"started\n"
    s.peer.event("exec-exit")
    s.peer.ok("close-stdin")
    s.exits()


# The engine's death


def test_the_container_outlives_the_engine(shim):
    s = shim(sh("read line; echo got $line; exit 6"), open_stdin=1)
    answer = s.start()
    # An engine that is killed leaves nothing but closed descriptors.
    s.peer.close()
    second = s.connect()
    status = second.ok("status")
    assert (status["running"], status["pid"]) == ("1", answer["pid"])
    stream = second.attach("stdin=1", "stdout=1")
    third = s.connect()
    stream.sendall(b"hello\n")
    assert read_all(stream) == b"got hello\n"
    assert second.event("exit")["code"] == third.event("exit")["code"] == "6"
    s.leaves()
    second.close(), third.close()


def test_nobody_is_there_at_the_end(shim):
    s = shim(sh("sleep 0.2; echo bye; exit 8"))
    s.start()
    s.peer.close()
    s.leaves()
    assert read_fields(s.exit_file)["code"] == "8"
    assert s.log_text() == "bye\n"


def test_the_engine_dies_while_it_configures_the_network(shim):
    s = shim(["true"], netns="private")
    s.peer.ask("start")
    os.close(s.peer.event("netns")["fd"])
    assert s.peer.ok("status")["state"] == "network"
    s.peer.close()
    s.leaves()
    assert not s.exit_file.exists() and not (s.root / "pid").exists()


def test_a_kill_of_a_real_peer_process(shim):
    """The controlling process is killed with an attach and an exec open: the container must not notice."""
    s = shim(["cat"], open_stdin=1)
    s.start()
    script = ("import sys; sys.path.insert(0, sys.argv[1]); from support.shim import *\n"
              "sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); sock.connect(sys.argv[2])\n"
              "peer = Peer(sock); stream = peer.attach('stdin=1', 'stdout=1'); stream.sendall(b'x\\n')\n"
              "read_until(stream, b'x'); print('up', flush=True); peer.receive()\n")
    engine = subprocess.Popen(["/usr/bin/python3", "-c", script, os.path.dirname(__file__), s.root / "control"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert engine.stdout.readline() == b"up\n"
    engine.kill()
    engine.wait()
    engine.stdout.close()
    assert s.peer.ok("status")["running"] == "1"
    s.peer.ok("close-stdin")
    assert s.exits()["code"] == "0"


def test_a_peer_that_never_reads_is_dropped(shim):
    s = shim(["cat"], open_stdin=1)
    s.start()
    deaf = s.connect()
    deaf.sock.settimeout(0.2)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(100_000):
            try:
                deaf.ask("status")
            except TimeoutError:
                pass
    deaf.close()
    assert s.peer.ok("status")["running"] == "1"
    s.peer.ok("close-stdin")
    s.exits()


# Logs


def test_log_lines_are_dockers(shim):
    script = r"""printf 'plain\n"q" \\ <&> \t\r\001\177\n\xe2\x82\xac \xe2\x80\xa8 \xff\xc0\x80\n\nno end'; echo err >&2"""
    s = shim(["sh", "-c", script])
    s.run()
    lines = s.log_path.read_bytes().splitlines()
    records = [line for line in lines if b'"stderr"' not in line]
    stamp = rb'","stream":"stdout","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"\}'
    expected = [rb'plain\n', rb'\"q\" \\ \u003c\u0026\u003e \u0009\r\u0001' + b"\x7f" + rb'\n',
                "€ ".encode() + rb'\u2028 \ufffd\ufffd\ufffd\n', rb'\n', rb'no end']
    assert len(records) == len(expected)
    for record, text in zip(records, expected):
        assert re.fullmatch(re.escape(b'{"log":"' + text) + stamp, record), record
    assert s.log_text("stderr") == "err\n"
    stamps = [json.loads(line)["time"] for line in lines]
    assert stamps == sorted(stamps)
    assert stat.S_IMODE(s.log_path.stat().st_mode) == 0o640


def test_long_lines_are_split_as_docker_does(shim, folder):
    lengths = [16383, 16384, 16385, 50_000]
    (folder / "y").write_bytes(b"y" * 50_000)
    s = shim(sh("; ".join(f"head -c {n} /data/y; echo" for n in lengths)), binds=[(str(folder), "/data", True, True)])
    s.run()
    pieces = [len(r["log"]) for r in s.log_records()]
    assert pieces == [16384, 16384, 1, 16384, 2, 16384, 16384, 16384, 50_000 - 3 * 16384 + 1]
    assert s.log_text() == "".join("y" * n + "\n" for n in lengths)


def test_a_split_tears_no_character(shim, folder):
    text = "€" * 12_000
    (folder / "t").write_text(text + "\n")
    s = shim(["cat", "/data/t"], binds=[(str(folder), "/data", True, True)])
    s.run()
    assert s.log_text() == text + "\n"


def test_rotation(shim):
    s = shim(["seq", "1", "3000"], log_max_size=20_000, log_max_files=3)
    s.run()
    assert sorted(p.name for p in s.log_path.parent.iterdir()) == ["log", "log.1", "log.2"]
    numbers = [int(r["log"]) for suffix in (".2", ".1", "") for r in s.log_records(suffix)]
    assert numbers == list(range(numbers[0], 3001)) and numbers[0] > 1
    for suffix in (".1", ".2"):
        assert 20_000 <= os.path.getsize(f"{s.log_path}{suffix}") < 20_100


def test_rotation_of_a_single_file(shim):
    s = shim(["seq", "1", "3000"], log_max_size=20_000, log_max_files=1)
    s.run()
    assert [p.name for p in s.log_path.parent.iterdir()] == ["log"]
    numbers = [int(r["log"]) for r in s.log_records()]
    assert numbers == list(range(numbers[0], 3001)) and s.log_path.stat().st_size < 20_100


def test_a_full_disk_loses_lines_but_not_the_container(shim, folder):
    limit = ["prlimit", f"--fsize={1 << 20}"]  # a write beyond fails like one on a full disk
    s = shim(["seq", "1", "60000"], exec_prefix=limit)
    assert s.run()["code"] == "0"
    records = s.log_records()
    assert 0 < len(records) < 60_000 and s.log_path.stat().st_size <= 1 << 20
    assert s.stderr().count("berth-shim: write") >= 1


def test_no_log(shim):
    s = shim(["echo", "x"], log_driver="none")
    s.run()
    assert not s.log_path.exists()


# Namespaces and mounts


@both_runtimes
def test_ids_on_disk_stay_plain(shim, runtime):
    s = shim(sh("touch /new; chown 5:6 /new; echo x >> /etc/layer0; cat /proc/self/uid_map"), runtime=runtime, layers=3)
    assert s.run()["code"] == "0"
    new = os.stat(s.root / "upper/diff/new")
    copied = os.stat(s.root / "upper/diff/etc/layer0")
    assert (new.st_uid, new.st_gid, copied.st_uid) == (5, 6, 0)
    assert s.log_text().split() == ["0", str(USERNS_BASE), str(IDS)]
    assert (s.lower[0] / "etc/layer0").read_text() == "0\n"


def test_the_container_runs_as_its_own_ids(shim):
    s = shim(["cat"], open_stdin=1)
    pid = s.start()["pid"]
    assert os.stat(f"/proc/{pid}").st_uid == USERNS_BASE
    for kind in ("user", "mnt", "pid"):
        assert os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")
    s.peer.ok("close-stdin")
    s.exits()


def test_the_layers_are_stacked_and_the_upper_directory_is_kept(shim):
    s = shim(sh("cat /etc/layer0 /etc/layer1 /etc/layer2; echo kept > /kept; rm /etc/layer1"), layers=3)
    s.run()
    assert s.log_text() == "0\n1\n2\n"
    upper = s.root / "upper/diff"
    assert (upper / "kept").read_text() == "kept\n"
    assert stat.S_ISCHR(os.lstat(upper / "etc/layer1").st_mode)


def test_an_upper_directory_serves_again(shim):
    first = shim(sh("echo 1 > /kept; sleep 100"))
    first.start()
    eventually(lambda: (first.root / "upper/diff/kept").exists(), 10, "the file is written")
    first.process.kill()
    first.process.wait()
    # As the engine does when a shim is lost.
    subprocess.run([first.runtime, "--root", first.root / "runtime", "kill", first.id, "KILL"], check=True)
    pid = (first.root / "pid").read_text().strip()
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), 10, "the container is gone")
    for expected in ("1\n", "1\n2\n"):
        again = shim(sh("cat /kept; echo 2 >> /kept"), upper_dir=first.root / "upper")
        assert again.run()["code"] == "0"
        assert again.log_text() == expected


def test_many_layers(shim):
    s = shim(sh("cat /etc/layer0 /etc/layer126"), layers=127)
    s.run()
    assert s.log_text() == "0\n126\n"


@both_runtimes
def test_host_user_namespace(shim, runtime):
    s = shim(sh("touch /new; cat /proc/self/uid_map"), runtime=runtime, userns=False)
    assert s.run()["code"] == "0"
    assert s.log_text().split() == ["0", "0", "4294967295"]
    assert os.stat(s.root / "upper/diff/new").st_uid == 0


@both_runtimes
def test_a_root_without_layers(shim, runtime):
    s = shim(["true"], runtime=runtime, layers=0)
    os.rmdir(s.root / "upper/diff")
    make_root(s.root / "upper/diff")
    s.run()
    assert read_fields(s.exit_file)["code"] == "0"


@both_runtimes
def test_binds(shim, runtime, folder):
    (folder / "rw").mkdir()
    (folder / "ro").mkdir()
    (folder / "file").write_text("one file\n")
    os.chown(folder / "rw", 7, 7)
    binds = [(str(folder / "rw"), "/rw", True, False), (str(folder / "ro"), "/ro", True, True),
             (str(folder / "file"), "/file", True, True)]
    s = shim(sh("cat /file; stat -c %u /rw; echo x > /rw/x; touch /ro/x && exit 9; echo y > /file && exit 9; exit 0"),
             runtime=runtime, binds=binds)
    assert s.run()["code"] == "0"
    assert s.log_text("stdout") == "one file\n7\n"
    assert "Read-only" in s.log_text("stderr")
    assert os.stat(folder / "rw/x").st_uid == 0 and os.listdir(folder / "ro") == []


def test_a_bind_with_mounts_below_it(shim, folder):
    (folder / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", folder / "below"], check=True)
    try:
        (folder / "below/file").write_text("deep\n")
        # crun 1.8 does not take mounts below a bind into a user namespace.
        s = shim(sh("cat /data/below/file; touch /data/below/x && exit 9; exit 0"),
                 binds=[(str(folder), "/data", False, True)], runtime="/usr/sbin/runc")
        assert s.run()["code"] == "0"
        assert s.log_text("stdout") == "deep\n"
    finally:
        subprocess.run(["umount", folder / "below"], check=True)


@both_runtimes
def test_network_namespace(shim, runtime):
    s = shim(["ip", "-o", "addr"], runtime=runtime, netns="private")
    sequence = s.peer.ask("start")
    fd = s.peer.event("netns")["fd"]
    NS_GET_USERNS, NS_GET_OWNER_UID = 0xB701, 0xB704
    owner = fcntl.ioctl(fd, NS_GET_USERNS)
    assert os.fstat(owner).st_ino != os.stat("/proc/self/ns/user").st_ino
    assert os.fstat(fd).st_ino != os.stat("/proc/self/ns/net").st_ino
    assert not (s.root / "pid").exists(), "the container waits for its network"
    s.peer.ok("network-ready")
    assert s.peer.answer(sequence)[0] == "ok"
    assert s.exits()["code"] == "0"
    assert "127.0.0.1/8" in s.log_text()
    os.close(fd), os.close(owner)


def test_nothing_is_mounted_in_the_hosts_namespace(shim):
    before = leaks.mounts()
    s = shim(["cat"], open_stdin=1)
    s.start()
    assert leaks.mounts() <= before
    assert os.listdir(s.root / "mounts") == [] and os.listdir(s.root / "rootfs") == []
    s.peer.ok("close-stdin")
    s.exits()


def test_a_killed_shim_leaves_no_mount_and_its_streams_close(shim):
    s = shim(["cat"], open_stdin=1)
    pid = int(s.start()["pid"])
    s.process.kill()
    s.process.wait()
    with pytest.raises(EOFError):
        s.peer.receive()
    # cat reads the end of its input.
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), 10, "the container ends")


@pytest.mark.parametrize("step", ["created", "network", "starting"])
def test_a_shim_killed_while_it_starts_leaves_nothing(folder, shim, step):
    mounts = leaks.mounts()
    runtime = fake_runtime(folder, f"touch {folder}/runs; exec tail -f {folder}/runtime\n")
    s = shim(["true"], runtime=runtime, netns="private")
    assert s.peer.ok("status")["state"] == "created"
    if step != "created":
        s.peer.ask("start")
        os.close(s.peer.event("netns")["fd"])
        assert s.peer.ok("status")["state"] == "network"
    if step == "starting":
        s.peer.ok("network-ready")
        eventually((folder / "runs").exists, 10, "the runtime runs")
    s.process.kill()
    s.process.wait()
    assert leaks.mounts() <= mounts
    eventually(lambda: not any(names_suite(p) for p in os.listdir("/proc") if p.isdigit()), 5, "no process is left")


# Size


@pytest.mark.skipif(SANITIZED, reason="the sanitizers' own memory is many times the shim's")
def test_an_idle_shim_is_small(shim):
    s = shim(sh("yes $(seq 1 40) | head -c 5000000; echo ready >&2; cat"), open_stdin=1)
    told = s.peer.attach("stderr=1")
    s.start()
    read_until(told, b"ready\n")
    told.close()
    smallest = eventually(lambda: (size := pss(s.process.pid)) <= 300 and size, 10, "PSS of 300 KiB or less")
    assert smallest > 0
    s.peer.ok("close-stdin")
    s.exits()
