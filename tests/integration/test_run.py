"""run: output, exit status, arguments, standard input, terminals; nothing is left (rows 1-5, 9, 11, 13, 19)."""
import concurrent.futures
import json
import os
import pty
import select
import signal
import time

import pytest

from support.process import eventually

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.mark.parametrize("status", [0, 1, 7, 42, 125, 126, 127, 255])
def test_the_exit_status_is_the_commands(cli, status):
    assert cli("run", "--rm", "busybox", "sh", "-c", f"exit {status}").rc == status


def test_the_exit_status_of_a_killed_command_is_128_and_the_signal(cli):
    assert cli("run", "--rm", "busybox", "sh", "-c", "(exec sh -c 'kill -9 $$'); exit $?").rc == 137
    assert cli("run", "--rm", "--init", "busybox", "sh", "-c", "kill -9 $$").rc == 137


def test_stdout_and_stderr_stay_apart(cli):
    result = cli("run", "--rm", "busybox", "sh", "-c", "echo to out; echo to err >&2").ok()
    assert (result.stdout, result.stderr) == (b"to out\n", b"to err\n")


def test_an_image_with_one_program_runs_its_own_command(cli):
    assert cli("run", "--rm", "bare").ok().stdout == b"Hello from a single program\n"


@pytest.mark.parametrize("words", [
    ["a b", "--version"], ["-c", "--", "-x"], ["", "two", ""], ["it's", '"quoted"', "back\\slash", "$HOME", "*"],
    ["umlaut ü", "snow ☃", "tab\there"], ["line\nbreak"], ["--help"], ["-it", "--rm", "--name=x"],
])
def test_arguments_arrive_unchanged(cli, words):
    result = cli("run", "--rm", "busybox", "sh", "-c", 'for word; do printf "%s\\0" "$word"; done', "sh", *words).ok()
    assert result.stdout == b"".join(word.encode() + b"\0" for word in words)


def test_printf_of_the_feature_table(cli):
    assert cli("run", "--rm", "busybox", "printf", "%s\\n", "a b", "--version").ok().out == "a b\n--version\n"


def test_a_long_argument_arrives_whole(cli):
    word = "x" * 100_000
    assert cli("run", "--rm", "busybox", "sh", "-c", 'echo ${#1}', "sh", word).ok().words == "100000"


@pytest.mark.parametrize("data", [b"", b"foo", b"foo\n", bytes(range(256)) * 300, os.urandom(3_000_000)],
                         ids=["empty", "no newline", "line", "all bytes", "3 MB"])
def test_standard_input_goes_through_byte_for_byte(cli, data):
    assert cli("run", "--rm", "-i", "busybox", "cat", input=data).ok().stdout == data


def test_without_i_the_command_reads_nothing(cli):
    assert cli("run", "--rm", "busybox", "cat", input=b"unread").ok().stdout == b""


def test_the_end_of_input_reaches_the_command(cli):
    assert cli("run", "--rm", "-i", "busybox", "sh", "-c", "cat >/dev/null; echo ended; exit 3", input=b"a\nb\n").rc == 3


def test_much_output_arrives_whole_and_in_order(cli):
    result = cli("run", "--rm", "busybox", "seq", "1", "200000").ok()
    assert result.stdout == b"".join(b"%d\n" % n for n in range(1, 200001))


def test_output_without_a_newline_at_its_end_is_kept(cli):
    assert cli("run", "--rm", "busybox", "printf", "no end").ok().stdout == b"no end"


def test_with_t_there_is_a_terminal(cli):
    result = cli("run", "--rm", "-t", "busybox", "tty").ok()
    assert result.out in ("/dev/pts/0\r\n", "/dev/console\r\n")


def test_without_t_there_is_none(cli):
    result = cli("run", "--rm", "busybox", "sh", "-c", "test -t 0 || test -t 1 || test -t 2 || echo none").ok()
    assert result.words == "none"


def read_until(descriptor, text, timeout=20):
    seen, end = b"", time.monotonic() + timeout
    while text not in seen:
        ready, _, _ = select.select([descriptor], [], [], max(0, end - time.monotonic()))
        assert ready, f"no {text!r} in {seen!r}"
        try:
            piece = os.read(descriptor, 65536)
        except OSError:
            piece = b""
        assert piece, f"the terminal ended before {text!r}: {seen!r}"
        seen += piece
    return seen


def on_terminal(cli, *words):
    """Starts the client on a new terminal of 33 x 101; returns (process, the terminal's other end)."""
    ours, theirs = pty.openpty()
    os.system(f"stty rows 33 cols 101 < {os.ttyname(theirs)}")
    process = cli.start(*words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    return process, ours


def test_an_interactive_terminal(cli):
    process, terminal = on_terminal(cli, "run", "--rm", "-it", "busybox", "sh")
    try:
        read_until(terminal, b"# ")
        os.write(terminal, b"echo $((6*7)) of $(stty size)\n")
        read_until(terminal, b"42 of 33 101")
        os.write(terminal, b"exit 9\n")
        assert process.wait(20) == 9
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def test_control_c_reaches_the_command(cli):
    process, terminal = on_terminal(cli, "run", "--rm", "-it", "busybox", "sh", "-c",
                                    "trap 'echo caught; exit 5' INT; echo ready; while :; do sleep 0.1; done")
    try:
        read_until(terminal, b"ready")
        os.write(terminal, b"\x03")
        read_until(terminal, b"caught")
        assert process.wait(20) == 5
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


def test_the_detach_keys_leave_the_container_running(cli, name):
    process, terminal = on_terminal(cli, "run", "-it", "--name", name, "busybox", "sh")
    try:
        read_until(terminal, b"# ")
        os.write(terminal, b"\x10\x11")
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(terminal)
    assert cli.inspect(name)["State"]["Running"] is True


def test_it_without_a_terminal_is_refused(cli):
    cli("run", "--rm", "-it", "busybox", "true", input=b"").fails(1, "the input device is not a TTY")


def test_a_signal_to_the_client_reaches_the_command(cli, name):
    process = cli.start("run", "--rm", "--name", name, "busybox", "sh", "-c",
                        "trap 'echo term; exit 6' TERM; echo ready; while :; do sleep 0.05; done")
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20) == (b"term\n", b"")
    assert process.returncode == 6


@pytest.mark.parametrize("words, rc, text", [
    (["nosuchcommand"], 127, 'exec: "nosuchcommand": executable file not found in $PATH'),
    (["/no/such/file"], 127, 'exec: "/no/such/file": stat /no/such/file: no such file or directory'),
    (["/etc/passwd"], 126, 'exec: "/etc/passwd": permission denied'),
])
def test_a_command_that_cannot_start(cli, name, words, rc, text):
    result = cli("run", "--name", name, "busybox", *words).fails(rc, text, "Error response from daemon: ")
    assert result.stdout == b""
    assert cli.inspect(name)["State"]["ExitCode"] == rc
    assert cli.inspect(name)["State"]["Status"] == "created"


def test_a_directory_as_command(cli):
    cli("run", "--rm", "busybox", "/etc").fails(126, 'exec: "/etc": ')


def test_rm_leaves_nothing(cli, name):
    cli("run", "--rm", "--name", name, "busybox", "sh", "-c", "exit 7")
    cli("inspect", name).fails(1, f"Error: No such object: {name}")
    assert name not in cli("ps", "-a").ok().out


def test_without_rm_it_is_kept_with_its_status(cli, name):
    assert cli("run", "--name", name, "busybox", "sh", "-c", "exit 7").rc == 7
    state = cli.inspect(name)["State"]
    assert (state["Status"], state["ExitCode"], state["Running"], state["OOMKilled"]) == ("exited", 7, False, False)


def test_ten_of_one_image_at_once(cli):
    def one(number):
        return cli("run", "--rm", "busybox", "sh", "-c", f"echo {number}; exit {number}", timeout=120)

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        results = list(pool.map(one, range(1, 11)))
    assert [(r.rc, r.words) for r in results] == [(n, str(n)) for n in range(1, 11)]


def test_one_name_twenty_times_in_a_row(cli, name):
    for _ in range(20):
        cli("run", "--rm", "--name", name, "busybox", "true").ok()


def test_detached_prints_the_id_and_goes_on(cli, name):
    result = cli("run", "-d", "--name", name, "busybox", "sleep", "60").ok()
    assert len(result.words) == 64 and set(result.words) <= set("0123456789abcdef")
    assert result.stderr == b""
    seen = cli.inspect(name)
    assert (seen["Id"], seen["State"]["Running"], seen["Name"]) == (result.words, True, "/" + name)


def test_cidfile(cli, name, tmp_path):
    path = tmp_path / "id"
    result = cli("run", "-d", "--cidfile", path, "--name", name, "busybox", "sleep", "60")
    if cli.is_berth and result.rc != 0:
        result.fails(125, "--cidfile")  # not offered, and said so
    else:
        assert path.read_text() == result.ok().words


def test_create_then_start_attached(cli, name):
    cli("create", "-i", "--name", name, "busybox", "sh", "-c", "cat; exit 4").ok()
    assert cli.inspect(name)["State"]["Status"] == "created"
    result = cli("start", "-a", "-i", name, input=b"through start\n")
    assert (result.rc, result.stdout) == (4, b"through start\n")


def test_an_exited_one_starts_again_with_its_files(cli, name):
    cli("run", "--name", name, "busybox", "sh", "-c", "echo x >>/count; wc -l </count").ok()
    for runs in (2, 3):
        assert cli("start", "-a", name).ok().words.strip() == str(runs)


def test_start_of_several(cli, names):
    first, second = names("a"), names("b")
    for name in (first, second):
        cli("create", "--name", name, "busybox", "sleep", "60").ok()
    assert cli("start", first, second).ok().out == f"{first}\n{second}\n"


def test_wait_prints_the_status(cli, name):
    cli("run", "-d", "--name", name, "busybox", "sh", "-c", "sleep 0.3; exit 11").ok()
    assert cli("wait", name).ok().out == "11\n"
    assert cli("wait", name).ok().out == "11\n"


def test_the_log_has_what_a_run_printed(cli, name):
    cli("run", "--name", name, "busybox", "sh", "-c", "echo one; echo two >&2; printf three").ok()
    result = cli("logs", name).ok()
    assert (result.stdout, result.stderr) == (b"one\nthree", b"two\n")


def test_stdout_is_clean_even_when_told_to_talk(cli):
    assert cli("run", "--rm", "busybox", "echo", "clean").ok().stdout == b"clean\n"


def test_version(cli):
    assert "ersion" in cli("--version").ok().out
    document = json.loads(cli("version", "--format", "{{json .}}").ok().out)
    assert document["Server"]["ApiVersion"].startswith("1.")


def test_a_client_that_dies_leaves_the_container_running(cli, name):
    process = cli.start("run", "--name", name, "busybox", "sh", "-c", "echo ready; sleep 60")
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()
    assert cli.inspect(name)["State"]["Running"] is True


def test_a_killed_client_with_rm_still_means_removal_later(cli, name):
    process = cli.start("run", "--rm", "--name", name, "busybox", "sh", "-c", "echo ready; sleep 60")
    assert process.stdout.readline() == b"ready\n"
    process.kill()
    process.wait()
    cli("kill", name).ok()
    eventually(lambda: cli("inspect", name).rc == 1, what="the container is gone")
