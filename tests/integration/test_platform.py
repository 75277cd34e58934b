"""Images of another architecture: told what is missing, run through an emulator when the kernel has one (row 20)."""
import pathlib
import shutil
import subprocess

import pytest

from support import images

# The machine's name from uname(2), in C without a C library, so that no foreign one needs to be installed.
UNAME = r"""
static long call(long number, long a, long b, long c) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
  return x0;
}
static char names[6][65];
void _start(void) {
  long length = 0;
  call(160, (long)names, 0, 0);
  while (names[4][length]) ++length;
  names[4][length++] = '\n';
  call(64, 1, (long)names[4], length);
  call(93, 0, 0, 0);
}
"""
MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
EMULATOR = shutil.which("qemu-aarch64-static")


@pytest.fixture(scope="module")
def arm(any_engine, tmp_path_factory):
    """The name of an image for arm64 that prints the machine it runs on."""
    directory = tmp_path_factory.mktemp("arm64")
    (directory / "uname.c").write_text(UNAME)
    subprocess.run(["clang-19", "--target=aarch64-linux-gnu", "-nostdlib", "-static", "-fuse-ld=lld-19",
                    "-fno-stack-protector", "-O1", "-o", "uname", "uname.c"], cwd=directory, check=True)
    layer = images.Layer().add("uname", (directory / "uname").read_bytes(), 0o755).finish()
    client = any_engine.berth()
    client("load", input=images.archive("arm:latest", [layer], {"Cmd": ["/uname"]}, "arm64")).ok()
    yield "arm:latest"
    client("rmi", "-f", "arm:latest")


@pytest.fixture
def handlers(tmp_path):
    """The kernel's handlers of foreign programs, without one for arm64 while the test runs."""
    place = tmp_path / "binfmt"
    place.mkdir()
    subprocess.run(["mount", "-t", "binfmt_misc", "none", place], check=True)
    texts = {path: path.read_text() for path in place.iterdir() if path.name not in ("register", "status")}
    others = [path for path, text in texts.items() if "magic 7f454c460201" in text and "b700" in text]
    for path in others:
        path.write_text("0")
    yield place
    for path in others:
        path.write_text("1")
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def emulator(handlers):
    if not EMULATOR:
        pytest.skip("qemu-user-static is not installed")
    (handlers / "register").write_text(f":berth-test-arm64:M::{MAGIC}:{MASK}:{EMULATOR}:F")
    yield
    (handlers / "berth-test-arm64").write_text("-1")


def warned(result):
    return ("The requested image's platform (linux/arm64) does not match the detected host platform (linux/amd64)"
            in result.err)


def test_without_an_emulator_the_package_is_named(cli, arm, handlers):
    run = cli("run", "--rm", arm)
    assert run.rc != 0
    assert warned(run)
    assert "this host cannot run programs for arm64: apt-get install qemu-user-static binfmt-support" in run.err
    assert "xec format error" in run.err


def test_with_an_emulator_it_runs(cli, arm, emulator):
    run = cli("run", "--rm", "--platform", "linux/arm64", arm).ok()
    assert run.out == "aarch64\n"
    assert "WARNING" not in run.err


def test_the_platform_that_nobody_asked_for_is_told(cli, arm, emulator):
    run = cli("run", "--rm", arm).ok()
    assert run.out == "aarch64\n"
    assert warned(run)
    assert "apt-get" not in run.err


def test_doctor_tells_what_is_emulated(engine, arm, emulator):
    assert "emulated: arm64" in engine.berth()("doctor").out


def test_windows_is_refused_in_one_sentence(cli):
    run = cli("run", "--rm", "--platform", "windows/amd64", "busybox", "true")
    assert run.rc == 125
    assert "platform windows/amd64 is not supported: this engine runs Linux containers only" in run.err
