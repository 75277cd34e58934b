"""Plays the engine to one berth-shim: writes its files, holds its control connection, reads its events."""
import array
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .engine import build_dir
from .process import eventually

BUSYBOX = "/bin/busybox"
IDS = 65536
USERNS_BASE = 1_000_000_000
MAX_DATAGRAM = 32 << 10
PATIENCE = 20  # seconds for what takes milliseconds


CGROUP_PARENT = "/berth-test-shim"
# In the names of all that a run makes, so that runs beside each other do not see each other's.
RUN = f"bs-{os.getpid()}-"


def encode(*fields):
    return b"".join(f.encode() + b"\0" for f in fields)


def decode(message):
    """(verb, {key: value}); repeated keys make a list under key + 's'."""
    fields = [f.decode(errors="replace") for f in message.split(b"\0")[:-1]]
    values = {}
    for field in fields[1:]:
        key, _, value = field.partition("=")
        values[key] = value
        values.setdefault(key + "s", []).append(value)
    return fields[0], values


def read_fields(path):
    return decode(b"file\0" + pathlib.Path(path).read_bytes())[1]


class Peer:
    """One control connection."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.sequence = 0
        self.waiting = []  # messages that were not yet asked for

    def ask(self, verb, *fields, fds=()):
        """Sends a request and returns its sequence number."""
        self.sequence += 1
        data = encode(verb, f"seq={self.sequence}", *fields)
        self.sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
        return str(self.sequence)

    def receive(self):
        data, ancillary, _, _ = self.sock.recvmsg(MAX_DATAGRAM, socket.CMSG_SPACE(16))
        if not data:
            raise EOFError("the shim has closed the control connection")
        verb, values = decode(data)
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                values["fd"] = array.array("i", content)[0]
        return verb, values

    def _take(self, wanted):
        for i, message in enumerate(self.waiting):
            if wanted(*message):
                return self.waiting.pop(i)
        while True:
            message = self.receive()
            if wanted(*message):
                return message
            self.waiting.append(message)

    def answer(self, sequence):
        return self._take(lambda verb, values: verb in ("ok", "error") and values["seq"] == sequence)

    def event(self, name):
        return self._take(lambda verb, _: verb == name)[1]

    def request(self, verb, *fields, fds=()):
        return self.answer(self.ask(verb, *fields, fds=fds))

    def ok(self, verb, *fields, fds=()):
        name, values = self.request(verb, *fields, fds=fds)
        assert name == "ok", values
        return values

    def refused(self, verb, *fields, fds=()):
        name, values = self.request(verb, *fields, fds=fds)
        assert name == "error", values
        return values

    def attach(self, *fields, send_buffer=None):
        """A stream attached with these fields; send_buffer is what the kernel keeps for a slow reader."""
        mine, its = socket.socketpair()
        if send_buffer:
            its.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
        with its:
            self.ok("attach", *fields, fds=[its.fileno()])
        mine.settimeout(PATIENCE)
        return mine

    def close(self):
        self.sock.close()


def make_root(folder):
    """A root file system of one static busybox."""
    for name in ("bin", "dev", "etc", "proc", "sys", "tmp", "data"):
        (folder / name).mkdir(parents=True)
    shutil.copy(BUSYBOX, folder / "bin" / "busybox")
    for name in ("sh", "cat", "echo", "sleep", "stty", "id", "ls", "touch", "dd", "head", "wc", "true", "kill", "ip",
                 "mount", "yes", "stat", "setsid", "printf", "seq", "test"):
        (folder / "bin" / name).symlink_to("busybox")
    (folder / "tmp").chmod(0o1777)
    return folder


def process_spec(args, tty=False, uid=0, cwd="/"):
    capabilities = ["CAP_CHOWN", "CAP_KILL", "CAP_DAC_OVERRIDE", "CAP_FOWNER"]
    sets = ("bounding", "effective", "permitted")
    return {"terminal": tty, "user": {"uid": uid, "gid": uid}, "args": args, "env": ["PATH=/bin", "TERM=xterm"],
            "cwd": cwd, "capabilities": {s: capabilities for s in sets}, "noNewPrivileges": True}


class Shim:
    """One shim with its container. Keyword arguments change the configuration; None takes a field out."""

    def __init__(self, args, runtime="/usr/bin/crun", tty=False, userns=True, netns="host", binds=(), layers=1,
                 mode=0o755, read_only=False, exec_prefix=(), config=None, **conf):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix=RUN, dir="/tmp"))
        self.root.chmod(mode)
        self.id = self.root.name
        self.runtime = runtime
        self.userns = userns
        for name in ("bundle", "mounts", "rootfs", "upper/diff", "upper/work", "runtime", "logs"):
            (self.root / name).mkdir(parents=True)
        self.lower = [self.root / f"layer{i}" for i in range(layers)]
        for i, layer in enumerate(self.lower):
            make_root(layer) if i == layers - 1 else (layer / "etc").mkdir(parents=True)
            (layer / "etc" / f"layer{i}").write_text(f"{i}\n")
        self.log_path = self.root / "logs" / "log"
        self.exit_file = self.root / "exit"
        self.binds = list(binds)
        self._write_bundle(args, tty, netns, read_only, config)
        self._write_conf(tty, netns, conf)
        self.stderr_path = self.root / "stderr"
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its, open(self.stderr_path, "wb") as stderr:
            number = its.fileno()
            self.process = subprocess.Popen(
                [*exec_prefix, str(build_dir() / "berth-shim"), str(self.root / "conf")], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=stderr, pass_fds=[3],
                preexec_fn=lambda: os.dup2(number, 3)) if number != 3 else None
        self.peer = Peer(mine)

    def _write_bundle(self, args, tty, netns, read_only, change):
        namespaces = [{"type": t} for t in ("pid", "mount", "ipc", "uts")]
        linux = {"namespaces": namespaces, "cgroupsPath": f"{CGROUP_PARENT}/{self.id}",
                 "resources": {"devices": [{"allow": True, "access": "rwm"}]}}
        if self.userns:
            namespaces.append({"type": "user", "path": "@USERNS@"})
            ids = [{"containerID": 0, "hostID": USERNS_BASE, "size": IDS}]
            linux.update(uidMappings=ids, gidMappings=ids)
        if netns == "private":
            namespaces.append({"type": "network", "path": "@NETNS@"})
        mounts = [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
        ]
        for number, (_, target, _, read_only_bind) in enumerate(self.binds):
            mounts.append({"destination": target, "type": "bind", "source": f"{self.root}/mounts/b/{number}",
                           "options": ["rbind", "rprivate", "ro" if read_only_bind else "rw"]})
        config = {"ociVersion": "1.0.2", "process": process_spec(args, tty), "hostname": "box",
                  "root": {"path": str(self.root / "rootfs"), "readonly": read_only}, "mounts": mounts, "linux": linux}
        if change:
            change(config)
        (self.root / "bundle" / "config.template.json").write_text(json.dumps(config))

    def _write_conf(self, tty, netns, changes):
        r = self.root
        conf = {"id": self.id, "runtime": self.runtime, "runtime_root": r / "runtime", "bundle": r / "bundle",
                "pid_file": r / "pid", "tty": int(tty), "open_stdin": 0, "stdin_once": 0, "log_driver": "json-file",
                "log_path": self.log_path, "log_max_size": 0, "log_max_files": 1, "exit_file": self.exit_file,
                "control_socket": r / "control", "netns": netns, "mounts_dir": r / "mounts", "rootfs": r / "rootfs",
                "upper_dir": r / "upper"}
        if self.userns:
            conf.update(userns_base=USERNS_BASE, userns_size=IDS)
        conf.update(changes)
        lines = [f"{key}={value}" for key, value in conf.items() if value is not None]
        if os.path.ismount("/sys/fs/cgroup/unified"):
            lines.append("hide=/sys/fs/cgroup/unified")
        lines += [f"lower={layer}" for layer in self.lower]
        for source, _, idmap, read_only in self.binds:
            lines += [f"bind_source={source}", f"bind_idmap={int(idmap)}", f"bind_read_only={int(read_only)}"]
        (r / "conf").write_bytes(encode(*lines))

    # The container's life.

    def start(self):
        """Starts the container and returns the answer."""
        return self.peer.ok("start")

    def fails_to_start(self):
        values = self.peer.refused("start")
        self.leaves()
        assert not self.exit_file.exists(), "a container that did not start has no exit status"
        return values

    def exits(self):
        """Waits for the exit event and for the shim to leave; returns the event."""
        event = self.peer.event("exit")
        self.leaves()
        return event

    def leaves(self, timeout=15):
        assert self.process.wait(timeout) == 0, self.stderr()

    def run(self):
        """From start to end."""
        self.start()
        return self.exits()

    def connect(self):
        """A further control connection."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(str(self.root / "control"))
        return Peer(sock)

    def exec_fields(self, name, args, tty=False, **more):
        path = self.root / f"{name}.json"
        path.write_text(json.dumps(process_spec(args, tty)))
        return ["exec", f"id={name}", f"process={path}", f"tty={int(tty)}", *(f"{k}={v}" for k, v in more.items())]

    # What it left.

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def log_records(self, suffix=""):
        text = pathlib.Path(f"{self.log_path}{suffix}").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def log_text(self, stream=None):
        return "".join(r["log"] for r in self.log_records() if stream in (None, r["stream"]))

    def destroy(self):
        """Ends what still runs, and removes what is the engine's to remove."""
        self.peer.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if f"{CGROUP_PARENT}/{self.id}" in pathlib.Path(f"/proc/{pid}/cgroup").read_text():
                    os.kill(int(pid), signal.SIGKILL)
            except OSError:
                continue
        if (self.root / "runtime" / self.id).exists():
            subprocess.run([self.runtime, "--root", self.root / "runtime", "delete", "--force", self.id],
                           stdin=subprocess.DEVNULL, capture_output=True, check=False)
        shutil.rmtree(self.root)


def read_all(sock):
    """Everything up to the end of a stream."""
    parts = []
    while part := sock.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def read_until(sock, text):
    got = b""
    while text not in got:
        try:
            part = sock.recv(1 << 16)
        except TimeoutError:
            part = b""
        assert part, f"the stream ended or stalled before {text!r}: {got!r}"
        got += part
    return got


def unframe(data):
    """{stream number: bytes} of Docker's frames."""
    out = {1: b"", 2: b""}
    while data:
        stream, length = data[0], int.from_bytes(data[4:8], "big")
        assert data[1:4] == b"\0\0\0" and len(data) >= 8 + length, data[:16]
        out[stream] += data[8:8 + length]
        data = data[8 + length:]
    return out


def pss(pid):
    """Proportional set size in KiB."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])
