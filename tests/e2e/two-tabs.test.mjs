// Two tabs of one profile have one writer: edits from both arrive, none twice, and closing a tab loses nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Browser, Server, apiValue, deleteDatabase, eventually, exportBackup, isWriter, profileDatabase, showWords, storedBytes,
  storedKeys,
} from "./harness.mjs";

const EDITS = 200;

test("200 interleaved edits from two tabs are each stored once, though the first tab is closed half way", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const first = await browser.open(server.origin);
  const second = await browser.open(`${server.origin}/people`);
  const me = await apiValue(first, "setupUser", "carol");
  assert.equal(me.username, "carol");
  const before = (await apiValue(first, "whoami")).changes;

  const edit = (page, number) => apiValue(page, "updateProfile", { bio: `edit ${number}` });
  for (let number = 0; number < EDITS / 2; number += 2) {
    await Promise.all([edit(first, number), edit(second, number + 1)]);
  }
  assert.equal((await apiValue(second, "whoami")).changes, before + EDITS / 2, "both tabs' edits are counted");

  // The first tab, which is the writer, closes in the middle of an edit of its own. This edit was not confirmed: it may be
  // stored or not.
  const cutShort = edit(first, EDITS / 2).then(() => 1, () => 0);
  const closed = first.close();
  const started = Date.now();
  await edit(second, EDITS / 2 + 1);
  const took = Date.now() - started;
  await closed;
  assert.ok(first.isClosed(), "the first tab is really gone");
  t.diagnostic(`the other tab wrote after ${took} ms`);
  for (let number = EDITS / 2 + 2; number < EDITS; number += 1) await edit(second, number);

  const after = await apiValue(second, "whoami");
  const confirmed = EDITS - 1 + (await cutShort);
  const counted = after.changes - before;
  assert.ok(counted >= confirmed && counted <= EDITS, `${confirmed} edits were confirmed, ${counted} are there`);
  assert.equal(after.profile.bio, `edit ${EDITS - 1}`);
  const keys = (await storedKeys(second, "changes")).map(String);
  assert.equal(new Set(keys).size, keys.length, "no (owner, actor, seq) twice");
  assert.equal(keys.length, after.changes, "the store holds exactly the changes");

  await second.goto(`${server.origin}/u/carol`);
  await eventually("the page shows the last edit", async () =>
    (await second.locator("main").innerText()).includes(`edit ${EDITS - 1}`));
  browser.assertQuiet();
});

test("a second tab shows changes of the first one at once", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const first = await browser.open(server.origin);
  const second = await browser.open(server.origin);
  await apiValue(first, "setupUser", "dave");
  await second.getByTestId("me-chip").filter({ hasText: "dave" }).waitFor();
  browser.assertQuiet();
});

/** Keeps all that crosses the channel between the tabs of a profile, and returns what gives it as text. */
async function listen(page) {
  await page.evaluate((name) => {
    globalThis.crossed = [];
    globalThis.spy = new BroadcastChannel(name);
    globalThis.spy.onmessage = ({ data }) => globalThis.crossed.push(new TextDecoder("latin1").decode(data));
  }, await profileDatabase(page));
  return () => page.evaluate(() => globalThis.crossed.join("\n"));
}

test("words, passphrases and backups cross no channel: the tab that needs them becomes the one that writes", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const first = await browser.open(server.origin);
  await apiValue(first, "setupUser", "ivan");
  const between = await browser.open(`${server.origin}/people`);
  const second = await browser.open(`${server.origin}/settings`);
  const crossed = await listen(between);
  await apiValue(second, "updateProfile", { bio: "a text that may cross" });
  await eventually("what crosses is heard", async () => (await crossed()).includes("a text that may cross"));
  assert.deepEqual([await isWriter(first), await isWriter(second)], [true, false]);

  const words = await showWords(second);
  await eventually("the second tab writes", async () =>
    (await isWriter(second)) && !(await isWriter(first)) && !(await isWriter(between)));
  const secret = "correct horse battery";
  await second.getByTestId("passphrase-new").fill(secret);
  await second.getByTestId("passphrase-set").click();
  await eventually("the key is sealed", async () => (await apiValue(first, "whoami")).protection === "unlocked");
  const backup = await exportBackup(second, secret);

  // The first tab goes on, and takes its turn when the passphrase is typed there.
  await apiValue(first, "updateProfile", { bio: "from the first tab" });
  await second.getByTestId("lock-now").click();
  await eventually("the key is locked", async () => (await apiValue(first, "whoami")).protection === "locked");
  await first.goto(`${server.origin}/settings`);
  await first.getByTestId("unlock-passphrase").fill(secret);
  await first.keyboard.press("Enter");
  await eventually("it is open again", async () => (await apiValue(second, "whoami")).protection === "unlocked");
  await eventually("the first tab writes", async () =>
    (await isWriter(first)) && !(await isWriter(second)) && !(await isWriter(between)));
  await apiValue(second, "updateProfile", { bio: "from the second tab" });
  await eventually("what crosses is heard still", async () => (await crossed()).includes("from the second tab"));

  const all = await crossed();
  const file = Buffer.from(backup.slice(-64)).toString("latin1");
  for (const one of [secret, words.join(" "), file]) assert.ok(!all.includes(one), "no secret was heard");

  // A tab that ceased to write has nothing that it could write into an emptied store, beside the one that does.
  const before = await apiValue(first, "whoami");
  assert.equal(before.profile.bio, "from the second tab");
  await deleteDatabase(first);
  await first.getByTestId("storage-lost-bar").waitFor();
  await eventually("it is written again", async () => (await storedKeys(first, "changes")).length === before.changes);
  const after = await apiValue(first, "whoami");
  assert.deepEqual([after.did, after.changes, after.profile.bio], [before.did, before.changes, before.profile.bio]);
  browser.assertQuiet();
});

test("the stored key is sealed by the browser, and no script can read what opens it", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  await apiValue(page, "setupUser", "judy");
  assert.equal((await apiValue(page, "whoami")).protection, "browser");
  const stored = Buffer.from(await storedBytes(page, "keys", "identity"), "hex");
  assert.match(stored.toString("latin1"), /^gen-sealed-val-1/);
  const { did } = await apiValue(page, "whoami");
  const key = await page.evaluate(async (name) => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await done(indexedDB.open(name));
    const { key } = await done(database.transaction("meta").objectStore("meta").get("vault"));
    database.close();
    const exported = await crypto.subtle.exportKey("raw", key).catch((error) => error.name);
    return { name: key.algorithm.name, extractable: key.extractable, exported };
  }, await profileDatabase(page));
  assert.deepEqual(key, { name: "AES-GCM", extractable: false, exported: "InvalidAccessError" });

  await page.goto(`${server.origin}/settings`);
  await page.getByTestId("protection").filter({ hasText: "this browser keeps what opens it" }).waitFor();
  await page.reload();
  await eventually("the key is here after a reload", async () => (await apiValue(page, "whoami")).did === did);
  await apiValue(page, "updateProfile", { bio: "and it signs" });
  browser.assertQuiet();
});
