"""A private engine (and portal): directories, names, control groups and id ranges of its own."""
import http.client
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile

from .client import Client
from .process import eventually

ROOT = pathlib.Path(__file__).resolve().parents[3]


def build_dir():
    return pathlib.Path(os.environ.get("BERTH_BUILD", ROOT / "build" / "dev")) / "bin"


class Engine:
    """One berth-engine process and what is needed to start it again over the same state."""

    def __init__(self, state_dir=None, environment=None, arguments=()):
        # Short, for the sake of the 107 bytes of a unix socket's path.
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="bt-", dir="/tmp"))
        # The containers' roots, other users for the host, pass through it as through /run and /var/lib.
        self.root.chmod(0o711)
        self.tag = "bt" + secrets.token_hex(2)
        self.state_dir = pathlib.Path(state_dir or self.root / "state")
        self.run_dir = self.root / "run"
        self.socket = self.run_dir / "engine.sock"
        self.log_path = self.root / "log"
        self.cgroup_parent = f"/berth-test-{self.tag}"
        self.environment = environment or {}
        self.arguments = list(arguments)
        self.process = None
        self.run_dir.mkdir(mode=0o755)

    @property
    def host(self):
        return f"unix://{self.socket}"

    def command(self):
        return [
            build_dir() / "berth-engine", "--state-dir", self.state_dir, "--run-dir", self.run_dir,
            "--socket", self.socket, "--cgroup-parent", self.cgroup_parent, "--interface-prefix", self.tag,
            "--nft-table", self.tag, "--userns-first", "1000000000", *self.arguments,
        ]

    def start(self, environment=None, wait=True):
        assert self.process is None or self.process.poll() is not None, "the engine runs already"
        log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            list(map(str, self.command())), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **self.environment, **(environment or {})},
        )
        log.close()
        if wait:
            eventually(self._answers_or_died, 30, "the engine answers")
            assert self.process.poll() is None, f"the engine ended:\n{self.log()[-3000:]}"
        return self

    def _answers_or_died(self):
        return self.process.poll() is not None or self.answers()

    def answers(self):
        try:
            return self.request("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def request(self, method, path, body=None, headers=None):
        """(status, body) of one HTTP request to the engine's socket."""
        connection = http.client.HTTPConnection("engine", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(30)
        connection.sock.connect(str(self.socket))
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def end(self, number, timeout=20):
        """Sends a signal and waits for the end; returns the exit status as Popen gives it."""
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def stop(self):
        return self.end(signal.SIGTERM)

    def kill(self):
        return self.end(signal.SIGKILL)

    def restart(self, how=signal.SIGKILL, environment=None):
        self.end(how)
        return self.start(environment)

    def berth(self):
        return Client("berth", build_dir() / "berth", self.host)

    def destroy(self):
        """Removes every container and what the engine made on the machine, ends it, deletes its directories."""
        if self.process is None:
            return
        try:
            if self.process.poll() is not None:
                self.start()
            names = self.berth()("ps", "-aq").out.split()
            if names:
                self.berth()("rm", "-f", "-v", *names)
            self.stop()
        finally:
            if self.process.poll() is None:
                self.kill()
            self.process = None
            subprocess.run([*map(str, self.command()), "--remove-from-host"], stderr=subprocess.DEVNULL, timeout=30)
            shutil.rmtree(self.root, ignore_errors=True)


class External:
    """An engine that is there already (BERTH_TEST_HOST): the suites are proven against Docker's own with it."""

    def __init__(self, host):
        self.host = host
