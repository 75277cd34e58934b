"""Moves the test run itself into namespaces of its own, so that no engine under test can touch the machine's network."""
import ctypes
import os
import subprocess

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
host_network = None  # descriptor of the network namespace that the run was started in


def _call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def leave_host():
    """Network and mount namespace of its own, for this process and all it starts; loopback is up, nothing else is."""
    global host_network
    host_network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    _call("unshare", CLONE_NEWNS | CLONE_NEWNET)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def own_network():
    """A network namespace of its own for this thread and what it starts; loopback is up."""
    _call("unshare", CLONE_NEWNET)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def enter_host_network():
    """For preexec_fn: a child that needs the machine's own network."""
    _call("setns", host_network, CLONE_NEWNET)
