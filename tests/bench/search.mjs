// Searching 10,000 modules in Chromium: the index in its worker, and MiniSearch in the page, over the same documents.
// `make bench-search`.
//
// Alike: documents, fields and their weights, every word must be there, the last one may be unfinished, one slip in
// words of four letters and more.
// Not alike, in favour of MiniSearch: it answers on the page's own thread, without a message there and back, and an
// answer of it holds no page, no total and no filter.
import { readFile } from "node:fs/promises";
import path from "node:path";
import { Browser, Server } from "../e2e/harness.mjs";
import { documents, gain, queries } from "./search/shelf.mjs";

const MODULES = 10_000;
const ROUNDS = 5;
const cleanUp = [];
const story = { after: (act) => cleanUp.push(act) };
const round = (value) => Math.round(value * 100) / 100;
const share = (values, part) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))];

/** How good the first ten are against the best that there could be: normalised discounted cumulative gain. */
function ndcg(found, query, all) {
  const sum = (gains) => gains.slice(0, 10).reduce((total, gain, place) => total + gain / Math.log2(place + 2), 0);
  const best = sum(all.map((document) => gain(document, query)).sort((a, b) => b - a));
  const byName = new Map(all.map((document) => [document.name, document]));
  return best === 0 ? null : sum(found.map((name) => gain(byName.get(name), query))) / best;
}

const packages = process.env.GEN_REGISTRY_MINISEARCH;
const miniSearch = await readFile(path.join(packages, "node_modules/minisearch/dist/umd/index.js"), "utf8");
const worker = await readFile(path.join(import.meta.dirname, "search/page.js"), "utf8");

const server = await Server.start(story);
try {
  const browser = await Browser.start(story);
  const page = await browser.context.newPage();
  // Any file of the app: only its origin and its rules are needed, not the app.
  await page.goto(`${server.origin}/boot.css`);
  await page.evaluate(miniSearch);
  await page.evaluate(worker);
  const all = documents(MODULES);
  const asked = queries();
  const ours = await page.evaluate(([all, asked, rounds]) => globalThis.measureIndex(all, asked, rounds), [all, asked.map((query) => query.text), ROUNDS]);
  const theirs = await page.evaluate(([all, asked, rounds]) => globalThis.measureMiniSearch(all, asked, rounds), [all, asked.map((query) => query.text), ROUNDS]);
  const relevance = (found) => asked.map((query, nth) => ndcg(found[nth], query, all)).filter((value) => value !== null);
  const mean = (values) => values.reduce((one, other) => one + other, 0) / values.length;
  const row = (name, figures) => ({
    engine: name,
    "started (ms)": round(figures.started),
    "indexed (ms)": round(figures.indexed),
    "loaded as kept (ms)": round(figures.loaded),
    "kept (MiB)": round(figures.kept / 1048576),
    "query, median (ms)": round(share(figures.times, 0.5)),
    "query, p95 (ms)": round(share(figures.times, 0.95)),
    "query, worst (ms)": round(Math.max(...figures.times)),
    "first ten, NDCG": round(mean(relevance(figures.found))),
  });
  console.table([row("this", ours), row("MiniSearch", theirs)]);
  const kinds = [...new Set(asked.map((query) => query.kind))];
  console.table(kinds.map((kind) => {
    const of = (found) => {
      const values = asked.map((query, nth) => (query.kind === kind ? ndcg(found[nth], query, all) : null));
      return round(mean(values.filter((value) => value !== null)));
    };
    const common = asked.flatMap((query, nth) => (query.kind === kind ? [ours.found[nth].filter((name) => theirs.found[nth].includes(name)).length] : []));
    return { queries: kind, "this (NDCG)": of(ours.found), "MiniSearch (NDCG)": of(theirs.found), "in both first tens": round(mean(common)) };
  }));
  console.log(`${MODULES} modules, ${asked.length} queries, ${ROUNDS} rounds; a query here goes to the worker and back (${round(share(ours.empty, 0.5))} ms for an empty answer)`);
} finally {
  for (const act of cleanUp.reverse()) await act();
}
