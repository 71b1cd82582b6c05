// Following and blocking in two real browsers: what one publishes the other hears of, once; who is blocked is out of sight,
// and the list reaches the person's other device.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Server, apiValue, eventually, hasPeers, party, publish, ready, sees } from "./harness.mjs";
import { adder } from "./wasm.mjs";

test("who follows is told, and who is blocked is out of sight on every device", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all([party(t, server), party(t, server)]);
  await Promise.all([alice, bob].map(({ page }) => hasPeers(page, 1)));
  await apiValue(alice.page, "setupUser", "alice");
  await apiValue(bob.page, "setupUser", "bob");
  await sees(alice.page, "bob");

  // Followed on the person's page, told at the bell.
  await alice.page.goto(`${server.origin}/u/bob`);
  await hasPeers(alice.page, 1);
  await alice.page.getByTestId("follow").click();
  await alice.page.locator('[data-testid="follow"][aria-pressed="true"]').waitFor();
  await publish(bob.page, { name: "adder", version: "1.0.0", description: "Adds two numbers" }, adder("add"));
  await alice.page.getByTestId("bell").filter({ hasText: "2" }).waitFor();
  await alice.page.getByTestId("bell").click();
  await alice.page.getByTestId("notices").getByText("bob released adder 1.0.0").waitFor();
  await alice.page.getByTestId("notices").getByText("bob took the module name adder").waitFor();
  await alice.page.goBack();
  await eventually("what was on show is read", async () => (await apiValue(alice.page, "getNotices")).unread === 0);

  // A peer's number stands with its reasons where the peers are.
  await alice.page.goto(`${server.origin}/network`);
  await hasPeers(alice.page, 1);
  await alice.page.getByTestId("reputation").getByText(/brought .* new change/).waitFor();
  const [peer] = await apiValue(alice.page, "getPeers");
  assert.ok(peer.reputation.score > 0.5, `${peer.reputation.score}`);
  const asked = await apiValue(alice.page, "getReputation", peer.id);
  assert.deepEqual(asked.reasons.map(({ kind }) => kind), ["brought"]);
  assert.ok(Math.abs(asked.score - peer.reputation.score) < 0.01, "acts fade, but not that fast");

  // Blocked: the name stays, everything else is out of sight.
  await alice.page.goto(`${server.origin}/u/bob`);
  await ready(alice.page);
  await alice.page.getByTestId("block").click();
  await alice.page.getByText("You blocked this person").waitFor();
  assert.deepEqual((await apiValue(alice.page, "listAllUsernames")).map(({ username }) => username), ["alice"]);
  await assert.rejects(apiValue(alice.page, "install", "adder"), /blocked/);
  await alice.page.goto(`${server.origin}/blocklist`);
  await alice.page.getByTestId("blocked").getByRole("link", { name: "bob" }).waitFor();

  // The person's other device blocks, too; and what is taken back there is taken back here.
  const passphrase = "correct horse battery";
  const backup = await alice.page.evaluate(async (words) =>
    Array.from(await globalThis.genRegistry.exportBackup(words)), passphrase);
  const other = await party(t, server);
  await hasPeers(other.page, 1);
  await other.page.evaluate(([bytes, words]) =>
    globalThis.genRegistry.importBackup(new Uint8Array(bytes), words).then(() => null), [backup, passphrase]);
  // The list may be here before the name: a blocked person's name is still learned, from whoever knows it.
  const [row] = await eventually("the list has come, and the name", async () => {
    const { rows } = await apiValue(other.page, "getLists");
    return rows.length === 1 && rows[0].username !== null && rows;
  });
  assert.deepEqual([row.username, row.verdict], ["bob", "block"]);
  await other.page.goto(`${server.origin}/blocklist`);
  await other.page.getByRole("button", { name: "Take off bob" }).click();
  await other.page.getByText("Nobody and nothing.").waitFor();
  await alice.page.getByText("Nobody and nothing.").waitFor();
  await eventually("bob is back", async () => (await apiValue(alice.page, "listAllUsernames")).length === 2);
  other.browser.assertQuiet();
  alice.browser.assertQuiet();
  bob.browser.assertQuiet();
});
