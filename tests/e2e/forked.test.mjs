// A key that was copied together with a running browser's randomness signs two different changes for one place (a fork):
// its owner is warned wherever a claim would be offered that can't count, and starts again with a new key.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Server, api, apiValue, eventually, eventuallyHasPeers, eventuallyReady, startUser } from "./harness.mjs";

/** Has both browsers draw the same 16 bytes, from which a writing session makes its Automerge actor. */
function sameActor() {
  const real = crypto.getRandomValues.bind(crypto);
  crypto.getRandomValues = (array) => (array.byteLength === 16 ? array.fill(7) : real(array));
}

test("the owner of a forked key is told what happened and what to do", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const first = await startUser(t, server, { username: "alice", script: sameActor });
  const passphrase = "correct horse battery";
  const backup = await first.page.evaluate(async (words) => Array.from(await globalThis.genRegistry.exportBackup(words)), passphrase);
  // Written after the copy was made, and not known to it.
  await apiValue(first.page, "updateProfile", { bio: "here" });
  await first.browser.close();
  const second = await startUser(t, server, { script: sameActor });
  await second.page.evaluate(([bytes, words]) =>
    globalThis.genRegistry.importBackup(new Uint8Array(bytes), words).then(() => null), [backup, passphrase]);
  await apiValue(second.page, "updateProfile", { bio: "there" });
  assert.equal((await apiValue(second.page, "whoami")).forked, false);

  const { browser: again, page } = await startUser(t, server, { profile: first.browser.profile });
  await eventuallyHasPeers(page, 1);
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

  // Its advice works.
  await hers.goto(`${server.origin}/me`);
  await hers.getByTestId("forked").getByRole("link", { name: "forget this one" }).click();
  await hers.getByTestId("forget").click();
  await hers.getByTestId("forget-confirm").fill("forget");
  await hers.getByTestId("forget-submit").click();
  await eventually("it is forgotten", async () => (await apiValue(hers, "whoami")).did === null);
  assert.equal(await apiValue(hers, "registerUsername", "alice"), true, "with a new key, also the old name");
  await hers.goto(`${server.origin}/me`);
  await eventuallyReady(hers);
  await hers.getByTestId("rename").waitFor();
  assert.equal(await hers.getByTestId("forked").count(), 0);
  again.assertQuiet();
  second.browser.assertQuiet();
});
