"""What the judges that are programs of others have in common: a docker by name, and how their scripts report."""
import re

from lab import Lab, busybox_hub, in_own_thread
from support.client import docker_programs
from support.engine import build_dir
from verdict import known_failures


def in_lab(work):
    """What work(lab) returns, with an engine that has a busybox."""

    def enter():
        with Lab(busybox_hub("busybox:latest")) as lab:
            return work(lab)

    return in_own_thread(enter)


def docker_names():
    """The clients that can stand for docker: those of the machine, by major version, and the berth command."""
    return ["berth", *(f"docker-{version}" for version in sorted(docker_programs()))]


def docker_named(name, directory):
    """The directory, made, in which `docker` is the named client."""
    program = build_dir() / "berth" if name == "berth" else docker_programs()[name.split("-")[1]]
    directory.mkdir()
    (directory / "docker").symlink_to(program)
    return directory


def told(output, prefix):
    """The results of a script that prints "ok CALL" and "not ok CALL: why"."""
    found = {f"{prefix}::{call}": ("failed" if no else "passed", why)
             for no, call, why in re.findall(r"^(not )?ok (\w+)(?:: )?(.*)$", output, re.MULTILINE)}
    assert found, output
    return found


def known_of(path, prefix):
    """Those of a list of known failures that are of one run."""
    return {case: reason for case, reason in known_failures(path).items() if case.startswith(prefix + "::")}
