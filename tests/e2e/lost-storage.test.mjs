// The browser takes the site's storage away under an open page: the page says so by itself, writes what it holds into a
// new store, keys too, and reports nothing as done that is not kept.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Browser, Server, api, apiValue, deleteDatabase, eventually, eventuallyKnowsName, eventuallyReady, exportBackup, startUser,
  storedBytes, storedKeys,
} from "./harness.mjs";

const PASSPHRASE = "correct horse battery";

/** Removes the databases of the origin as the browser's "Clear site data" does, under the pages that are open. */
async function clearSiteData(page, origin) {
  const session = await page.context().newCDPSession(page);
  assert.ok(await storedBytes(page, "settings", "schema"), "there were data");
  await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "indexeddb" });
}

/** Notes in the page each `close` event of a database, which the browser fires when it closes one by itself. */
const noteCloses = (context) => context.addInitScript(() => {
  globalThis.closes = 0;
  const { open } = IDBFactory.prototype;
  IDBFactory.prototype.open = function (...given) {
    const request = open.apply(this, given);
    request.addEventListener("success", () => {
      (globalThis.connections ??= []).push(request.result);
      request.result.addEventListener("close", () => (globalThis.closes += 1));
    });
    return request;
  };
});

const eventuallyClosed = (page) => eventually("the browser closed the database", () => page.evaluate(() => globalThis.closes > 0));
const lostBar = (page) => page.getByTestId("storage-lost-bar");

test("when the site's data are cleared, every tab says so and the key, the name and the profile are kept", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await noteCloses(browser.context);
  const page = await browser.open(server.origin);
  const other = await browser.open(`${server.origin}/people`);
  await apiValue(page, "setupUser", "frank");
  await apiValue(page, "updateProfile", { bio: "before" });
  const before = await apiValue(page, "whoami");

  await clearSiteData(page, server.origin);
  await eventuallyClosed(page);
  for (const tab of [page, other]) {
    await lostBar(tab).waitFor();
    const text = await lostBar(tab).innerText();
    assert.match(text, /removed/i);
    assert.doesNotMatch(text, /newer version/i);
    assert.equal(await tab.getByTestId("reload-bar").count(), 0, "nothing asks for a reload");
  }
  await apiValue(page, "updateProfile", { bio: "after" });
  assert.ok((await exportBackup(page, PASSPHRASE)).length > 500, "a backup can be saved");
  assert.deepEqual(await storedKeys(page, "keys"), ["identity"], "the key is in the new store");
  await page.reload();
  await eventuallyReady(page);
  const after = await apiValue(page, "whoami");
  assert.deepEqual(
    [after.did, after.username, after.profile.bio, after.changes, after.forked],
    [before.did, "frank", "after", before.changes + 1, false],
    "what was answered with success is kept, and so is all before it",
  );
  browser.assertQuiet();
});

test("when the data are cleared in the middle of edits, exactly those that succeeded are kept", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await noteCloses(browser.context);
  const page = await browser.open(server.origin);
  const other = await browser.open(`${server.origin}/people`);
  await apiValue(page, "setupUser", "lena");
  const before = await apiValue(page, "whoami");
  const EDITS = 60;
  let cleared;
  const outcomes = [];
  for (let number = 0; number < EDITS; number += 2) {
    if (number === EDITS / 3) cleared = clearSiteData(page, server.origin);
    outcomes.push(...await Promise.all([page, other].map((tab, which) =>
      api(tab, "updateProfile", { bio: `edit ${number + which}` }))));
  }
  await cleared;
  await eventuallyClosed(page);
  await lostBar(page).waitFor();
  const refused = outcomes.filter((outcome) => outcome.code);
  t.diagnostic(`refused: ${JSON.stringify(refused)}`);
  assert.ok(refused.every(({ code }) => ["storageLost", "storageFailed"].includes(code)), JSON.stringify(refused));
  await apiValue(page, "updateProfile", { bio: "the last" });
  const succeeded = EDITS - refused.length + 1;
  for (const tab of [page, other]) {
    await tab.reload();
    await eventuallyReady(tab);
    const after = await apiValue(tab, "whoami");
    assert.deepEqual(
      [after.did, after.changes, after.profile.bio, after.forked],
      [before.did, before.changes + succeeded, "the last", false],
    );
  }
  assert.equal((await storedKeys(page, "changes")).length, before.changes + succeeded);
  browser.assertQuiet();
});

test("when the data are cleared among peers, what others wrote comes back, and what is written next reaches them", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const bob = await startUser(t, server, { username: "bob" });
  const alice = await startUser(t, server, { username: "alice" });
  await eventuallyKnowsName(alice.page, "bob");
  await eventuallyKnowsName(bob.page, "alice");
  const before = await apiValue(alice.page, "whoami");

  await clearSiteData(alice.page, server.origin);
  await lostBar(alice.page).waitFor();
  await eventually("Bob's entries are stored here again", async () => {
    const people = await storedKeys(alice.page, "people");
    return people.length === 2 && (await apiValue(alice.page, "lookupUsername", "bob"));
  });
  await apiValue(alice.page, "updateProfile", { displayName: "Still Alice" });
  await eventually("Bob sees it", async () =>
    (await apiValue(bob.page, "lookupUsername", "alice"))?.displayName === "Still Alice");
  const after = await apiValue(alice.page, "whoami");
  assert.deepEqual([after.did, after.nameStatus, after.forked], [before.did, before.nameStatus, false]);
  assert.equal((await apiValue(bob.page, "lookupUsername", "alice")).did, before.did);
  alice.browser.assertQuiet();
  bob.browser.assertQuiet();
});

test("when the data are cleared while the key is locked, its sealed form is kept", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await noteCloses(browser.context);
  const page = await browser.open(`${server.origin}/settings`);
  await apiValue(page, "setupUser", "grace");
  await page.getByTestId("passphrase-new").fill(PASSPHRASE);
  await page.getByTestId("passphrase-set").click();
  await eventually("the key is sealed", async () => (await apiValue(page, "whoami")).protection === "unlocked");
  await page.reload();
  await eventuallyReady(page);
  const before = await apiValue(page, "whoami");
  assert.equal(before.protection, "locked");

  await clearSiteData(page, server.origin);
  await eventuallyClosed(page);
  await lostBar(page).waitFor();
  await page.reload();
  await eventuallyReady(page);
  const after = await apiValue(page, "whoami");
  assert.deepEqual([after.did, after.protection], [before.did, "locked"]);
  await page.goto(`${server.origin}/settings`);
  await eventuallyReady(page);
  browser.assertQuiet();
});

test("when another page of the site deletes the database, nothing speaks of a newer version and the key is kept", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  await apiValue(page, "setupUser", "heidi");
  const before = await apiValue(page, "whoami");
  await deleteDatabase(page);
  await lostBar(page).waitFor();
  assert.equal(await page.getByTestId("reload-bar").count(), 0);
  assert.deepEqual(await storedKeys(page, "keys"), ["identity"]);
  await apiValue(page, "updateProfile", { bio: "after" });
  await page.reload();
  await eventuallyReady(page);
  const after = await apiValue(page, "whoami");
  assert.deepEqual([after.did, after.username, after.profile.bio], [before.did, "heidi", "after"]);
  browser.assertQuiet();
});

test("when the browser closes the database and leaves the data, the page opens it again and goes on", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await noteCloses(browser.context);
  const page = await browser.open(server.origin);
  await apiValue(page, "setupUser", "ivy");
  const before = await apiValue(page, "whoami");

  // Under pressure for memory or disk the browser closes connections; a test can only do what it then does: the
  // connection is closed, and its `close` event is fired.
  const closed = await page.evaluate(() => {
    const { connections } = globalThis;
    for (const connection of connections) {
      connection.close();
      connection.dispatchEvent(new Event("close"));
    }
    return connections.map((connection) => {
      try {
        return connection.transaction("settings").mode;
      } catch (error) {
        return error.name;
      }
    });
  });
  assert.ok(closed.length > 0 && closed.every((name) => name === "InvalidStateError"), JSON.stringify(closed));
  await apiValue(page, "updateProfile", { bio: "after" });
  await page.getByTestId("toast").filter({ hasText: /opened it again/i }).first().waitFor();
  assert.equal(await lostBar(page).count(), 0, "nothing was lost");
  await page.reload();
  await eventuallyReady(page);
  const after = await apiValue(page, "whoami");
  assert.deepEqual([after.did, after.profile.bio, after.changes], [before.did, "after", before.changes + 1]);
  browser.assertQuiet();
});

test("a connection that is closed without an event is opened again at its next use", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await noteCloses(browser.context);
  const page = await browser.open(server.origin);
  await apiValue(page, "setupUser", "jack");
  const before = await apiValue(page, "whoami");
  const count = await page.evaluate(() => {
    globalThis.connections.forEach((connection) => connection.close());
    return globalThis.connections.length;
  });
  assert.ok(count > 0);
  await apiValue(page, "updateProfile", { bio: "after" });
  await page.reload();
  await eventuallyReady(page);
  const after = await apiValue(page, "whoami");
  assert.deepEqual([after.did, after.profile.bio, after.changes], [before.did, "after", before.changes + 1]);
  browser.assertQuiet();
});

test("when the browser gives no storage any more, the page changes nothing and still saves a backup", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await noteCloses(browser.context);
  const page = await browser.open(server.origin);
  await apiValue(page, "setupUser", "kate");
  const before = await apiValue(page, "whoami");
  await page.evaluate(() => {
    globalThis.refusals = 0;
    IDBFactory.prototype.open = () => {
      globalThis.refusals += 1;
      throw new DOMException("Internal error opening backing store", "UnknownError");
    };
    globalThis.connections.forEach((connection) => {
      connection.close();
      connection.dispatchEvent(new Event("close"));
    });
  });
  await eventually("the storage was really refused", () => page.evaluate(() => globalThis.refusals > 0));
  await lostBar(page).waitFor();
  assert.match(await lostBar(page).innerText(), /backup/i);
  const refused = await api(page, "updateProfile", { bio: "can't be kept" });
  assert.equal(refused.code, "storageLost", JSON.stringify(refused));
  const still = await apiValue(page, "whoami");
  assert.deepEqual([still.did, still.username, still.profile.bio, still.changes], [before.did, "kate", before.profile.bio, before.changes]);
  const backup = await exportBackup(page, PASSPHRASE);
  assert.ok(backup.length > 500);

  // The data were there all the time: a reload finds them, at the state at which they were.
  await page.reload();
  await eventuallyReady(page);
  const after = await apiValue(page, "whoami");
  assert.deepEqual([after.did, after.changes, after.forked], [before.did, before.changes, false]);

  // And the file brings the identity to another browser.
  const elsewhere = await Browser.start(t);
  const fresh = await elsewhere.open(server.origin);
  await fresh.evaluate(([bytes, passphrase]) => genRegistry.importBackup(new Uint8Array(bytes), passphrase), [backup, PASSPHRASE]);
  assert.equal((await apiValue(fresh, "whoami")).did, before.did);
  browser.assertQuiet();
});
