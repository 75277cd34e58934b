"""Fixtures of the integration suites.

BERTH_BUILD       the build tree whose bin/ is tested (default build/dev)
BERTH_TEST_HOST   an engine's address, for example unix:///run/docker.sock: proves the expectations on Docker itself;
                  what needs a private engine is skipped then
BERTH_TEST_CACHE  where images that take long to make are kept (default /var/cache/berth-test)
"""
import os
import secrets
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from support import images, leaks, namespaces  # noqa: E402
from support.client import Client, docker_programs  # noqa: E402
from support.engine import Engine, External, build_dir  # noqa: E402
from support.registry import Registry  # noqa: E402

EXTERNAL = os.environ.get("BERTH_TEST_HOST")


def pytest_configure(config):
    config.addinivalue_line("markers", "crash: kills processes at every step and looks what is left")
    if os.geteuid() == 0 and not EXTERNAL:
        namespaces.leave_host()


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="needs root"))


@pytest.fixture(scope="session")
def archives():
    return images.standard_archives()


def load(client, archive):
    client("load", input=archive, timeout=120).ok()


@pytest.fixture(scope="session")
def any_engine(archives):
    """The engine under test with the standard images: a private one, or the one that BERTH_TEST_HOST names."""
    if EXTERNAL:
        engine = External(EXTERNAL)
        client = Client("docker", next(iter(docker_programs().values())), EXTERNAL)
    else:
        engine = Engine().start()
        client = engine.berth()
    try:
        for archive in archives.values():
            load(client, archive)
        yield engine
    finally:
        if EXTERNAL:
            client("rmi", *archives)
        else:
            engine.destroy()


@pytest.fixture(scope="session")
def engine(any_engine):
    """The private engine; skips where there is none."""
    if EXTERNAL:
        pytest.skip("needs a private engine, not BERTH_TEST_HOST")
    return any_engine


@pytest.fixture
def own_engine():
    """Makes engines for one test, which may kill them, fill their disk, and so on."""
    if EXTERNAL:
        pytest.skip("needs a private engine, not BERTH_TEST_HOST")
    made = []

    def make(**options):
        made.append(Engine(**options))
        return made[-1]

    yield make
    for engine in made:
        engine.destroy()


def client_names():
    dockers = [f"docker-{version}" for version in sorted(docker_programs())]
    return dockers if EXTERNAL else ["berth", *dockers]


def make_client(name, host):
    program = build_dir() / "berth" if name == "berth" else docker_programs()[name.split("-")[1]]
    return Client(name, program, host)


@pytest.fixture(params=client_names())
def cli(request, any_engine):
    """Every client in turn: the berth command and the real Docker clients."""
    return make_client(request.param, any_engine.host)


@pytest.fixture(scope="session")
def one_cli(any_engine):
    """One client, where the engine and not the client is what is tested."""
    return make_client(client_names()[0], any_engine.host)


@pytest.fixture
def names(one_cli):
    """Makes names for containers, which are removed after the test."""
    made = []

    def make(word="c"):
        made.append(f"t-{word}-{secrets.token_hex(3)}")
        return made[-1]

    yield make
    one_cli.remove(*made)


@pytest.fixture
def name(names):
    return names()


@pytest.fixture(scope="session")
def debian(any_engine, one_cli):
    """The name of a Debian image, loaded into the engine under test."""
    try:
        path = images.debian_archive()
    except (RuntimeError, OSError) as error:
        pytest.skip(f"no Debian image could be made: {error}")
    one_cli("load", "-i", path, timeout=300).ok()
    yield "debian:bookworm"
    one_cli("rmi", "debian:bookworm")


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A registry on a loopback port, filled by its push()."""
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def no_leaks(any_engine):
    """After a suite the machine is as it was before, and the engine holds no more descriptors.

    A suite asks for it with pytestmark = pytest.mark.usefixtures("no_leaks").
    """
    if EXTERNAL:
        yield
        return
    with leaks.nothing_left(any_engine):
        yield
