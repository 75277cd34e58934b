"""The flags of run, one by one (row 10); what is not offered is refused by name, never ignored."""
import re

import pytest

pytestmark = pytest.mark.usefixtures("no_leaks")


def shell(cli, *flags_then_command, input=None):
    *flags, command = flags_then_command
    return cli("run", "--rm", *flags, "busybox", "sh", "-c", command, input=input)


class TestProcess:
    def test_env(self, cli):
        result = cli("run", "--rm", "-e", "A=1", "--env", "B=two words", "-e", "HOST_ONE", "-e", "UNSET_ONE", "busybox",
                     "env", env={"HOST_ONE": "from outside"}).ok()
        lines = result.out.splitlines()
        assert {"A=1", "B=two words", "HOST_ONE=from outside", "HOME=/root"} <= set(lines)
        assert not any(line.startswith("UNSET_ONE") for line in lines)

    def test_the_default_environment(self, cli):
        lines = cli("run", "--rm", "--hostname", "guest", "busybox", "env").ok().out.splitlines()
        assert sorted(line.split("=")[0] for line in lines) == ["HOME", "HOSTNAME", "PATH"]
        assert "HOSTNAME=guest" in lines
        terminal = cli("run", "--rm", "-t", "busybox", "env").ok().out
        assert "TERM=xterm\r\n" in terminal

    def test_env_file(self, cli, tmp_path):
        path = tmp_path / "env"
        path.write_text("# comment\nONE=1\n\nTWO=a b=c\nHOST_ONE\n")
        result = cli("run", "--rm", "--env-file", path, "-e", "ONE=over", "busybox", "env", env={"HOST_ONE": "h"}).ok()
        assert {"ONE=over", "TWO=a b=c", "HOST_ONE=h"} <= set(result.out.splitlines())

    def test_a_missing_env_file(self, cli):
        cli("run", "--rm", "--env-file", "/no/such", "busybox", "true").fails(125, "/no/such: no such file or directory")

    def test_workdir(self, cli):
        assert shell(cli, "-w", "/tmp", "pwd").ok().words == "/tmp"
        assert shell(cli, "--workdir", "/made/on/the/way", "pwd").ok().words == "/made/on/the/way"

    @pytest.mark.parametrize("user, expected", [
        ("worker", "uid=1000(worker) gid=1000(worker) groups=1000(worker),1001(extra)"),
        ("1000", "uid=1000(worker) gid=1000(worker) groups=1000(worker),1001(extra)"),
        ("worker:extra", "uid=1000(worker) gid=1001(extra) groups=1001(extra)"),
        ("4242", "uid=4242 gid=0(root) groups=0(root)"),
        ("4242:4343", "uid=4242 gid=4343 groups=4343"),
        ("0", "uid=0(root) gid=0(root) groups=0(root)"),
    ])
    def test_user(self, cli, user, expected):
        assert shell(cli, "-u", user, "id").ok().words == expected

    def test_an_unknown_user(self, cli):
        cli("run", "--rm", "-u", "nobodyhere", "busybox", "true").fails(
            125, "unable to find user nobodyhere: no matching entries in passwd file")

    def test_entrypoint(self, cli):
        assert cli("run", "--rm", "--entrypoint", "echo", "busybox", "a", "b").ok().words == "a b"
        assert cli("run", "--rm", "--entrypoint", "/bin/busybox", "settings:1", "echo", "x").ok().words == "x"
        assert cli("run", "--rm", "--entrypoint", "", "settings:1", "echo", "reset").ok().words == "reset"

    def test_the_images_settings(self, cli):
        result = cli("run", "--rm", "settings:1").ok()
        assert {"COLOUR=green", "SHAPE=round", "HOME=/home/worker"} <= set(result.out.splitlines())
        result = cli("run", "--rm", "-e", "COLOUR=red", "settings:1", "sh", "-c", "pwd; id -un; echo $COLOUR; cat /data/seed")
        assert result.ok().out == "/srv/work\nworker\nred\nfrom the image\n"

    def test_init_reaps_and_forwards(self, cli, name):
        result = shell(cli, "--init", "ps -o pid,ppid,comm; sleep 0.01 & true")
        first = result.ok().out.splitlines()[1].split()
        assert first[0] == "1" and first[2] != "sh"

    def test_hostname(self, cli):
        assert shell(cli, "-h", "guest", "hostname; cat /etc/hostname; tail -n 1 /etc/hosts").ok().out.split()[0:2] == \
            ["guest", "guest"]

    def test_the_default_hostname_is_the_short_id(self, cli, name):
        id = cli("run", "-d", "--name", name, "busybox", "sleep", "100").ok().words
        assert cli("exec", name, "hostname").ok().words == id[:12]
        assert id[:12] in cli("exec", name, "cat", "/etc/hosts").ok().out

    def test_label_and_label_file(self, cli, name, tmp_path):
        path = tmp_path / "labels"
        path.write_text("from=file\nempty=\n")
        result = cli("create", "-l", "a=1", "--label", "b", "--label-file", path, "--name", name, "busybox")
        if cli.is_berth and result.rc:
            result.fails(125, "--label-file")
            cli("create", "-l", "a=1", "--label", "b", "--name", name, "busybox").ok()
            assert cli.inspect(name)["Config"]["Labels"] == {"a": "1", "b": ""}
        else:
            assert cli.inspect(name)["Config"]["Labels"] == {"a": "1", "b": "", "from": "file", "empty": ""}

    def test_restart_no(self, cli, name):
        cli("run", "--restart", "no", "--name", name, "busybox", "true").ok()
        assert cli.inspect(name)["HostConfig"]["RestartPolicy"]["Name"] == "no"
        assert cli.inspect(name)["RestartCount"] == 0


class TestFiles:
    def test_bind(self, cli, tmp_path):
        (tmp_path / "file").write_text("outside\n")
        assert shell(cli, "-v", f"{tmp_path}:/mnt", "cat /mnt/file; echo inside >/mnt/new").ok().words == "outside"
        assert (tmp_path / "new").read_text() == "inside\n"
        assert ((tmp_path / "new").stat().st_uid, (tmp_path / "new").stat().st_gid) == (0, 0)

    def test_bind_read_only(self, cli, tmp_path):
        (tmp_path / "file").write_text("x")
        result = shell(cli, "-v", f"{tmp_path}:/mnt:ro", "cat /mnt/file; touch /mnt/new")
        assert result.rc == 1 and "Read-only file system" in result.err

    def test_bind_of_one_file(self, cli, tmp_path):
        (tmp_path / "file").write_text("one file\n")
        assert shell(cli, "-v", f"{tmp_path}/file:/etc/one", "cat /etc/one").ok().words == "one file"

    def test_a_missing_source_of_v_becomes_a_directory(self, cli, tmp_path):
        assert shell(cli, "-v", f"{tmp_path}/made:/mnt", "touch /mnt/x").ok()
        assert (tmp_path / "made" / "x").exists()

    def test_a_missing_source_of_mount_is_an_error(self, cli, tmp_path):
        result = cli("run", "--rm", "--mount", f"type=bind,source={tmp_path}/none,target=/mnt", "busybox", "true")
        if cli.is_berth and "--mount" in result.err:
            result.fails(125, "unknown flag: --mount")
        else:
            result.fails(125, f'invalid mount config for type "bind": bind source path does not exist: {tmp_path}/none')

    def test_a_named_volume_outlives_its_containers(self, cli, names):
        volume = names("v")
        try:
            shell(cli, "-v", f"{volume}:/data", "echo kept >/data/file").ok()
            assert shell(cli, "-v", f"{volume}:/data", "cat /data/file").ok().words == "kept"
        finally:
            cli("volume", "rm", "-f", volume)

    def test_a_new_volume_gets_what_the_image_has(self, cli, name):
        cli("run", "--name", name, "settings:1", "sh", "-c", "cat /data/seed; ls -ln /data/seed").ok()
        mounts = cli.inspect(name)["Mounts"]
        assert [(m["Type"], m["Destination"], m["RW"]) for m in mounts] == [("volume", "/data", True)]

    def test_a_relative_source_is_refused(self, cli):
        cli("run", "--rm", "-v", "rel/path:/mnt", "busybox", "true").fails(
            125, 'create rel/path: "rel/path" includes invalid characters for a local volume name, only '
                 '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path')

    def test_a_bad_mode_is_refused(self, cli, tmp_path):
        cli("run", "--rm", "-v", f"{tmp_path}:/mnt:bad", "busybox", "true").fails(125, "invalid mode: bad")

    def test_read_only_root(self, cli):
        result = shell(cli, "--read-only", "touch /x || touch /etc/x || echo refused")
        assert result.ok().words == "refused" and "Read-only file system" in result.err

    def test_tmpfs(self, cli):
        result = shell(cli, "--read-only", "--tmpfs", "/run", "--tmpfs", "/scratch:size=1m,mode=700",
                       "touch /run/x && stat -f -c %T /run && stat -c %a /scratch && "
                       "! dd if=/dev/zero of=/scratch/big bs=1M count=2 2>/dev/null && df -k /scratch | tail -n 1")
        lines = result.ok().out.splitlines()
        assert lines[:2] == ["tmpfs", "700"] and lines[2].split()[1] == "1024"

    def test_changes_stay_in_the_container(self, cli):
        shell(cli, "echo changed >/etc/passwd; rm /bin/ls; touch /new").ok()
        assert shell(cli, "grep -c root /etc/passwd; ls /bin/ls; test -e /new || echo unchanged").ok().out == \
            "1\n/bin/ls\nunchanged\n"

    def test_the_standard_mounts(self, cli):
        mounts = shell(cli, "cat /proc/self/mounts").ok().out
        kinds = {line.split()[1]: line.split()[2] for line in mounts.splitlines()}
        assert kinds["/"] == "overlay" and kinds["/proc"] == "proc" and kinds["/sys"] == "sysfs"
        assert kinds["/dev"] == "tmpfs" and kinds["/dev/pts"] == "devpts" and kinds["/dev/mqueue"] == "mqueue"
        assert kinds["/dev/shm"] in ("tmpfs", "shm")
        assert {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"} <= set(kinds)

    def test_the_standard_devices(self, cli):
        names = shell(cli, "ls /dev; readlink /dev/stdin; echo x >/dev/null; head -c 3 /dev/zero | wc -c").ok().out.split()
        assert {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "fd", "stdin"} <= set(names)
        assert names[-2:] == ["/proc/self/fd/0", "3"]


class TestRights:
    DEFAULT = {"chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service",
               "net_raw", "sys_chroot", "mknod", "audit_write", "setfcap"}
    BITS = ["chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
            "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
            "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
            "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap"]

    def capabilities(self, cli, *flags):
        mask = int(shell(cli, *flags, "grep CapEff /proc/self/status").ok().out.split()[1], 16)
        return {name for bit, name in enumerate(self.BITS) if mask >> bit & 1}

    def test_the_default_set(self, cli):
        assert self.capabilities(cli) == self.DEFAULT

    @pytest.mark.parametrize("flags, change", [
        (["--cap-drop", "NET_RAW"], {"net_raw"}), (["--cap-drop", "CAP_CHOWN", "--cap-drop", "kill"], {"chown", "kill"}),
        (["--cap-add", "NET_ADMIN"], {"net_admin"}),
    ])
    def test_added_and_dropped(self, cli, flags, change):
        assert self.capabilities(cli, *flags) == self.DEFAULT ^ change

    def test_drop_all_add_one(self, cli):
        assert self.capabilities(cli, "--cap-drop", "ALL", "--cap-add", "CHOWN") == {"chown"}

    def test_an_unknown_capability(self, cli):
        cli("run", "--rm", "--cap-add", "NOSUCH", "busybox", "true").fails(
            125, 'nvalid CapAdd: unknown capability: "CAP_NOSUCH"')

    def test_an_unknown_runtime(self, cli):
        cli("run", "--rm", "--runtime", "nosuch", "busybox", "true").fails(125, "nknown", "runtime", "nosuch")

    def test_another_runtime(self, cli, engine):
        assert shell(cli, "--runtime", "runc", "echo by runc").ok().words == "by runc"

    def test_seccomp_is_on(self, cli):
        assert shell(cli, "grep Seccomp: /proc/self/status").ok().out.split() == ["Seccomp:", "2"]

    def test_no_new_privileges(self, cli):
        result = cli("run", "--rm", "--security-opt", "no-new-privileges", "busybox", "grep", "NoNewPrivs",
                     "/proc/self/status")
        if cli.is_berth and "unknown flag" in result.err:
            pytest.skip("--security-opt is not offered yet")
        assert result.ok().out.split() == ["NoNewPrivs:", "1"]


class TestNetwork:
    def test_none_has_only_loopback(self, cli):
        assert shell(cli, "--network", "none", "ls /sys/class/net").ok().words == "lo"

    def test_bridge_has_an_address_and_a_route(self, cli):
        result = shell(cli, "ip -4 -o addr show eth0; ip route").ok()
        assert re.search(r"inet \d+\.\d+\.\d+\.\d+/\d+", result.out) and "default via" in result.out

    def test_host_is_the_hosts(self, cli, engine):
        assert "lo" in shell(cli, "--network", "host", "ls /sys/class/net").ok().out.split()

    def test_an_unknown_network(self, cli):
        result = cli("run", "--rm", "--network", "nosuchnet", "busybox", "true").fails(125, "network nosuchnet not found")
        assert result.stdout == b""

    def test_a_published_port_shows(self, cli, name):
        cli("run", "-d", "-p", "127.0.0.1:18431:80", "-p", "18432:53/udp", "--name", name, "busybox", "sleep", "100").ok()
        ports = cli.inspect(name)["NetworkSettings"]["Ports"]
        assert ports["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "18431"}]
        assert {"HostIp": "0.0.0.0", "HostPort": "18432"} in ports["53/udp"]
        row = cli("ps", "--filter", f"name={name}", "--format", "{{.Ports}}").ok().out
        assert "127.0.0.1:18431->80/tcp" in row and "0.0.0.0:18432->53/udp" in row

    def test_a_port_in_use_by_another(self, cli, names):
        first, second = names("a"), names("b")
        cli("run", "-d", "-p", "127.0.0.1:18433:80", "--name", first, "busybox", "sleep", "100").ok()
        cli("run", "-d", "-p", "127.0.0.1:18433:80", "--name", second, "busybox", "sleep", "100").fails(
            125, "driver failed programming external connectivity on endpoint " + second,
            "Bind for 127.0.0.1:18433 failed: port is already allocated")
        assert cli.inspect(second)["State"]["Status"] == "created"


class TestRefused:
    @pytest.mark.parametrize("flags, texts", [
        (["--nosuchflag"], ["unknown flag: --nosuchflag"]),
        (["-Z"], ["unknown shorthand flag: 'Z' in -Z"]),
        (["--memory", "lots"], ['invalid argument "lots" for "-m, --memory" flag']),
        (["--name"], ["flag needs an argument: --name"]),
        (["--cpus", "many"], ['invalid argument "many" for "--cpus" flag']),
        (["--memory", "1m"], ["inimum memory limit allowed is"]),
        (["--cpus", "1000"], ["ange of CPUs is from 0.01 to "]),
        (["--name", "b ad"], ["nvalid container name (b ad), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"]),
        (["--name", "/"], ["nvalid container name (/), only"]),
        (["-p", "99999:80"], ["nvalid"]),
        (["-p", "words"], ["nvalid"]),
        (["--restart", "bad"], ["nvalid restart policy"]),
        (["-e"], ["flag needs an argument: 'e' in -e"]),
        (["--tmpfs", "relative"], ["nvalid mount"]),
        (["-v", "/a:relative"], ["nvalid"]),
        (["-w", "relative/path"], ["relative/path", "nvalid"]),
    ])
    def test_wrong_flags(self, cli, flags, texts):
        words = [] if "flag needs" in texts[0] else ["busybox", "true"]
        remove = [] if "--restart" in flags else ["--rm"]
        result = cli("run", *remove, *flags, *words).fails(125, *texts)
        assert result.stdout == b""

    def test_rm_and_restart_exclude_each_other(self, cli):
        result = cli("run", "--rm", "--restart", "always", "busybox", "true")
        assert result.rc == 125, result.describe()

    def test_no_image(self, cli):
        result = cli("run")
        assert result.rc in (1, 125), result.describe()
        assert re.search(r"run['\"]? requires at least 1 argument", result.err)

    def test_an_unknown_command(self, cli):
        result = cli("nosuchverb")
        assert result.rc == 1, result.describe()
        assert "nosuchverb" in result.err

    @pytest.mark.parametrize("flag", ["--gpus=all", "--privileged", "--pid=host", "--device=/dev/null",
                                      "--platform=windows/amd64", "--isolation=hyperv"])
    def test_what_the_command_does_not_offer_it_names(self, engine, any_engine, flag):
        """Whether offered or not: never silently ignored."""
        cli = engine.berth()
        result = cli("run", "--rm", flag, "busybox", "sh", "-c", "cat /proc/self/status | grep CapEff; ls /dev")
        if result.rc == 0:
            assert flag in ("--privileged", "--pid=host", "--device=/dev/null"), f"accepted without effect: {result.describe()}"
        else:
            assert result.rc == 125, result.describe()
            name = {"--gpus=all": "gpu"}.get(flag, flag.split("=")[0].replace("-", ""))
            assert name in result.err.lower().replace("-", ""), result.describe()
