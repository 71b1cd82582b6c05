// Registration and lookup across the registries of several users, with real browsers and the relay, also while the relay
// is down.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  PATIENCE_AFTER_RESTART, Server, api, apiValue, eventually, eventuallyHasPeers, eventuallyKnowsName,
  eventuallyOfflineReady, startUser,
} from "./harness.mjs";

test("three users register, look up and list names, also while the relay is down", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob, charlie] = await Promise.all([0, 1, 2].map(() => startUser(t, server)));
  const all = [alice, bob, charlie];
  await Promise.all(all.map(({ page }) => eventuallyHasPeers(page, 2)));

  // The list of people follows by itself.
  await charlie.page.goto(`${server.origin}/people`);
  await eventuallyHasPeers(charlie.page, 2);

  // Registrations, each in the own registry.
  await bob.page.evaluate((name) => {
    globalThis.foundAt = new Promise((resolve) => {
      globalThis.genRegistry.on("change", async () => {
        const found = await globalThis.genRegistry.lookupUsername(name);
        if (found) resolve(performance.timeOrigin + performance.now());
      });
    });
  }, "alice_smith");
  const started = await alice.page.evaluate(async () => {
    const at = performance.timeOrigin + performance.now();
    const done = await globalThis.genRegistry.registerUsername("alice_smith", { displayName: "Alice" });
    if (!done) throw new Error("refused");
    return at;
  });
  const took = (await bob.page.evaluate(() => globalThis.foundAt)) - started;
  t.diagnostic(`Bob had the claim after ${Math.round(took)} ms`);

  await charlie.page.getByTestId("person-row").filter({ hasText: "alice_smith" }).waitFor();

  // Look-ups in other registries.
  const found = await eventuallyKnowsName(bob.page, "alice_smith");
  assert.equal(found.displayName, "Alice");
  await bob.page.goto(`${server.origin}/u/alice_smith`);
  await bob.page.locator("main").getByText("Alice", { exact: true }).first().waitFor();
  await eventuallyHasPeers(bob.page, 2);

  // A name is taken across all registries.
  await eventuallyKnowsName(charlie.page, "alice_smith");
  assert.equal(await apiValue(charlie.page, "registerUsername", "alice_smith"), false);
  assert.equal(await apiValue(charlie.page, "registerUsername", "Alice-Smith"), false, "and so are its look-alikes");
  await charlie.page.goto(`${server.origin}/welcome?step=name`);
  await charlie.page.getByTestId("name-input").fill("alice_smith");
  await charlie.page.locator('[data-testid="name-verdict"][data-state="taken"]').waitFor();
  await eventuallyHasPeers(charlie.page, 2);

  // All names of all registries.
  assert.equal(await apiValue(bob.page, "registerUsername", "bob_jones", { displayName: "Bob" }), true);
  assert.equal(await apiValue(charlie.page, "registerUsername", "charlie_brown", { displayName: "Charlie" }), true);
  for (const { page } of all) {
    const listed = await eventually("three people are listed", async () => {
      const people = await apiValue(page, "listAllUsernames");
      return people.length === 3 && people;
    });
    assert.deepEqual(listed.map((person) => person.username), ["alice_smith", "bob_jones", "charlie_brown"]);
  }

  // Unknown names.
  for (const { page } of all) assert.equal(await apiValue(page, "lookupUsername", "nobody_here"), null);

  // Names as they are pasted: what came along is taken off, and what is no name is not "unknown".
  for (const text of ["@alice_smith", "\u202Aalice_smith\u202C", "alice_smith\u200B", "\uFF20alice_smith"]) {
    assert.equal((await apiValue(bob.page, "lookupUsername", text)).username, "alice_smith", JSON.stringify(text));
  }
  const hyphenated = await api(bob.page, "lookupUsername", "alice_\u00ADsmith");
  assert.equal(hyphenated.code, "nameInvalid");
  assert.match(hyphenated.message, /invisible character U\+00AD/);
  const tab = await bob.browser.open(`${server.origin}/u/alice_%C2%ADsmith`);
  await tab.getByText("invisible character U+00AD").waitFor();
  await tab.close();

  // The relay is killed; the direct connections stay.
  await server.kill();
  await eventually("the relay is missed", async () =>
    (await apiValue(alice.page, "getNetwork")).relays.every((relay) => !relay.connected));
  assert.equal((await api(bob.page, "updateProfile", { displayName: "Bob again" })).code, undefined);
  for (const { page } of all) {
    await eventually("the change arrives", async () => (await apiValue(page, "lookupUsername", "bob_jones")).displayName === "Bob again");
  }
  // A name waits for a witness.
  const wanted = await apiValue(bob.page, "updateProfile", { username: "bob_later" });
  assert.deepEqual([wanted.username, wanted.nextUsername], ["bob_jones", "bob_later"]);
  assert.ok((await apiValue(alice.page, "getPeers")).length >= 2, "the direct connections stay");

  // It comes back, the witness with it, and newcomers can connect again.
  await server.restart();
  for (const { page } of all) await eventuallyKnowsName(page, "bob_later", PATIENCE_AFTER_RESTART);
  const dora = await startUser(t, server);
  await eventuallyHasPeers(dora.page, 1);
  assert.equal((await eventuallyKnowsName(dora.page, "bob_later")).displayName, "Bob again");
  for (const { page } of all) {
    const { rejections } = await apiValue(page, "getNetwork");
    assert.deepEqual(rejections, [], "no peer broke a rule");
  }
  for (const { browser } of all) browser.assertQuiet();
});

test("two users who register before they meet see each other", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all([0, 1].map(() => startUser(t, server)));
  // Each writes to the own registry, perhaps before they are connected.
  assert.equal(await apiValue(alice.page, "registerUsername", "alice"), true);
  assert.equal(await apiValue(bob.page, "registerUsername", "bob"), true);
  assert.ok(!(await eventuallyKnowsName(alice.page, "bob")).mine);
  assert.ok(!(await eventuallyKnowsName(bob.page, "alice")).mine);
  assert.equal((await apiValue(alice.page, "listAllUsernames")).length, 2);
  await eventually("the peer's changes are counted", async () => (await apiValue(alice.page, "getPeers"))[0].brought > 0);
  await eventually("the chip counts the peer", async () =>
    /1 peer/.test(await alice.page.getByTestId("status-chip").innerText()));
  await alice.page.goto(`${server.origin}/network`);
  await alice.page.getByTestId("peers").locator("li").first().waitFor();
  alice.browser.assertQuiet();
  bob.browser.assertQuiet();
});

test("a name is wanted without a witness, and confirmed by the first witness that it reaches", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const alice = await startUser(t, server);
  const { witnesses, threshold } = await apiValue(alice.page, "getNetwork");
  assert.deepEqual([witnesses.length, threshold], [1, 1]);
  await eventuallyOfflineReady(alice.page);
  const { profile } = alice.browser;
  await alice.browser.close();
  await server.kill();

  const { browser, page } = await startUser(t, server, { profile, path: "/me" });
  assert.equal((await apiValue(page, "setupUser", "alice")).nameStatus, "intent");
  await page.getByText("Wanted").first().waitFor();
  await server.restart();
  await page.getByText("Confirmed").first().waitFor({ timeout: PATIENCE_AFTER_RESTART });
  const bob = await startUser(t, server);
  const seen = await eventually("Bob has it confirmed", async () => {
    const found = await apiValue(bob.page, "lookupUsername", "alice");
    return found?.status === "confirmed" && found;
  });
  assert.equal(seen.username, "alice");
  browser.assertQuiet();
  bob.browser.assertQuiet();
});
