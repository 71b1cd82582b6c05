// Damage, a full disk and nonsense are named, and take nothing else with them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, api, apiValue, eventually, ready, storedKeys } from "./harness.mjs";

/** Flips bytes in one record of a store; returns its key. `pick` gets all keys. */
function damage(page, table, which) {
  return page.evaluate(async ([table, which]) => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await done(indexedDB.open("gen-registry"));
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
  }, [table, which]);
}

test("a damaged record is set aside, the rest loads, and the person is told", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  await apiValue(page, "setupUser", "ivan");
  for (const bio of ["one", "two", "three"]) await apiValue(page, "updateProfile", { bio });
  const before = await storedKeys(page, "changes");
  assert.ok(before.length >= 4);

  const { key, changed } = await damage(page, "changes", -1);
  assert.ok(changed, "the record is really damaged");
  await page.goto(`${server.origin}/settings`);
  await ready(page);
  await eventually("the settings name the damaged record", async () =>
    (await page.getByTestId("quarantined").innerText()).length > 0);
  assert.equal((await apiValue(page, "whoami")).username, "ivan", `everything but ${key} loaded`);
  await apiValue(page, "updateProfile", { bio: "four" });
  assert.equal((await apiValue(page, "whoami")).profile.bio, "four", "and writing goes on");
  browser.assertQuiet();
});

test("a full disk keeps what was there and says so", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(/Quota/i);
  const page = await browser.open(`${server.origin}/me`);
  await apiValue(page, "setupUser", "judy");
  await apiValue(page, "updateProfile", { bio: "before" });
  const before = await apiValue(page, "whoami");
  const session = await browser.context.newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize: 1 });
  assert.ok((await page.evaluate(() => navigator.storage.estimate())).quota <= 1, "the disk is really full");

  let refused;
  for (let number = 0; number < 50 && !refused; number += 1) {
    const answer = await api(page, "updateProfile", { bio: `${"x".repeat(400)} ${number}` });
    if (answer.code) refused = answer;
    else before.changes += 1;
  }
  assert.equal(refused?.code, "storageFull", JSON.stringify(refused));
  assert.match(refused.message, /full|space|storage/i);
  assert.equal((await apiValue(page, "whoami")).changes, before.changes, "the refused edit left nothing behind");

  await page.reload();
  await ready(page);
  await page.getByTestId("profile-bio").fill("with no room");
  await page.getByTestId("profile-save").click();
  await page.locator("main [role=alert] strong").first().waitFor();

  await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin });
  await apiValue(page, "updateProfile", { bio: "after" });
  await page.reload();
  await ready(page);
  const after = await apiValue(page, "whoami");
  assert.equal(after.profile.bio, "after");
  assert.equal(after.username, "judy");
  browser.assertQuiet();
});

test("a deep link to nobody offers a search and a claim", async (t) => {
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

test("each invalid name names the rule it breaks, and none can be claimed", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.origin}/welcome?step=name`);
  const said = new Map();
  for (const name of ["ab", "a".repeat(33), "1abc", "_abc", "abc_", "a__b", "a b", "admin", "pаypal", "abc!"]) {
    await page.getByTestId("name-input").fill(name);
    const verdict = page.locator('[data-testid="name-verdict"][data-state="invalid"]');
    await verdict.waitFor();
    await eventually("the verdict is about this name", async () => (await verdict.innerText()) !== "");
    assert.ok(await page.getByTestId("claim").isDisabled(), name);
    const answer = await api(page, "registerUsername", name, {});
    assert.equal(answer.code, "nameInvalid", `${name}: ${JSON.stringify(answer)}`);
    said.set(name, answer.message);
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(said), null, 1));
  assert.ok(new Set(said.values()).size >= 5, "different rules, different sentences");
  browser.assertQuiet();
});
