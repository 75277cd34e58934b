"""Runs programs and says clearly what they did when that was not what a test expected."""
import dataclasses
import subprocess
import time


@dataclasses.dataclass
class Result:
    argv: list
    rc: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self):
        return self.stdout.decode(errors="replace")

    @property
    def err(self):
        return self.stderr.decode(errors="replace")

    @property
    def words(self):
        """Standard output without the newline at its end."""
        return self.out.rstrip("\n")

    def describe(self):
        return f"{' '.join(map(str, self.argv))}\n  rc: {self.rc}\n  stdout: {self.out[-3000:]!r}\n  stderr: {self.err[-3000:]!r}"

    def ok(self):
        assert self.rc == 0, self.describe()
        return self

    def fails(self, rc, *texts):
        """Asserts the exit status and that stderr has each of the texts (of a tuple: one of them); no hint at a crash."""
        assert self.rc == rc, self.describe()
        for text in texts:
            choice = text if isinstance(text, tuple) else (text,)
            assert any(one in self.err for one in choice), f"stderr lacks {text!r}\n{self.describe()}"
        for bad in ("Traceback", "terminate called", "Assertion", "AddressSanitizer", "panic:"):
            assert bad not in self.err, self.describe()
        return self


def run(argv, input=None, timeout=60, **options):
    """Runs to the end. `input` is bytes or None (then stdin is /dev/null)."""
    argv = [str(a) for a in argv]
    stdin = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout, **stdin, **options)
    return Result(argv, done.returncode, done.stdout, done.stderr)


def eventually(condition, timeout=10.0, what="the condition"):
    """Polls until the condition is true and returns its value; fails with its last value otherwise."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"after {timeout} s still not: {what} (last: {value!r})"
        time.sleep(0.02)
