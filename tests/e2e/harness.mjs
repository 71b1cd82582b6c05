// What every end-to-end test is built on: the real server program, real Chromium with a profile folder of its own, and
// faults that are checked to have happened. A function whose name begins with `eventually` polls until its condition holds.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run the tests with \`make test-e2e\``);
  return value;
}

export const DIST = required("GEN_REGISTRY_E2E_DIST");
export const PROGRAM = path.join(required("CARGO_TARGET_DIR"), "debug", "gen-registry");
const PACKER = path.join(required("CARGO_TARGET_DIR"), "debug", "gen-registry-pack");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-dev-shm-usage",
  "--disable-sync",
];

/** How long a condition may take before the test fails. Never a measurement. */
export const PATIENCE = 30_000;
/** The same where a relay was away before: a page dials it again after 45 s at the latest, 30 s spread by a half. */
export const PATIENCE_AFTER_RESTART = PATIENCE + 45_000;

/** Polls until `condition` returns something truthy, and returns that. An error counts as "not yet". */
export async function eventually(what, condition, patience = PATIENCE) {
  const end = Date.now() + patience;
  let last;
  for (;;) {
    try {
      last = await condition();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) assert.fail(`never happened: ${what} (last: ${last?.stack ?? JSON.stringify(last)})`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

// ---- folders ----

export async function temporaryFolder(t, name) {
  const folder = await mkdtemp(path.join(os.tmpdir(), `gen-registry-${name}-`));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return folder;
}

/** A copy of the built page that a test may change. */
export async function copyOfDist(t, from = DIST) {
  const folder = await temporaryFolder(t, "dist");
  await cp(from, folder, { recursive: true });
  return folder;
}

/** Packs a changed page as a build does. */
export function pack(folder) {
  execFileSync(PACKER, [folder, "--quality", "1"], { stdio: ["ignore", "inherit", "pipe"] });
}

// ---- the server ----

export function reachable(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: "127.0.0.1", port });
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

/** A port that nobody uses. */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export class Server {
  /**
   * Starts a server. `p2p: true` adds the relay, on free ports that it keeps when it is started again, and founds a
   * network for tests, or with `forPeople: true` one as people have it; `catalogue: true` also adds the starter catalogue,
   * whose node is one more peer of every page; `data`: a data folder that is there already; `more`: other flags. Without
   * the relay it is of the built-in network.
   */
  static async start(t, { dist = DIST, port = 0, p2p = false, catalogue = false, forPeople = false, data, more = [] } = {}) {
    const server = new Server();
    server.more = more;
    server.relay = ["--no-p2p"];
    if (p2p) {
      data ??= await temporaryFolder(t, "relay");
      server.relay = ["--p2p", "/ip4/127.0.0.1/tcp/0/ws", "--data", data];
      if (!catalogue) server.relay.push("--no-catalogue");
      if (!forPeople) server.relay.push("--for-tests");
    }
    t.after(() => server.child?.kill("SIGKILL"));
    await server.launch(dist, port);
    if (p2p) {
      const { relays, openNodes } = await (await fetch(`${server.origin}/network.json`)).json();
      [, server.p2pPort] = /tcp\/(\d+)\/ws/.exec(relays[0]);
      server.relay[1] = `/ip4/127.0.0.1/tcp/${server.p2pPort}/ws`;
      if (catalogue) server.relay.push("--p2p-catalogue", openNodes[0].split("/p2p/")[0]);
    }
    return server;
  }

  async launch(dist, port) {
    this.dist = dist;
    const metrics = `127.0.0.1:${await freePort()}`;
    this.metrics = `http://${metrics}/metrics`;
    const flags = ["--http", `127.0.0.1:${port}`, "--metrics", metrics, "--dist", dist, ...this.relay, ...this.more];
    this.child = spawn(PROGRAM, ["serve", ...flags], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.exited = new Promise((resolve) => this.child.once("exit", resolve));
    const line = await Promise.race([
      new Promise((resolve) => createInterface(this.child.stdout).once("line", resolve)),
      this.exited.then((code) => `the server ended with ${code}`),
    ]);
    const match = /^http:\/\/127\.0\.0\.1:(\d+)\/$/.exec(line);
    assert.ok(match, `the server did not start: ${line}`);
    this.port = Number(match[1]);
    this.origin = `http://127.0.0.1:${this.port}`;
  }

  /** Stops the server; afterwards its address refuses connections. */
  async stop() {
    this.child.kill("SIGTERM");
    await this.exited;
    assert.equal(await reachable(this.port), false, "the server is really gone");
  }

  /** Kills page server and relay at once, without a goodbye. */
  async kill() {
    this.child.kill("SIGKILL");
    await this.exited;
    assert.equal(await reachable(this.port), false, "the server is really gone");
    if (this.p2pPort) assert.equal(await reachable(Number(this.p2pPort)), false, "the relay is really gone");
  }

  /** Starts the server at the same address again, perhaps with another page. */
  async restart(dist = this.dist) {
    await this.launch(dist, this.port);
  }
}

// ---- the browser ----

/** Processes that work on this profile, as `{pid, group}`. */
function processesOf(profile) {
  const list = execFileSync("ps", ["-A", "-ww", "-o", "pid=,pgid=,args="], { encoding: "utf8", maxBuffer: 1 << 26 });
  return list
    .split("\n")
    .filter((line) => line.includes(profile) && line.includes("--user-data-dir"))
    .map((line) => line.trim().split(/\s+/))
    .map(([pid, group]) => ({ pid: Number(pid), group: Number(group) }));
}

/** What a page may log on the console in any test. */
const HARMLESS = [/\[Report Only\]/];

export class Browser {
  /** A browser with a profile on disk; `profile` brings back an earlier one, `flags` are more flags of Chromium. */
  static async start(t, { profile, width = 1280, height = 900, colorScheme = "light", flags = [], ...options } = {}) {
    const browser = new Browser();
    browser.profile = profile ?? (await temporaryFolder(t, "profile"));
    browser.context = await chromium.launchPersistentContext(browser.profile, {
      executablePath: CHROMIUM,
      headless: true,
      args: [...FLAGS, ...flags],
      viewport: { width, height },
      colorScheme,
      locale: "en-GB",
      ...options,
    });
    browser.context.setDefaultTimeout(PATIENCE);
    browser.complaints = [];
    browser.warnings = [];
    browser.allowed = [...HARMLESS];
    browser.alive = true;
    browser.context.on("page", (page) => browser.watch(page));
    browser.context.pages().forEach((page) => browser.watch(page));
    t.after(() => browser.close());
    return browser;
  }

  watch(page) {
    page.on("console", (message) => {
      if (message.type() === "warning") this.warnings.push(message.text());
      if (message.type() === "error") this.complaints.push(`${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => this.complaints.push(String(error.stack ?? error)));
    page.on("crash", () => this.complaints.push("the page crashed"));
  }

  /** Console errors that match are expected. */
  allow(...patterns) {
    this.allowed.push(...patterns);
  }

  unexpected() {
    return this.complaints.filter((text) => !this.allowed.some((pattern) => pattern.test(text)));
  }

  assertQuiet() {
    assert.deepEqual(this.unexpected(), [], "nothing unexpected on the console");
  }

  /** A new tab with the app running in it. */
  async open(url) {
    const blank = this.context.pages().find((page) => page.url() === "about:blank");
    const page = blank ?? (await this.context.newPage());
    await page.goto(url);
    await eventuallyReady(page);
    return page;
  }

  /** Kills all processes of the browser, as a power cut would: none sends a goodbye. */
  async killHard() {
    const before = processesOf(this.profile);
    assert.ok(before.length > 0, "the browser was running");
    for (const group of new Set(before.map((process) => process.group))) process.kill(-group, "SIGKILL");
    this.alive = false;
    await eventually("the browser's processes are gone", () => processesOf(this.profile).length === 0);
    await this.context.close().catch(() => {});
  }

  async close() {
    if (!this.alive) return;
    this.alive = false;
    await this.context.close().catch(() => {});
    for (const { pid } of processesOf(this.profile)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself in between.
      }
    }
  }
}

/**
 * Starts a browser with a profile of its own and opens the app at `path`. `username` is registered at once; `script` runs
 * before each page does; the other options are those of `Browser.start`. What a browser logs when the relay or a peer is
 * gone fails no test.
 */
export async function startUser(t, server, { username, path = "/", script, ...options } = {}) {
  const browser = await Browser.start(t, options);
  browser.allow(...GONE);
  if (script) await browser.context.addInitScript(script);
  const page = await browser.open(`${server.origin}${path}`);
  if (username) assert.equal(await apiValue(page, "registerUsername", username), true);
  return { username, browser, page };
}

/** Waits until the program runs and has opened its store. */
export async function eventuallyReady(page) {
  await page.waitForFunction(() => typeof globalThis.genRegistry?.ready === "function");
  await apiValue(page, "ready");
  await page.locator("#boot").waitFor({ state: "detached" });
}

/** Waits until the service worker is active; checks that it stores every file that the page needs without the server. */
export async function eventuallyOfflineReady(page) {
  await page.evaluate(async () => {
    const registration = await navigator.serviceWorker.ready;
    if (registration.active.state !== "activated") {
      await new Promise((resolve) => registration.active.addEventListener("statechange", resolve, { once: true }));
    }
  });
  const listed = await page.evaluate(async () => {
    const text = await (await fetch("/sw.js")).text();
    return JSON.parse(text.split("/*assets:*/")[1].split("/*:assets*/")[0].replace(/,(\s*\])/g, "$1"))
      .map(([path]) => path);
  });
  assert.ok(listed.length > 5, "the worker has a list of files");
  const missing = await page.evaluate(async (paths) => {
    const found = await Promise.all(paths.map((path) => caches.match(path)));
    return paths.filter((_, at) => !found[at]);
  }, listed);
  assert.deepEqual(missing, [], "every file of the list is kept");
}

// ---- what a user does ----

export async function claim(page, name) {
  await page.getByTestId("name-input").fill(name);
  await page.locator('[data-testid="name-verdict"][data-state="available"]').waitFor();
  await page.getByTestId("claim").click();
}

/** Waits until the app confirms in a toast that contains `text`. */
export async function eventuallyConfirmed(page, text, timeout = PATIENCE) {
  await page.getByTestId("toast").filter({ hasText: text }).first().waitFor({ timeout });
}

/** What Chromium's inspector says of a promise that it can't wait for any more. */
const LOST_PROMISE = /promise was garbage collected/;
/** So many outcomes are kept in a page. */
const OUTCOMES_KEPT = 16;
let calls = 0;

/**
 * Calls the JavaScript API; a refusal comes back as `{ code, message }`. Chromium 148 sometimes loses the promise of a call
 * when it collects garbage in a page that starts, though the call goes on (seen with `ready`, which resolved). The page
 * keeps the outcomes of its last calls, and such a call's is read there.
 */
export async function api(page, method, ...values) {
  const call = calls++;
  try {
    return await page.evaluate(
      async ([call, most, method, values]) => {
        const outcomes = (globalThis.outcomesOfCalls ??= new Map());
        const keep = (outcome) => {
          outcomes.set(call, outcome);
          if (outcomes.size > most) outcomes.delete(outcomes.keys().next().value);
          return outcome;
        };
        try {
          return keep({ value: await globalThis.genRegistry[method](...values) });
        } catch (error) {
          return keep({ code: error.code, message: error.message });
        }
      },
      [call, OUTCOMES_KEPT, method, values],
    );
  } catch (error) {
    if (!LOST_PROMISE.test(error.message)) throw error;
    return eventually(`${method} ends`, () => page.evaluate((call) => globalThis.outcomesOfCalls?.get(call), call));
  }
}

export async function apiValue(page, method, ...values) {
  const answer = await api(page, method, ...values);
  // Not only a refusal, which has a code.
  assert.equal(answer.message, undefined, `${method}: ${answer.message}`);
  return answer.value;
}

/** Whether the page says that it is the tab that writes. */
export async function isWriter(page) {
  const chip = page.getByTestId("status-chip");
  // Each click asks again; the answer may be that of the click before.
  for (let clicks = 0; clicks < 2; clicks += 1) await chip.click();
  return /This tab\s*Writes/.test(await page.locator("#status-popover").textContent());
}

/** Has the page show the recovery words, and returns them. */
export async function showWords(page) {
  await page.getByTestId("recovery-show").first().click();
  const rows = page.getByTestId("recovery-words").locator("li");
  await rows.nth(23).waitFor();
  const words = (await rows.allInnerTexts()).map((word) => word.replace(/[^a-z]/g, ""));
  assert.equal(words.length, 24);
  return words;
}

/** The bytes of a backup that a script asks for and the person gives, with a passphrase of theirs. */
export async function exportBackup(page, passphrase) {
  const file = page.evaluate(async () => [...(await globalThis.genRegistry.exportBackup())]);
  const dialog = page.getByTestId("backup-request");
  const typed = dialog
    .getByTestId("backup-export-passphrase")
    .fill(passphrase)
    .then(() => dialog.getByTestId("backup-export").click());
  // A failure of either is the failure of both.
  const [bytes] = await Promise.all([file, typed]);
  return bytes;
}

/** Publishes a module; `draft` as the script interface has it, `bytes` the file. */
export function publish(page, draft, bytes) {
  return page.evaluate(async ([draft, base64]) => {
    const wasm = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return globalThis.genRegistry.publish({ ...draft, wasm });
  }, [draft, Buffer.from(bytes).toString("base64")]);
}

// ---- peers ----

/** What a browser logs on its console when relay and server are gone; it can't be silenced. */
export const GONE = [/ERR_CONNECTION_REFUSED/, /WebSocket connection to .* failed/, /ERR_CONNECTION_RESET/];

/** Waits until the page has at least `count` direct connections. */
export async function eventuallyHasPeers(page, count) {
  await eventually(`${count} peers`, async () => (await apiValue(page, "getPeerCount")) >= count);
}

/** Waits until the page's registry has a holder of the name; returns the holder. */
export async function eventuallyKnowsName(page, name, patience = PATIENCE) {
  return eventually(`${name} is known`, () => apiValue(page, "lookupUsername", name), patience);
}

// ---- what a page costs ----

/** Has a page note its long tasks (`tasks`, in ms) and its memory from the start. Call it before the page is opened. */
export async function watchCost(page) {
  await page.addInitScript(() => {
    globalThis.tasks = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) globalThis.tasks.push(entry.duration);
    }).observe({ type: "longtask", buffered: true });
    for (const way of ["instantiate", "instantiateStreaming"]) {
      const original = WebAssembly[way].bind(WebAssembly);
      WebAssembly[way] = async (...values) => {
        const made = await original(...values);
        globalThis.wasmMemory ??= (made.instance ?? made).exports.memory;
        return made;
      };
    }
  });
}

/** Bytes of a watched page: its JavaScript after a collection, and its WebAssembly, which never shrinks. */
export async function memoryOf(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const bytes = await page.evaluate(() => ({
    script: performance.memory.usedJSHeapSize, wasm: globalThis.wasmMemory.buffer.byteLength,
  }));
  await session.detach();
  return bytes;
}

/** Bytes of the browser's pages with all their workers, as the system counts them: shared pages in parts. Linux only. */
export async function residentOf(browser) {
  const list = execFileSync("ps", ["-A", "-ww", "-o", "pid=,args="], { encoding: "utf8", maxBuffer: 1 << 26 });
  const pages = list.split("\n").filter((line) => line.includes(browser.profile) && line.includes("--type=renderer"));
  let bytes = 0;
  for (const line of pages) {
    const rollup = await readFile(`/proc/${line.trim().split(/\s+/)[0]}/smaps_rollup`, "utf8").catch(() => "");
    bytes += 1024 * Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
  }
  return bytes;
}

// ---- the store, seen from outside ----

/** The name of the database of the profile that the page has open. */
export async function profileDatabase(page) {
  const { topic } = await apiValue(page, "getNetwork");
  return `gen-registry-${topic}`;
}

/** Deletes the profile's database under the page that has it open. */
export async function deleteDatabase(page) {
  const outcome = await page.evaluate((name) => new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve("deleted");
    request.onerror = () => resolve("failed");
  }), await profileDatabase(page));
  assert.equal(outcome, "deleted");
}

/** Puts the first `people` of the built crowd into the profile's store, beside the app. Reload the page afterwards. */
export async function crowd(page, people) {
  const all = (await readFile(path.join(required("GEN_REGISTRY_CACHE"), "people.jsonl"), "utf8")).trim().split("\n");
  const chosen = new Set(all.filter((line) => line.startsWith('["people"')).slice(0, people).map((line) => JSON.parse(line)[1]));
  const lines = all.filter((line) => {
    const [table, key] = line.slice(2, 100).split('"').filter((part) => part !== ",");
    return table !== "settings" && chosen.has(key.split("/")[0].slice(0, 64));
  });
  await fillStore(page, lines);
}

/**
 * Puts records into the profile's store, beside the app, as `tests/support/records.rs` writes them: a line for each, which
 * is `[table, key, base-16 bytes]`. Reload the page afterwards.
 */
export async function fillStore(page, lines) {
  for (let at = 0; at < lines.length; at += 2000) {
    await page.evaluate(async ([lines, name]) => {
      const done = (request) => new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
      const database = await done(indexedDB.open(name));
      const entries = lines.map((line) => JSON.parse(line));
      const transaction = database.transaction([...new Set(entries.map(([table]) => table))], "readwrite");
      for (const [table, key, hex] of entries) {
        const bytes = Uint8Array.from({ length: hex.length / 2 }, (_, n) => parseInt(hex.substr(2 * n, 2), 16));
        transaction.objectStore(table).put(bytes, key);
      }
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      database.close();
    }, [lines.slice(at, at + 2000), await profileDatabase(page)]);
  }
}

/** Every key of one object store. */
export async function storedKeys(page, table) {
  return page.evaluate(async ([table, name]) => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await done(indexedDB.open(name));
    try {
      return await done(database.transaction(table).objectStore(table).getAllKeys());
    } finally {
      database.close();
    }
  }, [table, await profileDatabase(page)]);
}

/** The bytes of one record in hex, or null. */
export async function storedBytes(page, table, key) {
  return page.evaluate(async ([table, key, name]) => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await done(indexedDB.open(name));
    try {
      const value = await done(database.transaction(table).objectStore(table).get(key));
      return value === undefined ? null : [...new Uint8Array(value)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    } finally {
      database.close();
    }
  }, [table, key, await profileDatabase(page)]);
}
