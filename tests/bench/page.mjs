// The benchmark page: a cold start of the real app in Chromium with nobody and with 10,000 people in the store.
// `make bench-page`. Every figure stands beside a peer from the same run: the raw IndexedDB read of the same records.
import { Browser, Server, crowd, eventuallyReady, profileDatabase } from "../e2e/harness.mjs";

const RUNS = 5;
const PEOPLE = 10_000;
const cleanUp = [];
const story = { after: (act) => cleanUp.push(act) };
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const round = (value) => Math.round(value * 10) / 10;

/** What a fresh page needs until the registry answers, and until the directory shows people. */
async function coldStart(browser, address) {
  const page = await browser.context.newPage();
  await page.addInitScript(() => {
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, entry.duration);
    }).observe({ type: "longtask", buffered: true });
    addEventListener("gen-registry-ready", async () => {
      globalThis.programStarted = performance.now();
      await globalThis.genRegistry.ready();
      globalThis.answered = performance.now();
    });
  });
  await page.goto(address);
  await eventuallyReady(page);
  await page.waitForFunction(() => globalThis.answered);
  const shown = await page.evaluate(async () => {
    const { total } = await globalThis.genRegistry.listAllUsernames({ limit: 1 });
    while (total > 0 && !document.querySelector('[data-testid="person-row"]')) {
      await new Promise(requestAnimationFrame);
    }
    return performance.now();
  });
  const figures = await page.evaluate(async (name) => {
    const done = (request) => new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    const database = await done(indexedDB.open(name));
    const from = performance.now();
    const records = await done(database.transaction("people").objectStore("people").getAll());
    const read = performance.now() - from;
    database.close();
    const look = performance.now();
    for (let n = 0; n < 100; n++) await globalThis.genRegistry.lookupUsername("nobody_of_this_name");
    const lookedUp = (performance.now() - look) / 100;
    return {
      people: records.length, read, lookedUp, longest: globalThis.longest, started: globalThis.programStarted,
      open: globalThis.answered - globalThis.programStarted, memory: performance.memory.usedJSHeapSize / 1048576,
    };
  }, await profileDatabase(page));
  await page.close();
  return { ...figures, shown };
}

async function measure(browser, address) {
  const runs = [];
  for (let run = 0; run < RUNS; run++) runs.push(await coldStart(browser, address));
  const of = (key) => round(median(runs.map((figures) => figures[key])));
  return Object.fromEntries(Object.keys(runs[0]).map((key) => [key, of(key)]));
}

const server = await Server.start(story);
try {
  const browser = await Browser.start(story);
  const address = `${server.origin}/people`;
  const empty = await measure(browser, address);
  const page = await browser.open(server.origin);
  await crowd(page, PEOPLE);
  await page.close();
  const crowded = await measure(browser, address);
  const row = (figures) => ({
    people: figures.people,
    "program started (ms)": figures.started,
    "store opened (ms)": figures.open,
    "directory shown (ms)": figures.shown,
    "longest task (ms)": figures.longest,
    "raw read of people (ms)": figures.read,
    "look-up through the API (ms)": figures.lookedUp,
    "JavaScript heap (MiB)": figures.memory,
  });
  console.table([row(empty), row(crowded)]);
  console.log(`opening 10,000 people takes ${round(crowded.open / crowded.read)} times the raw read of the same records`);
} finally {
  for (const act of cleanUp.reverse()) await act();
}
