// What a fresh page needs to know somebody who has used the registry daily for fifty years: `make bench-elder`. The servers
// with the network's witnesses are real, and so is WebRTC; her records, and the books of the witnesses, are written by
// tests/elder. The same page in the same network while it is empty is the peer of every figure.
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Browser, GONE, Server, apiValue, eventually, eventuallyReady, fillStore, memoryOf, residentOf, storedBytes, storedKeys, watchCost } from "../e2e/harness.mjs";

/** The folder that `elder FOLDER YEARS` wrote. */
const ELDER = process.env.ELDER;
const FETCHED_MAX_MIB = 5;
const MEMORY_MAX_MIB = 64;
const PATIENCE = 300_000;
const MIB = 1_048_576;
const cleanUp = [];
const story = { after: (act) => cleanUp.push(act) };
const round = (value) => Math.round(value * 100) / 100;

/** A fresh profile whose connections, memory and tasks are watched from the first moment. */
async function watched(address) {
  const browser = await Browser.start(story);
  browser.allow(...GONE);
  const page = await browser.context.newPage();
  await watchCost(page);
  await page.addInitScript(() => {
    globalThis.connections = [];
    globalThis.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(...values) {
        super(...values);
        globalThis.connections.push(this);
      }
    };
  });
  await page.goto(address);
  await eventuallyReady(page);
  await eventually("a peer is connected", async () => (await apiValue(page, "getPeerCount")) > 0);
  await page.evaluate(() => (globalThis.connectedAt = performance.now()));
  return { browser, page };
}

/** What came through all data channels: the pieces with all that encrypts, frames and compares them. */
function received(page) {
  return page.evaluate(async () => {
    let bytes = 0;
    for (const connection of globalThis.connections) {
      for (const report of (await connection.getStats()).values()) {
        if (report.type === "data-channel") bytes += report.bytesReceived;
      }
    }
    return bytes;
  });
}

/** Of one page: its JavaScript after a collection, its WebAssembly, which never shrinks, and the whole process. */
async function measure({ browser, page }) {
  const longest = await page.evaluate(() => Math.max(0, ...globalThis.tasks));
  return { ...await memoryOf(page), longest, fetched: await received(page), process: await residentOf(browser) };
}

/** What a page keeps of what she says of modules; the rest of the record says when it came. */
async function said(page) {
  for (const key of await storedKeys(page, "people")) {
    const record = Buffer.from(await storedBytes(page, "people", key), "hex").toString("latin1");
    if (record.includes("reviewed-0")) return record.slice(record.indexOf("annotations"), record.indexOf("updated_at"));
  }
  assert.fail("nothing is stored of her");
}

const distinct = (text, pattern) => new Set(text.match(pattern)).size;

try {
  const folder = await mkdtemp(path.join(os.tmpdir(), "gen-registry-elder-"));
  story.after(() => rm(folder, { recursive: true, force: true }));
  await cp(ELDER, folder, { recursive: true });
  const elder = JSON.parse(await readFile(path.join(folder, "elder.json"), "utf8"));
  console.log(`seed ${elder.seed}, ${elder.years} years: ${elder.installs} installs, ${elder.releases} releases, ${elder.reviews} reviews, ${elder.devices} devices`);
  const one = await Server.start(story, {
    p2p: true, data: path.join(folder, "witness-0"), more: ["--network", path.join(folder, "network.json")],
  });
  const two = await Server.start(story, { p2p: true, data: path.join(folder, "witness-1"), more: ["--network", one.origin] });

  // Two fresh pages in the empty network.
  const host = await Browser.start(story);
  host.allow(...GONE);
  await host.open(two.origin);
  const lonely = await watched(`${two.origin}/u/anna_smith`);
  await eventually("its service worker is ready", () => lonely.page.evaluate(async () => (await navigator.serviceWorker.ready).active.state === "activated"));
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const empty = await measure(lonely);
  await lonely.browser.close();
  await host.close();

  const author = await Browser.start(story);
  author.allow(...GONE);
  const hers = await author.open(two.origin);
  await fillStore(hers, (await readFile(path.join(folder, "elder.jsonl"), "utf8")).trim().split("\n"));
  await hers.reload();
  await eventuallyReady(hers);

  const fresh = await watched(`${two.origin}/u/anna_smith`);
  const { page } = fresh;
  await page.getByText(`day ${elder.lastDay}`).first().waitFor({ timeout: PATIENCE });
  const shown = await page.evaluate(() => performance.now() - globalThis.connectedAt);
  const versions = async (page) => (await apiValue(page, "getModule", elder.module))?.versions.length;
  await eventually("every release is shown", async () => (await versions(page)) === elder.releases, PATIENCE);
  const complete = await page.evaluate(() => performance.now() - globalThis.connectedAt);
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const full = await measure(fresh);

  // It has what she has, and shows it.
  const kept = await said(page);
  assert.equal(kept, await said(hers));
  assert.equal(distinct(kept, /reviewed-\d+/g), elder.reviews);
  for (const [name, downloads] of Object.entries(elder.shownInstalls)) {
    const { opinion } = await apiValue(page, "getModule", name);
    assert.equal(opinion.downloads + opinion.downloadsApart, downloads, name);
  }
  for (const name of elder.shownReviews) {
    const { reviews } = await apiValue(page, "getModule", name);
    assert.deepEqual(reviews.map(({ author }) => author.did), [elder.did], name);
  }
  assert.deepEqual((await apiValue(page, "getNetwork")).rejections, []);

  // She goes on, with her words on a new device, and the witnesses of all the years confirm it.
  await hers.goto(`${two.origin}/settings#restore`);
  await eventuallyReady(hers);
  await hers.getByTestId("restore-phrase").fill(elder.words);
  await hers.getByTestId("restore").click();
  await eventually("the identity is here", async () => (await apiValue(hers, "listDevices")).holdsKey, PATIENCE);
  await hers.evaluate(async ([name, wasm]) => {
    await globalThis.genRegistry.publish({ name, version: "99.0.0", wasm: Uint8Array.from(wasm) });
    await globalThis.genRegistry.updateProfile({ bio: "still here" });
  }, [elder.module, [0, 97, 115, 109, 1, 0, 0, 0]]);
  const newest = await eventually("the next release is confirmed", async () => {
    const { versions } = await apiValue(page, "getModule", elder.module);
    return versions.length === elder.releases + 1 && versions.find(({ version, status }) => version === "99.0.0" && status === "confirmed");
  }, PATIENCE);
  await page.getByText("still here").first().waitFor({ timeout: PATIENCE });

  const row = (what, { script, wasm, process, fetched, longest }) => ({
    page: what,
    "fetched (MiB)": round(fetched / MIB),
    "WebAssembly (MiB)": round(wasm / MIB),
    "JavaScript heap (MiB)": round(script / MIB),
    "process with workers (MiB)": round(process / MIB),
    "longest task (ms)": round(longest),
  });
  const more = Object.fromEntries(Object.keys(full).map((key) => [key, full[key] - empty[key]]));
  console.table([row("in an empty network", empty), row("with her", full), row("for her", more)]);
  console.log(`her profile is shown ${round(shown)} ms after the first connection, all releases after ${round(complete)} ms`);
  console.log(`what is stored of her: ${round(elder.entryBytes / MIB)} MiB of entries, ${round(elder.receiptBytes / MIB)} MiB of receipts`);
  console.log(`published at the end: ${newest.version}, ${newest.status}`);
  assert.ok(more.fetched <= FETCHED_MAX_MIB * MIB, "too much is fetched");
  assert.ok(more.script + more.wasm <= MEMORY_MAX_MIB * MIB, "too much memory is needed");
  fresh.browser.assertQuiet();
  author.assertQuiet();
} finally {
  for (const act of cleanUp.reverse()) await act();
}
