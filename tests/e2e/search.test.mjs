// Modules are found by any word that is said of them, at once and without anybody else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, GONE, Server, apiValue, eventually, hasPeers, offlineReady } from "./harness.mjs";
import { adder } from "./wasm.mjs";

const publish = (page, draft) => page.evaluate(async ([draft, base64]) => {
  const wasm = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return globalThis.genRegistry.publish({ ...draft, wasm });
}, [draft, Buffer.from(adder("add")).toString("base64")]);

const names = async (page, query, options) =>
  (await apiValue(page, "search", query, options)).modules.map((card) => card.name);

/** Found by the index, not by letters. */
const indexed = (page) => eventually("the index is ready", async () => (await apiValue(page, "search", "x")).complete);

const loaded = (page) => page.evaluate(() =>
  performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname).filter((path) => path.includes("search")));

test("found by a word of the description, by a slip of the hand, and offline after a restart", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const alice = await Browser.start(t);
  const bob = await Browser.start(t);
  for (const browser of [alice, bob]) browser.allow(...GONE);
  const [one, other] = [await alice.open(server.origin), await bob.open(server.origin)];
  await Promise.all([hasPeers(one, 1), hasPeers(other, 1)]);
  assert.equal(await apiValue(one, "registerUsername", "alice_smith"), true);
  await publish(one, { name: "svg-renderer", version: "1.0.0", description: "Draws vector graphics into pixels", tags: ["svg"] });
  await publish(one, { name: "crc32", version: "1.0.0", description: "The check sum of Ethernet" });
  await offlineReady(other);
  await eventually("Bob heard of both", async () => (await apiValue(other, "listModules")).total === 2);
  assert.deepEqual(await loaded(other), [], "nothing of the index is loaded before the first search");

  // By hand: the field of the list, results while typing, the text in the address.
  await other.getByRole("link", { name: "Modules" }).first().click();
  await other.getByTestId("modules-search").pressSequentially("pixels");
  const row = other.getByTestId("module-row");
  await other.waitForURL(/\/modules\?q=pixels$/);
  await eventually("one is left", async () => (await row.count()) === 1);
  assert.match(await row.innerText(), /svg-renderer/);
  await other.keyboard.press("ArrowDown");
  assert.match(await other.evaluate(() => document.activeElement.getAttribute("href")), /\/m\/svg-renderer$/);
  await other.keyboard.press("ArrowUp");
  assert.equal(await other.evaluate(() => document.activeElement.id), "modules-search");

  await indexed(other);
  assert.deepEqual(await names(other, "vectr graphics"), ["svg-renderer"], "a slip is forgiven");
  assert.deepEqual(await names(other, "ether"), ["crc32"], "the last word may be unfinished");
  assert.deepEqual(await names(other, "", { filters: { tag: "svg" } }), ["svg-renderer"]);
  assert.deepEqual((await apiValue(other, "search", "alice")).people.map((person) => person.username), ["alice_smith"]);
  await apiValue(one, "describeModule", "crc32", { description: "A polynomial" });
  await eventually("what is new is found", async () => (await names(other, "polynomial")).length === 1);
  assert.deepEqual(await names(other, "ethernet"), [], "and what was is not");

  await server.kill();
  await alice.close();
  await bob.close();
  const again = await Browser.start(t, { profile: bob.profile });
  again.allow(...GONE);
  const page = await again.open(server.origin);
  assert.equal(await apiValue(page, "getPeerCount"), 0);
  await page.goto(`${server.origin}/modules?q=graphics`);
  await page.getByTestId("module-row").filter({ hasText: "svg-renderer" }).waitFor();
  await indexed(page);
  assert.deepEqual(await names(page, "vectr graphics"), ["svg-renderer"]);
  again.assertQuiet();
});
