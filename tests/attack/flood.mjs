// `make flood`: a crowd that costs nothing is offered to a real page by many hostile peers for minutes, as fast as it takes
// them, with the usual limits; then, with the allowance for newcomers lifted, to a native node that keeps as many as its quota
// says. Prints one table, and ends with 1 if a bound does not hold.
//
// A long task of the page is judged by the processor time that it took: page, attackers and server share the processors here.
//
// PEOPLE, MINUTES and PEERS say how many identities, how long and by how many peers; QUOTA how many strangers the native node
// keeps. ONLY=page or ONLY=replica does one half. A page is reached by WebRTC alone, so its attackers are in one page of their
// own; the native node's are one native program. Both get the identities from files that are made beforehand.
import { execFile, spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { apiValue, eventually, eventuallyKnowsName, publish, residentOf, storedKeys, temporaryFolder } from "../e2e/harness.mjs";
import { adder } from "../e2e/wasm.mjs";
import { ARRIVAL_MAX_MILLIS, median } from "./checks.mjs";
import { OPTIMISED, Replica } from "./replica.mjs";
import { Scene, processorTime, renderersOf } from "./scene.mjs";
import { LONG_MILLIS, Tasks } from "./tasks.mjs";

process.env.RUST_LOG ??= "error";

const number = (name, otherwise) => Number(process.env[name] || otherwise);
const PEOPLE = number("PEOPLE", 50_000);
const SECONDS = 60 * number("MINUTES", 1);
const PEERS = number("PEERS", 20);
const QUOTA = number("QUOTA", 200_000);
const ONLY = process.env.ONLY;

/** JavaScript and WebAssembly of the page, and what it stores in IndexedDB, in MiB. */
const PAGE_MEMORY_MAX = 300;
const PAGE_STORED_MAX = 100;
/** Strangers that a page keeps (`STRANGERS_MAX`), and how many more there may be until its next review. */
const PAGE_STRANGERS_MAX = 20_000;
/** Memory of the native node for each stranger that it keeps, and besides them, in MiB. */
const REPLICA_EACH = 4 / 1024;
const REPLICA_BESIDES = 128;
/** The native attackers, built like the native node, so that they have more to give than it takes. */
const HOSTILE = path.join(OPTIMISED, "hostile-peer");
/** Between two looks. */
const LOOK_EVERY = 3_000;
/** As much as never is reached. */
const LIFTED = 1_000_000_000;
const MEBIBYTE = 1024 * 1024;
const MODULE = "carols-tool";
/** The relay counts by address, and here everybody has the same. */
const FLAGS = ["--limit-connections-address", "1000", "--limit-connections-rate", "10000", "--limit-places-address", "1000", "--limit-registrations-rate", "10000"];

const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis));
const rows = [];
const faults = [];

/** A line of the table: what was measured, and the bound that it has to keep. */
function row(where, what, value, bound, holds = true) {
  rows.push([where, what, value, bound ?? "", bound === undefined ? "" : holds ? "held" : "DID NOT HOLD"]);
  if (!holds) faults.push(`${where}: ${what}`);
}

const whole = (value) => Math.round(value).toLocaleString("en-GB");
const most = (samples, key) => Math.max(...samples.map((sample) => sample[key] ?? 0));

async function makeCrowd(scene) {
  scene.crowd = await temporaryFolder(scene.cleanup, "crowd");
  const began = Date.now();
  await promisify(execFile)(HOSTILE, ["make-crowd", scene.topic, String(PEOPLE), scene.crowd]);
  console.log(`${whole(PEOPLE)} identities were made in ${whole((Date.now() - began) / 1000)} s.`);
}

/** Carol publishes what Alice installs, and goes away for good. */
async function installFromCarol(scene) {
  const carol = await scene.join("carol_doe");
  await publish(carol.page, { name: MODULE, version: "1.0.0" }, adder("add"));
  await eventuallyKnowsName(scene.alice.page, "carol_doe");
  await eventually("it is known and confirmed", async () =>
    (await apiValue(scene.alice.page, "getModule", MODULE))?.versions[0]?.status === "confirmed");
  await apiValue(scene.alice.page, "install", MODULE);
  await carol.browser.close();
}

/** Memory without a collection before it, in MiB, and what IndexedDB takes. */
async function pageUse(page, session) {
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const { wasm, stored, tasks } = await page.evaluate(async () => {
    const { usage, usageDetails } = await navigator.storage.estimate();
    const tasks = globalThis.tasks.splice(0);
    return { wasm: globalThis.wasmMemory.buffer.byteLength, stored: usageDetails?.indexedDB ?? usage, tasks };
  });
  return { memory: (usedSize + wasm) / MEBIBYTE, wasm: wasm / MEBIBYTE, stored: stored / MEBIBYTE, longest: Math.max(0, ...tasks), tasks };
}

async function floodPage() {
  const scene = await Scene.start({ flags: FLAGS });
  try {
    await installFromCarol(scene);
    await makeCrowd(scene);
    const { alice, bob } = scene;
    const session = await alice.page.context().newCDPSession(alice.page);
    const before = await pageUse(alice.page, session);
    const attacker = await (await scene.mallory()).context.newPage();
    const query = new URLSearchParams({ act: "siege", topic: scene.topic, peer: scene.node, count: PEERS, crowd: PEOPLE, seconds: SECONDS });
    scene.relays.forEach((relay) => query.append("relay", relay));
    await attacker.goto(`${scene.attackerOrigin}/?${query}`);
    const tally = async () => JSON.parse((await attacker.evaluate(() => globalThis.hostile?.siege)) ?? "{}");
    const isDone = () => attacker.evaluate(() => globalThis.hostile?.state === "done");
    const [samples, arrivals, writes] = [[], [], []];
    const [began, spent] = [Date.now(), await processorTime(renderersOf(alice.browser))];
    const tasks = await Tasks.watch(session);
    const end = Date.now() + 1_000 * (SECONDS + 30);
    while (Date.now() < end && !(await isDone())) {
      arrivals.push(await scene.honestChange());
      const wrote = Date.now();
      await apiValue(alice.page, "updateProfile", { bio: `written ${writes.length}` });
      writes.push(Date.now() - wrote);
      samples.push({ ...(await pageUse(alice.page, session)), ...(await tally()) });
      await tasks.look();
      const now = samples.at(-1);
      console.log(`    ${now.connected} peers, offered ${now.offered}, asked ${now.asked}, cut ${now.cut}; memory ${whole(now.memory)} (wasm ${whole(now.wasm)}), stored ${whole(now.stored)} MiB; longest ${whole(now.longest)} ms; honest ${arrivals.at(-1)} ms, own ${writes.at(-1)} ms`);
      await sleep(LOOK_EVERY);
    }
    await tasks.look({ goesOn: false });
    const came = await tally();
    const busy = (await processorTime(renderersOf(alice.browser))) - spent;
    row("page", "processor time, of one processor", `${whole((100_000 * busy) / (Date.now() - began))} %`);
    for (const text of scene.hostileBrowser.unexpected()) console.log(`    the hostile page: ${text}`);
    await reportPage(scene, { before, samples, arrivals, writes, came, tasks });
    const resident = await residentOf(alice.browser);
    row("page", "resident memory of its processes, MiB", whole(resident / MEBIBYTE));
    const bobNode = (await apiValue(bob.page, "getNetwork")).node;
    const peer = (await apiValue(alice.page, "getPeers")).find(({ id }) => id === bobNode);
    row("page", "the honest peer", !peer ? "not connected" : peer.reputation.low || peer.rejections.length > 0 ? `marked: ${JSON.stringify(peer.rejections)}` : "connected, unmarked", "connected, unmarked", peer && !peer.reputation.low && peer.rejections.length === 0);
    await attacker.close();
    await reportRestart(scene, `written ${writes.length - 1}`);
  } finally {
    await scene.end();
  }
}

async function reportPage(scene, { before, samples, arrivals, writes, came, tasks }) {
  row("page", "hostile peers at once; conversations that were ended", `${most(samples, "connected")}; ${came.cut}`);
  row("page", "identities offered; asked for", `${whole(came.offered)}; ${whole(came.asked)}`);
  const kept = async () => new Set((await storedKeys(scene.alice.page, "facts")).map((key) => key.slice(0, 64))).size;
  const strangers = await eventually("strangers fit", async () => {
    const now = await kept();
    return now <= PAGE_STRANGERS_MAX + 8 && now;
  }).catch(kept);
  row("page", "identities kept", whole(strangers), `${whole(PAGE_STRANGERS_MAX)} strangers`, strangers <= PAGE_STRANGERS_MAX + 8);
  const memory = most(samples, "memory");
  row("page", "JavaScript and WebAssembly, at most, MiB", `${whole(memory)} (before: ${whole(before.memory)})`, `${PAGE_MEMORY_MAX}`, memory <= PAGE_MEMORY_MAX);
  const stored = most(samples, "stored");
  row("page", "stored, at most, MiB", `${whole(stored)} (before: ${whole(before.stored)})`, `${PAGE_STORED_MAX}`, stored <= PAGE_STORED_MAX);
  const [walls, processors] = ["wall", "processor"].map((key) => tasks.long.map((task) => task[key]));
  row("page", `tasks over ${LONG_MILLIS} ms by the clock; the longest, ms`, `${walls.length}; ${whole(Math.max(0, ...walls))}`);
  const long = processors.filter((millis) => millis > LONG_MILLIS);
  row("page", `of these over ${LONG_MILLIS} ms of a processor; the longest, ms`, `${long.length}; ${whole(Math.max(0, ...processors))}`, "none", long.length === 0);
  row("page", "an honest change, median (longest), ms", `${whole(median(arrivals))} (${whole(Math.max(...arrivals))}) of ${arrivals.length}`, `${ARRIVAL_MAX_MILLIS}`, median(arrivals) <= ARRIVAL_MAX_MILLIS);
  row("page", "an own write, median (longest), ms", `${whole(median(writes))} (${whole(Math.max(...writes))}) of ${writes.length}`, "each succeeds");
}

/** The page is loaded again: what it must still have. */
async function reportRestart(scene, bio) {
  const { page } = scene.alice;
  const began = Date.now();
  await page.reload();
  const starts = await eventually("the page starts again", async () => (await apiValue(page, "whoami")).username === "alice_smith", 120_000).catch(() => false);
  row("page", "loaded again, ms", whole(Date.now() - began), "it starts", Boolean(starts));
  const me = await apiValue(page, "whoami");
  row("page", "the last own write after that", me.profile.bio === bio ? "there" : `"${me.profile.bio}"`, "there", me.profile.bio === bio);
  for (const [who, name] of [["the followed person", "bob_jones"], ["the module's author", "carol_doe"]]) {
    const status = (await apiValue(page, "lookupUsername", name))?.status ?? "unknown";
    row("page", who, status, "confirmed", status === "confirmed");
  }
  const module = await apiValue(page, "getModule", MODULE);
  const status = module?.versions[0]?.status ?? "unknown";
  const ran = await apiValue(page, "runExport", MODULE, null, "add", [2, 3]).then(() => "runs", (error) => error.message);
  row("page", "the installed module", `${status}, ${ran}`, "confirmed, runs", status === "confirmed" && ran === "runs");
}

/** Hostile peers of one native program; resolves to what they came to. */
function besiege(scene, address, onLine) {
  const peer = address.split("/p2p/")[1];
  const environment = { CROWD: scene.crowd, CROWD_SIZE: PEOPLE, COUNT: PEERS, DURATION: SECONDS };
  const child = spawn(HOSTILE, ["siege", scene.topic, peer, address], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...environment } });
  scene.cleanup.after(() => child.kill("SIGKILL"));
  let last = {};
  createInterface(child.stdout).on("line", (line) => onLine((last = JSON.parse(line))));
  return new Promise((resolve) => child.once("exit", () => resolve(last)));
}

async function floodReplica() {
  const scene = await Scene.start({ flags: FLAGS, withoutPeople: true });
  try {
    const network = await (await fetch(`${scene.server.origin}/network.json`)).json();
    const limits = { newcomers_burst: LIFTED, newcomers_per_second: LIFTED };
    const folder = await temporaryFolder(scene.cleanup, "replica");
    const replica = await Replica.start(scene.cleanup, { folder, network, quota: QUOTA, limits });
    const [address] = replica.addresses;
    scene.topic = (await replica.ask("network")).topic;
    await makeCrowd(scene);
    const honest = await Replica.start(scene.cleanup, { folder: await temporaryFolder(scene.cleanup, "honest"), network, quota: 1_000, at: address });
    for (const [node, name] of [[replica, "rita_ray"], [honest, "hana_hill"]]) {
      await node.ask({ registerUsername: { name, changes: { displayName: name } } });
    }
    const { did } = await honest.ask("whoAmI");
    await eventually("they know each other", async () => (await replica.displayNameOf("hana_hill")) === "hana_hill");
    await replica.ask({ notices: { command: { follow: { subject: `person:${did}`, follow: true } } } });
    const before = await replica.used();
    let [tally, over] = [{}, false];
    const besieged = besiege(scene, address, (line) => (tally = line)).finally(() => (over = true));
    const [samples, arrivals, writes] = [[], [], []];
    while (!over) {
      const word = `word ${arrivals.length}`;
      let began = Date.now();
      await honest.change(word);
      while ((await replica.displayNameOf("hana_hill")) !== word && Date.now() - began < 15_000) await sleep(4);
      arrivals.push(Date.now() - began);
      began = Date.now();
      await replica.change(word);
      writes.push(Date.now() - began);
      const status = await replica.ask("status");
      samples.push({ ...(await replica.used()), people: status.registries, ...tally });
      const now = samples.at(-1);
      console.log(`    ${now.connected} peers, offered ${now.offered}, asked ${now.asked}, cut ${now.cut}; keeps ${now.people}; memory ${whole(now.memory)}, stored ${whole(now.stored)} MiB; honest ${arrivals.at(-1)} ms, own ${writes.at(-1)} ms`);
      await sleep(LOOK_EVERY);
    }
    const came = await besieged;
    const room = async () => {
      const { registries } = await replica.ask("status");
      return registries <= QUOTA + 8 && registries;
    };
    const kept = (await eventually("there is room", room).catch(() => false)) || (await replica.ask("status")).registries;
    row("replica", "hostile peers at once; conversations that were ended", `${most(samples, "connected")}; ${came.cut}`);
    row("replica", "identities offered; asked for", `${whole(came.offered)}; ${whole(came.asked)}`);
    row("replica", "identities kept at the end; at most", `${whole(kept)}; ${whole(most(samples, "people"))}`, `${whole(QUOTA)} strangers`, kept <= QUOTA + 8);
    const memory = most(samples, "memory");
    const bound = QUOTA * REPLICA_EACH + REPLICA_BESIDES;
    row("replica", "resident memory, at most, MiB", `${whole(memory)} (before: ${whole(before.memory)})`, whole(bound), memory <= bound);
    row("replica", "stored, at most, MiB", `${whole(most(samples, "stored"))} (before: ${whole(before.stored)})`);
    row("replica", "an honest change, median (longest), ms", `${whole(median(arrivals))} (${whole(Math.max(...arrivals))}) of ${arrivals.length}`, `${ARRIVAL_MAX_MILLIS}`, median(arrivals) <= ARRIVAL_MAX_MILLIS);
    row("replica", "an own write, median (longest), ms", `${whole(median(writes))} (${whole(Math.max(...writes))}) of ${writes.length}`, "each succeeds");
    await replica.stop();
    const began = Date.now();
    const again = await Replica.start(scene.cleanup, { folder, network, quota: QUOTA, limits });
    const me = await again.ask("whoAmI");
    const { registries } = await again.ask("status");
    row("replica", "started again, ms", `${whole(Date.now() - began)}, keeps ${whole(registries)}`, "it starts", me.username === "rita_ray" && me.profile.displayName === `word ${writes.length - 1}`);
    row("replica", "the followed person", (await again.displayNameOf("hana_hill")) ?? "unknown", "known", (await again.displayNameOf("hana_hill")) !== undefined);
    row("replica", "memory after the start, MiB", whole((await again.used()).memory));
    await again.stop();
  } finally {
    await scene.end();
  }
}

if (ONLY !== "replica") await floodPage();
if (ONLY !== "page") await floodReplica();
console.log(`\n${whole(PEOPLE)} identities, ${PEERS} hostile peers, ${SECONDS} s:`);
const widths = rows[0].map((_, at) => Math.max(...rows.map((cells) => String(cells[at]).length)));
for (const cells of rows) console.log(cells.map((cell, at) => String(cell).padEnd(widths[at])).join("  ").trimEnd());
console.log(faults.length > 0 ? `\nDid not hold: ${faults.join("; ")}.` : "\nEverything held.");
process.exit(faults.length > 0 ? 1 : 0);
