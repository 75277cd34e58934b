"""The berth command under the name docker beside Docker's own client, at one engine: the same words give the same
output, messages and exit codes."""
import re
import shlex

import pytest

from support.client import Client, docker_programs
from support.engine import build_dir

NAME = "t-words"
IMAGE = "busybox"


@pytest.fixture(scope="module")
def twins(any_engine, tmp_path_factory):
    """(ours, theirs): two clients of the engine under test that call themselves docker."""
    programs = docker_programs()
    if not programs:
        pytest.skip("no Docker client is installed")
    link = tmp_path_factory.mktemp("bin") / "docker"
    link.symlink_to(build_dir() / "berth")
    newest = max(programs, key=int)
    theirs = Client(f"docker-{newest}", programs[newest], any_engine.host)
    theirs.is_old = int(newest) < 28
    return Client("ours", link, any_engine.host), theirs


@pytest.fixture(scope="module", autouse=True)
def container(twins):
    """A running container that the tables of words speak of."""
    ours, _ = twins
    ours.remove(NAME)
    ours("run", "-d", "--name", NAME, "-l", "a=b", "-l", "com.example.the-key=v", "-e", "X=1", IMAGE, "sleep", "600").ok()
    yield NAME
    ours.remove(NAME)


def same_shape(text):
    """Without what differs from one call to the next: ids, generated names, ages, addresses of resolvers."""
    for pattern, word in [
        (r"\b[0-9a-f]{64}\b", "<id>"), (r"\b[0-9a-f]{12}\b", "<short>"),
        (r"\b(\d+|About an?|Less than a) (second|minute|hour)s?\b", "<age>"),
        (r"endpoint \w+", "endpoint <name>"), (r" +(?=NAMES|STATUS|PORTS)", " "), (r" {3,}", "   "),
    ]:
        text = re.sub(pattern, word, text)
    return text


def compare(twins, words, input=None):
    ours, theirs = twins
    got, wanted = ours(*words, input=input), theirs(*words, input=input)
    context = f"{got.describe()}\n--- {theirs.name}:\n{wanted.describe()}"
    # Images of the same date come in any order.
    order = sorted if words[0] in ("images", "image") else list
    assert order(same_shape(got.out).splitlines()) == order(same_shape(wanted.out).splitlines()), context
    if theirs.is_old:
        # Older clients word the last lines and the codes of wrong usage in another way.
        assert got.err.splitlines()[:1] == wanted.err.splitlines()[:1], context
        assert (got.rc == 0) == (wanted.rc == 0), context
    else:
        assert same_shape(got.err) == same_shape(wanted.err), context
        assert got.rc == wanted.rc, context


USAGE = """
--x
-H
nosuchverb
container nosuchverb
network nosuchverb
run
run --x
run -x
run --name
run -e
run -h
run --detach=maybe busybox
run --cpus a busybox
run -m 1x busybox
run -m x busybox
run --pids-limit a busybox
run --mount foo busybox
run --mount type=bind,target=/x,foo=bar busybox
run --mount type=bind,source=/x busybox
run --ulimit x busybox
run --ulimit nofile=5:4 busybox
run -a foo busybox
run -it busybox
run -d -a stdout busybox
run -p x busybox
run -p 80:a:b busybox
run -p 1-2:80-85 busybox
run -p 80/foo busybox
run --env-file /nonexistent busybox
run --rm --restart always busybox
run UPPER
create
exec
exec NAME
ps x
ps --filter foo
ps --format '{{.Foo}}'
ps --format '{{.ID'
ps --format '{{foo}}'
images --format '{{.Foo}}'
logs
logs a b
logs --since foo NAME
rm
rename a
tag a
tag busybox UPPER
stop -t x NAME
inspect
pull UPPER
pull a:b:c
pull -a busybox:1
cp a
cp a b
cp a:b c:d
load -i /nonexistent
import /nonexistent
save -o /nonexistent/x busybox
network create
volume rm
events --since foo
info --format '{{.ID'
""".strip().splitlines()

MISSING = """
start nosuch
stop nosuch
kill nosuch
restart nosuch
pause nosuch
unpause nosuch
rename nosuch other
rm nosuch
rm -f nosuch
wait nosuch
logs nosuch
top nosuch
port nosuch
port NAME 81
attach nosuch
exec nosuch true
cp nosuch:/x -
cp NAME:/nosuch /tmp/never
cp /tmp/t-nonexistent NAME:/
cp NAME:/etc/passwd /nonexistent/x
inspect nosuch
inspect -f '{{.Id}}' nosuch
container inspect nosuch
image inspect nosuch
network inspect nosuch
volume inspect nosuch
network rm nosuch
volume rm nosuch
tag nosuch b
rmi nosuch
history nosuch
run --pull never nosuch:1
-H unix:///two.sock ps
""".strip().splitlines()

SHOWN = """
ps
ps -a --no-trunc
ps -q
ps -l
ps --format json
ps --format '{{.Names}} {{.Labels}} {{.State}} {{.Label "a"}}'
ps --format 'table {{.Names}}\\t{{.Label "com.example.the-key"}}'
ps -f name=t-words -q
images
images -q --no-trunc
images --format '{{.Repository}}:{{.Tag}} {{.Size}}'
images busybox
images nosuch
image ls --format json
history busybox
inspect NAME
inspect busybox
inspect NAME nosuch
inspect --format json NAME
inspect -f '{{.State.Status}} {{json .Config.Labels}}' NAME
inspect -f '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}' NAME
inspect -f '{{index .Config.Labels "a"}}{{index .Config.Labels "zz"}}' NAME
inspect -f '{{join .Config.Cmd ","}} {{len .Config.Cmd}} {{upper .Config.Image}}' NAME
inspect -f '{{if .State.Running}}up{{else}}down{{end}}' NAME
inspect -f '{{.Foo}}' NAME
inspect -f '{{.State.Foo}}' NAME
inspect --type image NAME
network ls
network inspect bridge -f '{{.Name}} {{.Driver}}'
volume ls
port NAME
logs NAME
""".strip().splitlines()

RUN = """
run --rm busybox echo hi
run --rm busybox printf '%s\\n' 'a b' --version
run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
run --rm busybox nosuch
run --rm busybox /nosuch
run --rm busybox /etc/passwd
run --rm -u nosuch busybox id
run --rm -u 5:6 busybox id
run --rm -h name busybox hostname
run --rm -w /tmp busybox pwd
run --rm -e A=1 busybox sh -c 'echo $A'
run --rm --entrypoint echo busybox a b
run --rm --entrypoint '' busybox echo a
run --rm --read-only busybox sh -c 'echo x > /x'
run --rm -a stdout busybox sh -c 'echo out; echo err >&2'
run --rm --name t-words busybox true
run --rm --name 'b ad' busybox true
run --rm -v rel/path:/x busybox true
run --rm -v /x:/y:bad busybox true
run --rm --runtime nosuch busybox true
exec NAME echo hi
exec NAME sh -c 'exit 9'
exec NAME nosuch
exec NAME /etc/passwd
exec -u nosuch NAME id
exec -e A=5 NAME sh -c 'echo $A'
exec -d NAME true
exec -it NAME sh
""".strip().splitlines()


def words_of(line):
    return [word.replace("NAME", NAME) for word in shlex.split(line)]


@pytest.mark.parametrize("line", USAGE)
def test_wrong_usage(twins, line):
    compare(twins, words_of(line))


@pytest.mark.parametrize("line", MISSING)
def test_what_is_missing(twins, line):
    compare(twins, words_of(line))


@pytest.mark.parametrize("line", ["ps", "run busybox", "create busybox", "exec a true", "rm a", "images", "inspect a"])
@pytest.mark.parametrize("host", ["unix:///nonexistent/docker.sock", "tcp://127.0.0.1:1"])
def test_nobody_answers(twins, host, line):
    strangers = [Client(client.name, client.program, host) for client in twins]
    strangers[1].is_old = twins[1].is_old
    compare(strangers, words_of(line))


@pytest.mark.parametrize("line", SHOWN)
def test_what_is_shown(twins, line):
    compare(twins, words_of(line))


@pytest.mark.parametrize("line", RUN)
def test_what_runs(twins, line):
    compare(twins, words_of(line))


@pytest.mark.parametrize("line", ["run -i --rm busybox cat", "exec -i NAME cat", "run -i --rm busybox head -c 5"])
def test_stdin_passes_byte_for_byte(twins, line):
    compare(twins, words_of(line), input=bytes(range(256)) * 4096)


def test_the_life_of_a_container(twins):
    def script(client):
        said = []
        for line in ["create --name t-life busybox sh -c 'trap \"exit 5\" TERM; while :; do sleep 0.05; done'",
                     "start t-life", "start t-life", "pause t-life", "pause t-life", "exec t-life true",
                     "unpause t-life", "unpause t-life", "rename t-life t-live", "rm t-live", "kill -s FOO t-live",
                     "restart -t 0 t-live", "kill t-live", "wait t-live", "kill t-live", "stop t-live", "rm t-live"]:
            done = client(*shlex.split(line))
            said.append((line, done.rc, same_shape(done.out), same_shape(done.err)))
        return said
    ours, theirs = twins
    got, wanted = script(ours), script(theirs)
    assert got == wanted


def test_networks_and_volumes(twins):
    def script(client):
        said = []
        for line in ["network create t-words-net", "network create t-words-net", "network rm t-words-net",
                     "volume create t-words-vol", "volume inspect -f '{{.Name}} {{.Driver}}' t-words-vol",
                     "volume rm t-words-vol", "volume rm t-words-vol", "network rm bridge"]:
            done = client(*shlex.split(line))
            said.append((line, done.rc, same_shape(done.out), same_shape(done.err)))
        return said
    ours, theirs = twins
    assert script(ours) == script(theirs)


def listing(client, name):
    found = client("exec", name, "sh", "-c", "cd /copied && find . | sort | xargs ls -ld | awk '{print $1, $3, $4, $9}'")
    return found.ok().out


def test_copies_land_alike(twins, tmp_path):
    """Every row of the table of where a copy lands, in both directions."""
    source = tmp_path / "source"
    (source / "dir" / "below").mkdir(parents=True)
    (source / "file").write_text("content")
    (source / "dir" / "below" / "deep").write_text("deep")
    (source / "dir" / "link").symlink_to("below/deep")
    lines = ["{s}/file {n}:/copied/new", "{s}/file {n}:/copied/", "{s}/file {n}:/copied/missing/", "{s}/dir {n}:/copied/asnew",
             "{s}/dir {n}:/copied", "{s}/dir/. {n}:/copied/inner", "{s}/dir {n}:/copied/file"]

    def inside(client):
        name = "t-copy"
        client.remove(name)
        client("run", "-d", "--name", name, IMAGE, "sh", "-c", "mkdir -p /copied/inner; sleep 600").ok()
        codes = [client("cp", *line.format(s=source, n=name).split()).rc for line in lines]
        seen = listing(client, name)
        client.remove(name)
        return codes, seen

    def outside(client):
        target = tmp_path / client.name
        (target / "inner").mkdir(parents=True)
        codes = [client("cp", *line.format(n=NAME, t=target).split()).rc for line in [
            "{n}:/etc/passwd {t}/new", "{n}:/etc/passwd {t}", "{n}:/home {t}/asnew", "{n}:/home {t}", "{n}:/home/. {t}/inner",
            "{n}:/home {t}/passwd", "{n}:/bin/sh {t}/link"]]
        seen = sorted((str(p.relative_to(target)), p.is_symlink(), p.is_dir(), oct(p.lstat().st_mode)) for p in target.rglob("*"))
        return codes, seen

    ours, theirs = twins
    assert inside(ours) == inside(theirs)
    assert outside(ours) == outside(theirs)
