// testcontainers as tests use it. Prints a line a call: "ok CALL" or "not ok CALL: why".
//
// usage: node testcontainers_calls.js MODULES
"use strict";

const assert = require("assert");
const path = require("path");

const { GenericContainer, Network, Wait } = require(path.join(process.argv[2], "testcontainers"));

const server = ["sh", "-c", "cat /etc/greeting; echo ready; exec httpd -f -p 8080 -h /etc"];
let network, one, two;

const calls = {
  network: async () => {
    network = await new Network().start();
  },
  startAndWaitForLog: async () => {
    one = await new GenericContainer("busybox:latest")
      .withCommand(server)
      .withNetwork(network)
      .withNetworkAliases("greeter")
      .withCopyContentToContainer([{ content: "good day\n", target: "/etc/greeting" }])
      .withExposedPorts(8080)
      .withLabels({ judge: "yes" })
      .withWaitStrategy(Wait.forLogMessage("ready"))
      .start();
  },
  copiedBeforeStart: async () => {
    const said = await one.exec(["cat", "/etc/greeting"]);
    assert.strictEqual(said.exitCode, 0);
    assert.strictEqual(said.output, "good day\n");
  },
  mappedPort: async () => {
    const answer = await fetch(`http://${one.getHost()}:${one.getMappedPort(8080)}/greeting`);
    assert.strictEqual(await answer.text(), "good day\n");
  },
  networkAlias: async () => {
    two = await new GenericContainer("busybox:latest").withCommand(["sleep", "300"]).withNetwork(network).start();
    const said = await two.exec(["wget", "-qO-", "http://greeter:8080/greeting"]);
    assert.strictEqual(said.output, "good day\n");
  },
  execExitCode: async () => assert.strictEqual((await two.exec(["sh", "-c", "exit 7"])).exitCode, 7),
  copyToRunning: async () => {
    await two.copyContentToContainer([{ content: "later", target: "/tmp/later", mode: 0o600 }]);
    assert.strictEqual((await two.exec(["stat", "-c", "%a %s", "/tmp/later"])).output, "600 5\n");
  },
  copyFrom: async () => {
    const tar = await two.copyArchiveFromContainer("/tmp/later");
    const pieces = [];
    for await (const piece of tar) pieces.push(piece);
    assert(Buffer.concat(pieces).includes("later"));
  },
  logs: async () => {
    const lines = await one.logs({ tail: 10 });
    const pieces = [];
    for await (const piece of lines) {
      pieces.push(piece);
      if (Buffer.concat(pieces.map((each) => Buffer.from(each))).includes("ready")) break;
    }
    lines.destroy();
  },
  waitForPort: async () => {
    const port = await new GenericContainer("busybox:latest")
      .withCommand(["httpd", "-f", "-p", "80"]).withExposedPorts(80).start();
    await port.stop();
  },
  waitForHealth: async () => {
    const healthy = await new GenericContainer("busybox:latest").withCommand(["sleep", "300"])
      .withHealthCheck({ test: ["CMD-SHELL", "true"], interval: 200, timeout: 1000, retries: 3, startPeriod: 0 })
      .withWaitStrategy(Wait.forHealthCheck()).start();
    await healthy.stop();
  },
  restart: async () => {
    await one.restart();
    assert.strictEqual((await one.exec(["cat", "/etc/greeting"])).output, "good day\n");
  },
  commit: async () => {
    const image = await two.commit({ repo: "judge-committed", tag: "1" });
    assert(image);
  },
  stop: async () => {
    await one.stop();
    await two.stop();
    await network.stop();
  },
};

(async () => {
  for (const [name, call] of Object.entries(calls)) {
    try {
      await call();
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`not ok ${name}: ${String(error.message).replace(/\s+/g, " ").slice(0, 500)}`);
    }
  }
  process.exit();
})();
