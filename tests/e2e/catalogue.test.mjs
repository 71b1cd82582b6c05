// A registry that is opened for the first time offers modules, and they keep working offline.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { Server, apiValue, eventually, eventuallyHasPeers, eventuallyOfflineReady, startUser } from "./harness.mjs";

const DATA_URL = "data:text/plain;charset=utf-8;base64,SGVsbG8=";

const names = async (page) => (await apiValue(page, "listModules", { limit: 100 })).modules.map(({ name }) => name);

test("a new profile finds a dozen modules, installs one with its dependency, and runs it offline", async (t) => {
  const server = await Server.start(t, { p2p: true, catalogue: true });
  const { browser, page } = await startUser(t, server, { path: "/modules" });
  await eventuallyHasPeers(page, 1);
  await eventually("a dozen is listed", async () => (await page.getByTestId("module-row").count()) >= 12);
  const expected = ["crc32", "base64", "levenshtein", "murmur3", "uuid", "mandelbrot"];
  await eventually("some of them by name", async () => {
    const found = await names(page);
    return expected.every((name) => found.includes(name));
  });
  assert.ok(await apiValue(page, "lookupUsername", "gen-catalogue"), "the owner of the modules is a user");
  await eventually("a witness has confirmed them", async () => (await apiValue(page, "getModule", "crc32")).status === "confirmed");
  const { peers, relays } = await apiValue(page, "getNetwork");
  assert.equal(peers.length, 1, "the catalogue's node is a peer");
  assert.equal(relays.length, 1, "and no relay");
  await eventuallyOfflineReady(page);

  await page.getByTestId("module-row").filter({ hasText: "data-url" }).click();
  await page.getByTestId("install").click();
  await page.getByTestId("install-plan").getByText("base64").waitFor();
  await page.getByTestId("install-now").click();
  await page.getByTestId("installed-version").waitFor();
  const installed = (await apiValue(page, "listInstalled")).map(({ name }) => name);
  assert.deepEqual(installed, ["base64", "data-url"]);

  await server.kill();
  await eventually("the connection is closed", async () => (await apiValue(page, "getPeerCount")) === 0);
  await browser.close();
  const { browser: again, page: offline } = await startUser(t, server, { path: "/modules", profile: browser.profile });
  assert.ok((await names(offline)).length >= 12, "what is known stays known");
  const run = (name, function_, values) => apiValue(offline, "runExport", name, null, function_, values, { textResult: true });
  assert.equal((await run("data-url", "data_url", ["Hello"])).text, DATA_URL);
  assert.equal((await run("base64", "decode", [DATA_URL.split(",")[1]])).text, "Hello");
  again.assertQuiet();
  browser.assertQuiet();
});

test("the catalogue's node reconnects after a restart of the server, without duplicates", async (t) => {
  const server = await Server.start(t, { p2p: true, catalogue: true });
  const { browser, page } = await startUser(t, server);
  const files = await readdir(new URL("../../src/server/catalogue/", import.meta.url));
  const modules = files.filter((file) => file.endsWith(".wat")).length;
  assert.ok(modules >= 12, `${modules}`);
  const all = await eventually("the whole catalogue", async () => {
    const found = await names(page);
    return found.length === modules && found;
  });
  await server.kill();
  await eventually("the connection is closed", async () => (await apiValue(page, "getPeerCount")) === 0);
  await server.restart();
  await eventuallyHasPeers(page, 1);
  assert.deepEqual(await names(page), all);
  const module = await apiValue(page, "getModule", "crc32");
  assert.deepEqual(module.versions.map(({ version }) => version), ["1.0.0"]);
  assert.deepEqual(module.refused, []);
  browser.assertQuiet();
});
