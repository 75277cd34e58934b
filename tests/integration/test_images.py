"""Images: load, save, tag, rmi, import, pull from registries that work and from some that do not (rows 24-30)."""
import concurrent.futures
import io
import json
import os
import re
import signal
import tarfile
import threading

import pytest

from support import images
from support.engine import External
from support.process import eventually
from support.registry import Stub, free_port

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def gone(one_cli):
    """Names of images that the test makes; they are removed after it."""
    names = []
    yield lambda name: names.append(name) or name
    for name in names:
        one_cli("rmi", "-f", name)


def small_image(tag, text=b"x"):
    return images.archive(tag, [images.bare_layer(), images.Layer().add("text", text).finish()],
                          {"Entrypoint": ["/echo"], "Cmd": [text.decode()]})


def all_images(cli):
    return sorted(cli("images", "-a", "-q", "--no-trunc").ok().out.split())


class TestLoadAndSave:
    def test_load_says_what_it_loaded(self, cli, gone):
        tag = gone("t-load:1")
        assert cli("load", input=small_image(tag)).ok().out.splitlines()[-1] == f"Loaded image: {tag}"
        assert cli("run", "--rm", tag).ok().words == "x"

    def test_load_from_a_file_and_quiet(self, cli, gone, tmp_path):
        tag = gone("t-load:2")
        (tmp_path / "a.tar").write_bytes(small_image(tag))
        assert cli("load", "-q", "-i", tmp_path / "a.tar").ok().out == f"Loaded image: {tag}\n"

    def test_load_of_a_compressed_archive(self, cli, gone):
        tag = gone("t-load:3")
        cli("load", input=images.compressed(small_image(tag))).ok()
        assert cli("run", "--rm", tag).ok().words == "x"

    def test_load_moves_a_tag(self, cli, gone):
        tag = gone("t-load:4")
        cli("load", input=small_image(tag, b"old")).ok()
        old = cli.inspect(tag)["Id"]
        gone(old)
        cli("load", input=small_image(tag, b"new")).ok()
        assert cli("run", "--rm", tag).ok().words == "new"
        assert cli.inspect(old)["RepoTags"] == []

    @pytest.mark.parametrize("data", [b"", b"not an archive" * 100, images.Layer().add("x", b"y").finish()],
                             ids=["empty", "text", "no manifest"])
    def test_load_of_nonsense(self, cli, data):
        before = all_images(cli)
        result = cli("load", input=data)
        assert result.rc == 1 or data == b"", result.describe()
        assert all_images(cli) == before

    def test_a_cut_archive_leaves_nothing(self, cli):
        whole = small_image("t-cut:1")
        for part in (0.3, 0.6, 0.9):
            result = cli("load", input=whole[: int(len(whole) * part)])
            assert result.rc == 1, result.describe()
        assert cli("images", "-q", "t-cut").ok().out == ""

    def test_save_and_load_again(self, cli, gone, tmp_path):
        tag = gone("t-save:1")
        cli("load", input=small_image(tag)).ok()
        id = cli.inspect(tag)["Id"]
        cli("save", "-o", tmp_path / "out.tar", tag).ok()
        streamed = cli("save", tag).ok().stdout
        with tarfile.open(fileobj=io.BytesIO(streamed)) as archive:
            manifest = json.load(archive.extractfile("manifest.json"))
            assert manifest[0]["RepoTags"] == [tag]
            assert {manifest[0]["Config"], *manifest[0]["Layers"]} <= set(archive.getnames())
        cli("rmi", tag).ok()
        cli("load", "-i", tmp_path / "out.tar").ok()
        assert cli.inspect(tag)["Id"] == id

    def test_save_of_none(self, cli):
        cli("save", "t-none:1").fails(1, ("o such image: t-none:1", "reference does not exist"))

    def test_import(self, cli, gone):
        tag = gone("t-import:1")
        result = cli("import", "-", tag, input=images.busybox_layer()).ok()
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", result.words)
        assert cli("run", "--rm", tag, "echo", "imported").ok().words == "imported"


class TestNames:
    def test_images_lists(self, cli, gone):
        tag = gone("t-list:7")
        cli("load", input=small_image(tag)).ok()
        header, *rows = cli("images").ok().out.splitlines()
        assert header.split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
        row = next(r.split() for r in rows if r.startswith("t-list "))
        assert row[1] == "7" and re.fullmatch(r"[0-9a-f]{12}", row[2])
        assert re.search(r"\d(\.\d+)?[kM]B$", next(r for r in rows if r.startswith("t-list ")))
        assert cli("images", "-q", "t-list").ok().words == row[2]
        assert cli("images", "--no-trunc", "-q", "t-list").ok().words == cli.inspect(tag)["Id"]
        shown = json.loads(cli("images", "--format", "{{json .}}", "t-list").ok().out)
        assert (shown["Repository"], shown["Tag"], shown["ID"]) == ("t-list", "7", row[2])

    def test_tag_and_rmi(self, cli, gone):
        tag = gone("t-tag:1")
        cli("load", input=small_image(tag)).ok()
        id = cli.inspect(tag)["Id"]
        second = gone("127.0.0.1:5000/deep/er/t-tag:two")
        cli("tag", tag, second).ok()
        assert sorted(cli.inspect(id)["RepoTags"]) == sorted([tag, second])
        assert cli("rmi", tag).ok().out == f"Untagged: {tag}\n"
        result = cli("rmi", second).ok().out.splitlines()
        assert result[0] == f"Untagged: {second}" and f"Deleted: {id}" in result
        assert all(re.fullmatch(r"(Untagged|Deleted): .*", line) for line in result)
        cli("inspect", id).fails(1)

    def test_rmi_in_use(self, cli, gone, name):
        tag = gone("t-used:1")
        cli("load", input=small_image(tag)).ok()
        id = cli("create", "--name", name, tag).ok().words
        image = cli.inspect(tag)["Id"].split(":")[1][:12]
        cli("rmi", tag).fails(1, "conflict: unable to remove repository reference", f'"{tag}" (must force) - container '
                              f"{id[:12]} is using its referenced image {image}")
        cli("rmi", "-f", tag).ok()
        assert cli("start", "-a", name).ok().words == "x"

    def test_rmi_of_an_id_with_two_tags(self, cli, gone):
        tag, other = gone("t-two:1"), gone("t-two-other:1")
        cli("load", input=small_image(tag)).ok()
        cli("tag", tag, other).ok()
        id = cli.inspect(tag)["Id"].split(":")[1][:12]
        cli("rmi", id).fails(1, f"conflict: unable to delete {id} (must be forced) - image is referenced in multiple "
                             "repositories")

    @pytest.mark.parametrize("verb", [["rmi"], ["tag"], ["inspect", "--type", "image"]])
    def test_of_none(self, cli, verb):
        more = ["t-other:1"] if verb == ["tag"] else []
        cli(*verb, "t-none", *more).fails(1, "o such image: t-none")

    @pytest.mark.parametrize("reference, text", [
        ("UPPER", "invalid reference format: repository name"), ("a//b", "invalid reference format"),
        ("a:b:c", "invalid reference format"), ("-x", None), ("a b", "invalid reference format"),
        ("a@sha256:12", "invalid reference format"), ("ä", "invalid reference format"), ("a" * 300, "repository name"),
    ])
    def test_bad_references(self, cli, reference, text):
        result = cli("pull", reference)
        assert result.rc != 0, result.describe()
        if text:
            assert text in result.err, result.describe()


class TestPull:
    def test_first_and_second_time(self, cli, registry, gone):
        reference = gone(registry.push(small_image("x:1"), "library/t-pull:1"))
        out = cli("pull", reference).ok().out
        assert f"Status: Downloaded newer image for {reference}\n" in out
        assert re.search(r"^Digest: sha256:[0-9a-f]{64}$", out, re.M)
        assert out.splitlines()[-1] == reference
        again = cli("pull", reference).ok().out
        assert f"Status: Image is up to date for {reference}\n" in again
        assert cli("run", "--rm", reference).ok().words == "x"
        assert cli.inspect(reference)["RepoDigests"][0].startswith(reference.rsplit(":", 1)[0] + "@sha256:")
        cli("rmi", reference).ok()

    def test_quiet(self, cli, registry, gone):
        reference = gone(registry.push(small_image("x:1"), "t-quiet:1"))
        assert cli("pull", "-q", reference).ok().out == f"{reference}\n"

    def test_run_pulls_what_is_missing(self, cli, registry, gone):
        reference = gone(registry.push(small_image("x:1"), "t-run:1"))
        result = cli("run", "--rm", reference).ok()
        assert result.out == "x\n"
        assert result.err.startswith(f"Unable to find image '{reference}' locally\n")
        cli("rmi", reference).ok()

    def test_by_digest(self, cli, registry, gone):
        reference = registry.push(small_image("x:1"), "t-digest:1")
        gone(reference)
        cli("pull", reference).ok()
        digest = cli.inspect(reference)["RepoDigests"][0]
        cli("rmi", reference).ok()
        gone(digest)
        cli("pull", digest).ok()
        assert cli("run", "--rm", digest).ok().words == "x"

    @pytest.mark.parametrize("format", ["oci", "v2s2"])
    def test_manifest_formats(self, cli, registry, gone, format):
        reference = gone(registry.push(small_image("x:1"), f"t-format:{format}", "--format", format))
        cli("pull", reference).ok()
        assert cli("run", "--rm", reference).ok().words == "x"

    def test_zstd_layers(self, cli, registry, gone, any_engine):
        reference = gone(registry.push(small_image("x:1"), "t-zstd:1", "--format", "oci", "--dest-compress-format",
                                       "zstd"))
        result = cli("pull", reference)
        if isinstance(any_engine, External):
            pytest.skip("not every Docker knows zstd")
        result.ok()
        assert cli("run", "--rm", reference).ok().words == "x"

    def test_missing_tag_and_repository(self, cli, registry):
        for name in ("t-pull:nosuchtag", "t-nosuch:1"):
            reference = f"{registry.address}/{name}"
            cli("pull", reference).fails(1, f"manifest for {reference} not found: manifest unknown: manifest unknown")

    def test_a_registry_that_is_not_there(self, cli):
        address = f"127.0.0.1:{free_port()}"
        result = cli("pull", f"{address}/x:1").fails(1, "connection refused", address)
        assert result.stdout.count(b"\n") <= 1

    def test_run_with_a_registry_that_is_not_there(self, cli):
        address = f"127.0.0.1:{free_port()}"
        cli("run", "--rm", f"{address}/x:1").fails(
            125, f"Unable to find image '{address}/x:1' locally", "connection refused")


@pytest.fixture
def stub():
    def layer(files):
        made = images.Layer()
        for number in range(files):
            made.add(f"file{files}-{number}", os.urandom(100_000))
        return made.finish()

    with Stub([images.bare_layer(), layer(40), layer(2)], {"Cmd": ["/echo", "stub"]}) as running:
        yield running


class TestDifficultRegistries:
    def test_five_at_once_do_the_work_once(self, cli, stub, gone, any_engine):
        reference = gone(f"{stub.address}/thing:latest")
        stub.stall = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            pulls = [pool.submit(cli, "pull", reference, timeout=60) for _ in range(5)]
            eventually(lambda: stub.downloads(1) >= 1, what="the layer is asked for")
            eventually(lambda: sum("/manifests/latest" in r for r in stub.requests) >= 1)
            stub.stall.set()
            for pull in pulls:
                pull.result().ok()
        assert (stub.downloads(1), stub.downloads(2)) == (1, 1)
        assert cli("run", "--rm", reference).ok().words == "stub"

    def test_a_damaged_layer_is_refused(self, cli, stub):
        stub.corrupt = True
        before = all_images(cli)
        result = cli("pull", f"{stub.address}/thing:latest", timeout=120)
        assert result.rc == 1, result.describe()
        assert re.search("digest|verif|checksum|corrupt", result.err), result.describe()
        assert all_images(cli) == before

    def test_a_download_that_breaks_off_goes_on(self, cli, stub, gone):
        stub.cut = 2
        reference = gone(f"{stub.address}/thing:latest")
        cli("pull", reference, timeout=120).ok()
        assert cli("run", "--rm", reference).ok().words == "stub"

    def test_an_interrupted_pull_is_not_visible_and_is_resumed(self, engine, stub, gone):
        cli = engine.berth()
        reference = gone(f"{stub.address}/thing:latest")
        stub.stall = threading.Event()
        process = cli.start("pull", reference)
        eventually(lambda: stub.downloads(1) >= 1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
        assert process.returncode != 0
        assert cli("images", "-q", f"{stub.address}/thing").ok().out == ""
        stub.stall.set()
        cli("pull", reference).ok()
        assert cli("run", "--rm", reference).ok().words == "stub"

    def test_basic_authentication_refused(self, cli, stub):
        stub.password = "joe:secret"
        cli("pull", f"{stub.address}/thing:latest").fails(1, "no basic auth credentials")

    def test_a_bearer_token_is_fetched(self, cli, stub, gone):
        stub.token = "t0ken"
        reference = gone(f"{stub.address}/thing:latest")
        cli("pull", reference).ok()
        assert any(r.startswith("GET /token?") and "scope=repository%3Athing%3Apull" in r for r in stub.requests)

    def test_denied(self, cli, stub):
        stub.deny = True
        cli("pull", f"{stub.address}/thing:latest").fails(1, "denied")
