"""Clients of an engine's socket: the berth command and every Docker client of the machine."""
import functools
import glob
import json
import os
import re
import subprocess

from .process import run


class Client:
    """One command line program that talks to one engine. Calling it runs a command to its end."""

    def __init__(self, name, program, host):
        self.name = name
        self.program = str(program)
        self.host = host
        self.prog = os.path.basename(self.program)  # how it calls itself in its messages
        self.is_berth = self.prog == "berth"

    def argv(self, *words):
        return [self.program, "-H", self.host, *map(str, words)]

    def environment(self, extra=None):
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("DOCKER_", "BERTH_"))}
        # No configuration of the person who runs the tests has a say.
        return {**keep, "DOCKER_CONFIG": "/nonexistent", "DOCKER_CLI_HINTS": "false", **(extra or {})}

    def __call__(self, *words, input=None, timeout=60, env=None):
        return run(self.argv(*words), input=input, timeout=timeout, env=self.environment(env))

    def start(self, *words, **options):
        """A command that goes on, with pipes for what `options` does not name."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(self.argv(*words), env=self.environment(), **pipes)

    def inspect(self, name, *flags):
        return json.loads(self("inspect", *flags, name).ok().out)[0]

    def remove(self, *names):
        """Removes containers that may be gone already."""
        for name in names:
            self("rm", "-f", "-v", name)


@functools.cache
def docker_programs():
    """Path of each Docker client by major version, for example {"28": "/usr/local/bin/docker"}."""
    found = {}
    for path in ["/usr/bin/docker", *glob.glob("/usr/local/bin/docker"), *glob.glob("/opt/docker*/docker")]:
        if os.path.realpath(path).endswith("/docker") and os.access(path, os.X_OK):
            match = re.search(r"Docker version (\d+)\.", run([path, "--version"]).out)
            if match:
                found.setdefault(match[1], path)
    return found
