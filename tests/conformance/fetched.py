"""What package managers bring for the suite at test time; kept in the cache of the tests, never in the project."""
import os
import pathlib
import shutil
import subprocess

import pytest

from support import namespaces
from support.images import cache_dir


def _run(argv, directory, timeout=600):
    """Runs a package manager in the machine's own network; skips the test with what it said if it fails."""
    done = subprocess.run(
        list(map(str, argv)), cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
        preexec_fn=namespaces.enter_host_network if namespaces.host_network is not None else None,
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "failed").splitlines()[-1]
        pytest.skip(f"{argv[0]} could not bring it: {said}")
    return done.stdout


def _once(name, make):
    """The directory cache/NAME, filled by make(partial directory) the first time."""
    path = cache_dir() / name
    if not path.exists():
        partial = path.with_name(name + ".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        make(partial)
        partial.rename(path)
    return path


def debian_source(package):
    """The unpacked source of a Debian package, from the mirrors that the machine has for binary packages."""

    def make(directory):
        lines = _run(["apt-get", "indextargets", "--format", "deb-src $(REPO_URI) $(RELEASE) $(COMPONENT)",
                      "Created-By: Packages"], directory).splitlines()
        (directory / "sources.list").write_text("\n".join(sorted(set(lines))) + "\n")
        (directory / "lists/partial").mkdir(parents=True)
        places = ["-o", f"Dir::Etc::sourcelist={directory}/sources.list", "-o", "Dir::Etc::sourceparts=/dev/null",
                  "-o", f"Dir::State::lists={directory}/lists", "-o", "APT::Sandbox::User=root"]
        _run(["apt-get", *places, "update"], directory)
        _run(["apt-get", *places, "source", package], directory)
        shutil.rmtree(directory / "lists")

    found = [path for path in _once(f"source-{package}", make).iterdir() if path.is_dir()]
    assert len(found) == 1, f"apt-get source {package} left {found}"
    return found[0]


def npm_packages(*packages):
    """A directory whose node_modules has the packages, each with its version ("name@1.2.3")."""
    name = "npm-" + "-".join(package.strip("@").replace("/", "-") for package in packages)
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")

    def make(directory):
        (directory / "package.json").write_text('{"private": true}')
        _run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages], directory)

    return _once(name, make)
