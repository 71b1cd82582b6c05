// A module travels from one user's disk to another user's browser, is verified there, and works without a network.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import { test } from "node:test";
import {
  Server, api, apiValue, eventually, eventuallyHasPeers, eventuallyOfflineReady, eventuallyReady, publish, residentOf,
  startUser,
} from "./harness.mjs";
import { adder, asking, growingTable, hog, importer, manyMemories, manyTables, spinner } from "./wasm.mjs";

/** A real module of 2.4 MB: an SVG renderer. */
const RENDERER = createRequire(import.meta.url).resolve("@resvg/resvg-wasm/index_bg.wasm");

const digestOf = (page, name, version) => page.evaluate(async ([name, version]) => {
  const bytes = await globalThis.genRegistry.readModule(name, version);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}, [name, version]);

const installed = async (page) =>
  (await apiValue(page, "listInstalled")).map(({ name, version }) => `${name} ${version}`);

/** What a run may make the page's process larger by, in MiB: its 64, and what the engine and a second copy need. */
const RUN_MOST_MIB = 256;

/** The outcome of an action, and by how many MiB the browser's pages were larger at most meanwhile. */
async function mostResident(browser, act) {
  const before = await residentOf(browser);
  let [most, over] = [before, false];
  const acting = act().finally(() => (over = true));
  while (!over) {
    most = Math.max(most, await residentOf(browser));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { outcome: await acting, more: Math.round((most - before) / 2 ** 20) };
}

test("a module is published, found, installed, and run offline", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob, charlie] = await Promise.all([0, 1, 2].map(() => startUser(t, server)));
  await Promise.all([alice, bob, charlie].map(({ page }) => eventuallyHasPeers(page, 2)));
  await Promise.all([bob, charlie].map(({ page }) => eventuallyOfflineReady(page)));
  await bob.page.evaluate(() => {
    globalThis.received = new Set();
    globalThis.genRegistry.subscribe(({ event }) => globalThis.received.add(event));
  });

  const renderer = await readFile(RENDERER);
  assert.ok(renderer.length > 1_000_000 && renderer.length < 3_000_000, `${renderer.length} bytes`);
  assert.equal(await apiValue(alice.page, "registerUsername", "alice_smith"), true);
  await publish(alice.page, { name: "adder", version: "2.1.0", description: "Adds two numbers" }, adder("add"));
  await publish(alice.page, { name: "summer", version: "1.2.0", dependencies: { adder: ">=2.0.0" } }, adder("sum"));
  const published = await publish(alice.page, {
    name: "svg-renderer",
    version: "2.6.2",
    dependencies: { summer: "^1.0.0" },
    description: "Draws vector graphics into pixels",
    tags: ["graphics", "svg"],
  }, renderer);
  assert.equal(published.size, renderer.length);

  // Found by a word of its description.
  await eventually("Bob finds it", async () => {
    const found = await apiValue(bob.page, "search", "pixels");
    return found.complete && found.modules[0]?.name === "svg-renderer";
  });
  const plan = await apiValue(bob.page, "resolve", { "svg-renderer": "*" });
  assert.deepEqual(plan.steps.map((step) => step.name), ["adder", "summer", "svg-renderer"], "what is needed comes first");
  const order = bob.page.evaluate(() => new Promise((resolve) => {
    const order = [];
    globalThis.genRegistry.on("install", ({ progress }) => {
      if (progress.stage === "installed") order.push(progress.name);
      if (order.length === 3) resolve(order);
    });
  }));
  await apiValue(bob.page, "install", "svg-renderer", "^2");
  assert.deepEqual(await order, ["adder", "summer", "svg-renderer"]);
  const received = await bob.page.evaluate(() => [...globalThis.received]);
  for (const event of ["installing", "modulesChanged"]) assert.ok(received.includes(event), `${event} is none of ${received}`);
  assert.deepEqual(await installed(bob.page), ["adder 2.1.0", "summer 1.2.0", "svg-renderer 2.6.2"]);
  assert.equal(await digestOf(bob.page, "svg-renderer", "2.6.2"), published.sha256);

  // Server, relay and author are gone. Charlie gets it from Bob.
  await eventuallyHasPeers(charlie.page, 2);
  await bob.page.evaluate(() => globalThis.received.clear());
  await server.kill();
  await alice.browser.killHard();
  await eventually("Alice is missed", async () => (await apiValue(charlie.page, "getPeerCount")) === 1);
  await eventually("Bob's script is notified", () => bob.page.evaluate(() => globalThis.received.has("networkChanged")));
  await apiValue(charlie.page, "install", "svg-renderer");
  assert.equal(await digestOf(charlie.page, "svg-renderer", "2.6.2"), published.sha256);

  // Bob's browser starts again without any peer.
  await charlie.browser.close();
  await bob.browser.close();
  const again = await startUser(t, server, { profile: bob.browser.profile });
  assert.equal(await apiValue(again.page, "getPeerCount"), 0);
  const sum = await apiValue(again.page, "runExport", "adder", null, "add", [40, 2]);
  assert.deepEqual(sum.values, [{ kind: "i32", value: "42" }]);
  const place = await apiValue(again.page, "runExport", "svg-renderer", null, "__wbindgen_malloc", [16, 8]);
  assert.ok(Number(place.values[0].value) > 0, "the renderer gives memory");
  assert.deepEqual(await installed(again.page), ["adder 2.1.0", "summer 1.2.0", "svg-renderer 2.6.2"]);

  // Everything that has a WebAssembly program of its own works offline, too: validating, publishing, readmes and lockfiles.
  const report = await again.page.evaluate(() => globalThis.genRegistry.validateModule(new Uint8Array(9).fill(1)));
  assert.equal(report.outcomes.at(-1).problem.problem, "notWasm");
  const lockfile = await apiValue(again.page, "exportLockfile");
  assert.match(lockfile, /name = "svg-renderer"/);
  assert.equal((await apiValue(again.page, "importLockfile", lockfile)).length, 3);
  await publish(again.page, { name: "bobs-adder", version: "1.0.0", readme: "Adds *two* numbers" }, adder("add"));
  assert.equal((await api(again.page, "install", "bobs-adder")).code, "unknownModule", "its name waits for a witness");

  // The server comes back, and its witness confirms what was published meanwhile.
  await server.restart();
  await eventually("it is confirmed", async () =>
    (await apiValue(again.page, "getModule", "bobs-adder"))?.versions[0]?.status === "confirmed");
  await apiValue(again.page, "install", "bobs-adder");
  assert.equal((await installed(again.page)).length, 4);
  await again.page.goto(`${server.origin}/m/bobs-adder`);
  await again.page.locator(".markdown em").filter({ hasText: "two" }).waitFor();
  again.browser.assertQuiet();
});

test("an endless function and one that takes all memory are stopped, and the page stays responsive", async (t) => {
  const server = await Server.start(t);
  const { browser, page } = await startUser(t, server);
  await publish(page, { name: "spinner", version: "1.0.0" }, spinner("spin"));
  await publish(page, { name: "hog", version: "1.0.0" }, hog("eat"));
  let over = false;
  const running = api(page, "runExport", "spinner", null, "spin", []).finally(() => (over = true));
  for (let times = 0; times < 3; times += 1) await apiValue(page, "whoami");
  assert.equal(over, false, "the page answers while the function runs");
  const ended = await running;
  assert.equal(ended.code, "runTimedOut", ended.message);

  const eaten = await apiValue(page, "runExport", "hog", null, "eat", []);
  const pages = Number(eaten.values[0].value);
  assert.ok(pages > 1_000 && pages <= 1_024, `${pages} pages of 64 KiB: up to 64 MiB, and no more`);

  const missing = await api(page, "runExport", "hog", null, "nothing", []);
  assert.equal(missing.code, "runFailed");
  const wrong = await api(page, "runExport", "hog", null, "eat", [1]);
  assert.equal(wrong.code, "runFailed");
  browser.assertQuiet();
});

test("all memories and tables of a run share one budget", async (t) => {
  const server = await Server.start(t);
  const { browser, page } = await startUser(t, server);
  await publish(page, { name: "many-memories", version: "1.0.0" }, manyMemories("fill", 48));
  await publish(page, { name: "growing-table", version: "1.0.0" }, growingTable("grow"));
  await publish(page, { name: "many-tables", version: "1.0.0" }, manyTables("touch", 60, 10_000_000));
  await publish(page, { name: "hog", version: "1.0.0" }, hog("eat"));
  await publish(page, { name: "two-hogs", version: "1.0.0", dependencies: { hog: "1" } }, hog("eat"));
  const number = async (name, function_) =>
    Number((await apiValue(page, "runExport", name, null, function_, [])).values[0].value);

  const pages = await mostResident(browser, () => number("many-memories", "fill"));
  assert.ok(pages.outcome > 1_024 - 48 && pages.outcome <= 1_024, `${pages.outcome} pages of 64 KiB in all`);
  const elements = await mostResident(browser, () => number("growing-table", "grow"));
  assert.equal(elements.outcome, 100_000);
  const tables = await mostResident(browser, () => api(page, "runExport", "many-tables", null, "touch", []));
  assert.equal(tables.outcome.code, "runFailed", JSON.stringify(tables.outcome));
  assert.match(tables.outcome.message, /100000 elements together; these begin with 600000000/);
  for (const [what, { more }] of Object.entries({ pages, elements, tables })) {
    t.diagnostic(`${what}: ${more} MiB more`);
    assert.ok(more < RUN_MOST_MIB, `${what}: ${more} MiB more`);
  }
  const half = await number("two-hogs", "eat");
  assert.ok(half > 490 && half <= 512, `${half} pages: the module that it needs has the other half`);
  browser.assertQuiet();
});

test("a module that imports more than it is granted is refused with the name of the import", async (t) => {
  const server = await Server.start(t);
  const { browser, page } = await startUser(t, server);
  const wishes = [["env", "fetch"], ["wasi_snapshot_preview1", "fd_write"], ["__proto__", "then"], ["thief", "steal"]];
  for (const [at, [from, wanted]] of wishes.entries()) {
    const wishing = importer("go", from, wanted);
    assert.deepEqual(
      WebAssembly.Module.imports(new WebAssembly.Module(wishing)), [{ module: from, name: wanted, kind: "function" }],
    );
    await publish(page, { name: `wish-${at}`, version: "1.0.0" }, wishing);
    const refused = await api(page, "runExport", `wish-${at}`, null, "go", []);
    assert.equal(refused.code, "runFailed", JSON.stringify(refused));
    assert.ok(refused.message.includes(`${from}.${wanted}, which no run is granted`), refused.message);
  }
  await publish(page, { name: "wish-memory", version: "1.0.0" }, importer("go", "env", "memory", { memory: true }));
  const apart = await api(page, "runExport", "wish-memory", null, "go", []);
  assert.equal(apart.code, "runFailed", JSON.stringify(apart));
  assert.match(apart.message, /can't be put together/);
  // Each run had a worker of its own.
  await publish(page, { name: "adder", version: "1.0.0" }, adder("add"));
  assert.deepEqual((await apiValue(page, "runExport", "adder", null, "add", [40, 2])).values, [{ kind: "i32", value: "42" }]);
  browser.assertQuiet();
});

test("the worker that runs modules has no network or storage access, and cannot regain it", async (t) => {
  const server = await Server.start(t);
  const { browser, page } = await startUser(t, server);
  const scopeOf = async (script, name = "") => {
    const came = page.waitForEvent("worker", (worker) => worker.url().endsWith(script));
    await page.evaluate(([script, name]) => {
      globalThis.held ??= [];
      globalThis.held.push(new Worker(script, { type: "module", name }));
    }, [script, name]);
    return came;
  };
  const ways = [
    "fetch", "XMLHttpRequest", "WebSocket", "EventSource", "WebTransport", "BroadcastChannel", "indexedDB", "caches",
    "importScripts", "Worker", "FontFace", "fonts", "navigator",
  ];
  const open = (worker) => worker.evaluate((ways) => {
    const found = [];
    for (let scope = self; scope !== null; scope = Object.getPrototypeOf(scope)) {
      for (const way of ways) {
        const own = Object.getOwnPropertyDescriptor(scope, way);
        if (own && (own.get || own.value !== undefined)) found.push(way);
      }
    }
    return [...new Set(found)].sort();
  }, ways);
  const other = await scopeOf("/worker.js", "js=/gen-registry-work.js&wasm=/gen-registry-work_bg.wasm");
  assert.deepEqual(await open(other), [...ways].sort(), "an ordinary worker of this browser has them all");
  const sandbox = await scopeOf("/sandbox.js");
  await eventually("the sandbox's script ran", async () => (await open(sandbox)).length < ways.length);
  assert.deepEqual(await open(sandbox), []);
  const back = await sandbox.evaluate((ways) => ways.filter((way) => {
    try {
      Object.defineProperty(self, way, { value: () => {} });
      return true;
    } catch {
      return delete self[way];
    }
  }), ways);
  assert.deepEqual(back, [], "and none can be put back");
  browser.assertQuiet();
});

test("by hand: publish, install, run, rate and withdraw", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all([0, 1].map(() => startUser(t, server)));
  await Promise.all([alice, bob].map(({ page }) => eventuallyHasPeers(page, 1)));
  assert.equal(await apiValue(alice.page, "registerUsername", "alice_smith"), true);

  // A file that is no module is refused, check by check, and nothing is published.
  const { page } = alice;
  await page.getByRole("link", { name: "Modules" }).first().click();
  await page.getByTestId("publish-link").click();
  await page.getByTestId("publish-file").setInputFiles({ name: "note.wasm", mimeType: "application/wasm", buffer: Buffer.from("a note") });
  await page.getByTestId("checks").getByText("this is no WebAssembly").waitFor();

  await page.getByTestId("publish-file").setInputFiles({
    name: "Quick Adder.wasm", mimeType: "application/wasm", buffer: Buffer.from(adder("add")),
  });
  assert.equal(await page.getByTestId("publish-name").inputValue(), "quick-adder");
  await page.getByText("quick-adder is free").waitFor();
  await page.getByTestId("publish-version").fill("1.0.0");
  await page.getByTestId("describe-description").fill("Adds two numbers");
  await page.getByTestId("describe-tags").fill("math, tiny");
  await page.getByTestId("publish-now").click();
  // One more look before the step that can't be taken back.
  await page.getByText("can’t be taken back").waitFor();
  assert.equal(await apiValue(page, "getModule", "quick-adder"), null);
  await page.getByTestId("publish-now").click();
  await page.getByTestId("published").waitFor();

  await bob.page.goto(`${server.origin}/modules?tag=tiny`);
  await bob.page.getByTestId("module-row").filter({ hasText: "quick-adder" }).click();
  await eventuallyHasPeers(bob.page, 1);
  await bob.page.getByTestId("install").click();
  await bob.page.getByTestId("install-plan").getByText("quick-adder").waitFor();
  await bob.page.getByTestId("install-now").click();
  await bob.page.getByTestId("installed-version").waitFor();
  await bob.page.getByTestId("run-numbers").fill("40, 2");
  await bob.page.getByTestId("run").click();
  await bob.page.getByTestId("run-outcome").getByText("42").waitFor();

  await bob.page.getByRole("radio", { name: "5" }).check();
  await bob.page.getByTestId("rate").click();
  // Bob has no confirmed name, so his rating stands apart and counts nowhere.
  const opinion = async () => (await apiValue(page, "getModule", "quick-adder")).opinion;
  await eventually("Alice has the rating", async () => (await opinion()).ratingsApart === 1);
  assert.deepEqual([(await opinion()).stars, (await opinion()).ratings], [null, 0]);
  await bob.page.getByTestId("ratings-apart").getByText("1 rating from people whose name is not confirmed").waitFor();

  await apiValue(page, "yank", "quick-adder", "1.0.0", "adds wrongly");
  await bob.page.goto(`${server.origin}/installed`);
  await bob.page.getByTestId("installed-row").getByText("adds wrongly").waitFor();
  await bob.page.getByRole("button", { name: "Remove" }).click();
  await bob.page.getByText("Nothing is installed yet.").waitFor();
  await bob.page.getByRole("button", { name: "Undo" }).click();
  await bob.page.getByTestId("installed-row").waitFor();
  for (const { browser } of [alice, bob]) browser.assertQuiet();
});

/** Makes a tab say that it is a window of the installed app, which a browser under test has none of. */
function inWindowOfTheApp() {
  const asked = globalThis.matchMedia;
  globalThis.matchMedia = (query) => (query.includes("display-mode") ? { matches: true } : asked.call(globalThis, query));
}

test("a file shared by another app opens in the publishing form", async (t) => {
  const server = await Server.start(t);
  const { browser, page } = await startUser(t, server);
  await eventuallyOfflineReady(page);
  await page.reload();
  await page.addInitScript(inWindowOfTheApp);
  // As the system would; the page's own policy lets no form of its own do it.
  await page.evaluate(async (bytes) => {
    const body = new FormData();
    body.append("file", new File([new Uint8Array(bytes)], "Shared One.wasm", { type: "application/wasm" }));
    await fetch("/publish", { method: "POST", body, redirect: "manual" });
  }, [...adder("add")]);
  await page.goto(`${server.origin}/publish?shared=1`);
  await page.getByRole("heading", { name: "Shared One.wasm" }).waitFor();
  assert.equal(await page.getByTestId("publish-name").inputValue(), "shared-one");
  browser.assertQuiet();
});

test("a file that another site posts is not taken", async (t) => {
  const server = await Server.start(t);
  const { browser, page } = await startUser(t, server);
  await eventuallyOfflineReady(page);
  await page.reload();
  const site = http.createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/html", "referrer-policy": request.url.slice(1) });
    response.end(`<form method="post" action="${server.origin}/publish" enctype="multipart/form-data"><input type="file" name="file"></form>`);
  });
  await new Promise((resolve) => site.listen(0, "localhost", resolve));
  t.after(() => site.close());
  const file = { name: "evil.wasm", mimeType: "application/wasm", buffer: Buffer.from(adder("add")) };
  const posted = async (policy, display) => {
    const from = await browser.context.newPage();
    if (display === "standalone") await from.addInitScript(inWindowOfTheApp);
    await from.goto(`http://localhost:${site.address().port}/${policy}`);
    await from.locator("input").setInputFiles(file);
    await from.evaluate(() => document.querySelector("form").submit());
    await from.waitForURL(`${server.origin}/publish**`);
    await eventuallyReady(from);
    await from.getByRole("heading", { name: "Publish" }).first().waitFor();
    // The file is taken while the program starts; what is left is the page's to show.
    await eventually("the cache is empty", () =>
      from.evaluate(async () => !(await (await caches.open("shared-file")).match("/shared-file"))));
    const taken = await from.evaluate(() => globalThis.genRegistryBoot.files.length);
    const shown = await from.getByText("evil.wasm").count();
    await from.close();
    return taken + shown > 0;
  };
  assert.equal(await posted("origin", "browser"), false, "a site that says who it is");
  assert.equal(await posted("origin", "standalone"), false, "the same, in a window of the app");
  assert.equal(await posted("no-referrer", "browser"), false, "a site that hides");
  browser.assertQuiet();
});

test("new imports of a dependency are accepted by hand, on the module's page and from a lockfile", async (t) => {
  const server = await Server.start(t);
  const { browser, page } = await startUser(t, server);
  await publish(page, { name: "base", version: "1.0.0" }, adder("add"));
  await publish(page, { name: "app", version: "1.0.0", dependencies: { base: "^1" } }, adder("sum"));
  await apiValue(page, "install", "app");
  const before = await apiValue(page, "exportLockfile");
  await publish(page, { name: "base", version: "1.1.0" }, asking("env", "read"));
  await publish(page, { name: "app", version: "1.1.0", dependencies: { base: "^1.1" } }, adder("sum"));

  await page.goto(`${server.origin}/m/app`);
  await page.getByTestId("install").click();
  await page.getByTestId("install-now").click();
  await page.getByText(/base 1\.1\.0 now asks for env\.read/i).waitFor();
  assert.deepEqual(await installed(page), ["app 1.0.0", "base 1.0.0"], "nothing was changed");
  // A change of the module redraws the page, and the user's dialog stays.
  await apiValue(page, "describeModule", "app", { title: "Sums" });
  await page.getByText("Sums", { exact: true }).waitFor();
  await page.getByTestId("accept-imports").click();
  await page.getByTestId("installed-version").filter({ hasText: "1.1.0 is on this device" }).waitFor();
  assert.deepEqual(await installed(page), ["app 1.1.0", "base 1.1.0"]);

  const after = await apiValue(page, "exportLockfile");
  await apiValue(page, "importLockfile", before);
  await page.goto(`${server.origin}/installed`);
  await page.locator('input[type="file"]').setInputFiles({ name: "a.toml", mimeType: "text/plain", buffer: Buffer.from(after) });
  await page.getByText(/base 1\.1\.0 now asks for env\.read/i).waitFor();
  assert.deepEqual(await installed(page), ["app 1.0.0", "base 1.0.0"]);
  await page.getByTestId("accept-imports").click();
  await page.getByTestId("toast").getByText("2 modules are installed").waitFor();
  assert.deepEqual(await installed(page), ["app 1.1.0", "base 1.1.0"]);
  await page.getByTestId("accept-imports").waitFor({ state: "detached" });
  browser.assertQuiet();
});
