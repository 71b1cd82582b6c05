// The guides: read, linked to each other, kept for offline use; and the example that they give for embedding works.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Browser, GONE, Server, copyOfDist, eventually, eventuallyOfflineReady, pack, eventuallyReady } from "./harness.mjs";

const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
const text = (page) => page.getByTestId("guide-text");

/** The element is on screen, below the header that stays on top. */
const inView = (page, selector) => eventually(`${selector} is in view`, () => page.evaluate((selector) => {
  const { top, bottom } = document.querySelector(selector).getBoundingClientRect();
  return top >= document.querySelector(".header").getBoundingClientRect().bottom - 1 && bottom <= innerHeight;
}, selector));

test("guides link to each other without a reload, and are read with the server stopped", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(...GONE, /sw\.js/);
  const page = await browser.open(server.origin);
  await page.evaluate(() => (globalThis.sameDocument = true));

  await page.getByRole("contentinfo").getByRole("link", { name: "Guide" }).click();
  await heading(page, "Guides");
  assert.equal(await page.title(), "Guides · Gen Registry");
  await text(page).getByRole("link", { name: "Operating a server" }).click();
  await heading(page, "Operating a server");
  assert.equal(new URL(page.url()).pathname, "/guide/operating");
  assert.equal(await page.title(), "Operating a server · Gen Registry");

  // A part of this page, from the list of its parts.
  await page.getByText("On this page").click();
  await page.locator(".guide-sections").getByRole("link", { name: "Backup" }).click();
  await inView(page, "#backup");
  assert.equal(new URL(page.url()).hash, "#backup");
  // A part of another page, from a link in the text.
  await text(page).getByRole("link", { name: "Privacy and limits" }).first().click();
  await heading(page, "Privacy and limits");
  assert.equal(new URL(page.url()).pathname + new URL(page.url()).hash, "/guide/privacy#keys");
  await inView(page, "#keys");
  await page.getByRole("link", { name: "Script API" }).last().click();
  await heading(page, "Script API");
  await page.goBack();
  await heading(page, "Privacy and limits");
  assert.equal(await page.evaluate(() => globalThis.sameDocument), true, "the page was never reloaded");

  await eventuallyOfflineReady(page);
  await server.stop();
  await page.goto(`${server.origin}/guide/protocols#stored-tables`);
  await eventuallyReady(page);
  await text(page).getByRole("cell", { name: "quarantine", exact: true }).waitFor();
  await inView(page, "#stored-tables");
  await page.goto(`${server.origin}/guide/scripting.md`);
  await eventuallyReady(page);
  await heading(page, "Script API");
  await text(page).locator("pre").first().waitFor();
  browser.assertQuiet();
});

test("an unknown guide shows the list of guides and requests nothing", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t, { serviceWorkers: "block" });
  const page = browser.context.pages()[0];
  const requested = [];
  page.on("request", (request) => requested.push(`${request.resourceType()} ${new URL(request.url()).pathname}`));
  const files = () => requested.filter((one) => one.startsWith("fetch ") && one.endsWith(".md"));
  for (const slug of ["nothing", "..%2fnetwork.json", "%2e%2e%5csw", "operating.md.md"]) {
    await page.goto(`${server.origin}/guide/${slug}`);
    await eventuallyReady(page);
    await heading(page, "There is no such guide");
    assert.equal(await page.getByTestId("guide-absent").getByRole("link").count(), 6);
  }
  assert.ok(requested.includes("document /guide/nothing"), "requests are seen");
  assert.deepEqual(files(), []);
  await page.getByTestId("guide-absent").getByRole("link", { name: "Modules" }).click();
  await heading(page, "Modules");
  await text(page).waitFor();
  assert.deepEqual(files(), ["fetch /guide/modules.md"]);
});

test("a guide that is neither reachable nor stored says so, and appears once the server is back", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t, { serviceWorkers: "block" });
  browser.allow(...GONE);
  const page = await browser.open(server.origin);
  await server.stop();
  await page.getByRole("contentinfo").getByRole("link", { name: "Guide" }).click();
  await page.getByTestId("guide-unreachable").waitFor();
  await server.restart();
  await page.getByRole("button", { name: "Try again" }).click();
  await text(page).getByRole("link", { name: "Protocols" }).waitFor();
});

test("the guestbook of the script guide works as written", async (t) => {
  const dist = await copyOfDist(t);
  const guide = await readFile(path.join(dist, "guide", "scripting.md"), "utf8");
  const example = guide.split("```js\n// guestbook.mjs\n")[1]?.split("\n```")[0];
  assert.ok(example, "the guide has the example");
  await writeFile(path.join(dist, "guestbook.mjs"), example);
  const index = path.join(dist, "index.html");
  const html = await readFile(index, "utf8");
  await writeFile(index, html.replace("</head>", '<script type="module" src="/guestbook.mjs"></script></head>'));
  pack(dist);

  const server = await Server.start(t, { dist });
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  const field = page.locator("#guestbook").getByLabel("Write into the guestbook:");
  await field.fill("Hello <b>there</b>.");
  await field.press("Enter");
  await page.locator("#guestbook li").filter({ hasText: "someone: Hello <b>there</b>." }).waitFor();
  // The page hears of the message before the call that sent it returns.
  await eventually("the field is empty", async () => (await field.inputValue()) === "");
  browser.assertQuiet();
});
