"""What an engine has made on this machine, to be the same before and after a suite."""
import contextlib
import os
import pathlib
import re
import subprocess

from .process import eventually

HIERARCHIES = "/sys/fs/cgroup"


def mounts():
    """Mount points of this mount namespace, which is the engine's too."""
    lines = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
    return {f"mount {line.split()[4]} {line.split(' - ')[1]}" for line in lines}


def control_groups(parent):
    """Those below the engine's own, which stays until it is told to leave the machine."""
    found = set()
    for top in {"/sys/fs/cgroup", *(p.path for p in os.scandir(HIERARCHIES) if p.is_dir())}:
        start = pathlib.Path(top + parent)
        if start.is_dir():
            found.update(f"cgroup {p}" for p, _, _ in os.walk(start) if p != str(start))
    return found


def interfaces():
    output = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return {"interface " + re.split(r"[:@]", line.split(": ", 1)[1])[0] for line in output.splitlines()}


def rules():
    """The whole ruleset of this network namespace, a line an entry, without counters."""
    output = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    lines, path = set(), []
    for line in output.splitlines():
        text = re.sub(r"counter packets \d+ bytes \d+", "counter", line.strip())
        if text.endswith("{"):
            path.append(text[:-1].strip())
        elif text == "}":
            path.pop()
        elif text:
            lines.add(f"nft {' / '.join(path)}: {text}")
    return lines


def processes(engine):
    """Processes that name the engine's directory or stand in its control groups; not the engine itself, nor a portal."""
    found = set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or (engine.process and int(entry) == engine.process.pid) or int(entry) == os.getpid():
            continue
        try:
            command = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            groups = pathlib.Path(f"/proc/{entry}/cgroup").read_text()
            state = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        # A portal is what a test starts and ends, and starts again under another pid.
        mine = (str(engine.root) in command and "berth-portal" not in command) or engine.cgroup_parent in groups
        if mine and state not in "ZX":
            found.add(f"process {entry} {command.strip()}")
    return found


def files(engine):
    """Paths below the run directory, and of containers and networks in the state directory."""
    found = set()
    for top in (engine.run_dir, engine.state_dir / "containers", engine.state_dir / "network",
                engine.state_dir / "images" / "tmp"):
        for folder, _, names in os.walk(top):
            found.update(f"file {os.path.join(folder, name)}" for name in [*names, "."])
    volumes = engine.state_dir / "volumes"
    return found | {f"volume {entry}" for entry in (os.listdir(volumes) if volumes.is_dir() else [])}


def snapshot(engine):
    return (mounts() | control_groups(engine.cgroup_parent) | interfaces() | rules() | processes(engine)
            | files(engine))


def difference(before, after):
    """Lines of what is new or gone. Mounts of others may go at any time: the kernel takes them away with their files."""
    gone = {line for line in before - after if not line.startswith("mount ")}
    return [f"+ {line}" for line in sorted(after - before)] + [f"- {line}" for line in sorted(gone)]


def descriptors(engine):
    """Open file descriptors of the engine process."""
    return len(os.listdir(f"/proc/{engine.process.pid}/fd"))


@contextlib.contextmanager
def nothing_left(engine):
    """Afterwards, with every container removed, the machine is as before, and the engine holds no more descriptors."""
    before, open_before = snapshot(engine), descriptors(engine)
    yield
    left = engine.berth()("ps", "-aq").out.split()
    if left:
        engine.berth()("rm", "-f", "-v", *left)
    changed = []

    def same():
        changed[:] = difference(before, snapshot(engine))
        return not changed and descriptors(engine) <= open_before + 4

    try:
        eventually(same, 5)
    except AssertionError:
        raise AssertionError("the suite left or took away:\n" + "\n".join(changed) + "\ndescriptors of the engine: "
                             f"{open_before} before, {descriptors(engine)} after") from None
