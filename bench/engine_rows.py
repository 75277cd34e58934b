"""Rows about the engine as a docker: lives of containers, crowds of them, images, builds, logs, copies, ports, events.

Every function gets the Bench of bench/run and adds its rows. All programs are asked by their command lines, in the same
words. Sizes are in MB of 10^6 bytes.
"""
import os
import socket
import subprocess
import tempfile
import time

from measure import alternate, proportional_memory
from peers import Registry, images, wait_quiet

PEERS = ("docker", "podman")

def each(bench, row, sample, rounds=None, before=None):
    """Adds sample(engine) of every engine, in turn."""
    runners = {engine.name: (lambda engine=engine: sample(engine)) for engine in bench.engines()}
    by_name = {engine.name: engine for engine in bench.engines()}
    return alternate(row, runners, rounds or bench.options.rounds,
                     lambda who: before(by_name[who]) if before else wait_quiet())


def few(bench):
    """Rounds of what takes seconds."""
    return max(1, bench.options.rounds // 5)


def measure_life(bench):
    """create, start, stop and rm of one container."""
    rows = {verb: bench.row(verb, "ms", ("docker", 1.0), PEERS) for verb in ("create", "start", "stop -t 0", "rm")}
    words = {"create": ("create", "--name", "bench-life", "busybox", "sleep", "100000"), "start": ("start", "bench-life"),
             "stop -t 0": ("stop", "-t", "0", "bench-life"), "rm": ("rm", "bench-life")}
    for number in range(bench.options.rounds + 1):
        for engine in bench.engines():
            for verb, row in rows.items():
                try:
                    sample = engine(*words[verb])
                except RuntimeError as problem:
                    if engine is bench.berth:
                        row.error = str(problem)
                    row.missing[engine.name] = str(problem)
                    break
                if number > 0:
                    row.results.setdefault(engine.name, []).append(sample)


def measure_crowd(bench):
    """What a crowd of containers costs, and how long questions take then."""
    count = bench.options.crowd
    listing = bench.row(f"ps -a with {count} containers", "ms", ("docker", 1.0), PEERS)
    looking = bench.row(f"inspect one of {count}", "ms", ("docker", 1.0), PEERS)
    looking_all = bench.row(f"inspect all of {count}", "ms", ("docker", 1.0), PEERS)
    memory = bench.row(f"the engine's memory with {count} created (PSS)", "MB", ("docker", 1.0), ("docker",))
    names = [f"bench-crowd-{number}" for number in range(count)]
    for engine in bench.engines():
        for name in names:
            engine("create", "--name", name, "busybox", "sleep", "100000")
    each(bench, listing, lambda engine: engine("ps", "-a"))
    each(bench, looking, lambda engine: engine("inspect", names[-1]))
    each(bench, looking_all, lambda engine: engine("inspect", *names), few(bench))
    for engine in bench.engines():
        if engine.daemons():
            memory.results[engine.name] = [sum(proportional_memory(pid) for pid in engine.daemons())]
        engine.remove(*names)


def measure_parallel(bench):
    """50 containers run at the same time, until the last has gone."""
    count = bench.options.parallel
    row = bench.row(f"{count} runs --rm at once", "ms", ("docker", 1.0), PEERS)

    def at_once(engine):
        begin = time.perf_counter()
        running = [engine.begin("run", "--rm", "busybox", "true") for _ in range(count)]
        if any(process.wait(300) != 0 for process in running):
            raise RuntimeError("a run failed")
        return (time.perf_counter() - begin) * 1000

    each(bench, row, at_once, few(bench))


def debian(bench):
    """The Debian image, loaded into every engine; its name."""
    archive = bench.options.archive or images.debian_archive()
    for engine in bench.engines():
        engine.load(archive)
    return "debian:bookworm"


def measure_transfer(bench):
    """save, push and pull of the Debian image."""
    name = debian(bench)
    save = bench.row("save of the Debian image", "ms", ("docker", 1.0), PEERS)
    push = bench.row("push of it over loopback", "ms", ("docker", 1.0), PEERS)
    pull = bench.row("pull of it over loopback", "ms", ("docker", 1.0), PEERS)
    each(bench, save, lambda engine: engine("save", "-o", bench.directory / f"{engine.name}.save", name), few(bench),
         lambda engine: (bench.directory / f"{engine.name}.save").unlink(missing_ok=True))

    def pushed(engine, registry):
        target = f"{registry.address}/debian:1"
        engine("tag", name, target)
        took = engine("push", *engine.plain_http, target)
        engine("rmi", target)
        return took

    def pushed_afresh(engine):
        # A new registry each time: it has none of the layers.
        with tempfile.TemporaryDirectory(dir=bench.directory) as place, Registry(place) as registry:
            return pushed(engine, registry)

    each(bench, push, pushed_afresh, few(bench))
    place = bench.directory / "registry"
    place.mkdir()
    with Registry(place) as registry:
        pushed(bench.berth, registry)
        source = f"{registry.address}/debian:1"

        def without(engine):
            engine.forget_images(source, name)

        each(bench, pull, lambda engine: engine("pull", *engine.plain_http, source), few(bench), without)


DOCKERFILE = "\n".join([
    "FROM busybox", "ARG ROUND", "ENV ROUND=$ROUND", "RUN echo $ROUND >/round", "RUN mkdir /made", "COPY files /made/",
    "RUN ls /made >/listing", "WORKDIR /made", "RUN wc -l /listing >/count", "CMD cat /count", ""])


def measure_build(bench):
    """A Dockerfile of ten steps, first without anything in the cache and then with everything."""
    cold = bench.row("build of ten steps, cold", "ms", ("docker", 1.0), PEERS)
    cached = bench.row("the same, cached", "ms", ("docker", 1.0), PEERS)
    context = bench.directory / "context"
    (context / "files").mkdir(parents=True)
    (context / "Dockerfile").write_text(DOCKERFILE)
    for number in range(100):
        (context / "files" / str(number)).write_bytes(os.urandom(2000))
    number = iter(range(10000))

    def build(engine, word):
        return engine("build", "-q", "-t", "bench-built", "--build-arg", f"ROUND={word}", context)

    each(bench, cold, lambda engine: build(engine, next(number)), few(bench))
    each(bench, cached, lambda engine: build(engine, "same"), few(bench))


def measure_logs(bench):
    """Lines of 100 bytes through the log, and back out of it."""
    size = bench.options.megabytes
    write = bench.row(f"{size} MB of log lines written", "ms", ("podman", 1.0), PEERS)
    read = bench.row("and read back", "ms", ("podman", 1.0), PEERS)
    lines = f"head -c {size * 1000000} /dev/zero | tr '\\0' x | fold -w 99"

    def written(engine):
        # Not attached: what a client does with a copy of it is not measured.
        begin = time.perf_counter()
        engine("run", "-d", "--name", "bench-log", "busybox", "sh", "-c", lines)
        engine("wait", "bench-log")
        return (time.perf_counter() - begin) * 1000

    each(bench, write, written, few(bench), lambda engine: engine.forget("bench-log"))
    each(bench, read, lambda engine: engine("logs", "bench-log"), few(bench))
    for engine in bench.engines():
        engine.forget("bench-log")


def measure_copy(bench):
    """cp of one large file, in and out."""
    size = bench.options.megabytes * 5 // 2
    into = bench.row(f"cp of {size} MB into a container", "ms", ("docker", 1.0), PEERS)
    out = bench.row("and out", "ms", ("docker", 1.0), PEERS)
    source, target = bench.directory / "large", bench.directory / "copied"
    source.write_bytes(os.urandom(1000000) * size)
    for engine in bench.engines():
        engine.start_box()
    each(bench, into, lambda engine: engine("cp", source, "bench-box:/large"), few(bench))
    each(bench, out, lambda engine: engine("cp", "bench-box:/large", target), few(bench),
         lambda engine: target.unlink(missing_ok=True))
    for engine in bench.engines():
        engine.remove("bench-box")
    source.unlink()
    target.unlink(missing_ok=True)


def receive(port, size):
    """Milliseconds until `size` bytes have come from a port of this machine."""
    begin = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        buffer, left = bytearray(1 << 20), size
        while left > 0:
            came = connection.recv_into(buffer)
            if came == 0:
                raise RuntimeError(f"the port ended {left} bytes before the end")
            left -= came
    return (time.perf_counter() - begin) * 1000


def measure_port(bench):
    """Bytes from a container through a published port, over loopback."""
    size = bench.options.megabytes * 5
    row = bench.row(f"{size} MB through a published port", "ms", ("podman", 1.0), PEERS)
    ports = {engine.name: 28600 + number for number, engine in enumerate(bench.engines())}
    serve = f"nc -ll -p 80 -e head -c {size * 1000000} /dev/zero"
    for engine in bench.engines():
        engine("run", "-d", "--name", "bench-port", "-p", f"127.0.0.1:{ports[engine.name]}:80", "busybox", "sh", "-c", serve)

    def received(engine):
        for attempt in range(50):
            try:
                return receive(ports[engine.name], size * 1000000)
            except OSError:
                time.sleep(0.1)  # it does not listen yet
        raise RuntimeError("the port does not answer")

    each(bench, row, received, few(bench))
    for engine in bench.engines():
        engine.remove("bench-port")


def measure_events(bench):
    """From the request to start a container to the line about it that `events` prints."""
    row = bench.row("start until its event is printed", "ms", ("docker", 1.0), PEERS)

    def seen(engine):
        engine("create", "--name", "bench-event", "busybox", "true")
        words = ("events", "--filter", "event=start", "--format", "{{.ID}}" if engine.name == "podman" else "{{.Status}}")
        listener = engine.begin(*words, stdout=subprocess.PIPE)
        try:
            time.sleep(0.3)  # until it listens
            begin = time.perf_counter()
            starter = engine.begin("start", "bench-event")
            if not listener.stdout.readline():
                raise RuntimeError("no event came")
            took = (time.perf_counter() - begin) * 1000
            starter.wait(60)
            return took
        finally:
            listener.terminate()
            listener.wait(10)
            listener.stdout.close()
            engine.forget("bench-event")

    each(bench, row, seen)


ROWS = {"life": measure_life, "crowd": measure_crowd, "parallel": measure_parallel, "transfer": measure_transfer,
        "build": measure_build, "logs": measure_logs, "copy": measure_copy, "port": measure_port, "events": measure_events}
