// Two users claim one name while their parts of the network are separated. Afterwards every page shows the same holder, for
// the same reason.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Server, apiValue, eventually, eventuallyConfirmed, eventuallyHasPeers, eventuallyKnowsName, eventuallyOfflineReady, startUser,
} from "./harness.mjs";

/** `PARTITION_ROUNDS=10 make test-e2e ONE=partition` plays more. */
const ROUNDS = Number(process.env.PARTITION_ROUNDS ?? 4);

/** The holder of a name and its status, as a page has them. */
async function verdict(page, name) {
  const holder = await apiValue(page, "lookupUsername", name);
  return holder && { holder: holder.did, status: holder.status };
}

/** Gives up the name that a user goes by, in the page. Without witnesses it is free at once. */
async function giveUp({ page }, server) {
  await page.goto(`${server.origin}/me`);
  await page.getByTestId("release").click();
  await page.getByTestId("release-confirm").click();
  await eventuallyConfirmed(page, "is given up");
}

test("a name claimed on both sides of a partition gets one holder, again and again, in both orders", async (t) => {
  // Without witnesses the dates decide, so the test knows the winner.
  const server = await Server.start(t, { p2p: true, more: ["--no-witness"] });
  const open = (profile) => startUser(t, server, { path: "/people", profile });
  const alice = await open();
  const bob = await open();
  let charlie = await open();
  await Promise.all([alice, bob, charlie].map(({ page }) => eventuallyOfflineReady(page)));
  await apiValue(alice.page, "setupUser", "alice", { bio: "of the north" });
  await apiValue(bob.page, "setupUser", "bob");
  await apiValue(charlie.page, "setupUser", "charlie", { bio: "of the south" });
  for (const { page } of [alice, bob, charlie]) for (const name of ["alice", "bob", "charlie"]) await eventuallyKnowsName(page, name);

  for (let round = 0; round < ROUNDS; round += 1) {
    const name = `nova_${"abcdefghij"[round]}`;
    for (const { page } of [alice, bob, charlie]) await eventuallyHasPeers(page, 2);
    // Charlie is cut off: no server, no relay, and no direct connection after a new start.
    const { profile } = charlie.browser;
    charlie.browser.assertQuiet();
    await charlie.browser.close();
    await server.kill();
    charlie = await open(profile);
    assert.equal(await apiValue(charlie.page, "getPeerCount"), 0, "Charlie is really alone");
    await eventuallyHasPeers(alice.page, 1);

    const [first, second] = round % 2 === 0 ? [alice, charlie] : [charlie, alice];
    await apiValue(first.page, "updateProfile", { username: name });
    await apiValue(second.page, "updateProfile", { username: name });
    const before = await apiValue(second.page, "whoami");
    assert.equal(before.username, name, "each holds it on its own side");
    assert.equal((await apiValue(first.page, "whoami")).username, name);
    await eventuallyKnowsName(bob.page, name);
    assert.equal(await apiValue(charlie.page, "getPeerCount"), 0, "and was alone all the time");

    await bob.page.evaluate(() => {
      globalThis.conflicts = [];
      globalThis.genRegistry.on("conflict", (event) => globalThis.conflicts.push(event));
    });
    await server.restart();
    await eventuallyHasPeers(charlie.page, 1);
    const winner = (await apiValue(first.page, "whoami")).did;
    for (const { page } of [alice, bob, charlie]) {
      await eventually(`one holder of ${name}`, async () => {
        const seen = await verdict(page, name);
        return seen?.holder === winner && seen.status === "provisional";
      });
    }
    await eventually("scripts receive the conflict", async () => {
      const conflicts = await bob.page.evaluate(() => globalThis.conflicts);
      return conflicts.some((event) => event.name === name && event.holder === winner && event.losers.length === 1);
    });
    // The same reason on every page.
    const reasons = [];
    for (const { page } of [alice, bob, charlie]) {
      await page.goto(`${server.origin}/u/${name}`);
      reasons.push(await page.locator(".contest li").innerText());
    }
    assert.equal(new Set(reasons.map((text) => text.replace(/claimed .*?\. /, ""))).size, 1, reasons.join("\n"));

    // The loser is notified, keeps everything else, and goes by the name of before.
    const after = await eventually("the loser is notified", async () => {
      const me = await apiValue(second.page, "whoami");
      return me.lostName && me;
    });
    assert.equal(after.lostName.name, name);
    assert.equal(after.lostName.holder.did, winner);
    assert.equal(after.did, before.did);
    assert.deepEqual(after.profile, before.profile);
    assert.equal(after.username, second === alice ? "alice" : "charlie");
    await second.page.getByText(`The name ${name} is not yours.`).first().waitFor();
    // An identity holds only so many names.
    await giveUp(first, server);
  }
  for (const { browser } of [alice, bob, charlie]) browser.assertQuiet();
});
