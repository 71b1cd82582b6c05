// How long a fresh profile needs until it has everybody: 1,000 and 10,000 people, one peer that has them, real WebRTC.
// `make bench-join`. Beside the time: the longest task of the page's one thread, by the clock and by the processor time that it had
// (giver, page and worker share the processors), and memory of JavaScript and of the program. Then the same task for
// automerge-repo; `automerge-repo.mjs` says what is alike and what is not. ONLY=gen-registry leaves that out.
import { LONG_MILLIS, Tasks } from "../attack/tasks.mjs";
import { Browser, GONE, Server, crowd, eventuallyReady, memoryOf, watchCost } from "../e2e/harness.mjs";
import { joinAutomergeRepo } from "./automerge-repo.mjs";

const SIZES = (process.env.SIZES ?? "1000,10000").split(",").map(Number);
const PATIENCE = 600_000;
const MEBIBYTE = 1024 * 1024;
const cleanUp = [];
const story = { after: (act) => cleanUp.push(act) };
const round = (value) => (typeof value === "number" ? Math.round(value * 10) / 10 : value);

const total = (page) => page.evaluate(async () => (await globalThis.genRegistry.listAllUsernames({ limit: 1 })).total);

/** Watches the thread of a page from its first moment. */
async function watched(browser) {
  const page = await browser.context.newPage();
  await watchCost(page);
  await page.addInitScript(() => {
    globalThis.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) globalThis.longTasks.push({ startTime, duration });
    }).observe({ type: "longtask", buffered: true });
    addEventListener("gen-registry-ready", async () => {
      await globalThis.genRegistry.ready();
      globalThis.marks = { answered: performance.now() };
      const look = async () => {
        const network = await globalThis.genRegistry.getNetwork();
        if (network.peers.length > 0) globalThis.marks.connected ??= performance.now();
        globalThis.marks.people = (await globalThis.genRegistry.listAllUsernames({ limit: 1 })).total;
        if (globalThis.marks.people > 0) globalThis.marks.first ??= performance.now();
        globalThis.marks.looked = performance.now();
      };
      globalThis.genRegistry.subscribe(look);
    });
  });
  return page;
}

async function join(server, full, people) {
  const browser = await Browser.start(story);
  browser.allow(...GONE);
  const page = await watched(browser);
  const session = await browser.context.newCDPSession(page);
  const traced = await Tasks.watch(session);
  await page.goto(`${server.origin}/people`);
  await eventuallyReady(page);
  await full.evaluate(() => (globalThis.longTasks = []));
  await page.waitForFunction((people) => globalThis.marks?.people >= people, people, { timeout: PATIENCE });
  const figures = await page.evaluate(() => ({
    ...globalThis.marks,
    starting: Math.max(0, ...globalThis.longTasks.filter((task) => task.startTime < globalThis.marks.connected).map((task) => task.duration)),
    ...((syncing) => ({ longest: Math.max(0, ...syncing), long: syncing.length }))(
      globalThis.longTasks.filter((task) => task.startTime >= globalThis.marks.connected).map((task) => task.duration),
    ),
  }));
  await traced.look({ goesOn: false });
  const processors = traced.long.map(({ processor }) => processor);
  const { script, wasm } = await memoryOf(page);
  const giving = await full.evaluate(() => Math.max(0, ...globalThis.longTasks.map((task) => task.duration)));
  await browser.close();
  const { connected, longest, long } = figures;
  const [first, all] = [figures.first - connected, figures.looked - connected];
  return row("Gen Registry", {
    people, connected, first, all, longest, long, giver: giving,
    busiest: Math.max(0, ...processors),
    busy: processors.filter((millis) => millis > LONG_MILLIS).length,
    memory: script / MEBIBYTE,
    program: wasm / MEBIBYTE,
  });
}

/** Times are from the open channel on, except for the first. */
function row(system, { people, connected, first, all, longest, long, busiest, busy, giver, memory, program }) {
  return {
    system,
    people,
    "connected (ms after start)": round(connected),
    "first (ms)": round(first),
    "all (ms)": round(all),
    "longest task here (ms)": round(longest),
    "tasks over 50 ms here": long,
    "the longest by processor time (ms)": round(busiest),
    "over 50 ms by processor time": busy,
    "longest task of the giver (ms)": round(giver),
    "JavaScript heap (MiB)": round(memory),
    "program (MiB)": round(program),
  };
}

try {
  const rows = [];
  for (const people of SIZES) {
    const server = await Server.start(story, { p2p: true, more: ["--no-witness"] });
    const browser = await Browser.start(story);
    const first = await browser.open(server.origin);
    await crowd(first, people);
    await first.close();
    const full = await watched(browser);
    await full.goto(server.origin);
    await eventuallyReady(full);
    if ((await total(full)) !== people) throw new Error("the giver has not everybody");
    rows.push(await join(server, full, people));
    await browser.close();
    await server.kill();
    if (process.env.ONLY === "gen-registry") continue;
    rows.push(row("automerge-repo", await joinAutomergeRepo(story, people, PATIENCE)));
  }
  console.table(rows);
} finally {
  for (const act of cleanUp.reverse()) await act();
}
