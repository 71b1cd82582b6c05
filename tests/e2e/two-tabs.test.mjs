// Two tabs of one profile have one writer: edits from both arrive, none twice, and closing a tab loses nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, apiValue, eventually, storedKeys } from "./harness.mjs";

const EDITS = 200;

test("200 interleaved edits from two tabs are each stored once, though the first tab is closed half way", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const first = await browser.open(server.origin);
  const second = await browser.open(`${server.origin}/people`);
  const me = await apiValue(first, "setupUser", "carol");
  assert.equal(me.username, "carol");
  const before = (await apiValue(first, "whoami")).changes;

  const edit = (page, number) => apiValue(page, "updateProfile", { bio: `edit ${number}` });
  for (let number = 0; number < EDITS / 2; number += 2) {
    await Promise.all([edit(first, number), edit(second, number + 1)]);
  }
  assert.equal((await apiValue(second, "whoami")).changes, before + EDITS / 2, "both tabs' edits are counted");

  // The first tab, which is the writer, closes in the middle of an edit of its own. This edit was not confirmed: it may be
  // stored or not.
  const cutShort = edit(first, EDITS / 2).then(() => 1, () => 0);
  const closed = first.close();
  const started = Date.now();
  await edit(second, EDITS / 2 + 1);
  const took = Date.now() - started;
  await closed;
  assert.ok(first.isClosed(), "the first tab is really gone");
  t.diagnostic(`the other tab wrote after ${took} ms`);
  for (let number = EDITS / 2 + 2; number < EDITS; number += 1) await edit(second, number);

  const after = await apiValue(second, "whoami");
  const confirmed = EDITS - 1 + (await cutShort);
  const counted = after.changes - before;
  assert.ok(counted >= confirmed && counted <= EDITS, `${confirmed} edits were confirmed, ${counted} are there`);
  assert.equal(after.profile.bio, `edit ${EDITS - 1}`);
  const keys = (await storedKeys(second, "changes")).map(String);
  assert.equal(new Set(keys).size, keys.length, "no (owner, actor, seq) twice");
  assert.equal(keys.length, after.changes, "the store holds exactly the changes");

  await second.goto(`${server.origin}/u/carol`);
  await eventually("the page shows the last edit", async () =>
    (await second.locator("main").innerText()).includes(`edit ${EDITS - 1}`));
  browser.assertQuiet();
});

test("a second tab shows changes of the first one at once", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const first = await browser.open(server.origin);
  const second = await browser.open(server.origin);
  await apiValue(first, "setupUser", "dave");
  await second.getByTestId("me-chip").filter({ hasText: "dave" }).waitFor();
  browser.assertQuiet();
});
