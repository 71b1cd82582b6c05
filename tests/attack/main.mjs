// `make attack`: a hostile peer against a real page and a real server, act by act. After each act the same four things are
// looked at: the victim's own data, whether its page starts again, how long an honest peer's changes took meanwhile, and
// how much memory grew. Ends with 1 if anything did not hold.
//
// ACT=name,name runs these acts only. LIFTED=1 runs each act with its defence switched off, and is content only if
// something then does not hold: what an act shows is worth nothing if it can't fail.
import { ACTS } from "./acts.mjs";
import { ARRIVAL_MAX_MILLIS, arrivals, median, suffer } from "./checks.mjs";
import { Scene } from "./scene.mjs";

// The server says what is wrong, and no more.
process.env.RUST_LOG ??= "error";

const LIFTED = Boolean(process.env.LIFTED);
const wanted = process.env.ACT?.split(",");
const chosen = ACTS.filter((act) => !wanted || wanted.includes(act.name));
const unknown = (wanted ?? []).filter((name) => !ACTS.some((act) => act.name === name));
if (unknown.length > 0) {
  console.error(`No act is called ${unknown.join(" or ")}. There are: ${ACTS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

/** With what the scene of an act starts. */
function optionsOf(act) {
  const lifted = LIFTED ? act.lifted : {};
  const limits = act.limits || lifted.limits ? { ...act.limits, ...lifted.limits } : undefined;
  return { ...lifted, limits };
}

/** Acts with the same options follow each other in one scene. */
const isFor = (scene, options) =>
  JSON.stringify(scene.options) === JSON.stringify(options) && !options.patch && !scene.options.patch;

/** So often a machine that is busy with something else is waited for, and so long each time. */
const BUSY_MAX = 6;
const BUSY_MILLIS = 10_000;

async function open(options) {
  const scene = await Scene.start(options);
  for (let times = 0; times < BUSY_MAX; times += 1) {
    const quiet = median(await arrivals(scene, () => true));
    console.log(`\nA new scene; an honest change takes ${Math.round(quiet)} ms while nobody attacks.`);
    if (quiet <= ARRIVAL_MAX_MILLIS) return scene;
    await new Promise((resolve) => setTimeout(resolve, BUSY_MILLIS));
  }
  await scene.end();
  throw new Error("This machine is too busy for the bound of honest changes to say anything. Nothing was measured.");
}

const number = (value, unit) => `${value.toFixed(value < 10 ? 1 : 0)} ${unit}`;

function report(act, { faults, cost }, seconds) {
  const { attacker, arrival, page, server } = cost;
  const fine = LIFTED ? faults.length > 0 : faults.length === 0;
  const verdict = LIFTED ? (fine ? "FAILS AS IT SHOULD" : "HELD BY SOMETHING ELSE") : fine ? "held" : "DID NOT HOLD";
  console.log(`${verdict}: ${act.name}: ${act.subject} (${seconds.toFixed(0)} s)`);
  console.log(`    attacker: tried ${attacker.tried}${attacker.came === undefined ? "" : ` (${attacker.came} came to something)`}, ${number(attacker.bytes / 1024, "KiB")}, ${number(attacker.processor, "s of processor time")}`);
  console.log(
    `    page: ${number(page.processor, "s")}, ${page.tasks} long tasks (longest ${Math.round(page.longest)} ms), ` +
      `${number(page.memory, "MiB")} more memory, ${number(page.stored, "MiB")} more stored; ` +
      `server: ${number(server.processor, "s")}, ${number(server.memory, "MiB")} more`,
  );
  if (cost.said) console.log(`    it came to: ${cost.said}`);
  console.log(`    an honest change took ${Math.round(arrival)} ms`);
  for (const fault of faults) console.log(`    ${fault}`);
  return fine;
}

let scene;
let good = 0;
const bad = [];
for (const act of chosen) {
  if (LIFTED && !act.lifted) {
    console.log(`not lifted: ${act.name}: ${act.because}`);
    continue;
  }
  const began = Date.now();
  try {
    const options = optionsOf(act);
    if (!scene || !isFor(scene, options)) {
      await scene?.end();
      scene = undefined;
      scene = await open(options);
    }
    const started = Date.now();
    const suffered = await suffer(scene, act);
    if (report(act, suffered, (Date.now() - started) / 1000)) good += 1;
    else bad.push(act.name);
    // What one act has broken is no matter of the next.
    if (suffered.faults.length > 0) {
      await scene.end();
      scene = undefined;
    }
  } catch (error) {
    console.log(`COULD NOT BE RUN: ${act.name} (${((Date.now() - began) / 1000).toFixed(0)} s): ${error.stack}`);
    bad.push(act.name);
    await scene?.end();
    scene = undefined;
  }
}
await scene?.end();
console.log(`\n${good} acts ${LIFTED ? "failed without their defence" : "held"}${bad.length > 0 ? `; not so: ${bad.join(", ")}` : ""}.`);
process.exit(bad.length > 0 ? 1 : 0);
