"""Judge: the devcontainers command brings up a project from an image, a Dockerfile with a feature, and a compose file."""
import json
import pathlib

import pytest

from fetched import npm_packages
from support.process import run
from verdict import judge

from .programs import docker_named, docker_names, in_lab, known_of

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "@devcontainers/cli@0.89.0"
FEATURE_INSTALL = """#!/bin/sh
echo "$WORD" >/feature-was-here
"""
PROJECTS = {
    "image": {".devcontainer/devcontainer.json": {"image": "busybox:latest", "remoteEnv": {"WORD": "from the editor"}}},
    "feature": {
        ".devcontainer/devcontainer.json": {"build": {"dockerfile": "Dockerfile", "args": {"WORD": "from a build"}},
                                            "features": {"./word": {"word": "from a feature"}}},
        ".devcontainer/Dockerfile": "FROM busybox:latest\nARG WORD\nRUN echo $WORD >/built\n",
        ".devcontainer/word/devcontainer-feature.json": {
            "id": "word", "version": "1.0.0", "name": "Word", "options": {"word": {"type": "string", "default": "none"}}},
        ".devcontainer/word/install.sh": FEATURE_INSTALL,
    },
    "compose": {
        ".devcontainer/devcontainer.json": {"dockerComposeFile": "docker-compose.yml", "service": "app",
                                            "workspaceFolder": "/workspace"},
        ".devcontainer/docker-compose.yml":
            "version: '3.8'\nservices:\n  app:\n    image: busybox:latest\n    command: sleep 1000\n"
            "    volumes: ['..:/workspace']\n  other:\n    image: busybox:latest\n    command: sleep 1000\n",
    },
}
# What a shell in the container of each says.
QUESTIONS = {
    "image": ("echo $WORD; cat file", "from the editor\nin the project\n"),
    "feature": ("cat /built /feature-was-here file", "from a build\nfrom a feature\nin the project\n"),
    "compose": ("cat file; ping -c 1 -W 5 other >/dev/null && echo other is there", "in the project\nother is there\n"),
}


def write_project(directory, files):
    for name, content in {"file": "in the project\n", **files}.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))


def up_and_exec(modules, directory, kind, environment):
    """(outcome, why) of `devcontainer up` and of a command in what came up."""
    write_project(directory, PROJECTS[kind])
    command = ["node", modules / "@devcontainers/cli/devcontainer.js"]
    where = ["--workspace-folder", directory]
    up = run([*command, "up", *where], timeout=180, env=environment)
    if up.rc != 0 or '"outcome":"success"' not in up.out:
        return "failed", f"up: {up.err[-600:]} {up.out[-400:]}"
    question, answer = QUESTIONS[kind]
    said = run([*command, "exec", *where, "sh", "-c", question], timeout=60, env=environment)
    return ("passed", "") if said.rc == 0 and said.out == answer else ("failed", f"exec: {said.out!r} {said.err[-600:]}")


@pytest.mark.parametrize("name", docker_names())
def test_devcontainers(name, tmp_path):
    modules = npm_packages(PACKAGE) / "node_modules"

    def work(lab):
        environment = lab.environment(docker_named(name, tmp_path / "bin"))
        return {f"{name}::{kind}": up_and_exec(modules, tmp_path / kind, kind, environment) for kind in PROJECTS}

    judge(in_lab(work), known_of(HERE / "devcontainers.known", name), len(PROJECTS))
