// Devices and keys: one is added by its text and acts within limits, a copied profile is ended from another device, and the
// identity key is replaced from the words.
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { test } from "node:test";
import {
  Server, api, apiValue, eventually, eventuallyConfirmed, eventuallyHasPeers, eventuallyKnowsName,
  eventuallyOfflineReady, publish, showWords, startUser, temporaryFolder,
} from "./harness.mjs";
import { adder } from "./wasm.mjs";

const confirmedName = (page) =>
  eventually("the name is confirmed", async () => (await apiValue(page, "whoami")).nameStatus === "confirmed");

/** Writes the words down and checks them, as the page asks; returns them. */
async function checkWords(page, origin) {
  await page.goto(`${origin}/settings#backup`);
  const words = await showWords(page);
  await page.getByTestId("recovery-written").click();
  for (const field of await page.getByTestId("recovery-word").all()) {
    const label = await page.locator(`label[for="${await field.getAttribute("id")}"]`).innerText();
    await field.fill(words[Number(/\d+/.exec(label)[0]) - 1]);
  }
  await page.getByTestId("recovery-check").click();
  await eventually("the words are checked", async () => (await apiValue(page, "whoami")).phraseChecked);
  return words.join(" ");
}

/** The profile's folder as a thief has it, while nobody uses it. */
async function copyOf(t, browser) {
  const copy = await temporaryFolder(t, "profile");
  await cp(browser.profile, copy, { recursive: true });
  return copy;
}

async function bringBack(page, origin, phrase) {
  await page.goto(`${origin}/settings#restore`);
  await page.getByTestId("restore-phrase").fill(phrase);
  await page.getByTestId("restore").click();
  await eventually("the identity is here", async () => (await apiValue(page, "listDevices")).holdsKey);
}

test("a device is added by its text, acts within its limits, and is revoked", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const laptop = await startUser(t, server, { username: "alice", path: "/devices" });
  await confirmedName(laptop.page);
  await laptop.page.getByTestId("copy-warning").filter({ hasText: "is your identity itself" }).waitFor();
  const phone = await startUser(t, server, { path: "/devices", width: 390, height: 844 });
  await eventuallyKnowsName(phone.page, "alice");
  await phone.page.getByTestId("request-device").click();
  const request = await phone.page.getByTestId("request-text").innerText();

  await laptop.page.getByTestId("device-request").fill("not a text of a device");
  await laptop.page.getByTestId("add-device").click();
  await laptop.page.locator("#add [role=alert]").filter({ hasText: "begins with gen-device:" }).waitFor();
  await laptop.page.getByTestId("device-request").fill(request);
  await laptop.page.getByTestId("limit-device").check();
  await laptop.page.getByTestId("capabilities").getByLabel("Change the profile").check();
  await laptop.page.getByTestId("add-device").click();
  const answer = await laptop.page.getByTestId("device-answer-text").innerText();

  await phone.page.getByTestId("device-grant").fill(answer);
  await phone.page.getByTestId("read-grant").click();
  await phone.page.getByTestId("grant-dialog").filter({ hasText: "alice" }).getByTestId("accept-grant").click();
  await eventuallyConfirmed(phone.page, "acts for you now");
  await phone.page.getByTestId("device").filter({ hasText: "This device" }).filter({ hasText: "change the profile" }).waitFor();
  await phone.page.getByTestId("without-key").waitFor();
  await apiValue(phone.page, "updateProfile", { bio: "from the phone" });
  assert.equal((await api(phone.page, "registerUsername", "alicia")).code, "notAllowed");
  await eventually("the laptop has it", async () => (await apiValue(laptop.page, "whoami")).profile.bio === "from the phone");

  await laptop.page.getByRole("button", { name: "Done" }).click();
  const row = laptop.page.getByTestId("device").nth(1);
  await row.getByTestId("revoke").click();
  await laptop.page.getByTestId("revoke-confirm").click();
  await row.filter({ hasText: "Revoked" }).waitFor();
  await eventually("the phone is told", async () => (await api(phone.page, "updateProfile", { bio: "again" })).code === "notAllowed");
  assert.equal((await apiValue(laptop.page, "whoami")).profile.bio, "from the phone", "what it wrote before stays");
  for (const one of [laptop, phone]) one.browser.assertQuiet();
});

test("a copied profile is ended from another device: names, modules and releases stay", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const laptop = await startUser(t, server, { username: "alice" });
  await confirmedName(laptop.page);
  await publish(laptop.page, { name: "crc32", version: "1.0.0", license: "MIT" }, adder("add"));
  await eventually("1.0.0 is confirmed", async () =>
    (await apiValue(laptop.page, "getModule", "crc32"))?.versions.some((version) => version.status === "confirmed"));
  const { did } = await apiValue(laptop.page, "whoami");
  const phrase = await checkWords(laptop.page, server.origin);
  await laptop.page.goto(`${server.origin}/devices`);
  await laptop.page.getByTestId("devices").waitFor();
  assert.equal(await laptop.page.getByTestId("copy-warning").count(), 0, "a copy is not the identity any more");
  const bob = await startUser(t, server, { username: "bob_jones" });
  await eventuallyKnowsName(bob.page, "alice");
  await eventuallyOfflineReady(laptop.page);
  await laptop.browser.close();

  const thief = await startUser(t, server, { profile: await copyOf(t, laptop.browser) });
  await eventuallyHasPeers(thief.page, 1);
  await publish(thief.page, { name: "crc32", version: "6.6.6", license: "MIT" }, adder("add"));
  await eventually("6.6.6 is confirmed", async () =>
    (await apiValue(bob.page, "getModule", "crc32"))?.versions.some(({ version, status }) => version === "6.6.6" && status === "confirmed"));
  await apiValue(bob.page, "install", "crc32", "=6.6.6");

  const phone = await startUser(t, server, { path: "/devices" });
  await eventuallyKnowsName(phone.page, "alice");
  await bringBack(phone.page, server.origin, phrase);
  await eventually("what the laptop wrote is here", async () =>
    (await apiValue(phone.page, "listDevices")).devices.some((row) => row.entries.some((entry) => entry.subject === "crc32 6.6.6")));
  await phone.page.goto(`${server.origin}/devices`);
  const row = phone.page.getByTestId("device").nth(1);
  await row.getByTestId("revoke").click();
  const options = phone.page.getByTestId("last-good");
  const good = await options.locator("option", { hasText: "published crc32 1.0.0" }).getAttribute("value");
  await options.selectOption(good);
  await phone.page.getByTestId("revoke-confirm").click();
  await row.filter({ hasText: "Revoked" }).waitFor();

  await eventually("bob is warned", async () =>
    (await apiValue(bob.page, "getModule", "crc32")).versions.some(({ version, withdrawn }) => version === "6.6.6" && withdrawn?.compromised));
  await bob.page.goto(`${server.origin}/installed`);
  await bob.page.getByTestId("installed-row").filter({ hasText: "may not be its author's" }).waitFor();
  const module = await apiValue(bob.page, "getModule", "crc32");
  assert.equal(module.latest, "1.0.0");
  assert.equal(module.versions.find(({ version }) => version === "1.0.0").withdrawn, null);
  assert.equal((await eventuallyKnowsName(bob.page, "alice")).did, did);
  await eventually("the thief is ended", async () => (await api(thief.page, "updateProfile", { bio: "mine" })).code === "notAllowed");
  assert.equal((await api(thief.page, "registerUsername", "mallory")).code, "notAllowed");
  for (const one of [bob, phone, thief]) one.browser.assertQuiet();
});

test("the identity key is replaced from the words, and a thief who had it is out", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const laptop = await startUser(t, server, { username: "alice" });
  await confirmedName(laptop.page);
  const { did } = await apiValue(laptop.page, "whoami");
  const phrase = await checkWords(laptop.page, server.origin);
  await eventuallyOfflineReady(laptop.page);
  await laptop.browser.close();
  const bob = await startUser(t, server, { username: "bob_jones" });
  const thief = await startUser(t, server, { profile: await copyOf(t, laptop.browser) });
  await eventuallyKnowsName(bob.page, "alice");
  // The thief gives the name away. It takes effect by nothing but a finish, after the hold.
  const given = await apiValue(thief.page, "giveUpName", "alice", { to: "bob_jones" });
  assert.ok(given.givingUp);

  const fresh = await startUser(t, server, { path: "/" });
  await eventuallyKnowsName(fresh.page, "alice");
  await bringBack(fresh.page, server.origin, phrase);
  await fresh.page.goto(`${server.origin}/devices`);
  await fresh.page.getByTestId("rotate").click();
  await fresh.page.getByTestId("rotate-phrase").fill(phrase);
  await fresh.page.getByTestId("rotate-device").getByRole("checkbox").check();
  await fresh.page.getByTestId("rotate-confirm").click();
  await eventually("the new key counts", async () => {
    const { keyNumber, rotating, holdsKey } = await apiValue(fresh.page, "listDevices");
    return keyNumber === 1 && !rotating && holdsKey;
  });
  await fresh.page.getByTestId("device").filter({ hasText: "Revoked" }).waitFor();
  await eventually("the thief is out", async () => !(await apiValue(thief.page, "listDevices")).holdsKey);
  assert.equal((await api(thief.page, "giveUpName", "alice")).code, "noIdentityKey");
  assert.equal((await api(thief.page, "registerUsername", "mallory")).code, "notAllowed");
  await apiValue(fresh.page, "updateProfile", { bio: "mine again" });
  const me = await apiValue(fresh.page, "whoami");
  assert.deepEqual([me.did, me.username, me.nameStatus, me.givingUp], [did, "alice", "confirmed", null], "the give-up is void");
  assert.equal((await eventuallyKnowsName(bob.page, "alice")).did, did);
  for (const one of [bob, fresh, thief]) one.browser.assertQuiet();
});

test("a profile that is copied with its words still in it is the identity, as the page said, until new words replace them", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const laptop = await startUser(t, server, { username: "alice", path: "/devices" });
  await confirmedName(laptop.page);
  await laptop.page.getByTestId("copy-warning").filter({ hasText: "a copy of this browser profile is your identity itself" }).waitFor();
  const { did } = await apiValue(laptop.page, "whoami");
  const bob = await startUser(t, server);
  await eventuallyKnowsName(bob.page, "alice");
  await eventuallyOfflineReady(laptop.page);
  await laptop.browser.close();
  const thief = await startUser(t, server, { profile: await copyOf(t, laptop.browser), path: "/settings#backup" });
  const stolen = (await showWords(thief.page)).join(" ");
  await apiValue(thief.page, "registerUsername", "mallory");

  // The owner has the words, too. On a fresh profile she replaces them by new ones, which ends the copy.
  const fresh = await startUser(t, server);
  await eventuallyKnowsName(fresh.page, "mallory");
  await bringBack(fresh.page, server.origin, stolen);
  const copied = (await apiValue(fresh.page, "listDevices")).devices.find((row) => !row.thisDevice);
  const own = copied.entries.find(({ subject }) => subject === "alice");
  const ends = [{ key: copied.key, lastGood: { entry: { id: own.id } } }];
  await apiValue(fresh.page, "rotateKey", { phrase: stolen, newWords: true, ends });
  await eventually("the key of the new words counts", async () => {
    const { keyNumber, rotating, holdsKey, hasWords } = await apiValue(fresh.page, "listDevices");
    return keyNumber === 2 && !rotating && holdsKey && hasWords;
  });
  await eventually("the thief is out", async () => !(await apiValue(thief.page, "listDevices")).holdsKey);
  assert.equal((await api(thief.page, "registerUsername", "mallory_again")).code, "notAllowed");
  const again = await startUser(t, server, { path: "/settings#restore" });
  await eventuallyKnowsName(again.page, "alice");
  await again.page.getByTestId("restore-phrase").fill(stolen);
  await again.page.getByTestId("restore").click();
  await again.page.locator("#restore [role=alert]").filter({ hasText: "were replaced" }).waitFor();

  // What the thief claimed was claimed for the identity, and stays with it.
  await apiValue(fresh.page, "updateProfile", { bio: "mine, with new words" });
  for (const name of ["alice", "mallory"]) assert.equal((await eventuallyKnowsName(bob.page, name)).did, did, name);
  for (const one of [bob, fresh, thief, again]) one.browser.assertQuiet();
});

test("a script adds, revokes and replaces as the page does, and gives a name back and forth", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const alice = await startUser(t, server, { username: "alice" });
  await confirmedName(alice.page);
  const robot = await startUser(t, server);
  await eventuallyKnowsName(robot.page, "alice");
  const request = await apiValue(robot.page, "requestDevice");
  const grant = await apiValue(alice.page, "addDevice", request);
  assert.equal((await apiValue(robot.page, "readDeviceGrant", grant)).did, (await apiValue(alice.page, "whoami")).did);
  const [own] = (await apiValue(robot.page, "acceptDeviceGrant", grant)).devices;
  assert.ok(own.thisDevice);

  await apiValue(alice.page, "giveUpName", "alice");
  assert.equal((await api(alice.page, "finishGiveUp", "alice")).code, "tooFast");
  assert.equal((await apiValue(alice.page, "veto", "alice")).givingUp, null);
  assert.equal((await api(alice.page, "veto", "alice")).code, "alreadyAnswered");

  const after = await apiValue(alice.page, "revokeDevice", own.key, { lastGood: "nothing" });
  assert.equal(after.devices.find((device) => device.key === own.key).state, "revoked");
  await apiValue(alice.page, "rotateKey", { newWords: true });
  await eventually("the key is one of new words", async () => {
    const { keyNumber, hasWords, rotating } = await apiValue(alice.page, "listDevices");
    return keyNumber === 2 && hasWords && !rotating;
  });
  for (const one of [alice, robot]) one.browser.assertQuiet();
});
