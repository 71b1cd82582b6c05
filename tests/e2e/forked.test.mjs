// A profile that was copied as a whole, key and all, goes on in two browsers: its device signs two different entries for
// one place (a fork). Its owner is warned wherever a claim would be offered that can't count, goes on with a new key and
// revokes the old one; the name stays in place.
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { test } from "node:test";
import {
  Server, api, apiValue, eventually, eventuallyHasPeers, eventuallyKnowsName, eventuallyOfflineReady, showWords,
  startUser, temporaryFolder,
} from "./harness.mjs";

test("the owner of a forked key is told what happened and what to do", async (t) => {
  // With a witness the second entry for a place is never signed, so there is none.
  const server = await Server.start(t, { p2p: true, more: ["--no-witness"] });
  const bob = await startUser(t, server, { username: "bob" });
  const first = await startUser(t, server, { username: "alice", path: "/welcome?step=backup" });
  const phrase = (await showWords(first.page)).join(" ");
  await eventuallyOfflineReady(first.page);
  await first.browser.close();
  const copy = await temporaryFolder(t, "profile");
  await cp(first.browser.profile, copy, { recursive: true });

  const again = await startUser(t, server, { profile: first.browser.profile });
  await eventuallyHasPeers(again.page, 1);
  assert.equal(await apiValue(again.page, "registerUsername", "nova"), true);
  await eventuallyKnowsName(bob.page, "nova");
  await again.browser.close();

  await server.kill();
  const { browser, page: hers } = await startUser(t, server, { profile: copy });
  assert.equal(await apiValue(hers, "registerUsername", "stella"), true);
  assert.equal((await apiValue(hers, "whoami")).forked, false);
  await server.restart();
  await eventuallyHasPeers(hers, 1);
  await eventually("the fork is noticed", async () => (await apiValue(hers, "whoami")).forked);

  await hers.goto(`${server.origin}/me`);
  await hers.getByTestId("forked").getByText("Somebody writes with the key of this device").waitFor();
  assert.equal(await hers.getByTestId("claim").count(), 0, "nothing is offered that can't count");
  assert.equal(await hers.getByTestId("rename").count(), 0);
  await hers.goto(`${server.origin}/u/somebody_new`);
  await hers.getByTestId("farther").getByText("Nobody there knows this name").waitFor();
  assert.equal(await hers.getByRole("link", { name: "Claim it" }).count(), 0);
  assert.equal((await api(hers, "registerUsername", "alicia")).code, "identityForked");
  // What was before the fork stays.
  const before = await apiValue(hers, "whoami");
  assert.equal(before.username, "alice");
  await bob.page.goto(`${server.origin}/id/${before.did}`);
  await bob.page.getByText("contradicts itself").waitFor();

  // Its advice works: a new key for this device, and the old one is revoked.
  await hers.goto(`${server.origin}/me`);
  await hers.getByTestId("forked").getByRole("link", { name: "enter the 24 words" }).click();
  await hers.getByTestId("restore-phrase").fill(phrase);
  await hers.getByTestId("restore").click();
  await eventually("it has a new key", async () => !(await apiValue(hers, "whoami")).forked);
  await hers.goto(`${server.origin}/devices`);
  const copied = hers.getByTestId("device").filter({ hasText: "wrote twice for one place" });
  await copied.getByTestId("revoke").click();
  await hers.getByTestId("revoke-confirm").click();
  await copied.filter({ hasText: "Revoked" }).waitFor();
  const after = await apiValue(hers, "whoami");
  assert.deepEqual([after.did, after.username, after.forked], [before.did, "alice", false]);
  assert.equal(await apiValue(hers, "registerUsername", "alicia"), true);
  await eventuallyKnowsName(bob.page, "alicia");
  assert.equal((await eventuallyKnowsName(bob.page, "alice")).did, before.did);
  for (const one of [bob.browser, browser]) one.assertQuiet();
});
