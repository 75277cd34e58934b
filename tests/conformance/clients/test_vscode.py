"""Judge: the container client of VS Code's extensions, with strict parsing, on every client that can be its docker."""
import pathlib

import pytest

from fetched import npm_packages
from support.process import run
from verdict import judge

from .programs import docker_named, docker_names, in_lab, known_of, told

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "@microsoft/vscode-container-client@0.5.3"
LEAST = 38


@pytest.mark.parametrize("name", docker_names())
def test_vscode_container_client(name, tmp_path):
    modules = npm_packages(PACKAGE) / "node_modules"

    def work(lab):
        environment = lab.environment(docker_named(name, tmp_path / "bin"))
        script = HERE / "node/vscode_calls.js"
        return run(["node", script, modules, "docker", lab.registry.address], timeout=300, env=environment)

    judge(told(in_lab(work).out, name), known_of(HERE / "vscode.known", name), LEAST)
