"""cp: files, trees, links, ownership, streams; running or not; never outside of the container."""
import io
import os
import tarfile

import pytest

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture(params=["running", "stopped"])
def box(request, cli, name):
    if request.param == "running":
        cli("run", "-d", "--name", name, "busybox", "sleep", "300").ok()
    else:
        cli("create", "--name", name, "busybox", "sleep", "300").ok()
    return name


def content(cli, box, path):
    """What a file of the container holds, by a copy out to a stream."""
    with tarfile.open(fileobj=io.BytesIO(cli("cp", f"{box}:{path}", "-").ok().stdout)) as archive:
        return archive.extractfile(archive.getmembers()[0]).read()


def test_a_file_in_and_out(cli, box, tmp_path):
    data = os.urandom(300_000)
    (tmp_path / "in").write_bytes(data)
    os.chmod(tmp_path / "in", 0o640)
    cli("cp", tmp_path / "in", f"{box}:/tmp/file").ok()
    cli("cp", f"{box}:/tmp/file", tmp_path / "out").ok()
    assert (tmp_path / "out").read_bytes() == data
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


def test_into_a_directory_keeps_the_name(cli, box, tmp_path):
    (tmp_path / "name").write_text("x")
    cli("cp", tmp_path / "name", f"{box}:/tmp").ok()
    assert content(cli, box, "/tmp/name") == b"x"
    cli("cp", f"{box}:/etc/passwd", tmp_path).ok()
    assert (tmp_path / "passwd").read_text().startswith("root:")


def test_a_tree_in_and_out(cli, box, tmp_path):
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "deep").write_text("deep")
    (tree / "link").symlink_to("a/b/deep")
    (tree / "run").write_text("#!/bin/sh\n")
    os.chmod(tree / "run", 0o755)
    cli("cp", tree, f"{box}:/srv").ok()
    cli("cp", f"{box}:/srv", tmp_path / "back").ok()
    back = tmp_path / "back"
    assert (back / "a" / "b" / "deep").read_text() == "deep"
    assert os.readlink(back / "link") == "a/b/deep"
    assert (back / "run").stat().st_mode & 0o777 == 0o755


def test_contents_of_a_directory_with_slash_dot(cli, box, tmp_path):
    (tmp_path / "one").write_text("1")
    cli("cp", f"{tmp_path}/.", f"{box}:/tmp").ok()
    assert content(cli, box, "/tmp/one") == b"1"


def test_a_stream_in(cli, box):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo("from-stream")
        info.size, info.uid, info.gid = 3, 1000, 1000
        archive.addfile(info, io.BytesIO(b"abc"))
    cli("cp", "-", f"{box}:/tmp", input=stream.getvalue()).ok()
    assert content(cli, box, "/tmp/from-stream") == b"abc"


def test_what_comes_in_belongs_to_root_of_the_container(cli, name, tmp_path):
    cli("run", "-d", "--name", name, "busybox", "sleep", "300").ok()
    (tmp_path / "file").write_text("x")
    cli("cp", tmp_path / "file", f"{name}:/tmp/file").ok()
    assert cli("exec", name, "stat", "-c", "%u:%g", "/tmp/file").ok().words == "0:0"
    cli("exec", name, "sh", "-c", "echo more >>/tmp/file && chown 1000 /tmp/file").ok()


def test_it_follows_links_inside_only(cli, name, tmp_path):
    """A link of the container leads to the container's files, never to the host's."""
    secret = tmp_path / "secret"
    secret.write_text("the host's\n")
    cli("run", "--name", name, "busybox", "sh", "-c",
        f"ln -s {secret} /leak; ln -s / /root/all; mkdir -p {tmp_path}; echo inside >{secret}").ok()
    assert content(cli, name, "/root/all" + str(secret)) == b"inside\n"
    (tmp_path / "new").write_text("new")
    cli("cp", tmp_path / "new", f"{name}:{secret}").ok()
    assert secret.read_text() == "the host's\n"
    cli("cp", tmp_path / "new", f"{name}:/leak").ok()
    assert secret.read_text() == "the host's\n"


def test_dots_do_not_lead_out(cli, box, tmp_path):
    (tmp_path / "file").write_text("x")
    cli("cp", tmp_path / "file", f"{box}:/../../../tmp/dots").ok()
    assert content(cli, box, "/tmp/dots") == b"x"
    assert not os.path.exists("/tmp/dots")


def test_a_missing_source(cli, box, tmp_path):
    cli("cp", f"{box}:/no/such", tmp_path).fails(1, (f"ould not find the file /no/such in container {box}",
                                                        f"No such container:path: {box}:/no/such"))
    assert cli("cp", tmp_path / "none", f"{box}:/tmp").rc == 1


def test_a_missing_target_directory(cli, box, tmp_path):
    (tmp_path / "file").write_text("x")
    result = cli("cp", tmp_path / "file", f"{box}:/no/such/place/")
    assert result.rc == 1, result.describe()


def test_a_missing_container(cli, tmp_path):
    cli("cp", "t-nobody:/etc/passwd", tmp_path).fails(1, ("No such container: t-nobody", "No such container:path: t-nobody:"))


def test_between_containers_is_refused(cli, box):
    cli("cp", f"{box}:/etc/passwd", f"{box}:/tmp").fails(1, "copying between containers is not supported")


def test_neither_side_a_container(cli, tmp_path):
    cli("cp", tmp_path, tmp_path).fails(1, "must specify at least one container source")
