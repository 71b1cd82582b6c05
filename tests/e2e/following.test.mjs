// Following and blocking in real browsers: a follower is notified once of what the followed person publishes; a blocked
// person is hidden, and the blocklist reaches the user's other devices.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Server, apiValue, eventually, eventuallyHasPeers, eventuallyKnowsName, eventuallyReady, exportBackup, publish,
  startUser,
} from "./harness.mjs";
import { adder } from "./wasm.mjs";

test("a follower is notified, and a blocked person is hidden on every device", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all([startUser(t, server), startUser(t, server)]);
  await Promise.all([alice, bob].map(({ page }) => eventuallyHasPeers(page, 1)));
  await apiValue(alice.page, "setupUser", "alice");
  await apiValue(bob.page, "setupUser", "bob");
  await eventuallyKnowsName(alice.page, "bob");

  // Followed on the person's page, notified at the bell.
  await alice.page.goto(`${server.origin}/u/bob`);
  await eventuallyHasPeers(alice.page, 1);
  await alice.page.getByTestId("follow").click();
  await alice.page.locator('[data-testid="follow"][aria-pressed="true"]').waitFor();
  await publish(bob.page, { name: "adder", version: "1.0.0", description: "Adds two numbers" }, adder("add"));
  await alice.page.getByTestId("bell").filter({ hasText: "2" }).waitFor();
  await alice.page.getByTestId("bell").click();
  await alice.page.getByTestId("notices").getByText("@bob released adder 1.0.0").waitFor();
  await alice.page.getByTestId("notices").getByText("bob took the module name adder").waitFor();
  await alice.page.goBack();
  await eventually("the notices that were shown count as read", async () => (await apiValue(alice.page, "getNotices")).unread === 0);

  // A peer's reputation is shown with its reasons where the peers are. It is stored once a second, so the last second may
  // be missing after a page was loaded again: Bob changes something while this page is open.
  await alice.page.goto(`${server.origin}/network`);
  await eventuallyHasPeers(alice.page, 1);
  await apiValue(bob.page, "updateProfile", { bio: "Writes modules" });
  await alice.page.getByTestId("reputation").getByText(/brought news that this profile has a use for/).waitFor();
  const { peer, asked } = await alice.page.evaluate(async () => {
    const [peer] = await globalThis.genRegistry.getPeers();
    return { peer, asked: await globalThis.genRegistry.getReputation(peer.id) };
  });
  assert.ok(peer.reputation.score > 0.5, `${peer.reputation.score}`);
  assert.ok(asked.reasons.some(({ kind, times }) => kind === "brought" && times > 0), JSON.stringify(asked.reasons));
  // Bob may bring more in between, and acts fade: neither takes it below where everybody begins.
  assert.ok(asked.score > 0.5, `${asked.score}`);

  // Blocked: the name stays taken, everything else is hidden.
  await alice.page.goto(`${server.origin}/u/bob`);
  await eventuallyReady(alice.page);
  await alice.page.getByTestId("block").click();
  await alice.page.getByText("You blocked this person").waitFor();
  assert.deepEqual((await apiValue(alice.page, "listAllUsernames")).map(({ username }) => username), ["alice"]);
  await assert.rejects(apiValue(alice.page, "install", "adder"), /blocklist/);
  await alice.page.goto(`${server.origin}/blocklist`);
  await alice.page.getByTestId("blocked").getByRole("link", { name: "bob" }).waitFor();

  // The user's other device blocks, too; and what is taken back there is taken back here.
  const passphrase = "correct horse battery";
  const backup = await exportBackup(alice.page, passphrase);
  const other = await startUser(t, server);
  await eventuallyHasPeers(other.page, 1);
  await other.page.evaluate(([bytes, words]) =>
    globalThis.genRegistry.importBackup(new Uint8Array(bytes), words).then(() => null), [backup, passphrase]);
  // The list may arrive before the name: the name of a blocked person is still learned, from any peer that has it.
  const [row] = await eventually("the list and the name arrive", async () => {
    const { rows } = await apiValue(other.page, "getLists");
    return rows.length === 1 && rows[0].username !== null && rows;
  });
  assert.deepEqual([row.username, row.verdict], ["bob", "block"]);
  await other.page.goto(`${server.origin}/blocklist`);
  await other.page.getByRole("button", { name: "Take off @bob" }).click();
  await other.page.getByText("Nobody and nothing.").waitFor();
  await alice.page.getByText("Nobody and nothing.").waitFor();
  await eventually("Bob is listed again", async () => (await apiValue(alice.page, "listAllUsernames")).length === 2);
  other.browser.assertQuiet();
  alice.browser.assertQuiet();
  bob.browser.assertQuiet();
});
