"""The machine that these tests share; scripts/test-vm makes what they need.

BERTH_VM_PROGRAMS  an installation below /usr/local, to be copied in: bin/berth, lib/berth/...
BERTH_TEST_CACHE   where the machine's disk is kept (default /var/cache/berth-test)
"""
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from machine import ROOT, Disk, Machine  # noqa: E402

from support import images  # noqa: E402
from support.portal import guest_tools  # noqa: E402


@pytest.fixture(scope="session")
def machine(tmp_path_factory):
    """A machine with the checkout in /root/berth and the programs, not yet installed, in /root/programs."""
    machine = Machine(Disk(images.cache_dir()).ensure(), tmp_path_factory.mktemp("vm"))
    try:
        machine.start()
        files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        machine.copy_in(ROOT, "/root/berth", files.splitlines())
        machine.copy_in(pathlib.Path(os.environ["BERTH_VM_PROGRAMS"]), "/root/programs")
        # Small, so that an emulated machine can load it; that the real image can be made is tested elsewhere.
        archive = images.archive("berth/workspace:latest", [images.busybox_layer()])
        machine("sh", "-c", "cat >/root/workspace.tar", input=archive).ok()
        yield machine
    finally:
        machine.end()


@pytest.fixture(scope="session")
def cache(machine):
    """The images and guest tools that take long to make, inside."""
    guest_tools()
    images.debian_archive()
    for path in images.cache_dir().iterdir():
        if path.name.startswith("guest-tools-"):
            machine.copy_in(path, f"/var/cache/berth-test/{path.name}")
    machine("sh", "-c", "cat >/var/cache/berth-test/debian-bookworm.tar", input=images.debian_archive().read_bytes(),
            timeout=300).ok()
