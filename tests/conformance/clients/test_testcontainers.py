"""Judge: what tests on testcontainers do: networks with aliases, files before and after the start, exec, waiting."""
import pathlib

from fetched import npm_packages
from support.process import run
from verdict import judge

from .programs import in_lab, known_of, told

HERE = pathlib.Path(__file__).resolve().parent
PACKAGE = "testcontainers@11.0.0"  # later ones are for a newer node than Debian's
LEAST = 14


def test_testcontainers():
    modules = npm_packages(PACKAGE) / "node_modules"

    def work(lab):
        environment = {**lab.environment(), "TESTCONTAINERS_RYUK_DISABLED": "true"}
        return run(["node", HERE / "node/testcontainers_calls.js", modules], timeout=300, env=environment)

    judge(told(in_lab(work).out, "testcontainers"), known_of(HERE / "testcontainers.known", "testcontainers"), LEAST)
