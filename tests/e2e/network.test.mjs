// The page of the network: why nobody is connected, how somebody is, and a text to show to whoever is asked for help.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Server, apiValue, eventually, hasPeers, party, publish, ready, sees } from "./harness.mjs";
import { adder, padded } from "./wasm.mjs";

/** What is said of each step, with whether it is in order: only what is has a tick, and only the last one has none. */
const steps = (page) => page.getByTestId("why-nobody").getByRole("listitem").allInnerTexts();

async function says(page, count, words) {
  await page.getByTestId("why-nobody").getByText(words).waitFor();
  assert.equal((await steps(page)).length, count);
}

test("why nobody is connected is said step by step, as far as it goes", async (t) => {
  const alone = await Server.start(t);
  const lonely = await party(t, alone);
  await lonely.page.goto(`${alone.origin}/network`);
  await says(lonely.page, 1, "names no relay");

  const server = await Server.start(t, { p2p: true });
  const { browser, page } = await party(t, server);
  await page.goto(`${server.origin}/network`);
  await says(page, 5, "Nobody else of this network is here right now");
  await server.kill();
  await says(page, 3, "No relay answers");
  for (const one of [lonely.browser, browser]) one.assertQuiet();
});

const MODULE_BYTES = 200_000;

test("each peer's row says which way it is connected and how much went over it; the page is copied as text", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [{ browser, page }, bob] = await Promise.all([party(t, server), party(t, server)]);
  await apiValue(page, "setupUser", "alice");
  await apiValue(bob.page, "setupUser", "bob");
  await sees(page, "bob");
  await publish(bob.page, { name: "adder", version: "1.0.0" }, padded(adder("add"), MODULE_BYTES));
  await eventually("the module is known", () => apiValue(page, "getModule", "adder"));
  await apiValue(page, "install", "adder");

  const path = async (one) => (await apiValue(one, "getPeers"))[0]?.path;
  const received = await eventually("it is measured", async () => {
    const measured = await path(page);
    return measured?.receivedBytes > MODULE_BYTES && measured;
  });
  const sent = await eventually("on the other side, too", async () => {
    const measured = await path(bob.page);
    return measured?.sentBytes > MODULE_BYTES && measured;
  });
  assert.ok(received.sentBytes > 0 && received.sentBytes < MODULE_BYTES, `${received.sentBytes}`);
  assert.ok(sent.receivedBytes > 0 && sent.receivedBytes < MODULE_BYTES, `${sent.receivedBytes}`);
  for (const { local, remote } of [received, sent]) {
    assert.ok(["host", "prflx"].includes(local) && ["host", "prflx"].includes(remote), "one machine, no STUN, no TURN");
  }

  await page.goto(`${server.origin}/network`);
  await hasPeers(page, 1);
  await page.getByTestId("peers").getByText(/(within the local network|directly) · .* sent, .* received/).waitFor();
  await ready(page);
  await browser.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: server.origin });
  await page.getByTestId("copy-network").click();
  await page.getByText("What this page shows is copied.").first().waitFor();
  const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.equal(copied.connection, "connected");
  assert.equal(copied.peers[0].id, (await apiValue(bob.page, "getNetwork")).node);
  for (const one of [browser, bob.browser]) one.assertQuiet();
});
