// The JavaScript API, function by function, between two real browsers: each does what `gen-registry.d.ts` says of it.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import {
  Browser, Server, api, apiValue, eventually, eventuallyHasPeers, eventuallyKnowsName, publish, startUser,
} from "./harness.mjs";
import { adder, asking } from "./wasm.mjs";

/** Stores what a listener receives in `globalThis.received[kind]`. */
const listen = (page, kinds) => page.evaluate((kinds) => {
  globalThis.received = {};
  globalThis.stop = kinds.map((kind) => {
    globalThis.received[kind] = [];
    return globalThis.genRegistry.on(kind, (event) => globalThis.received[kind].push(event));
  });
}, kinds);

const eventuallyReceives = (page, kind, wanted) => eventually(`an event of the kind “${kind}”`, async () =>
  (await page.evaluate((kind) => globalThis.received[kind], kind)).find(wanted));

const names = (users) => users.map((user) => user.username).sort();
const entry = (channels, name) => channels.find(({ channel }) => channel === name);

/** Bytes go as arrays of numbers between this program and the page. */
const withBytes = (page, method, bytes, ...more) => page.evaluate(async ([method, bytes, more]) => {
  const answer = await globalThis.genRegistry[method](new Uint8Array(bytes), ...more);
  return answer;
}, [method, [...bytes], more]);

const bytesOf = (page, method, ...values) => page.evaluate(async ([method, values]) =>
  Array.from((await globalThis.genRegistry[method](...values)) ?? []), [method, values]);

const installed = (modules) => modules.map(({ name, version }) => `${name} ${version}`);

/** Two connected users, each known to the other; `call` and `refused` use the API of their pages. */
async function startTwoUsers(t) {
  const server = await Server.start(t, { p2p: true });
  const [alice, bob] = await Promise.all(["alice", "bob"].map(async (username) => {
    const { browser, page } = await startUser(t, server, { username });
    const call = (method, ...values) => apiValue(page, method, ...values);
    const refused = async (method, ...values) => (await api(page, method, ...values)).code;
    return { username, browser, page, call, refused };
  }));
  await Promise.all([alice, bob].map(({ page }) => eventuallyHasPeers(page, 1)));
  await Promise.all([[alice, bob], [bob, alice]].map(([one, other]) => eventuallyKnowsName(one.page, other.username)));
  return { server, alice, bob };
}

test("presence and channels work as documented", async (t) => {
  const { alice, bob } = await startTwoUsers(t);
  const eventuallyOnline = (one, wanted) => eventually(`${one.username} has ${wanted} online`, async () =>
    JSON.stringify(names(await one.call("getUsers"))) === JSON.stringify(wanted));
  await eventuallyOnline(alice, ["alice", "bob"]);
  await listen(alice.page, ["message", "presence"]);
  await alice.page.evaluate(() => {
    globalThis.received.all = [];
    globalThis.stop.push(globalThis.genRegistry.subscribe((event) => globalThis.received.all.push(event)));
  });

  // Who is online.
  assert.deepEqual([(await bob.call("getPresence")).visible, (await bob.call("getPresence")).invisible], [true, false]);
  const gone = await bob.call("unregisterUser", "bob");
  assert.deepEqual([gone.visible, gone.invisible], [false, false]);
  await eventuallyOnline(alice, ["alice"]);
  await eventuallyReceives(alice.page, "presence", (event) => event.what === "offline" && event.username === "bob");
  assert.equal((await bob.call("getPresence")).visible, false);
  await bob.call("unregisterUser", "nobody_known");
  assert.equal(await bob.refused("registerUser", "alice"), "unknownUser", "a device speaks only for its own user");
  assert.equal((await bob.call("registerUser", "bob")).visible, true);
  await eventuallyOnline(alice, ["alice", "bob"]);
  assert.equal((await bob.call("setInvisible", true)).invisible, true);
  await eventuallyOnline(alice, ["alice"]);
  assert.deepEqual(await bob.call("getPresence").then(({ visible, invisible }) => [visible, invisible]), [false, true]);
  await bob.call("setInvisible", false);
  await eventuallyOnline(alice, ["alice", "bob"]);

  // Channels.
  assert.equal(await alice.refused("joinChannel", "bob", "#general"), "unknownUser");
  await alice.call("joinChannel", "alice", "#general");
  const twice = await alice.call("joinChannel", "#general");
  assert.equal(twice.filter(({ channel }) => channel === "#general").length, 1, "twice is once");
  await eventually("bob finds the channel", async () => entry(await bob.call("listChannels"), "#general")?.members === 1);
  assert.equal(entry(await bob.call("listChannels"), "#general").joined, false);
  assert.equal(await bob.refused("getMessages", "#general"), "notInChannel");
  await bob.call("joinChannel", "general");
  await eventually("both are in it", async () =>
    JSON.stringify(names(await alice.call("getChannelUsers", "#general"))) === JSON.stringify(["alice", "bob"]));
  assert.deepEqual(await alice.call("getChannelUsers", "#nowhere"), []);
  await eventuallyReceives(alice.page, "presence", (event) => event.what === "joined" && event.channel === "#general" && event.username === "bob");

  const said = await bob.call("say", "#general", "Good morning, @alice");
  assert.deepEqual([said.text, said.mine, said.mentionsMe, said.topicLine], ["Good morning, @alice", true, false, false]);
  const { message, muted } = await eventuallyReceives(alice.page, "message", ({ message }) => message.id === said.id);
  assert.deepEqual([message.username, message.mine, message.mentionsMe, muted], ["bob", false, true, false]);
  const counts = async () => {
    const { unread, mentions } = entry(await alice.call("listChannels"), "#general");
    return [unread, mentions];
  };
  assert.deepEqual(await counts(), [1, 1]);
  assert.equal(entry(await alice.call("markChannelRead", "#general"), "#general").unread, 0);
  assert.deepEqual(await counts(), [0, 0]);

  assert.equal(entry(await alice.call("muteChannel", "#general"), "#general").muted, true);
  const quiet = await bob.call("say", "#general", "Nobody in particular");
  assert.equal((await eventuallyReceives(alice.page, "message", ({ message }) => message.id === quiet.id)).muted, true);
  assert.deepEqual(await counts(), [0, 0], "muted: only mentions count");
  const loud = await bob.call("say", "#general", "@alice again");
  await eventuallyReceives(alice.page, "message", ({ message }) => message.id === loud.id);
  assert.deepEqual(await counts(), [1, 1]);
  assert.equal(entry(await alice.call("muteChannel", "#general", false), "#general").muted, false);

  assert.equal((await alice.call("setTopicLine", "#general", "This and that")).topicLine, true);
  await eventually("bob has the topic line", async () => entry(await bob.call("listChannels"), "#general").topicLine === "This and that");
  const last = await alice.call("getMessages", "#general", { limit: 2 });
  assert.deepEqual(last.messages.map(({ text }) => text), ["@alice again", "This and that"]);
  const before = await alice.call("getMessages", "#general", { limit: 2, before: last.before });
  assert.deepEqual(before.messages.map(({ text }) => text), ["Good morning, @alice", "Nobody in particular"]);
  await alice.call("setTopicLine", "#general", "");
  await eventually("the topic line is gone", async () => entry(await bob.call("listChannels"), "#general").topicLine === null);

  await alice.call("leaveChannel", "nobody_known", "#general");
  await alice.call("leaveChannel", "#nowhere");
  await alice.call("leaveChannel", "alice", "#general");
  assert.equal(entry(await alice.call("listChannels"), "#general")?.joined ?? false, false);
  assert.equal(await alice.refused("say", "#general", "I am gone"), "notInChannel");
  await eventually("bob is alone in it", async () =>
    JSON.stringify(names(await bob.call("getChannelUsers", "#general"))) === JSON.stringify(["bob"]));

  // A subscriber receives every event, and none after it has stopped; an unknown kind is refused.
  for (const kind of ["presence", "message", "channelsChanged"]) await eventuallyReceives(alice.page, "all", ({ event }) => event === kind);
  await alice.page.evaluate(() => globalThis.stop.forEach((stop) => stop()));
  const count = () => alice.page.evaluate(() => Object.values(globalThis.received).map((events) => events.length));
  const received = await count();
  await bob.call("setInvisible", true);
  await eventuallyOnline(alice, ["alice"]);
  assert.deepEqual(await count(), received);
  const unknown = await alice.page.evaluate(() => {
    try {
      globalThis.genRegistry.on("nonsense", () => {});
    } catch (error) {
      return [error.code, typeof error.advice];
    }
  });
  assert.deepEqual(unknown, ["invalidArgument", "string"]);
  for (const { browser } of [alice, bob]) browser.assertQuiet();
});

test("modules, follows and notices work as documented", async (t) => {
  const { alice, bob } = await startTwoUsers(t);
  await listen(bob.page, ["announcement", "module", "peer"]);
  const { did } = await alice.call("whoami");

  // What is followed is announced.
  const [follow] = await bob.call("follow", `person:${did}`);
  assert.deepEqual([follow.subject, follow.username], [`person:${did}`, "alice"]);
  assert.deepEqual((await bob.call("getFollows")).map(({ subject }) => subject), [`person:${did}`]);
  const report = await withBytes(bob.page, "validateModule", adder("add"));
  assert.deepEqual([report.kind, report.exports.map(({ name }) => name), report.outcomes.every(({ problem }) => problem === null)],
    ["module", ["add"], true]);
  const nonsense = await withBytes(bob.page, "validateModule", Buffer.from("a note"));
  assert.equal(nonsense.outcomes.find(({ problem }) => problem).problem.problem, "notWasm");
  await publish(alice.page, { name: "base", version: "1.0.0", description: "Adds" }, adder("add"));
  await publish(alice.page, { name: "app", version: "1.0.0", dependencies: { base: "^1" } }, adder("sum"));
  await eventuallyReceives(bob.page, "announcement", ({ notice }) => notice.kind === "release" && notice.module === "app" && notice.who.did === did);
  await eventuallyReceives(bob.page, "module", ({ names }) => names.includes("app"));
  const notices = await eventually("notices of both releases and both names", async () => {
    const found = await bob.call("getNotices");
    return found.notices.length === 4 && found;
  });
  assert.equal(notices.unread, 4);
  const [newest] = notices.notices;
  assert.equal((await bob.call("markNoticesRead", [newest.id])).unread, 3);
  assert.deepEqual((await bob.call("getNotices")).notices.filter(({ read }) => read).map(({ id }) => id), [newest.id]);
  assert.equal((await bob.call("markNoticesRead")).unread, 0, "without ids, all of them");
  assert.deepEqual(await bob.call("clearNotices"), { notices: [], unread: 0 });
  assert.deepEqual((await bob.call("getNotices")).notices, []);
  assert.deepEqual(await bob.call("unfollow", `person:${did}`), []);

  // Installed, looked at, taken along and removed.
  assert.deepEqual(installed(await bob.call("install", "app")), ["app 1.0.0", "base 1.0.0"]);
  const inspected = await bob.call("inspectModule", "app", "1.0.0");
  assert.deepEqual(inspected.exports.map(({ name }) => name), ["sum"]);
  const lockfile = await bob.call("exportLockfile");
  assert.match(lockfile, /name = "base"/);
  const zip = await bytesOf(bob.page, "exportInstalled");
  assert.deepEqual(zip.slice(0, 4), [0x50, 0x4b, 3, 4], "a zip begins so");
  assert.equal(await bob.refused("uninstall", "base"), "neededByOthers");
  assert.deepEqual(await bob.call("uninstall", "app"), [], "with what only it needed");
  assert.deepEqual(installed(await bob.call("importLockfile", lockfile)), ["app 1.0.0", "base 1.0.0"]);
  assert.equal(await bob.refused("importLockfile", "not a lockfile"), "lockfileInvalid");

  // A module that imports more is accepted by its name, or all are.
  await publish(alice.page, { name: "base", version: "1.1.0" }, asking("env", "read"));
  await publish(alice.page, { name: "app", version: "1.1.0", dependencies: { base: "^1.1" } }, adder("sum"));
  await eventually("the newer one is known", async () => (await bob.call("getModule", "app")).latest === "1.1.0");
  const newer = ["app 1.1.0", "base 1.1.0"];
  assert.equal(await bob.refused("install", "app", "^1.1", { accept: ["app"] }), "newImports");
  assert.deepEqual(installed(await bob.call("install", "app", "^1.1", { accept: ["base"] })), newer);
  const later = await bob.call("exportLockfile");
  assert.deepEqual(installed(await bob.call("importLockfile", lockfile)), ["app 1.0.0", "base 1.0.0"], "back to what it says");
  assert.equal(await bob.refused("importLockfile", later), "newImports");
  assert.deepEqual(installed(await bob.call("importLockfile", later, { accept: ["*"] })), newer);

  // A picture is read by its address.
  const picture = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
  const avatar = await alice.page.evaluate(async (bytes) =>
    (await globalThis.genRegistry.updateProfile({ avatar: new Uint8Array(bytes) })).profile.avatar, [...picture]);
  await eventually("bob has the new profile", async () => (await eventuallyKnowsName(bob.page, "alice")).avatar === avatar);
  assert.deepEqual(await eventually("the picture arrives", async () => {
    const bytes = await bytesOf(bob.page, "readBlock", avatar);
    return bytes.length > 0 && bytes;
  }), [...picture]);
  assert.equal(await bob.call("readBlock", "not an address"), null);

  await bob.page.evaluate(() => (globalThis.received.peer = []));
  await alice.browser.close();
  await eventuallyReceives(bob.page, "peer", ({ event }) => event === "networkChanged");
  await eventually("no peer is left", async () => (await bob.call("getPeerCount")) === 0);
  bob.browser.assertQuiet();
});

test("some end-to-end test calls every function of the API", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(server.origin);
  const there = await page.evaluate(() =>
    Object.getOwnPropertyNames(Object.getPrototypeOf(globalThis.genRegistry)).filter((name) => !/^(constructor|free|__.*)$/.test(name)));
  assert.ok(there.length > 50, `${there}`);
  const folder = new URL("./", import.meta.url);
  const files = (await readdir(folder)).filter((name) => name.endsWith(".mjs"));
  const sources = (await Promise.all(files.map((name) => readFile(new URL(name, folder), "utf8")))).join("\n");
  const called = (name) => sources.includes(`"${name}"`) || sources.includes(`genRegistry.${name}(`);
  assert.deepEqual(there.filter((name) => !called(name)), []);
});
