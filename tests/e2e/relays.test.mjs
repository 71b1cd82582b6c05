// Relays that come back with another key, and networks of more relays than a page uses.
import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import {
  Browser, GONE, Server, apiValue, eventually, eventuallyHasPeers, eventuallyKnowsName, startUser, temporaryFolder,
} from "./harness.mjs";

const relaysOf = async (page) => (await apiValue(page, "getNetwork")).relays;

const networkOf = async (server) => (await fetch(`${server.origin}/network.json`)).json();

test("a relay that comes back with a new key is found by a page that stayed open", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const alice = await startUser(t, server, { username: "alice_smith" });
  const charlie = await startUser(t, server, { username: "charlie" });
  // Both may dial at the same time, and one of two connections is closed: what they say to each other goes over the other.
  await eventuallyKnowsName(alice.page, "charlie");
  await eventuallyKnowsName(charlie.page, "alice_smith");
  const [before] = (await networkOf(server)).relays;
  await eventually("she has the relay", async () => (await relaysOf(alice.page)).some(({ connected }) => connected));
  const since = (await apiValue(alice.page, "getNetwork")).peers[0].since;
  await server.kill();
  await eventually("the relay is missed", async () => (await relaysOf(alice.page)).every(({ connected }) => !connected));
  await rm(path.join(server.relay[server.relay.indexOf("--data") + 1], "relay.key"));
  await server.restart();
  const [after] = (await networkOf(server)).relays;
  assert.notEqual(after, before);
  assert.equal(after.split("/p2p/")[0], before.split("/p2p/")[0], "the same address");

  await eventually("she has the relay again", async () =>
    (await relaysOf(alice.page)).some(({ address, connected }) => connected && address === after), 120_000);
  assert.equal((await apiValue(alice.page, "getNetwork")).peers[0].since, since, "and left nobody for that");
  const bob = await startUser(t, server, { username: "bob_jones" });
  await eventuallyKnowsName(alice.page, "bob_jones");
  await eventuallyKnowsName(bob.page, "alice_smith");
  await eventuallyKnowsName(charlie.page, "bob_jones");
});

test("two pages that use different relays of a network meet, each over relays that it does not use", async (t) => {
  const first = await Server.start(t, { p2p: true });
  const others = [];
  for (let number = 0; number < 3; number++) {
    others.push(await Server.start(t, { p2p: true, more: ["--network", first.origin] }));
  }
  // One server hands out the page, and names them all.
  const network = await networkOf(first);
  const relays = new Set(network.relays);
  for (const other of others) for (const relay of (await networkOf(other)).relays) relays.add(relay);
  assert.equal(relays.size, 4);
  const file = path.join(await temporaryFolder(t, "network"), "network.json");
  await writeFile(file, JSON.stringify({ ...network, relays: [...relays] }));
  const server = await Server.start(t, { more: ["--network", file] });

  /** A new page, and the relays that it uses. */
  const opened = async () => {
    const browser = await Browser.start(t);
    browser.allow(...GONE);
    const page = await browser.open(server.origin);
    const used = await eventually("two relays are used", async () => {
      const used = (await relaysOf(page)).filter(({ used, reserved }) => used && reserved);
      return used.length === 2 && used.map(({ address }) => address);
    });
    return { browser, page, used };
  };
  const alice = await opened();
  let bob = await opened();
  // One of six chooses the two relays that Alice does not use.
  while (bob.used.some((relay) => alice.used.includes(relay))) {
    await bob.browser.close();
    bob = await opened();
  }
  await apiValue(alice.page, "registerUsername", "alice_smith");
  await apiValue(bob.page, "registerUsername", "bob_jones");
  await eventuallyHasPeers(alice.page, 1);
  await eventuallyKnowsName(alice.page, "bob_jones");
  await eventuallyKnowsName(bob.page, "alice_smith");
  for (const { page, used } of [alice, bob]) {
    await eventually("no other relay stays connected", async () =>
      (await relaysOf(page)).every(({ address, connected }) => !connected || used.includes(address)));
  }
});
