"""The engine over TCP: only with TLS, and only for who shows a certificate of its authority."""
import http.client
import os
import socket
import ssl

import pytest

from support.client import Client, docker_programs
from support.engine import Engine, build_dir
from support.process import eventually, run
from support.registry import free_port


class Certificates:
    """A directory that `berth tls init` has filled."""

    def __init__(self, directory, *options):
        self.directory = directory
        self.init(*options)

    def init(self, *options):
        words = [build_dir() / "berth", "tls", "init", "--dir", self.directory, "--host", "127.0.0.1", *options]
        return run(words).ok()

    def file(self, name):
        return str(self.directory / name)

    def engine_arguments(self, port):
        return ["--host", f"tcp://127.0.0.1:{port}", "--tlscacert", self.file("ca.pem"), "--tlscert",
                self.file("server-cert.pem"), "--tlskey", self.file("server-key.pem")]

    def client(self, certificate="cert.pem", key="key.pem"):
        """How Python's own TLS would be this client."""
        context = ssl.create_default_context(cafile=self.file("ca.pem"))
        if certificate:
            context.load_cert_chain(self.file(certificate), self.file(key))
        return context


class TlsClient(Client):
    """A client whose host is tcp:// and whose certificates lie in a directory."""

    def __init__(self, name, program, host, directory):
        super().__init__(name, program, host)
        self.directory = directory

    def argv(self, *words):
        return [self.program, "-H", self.host, "--tlsverify", *map(str, words)]

    def environment(self, extra=None):
        return {**super().environment(extra), "DOCKER_CERT_PATH": str(self.directory)}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def remote(engine, certificates, archives):
    """A further engine, which listens on TCP too."""
    port = free_port()
    listening = Engine(arguments=certificates.engine_arguments(port))
    listening.port = port
    listening.start()
    listening.berth()("load", input=archives["busybox:latest"], timeout=120).ok()
    yield listening
    listening.destroy()


def programs():
    return {"berth": build_dir() / "berth", **{f"docker-{v}": p for v, p in docker_programs().items()}}


@pytest.fixture(params=programs())
def far(request, remote, certificates):
    return TlsClient(request.param, programs()[request.param], f"tcp://127.0.0.1:{remote.port}", certificates.directory)


def ask(port, context, name="127.0.0.1"):
    """The status that GET /_ping gets; an OSError where TLS fails."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        with context.wrap_socket(plain, server_hostname=name) as wrapped:
            wrapped.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = http.client.HTTPResponse(wrapped)
            answer.begin()
            return answer.status


def test_init_makes_keys_for_the_owner_alone(certificates):
    for name in ("ca-key.pem", "server-key.pem", "key.pem"):
        assert os.stat(certificates.file(name)).st_mode & 0o777 == 0o600
    text = run(["openssl", "x509", "-noout", "-text", "-in", certificates.file("server-cert.pem")]).ok().out
    assert "IP Address:127.0.0.1" in text and "TLS Web Server Authentication" in text and "CA:FALSE" in text
    for name in ("server-cert.pem", "cert.pem"):
        run(["openssl", "verify", "-CAfile", certificates.file("ca.pem"), certificates.file(name)]).ok()


def test_init_refuses_what_is_no_host(tmp_path):
    words = [build_dir() / "berth", "tls", "init", "--dir", tmp_path / "x"]
    for host in ("a,DNS:evil", "a b", "", "x\ny"):
        run([*words, "--host", host]).fails(1, "not a host name or an address")
    run([*words, "--days", "0"]).fails(1, "--days")


def test_again_keeps_the_authority_and_new_authority_does_not(tmp_path):
    made = Certificates(tmp_path / "again")
    ca, cert = ((tmp_path / "again" / name).read_bytes() for name in ("ca.pem", "cert.pem"))
    assert "Kept" in made.init().out
    assert (tmp_path / "again/ca.pem").read_bytes() == ca
    assert (tmp_path / "again/cert.pem").read_bytes() != cert
    assert "Made" in made.init("--new-authority").out
    assert (tmp_path / "again/ca.pem").read_bytes() != ca


def test_plain_tcp_is_refused_with_a_sentence():
    answer = run([build_dir() / "berth-engine", "--host", "tcp://127.0.0.1:2375"])
    answer.fails(1, "root on this machine", "berth tls init")
    run([build_dir() / "berth-engine", "--host", "fd://"]).fails(1, "tcp://ADDRESS:PORT")


def test_missing_files_are_named(own_engine, certificates, tmp_path):
    arguments = certificates.engine_arguments(free_port())
    arguments[arguments.index("--tlskey") + 1] = str(tmp_path / "no.pem")
    engine = own_engine(arguments=arguments)
    engine.start(wait=False)
    assert engine.process.wait(30) == 1
    assert "no.pem: No such file or directory" in engine.log()
    engine.arguments = certificates.engine_arguments(free_port())


def test_with_a_certificate_all_works(far):
    assert far("version").ok()
    assert far("run", "--rm", "busybox", "echo", "over tls").ok().out == "over tls\n"
    assert far("run", "--rm", "busybox", "sh", "-c", "exit 9").rc == 9


def test_stdin_of_run_and_exec_over_tls(far):
    data = os.urandom(3 << 20)
    assert far("run", "--rm", "-i", "busybox", "cat", input=data, timeout=120).ok().stdout == data
    name = "t-tls-exec"
    far("run", "-d", "--name", name, "busybox", "sleep", "600").ok()
    try:
        assert far("exec", "-i", name, "cat", input=data, timeout=120).ok().stdout == data
        assert far("exec", name, "sh", "-c", "exit 4").rc == 4
    finally:
        far.remove(name)


def test_without_a_certificate_nothing_is_answered(remote, certificates):
    with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
        ask(remote.port, certificates.client(certificate=None))


def test_a_certificate_of_another_authority_is_refused(remote, certificates, tmp_path):
    other = Certificates(tmp_path / "other")
    context = certificates.client(certificate=None)
    context.load_cert_chain(other.file("cert.pem"), other.file("key.pem"))
    with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
        ask(remote.port, context)


def test_a_server_certificate_is_no_client(remote, certificates):
    with pytest.raises((ssl.SSLError, OSError, http.client.HTTPException)):
        ask(remote.port, certificates.client("server-cert.pem", "server-key.pem"))


def test_old_protocols_are_refused(remote, certificates):
    context = certificates.client()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        ask(remote.port, context)


def test_the_good_client_of_these_tests_is_good(remote, certificates):
    assert ask(remote.port, certificates.client()) == 200


def test_plain_http_gets_no_answer(remote):
    with socket.create_connection(("127.0.0.1", remote.port), timeout=20) as plain:
        plain.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            answer = plain.recv(1000)
        except ConnectionResetError:
            answer = b""
        assert not answer.startswith(b"HTTP/1.")


def test_the_client_verifies_the_server(remote, certificates, tmp_path):
    berth = build_dir() / "berth"
    other = Certificates(tmp_path / "other")
    for name in ("cert.pem", "key.pem"):
        (other.directory / name).write_bytes((certificates.directory / name).read_bytes())
    client = TlsClient("berth", berth, f"tcp://127.0.0.1:{remote.port}", other.directory)
    client("ps").fails(1, "certificate is not trusted")
    client = TlsClient("berth", berth, f"tcp://localhost:{remote.port}", certificates.directory)
    client("ps").fails(1, "not for this host")


def test_the_client_says_that_its_certificate_was_refused(remote, certificates, tmp_path):
    other = Certificates(tmp_path / "other")
    (other.directory / "ca.pem").write_bytes((certificates.directory / "ca.pem").read_bytes())
    client = TlsClient("berth", build_dir() / "berth", f"tcp://127.0.0.1:{remote.port}", other.directory)
    client("ps").fails(1, "does not accept our certificate")


def test_environment_instead_of_flags(remote, certificates):
    env = {**os.environ, "DOCKER_HOST": f"tcp://127.0.0.1:{remote.port}", "DOCKER_TLS_VERIFY": "1",
           "DOCKER_CERT_PATH": str(certificates.directory)}
    env.pop("BERTH_HOST", None)
    run([build_dir() / "berth", "ps", "-q"], env=env).ok()


def test_silent_strangers_do_not_keep_others_out(remote, certificates):
    strangers = []
    try:
        for _ in range(600):
            strangers.append(socket.create_connection(("127.0.0.1", remote.port), timeout=20))
        assert ask(remote.port, certificates.client()) == 200
    finally:
        for each in strangers:
            each.close()


def test_renewed_certificates_are_used_without_a_restart(own_engine, tmp_path):
    made = Certificates(tmp_path / "renewed")
    port = free_port()
    own_engine(arguments=made.engine_arguments(port)).start()

    def serial():
        context = made.client()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped:
                return wrapped.getpeercert()["serialNumber"]

    before = serial()
    made.init()
    eventually(lambda: serial() != before, 10, "the renewed certificate is shown")


def test_an_attached_run_outlives_the_engine(own_engine, archives, tmp_path):
    made = Certificates(tmp_path / "outlives")
    port = free_port()
    engine = own_engine(arguments=made.engine_arguments(port)).start()
    engine.berth()("load", input=archives["busybox:latest"], timeout=120).ok()
    far = TlsClient("berth", build_dir() / "berth", f"tcp://127.0.0.1:{port}", made.directory)
    process = far.start("run", "-i", "--name", "t-tls-long", "busybox", "cat")
    try:
        process.stdin.write(b"before\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"before\n"
        engine.kill()
        process.stdin.write(b"while it is dead\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"while it is dead\n"
        engine.start()
        far("ps").ok()
    finally:
        process.kill()
        process.wait(20)


def test_over_ssh(any_engine, tmp_path):
    """ssh is stood in for by a script that runs the command at once; what it was asked is checked."""
    (tmp_path / "berth").symlink_to(build_dir() / "berth")
    (tmp_path / "docker").symlink_to(build_dir() / "berth")
    script = tmp_path / "ssh"
    script.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nwhile [ "$1" != -- ]; do shift; done\nshift 2\n'
                      f'export BERTH_HOST={any_engine.host} DOCKER_HOST={any_engine.host}\nexec "$@"\n')
    script.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "DOCKER_CONFIG": "/nonexistent"}
    for program in programs().values():
        answer = run([program, "-H", "ssh://joe@build.example.com:2222", "run", "--rm", "-i", "busybox", "cat"],
                     input=b"over ssh\n", env=env).ok()
        assert answer.out == "over ssh\n"
    asked = (tmp_path / "asked").read_text()
    assert "-l joe" in asked and "-p 2222" in asked and "-- build.example.com" in asked
    run([build_dir() / "berth", "-H", "ssh://-oProxyCommand=x", "ps"], env=env).fails(1, "not an address")
