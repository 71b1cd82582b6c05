// What the page's server answers about the network, or does not answer. A server that hangs blocks no registry, a late
// answer still counts, and no answer gives a profile other witnesses or another network.
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { test } from "node:test";
import { Browser, GONE, Server, apiValue, eventually, eventuallyReady, temporaryFolder } from "./harness.mjs";

/** A proxy before the server: one origin for several servers in turn, whose answers it can change. */
class Front {
  static async start(t) {
    const front = new Front();
    // `network`: what is answered to /network.json; the server's own by default.
    front.network = (own) => own();
    const server = http.createServer((request, response) => {
      const own = () => {
        const { method, url, headers } = request;
        const asking = http.request(`${front.server.origin}${url}`, { method, headers }, (answer) => {
          response.writeHead(answer.statusCode, answer.headers);
          answer.pipe(response);
        });
        asking.on("error", () => response.destroy());
        request.pipe(asking);
      };
      if (request.url === "/network.json") front.network(own, response);
      else own();
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => (server.closeAllConnections(), server.close()));
    front.origin = `http://127.0.0.1:${server.address().port}`;
    return front;
  }

  /** The parameters of the network as the server behind it answers them. */
  async said() {
    return (await fetch(`${this.server.origin}/network.json`)).json();
  }
}

const json = (response, value) => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));

/** The relays that the page is connected to. */
async function connectedThrough(page) {
  const { relays } = await apiValue(page, "getNetwork");
  return relays.filter(({ connected }) => connected).map(({ address }) => address);
}

/** A server behind a front, what it said of the network, and the page where Alice has claimed her name. */
async function aliceBehindAFront(t) {
  const front = await Front.start(t);
  front.server = await Server.start(t, { p2p: true });
  const before = await front.said();
  const browser = await Browser.start(t);
  browser.allow(...GONE);
  const page = await browser.open(front.origin);
  await apiValue(page, "registerUsername", "alice_smith");
  return { front, before, browser, page };
}

test("a server that hangs does not block the page, and its late answer still counts", async (t) => {
  const { front, before, browser, page } = await aliceBehindAFront(t);
  await eventually("the relay answers", async () => (await connectedThrough(page))[0] === before.relays[0]);

  // Another relay of the same network: its key is lost, the network is not.
  await front.server.kill();
  const data = front.server.relay[front.server.relay.indexOf("--data") + 1];
  await rm(path.join(data, "relay.key"));
  await front.server.restart();
  const after = await front.said();
  assert.notDeepEqual(after.relays, before.relays);
  assert.equal(after.genesis, before.genesis);
  // It says nothing of the network before the page has shown that the profile is open: a page that waits for it first
  // would give up on it, and never learn the new relay.
  const opened = [];
  let asked = 0;
  front.network = (own) => (asked++, opened.push(own));
  await page.reload();
  await eventuallyReady(page);
  assert.equal((await apiValue(page, "whoami")).username, "alice_smith");
  await eventually("the server is asked", () => asked === 1);
  opened.forEach((answer) => answer());
  await eventually("the new relay answers", async () => (await connectedThrough(page)).includes(after.relays[0]));
  const known = (await apiValue(page, "getNetwork")).relays.map(({ address }) => address);
  assert.deepEqual(known, [before.relays[0], after.relays[0]], "the relay that it knew stays known");

  // It never answers: everything works, through what is known from before.
  front.network = () => {};
  await page.reload();
  await eventuallyReady(page);
  await apiValue(page, "updateProfile", { bio: "Still here." });
  await eventually("the relay answers", async () => (await connectedThrough(page)).includes(after.relays[0]));
  browser.assertQuiet();
});

test("a server with other witnesses is another network, and gives a profile none of them", async (t) => {
  const { front, before, browser, page } = await aliceBehindAFront(t);
  const { topic, witnesses } = await apiValue(page, "getNetwork");
  assert.equal(witnesses.length, 1);

  // The same address with other keys: somebody took the server over, or its owner lost the old data.
  await front.server.kill();
  front.server.relay[front.server.relay.indexOf("--data") + 1] = await temporaryFolder(t, "relay");
  await front.server.restart();
  assert.notEqual((await front.said()).genesis, before.genesis);
  for (let time = 0; time < 2; time++) {
    await page.goto(`${front.origin}/network`);
    await eventuallyReady(page);
    await page.getByTestId("left-aside").getByText("another network").waitFor();
    const report = await apiValue(page, "getNetwork");
    assert.deepEqual([report.topic, report.witnesses], [topic, witnesses], "it has the witnesses that it had");
    assert.deepEqual(report.relays.map(({ address }) => address), before.relays, "and the relays");
    assert.equal(report.leftAside.otherNetwork.topic.length, 64);
    assert.equal((await apiValue(page, "whoami")).username, "alice_smith");
  }
  browser.assertQuiet();
});

test("a server of another network does not move an existing profile there", async (t) => {
  const front = await Front.start(t);
  front.server = await Server.start(t, { p2p: true });
  // At first a plain host of files, which says nothing of any network.
  front.network = (_, response) => response.writeHead(404).end();
  const browser = await Browser.start(t);
  browser.allow(...GONE, /404/);
  const page = await browser.open(front.origin);
  await apiValue(page, "registerUsername", "alice_smith");
  const { topic, leftAside } = await apiValue(page, "getNetwork");
  assert.equal(leftAside, null);

  front.network = (own) => own();
  for (let time = 0; time < 2; time++) {
    await page.goto(`${front.origin}/network`);
    await eventuallyReady(page);
    await page.getByTestId("left-aside").getByText("another network").waitFor();
    const report = await apiValue(page, "getNetwork");
    assert.equal(report.topic, topic, "it stays in its own network");
    assert.deepEqual(report.relays, [], "and uses no relay of the other");
    assert.equal((await apiValue(page, "whoami")).username, "alice_smith");
  }

  // A server of its own network is welcome: here the built-in one, without witnesses.
  const own = await Server.start(t, { p2p: true, more: ["--no-witness"] });
  const said = await (await fetch(`${own.origin}/network.json`)).json();
  front.network = (_, response) => json(response, said);
  await page.reload();
  await eventuallyReady(page);
  await eventually("the relay answers", async () => (await connectedThrough(page))[0] === said.relays[0]);
  assert.equal(await page.getByTestId("left-aside").count(), 0);
  browser.assertQuiet();

  // Who wrote nothing yet belongs nowhere, and joins whatever network this is.
  front.network = (_, response) => response.writeHead(404).end();
  const fresh = await Browser.start(t);
  fresh.allow(...GONE, /404/);
  const stranger = await fresh.open(front.origin);
  assert.equal((await apiValue(stranger, "getNetwork")).topic, topic);
  front.network = (own) => own();
  await stranger.reload();
  await eventuallyReady(stranger);
  const joined = await apiValue(stranger, "getNetwork");
  assert.notEqual(joined.topic, topic);
  assert.deepEqual([joined.leftAside, joined.witnesses.length], [null, 1]);
  fresh.assertQuiet();
});
