"""A Debian 12 machine in QEMU: systemd as PID 1, cgroup v2, the distribution's own kernel. Reached by ssh."""
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))

from support.process import eventually, run  # noqa: E402

# What a machine has besides the packages that scripts/packages asks for.
SYSTEM = ["linux-image-cloud-amd64", "systemd", "systemd-sysv", "dbus", "udev", "openssh-server", "netbase"]
# Of the test section, what the suites that run inside need; no docker.io, whose daemon would be a second engine there.
TESTS = ["python3", "python3-pytest", "busybox-static", "docker-registry", "skopeo", "umoci", "iproute2", "iptables",
         "nftables", "procps", "psmisc", "strace", "tmux", "util-linux", "patchelf", "binutils"]
DISK_BYTES = 12 << 30  # sparse

SETUP = r"""
set -e
echo berth-vm >"$1/etc/hostname"
echo '/dev/vda / ext4 defaults 0 1' >"$1/etc/fstab"
printf '[Match]\nName=e*\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' >"$1/etc/systemd/network/10.network"
rm -f "$1/etc/resolv.conf" && echo nameserver 10.0.2.3 >"$1/etc/resolv.conf"
mkdir -p -m 700 "$1/root/.ssh" && cat "$KEY.pub" >"$1/root/.ssh/authorized_keys"
chroot "$1" systemctl enable --quiet systemd-networkd ssh
"""


def packages():
    """The [run] section of scripts/packages and what the tests add."""
    script = f". {ROOT}/scripts/lib.sh; packages_in run"
    return sorted({*SYSTEM, *TESTS, *run(["bash", "-c", script]).ok().out.split()})


class Disk:
    """The machine's first state, made once and kept in a cache: disk image, kernel, initial ram disk, ssh key."""

    def __init__(self, cache):
        self.directory = pathlib.Path(cache) / "vm"
        self.image, self.kernel, self.ramdisk, self.key = (
            self.directory / name for name in ("disk.img", "vmlinuz", "initrd.img", "key"))
        self.stamp = self.directory / "stamp"

    def ensure(self):
        wanted = "\n".join([SETUP, *packages()])
        if self.stamp.exists() and self.stamp.read_text() == wanted:
            return self
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key]).ok()
        with tempfile.TemporaryDirectory(dir=self.directory) as work:
            setup = pathlib.Path(work) / "setup"
            setup.write_text(SETUP)
            root = pathlib.Path(work) / "root"
            run(["mmdebstrap", "--variant=minbase", "--include=" + ",".join(packages()),
                 f"--customize-hook=sh {setup} \"$1\"", "bookworm", root],
                timeout=1200, env={**os.environ, "KEY": str(self.key)}).ok()
            shutil.copy(next(root.glob("boot/vmlinuz-*")), self.kernel)
            shutil.copy(next(root.glob("boot/initrd.img-*")), self.ramdisk)
            with open(self.image, "wb") as image:
                image.truncate(DISK_BYTES)
            run(["mkfs.ext4", "-q", "-d", root, self.image], timeout=600).ok()
        self.stamp.write_text(wanted)
        return self


def accelerator():
    """KVM where the processor can: /dev/kvm may be there without, for guests that are made for it."""
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    return "kvm" if os.access("/dev/kvm", os.W_OK) and ("svm" in flags or "vmx" in flags) else "tcg,thread=multi"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Machine:
    """One run of the machine over a throw-away layer above its disk."""

    def __init__(self, disk, directory, memory="4096"):
        self.disk, self.memory = disk, memory
        self.directory = pathlib.Path(directory)
        self.port = free_port()
        self.slowness = 1 if accelerator() == "kvm" else 20
        self.console = self.directory / "console"
        self.process = None

    def start(self):
        layer = self.directory / "layer.qcow2"
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", self.disk.image, "-F", "raw", layer]).ok()
        command = [
            "qemu-system-x86_64", "-machine", "q35", "-accel", accelerator(), "-cpu", "max,-arch-capabilities",
            "-smp", "2", "-m", self.memory,
            "-display", "none", "-monitor", "none", "-serial", f"file:{self.console}",
            "-kernel", self.disk.kernel, "-initrd", self.disk.ramdisk,
            "-append", "root=/dev/vda rw console=ttyS0 quiet no_timer_check systemd.mask=docker-registry.service",
            "-drive", f"file={layer},if=virtio,format=qcow2,cache=unsafe",
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:22", "-device", "virtio-net-pci,netdev=net",
            "-device", "virtio-rng-pci",
        ]
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                        stderr=open(self.directory / "qemu", "wb"))
        self.wait_until_up()
        return self

    def wait_until_up(self):
        eventually(self._up_or_ended, 900, "the machine answers by ssh")
        assert self.process.poll() is None, "qemu ended:\n" + (self.directory / "qemu").read_text()
        # Until its units are all up the machine says "starting" and ends with 1.
        eventually(lambda: self("systemctl", "is-system-running").words not in ("starting", "initializing", ""), 600)

    def _up_or_ended(self):
        return self.process.poll() is not None or self._reached()

    def _reached(self):
        try:
            return self("true", timeout=60).rc == 0
        except subprocess.TimeoutExpired:  # slow, as an emulated machine is
            return False

    def ssh(self):
        return ["ssh", "-F", "none", "-i", self.disk.key, "-p", str(self.port), "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
                "-o", "ConnectTimeout=60", "-o", "ControlMaster=auto",
                "-o", f"ControlPath={self.directory}/ssh", "-o", "ControlPersist=yes", "root@127.0.0.1"]

    def __call__(self, *words, timeout=60, input=None):
        """Runs a program inside, with exactly these arguments. The time limit is that of a machine with KVM."""
        return run([*self.ssh(), shlex.join(map(str, words))], timeout=timeout * self.slowness, input=input)

    def sh(self, script, timeout=60):
        """Runs a shell script inside that must succeed; returns what it says without the last newline."""
        return self("bash", "-ec", script, timeout=timeout).ok().words

    def copy_in(self, source, target, names=(".",)):
        """Copies what is named below a directory into one of the machine."""
        tar = subprocess.Popen(["tar", "-C", source, "-c", "--", *names], stdout=subprocess.PIPE)
        command = f"mkdir -p {shlex.quote(str(target))} && tar -C {shlex.quote(str(target))} --no-same-owner -x"
        done = subprocess.run([*map(str, self.ssh()), command], stdin=tar.stdout, timeout=300)
        assert tar.wait() == 0 and done.returncode == 0, f"copying {source} failed"

    def reboot(self):
        boot = self.sh("cat /proc/sys/kernel/random/boot_id")
        self("systemctl", "reboot")
        eventually(lambda: self("cat", "/proc/sys/kernel/random/boot_id").words not in ("", boot), 900, "a new boot")
        self.wait_until_up()

    def end(self):
        if self.process is None or self.process.poll() is not None:
            return
        self("systemctl", "poweroff")
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


