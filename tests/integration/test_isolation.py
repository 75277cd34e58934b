"""Who a container's root is, what it cannot reach, how much it may take (rows 146, 206; gates 9, 12, 18)."""
import os
import pathlib
import socket
import subprocess
import threading
import time

import pytest

from support.process import eventually, run

ECHO = ("nc", "-ll", "-p", "7", "-e", "cat")
UDP_ECHO = ("perl", "-MIO::Socket::INET", "-e", "$s = IO::Socket::INET->new(Proto => 'udp', LocalPort => 7) or die; "
            "while ($s->recv($m, 100)) { $s->send($m) }")

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def berth(engine):
    return engine.berth()


def box(cli, name, *flags, command=("sleep", "300"), image="busybox"):
    cli("run", "-d", "--name", name, *flags, image, *command).ok()
    return cli.inspect(name)["State"]["Pid"]


class TestUserNamespace:
    def test_root_of_the_container_is_nobody_on_the_host(self, berth, name):
        pid = box(berth, name)
        assert os.stat(f"/proc/{pid}").st_uid >= 1_000_000_000
        first, base, size = map(int, pathlib.Path(f"/proc/{pid}/uid_map").read_text().split())
        assert (first, size) == (0, 65536) and base == os.stat(f"/proc/{pid}").st_uid

    def test_ranges_are_never_shared(self, berth, names):
        ranges = set()
        for word in "abcd":
            pid = box(berth, names(word))
            ranges.add(int(pathlib.Path(f"/proc/{pid}/uid_map").read_text().split()[1]))
        assert len(ranges) == 4 and all(base % 65536 == min(ranges) % 65536 for base in ranges)

    def test_a_range_is_given_again_after_removal_only(self, berth, names):
        first, second = names("a"), names("b")
        box(berth, first)
        base = pathlib.Path(f"/proc/{berth.inspect(first)['State']['Pid']}/uid_map").read_text().split()[1]
        berth("kill", first).ok()
        pid = box(berth, second)
        assert pathlib.Path(f"/proc/{pid}/uid_map").read_text().split()[1] != base

    def test_files_keep_plain_ids(self, berth, name, tmp_path):
        berth("run", "--rm", "-v", f"{tmp_path}:/mnt", "busybox", "sh", "-c",
              "touch /mnt/root; touch /mnt/worker; chown 1000:1001 /mnt/worker").ok()
        assert (tmp_path / "root").stat().st_uid == 0
        assert ((tmp_path / "worker").stat().st_uid, (tmp_path / "worker").stat().st_gid) == (1000, 1001)

    def test_userns_host_opts_out(self, berth, name):
        pid = box(berth, name, "--userns", "host")
        assert os.stat(f"/proc/{pid}").st_uid == 0

    def test_nothing_is_mounted_on_the_host(self, berth, name):
        before = pathlib.Path("/proc/self/mountinfo").read_text()
        box(berth, name)
        assert pathlib.Path("/proc/self/mountinfo").read_text() == before

    def test_another_users_file_is_out_of_reach(self, berth, name, tmp_path):
        secret = tmp_path / "secret"
        secret.write_text("x")
        secret.chmod(0o600)
        os.chown(secret, 70000, 70000)  # outside of the container's 65536 ids
        result = berth("run", "--rm", "-v", f"{tmp_path}:/mnt", "busybox", "cat", "/mnt/secret")
        assert result.rc == 1 and "denied" in result.err


class TestLimits:
    def test_memory_ends_with_137_and_says_why(self, berth, name):
        result = berth("run", "-m", "32m", "--name", name, "busybox", "sh", "-c", "tail /dev/zero", timeout=120)
        state = berth.inspect(name)["State"]
        assert state["OOMKilled"] is True, result.describe()
        assert result.rc == 137 or state["ExitCode"] == result.rc

    def test_memory_of_the_first_process(self, berth, name):
        result = berth("run", "-m", "32m", "--name", name, "busybox", "tail", "/dev/zero", timeout=120)
        assert result.rc == 137
        state = berth.inspect(name)["State"]
        assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)

    def test_the_limit_is_in_the_control_group(self, berth, name, engine):
        id = berth("run", "-d", "-m", "64m", "--name", name, "busybox", "sleep", "300").ok().words
        paths = [pathlib.Path(f"/sys/fs/cgroup/memory{engine.cgroup_parent}/{id}/memory.limit_in_bytes"),
                 pathlib.Path(f"/sys/fs/cgroup{engine.cgroup_parent}/{id}/memory.max")]
        values = [p.read_text().strip() for p in paths if p.exists()]
        assert values == [str(64 << 20)]

    def test_pids(self, berth):
        result = berth("run", "--rm", "--pids-limit", "12", "busybox", "sh", "-c",
                       "for i in $(seq 40); do sleep 5 & done; wait", timeout=60)
        assert "can't fork" in result.err, result.describe()

    def test_a_fork_bomb_stays_inside(self, berth, name):
        box(berth, name, "--pids-limit", "64", command=("sh", "-c", "b() { b | b & }; b; sleep 100"))
        start = time.monotonic()
        berth("run", "--rm", "busybox", "true").ok()
        assert time.monotonic() - start < 10
        berth("rm", "-f", name).ok()

    def test_cpus(self, berth, name):
        box(berth, name, "--cpus", "0.2", command=("sh", "-c", "while :; do :; done"))
        pid = berth.inspect(name)["State"]["Pid"]

        def used():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

        start, before = time.monotonic(), used()
        eventually(lambda: time.monotonic() - start > 2, what="two seconds")
        share = (used() - before) / (time.monotonic() - start)
        assert 0.05 < share < 0.35, f"it took {share:.2f} of a processor"

    def test_shared_memory_is_bounded(self, berth):
        result = berth("run", "--rm", "busybox", "sh", "-c", "df -k /dev/shm | tail -n 1")
        assert result.ok().out.split()[1] == str(64 * 1024)


class TestNetwork:
    """The test run has a network namespace of its own: what is called the host here is that namespace."""

    @pytest.fixture
    def service(self):
        """A service of the host on every address."""
        server = socket.create_server(("0.0.0.0", 0))

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.sendall(b"the host's secret\n")
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        server.close()

    def test_a_published_port_answers(self, berth, name):
        box(berth, name, "-p", "127.0.0.1:18501:7", command=ECHO)

        def echo():
            try:
                with socket.create_connection(("127.0.0.1", 18501), 5) as connection:
                    connection.sendall(b"hello")
                    return connection.recv(100) == b"hello"
            except OSError:
                return False

        eventually(echo, what="the published port echoes")

    def test_a_published_udp_port_answers(self, berth, name, debian):
        box(berth, name, "-p", "127.0.0.1:18502:7/udp", command=UDP_ECHO, image=debian)

        def echo():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.settimeout(0.5)
                probe.sendto(b"hello", ("127.0.0.1", 18502))
                try:
                    return probe.recv(100) == b"hello"
                except OSError:
                    return False

        eventually(echo, what="the published port echoes")

    def test_the_port_is_free_again_afterwards(self, berth, name):
        for _ in range(3):
            box(berth, name, "-p", "127.0.0.1:18503:80")
            berth("rm", "-f", name).ok()
        socket.create_server(("127.0.0.1", 18503)).close()

    def test_a_port_that_the_host_uses(self, berth, name, service):
        result = berth("run", "-d", "-p", f"{service}:80", "--name", name, "busybox", "sleep", "100")
        result.fails(125, "driver failed programming external connectivity on endpoint " + name,
                     ("address already in use", "port is already allocated"))
        assert berth.inspect(name)["State"]["Status"] == "created"

    def test_neighbours_on_the_bridge_reach_each_other(self, berth, names):
        first, second = names("a"), names("b")
        box(berth, first, command=ECHO)
        address = berth.inspect(first)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
        box(berth, second)
        eventually(lambda: berth("exec", second, "sh", "-c", f"echo ping | nc -w 2 {address} 7").out == "ping\n")

    def test_workspaces_do_not_reach_each_other(self, berth, names):
        first, second = names("a"), names("b")
        result = berth("run", "-d", "--network", "workspaces", "--name", first, "busybox", *ECHO)
        result.ok()
        address = berth.inspect(first)["NetworkSettings"]["Networks"]["workspaces"]["IPAddress"]
        berth("run", "-d", "--network", "workspaces", "--name", second, "busybox", "sleep", "300").ok()
        for probe in (f"echo ping | nc -w 2 {address} 7", f"ping -c 1 -W 2 {address}"):
            result = berth("exec", second, "sh", "-c", probe)
            assert result.rc != 0 and "ping\n" not in result.out, result.describe()
        assert berth("exec", first, "sh", "-c", f"echo ping | nc -w 2 {address} 7").out == "ping\n"

    @pytest.mark.parametrize("network", ["bridge", "workspaces"])
    def test_the_hosts_services_are_out_of_reach(self, berth, names, service, network):
        name = names()
        berth("run", "-d", "--network", network, "--name", name, "busybox", "sleep", "300").ok()
        seen = berth.inspect(name)["NetworkSettings"]["Networks"][network]
        for address in (seen["Gateway"], "127.0.0.1"):
            result = berth("exec", name, "sh", "-c", f"nc -w 2 {address} {service} </dev/null")
            assert "secret" not in result.out, result.describe()

    def test_the_cloud_metadata_address_is_out_of_reach(self, berth, name):
        subprocess.run(["ip", "addr", "add", "169.254.169.254/32", "dev", "lo"], check=True)
        server = socket.create_server(("169.254.169.254", 80))
        try:
            box(berth, name)
            result = berth("exec", name, "nc", "-w", "2", "169.254.169.254", "80", input=b"GET /\n")
            server.settimeout(0.1)
            with pytest.raises(OSError):
                server.accept()
            assert result.rc != 0
        finally:
            server.close()
            subprocess.run(["ip", "addr", "del", "169.254.169.254/32", "dev", "lo"], check=True)

    def test_forwarding_rules_of_others_stay(self, berth, engine, name):
        """A table that is not ours is as it was after a container has come and gone."""
        ruleset = "table inet foreign { chain c { type filter hook forward priority 0; policy accept; tcp dport 9 drop; }; }"
        subprocess.run(["nft", ruleset], check=True)
        try:
            before = run(["nft", "list", "table", "inet", "foreign"]).out
            box(berth, name, "-p", "127.0.0.1:18504:80")
            engine.restart()
            berth("rm", "-f", name).ok()
            assert run(["nft", "list", "table", "inet", "foreign"]).out == before
        finally:
            subprocess.run(["nft", "delete", "table", "inet", "foreign"], check=True)


ESCAPES = {
    "mount a filesystem": "mount -t tmpfs none /mnt",
    "mount proc anew": "mkdir -p /x; mount -t proc none /x",
    "remount the root": "mount -o remount,rw /proc/sys",
    "unshare a user namespace": "unshare -U true",
    "write a kernel setting": "echo 1 >/proc/sys/kernel/panic",
    "write the core pattern": "echo '|/tmp/x' >/proc/sys/kernel/core_pattern",
    "write to sysfs": "echo x >/sys/kernel/uevent_helper",
    "press the magic key": "echo h >/proc/sysrq-trigger",
    "read kernel memory": "head -c 1 /proc/kcore",
    "read the key ring": "test -n \"$(head -c 1 /proc/keys)\"",
    "read the timers": "test -n \"$(head -c 1 /proc/timer_list)\"",
    "make a block device": "mknod /tmp/sda b 8 0 && head -c 1 /tmp/sda",
    "make a memory device": "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem",
    "load a module": "insmod /bin/busybox",
    "set the clock": "date -s 2001-01-01; test $(date +%Y) = 2001",
    "set the host name of the host": "echo x >/proc/sys/kernel/hostname",
    "make a control group with a release agent": "mkdir -p /cg && mount -t cgroup -o memory none /cg && ls /cg",
    "write the release agent": "for f in $(find /sys/fs/cgroup -name release_agent); do echo x >$f && exit 0; done; exit 1",
    "join a control group": "for f in $(find /sys/fs/cgroup -name cgroup.procs); do echo $$ >$f && exit 0; done; exit 1",
    "raise the memory limit": "for f in $(find /sys/fs/cgroup -name memory.max -o -name memory.limit_in_bytes); do "
                              "echo 9000000000 >$f && exit 0; done; exit 1",
    "enter the host's mounts": "nsenter -t 1 -m -- test -d /proc/1/root/sys/firmware",
    "switch the root": "pivot_root / /tmp",
    "swap": "dd if=/dev/zero of=/tmp/swap bs=1M count=1 2>/dev/null; swapon /tmp/swap",
    "reboot": "reboot -f",
    "change a network interface's namespace": "ip link set eth0 netns 1 && ! test -e /sys/class/net/eth0",
}


class TestEscape:
    @pytest.fixture(scope="class")
    def target(self, engine, one_cli):
        name = "t-escape"
        engine.berth()("run", "-d", "--name", name, "busybox", "sleep", "1000").ok()
        yield name
        engine.berth().remove(name)

    @pytest.mark.parametrize("what", ESCAPES)
    def test_refused(self, berth, target, what):
        result = berth("exec", target, "sh", "-c", ESCAPES[what])
        assert result.rc != 0, f"it could {what}\n{result.describe()}"

    def test_only_three_descriptors_are_inherited(self, berth, target):
        for command in (["exec", target], ["run", "--rm", "busybox"]):
            result = berth(*command, "sh", "-c", "sh -c 'ls /proc/$PPID/fd'; true")
            assert result.ok().out.split() == ["0", "1", "2"], result.describe()

    def test_a_working_directory_through_a_leaked_descriptor(self, berth):
        for number in range(3, 12):
            result = berth("run", "--rm", "-w", f"/proc/self/fd/{number}", "busybox", "sh", "-c",
                           "ls -a ../../../.. | grep -c . ; test -e ../../../../etc/machine-id && echo outside")
            assert "outside" not in result.out, result.describe()

    def test_an_exec_directory_through_a_leaked_descriptor(self, berth, target):
        for number in range(3, 12):
            result = berth("exec", "-w", f"/proc/self/fd/{number}", target, "sh", "-c",
                           "test -e ../../../../etc/machine-id && echo outside")
            assert "outside" not in result.out, result.describe()

    def test_the_host_is_not_among_its_processes(self, berth, target):
        rows = berth("exec", target, "ps", "-o", "pid,comm").ok().out.splitlines()[1:]
        assert {row.split()[1] for row in rows} <= {"sleep", "ps"}

    def test_masked_and_read_only_paths(self, berth, target):
        result = berth("exec", target, "sh", "-c",
                       "for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug; do "
                       "test ! -e $f || test \"$(head -c 1 $f | wc -c)\" = 0 || echo open $f; done; "
                       "for d in /proc/acpi /proc/scsi /sys/firmware; do test ! -e $d || test -z \"$(ls $d)\" || echo open $d; done; "
                       "for p in /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger; do "
                       "test -w $p && test ! -d $p && echo writable $p; done; true")
        assert result.ok().out == ""

    def test_the_engines_socket_is_not_inside(self, berth, target, engine):
        result = berth("exec", target, "sh", "-c", "find / -name '*.sock' 2>/dev/null; cat /proc/net/unix")
        assert str(engine.run_dir) not in result.out

    def test_the_runtime_cannot_be_overwritten(self, berth, name):
        """CVE-2019-5736: the program that runs the container is not writable through /proc/self/exe."""
        runtimes = {p: pathlib.Path(p).read_bytes() for p in ("/usr/bin/crun", "/usr/sbin/runc") if os.path.exists(p)}
        box(berth, name)
        berth("exec", name, "sh", "-c",
              "for p in /proc/[0-9]*/exe; do echo broken 2>/dev/null >$p; done; true")
        assert all(pathlib.Path(p).read_bytes() == data for p, data in runtimes.items())

    def test_neighbours_files_are_out_of_reach(self, berth, names):
        first, second = names("a"), names("b")
        pid = box(berth, first)
        box(berth, second)
        result = berth("exec", second, "sh", "-c", f"ls /proc/{pid}/root; ls /proc/1/root/../..; echo")
        assert "json.log" not in result.out and str(pid) not in result.out

    @pytest.mark.parametrize("family", ["AF_PACKET:17", "AF_ALG:38", "AF_VSOCK:40"])
    def test_sockets_of_unusual_families(self, berth, debian, family):
        name, number = family.split(":")
        # Docker grants NET_RAW, so a packet socket is the container's own affair, inside its network namespace.
        if name == "AF_PACKET":
            pytest.skip("allowed inside the container's own network namespace, as Docker does")
        result = berth("run", "--rm", debian, "perl", "-e", f'socket(my $s, {number}, 5, 0) or die "refused: $!"')
        assert result.rc != 0 and "refused" in result.err, result.describe()

    @pytest.mark.parametrize("call, number", [("keyctl", 250), ("bpf", 321), ("perf_event_open", 298),
                                              ("userfaultfd", 323), ("init_module", 175), ("kexec_load", 246),
                                              ("open_by_handle_at", 304), ("add_key", 248), ("ptrace_other", 0)])
    def test_system_calls_that_are_filtered(self, berth, debian, call, number):
        if call == "ptrace_other":
            code = 'exit(0) if syscall(101, 16, 2**22 - 1, 0, 0) == 0; print "$!\\n"; exit 1'
        else:
            code = f'exit(0) if syscall({number}, 0, 0, 0, 0, 0) >= 0; print "$!\\n"; exit 1'
        result = berth("run", "--rm", debian, "perl", "-e", code)
        assert result.rc == 1, result.describe()
        allowed = ("Operation not permitted", "Function not implemented") + (("No such process",) if not number else ())
        assert result.words in allowed, result.describe()
