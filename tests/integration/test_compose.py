"""berth compose: projects of several containers, from their files to their end.

The front is a client of the API like any other, so BERTH_TEST_HOST proves it on Docker's own engine too.
"""
import json
import os
import pathlib
import re
import secrets
import signal
import socket

import pytest

from support.client import Client
from support.engine import build_dir
from support.process import eventually

PREFIX = "com.docker.compose."


class Project:
    """One project: its directory, and `berth compose` in it."""

    def __init__(self, directory, host, name=None):
        self.directory = pathlib.Path(directory)
        self.client = Client("berth", build_dir() / "berth", host)
        self.name = name or f"t{secrets.token_hex(3)}"

    def write(self, text, file="compose.yaml"):
        path = self.directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return self

    def words(self, *words):
        return ["compose", "--project-directory", str(self.directory), "-f", str(self.directory / "compose.yaml"),
                "-p", self.name, *words]

    def __call__(self, *words, **options):
        return self.client(*self.words(*words), **options)

    def start(self, *words, **options):
        return self.client.start(*self.words(*words), **options)

    def rows(self, *words):
        """Rows of ps by container name."""
        lines = self("ps", "-a", "--format", "json", *words).ok().out.splitlines()
        return {row["Name"]: row for row in map(json.loads, lines)}

    def ids(self):
        return {name: row["ID"] for name, row in self.rows().items()}

    def inspect(self, service, number=1):
        return self.client.inspect(f"{self.name}-{service}-{number}")


@pytest.fixture
def projects(tmp_path, any_engine):
    """Makes projects, which are taken down after the test."""
    made = []

    def make(text=None, name=None):
        directory = tmp_path / f"d{len(made)}"
        directory.mkdir()
        made.append(Project(directory, any_engine.host, name))
        if text is not None:
            made[-1].write(text)
        return made[-1]

    yield make
    for project in made:
        project.client("compose", "-p", project.name, "down", "-v", "-t", "0", "--remove-orphans", timeout=120)


pytestmark = pytest.mark.usefixtures("no_leaks")

# A collector that writes into a store which a third one reads, as telegraf, influx and grafana do.
STACK = """
x-base: &base
  image: busybox
  init: true
  stop_grace_period: 1s
services:
  store:
    <<: *base
    command: sh -c 'mkdir -p /data/www && cd /data/www && echo up > health && httpd -f -p 8086'
    volumes: [data:/data]
    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, 'http://127.0.0.1:8086/health'], interval: 300ms, retries: 30}
    networks: {back: {aliases: [influx]}}
  collector:
    <<: *base
    command: ["sh", "-c", "echo collecting with $$LEVEL; echo $$LEVEL > /data/www/metric; sleep 1000"]
    environment: {LEVEL: "${LEVEL:-low}"}
    volumes: [data:/data]
    depends_on: {store: {condition: service_healthy}}
    networks: [back]
  front:
    <<: *base
    command: sh -c 'while ! wget -q -O - http://influx:8086/metric; do sleep 0.2; done; echo shown; httpd -f -p 3000'
    depends_on: [store, collector]
    ports: ["3000"]
    networks: [back, outside]
volumes: {data: }
networks: {back: {internal: true}, outside: }
"""


def test_a_stack_of_three(projects):
    project = projects(STACK)
    up = project("up", "-d", timeout=120).ok()
    for line in (f" Network {project.name}_back  Created", f" Volume \"{project.name}_data\"  Created",
                 f" Container {project.name}-store-1  Healthy", f" Container {project.name}-front-1  Started"):
        assert line in up.err.splitlines(), up.err
    order = [up.err.index(f"{project.name}-{name}-1  Started") for name in ("store", "collector", "front")]
    assert order == sorted(order)

    eventually(lambda: "front-1  | shown" in project("logs", "front").out.replace("front-1      |", "front-1  |"), 20)
    assert "collecting with low" in project("logs", "--no-log-prefix", "collector").out
    address = project("port", "front", "3000").ok().out.strip()
    assert re.fullmatch(r"0\.0\.0\.0:\d+", address), address

    rows = project.rows()
    assert {row["Service"] for row in rows.values()} == {"store", "collector", "front"}
    assert rows[f"{project.name}-store-1"]["Health"] == "healthy"
    labels = project.inspect("collector")["Config"]["Labels"]
    assert labels[PREFIX + "project"] == project.name and labels[PREFIX + "service"] == "collector"
    assert labels[PREFIX + "container-number"] == "1" and labels[PREFIX + "oneoff"] == "False"
    assert labels[PREFIX + "depends_on"] == "store:service_healthy:false"
    assert labels[PREFIX + "project.config_files"] == str(project.directory / "compose.yaml")

    assert project("exec", "-T", "collector", "cat", "/data/www/metric").ok().out == "low\n"
    assert project("exec", "-T", "collector", "sh", "-c", "exit 7").rc == 7

    # Only what has changed is made anew.
    before = project.ids()
    again = project("up", "-d", timeout=60, env={"LEVEL": "high"}).ok()
    after = project.ids()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {f"{project.name}-collector-1"}, again.err
    assert f" Container {project.name}-store-1  Running" in again.err

    down = project("down", "-v", timeout=60).ok()
    assert f" Network {project.name}_back  Removed" in down.err and f" Volume {project.name}_data  Removed" in down.err
    assert project.rows() == {}
    for kind in ("network", "volume"):
        listed = project.client(kind, "ls", "-q", "--filter", f"label={PREFIX}project={project.name}").ok()
        assert listed.out == ""


def test_two_projects_with_the_same_ports_inside_do_not_clash(projects):
    text = "services: {web: {image: busybox, command: httpd -f -p 80, ports: ['80'], stop_grace_period: 0s}}"
    first, second = projects(text), projects(text)
    first("up", "-d").ok()
    second("up", "-d").ok()
    ports = {project("port", "web", "80").ok().out for project in (first, second)}
    assert len(ports) == 2
    for project in (first, second):
        assert project("exec", "-T", "web", "wget", "-q", "-O", "-", "http://web/nothing").rc == 1
    listed = json.loads(first("ls", "--format", "json").ok().out)
    mine = {row["Name"]: row["Status"] for row in listed}
    assert mine[first.name] == mine[second.name] == "running(1)"
    first("down").ok()
    assert len(second.rows()) == 1


@pytest.mark.parametrize("text, message", [
    ("services:\n  a:\n    image: busybox\n    enviroment: {}\n",
     "{file}:4: services.a: additional properties 'enviroment' not allowed; did you mean environment?"),
    ("services:\n  a:\n    image: busybox\n    develop: {}\n", "{file}:4: services.a.develop is not supported: "),
    ("services: {a: {image: busybox, ports: ['x:y']}}", "{file}:1: services.a.ports: invalid port \"x:y\""),
    ("services: {a: {image: '${NEEDED:?is needed}'}}", "{file}:1: error while interpolating services.a.image: "
     "required variable NEEDED is missing a value: is needed"),
    ("services: {a: {}}", 'service "a" has neither an image nor a build context specified: invalid compose project'),
    ("a: &a [x, x]\nb: [*c]", "{file}:2: yaml: unknown anchor 'c' referenced"),
])
def test_what_is_wrong_in_a_file_is_named(projects, text, message):
    project = projects(text)
    for words in (["config"], ["up", "-d"]):
        failed = project(*words)
        assert failed.rc == 1 and failed.out == ""
        assert failed.err.startswith(message.format(file=project.directory / "compose.yaml")), failed.err


def test_no_file(projects):
    project = projects()
    failed = project.client("compose", "--project-directory", str(project.directory), "up")
    assert failed.rc == 1 and failed.err == "no configuration file provided: not found\n"


def test_config_prints_the_whole_project(projects):
    project = projects("services: {a: {image: 'busybox:$TAG', command: sleep 1, ports: ['80:81'], volumes: ['v:/v', "
                       "'./x:/x']}, b: {image: busybox, profiles: [more]}}\nvolumes: {v: }")
    project.write("TAG=one\n", ".env")
    assert project("config").ok().out == f"""name: {project.name}
services:
  a:
    command:
      - sleep
      - "1"
    image: busybox:one
    networks:
      default: null
    ports:
      - mode: ingress
        protocol: tcp
        published: "80"
        target: 81
    volumes:
      - source: v
        target: /v
        type: volume
      - bind:
          create_host_path: true
        source: {project.directory}/x
        target: /x
        type: bind
networks:
  default:
    name: {project.name}_default
volumes:
  v:
    name: {project.name}_v
"""
    assert project("config", "--services").ok().out == "a\n"
    assert project("config", "--profiles").ok().out == "more\n"
    assert project("config", "--volumes").ok().out == "v\n"
    assert project("config", "--images").ok().out == "busybox:one\n"
    assert re.fullmatch(r"a [0-9a-f]{64}\n", project("config", "--hash", "a").ok().out)
    assert json.loads(project("config", "--format", "json").ok().out)["services"]["a"]["image"] == "busybox:one"
    assert project("config", "-q").ok().out == ""


def test_scale_up_and_down(projects):
    project = projects("services: {w: {image: busybox, command: sleep 1000, init: true, stop_grace_period: 0s}}")
    project("up", "-d", "--scale", "w=3").ok()
    assert set(project.rows()) == {f"{project.name}-w-{n}" for n in (1, 2, 3)}
    before = project.ids()
    project("scale", "w=1").ok()
    assert project.ids() == {f"{project.name}-w-1": before[f"{project.name}-w-1"]}
    assert project("up", "-d", "--scale", "w").rc == 1
    assert "no such service: x" in project("up", "-d", "x").err


def test_wait_until_healthy(projects):
    project = projects("services: {h: {image: busybox, init: true, stop_grace_period: 0s, command: sh -c "
                       "'sleep 1; touch /ok; sleep 1000', healthcheck: {test: test -e /ok, interval: 200ms, retries: 50}}}")
    up = project("up", "-d", "--wait", timeout=60).ok()
    assert f" Container {project.name}-h-1  Healthy" in up.err
    assert project.rows()[f"{project.name}-h-1"]["Health"] == "healthy"


def test_a_dependency_that_fails(projects):
    project = projects("services:\n"
                       "  sick: {image: busybox, init: true, stop_grace_period: 0s, command: sleep 1000, "
                       "healthcheck: {test: 'false', interval: 100ms, retries: 1}}\n"
                       "  a: {image: busybox, command: 'true', depends_on: {sick: {condition: service_healthy}}}\n"
                       "  job: {image: busybox, command: sh -c 'exit 3'}\n"
                       "  b: {image: busybox, command: 'true', "
                       "depends_on: {job: {condition: service_completed_successfully}}}\n")
    failed = project("up", "-d", "a")
    assert failed.rc == 1
    assert f"dependency failed to start: container {project.name}-sick-1 is unhealthy" in failed.err
    failed = project("up", "-d", "b")
    assert failed.rc == 1 and 'service "job" didn\'t complete successfully: exit 3' in failed.err
    assert project.rows()[f"{project.name}-b-1"]["State"] == "created"


def test_a_job_before_its_user(projects):
    project = projects("services:\n"
                       "  job: {image: busybox, command: sh -c 'sleep 0.5; echo made > /v/f', volumes: ['v:/v']}\n"
                       "  user: {image: busybox, command: cat /v/f, volumes: ['v:/v'], "
                       "depends_on: {job: {condition: service_completed_successfully}}}\n"
                       "volumes: {v: }\n")
    attached = project("up", timeout=60).ok()
    assert "user-1  | made\n" in attached.out, attached.out
    assert "job-1 exited with code 0" in attached.out and "user-1 exited with code 0" in attached.out


def test_up_attached_ends_with_the_code_of_a_service(projects):
    project = projects("services:\n"
                       "  long: {image: busybox, init: true, command: sh -c 'echo begun; sleep 1000'}\n"
                       "  short: {image: busybox, command: sh -c 'sleep 0.5; echo words; exit 5', depends_on: [long]}\n")
    ended = project("up", "--exit-code-from", "short", timeout=60)
    assert ended.rc == 5, ended
    assert "long-1   | begun\n" in ended.out and "short-1  | words\n" in ended.out, ended.out
    assert "Aborting on container exit..." in ended.out
    assert {row["State"] for row in project.rows().values()} == {"exited"}


def test_interrupt_stops_what_up_started(projects):
    project = projects("services: {a: {image: busybox, init: true, command: sh -c 'echo ready; sleep 1000'}}")
    running = project.start("up")
    lines = []
    while not any("ready" in line for line in lines):
        lines.append(running.stdout.readline().decode())
        assert lines[-1], running.stderr.read()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert b"Gracefully stopping... (press Ctrl+C again to force)" in out
    assert running.returncode == 130
    assert project.rows()[f"{project.name}-a-1"]["State"] == "exited"


def test_recreate_keeps_anonymous_volumes_and_names(projects):
    text = "services: {a: {image: busybox, command: sleep 1000, init: true, stop_grace_period: 0s, volumes: [/data], hostname: %s}}"
    project = projects(text % "one")
    project("up", "-d").ok()
    project("exec", "-T", "a", "sh", "-c", "echo kept > /data/file").ok()
    before = project.ids()
    project.write(text % "two")
    assert "Recreated" in project("up", "-d").ok().err
    assert project.ids().keys() == before.keys() and project.ids() != before
    assert project("exec", "-T", "a", "cat", "/data/file", "/etc/hostname").ok().out == "kept\ntwo\n"
    unchanged = project.ids()
    project("up", "-d", "--no-recreate").ok()
    assert project.ids() == unchanged
    (left,) = (mount["Name"] for mount in project.inspect("a")["Mounts"])
    project("up", "-d", "--force-recreate", "-V").ok()
    assert project.ids() != unchanged
    project.client("volume", "rm", left).ok()  # its files are still there, for who wants them
    assert project("exec", "-T", "a", "test", "-e", "/data/file").rc == 1


def test_what_a_killed_up_leaves_is_put_right(projects):
    project = projects("services: {a: {image: busybox, command: sleep 1000, init: true, stop_grace_period: 0s}}")
    project("up", "-d").ok()
    name = f"{project.name}-a-1"
    # Killed before the new one got its name: only it is left.
    project.client("rename", name, f"0123456789ab_{name}").ok()
    ids = list(project.ids().values())
    project("up", "-d").ok()
    assert project.ids() == {name: ids[0]}
    # Killed before the old one was removed: both are there.
    labels = project.inspect("a")["Config"]["Labels"]
    words = [word for key, value in labels.items() for word in ("-l", f"{key}={value}")]
    project.client("create", "--name", f"{ids[0][:12]}_{name}", *words, "busybox").ok()
    project("up", "-d").ok()
    assert project.ids() == {name: ids[0]}


def test_orphans(projects):
    project = projects("services: {a: {image: busybox, command: 'true'}, b: {image: busybox, command: 'true'}}")
    project("up", "-d").ok()
    project.write("services: {a: {image: busybox, command: 'true'}}")
    warned = project("up", "-d").ok()
    assert f"Found orphan containers ([{project.name}-b-1]) for this project." in warned.err
    project("up", "-d", "--remove-orphans").ok()
    assert set(project.rows()) == {f"{project.name}-a-1"}


def test_lifecycle_verbs(projects):
    project = projects("services: {a: {image: busybox, command: sleep 1000, init: true, stop_grace_period: 0s}, "
                       "b: {image: busybox, command: sleep 1000, init: true, depends_on: [a], stop_grace_period: 0s}}")

    def states():
        return {row["Service"]: row["State"] for row in project.rows().values()}

    project("create").ok()
    assert states() == {"a": "created", "b": "created"}
    project("start").ok()
    assert states() == {"a": "running", "b": "running"}
    project("pause", "a").ok()
    assert states() == {"a": "paused", "b": "running"}
    project("unpause", "a").ok()
    stopped = project("stop").ok()
    assert stopped.err.index("b-1  Stopped") < stopped.err.index("a-1  Stopping")
    assert states() == {"a": "exited", "b": "exited"}
    assert project("ps", "-q").ok().out == ""
    project("restart", "a").ok()
    assert states() == {"a": "running", "b": "exited"}
    project("kill", "-s", "SIGKILL").ok()
    eventually(lambda: states() == {"a": "exited", "b": "exited"}, 10)
    assert "No stopped containers" not in project("rm", "-f").ok().err
    assert states() == {}
    assert "no such service: c" in project("stop", "c").err


def test_verbs_without_files(projects):
    project = projects("services: {a: {image: busybox, command: sleep 1000, init: true, stop_grace_period: 0s}}")
    project("up", "-d").ok()
    elsewhere = lambda *words: project.client("compose", "-p", project.name, *words)  # noqa: E731
    os.rename(project.directory / "compose.yaml", project.directory / "gone")
    assert elsewhere("ps", "-q").ok().out.strip() == project.client.inspect(f"{project.name}-a-1")["Id"]
    elsewhere("stop").ok()
    elsewhere("down").ok()
    assert elsewhere("ps", "-aq").ok().out == ""


def test_run(projects):
    project = projects("services:\n"
                       "  db: {image: busybox, command: sleep 1000, init: true, stop_grace_period: 0s}\n"
                       "  web: {image: busybox, command: echo default, environment: {A: file, B: file}, "
                       "depends_on: [db], ports: ['80'], restart: always}\n")
    ran = project("run", "--rm", "-T", "-e", "A=flag", "web", "sh", "-c", "echo $A $B; exit 4", input=b"")
    assert ran.rc == 4 and ran.out == "flag file\n", ran
    assert [row["Service"] for row in project.rows().values()] == ["db"]
    assert project("run", "--rm", "-T", "--no-deps", "web", input=b"").ok().out == "default\n"
    assert project("run", "--rm", "-T", "--entrypoint", "echo entry", "web", input=b"").ok().out == "entry\n"
    assert project("run", "--rm", "-T", "web", "cat", input=b"through").ok().out == "through"
    name = f"{project.name}-by-hand"
    assert project("run", "-d", "--name", name, "web", "sleep", "1000").ok().out == name + "\n"
    made = project.client.inspect(name)
    assert made["Config"]["Labels"][PREFIX + "oneoff"] == "True" and not made["HostConfig"]["PortBindings"]
    project("down", "-t", "0").ok()
    assert project.rows() == {}


def test_configs_and_secrets(projects):
    project = projects("services:\n"
                       "  a:\n"
                       "    image: busybox\n"
                       "    command: sh -c 'cat /run/secrets/file /run/secrets/env /etc/app/text; stat -c %a /etc/app/text'\n"
                       "    secrets: [file, env]\n"
                       "    configs: [{source: text, target: /etc/app/text, mode: 0440}]\n"
                       "secrets: {file: {file: ./secret.txt}, env: {environment: TOKEN}}\n"
                       "configs: {text: {content: 'as ${WHO}\n'}}\n".replace("'as ${WHO}\n'", '"as ${WHO}\\n"'))
    project.write("from a file\n", "secret.txt")
    up = project("up", env={"TOKEN": "from the environment\n", "WHO": "written"}, timeout=60).ok()
    words = [line.split("| ", 1)[1] for line in up.out.splitlines() if "| " in line]
    assert words == ["from a file", "from the environment", "as written", "440"], up
    shown = project("config", env={"TOKEN": "from the environment", "WHO": "written"}).ok().out
    assert "from the environment" not in shown
    assert "external is not supported" in project.write("secrets: {s: {external: true}}")("config").err


def test_shared_namespaces_and_links(projects):
    project = projects("services:\n"
                       "  net: {image: busybox, command: httpd -f -p 80, init: true, stop_grace_period: 0s}\n"
                       "  side: {image: busybox, network_mode: 'service:net', "
                       "command: sh -c 'until wget -q -O - http://127.0.0.1/x 2>&1 | grep -o 404; do sleep 0.1; done'}\n")
    project("up", "-d").ok()
    eventually(lambda: "404" in project("logs", "side").out, 10)
    assert project.inspect("side")["HostConfig"]["NetworkMode"] == "container:" + project.inspect("net")["Id"]


def test_logs_and_events(projects):
    project = projects("services: {a: {image: busybox, command: sh -c 'echo 1; echo 2; echo 3; echo err >&2'}, "
                       "bb: {image: busybox, command: echo other}}")
    project("up", "-d").ok()
    eventually(lambda: all(row["State"] == "exited" for row in project.rows().values()), 10)
    out = project("logs").ok().out
    assert "a-1   | 1\n" in out and "a-1   | err\n" in out and "bb-1  | other\n" in out
    assert project("logs", "--tail", "1", "--no-log-prefix", "a").ok().out in ("3\n", "err\n")
    assert re.match(r"a-1  \| \d{4}-\d\d-\d\dT", project("logs", "-t", "--tail", "1", "a").ok().out)
    follow = project("logs", "-f", timeout=10).ok()
    assert sorted(follow.out.splitlines()) == sorted(out.splitlines())
    events = project("events", "--json", "--since", "1m", "--until", "0s").ok().out.splitlines()
    seen = [(event["service"], event["action"]) for event in map(json.loads, events)]
    assert ("a", "start") in seen and ("bb", "die") in seen


def test_cp_top_images(projects, tmp_path):
    project = projects("services: {a: {image: busybox, command: sleep 1000, init: true, stop_grace_period: 0s}}")
    project("up", "-d").ok()
    (tmp_path / "f").write_text("content")
    project("cp", str(tmp_path / "f"), "a:/tmp/f").ok()
    project("cp", "a:/tmp/f", str(tmp_path / "g")).ok()
    assert (tmp_path / "g").read_text() == "content"
    assert "sleep 1000" in project("top").ok().out
    assert "busybox" in project("images").ok().out


def test_external_things(projects, names, one_cli):
    name = names("ext")
    project = projects(f"services: {{a: {{image: busybox, command: 'true', networks: [n], volumes: ['v:/v']}}}}\n"
                       f"networks: {{n: {{external: true, name: {name}}}}}\nvolumes: {{v: {{external: true, name: {name}}}}}")
    assert f"network {name} declared as external, but could not be found" in project("up", "-d").err
    one_cli("network", "create", name).ok()
    try:
        assert f'external volume "{name}" not found' in project("up", "-d").err
        one_cli("volume", "create", name).ok()
        project("up", "-d").ok()
        project("down", "-v").ok()
        one_cli("volume", "inspect", name).ok()
        one_cli("network", "inspect", name).ok()
    finally:
        one_cli("network", "rm", name)
        one_cli("volume", "rm", name)


def test_published_port_answers(projects):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    project = projects(f"services: {{web: {{image: busybox, init: true, stop_grace_period: 0s, command: sh -c "
                       f"'echo hello > /tmp/i; httpd -f -p 80 -h /tmp', ports: ['127.0.0.1:{port}:80']}}}}")
    project("up", "-d").ok()

    def answers():
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /i HTTP/1.0\r\n\r\n")
            return b"hello" in connection.makefile("rb").read()

    eventually(lambda: _quietly(answers), 10)


def _quietly(act):
    try:
        return act()
    except OSError:
        return False


def test_build(projects):
    project = projects("services: {a: {build: {context: ., args: {WORD: built}}, stop_grace_period: 0s}}")
    project.write("FROM busybox\nARG WORD\nRUN echo $WORD > /word\nCMD cat /word\n", "Dockerfile")
    try:
        up = project("up", "--build", timeout=120).ok()
        assert "a-1  | built\n" in up.out
        assert project.client("image", "inspect", f"{project.name}-a").rc == 0
        project("down", "--rmi", "local").ok()
        assert project.client("image", "inspect", f"{project.name}-a").rc == 1
    finally:
        project.client("rmi", "-f", f"{project.name}-a")


def test_hostile_files_cost_little(projects):
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
    for text in (laughs, "[" * 100_000, "a: " + "x" * (5 << 20), "services: {a: {image: '" + "${B:-" * 5000 + "'}}"):
        project = projects(text)
        failed = project.client("compose", "-f", str(project.directory / "compose.yaml"), "config", timeout=20)
        assert failed.rc == 1 and 0 < len(failed.err) < 2000
