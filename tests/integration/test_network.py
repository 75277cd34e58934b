"""Networks by the clients' words: names, several networks, live connects, addresses, ports, links."""
import json
import os
import re
import secrets
import subprocess
import sys

import pytest

from support.process import eventually

pytestmark = pytest.mark.usefixtures("forwarding", "no_leaks")


@pytest.fixture(scope="module")
def forwarding(any_engine, one_cli):
    """The first network with IPv6 makes the host a router for it, which stays."""
    one_cli("network", "create", "--ipv6", "t-first").ok()
    one_cli("network", "rm", "t-first").ok()


@pytest.fixture
def networks(one_cli):
    """Makes networks, which are removed after the test's containers."""
    made = []

    def make(*flags, word="n"):
        made.append(f"t-{word}-{secrets.token_hex(3)}")
        one_cli("network", "create", *flags, made[-1]).ok()
        return made[-1]

    yield make
    for network in made:
        containers = json.loads(one_cli("network", "inspect", network).out or "[]")
        for endpoint in containers[0]["Containers"] if containers else ():
            one_cli("rm", "-f", "-v", endpoint)
        one_cli("network", "rm", network)


def sleeper(cli, name, *flags):
    cli("run", "-d", "--name", name, *flags, "busybox", "sleep", "300").ok()
    return name


def of(cli, name, network):
    return cli.inspect(name)["NetworkSettings"]["Networks"][network]


def lookup(cli, container, name):
    """The addresses that a container resolves a name to."""
    out = cli("exec", container, "nslookup", name).out
    return sorted(re.findall(r"^Address(?: \d+)?: ([0-9a-f.:]+?)(?: .*)?$", out.split("\n\n", 1)[-1], re.M))


def reaches(cli, container, address):
    return cli("exec", container, "ping", "-c", "1", "-W", "1", address).rc == 0


# Answers every question with one address.
NAME_SERVER = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 53))
while True:
    question, client = server.recvfrom(4096)
    end = question.index(0, 12) + 5
    head = question[:2] + bytes.fromhex("81800001000100000000")
    record = bytes.fromhex("c00c000100010000003c0004cb007109")
    server.sendto(head + question[12:end] + record, client)
"""


class TestNames:
    def test_containers_find_each_other_by_name_alias_and_id(self, cli, names, networks):
        network, a, b = networks(), names("a"), names("b")
        sleeper(cli, a, "--network", network)
        sleeper(cli, b, "--network", network, "--network-alias", "database", "--hostname", "dbhost")
        ip = of(cli, b, network)["IPAddress"]
        short = cli.inspect(b)["Id"][:12]
        for name in (b, "database", "DataBase", short, "dbhost", f"{b}.{network}"):
            assert lookup(cli, a, name) == [ip], name
        assert "NXDOMAIN" in cli("exec", a, "nslookup", f"nobody.{network}").out
        assert cli("exec", a, "nslookup", ip).out.find(f"name = {b}.{network}") >= 0
        assert reaches(cli, a, ip)

    def test_resolv_conf_and_hosts(self, one_cli, names, networks):
        network, a, b = networks(), names("a"), names("b")
        sleeper(one_cli, a, "--network", network, "--hostname", "web", "--add-host", "other:192.0.2.9",
                "--add-host", "gate:host-gateway", "--dns-search", "example.org")
        conf = one_cli("exec", a, "cat", "/etc/resolv.conf").out.splitlines()
        assert "nameserver 127.0.0.11" in conf and "search example.org" in conf
        assert any(line.startswith("options") and "ndots:0" in line for line in conf)
        hosts = one_cli("exec", a, "cat", "/etc/hosts").out
        gateway = json.loads(one_cli("network", "inspect", "bridge").out)[0]["IPAM"]["Config"][0]["Gateway"]
        for line in (f"{of(one_cli, a, network)['IPAddress']}\tweb", "192.0.2.9\tother", f"{gateway}\tgate"):
            assert line in hosts.splitlines()
        # The network `bridge` has no resolver.
        sleeper(one_cli, b)
        assert "127.0.0.11" not in one_cli("exec", b, "cat", "/etc/resolv.conf").out

    def test_an_alias_of_several_is_all_of_them(self, one_cli, names, networks):
        network, asker, one, two = networks(), names("q"), names("a"), names("b")
        for each in (one, two):
            sleeper(one_cli, each, "--network", network, "--network-alias", "pool")
        sleeper(one_cli, asker, "--network", network)
        assert lookup(one_cli, asker, "pool") == sorted(of(one_cli, c, network)["IPAddress"] for c in (one, two))
        one_cli("stop", "-t", "0", one).ok()
        assert lookup(one_cli, asker, "pool") == [of(one_cli, two, network)["IPAddress"]]

    def test_a_new_name_is_found_and_the_old_is_not(self, one_cli, names, networks):
        network, a, b, c = networks(), names("a"), names("b"), names("c")
        sleeper(one_cli, a, "--network", network)
        sleeper(one_cli, b, "--network", network)
        one_cli("rename", b, c).ok()
        assert lookup(one_cli, a, c) == [of(one_cli, c, network)["IPAddress"]]
        assert lookup(one_cli, a, f"{b}.{network}") == []

    def test_other_names_are_asked_of_dns_servers(self, one_cli, names, networks):
        network, server, a = networks(), names("s"), names("a")
        sleeper(one_cli, server, "--network", network)
        sleeper(one_cli, a, "--network", network, "--dns", of(one_cli, server, network)["IPAddress"])
        pid = one_cli.inspect(server)["State"]["Pid"]
        serving = subprocess.Popen(["nsenter", "-t", str(pid), "-n", sys.executable, "-c", NAME_SERVER])
        try:
            eventually(lambda: "203.0.113.9" in one_cli("exec", a, "nslookup", "outside.example").out, 10)
            assert lookup(one_cli, a, server) == [of(one_cli, server, network)["IPAddress"]]
        finally:
            serving.kill()
            serving.wait()

    def test_links_name_for_one_container(self, cli, names, networks):
        network, a, b, c = networks(), names("a"), names("b"), names("c")
        sleeper(cli, b, "--network", network)
        sleeper(cli, a, "--network", network, "--link", f"{b}:db")
        sleeper(cli, c, "--network", network)
        assert lookup(cli, a, "db") == [of(cli, b, network)["IPAddress"]]
        assert lookup(cli, c, "db") == []
        assert of(cli, a, network)["Links"] == [f"{b}:db"]

    def test_links_on_the_default_bridge(self, cli, names):
        a, b = names("a"), names("b")
        sleeper(cli, b, "--expose", "5432", "-e", "USER_NAME=joe", "--hostname", "dbhost")
        ip = of(cli, b, "bridge")["IPAddress"]
        out = cli("run", "--rm", "--name", a, "--link", f"{b}:my-db", "busybox", "sh", "-c",
                  "cat /etc/hosts; env").ok().out.splitlines()
        for line in (f"{ip}\tmy-db dbhost {b}", f"MY_DB_NAME=/{a}/my-db", f"MY_DB_PORT=tcp://{ip}:5432",
                     f"MY_DB_PORT_5432_TCP_ADDR={ip}", "MY_DB_PORT_5432_TCP_PORT=5432",
                     "MY_DB_PORT_5432_TCP_PROTO=tcp", "MY_DB_ENV_USER_NAME=joe"):
            assert line in out
        cli("stop", "-t", "0", b).ok()
        cli("run", "--rm", "--link", f"{b}:x", "busybox", "true").fails(125, "Cannot link to a non running container")


class TestConnect:
    def test_live(self, cli, names, networks):
        first, second, a, b = networks(word="f"), networks(word="s"), names("a"), names("b")
        sleeper(cli, a, "--network", first)
        sleeper(cli, b, "--network", second)
        assert lookup(cli, a, b) == []
        assert not reaches(cli, a, of(cli, b, second)["IPAddress"])
        cli("network", "connect", "--alias", "extra", second, a).ok()
        seen = of(cli, a, second)
        assert "extra" in seen["Aliases"] and seen["IPAddress"] and seen["EndpointID"]
        assert lookup(cli, a, b) == [of(cli, b, second)["IPAddress"]]
        assert lookup(cli, b, "extra") == [seen["IPAddress"]]
        assert reaches(cli, a, of(cli, b, second)["IPAddress"])
        assert "eth1" in cli("exec", a, "ls", "/sys/class/net").out
        assert f"{seen['IPAddress']}\t" in cli("exec", a, "cat", "/etc/hosts").out
        cli("network", "connect", second, a).fails(1, f"endpoint with name {a} already exists in network {second}")
        cli("network", "disconnect", second, a).ok()
        assert second not in cli.inspect(a)["NetworkSettings"]["Networks"]
        assert "eth1" not in cli("exec", a, "ls", "/sys/class/net").out
        assert f"{seen['IPAddress']}\t" not in cli("exec", a, "cat", "/etc/hosts").out
        assert not reaches(cli, a, of(cli, b, second)["IPAddress"])
        cli("network", "disconnect", second, a).fails(1, "is not connected to")

    def test_of_a_stopped_container_takes_effect_at_its_start(self, cli, names, networks):
        """As docker-compose 1 does it: off its network, and on again with aliases."""
        network, other, a = networks(), networks(word="o"), names("a")
        cli("create", "--name", a, "--network", network, "busybox", "sleep", "300").ok()
        cli("network", "disconnect", network, a).ok()
        cli("network", "connect", "--alias", "service", network, a).ok()
        cli("network", "connect", other, a).ok()
        assert of(cli, a, network)["IPAddress"] == ""
        cli("start", a).ok()
        assert "service" in of(cli, a, network)["Aliases"]
        assert lookup(cli, a, "service") == [of(cli, a, network)["IPAddress"]]
        assert of(cli, a, other)["IPAddress"]
        cli("restart", "-t", "0", a).ok()
        assert set(cli.inspect(a)["NetworkSettings"]["Networks"]) == {network, other}

    def test_several_at_create(self, one_cli, names, networks):
        first, second, a = networks("--subnet", "10.211.1.0/24"), networks("--subnet", "10.211.2.0/24"), names("a")
        body = {"Image": "busybox", "Cmd": ["sleep", "300"], "HostConfig": {"NetworkMode": first},
                "NetworkingConfig": {"EndpointsConfig": {
                    first: {"IPAMConfig": {"IPv4Address": "10.211.1.7"}, "Aliases": ["x"]},
                    second: {"GwPriority": 5, "MacAddress": "02:00:00:00:00:07"}}}}
        status, answer = request(one_cli, "POST", f"/v1.47/containers/create?name={a}", body)
        assert status == 201, answer
        one_cli("start", a).ok()
        seen = one_cli.inspect(a)["NetworkSettings"]["Networks"]
        assert seen[first]["IPAddress"] == "10.211.1.7"
        assert seen[first]["IPAMConfig"] == {"IPv4Address": "10.211.1.7"}
        assert seen[second]["MacAddress"] == "02:00:00:00:00:07"
        # The default route goes by the network of the highest priority, and by the other when that is left.
        assert "default via 10.211.2.1" in one_cli("exec", a, "ip", "route").out
        one_cli("network", "disconnect", second, a).ok()
        assert "default via 10.211.1.1" in one_cli("exec", a, "ip", "route").out

    def test_ports_stay_published_when_their_network_is_left(self, one_cli, names, networks):
        first, second, a = networks(word="f"), networks(word="s"), names("a")
        one_cli("run", "-d", "--name", a, "--network", first, "-p", "127.0.0.1:18311:80", "busybox",
                "httpd", "-f", "-h", "/etc").ok()
        one_cli("network", "connect", second, a).ok()
        one_cli("network", "disconnect", first, a).ok()
        assert one_cli("port", a).out.strip() == "80/tcp -> 127.0.0.1:18311"
        assert fetch(18311, "/passwd").startswith("root:")

    def test_what_cannot_be(self, one_cli, names, networks):
        network, a, b = networks(), names("a"), names("b")
        sleeper(one_cli, a, "--network", "host")
        one_cli("network", "connect", network, a).fails(1, "container sharing network namespace")
        one_cli("network", "disconnect", "host", a).fails(1, "container cannot be disconnected from host network")
        sleeper(one_cli, b)
        one_cli("network", "connect", "none", b).fails(1, "private (none) mode")
        one_cli("network", "connect", network, "nosuch").fails(1, "No such container: nosuch")
        one_cli("network", "connect", "nosuch", b).fails(1, "network nosuch not found")
        one_cli("network", "connect", "--ip", "10.250.0.1", network, b).fails(
            1, "user specified IP address is supported only when connecting to networks with user configured subnets")
        one_cli("network", "connect", "--ip", "10.250.0.1", networks("--subnet", "10.216.0.0/24"), b).fails(
            1, "no configured subnet contains IP address 10.250.0.1")
        assert list(one_cli.inspect(b)["NetworkSettings"]["Networks"]) == ["bridge"]

    def test_events(self, one_cli, names, networks):
        network, a = networks(), names("a")
        sleeper(one_cli, a)
        one_cli("network", "connect", network, a).ok()
        one_cli("network", "disconnect", network, a).ok()
        out = one_cli("events", "--since", "1h", "--until", "0s", "--filter", "type=network", "--filter",
                      f"network={network}", "--format", "{{.Action}} {{.Actor.Attributes.name}}").out.split()
        assert out == ["create", network, "connect", network, "disconnect", network]


class TestIpam:
    def test_addresses(self, cli, names):
        network, a, b = "t-ipam-" + secrets.token_hex(3), names("a"), names("b")
        cli("network", "create", "--subnet", "10.212.0.0/24", "--ip-range", "10.212.0.128/25", "--gateway", "10.212.0.9",
            "--aux-address", "printer=10.212.0.129", "--label", "k=v", "--opt", "com.docker.network.driver.mtu=1400",
            network).ok()
        try:
            seen = json.loads(cli("network", "inspect", network).ok().out)[0]
            assert seen["IPAM"]["Config"] == [{
                "Subnet": "10.212.0.0/24", "IPRange": "10.212.0.128/25", "Gateway": "10.212.0.9",
                "AuxiliaryAddresses": {"printer": "10.212.0.129"}}]
            assert seen["Labels"] == {"k": "v"}
            sleeper(cli, a, "--network", network)
            assert of(cli, a, network)["IPAddress"] == "10.212.0.128"
            sleeper(cli, b, "--network", network, "--ip", "10.212.0.50", "--mac-address", "02:11:22:33:44:55")
            assert of(cli, b, network)["IPAddress"] == "10.212.0.50"
            assert of(cli, b, network)["MacAddress"] == "02:11:22:33:44:55"
            assert cli("exec", b, "cat", "/sys/class/net/eth0/mtu").out.strip() == "1400"
            inside = json.loads(cli("network", "inspect", network).out)[0]["Containers"]
            assert {c["Name"]: c["IPv4Address"] for c in inside.values()} == {
                a: "10.212.0.128/24", b: "10.212.0.50/24"}
            cli("network", "rm", network).fails(1, f"network {network} has active endpoints")
            cli("run", "--rm", "--network", network, "--ip", "10.212.0.50", "busybox", "true").fails(
                125, "Address already in use")
        finally:
            cli.remove(a, b)
            cli("network", "rm", network).ok()

    def test_refusals(self, cli, networks):
        networks("--subnet", "10.213.0.0/24")
        for flags, text in ((("--subnet", "10.213.0.128/25"), "Pool overlaps with other one on this address space"),
                            (("--subnet", "10.214.0.0/24", "--subnet", "10.215.0.0/24"), "multiple subnets"),
                            (("--driver", "nosuch"), 'plugin "nosuch" not found'),
                            (("--driver", "macvlan"), "macvlan is not supported")):
            cli("network", "create", *flags, "t-refused").fails(1, text)
        cli("network", "create", "bridge").fails(1, "operation is not permitted on predefined bridge network")
        if cli.name == "docker-20":
            return  # keeps to itself what it is asked for on the default network
        cli("run", "--rm", "--ip", "10.0.0.7", "busybox", "true").fails(
            125, "user specified IP address is supported on user defined networks only")
        cli("run", "--rm", "--network-alias", "x", "busybox", "true").fails(
            125, ("user defined networks", "user-defined networks"))

    def test_a_name_with_a_space(self, one_cli, names):
        a = names("a")
        one_cli("network", "create", "t with space").ok()
        try:
            sleeper(one_cli, a, "--network", "t with space")
            assert of(one_cli, a, "t with space")["IPAddress"]
        finally:
            one_cli.remove(a)
            one_cli("network", "rm", "t with space").ok()

    def test_a_bridge_has_the_name_that_was_asked_for(self, one_cli, networks):
        network = networks("--opt", "com.docker.network.bridge.name=tbr0test")
        assert "tbr0test" in os.popen("ip -d link show tbr0test").read()
        one_cli("network", "create", "--opt", "com.docker.network.bridge.name=a/b", "t-bad").fails(1, "invalid name")
        assert json.loads(one_cli("network", "inspect", network).out)[0]["Options"] == {
            "com.docker.network.bridge.name": "tbr0test"}

    def test_without_icc_nobody_reaches_the_neighbour(self, one_cli, names, networks):
        network, a, b = networks("--opt", "com.docker.network.bridge.enable_icc=false"), names("a"), names("b")
        sleeper(one_cli, a, "--network", network)
        sleeper(one_cli, b, "--network", network)
        assert not reaches(one_cli, a, of(one_cli, b, network)["IPAddress"])

    def test_prune_and_filters(self, one_cli, networks):
        kept, pruned = networks("--label", "t.keep=1"), networks("--label", "t.prune=1")
        listed = one_cli("network", "ls", "--filter", "label=t.prune", "--format", "{{.Name}}").out.split()
        assert listed == [pruned]
        assert one_cli("network", "ls", "-q", "--filter", "dangling=true", "--filter", f"name={kept}").out
        one_cli("network", "prune", "-f", "--filter", "label=t.prune", "--filter", "until=1h").ok()
        assert one_cli("network", "ls", "-q", "--filter", f"name={pruned}").out
        out = one_cli("network", "prune", "-f", "--filter", "label=t.prune").ok().out
        assert pruned in out and kept not in out


class TestIpv6:
    def test_addresses_names_and_ports(self, one_cli, names, networks):
        network, a, b = networks("--ipv6", "--subnet", "fd00:77::/64"), names("a"), names("b")
        one_cli("run", "-d", "--name", a, "--network", network, "-p", "18312:80", "busybox",
                "httpd", "-f", "-p", "[::]:80", "-h", "/etc").ok()
        sleeper(one_cli, b, "--network", network, "--ip6", "fd00:77::99")
        seen = of(one_cli, a, network)
        assert seen["GlobalIPv6Address"].startswith("fd00:77::") and seen["GlobalIPv6PrefixLen"] == 64
        assert seen["IPv6Gateway"] == "fd00:77::1"
        assert of(one_cli, b, network)["GlobalIPv6Address"] == "fd00:77::99"
        assert sorted(lookup(one_cli, a, b)) == sorted([of(one_cli, b, network)["IPAddress"], "fd00:77::99"])
        assert reaches(one_cli, b, seen["GlobalIPv6Address"])
        ports = one_cli.inspect(a)["NetworkSettings"]["Ports"]["80/tcp"]
        assert ports == [{"HostIp": "0.0.0.0", "HostPort": "18312"}, {"HostIp": "::", "HostPort": "18312"}]
        assert fetch(18312, "/passwd").startswith("root:")

    def test_without_a_subnet_it_is_a_unique_local_one(self, one_cli, networks):
        pools = json.loads(one_cli("network", "inspect", networks("--ipv6")).out)[0]["IPAM"]["Config"]
        assert len(pools) == 2 and pools[1]["Subnet"].startswith("fd")


class TestPorts:
    def test_ranges(self, cli, names):
        a, b, c = names("a"), names("b"), names("c")
        sleeper(cli, a, "-p", "127.0.0.1:18320-18322:80-82")
        assert sorted(cli("port", a).out.split("\n"))[1:] == [
            f"{80 + i}/tcp -> 127.0.0.1:{18320 + i}" for i in range(3)]
        # One of several: the first that is free.
        sleeper(cli, b, "-p", "127.0.0.1:18322-18324:80")
        assert cli("port", b, "80").out.strip() == "127.0.0.1:18323"
        cli("run", "--rm", "--name", c, "-p", "127.0.0.1:18322-18323:80", "busybox", "true").fails(
            125, "port is already allocated")

    def test_publish_all(self, cli, names):
        a = names("a")
        sleeper(cli, a, "-P", "--expose", "80", "--expose", "53/udp")
        ports = cli.inspect(a)["NetworkSettings"]["Ports"]
        assert set(ports) == {"80/tcp", "53/udp"} and all(int(p[0]["HostPort"]) > 1024 for p in ports.values())


def request(client, method, path, body):
    """One request to the engine, which no client would make so."""
    import http.client
    import socket
    connection = http.client.HTTPConnection("engine", timeout=30)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(client.host.removeprefix("unix://"))
    connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    try:
        return response.status, response.read()
    finally:
        connection.close()


def fetch(port, path):
    import urllib.request
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    result = []

    def answered():
        try:
            result.append(opener.open(f"http://127.0.0.1:{port}{path}", timeout=5).read().decode())
        except OSError:
            return False
        return True

    eventually(answered, 10)
    return result[-1]


class TestRestarts:
    def test_names_are_served_by_the_next_engine(self, own_engine, archives):
        engine = own_engine().start()
        cli = engine.berth()
        cli("load", input=archives["busybox:latest"], timeout=120).ok()
        cli("network", "create", "n").ok()
        cli("network", "create", "m").ok()
        for name in ("one", "two"):
            sleeper(cli, name, "--network", "n")
        cli("network", "connect", "--alias", "late", "m", "one").ok()
        ip = of(cli, "two", "n")["IPAddress"]
        engine.restart()
        eventually(lambda: lookup(cli, "one", "two") == [ip], 10, "names are served again")
        assert reaches(cli, "one", ip)
        assert lookup(cli, "one", "late") == [of(cli, "one", "m")["IPAddress"]]
