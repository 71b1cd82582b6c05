// A person who wants no strangers on this device: they go, from the store too, and who is followed stays.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, GONE, Server, apiValue, crowd, eventually, startUser, storedKeys } from "./harness.mjs";

const PEOPLE = 300;

/** Counts what is sent to workers that carry out jobs. */
function countJobs() {
  globalThis.jobs = 0;
  globalThis.Worker = class extends globalThis.Worker {
    constructor(url, options) {
      super(url, options);
      this.isForJobs = /gen-registry-work/.test(options?.name);
    }

    postMessage(...message) {
      if (this.isForJobs) globalThis.jobs += 1;
      super.postMessage(...message);
    }
  };
}

test("strangers go where the person wants none, and come back with the first peer when there is room again", async (t) => {
  const server = await Server.start(t, { p2p: true, more: ["--no-witness"] });
  const { page, browser } = await startUser(t, server, { path: "/settings", username: "alice" });
  await crowd(page, PEOPLE);
  await page.reload();
  const total = () => page.evaluate(async () => (await globalThis.genRegistry.listAllUsernames({ limit: 1 })).total);
  await eventually("everybody is here", async () => (await total()) === PEOPLE + 1);
  const users = await apiValue(page, "listAllUsernames", { limit: 2 });
  const followed = users.find((user) => user.username !== "alice");
  await apiValue(page, "follow", `person:${followed.did}`);
  const other = await startUser(t, server, { script: countJobs });
  await eventually("another device has everybody", async () =>
    (await other.page.evaluate(async () => (await globalThis.genRegistry.listAllUsernames({ limit: 1 })).total)) === PEOPLE + 1);
  assert.ok((await other.page.evaluate(() => globalThis.jobs)) > 0, "their signatures were checked by a worker");
  await other.browser.close();

  const choice = page.getByTestId("strangers");
  const share = page.getByTestId("strangers-share");
  await page.getByText("There is room for everybody so far.").waitFor();
  await choice.selectOption({ label: "none" });
  await page.getByText("Only people with whom you have something to do are kept.").waitFor();
  // Some at a time, so that the page stays usable.
  await eventually("the others are gone", async () => (await total()) === 2);
  await eventually("the others are deleted", async () => (await storedKeys(page, "people")).length === 2);
  await page.reload();
  await eventually("the choice is kept", async () => (await choice.inputValue()) === "0");
  assert.equal(await total(), 2);
  assert.match(await share.innerText(), /is always kept/);

  await choice.selectOption({ label: "at most 20,000" });
  await page.getByText("There is room for everybody so far.").waitFor();
  const again = await startUser(t, server, { profile: other.browser.profile });
  await eventually("everybody is back", async () => (await total()) === PEOPLE + 1);
  for (const one of [page, again.page]) {
    assert.deepEqual((await apiValue(one, "getNetwork")).rejections, [], "nobody broke a rule");
  }
  browser.assertQuiet();
});

test("people arrive although the worker that checks their signatures never starts", async (t) => {
  const server = await Server.start(t, { p2p: true, more: ["--no-witness"] });
  const { page } = await startUser(t, server, { username: "alice" });
  await crowd(page, PEOPLE);
  await page.reload();
  const total = (of) => of.evaluate(async () => (await globalThis.genRegistry.listAllUsernames({ limit: 1 })).total);
  await eventually("everybody is here", async () => (await total(page)) === PEOPLE + 1);
  const other = await Browser.start(t);
  other.allow(...GONE);
  let asked = 0;
  // As a server that hangs: the request stays open, and nothing is answered.
  await other.context.route("**/worker.js", () => (asked += 1));
  const newcomer = await other.open(server.origin);
  await eventually("another device has everybody", async () => (await total(newcomer)) === PEOPLE + 1);
  assert.ok(asked > 0, "a worker was to be started");
});
