// A browser that is killed in the middle of its first sync keeps a valid part of the registry, and gets the rest later.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Server, apiValue, crowd, eventually, startUser, storedKeys } from "./harness.mjs";

const PEOPLE = 1_500;

test("a browser that is killed during a large sync resumes it without invalid data", async (t) => {
  const server = await Server.start(t, { p2p: true, more: ["--no-witness"] });
  const open = (profile) => startUser(t, server, { path: "/people", profile });
  const full = await open();
  await crowd(full.page, PEOPLE);
  await full.page.reload();
  const total = (page) => page.evaluate(async () => (await globalThis.genRegistry.listAllUsernames({ limit: 1 })).total);
  await eventually("the full registry", async () => (await total(full.page)) === PEOPLE);

  let fresh = await open();
  const before = await eventually("a part has come", async () => {
    const count = await total(fresh.page);
    return count > 0 && count;
  });
  assert.ok(before < PEOPLE, "the sync is under way");
  await fresh.browser.killHard();
  fresh = await open(fresh.browser.profile);
  const first = await total(fresh.page);
  const kept = new Set((await storedKeys(fresh.page, "people")).map(String));
  t.diagnostic(`${before} of ${PEOPLE} people had come at the kill; ${first} are there after the start`);
  const changes = new Set((await storedKeys(fresh.page, "changes")).map((key) => String(key).split("/")[0]));
  for (const person of kept) assert.ok(changes.has(person), "every person has signed changes");
  await eventually("the rest has come", async () => (await total(fresh.page)) === PEOPLE);
  const { rejections } = await apiValue(fresh.page, "getNetwork");
  assert.deepEqual(rejections, [], "no peer broke a rule");
  fresh.browser.assertQuiet();
  full.browser.assertQuiet();
});
