"""A real dockerd with a data root of its own, for comparison."""
import pathlib
import shutil
import subprocess
import tempfile

from support.process import eventually, run


class Dockerd:
    """Raises RuntimeError, saying why, where it cannot be run."""

    def __init__(self, client):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="bd-", dir="/tmp"))
        self.host = f"unix://{self.root}/docker.sock"
        self.client = client
        self.process = None

    def start(self):
        if not shutil.which("dockerd"):
            raise RuntimeError("dockerd is not installed")
        log = open(self.root / "log", "wb")
        self.process = subprocess.Popen(
            ["dockerd", "--data-root", self.root / "data", "--exec-root", self.root / "exec", "-H", self.host,
             "--pidfile", self.root / "pid", "--default-ulimit", "nofile=1024:1024"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        eventually(lambda: self.process.poll() is not None or self._answers(), 60, "dockerd answers or ends")
        if self.process.poll() is not None:
            last = (self.root / "log").read_text(errors="replace").strip().splitlines()[-1:]
            self.destroy()
            raise RuntimeError(f"dockerd ends at once: {' '.join(last)}")
        return self

    def _answers(self):
        return run([self.client, "-H", self.host, "version"], timeout=30).rc == 0

    def destroy(self):
        if self.process and self.process.poll() is None:
            names = run([self.client, "-H", self.host, "ps", "-aq"]).out.split()
            if names:
                run([self.client, "-H", self.host, "rm", "-f", "-v", *names])
            self.process.terminate()
            self.process.wait(60)
        # What it mounted lies below its root: busy directories are left to the end of this run's mount namespace.
        shutil.rmtree(self.root, ignore_errors=True)
