// The page can be installed, starts without a server, and is served under a strict policy.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { test } from "node:test";
import {
  Browser, DIST, GONE, Server, apiValue, eventually, eventuallyOfflineReady, eventuallyReady, publish,
} from "./harness.mjs";
import { adder } from "./wasm.mjs";

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

/** Tries in the page what code of another could try, each in a way that needs no other. Returns what ran. */
async function attack() {
  const tried = {};
  const attempt = async (what, act) => {
    try {
      tried[what] = Boolean(await act());
    } catch {
      tried[what] = false;
    }
  };
  const appended = (element) => {
    document.body.append(element);
    return new Promise((resolve) => setTimeout(resolve, 200));
  };
  await attempt("a script", async () => {
    const script = document.createElement("script");
    script.append("window.ran1 = true");
    await appended(script);
    return window.ran1;
  });
  await attempt("a handler", async () => {
    const place = document.createElement("div");
    place.innerHTML = "<img src='/icons/mark.svg' onload='window.ran2 = true'><p>text</p>";
    if (place.textContent !== "text") throw new Error("the rest is shown");
    await appended(place);
    return window.ran2 || place.querySelector("[onload]");
  });
  await attempt("a text as code", () => (0, eval)("1 + 1"));
  await attempt("a worker of another", () => new Worker("/nothing.js"));
  await attempt("a worker from memory", () => new Worker(URL.createObjectURL(new Blob(["1"]))));
  await attempt("a policy of another", () => trustedTypes.createPolicy("another", { createScript: (text) => text }));
  await attempt("a request to elsewhere", async () => {
    await fetch("http://localhost:9/", { mode: "no-cors" });
    return true;
  });
  await attempt("a link that runs", () => {
    const place = document.createElement("div");
    place.innerHTML = "<a href=' java\tscript:window.ran3 = true'>link</a>";
    return place.querySelector("a").hasAttribute("href");
  });
  return tried;
}

const NOTHING_RAN = Object.fromEntries([
  "a script", "a handler", "a text as code", "a worker of another", "a worker from memory", "a policy of another",
  "a request to elsewhere", "a link that runs",
].map((what) => [what, false]));

/** The built page on a host that knows nothing of it: no headers but the type, and `change` of the first page. */
async function staticHost(t, change = (page) => page) {
  const types = { ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml", ".wasm": "application/wasm" };
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const file = await readFile(path.join(DIST, pathname)).catch(() => null);
    if (file) return response.writeHead(200, { "content-type": types[path.extname(pathname)] ?? "text/plain" }).end(file);
    if (path.extname(pathname) || pathname.endsWith(".json")) return response.writeHead(404).end();
    const page = change(await readFile(path.join(DIST, "index.html"), "utf8"));
    response.writeHead(200, { "content-type": "text/html" }).end(page);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

test("the page's policy is in force on a host that sends no headers", async (t) => {
  const inline = "<script>window.injected = true</script>";
  const origin = await staticHost(t, (page) => page.replace("</head>", `${inline}</head>`));
  assert.match(await (await fetch(origin)).text(), /window\.injected/, "the script is in the page");
  const browser = await Browser.start(t);
  browser.allow(/Content Security Policy/i, /Trusted/, /network\.json|404/, ...GONE);
  const page = await browser.open(origin);
  assert.equal(await page.evaluate(() => window.injected), undefined, "an inline script does not run");
  assert.deepEqual(await page.evaluate(attack), NOTHING_RAN);
  // And the page works.
  assert.equal(await apiValue(page, "registerUsername", "alone_here"), true);
  await publish(page, { name: "adder", version: "1.0.0", readme: "Adds *two* numbers" }, adder("add"));
  assert.equal((await apiValue(page, "runExport", "adder", null, "add", [40, 2])).values[0].value, "42");
  await page.goto(`${origin}/m/adder`);
  await page.locator(".markdown em").filter({ hasText: "two" }).waitFor();
  browser.assertQuiet();
});

test("the page can't be framed", async (t) => {
  const server = await Server.start(t);
  const site = http.createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/html" }).end(`<iframe src="${server.origin}/"></iframe>`);
  });
  await new Promise((resolve) => site.listen(0, "localhost", resolve));
  t.after(() => site.close());
  const browser = await Browser.start(t);
  browser.allow(/frame-ancestors|X-Frame-Options|Framing/i);
  const page = await browser.context.newPage();
  await page.goto(`http://localhost:${site.address().port}`);
  await eventually("the browser refuses the frame", () =>
    browser.complaints.some((text) => /frame-ancestors|X-Frame-Options/i.test(text)));
  browser.assertQuiet();
});

test("scripts that are not the page's own do not run", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  browser.allow(/Content Security Policy/i, /Trusted/);
  const page = await browser.open(server.origin);
  assert.deepEqual(await page.evaluate(attack), NOTHING_RAN);
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
