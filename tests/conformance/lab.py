"""An engine with everything that a foreign test suite expects of a machine, and nothing else: suites prune what they see.

A Lab has a network namespace of its own, with loopback and no route to anywhere, so a name that cannot be resolved
fails at once; a registry there, which answers in Docker Hub's place; and images that Debian's packages are enough for.
"""
import concurrent.futures
import contextlib
import os
import pathlib
import shutil
import tempfile

from support import images, namespaces
from support.engine import Engine
from support.registry import Registry

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Lab:
    """Enter it in a thread of its own: the namespace is the thread's and that of the programs it starts."""

    def __init__(self, hub):
        """`hub` is what pulls find, an archive of one image by name: {"alpine:3.10": bytes}."""
        self.hub = hub

    def __enter__(self):
        namespaces.own_network()
        with contextlib.ExitStack() as stack:
            self.directory = pathlib.Path(tempfile.mkdtemp(prefix="bt-lab-", dir="/tmp"))
            stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            self.registry = stack.enter_context(Registry(self.directory))
            for name, archive in self.hub.items():
                self.registry.push(archive, f"library/{name}")
            self.engine = Engine(arguments=["--registry-mirror", f"http://{self.registry.address}",
                                            "--insecure-registry", self.registry.address])
            stack.callback(self.engine.destroy)
            self.engine.start()
            for name in self.hub:
                self.engine.berth()("pull", name).ok()
            self.leave = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self.leave.__exit__(*error)

    def environment(self, programs=None):
        """For a client that is to find this engine and nobody's settings; `programs` is a directory first in PATH."""
        home = self.directory / "home"
        os.makedirs(home / "tmp", exist_ok=True)
        return {"PATH": f"{programs}:{PATH}" if programs else PATH, "HOME": str(home), "TMPDIR": str(home / "tmp"),
                "LANG": "C.UTF-8", "DOCKER_HOST": self.engine.host, "DOCKER_CONFIG": str(home / ".docker"),
                "DOCKER_CLI_HINTS": "false"}


def in_own_thread(work):
    """What work() returns, called in a new thread."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def busybox_hub(*names):
    """One busybox under all the names that a suite asks for."""
    layer = images.busybox_layer()
    return {name: images.archive(name, [layer]) for name in names}
