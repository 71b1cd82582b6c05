// Modules that only a connected peer has: found by a word of their description when the person asks, opened, and kept.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { Server, apiValue, eventually, eventuallyHasPeers, eventuallyReady, publish, startUser } from "./harness.mjs";
import { adder } from "./wasm.mjs";

test("a module is found at a peer at the person's request only, and kept", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const { page: hers } = await startUser(t, server);
  assert.equal(await apiValue(hers, "registerUsername", "alice_smith"), true);
  const described = { version: "1.0.0", description: "Draws vector graphics into pixels" };
  await publish(hers, { name: "svg-renderer", ...described }, adder("add"));
  await eventually("it is confirmed", async () => (await apiValue(hers, "getModule", "svg-renderer"))?.latest === "1.0.0");

  const { browser, page } = await startUser(t, server, { path: "/settings" });
  await page.getByTestId("strangers").selectOption({ label: "none" });
  await page.getByText("Only people with whom you have something to do are kept.").waitFor();
  await eventuallyHasPeers(page, 1);
  await page.goto(`${server.origin}/modules?q=pixels`);
  await eventuallyReady(page);
  await eventuallyHasPeers(page, 1);
  await page.getByText("No module known here is like that.").waitFor();
  await page.getByRole("status").filter({ hasText: "0 modules found: this device has nothing of other people yet" }).waitFor();

  // A search as such asks nobody.
  const outcome = page.getByTestId("beyond-outcome");
  assert.match(await outcome.innerText(), /They see what is searched for/);
  assert.equal(await page.getByTestId("found-row").count(), 0);
  await page.getByTestId("ask-peers").click();
  const row = page.getByTestId("found-row");
  await row.filter({ hasText: "svg-renderer" }).waitFor();
  assert.equal(await row.getByTestId("found-source").innerText(), "From 1 peer");
  assert.match(await row.innerText(), /Draws vector graphics into pixels/);
  assert.match(await outcome.innerText(), /1 connected peer was asked/);
  assert.equal(await apiValue(page, "getModule", "svg-renderer"), null, "nothing of it is known as one's own");
  const { violations } = await new AxeBuilder({ page }).include("[data-testid=beyond]").analyze();
  assert.deepEqual(violations.map(({ id }) => id), []);

  // Another question is another one: nothing of the former is shown.
  await page.getByTestId("modules-search").fill("vector graphics");
  await page.waitForURL(/q=vector/);
  await eventually("the former answer is gone", async () => (await row.count()) === 0);
  await page.getByTestId("ask-always").check();
  await row.filter({ hasText: "svg-renderer" }).waitFor();
  const found = await apiValue(page, "searchNetwork", "vector graphics");
  assert.deepEqual([found.peersAsked, found.peersAnswered, found.notAsked], [1, 1, null]);
  const [{ name, onDevice, peers, holder }] = found.modules;
  assert.deepEqual([name, onDevice, peers, holder.did], ["svg-renderer", false, 1, (await apiValue(hers, "whoami")).did]);

  await row.getByTestId("keep").click();
  const known = page.getByTestId("module-row").filter({ hasText: "svg-renderer" }).filter({ hasText: "alice_smith" });
  await known.waitFor();
  await eventually("it is in one list only", async () => (await row.count()) === 0);
  assert.deepEqual((await apiValue(page, "getFollows")).map(({ subject }) => subject), ["module:svg-renderer"]);
  await known.getByRole("link").click();
  await page.getByTestId("latest").filter({ hasText: "1.0.0" }).waitFor();

  // It stays, and so does the choice.
  await page.goto(`${server.origin}/modules?q=pixels`);
  await page.getByTestId("module-row").getByTestId("source").filter({ hasText: "From this device and 1 peer" }).waitFor();
  assert.equal(await page.getByTestId("ask-always").isChecked(), true);
  for (const one of [page, hers]) {
    assert.deepEqual((await apiValue(one, "getNetwork")).rejections, [], "nobody broke a rule");
  }
  browser.assertQuiet();
});
