// VS Code's container client, call by call, with strict parsing. Prints a line a call: "ok CALL" or "not ok CALL: why".
//
// usage: node vscode_calls.js MODULES PROGRAM REGISTRY     MODULES is the node_modules that has the client, PROGRAM what
//        it runs as docker, REGISTRY a registry's address. The image busybox:latest must be there.
"use strict";

const assert = require("assert");
const fs = require("fs");
const Module = require("module");
const os = require("os");
const path = require("path");
const stream = require("stream");

const [modules, program, registry] = process.argv.slice(2);

// The client asks for the module "vscode", which only the editor has.
const resolve = Module._resolveFilename;
Module._resolveFilename = (request, ...rest) =>
  request === "vscode" ? path.join(__dirname, "vscode.js") : resolve(request, ...rest);
const { DockerClient, ShellStreamCommandRunnerFactory } = require(path.join(modules, "@microsoft/vscode-container-client"));

const client = new DockerClient();
client.commandName = program;
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "vscode-calls-"));
const started = new Date(Date.now() - 1000);
const copied = `${registry}/judge/copy:1`;

function factory(options) {
  let complaint = "";
  const stdErrPipe = new stream.Writable({
    write(piece, _encoding, done) {
      complaint += piece;
      done();
    },
  });
  const made = new ShellStreamCommandRunnerFactory({ strict: true, stdErrPipe, allowUnsafeExecutablePath: true, ...options });
  return { made, complaint: () => complaint };
}

async function run(response, options) {
  const { made, complaint } = factory(options);
  try {
    return await made.getCommandRunner()(response);
  } catch (error) {
    throw new Error(`${error.message} ${complaint()}`);
  }
}

async function all(response) {
  const { made, complaint } = factory();
  const items = [];
  try {
    for await (const item of made.getStreamingCommandRunner()(response)) items.push(item);
  } catch (error) {
    throw new Error(`${error.message} ${complaint()}`);
  }
  return items;
}

const named = (items, name) => {
  const found = items.find((item) => item.name === name);
  assert(found, `${name} is not among ${items.map((item) => item.name)}`);
  return found;
};
const text = (pieces) => Buffer.concat(pieces.map((piece) => Buffer.from(piece))).toString();

// In this order: each may use what those before it made.
const calls = {
  checkInstall: async () => assert.match(await run(client.checkInstall({})), /version \d/),
  version: async () => {
    const found = await run(client.version({}));
    assert.match(found.client, /^1\.\d+$/);
    assert.match(found.server, /^1\.\d+$/);
  },
  info: async () => assert.strictEqual((await run(client.info({}))).osType, "linux"),
  createNetwork: () => run(client.createNetwork({ name: "judge-net", driver: "bridge" })),
  listNetworks: async () => assert.strictEqual(named(await run(client.listNetworks({})), "judge-net").driver, "bridge"),
  inspectNetworks: async () => {
    const found = named(await run(client.inspectNetworks({ networks: ["judge-net"] })), "judge-net");
    assert.match(found.ipam.config[0].subnet, /\/\d+$/);
  },
  createVolume: () => run(client.createVolume({ name: "judge-volume", driver: "local" })),
  listVolumes: async () => assert(named(await run(client.listVolumes({})), "judge-volume").mountpoint),
  inspectVolumes: async () => named(await run(client.inspectVolumes({ volumes: ["judge-volume"] })), "judge-volume"),
  listImages: async () => {
    const images = await run(client.listImages({ all: true }));
    assert(images.some((item) => item.image.originalName === "busybox:latest"), JSON.stringify(images));
  },
  inspectImages: async () => {
    const [found] = await run(client.inspectImages({ imageRefs: ["busybox:latest"] }));
    assert.strictEqual(found.operatingSystem, "linux");
    assert(found.id && found.createdAt instanceof Date);
  },
  tagImage: () => run(client.tagImage({ fromImageRef: "busybox:latest", toImageRef: copied })),
  pushImage: () => run(client.pushImage({ imageRef: copied })),
  removeImages: async () => assert((await run(client.removeImages({ imageRefs: [copied] }))).length > 0),
  pullImage: () => run(client.pullImage({ imageRef: copied })),
  buildImage: async () => {
    fs.writeFileSync(path.join(scratch, "Dockerfile"), "FROM busybox:latest\nARG WORD\nRUN echo $WORD >/word\n");
    await run(client.buildImage({ path: scratch, file: path.join(scratch, "Dockerfile"), tags: ["judge/built:1"],
      args: { WORD: "built" }, labels: { judge: "yes" }, imageIdFile: path.join(scratch, "iid") }));
    assert.match(fs.readFileSync(path.join(scratch, "iid"), "utf8"), /^sha256:[0-9a-f]{64}$/);
  },
  runContainer: async () => {
    const id = await run(client.runContainer({
      imageRef: "busybox:latest", name: "judge-run", detached: true, labels: { judge: "yes" }, network: "judge-net",
      ports: [{ containerPort: 80, hostPort: 18473, hostIp: "127.0.0.1", protocol: "tcp" }],
      mounts: [{ type: "volume", source: "judge-volume", destination: "/data", readOnly: false }],
      environmentVariables: { WORD: "one two" }, command: ["sh", "-c", "echo started; exec sleep 300"],
    }));
    assert.match(id, /^[0-9a-f]{64}$/);
  },
  listContainers: async () => {
    const found = named(await run(client.listContainers({ running: true, labels: { judge: "yes" } })), "judge-run");
    assert.strictEqual(found.state, "running");
    assert.deepStrictEqual(found.networks, ["judge-net"]);
    assert.strictEqual(found.ports[0].hostPort, 18473);
  },
  inspectContainers: async () => {
    const found = named(await run(client.inspectContainers({ containers: ["judge-run"] })), "/judge-run");
    assert.strictEqual(found.environmentVariables.WORD, "one two");
    assert.strictEqual(found.mounts[0].destination, "/data");
    assert.strictEqual(found.ports[0].containerPort, 80);
    assert.strictEqual(found.networks[0].name, "judge-net");
  },
  execContainer: async () => {
    const said = await all(client.execContainer({ container: "judge-run", command: ["sh", "-c", "echo $WORD"] }));
    assert.strictEqual(said.join("").trim(), "one two");
  },
  logsForContainer: async () => {
    const said = await all(client.logsForContainer({ container: "judge-run", timestamps: true, tail: 1 }));
    assert.match(said.join(""), /^\d{4}-\d\d-\d\dT\S+Z started/);
  },
  writeFile: async () => {
    const tar = path.join(scratch, "hello.tar");
    fs.writeFileSync(path.join(scratch, "hello"), "hello\n");
    require("child_process").execFileSync("tar", ["-C", scratch, "-cf", tar, "hello"]);
    await run(client.writeFile({ container: "judge-run", path: "/tmp" }), { stdInPipe: fs.createReadStream(tar) });
  },
  readFile: async () => {
    const tar = text(await all(client.readFile({ container: "judge-run", path: "/tmp/hello" })));
    assert(tar.startsWith("hello\0") && tar.includes("hello\n"), "not a tar of the file");
  },
  listFiles: async () => {
    const found = named(await run(client.listFiles({ container: "judge-run", path: "/tmp" })), "hello");
    assert.strictEqual(found.size, 6);
  },
  statPath: async () => assert.strictEqual((await run(client.statPath({ container: "judge-run", path: "/data" }))).type, 2),
  restartContainers: () => run(client.restartContainers({ container: ["judge-run"], time: 0 })),
  stopContainers: async () => {
    // Newer clients of Docker's print there too that --time has another name now.
    assert.strictEqual((await run(client.stopContainers({ container: ["judge-run"], time: 0 }))).at(-1), "judge-run");
  },
  startContainers: async () => {
    assert.deepStrictEqual(await run(client.startContainers({ container: ["judge-run"] })), ["judge-run"]);
  },
  getEventStream: async () => {
    const until = Math.floor(Date.now() / 1000) + 1;
    const since = Math.floor(started / 1000);
    const events = await all(client.getEventStream({ since, until, types: ["container"], events: ["start"] }));
    assert(events.some((event) => event.action === "start" && event.actor.attributes.name === "judge-run"));
  },
  removeContainers: async () => {
    assert.deepStrictEqual(await run(client.removeContainers({ containers: ["judge-run"], force: true })), ["judge-run"]);
  },
  pruneContainers: async () => {
    await run(client.runContainer({ imageRef: "busybox:latest", name: "judge-done", detached: true, command: ["true"] }));
    await run(client.stopContainers({ container: ["judge-done"], time: 0 }));
    assert.strictEqual((await run(client.pruneContainers({}))).containersDeleted.length, 1);
  },
  pruneImages: async () => {
    await run(client.removeImages({ imageRefs: [copied] }));
    const pruned = await run(client.pruneImages({ all: true }));
    assert(pruned.imageRefsDeleted.length > 0);
  },
  removeVolumes: async () => {
    assert.deepStrictEqual(await run(client.removeVolumes({ volumes: ["judge-volume"] })), ["judge-volume"]);
  },
  pruneVolumes: () => run(client.pruneVolumes({})),
  removeNetworks: async () => assert((await run(client.removeNetworks({ networks: ["judge-net"] }))).includes("judge-net")),
  pruneNetworks: async () => {
    await run(client.createNetwork({ name: "judge-unused" }));
    assert.deepStrictEqual((await run(client.pruneNetworks({}))).networksDeleted, ["judge-unused"]);
  },
  listContexts: async () => assert(named(await run(client.listContexts({})), "default")),
  inspectContexts: async () => named(await run(client.inspectContexts({ contexts: ["default"] })), "default"),
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
  fs.rmSync(scratch, { recursive: true });
})();
