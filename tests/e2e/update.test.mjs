// A new version is installed only when the user asks for it, completely or not at all.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { appendFile, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Browser, Server, copyOfDist, eventually, eventuallyOfflineReady, pack, eventuallyReady } from "./harness.mjs";

/** The same page with a mark in its start script, and with the program under a hash of its own. */
async function buildWith(t, mark) {
  const dist = await copyOfDist(t);
  await appendFile(path.join(dist, "start.mjs"), `\nwindow.buildMark = ${JSON.stringify(mark)};\n`);
  const hash = createHash("sha256").update(mark).digest("hex").slice(0, 16);
  for (const name of await readdir(dist)) {
    const renamed = name.replace(/^(gen-registry-web-)[0-9a-f]{10,16}/, `$1${hash}`);
    if (renamed !== name) await rename(path.join(dist, name), path.join(dist, renamed));
  }
  const index = path.join(dist, "index.html");
  await writeFile(index, (await readFile(index, "utf8")).replace(/(gen-registry-web-)[0-9a-f]{10,16}/g, `$1${hash}`));
  pack(dist);
  return dist;
}

async function buildId(dist) {
  return /\/\*build:\*\/"([0-9a-f]+)"/.exec(await readFile(path.join(dist, "sw.js"), "utf8"))[1];
}

const runningBuild = (page) => page.evaluate(() => window.buildMark);
const shells = (page) =>
  page.evaluate(async () => (await caches.keys()).filter((name) => name.startsWith("shell-")));
const askForUpdate = (page) => page.evaluate(() => window.genRegistryBoot.checkForUpdate());

test("a new build waits for the user, then runs without a mix of files", async (t) => {
  const [distA, distB] = [await buildWith(t, "A"), await buildWith(t, "B")];
  assert.notEqual(await buildId(distA), await buildId(distB), "the builds differ");
  const server = await Server.start(t, { dist: distA });
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  await eventuallyOfflineReady(page);
  assert.equal(await runningBuild(page), "A");

  await server.stop();
  await server.restart(distB);
  await askForUpdate(page);
  await page.getByTestId("update-bar").waitFor();
  assert.equal(await runningBuild(page), "A", "nothing changed by itself");
  await page.goto(`${server.origin}/people`);
  await eventuallyReady(page);
  assert.equal(await runningBuild(page), "A", "not even by going elsewhere");

  await page.getByTestId("update-bar").waitFor();
  await page.getByTestId("update-reload").click();
  await eventually("the new build runs", async () => (await runningBuild(page)) === "B");
  await eventuallyReady(page);
  await eventually("the new build's copy is the page's own", async () =>
    (await shells(page)).includes(`shell-${await buildId(distB)}`));

  // What the page is made of now is what build B consists of.
  const list = JSON.parse((await readFile(path.join(distB, "sw.js"), "utf8"))
    .split("/*assets:*/")[1].split("/*:assets*/")[0].replace(/,(\s*\])/g, "$1"));
  const hashes = await page.evaluate(async (paths) => {
    const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return Promise.all(paths.map(async (path) => {
      const body = await (await fetch(path)).arrayBuffer();
      return [path, hex(await crypto.subtle.digest("SHA-256", body))];
    }));
  }, list.map(([file]) => file));
  assert.deepEqual(hashes, list, "no file of another build is served");
  assert.equal(await page.getByTestId("update-bar").count(), 0);
  browser.assertQuiet();
});

test("a tab of the old build keeps working beside the new one", async (t) => {
  const [distA, distB] = [await buildWith(t, "A"), await buildWith(t, "B")];
  const server = await Server.start(t, { dist: distA });
  const browser = await Browser.start(t);
  const old = await browser.open(server.origin);
  await eventuallyOfflineReady(old);
  const other = await browser.open(`${server.origin}/people`);
  await server.stop();
  await server.restart(distB);
  await askForUpdate(other);
  await other.getByTestId("update-reload").click();
  await eventually("the other tab runs the new build", async () => (await runningBuild(other)) === "B");

  assert.equal(await runningBuild(old), "A", "this tab was not reloaded under the person's hands");
  const { js, wasm } = await old.evaluate(() => window.genRegistryBoot.assets);
  assert.equal((await fetch(`${server.origin}${js}`)).status, 404, "the server has the old files no more");
  for (const file of [js, wasm]) {
    assert.equal(await old.evaluate(async (url) => (await fetch(url, { cache: "no-store" })).status, file), 200, `${file} is still there`);
  }
  await old.getByTestId("update-bar").waitFor();
  await old.getByTestId("update-reload").click();
  await eventually("the old tab follows when asked", async () => (await runningBuild(old)) === "B");
  browser.assertQuiet();
});

test("an incomplete build is not installed", async (t) => {
  const [distA, distB] = [await buildWith(t, "A"), await buildWith(t, "B")];
  const server = await Server.start(t, { dist: distA });
  const browser = await Browser.start(t);
  browser.allow(/404/, /start\.mjs/);
  const page = await browser.open(server.origin);
  await eventuallyOfflineReady(page);
  const before = await shells(page);

  const failures = [
    ["a file is missing", async () => {
      await rm(path.join(distB, "start.mjs"));
      await rm(path.join(distB, "start.mjs.br"), { force: true });
    }],
    ["a file is of another build", async () => writeFile(path.join(distB, "start.mjs"), "window.buildMark = 'C';")],
  ];
  for (const [what, spoil] of failures) {
    await spoil();
    await server.stop();
    await server.restart(distB);
    const outcome = await page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      const worker = new Promise((resolve) =>
        registration.addEventListener("updatefound", () => resolve(registration.installing), { once: true }));
      await registration.update().catch(() => {});
      const installing = await worker;
      if (installing.state === "installing") {
        await new Promise((resolve) => installing.addEventListener("statechange", resolve, { once: true }));
      }
      return installing.state;
    });
    assert.equal(outcome, "redundant", `${what}: the new worker was tried and given up`);
    assert.deepEqual(await shells(page), before, `${what}: the old copy is as it was`);
    assert.equal(await page.getByTestId("update-bar").count(), 0);
    await page.reload();
    await eventuallyReady(page);
    assert.equal(await runningBuild(page), "A", `${what}: the old build goes on`);
  }
  browser.assertQuiet();
});
