"""exec and attach: what goes in comes out, with the right status, user and place."""
import os
import subprocess
import threading

import pytest

from support.engine import External
from support.process import eventually
from test_run import on_terminal, read_until

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def box(cli, name):
    cli("run", "-d", "--name", name, "-e", "FROM_RUN=yes", "-w", "/tmp", "busybox", "sleep", "300").ok()
    return name


class TestExec:
    @pytest.mark.parametrize("status", [0, 1, 7, 126, 127, 255])
    def test_exit_status(self, cli, box, status):
        assert cli("exec", box, "sh", "-c", f"exit {status}").rc == status

    def test_a_killed_one(self, cli, box):
        assert cli("exec", box, "sh", "-c", "kill -9 $$").rc == 137

    def test_streams(self, cli, box):
        result = cli("exec", box, "sh", "-c", "echo out; echo err >&2").ok()
        assert (result.stdout, result.stderr) == (b"out\n", b"err\n")

    def test_stdin_byte_for_byte(self, cli, box):
        data = os.urandom(1_000_000)
        assert cli("exec", "-i", box, "cat", input=data).ok().stdout == data

    def test_environment_directory_and_user(self, cli, box):
        assert cli("exec", box, "sh", "-c", "echo $FROM_RUN; pwd; id -u").ok().out == "yes\n/tmp\n0\n"
        result = cli("exec", "-e", "MORE=1", "-w", "/home", "-u", "worker", box, "sh", "-c", "echo $MORE; pwd; id")
        assert result.ok().out == "1\n/home\nuid=1000(worker) gid=1000(worker) groups=1000(worker),1001(extra)\n"
        assert cli("exec", "-u", "1234:99", box, "sh", "-c", "id -u; id -g").ok().out == "1234\n99\n"

    def test_home_is_the_users(self, cli, box):
        assert cli("exec", box, "sh", "-c", "echo $HOME").ok().words == "/root"
        assert cli("exec", "-u", "worker", box, "sh", "-c", "echo $HOME").ok().words == "/home/worker"

    def test_a_terminal(self, cli, box):
        process, terminal = on_terminal(cli, "exec", "-it", box, "sh")
        try:
            read_until(terminal, b"# ")
            os.write(terminal, b"echo $((6*7)) $(stty size) $(tty)\n")
            read_until(terminal, b"42 33 101 /dev/pts/")
            os.write(terminal, b"exit 4\n")
            assert process.wait(20) == 4
        finally:
            process.kill()
            process.wait()
            os.close(terminal)

    def test_detached_prints_nothing(self, cli, box):
        result = cli("exec", "-d", box, "sh", "-c", "echo done >/tmp/flag; sleep 0.1").ok()
        assert (result.stdout, result.stderr) == (b"", b"")
        eventually(lambda: cli("exec", box, "cat", "/tmp/flag").out == "done\n")

    def test_many_at_once(self, cli, box):
        started = [cli.start("exec", "-i", box, "sh", "-c", f"cat; exit {n}") for n in range(8)]
        for n, process in enumerate(started):
            out, _ = process.communicate(b"%d" % n, timeout=30)
            assert (out, process.returncode) == (b"%d" % n, n)

    def test_it_ends_with_the_container(self, cli, box):
        process = cli.start("exec", box, "sleep", "100")
        eventually(lambda: "sleep 100" in cli("exec", box, "ps").out)
        cli("kill", box).ok()
        assert process.wait(20) == 137
        process.communicate()

    @pytest.mark.parametrize("words, rc, text", [
        (["nosuchcommand"], 127, 'exec: "nosuchcommand": executable file not found in $PATH'),
        (["/etc/passwd"], 126, "permission denied"),
    ])
    def test_a_command_that_cannot_start(self, cli, box, words, rc, text, any_engine):
        result = cli("exec", box, *words)
        if isinstance(any_engine, External):
            rc = result.rc if result.rc == 126 else rc  # up to 20.10 every such failure is 126
        assert result.rc == rc, result.describe()
        assert text in result.out + result.err

    def test_a_directory_that_is_not_there(self, cli, box):
        result = cli("exec", "-w", "/nowhere", box, "true")
        assert result.rc in (126, 127), result.describe()
        assert 'chdir to cwd ("/nowhere") set in config.json failed: no such file or directory' in result.out + result.err

    def test_an_unknown_user(self, cli, box):
        result = cli("exec", "-u", "nobodyhere", box, "true")
        assert result.rc != 0, result.describe()
        assert "unable to find user nobodyhere: no matching entries in passwd file" in result.out + result.err

    def test_on_a_stopped_one(self, cli, name):
        id = cli("create", "--name", name, "busybox", "true").ok().words
        result = cli("exec", name, "true").fails(1, "is not running")
        assert id in result.err

    def test_its_processes_are_in_the_container(self, cli, box):
        seen = cli("exec", box, "ps", "-o", "pid,comm").ok().out
        assert seen.split()[2:4] == ["1", "sleep"]


class TestAttach:
    def test_shows_what_comes_and_ends_with_the_status(self, cli, name):
        cli("run", "-d", "-i", "--name", name, "busybox", "sh", "-c", "read line; echo got $line; exit 6").ok()
        process = cli.start("attach", name)
        process.stdin.write(b"hello\n")
        process.stdin.flush()
        assert process.stdout.read() == b"got hello\n"
        process.stdin.close()
        assert process.wait(20) == 6

    def test_without_stdin(self, cli, name):
        cli("run", "-d", "--name", name, "busybox", "sh", "-c", "sleep 0.5; echo late; sleep 0.2").ok()
        assert cli("attach", "--no-stdin", name).ok().out == "late\n"

    def test_two_at_once_see_the_same(self, cli, name):
        cli("run", "-d", "--name", name, "busybox", "sh", "-c", "sleep 1.5; seq 1 20000").ok()
        both = [cli.start("attach", "--no-stdin", name, stdin=subprocess.DEVNULL) for _ in range(2)]
        texts = [None, None]

        def collect(n):
            texts[n] = both[n].communicate(timeout=30)[0]

        threads = [threading.Thread(target=collect, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert texts[0] == texts[1] == b"".join(b"%d\n" % n for n in range(1, 20001))

    def test_to_a_stopped_one(self, cli, name):
        cli("create", "--name", name, "busybox", "true").ok()
        cli("attach", name).fails(1, "cannot attach to a stopped container, start it first")

    def test_a_reader_that_leaves_does_not_stop_the_writer(self, cli, name):
        cli("run", "-d", "--name", name, "busybox", "sh", "-c", "seq 1 300000; exit 2").ok()
        process = cli.start("attach", "--no-stdin", name, stdin=subprocess.DEVNULL)
        process.kill()
        process.communicate()
        assert cli("wait", name, timeout=60).ok().words == "2"
