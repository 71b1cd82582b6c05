// A browser that is killed in the middle of its first sync has a true part of the registry, and gets the rest later.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, GONE, Server, apiValue, crowd, eventually, storedKeys } from "./harness.mjs";

const PEOPLE = 3_000;

test("killed hard in the middle of a large sync", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const open = async (profile) => {
    const browser = await Browser.start(t, { profile });
    browser.allow(...GONE);
    return { browser, page: await browser.open(`${server.origin}/people`) };
  };
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
  for (const person of kept) assert.ok(changes.has(person), "nobody is shown without the signed changes behind");
  await eventually("the rest has come", async () => (await total(fresh.page)) === PEOPLE);
  const { rejections } = await apiValue(fresh.page, "getNetwork");
  assert.deepEqual(rejections, [], "nobody broke a rule");
  fresh.browser.assertQuiet();
  full.browser.assertQuiet();
});
