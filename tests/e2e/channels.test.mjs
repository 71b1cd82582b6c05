// Presence and channels between real browsers: four users in one channel, one of them killed hard, one on two devices.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Server, api, apiValue, eventually, eventuallyHasPeers, eventuallyOfflineReady, eventuallyReady, showWords,
  startUser,
} from "./harness.mjs";

const startAll = (t, server, names) => Promise.all(names.map((username) => startUser(t, server, { username })));

/** A killed device stays online until its last heartbeat expires, a minute later: that long, and `PATIENCE` twice. */
const EXPIRY_PATIENCE = 150_000;

const names = (users) => users.map((user) => user.username).sort();

function eventuallyOnline(user, wanted) {
  return eventually(`${user.username} has ${wanted} online`, async () =>
    JSON.stringify(names(await apiValue(user.page, "getUsers"))) === JSON.stringify(wanted));
}

function eventuallyInChannel(user, channel, wanted) {
  return eventually(`${user.username} has ${wanted} in ${channel}`, async () =>
    JSON.stringify(names(await apiValue(user.page, "getChannelUsers", channel))) === JSON.stringify(wanted));
}

/** The messages that are shown, each with its author. */
function shownMessages({ page }) {
  return page.locator('[data-testid="messages"] [data-testid="message"]').evaluateAll((items) =>
    items.map((item) => `${item.querySelector(".message-author").textContent}: ${item.querySelector(".message-text").textContent}`));
}

function eventuallyShows(user, wanted) {
  return eventually(`${user.username} is shown ${wanted}`, async () =>
    JSON.stringify(await shownMessages(user)) === JSON.stringify(wanted));
}

/**
 * Waits until `user` no longer has a device online that was killed. Until then `user` sees its person on `online` devices;
 * returns when it went and when its last heartbeat expired.
 */
async function eventuallyMisses(user, { username, node }, online) {
  let last;
  const fewest = { devices: online };
  const goneAt = await eventually(`${user.username} misses ${username}'s device`, async () => {
    const users = await apiValue(user.page, "getUsers");
    const at = Date.now();
    const devices = users.find((found) => found.username === username)?.devices ?? [];
    fewest.devices = Math.min(fewest.devices, devices.length);
    const device = devices.find((found) => found.node === node);
    last = device ?? last;
    return !device && at;
  }, EXPIRY_PATIENCE);
  assert.ok(last, "the device was online when it was killed");
  assert.ok(goneAt >= last.expiresAt, `${user.username}: gone ${last.expiresAt - goneAt} ms too early`);
  assert.equal(fewest.devices, online - 1, "no other device of the person went");
  return { goneAt, seenAt: last.seenAt, expiresAt: last.expiresAt };
}

async function write({ page }, text) {
  await page.getByTestId("say").fill(text);
  await page.getByTestId("say").press("Enter");
  await eventually("it is sent", async () => (await page.getByTestId("say").inputValue()) === "");
}

test("four users chat; one is killed hard, goes offline when its heartbeat expires, and returns as one device", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const everybody = ["alice", "bob", "carol", "dave"];
  const all = await startAll(t, server, everybody);
  const [alice, bob, carol, dave] = all;
  for (const one of all) {
    await eventuallyHasPeers(one.page, 3);
    await eventuallyOnline(one, everybody);
  }

  // Alice creates the channel, the others find it.
  await alice.page.goto(`${server.origin}/channels`);
  await alice.page.getByTestId("channel-name").fill("#General");
  await alice.page.getByTestId("join-channel").click();
  await alice.page.getByTestId("channel-title").filter({ hasText: "#general" }).waitFor();
  await eventuallyHasPeers(alice.page, 3);
  await write(alice, "Is anybody here?");
  for (const one of [bob, carol, dave]) {
    await one.page.goto(`${server.origin}/channels`);
    await one.page.getByTestId("others").getByText("#general").click();
    await one.page.getByTestId("join").click();
    await one.page.getByTestId("say").waitFor();
  }
  for (const one of all) {
    await eventuallyHasPeers(one.page, 3);
    await eventuallyInChannel(one, "#general", everybody);
    await eventuallyShows(one, ["@alice: Is anybody here?"]);
  }
  await write(bob, "I am, @alice,");
  await eventuallyShows(carol, ["@alice: Is anybody here?", "@bob: I am, @alice,"]);
  // Shift and Enter begins a line.
  await carol.page.getByTestId("say").fill("So");
  await carol.page.getByTestId("say").press("Shift+Enter");
  await carol.page.getByTestId("say").pressSequentially("am I.");
  await carol.page.getByTestId("say").press("Enter");
  const said = ["@alice: Is anybody here?", "@bob: I am, @alice,", "@carol: So\nam I."];
  for (const one of all) await eventuallyShows(one, said);
  assert.equal(await alice.page.locator(".message-mention").count(), 1, "Alice sees where she is mentioned");
  assert.equal(await bob.page.locator(".message-mention").count(), 0);
  for (const one of all) {
    await eventually(`${one.username} is shown four members`, async () => (await one.page.getByTestId("member").count()) === 4);
  }

  // A message that arrives while he is on another page counts as unread, until he opens the channel.
  await dave.page.goto(`${server.origin}/people`);
  await eventuallyHasPeers(dave.page, 3);
  await eventually("Dave's page shows four online", async () => (await dave.page.getByTestId("online-person").count()) === 4);
  await write(alice, "Dave?");
  await dave.page.getByTestId("nav-unread").filter({ hasText: "1" }).waitFor();
  await dave.page.goto(`${server.origin}/c/general`);
  await eventuallyShows(dave, [...said, "@alice: Dave?"]);
  await dave.page.getByTestId("nav-unread").waitFor({ state: "detached" });
  await eventuallyHasPeers(dave.page, 3);

  // Killed: no goodbye is sent. He stays online until his last heartbeat expires.
  const others = [alice, bob, carol];
  // The page that he left by going to the channel said goodbye: all must have the heartbeat of the new one.
  for (const one of others) {
    await eventuallyOnline(one, everybody);
    await eventuallyInChannel(one, "#general", everybody);
  }
  const { node } = await apiValue(dave.page, "getNetwork");
  await dave.browser.killHard();
  await Promise.all(others.map(async (one) => {
    const { goneAt, seenAt, expiresAt } = await eventuallyMisses(one, { username: "dave", node }, 1);
    t.diagnostic(`${one.username}: gone ${goneAt - seenAt} ms after the last heartbeat, ${goneAt - expiresAt} ms after the expiry`);
  }));
  for (const one of others) {
    assert.deepEqual(names(await apiValue(one.page, "getChannelUsers", "#general")), ["alice", "bob", "carol"]);
    await eventually(`${one.username}'s page shows three members`, async () => (await one.page.getByTestId("member").count()) === 3);
  }

  // He returns with the same profile: one entry, and the messages that he missed.
  await write(carol, "We miss Dave.");
  const back = { ...await startUser(t, server, { profile: dave.browser.profile }), username: "dave" };
  await eventuallyHasPeers(back.page, 1);
  for (const one of [...others, back]) {
    await eventuallyOnline(one, everybody);
    await eventuallyInChannel(one, "#general", everybody);
    const users = await apiValue(one.page, "getUsers");
    assert.deepEqual(users.map((user) => user.devices.length), [1, 1, 1, 1], "one entry each");
  }
  await back.page.goto(`${server.origin}/c/general`);
  await eventuallyShows(back, [...said, "@alice: Dave?", "@carol: We miss Dave."]);
  for (const one of [...others, back]) one.browser.assertQuiet();
});

test("two devices of one person count as one user, who stays online when one of them is killed", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await startAll(t, server, ["alice", "bob"]);
  await alice.page.goto(`${server.origin}/settings`);
  const words = await showWords(alice.page);
  const second = { ...await startUser(t, server, { path: "/settings#restore" }), username: "alice's second device" };
  await second.page.getByTestId("restore-phrase").fill(words.join(" "));
  await second.page.getByTestId("restore").click();
  for (const one of [alice, bob, second]) {
    await eventually(`${one.username} has two devices of Alice`, async () => {
      const users = await apiValue(one.page, "getUsers");
      return users.find((user) => user.username === "alice")?.devices.length === 2;
    });
    await eventuallyOnline(one, ["alice", "bob"]);
  }
  for (const one of [alice, second, bob]) await apiValue(one.page, "joinChannel", "#general");
  await eventuallyInChannel(bob, "#general", ["alice", "bob"]);
  const { node } = await apiValue(alice.page, "getNetwork");
  await alice.browser.killHard();
  await eventuallyMisses(bob, { username: "alice", node }, 2);
  await eventuallyOnline(bob, ["alice", "bob"]);
  await eventuallyInChannel(bob, "#general", ["alice", "bob"]);
  await apiValue(second.page, "say", "#general", "Still here.");
  await eventually("bob reads it", async () =>
    (await apiValue(bob.page, "getMessages", "#general")).messages.some((message) => message.text === "Still here."));

  // Becoming invisible sends a goodbye, which takes effect at once and lasts.
  await apiValue(second.page, "setInvisible", true);
  await eventuallyOnline(bob, ["bob"]);
  await second.page.reload();
  await eventuallyHasPeers(second.page, 1);
  await eventuallyOnline(second, ["bob"]);
  assert.deepEqual(names(await apiValue(bob.page, "getUsers")), ["bob"]);
  for (const one of [bob, second]) one.browser.assertQuiet();
});

test("a user who closes the last tab goes offline at once; with another tab open they stay online", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await startAll(t, server, ["alice", "bob"]);
  await eventuallyHasPeers(bob.page, 1);
  await eventuallyOnline(bob, ["alice", "bob"]);
  await bob.page.evaluate(() => {
    globalThis.received = [];
    globalThis.genRegistry.on("presence", (event) => globalThis.received.push(event.what));
  });
  const second = await alice.browser.open(`${server.origin}/people`);
  // The browser stays open, so that the tab may still send its last messages.
  await alice.browser.context.newPage();
  await alice.page.close({ runBeforeUnload: true });
  alice.page = second;
  await eventuallyHasPeers(second, 1);
  await eventuallyOnline(alice, ["alice", "bob"]);
  // Sent after anything that the closed tab may have sent.
  await apiValue(second, "joinChannel", "#afterwards");
  await eventuallyInChannel(bob, "#afterwards", ["alice"]);
  await eventuallyOnline(bob, ["alice", "bob"]);
  const received = () => bob.page.evaluate(() => globalThis.received);
  assert.deepEqual(await received(), ["joined"], "the change of tabs is no event");

  await second.close({ runBeforeUnload: true });
  await eventuallyOnline(bob, ["bob"]);
  assert.deepEqual(await received(), ["joined", "left", "nodeLeft", "offline"], "a goodbye: a device that expires is “nodeDown”");
  for (const one of [alice, bob]) one.browser.assertQuiet();
});

const counted = async ({ page }, channel) => {
  const { unread, mentions } = (await apiValue(page, "listChannels")).find((entry) => entry.channel === channel);
  return `${unread} unread, ${mentions} with her name`;
};

/** Does what the browser does to a page whose tab goes to the background, or comes back from there. */
const look = ({ page }, state) => page.evaluate((state) => {
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
  Object.defineProperty(document, "hidden", { configurable: true, get: () => state === "hidden" });
  document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
}, state);

/**
 * Counts the notifications that the system has shown for the page. Chromium loses a notification when it is asked for all
 * of them before this one is shown, so the test has to wait for the count first.
 */
const countNotifications = ({ page }) => page.evaluate(() => {
  globalThis.notified = 0;
  const show = ServiceWorkerRegistration.prototype.showNotification;
  ServiceWorkerRegistration.prototype.showNotification = async function (...given) {
    await show.apply(this, given);
    globalThis.notified += 1;
  };
});

test("messages in a hidden tab stay unread until it is visible, and a mention's notification opens the channel", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await startAll(t, server, ["alice", "bob"]);
  await alice.browser.context.grantPermissions(["notifications"], { origin: server.origin });
  await eventuallyOfflineReady(alice.page);
  for (const one of [alice, bob]) await apiValue(one.page, "joinChannel", "#general");
  await alice.page.goto(`${server.origin}/c/general`);
  await eventuallyHasPeers(alice.page, 1);
  await eventuallyInChannel(alice, "#general", ["alice", "bob"]);

  await look(alice, "hidden");
  await apiValue(bob.page, "say", "#general", "Coffee?");
  await eventuallyShows(alice, ["@bob: Coffee?"]);
  assert.equal(await counted(alice, "#general"), "1 unread, 0 with her name", "it is shown, but the page is hidden");
  await look(alice, "visible");
  await eventually("the message counts as read", async () => (await counted(alice, "#general")) === "0 unread, 0 with her name");

  // On another page of the app, in a hidden tab.
  await alice.page.goto(`${server.origin}/people`);
  await eventuallyHasPeers(alice.page, 1);
  await look(alice, "hidden");
  await countNotifications(alice);
  await apiValue(bob.page, "say", "#general", "@alice: it gets cold.");
  const shown = () => alice.page.evaluate(async () => {
    const all = await (await navigator.serviceWorker.ready).getNotifications();
    return all.map(({ body, data }) => [body, data]);
  });
  await eventually("the notification is shown", () => alice.page.evaluate(() => globalThis.notified === 1));
  assert.deepEqual(await shown(), [["@bob mentioned you in #general.", "/c/general"]]);
  const [worker] = alice.browser.context.serviceWorkers();
  const click = () => worker.evaluate(async () => {
    const [notification] = await self.registration.getNotifications();
    self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
  });
  await click();
  await alice.page.waitForURL(`${server.origin}/c/general`);
  await eventuallyReady(alice.page);
  await eventuallyShows(alice, ["@bob: Coffee?", "@bob: @alice: it gets cold."]);
  assert.deepEqual(await shown(), [], "the notification is closed");
  await eventually("the mention counts as read", async () => (await counted(alice, "#general")) === "0 unread, 0 with her name");

  // Whatever address a notification has, only a page of this site is opened.
  await worker.evaluate(() => self.registration.showNotification("Gen Registry", { data: "https://example.org/c/general" }));
  await click();
  await alice.page.waitForURL(`${server.origin}/notices`);
  for (const one of [alice, bob]) one.browser.assertQuiet();
});

test("by hand: topic line, muting, earlier messages, and leaving", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await startAll(t, server, ["alice", "bob"]);
  await apiValue(alice.page, "joinChannel", "#general");
  await eventuallyHasPeers(bob.page, 1);
  await apiValue(bob.page, "joinChannel", "#general");
  // As fast as the rate limit allows; what Bob says fits into one burst.
  await Promise.all([[alice, 37], [bob, 15]].map(async ([{ username, page }, many]) => {
    for (let nth = 1; nth <= many; nth++) {
      const { code } = await eventually(`${username} may say more`, async () => {
        const answer = await api(page, "say", "#general", `${username} ${nth}`);
        return answer.code !== "tooFast" && answer;
      });
      assert.equal(code, undefined);
    }
  }));
  await eventually("alice has all messages", async () =>
    (await apiValue(alice.page, "getMessages", "#general", { limit: 100 })).messages.length === 52);
  for (const one of [alice, bob]) {
    await one.page.goto(`${server.origin}/c/general`);
    await eventuallyHasPeers(one.page, 1);
  }

  // Fifty are shown; the earlier ones are loaded on request, and the order stays.
  const expected = (await apiValue(alice.page, "getMessages", "#general", { limit: 100 })).messages
    .map(({ username, text }) => `@${username}: ${text}`);
  await eventuallyShows(alice, expected.slice(-50));
  await alice.page.getByTestId("earlier").click();
  await eventuallyShows(alice, expected);
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
  await write(alice, "@bob?");
  // The count comes after both messages, and has only the second.
  await bob.page.getByTestId("nav-unread").filter({ hasText: /^1 unread$/ }).waitFor();
  const latest = (await apiValue(bob.page, "getMessages", "#general")).messages.slice(-2);
  assert.deepEqual(latest.map(({ text }) => text), ["Anybody?", "@bob?"]);

  await bob.page.getByRole("link", { name: /^Channels/ }).first().click();
  await bob.page.getByTestId("unread").filter({ hasText: "1 unread, you are mentioned" }).waitFor();
  await bob.page.getByTestId("channel-row").getByText("#general").click();
  await bob.page.getByTestId("nav-unread").waitFor({ state: "detached" });
  await bob.page.getByTestId("leave").click();
  await bob.page.waitForURL(`${server.origin}/channels`);
  await eventuallyInChannel(alice, "#general", ["alice"]);
  assert.equal((await api(bob.page, "getMessages", "#general")).code, "notInChannel");
  await bob.page.goto(`${server.origin}/c/general`);
  await bob.page.getByTestId("join").waitFor();
  for (const one of [alice, bob]) one.browser.assertQuiet();
});

test("the invisible switch hides a user at once, and shows them again", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await startAll(t, server, ["alice", "bob"]);
  await eventuallyHasPeers(alice.page, 1);
  await eventuallyOnline(alice, ["alice", "bob"]);
  await bob.page.goto(`${server.origin}/settings`);
  await eventuallyHasPeers(bob.page, 1);
  await bob.page.getByTestId("invisible").check();
  await eventuallyOnline(alice, ["alice"]);
  assert.equal((await apiValue(bob.page, "getPresence")).invisible, true);
  await bob.page.reload();
  await eventuallyHasPeers(bob.page, 1);
  await eventually("it is still so", () => bob.page.getByTestId("invisible").isChecked());
  await eventuallyOnline(bob, ["alice"]);
  assert.deepEqual(names(await apiValue(alice.page, "getUsers")), ["alice"]);
  await bob.page.getByTestId("invisible").uncheck();
  await eventuallyOnline(alice, ["alice", "bob"]);
  for (const one of [alice, bob]) one.browser.assertQuiet();
});
