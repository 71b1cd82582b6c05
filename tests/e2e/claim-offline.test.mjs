// A name claimed in the app survives a hard kill of the browser and needs no server afterwards.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, apiValue, claim, eventuallyConfirmed, eventually, eventuallyHasPeers, eventuallyOfflineReady } from "./harness.mjs";

test("a claimed name survives a hard kill and can be changed without the server", async (t) => {
  const server = await Server.start(t);
  const first = await Browser.start(t);
  let page = await first.open(`${server.origin}/welcome`);
  await page.getByRole("link", { name: "Choose a name" }).click();
  await eventuallyOfflineReady(page);
  await claim(page, "alice_smith");
  await eventuallyConfirmed(page, "alice_smith");
  await first.killHard();
  first.assertQuiet();
  await server.stop();

  const second = await Browser.start(t, { profile: first.profile });
  second.allow(/ERR_CONNECTION_REFUSED/, /sw\.js/);
  page = await second.open(`${server.origin}/u/alice_smith`);
  await page.getByTestId("person-name").filter({ hasText: "alice_smith" }).waitFor();
  await page.getByTestId("history").filter({ hasText: "alice_smith" }).waitFor();
  await page.getByTestId("me-chip").filter({ hasText: "alice_smith" }).waitFor();
  assert.equal((await apiValue(page, "lookupUsername", "alice_smith")).username, "alice_smith");

  await page.goto(`${server.origin}/me`);
  await page.getByTestId("name-input").fill("alice_jones");
  await page.locator('[data-testid="name-verdict"][data-state="available"]').waitFor();
  await page.getByTestId("rename").click();
  await eventuallyConfirmed(page, "alice_jones");

  await page.goto(`${server.origin}/u/alice_smith`);
  await page.getByTestId("redirect").filter({ hasText: "alice_jones" }).waitFor();
  await page.getByTestId("redirect").getByRole("link", { name: "alice_jones" }).click();
  await page.getByTestId("person-name").filter({ hasText: "alice_jones" }).waitFor();
  for (const name of ["alice_smith", "alice_jones"]) await page.getByTestId("history").filter({ hasText: name }).waitFor();
  second.assertQuiet();
});

test("a name can be claimed without the server", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(/ERR_CONNECTION_REFUSED/, /sw\.js/);
  const page = await browser.open(`${server.origin}/welcome?step=name`);
  await eventuallyOfflineReady(page);
  await server.stop();
  await claim(page, "bob");
  await eventuallyConfirmed(page, "bob");
  await page.reload();
  await page.getByTestId("me-chip").filter({ hasText: "bob" }).waitFor();
  assert.equal((await apiValue(page, "whoami")).username, "bob");
  browser.assertQuiet();
});

test("a proof of work is computed in a worker, and other users accept the claim", async (t) => {
  const server = await Server.start(t, { p2p: true, forPeople: true });
  const [alice, bob] = await Promise.all([0, 1].map(() => Browser.start(t)));
  const bobs = await bob.open(server.origin);
  const page = await alice.open(`${server.origin}/welcome?step=name`);
  await eventuallyHasPeers(page, 1);
  const workers = [];
  page.on("worker", (worker) => workers.push(worker.url()));
  await claim(page, "alice_smith");
  await eventuallyConfirmed(page, "alice_smith");
  assert.ok(workers.some((url) => url.includes("/worker.js")), "a worker computed the proof");
  // The server's witness demands the proof as well.
  await eventually("the witness confirms it", async () => (await apiValue(page, "whoami")).nameStatus === "confirmed");
  await eventually("Bob has it confirmed", async () =>
    (await apiValue(bobs, "lookupUsername", "alice_smith"))?.status === "confirmed");
  for (const browser of [alice, bob]) browser.assertQuiet();
});
