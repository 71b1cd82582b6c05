// Modules are found by any word of their description, at once and without the network.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Server, apiValue, eventually, eventuallyHasPeers, eventuallyOfflineReady, publish as publishModule, startUser,
} from "./harness.mjs";
import { adder } from "./wasm.mjs";

const publish = (page, draft) => publishModule(page, draft, adder("add"));

const names = async (page, query, options) =>
  (await apiValue(page, "search", query, options)).modules.map((card) => card.name);

/** Waits until the index answers; before that names are compared letter by letter. */
const eventuallyIndexed = (page) => eventually("the index is ready", async () => (await apiValue(page, "search", "x")).complete);

const loaded = (page) => page.evaluate(() =>
  performance.getEntriesByType("resource").map((entry) => new URL(entry.name).pathname).filter((path) => path.includes("search")));

test("modules are found by a word of the description, despite a typing error, and offline after a restart", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [{ browser: alice, page: one }, { browser: bob, page: other }] = await Promise.all([0, 1].map(() => startUser(t, server)));
  await Promise.all([eventuallyHasPeers(one, 1), eventuallyHasPeers(other, 1)]);
  assert.equal(await apiValue(one, "registerUsername", "alice_smith"), true);
  await publish(one, { name: "svg-renderer", version: "1.0.0", description: "Draws vector graphics into pixels", tags: ["svg"] });
  await publish(one, { name: "crc32", version: "1.0.0", description: "The check sum of Ethernet" });
  await eventuallyOfflineReady(other);
  await eventually("Bob has both", async () => (await apiValue(other, "listModules")).total === 2);
  assert.deepEqual(await loaded(other), [], "nothing of the index is loaded before the first search");

  // By hand: the field of the list, results while typing, the text in the address.
  await other.getByRole("link", { name: "Modules" }).first().click();
  await other.getByTestId("modules-search").pressSequentially("pixels");
  const row = other.getByTestId("module-row");
  await other.waitForURL(/\/modules\?q=pixels$/);
  await eventually("one is left", async () => (await row.count()) === 1);
  assert.match(await row.innerText(), /svg-renderer/);
  // The rows of the finished index: what comes later may not take the focus away.
  await eventuallyIndexed(other);
  await other.keyboard.press("ArrowDown");
  assert.match(await other.evaluate(() => document.activeElement.getAttribute("href")), /\/m\/svg-renderer$/);
  await other.keyboard.press("ArrowUp");
  assert.equal(await other.evaluate(() => document.activeElement.id), "modules-search");

  assert.deepEqual(await names(other, "vectr graphics"), ["svg-renderer"], "a typing error is tolerated");
  assert.deepEqual(await names(other, "ether"), ["crc32"], "the last word may be unfinished");
  assert.deepEqual(await names(other, "", { filters: { tag: "svg" } }), ["svg-renderer"]);
  assert.deepEqual((await apiValue(other, "search", "alice")).people.map((person) => person.username), ["alice_smith"]);
  await apiValue(one, "describeModule", "crc32", { description: "A polynomial" });
  await eventually("the new text is found", async () => (await names(other, "polynomial")).length === 1);
  assert.deepEqual(await names(other, "ethernet"), [], "and the old text is not");

  await server.kill();
  await alice.close();
  await bob.close();
  const { browser: again, page } = await startUser(t, server, { profile: bob.profile });
  assert.equal(await apiValue(page, "getPeerCount"), 0);
  await page.goto(`${server.origin}/modules?q=graphics`);
  await page.getByTestId("module-row").filter({ hasText: "svg-renderer" }).waitFor();
  await eventuallyIndexed(page);
  assert.deepEqual(await names(page, "vectr graphics"), ["svg-renderer"]);
  again.assertQuiet();
});
