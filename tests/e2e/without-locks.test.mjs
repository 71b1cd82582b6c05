// At an address without TLS the browser has no Web Locks. One tab of a profile writes there too, under a lease in the
// profile's database, and no key takes the place of another.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Browser, Server, api, apiValue, eventually, eventuallyReady, isWriter, profileDatabase, showWords, storedBytes,
  storedKeys,
} from "./harness.mjs";

/** A name that is not this machine's own, so that pages from it have no secure context. */
const HOST = "gen.test";
const FLAGS = [
  `--host-resolver-rules=MAP ${HOST} 127.0.0.1`,
  "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
];

/** A server, a browser, and the address at which its pages have no locks; `before` are those of an earlier browser. */
async function withoutLocks(t, before = {}) {
  const server = before.server ?? (await Server.start(t));
  const browser = await Browser.start(t, { flags: FLAGS, profile: before.browser?.profile });
  browser.allow(/Cross-Origin-Opener-Policy header has been ignored/);
  const origin = `http://${HOST}:${server.port}`;
  const open = async (path = "/") => {
    const page = await browser.open(`${origin}${path}`);
    const setting = await page.evaluate(() => [isSecureContext, typeof navigator.locks, typeof BroadcastChannel]);
    assert.deepEqual(setting, [false, "undefined", "function"], "no locks here, but a channel between tabs");
    return page;
  };
  return { server, browser, open, origin };
}

/** The lease as it is stored: who writes, and in which term. */
async function lease(page) {
  const text = await page.evaluate(async (name) => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await done(indexedDB.open(name));
    try {
      return await done(database.transaction("meta").objectStore("meta").get("lease"));
    } finally {
      database.close();
    }
  }, await profileDatabase(page));
  const [owner, term] = text.split("/");
  return { owner, term: Number(term) };
}

test("without locks two tabs are one person, and closing the first loses no key", async (t) => {
  const { browser, open } = await withoutLocks(t);
  const [first, second] = [await open(), await open("/people")];
  const claimed = await api(first, "setupUser", "first_name");
  const mine = await apiValue(first, "whoami");
  const key = await storedBytes(first, "keys", "identity");
  const renamed = await api(second, "setupUser", "second_name");
  const theirs = await apiValue(second, "whoami");
  assert.equal(theirs.did, mine.did, `both tabs are one person: ${JSON.stringify([claimed, renamed])}`);
  assert.equal(await storedBytes(second, "keys", "identity"), key, "the stored key is the first one");
  await eventually("one tab says that it writes", async () => (await isWriter(first)) && !(await isWriter(second)));

  await first.close();
  const closed = Date.now();
  await apiValue(second, "updateProfile", { bio: "the second tab writes now" });
  t.diagnostic(`the other tab wrote after ${Date.now() - closed} ms`);
  await eventually("it says so", () => isWriter(second));
  const term = (await lease(second)).term;
  await second.reload();
  await eventuallyReady(second);
  await apiValue(second, "updateProfile", { bio: "and after a reload" });
  assert.equal((await lease(second)).term, term + 1, "it took its own lease again, since it had left");
  const after = await apiValue(second, "whoami");
  assert.equal(after.did, mine.did, "the identity is still here");
  assert.equal(after.profile.bio, "and after a reload");
  browser.assertQuiet();
});

test("without locks a tab that needs a secret becomes the one that writes, and others let it pass", async (t) => {
  const { browser, open } = await withoutLocks(t);
  const [first, second] = [await open(), await open()];
  await apiValue(first, "setupUser", "heidi");
  const third = await open("/settings");
  const mine = await apiValue(third, "whoami");
  assert.equal(mine.protection, "none", "without a secure context the browser keeps no key");
  await third.getByTestId("protection").filter({ hasText: "stored as it is" }).waitFor();
  const before = await lease(third);

  await showWords(third);
  await eventually("it writes", async () => (await isWriter(third)) && !(await isWriter(first)) && !(await isWriter(second)));
  assert.equal((await lease(third)).term, before.term + 1, "no other tab had it in between");
  await apiValue(first, "updateProfile", { bio: "and the others go on" });
  assert.deepEqual((await apiValue(second, "whoami")).did, mine.did);
  browser.assertQuiet();
});

test("without locks interleaved edits from two tabs are each stored once", async (t) => {
  const { browser, open } = await withoutLocks(t);
  const [first, second] = [await open(), await open()];
  await apiValue(first, "setupUser", "carol");
  const before = (await apiValue(first, "whoami")).changes;
  const EDITS = 40;
  for (let number = 0; number < EDITS; number += 2) {
    await Promise.all([
      apiValue(first, "updateProfile", { bio: `edit ${number}` }),
      apiValue(second, "updateProfile", { bio: `edit ${number + 1}` }),
    ]);
  }
  assert.equal((await apiValue(second, "whoami")).changes, before + EDITS, "both tabs' edits are counted");
  assert.equal((await storedKeys(second, "changes")).length, before + EDITS, "and stored");
  browser.assertQuiet();
});

test("without locks a tab that crashes is followed by another, in a later term", async (t) => {
  const { browser, open } = await withoutLocks(t);
  const first = await open();
  await apiValue(first, "setupUser", "dave");
  const second = await open();
  const before = await lease(second);
  const mine = await apiValue(second, "whoami");

  browser.allow(/the page crashed/);
  const crashed = first.waitForEvent("crash");
  const session = await browser.context.newCDPSession(first);
  session.send("Page.crash").catch(() => {});
  await crashed;
  await apiValue(second, "updateProfile", { bio: "after the crash" });
  const after = await lease(second);
  assert.notEqual(after.owner, before.owner, "another tab has the lease");
  assert.ok(after.term > before.term, JSON.stringify([before, after]));
  assert.equal((await apiValue(second, "whoami")).did, mine.did);
  browser.assertQuiet();
});

test("without locks a tab that was stopped for long writes nothing once another has taken its place", async (t) => {
  const { browser, open } = await withoutLocks(t);
  const [first, second] = [await open(), await open()];
  await apiValue(first, "setupUser", "erin");
  const before = await apiValue(first, "whoami");
  const held = await lease(first);
  await eventually("the first tab writes", () => isWriter(first));

  // The whole page stands still, as a debugger or a suspended tab does it: it can't notice that its lease runs out.
  const session = await browser.context.newCDPSession(first);
  await session.send("Debugger.enable");
  const paused = new Promise((resolve) => session.once("Debugger.paused", resolve));
  await session.send("Debugger.pause");
  const late = session.send("Runtime.evaluate", {
    expression: 'genRegistry.updateProfile({ bio: "from the tab that was stopped" }).then(() => "stored", (error) => error.code)',
    awaitPromise: true,
    returnByValue: true,
  });
  await paused;
  await apiValue(second, "updateProfile", { bio: "from the tab that took over" });
  const taken = await lease(second);
  assert.ok(taken.term > held.term && taken.owner !== held.owner, "the lease was really taken over");

  await session.send("Debugger.resume");
  const { result } = await late;
  t.diagnostic(`the stopped tab's edit: ${result.value}`);
  assert.equal(result.value, "stored", "it went to the new writer");
  await eventually("the first tab follows", async () => !(await isWriter(first)));
  await eventually("the new writer stays", () => isWriter(second));
  for (const page of [first, second]) {
    const me = await apiValue(page, "whoami");
    assert.deepEqual([me.did, me.profile.bio, me.changes], [before.did, "from the tab that was stopped", before.changes + 2]);
  }
  assert.equal((await storedKeys(second, "changes")).length, before.changes + 2, "no place was written twice");
  assert.equal((await lease(second)).term, taken.term, "one change of the writer, not several");
  await first.reload();
  await eventuallyReady(first);
  assert.equal((await apiValue(first, "whoami")).forked ?? false, false);
  browser.assertQuiet();
});

test("without locks a full disk still shows what is there, and the first edit that has room takes the lease", async (t) => {
  const before = await withoutLocks(t);
  const first = await before.open();
  await apiValue(first, "setupUser", "grace");
  await apiValue(first, "updateProfile", { bio: "before" });
  const held = await lease(first);
  await before.browser.close();

  const { browser, open, origin } = await withoutLocks(t, before);
  browser.allow(/Quota/i);
  const session = await browser.context.newCDPSession(browser.context.pages()[0]);
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
  const page = await open("/me");
  await eventually("the disk is really full", async () => {
    const room = await session.send("Storage.getUsageAndQuota", { origin });
    return room.overrideActive && room.usage > room.quota;
  });
  assert.equal((await apiValue(page, "whoami")).profile.bio, "before", "what is there can be read");
  assert.equal((await api(page, "updateProfile", { bio: "with no room" })).code, "storageFull");
  assert.deepEqual(await lease(page), held, "there was no room for a lease either");

  await session.send("Storage.overrideQuotaForOrigin", { origin });
  await apiValue(page, "updateProfile", { bio: "after" });
  assert.equal((await lease(page)).term, held.term + 1);
  await page.reload();
  await eventuallyReady(page);
  assert.equal((await apiValue(page, "whoami")).profile.bio, "after");
  browser.assertQuiet();
});
