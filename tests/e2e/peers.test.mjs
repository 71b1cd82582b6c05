// The two test scripts of the registry of seed 001, with real processes: several browsers, each with a profile of its own,
// and the relay; and what happens when the relay is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, GONE, Server, api, apiValue, eventually, hasPeers, offlineReady, party as anybody, sees } from "./harness.mjs";

async function party(t, server, name) {
  return { name, ...await anybody(t, server) };
}

test("three users, comprehensive", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob, charlie] = await Promise.all(["Alice", "Bob", "Charlie"].map((name) => party(t, server, name)));
  const all = [alice, bob, charlie];
  await Promise.all(all.map(({ page }) => hasPeers(page, 2)));

  // Whoever looks at the list sees people come, without doing anything.
  await charlie.page.goto(`${server.origin}/people`);
  await hasPeers(charlie.page, 2);

  // Individual registrations, each in the own registry.
  const seenByBob = bob.page.evaluate((name) => new Promise((resolve) => {
    const look = async () => {
      const found = await globalThis.genRegistry.lookupUsername(name);
      if (found) resolve(performance.timeOrigin + performance.now());
    };
    globalThis.genRegistry.on("change", look);
  }), "alice_smith");
  const started = await alice.page.evaluate(async () => {
    const at = performance.timeOrigin + performance.now();
    const done = await globalThis.genRegistry.registerUsername("alice_smith", { displayName: "Alice" });
    if (!done) throw new Error("refused");
    return at;
  });
  const took = (await seenByBob) - started;
  t.diagnostic(`Bob saw the claim after ${Math.round(took)} ms`);

  await charlie.page.getByTestId("person-row").filter({ hasText: "alice_smith" }).waitFor();

  // Look-ups in other registries.
  const found = await sees(bob.page, "alice_smith");
  assert.equal(found.displayName, "Alice");
  await bob.page.goto(`${server.origin}/u/alice_smith`);
  await bob.page.locator("main").getByText("Alice", { exact: true }).first().waitFor();
  await hasPeers(bob.page, 2);

  // A name is taken across all registries.
  await sees(charlie.page, "alice_smith");
  assert.equal(await apiValue(charlie.page, "registerUsername", "alice_smith"), false);
  assert.equal(await apiValue(charlie.page, "registerUsername", "Alice-Smith"), false, "and so are its look-alikes");
  await charlie.page.goto(`${server.origin}/welcome?step=name`);
  await charlie.page.getByTestId("name-input").fill("alice_smith");
  await charlie.page.locator('[data-testid="name-verdict"][data-state="taken"]').waitFor();
  await hasPeers(charlie.page, 2);

  // All names of all registries.
  assert.equal(await apiValue(bob.page, "registerUsername", "bob_jones", { displayName: "Bob" }), true);
  assert.equal(await apiValue(charlie.page, "registerUsername", "charlie_brown", { displayName: "Charlie" }), true);
  for (const { name, page } of all) {
    const listed = await eventually(`${name} lists three`, async () => {
      const people = await apiValue(page, "listAllUsernames");
      return people.length === 3 && people;
    });
    assert.deepEqual(listed.map((person) => person.username), ["alice_smith", "bob_jones", "charlie_brown"]);
  }

  // Unknown names.
  for (const { page } of all) assert.equal(await apiValue(page, "lookupUsername", "nobody_here"), null);

  // The relay is killed; what stands between the browsers stays.
  await server.kill();
  await eventually("the relay is missed", async () =>
    (await apiValue(alice.page, "getNetwork")).relays.every((relay) => !relay.connected));
  assert.equal((await api(bob.page, "updateProfile", { username: "bob_later" })).code, undefined);
  for (const { page } of all) await sees(page, "bob_later");
  assert.ok((await apiValue(alice.page, "getPeers")).length >= 2, "the direct connections stay");

  // It comes back, and so does everybody's way to newcomers.
  await server.restart();
  const dora = await party(t, server, "Dora");
  await hasPeers(dora.page, 1);
  assert.equal((await sees(dora.page, "bob_later")).displayName, "Bob");
  for (const { page } of all) {
    const { rejections } = await apiValue(page, "getNetwork");
    assert.deepEqual(rejections, [], "nobody broke a rule");
  }
  for (const { browser } of all) browser.assertQuiet();
});

test("two users, simple", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all(["Alice", "Bob"].map((name) => party(t, server, name)));
  // Both before they meet: each writes to their own registry.
  assert.equal(await apiValue(alice.page, "registerUsername", "alice"), true);
  assert.equal(await apiValue(bob.page, "registerUsername", "bob"), true);
  assert.ok(!(await sees(alice.page, "bob")).mine);
  assert.ok(!(await sees(bob.page, "alice")).mine);
  assert.equal((await apiValue(alice.page, "listAllUsernames")).length, 2);
  const [peer] = await apiValue(alice.page, "getPeers");
  assert.ok(peer.brought > 0, "the peer brought something");
  await eventually("the chip counts the peer", async () =>
    /1 peer/.test(await alice.page.getByTestId("status-chip").innerText()));
  await alice.page.goto(`${server.origin}/network`);
  await alice.page.getByTestId("peers").locator("li").first().waitFor();
  alice.browser.assertQuiet();
  bob.browser.assertQuiet();
});

test("a name is provisional without a witness and confirmed by the first one met", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const { witnesses, threshold } = await (await fetch(`${server.origin}/network.json`)).json();
  assert.equal(witnesses.length, 1);
  assert.equal(threshold, 1);
  const alice = await party(t, server, "Alice");
  await offlineReady(alice.page);
  const { profile } = alice.browser;
  await alice.browser.close();
  await server.kill();

  const browser = await Browser.start(t, { profile });
  browser.allow(...GONE);
  const page = await browser.open(`${server.origin}/me`);
  assert.equal((await apiValue(page, "setupUser", "alice")).nameStatus, "provisional");
  await page.getByText("Provisional").first().waitFor();
  await server.restart();
  await page.getByText("Confirmed").first().waitFor();
  const bob = await party(t, server, "Bob");
  const seen = await eventually("Bob sees it confirmed", async () => {
    const found = await apiValue(bob.page, "lookupUsername", "alice");
    return found?.status === "confirmed" && found;
  });
  assert.equal(seen.username, "alice");
  browser.assertQuiet();
  bob.browser.assertQuiet();
});
