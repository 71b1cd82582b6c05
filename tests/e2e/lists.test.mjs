// Who is blocked and who is trusted, by hand: what is taken back is as it was before, to the note.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Server, apiValue, eventually, hasPeers, party, publish, ready, sees } from "./harness.mjs";
import { adder } from "./wasm.mjs";

const lists = async (page) => (await apiValue(page, "getLists")).rows.map(({ subject, verdict, note }) => [subject, verdict, note]);

function becomes(page, wanted) {
  return eventually(`the lists are ${JSON.stringify(wanted)}`, async () =>
    JSON.stringify((await lists(page)).sort()) === JSON.stringify([...wanted].sort()));
}

const undo = (page) => page.getByTestId("toast").getByRole("button", { name: "Undo" }).last().click();

test("undo brings back what was there: trust as trust, a block as a block, with their notes", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [{ browser, page }, bob] = await Promise.all([party(t, server), party(t, server)]);
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
  await becomes(page, [blocked]);
  await undo(page);
  await becomes(page, [trusted, blocked]);
  await page.getByTestId("allowed").getByText("audited in May").waitFor();

  await page.getByRole("button", { name: "Take off left-pad" }).click();
  await page.getByText("Nobody and nothing.").waitFor();
  await becomes(page, [trusted]);
  await undo(page);
  await becomes(page, [trusted, blocked]);

  // Blocked where it is shown, though it was trusted.
  await page.goto(`${server.origin}/m/adder`);
  await ready(page);
  await page.getByTestId("block").filter({ hasText: /^Block$/ }).click();
  await becomes(page, [["module:adder", "block", null], blocked]);
  await undo(page);
  await becomes(page, [trusted, blocked]);

  // What stood nowhere stands nowhere again.
  await apiValue(page, "decide", "module:adder", "neither");
  await page.getByTestId("block").filter({ hasText: /^Block$/ }).click();
  await becomes(page, [["module:adder", "block", null], blocked]);
  await undo(page);
  await becomes(page, [blocked]);
  browser.assertQuiet();
});

test("a peer is trusted where the peers are, is listed, and is taken off again", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all([party(t, server), party(t, server)]);
  await apiValue(alice.page, "setupUser", "alice");
  await apiValue(bob.page, "setupUser", "bob");
  await sees(alice.page, "bob");
  await alice.page.goto(`${server.origin}/network`);
  await hasPeers(alice.page, 1);
  const { node } = await apiValue(bob.page, "getNetwork");
  const row = [`peer:${node}`, "allow", null];
  await alice.page.getByTestId("trust").filter({ hasText: /^Trust$/ }).click();
  await becomes(alice.page, [row]);
  await alice.page.getByTestId("trust").filter({ hasText: "Trust no more" }).waitFor();
  assert.equal((await apiValue(alice.page, "getPeers"))[0].trusted, true);
  await alice.page.getByTestId("trust").click();
  await becomes(alice.page, []);
  await undo(alice.page);
  await becomes(alice.page, [row]);

  await alice.page.goto(`${server.origin}/blocklist`);
  await alice.page.getByRole("heading", { name: "Trusted" }).waitFor();
  await alice.page.getByTestId("allowed").getByRole("button", { name: /Take off/ }).click();
  await alice.page.getByTestId("allowed").waitFor({ state: "detached" });
  await becomes(alice.page, []);
  for (const { browser } of [alice, bob]) browser.assertQuiet();
});
