// The page can be installed, starts without a server, and is served under a strict policy.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, eventually, offlineReady, ready } from "./harness.mjs";

test("the browser finds nothing against installing", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  await eventually("the browser offered to install", () =>
    page.evaluate(() => Boolean(window.genRegistryBoot.installPrompt)));
  const session = await browser.context.newCDPSession(page);
  assert.deepEqual((await session.send("Page.getInstallabilityErrors")).installabilityErrors, []);
  const manifest = await session.send("Page.getAppManifest");
  assert.deepEqual(manifest.errors, []);
  const { id, screenshots, icons, shortcuts } = JSON.parse(manifest.data);
  assert.equal(id, "/");
  assert.ok(icons.some((icon) => icon.purpose === "maskable"));
  assert.equal(shortcuts.length, 3);
  const forms = screenshots.map((shot) => shot.form_factor).sort();
  assert.deepEqual(forms, ["narrow", "wide"]);
  for (const { src } of [...icons, ...screenshots]) {
    const response = await page.request.get(new URL(src, server.origin).href);
    assert.equal(response.status(), 200, src);
  }
  browser.assertQuiet();
});

test("reload and deep links work with the server gone", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(/ERR_CONNECTION_REFUSED/, /sw\.js/);
  const page = await browser.open(server.origin);
  await eventually("the page knows that it works offline", () =>
    page.evaluate(() => window.genRegistryBoot.offlineReady));
  await offlineReady(page);
  await server.stop();
  for (const path of ["/", "/people", "/settings", "/u/nobody_here", "/welcome?step=name"]) {
    await page.goto(`${server.origin}${path}`);
    await ready(page);
    await page.locator("h1").first().waitFor();
  }
  await page.reload();
  await ready(page);
  browser.assertQuiet();
});

test("scripts that are not the page's own do not run", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(/Content Security Policy/i);
  const page = await browser.open(server.origin);
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.injected = true";
    document.head.append(script);
    return window.injected === true;
  });
  assert.equal(ran, false);
  await eventually("the browser reported the refusal", () =>
    browser.complaints.some((text) => /Content Security Policy/i.test(text)));
  browser.assertQuiet();
});

test("a page whose program does not arrive says so in plain words", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(/./);
  const page = browser.context.pages()[0];
  let refused = 0;
  await page.route("**/*.wasm", (route) => {
    refused += 1;
    return route.abort();
  });
  await page.goto(server.origin);
  await page.getByRole("heading", { name: "Gen Registry could not start" }).waitFor();
  assert.ok(refused > 0, "the program was really withheld");
  await page.getByRole("button", { name: "Reload" }).waitFor();
  assert.match(await page.locator("#boot pre").innerText(), /Browser: /);
  await page.unroute("**/*.wasm");
  await page.getByRole("button", { name: "Reload" }).click();
  await ready(page);
});
