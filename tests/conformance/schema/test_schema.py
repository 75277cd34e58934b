"""Judge: every answer of the API fits Docker's own documents of the API, over all endpoints and several versions."""
import base64
import json
import secrets
import time

import pytest

from support.images import archive, busybox_layer

from .swagger import Document
from .tour import Tour

VERSIONS = ["1.25", "1.30", "1.35", "1.40", "1.41"]
SWARM = ("/swarm", "/nodes", "/services", "/tasks", "/secrets", "/configs")
TAR = {"Content-Type": "application/x-tar"}
called = {version: set() for version in VERSIONS}


@pytest.fixture(scope="module", params=VERSIONS)
def tour(request, engine):
    return Tour(engine, Document(request.param), called[request.param])


@pytest.fixture
def container(tour):
    """A running container that writes a line and then waits."""
    body = {"Image": "busybox", "Cmd": ["sh", "-c", "echo out; echo err >&2; trap exit TERM; while :; do sleep 0.05; done"],
            "Labels": {"tour": "yes"}, "ExposedPorts": {"80/tcp": {}}, "Tty": False,
            "HostConfig": {"Memory": 64 << 20, "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
                           "Tmpfs": {"/scratch": "size=1m"}, "Binds": ["tour-data:/data"]}}
    made = tour("POST /containers/create", body, name=f"tour-{secrets.token_hex(3)}").value["Id"]
    tour("POST /containers/{id}/start", id=made, status=204)
    yield made
    tour("DELETE /containers/{id}", id=made, force=1, v=1, status=204)


def test_system(tour):
    tour("GET /_ping")
    if tour.speaks("1.40"):
        tour("HEAD /_ping")
    tour("GET /version")
    tour("GET /info")


def test_disk_usage(tour, container):
    tour("GET /system/df")


def test_events(tour, container):
    events = tour("GET /events", since=0, until=int(time.time()) + 1).lines
    assert any(event["Type"] == "container" and event["Action"] == "start" for event in events)


def test_auth_is_refused_where_the_registry_is_not(tour):
    login = {"username": "u", "password": "p", "serveraddress": "127.0.0.1:1"}
    tour("POST /auth", login, status=500)


def test_create_refuses(tour):
    tour("POST /containers/create", {"Image": "nothing:here"}, status=404)
    tour("POST /containers/create", b"{", headers={"Content-Type": "application/json"}, status=400)


def test_container_views(tour, container):
    assert tour("GET /containers/json", all=1, size=1, filters=json.dumps({"label": ["tour"]})).value
    tour("GET /containers/{id}/json", id=container, size=1)
    tour("GET /containers/{id}/top", id=container)
    tour("GET /containers/{id}/stats", id=container, stream=0)
    tour("GET /containers/{id}/logs", id=container, stdout=1, stderr=1, timestamps=1)
    for view in ("json", "top", "logs", "stats"):
        tour("GET /containers/{id}/" + view, id="no-such", stdout=1, status=404)


def test_container_changes(tour, container):
    tour("GET /containers/{id}/changes", id=container)
    tour("GET /containers/{id}/changes", id="no-such", status=404)


def test_container_export(tour, container):
    tour("GET /containers/{id}/export", id=container)


def test_container_life(tour, container):
    tour("POST /containers/{id}/start", id=container, status=304)
    tour("POST /containers/{id}/pause", id=container, status=204)
    tour("POST /containers/{id}/unpause", id=container, status=204)
    tour("POST /containers/{id}/resize", id=container, h=20, w=70)
    tour("POST /containers/{id}/rename", id=container, name=f"tour-{secrets.token_hex(3)}", status=204)
    tour("POST /containers/{id}/restart", id=container, t=1, status=204)
    tour("POST /containers/{id}/stop", id=container, t=1, status=204)
    tour("POST /containers/{id}/stop", id=container, t=1, status=304)
    assert tour("POST /containers/{id}/wait", id=container).value["StatusCode"] is not None
    tour("POST /containers/{id}/start", id=container, status=204)
    tour("POST /containers/{id}/kill", id=container, status=204)
    tour("POST /containers/{id}/wait", id=container)


def test_container_update(tour, container):
    tour("POST /containers/{id}/update", {"Memory": 96 << 20, "MemorySwap": -1}, id=container)


def test_container_errors(tour):
    for what in ("start", "stop", "restart", "kill", "pause", "unpause", "wait", "attach"):
        tour("POST /containers/{id}/" + what, id="no-such", status=404)
    tour("POST /containers/{id}/rename", id="no-such", name="x", status=404)
    tour("DELETE /containers/{id}", id="no-such", status=404)


def test_attach(tour, container):
    upgrade = {"Upgrade": "tcp", "Connection": "Upgrade"}
    tour("POST /containers/{id}/attach", id=container, stream=1, stdout=1, headers=upgrade, status=101)


def test_attach_websocket(tour, container):
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
               "Origin": "http://localhost"}
    tour("GET /containers/{id}/attach/ws", id=container, stream=1, stdout=1, headers=upgrade, status=101)


def test_container_prune(tour):
    tour("POST /containers/create", {"Image": "busybox"})
    assert tour("POST /containers/prune").value["ContainersDeleted"]


def test_archive(tour, container):
    tour("HEAD /containers/{id}/archive", id=container, path="/etc/passwd")
    tar = tour("GET /containers/{id}/archive", id=container, path="/etc/passwd").body
    tour("PUT /containers/{id}/archive", tar, id=container, path="/tmp", headers=TAR)
    tour("GET /containers/{id}/archive", id=container, path="/none", status=404)


def test_exec(tour, container):
    made = tour("POST /containers/{id}/exec", {"Cmd": ["true"], "AttachStdout": True}, id=container, status=201).value["Id"]
    tour("GET /exec/{id}/json", id=made)
    tour("POST /exec/{id}/start", {"Detach": False, "Tty": False}, id=made)
    tour("GET /exec/{id}/json", id=made)
    waits = tour("POST /containers/{id}/exec", {"Cmd": ["sleep", "9"], "Tty": True}, id=container).value["Id"]
    tour("POST /exec/{id}/start", {"Detach": True, "Tty": True}, id=waits)
    tour("POST /exec/{id}/resize", id=waits, h=20, w=70)
    tour("GET /exec/{id}/json", id="no-such", status=404)


def test_image_views(tour):
    tour("GET /images/json", all=1, digests=1)
    tour("GET /images/{name}/json", name="settings:1")
    tour("GET /images/{name}/history", name="settings:1")
    tour("GET /images/{name}/json", name="no-such", status=404)
    tour("GET /images/{name}/history", name="no-such", status=404)


def test_image_names(tour):
    tour("POST /images/{name}/tag", name="bare", repo="tour/copy", tag="1", status=201)
    assert tour("DELETE /images/{name}", name="tour/copy:1").value == [{"Untagged": "tour/copy:1"}]
    tour("DELETE /images/{name}", name="tour/copy:1", status=404)


def test_image_files(tour):
    one = tour("GET /images/{name}/get", name="bare").body
    assert tour("GET /images/get", names=["bare", "busybox"]).body
    tour("POST /images/load", one, headers=TAR)
    tour("POST /images/create", busybox_layer(), fromSrc="-", repo="tour/imported", headers=TAR)
    tour("DELETE /images/{name}", name="tour/imported")


def test_image_prune(tour, engine):
    engine.request("POST", "/images/load", archive("", [busybox_layer()], {"Labels": {"only": tour.document.version}}))
    assert tour("POST /images/prune", filters=json.dumps({"dangling": ["true"]})).value["ImagesDeleted"]


def test_registry(tour, registry, archives):
    name = registry.push(archives["bare:latest"], "tour:1")
    tour("POST /images/create", fromImage=name)
    if tour.speaks("1.30"):
        tour("GET /distribution/{name}/json", name=name)
    tour("POST /images/{name}/push", name=name.rsplit(":", 1)[0], tag="1", headers={"X-Registry-Auth": "e30="})
    tour("DELETE /images/{name}", name=name)
    tour("POST /images/create", fromImage=registry.address + "/no-such:1", status=404)


def test_search_without_a_network(tour):
    tour("GET /images/search", term="debian", status=500)


def test_build(tour):
    context = archive("", [])  # any tar: the Dockerfile is what counts
    tour("POST /build", context, dockerfile="no-such", headers=TAR, status=500)


def test_build_prune(tour):
    if tour.speaks("1.31"):
        tour("POST /build/prune")


def test_commit(tour, container):
    made = tour("POST /commit", {}, container=container, repo="tour/committed", status=201).value["Id"]
    tour("DELETE /images/{name}", name=made)


def test_session(tour):
    if tour.speaks("1.31"):
        tour("POST /session", headers={"Upgrade": "h2c", "Connection": "Upgrade"}, status=400)


def test_volumes(tour):
    body = {"Name": "tour-volume", "Labels": {"a": "b"}}
    tour("POST /volumes/create", body, status=201)
    tour("GET /volumes")
    tour("GET /volumes/{name}", name="tour-volume")
    tour("DELETE /volumes/{name}", name="tour-volume", status=204)
    tour("GET /volumes/{name}", name="tour-volume", status=404)
    tour("POST /volumes/prune")


def test_networks(tour):
    name = f"tour-{secrets.token_hex(3)}"
    made = tour("POST /networks/create", {"Name": name, "CheckDuplicate": True}, status=201).value["Id"]
    tour("GET /networks")
    tour("GET /networks/{id}", id=made)
    tour("DELETE /networks/{id}", id=made, status=204)
    tour("GET /networks/{id}", id=made, status=404)
    tour("DELETE /networks/{id}", id="bridge", status=403)
    tour("POST /networks/prune")


def test_network_connect(tour, container):
    name = f"tour-{secrets.token_hex(3)}"
    made = tour("POST /networks/create", {"Name": name}, status=201).value["Id"]
    try:
        tour("POST /networks/{id}/connect", {"Container": container}, id=made, status=200)
        tour("GET /networks/{id}", id=made)
        tour("GET /containers/{id}/json", id=container)
        tour("POST /networks/{id}/disconnect", {"Container": container}, id=made, status=200)
    finally:
        tour("DELETE /networks/{id}", id=made, status=204)


def test_without_a_swarm_every_swarm_operation_is_refused_as_docker_does(tour):
    swarm = [each for each in tour.document.operations if each.split(" ")[1].startswith(SWARM)]
    for operation in [each for each in swarm if tour.documents(each, 503)]:
        words = {name: "x" for name in ("id", "name")}
        used = {name: word for name, word in words.items() if "{%s}" % name in operation}
        answer = tour(operation, {} if operation.startswith("POST") else None, status=503, **used)
        assert "This node is not" in answer.value["message"] and "swarm" in answer.value["message"]


def test_plugins(tour):
    assert tour("GET /plugins").value == []


@pytest.mark.parametrize("version", VERSIONS[-1:])
def test_the_tour_called_everything(version):
    """The last case: an operation that the documents name was either called above or is one of what is left out."""
    documented = set(Document(version).operations)
    missed = sorted(each for each in documented - called[version] if not each.split(" ")[1].startswith("/plugins"))
    assert not missed
