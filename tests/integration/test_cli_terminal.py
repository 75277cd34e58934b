"""run, exec and attach on a terminal: raw mode, sizes, detach keys, signals."""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import pytest

from conftest import make_client
from support.client import docker_programs

CTRL_C, DETACH = b"\x03", b"\x10\x11"


class Terminal:
    """One command on a pseudo-terminal of 30 lines of 100 columns."""

    def __init__(self, client, *words):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            time.sleep(0.05)  # the parent sets the size first
            os.execve(client.program, client.argv(*words), client.environment())
        self.resize(30, 100)
        self.before = termios.tcgetattr(self.fd)
        self.seen = b""
        self.after = None

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, timeout):
        """Takes what comes next; false at the end."""
        if not select.select([self.fd], [], [], timeout)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.seen += data
        return bool(data)

    def expect(self, text, timeout=20):
        end = time.monotonic() + timeout
        while text not in self.seen:
            assert time.monotonic() < end and self.read(0.2), f"{text!r} never came: {self.seen!r}"
        return self

    def type(self, data):
        os.write(self.fd, data)
        return self

    def wait(self, timeout=20):
        """The exit code; -N for a signal."""
        end = time.monotonic() + timeout
        while self.read(0.2):
            assert time.monotonic() < end, f"it goes on: {self.seen!r}"
        self.after = termios.tcgetattr(self.fd)
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


@pytest.fixture(params=["berth", *(f"docker-{version}" for version in sorted(docker_programs()))])
def cli(request, any_engine):
    """Every client in turn, the berth command at any engine too."""
    return make_client(request.param, any_engine.host)


@pytest.fixture
def shell(cli, name):
    """A container whose shell waits on a terminal, detached."""
    cli("run", "-dit", "--name", name, "busybox", "sh").ok()
    return name


def test_the_terminal_has_our_size_from_the_first_moment(cli):
    terminal = Terminal(cli, "run", "--rm", "-it", "busybox", "sh", "-c", "sleep 0.3; stty size; exit 5")
    assert terminal.wait() == 5
    assert b"30 100" in terminal.seen


def test_a_change_of_size_arrives(cli):
    terminal = Terminal(cli, "run", "--rm", "-it", "busybox", "sh").expect(b"# ")
    end = time.monotonic() + 20
    while b"41 111" not in terminal.seen:
        assert time.monotonic() < end, terminal.seen
        terminal.resize(40, 110)  # a client that was not watching yet is told again
        terminal.resize(41, 111)
        terminal.type(b"stty size\n").read(0.3)
    terminal.type(b"exit 3\n")
    assert terminal.wait() == 3
    assert terminal.after == terminal.before


def test_control_c_is_a_byte_for_the_container(cli):
    terminal = Terminal(cli, "run", "--rm", "-it", "busybox", "sh", "-c",
                        "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.05; done")
    terminal.expect(b"ready").type(CTRL_C)
    assert terminal.wait() == 4
    assert b"caught" in terminal.seen
    assert terminal.after == terminal.before


def test_a_signal_to_the_command_is_passed_on(cli):
    terminal = Terminal(cli, "run", "--rm", "-it", "busybox", "sh", "-c",
                        "trap 'echo asked; exit 9' TERM; echo ready; while :; do sleep 0.05; done")
    terminal.expect(b"ready")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.wait() == 9
    assert b"asked" in terminal.seen
    assert terminal.after == terminal.before


def test_detach_and_come_back(cli, name):
    first = Terminal(cli, "run", "-it", "--name", name, "busybox", "sh").expect(b"# ").type(DETACH)
    assert first.wait() == 0
    assert first.after == first.before
    assert cli.inspect(name)["State"]["Running"]
    second = Terminal(cli, "attach", name).type(b"\n").expect(b"# ").type(DETACH)
    assert second.wait() == 1
    assert b"read escape sequence" in second.seen
    third = Terminal(cli, "attach", name).type(b"\n").expect(b"# ").type(b"exit 6\n")
    assert third.wait() == 6
    assert third.after == third.before


def test_keys_of_ones_own(cli, shell):
    terminal = Terminal(cli, "attach", "--detach-keys", "ctrl-x,q", shell).type(b"\n").expect(b"# ")
    terminal.type(b"echo \x10\x11kept\n").expect(b"kept").type(b"\x18q")
    assert terminal.wait() == 1
    assert cli.inspect(shell)["State"]["Running"]


def test_exec_on_a_terminal(cli, shell):
    terminal = Terminal(cli, "exec", "-it", shell, "sh", "-c", "tty; until stty size | grep 30; do sleep 0.05; done; exit 8")
    assert terminal.wait() == 8
    assert b"/dev/pts/" in terminal.seen and b"30 100" in terminal.seen
    assert terminal.after == terminal.before


def test_start_attached(cli, name):
    cli("create", "-it", "--name", name, "busybox", "sh").ok()
    terminal = Terminal(cli, "start", "-ai", name).expect(b"# ").type(b"exit 7\n")
    assert terminal.wait() == 7


def test_a_command_that_is_killed_puts_the_terminal_back(cli, shell):
    if not cli.is_berth:
        pytest.skip("Docker's client leaves the terminal raw")
    terminal = Terminal(cli, "exec", "-it", shell, "sleep", "600")
    end = time.monotonic() + 20
    while termios.tcgetattr(terminal.fd) == terminal.before:
        assert time.monotonic() < end
        time.sleep(0.02)
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.wait() == 128 + signal.SIGTERM
    assert terminal.after == terminal.before


def test_without_a_terminal_there_is_none_to_give(cli):
    cli("run", "--rm", "-it", "busybox", "sh").fails(1, "the input device is not a TTY")
