// Who is online, and talk, between real browsers: four people in one channel, one of them killed hard, one on two devices.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, GONE, Server, api, apiValue, eventually, hasPeers, offlineReady, party as anybody, ready } from "./harness.mjs";

async function party(t, server, name, profile) {
  const { browser, page } = await anybody(t, server, { profile });
  if (!profile) assert.equal(await apiValue(page, "registerUsername", name), true);
  return { name, browser, page };
}

const names = (users) => users.map((user) => user.username).sort();

function online(party, wanted) {
  return eventually(`${party.name} finds ${wanted} online`, async () =>
    JSON.stringify(names(await apiValue(party.page, "getUsers"))) === JSON.stringify(wanted));
}

function inChannel(party, channel, wanted) {
  return eventually(`${party.name} finds ${wanted} in ${channel}`, async () =>
    JSON.stringify(names(await apiValue(party.page, "getChannelUsers", channel))) === JSON.stringify(wanted));
}

/** What is on show, with its author. */
function talk({ page }) {
  return page.locator('[data-testid="messages"] [data-testid="message"]').evaluateAll((items) =>
    items.map((item) => `${item.querySelector(".message-author").textContent}: ${item.querySelector(".message-text").textContent}`));
}

function shows(party, wanted) {
  return eventually(`${party.name} reads ${wanted}`, async () => JSON.stringify(await talk(party)) === JSON.stringify(wanted));
}

async function write({ page }, text) {
  await page.getByTestId("say").fill(text);
  await page.getByTestId("say").press("Enter");
  await eventually("it is sent", async () => (await page.getByTestId("say").inputValue()) === "");
}

test("four people talk; one is killed hard, missed when its time is over, and comes back as one", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const all = await Promise.all(["alice", "bob", "carol", "dave"].map((name) => party(t, server, name)));
  const [alice, bob, carol, dave] = all;
  const everybody = ["alice", "bob", "carol", "dave"];
  for (const one of all) {
    await hasPeers(one.page, 3);
    await online(one, everybody);
  }

  // Alice makes the channel, the others find it.
  await alice.page.goto(`${server.origin}/channels`);
  await alice.page.getByTestId("channel-name").fill("#General");
  await alice.page.getByTestId("join-channel").click();
  await alice.page.getByTestId("channel-title").filter({ hasText: "#general" }).waitFor();
  await hasPeers(alice.page, 3);
  await write(alice, "Is anybody here?");
  for (const one of [bob, carol, dave]) {
    await one.page.goto(`${server.origin}/channels`);
    await one.page.getByTestId("others").getByText("#general").click();
    await one.page.getByTestId("join").click();
    await one.page.getByTestId("say").waitFor();
  }
  for (const one of all) {
    await hasPeers(one.page, 3);
    await inChannel(one, "#general", everybody);
    await shows(one, ["alice: Is anybody here?"]);
  }
  await write(bob, "I am, @alice,");
  await shows(carol, ["alice: Is anybody here?", "bob: I am, @alice,"]);
  // Shift and Enter begins a line.
  await carol.page.getByTestId("say").fill("So");
  await carol.page.getByTestId("say").press("Shift+Enter");
  await carol.page.getByTestId("say").pressSequentially("am I.");
  await carol.page.getByTestId("say").press("Enter");
  const said = ["alice: Is anybody here?", "bob: I am, @alice,", "carol: So\nam I."];
  for (const one of all) await shows(one, said);
  assert.equal(await alice.page.locator(".message-mention").count(), 1, "Alice sees where she is mentioned");
  assert.equal(await bob.page.locator(".message-mention").count(), 0);
  for (const one of all) {
    await eventually(`${one.name} sees four members`, async () => (await one.page.getByTestId("member").count()) === 4);
  }

  // What is said while somebody is elsewhere is counted for them, and then it is read.
  await dave.page.goto(`${server.origin}/people`);
  await hasPeers(dave.page, 3);
  await eventually("Dave's page shows four online", async () => (await dave.page.getByTestId("online-person").count()) === 4);
  await write(alice, "Dave?");
  await dave.page.getByTestId("nav-unread").filter({ hasText: "1" }).waitFor();
  await dave.page.goto(`${server.origin}/c/general`);
  await shows(dave, [...said, "alice: Dave?"]);
  await dave.page.getByTestId("nav-unread").waitFor({ state: "detached" });
  await hasPeers(dave.page, 3);

  // Killed: nobody hears a goodbye. He is there until his last word is over, and not a moment longer than it takes to notice.
  const others = [alice, bob, carol];
  // The page that he left by going to the channel said goodbye; all have heard of the new one.
  for (const one of others) {
    await online(one, everybody);
    await inChannel(one, "#general", everybody);
  }
  await dave.browser.killHard();
  const watching = others.map(async (one) => {
    let expiresAt = 0;
    let heard = 0;
    const gone = await eventually(`${one.name} misses Dave`, async () => {
      const [now, users] = await one.page.evaluate(async () => [Date.now(), await globalThis.genRegistry.getUsers()]);
      const found = users.find((user) => user.username === "dave");
      if (!found) return { at: Date.now(), lower: now };
      assert.equal(found.devices.length, 1);
      [{ expiresAt, seenAt: heard }] = found.devices;
      return false;
    }, 150_000);
    assert.ok(expiresAt > 0, "he was there when he was killed");
    assert.ok(gone.at >= expiresAt, `${one.name}: gone ${expiresAt - gone.at} ms before his time`);
    t.diagnostic(`${one.name}: last heard, then gone after ${gone.at - heard} ms; ${gone.at - expiresAt} ms after the expiry`);
  });
  await Promise.all(watching);
  for (const one of others) {
    assert.deepEqual(names(await apiValue(one.page, "getChannelUsers", "#general")), ["alice", "bob", "carol"]);
    await eventually(`${one.name}'s page shows three members`, async () => (await one.page.getByTestId("member").count()) === 3);
  }

  // He comes back with the same profile: one entry, and what was said meanwhile.
  await write(carol, "We miss Dave.");
  const back = await party(t, server, "dave", dave.browser.profile);
  await hasPeers(back.page, 1);
  for (const one of [...others, back]) {
    await online(one, everybody);
    await inChannel(one, "#general", everybody);
    const users = await apiValue(one.page, "getUsers");
    assert.deepEqual(users.map((user) => user.devices.length), [1, 1, 1, 1], "one entry each");
  }
  await back.page.goto(`${server.origin}/c/general`);
  await shows(back, [...said, "alice: Dave?", "carol: We miss Dave."]);
  for (const one of [...others, back]) one.browser.assertQuiet();
});

test("two devices of one person are one person, and closing one leaves the person online", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all(["alice", "bob"].map((name) => party(t, server, name)));
  await alice.page.goto(`${server.origin}/settings`);
  await alice.page.getByTestId("recovery-show").first().click();
  const words = await alice.page.getByTestId("recovery-words").locator("li").allInnerTexts();
  const browser = await Browser.start(t);
  browser.allow(...GONE);
  const page = await browser.open(`${server.origin}/settings#restore`);
  await page.getByTestId("restore-phrase").fill(words.join(" "));
  await page.getByTestId("restore").click();
  const second = { name: "alice's second device", browser, page };
  const devices = async (one) => {
    const found = (await apiValue(one.page, "getUsers")).find((user) => user.username === "alice");
    return found?.devices.length ?? 0;
  };
  for (const one of [alice, bob, second]) {
    await eventually(`${one.name} knows two devices`, async () => (await devices(one)) === 2);
    await online(one, ["alice", "bob"]);
  }
  for (const one of [alice, second, bob]) await apiValue(one.page, "joinChannel", "#general");
  await inChannel(bob, "#general", ["alice", "bob"]);
  const { expiresAt } = (await apiValue(bob.page, "getUsers")).find((user) => user.username === "alice").devices
    .reduce((last, device) => (device.expiresAt > last.expiresAt ? device : last));
  await alice.browser.killHard();
  const left = await eventually("one device is left", async () => {
    const now = await devices(bob);
    assert.ok(now >= 1, "the person stays online");
    return now === 1 && Date.now();
  }, 150_000);
  assert.ok(left > 0 && expiresAt > 0);
  await online(bob, ["alice", "bob"]);
  await inChannel(bob, "#general", ["alice", "bob"]);
  await apiValue(second.page, "say", "#general", "Still here.");
  await eventually("bob reads it", async () =>
    (await apiValue(bob.page, "getMessages", "#general")).messages.some((message) => message.text === "Still here."));

  // Invisible is a goodbye: at once, and it lasts.
  await apiValue(second.page, "setInvisible", true);
  await online(bob, ["bob"]);
  await second.page.reload();
  await hasPeers(second.page, 1);
  await online(second, ["bob"]);
  assert.deepEqual(names(await apiValue(bob.page, "getUsers")), ["bob"]);
  for (const one of [bob, second]) one.browser.assertQuiet();
});

test("who closes the last tab is gone at once; who has another one open is not", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all(["alice", "bob"].map((name) => party(t, server, name)));
  await hasPeers(bob.page, 1);
  await online(bob, ["alice", "bob"]);
  await bob.page.evaluate(() => {
    globalThis.heard = [];
    globalThis.genRegistry.on("presence", (event) => globalThis.heard.push(event.what));
  });
  const second = await alice.browser.open(`${server.origin}/people`);
  // A tab that goes may do its last acts; the browser itself stays.
  await alice.browser.context.newPage();
  await alice.page.close({ runBeforeUnload: true });
  alice.page = second;
  await hasPeers(second, 1);
  await online(alice, ["alice", "bob"]);
  await online(bob, ["alice", "bob"]);
  assert.deepEqual(await bob.page.evaluate(() => globalThis.heard), [], "nobody noticed that another tab took over");

  const { expiresAt } = (await apiValue(bob.page, "getUsers")).find((user) => user.username === "alice").devices[0];
  const closed = Date.now();
  await second.close({ runBeforeUnload: true });
  await online(bob, ["bob"]);
  const gone = Date.now();
  assert.ok(gone < expiresAt, "she was not missed, she said goodbye");
  assert.deepEqual(await bob.page.evaluate(() => globalThis.heard), ["nodeLeft", "offline"]);
  t.diagnostic(`gone ${gone - closed} ms after the tab was closed, ${expiresAt - gone} ms before her time was over`);
  for (const one of [alice, bob]) one.browser.assertQuiet();
});

const counted = async ({ page }, channel) => {
  const { unread, mentions } = (await apiValue(page, "listChannels")).find((entry) => entry.channel === channel);
  return `${unread} unread, ${mentions} with her name`;
};

/** What the browser tells a page whose tab is put into the background, and back. */
const look = ({ page }, state) => page.evaluate((state) => {
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
  Object.defineProperty(document, "hidden", { configurable: true, get: () => state === "hidden" });
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
}, state);

/**
 * Counts what the system has shown for the page. Chromium forgets a notification when it is asked for all of them while
 * this one is on its way, so nobody may ask before it is there.
 */
const listenForNotifications = ({ page }) => page.evaluate(() => {
  globalThis.notified = 0;
  const show = ServiceWorkerRegistration.prototype.showNotification;
  ServiceWorkerRegistration.prototype.showNotification = async function (...given) {
    await show.apply(this, given);
    globalThis.notified += 1;
  };
});

test("who looks elsewhere has read a channel when she is back, and a mention's notification leads there", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all(["alice", "bob"].map((name) => party(t, server, name)));
  await alice.browser.context.grantPermissions(["notifications"], { origin: server.origin });
  await offlineReady(alice.page);
  for (const one of [alice, bob]) await apiValue(one.page, "joinChannel", "#general");
  await alice.page.goto(`${server.origin}/c/general`);
  await hasPeers(alice.page, 1);
  await inChannel(alice, "#general", ["alice", "bob"]);

  await look(alice, "hidden");
  await apiValue(bob.page, "say", "#general", "Coffee?");
  await shows(alice, ["bob: Coffee?"]);
  assert.equal(await counted(alice, "#general"), "1 unread, 0 with her name", "it stands there, but nobody looks");
  await look(alice, "visible");
  await eventually("she has read it", async () => (await counted(alice, "#general")) === "0 unread, 0 with her name");

  // Elsewhere in the app, and not looking.
  await alice.page.goto(`${server.origin}/people`);
  await hasPeers(alice.page, 1);
  await look(alice, "hidden");
  await listenForNotifications(alice);
  await apiValue(bob.page, "say", "#general", "@alice: it gets cold.");
  const shown = () => alice.page.evaluate(async () => {
    const all = await (await navigator.serviceWorker.ready).getNotifications();
    return all.map(({ body, data }) => [body, data]);
  });
  await eventually("the system tells it", () => alice.page.evaluate(() => globalThis.notified === 1));
  assert.deepEqual(await shown(), [["bob mentioned you in #general.", "/c/general"]]);
  const [worker] = alice.browser.context.serviceWorkers();
  const click = () => worker.evaluate(async () => {
    const [notification] = await self.registration.getNotifications();
    self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
  });
  await click();
  await alice.page.waitForURL(`${server.origin}/c/general`);
  await ready(alice.page);
  await shows(alice, ["bob: Coffee?", "bob: @alice: it gets cold."]);
  assert.deepEqual(await shown(), [], "it is put away");
  await eventually("and read", async () => (await counted(alice, "#general")) === "0 unread, 0 with her name");

  // Whatever stands in a notification, only a page of this site is opened.
  await worker.evaluate(() => self.registration.showNotification("Gen Registry", { data: "https://example.org/c/general" }));
  await click();
  await alice.page.waitForURL(`${server.origin}/notices`);
  for (const one of [alice, bob]) one.browser.assertQuiet();
});

test("by hand: what a channel is about, silence, what was said long ago, and leaving", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all(["alice", "bob"].map((name) => party(t, server, name)));
  await apiValue(alice.page, "joinChannel", "#general");
  await hasPeers(bob.page, 1);
  await apiValue(bob.page, "joinChannel", "#general");
  // As fast as others pass it on; what the other one says fits into what is taken from one person at once.
  await Promise.all([[alice, 37], [bob, 15]].map(async ([{ name, page }, many]) => {
    for (let nth = 1; nth <= many; nth++) {
      await eventually(`${name} may say more`, async () => {
        const { code } = await api(page, "say", "#general", `${name} ${nth}`);
        assert.ok(code === undefined || code === "tooFast", code);
        return code === undefined;
      });
    }
  }));
  await eventually("alice has all of it", async () =>
    (await apiValue(alice.page, "getMessages", "#general", { limit: 100 })).messages.length === 52);
  for (const one of [alice, bob]) {
    await one.page.goto(`${server.origin}/c/general`);
    await hasPeers(one.page, 1);
  }

  // Fifty are on show; what was said before them comes when it is asked for, and the view stays a list in order.
  const expected = (await apiValue(alice.page, "getMessages", "#general", { limit: 100 })).messages
    .map(({ username, text }) => `${username}: ${text}`);
  await shows(alice, expected.slice(-50));
  await alice.page.getByTestId("earlier").click();
  await shows(alice, expected);
  await alice.page.getByTestId("earlier").waitFor({ state: "detached" });

  await bob.page.getByRole("button", { name: "Change what the channel is about" }).click();
  await bob.page.getByLabel("What the channel is about", { exact: true }).fill("All about coffee");
  await bob.page.getByRole("button", { name: "Save" }).click();
  for (const one of [alice, bob]) await one.page.getByTestId("topic-line").filter({ hasText: "All about coffee" }).waitFor();
  await bob.page.getByText("says what the channel is about: All about coffee").waitFor();
  await alice.page.getByRole("button", { name: "Change what the channel is about" }).click();
  await alice.page.getByLabel("What the channel is about", { exact: true }).fill("");
  await alice.page.getByRole("button", { name: "Cancel" }).click();
  await alice.page.getByTestId("topic-line").filter({ hasText: "All about coffee" }).waitFor();

  // Muted: only a mention counts.
  await bob.page.getByTestId("mute").click();
  await bob.page.locator('[data-testid="mute"][aria-pressed="true"]').filter({ hasText: "Muted" }).waitFor();
  await bob.page.getByRole("link", { name: "People" }).first().click();
  await bob.page.getByTestId("online-person").first().waitFor();
  await write(alice, "Anybody?");
  await eventually("it has come", async () => (await apiValue(bob.page, "getMessages", "#general")).messages.at(-1).text === "Anybody?");
  assert.equal(await bob.page.getByTestId("nav-unread").count(), 0);
  await write(alice, "@bob?");
  await bob.page.getByTestId("nav-unread").filter({ hasText: "1" }).waitFor();

  await bob.page.getByRole("link", { name: /^Channels/ }).first().click();
  await bob.page.getByTestId("unread").filter({ hasText: "1 unread, you are mentioned" }).waitFor();
  await bob.page.getByTestId("channel-row").getByText("#general").click();
  await bob.page.getByTestId("nav-unread").waitFor({ state: "detached" });
  await bob.page.getByTestId("leave").click();
  await bob.page.waitForURL(`${server.origin}/channels`);
  await inChannel(alice, "#general", ["alice"]);
  assert.equal((await api(bob.page, "getMessages", "#general")).code, "notInChannel");
  await bob.page.goto(`${server.origin}/c/general`);
  await bob.page.getByTestId("join").waitFor();
  for (const one of [alice, bob]) one.browser.assertQuiet();
});

test("the invisible switch takes a person out of sight at once, and brings them back", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all(["alice", "bob"].map((name) => party(t, server, name)));
  await hasPeers(alice.page, 1);
  await online(alice, ["alice", "bob"]);
  await bob.page.goto(`${server.origin}/settings`);
  await hasPeers(bob.page, 1);
  await bob.page.getByTestId("invisible").check();
  await online(alice, ["alice"]);
  assert.equal((await apiValue(bob.page, "getPresence")).invisible, true);
  await bob.page.reload();
  await hasPeers(bob.page, 1);
  await eventually("it is still so", () => bob.page.getByTestId("invisible").isChecked());
  await online(bob, ["alice"]);
  assert.deepEqual(names(await apiValue(alice.page, "getUsers")), ["alice"]);
  await bob.page.getByTestId("invisible").uncheck();
  await online(alice, ["alice", "bob"]);
  for (const one of [alice, bob]) one.browser.assertQuiet();
});
