"""A portal over a test's engine, and ssh into the workspaces that it makes."""
import hashlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time

from . import images
from .engine import ROOT, build_dir
from .process import eventually, run


def guest_tools():
    """The bundle for /.berth, made from the machine's own packages once for each state of its sources."""
    sources = ROOT / "images" / "guest-tools"
    digest = hashlib.sha256()
    for path in sorted(p for p in sources.rglob("*") if p.is_file()):
        digest.update(path.read_bytes())
    bundle = images.cache_dir() / f"guest-tools-{digest.hexdigest()[:12]}"
    if not bundle.exists():
        run([sources / "build", "--root", "/", bundle], timeout=120).ok()
    return bundle


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def ok(self):
        assert self.status < 400, f"{self.status}: {self.body!r}"
        return self

    def fails(self, status, code):
        assert self.status == status, f"{self.status}: {self.body!r}"
        error = self.json["error"]
        assert error["code"] == code, error
        assert error["message"] and "\n" not in error["message"], error
        return error


class Portal:
    """One berth-portal process, unprivileged, on a port of its own."""

    def __init__(self, engine, directory, port=8080, arguments=()):
        self.engine, self.port = engine, port
        self.socket = pathlib.Path(directory) / f"portal-{port}.sock"
        self.log_path = pathlib.Path(directory) / f"portal-{port}.log"
        self.arguments = list(arguments)
        self.process = None

    def start(self, environment=None):
        command = [build_dir() / "berth-portal", "--listen", f"127.0.0.1:{self.port}", "--socket", self.socket,
                   "--engine", self.engine.run_dir / "engine-portal.sock", "--user", "nobody",
                   "--image", "busybox:latest", *self.arguments]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env={**os.environ, **(environment or {})})
        eventually(self._answers, 20, "the portal answers")
        return self

    def _answers(self):
        assert self.process.poll() is None, "the portal ended:\n" + self.log_path.read_text()
        try:
            return self.get("/healthz").status in (200, 503)
        except OSError:
            return False

    def end(self, number=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)

    def request(self, method, path, body=None, headers=None, unix=False):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        if unix:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(self.socket))
        if isinstance(body, dict):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def create(self, name, key, **fields):
        body = {"name": name, "keys": pathlib.Path(f"{key}.pub").read_text(), **fields}
        return self.request("POST", "/api/v1/workspaces", body)

    def show(self, name):
        return self.get(f"/api/v1/workspaces/{name}").ok().json

    def act(self, name, action, body=None):
        return self.request("POST", f"/api/v1/workspaces/{name}/{action}", body or {})

    def remove(self, name, data=True):
        return self.request("DELETE", f"/api/v1/workspaces/{name}" + ("?data=1" if data else ""))


class Ssh:
    """OpenSSH's clients with one key, and a memory of host keys that refuses a changed one."""

    def __init__(self, directory, key, port):
        self.port = port
        self.key = key
        self.known_hosts = pathlib.Path(directory) / "known_hosts"
        self.options = ["-F", "none", "-i", str(key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                        "-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={self.known_hosts}",
                        "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20"]
        self.target = "user@127.0.0.1"

    def command(self, *words, options=()):
        return ["ssh", *self.options, *options, "-p", str(self.port), self.target, *words]

    def __call__(self, *words, options=(), **keywords):
        return run(self.command(*words, options=options), **keywords)

    def scp(self, source, destination, options=()):
        return run(["scp", "-q", *self.options, *options, "-P", str(self.port), str(source), str(destination)])

    def sftp(self, batch):
        return run(["sftp", "-q", "-b", "-", *self.options, "-P", str(self.port), self.target], input=batch.encode())

    def fingerprints(self):
        """The host keys that the workspace shows, by type."""
        lines = run(["ssh-keyscan", "-T", "20", "-p", str(self.port), "127.0.0.1"]).out.splitlines()
        return {line.split()[1]: line.split()[2] for line in lines if line and not line.startswith("#")}


class Conversation:
    """A session that echoes lines: `cat` over ssh."""

    def __init__(self, ssh):
        self.process = subprocess.Popen(ssh.command("cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        bufsize=1)

    def echoes(self, text):
        self.process.stdin.write(text + "\n")
        return self.process.stdout.readline() == text + "\n"

    def end(self):
        self.process.stdin.close()
        return self.process.wait(20)


def milliseconds(function):
    start = time.monotonic()
    function()
    return (time.monotonic() - start) * 1000
