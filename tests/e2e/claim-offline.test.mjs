// A name claimed in the app survives the browser's sudden death and needs no server ever after.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, apiValue, claim, confirmed, eventually, hasPeers, offlineReady } from "./harness.mjs";

test("a claimed name is there after a hard kill, without the server, and can be changed", async (t) => {
  const server = await Server.start(t);
  const first = await Browser.start(t);
  let page = await first.open(`${server.origin}/welcome`);
  await page.getByRole("link", { name: "Choose a name" }).click();
  await offlineReady(page);
  await claim(page, "alice_smith");
  await confirmed(page, "alice_smith");
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
  await confirmed(page, "alice_jones");

  await page.goto(`${server.origin}/u/alice_smith`);
  await page.getByTestId("redirect").filter({ hasText: "alice_jones" }).waitFor();
  await page.getByTestId("redirect").getByRole("link", { name: "alice_jones" }).click();
  await page.getByTestId("person-name").filter({ hasText: "alice_jones" }).waitFor();
  const history = await page.getByTestId("history").innerText();
  assert.match(history, /alice_smith/);
  assert.match(history, /alice_jones/);
  second.assertQuiet();
});

test("the claim itself works without the server", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(/ERR_CONNECTION_REFUSED/, /sw\.js/);
  const page = await browser.open(`${server.origin}/welcome?step=name`);
  await offlineReady(page);
  await server.stop();
  await claim(page, "bob");
  await confirmed(page, "bob");
  await page.reload();
  await page.getByTestId("me-chip").filter({ hasText: "bob" }).waitFor();
  assert.equal((await apiValue(page, "whoami")).username, "bob");
  browser.assertQuiet();
});

test("where a claim must show work, the page does it beside everything else, and others take the claim", async (t) => {
  const server = await Server.start(t, { p2p: true, more: ["--claim-work", "20"] });
  assert.equal((await (await fetch(`${server.origin}/network.json`)).json()).workBits, 20);
  const [alice, bob] = await Promise.all([0, 1].map(() => Browser.start(t)));
  const bobs = await bob.open(server.origin);
  const page = await alice.open(`${server.origin}/welcome?step=name`);
  await hasPeers(page, 1);
  const workers = [];
  page.on("worker", (worker) => workers.push(worker.url()));
  await claim(page, "alice_smith");
  await confirmed(page, "alice_smith");
  assert.ok(workers.some((url) => url.includes("/worker.js")), "a worker searched for the number");
  // The server's witness asks for the work as well.
  await eventually("the witness confirms it", async () => (await apiValue(page, "whoami")).nameStatus === "confirmed");
  await eventually("Bob knows her", async () => (await apiValue(bobs, "lookupUsername", "alice_smith")) !== null);
  assert.equal((await apiValue(bobs, "lookupUsername", "alice_smith")).status, "confirmed");
  for (const browser of [alice, bob]) browser.assertQuiet();
});
