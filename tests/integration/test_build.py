"""Building images: Dockerfiles through every client, the cache, hostile contexts, commit, diff and export."""
import http.server
import json
import os
import re
import secrets
import socket
import subprocess
import tarfile
import threading

import pytest

from support import images
from support.process import eventually

pytestmark = pytest.mark.usefixtures("no_leaks")

CLASSIC = {"DOCKER_BUILDKIT": "0"}


@pytest.fixture
def tags(one_cli):
    """Makes names for images; they and what they were made from go after the test."""
    made = []

    def make(word="b"):
        made.append(f"t-{word}-{secrets.token_hex(3)}:1")
        return made[-1]

    yield make
    for tag in made:
        one_cli("rmi", "-f", tag)
    one_cli("image", "prune", "-f")


@pytest.fixture
def tag(tags):
    return tags()


@pytest.fixture
def context(tmp_path):
    """Writes a build context: context(dockerfile, {"path": content, ...}) answers its directory."""
    def write(dockerfile, files=None):
        root = tmp_path / "context"
        root.mkdir(exist_ok=True)
        if dockerfile is not None:
            (root / "Dockerfile").write_text(dockerfile)
        for name, content in (files or {}).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return root
    return write


def build(cli, *words, **options):
    return cli("build", *words, env={**CLASSIC, **options.pop("env", {})}, timeout=120, **options)


def built(cli, *words, **options):
    return build(cli, *words, **options).ok().out


def output_of(cli, image, *words):
    return cli("run", "--rm", image, *words).ok().out


class TestSteps:
    def test_output_has_dockers_shape(self, cli, context, tag):
        root = context("FROM busybox\nRUN echo hello; echo oops >&2\nLABEL a=b\n")
        out = built(cli, "-t", tag, root)
        id12 = cli.inspect(tag)["Id"][7:19]
        lines = [re.sub(r"\x1b\[\d+m", "", line) for line in out.splitlines()]
        assert "Step 1/3 : FROM busybox" in lines
        assert "Step 2/3 : RUN echo hello; echo oops >&2" in lines
        running = [line for line in lines if line.startswith(" ---> Running in ")]
        assert len(running) == 1
        assert f"Removing intermediate container {running[0].split()[-1]}" in lines
        assert "hello" in lines
        assert lines[-2:] == [f"Successfully built {id12}", f"Successfully tagged {tag}"]

    def test_the_second_build_is_cached(self, cli, context, tag):
        root = context("FROM busybox\nCOPY a /a\nRUN cat /a > /b\nENV X=1\n", {"a": "one"})
        built(cli, "-t", tag, root)
        first = cli.inspect(tag)["Id"]
        os.utime(root / "a", (1, 1))
        out = built(cli, "-t", tag, root)
        assert out.count("Using cache") == 3
        assert cli.inspect(tag)["Id"] == first
        (root / "a").write_text("two")
        out = built(cli, "-t", tag, root)
        assert "Using cache" not in out
        assert output_of(cli, tag, "cat", "/b") == "two"
        assert "Using cache" not in built(cli, "--no-cache", "-t", tag, root)

    def test_quiet_prints_the_id(self, cli, context, tag):
        out = built(cli, "-q", "-t", tag, context("FROM busybox\nRUN echo not shown\n"))
        assert out.strip() == cli.inspect(tag)["Id"]

    def test_a_failing_command_ends_with_its_code(self, cli, context):
        result = build(cli, "--force-rm", context("FROM busybox\nRUN exit 9\n"))
        assert result.rc == 9
        assert "The command '/bin/sh -c exit 9' returned a non-zero code: 9" in result.err
        assert cli("ps", "-aq").ok().out == ""

    def test_configuration(self, one_cli, context, tag):
        built(one_cli, "-t", tag, context(
            "FROM busybox\nENV A=1 B=\"two words\" C=${A:-x}${D:+y}\nLABEL k=v\nEXPOSE 80 90/udp\nWORKDIR /w\n"
            "WORKDIR sub\nUSER 5:6\nVOLUME /data\nSTOPSIGNAL SIGINT\nENTRYPOINT [\"/bin/echo\"]\nCMD [\"$A\", \"x\"]\n"
            "HEALTHCHECK --interval=5s CMD true\nONBUILD RUN true\nSHELL [\"/bin/sh\", \"-ec\"]\n"))
        config = one_cli.inspect(tag)["Config"]
        assert config["Env"][1:] == ["A=1", "B=two words", "C=x"]
        assert config["Labels"] == {"k": "v"}
        assert config["ExposedPorts"] == {"80/tcp": {}, "90/udp": {}}
        assert config["WorkingDir"] == "/w/sub"
        assert config["User"] == "5:6"
        assert config["Volumes"] == {"/data": {}}
        assert config["StopSignal"] == "SIGINT"
        assert (config["Entrypoint"], config["Cmd"]) == (["/bin/echo"], ["$A", "x"])
        assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 5000000000}
        assert config["OnBuild"] == ["RUN true"]
        assert config["Shell"] == ["/bin/sh", "-ec"]

    def test_arguments(self, one_cli, context, tag):
        root = context("ARG BASE=nosuch\nFROM $BASE\nARG V=1\nARG W\nENV V2=$V\nRUN echo \"$V $V2 $W\" > /v\n")
        out = built(one_cli, "-t", tag, "--build-arg", "BASE=busybox", "--build-arg", "V=7", "--build-arg", "SPARE=1",
                    root)
        assert output_of(one_cli, tag, "cat", "/v") == "7 7 \n"
        assert "[Warning] One or more build-args [SPARE] were not consumed" in out
        assert "V=7" not in one_cli.inspect(tag)["Config"]["Env"]

    def test_stages(self, cli, context, tag):
        root = context("FROM busybox AS first\nRUN echo made > /made\nFROM busybox\nCOPY --from=first /made /one\n"
                       "COPY --from=0 /made /two\nCOPY --from=busybox:latest /etc/group /group\nFROM first\nUSER 1\n")
        built(cli, "--target", "1", "-t", tag, root)
        assert output_of(cli, tag, "cat", "/one", "/two") == "made\nmade\n"
        assert output_of(cli, tag, "head", "-n1", "/group") == "root:x:0:\n"
        result = build(cli, "--target", "nope", root)
        assert 'target stage "nope" could not be found' in result.err

    def test_from_scratch(self, cli, context, tag):
        root = context("FROM scratch\nCOPY prog /echo\nCMD [\"/echo\", \"from nothing\"]\n",
                       {"prog": open(images.BUSYBOX, "rb").read()})
        (root / "prog").chmod(0o755)
        built(cli, "-t", tag, root)
        assert output_of(cli, tag) == "from nothing\n"

    def test_triggers_run_in_the_next_build(self, one_cli, context, tags):
        base, derived = tags("base"), tags("derived")
        built(one_cli, "-t", base, context("FROM busybox\nONBUILD RUN echo triggered > /t\n"))
        out = built(one_cli, "-t", derived, context(f"FROM {base}\n"))
        assert "# Executing 1 build trigger" in out
        assert output_of(one_cli, derived, "cat", "/t") == "triggered\n"
        assert not one_cli.inspect(derived)["Config"].get("OnBuild")

    def test_steps_run_in_user_namespaces(self, one_cli, context, tag):
        built(one_cli, "-t", tag, context("FROM busybox\nRUN cat /proc/self/uid_map > /map; touch /own\n"))
        assert output_of(one_cli, tag, "cat", "/map").split()[1] != "0"
        assert output_of(one_cli, tag, "stat", "-c", "%u", "/own") == "0\n"

    def test_labels_and_id_file(self, berth, context, tag, tmp_path):
        built(berth, "-t", tag, "--label", "x=a \"b\" $c", "--iidfile", tmp_path / "id", context("FROM busybox\n"))
        assert berth.inspect(tag)["Config"]["Labels"] == {"x": 'a "b" $c'}
        assert (tmp_path / "id").read_text() == berth.inspect(tag)["Id"]

    def test_intermediate_images_are_not_listed(self, one_cli, context, tag):
        before = one_cli("images", "-q").ok().out.split()
        built(one_cli, "-t", tag, context("FROM busybox\nENV A=1\nENV B=2\nENV C=3\n"))
        assert len(one_cli("images", "-q").ok().out.split()) == len(before) + 1
        everything = one_cli("images", "-aq").ok().out.split()
        one_cli("rmi", tag).ok()
        assert len(one_cli("images", "-aq").ok().out.split()) == len(everything) - 3
        assert one_cli("images", "-q").ok().out.split() == before


@pytest.fixture
def berth(any_engine):
    from conftest import make_client
    return make_client("berth", any_engine.host)


class TestCopy:
    def test_where_things_go(self, one_cli, context, tag):
        root = context("FROM busybox\nWORKDIR /w\nCOPY a.txt .\nCOPY a.txt b/\nCOPY a.txt c\nCOPY dir /d\nCOPY d*r/*.txt /m/\n"
                       "COPY [\"a b\", \"/s p/\"]\nCOPY . /all\n",
                       {"a.txt": "a", "dir/one.txt": "1", "dir/two.txt": "2", "dir/sub/deep": "3", "a b": "blank"})
        built(one_cli, "-t", tag, root)
        files = output_of(one_cli, tag, "find", "/w", "/d", "/m", "/s p", "/all", "-type", "f").split("\n")
        assert sorted(filter(None, files)) == sorted([
            "/w/a.txt", "/w/b/a.txt", "/w/c", "/d/one.txt", "/d/two.txt", "/d/sub/deep", "/m/one.txt", "/m/two.txt",
            "/s p/a b", "/all/a.txt", "/all/dir/one.txt", "/all/dir/two.txt", "/all/dir/sub/deep", "/all/a b",
            "/all/Dockerfile"])

    def test_owners_and_modes(self, one_cli, context, tag):
        root = context("FROM busybox\nCOPY a /a\nCOPY --chown=worker a /b\nCOPY --chown=5:7 --chmod=0640 a /new/c\n",
                       {"a": "x"})
        (root / "a").chmod(0o751)
        built(one_cli, "-t", tag, root)
        shown = output_of(one_cli, tag, "stat", "-c", "%n %u:%g %a", "/a", "/b", "/new/c", "/new")
        assert shown.splitlines() == ["/a 0:0 751", "/b 1000:1000 751", "/new/c 5:7 640", "/new 5:7 755"]

    def test_directories_of_the_image_keep_what_they_are(self, one_cli, context, tag):
        built(one_cli, "-t", tag, context("FROM busybox\nCOPY a /tmp/a\nCOPY a /home/worker/a\n", {"a": "x"}))
        shown = output_of(one_cli, tag, "stat", "-c", "%a %u", "/tmp", "/home/worker").splitlines()
        assert shown == ["1777 0", "755 1000"]

    def test_symlinks_of_the_image_are_followed_within_it(self, one_cli, context, tag):
        built(one_cli, "-t", tag, context("FROM busybox\nRUN mkdir /real && ln -s /real /link && ln -s /../../etc /up\n"
                                          "COPY a /link/a\nCOPY a /up/planted\n", {"a": "x"}))
        assert output_of(one_cli, tag, "cat", "/real/a", "/etc/planted") == "xx"
        assert not os.path.exists("/etc/planted")

    def test_add_extracts_archives_and_nothing_else(self, one_cli, context, tag, tmp_path):
        archive = images.Layer().add("in/file", b"inside", uid=3, gid=4).finish()
        root = context("FROM busybox\nADD a.tar /a/\nADD a.tar.gz /b/\nADD fake.tar.gz /c/\nCOPY a.tar /d/\n",
                       {"a.tar": archive, "a.tar.gz": images.compressed(archive),
                        "fake.tar.gz": images.compressed(b"no archive")})
        built(one_cli, "-t", tag, root)
        assert output_of(one_cli, tag, "cat", "/a/in/file", "/b/in/file") == "insideinside"
        assert output_of(one_cli, tag, "stat", "-c", "%u:%g", "/a/in/file") == "3:4\n"
        assert output_of(one_cli, tag, "ls", "/c", "/d").split() == ["/c:", "fake.tar.gz", "/d:", "a.tar"]

    def test_add_fetches(self, one_cli, context, tag, web):
        web.files["/sub/f.txt"] = b"fetched"
        built(one_cli, "-t", tag, context(f"FROM busybox\nADD {web.url}/sub/f.txt /x/\nADD {web.url}/sub/f.txt /y\n"))
        assert output_of(one_cli, tag, "cat", "/x/f.txt", "/y") == "fetchedfetched"
        assert output_of(one_cli, tag, "stat", "-c", "%a", "/y") == "600\n"

    def test_heredocs(self, one_cli, context, tag):
        built(one_cli, "-t", tag, context(
            "FROM busybox\nARG V=1\nCOPY <<EOF <<'B' /etc/\nv=$V\nEOF\nv=$V\nB\nRUN <<EOF\necho one > /r\necho two >> /r\n"
            "EOF\nRUN cat > /s <<X\nthree\nX\n"))
        assert output_of(one_cli, tag, "cat", "/etc/EOF", "/etc/B", "/r", "/s") == "v=1\nv=$V\none\ntwo\nthree\n"

    @pytest.mark.parametrize("step,text", [
        ("COPY nofile /", "COPY failed: file not found in build context or excluded by .dockerignore: stat nofile: file "
                          "does not exist"),
        ("COPY no* /", "COPY failed: no source files were specified"),
        ("COPY ../x /", "COPY failed: forbidden path outside the build context: ../x ()"),
        ("COPY a Dockerfile /x", "When using COPY with more than one source file, the destination must be a directory and "
                                 "end with a /"),
        ("COPY --from=busybox /nofile /", "COPY failed: stat nofile: file does not exist"),
        ("COPY --from=7 /a /", "invalid from flag value 7: index out of bounds"),
        ("STOPSIGNAL FOO", "Invalid signal: FOO"),
    ])
    def test_errors(self, one_cli, context, step, text):
        result = build(one_cli, context(f"FROM busybox\n{step}\n", {"a": "x"}))
        assert result.rc == 1
        assert text in result.err

    def test_dockerignore(self, cli, context, tag):
        root = context("FROM busybox\nCOPY . /c\n",
                       {".dockerignore": "*.log\nsecret\n!secret/keep\n**/tmp*\nDockerfile\n.dockerignore\n", "a.log": "",
                        "sub/b.log": "", "secret/x": "", "secret/keep": "", "sub/tmp1/y": "", "z": ""})
        built(cli, "-t", tag, root)
        files = output_of(cli, tag, "find", "/c", "-type", "f").split()
        assert sorted(files) == ["/c/secret/keep", "/c/sub/b.log", "/c/z"]


@pytest.fixture
def web():
    """A web server on loopback; its `files` are what it serves."""
    files = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = files.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files = files
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class TestContexts:
    def test_dockerfile_from_stdin(self, cli, tag):
        built(cli, "-t", tag, "-", input=b"FROM busybox\nENV FROM=stdin\n")
        assert output_of(cli, tag, "sh", "-c", "echo $FROM") == "stdin\n"

    def test_archive_from_stdin(self, cli, tag):
        archive = images.Layer().add("Dockerfile", b"FROM busybox\nCOPY f /f\n").add("f", b"x").finish()
        built(cli, "-t", tag, "-", input=images.compressed(archive))
        assert output_of(cli, tag, "cat", "/f") == "x"

    def test_dockerfile_elsewhere(self, cli, context, tag, tmp_path):
        root = context(None, {"f": "x", "sub/Other": "FROM busybox\nCOPY f /f\n"})
        built(cli, "-t", tag, "-f", root / "sub/Other", root)
        assert output_of(cli, tag, "cat", "/f") == "x"
        outside = tmp_path / "outside"
        outside.write_text("FROM busybox\nCOPY f /g\n")
        built(cli, "-t", tag, "-f", outside, root)
        assert output_of(cli, tag, "cat", "/g") == "x"
        built(cli, "-t", tag, "-f", "-", root, input=b"FROM busybox\nCOPY f /h\n")
        assert output_of(cli, tag, "cat", "/h") == "x"

    def test_remote_dockerfile_and_archive(self, one_cli, tag, web):
        web.files["/D"] = b"FROM busybox\nENV A=remote\n"
        built(one_cli, "-t", tag, f"{web.url}/D")
        web.files["/c.tar"] = images.Layer().add("Dockerfile", b"FROM busybox\nCOPY f /f\n").add("f", b"y").finish()
        built(one_cli, "-t", tag, f"{web.url}/c.tar")
        assert output_of(one_cli, tag, "cat", "/f") == "y"

    @pytest.mark.parametrize("dockerfile,text", [
        ("FRO x\n", "dockerfile parse error on line 1: unknown instruction: FRO (did you mean FROM?)"),
        ("RUN x\n", "no build stage in current context"),
        ("# nothing\n", "file with no instructions"),
        ("FROM busybox\nENV A\n", "ENV must have two arguments"),
    ])
    def test_bad_dockerfiles_are_refused(self, one_cli, context, dockerfile, text):
        result = build(one_cli, context(dockerfile))
        assert result.rc == 1
        assert text in result.err

    def test_unsupported_parameters_are_refused_by_name(self, engine):
        for query in ("squash=1", "version=2", "cgroupparent=x", "securityopt=x", "outputs=x"):
            status, body = engine.request("POST", f"/build?{query}", b"")
            assert status == 400, query
            assert query.split("=")[0] in json.loads(body)["message"]

    def test_hostile_contexts(self, engine, one_cli):
        dockerfile = b"FROM busybox\nCOPY . /c\n"
        hostile = [
            images.Layer().add("../../evil", b"x").add("/abs", b"x").add("Dockerfile", dockerfile).finish(),
            images.Layer().link("out", "/etc").add("out/evil", b"x").add("Dockerfile", dockerfile).finish(),
            images.Layer().link("Dockerfile", "/etc/passwd").finish(),
            images.Layer().link("l", "/").add("Dockerfile", b"FROM busybox\nCOPY l/etc/shadow /\n").finish(),
            images.Layer().add("d" + "/d" * 700, b"x").add("Dockerfile", dockerfile).finish(),
            images.Layer().add("dev", type=tarfile.CHRTYPE, devmajor=1, devminor=5).add("Dockerfile", dockerfile).finish(),
            b"no archive at all", b"", images.Layer().add("Dockerfile", dockerfile).finish()[:700],
        ]
        for archive in hostile:
            status, body = engine.request("POST", "/build?t=t-hostile:1", archive)
            text = body.decode()
            assert "root:x:0:0:root:/root:/bin/bash" not in text
            assert status in (200, 400, 404, 500), text
        assert not os.path.exists("/etc/evil")
        assert not list((engine.state_dir / "build/tmp").iterdir())
        one_cli("rmi", "-f", "t-hostile:1")

    def test_a_client_that_goes_leaves_nothing(self, engine, one_cli, context):
        root = context("FROM busybox\nRUN echo begun; sleep 1000\n")
        client = one_cli.start("build", root, stdout=subprocess.PIPE)
        while b"begun" not in client.stdout.readline():
            pass
        client.kill()
        client.wait()
        eventually(lambda: one_cli("ps", "-aq").out == "", 10)
        eventually(lambda: not list((engine.state_dir / "build/tmp").iterdir()), 10)

    def test_a_client_that_goes_in_the_middle_of_the_context(self, engine):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(engine.socket))
        connection.sendall(b"POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + b"x" * 5000)
        eventually(lambda: list((engine.state_dir / "build/tmp").iterdir()), 10)
        connection.close()
        eventually(lambda: not list((engine.state_dir / "build/tmp").iterdir()), 10)


class TestMounts:
    def test_cache(self, one_cli, context, engine):
        root = context("FROM busybox\nRUN --mount=type=cache,target=/c,id=t-cache echo line >> /c/log; wc -l < /c/log\n")
        first = built(one_cli, "--no-cache", root)
        second = built(one_cli, "--no-cache", root)
        assert "\n1\n" in first and "\n2\n" in second
        status, body = engine.request("POST", "/build/prune")
        assert status == 200 and len(json.loads(body)["CachesDeleted"]) == 1
        assert "\n1\n" in built(one_cli, "--no-cache", root)
        engine.request("POST", "/build/prune")

    def test_bind_and_tmpfs_leave_no_trace(self, one_cli, context, tag):
        built(one_cli, "-t", tag, context(
            "FROM busybox AS a\nRUN echo a > /made\nFROM busybox\n"
            "RUN --mount=type=bind,target=/ctx --mount=type=bind,from=a,source=/made,target=/m/made "
            "--mount=type=tmpfs,target=/t cat /ctx/f /m/made > /r; touch /t/x; ! touch /ctx/y\n", {"f": "x"}))
        assert output_of(one_cli, tag, "cat", "/r") == "xa\n"
        assert output_of(one_cli, tag, "ls", "/").split() == sorted(output_of(one_cli, "busybox", "ls", "/").split() + ["r"])

    def test_secrets_are_in_no_layer(self, berth, context, tag, tmp_path, engine):
        (tmp_path / "token").write_text("hush-7781")
        built(berth, "-t", tag, "--secret", f"id=tok,src={tmp_path}/token", context(
            "FROM busybox\nRUN --mount=type=secret,id=tok,required wc -c < /run/secrets/tok > /n\n"
            "RUN --mount=type=secret,id=other ls /run/secrets > /o 2>&1; true\n"))
        assert output_of(berth, tag, "cat", "/n") == "9\n"
        found = subprocess.run(["grep", "-rl", "hush-7781", engine.state_dir, engine.run_dir], capture_output=True)
        assert found.stdout == b"", found.stdout
        assert "hush-7781" not in engine.log()
        result = build(berth, context("FROM busybox\nRUN --mount=type=secret,id=none,required true\n"))
        assert "secret none: not found" in result.err

    def test_ssh_reaches_the_clients_agent(self, berth, context, debian, tmp_path):
        path = str(tmp_path / "agent.sock")
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        heard = []

        def answer():
            connection, _ = server.accept()
            heard.append(connection.recv(100))
            connection.sendall(b"hello from the agent\n")
            connection.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        out = built(berth, "--no-cache", "--ssh", f"default={path}", context(
            f"FROM {debian}\nRUN --mount=type=ssh perl -MIO::Socket::UNIX -e "
            "'$s = IO::Socket::UNIX->new(Peer => $ENV{SSH_AUTH_SOCK}) or die $!; $s->print(\"asked\\n\"); print <$s>'\n"))
        thread.join(10)
        server.close()
        assert heard == [b"asked\n"]
        assert "hello from the agent" in out


class TestCommit:
    def test_commit(self, cli, names, tag):
        name = names()
        cli("run", "--name", name, "-e", "X=1", "busybox", "sh", "-c", "echo new > /new; rm /etc/group").ok()
        image = cli("commit", "-a", "me", "-m", "why", "-c", "ENV Y=2", "-c", 'CMD ["cat", "/new"]', name, tag).ok().words
        assert image == cli.inspect(tag)["Id"]
        assert output_of(cli, tag) == "new\n"
        assert cli("run", "--rm", tag, "ls", "/etc/group").rc != 0
        shown = cli.inspect(tag)
        assert {"X=1", "Y=2"} <= set(shown["Config"]["Env"])
        assert (shown["Author"], shown["Comment"]) == ("me", "why")
        result = cli("commit", "-c", "RUN x", name)
        assert "run is not a valid change command" in result.err

    def test_commit_of_a_running_container(self, one_cli, names, tag):
        name = names()
        one_cli("run", "-d", "--name", name, "busybox", "sh", "-c", "echo x > /x; sleep 1000").ok()
        eventually(lambda: one_cli("exec", name, "cat", "/x").out == "x\n", 10)
        one_cli("commit", name, tag).ok()
        assert one_cli.inspect(name)["State"]["Status"] == "running"
        assert output_of(one_cli, tag, "cat", "/x") == "x\n"

    def test_diff(self, cli, names):
        name = names()
        cli("run", "--name", name, "busybox", "true").ok()
        assert cli("diff", name).ok().out == ""
        other = names()
        cli("run", "--name", other, "busybox", "sh", "-c",
            "mkdir /new; echo x > /new/f; echo y >> /etc/passwd; rm /etc/group").ok()
        assert cli("diff", other).ok().out.splitlines() == ["C /etc", "D /etc/group", "C /etc/passwd", "A /new", "A /new/f"]

    def test_export(self, cli, names, tmp_path):
        name = names()
        cli("run", "--name", name, "-v", "/data", "busybox", "sh", "-c", "echo x > /f; echo y > /data/hidden").ok()
        cli("export", "-o", tmp_path / "e.tar", name).ok()
        with tarfile.open(tmp_path / "e.tar") as archive:
            members = set(archive.getnames())
            assert archive.extractfile("f").read() == b"x\n"
        assert {"bin/busybox", "etc/passwd", "f"} <= members
        assert "data/hidden" not in members

    def test_errors(self, cli, tmp_path):
        for verb in ("commit", "diff", "export"):
            words = ["-o", tmp_path / "e.tar"] if verb == "export" else []
            assert "No such container: nosuch" in cli(verb, *words, "nosuch").err
