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
