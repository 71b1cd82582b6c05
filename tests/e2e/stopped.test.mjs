// A program that breaks says so, gives its place to another tab, and begins anew with all that was confirmed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, apiValue, eventually, ready } from "./harness.mjs";

const PASSPHRASE = "correct horse battery";
const PANIC = /panicked at .*platform\/browser/;
const heading = (page) => page.getByRole("heading", { name: "Gen Registry stopped" });

/** The next command that needs randomness panics: the program relies on every browser having some. */
function takeRandomness(page) {
  return page.evaluate(() => {
    globalThis.refusals = 0;
    Crypto.prototype.getRandomValues = () => {
      globalThis.refusals += 1;
      throw new Error("no randomness today");
    };
  });
}

/** What this page still begins to do in its store once it has stopped is a complaint. */
function watchLateWrites(page) {
  return page.evaluate(() => {
    const { transaction } = IDBDatabase.prototype;
    IDBDatabase.prototype.transaction = function (...given) {
      if (globalThis.genRegistryBoot.stopped) console.error("a stopped page goes to its store");
      return transaction.apply(this, given);
    };
  });
}

const backupOf = (page) =>
  page.evaluate(async (passphrase) => (await genRegistry.exportBackup(passphrase)).length, PASSPHRASE);
const panics = (browser) => browser.complaints.filter((text) => PANIC.test(text)).length;
const locks = (page) => page.evaluate(async () => (await navigator.locks.query()).held.map(({ name }) => name));

/** What the browser says of a panic. */
const BROKEN = [PANIC, /unreachable/, /RuntimeError/];

test("the writing tab panics: the other one takes over and does what it was asked, the first comes back", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(...BROKEN);
  const first = await browser.open(server.origin);
  await apiValue(first, "setupUser", "mallory");
  const second = await browser.open(`${server.origin}/people`);
  await apiValue(second, "updateProfile", { bio: "before the fault" });

  await watchLateWrites(first);
  await takeRandomness(first);
  const begin = Date.now();
  const asked = backupOf(second);
  await heading(first).waitFor();
  const reloaded = first.waitForEvent("load");
  assert.equal(panics(browser), 1, "the writer really panicked, once");
  assert.ok(await first.evaluate(() => globalThis.refusals > 0), "for the reason that was given to it");
  assert.match(await first.locator("#boot pre").innerText(), /panicked|randomness|getRandomValues/);
  const length = await asked;
  t.diagnostic(`the other tab had its answer ${Date.now() - begin} ms after it asked the one that broke`);
  assert.ok(length > 500, `the command of the other tab was carried out: ${length} bytes`);
  assert.equal(await heading(second).count(), 0, "which is none the worse");
  await apiValue(second, "updateProfile", { bio: "after the fault" });

  // By itself.
  await reloaded;
  await ready(first);
  assert.equal(await heading(first).count(), 0);
  for (const page of [first, second]) {
    const me = await apiValue(page, "whoami");
    assert.deepEqual([me.username, me.profile.bio], ["mallory", "after the fault"]);
  }
  await apiValue(first, "updateProfile", { bio: "and on it goes" });
  assert.equal(panics(browser), 1);

  // The same again right afterwards: no page reloads without end.
  for (const page of [first, second]) await takeRandomness(page);
  backupOf(first).catch(() => {});
  // Whoever writes stops; then the tab that asked, with the same question in its hands, takes over and stops too.
  await heading(first).waitFor();
  await first.waitForTimeout(6_000);
  assert.equal(await heading(first).count(), 1, "this one waits for the person");
  assert.doesNotMatch(await first.locator("#boot").innerText(), /reloads by itself/);
  await first.getByRole("button", { name: "Reload" }).click();
  await ready(first);
  assert.equal((await apiValue(first, "whoami")).profile.bio, "and on it goes");
  browser.assertQuiet();
});

test("broken memory stops the page too, and what the person had typed stands there to be copied", async (t) => {
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
  await ready(page);
  assert.deepEqual(await locks(page), ["gen-registry-writer"]);
  await page.getByTestId("profile-bio").fill("A long text about oscar");
  let loads = 0;
  page.on("load", () => (loads += 1));

  await page.evaluate(() => {
    new Uint8Array(globalThis.programMemory.buffer).fill(0xff);
    try {
      genRegistry.whoami().catch(() => {});
    } catch {
      // Whichever comes first.
    }
  });
  await heading(page).waitFor();
  assert.match(await page.locator("#boot").innerText(), /RuntimeError|panicked/, "it really broke");
  assert.deepEqual(await locks(page), [], "the writer's place is free");
  await page.getByText("A long text about oscar").waitFor();
  await page.waitForTimeout(6_000);
  assert.equal(loads, 0, "a reload would have lost it");
  await page.getByRole("button", { name: "Reload" }).click();
  await ready(page);
  assert.equal((await apiValue(page, "whoami")).username, "oscar");
  await eventually("this page writes again", async () => (await locks(page)).length === 1);
  browser.assertQuiet();
});
