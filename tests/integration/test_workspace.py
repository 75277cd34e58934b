"""Workspaces end to end: portal, engine, shim, guest tools, and OpenSSH's own clients."""
import concurrent.futures
import http.client
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess

import pytest

from support import leaks
from support.engine import Engine
from support.portal import Conversation, Portal, Ssh, guest_tools, milliseconds
from support.process import eventually, run

pytestmark = pytest.mark.skipif(bool(os.environ.get("BERTH_TEST_HOST")), reason="needs an engine of its own")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Private keys, whose public halves are beside them: the owner's and a stranger's."""
    directory = tmp_path_factory.mktemp("keys")
    made = {}
    for name in ("owner", "stranger"):
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", directory / name]).ok()
        made[name] = directory / name
    return made


@pytest.fixture(scope="module")
def workspace_engine(archives):
    engine = Engine(arguments=["--guest-tools", guest_tools(), "--portal-group", "nogroup"])
    engine.root.chmod(0o755)  # the portal is another account
    engine.start()
    try:
        for archive in archives.values():
            engine.berth()("load", input=archive, timeout=120).ok()
        yield engine
    finally:
        engine.destroy()


@pytest.fixture(scope="module")
def portal(workspace_engine, tmp_path_factory):
    portal = Portal(workspace_engine, tmp_path_factory.mktemp("portal")).start()
    yield portal
    portal.end()


@pytest.fixture(scope="module", autouse=True)
def no_leaks(workspace_engine, portal):
    """Workspaces leave nothing either, and no test leaves a volume that only a workspace's data would explain."""
    with leaks.nothing_left(workspace_engine):
        yield


@pytest.fixture(scope="module")
def debian_image(workspace_engine):
    from support import images
    try:
        path = images.debian_archive()
    except (RuntimeError, OSError) as error:
        pytest.skip(f"no Debian image could be made: {error}")
    workspace_engine.berth()("load", "-i", path, timeout=300).ok()
    return "debian:bookworm"


@pytest.fixture
def make(portal, keys, tmp_path):
    """Makes workspaces, which are removed after the test; answers (name, ssh)."""
    names = []

    def make_one(through=portal, **fields):
        name = "t" + secrets.token_hex(3)
        names.append(name)
        answer = through.create(name, keys["owner"], **fields).ok().json
        return name, Ssh(tmp_path, keys["owner"], answer["ssh"]["port"])

    yield make_one
    for name in names:
        portal.remove(name)


def processes(engine, name):
    """Command lines of the processes inside, without the one that looks."""
    listing = engine.berth()("exec", f"ws-{name}", "/.berth/bin/busybox", "ps", "-o", "args").ok().out.splitlines()[1:]
    return [line for line in listing if "busybox ps" not in line]


# --- waking ----------------------------------------------------------------------------------------------------------

def test_a_connection_wakes_a_stopped_workspace(make, portal):
    name, ssh = make()
    assert portal.show(name)["state"] == "stopped"
    assert ssh("id -un; pwd").ok().out == "user\n/home/user\n"
    assert portal.show(name)["state"] == "running"
    assert portal.show(name)["last_used"] is not None
    listed = {one["name"]: one for one in portal.get("/api/v1/workspaces").ok().json}[name]
    assert listed["last_used"] == portal.show(name)["last_used"]
    portal.act(name, "stop").ok()
    assert portal.show(name)["state"] == "stopped"
    assert ssh("echo", "awake").ok().out == "awake\n"


def test_many_first_connections_at_once_are_all_served(make):
    _, ssh = make()
    ssh("true").ok()  # the host key is known from here on
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        for number, done in enumerate(pool.map(lambda i: ssh("echo", str(i)), range(10))):
            assert done.ok().out == f"{number}\n"


def test_a_cold_start_with_many_connections_prepares_once(make):
    _, ssh = make()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for done in pool.map(lambda _: ssh("grep -c ^user: /etc/passwd"), range(6)):
            assert done.ok().out == "1\n"


def test_nothing_runs_when_nobody_is_there(make, workspace_engine):
    name, ssh = make()
    ssh("true").ok()
    eventually(lambda: processes(workspace_engine, name) == ["/.berth/bin/init -P"], 20, "only PID 1 is left")


def test_standard_output_is_only_the_command_s(make, portal):
    name, ssh = make()
    portal.act(name, "stop").ok()
    done = ssh("cat", input=bytes(range(256)) * 100).ok()
    assert done.stdout == bytes(range(256)) * 100
    assert done.stderr == b""


def test_the_exit_status_comes_back(make):
    _, ssh = make()
    assert ssh("exit 7").rc == 7


def test_banner_and_motd(make, debian_image):
    """A warning before the login; after it, for a terminal, what the workspace is made from."""
    _, ssh = make(image=debian_image)
    aloud = ["LogLevel=INFO" if word == "LogLevel=ERROR" else word for word in ssh.command("true")]
    shown = run(aloud).ok()
    assert "authorized people only" in shown.err and shown.out == ""
    terminal = ssh(options=("-tt",), input=b"exit\n").ok().out
    assert "made from debian:bookworm, built on 2024-01-01" in terminal, terminal
    assert "debian:bookworm" not in ssh("true").ok().out
    assert ssh("cat /etc/motd").ok().out.count("A workspace made from") == 1


# --- any image -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("image", ["busybox:latest", "bare:latest", "debian_image"])
def test_every_image_has_the_whole_of_ssh(make, request, image, tmp_path):
    if image == "debian_image":
        image = request.getfixturevalue(image)
    _, ssh = make(image=image)
    assert ssh("id -u; id -g").ok().out == "1000\n1000\n"

    data = os.urandom(300_000)
    here, back = tmp_path / "here", tmp_path / "back"
    here.write_bytes(data)
    for options in ((), ("-O",)):
        ssh.scp(here, f"{ssh.target}:there", options).ok()
        ssh.scp(f"{ssh.target}:there", back, options).ok()
        assert back.read_bytes() == data
        back.unlink()

    ssh.sftp(f"put {here} again\nrename again renamed\nget renamed {back}\n").ok()
    assert back.read_bytes() == data
    assert ssh("ls -l renamed").ok().out.split()[2] == "user"

    assert ssh("tty", options=["-tt"]).ok().out.startswith("/dev/pts/")
    ssh("/.berth/path/tmux -u new-session -d 'sleep 60'; /.berth/path/tmux ls", options=["-tt"]).ok()
    assert "1 windows" in ssh("/.berth/path/tmux ls").ok().out


def test_a_login_shell_finds_the_tools(make, debian_image):
    _, ssh = make(image=debian_image)
    script = b"command -v tmux; echo $LANG; exit\n"
    assert ssh(input=script, options=["-T"]).ok().out.splitlines()[-2:] == ["/.berth/path/tmux", "C.UTF-8"]


def test_programs_of_the_bundle_load_nothing_of_the_image(make, debian_image):
    _, ssh = make(image=debian_image)
    opened = ssh("LD_DEBUG=libs /.berth/bin/tmux -V 2>&1 | grep 'calling init'").ok().out
    assert opened
    assert all("/.berth/lib/" in line for line in opened.splitlines()), opened


# --- what a person sees ----------------------------------------------------------------------------------------------

def test_the_client_s_real_address(make, workspace_engine):
    name, ssh = make()
    done = ssh("echo $SSH_CONNECTION", options=["-b", "127.0.0.77"]).ok()
    client, _, server, port = done.out.split()
    assert (client, server, port) == ("127.0.0.77", "127.0.0.1", str(ssh.port))
    log = workspace_engine.berth()("logs", f"ws-{name}").ok()
    assert "Accepted publickey for user from 127.0.0.77" in log.out + log.err


def test_agent_forwarding(make, keys):
    _, ssh = make()
    agent = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    variables = dict(part.split("=") for part in (line.split(";")[0] for line in agent.splitlines()) if "=" in part)
    environment = {**os.environ, **variables}
    try:
        run(["ssh-add", "-q", keys["owner"]], env=environment).ok()
        script = 'test -S "$SSH_AUTH_SOCK" && stat -c %U "$SSH_AUTH_SOCK"'
        assert ssh(script, options=["-A"], env=environment).ok().out == "user\n"
        assert ssh('echo "<$SSH_AUTH_SOCK>"', env=environment).ok().out == "<>\n"
    finally:
        os.kill(int(variables["SSH_AGENT_PID"]), signal.SIGTERM)


def test_who_may_not_come_in(make, keys, tmp_path):
    _, ssh = make()
    ssh("true").ok()
    stranger = Ssh(tmp_path, keys["stranger"], ssh.port)
    assert "Permission denied (publickey)" in stranger("true").err
    for account in ("root", "sshd", "worker", "nobody"):
        ssh.target = f"{account}@127.0.0.1"
        assert "Permission denied (publickey)" in ssh("true").err


def test_tcp_is_not_forwarded(make):
    _, ssh = make()
    # To the workspace's own loopback, where somebody listens: sshd would reach it.
    ssh("/.berth/bin/busybox nc -ll -p 4000 -e /.berth/bin/busybox echo secret >/dev/null 2>&1 </dev/null &").ok()
    eventually(lambda: ssh("/.berth/bin/busybox nc 127.0.0.1 4000").out == "secret\n", 10, "the service answers inside")
    ssh(options=["-W", "127.0.0.1:4000"]).fails(255, "stdio forwarding failed")


def test_the_settings_of_sshd(make, workspace_engine):
    name, ssh = make()
    ssh("true").ok()
    shown = workspace_engine.berth()("exec", f"ws-{name}", "/.berth/bin/sshd", "-T", "-f", "/.berth/etc/sshd_config").ok()
    settings = dict(line.split(" ", 1) for line in shown.out.splitlines() if " " in line)
    expected = {
        "allowusers": "user", "permitrootlogin": "no", "passwordauthentication": "no", "pubkeyauthentication": "yes",
        "kbdinteractiveauthentication": "no", "hostbasedauthentication": "no", "allowagentforwarding": "yes",
        "allowtcpforwarding": "no", "permittunnel": "no", "x11forwarding": "no", "gatewayports": "no",
        "permituserenvironment": "no", "permituserrc": "no", "maxauthtries": "3", "logingracetime": "30",
        "authorizedkeysfile": "/etc/berth/authorized_keys",
    }
    assert {key: settings.get(key) for key in expected} == expected


# --- what stays ------------------------------------------------------------------------------------------------------

def test_files_and_host_keys_outlive_stop_and_replacement(make, portal, workspace_engine):
    name, ssh = make()
    ssh("echo mine > note; mkdir -m 700 .secret; touch /gone 2>/dev/null || touch /tmp/gone").ok()
    eventually(lambda: len(ssh.fingerprints()) == 2, 30, "both host keys are there")
    before, port = ssh.fingerprints(), ssh.port
    portal.act(name, "stop").ok()
    portal.act(name, "start").ok()
    assert ssh("cat note").ok().out == "mine\n"
    replaced = portal.act(name, "replace", {"image": "bare:latest", "memory": "256m"}).ok().json
    assert (replaced["image"], replaced["memory"], replaced["ssh"]["port"]) == ("bare:latest", 256 << 20, port)
    # accept-new refuses a host key that has changed.
    assert ssh("cat note; stat -c '%U %a' .secret; ls /tmp").ok().out == "mine\nuser 700\n"
    assert ssh.fingerprints() == before
    assert workspace_engine.berth()("ps", "-a").out.count(f"ws-{name}") == 1


def test_a_replacement_that_was_cut_off_is_finished(make, portal):
    name, ssh = make()
    ssh("echo mine > note").ok()
    labels = engine_portal(portal, "GET", f"/v1.41/containers/ws-{name}/json")["Config"]["Labels"]
    spec = {**json.loads(labels["berth.workspace.spec"]), "image": "bare:latest"}
    note = {"Image": "bare:latest", "Entrypoint": ["/.berth/bin/init", "-P"], "HostConfig": {"NetworkMode": "none"},
            "Labels": {"berth.workspace.next": name, "berth.workspace.spec": json.dumps(spec)}}
    engine_portal(portal, "POST", f"/v1.41/containers/create?name=wsnext-{name}", note)
    portal.end(signal.SIGKILL)
    portal.start()
    assert portal.show(name)["ssh"]["port"] == ssh.port
    containers = portal.engine.berth()
    eventually(lambda: f"wsnext-{name}" not in containers("ps", "-a").ok().out, 20, "the replacement is finished")
    assert portal.show(name)["image"] == "bare:latest"
    assert ssh("cat note").ok().out == "mine\n"


def engine_portal(portal, method, path, body=None):
    """A request to the engine as the portal makes them."""
    connection = http.client.HTTPConnection("engine", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(portal.engine.run_dir / "engine-portal.sock"))
    try:
        connection.request(method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        assert response.status < 400, text
        return json.loads(text) if text else None
    finally:
        connection.close()


def test_removal_keeps_the_data_unless_told(make, portal, keys):
    name, ssh = make()
    ssh("echo mine > note").ok()
    assert portal.remove(name, data=False).ok().json == {"removed": True, "data": "kept"}
    portal.get(f"/api/v1/workspaces/{name}").fails(404, "no_such_workspace")
    portal.create(name, keys["stranger"]).fails(409, "name_taken")
    ssh.port = portal.create(name, keys["owner"]).ok().json["ssh"]["port"]
    assert ssh("cat note").ok().out == "mine\n"
    assert portal.remove(name).ok().json == {"removed": True, "data": "removed"}
    portal.remove(name).fails(404, "no_such_workspace")
    volumes = portal.engine.berth()("volume", "ls")
    assert volumes.rc != 0 or name not in volumes.out
    ssh.port = portal.create(name, keys["owner"]).ok().json["ssh"]["port"]
    ssh.known_hosts.unlink()
    assert ssh("ls").ok().out == ""


# --- idleness --------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def hasty_portal(workspace_engine, tmp_path_factory):
    """Its workspaces stop after a second."""
    portal = Portal(workspace_engine, tmp_path_factory.mktemp("hasty"), 8081,
                    ["--idle-timeout", "1s", "--port-base", "12000"]).start()
    yield portal
    portal.end()


def test_it_stops_when_nobody_is_there_any_more(make, hasty_portal):
    name, ssh = make(through=hasty_portal)
    talk = Conversation(ssh)
    assert talk.echoes("hello")
    # Longer than the idle time: an open connection keeps it awake.
    with pytest.raises(AssertionError):
        eventually(lambda: hasty_portal.show(name)["state"] == "stopped", 2.5)
    assert hasty_portal.show(name)["connections"] == 1
    assert talk.echoes("still here")
    assert talk.end() == 0
    eventually(lambda: hasty_portal.show(name)["state"] == "stopped", 10, "the workspace has stopped")
    assert ssh("echo back").ok().out == "back\n"


def test_work_in_the_background_keeps_it_awake(make, hasty_portal):
    name, ssh = make(through=hasty_portal)
    ssh("(sleep 4; touch finished) >/dev/null 2>&1 </dev/null &").ok()
    eventually(lambda: hasty_portal.show(name)["connections"] == 0, 10)
    with pytest.raises(AssertionError):
        eventually(lambda: hasty_portal.show(name)["state"] == "stopped", 2.5)
    eventually(lambda: hasty_portal.show(name)["state"] == "stopped", 20, "the workspace has stopped")
    ssh("test -e finished").ok()


@pytest.fixture(scope="module")
def strict_portal(workspace_engine, tmp_path_factory):
    """Its workspaces end a shell after two seconds of silence."""
    portal = Portal(workspace_engine, tmp_path_factory.mktemp("strict"), 8082,
                    ["--session-timeout", "2s", "--port-base", "14000"]).start()
    yield portal
    portal.end()


def test_a_silent_shell_ends_and_a_silent_command_does_not(make, strict_portal):
    name, ssh = make(through=strict_portal)
    ssh("true").ok()
    silent = subprocess.Popen(ssh.command(options=("-tt",)), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    busy = subprocess.Popen(ssh.command("sleep 1000"), stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL)
    eventually(lambda: strict_portal.show(name)["connections"] == 2, 10)
    try:
        assert silent.wait(15) != 0
        with pytest.raises(subprocess.TimeoutExpired):
            busy.wait(3)
    finally:
        for process in (silent, busy):
            process.kill()
            process.wait()
    eventually(lambda: strict_portal.show(name)["connections"] == 0, 10)


# --- deaths ----------------------------------------------------------------------------------------------------------

def test_a_session_outlives_the_engine(make, portal, workspace_engine):
    name, ssh = make()
    talk = Conversation(ssh)
    assert talk.echoes("before")
    workspace_engine.kill()
    assert talk.echoes("without an engine")
    workspace_engine.start()
    assert talk.echoes("with another engine")
    eventually(lambda: portal.show(name)["connections"] == 1, 10, "the new engine knows the session")
    assert ssh("echo", "second").ok().out == "second\n"
    assert talk.end() == 0
    eventually(lambda: portal.show(name)["connections"] == 0, 10)


def test_an_orderly_stop_is_quick_and_nobody_is_thrown_out(make, portal, workspace_engine):
    name, ssh = make()
    talk = Conversation(ssh)
    assert talk.echoes("before")
    idle = http.client.HTTPConnection("127.0.0.1", portal.port)
    idle.request("GET", "/healthz")
    idle.getresponse().read()
    # A tenth of this on a machine that has nothing else to do; the grace of a request that is under way is two seconds.
    try:
        assert milliseconds(portal.end) < 1500
        assert milliseconds(workspace_engine.stop) < 1500
    finally:
        workspace_engine.start()
        portal.start()
    assert talk.echoes("after")
    assert talk.end() == 0
    assert portal.show(name)["ssh"]["port"] == ssh.port


def test_a_stopped_workspace_wakes_after_the_engine_s_death(make, portal, workspace_engine):
    name, ssh = make()
    ssh("echo mine > note").ok()
    portal.act(name, "stop").ok()
    workspace_engine.restart()
    assert ssh("cat note").ok().out == "mine\n"


def test_waking_needs_no_portal(make, portal):
    name, ssh = make()
    portal.end(signal.SIGKILL)
    try:
        assert ssh("echo awake").ok().out == "awake\n"
    finally:
        portal.start()
    assert portal.show(name)["state"] == "running"


# --- the portal's answers --------------------------------------------------------------------------------------------

def curl(portal, *arguments):
    return run(["curl", "-s", "-w", "\n%{http_code}", *map(str, arguments)]).ok().out.rsplit("\n", 1)


def test_pod_answers_curl(portal, keys, make):
    name = "t" + secrets.token_hex(3)
    url = f"http://127.0.0.1:{portal.port}/pod"
    form = ["-F", "image=busybox:latest", "-F", f"user={name}", "-F", f"key=@{keys['owner']}.pub"]
    try:
        text, status = curl(portal, url, *form)
        assert status == "201", text
        answer = json.loads(text)
        port = answer["ssh"]["port"]
        assert answer["ssh"] == {"port": port, "host": "127.0.0.1", "cmd": f"ssh -p {port} user@127.0.0.1"}
        assert answer["url"] == f"http://127.0.0.1:{portal.port}/workspaces/{name}"
        assert "estimated-days-left" in answer
        again, status = curl(portal, url, *form)
        assert (json.loads(again), status) == (answer, "200")
        encoded, status = curl(portal, url, "-d", f"user={name}", "--data-urlencode", f"key@{keys['owner']}.pub")
        assert (json.loads(encoded), status) == (answer, "200")
    finally:
        portal.remove(name)


def test_numeric_names_and_their_ports(make, portal, keys):
    name = str(40_000_000 + secrets.randbelow(1_000_000))
    try:
        shown = portal.create(name, keys["owner"]).ok().json
        assert shown["ssh"]["port"] == 2000 + 10 * shown["number"]
        assert name in [one["name"] for one in portal.get("/api/v1/workspaces").ok().json]
    finally:
        portal.remove(name)


def test_an_occupied_port_is_skipped(make, portal):
    _, first = make()
    free = first.port + 10
    with socket.create_server(("0.0.0.0", free)):
        _, second = make()
    assert second.port not in (first.port, free)


def test_limits_reach_the_container(make, workspace_engine):
    name, _ = make(memory="64m", cpus="0.5")
    inspect = json.loads(workspace_engine.berth()("inspect", f"ws-{name}").ok().out)[0]
    host = inspect["HostConfig"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 << 20, 500_000_000, 512)


@pytest.mark.parametrize("fields, status, code", [
    ({"name": "../x"}, 400, "bad_name"),
    ({"name": "Joe"}, 400, "bad_name"),
    ({"name": ""}, 400, "bad_name"),
    ({"keys": "ssh-ed25519 AAAA"}, 400, "bad_key"),
    ({"keys": "command=\"x\" ssh-ed25519 AAAA"}, 400, "bad_key"),
    ({"keys": ""}, 400, "bad_key"),
    ({"image": "no/such:image"}, 400, "unknown_image"),
    ({"image": "UPPER CASE"}, 400, "unknown_image"),
    ({"memory": "1m"}, 400, "bad_request"),
    ({"memory": "much"}, 400, "bad_request"),
    ({"cpus": "none"}, 400, "bad_request"),
    ({"shape": "round"}, 400, "bad_request"),
])
def test_bad_input_leaves_nothing(portal, keys, fields, status, code):
    def everything():
        client = portal.engine.berth()
        return client("ps", "-aq").ok().out, sorted(os.listdir(portal.engine.state_dir / "volumes"))

    before = everything()
    good = {"name": "t" + secrets.token_hex(3), "keys": pathlib.Path(f"{keys['owner']}.pub").read_text()}
    portal.request("POST", "/api/v1/workspaces", {**good, **fields}).fails(status, code)
    assert everything() == before


def test_a_taken_name(make, portal, keys):
    name, _ = make()
    portal.create(name, keys["stranger"]).fails(409, "name_taken")
    both = "".join(pathlib.Path(f"{key}.pub").read_text() for key in keys.values())
    portal.request("POST", "/api/v1/workspaces", {"name": name, "keys": both}).fails(409, "name_taken")


def test_without_an_engine_it_says_so(workspace_engine, keys, tmp_path):
    class Nowhere:
        run_dir = tmp_path

    alone = Portal(Nowhere, tmp_path, 8083).start()
    try:
        alone.create("joe", keys["owner"]).fails(503, "engine_away")
        assert alone.get("/healthz").status == 503
        page = alone.get("/", headers={"Accept": "text/html"})
        assert page.status == 503 and b"berth-engine" in page.body
    finally:
        alone.end()


def test_browsers_get_pages(make, portal):
    name, _ = make()
    page = portal.get("/", headers={"Accept": "text/html,application/xhtml+xml"}).ok()
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert f'href="/workspaces/{name}"'.encode() in page.body
    one = portal.get(f"/workspaces/{name}", headers={"Accept": "text/html"}).ok()
    assert b"ssh -p" in one.body
    assert portal.get(f"/workspaces/{name}").ok().json["name"] == name


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Host": "evil.example:8080"}, {"X-Forwarded-For": "203.0.113.9"},
])
def test_other_sites_cannot_change_anything(make, portal, headers):
    name, _ = make()
    path = f"/api/v1/workspaces/{name}"
    portal.request("DELETE", path, headers=headers).fails(403, "forbidden")
    portal.request("POST", f"{path}/start", headers=headers).fails(403, "forbidden")
    assert portal.show(name)["state"] == "stopped"


def test_the_unix_socket_answers_alike(make, portal):
    name, _ = make()
    answer = portal.get(f"/api/v1/workspaces/{name}", headers={"Host": "localhost"}, unix=True).ok().json
    assert answer["ssh"]["host"] == "localhost"


def test_the_portal_is_not_root(portal):
    status = pathlib.Path(f"/proc/{portal.process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(fields["Uid"].split()) != {"0"} and fields["CapEff"] == "0" * 16 and fields["NoNewPrivs"] == "1"
