// A name and a module that only the relay has a record of: found by a browser without a connection to any peer that has
// them, and then fetched from a peer that does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, GONE, Server, apiValue, eventually, eventuallyHasPeers, publish, eventuallyKnowsName } from "./harness.mjs";
import { adder } from "./wasm.mjs";

/** Prevents direct connections to and from this browser until the test sets `let-out` and reloads the page. */
function apart() {
  if (sessionStorage.getItem("let-out")) return;
  globalThis.refused = 0;
  globalThis.RTCPeerConnection = class {
    constructor() {
      globalThis.refused += 1;
      throw new DOMException("the test isolates this browser", "OperationError");
    }
  };
}

test("a browser that is connected only to the relay finds a name and a module", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all([Browser.start(t), Browser.start(t)]);
  [alice, bob].forEach((browser) => browser.allow(...GONE));
  const hers = await alice.open(server.origin);
  assert.equal(await apiValue(hers, "registerUsername", "alice_smith", { displayName: "Alice" }), true);
  const published = await publish(hers, { name: "quick-adder", version: "1.2.0", description: "Adds" }, adder("add"));

  await bob.context.addInitScript(apart);
  const his = await bob.open(server.origin);
  await eventually("he has the relay", async () => (await apiValue(his, "getNetwork")).relays.some((relay) => relay.connected));
  const found = await eventually("it is found", async () => {
    const report = await apiValue(his, "findUsername", "Alice-Smith");
    return report.found && report;
  });
  assert.equal(await apiValue(his, "getPeerCount"), 0, "he had no peer when the answer came");
  assert.equal(found.answeredBy, "network");
  assert.equal(found.found.name, "alice_smith");
  assert.equal(found.found.did, (await apiValue(hers, "whoami")).did);
  assert.ok(found.sought >= 1, "a peer that has the rest is sought");
  const module = await eventually("the module is found", async () => {
    const report = await apiValue(his, "findModule", "quick_adder");
    return report.found?.release && report;
  });
  assert.equal(module.answeredBy, "network");
  assert.deepEqual([module.found.release.version, module.found.release.sha256], ["1.2.0", published.sha256]);
  assert.equal(await apiValue(his, "lookupUsername", "alice_smith"), null, "nothing of it is known as his own");
  const unknown = await apiValue(his, "findUsername", "nobody_at_all");
  assert.deepEqual([unknown.answeredBy, unknown.found, unknown.networkAsked], [null, null, true]);

  // A user opens the page of an unknown name.
  await his.goto(`${server.origin}/u/alice_smith`);
  await his.getByTestId("found-name").filter({ hasText: "alice_smith" }).waitFor();
  assert.match(await his.getByTestId("answered-by").textContent(), /wider network/);
  assert.equal(await his.getByRole("link", { name: "Claim it" }).count(), 0, "a held name is not offered");
  assert.equal(await apiValue(his, "getPeerCount"), 0);
  await eventually("connections were tried and refused", () => his.evaluate(() => globalThis.refused > 0));
  await his.goto(`${server.origin}/m/quick-adder`);
  await his.getByTestId("found-version").filter({ hasText: "1.2.0" }).waitFor();
  await his.goto(`${server.origin}/u/nobody_at_all`);
  await his.getByTestId("farther").getByText("Nobody there knows this name").waitFor();
  await his.getByTestId("free").getByText("nobody who was asked knows a holder").waitFor();
  await his.getByRole("link", { name: "Claim it" }).waitFor();

  // Connections work again: what he looks at arrives from a peer that has it, and the page shows it by itself.
  await his.evaluate(() => sessionStorage.setItem("let-out", "yes"));
  await his.goto(`${server.origin}/m/quick-adder`);
  await his.getByTestId("latest").filter({ hasText: "1.2.0" }).waitFor();
  await eventuallyHasPeers(his, 1);
  assert.equal((await eventuallyKnowsName(his, "alice_smith")).answeredBy, "device");
  await apiValue(his, "install", "quick-adder", "^1");
  assert.equal((await apiValue(his, "getModule", "quick-adder")).answeredBy, "device");
});

test("a record of an offline user is found, and their data arrives when they return", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const alice = await Browser.start(t);
  alice.allow(...GONE);
  let hers = await alice.open(server.origin);
  assert.equal(await apiValue(hers, "registerUsername", "alice_smith"), true);
  const stored = /^gen_relay_kademlia_values 1$/m;
  await eventually("the relay stores her record", async () => stored.test(await (await fetch(server.metrics)).text()));
  await alice.killHard();

  const bob = await Browser.start(t);
  bob.allow(...GONE);
  const his = await bob.open(server.origin);
  const found = await eventually("it is found", async () => {
    const report = await apiValue(his, "findUsername", "alice_smith");
    return report.found && report;
  });
  assert.equal(found.answeredBy, "network");
  assert.equal(await apiValue(his, "getPeerCount"), 0, "there is no peer to connect to");
  const again = await Browser.start(t, { profile: alice.profile });
  again.allow(...GONE);
  hers = await again.open(server.origin);
  await eventuallyKnowsName(his, "alice_smith");
});

test("a peer that was unreachable is connected when one of its names is looked up", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all([Browser.start(t), Browser.start(t)]);
  [alice, bob].forEach((browser) => browser.allow(...GONE));
  const hers = await alice.open(server.origin);
  assert.equal(await apiValue(hers, "registerUsername", "alice_smith"), true);
  await bob.context.addInitScript(() => {
    const Real = globalThis.RTCPeerConnection;
    globalThis.apart = true;
    globalThis.refused = 0;
    globalThis.RTCPeerConnection = class extends Real {
      constructor(...given) {
        if (globalThis.apart) {
          globalThis.refused += 1;
          throw new DOMException("the test isolates this browser", "OperationError");
        }
        super(...given);
      }
    };
  });
  const his = await bob.open(server.origin);
  await eventually("a connection was tried and refused", () => his.evaluate(() => globalThis.refused > 0));
  // Within one task: a connection that comes by itself in between would answer from his own registry.
  const report = await his.evaluate(() => {
    globalThis.apart = false;
    return globalThis.genRegistry.findUsername("alice_smith");
  });
  assert.deepEqual([report.answeredBy, report.sought], ["network", 1]);
  await eventuallyKnowsName(his, "alice_smith");
});
