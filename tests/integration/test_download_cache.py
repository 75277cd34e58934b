"""A volume over the package manager's cache is a download cache that containers share (row 18)."""
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.usefixtures("no_leaks")
CACHE = "t-downloads:/var/cache/apt/archives"
INSTALL = ("echo 'deb [trusted=yes] http://packages/ ./' >/etc/apt/sources.list && rm -rf /etc/apt/sources.list.d/* && "
           "apt-get -qq update && apt-get -qq install -y fetched >/dev/null 2>&1; cat /usr/share/fetched")


@pytest.fixture
def packages(one_cli, names, tmp_path):
    """The directory of an apt repository with one package, which a container serves; the name of its network."""
    shutil.which("dpkg-scanpackages") or pytest.skip("dpkg-dev is not installed")
    root, served = tmp_path / "root", tmp_path / "served"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "usr/share").mkdir(parents=True)
    served.mkdir()
    (root / "DEBIAN/control").write_text("Package: fetched\nVersion: 1\nArchitecture: all\nMaintainer: tests\n"
                                         "Description: made by a test\n")
    (root / "usr/share/fetched").write_text("installed\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, served / "fetched_1_all.deb"], check=True,
                   stdout=subprocess.DEVNULL)
    index = subprocess.run(["dpkg-scanpackages", "."], cwd=served, check=True, capture_output=True).stdout
    (served / "Packages").write_bytes(index)
    one_cli("network", "create", "t-packages").ok()
    one_cli("run", "-d", "--name", names("packages"), "--network", "t-packages", "--network-alias", "packages",
            "-v", f"{served}:/srv:ro", "busybox", "httpd", "-f", "-p", "80", "-h", "/srv").ok()
    yield served
    one_cli.remove(*one_cli("ps", "-aq", "--filter", "network=t-packages").words.split())
    one_cli("network", "rm", "t-packages").ok()
    one_cli("volume", "rm", "t-downloads").ok()


def test_the_second_install_uses_what_the_first_has_fetched(one_cli, debian, packages):
    def install(*flags):
        return one_cli("run", "--rm", "--network", "t-packages", *flags, debian, "sh", "-c", INSTALL, timeout=120)

    assert install("-v", CACHE).ok().words == "installed"
    (packages / "fetched_1_all.deb").unlink()
    assert install("-v", CACHE).ok().words == "installed"
    assert install().rc != 0, "it came from somewhere else than the cache"
