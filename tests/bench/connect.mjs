// How soon two people who know each other from before are connected when both open the app at once: two Chromium
// processes, a real relay, the app itself. `make bench-connect`; ATTEMPTS=50. The page is the one of the end-to-end tests.
//
// Each attempt is a reload of both pages. Each page dials as soon as its own relay answers, so the two dials are rarely in
// the same moment; `both made two` says how often each page had begun both a connection of its own and one of the other's.
// (Dials in the very same moment are measured by tests/browser/mesh/glare.rs.)
//
// Seen from inside each page: `handshake` is from its first RTCPeerConnection, which is made when the relayed connection
// stands already, to the first bytes on a data channel; `start` from the moment the registry answers to the first peer the
// app counts, so it has the way to the relay in it.
import { Browser, GONE, Server, eventuallyReady } from "../e2e/harness.mjs";

const ATTEMPTS = Number(process.env.ATTEMPTS ?? 50);
/** An attempt without a connection by then has failed. */
const PATIENCE = 60_000;
/** Superfluous connections are closed within this; longer than the relayed one lingers. */
const SETTLED = 5_000;
const cleanUp = [];
const story = { after: (act) => cleanUp.push(act) };

async function watched(browser) {
  const page = await browser.context.newPage();
  await page.addInitScript(() => {
    globalThis.connections = [];
    const Original = globalThis.RTCPeerConnection;
    globalThis.RTCPeerConnection = class extends Original {
      constructor(...values) {
        super(...values);
        this.began = performance.now();
        globalThis.connections.push(this);
        this.addEventListener("datachannel", ({ channel }) => this.hear(channel));
      }
      createDataChannel(...values) {
        const channel = super.createDataChannel(...values);
        this.hear(channel);
        return channel;
      }
      hear(channel) {
        channel.addEventListener("message", () => (this.heard ??= performance.now()), { once: true });
      }
    };
    addEventListener("gen-registry-ready", async () => {
      await globalThis.genRegistry.ready();
      globalThis.answered = performance.now();
      const look = async () => {
        if ((await globalThis.genRegistry.getPeerCount()) > 0) globalThis.met ??= performance.now();
      };
      globalThis.genRegistry.subscribe(look);
      look();
    });
  });
  return page;
}

/** What one page saw of an attempt. */
async function outcome(page) {
  const met = await page.waitForFunction(() => globalThis.met, null, { timeout: PATIENCE }).then(() => true, () => false);
  if (!met) return { met };
  await page.waitForFunction((settled) => performance.now() > globalThis.met + settled, SETTLED, { timeout: PATIENCE });
  return page.evaluate(async () => {
    const heard = globalThis.connections.map((one) => one.heard).filter(Boolean);
    return {
      met: true,
      handshake: Math.min(...heard) - Math.min(...globalThis.connections.map((one) => one.began)),
      start: globalThis.met - globalThis.answered,
      made: globalThis.connections.length,
      standing: globalThis.connections.filter((one) => one.connectionState === "connected").length,
      peers: await globalThis.genRegistry.getPeerCount(),
    };
  });
}

function summary(values) {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]);
  return { median: at(0.5), p95: at(0.95), most: at(1) };
}

try {
  const server = await Server.start(story, { p2p: true });
  const pages = [];
  for (let nth = 0; nth < 2; nth++) {
    const browser = await Browser.start(story);
    browser.allow(...GONE);
    const page = await watched(browser);
    await page.goto(server.origin);
    await eventuallyReady(page);
    pages.push(page);
  }
  await Promise.all(pages.map(outcome));
  const attempts = [];
  for (let nth = 0; nth < ATTEMPTS; nth++) {
    await Promise.all(pages.map((page) => page.reload()));
    attempts.push(await Promise.all(pages.map(outcome)));
  }
  const direct = attempts.filter((sides) => sides.every(({ met }) => met));
  const sides = direct.flat();
  const glare = direct.filter((sides) => sides.every(({ made }) => made > 1)).length;
  const one = direct.filter((sides) => sides.every(({ standing, peers }) => standing === 1 && peers === 1)).length;
  console.log(`${direct.length} of ${ATTEMPTS} attempts ended in a direct connection; in ${glare} both made two`);
  console.log(`exactly one connection remained on each side in ${one} of ${direct.length}`);
  console.table({
    "handshake (ms)": summary(sides.map(({ handshake }) => handshake)),
    "start to first peer (ms)": summary(sides.map(({ start }) => start)),
  });
  if (one !== ATTEMPTS) process.exitCode = 1;
} finally {
  for (const act of cleanUp.reverse()) await act();
}
