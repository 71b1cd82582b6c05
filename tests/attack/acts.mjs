// The acts: what a hostile peer tries, and what must hold meanwhile beside the four checks. `lifted` is how the defence is
// switched off: limits with which Alice's page starts, flags of the server, or a change of the page's files; then the act
// must fail. An act without `lifted` meets no bound that could be lifted, and says why in `because`.
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { apiValue, eventually, eventuallyReady, publish, storedKeys } from "../e2e/harness.mjs";
import { adder } from "../e2e/wasm.mjs";
import { crossSiteForm, escapeSandbox, foreignScript, hungryModule, lyingLinks } from "./pages.mjs";
import { ATTACKER_ADDRESS } from "./scene.mjs";

/** As much as never is reached. */
const LIFTED = 1_000_000_000;
/** How long it takes until it is certain that a peer that was sent away is not let in again. */
const REFUSED_AFTER = 8_000;

/** How long a peer that breaks a rule may go on before it is said that nobody sent it away. */
const SENT_AWAY_AFTER = 60_000;

const asPage = (act, patience) => async (scene, count) => {
  const began = Date.now();
  return { tried: count, ...(await scene.attackAsPage(act, count, patience)), seconds: () => (Date.now() - began) / 1000 };
};

/** Held if the victim has sent it away and does not let it in again. */
async function isKeptOut(_scene, outcome) {
  let now;
  const decided = eventually("it is decided", async () => {
    now = await outcome.state();
    return typeof now.letInAgain === "boolean";
  }, REFUSED_AFTER);
  await decided.catch(() => {});
  if (now.state !== "sent away") return "it was not sent away";
  return now.letInAgain === true ? "it was let in again" : null;
}

/** How long it takes at most until a picture that is here is shown. */
const SHOWN_AFTER = 5_000;

/** An act that breaks a rule, for which its peer is banned. */
const banned = (name, subject, lifted = { limits: { ban_seconds: 0 } }) =>
  ({ name, subject, run: asPage(name, SENT_AWAY_AFTER), held: isKeptOut, lifted });

/** An act that breaks a rule by accident, perhaps, or none: nobody is banned for it. */
const tolerated = (name, subject, because) => ({ name, subject, run: asPage(name), because });

/** How many identities are stored: each has facts, under its own name. */
async function people(scene) {
  const keys = await storedKeys(scene.alice.page, "facts");
  return new Set(keys.map((key) => key.slice(0, 64))).size;
}

/** Alice and Bob. */
const KNOWN = 2;
/** Fewer than a page has usually, so that the act is short. */
const FEW = { newcomers_burst: 300, strangers: 600 };

async function strangersAreBounded(scene, most) {
  const kept = (await people(scene)) - KNOWN;
  return kept > most ? `${kept} strangers were kept; the bound is ${most}` : null;
}

/** Has Bob publish his module, unless an act of the same scene did, until Alice knows it. */
async function publishTool(scene) {
  const known = async () => (await apiValue(scene.alice.page, "getModule", "bobs-tool"))?.versions.length === 1;
  if (!(await known())) await publish(scene.bob.page, { name: "bobs-tool", version: "1.0.0" }, adder("add"));
  await eventually("it is known", known);
}

const serverActs = [
  {
    name: "idle-connections",
    subject: "connections to the page's server that say nothing, or a request byte by byte",
    count: 200,
    run: async (scene, count) => scene.attackNatively({}, "idle-connections", `127.0.0.1:${scene.server.port}`, ATTACKER_ADDRESS, String(count)),
    held: async (scene, { held, heldLater }) => {
      if (held > 64) return `${held} connections of one address were open`;
      if (heldLater > 0) return `${heldLater} connections without a request were still open`;
      return (await fetch(`${scene.server.origin}/health`)).ok ? null : "the server does not answer";
    },
    lifted: { flags: ["--limit-http", "100000", "--limit-http-address", "100000", "--limit-http-head", "3600"] },
  },
  {
    name: "counters",
    subject: "questions for the server's counters, at the address where it hands out the page",
    run: async (scene) => {
      const answers = await Promise.all(["/metrics", "/metrics/", "//metrics", "/dashboard"].map(async (place) => {
        const answer = await fetch(scene.server.origin + place);
        return [place, await answer.text()];
      }));
      const own = await (await fetch(scene.server.metrics)).text();
      return { tried: answers.length, own, answers, processor: 0, close: async () => {} };
    },
    held: async (_scene, { answers, own }) => {
      if (!own.includes("gen_")) return "nothing is counted";
      const told = answers.filter(([, text]) => /\bgen_\w+ \d/.test(text));
      return told.length > 0 ? `${told.map(([place]) => place).join(" and ")} tells them` : null;
    },
    because: "they have an address of their own, on this machine by default: that is a rule, not a bound",
  },
  {
    name: "forged-address",
    subject: "requests that claim to be passed on for many clients",
    count: 200,
    run: async (scene, count) => scene.attackNatively({}, "forged-address", `127.0.0.1:${scene.server.port}`, ATTACKER_ADDRESS, String(count)),
    held: async (_scene, { answered }) => (answered > 64 ? `${answered} requests of one address were answered at once` : null),
    lifted: { flags: ["--trusted-proxy", ATTACKER_ADDRESS] },
  },
  {
    name: "relay-crowd",
    subject: "places and registrations at the relay, all from one address",
    count: 60,
    run: async (scene, count) => scene.attackNatively({}, "relay-crowd", scene.relays[0], ATTACKER_ADDRESS, String(count), scene.topic),
    held: async (_scene, { places, registered }) => {
      if (places > 16) return `one address has ${places} places`;
      return registered > 128 ? `one address has ${registered} registrations` : null;
    },
    lifted: { flags: ["--limit-places-address", "100000", "--limit-connections-address", "100000"] },
  },
  {
    name: "useless-requests",
    subject: "requests to the witness that nobody can read",
    count: 300,
    run: async (scene, count) => {
      const wasted = scene.attackNatively({}, "useless-requests", scene.relays[0], ATTACKER_ADDRESS, String(count));
      const before = await counter(scene, "gen_relay_witness_turned_away_wasted_total");
      const outcome = await wasted;
      return { ...outcome, turnedAway: (await counter(scene, "gen_relay_witness_turned_away_wasted_total")) - before };
    },
    held: async (scene, { tried, turnedAway }) => {
      const name = `bob_${scene.words}`;
      if ((await apiValue(scene.bob.page, "registerUsername", name)) !== true) return "an honest name was not taken";
      const seen = async () => (await apiValue(scene.bob.page, "lookupUsername", name))?.status === "confirmed";
      if (!(await eventually("it is confirmed", seen).catch(() => false))) return "an honest name was not confirmed";
      return turnedAway < tried / 2 ? `the witness looked at ${tried - turnedAway} of ${tried} useless requests` : null;
    },
    lifted: { flags: ["--limit-witness-wasted", "100000", "--limit-witness-address", "100000"] },
  },
];

/** One of the server's counters. */
async function counter(scene, name) {
  const text = await (await fetch(scene.server.metrics)).text();
  return Number(new RegExp(`^${name} (\\d+)`, "m").exec(text)?.[1] ?? NaN);
}

const floods = [
  {
    name: "crowd",
    subject: "identities that cost nothing, offered as fast as they are taken",
    count: 1_200,
    limits: FEW,
    run: asPage("crowd"),
    held: async (scene, outcome) => strangersAreBounded(scene, FEW.newcomers_burst + 5 * outcome.seconds()),
    lifted: { limits: { newcomers_burst: LIFTED, strangers: LIFTED } },
  },
  {
    name: "crowd-to-keep",
    subject: "the same where all of them are let in: room for strangers",
    count: 1_200,
    limits: { strangers: 300, newcomers_burst: LIFTED },
    run: asPage("crowd"),
    held: async (scene) => {
      const kept = await eventually("there is room again", async () => !(await strangersAreBounded(scene, 300))).catch(() => false);
      return kept ? null : strangersAreBounded(scene, 300);
    },
    lifted: { limits: { strangers: LIFTED } },
  },
  {
    name: "one-name",
    subject: "many identities that claim one name, which another person has",
    count: 600,
    limits: FEW,
    run: asPage("one-name"),
    held: async (scene, outcome) => {
      const holder = await apiValue(scene.bob.page, "lookupUsername", "alice_smith");
      if (holder?.did !== scene.me.did) return "the name is another's";
      return strangersAreBounded(scene, FEW.newcomers_burst + 5 * outcome.seconds());
    },
    lifted: { limits: { newcomers_burst: LIFTED, strangers: LIFTED } },
  },
  {
    name: "many-names",
    subject: "one identity that claims hundreds of names",
    count: 800,
    run: asPage("many-names"),
    held: async (scene) => {
      const seen = async () => (await apiValue(scene.bob.page, "lookupUsername", "taken7"))?.status === "confirmed";
      await apiValue(scene.bob.page, "registerUsername", "taken7");
      return (await eventually("it is confirmed", seen).catch(() => false)) ? null : "an honest person can't have one of the names";
    },
    because: "a claim that no witness signed holds no name: that is a rule, not a bound",
  },
  {
    name: "nodes",
    subject: "nodes of strangers that say they are online",
    count: 1_500,
    run: asPage("nodes"),
    held: async (scene, outcome) => {
      const most = 300 + 30 * outcome.seconds() + KNOWN;
      const present = (await apiValue(scene.alice.page, "getUsers")).length;
      return present > most ? `${present} are shown as online; ${Math.round(most)} heartbeats are taken of one peer` : null;
    },
    lifted: { limits: { heartbeats_burst: LIFTED, heartbeats_per_second: LIFTED } },
  },
  {
    name: "words",
    subject: "messages of many authors in a channel",
    count: 1_000,
    run: async (scene, count) => {
      for (let word = 0; word < 8; word += 1) await apiValue(scene.bob.page, "say", "#general", `honest ${word}`);
      const last = async () => (await messages(scene)).some(({ text }) => text === "honest 7");
      await eventually("honest words arrive", last);
      return asPage("words")(scene, count);
    },
    held: async (scene, outcome) => {
      const all = await messages(scene);
      const honest = all.filter(({ text }) => text.startsWith("honest ")).length;
      if (honest < 8) return `${honest} of 8 honest messages are kept`;
      const most = 120 + 20 * outcome.seconds();
      const loud = all.length - honest;
      return loud > most ? `${loud} messages of one peer were taken; ${Math.round(most)} are allowed` : null;
    },
    lifted: {
      limits: {
        words_burst: LIFTED, words_per_second: LIFTED, author_words_burst: LIFTED, author_words_per_second: LIFTED,
        channel_messages: LIFTED, channel_messages_of_author: LIFTED,
      },
    },
  },
  {
    name: "look-ups",
    subject: "questions for names, one after the other",
    count: 200,
    run: asPage("look-ups"),
    held: async (_scene, { said, seconds }) => {
      const most = 60 * Math.ceil(seconds() / 60);
      return said > most ? `${said} questions of one peer were answered; ${most} are allowed` : null;
    },
    lifted: { limits: { lookups_per_minute: LIFTED } },
  },
  {
    name: "searches",
    subject: "searches of one peer, one after the other",
    count: 200,
    run: asPage("searches"),
    held: async (_scene, { said, seconds }) => {
      const most = 30 * Math.ceil(seconds() / 60);
      return said > most ? `${said} searches of one peer were answered; ${most} are allowed` : null;
    },
    lifted: { limits: { searches_per_minute: LIFTED, answered_searches_per_minute: LIFTED } },
  },
  {
    name: "searches-of-many",
    subject: "searches of many peers, each of which asks as often as one may",
    count: 250,
    run: asPage("searches-of-many"),
    held: async (_scene, { said, seconds }) => {
      const most = 120 * Math.ceil(seconds() / 60);
      return said > most ? `${said} searches were answered; ${most} of all peers are allowed` : null;
    },
    lifted: { limits: { answered_searches_per_minute: LIFTED } },
  },
  {
    name: "nonsense-searches",
    subject: "searches that can't be read",
    count: 60,
    run: asPage("nonsense-searches"),
    held: async (scene, { said, peer }) => {
      if (said > 0) return `${said} of them were answered`;
      const known = (await apiValue(scene.alice.page, "getPeers")).find(({ id }) => id === peer);
      return !known || known.rejections.length > 0 ? null : "nothing is counted against their peer";
    },
    because: "what can't be read has no answer: that is a rule, not a bound",
  },
  {
    name: "silent-offers",
    subject: "direct connections that are asked for by many and never offered",
    count: 10,
    run: async (scene, count) => ({
      tried: count,
      ...(await scene.attackNatively({ COUNT: String(count) }, "silent-offers", scene.topic, scene.node, ...scene.relays)),
    }),
    held: async (_scene, { said }) => (said > 0 ? `${said} handshakes without an offer still take slots` : null),
    lifted: { limits: { offer_seconds: 3_600 } },
  },
  {
    name: "many-offers",
    subject: "direct connections that are asked for by many at once",
    count: 12,
    run: async (scene, count) => ({
      tried: count,
      ...(await scene.attackNatively({ COUNT: String(count) }, "many-offers", scene.topic, scene.node, ...scene.relays)),
    }),
    held: async (_scene, { said }) => (said > 8 ? `${said} handshakes through one relay are waited for at once` : null),
    lifted: { limits: { handshakes_per_relay: LIFTED } },
  },
  {
    name: "foreign-addresses",
    subject: "handshakes whose candidates are services of the victim's own machine",
    count: 3,
    run: async (scene, count) => ({
      tried: count,
      ...(await scene.attackNatively({ COUNT: String(count) }, "foreign-addresses", scene.topic, scene.node, ...scene.relays)),
    }),
    held: async (_scene, { said }) => (said > 0 ? `the browser sent ${said} packets to them` : null),
    because: "addresses of a private network are tried only from the same network: that is a rule, not a bound",
  },
  {
    name: "nodes-to-remember",
    subject: "nodes of strangers where there is room for few",
    count: 600,
    limits: { heartbeats_burst: LIFTED, present_nodes: 200 },
    run: asPage("nodes"),
    held: async (scene) => {
      const present = await apiValue(scene.alice.page, "getUsers");
      if (!present.some(({ username }) => username === "bob_jones")) return "an honest person is not shown as online";
      return present.length > 200 ? `${present.length} are shown as online; there is room for 200` : null;
    },
    lifted: { limits: { present_nodes: LIFTED } },
  },
  {
    name: "questions",
    subject: "questions for everything there is, one after the other",
    count: 40,
    limits: { work_burst: 20_000, work_per_second: 1_000 },
    run: asPage("questions"),
    held: async (_scene, { said, tried }) => (said >= tried ? "every question was answered at once" : null),
    lifted: { limits: { work_burst: LIFTED, work_per_second: LIFTED } },
  },
  {
    name: "ratings",
    subject: "identities that praise a module and say that they installed it",
    count: 50,
    run: async (scene, count) => {
      await publishTool(scene);
      return asPage("ratings")(scene, count);
    },
    held: async (scene) => {
      const { opinion } = await eventually("they arrive", async () => {
        const page = await apiValue(scene.alice.page, "getModule", "bobs-tool");
        return page.opinion.ratingsApart + page.opinion.ratings > 0 && page;
      });
      return opinion.ratings + opinion.downloads > 0 ? `${opinion.ratings} ratings and ${opinion.downloads} installs of nobody count` : null;
    },
    because: "only people with a confirmed name of some age count: that is a rule, not a bound",
  },
  {
    name: "disguises",
    subject: "people who look like somebody else and call for them",
    count: 30,
    run: async (scene, count) => {
      await scene.alice.page.evaluate(() => {
        globalThis.toasts = 0;
        new MutationObserver((changes) => {
          for (const node of changes.flatMap(({ addedNodes }) => [...addedNodes])) {
            if (node.matches?.('[data-testid="toast"]') || node.querySelector?.('[data-testid="toast"]')) globalThis.toasts += 1;
          }
        }).observe(document, { childList: true, subtree: true });
      });
      return asPage("disguises")(scene, count);
    },
    held: async (scene) => {
      const loud = await eventually("they are heard", async () => {
        const all = (await messages(scene)).filter(({ text }) => text.includes("look here"));
        return all.length > 0 && all;
      });
      const seen = JSON.stringify(loud);
      if (/[\u200b\u202e]/.test(seen)) return "characters that are not seen are in what is shown";
      if (loud.some(({ username }) => username !== null)) return "somebody has a name that is another's";
      const toasts = await scene.alice.page.evaluate(() => globalThis.toasts);
      return toasts > 3 ? `${loud.length} calls made ${toasts} messages over the page` : null;
    },
    because: "what is shown of a person, and how often one is called, are rules of the page",
  },
  {
    name: "forged-answers",
    subject: "a peer that answers searches and questions for names with proofs that prove nothing",
    count: 6,
    run: async (scene, count) => {
      await publishTool(scene);
      const outcome = await asPage("forged-answers")(scene, count);
      const rows = [];
      for (let search = 0; search < count; search += 1) {
        rows.push(...(await apiValue(scene.alice.page, "searchNetwork", "bobs-tool")).modules);
        const { found } = await apiValue(scene.alice.page, "findUsername", `unheard_of_${search}`);
        if (found) rows.push(found);
      }
      return { ...outcome, rows };
    },
    held: async (scene, { rows, peer }) => {
      const { did } = await apiValue(scene.bob.page, "whoami");
      const wrong = rows.filter((row) => row.name !== "bobs-tool" || row.holder?.did !== did || row.title === "The real one");
      if (wrong.length > 0) return `${wrong.length} forged modules were shown: ${JSON.stringify(wrong[0])}`;
      const { rejections } = await apiValue(scene.alice.page, "getNetwork");
      return rejections.length > 0 ? null : "nothing is counted against anybody";
    },
    because: "a proof that proves nothing is shown to nobody: that is a rule, not a bound",
  },
  {
    name: "pictures",
    subject: "people whose pictures have a few bytes and billions of pixels",
    count: 6,
    run: async (scene, count) => {
      const outcome = await asPage("pictures")(scene, count);
      const heard = async () => (await messages(scene)).filter(({ text }) => text.startsWith("look at picture"));
      await eventually("they are heard", async () => (await heard()).length === count);
      const sides = [];
      const tab = await scene.alice.browser.context.newPage();
      for (const { did, text } of await heard()) {
        await tab.goto(`${scene.server.origin}/id/${did}`);
        await eventuallyReady(tab);
        const shown = () => tab.evaluate(() => [...document.images].map((image) => image.naturalWidth).filter(Boolean));
        const wait = Number(text.split(" ").at(-1)) % 2 === 0 ? undefined : SHOWN_AFTER;
        sides.push(...((await eventually("it is shown", async () => (await shown()).length > 0 && shown(), wait).catch(() => [])) ?? []));
      }
      await tab.close();
      return { ...outcome, sides };
    },
    held: async (_scene, { tried, sides }) => {
      const huge = sides.filter((side) => side > 1_024).length;
      if (huge > 0) return `${huge} of them were decoded`;
      return sides.length >= tried / 2 ? null : `of ${tried / 2} small pictures ${sides.length} were shown`;
    },
    because: "what is shown as a picture is a rule of the page",
  },
];

/** The newest messages that Alice's page has of the channel. */
async function messages(scene) {
  const found = [];
  for (let before; found.length < 1_200;) {
    const page = await apiValue(scene.alice.page, "getMessages", "#general", { limit: 200, ...(before && { before }) });
    found.unshift(...page.messages);
    if (page.messages.length < 200) break;
    before = page.messages[0].id;
  }
  return found;
}

const pageActs = [
  {
    name: "memories",
    subject: "a module with many memories that each grow as far as they may",
    run: hungryModule("memories"),
    held: async (_scene, { got }) => (got > 1_024 ? `a run had ${got} pages of memory` : null),
    lifted: { limits: { run_memory_bytes: 256 * 1024 * 1024 } },
  },
  {
    name: "tables",
    subject: "a module whose table grows as far as it may",
    run: hungryModule("tables"),
    held: async (_scene, { got }) => (got > 100_000 ? `a run had ${got} elements of tables` : null),
    lifted: { limits: { run_table_elements: 2_000_000 } },
  },
  {
    name: "cross-site-form",
    subject: "a form of another site that posts a file to the page that publishes",
    run: crossSiteForm,
    held: async (_scene, { kept }) => (kept ? "the file waits to be published" : null),
    lifted: {
      patch: async (folder) => {
        await replace(path.join(folder, "sw.js"), /if \(from !== "null" && from !== self\.location\.origin\)/, "if (false)");
        await replace(path.join(folder, "start.mjs"), /if \(kept\.headers\.get\("x-from"\)[^{]*\{/, "if (false) {");
      },
    },
  },
  {
    name: "lying-links",
    subject: "links of a readme and a profile that read as if they led elsewhere",
    run: lyingLinks,
    held: async (_scene, { faults }) => (faults.length > 0 ? faults.join("; ") : null),
    because: "how links are written is a rule of the page",
  },
  {
    name: "sandbox",
    subject: "what a module reaches that got out of WebAssembly, into its worker",
    run: escapeSandbox,
    held: async (_scene, { ran }) => (ran.length > 0 ? `the worker got: ${ran.join(", ")}` : null),
    because: "what is taken from the worker is a rule of the page",
  },
  {
    name: "foreign-script",
    subject: "script, style and connections that are put into a page that a plain file server hands out",
    run: foreignScript,
    held: async (_scene, { ran }) => (ran.length > 0 ? `the page let in: ${ran.join(", ")}` : null),
    lifted: { withoutPolicy: true },
  },
];

/** Changes a file; fails if there is nothing to change. */
async function replace(file, what, by) {
  const text = await readFile(file, "utf8");
  if (!what.test(text)) throw new Error(`${file} has no ${what}`);
  await writeFile(file, text.replace(what, by));
}

export const ACTS = [
  banned("malformed", "messages that can't be read"),
  banned("oversized", "messages larger than any"),
  banned("out-of-order", "greetings again and again"),
  banned("unasked", "pages that nobody asked for"),
  banned("comparison", "nonsense in a comparison"),
  banned("forged", "entries in the name of others"),
  banned("bad-change", "a proof that proves nothing"),
  banned("fork", "two entries for one place, and nonsense after it"),
  banned("too-many-messages", "messages as fast as they go out", { limits: { messages_burst: LIFTED, messages_per_second: LIFTED } }),
  // So many are too many messages as well.
  banned("too-many-announcements", "news of people who do not exist", {
    limits: { announcements_burst: LIFTED, announcements_per_second: LIFTED, messages_burst: LIFTED, messages_per_second: LIFTED },
  }),
  banned("long-boasts", "promises of more than anybody would keep in mind"),
  banned("gossip-flood", "gossip as fast as it goes out"),
  tolerated("foreign-topic", "a greeting of another network", "being of another network is no fault"),
  tolerated("other-parameters", "a greeting with other rules", "having other rules is no fault"),
  tolerated("never-reads", "questions for everything, whose answers are not read", "what is unread is bounded in bytes: without the bound the page ends"),
  tolerated("many-streams", "beginnings of messages on streams without number", "streams are bounded by the transport: without the bound the page ends"),
  tolerated("rubbish-addresses", "addresses of nobody, everywhere", "only addresses at relays of the network are dialled: that is a rule, not a bound"),
  tolerated("greedy", "the same questions again and again", "its own side breaks first: \"questions\" asks one after the other"),
  ...floods,
  ...pageActs,
  ...serverActs,
];
