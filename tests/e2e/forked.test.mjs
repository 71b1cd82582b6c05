// A key that was copied together with a running browser's randomness contradicts itself: its owner is told on every page
// that would offer what can't count, and begins anew.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, GONE, Server, api, apiValue, eventually, hasPeers, ready } from "./harness.mjs";

/** Both browsers draw the same 16 bytes, of which a writing session makes its Automerge actor. */
function sameActor() {
  const real = crypto.getRandomValues.bind(crypto);
  crypto.getRandomValues = (array) => (array.byteLength === 16 ? array.fill(7) : real(array));
}

test("who has a forked key is told what happened and what to do", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const party = async () => {
    const browser = await Browser.start(t);
    browser.allow(...GONE);
    await browser.context.addInitScript(sameActor);
    return { browser, page: await browser.open(server.origin) };
  };
  const first = await party();
  assert.equal(await apiValue(first.page, "registerUsername", "alice"), true);
  const passphrase = "correct horse battery";
  const backup = await first.page.evaluate(async (words) => Array.from(await globalThis.genRegistry.exportBackup(words)), passphrase);
  // Written after the copy was made, and not known to it.
  await apiValue(first.page, "updateProfile", { bio: "here" });
  await first.browser.close();
  const second = await party();
  await second.page.evaluate(([bytes, words]) =>
    globalThis.genRegistry.importBackup(new Uint8Array(bytes), words).then(() => null), [backup, passphrase]);
  await apiValue(second.page, "updateProfile", { bio: "there" });
  assert.equal((await apiValue(second.page, "whoami")).forked, false);

  const again = await Browser.start(t, { profile: first.browser.profile });
  again.allow(...GONE);
  const page = await again.open(server.origin);
  await hasPeers(page, 1);
  for (const one of [page, second.page]) {
    await eventually("the fork is noticed", async () => (await apiValue(one, "whoami")).forked);
  }
  const { page: hers } = second;
  await hers.goto(`${server.origin}/me`);
  await hers.getByTestId("forked").getByText("contradicts itself").waitFor();
  assert.equal(await hers.getByTestId("claim").count(), 0, "nothing is offered that can't count");
  assert.equal(await hers.getByTestId("rename").count(), 0);
  for (const path of ["/", "/welcome?step=name"]) {
    await hers.goto(`${server.origin}${path}`);
    await hers.getByTestId("forked").waitFor();
    assert.equal(await hers.getByTestId("claim").count(), 0, path);
  }
  await hers.goto(`${server.origin}/u/somebody_new`);
  await hers.getByTestId("farther").getByText("Nobody there knows this name").waitFor();
  assert.equal(await hers.getByRole("link", { name: "Claim it" }).count(), 0);
  assert.equal((await api(hers, "registerUsername", "alicia")).code, "identityForked");

  // What it says to do helps.
  await hers.goto(`${server.origin}/me`);
  await hers.getByTestId("forked").getByRole("link", { name: "forget this one" }).click();
  await hers.getByTestId("forget").click();
  await hers.getByTestId("forget-confirm").fill("forget");
  await hers.getByTestId("forget-submit").click();
  await eventually("it is forgotten", async () => (await apiValue(hers, "whoami")).did === null);
  assert.equal(await apiValue(hers, "registerUsername", "alice"), true, "with a new key, also the old name");
  await hers.goto(`${server.origin}/me`);
  await ready(hers);
  await hers.getByTestId("rename").waitFor();
  assert.equal(await hers.getByTestId("forked").count(), 0);
  again.assertQuiet();
  second.browser.assertQuiet();
});
