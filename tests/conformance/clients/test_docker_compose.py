"""Judge: docker-compose 1.29.2's own integration tests, from Debian's source package, with Debian's docker-compose."""
import concurrent.futures
import pathlib
import re
import shutil
import subprocess

from fetched import debian_source
from lab import Lab, busybox_hub
from verdict import judge, known_failures, read_junit

HERE = pathlib.Path(__file__).resolve().parent
IMAGES = busybox_hub("busybox:latest", "busybox:1.31.0-uclibc", "busybox:1.27.2")
SHARDS = 4  # they wait more than they compute
LEAST = 252  # what dockerd passes
PYTEST = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--tb=short"]


def cases(source):
    """The ids of all cases, in the suite's order."""
    told = subprocess.run([*PYTEST, "--collect-only", "tests/integration"], cwd=source, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300)
    found = re.findall(r"^tests/integration/\S+::\S+$", told.stdout, re.MULTILINE)
    assert found, told.stdout + told.stderr
    return found


def run_shard(source, ids, directory):
    """Runs some of the cases against an engine of their own."""
    copy = directory / "source"
    shutil.copytree(source, copy, symlinks=True)
    report = directory / "report.xml"
    with Lab(IMAGES) as lab, open(directory / "log", "wb") as log:
        subprocess.run([*PYTEST, f"--junitxml={report}", *ids], cwd=copy, env=lab.environment(), timeout=900,
                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        shutil.copy(lab.engine.log_path, directory / "engine.log")
    return read_junit(report)


def test_docker_compose(tmp_path):
    source = debian_source("docker-compose")
    every = cases(source)
    results = {}
    with concurrent.futures.ThreadPoolExecutor(SHARDS) as pool:
        directories = [tmp_path / f"shard-{number}" for number in range(SHARDS)]
        for directory in directories:
            directory.mkdir()
        shards = [every[number::SHARDS] for number in range(SHARDS)]
        for found in pool.map(run_shard, [source] * SHARDS, shards, directories):
            results.update(found)
    assert len(results) == len(every), f"{len(every)} cases, but {len(results)} reported"
    judge(results, known_failures(HERE / "docker_compose.known"), LEAST)
