// Everything can be done without a mouse, and the focus is where a user expects it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, apiValue, eventuallyConfirmed, eventually } from "./harness.mjs";

const focused = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    return { tag: element.tagName, testid: element.dataset.testid ?? null, text: element.textContent.trim(), finds: element.dataset.finds ?? null };
  });

async function tabTo(page, what, wanted) {
  for (let steps = 0; steps < 60; steps += 1) {
    if (wanted(await focused(page))) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`${what} can't be reached with the Tab key`);
}

test("a name is claimed with the keyboard alone", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.origin}/welcome`);
  await tabTo(page, "the next step", ({ text }) => text === "Choose a name");
  await page.keyboard.press("Enter");
  await eventually("the focus is on the new heading", async () => (await focused(page)).tag === "H1");
  await tabTo(page, "the name field", ({ testid }) => testid === "name-input");
  await page.keyboard.type("heidi");
  await page.locator('[data-testid="name-verdict"][data-state="available"]').waitFor();
  await page.keyboard.press("Enter");
  await eventuallyConfirmed(page, "heidi");
  assert.equal((await apiValue(page, "whoami")).username, "heidi");
  browser.assertQuiet();
});

test("the slash key focuses the search, but not while typing", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  await page.keyboard.press("/");
  await eventually("the search has the focus", async () => (await focused(page)).finds === "modules");
  await page.keyboard.type("a/b");
  assert.equal(await page.evaluate(() => document.activeElement.value), "a/b");
  browser.assertQuiet();
});

test("going to another page moves the focus to its heading", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  for (const name of ["People", "Settings"]) {
    await page.getByRole("link", { name, exact: true }).first().focus();
    await page.keyboard.press("Enter");
    await eventually(`the focus is on the heading of ${name}`, async () => (await focused(page)).tag === "H1");
  }
  browser.assertQuiet();
});
