"""Fixtures of the conformance suite: Docker's own clients and documents as judges of the engine.

The engines, images and registries are those of tests/integration/support; the suite has a network namespace of its own.
BERTH_BUILD and BERTH_TEST_CACHE are as in tests/integration/conftest.py. The file known-failures names the cases that fail and why;
any other failure breaks the run, and so does a case that is listed there and passes.
"""
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from support import images, namespaces  # noqa: E402
from support.engine import Engine  # noqa: E402
from support.registry import Registry  # noqa: E402


def pytest_configure(config):
    # With -n each worker leaves by itself: one that was born outside can still reach what package managers bring.
    spreads = getattr(config.option, "numprocesses", None) and not hasattr(config, "workerinput")
    if os.geteuid() == 0 and not spreads:
        namespaces.leave_host()


def known_failures():
    """[(beginning of a case's name below this folder, reason)]"""
    lines = (HERE / "known-failures").read_text().splitlines()
    return [tuple(part.strip() for part in line.split(" # ", 1)) for line in lines if line and not line.startswith("#")]


def pytest_collection_modifyitems(items):
    known = known_failures()
    for item in items:
        if os.geteuid() != 0:
            item.add_marker(pytest.mark.skip(reason="needs root"))
        name = f"{item.path.relative_to(HERE)}::{item.nodeid.split('::', 1)[1]}"
        for start, reason in known:
            if name.startswith(start):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(scope="session")
def archives():
    return images.standard_archives()


@pytest.fixture(scope="session")
def engine(archives):
    """A private engine with the standard images."""
    running = Engine().start()
    try:
        for archive in archives.values():
            running.berth()("load", input=archive, timeout=120).ok()
        yield running
    finally:
        running.destroy()


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A registry on a loopback port, filled by its push()."""
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running
