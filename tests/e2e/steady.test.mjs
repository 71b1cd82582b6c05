// What a user is doing on a page survives updates from others: text that is being typed, the focus, what was unfolded, and
// a button that is pressed but not yet released.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Server, apiValue, eventually, eventuallyHasPeers, eventuallyKnowsName, publish, startUser,
} from "./harness.mjs";
import { adder } from "./wasm.mjs";

test("a review that is being written stays, with the focus in it, while the module is updated", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [{ browser, page }, bob] = await Promise.all([startUser(t, server), startUser(t, server)]);
  await apiValue(page, "setupUser", "alice");
  await apiValue(bob.page, "setupUser", "bob");
  for (const version of ["1.0.0", "1.1.0"]) await publish(bob.page, { name: "adder", version }, adder("add"));
  await eventually("both versions are known", async () =>
    (await apiValue(page, "getModule", "adder"))?.versions.length === 2);
  await apiValue(page, "install", "adder", "=1.0.0");
  await apiValue(page, "install", "adder", "=1.1.0");
  await page.goto(`${server.origin}/m/adder`);
  await page.getByTestId("latest").getByText("1.1.0").waitFor();

  await page.getByText("Compare two versions").click();
  await page.getByRole("button", { name: "Compare" }).click();
  await page.getByTestId("difference").or(page.getByText("Both ask for and offer the same.")).waitFor();
  await page.getByTestId("run-numbers").fill("2, 3");
  await page.getByRole("radio", { name: "4" }).check();
  const review = page.locator("#review");
  await review.fill("It adds");

  await publish(bob.page, { name: "adder", version: "1.2.0" }, adder("add"));
  await page.getByTestId("latest").getByText("1.2.0").waitFor();
  await page.getByTestId("versions").getByText("1.2.0").waitFor();

  assert.equal(await review.inputValue(), "It adds");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "review", "the caret is where it was");
  await page.keyboard.type(" well.");
  assert.equal(await page.getByTestId("run-numbers").inputValue(), "2, 3");
  assert.ok(await page.getByRole("radio", { name: "4" }).isChecked());
  assert.ok(await page.getByRole("button", { name: "Compare" }).isVisible(), "what was unfolded still is");
  await page.getByTestId("rate").click();
  await page.locator(".review-text").getByText("It adds well.").waitFor();
  // The form holds what was saved; after it is taken back, the form is empty again.
  assert.equal(await review.inputValue(), "It adds well.");
  await page.getByRole("button", { name: "Take it back" }).click();
  await page.getByText("Nobody known here has rated it.").waitFor();
  await eventually("the form is empty", async () => (await review.inputValue()) === "");
  for (const one of [browser, bob.browser]) one.assertQuiet();
});

test("a button that is pressed while a peer connects is the same when it is released", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [{ browser, page }, bob] = await Promise.all([startUser(t, server), startUser(t, server)]);
  await apiValue(page, "setupUser", "alice");
  await apiValue(bob.page, "setupUser", "bob");
  await eventuallyKnowsName(page, "bob");
  await page.goto(`${server.origin}/network`);
  await eventuallyHasPeers(page, 1);
  const { node } = await apiValue(bob.page, "getNetwork");
  const row = page.getByTestId("peers").getByRole("listitem").filter({ has: page.getByTitle(node) });
  // With the keyboard: what becomes known of a peer makes its row taller, and a pointer would miss the button.
  await row.getByTestId("trust").focus();
  await page.keyboard.down("Space");

  const carol = await startUser(t, server);
  await eventuallyHasPeers(page, 2);
  await page.getByTestId("trust").nth(1).waitFor();
  await page.keyboard.up("Space");
  await eventually("the peer that was pressed is trusted", async () => {
    const { rows } = await apiValue(page, "getLists");
    return rows.length === 1 && rows[0].subject === `peer:${node}` && rows[0].verdict === "allow";
  });
  await row.getByTestId("trust").getByText("Trust no more").waitFor();
  for (const one of [browser, bob.browser, carol.browser]) one.assertQuiet();
});

test("an owner's form keeps typed text, follows another tab's changes, and withdraws the version that was selected", async (t) => {
  const server = await Server.start(t);
  const { browser, page } = await startUser(t, server);
  await apiValue(page, "setupUser", "alice");
  await publish(page, { name: "adder", version: "1.0.0" }, adder("add"));
  await page.goto(`${server.origin}/m/adder`);
  await page.getByText("Edit how it is described").click();
  const field = (id) => page.locator(`#describe-${id}`);
  await field("title").fill("Sums");
  const other = await browser.open(server.origin);
  const elsewhere = (changes) => apiValue(other, "describeModule", "adder", changes);
  const eventuallyHolds = (id, value) => eventually(`${id} is ${value}`, async () => (await field(id).inputValue()) === value);

  await elsewhere({ description: "Adds two numbers", title: "Adding" });
  await eventuallyHolds("description", "Adds two numbers");
  assert.equal(await field("title").inputValue(), "Sums", "what is typed stays");
  await field("tags").fill("Tiny,math ");
  await page.getByTestId("describe").click();
  const kept = await eventually("it is saved", async () => {
    const { details } = await apiValue(other, "getModule", "adder");
    return details.title === "Sums" && details;
  });
  assert.deepEqual([kept.description, kept.tags], ["Adds two numbers", ["math", "tiny"]]);
  // What was saved counts as unchanged, though it was typed in another way.
  await elsewhere({ tags: ["wide"], title: "Totals" });
  await eventuallyHolds("tags", "wide");
  await eventuallyHolds("title", "Totals");

  await page.getByText("Withdraw a version").click();
  await page.locator("#withdraw-reason").fill("it overflows");
  await publish(other, { name: "adder", version: "1.1.0" }, adder("add"));
  await page.getByTestId("versions").getByText("1.1.0").waitFor();
  await page.getByTestId("withdraw").click();
  await page.getByText("Withdrawn: it overflows").waitFor();
  const { versions } = await apiValue(page, "getModule", "adder");
  assert.deepEqual(versions.map(({ version, withdrawn }) => [version, withdrawn?.reason]),
    [["1.1.0", undefined], ["1.0.0", "it overflows"]]);
  browser.assertQuiet();
});

test("a search for a name goes on while new names become known", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [{ browser, page }, bob] = await Promise.all([startUser(t, server), startUser(t, server)]);
  await eventuallyHasPeers(page, 1);
  await page.goto(`${server.origin}/u/bobby`);
  await page.getByTestId("farther").getByText("Nobody there knows this name").waitFor();
  const search = page.locator("#absent-search");
  await search.fill("bobb");
  await apiValue(bob.page, "setupUser", "bob");
  await page.getByText("Names that begin alike").waitFor();
  await page.getByTestId("person-row").getByText("bob").waitFor();
  assert.equal(await search.inputValue(), "bobb");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "absent-search");
  assert.ok(await page.getByTestId("farther").getByText("Nobody there knows this name").isVisible(), "the network is not asked again");
  for (const one of [browser, bob.browser]) one.assertQuiet();
});
