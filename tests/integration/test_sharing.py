"""Namespaces and volumes shared between containers, security options, devices and the further host settings."""
import json

import pytest

from support.process import eventually

pytestmark = pytest.mark.usefixtures("no_leaks")


def sleeper(cli, name, *flags):
    cli("run", "-d", "--name", name, *flags, "busybox", "sleep", "300").ok()


class TestNamespaces:
    def test_pid(self, cli, names):
        owner = names("owner")
        sleeper(cli, owner)
        seen = cli("run", "--rm", "--pid", f"container:{owner}", "busybox", "ps").ok().out
        assert "sleep 300" in seen
        cli("run", "--rm", "--pid", f"container:{owner}", "busybox", "kill", "-9", "1").ok()
        assert cli.inspect(owner)["State"]["Running"], "the first process of a namespace is not killed from inside it"
        assert cli("exec", owner, "true").rc == 0

    def test_ipc(self, cli, names):
        owner, private = names("owner"), names("private")
        sleeper(cli, owner, "--ipc", "shareable")
        sleeper(cli, private, "--ipc", "private")
        cli("exec", owner, "sh", "-c", "echo shared > /dev/shm/word").ok()
        assert cli("run", "--rm", "--ipc", f"container:{owner}", "busybox", "cat", "/dev/shm/word").ok().out == "shared\n"
        cli("run", "--rm", "--ipc", f"container:{private}", "busybox", "true").fails(125, "non-shareable IPC")

    def test_network(self, cli, names):
        owner = names("owner")
        cli("run", "-d", "--name", owner, "busybox", "sh", "-c", "httpd -f -p 8080 -h /etc").ok()
        joined = ["run", "--rm", "--network", f"container:{owner}", "busybox"]
        eventually(lambda: cli(*joined, "wget", "-q", "-O", "-", "http://127.0.0.1:8080/hostname").rc == 0, 10)
        mine, theirs = cli(*joined, "cat", "/etc/hosts").ok().out, cli("exec", owner, "cat", "/etc/hosts").ok().out
        assert mine == theirs
        assert cli(*joined, "hostname").ok().out == cli("exec", owner, "hostname").ok().out

    def test_a_stopped_one_cannot_be_joined(self, cli, names):
        owner = names("owner")
        cli("create", "--name", owner, "busybox", "true").ok()
        cli("run", "--rm", "--pid", f"container:{owner}", "busybox", "true").fails(125, "non running container")
        cli("run", "--rm", "--pid", "container:no-such", "busybox", "true").fails(125, "No such container: no-such")

    def test_uts_and_domainname(self, cli):
        out = cli("run", "--rm", "--domainname", "example.org", "-h", "box", "busybox", "cat",
                  "/proc/sys/kernel/domainname").ok().out
        assert out == "example.org\n"


class TestVolumesFrom:
    def test_all_mounts_come_along(self, cli, names, tmp_path):
        owner = names("owner")
        (tmp_path / "file").write_text("bound\n")
        cli("create", "--name", owner, "-v", "/data", "-v", f"{tmp_path}:/bound:ro", "busybox", "true").ok()
        cli("run", "--rm", "--volumes-from", owner, "busybox", "sh", "-c", "echo kept > /data/x; cat /bound/file").ok()
        out = cli("run", "--rm", "--volumes-from", f"{owner}:ro", "busybox", "sh", "-c", "cat /data/x; touch /data/y")
        assert out.out == "kept\n" and out.rc != 0 and "Read-only" in out.err

    def test_of_none(self, cli):
        cli("run", "--rm", "--volumes-from", "no-such", "busybox", "true").fails(125, "No such container: no-such")


class TestSecurity:
    def test_seccomp_profile(self, cli, tmp_path):
        profile = tmp_path / "profile.json"
        profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}))
        cli("run", "--rm", "--security-opt", f"seccomp={profile}", "busybox", "mkdir", "/x").fails(1, "not permitted")
        if "docker-20" not in str(cli.name):  # which takes the word for a file
            cli("run", "--rm", "--security-opt", "seccomp=builtin", "busybox", "mkdir", "/x").ok()

    def test_no_new_privileges(self, cli):
        out = cli("run", "--rm", "--security-opt", "no-new-privileges:true", "busybox", "grep", "NoNewPrivs",
                  "/proc/self/status").ok().out
        assert out.split()[-1] == "1"

    def test_unmasked_paths(self, cli):
        masked = cli("run", "--rm", "busybox", "sh", "-c", "wc -c < /proc/timer_list").out
        assert masked.strip() in ("", "0")
        cli("run", "--rm", "--security-opt", "systempaths=unconfined", "busybox", "sh", "-c",
            "grep -q timer_list /proc/mounts && exit 1; exit 0").ok()

    def test_bad_options(self, cli):
        cli("run", "--rm", "--security-opt", "nonsense=1", "busybox", "true").fails(
            125, 'invalid --security-opt 2: "nonsense=1"')


class TestDevices:
    def test_one(self, cli):
        out = cli("run", "--rm", "--device", "/dev/zero:/dev/naught", "busybox", "sh", "-c",
                  "head -c 3 /dev/naught | od -An -tx1").ok().out
        assert out.split() == ["00", "00", "00"]

    def test_none_such(self, cli):
        result = cli("run", "--rm", "--device", "/dev/no-such", "busybox", "true")
        # 127 by a client that goes by the words "no such file".
        assert result.rc in (125, 127), result.describe()
        assert ('error gathering device information while adding custom device "/dev/no-such": '
                'no such file or directory') in result.err

    def test_gpus_without_a_driver(self, cli):
        cli("run", "--rm", "--gpus", "all", "busybox", "true").fails(125, "could not select device driver")


class TestMounts:
    def test_subpath(self, cli, names, one_cli):
        if cli.name == "docker-20":
            pytest.skip("the client does not know subpaths")
        volume = names("volume")
        cli("run", "--rm", "-v", f"{volume}:/v", "busybox", "sh", "-c", "mkdir -p /v/a/b; echo deep > /v/a/b/f").ok()
        body = {"Image": "busybox", "Cmd": ["cat", "/m/f"], "HostConfig": {"Mounts": [
            {"Type": "volume", "Source": volume, "Target": "/m", "VolumeOptions": {"Subpath": "a/b"}}]}}
        assert cli("run", "--rm", "--mount", f"type=volume,source={volume},target=/m,volume-subpath=a/b", "busybox",
                   "cat", "/m/f").ok().out == "deep\n", body
        cli("run", "--rm", "-v", f"{volume}:/v", "busybox", "ln", "-s", "/etc", "/v/out").ok()
        cli("run", "--rm", "--mount", f"type=volume,source={volume},target=/m,volume-subpath=out", "busybox",
            "cat", "/m/passwd").fails(127, "cannot access path")
        cli("volume", "rm", volume)

    def test_a_tree_is_given_to_the_user(self, one_cli, engine, names):
        volume = names("volume")
        one_cli("run", "--rm", "-v", f"{volume}:/v", "busybox", "sh", "-c", "mkdir /v/d; touch /v/d/f").ok()
        out = one_cli("run", "--rm", "-u", "1234:5678", "-v", f"{volume}:/v:U", "busybox", "sh", "-c",
                      "touch /v/d/g; stat -c %u:%g /v /v/d /v/d/f").ok().out
        assert out.split() == ["1234:5678"] * 3
        one_cli("volume", "rm", volume)

    def test_tmpfs_is_shown(self, cli, name):
        cli("run", "-d", "--name", name, "--mount", "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=700", "--tmpfs",
            "/u:size=2m", "busybox", "sleep", "300").ok()
        shown = cli.inspect(name)
        assert shown["HostConfig"]["Tmpfs"] == {"/u": "size=2m"}
        assert shown["HostConfig"]["Mounts"] == [
            {"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o700}}]
        df = cli("exec", name, "df", "-k", "/t", "/u").ok().out.split("\n")
        assert df[1].split()[1] == "1024" and df[2].split()[1] == "2048"


class TestFurther:
    def test_cgroup_parent(self, cli, name):
        sleeper(cli, name, "--cgroup-parent", "/berth-test-parent", "--cgroupns", "host")
        assert f"/berth-test-parent/{cli.inspect(name)['Id']}" in cli("exec", name, "cat", "/proc/self/cgroup").ok().out
        assert cli.inspect(name)["HostConfig"]["CgroupParent"] == "/berth-test-parent"

    def test_oom_score_and_groups_and_shm(self, cli, name):
        sleeper(cli, name, "--oom-score-adj", "321", "--group-add", "1234", "--shm-size", "3m")
        assert cli("exec", name, "cat", "/proc/1/oom_score_adj").ok().out == "321\n"
        assert "1234" in cli("exec", name, "id", "-G").ok().out.split()
        assert cli("exec", name, "df", "-k", "/dev/shm").ok().out.split("\n")[1].split()[1] == "3072"
        assert cli.inspect(name)["HostConfig"]["ShmSize"] == 3 << 20

    def test_log_options(self, cli, name):
        cli("run", "-d", "--name", name, "--log-opt", "labels=a", "--log-opt", "env=E", "--label", "a=1", "-e", "E=2",
            "busybox", "echo", "hello").ok()
        eventually(lambda: cli("logs", name).out == "hello\n")
        assert cli("logs", "--details", name).ok().out in ("E=2,a=1 hello\n", "a=1,E=2 hello\n")
        assert cli.inspect(name)["HostConfig"]["LogConfig"] == {
            "Type": "json-file", "Config": {"labels": "a", "env": "E"}}

    def test_local_log(self, cli, name):
        cli("run", "--name", name, "--log-driver", "local", "busybox", "sh", "-c", "echo out; echo err >&2").ok()
        result = cli("logs", name).ok()
        assert (result.out, result.err) == ("out\n", "err\n")
        assert cli.inspect(name)["LogPath"] == ""
