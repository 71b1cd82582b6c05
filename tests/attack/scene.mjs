// Where the attacks take place: a real server, Alice's page (the victim), Bob's page (an honest peer), and the hostile
// peer, which comes as a page of its own or as a native program.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import {
  Browser, DIST, GONE, Server, apiValue, copyOfDist, eventually, eventuallyKnowsName, eventuallyReady, memoryOf, pack,
  profileDatabase, storedKeys, watchCost,
} from "../e2e/harness.mjs";

export const HOSTILE = path.join(process.env.CARGO_TARGET_DIR, "debug", "examples", "hostile-peer");
/** Where a native attack on the server comes from: honest clients come from 127.0.0.1. */
export const ATTACKER_ADDRESS = "127.0.7.2";
/** How long an act may take before it is given up. Never a measurement. */
export const ACT_PATIENCE = 180_000;
/** Ticks of the system's clock of processor time in a second. */
const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
const MEBIBYTE = 1024 * 1024;

/** What is closed at the end, the last thing first. */
export class Cleanup {
  undone = [];
  after(undo) {
    this.undone.push(undo);
  }
  async all() {
    for (const undo of this.undone.reverse()) await Promise.resolve(undo()).catch(() => {});
    this.undone = [];
  }
}

/** The processor time of processes so far, in seconds. One that ended counts no more. */
export async function processorTime(pids) {
  let ticks = 0;
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields.length > 12) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS;
}

/** The pages of a browser with their workers. */
export function renderersOf(browser) {
  const list = execFileSync("ps", ["-A", "-ww", "-o", "pid=,args="], { encoding: "utf8", maxBuffer: 1 << 26 });
  const lines = list.split("\n").filter((line) => line.includes(browser.profile) && line.includes("--type=renderer"));
  return lines.map((line) => Number(line.trim().split(/\s+/)[0]));
}

/** The built attacker, on an origin of its own; at `/crowd` the crowd in the folder that `crowd()` names. */
async function serveAttacker(t, crowd) {
  const types = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };
  const start = `<!doctype html><script type="module">
    globalThis.crowdBytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
    const { default: init } = await import("/hostile-peer.js");
    await init();</script>`;
  const server = http.createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    if (pathname.startsWith("/crowd/")) return response.end(await ofCrowd(crowd(), path.basename(pathname), searchParams));
    const body = pathname === "/" ? start : await readFile(path.join(`${DIST}-hostile`, pathname)).catch(() => "");
    response.writeHead(200, { "content-type": types[path.extname(pathname)] ?? "text/html" }).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** Bytes of one identity in a crowd's list. */
const NAMED_BYTES = 64;

/** Part of a crowd's list, or the entries of some of it. */
async function ofCrowd(folder, what, asked) {
  const [list, entries] = await Promise.all(["names", "entries"].map((name) => open(path.join(folder, name))));
  try {
    if (what === "names") {
      const [from, count] = ["from", "count"].map((name) => Number(asked.get(name)) * NAMED_BYTES);
      return (await list.read(Buffer.alloc(count), 0, count, from)).buffer;
    }
    const length = (await entries.stat()).size / ((await list.stat()).size / NAMED_BYTES);
    const one = async (number) => (await entries.read(Buffer.alloc(length), 0, length, Number(number) * length)).buffer;
    return Buffer.concat(await Promise.all(asked.get("numbers").split(",").map(one)));
  } finally {
    await Promise.all([list.close(), entries.close()]);
  }
}

/** Every key of some tables with a digest of its value. */
async function storedRecords(page, tables) {
  return page.evaluate(async ([tables, name]) => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await done(indexedDB.open(name));
    const found = {};
    try {
      for (const table of tables) {
        const store = database.transaction(table).objectStore(table);
        const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
        for (let at = 0; at < keys.length; at += 1) {
          const digest = await crypto.subtle.digest("SHA-256", values[at]);
          found[`${table} ${keys[at]}`] = Array.from(new Uint8Array(digest)).join();
        }
      }
      return found;
    } finally {
      database.close();
    }
  }, [tables, await profileDatabase(page)]);
}

/** The person's own profile, without how much they wrote: that grows when they install something. */
async function ownProfile(page) {
  const { changes: _changes, documentBytes: _bytes, ...profile } = await apiValue(page, "whoami");
  return profile;
}

/** What only its owner may change, and nobody else's act may. */
const OWN_TABLES = ["facts", "headers", "changes"];

export class Scene {
  /**
   * `limits`: those of Alice's node; `flags`: of the server; `patch(folder)` changes the page before it is served;
   * `withoutPolicy` takes the policy out of a page on a plain host; `withoutPeople` opens no page.
   */
  static async start(options = {}) {
    const scene = new Scene();
    const { limits, flags = [], patch } = (scene.options = options);
    scene.cleanup = new Cleanup();
    scene.words = 0;
    try {
      await scene.open(limits, flags, patch);
    } catch (error) {
      await scene.end();
      throw error;
    }
    return scene;
  }

  async open(limits, flags, patch) {
    const t = this.cleanup;
    let dist = DIST;
    if (patch) {
      dist = await copyOfDist(t);
      await patch(dist);
      pack(dist);
    }
    this.server = await Server.start(t, { p2p: true, dist, more: flags });
    this.attackerOrigin = await serveAttacker(t, () => this.crowd);
    if (this.options.withoutPeople) return;
    this.alice = await this.join("alice_smith", limits);
    this.own = await storedRecords(this.alice.page, OWN_TABLES);
    this.bob = await this.join("bob_jones");
    await this.meet();
    // Of strangers a page keeps as many as there is room for; whom its person follows it keeps.
    const { did } = await apiValue(this.bob.page, "whoami");
    await apiValue(this.alice.page, "follow", `person:${did}`);
    for (const { page } of [this.alice, this.bob]) await apiValue(page, "joinChannel", "general");
    const { topic, relays, node } = await apiValue(this.alice.page, "getNetwork");
    // Some seconds after a claim it is known who holds the name, and that is stored once.
    await eventually("both holders are known", async () =>
      (await storedKeys(this.alice.page, "evidence")).filter((key) => key.startsWith("holder/")).length === 2);
    this.me = await ownProfile(this.alice.page);
    Object.assign(this, { topic, node, relays: relays.map((relay) => relay.address) });
  }

  async join(name, limits) {
    const browser = await Browser.start(this.cleanup);
    browser.allow(...GONE);
    const page = await browser.context.newPage();
    await watchCost(page);
    if (limits) await page.addInitScript((limits) => (globalThis.genRegistryLimits = limits), limits);
    await page.goto(this.server.origin);
    await eventuallyReady(page);
    assert.equal(await apiValue(page, "registerUsername", name, { displayName: name }), true);
    return { browser, page };
  }

  /** Waits until Alice and Bob know each other and are connected. */
  async meet() {
    await eventuallyKnowsName(this.alice.page, "bob_jones");
    await eventuallyKnowsName(this.bob.page, "alice_smith");
    await eventually("Bob is a peer", async () => (await apiValue(this.alice.page, "getPeerCount")) >= 1);
  }

  async end() {
    await this.cleanup.all();
  }

  // ---- the attacker ----

  /** The browser of attacks that come as pages. */
  async mallory() {
    this.hostileBrowser ??= await Browser.start(this.cleanup);
    return this.hostileBrowser;
  }

  /**
   * Runs an act in a page of its own, until it is done or the victim has ended it; returns what it says of itself. One that
   * only the victim ends may go on for `patience`.
   */
  async attackAsPage(act, count, patience) {
    const browser = await this.mallory();
    const page = await browser.context.newPage();
    const query = new URLSearchParams({ act, topic: this.topic, peer: this.node, count: String(count ?? 0) });
    this.relays.forEach((relay) => query.append("relay", relay));
    const pids = new Set();
    const watch = setInterval(() => renderersOf(browser).forEach((pid) => pids.add(pid)), 500);
    try {
      await page.goto(`${this.attackerOrigin}/?${query}`);
      const state = () => page.evaluate(() => globalThis.hostile);
      const over = (now) => now?.state === "done" || now?.state === "sent away";
      const done = eventually(`${act} is done`, async () => over(await state()), patience ?? ACT_PATIENCE);
      await (patience ? done.catch(() => {}) : done);
      const { said, bytes, peer } = await state();
      return {
        said, bytes, peer, page, state,
        processor: await processorTime(pids),
        close: () => page.close(),
      };
    } finally {
      clearInterval(watch);
    }
  }

  /** Runs the native attacker with these variables and words; returns what it prints as JSON. */
  async attackNatively(environment, ...words) {
    const child = spawn(HOSTILE, words, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...environment } });
    this.cleanup.after(() => child.kill("SIGKILL"));
    let [text, processor] = ["", 0];
    child.stdout.on("data", (data) => (text += data));
    const watch = setInterval(async () => (processor = Math.max(processor, await processorTime([child.pid]))), 200);
    const code = await new Promise((resolve) => child.once("exit", resolve));
    clearInterval(watch);
    assert.equal(code, 0, `the hostile peer ended with ${code}`);
    return { ...JSON.parse(text), processor, close: async () => {} };
  }

  // ---- what is measured ----

  /** What Alice's page and the server have used so far. */
  async used() {
    const { page, browser } = this.alice;
    const { script, wasm } = await memoryOf(page);
    const [tasks, stored] = await page.evaluate(async () => [
      globalThis.tasks, (await navigator.storage.estimate()).usage,
    ]);
    const status = await readFile(`/proc/${this.server.child.pid}/status`, "utf8");
    return {
      memory: (script + wasm) / MEBIBYTE,
      stored: stored / MEBIBYTE,
      tasks: tasks.length,
      longest: Math.max(0, ...tasks),
      processor: await processorTime(renderersOf(browser)),
      server: await processorTime([this.server.child.pid]),
      serverMemory: Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) / 1024,
    };
  }

  /** How long what Bob changes now takes to Alice's page, in milliseconds; `Infinity` if it does not arrive. */
  async honestChange() {
    const word = `word ${(this.words += 1)}`;
    const arriving = this.alice.page.evaluate(async ([name, word, patience]) => {
      const end = Date.now() + patience;
      while (Date.now() < end) {
        const known = await globalThis.genRegistry.lookupUsername(name);
        if (known?.displayName === word) return Date.now();
        await new Promise((resolve) => setTimeout(resolve, 4));
      }
      return null;
    }, ["bob_jones", word, 15_000]);
    const began = await this.bob.page.evaluate(async (word) => {
      const began = Date.now();
      await globalThis.genRegistry.updateProfile({ displayName: word });
      return began;
    }, word);
    const arrived = await arriving;
    return arrived === null ? Infinity : arrived - began;
  }

  /** Why Alice's own data is not what it was, or null. */
  async ownDataFault() {
    const me = await ownProfile(this.alice.page);
    try {
      assert.deepEqual(me, this.me);
    } catch (error) {
      return `the person's own profile is another one: ${error.message}`;
    }
    const now = await storedRecords(this.alice.page, OWN_TABLES);
    const lost = Object.entries(this.own).filter(([key, digest]) => now[key] !== digest);
    return lost.length > 0 ? `${lost.length} own records are gone or changed` : null;
  }

  /** Loads Alice's page again; why it does not answer as before, or null. */
  async restartFault() {
    await this.alice.page.reload();
    try {
      await eventuallyReady(this.alice.page);
      return await this.ownDataFault();
    } catch (error) {
      return `the page does not start again: ${error.message}`;
    }
  }
}
