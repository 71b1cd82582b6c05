// A name claimed in the app survives a hard kill of the browser and needs no server afterwards.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Browser, PATIENCE_AFTER_RESTART, Server, apiValue, claim, eventually, eventuallyConfirmed, eventuallyHasPeers,
  eventuallyOfflineReady, startUser,
} from "./harness.mjs";

/** How long a hold lasts in a network for tests. */
const HOLD = 20_000;

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

  // The old name stays hers, and leads to the one that she goes by.
  await page.goto(`${server.origin}/u/alice_smith`);
  await page.getByTestId("other-name").filter({ hasText: "alice_jones" }).waitFor();
  await page.getByTestId("other-name").getByRole("link", { name: "alice_jones" }).click();
  await page.waitForURL("**/u/alice_jones");
  await page.getByTestId("person-name").filter({ hasText: "alice_jones" }).waitFor();
  for (const name of ["alice_smith", "alice_jones"]) await page.getByTestId("history").filter({ hasText: name }).waitFor();

  // Given up, the name she goes by is gone, and she goes by the other one again.
  await page.goto(`${server.origin}/me`);
  await page.getByTestId("release").click();
  await page.getByTestId("release-confirm").click();
  await eventuallyConfirmed(page, "alice_jones is given up");
  await page.getByTestId("me-chip").filter({ hasText: "alice_smith" }).waitFor();
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
  // The server's witness demands the proof.
  await eventually("the witness confirms it", async () => (await apiValue(page, "whoami")).nameStatus === "confirmed");
  assert.ok(workers.some((url) => url.includes("/worker.js")), "a worker computed the proof");
  await eventually("Bob has it confirmed", async () =>
    (await apiValue(bobs, "lookupUsername", "alice_smith"))?.status === "confirmed");
  for (const browser of [alice, bob]) browser.assertQuiet();
});

test("a name that is claimed offline is wanted, is announced to nobody, and is held once a witness has seen it", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all([startUser(t, server), startUser(t, server)]);
  const { page } = alice;
  const { did } = await apiValue(page, "setupUser", null, { displayName: "Al" });
  await page.goto(`${server.origin}/welcome?step=name`);
  await bob.page.goto(`${server.origin}/id/${did}`);
  await bob.page.getByText("Al", { exact: true }).waitFor();
  for (const one of [page, bob.page]) await eventuallyHasPeers(one, 1);
  await eventuallyOfflineReady(page);
  await server.kill();
  await claim(page, "alice_smith");
  await eventuallyConfirmed(page, "alice_smith is wanted");
  await page.getByTestId("me-chip").filter({ hasText: "alice_smith" }).click();
  await page.getByTestId("wanted").filter({ hasText: "alice_smith" }).waitFor();
  await page.getByText("Wanted", { exact: true }).waitFor();
  // Bob is still connected, and is sent what she says of herself, but not the name.
  assert.equal((await apiValue(page, "updateProfile", { displayName: "Alice" })).nameStatus, "intent");
  await bob.page.getByText("Alice", { exact: true }).waitFor();
  assert.equal(await apiValue(bob.page, "lookupUsername", "alice_smith"), null);

  await server.restart();
  await eventuallyConfirmed(page, "alice_smith is yours", PATIENCE_AFTER_RESTART);
  await page.getByText("Confirmed", { exact: true }).waitFor();
  await eventually("Bob has it confirmed", async () =>
    (await apiValue(bob.page, "lookupUsername", "alice_smith"))?.status === "confirmed");
  for (const { browser } of [alice, bob]) browser.assertQuiet();
});

test("two who want one name offline: the one that the witness sees first holds it, and the other one is told", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all([startUser(t, server), startUser(t, server)]);
  for (const { page } of [alice, bob]) {
    await page.goto(`${server.origin}/welcome?step=name`);
    await eventuallyOfflineReady(page);
  }
  await server.kill();
  for (const { page } of [alice, bob]) {
    await claim(page, "rose");
    await eventuallyConfirmed(page, "rose is wanted");
  }
  await bob.browser.close();
  await server.restart();
  await eventuallyConfirmed(alice.page, "rose is yours", PATIENCE_AFTER_RESTART);
  const again = await startUser(t, server, { profile: bob.browser.profile });
  await again.page.getByRole("region", { name: "Name lost" }).getByText("The name rose is not yours.").waitFor();
  const me = await apiValue(again.page, "whoami");
  assert.deepEqual([me.username, me.lostName.name, me.lostName.holder.username], [null, "rose", "rose"]);
  for (const { browser } of [alice, again]) browser.assertQuiet();
});

test("a name that is given up is final after the hold, and can be kept until then", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const { browser, page } = await startUser(t, server, { username: "alice_smith", path: "/me" });
  await page.getByText("Confirmed", { exact: true }).waitFor();
  const giveUp = async () => {
    await page.getByTestId("release").click();
    await page.getByTestId("release-confirm").click();
    await page.getByTestId("giving-up").filter({ hasText: "alice_smith" }).waitFor();
  };
  await giveUp();
  await page.getByTestId("keep-name").click();
  await page.getByTestId("giving-up").waitFor({ state: "detached" });
  assert.equal((await apiValue(page, "whoami")).nameStatus, "confirmed");

  await giveUp();
  await page.getByTestId("giving-up").getByText("is final").waitFor();
  await eventually("it is final", async () => (await apiValue(page, "whoami")).username === null, 2 * HOLD);
  await page.getByText("You hold no name at the moment").waitFor();
  assert.equal((await apiValue(page, "whoami")).lostName, null, "given up is not lost");
  browser.assertQuiet();
});
