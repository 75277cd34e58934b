"""Judge: docker's clients, verb by verb, on Docker's own engine and on Berth's; and the berth command by docker's name
on Berth's engine beside the newest of those clients on Docker's."""
import functools
import pathlib
import re
import shlex

import pytest

from dockerd import Dockerd
from support.client import Client, docker_programs
from support.engine import build_dir

CLI = pathlib.Path(__file__).parent / "cli"
# All talk this version, so that none says more because its engine is newer.
API_VERSION = {"DOCKER_API_VERSION": "1.41"}
occurred = set()


@functools.cache
def cases():
    """{name: [(command line, standard input or None)]}"""
    found = {}
    for line in (CLI / "cases").read_text().splitlines():
        if line.startswith("== "):
            commands = found[line[3:]] = []
        elif line and not line.startswith("#"):
            words, _, text = line.partition(" <<< ")
            commands.append((words, f"{text}\n".encode() if text else None))
    return found


@functools.cache
def differences():
    """[(line of the file, client or "", case, beginning of the command line)]"""
    found = []
    for line in (CLI / "differences").read_text().splitlines():
        if line and not line.startswith("#"):
            what = line.split(" # ", 1)[0].strip()
            client, separator, rest = what.partition(": ")
            if not separator or " / " in client:
                client, rest = "", what
            case, command = rest.split(" / ", 1)
            found.append((line, client, case, command))
    return found


def is_listed(client, case, command):
    lines = [line for line, who, where, start in differences()
             if who in ("", client) and where == case and command.startswith(start)]
    occurred.update(lines)
    return bool(lines)


def same_shape(text):
    """Without what differs from one engine to the next: ids, times, made-up names, sizes of tables."""
    for pattern, word in [
        (r"\b[0-9a-f]{64}\b", "<id>"), (r"\b[0-9a-f]{12}\b", "<short>"), (r"/tmp/b[dt]-[^/\s\"]+/[\w/.]*sock", "<socket>"),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4} \w+|Z)?", "<time>"),
        (r"\b(\d+|About an?|Less than a) (second|minute|hour)s?\b", "<age>"),
        (r"endpoint \w+", "endpoint <name>"), (r" {2,}", "  "), (r"\bv1\.\d\d\b", "v1.N"),
    ]:
        text = re.sub(pattern, word, text)
    return text


def shape_of(words, result):
    lines = same_shape(result.out).splitlines()
    # Images of the same date come in any order.
    return sorted(lines) if words[0] in ("images", "image") else lines, same_shape(result.err), result.rc


def clients():
    return [*(f"docker-{version}" for version in sorted(docker_programs(), key=int)), "berth"]


@pytest.fixture(scope="module")
def dockerd(archives):
    programs = docker_programs()
    if not programs:
        pytest.skip("no Docker client is installed")
    daemon = Dockerd(programs[max(programs, key=int)])
    try:
        daemon.start()
    except RuntimeError as problem:
        pytest.skip(str(problem))
    client = Client("docker", daemon.client, daemon.host)
    for archive in archives.values():
        client("load", input=archive, timeout=120).ok()
    yield daemon
    daemon.destroy()


@pytest.fixture(scope="module", params=clients())
def pair(request, engine, dockerd, tmp_path_factory):
    """(the client on Berth's engine, a Docker client on Docker's)"""
    programs = docker_programs()
    if request.param != "berth":
        program = programs[request.param.split("-")[1]]
        return Client(request.param, program, engine.host), Client(request.param, program, dockerd.host)
    link = tmp_path_factory.mktemp("bin") / "docker"
    link.symlink_to(build_dir() / "berth")
    return Client("berth", link, engine.host), Client("docker", dockerd.client, dockerd.host)


def clear(client):
    names = client("ps", "-aq", env=API_VERSION).out.split()
    if names:
        client("rm", "-f", "-v", *names, env=API_VERSION)
    for kind in ("volume", "network"):
        left = client(kind, "ls", "-q", "--filter", "name=sxs", env=API_VERSION).out.split()
        if left:
            client(kind, "rm", *left, env=API_VERSION)


@pytest.mark.parametrize("case", cases())
def test_same_words_same_answers(pair, case):
    ours, theirs = pair
    unlisted = []
    try:
        for command, text in cases()[case]:
            words = shlex.split(command)
            results = [client(*words, input=text, env=API_VERSION, timeout=180) for client in pair]
            shapes = [shape_of(words, result) for result in results]
            if shapes[0] != shapes[1] and not is_listed(ours.name, case, command):
                unlisted.append(f"docker {command}\n  berth:  {shapes[0]}\n  docker: {shapes[1]}")
    finally:
        clear(ours)
        clear(theirs)
    assert not unlisted, "\n" + "\n".join(unlisted)


def test_every_listed_difference_occurred(pair):
    """Runs after the cases of each client; the last one knows of all."""
    if pair[0].name != clients()[-1]:
        pytest.skip("other clients are still to come")
    stale = [line for line, *_ in differences() if line not in occurred]
    assert not stale, "take these off the list:\n" + "\n".join(stale)
