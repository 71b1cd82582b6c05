// `make town`: a fresh page on a slow phone in the network of a town. The people, their modules and the profiles of 20 native
// nodes are made beforehand (`tests/town`); of the nodes three keep everybody and 17 a quarter, and six of all lie. They run in
// one process, pinned to one processor with the server; Chromium has the other, slowed to a quarter, with a quota of 200 MB.
// Prints one table, and ends with 1 if a bound does not hold.
//
// PEOPLE, MODULES and NAMES say how large the town is and how many names and modules are looked up; SLOWED how slow the
// processor is; PROFILE which build of the town's program. ONLY=make makes the town and measures nothing.
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { Cleanup } from "../attack/scene.mjs";
import { Browser, GONE, Server, apiValue, eventuallyReady, memoryOf, watchCost } from "../e2e/harness.mjs";

const number = (name, otherwise) => Number(process.env[name] || otherwise);
const PEOPLE = number("PEOPLE", 2_000);
const MODULES = number("MODULES", Math.ceil(PEOPLE / 5));
const NAMES = number("NAMES", 100);
const SLOWED = number("SLOWED", 4);
/** How long the page is watched after the first look-ups, in seconds, for what it stores and its long tasks. */
const SECONDS = number("SECONDS", 60);
const PROFILE = process.env.PROFILE ?? "release";
const TOWN = path.join(process.env.CARGO_TARGET_DIR, PROFILE, "examples", "town");
const FOLDER = path.join(process.env.GEN_REGISTRY_CACHE, "town", `${PEOPLE}-${MODULES}`);

/** Of a phone: bytes of the quota. */
const QUOTA = 200_000_000;
/** The bounds: milliseconds until the page is usable, bytes stored, milliseconds of a task and of a look-up. */
const USABLE_MAX = 8_000;
const STORED_MAX = 20_000_000;
const TASK_MAX = 50;
const LOOKUP_MAX = 2_000;
/** Between two look-ups, in milliseconds. */
const PAUSE = number("PAUSE", 0);
/** Public nodes that `/network.json` may name. */
const LISTED = 16;
/** The processors of the town and of the browser. */
const [TOWNS, BROWSERS] = ["0", "1"];
/** The relay counts by address, and here everybody has the same. */
const FLAGS = ["--limit-connections-address", "1000", "--limit-connections-rate", "10000", "--limit-places-address", "1000", "--limit-registrations-rate", "10000"];

const cleanup = new Cleanup();
const run = promisify(execFile);
const sleep = (millis) => new Promise((resolve) => setTimeout(resolve, millis));
const whole = (value) => Math.round(value).toLocaleString("en-GB");
const rows = [];
const faults = [];

/** A line of the table: what was measured, and the bound that it has to keep. */
function row(what, value, bound, holds = true) {
  rows.push([what, value, bound ?? "", bound === undefined ? "" : holds ? "held" : "DID NOT HOLD"]);
  console.log(`    ${rows.at(-1).join(" | ")}`);
  if (!holds) faults.push(what);
}

const pin = (pid, processor) => execFileSync("taskset", ["-a", "-c", "-p", processor, String(pid)], { stdio: "ignore" });

/** All of a process and of those that it started, by their ids. */
function family(pid) {
  const list = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const parents = list.map((line) => line.trim().split(/\s+/).map(Number));
  const found = [pid];
  for (const parent of found) found.push(...parents.filter(([, of]) => of === parent).map(([child]) => child));
  return found;
}

/** Makes the town, unless it was made before. */
async function make() {
  const data = path.join(FOLDER, "server");
  await mkdir(data, { recursive: true });
  const file = path.join(data, "network.json");
  if (!(await access(file).then(() => true, () => false))) {
    const founding = await Server.start(cleanup, { p2p: true, data });
    await founding.stop();
  }
  const began = Date.now();
  const { stderr } = await run(TOWN, ["make", FOLDER, String(PEOPLE), String(MODULES)], { maxBuffer: 1 << 26 });
  if (stderr) console.log(stderr.trimEnd());
  console.log(`${whole(PEOPLE)} people and ${whole(MODULES)} modules were there after ${whole((Date.now() - began) / 1000)} s.`);
  const nodes = JSON.parse(await readFile(path.join(FOLDER, "nodes.json"), "utf8"));
  const network = JSON.parse(await readFile(file, "utf8"));
  network.openNodes = nodes.slice(0, LISTED).map(({ address }) => address);
  await writeFile(file, JSON.stringify(network));
  return { data, nodes };
}

/** Starts the nodes. Returns their process once all of them listen. */
async function serve(server) {
  const file = path.join(FOLDER, "network.json");
  await writeFile(file, await (await fetch(`${server.origin}/network.json`)).text());
  const town = spawn("taskset", ["-c", TOWNS, TOWN, "serve", FOLDER, file], { stdio: ["pipe", "pipe", "pipe"] });
  cleanup.after(() => town.kill("SIGKILL"));
  let said = "";
  town.stderr.on("data", (text) => (said += text));
  const ready = once(createInterface(town.stdout), "line");
  const ended = once(town, "exit").then(([code]) => { throw new Error(`the town ended with ${code}: ${said}`); });
  await Promise.race([ready, ended]);
  ended.catch(() => {});
  return town;
}

const status = async (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))[1]) / 1024;

/** Lines of a file, some of them at random; the same for the same seed. */
async function some(file, count, seed) {
  const lines = (await readFile(path.join(FOLDER, file), "utf8")).trim().split("\n");
  let state = seed;
  const random = () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  return Array.from({ length: count }, () => lines[Math.floor(random() * lines.length)]);
}

/** What the page stores of the network, in bytes, without what the service worker keeps of the program. */
const stored = (page) => page.evaluate(async () => {
  const { usage, usageDetails } = await navigator.storage.estimate();
  return usageDetails?.indexedDB ?? usage;
});

async function slowPage(server) {
  const browser = await Browser.start(cleanup, { width: 390, height: 844 });
  browser.allow(...GONE);
  const page = await browser.context.newPage();
  await watchCost(page);
  await page.addInitScript(() => {
    globalThis.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) globalThis.longTasks.push([startTime, duration]);
    }).observe({ type: "longtask", buffered: true });
  });
  const session = await page.context().newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: QUOTA });
  await session.send("Emulation.setCPUThrottlingRate", { rate: SLOWED });
  const browserPid = execFileSync("ps", ["-A", "-ww", "-o", "pid=,args="], { encoding: "utf8", maxBuffer: 1 << 26 })
    .split("\n").filter((line) => line.includes(browser.profile) && !line.includes("--type=")).map((line) => Number(line.trim().split(/\s+/)[0]));
  for (const pid of browserPid.flatMap(family)) pin(pid, BROWSERS);
  return { browser, page, session };
}

/** Opens the page and uses it as somebody who just came: own data, a local look-up, a claim. */
async function arrive(server, page) {
  const began = Date.now();
  const at = () => Date.now() - began;
  await page.goto(server.origin);
  await eventuallyReady(page);
  const marks = { ready: at() };
  await apiValue(page, "whoami");
  marks.own = at();
  await apiValue(page, "lookupUsername", "ada_a");
  marks.answered = at();
  // Another name in each run: the witness signs each once.
  const claimed = await apiValue(page, "registerUsername", `newcomer_${Date.now().toString(26).replace(/\d/g, (digit) => "qrstuvwxyz"[digit])}`);
  marks.claimed = at();
  if (claimed !== true) throw new Error("the name was not taken");
  return marks;
}

/** Looks all of these up, one after the other. */
async function lookUp(page, method, names) {
  const outcomes = [];
  for (const name of names) {
    const found = await page.evaluate(async ([method, name]) => {
      const began = performance.now();
      const report = await globalThis.genRegistry[method](name);
      return { millis: performance.now() - began, found: Boolean(report.found), by: report.answeredBy ?? "nobody", asked: report.peersAsked };
    }, [method, name]);
    outcomes.push({ name, ...found });
    if (PAUSE) await sleep(PAUSE);
  }
  return outcomes;
}

function report(what, outcomes) {
  const times = outcomes.map(({ millis }) => millis).sort((one, other) => one - other);
  const at = (share) => whole(times[Math.min(times.length - 1, Math.floor(share * times.length))]);
  const missed = outcomes.filter(({ found }) => !found);
  const slow = outcomes.filter(({ millis }) => millis > LOOKUP_MAX);
  const by = {};
  for (const outcome of outcomes) by[outcome.by] = (by[outcome.by] ?? 0) + 1;
  row(`${what} found`, `${outcomes.length - missed.length} of ${outcomes.length}`, "all", missed.length === 0);
  row(`${what} looked up, ms: median, 95 %, longest`, `${at(0.5)}, ${at(0.95)}, ${at(1)}`, `${whole(LOOKUP_MAX)} each`, slow.length === 0);
  row(`${what} answered by`, Object.entries(by).map(([who, count]) => `${who} ${count}`).join(", "));
  for (const { name, millis, found, by, asked } of [...new Set([...missed, ...slow])].slice(0, 10)) {
    console.log(`    ${name}: ${found ? "found" : "NOT FOUND"} after ${whole(millis)} ms, by ${by}; ${asked} peers asked`);
  }
}

async function main() {
  const { data } = await make();
  if (process.env.ONLY === "make") return;
  const server = await Server.start(cleanup, { p2p: true, data, more: FLAGS });
  pin(server.child.pid, TOWNS);
  const town = await serve(server);
  // Its nodes find their relay.
  await sleep(3_000);
  row("memory of the town's process, MiB", whole(await status(town.pid)));
  const { browser, page, session } = await slowPage(server);
  const marks = await arrive(server, page);
  const all = Math.max(...Object.values(marks));
  row("usable, ms: ready, own data, look-up answered, name taken", Object.values(marks).map(whole).join(", "), whole(USABLE_MAX), all <= USABLE_MAX);
  const samples = [];
  const look = async () => {
    const [{ peers }, { registries }, bytes] = [await apiValue(page, "getNetwork"), await apiValue(page, "getStatus").catch(() => ({})), await stored(page)];
    samples.push({ peers: peers.length, registries, bytes });
    return samples.at(-1);
  };
  console.log("    after arriving:", JSON.stringify(await look()));
  const half = Math.ceil(NAMES / 2);
  const names = await lookUp(page, "findUsername", await some("names.txt", half, 7));
  console.log("    after the names:", JSON.stringify(await look()));
  report("names", names);
  const modules = await lookUp(page, "findModule", await some("modules.txt", NAMES - half, 9));
  console.log("    after the modules:", JSON.stringify(await look()));
  report("modules", modules);
  for (let seconds = 0; seconds < SECONDS; seconds += 10) {
    await sleep(10_000);
    console.log(`    ${seconds + 10} s later:`, JSON.stringify(await look()));
  }
  const most = Math.max(...samples.map(({ bytes }) => bytes));
  row("stored, MB: at most, in the end", `${(most / 1e6).toFixed(1)}, ${(samples.at(-1).bytes / 1e6).toFixed(1)}`, STORED_MAX / 1e6, most <= STORED_MAX);
  const tasks = await page.evaluate(() => globalThis.longTasks);
  const long = tasks.filter(([, duration]) => duration > TASK_MAX).map(([start, duration]) => [Math.round(start), Math.round(duration)]);
  const longest = Math.max(0, ...tasks.map(([, duration]) => duration));
  row("tasks over 50 ms: how many, the longest, ms", `${long.length}, ${whole(longest)}`, "0", long.length === 0);
  console.log("    long tasks (start, ms):", JSON.stringify(long.toSorted((one, other) => other[1] - one[1]).slice(0, 20)));
  const { script, wasm } = await memoryOf(page);
  row("memory of the page, MiB: JavaScript, WebAssembly", `${whole(script / 2 ** 20)}, ${whole(wasm / 2 ** 20)}`);
  const { rejections } = await apiValue(page, "getNetwork");
  row("broken rules that the page counted", JSON.stringify(rejections));
  for (const text of browser.unexpected()) console.log(`    the page said: ${text}`);
  await session.detach();
}

try {
  await main();
} finally {
  await cleanup.all();
}
if (process.env.ONLY === "make") process.exit();
console.log(`\n${whole(PEOPLE)} people, ${whole(MODULES)} modules, ${whole(NAMES)} look-ups, a processor ${SLOWED} times slower:`);
const widths = rows[0].map((_, at) => Math.max(...rows.map((cells) => String(cells[at]).length)));
for (const cells of rows) console.log(cells.map((cell, at) => String(cell).padEnd(widths[at])).join("  ").trimEnd());
console.log(faults.length > 0 ? `\nDid not hold: ${faults.join("; ")}.` : "\nEverything held.");
process.exit(faults.length > 0 ? 1 : 0);
