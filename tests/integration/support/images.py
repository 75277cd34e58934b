"""Images made without a network: archives as `docker save` writes them, put together here."""
import gzip
import hashlib
import io
import json
import os
import pathlib
import subprocess
import tarfile

from . import namespaces

BUSYBOX = "/bin/busybox"
CREATED = "2024-01-01T00:00:00Z"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Layer:
    """A layer being written; every member is owned by root and of one date unless told otherwise."""

    def __init__(self):
        self._bytes = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._bytes, mode="w", format=tarfile.PAX_FORMAT)

    def add(self, name, data=b"", mode=0o644, **fields):
        info = tarfile.TarInfo(name)
        info.mode, info.mtime, info.size = mode, 1704067200, len(data)
        for key, value in fields.items():
            setattr(info, key, value)
        self._tar.addfile(info, io.BytesIO(data) if info.isreg() else None)
        return self

    def directory(self, name, mode=0o755, **fields):
        return self.add(name, mode=mode, type=tarfile.DIRTYPE, **fields)

    def link(self, name, target):
        return self.add(name, mode=0o777, type=tarfile.SYMTYPE, linkname=target)

    def finish(self):
        self._tar.close()
        return self._bytes.getvalue()


def archive(tag, layers, config=None, architecture="amd64"):
    """A `docker load` archive of one image; `layers` are uncompressed tars, `config` its container configuration."""
    diff_ids = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    document = json.dumps({
        "architecture": architecture, "os": "linux", "created": CREATED,
        "config": {"Env": [PATH], "Cmd": ["sh"], **(config or {})},
        "history": [{"created": CREATED, "created_by": "test"} for _ in layers],
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }).encode()
    name = hashlib.sha256(document).hexdigest()
    outer = Layer().add(f"{name}.json", document)
    paths = []
    for diff_id, layer in zip(diff_ids, layers):
        paths.append(f"{diff_id[7:]}/layer.tar")
        outer.directory(diff_id[7:]).add(paths[-1], layer)
    manifest = [{"Config": f"{name}.json", "RepoTags": [tag] if tag else None, "Layers": paths}]
    return outer.add("manifest.json", json.dumps(manifest).encode()).finish()


def busybox_layer():
    """A root with a static busybox, its applets, and the few files that programs look for."""
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    layer = Layer()
    for name in ("bin", "dev", "etc", "home", "proc", "root", "sbin", "sys", "usr", "usr/bin", "usr/sbin", "var"):
        layer.directory(name, 0o700 if name == "root" else 0o755)
    layer.directory("tmp", 0o1777)
    layer.add("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/usr/sbin:/bin/false\n"
                            b"worker:x:1000:1000::/home/worker:/bin/sh\n")
    layer.add("etc/group", b"root:x:0:\ndaemon:x:1:\nworker:x:1000:\nextra:x:1001:worker\n")
    layer.directory("home/worker", uid=1000, gid=1000)
    layer.add("bin/busybox", pathlib.Path(BUSYBOX).read_bytes(), 0o755)
    for applet in applets:
        if applet != "busybox":
            layer.link(f"bin/{applet}", "busybox")
    return layer.finish()


def bare_layer():
    """One static program and nothing else: no shell, no /etc."""
    return Layer().add("echo", pathlib.Path(BUSYBOX).read_bytes(), 0o755).finish()


SETTINGS = {
    "Env": [PATH, "COLOUR=green", "SHAPE=round"],
    "WorkingDir": "/srv/work",
    "User": "worker",
    "Entrypoint": ["/bin/busybox"],
    "Cmd": ["env"],
    "Labels": {"maker": "tests", "kind": "settings"},
    "ExposedPorts": {"8080/tcp": {}},
    "Volumes": {"/data": {}},
    "StopSignal": "SIGUSR1",
}


def settings_layer():
    return (Layer().directory("srv").directory("srv/work").directory("data", uid=1000, gid=1000)
            .add("data/seed", b"from the image\n", uid=1000, gid=1000).finish())


def standard_archives():
    """The images every suite may use, by tag."""
    busybox = busybox_layer()
    return {
        "busybox:latest": archive("busybox:latest", [busybox]),
        "bare:latest": archive("bare:latest", [bare_layer()], {"Cmd": ["/echo", "Hello from a single program"]}),
        "settings:1": archive("settings:1", [busybox, settings_layer()], SETTINGS),
    }


def cache_dir():
    path = pathlib.Path(os.environ.get("BERTH_TEST_CACHE", "/var/cache/berth-test"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def debian_archive():
    """Path of an archive of debian:bookworm, made by mmdebstrap once per machine. Raises RuntimeError if it cannot be."""
    path = cache_dir() / "debian-bookworm.tar"
    if path.exists():
        return path
    root = cache_dir() / "debian-bookworm-root.tar"
    made = subprocess.run(
        ["mmdebstrap", "--variant=minbase", "--include=procps,iproute2", "bookworm", str(root)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600,
        preexec_fn=namespaces.enter_host_network if namespaces.host_network is not None else None,
    )
    if made.returncode != 0:
        root.unlink(missing_ok=True)
        raise RuntimeError("mmdebstrap: " + (made.stderr.strip().splitlines() or ["failed"])[-1])
    partial = path.with_suffix(".part")
    partial.write_bytes(archive("debian:bookworm", [root.read_bytes()], {"Cmd": ["bash"]}))
    root.unlink()
    partial.rename(path)
    return path


def compressed(layer):
    return gzip.compress(layer, compresslevel=1, mtime=0)
