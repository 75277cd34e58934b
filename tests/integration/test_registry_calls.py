"""What the engine asks of registries beside pull and push: distribution, search; and imports from a URL."""
import http.server
import json
import os
import threading

import pytest

from support.client import docker_programs
from support.images import archive, busybox_layer
from support.process import run
from support.registry import Stub


@pytest.fixture(scope="module")
def web():
    """A web server on loopback: `pages` maps a path to (status, bytes); `seen` has the paths with their queries."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self.server.seen.append(self.path)
            status, body = self.server.pages.get(self.path.split("?")[0], (404, b"nothing here"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.pages, server.seen = {}, []
    server.address = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def get(engine, path):
    status, body = engine.request("GET", path)
    return status, json.loads(body)


def test_distribution(engine, registry, archives):
    name = registry.push(archives["bare:latest"], "calls:1")
    status, answer = get(engine, f"/distribution/{name}/json")
    assert status == 200, answer
    assert answer["Descriptor"]["digest"].startswith("sha256:") and answer["Descriptor"]["size"] > 100
    assert answer["Descriptor"]["mediaType"].endswith("json")
    assert answer["Platforms"] == [{"architecture": "amd64", "os": "linux"}]


def test_distribution_of_none(engine, registry):
    status, answer = get(engine, f"/distribution/{registry.address}/none:1/json")
    assert status == 404 and "manifest unknown" in answer["message"]
    status, answer = get(engine, "/distribution/127.0.0.1:1/none/json")
    assert status == 500 and "connection refused" in answer["message"]
    assert get(engine, "/distribution/UPPER/json")[0] == 400


def test_manifest_inspect(engine, registry, archives):
    name = registry.push(archives["bare:latest"], "calls:2")
    berth = engine.berth()
    manifest = json.loads(berth("manifest", "inspect", name).ok().out)
    assert manifest["schemaVersion"] == 2 and len(manifest["layers"]) == 1
    verbose = json.loads(berth("manifest", "inspect", "-v", name).ok().out)
    assert verbose["Ref"] == name and verbose["Manifest"] == manifest
    berth("manifest", "inspect", f"{registry.address}/none:1").fails(1, "manifest unknown")


FOUND = [
    {"name": "debian", "description": "Debian\nGNU/Linux " + 60 * "x", "star_count": 5000, "is_official": True,
     "is_automated": False},
    {"name": "someone/debian", "description": "", "star_count": 3, "is_official": False, "is_automated": True},
]


def test_search(engine, web):
    web.pages["/v2/"] = (200, b"{}")
    web.pages["/v1/search"] = (200, json.dumps({"results": FOUND}).encode())
    berth = engine.berth()
    table = berth("search", f"{web.address}/debian").ok().out.splitlines()
    assert table[0].split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]
    assert table[1].startswith("debian ") and "Debian GNU/Linux" in table[1] and "…" in table[1] and "[OK]" in table[1]
    assert web.seen[-1] == "/v1/search?q=debian&n=25"
    names = berth("search", "--filter", "is-official=true", "--format", "{{.Name}}", f"{web.address}/debian").ok()
    assert names.out == "debian\n"
    names = berth("search", "--filter", "stars=4", "--limit", "7", "--format", "{{.Name}}", f"{web.address}/debian").ok()
    assert names.out == "debian\n" and web.seen[-1].endswith("n=7")


def test_search_refuses(engine, web):
    assert get(engine, "/images/search?term=x&limit=1000")[0] == 400
    assert get(engine, "/images/search?term=x&filters=%7B%22nosuch%22:%5B%22x%22%5D%7D")[0] == 400
    web.pages["/v1/search"] = (404, b"")
    status, answer = get(engine, f"/images/search?term={web.address}/x")
    assert status == 500 and "404" in answer["message"]
    web.pages["/v1/search"] = (200, b"no json")
    assert get(engine, f"/images/search?term={web.address}/x")[0] >= 400


def test_search_asks_the_mirrors_of_docker_hub(own_engine, web):
    web.pages["/v2/"] = (200, b"{}")
    web.pages["/v1/search"] = (200, json.dumps({"results": FOUND}).encode())
    engine = own_engine(arguments=["--registry-mirror", f"http://{web.address}"]).start()
    assert engine.berth()("search", "--format", "{{.Name}}", "debian").ok().out.split() == ["debian", "someone/debian"]


def test_import_from_a_url(engine, web):
    web.pages["/root.tar"] = (200, busybox_layer())
    berth = engine.berth()
    berth("import", f"http://{web.address}/root.tar", "calls/imported").ok()
    try:
        assert berth("run", "--rm", "calls/imported", "echo", "imported").ok().out == "imported\n"
        comment = berth("history", "--format", "{{.Comment}}", "calls/imported").ok().out
        assert comment == f"Imported from http://{web.address}/root.tar\n"
    finally:
        berth("rmi", "calls/imported")
    berth("import", f"http://{web.address}/none.tar").fails(1, "404")
    web.pages["/bad.tar"] = (200, 100_000 * b"this is no tar ")
    berth("import", f"http://{web.address}/bad.tar").fails(1)
    berth("import", "http://127.0.0.1:1/root.tar").fails(1, "connection refused")


def test_a_list_by_reference_shows_only_the_names_that_fit(engine):
    berth = engine.berth()
    berth("tag", "busybox", "calls/other:1").ok()
    try:
        assert berth("images", "calls/other", "--format", "{{.Repository}}:{{.Tag}}").ok().out == "calls/other:1\n"
        assert berth("images", "calls/*", "--format", "{{.Tag}}").ok().out == "1\n"
    finally:
        berth("rmi", "calls/other:1")


def test_list_until(engine):
    old = get(engine, "/images/json?filters=" + '{"until":["2023-01-01"]}'.replace('"', "%22"))
    assert old == (200, [])
    young = get(engine, "/images/json?filters=" + '{"until":["1h"]}'.replace('"', "%22"))
    assert len(young[1]) >= 3


def test_fields_by_version(engine):
    assert "VirtualSize" in get(engine, "/v1.43/images/busybox/json")[1]
    assert "VirtualSize" not in get(engine, "/v1.44/images/busybox/json")[1]
    assert "ContainerConfig" in get(engine, "/v1.44/images/busybox/json")[1]
    assert "ContainerConfig" not in get(engine, "/v1.45/images/busybox/json")[1]
    assert "VirtualSize" in get(engine, "/v1.43/images/json")[1][0]
    assert "VirtualSize" not in get(engine, "/v1.44/images/json")[1][0]
    assert get(engine, "/v1.44/images/json?shared-size=1")[1][0]["SharedSize"] >= 0


def test_prune_until_keeps_the_young(engine):
    loaded = engine.request("POST", "/images/load", archive("", [busybox_layer()], {"Labels": {"young": "yes"}}))
    assert loaded[0] == 200
    body = engine.request("POST", '/images/prune?filters={"until":["2023-01-01"]}'.replace('"', "%22"))[1]
    assert json.loads(body)["ImagesDeleted"] is None
    body = engine.request("POST", "/images/prune")[1]
    assert json.loads(body)["ImagesDeleted"]


HELPER = """#!/bin/sh
# A credential helper that keeps everything in one file.
case $1 in
  store) cat > "$KEPT" ;;
  get) cat > /dev/null; [ -s "$KEPT" ] || { echo "credentials not found in native keychain"; exit 1; }; cat "$KEPT" ;;
  erase) cat > /dev/null; rm -f "$KEPT" ;;
esac
"""


@pytest.fixture
def private(archives):
    """A registry that wants a password."""
    with Stub([busybox_layer()]) as stub:
        stub.password = "joe:secret:with:colons"
        yield stub


def login_environment(directory, config):
    directory.mkdir(exist_ok=True)
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "docker-credential-fake").write_text(HELPER)
    (directory / "docker-credential-fake").chmod(0o755)
    return {"DOCKER_CONFIG": str(directory), "KEPT": str(directory / "kept"),
            "PATH": f"{directory}:{os.environ['PATH']}"}


@pytest.mark.parametrize("config", [{}, {"credsStore": "fake"}], ids=["file", "helper"])
def test_login_is_kept_and_used(engine, private, tmp_path, config):
    env = login_environment(tmp_path / "docker", config)
    berth = engine.berth()
    image = f"{private.address}/thing"
    berth("pull", image, env=env).fails(1, "no basic auth credentials")
    words = ["login", "-u", "joe", "--password-stdin", private.address]
    berth(*words, input=b"wrong\n", env=env).fails(1, "401")
    assert berth(*words, input=b"secret:with:colons\n", env=env).ok().out == "Login Succeeded\n"
    kept = (tmp_path / "docker/config.json").read_text()
    assert private.address in kept and (tmp_path / "docker/config.json").stat().st_mode & 0o077 == 0
    assert (tmp_path / "docker/kept").exists() == bool(config)
    berth("pull", image, env=env).ok()
    try:
        for program in docker_programs().values():
            run([program, "-H", engine.host, "pull", image], env={**os.environ, **env}).ok()
    finally:
        berth("rmi", image)
    assert "Removing" in berth("logout", private.address, env=env).ok().out
    assert "Not logged in" in berth("logout", private.address, env=env).ok().out
    berth("pull", image, env=env).fails(1, "no basic auth credentials")
