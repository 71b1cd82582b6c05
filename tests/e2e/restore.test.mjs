// An identity is restored in a new profile, from the 24 words or from the backup file; an invalid file changes nothing.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import {
  Browser, Server, apiValue, eventuallyConfirmed, eventuallyOfflineReady, eventuallyReady, showWords,
  temporaryFolder,
} from "./harness.mjs";

const PASSPHRASE = "correct horse battery staple 7";
/** Larger than any backup may be. */
const TOO_LARGE = 64 * 1024 * 1024;

async function startWithName(t, server, name) {
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.origin}/settings`);
  await apiValue(page, "setupUser", name);
  const { did } = await apiValue(page, "whoami");
  await page.reload();
  await eventuallyReady(page);
  return { browser, page, did };
}

async function bringBack(page, file, passphrase) {
  await page.getByTestId("backup-import-file").setInputFiles(file);
  await page.getByTestId("backup-import-passphrase").fill(passphrase);
  await page.getByTestId("backup-import").click();
}

async function eventuallyRefused(page) {
  const alert = page.locator("#restore [role=alert] strong");
  await alert.waitFor();
  return alert.innerText();
}

test("the 24 words give the same identity on a new device", async (t) => {
  const server = await Server.start(t);
  const erin = await startWithName(t, server, "erin");
  const words = await showWords(erin.page);
  const written = words.map((word, at) => `${at + 1}. ${word},`).join("\n");
  await erin.browser.close();

  const fresh = await Browser.start(t);
  const page = await fresh.open(`${server.origin}/settings#restore`);
  assert.equal((await apiValue(page, "whoami")).did ?? null, null, "the profile is empty");
  // As people write them down.
  await page.getByTestId("restore-phrase").fill(`“${written}”\u200B`);
  await page.getByTestId("restore").click();
  // Nothing is written before somebody was asked, unless the person says that nobody can be.
  await page.locator("#restore [role=alert]").filter({ hasText: "No peer is connected" }).waitFor();
  assert.equal((await apiValue(page, "whoami")).did ?? null, null, "nothing was made");
  await page.getByTestId("restore-unheard").click();
  await eventuallyConfirmed(page, "key is here");
  assert.equal((await apiValue(page, "whoami")).did, erin.did);
  erin.browser.assertQuiet();
  fresh.assertQuiet();
});

test("words in the wrong order are refused and change nothing", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.origin}/settings#restore`);
  await page.getByTestId("restore-phrase").fill("abandon ".repeat(24).trim());
  await page.getByTestId("restore").click();
  assert.notEqual(await eventuallyRefused(page), "");
  assert.equal((await apiValue(page, "whoami")).did ?? null, null);
  browser.assertQuiet();
});

test("a backup file restores the name; damaged and oversized files and wrong passphrases change nothing", async (t) => {
  const server = await Server.start(t);
  const frank = await startWithName(t, server, "frank");
  await eventuallyOfflineReady(frank.page);
  let workers = 0;
  frank.page.on("worker", () => (workers += 1));
  const folder = await temporaryFolder(t, "backup");
  await frank.page.getByTestId("backup-export-passphrase").fill(PASSPHRASE);
  const [download] = await Promise.all([
    frank.page.waitForEvent("download"),
    frank.page.getByTestId("backup-export").click(),
  ]);
  const good = path.join(folder, download.suggestedFilename());
  await download.saveAs(good);
  assert.ok(workers > 0, "the passphrase was stretched in a worker");
  assert.deepEqual(frank.browser.warnings.filter((text) => /main thread/.test(text)), [], "and there alone");
  await frank.browser.close();

  const bytes = await readFile(good);
  const damaged = path.join(folder, "damaged");
  const flipped = Buffer.from(bytes);
  flipped[flipped.length >> 1] ^= 1;
  assert.notDeepEqual(flipped, bytes, "the copy is really damaged");
  await writeFile(damaged, flipped);
  const cut = path.join(folder, "cut");
  await writeFile(cut, bytes.subarray(0, bytes.length >> 1));
  const foreign = path.join(folder, "foreign");
  await writeFile(foreign, "a letter to somebody");
  const large = path.join(folder, "large");
  await writeFile(large, Buffer.concat([bytes, Buffer.alloc(TOO_LARGE)]));

  const fresh = await Browser.start(t);
  const page = await fresh.open(`${server.origin}/settings#restore`);
  const refusals = new Map();
  for (const [file, passphrase] of [[damaged, PASSPHRASE], [cut, PASSPHRASE], [foreign, PASSPHRASE], [large, PASSPHRASE], [good, "not the passphrase 9"]]) {
    await bringBack(page, file, passphrase);
    refusals.set(path.basename(file), await eventuallyRefused(page));
    assert.equal((await apiValue(page, "whoami")).did ?? null, null, `${path.basename(file)} changed nothing`);
    assert.equal((await apiValue(page, "listAllUsernames", {})).people?.length ?? 0, 0);
    await page.reload();
    await eventuallyReady(page);
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(refusals)));
  assert.match(refusals.get("large"), /64 MiB.* no backup has more/i);
  assert.match(refusals.get(path.basename(good)), /passphrase/i);
  assert.doesNotMatch(refusals.get("cut"), /passphrase is wrong/i);

  await bringBack(page, good, PASSPHRASE);
  await page.getByTestId("me-chip").filter({ hasText: "frank" }).waitFor();
  const me = await apiValue(page, "whoami");
  assert.equal(me.did, frank.did);
  assert.equal(me.username, "frank");
  await page.goto(`${server.origin}/u/frank`);
  await page.getByTestId("history").filter({ hasText: "frank" }).waitFor();
  frank.browser.assertQuiet();
  fresh.assertQuiet();
});
