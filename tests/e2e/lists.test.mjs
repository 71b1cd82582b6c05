// Blocking and trusting by hand: undo restores the entry as it was before, with its note.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Server, apiValue, eventually, eventuallyHasPeers, eventuallyKnowsName, eventuallyReady, publish, startUser,
} from "./harness.mjs";
import { adder } from "./wasm.mjs";

const lists = async (page) => (await apiValue(page, "getLists")).rows.map(({ subject, verdict, note }) => [subject, verdict, note]);

function eventuallyListed(page, wanted) {
  return eventually(`the lists are ${JSON.stringify(wanted)}`, async () =>
    JSON.stringify((await lists(page)).sort()) === JSON.stringify([...wanted].sort()));
}

/** Undoes what the toast with this text reports: an older toast may still be shown, and the new one not yet. */
const undo = (page, text) => page.getByTestId("toast").filter({ hasText: text }).getByRole("button", { name: "Undo" }).click();

test("undo restores trust and blocks, with their notes", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [{ browser, page }, bob] = await Promise.all([startUser(t, server), startUser(t, server)]);
  await apiValue(page, "setupUser", "alice");
  await publish(bob.page, { name: "adder", version: "1.0.0" }, adder("add"));
  await eventually("the module is known", () => apiValue(page, "getModule", "adder"));
  const trusted = ["module:adder", "allow", "audited in May"];
  const blocked = ["module:left-pad", "block", "was taken away once"];
  for (const row of [trusted, blocked]) await apiValue(page, "decide", ...row);

  await page.goto(`${server.origin}/blocklist`);
  await page.getByTestId("allowed").getByText("audited in May").waitFor();
  await page.getByRole("button", { name: "Take off adder" }).click();
  await page.getByTestId("allowed").waitFor({ state: "detached" });
  await eventuallyListed(page, [blocked]);
  await undo(page, "Taken off the list.");
  await eventuallyListed(page, [trusted, blocked]);
  await page.getByTestId("allowed").getByText("audited in May").waitFor();

  await page.getByRole("button", { name: "Take off left-pad" }).click();
  await page.getByText("Nobody and nothing.").waitFor();
  await eventuallyListed(page, [trusted]);
  await undo(page, "Taken off the list.");
  await eventuallyListed(page, [trusted, blocked]);

  // Blocked on its page, though it was trusted.
  await page.goto(`${server.origin}/m/adder`);
  await eventuallyReady(page);
  await page.getByTestId("block").filter({ hasText: /^Block$/ }).click();
  await eventuallyListed(page, [["module:adder", "block", null], blocked]);
  await undo(page, "Blocked.");
  await eventuallyListed(page, [trusted, blocked]);

  // What was on no list is on no list again.
  await apiValue(page, "decide", "module:adder", "neither");
  await page.getByTestId("block").filter({ hasText: /^Block$/ }).click();
  await eventuallyListed(page, [["module:adder", "block", null], blocked]);
  await undo(page, "Blocked.");
  await eventuallyListed(page, [blocked]);
  browser.assertQuiet();
});

test("a peer is trusted on the network page, listed, and removed from the list", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all([startUser(t, server), startUser(t, server)]);
  await apiValue(alice.page, "setupUser", "alice");
  await apiValue(bob.page, "setupUser", "bob");
  await eventuallyKnowsName(alice.page, "bob");
  await alice.page.goto(`${server.origin}/network`);
  await eventuallyHasPeers(alice.page, 1);
  const { node } = await apiValue(bob.page, "getNetwork");
  const row = [`peer:${node}`, "allow", null];
  await alice.page.getByTestId("trust").filter({ hasText: /^Trust$/ }).click();
  await eventuallyListed(alice.page, [row]);
  await alice.page.getByTestId("trust").filter({ hasText: "Trust no more" }).waitFor();
  assert.equal((await apiValue(alice.page, "getPeers"))[0].trusted, true);
  await alice.page.getByTestId("trust").click();
  await eventuallyListed(alice.page, []);
  await undo(alice.page, "No longer trusted.");
  await eventuallyListed(alice.page, [row]);

  await alice.page.goto(`${server.origin}/blocklist`);
  await alice.page.getByRole("heading", { name: "Trusted" }).waitFor();
  await alice.page.getByTestId("allowed").getByRole("button", { name: /Take off/ }).click();
  await alice.page.getByTestId("allowed").waitFor({ state: "detached" });
  await eventuallyListed(alice.page, []);
  for (const { browser } of [alice, bob]) browser.assertQuiet();
});
