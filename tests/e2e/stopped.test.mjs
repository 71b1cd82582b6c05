// A program that breaks shows why, releases the writer's lock to another tab, and starts again with everything that was
// confirmed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, apiValue, eventually, eventuallyReady, exportBackup } from "./harness.mjs";

const PASSPHRASE = "correct horse battery";
// Where randomness is drawn first: the program itself, or Automerge.
const PANIC = /panicked at .*(platform\/browser|random number generator failed)/s;
const heading = (page) => page.getByRole("heading", { name: "Gen Registry stopped" });

/** Makes the next command that needs randomness panic: the program relies on every browser having some. */
function takeRandomness(page) {
  return page.evaluate(() => {
    globalThis.refusals = 0;
    Crypto.prototype.getRandomValues = () => {
      globalThis.refusals += 1;
      throw new Error("no randomness today");
    };
  });
}

/** Makes each use of the store after the page has stopped an error on the console. */
function watchLateWrites(page) {
  return page.evaluate(() => {
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (...given) {
      if (globalThis.genRegistryBoot.stopped) console.error("a stopped page goes to its store");
      return transaction.apply(this, given);
    };
  });
}

/**
 * From now on the timers that a stopped page sets run only in `reloadsWhenDue`, and reloads are counted, in the moment
 * in which a script asks for one.
 */
function holdTimers(page) {
  return page.evaluate(() => {
    const { setTimeout } = globalThis;
    globalThis.held = [];
    globalThis.reloads = 0;
    globalThis.setTimeout = (act, ...given) =>
      globalThis.genRegistryBoot.stopped ? globalThis.held.push(act) : setTimeout(act, ...given);
    navigation.addEventListener("navigate", ({ navigationType }) => {
      if (navigationType === "reload") globalThis.reloads += 1;
    });
  });
}

/** Runs every timer that the stopped page has set; returns how often the page then reloads by itself. */
const reloadsWhenDue = (page) => page.evaluate(() => {
  globalThis.held.forEach((act) => act());
  return globalThis.reloads;
});

const panics = (browser) => browser.complaints.filter((text) => PANIC.test(text)).length;
const locks = (page) => page.evaluate(async () => (await navigator.locks.query()).held.map(({ name }) => name));

/** What the browser logs of a panic. */
const BROKEN = [PANIC, /unreachable/, /RuntimeError/];

test("after the writing tab panics, another tab takes over and answers its commands, and the first reloads", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(...BROKEN);
  const first = await browser.open(server.origin);
  await apiValue(first, "setupUser", "mallory");
  const second = await browser.open(`${server.origin}/people`);
  await apiValue(second, "updateProfile", { bio: "before the fault" });

  await watchLateWrites(first);
  await holdTimers(first);
  await takeRandomness(first);
  const begin = Date.now();
  const asked = apiValue(second, "decide", "module:unwanted", "block");
  await heading(first).waitFor();
  await eventually("the panic is on the console", () => panics(browser) > 0);
  assert.ok(await first.evaluate(() => globalThis.refusals > 0), "for the injected reason");
  assert.match(await first.locator("#boot pre").innerText(), /panicked|randomness|getRandomValues/);
  const { rows } = await asked;
  t.diagnostic(`the other tab had its answer ${Date.now() - begin} ms after it asked the one that panicked`);
  assert.deepEqual(rows.map(({ subject }) => subject), ["module:unwanted"], "the command of the other tab was carried out");
  assert.equal(await heading(second).count(), 0, "the other tab goes on");
  await apiValue(second, "updateProfile", { bio: "after the fault" });

  // The first one reloads by itself.
  assert.match(await first.locator("#boot").innerText(), /reloads by itself/);
  const reloaded = first.waitForEvent("load");
  assert.equal(await reloadsWhenDue(first), 1);
  await reloaded;
  await eventuallyReady(first);
  assert.equal(await heading(first).count(), 0);
  for (const page of [first, second]) {
    const me = await apiValue(page, "whoami");
    assert.deepEqual([me.username, me.profile.bio], ["mallory", "after the fault"]);
  }
  await apiValue(first, "updateProfile", { bio: "and on it goes" });
  assert.equal(panics(browser), 1, "the writer panicked once");

  // The same again right afterwards: no page reloads without end.
  await holdTimers(first);
  await takeRandomness(first);
  // A tab that needs a secret becomes the one that writes, and stops as that.
  exportBackup(first, PASSPHRASE).catch(() => {});
  await heading(first).waitFor();
  assert.equal(await reloadsWhenDue(first), 0, "this one waits for the user");
  assert.doesNotMatch(await first.locator("#boot").innerText(), /reloads by itself/);
  await first.getByRole("button", { name: "Reload" }).click();
  await eventuallyReady(first);
  assert.equal((await apiValue(first, "whoami")).profile.bio, "and on it goes");
  browser.assertQuiet();
});

test("corrupted memory also stops the page, and what the user had typed is shown for copying", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(...BROKEN, /panicked/);
  await browser.context.addInitScript(() => {
    const { instantiateStreaming } = WebAssembly;
    WebAssembly.instantiateStreaming = async (...given) => {
      const made = await instantiateStreaming(...given);
      globalThis.programMemory ??= made.instance.exports.memory;
      return made;
    };
  });
  const page = await browser.open(server.origin);
  await apiValue(page, "setupUser", "oscar");
  await page.goto(`${server.origin}/me`);
  await eventuallyReady(page);
  const { topic } = await apiValue(page, "getNetwork");
  assert.deepEqual(await locks(page), [`gen-registry-writer-${topic}`]);
  await page.getByTestId("profile-bio").fill("A long text about oscar");
  await holdTimers(page);

  await page.evaluate(() => {
    new Uint8Array(globalThis.programMemory.buffer).fill(0xff);
    try {
      genRegistry.whoami().catch(() => {});
    } catch {
      // It throws at once or rejects later.
    }
  });
  await heading(page).waitFor();
  assert.match(await page.locator("#boot").innerText(), /RuntimeError|panicked/, "it really broke");
  await eventually("the writer's lock is released", async () => (await locks(page)).length === 0);
  await page.getByText("A long text about oscar").waitFor();
  assert.equal(await reloadsWhenDue(page), 0, "a reload would have lost it");
  await page.getByRole("button", { name: "Reload" }).click();
  await eventuallyReady(page);
  assert.equal((await apiValue(page, "whoami")).username, "oscar");
  await eventually("this page writes again", async () => (await locks(page)).length === 1);
  browser.assertQuiet();
});
