// Damaged records, a full disk and invalid input are reported, and nothing else is lost.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, api, apiValue, eventually, eventuallyHasPeers, eventuallyReady, exportBackup, profileDatabase, storedBytes, storedKeys } from "./harness.mjs";

/** Flips bits in the `which`-th record of a store; returns its key, and whether the record really changed. */
async function damage(page, table, which) {
  return page.evaluate(async ([table, which, name]) => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await done(indexedDB.open(name));
    const transaction = database.transaction(table, "readwrite");
    const store = transaction.objectStore(table);
    const keys = await done(store.getAllKeys());
    const key = keys.at(which);
    const value = await done(store.get(key));
    const flip = (bytes) => {
      const copy = new Uint8Array(bytes);
      copy[copy.length >> 1] ^= 0xff;
      return copy;
    };
    const damaged = value instanceof Uint8Array
      ? flip(value)
      : value instanceof ArrayBuffer
        ? flip(new Uint8Array(value)).buffer
        : Object.fromEntries(Object.entries(value).map(([name, part]) => [name, part instanceof Uint8Array ? flip(part) : part]));
    if (store.keyPath === null) store.put(damaged, key);
    else store.put(damaged);
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    database.close();
    return { key: String(key), changed: JSON.stringify(value) !== JSON.stringify(damaged) };
  }, [table, which, await profileDatabase(page)]);
}

test("damaged records are quarantined and reported, and the rest loads", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  await apiValue(page, "setupUser", "ivan");
  for (const bio of ["one", "two", "three"]) await apiValue(page, "updateProfile", { bio });

  // What is folded from the changes, and the newest of the changes themselves.
  const damaged = [];
  for (const table of ["people", "changes"]) {
    const { key, changed } = await damage(page, table, -1);
    assert.ok(changed, `the record in ${table} is really damaged`);
    damaged.push(key);
  }
  await page.goto(server.origin);
  await eventuallyReady(page);
  await page.getByTestId("me-chip").filter({ hasText: "ivan" }).waitFor();
  await page.getByTestId("toast").filter({ hasText: /damaged|set aside/i }).first().waitFor();
  await page.goto(`${server.origin}/settings`);
  await eventuallyReady(page);
  await page.getByTestId("quarantined").waitFor();
  const listed = await page.getByTestId("quarantined").innerText();
  for (const table of ["people", "changes"]) assert.match(listed, new RegExp(table, "i"));
  const remaining = await storedKeys(page, "changes");
  for (const key of damaged.slice(1)) assert.ok(!remaining.includes(key), "out of the way");

  const me = await apiValue(page, "whoami");
  assert.equal(me.username, "ivan");
  assert.equal(me.profile.bio, "two", "all but the damaged edit is there");
  await apiValue(page, "updateProfile", { bio: "four" });
  await page.reload();
  await eventuallyReady(page);
  assert.equal((await apiValue(page, "whoami")).profile.bio, "four", "and writing goes on");
  browser.assertQuiet();
});

test("a full disk is reported, and what was stored before is kept", async (t) => {
  const server = await Server.start(t);
  const first = await Browser.start(t);
  let page = await first.open(server.origin);
  await apiValue(page, "setupUser", "judy");
  await apiValue(page, "updateProfile", { bio: "before" });
  const before = await apiValue(page, "whoami");
  await first.close();

  // A fresh process: a running one may still use the space that was already allotted to it.
  const browser = await Browser.start(t, { profile: first.profile });
  browser.allow(/Quota/i);
  const blank = browser.context.pages()[0];
  const session = await browser.context.newCDPSession(blank);
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: 1 });
  page = await browser.open(`${server.origin}/me`);
  // How much is stored is known only once the page has opened its storage in this process, and then gradually.
  await eventually("the disk is really full", async () => {
    const room = await session.send("Storage.getUsageAndQuota", { origin: server.origin });
    return room.overrideActive && room.usage > room.quota;
  });

  assert.equal((await apiValue(page, "whoami")).profile.bio, "before", "what is there can be read");
  const refused = await api(page, "updateProfile", { bio: "with no room" });
  assert.equal(refused.code, "storageFull", JSON.stringify(refused));
  assert.match(refused.message, /full|space|room/i);
  const still = await apiValue(page, "whoami");
  assert.equal(still.changes, before.changes, "the refused edit left nothing behind");
  assert.equal(still.profile.bio, "before");

  await page.getByTestId("profile-bio").fill("still no room");
  await page.getByTestId("profile-save").click();
  await page.locator("main [role=alert] strong").first().waitFor();
  await page.reload();
  await eventuallyReady(page);
  assert.equal((await apiValue(page, "whoami")).profile.bio, "before", "the same after a reload");

  await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin });
  await apiValue(page, "updateProfile", { bio: "after" });
  await page.reload();
  await eventuallyReady(page);
  const after = await apiValue(page, "whoami");
  assert.equal(after.profile.bio, "after");
  assert.equal(after.username, "judy");
  assert.equal(after.changes, before.changes + 1);
  browser.assertQuiet();
});

test("a deep link to an unknown name offers a search and a claim", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.origin}/u/nobody_here`);
  const absent = page.getByTestId("not-found-here");
  await absent.waitFor();
  assert.equal(await absent.getByRole("searchbox").inputValue(), "nobody_here");
  await absent.getByRole("link", { name: "Claim it" }).click();
  assert.equal(await page.getByTestId("name-input").inputValue(), "nobody_here");
  browser.assertQuiet();
});

test("each invalid name is refused with the rule that it breaks", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.origin}/welcome?step=name`);
  const said = new Map();
  for (const name of ["ab", "a".repeat(33), "1abc", "_abc", "abc_", "a__b", "a b", "admin", "pаypal", "abc!"]) {
    // A valid name in between, so that the verdict is not about the name before.
    await page.getByTestId("name-input").fill("somebody_new");
    await page.locator('[data-testid="name-verdict"][data-state="available"]').waitFor();
    await page.getByTestId("name-input").fill(name);
    const verdict = page.locator('[data-testid="name-verdict"][data-state="invalid"]');
    await eventually("the verdict has a reason", async () => (await verdict.innerText()) !== "");
    assert.ok(await page.getByTestId("claim").isDisabled(), name);
    const answer = await api(page, "registerUsername", name, {});
    assert.equal(answer.code, "nameInvalid", `${name}: ${JSON.stringify(answer)}`);
    said.set(name, answer.message);
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(said), null, 1));
  assert.ok(new Set(said.values()).size >= 5, "different rules, different sentences");
  browser.assertQuiet();
});

test("without storage the app still works, warns, and exports a backup", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  await browser.context.addInitScript(() => {
    globalThis.refusals = 0;
    IDBFactory.prototype.open = () => {
      globalThis.refusals += 1;
      throw new DOMException("Internal error opening backing store", "UnknownError");
    };
  });
  const page = await browser.open(server.origin);
  assert.ok(await page.evaluate(() => globalThis.refusals > 0), "the storage was really refused");
  await page.getByTestId("volatile-bar").waitFor();
  assert.equal(await apiValue(page, "registerUsername", "nomad"), true);
  const backup = await exportBackup(page, "correct horse battery");
  assert.ok(backup.length > 500, "the backup holds the key and the document");

  // What is in this tab's memory can't be had by another one, and a secret crosses no channel.
  const other = await browser.open(`${server.origin}/people`);
  const asked = api(other, "exportBackup");
  const dialog = other.getByTestId("backup-request");
  await dialog.getByTestId("backup-export-passphrase").fill("correct horse battery");
  await dialog.getByTestId("backup-export").click();
  await dialog.getByText("in the memory of another tab").waitFor();
  await other.keyboard.press("Escape");
  assert.equal((await asked).code, "declined");
  await other.close();
  await page.goto(server.origin);
  await eventuallyReady(page);
  assert.equal(await apiValue(page, "lookupUsername", "nomad"), null, "nothing was kept, as the bar says");
  browser.assertQuiet();
});

test("a device with a wrong clock is warned, and no peer is disconnected for it", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const bob = await Browser.start(t);
  const bobs = await bob.open(server.origin);
  assert.equal(await apiValue(bobs, "registerUsername", "bob"), true);
  const alice = await Browser.start(t);
  await alice.context.addInitScript(() => {
    const real = Date.now;
    Date.now = () => real() + 3 * 60 * 60 * 1000;
  });
  const page = await alice.open(server.origin);
  assert.equal(await apiValue(page, "registerUsername", "alice"), true);
  await eventuallyHasPeers(page, 1);
  const bar = page.getByTestId("clock-bar");
  await eventually("Alice's page names the clock", async () => (await bar.count()) === 1, 90_000);
  assert.match(await bar.innerText(), /about 3 hours ahead of those of its peers/);
  for (const one of [page, bobs]) {
    const { peers } = await apiValue(one, "getNetwork");
    assert.equal(peers.length, 1, "they stay connected");
    assert.equal(peers[0].reputation.low, false, "and no reputation fell");
  }
  assert.deepEqual((await apiValue(bobs, "getUsers")).map((user) => user.username), ["bob"]);
});

test("a name that was claimed by a clock far ahead is claimed again once the clock is right", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const bob = await Browser.start(t);
  const bobs = await bob.open(server.origin);
  assert.equal(await apiValue(bobs, "registerUsername", "bob"), true);
  const anna = await Browser.start(t);
  await anna.context.addInitScript(() => {
    const real = Date.now;
    // As an error of the battery: until the page has a mark that it was charged.
    Date.now = () => real() + (localStorage.getItem("charged") ? 0 : 10 * 365 * 24 * 60 * 60 * 1000);
  });
  const page = await anna.open(server.origin);
  assert.equal(await apiValue(page, "registerUsername", "anna_b"), true);
  await eventuallyHasPeers(page, 1);
  assert.equal(await apiValue(bobs, "lookupUsername", "anna_b"), null, "nobody else counts it yet");

  await page.evaluate(() => localStorage.setItem("charged", "yes"));
  await page.reload();
  await eventuallyReady(page);
  const seen = async (name) => (await apiValue(bobs, "lookupUsername", name))?.username === name;
  await eventually("Bob sees the name", () => seen("anna_b"), 60_000);
  assert.equal((await apiValue(page, "whoami")).username, "anna_b");
  await apiValue(page, "updateProfile", { username: "anna_c" });
  await eventually("Bob sees what she does from now on", () => seen("anna_c"), 60_000);
});

test("a damaged key is set aside and never written over, and the person is told", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  await apiValue(page, "setupUser", "niaj");
  const kept = [];
  for (let round = 0; round < 2; round += 1) {
    const { key, changed } = await damage(page, "keys", 0);
    assert.deepEqual([key, changed], ["identity", true], "the record of the key is really damaged");
    kept.push(await storedBytes(page, "keys", "identity"));
    await page.goto(server.origin);
    await eventuallyReady(page);
    assert.equal((await apiValue(page, "whoami")).did, null, "the key can't be used");
    const bar = page.getByTestId("key-damaged-bar");
    await bar.waitFor();
    assert.match(await bar.innerText(), /set aside/i);
    assert.equal(await page.getByTestId("toast").filter({ hasText: /everything else is fine/ }).count(), 0);
    await apiValue(page, "setupUser", `another_${round}`);
    await eventually("the bar goes once there is an identity again", async () => (await bar.count()) === 0);
  }
  const names = (await storedKeys(page, "quarantine")).filter((name) => name.startsWith("keys/identity"));
  assert.equal(names.length, 2, `each under a name of its own: ${names}`);
  const aside = await Promise.all(names.map((name) => storedBytes(page, "quarantine", name)));
  // What was set aside may be a key, so it is sealed, too; around it stand why and where from.
  for (const bytes of kept) assert.ok(aside.every((record) => !record.includes(bytes) && record.length > bytes.length));
  assert.notEqual(aside[0], aside[1]);
  browser.assertQuiet();
});
