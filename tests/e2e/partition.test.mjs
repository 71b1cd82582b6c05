// Two people claim one name while they can't hear of each other. After healing everybody sees one holder, for one reason.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, GONE, Server, apiValue, eventually, hasPeers, offlineReady, sees } from "./harness.mjs";

const ROUNDS = 10;

/** What a page says of a name, for comparing. */
async function verdict(page, name) {
  const holder = await apiValue(page, "lookupUsername", name);
  return holder && { holder: holder.did, status: holder.status };
}

test("a name claimed on both sides of a partition, ten times, both orders", async (t) => {
  // Without witnesses the dates decide, so the story knows who must win.
  const server = await Server.start(t, { p2p: true, more: ["--no-witness"] });
  const open = async (profile) => {
    const browser = await Browser.start(t, { profile });
    browser.allow(...GONE);
    return { browser, page: await browser.open(`${server.origin}/people`) };
  };
  const alice = await open();
  const bob = await open();
  let charlie = await open();
  await Promise.all([alice, bob, charlie].map(({ page }) => offlineReady(page)));
  await apiValue(alice.page, "setupUser", "alice", { bio: "of the north" });
  await apiValue(bob.page, "setupUser", "bob");
  await apiValue(charlie.page, "setupUser", "charlie", { bio: "of the south" });
  for (const { page } of [alice, bob, charlie]) for (const name of ["alice", "bob", "charlie"]) await sees(page, name);

  for (let round = 0; round < ROUNDS; round += 1) {
    const name = `nova_${"abcdefghij"[round]}`;
    for (const { page } of [alice, bob, charlie]) await hasPeers(page, 2);
    // Charlie is cut off: no server, no relay, and no direct connection after a new start.
    const { profile } = charlie.browser;
    charlie.browser.assertQuiet();
    await charlie.browser.close();
    await server.kill();
    charlie = await open(profile);
    assert.equal(await apiValue(charlie.page, "getPeerCount"), 0, "Charlie is really alone");
    await hasPeers(alice.page, 1);

    const [first, second] = round % 2 === 0 ? [alice, charlie] : [charlie, alice];
    await apiValue(first.page, "updateProfile", { username: name });
    await apiValue(second.page, "updateProfile", { username: name });
    const before = await apiValue(second.page, "whoami");
    assert.equal(before.username, name, "each believes to hold it");
    assert.equal((await apiValue(first.page, "whoami")).username, name);
    await sees(bob.page, name);
    assert.equal(await apiValue(charlie.page, "getPeerCount"), 0, "and was alone all the time");

    await bob.page.evaluate(() => {
      globalThis.conflicts = [];
      globalThis.genRegistry.on("conflict", (event) => globalThis.conflicts.push(event));
    });
    await server.restart();
    await hasPeers(charlie.page, 1);
    const winner = (await apiValue(first.page, "whoami")).did;
    for (const { page } of [alice, bob, charlie]) {
      await eventually(`one holder of ${name}`, async () => {
        const seen = await verdict(page, name);
        return seen?.holder === winner && seen.status === "contested";
      });
    }
    const told = await bob.page.evaluate(() => globalThis.conflicts);
    assert.ok(told.some((event) => event.name === name && event.holder === winner && event.losers.length === 1),
      `the conflict was told to scripts: ${JSON.stringify(told)}`);
    // The same reason on every page.
    const reasons = [];
    for (const { page } of [alice, bob, charlie]) {
      await page.goto(`${server.origin}/u/${name}`);
      reasons.push(await page.locator(".contest li").innerText());
    }
    assert.equal(new Set(reasons.map((text) => text.replace(/claimed .*?\. /, ""))).size, 1, reasons.join("\n"));

    // The loser is told, keeps everything else, and takes another name for the next round.
    const after = await eventually("the loser is told", async () => {
      const me = await apiValue(second.page, "whoami");
      return me.lostName && me;
    });
    assert.equal(after.lostName.name, name);
    assert.equal(after.lostName.holder.did, winner);
    assert.equal(after.did, before.did);
    assert.deepEqual(after.profile, before.profile);
    await second.page.getByText(name).first().waitFor();
    await apiValue(second.page, "registerUsername", `after_${"abcdefghij"[round]}`);
  }
  for (const { browser } of [alice, bob, charlie]) browser.assertQuiet();
});
