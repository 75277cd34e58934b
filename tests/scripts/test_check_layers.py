"""scripts/check-layers finds what it is there to find."""
import pathlib
import subprocess

import pytest

CHECK = pathlib.Path(__file__).parents[2] / "scripts" / "check-layers"


def check(root):
    return subprocess.run([CHECK, root], capture_output=True, text=True)


def tree(root, files):
    for name, text in files.items():
        path = root / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    "name, text",
    [
        ("sys/a.cpp", '#include "sys/b.h"\n#include "base/c.h"\n#include <vector>\n'),
        ("engine/a.cpp", '#include "engine/detail/b.h"\n#include "image/c.h"\n#include "shim/protocol.h"\n'),
        ("http/a.cpp", "#include <boost/beast/core.hpp>\n"),
        ("docker/main/a.cpp", '#include "docker/server.h"\n'),
    ],
)
def test_good_includes_pass(tmp_path, name, text):
    result = check(tree(tmp_path, {name: text}))
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(
    "name, include, reason",
    [
        ("base/a.h", '"sys/b.h"', "sys does not stand before base"),
        ("image/a.h", '"network/b.h"', "network does not stand before image"),
        ("engine/a.cpp", '"image/detail/b.h"', "detail/ is private to image"),
        ("engine/a.cpp", '"shim/pump.h"', "only shim/protocol.h"),
        ("cli/a.cpp", '"portal/b.h"', "portal does not stand before cli"),
        ("docker/a.cpp", "<boost/beast/http.hpp>", "only src/http includes Beast"),
        ("base/a.h", '"error.h"', "named from src/"),
        ("base/a.h", '"nowhere/b.h"', "unknown folder nowhere/"),
        ("nowhere/a.h", "<vector>", "unknown folder nowhere/"),
    ],
)
def test_violations_are_named_with_their_place(tmp_path, name, include, reason):
    result = check(tree(tmp_path, {name: f"#pragma once\n#include {include}\n"}))
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 1
    assert result.stdout.startswith(f"src/{name}:")
    assert reason in result.stdout


def test_a_checkout_without_sources_is_an_error(tmp_path):
    result = check(tmp_path)
    assert result.returncode == 1
    assert "has no src/ folder" in result.stderr
