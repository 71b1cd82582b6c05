// The page can be installed, starts without a server, and is served under a strict policy.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, eventually, eventuallyOfflineReady, eventuallyReady } from "./harness.mjs";

test("the browser considers the app installable", async (t) => {
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
  assert.deepEqual(shortcuts.map(({ name }) => name), ["Modules", "People", "My name", "Settings"]);
  const forms = screenshots.map((shot) => shot.form_factor).sort();
  assert.deepEqual(forms, ["narrow", "wide"]);
  for (const { src } of [...icons, ...screenshots]) {
    const response = await page.request.get(new URL(src, server.origin).href);
    assert.equal(response.status(), 200, src);
  }
  browser.assertQuiet();
});

test("reload and deep links work without the server", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(/ERR_CONNECTION_REFUSED/, /sw\.js/);
  const page = await browser.open(server.origin);
  await eventually("the page reports that it works offline", () =>
    page.evaluate(() => window.genRegistryBoot.offlineReady));
  await eventuallyOfflineReady(page);
  await server.stop();
  for (const path of ["/", "/people", "/settings", "/u/nobody_here", "/welcome?step=name"]) {
    await page.goto(`${server.origin}${path}`);
    await eventuallyReady(page);
    await page.locator("h1").first().waitFor();
  }
  await page.reload();
  await eventuallyReady(page);
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

test("a page whose program does not load shows an error page", async (t) => {
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
  await eventuallyReady(page);
});

test("answers about the server never come from the offline copy, and the page may connect to relays only", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const browser = await Browser.start(t);
  // A page without a head makes the browser ask for an icon.
  browser.allow(/favicon\.ico/, /Content Security Policy/i, /WebSocket connection to 'ws:\/\/127\.0\.0\.1:9/);
  const page = await browser.open(server.origin);
  await eventuallyOfflineReady(page);
  await page.reload();
  await eventuallyReady(page);
  assert.ok(await page.evaluate(() => Boolean(navigator.serviceWorker.controller)), "the offline copy answers");

  const network = await page.evaluate(async () => (await fetch("/network.json")).json());
  const [, port] = /^\/ip4\/127\.0\.0\.1\/tcp\/(\d+)\/ws\/p2p\/12D3/.exec(network.relays[0]);
  const attempt = (url) => page.evaluate((url) => new Promise((resolve) => {
    document.addEventListener("securitypolicyviolation", () => resolve("forbidden"), { once: true });
    const socket = new WebSocket(url);
    socket.onopen = () => resolve("open");
    socket.onclose = () => resolve("closed");
  }), url);
  assert.equal(await attempt(`ws://127.0.0.1:${port}`), "open");
  assert.equal(await attempt("ws://127.0.0.1:9"), "closed", "nobody is there, and a known relay might be");
  const fetched = page.evaluate(() => new Promise((resolve) => {
    document.addEventListener("securitypolicyviolation", () => resolve("forbidden"), { once: true });
    fetch("http://127.0.0.1:9").then(() => resolve("open"), () => {});
  }));
  assert.equal(await fetched, "forbidden", "and nothing but relays");

  for (const [path, part] of [["/network.json", network.genesis], ["/health", '"ok"']]) {
    const response = await page.goto(`${server.origin}${path}`);
    assert.equal(response.fromServiceWorker(), false, path);
    assert.match(await response.text(), new RegExp(part), path);
  }
  browser.assertQuiet();
});
