// The page's server turns hostile: it comes back at its address with the keys of somebody else. No name moves, the page
// says what it saw and keeps its network and its relay; who comes new joins what is served, under its own name, and who
// comes by a link joins the link's network or none.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Browser, GONE, Server, api, apiValue, eventually, eventuallyKnowsName, eventuallyReady, startUser, temporaryFolder,
} from "./harness.mjs";

const confirmed = (page, name) => eventually(`${name} is confirmed`, async () =>
  (await apiValue(page, "lookupUsername", name))?.status === "confirmed");

const topicOf = async (page) => (await apiValue(page, "getNetwork")).topic;

/** The link that the page's button copies. */
async function copiedLink(browser, page) {
  await browser.context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.getByTestId("copy-link").click();
  return eventually("the link is copied", async () => {
    const text = await page.evaluate(() => navigator.clipboard.readText());
    return text.includes("#network=") && text;
  });
}

test("no name moves when the server turns hostile", async (t) => {
  // Two servers of one network: `page` hands out the page and has the witness, `other` keeps the network's second relay.
  const page = await Server.start(t, { p2p: true });
  const other = await Server.start(t, { p2p: true, more: ["--network", page.origin] });
  const alice = await startUser(t, other, { username: "alice_smith" });
  const bob = await startUser(t, other, { username: "bob_jones" });
  for (const { page } of [alice, bob]) for (const name of ["alice_smith", "bob_jones"]) await confirmed(page, name);
  const ours = await topicOf(alice.page);
  const [ownRelay] = (await (await fetch(`${page.origin}/network.json`)).json()).relays;
  const { did } = await apiValue(alice.page, "whoami");
  await alice.page.goto(`${other.origin}/u/alice_smith`);
  await eventuallyReady(alice.page);
  const link = await copiedLink(alice.browser, alice.page);
  assert.equal(link, `${other.origin}/u/alice_smith#network=${ours}`);

  // The attacker's server at the address of the one that the pages are from: another folder, another witness. The
  // network's own relay goes on at the first server.
  await other.kill();
  other.more = ["--name", "Gen Registry"];
  other.relay[other.relay.indexOf("--data") + 1] = await temporaryFolder(t, "attacker");
  await other.restart();

  for (const { page } of [alice, bob]) {
    await page.goto(`${other.origin}/network`);
    await eventuallyReady(page);
    const bar = page.getByTestId("foreign-server");
    await bar.waitFor();
    const theirs = (await apiValue(page, "getNetwork")).leftAside.otherNetwork;
    for (const part of [theirs.name, theirs.topic.slice(0, 12), ours.slice(0, 12)]) {
      assert.ok((await bar.innerText()).includes(part), `the bar names ${part}`);
    }
    await page.getByTestId("left-aside").waitFor();
    assert.equal(await topicOf(page), ours);
    for (const name of ["alice_smith", "bob_jones"]) await confirmed(page, name);
    assert.equal((await apiValue(page, "lookupUsername", "alice_smith")).did, did);
    await eventually("its own relay is reached", async () =>
      (await apiValue(page, "getNetwork")).relays.some(({ address, connected }) => connected && address === ownRelay));
  }
  // New people of their own network are met through it, with names that its own witness confirms.
  const carol = await startUser(t, page, { username: "carol_king" });
  await confirmed(carol.page, "carol_king");
  await confirmed(alice.page, "carol_king");

  // A fresh profile joins what it is served, under that network's own topic, and sees none of the names.
  const mallory = await startUser(t, other, { username: "alice_smith" });
  await confirmed(mallory.page, "alice_smith");
  assert.notEqual(await topicOf(mallory.page), ours);
  assert.equal(await apiValue(mallory.page, "lookupUsername", "bob_jones"), null);
  assert.equal((await apiValue(alice.page, "lookupUsername", "alice_smith")).did, did, "the attacker's name is another one");

  // One that comes by a link keeps the link's network: it joins nothing and names both.
  const dave = await Browser.start(t);
  dave.allow(...GONE);
  const daves = await dave.context.newPage();
  await daves.goto(link);
  const question = daves.getByTestId("network-choice");
  await question.waitFor();
  const asked = await question.innerText();
  assert.ok(asked.includes(ours.slice(0, 12)) && asked.includes("Gen Registry"), asked);
  assert.equal((await api(daves, "registerUsername", "dave_davis")).code, "noNetwork");
  await daves.keyboard.press("Escape");
  // A dialog that was closed opens again within the next frames: there is no page behind it yet.
  await daves.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await question.waitFor();
  // At a server of that network the same link opens the page.
  await daves.goto(link.replace(other.origin, page.origin));
  await eventuallyReady(daves);
  assert.equal(await topicOf(daves), ours);
  await eventuallyKnowsName(daves, "alice_smith");

  // Mallory's profile is in the other network: the link opens the choice, and staying stays.
  await mallory.page.goto("about:blank");
  await mallory.page.goto(link);
  await eventuallyReady(mallory.page);
  await mallory.page.getByTestId("network-choice").waitFor();
  await mallory.page.getByTestId("stay").click();
  await mallory.page.getByTestId("network-choice").waitFor({ state: "hidden" });
  assert.equal(new URL(mallory.page.url()).hash, "");
  assert.notEqual(await topicOf(mallory.page), ours);
  for (const { browser } of [alice, bob, carol, mallory]) browser.assertQuiet();
});

test("a person goes to another network and back, with a profile in each", async (t) => {
  const ours = await Server.start(t, { p2p: true, more: ["--name", "Ours"] });
  const alice = await startUser(t, ours, { username: "alice_smith", path: "/network" });
  const home = await topicOf(alice.page);
  await alice.page.getByTestId("genesis").getByText(home).waitFor();
  await alice.page.getByTestId("for-tests").waitFor();
  assert.equal(await alice.page.getByTestId("networks").count(), 0);

  await ours.kill();
  const folder = ours.relay.indexOf("--data") + 1;
  const data = ours.relay[folder];
  ours.relay[folder] = await temporaryFolder(t, "theirs");
  ours.more = ["--name", "Theirs"];
  await ours.restart();
  await alice.page.reload();
  await eventuallyReady(alice.page);
  await alice.page.getByTestId("left-aside").getByTestId("open-network").click();
  await alice.page.waitForURL(`${ours.origin}/`);
  await eventuallyReady(alice.page);
  const away = await eventually("the other network is open", async () => {
    const topic = await topicOf(alice.page);
    return topic !== home && topic;
  });
  assert.equal((await apiValue(alice.page, "whoami")).username, null, "nobody yet");
  await apiValue(alice.page, "registerUsername", "alice_away");
  await confirmed(alice.page, "alice_away");
  assert.equal(await apiValue(alice.page, "lookupUsername", "alice_smith"), null);

  // The old server comes back; the page stays where it is until it is asked to go.
  await ours.kill();
  ours.relay[folder] = data;
  await ours.restart();
  await alice.page.goto(`${ours.origin}/network`);
  await eventuallyReady(alice.page);
  assert.equal(await topicOf(alice.page), away);
  await alice.page.getByTestId("networks").getByRole("listitem").filter({ hasText: "Ours" }).getByTestId("open-network").click();
  await alice.page.waitForURL(`${ours.origin}/`);
  await eventuallyReady(alice.page);
  await eventually("the first network is open", async () => (await topicOf(alice.page)) === home);
  assert.equal((await apiValue(alice.page, "whoami")).username, "alice_smith");
  const databases = await alice.page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name).sort());
  assert.deepEqual(databases, ["gen-registry-networks", `gen-registry-${away}`, `gen-registry-${home}`].sort());
  alice.browser.assertQuiet();
});

test("a profile of an earlier version is named and left as it is", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/network.json`);
  await page.evaluate(() => new Promise((resolve, reject) => {
    const opening = indexedDB.open("gen-registry", 3);
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys").put("a key", "own");
    opening.onsuccess = () => (opening.result.close(), resolve());
    opening.onerror = () => reject(opening.error);
  }));
  await page.goto(`${server.origin}/network`);
  await eventuallyReady(page);
  await page.getByTestId("earlier-profile").waitFor();
  await apiValue(page, "registerUsername", "alice_smith");
  const kept = await page.evaluate(() => new Promise((resolve, reject) => {
    const opening = indexedDB.open("gen-registry");
    opening.onsuccess = () => {
      const asking = opening.result.transaction("keys").objectStore("keys").get("own");
      asking.onsuccess = () => resolve(asking.result);
      asking.onerror = () => reject(asking.error);
    };
    opening.onerror = () => reject(opening.error);
  }));
  assert.equal(kept, "a key");
});
