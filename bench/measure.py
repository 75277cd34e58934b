"""Samples, medians and rows: what was measured, beside whom, and how it is printed."""
import dataclasses
import os
import platform
import select
import statistics
import subprocess
import tempfile
import time


@dataclasses.dataclass
class Row:
    """One measurement of Berth and of the peers beside it in the same run."""

    name: str
    unit: str  # "ms", "s", "MB"
    results: dict = dataclasses.field(default_factory=dict)  # who -> list of samples
    missing: dict = dataclasses.field(default_factory=dict)  # who -> why
    budget: tuple = ()  # (peer, largest ratio to it) or ("", largest value)
    error: str = ""

    def median(self, who):
        samples = self.results.get(who)
        return statistics.median(samples) if samples else None

    def ratio(self, who):
        """Median over alternating pairs of berth / who: what else runs on the machine hits both of a pair."""
        pairs = list(zip(self.results.get("berth", []), self.results.get(who, [])))
        return statistics.median(ours / theirs for ours, theirs in pairs) if pairs else None

    def verdict(self):
        if not self.budget:
            return ""
        peer, limit = self.budget
        value = self.ratio(peer) if peer else self.median("berth")
        if value is None:
            return ""
        asked = f"<= {limit:g} x {peer}" if peer else f"<= {limit:g} {self.unit}"
        return f"{'kept' if value <= limit else 'MISSED'} ({asked})"

    def document(self):
        return {
            "name": self.name, "unit": self.unit, "error": self.error, "missing": self.missing,
            "medians": {who: self.median(who) for who in self.results},
            "ratios": {who: self.ratio(who) for who in self.results if who != "berth"},
            "budget": self.verdict(), "samples": self.results,
        }


def wait_for_end(pid, seconds):
    """Whether the process ends in that time. Popen.wait with a timeout would do, but it sleeps, in steps of up to 50 ms."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def timed(command, **options):
    """Milliseconds that the command takes; RuntimeError with its last words if it fails."""
    # A file, not a pipe: what a command leaves running would keep the pipe open.
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **options) as process:
            ended = wait_for_end(process.pid, 300)
            took = (time.perf_counter() - start) * 1000
            if not ended:
                process.kill()
        status = process.returncode
        if status != 0:
            output.seek(0)
            words = output.read().decode(errors="replace").strip().splitlines() or ["no words"]
            raise RuntimeError(f"{' '.join(map(str, command))}: status {status}: {words[-1][:200]}")
    return took


def alternate(row, runners, rounds, before=None):
    """Calls each runner once a round, in turn (A B C A B C), after one round that does not count.

    `runners` maps a name to a function that answers one sample. A peer that fails is missing from then on; Berth's
    failure is the row's error.
    """
    alive = dict(runners)
    for number in range(rounds + 1):
        for who in list(alive):
            try:
                if before:
                    before(who)
                sample = alive[who]()
            except (RuntimeError, OSError, subprocess.SubprocessError) as problem:
                if who == "berth":
                    row.error = str(problem)
                    return row
                row.results.pop(who, None)
                row.missing[who] = str(problem)
                del alive[who]
                continue
            if number > 0:
                row.results.setdefault(who, []).append(sample)
    return row


def available_memory():
    """MB that the kernel could give out."""
    with open("/proc/meminfo") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("MemAvailable:"))


def settled_memory():
    """MemAvailable once it no longer moves, with caches dropped."""
    subprocess.run("sync; echo 3 >/proc/sys/vm/drop_caches", shell=True, stderr=subprocess.DEVNULL)
    last = available_memory()
    for _ in range(20):
        time.sleep(0.25)
        now = available_memory()
        if abs(now - last) < 0.5:
            return now
        last = now
    return last


def proportional_memory(pid):
    """MB of PSS of a process."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("Pss:"))


def machine():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    with open("/proc/meminfo") as file:
        total = int(file.readline().split()[1]) // 1024
    groups = "v2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else \
        "hybrid" if os.path.exists("/sys/fs/cgroup/unified") else "v1"
    with open("/etc/os-release") as file:
        system = next(line.split("=", 1)[1].strip().strip('"') for line in file if line.startswith("PRETTY_NAME="))
    return {"system": system, "kernel": platform.release(), "processors": os.cpu_count(), "model": model,
            "memory": f"{total} MB", "cgroups": groups, "load": os.getloadavg()[0]}


def table(rows):
    """Lines of text: a row a measurement, a column a program."""
    columns = ["berth", *dict.fromkeys(who for row in rows for who in [*row.results, *row.missing] if who != "berth")]
    lines = [["", *columns, "budget"]]
    for row in rows:
        cells = [f"{row.name} ({row.unit})"]
        for who in columns:
            median = row.median(who)
            cell = "-" if median is None else f"{median:.1f}" if median >= 1 else f"{median:.2f}"
            if median is not None and who != "berth" and row.ratio(who):
                cell += f" (x{1 / row.ratio(who):.1f})"
            cells.append("failed" if row.error and who == "berth" else "missing" if who in row.missing else cell)
        lines.append([*cells, row.verdict()])
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    for row in rows:
        text += [f"missing: {who}, {row.name}: {why}" for who, why in row.missing.items()]
        text += [f"failed: {row.name}: {row.error}"] if row.error else []
    return text
