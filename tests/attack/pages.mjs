// Attacks that need no node: other people's modules, other sites' forms, and scripts in the page.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { DIST, apiValue, eventually, eventuallyOfflineReady, eventuallyReady, publish } from "../e2e/harness.mjs";
import { adder, growingTable, manyMemories } from "../e2e/wasm.mjs";

/** Memories of the hungry module. */
const MEMORIES = 48;

/** How long it takes at most until a file that was taken is shown. */
const SHOWN_AFTER = 3_000;

/** Bob publishes a module that takes all it can get; Alice installs and runs it. */
export const hungryModule = (kind) => async (scene) => {
  const name = `hungry-${kind}`;
  const bytes = kind === "memories" ? manyMemories("eat", MEMORIES) : growingTable("eat");
  await publish(scene.bob.page, { name, version: "1.0.0" }, bytes);
  await eventually("it is known and confirmed", async () =>
    (await apiValue(scene.alice.page, "getModule", name))?.versions[0]?.status === "confirmed");
  await apiValue(scene.alice.page, "install", name);
  const ran = await apiValue(scene.alice.page, "runExport", name, null, "eat", []);
  const got = Number(ran.values[0].value);
  return { tried: 1, bytes: bytes.length, got, processor: 0, close: async () => {} };
};

/** Serves one page of another site. */
async function otherSite(scene, html) {
  const server = http.createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(html));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  scene.cleanup.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

/** A site that Alice opens posts a form with a file to the address that the system's share sheet uses. */
export async function crossSiteForm(scene) {
  const { browser, page } = scene.alice;
  await eventuallyOfflineReady(page);
  const site = await otherSite(scene, `<form method="post" enctype="multipart/form-data" action="${scene.server.origin}/publish">
    <input type="file" name="file"></form><script>
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array([${adder("add").join()}])], "evil.wasm"));
    document.querySelector("input").files = data.files;
    document.querySelector("form").submit();
  </script>`);
  const other = await browser.context.newPage();
  await other.goto(site);
  await other.waitForURL((url) => url.origin === scene.server.origin && url.pathname === "/publish");
  await eventuallyReady(other);
  // The file is taken out of the cache while the program starts.
  await eventually("the cache is empty", () =>
    other.evaluate(async () => !(await (await caches.open("shared-file")).match("/shared-file"))));
  await other.getByRole("heading", { name: "Publish" }).first().waitFor();
  // On its way from the cache to what is shown it is nowhere for a moment.
  const shown = async () =>
    (await other.evaluate(() => globalThis.genRegistryBoot.files.length)) +
    (await other.getByText("evil").count()) + (await other.locator('input[value="evil"]').count()) > 0;
  const kept = await eventually("it is shown", shown, SHOWN_AFTER).catch(() => false);
  await other.close();
  return { tried: 1, bytes: adder("add").length, kept, processor: 0, close: async () => {} };
}

/** A page as a plain file server hands it out, without the header of the project's own server. */
async function plainHost(scene) {
  const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".css": "text/css" };
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const file = path.extname(pathname) ? pathname : "/index.html";
    let body = await readFile(path.join(DIST, file)).catch(() => null);
    if (file === "/index.html" && scene.options.withoutPolicy) {
      body = body.toString().replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "");
    }
    response.writeHead(body ? 200 : 404, { "content-type": types[path.extname(file)] ?? "text/plain" }).end(body ?? "");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  scene.cleanup.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

/** A readme and a profile whose links lead elsewhere than they read; returns what is wrong with them as Alice sees them. */
export async function lyingLinks(scene) {
  const name = "bobs-links";
  const evil = "//paypal.example@evil.example/";
  const readme = `[one](HTTPS:${evil}) [two](https:${evil}) [three](jAvAsCrIpT:alert(1)) <a href="https:${evil}">four</a>`;
  const { did } = await apiValue(scene.bob.page, "whoami");
  await publish(scene.bob.page, { name, version: "1.0.0", readme }, adder("add"));
  await apiValue(scene.bob.page, "updateProfile", { links: [`https:${evil}`] });
  await eventually("it is known", async () => (await apiValue(scene.alice.page, "getModule", name))?.versions.length === 1);
  const tab = await scene.alice.browser.context.newPage();
  const [faults, count] = [[], {}];
  for (const address of [`/m/${name}`, `/id/${did}`]) {
    await tab.goto(scene.server.origin + address);
    await eventuallyReady(tab);
    const links = () => tab.evaluate(() => [...document.querySelectorAll("main a[href]")]
      .map(({ href, protocol, host, rel, target, textContent }) => ({ href, protocol, host, rel, target, text: textContent.trim() })));
    const leadAway = async () => (await links()).filter(({ host }) => host === "evil.example");
    count[address[1]] = (await eventually("the links are shown", async () => (await leadAway()).length > 0 && leadAway())).length;
    for (const link of await links()) {
      if (link.protocol === "javascript:") faults.push(`${link.href} is script`);
      if (link.host !== "evil.example") continue;
      if (!/\bnoreferrer\b/.test(link.rel) || link.target !== "_blank") faults.push(`"${link.text}" replaces the page`);
      if (address.startsWith("/id/") && !link.text.startsWith("evil.example")) faults.push(`"${link.text}" leads to evil.example`);
    }
  }
  await tab.close();
  return { tried: count.m + count.i, bytes: readme.length, faults, processor: 0, close: async () => {} };
}

/** Connections out of the worker in which other people's modules run, and further workers of it. */
export async function escapeSandbox(scene) {
  const elsewhere = await otherSite(scene, "");
  const tab = await scene.alice.browser.context.newPage();
  await tab.goto(scene.server.origin);
  await eventuallyReady(tab);
  const [worker] = await Promise.all([
    tab.waitForEvent("worker", (one) => one.url().endsWith("/sandbox.js")),
    tab.evaluate(() => {
      globalThis.escaping = new Worker(globalThis.trustedTypes.defaultPolicy?.createScriptURL("/sandbox.js") ?? "/sandbox.js");
    }),
  ]);
  const ran = await worker.evaluate(async (elsewhere) => {
    const ran = [];
    const attempt = async (what, doIt) => {
      try {
        if (await doIt()) ran.push(what);
      } catch {
        // It was refused.
      }
    };
    await attempt("a request to elsewhere", () => self.fetch(elsewhere, { mode: "no-cors" }).then(() => true));
    await attempt("a request to its own server", () => self.fetch("/network.json").then(() => true));
    await attempt("a socket", () => new Promise((resolve) => {
      const socket = new self.WebSocket(elsewhere.replace("http", "ws"));
      socket.onerror = () => resolve(false);
      socket.onopen = () => resolve(true);
    }));
    await attempt("a database", () => new Promise((resolve) => {
      const opening = self.indexedDB.open("gen-registry");
      opening.onerror = () => resolve(false);
      opening.onsuccess = () => resolve(true);
    }));
    // In a task of the worker's own: what the inspector evaluates is exempt from the policy.
    await attempt("text as script", () => new Promise((resolve, reject) => {
      self.setTimeout(() => {
        try {
          resolve(new self.Function("return true")());
        } catch (error) {
          reject(error);
        }
      }, 0);
    }));
    return ran;
  }, elsewhere);
  await tab.close();
  return { tried: 5, bytes: 0, ran, processor: 0, close: async () => {} };
}

/** What somebody could do who gets a piece of HTML or a line of script into the page. */
export async function foreignScript(scene) {
  const browser = await scene.mallory();
  const page = await browser.context.newPage();
  await page.goto(await plainHost(scene));
  await eventuallyReady(page);
  const elsewhere = await otherSite(scene, "");
  const ran = await page.evaluate(async (elsewhere) => {
    const ran = [];
    // In a task of the page's own: what the inspector evaluates is exempt from the policy.
    const attempt = (what, doIt) => new Promise((resolve) => {
      setTimeout(async () => {
        try {
          if (await doIt()) ran.push(what);
        } catch {
          // It was refused.
        }
        resolve();
      }, 0);
    });
    await attempt("a script in the page", () => {
      const script = document.createElement("script");
      script.textContent = "globalThis.injected = true";
      document.body.append(script);
      return globalThis.injected === true;
    });
    await attempt("a handler in text as HTML", async () => {
      const place = document.createElement("div");
      document.body.append(place);
      place.innerHTML = '<img src="/none.png" onerror="globalThis.handled = true">';
      await new Promise((resolve) => setTimeout(resolve, 500));
      return globalThis.handled === true;
    });
    await attempt("text as script", () => new Function("return true")());
    await attempt("a connection to elsewhere", () => fetch(elsewhere, { mode: "no-cors" }).then(() => true));
    return ran;
  }, elsewhere);
  assert.ok(Array.isArray(ran));
  return { tried: 4, bytes: 0, ran, processor: 0, close: () => page.close() };
}
