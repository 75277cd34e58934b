"""Berth and its peers, each with private directories: how one is started, loaded with an image, and asked."""
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "integration"))

from support import images, namespaces  # noqa: E402
from support.engine import Engine, build_dir  # noqa: E402
from support.portal import guest_tools  # noqa: E402
from support.process import eventually  # noqa: E402
from support.registry import Registry  # noqa: E402

from measure import timed  # noqa: E402

MNT_DETACH = 2


class Missing(Exception):
    """The peer is not installed, or does not work here."""


def program(name):
    path = shutil.which(name, path="/usr/local/bin:/usr/bin:/usr/sbin:/sbin")
    if not path:
        raise Missing("not installed")
    return path


class Bare:
    """crun without an engine. It refuses hybrid machines, so it is timed in a mount namespace without the v2 tree."""

    def __init__(self, directory, layer):
        self.crun = program("crun")
        self.bundle = directory / "bundle"
        root = self.bundle / "rootfs"
        root.mkdir(parents=True)
        archive = directory / "root.tar"
        archive.write_bytes(layer)
        with tarfile.open(archive) as tar:
            tar.extractall(root)
        subprocess.run([self.crun, "spec"], cwd=self.bundle, check=True)
        self.root = directory / "crun"
        self.number = 0
        self._start_worker()

    def _configure(self, words):
        path = self.bundle / "config.json"
        config = json.loads(path.read_text())
        config["process"].update(terminal=False, args=words)
        path.write_text(json.dumps(config))

    def _start_worker(self):
        """A child in a namespace of its own runs what it reads, a JSON list a line, and answers the milliseconds."""
        request, self._requests = os.pipe()
        self._answers, answer = os.pipe()
        self.worker = os.fork()
        if self.worker == 0:
            os.close(self._requests)
            namespaces.libc.unshare(namespaces.CLONE_NEWNS)
            subprocess.run(["mount", "--make-rprivate", "/"], check=False)
            if os.path.isdir("/sys/fs/cgroup/unified"):
                namespaces.libc.umount2(ctypes.c_char_p(b"/sys/fs/cgroup/unified"), MNT_DETACH)
            with os.fdopen(request) as lines:
                for line in lines:
                    try:
                        reply = timed(json.loads(line))
                    except RuntimeError as problem:
                        reply = str(problem)
                    os.write(answer, json.dumps(reply).encode() + b"\n")
            os._exit(0)
        os.close(request)
        os.close(answer)
        self._reader = os.fdopen(self._answers)

    def _timed(self, *words):
        os.write(self._requests, json.dumps([self.crun, "--root", str(self.root), *words]).encode() + b"\n")
        reply = json.loads(self._reader.readline())
        if isinstance(reply, str):
            raise RuntimeError(reply)
        return reply

    def run(self):
        self.number += 1
        self._configure(["true"])
        return self._timed("run", "--bundle", str(self.bundle), f"bench-{os.getpid()}-{self.number}")

    def start_box(self):
        self._configure(["sleep", "100000"])
        self.box = f"bench-{os.getpid()}-box"
        self._timed("run", "--detach", "--bundle", str(self.bundle), self.box)

    def exec(self):
        return self._timed("exec", self.box, "true")

    def close(self):
        if hasattr(self, "box"):
            self._timed("delete", "--force", self.box)
        os.close(self._requests)
        os.waitpid(self.worker, 0)


class Engined:
    """What Berth, Docker and Podman have in common: a command line with Docker's words."""

    name = "?"
    command = []
    environment = None
    plain_http = []  # options of pull and push for a registry on loopback without TLS

    def __call__(self, *words):
        return timed([*self.command, *map(str, words)], env=self.environment)

    def output(self, *words):
        done = subprocess.run([*self.command, *map(str, words)], env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip()[-300:])
        return done.stdout.strip()

    def load(self, archive):
        return self("load", "-q", "-i", archive)

    def run(self):
        return self("run", "--rm", "busybox", "true")

    def start_box(self):
        self("run", "-d", "--name", "bench-box", "busybox", "sleep", "100000")

    def exec(self):
        return self("exec", "bench-box", "true")

    def remove(self, *names):
        self("rm", "-f", *names)

    def begin(self, *words, stdout=subprocess.DEVNULL):
        """A command that goes on."""
        return subprocess.Popen([*self.command, *map(str, words)], env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=stdout, stderr=subprocess.DEVNULL)

    def forget(self, *names):
        """Removes containers that may not be there."""
        self.begin("rm", "-f", *names).wait(60)

    def forget_images(self, *names):
        for name in names:
            self.begin("rmi", "-f", name).wait(60)

    def daemons(self):
        """Process ids of what runs all the time."""
        return []


class Berth(Engined):
    name = "berth"

    def __init__(self, _):
        self.engine = Engine(arguments=["--guest-tools", guest_tools()]).start()
        self.command = [str(build_dir() / "berth"), "-H", self.engine.host]

    def daemons(self):
        return [self.engine.process.pid]

    def close(self):
        self.engine.destroy()


class Docker(Engined):
    """dockerd with a data root of its own, or the one at the address that was given."""

    name = "docker"

    def __init__(self, directory, host=None):
        client = program("docker")
        self.process = None
        if not host:
            daemon = program("dockerd")
            host = f"unix://{directory}/docker.sock"
            log = open(directory / "log", "wb")
            self.process = subprocess.Popen(
                [daemon, "--data-root", directory / "data", "--exec-root", directory / "exec", "-H", host,
                 "--pidfile", directory / "pid", "--default-ulimit", "nofile=1024:1024"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.command = [client, "-H", host]
        self.environment = {**os.environ, "DOCKER_CONFIG": str(directory), "DOCKER_CLI_HINTS": "false"}
        try:
            eventually(self._answers, 40, "dockerd answers")
        except AssertionError as problem:
            self.close()
            raise Missing(str(problem)) from None

    def _answers(self):
        try:
            return self("version")
        except RuntimeError:
            return self.process is not None and self.process.poll() is not None and 1 / 0

    def daemons(self):
        """dockerd and the containerd that it started; nothing of one that was there already."""
        if not self.process:
            return []
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def close(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)


class Podman(Engined):
    name = "podman"
    plain_http = ["--tls-verify=false"]

    def __init__(self, directory):
        conf = directory / "containers.conf"
        # Its defaults ask for more than the hard limits of this machine may allow.
        conf.write_text('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
        hybrid = os.path.isdir("/sys/fs/cgroup/unified")
        self.command = [program("podman"), "--root", str(directory / "root"), "--runroot", str(directory / "run"),
                        "--cgroup-manager", "cgroupfs", "--runtime", "runc" if hybrid else "crun"]
        self.environment = {**os.environ, "CONTAINERS_CONF": str(conf)}

    def close(self):
        subprocess.run([*self.command, "rm", "-f", "-a"], env=self.environment, capture_output=True)


class HostSshd:
    """A private sshd of this machine on loopback, and the key that it lets in."""

    def __init__(self, directory):
        sshd = program("sshd")
        os.makedirs("/run/sshd", exist_ok=True)
        self.key = directory / "key"
        for path in (self.key, directory / "host"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        (directory / "authorized").write_text(self.key.with_suffix(".pub").read_text())
        self._add_account(directory)
        directory.parent.chmod(0o711)  # sshd reads the key as that account
        self.port = 18722
        config = directory / "sshd_config"
        config.write_text(f"ListenAddress 127.0.0.1:{self.port}\nHostKey {directory}/host\nPidFile none\nStrictModes no\n"
                          f"AuthorizedKeysFile {directory}/authorized\nUsePAM no\n")
        self.process = subprocess.Popen([sshd, "-D", "-f", str(config)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: self._answers(), 10, "sshd answers")

    def _add_account(self, directory):
        """An account with a plain shell, known in this mount namespace only: root's start-up files may cost more than ssh."""
        self.user = "berth-bench"
        lines = {"passwd": f"{self.user}:x:1000:1000::{directory}:/bin/sh\n", "shadow": f"{self.user}:*:::::::\n"}
        for name, line in lines.items():
            (directory / name).write_text(pathlib.Path("/etc", name).read_text() + line)
            subprocess.run(["mount", "--bind", directory / name, f"/etc/{name}"], check=True)

    def _answers(self):
        try:
            return self.login(self.user, self.port)
        except RuntimeError:
            return None

    def login(self, user, port):
        return timed(["ssh", "-F", "none", "-p", str(port), "-i", str(self.key), "-o", "IdentitiesOnly=yes",
                      "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                      "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10", f"{user}@127.0.0.1", "true"])

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        subprocess.run(["umount", "/etc/passwd", "/etc/shadow"], check=True)


class Portal:
    """berth-portal over a private engine, and the workspaces that it makes."""

    def __init__(self, berth, directory, image):
        engine = berth.engine
        self.socket = engine.run_dir / "portal.sock"
        log = open(directory / "portal.log", "wb")
        self.process = subprocess.Popen(
            [build_dir() / "berth-portal", "--socket", self.socket, "--engine", engine.run_dir / "engine-portal.sock",
             "--listen", "none", "--image", image, "--port-base", "21000", "--ssh-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.command = [str(build_dir() / "berth"), "-H", engine.host]
        self.environment = {**os.environ, "BERTH_PORTAL": f"unix://{self.socket}"}
        try:
            eventually(lambda: self.process.poll() is None and self.socket.exists(), 10, "the portal answers")
        except AssertionError as problem:
            raise Missing(str(problem)) from None

    def up(self, name, key):
        """Makes a workspace; returns its ssh port."""
        done = subprocess.run([*self.command, "up", name, "--key", str(key), "-o", "json"], env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"berth up: {done.stderr.strip()[-300:]}")
        return json.loads(done.stdout)["ssh"]["port"]

    def up_and_running(self, name, key):
        self.up(name, key)
        self.do("start", name)

    def do(self, *words):
        return timed([*self.command, *words], env=self.environment)

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def wait_quiet():
    """Lets what a measurement left behind end before the next begins."""
    time.sleep(0.05)
