// What must hold whatever a hostile peer does: the bounds of the four checks, and the loop that measures meanwhile.
import { eventually } from "../e2e/harness.mjs";

/** An honest peer's change arrives within this many milliseconds, in the median. */
export const ARRIVAL_MAX_MILLIS = 250;
/** More changes than this are not measured in one act: each is an entry of Bob's log. */
const CHANGES_MAX = 24;
/** At least so many, also when the act is over sooner. */
const CHANGES_MIN = 5;
/** Between two changes. */
const PAUSE_MILLIS = 250;
/** One session may hold some 12 MiB for a peer; the rest is what a page's heap does by itself. */
export const GROWTH_MAX_MIB = 64;

/** What some acts say of themselves. */
const FIGURES = ["held", "heldLater", "answered", "places", "registered", "turnedAway", "got"];

export const median = (numbers) => [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)];

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MILLIS));

/** Has Bob change something again and again until `over()`; returns how long each took. */
export async function arrivals(scene, over) {
  const times = [];
  while (times.length < CHANGES_MIN || !over()) {
    if (times.length < CHANGES_MAX) times.push(await scene.honestChange());
    await pause();
  }
  return times;
}

/**
 * Runs an act with an honest peer beside it, and returns `{ faults, cost }`: what did not hold, and what it cost whom.
 */
export async function suffer(scene, act) {
  const before = await scene.used();
  await scene.alice.page.evaluate(() => (globalThis.tasks.length = 0));
  let over = false;
  const acting = act.run(scene, act.count).finally(() => (over = true));
  const [came, measured] = await Promise.allSettled([acting, arrivals(scene, () => over)]);
  if (came.status === "rejected") throw came.reason;
  if (measured.status === "rejected") throw measured.reason;
  const [outcome, times] = [came.value, measured.value];
  const after = await scene.used();
  const faults = [];
  const arrival = median(times);
  if (!(arrival <= ARRIVAL_MAX_MILLIS)) faults.push(`an honest change took ${Math.round(arrival)} ms`);
  const grown = after.memory - before.memory;
  if (grown > GROWTH_MAX_MIB) faults.push(`the page grew by ${grown.toFixed(0)} MiB`);
  const serverGrown = after.serverMemory - before.serverMemory;
  if (serverGrown > GROWTH_MAX_MIB) faults.push(`the server grew by ${serverGrown.toFixed(0)} MiB`);
  const own = await act.held?.(scene, outcome);
  if (own) faults.push(own);
  await outcome.close();
  for (const fault of [await scene.ownDataFault(), await scene.restartFault()]) if (fault) faults.push(fault);
  if (faults.length === 0) await eventually("Bob is met again", async () => (await scene.meet(), true)).catch(() => faults.push("Bob is not met again"));
  const said = FIGURES.filter((key) => key in outcome).map((key) => `${key} ${outcome[key]}`);
  return {
    faults,
    cost: {
      said: said.join(", "),
      attacker: { processor: outcome.processor, bytes: outcome.bytes ?? 0, tried: outcome.tried ?? outcome.said ?? 0, came: outcome.said },
      arrival,
      page: {
        processor: after.processor - before.processor, tasks: after.tasks, longest: after.longest,
        memory: grown, stored: after.stored - before.stored,
      },
      server: { processor: after.server - before.server, memory: serverGrown },
    },
  };
}
