// The attacker has a copy of the witness's key, and signs rival claims for some of the names that the witness confirmed.
// Who knew the holders keeps them; who comes afterwards is shown both claims and no holder.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import {
  Server, api, apiValue, eventually, eventuallyHasPeers, eventuallyReady, fillStore, startUser, storedKeys,
  temporaryFolder,
} from "./harness.mjs";

const NAMES = 200;
const STOLEN = 50;
const MODULE = "crc-32";
/** What the holder's release answers; the rival's has another one. */
const HOLDERS_ANSWER = "42";
const RIVALS = path.join(process.env.CARGO_TARGET_DIR, "debug", "examples", "rivals");

/** As the program `rivals` spells it. */
const nameOf = (nth) => `holder_${[...String(nth)].map((digit) => String.fromCharCode(97 + Number(digit))).join("")}`;
const names = Array.from({ length: NAMES }, (_, nth) => nameOf(nth));
const stolen = names.slice(0, STOLEN);

/** Names, holders and statuses of everybody on the page; no holder of a name that is confirmed for several people. */
async function holders(page) {
  const found = await page.evaluate((names) => {
    const holder = (name) => globalThis.genRegistry.lookupUsername(name).catch((error) => {
      if (error.code !== "nameContested") throw error;
      return null;
    });
    return Promise.all(names.map(holder));
  }, names);
  return new Map(found.map((entry, at) => [names[at], entry && { did: entry.did, status: entry.status }]));
}

/** A page whose store has what `rivals` wrote: a peer like any other, which never claimed anything itself. */
async function carrier(t, server, file) {
  const { browser, page } = await startUser(t, server);
  await fillStore(page, (await readFile(file, "utf8")).trim().split("\n"));
  await page.reload();
  await eventuallyReady(page);
  return { browser, page };
}

test("names stay with those who were known when somebody has the witness's key", async (t) => {
  const server = await Server.start(t, { p2p: true });
  const folder = await temporaryFolder(t, "rivals");
  const network = path.join(folder, "network.json");
  await writeFile(network, await (await fetch(`${server.origin}/network.json`)).text());
  const write = async (act, names, ...more) => {
    const file = path.join(folder, `${act}.jsonl`);
    await promisify(execFile)(RIVALS, [act, network, String(names), file, ...more]);
    return file;
  };

  // The witness itself confirms the names; Bob's page meets the holders'.
  const confirmed = await carrier(t, server, await write("confirm", NAMES));
  const bob = await startUser(t, server);
  const before = await eventually("Bob knows every holder", async () => {
    const known = await holders(bob.page);
    return [...known.values()].every((entry) => entry?.status === "confirmed") && known;
  });
  // Whoever stood alone for some seconds is known.
  await eventually("they are known", async () =>
    (await storedKeys(bob.page, "evidence")).filter((key) => key.startsWith("holder/username/")).length === NAMES);
  assert.equal(new Set([...before.values()].map(({ did }) => did)).size, NAMES, "each name is somebody else's");
  assert.equal((await apiValue(bob.page, "getModule", MODULE)).holder.did, before.get(names[0]).did);

  // The attacker copies the key, and nothing else, and their page spreads what was signed with it.
  const data = server.relay[server.relay.indexOf("--data") + 1];
  const copied = await temporaryFolder(t, "copied");
  await cp(path.join(data, "witness.key"), path.join(copied, "witness.key"));
  const attacker = await carrier(t, server, await write("forge", STOLEN, copied));
  const after = await eventually("the attack arrives", async () => {
    const known = await holders(bob.page);
    return stolen.every((name) => known.get(name)?.status === "contested") && known;
  });
  for (const name of names) {
    assert.equal(after.get(name).did, before.get(name).did, `${name} is still theirs`);
    assert.equal(after.get(name).status, stolen.includes(name) ? "contested" : "confirmed");
  }
  await bob.page.goto(`${server.origin}/u/${names[0]}`);
  await eventuallyReady(bob.page);
  const contest = bob.page.locator(".contest");
  await contest.getByText("witnesses of the network contradict themselves").waitFor();
  assert.ok((await contest.innerText()).includes(`${names[0]} holds it`));
  const rival = (await contest.locator("a").getAttribute("href")).split("/").at(-1);
  assert.notEqual(rival, before.get(names[0]).did);
  // The page was loaded again: the file is fetched of those who carried the names.
  await eventuallyHasPeers(bob.page, 2);
  const [installed] = await apiValue(bob.page, "install", MODULE);
  assert.deepEqual([installed.name, installed.author.did], [MODULE, before.get(names[0]).did]);
  const { values } = await apiValue(bob.page, "runExport", MODULE, null, "answer", []);
  assert.deepEqual(values.map(({ value }) => value), [HOLDERS_ANSWER]);

  const carol = await startUser(t, server);
  const fresh = await eventually("Carol has met everybody", async () => {
    const identities = new Set((await storedKeys(carol.page, "facts")).map((key) => key.split("/")[0]));
    const known = await holders(carol.page);
    // What is stored is shown a moment later; a name with two claims has no holder here, or is contested.
    const isShown = (name) => stolen.includes(name) === (known.get(name)?.status !== "confirmed");
    return identities.size === NAMES + STOLEN && names.every(isShown) && known;
  });
  for (const name of names.slice(STOLEN)) assert.deepEqual(fresh.get(name), before.get(name), name);
  const shown = stolen.filter((name) => fresh.get(name) !== null);
  assert.deepEqual(shown, [], "no holder of a name that was claimed twice");
  assert.equal((await api(carol.page, "lookupUsername", names[0])).code, "nameContested");
  await carol.page.goto(`${server.origin}/u/${names[0]}`);
  await eventuallyReady(carol.page);
  const split = carol.page.getByTestId("split");
  for (const did of [before.get(names[0]).did, rival]) await split.locator(`a[href="/id/${did}"]`).waitFor();
  assert.equal((await api(carol.page, "install", MODULE)).code, "nameContested");
  assert.deepEqual(await apiValue(carol.page, "listInstalled"), []);
  for (const { browser } of [bob, carol, confirmed, attacker]) browser.assertQuiet();
});
