// The network page: why no peer is connected, how each peer is connected, and a text to show to somebody who helps.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Server, apiValue, eventually, eventuallyHasPeers, eventuallyKnowsName, eventuallyReady, publish, startUser,
} from "./harness.mjs";
import { adder, padded } from "./wasm.mjs";

/** Waits until the page explains why no peer is connected, in `count` steps of which the last has these words. */
const eventuallyExplains = (page, count, words) => eventually(`${count} steps with “${words}”`, async () => {
  const steps = await page.getByTestId("why-nobody").getByRole("listitem").allInnerTexts();
  return steps.length === count && steps.at(-1).includes(words);
});

test("the page explains step by step why no peer is connected, up to the step that fails", async (t) => {
  const alone = await Server.start(t);
  const lonely = await startUser(t, alone);
  await lonely.page.goto(`${alone.origin}/network`);
  await eventuallyExplains(lonely.page, 1, "names no relay");

  const server = await Server.start(t, { p2p: true });
  const { browser, page } = await startUser(t, server);
  await page.goto(`${server.origin}/network`);
  await eventuallyExplains(page, 5, "Nobody else of this network is here right now");
  await server.kill();
  await eventuallyExplains(page, 3, "No relay answers");
  for (const one of [lonely.browser, browser]) one.assertQuiet();
});

const MODULE_BYTES = 200_000;

test("each peer's row shows its connection type and traffic, and the page can be copied as text", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [{ browser, page }, bob] = await Promise.all([startUser(t, server), startUser(t, server)]);
  await apiValue(page, "setupUser", "alice");
  await apiValue(bob.page, "setupUser", "bob");
  await eventuallyKnowsName(page, "bob");
  await publish(bob.page, { name: "adder", version: "1.0.0" }, padded(adder("add"), MODULE_BYTES));
  await eventually("its release is known", async () => (await apiValue(page, "getModule", "adder"))?.versions.length);
  await apiValue(page, "install", "adder");

  const path = async (one) => (await apiValue(one, "getPeers"))[0]?.path;
  const received = await eventually("the traffic is measured", async () => {
    const measured = await path(page);
    return measured?.receivedBytes > MODULE_BYTES && measured;
  });
  const sent = await eventually("the traffic is measured on the other side", async () => {
    const measured = await path(bob.page);
    return measured?.sentBytes > MODULE_BYTES && measured;
  });
  assert.ok(received.sentBytes > 0 && received.sentBytes < MODULE_BYTES, `${received.sentBytes}`);
  assert.ok(sent.receivedBytes > 0 && sent.receivedBytes < MODULE_BYTES, `${sent.receivedBytes}`);
  for (const { local, remote } of [received, sent]) {
    assert.ok(["host", "prflx"].includes(local) && ["host", "prflx"].includes(remote), "one machine, no STUN, no TURN");
  }

  await page.goto(`${server.origin}/network`);
  await eventuallyHasPeers(page, 1);
  await page.getByTestId("peers").getByText(/(within the local network|directly) · .* sent, .* received/).waitFor();
  await eventuallyReady(page);
  await browser.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.origin });
  await page.getByTestId("copy-network").click();
  await page.getByText("What this page shows is copied.").first().waitFor();
  const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.equal(copied.connection, "connected");
  assert.equal(copied.peers[0].id, (await apiValue(bob.page, "getNetwork")).node);
  for (const one of [browser, bob.browser]) one.assertQuiet();
});
