"""Verbs of the berth command that Docker's client has for the machine as a whole: contexts, df, prune, completion."""
import json
import os
import subprocess

import pytest

from support.client import docker_programs
from support.engine import build_dir
from support.process import run


def test_df(one_cli, engine, name):
    berth = engine.berth()
    berth("run", "--name", name, "busybox", "sh", "-c", "head -c 100000 /dev/zero > /x").ok()
    table = berth("system", "df").ok().out.splitlines()
    assert table[0].split() == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
    assert [line.split("  ")[0] for line in table[1:]] == ["Images", "Containers", "Local Volumes", "Build Cache"]
    rows = [json.loads(line) for line in berth("system", "df", "--format", "{{json .}}").ok().out.splitlines()]
    assert set(rows[0]) == {"Active", "Reclaimable", "Size", "TotalCount", "Type"} and rows[0]["Type"] == "Images"
    verbose = berth("system", "df", "-v").ok().out
    assert name in verbose and "Images space usage:" in verbose and "Build cache usage:" in verbose


def test_df_of_one_type(engine):
    status, body = engine.request("GET", "/system/df?type=volume")
    answer = json.loads(body)
    assert status == 200 and answer["Volumes"] is not None and answer["Images"] is None
    assert engine.request("GET", "/system/df?type=nosuch")[0] == 400


def test_system_prune(own_engine, archives):
    engine = own_engine().start()
    berth = engine.berth()
    berth("load", input=archives["busybox:latest"], timeout=120).ok()
    container = berth("create", "-v", "/anonymous", "busybox", "true").ok().words
    berth("volume", "create", "kept").ok()
    berth("network", "create", "unused").ok()
    asked = berth("system", "prune", "--volumes", input=b"n\n").ok()
    assert "all stopped containers" in asked.out and "[y/N]" in asked.out
    assert container in berth("ps", "-aq", "--no-trunc").out
    done = berth("system", "prune", "--volumes", input=b"y\n").ok().out
    assert container in done and "unused" in done and "Total reclaimed space:" in done
    assert berth("volume", "ls", "-q").ok().words == "kept"
    assert berth("images", "-q").ok().words
    berth("system", "prune", "-af").ok()
    assert not berth("images", "-q").ok().words
    berth("system", "prune", "--volumes", "--filter", "until=1h", "-f").fails(1, "until")


@pytest.mark.parametrize("verb", ["swarm", "service", "stack", "node", "secret", "config", "plugin", "checkpoint", "trust"])
def test_what_makes_no_sense_here_is_refused_in_a_sentence(verb):
    answer = run([build_dir() / "berth", verb, "ls"]).fails(1, f"berth {verb}: ")
    assert len(answer.err.splitlines()) == 1


def context_directory(path, host):
    """What `docker context create far --docker host=HOST` leaves."""
    meta = path / "contexts/meta/aa"
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({
        "Name": "far", "Metadata": {"Description": "another machine"},
        "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}))
    return {**{k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "BERTH_"))}, "DOCKER_CONFIG": str(path)}


def test_contexts(engine, tmp_path):
    env = context_directory(tmp_path, engine.host)
    berth = build_dir() / "berth"
    table = run([berth, "context", "ls"], env=env).ok().out.splitlines()
    assert table[0].split() == ["NAME", "DESCRIPTION", "DOCKER", "ENDPOINT", "ERROR"]
    assert table[1].startswith("default *") and table[2].split()[:3] == ["far", "another", "machine"]
    run([berth, "--context", "far", "ps"], env=env).ok()
    run([berth, "ps"], env={**env, "DOCKER_CONTEXT": "far"}).ok()
    assert run([berth, "context", "use", "far"], env=env).ok().out == "far\n"
    assert run([berth, "context", "show"], env=env).ok().out == "far\n"
    run([berth, "ps"], env=env).ok()
    shown = run([berth, "context", "inspect", "-f", "{{.Endpoints.docker.Host}}"], env=env).ok()
    assert shown.out == f"{engine.host}\n"
    run([berth, "context", "use", "default"], env=env).ok()
    assert run([berth, "context", "show"], env=env).ok().out == "default\n"


def test_contexts_that_are_not_there(tmp_path):
    env = context_directory(tmp_path, "unix:///nonexistent.sock")
    berth = build_dir() / "berth"
    run([berth, "context", "use", "near"], env=env).fails(1, 'context "near": context not found')
    run([berth, "--context", "near", "ps"], env=env).fails(1, 'context "near": context not found')
    run([berth, "--context", "far", "-H", "unix:///x", "ps"], env=env).fails(1, "cannot specify both")


def test_docker_reads_the_context_that_was_chosen(engine, tmp_path):
    programs = docker_programs()
    if not programs:
        pytest.skip("no Docker client is installed")
    env = {**os.environ, "DOCKER_CONFIG": str(tmp_path)}
    docker = programs[max(programs, key=int)]
    run([docker, "context", "create", "machine", "--docker", f"host={engine.host}"], env=env).ok()
    berth = build_dir() / "berth"
    run([berth, "context", "use", "machine"], env=env).ok()
    assert run([docker, "context", "show"], env=env).ok().out == "machine\n"
    run([berth, "ps"], env={k: v for k, v in env.items() if k not in ("DOCKER_HOST", "BERTH_HOST")}).ok()


def complete(*words, host=None):
    env = {**os.environ, **({"BERTH_HOST": host} if host else {})}
    return run([build_dir() / "berth", "__complete", *words], env=env).ok().out.split()


def test_completion_knows_verbs_flags_and_names(engine, name):
    engine.berth()("create", "--name", name, "busybox", "true").ok()
    assert complete("ru") == ["run"]
    assert {"df", "prune", "info"} <= set(complete("system", ""))
    assert "__complete" not in complete("") and "dial-stdio" not in complete("system", "")
    assert {"--all", "--filter", "--help"} <= set(complete("ps", "--"))
    assert complete("rm", name[:-2], host=engine.host) == [name]
    assert "busybox:latest" in complete("run", "--rm", "busy", host=engine.host)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_program(shell, tmp_path):
    link = tmp_path / "docker"
    link.symlink_to(build_dir() / "berth")
    script = run([link, "completion", shell]).ok().out
    assert "docker __complete" in script and "_@" not in script
    if shell == "bash":
        assert run(["bash", "-n", "-c", script]).rc == 0


def test_bash_completes(engine, tmp_path):
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    (bin_directory / "berth").symlink_to(build_dir() / "berth")
    script = ('source <(berth completion bash); COMP_WORDS=(berth sys); COMP_CWORD=1; COMP_LINE="berth sys"; '
              'COMP_POINT=${#COMP_LINE}; _berth; echo "${COMPREPLY[@]}"')
    env = {**os.environ, "PATH": f"{bin_directory}:{os.environ['PATH']}"}
    assert run(["bash", "-c", script], env=env).ok().out == "system\n"


def test_dial_stdio(engine):
    process = subprocess.run([build_dir() / "berth", "-H", engine.host, "system", "dial-stdio"], capture_output=True,
                             input=b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", timeout=30)
    assert process.returncode == 0 and process.stdout.startswith(b"HTTP/1.1 200 OK") and process.stdout.endswith(b"OK")
    run([build_dir() / "berth", "-H", "unix:///nonexistent.sock", "system", "dial-stdio"]).fails(1, "/nonexistent.sock")


def test_every_verb_of_docker_is_there_or_refused():
    """Each verb that Docker's client lists, found by its own --help."""
    programs = docker_programs()
    if not programs:
        pytest.skip("no Docker client is installed")
    env = {**os.environ, "DOCKER_CONFIG": "/nonexistent"}
    text = run([programs[max(programs, key=int)], "--help"], env=env).ok().out
    verbs = [line.split()[0].rstrip("*") for line in text.splitlines() if line.startswith("  ") and line[2].isalpha()]
    assert len(verbs) > 40
    absent = [verb for verb in verbs if "unknown command" in run([build_dir() / "berth", verb, "--help"]).err]
    assert not absent
