"""Registries on loopback: Debian's docker-registry, and a stub that misbehaves on request."""
import base64
import hashlib
import http.server
import json
import pathlib
import re
import socket
import subprocess
import threading
import urllib.request

from .images import compressed
from .process import eventually, run


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Registry:
    """docker-registry over a directory. `address` is what stands before the name of an image."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.address = f"127.0.0.1:{free_port()}"
        self.process = None

    def __enter__(self):
        config = self.directory / "config.yml"
        config.write_text(json.dumps({
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(self.directory / "data")}, "delete": {"enabled": True}},
            "http": {"addr": self.address},
        }))
        log = open(self.directory / "log", "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", str(config)], stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log)
        eventually(self._answers, 20, "docker-registry answers")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def _answers(self):
        assert self.process.poll() is None, (self.directory / "log").read_text()
        try:
            return urllib.request.urlopen(f"http://{self.address}/v2/", timeout=5).status == 200
        except OSError:
            return False

    def push(self, archive, name, *options):
        """Pushes a `docker save` archive as NAME[:TAG]; returns the full reference."""
        path = self.directory / "push.tar"
        path.write_bytes(archive)
        reference = f"{self.address}/{name}"
        run(["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", *options,
             f"docker-archive:{path}", f"docker://{reference}"], timeout=120).ok()
        path.unlink()
        return reference


def _digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Stub:
    """A registry in this process with one image; the attributes below make it lie, stall or refuse.

    requests   every "METHOD path" that was seen, in order
    cut        the first `cut` downloads of a layer end in the middle
    corrupt    a byte of every layer is flipped
    stall      layers wait until this threading.Event is set
    password   "user:password" for basic authentication
    token      ask for a bearer token, which GET /token gives out
    deny       every answer under /v2/ but the first is 403 DENIED
    """

    MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

    def __init__(self, layers, config=None):
        self.layers = [compressed(layer) for layer in layers]
        document = {
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"], **(config or {})},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        }
        self.config = json.dumps(document).encode()
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": self.MANIFEST,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(self.config),
                       "digest": _digest(self.config)},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(layer),
                        "digest": _digest(layer)} for layer in self.layers],
        }).encode()
        self.blobs = {_digest(blob): blob for blob in [self.config, *self.layers]}
        self.requests = []
        self.cut = 0
        self.corrupt = False
        self.stall = None
        self.password = None
        self.token = None
        self.deny = False
        self.ranges = []  # the Range header of every layer download that had one
        self._lock = threading.Lock()

    def __enter__(self):
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_HEAD(self):
                stub._answer(self)

            def do_GET(self):
                stub._answer(self)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        if self.stall:
            self.stall.set()
        self.server.shutdown()
        self.server.server_close()

    def downloads(self, layer=0):
        """How often the layer was asked for."""
        return self.requests.count(f"GET /v2/thing/blobs/{_digest(self.layers[layer])}")

    def _answer(self, handler):
        with self._lock:
            self.requests.append(f"{handler.command} {handler.path}")
        if handler.path.startswith("/token"):
            return self._send(handler, 200, json.dumps({"token": self.token or ""}).encode(), "application/json")
        if not self._allowed(handler):
            return None
        blob = re.fullmatch(r"/v2/thing/blobs/(sha256:[0-9a-f]{64})", handler.path)
        if handler.path == "/v2/":
            return self._send(handler, 200, b"{}", "application/json")
        if self.deny:
            return self._error(handler, 403, "DENIED", "requested access to the resource is denied")
        if handler.path in ("/v2/thing/manifests/latest", f"/v2/thing/manifests/{_digest(self.manifest)}"):
            return self._send(handler, 200, self.manifest, self.MANIFEST)
        if blob and blob[1] in self.blobs:
            return self._send_blob(handler, self.blobs[blob[1]])
        return self._error(handler, 404, "MANIFEST_UNKNOWN", "manifest unknown")

    def _allowed(self, handler):
        given = handler.headers.get("Authorization", "")
        if self.password and given != "Basic " + base64.b64encode(self.password.encode()).decode():
            self._error(handler, 401, "UNAUTHORIZED", "authentication required", 'Basic realm="stub"')
            return False
        if self.token and given != f"Bearer {self.token}":
            realm = f'Bearer realm="http://{self.address}/token",service="stub",scope="repository:thing:pull"'
            self._error(handler, 401, "UNAUTHORIZED", "authentication required", realm)
            return False
        return True

    def _error(self, handler, status, code, message, challenge=None):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self._send(handler, status, body, "application/json", {"WWW-Authenticate": challenge} if challenge else {})

    def _send(self, handler, status, body, kind, headers=None):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        handler.send_header("Docker-Content-Digest", _digest(body))
        for key, value in (headers or {}).items():
            handler.send_header(key, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)

    def _send_blob(self, handler, blob):
        is_layer = blob is not self.config
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if asked:
            self.ranges.append(asked[0])
            start = int(asked[1])
        if is_layer and self.corrupt:
            middle = len(blob) // 2
            blob = blob[:middle] + bytes([blob[middle] ^ 1]) + blob[middle + 1:]
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Length", str(len(blob) - start))
        if asked:
            handler.send_header("Content-Range", f"bytes {start}-{len(blob) - 1}/{len(blob)}")
        handler.end_headers()
        if handler.command == "HEAD":
            return
        if is_layer and self.stall:
            handler.wfile.write(blob[start : start + 1000])
            handler.wfile.flush()
            self.stall.wait(60)
            start += 1000
        with self._lock:
            cut, self.cut = is_layer and self.cut > 0, self.cut - (is_layer and self.cut > 0)
        if cut:
            handler.wfile.write(blob[start : (start + len(blob)) // 2])
            handler.wfile.flush()
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        handler.wfile.write(blob[start:])
