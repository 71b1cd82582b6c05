// automerge-repo at the task of `join.mjs`: a fresh profile gets 1,000 and 10,000 documents from one peer that has them.
//
// Alike: two Chromium processes with a profile on disk each, the giver freshly started with its documents on disk only;
// one WebRTC data channel; as many documents with the same content in one Automerge change each; IndexedDB on both
// sides; measured from the open channel until every document is there and stored; the same watch on the threads.
//
// Not alike, in favour of automerge-repo: it verifies no signature; its data channel carries no second encryption
// (noise) and no relay comes before it; it is given the list of documents, which it has no means to discover; it builds
// no read model (names, who holds them, a directory) out of what it got; it does not keep the state of its sync.
// Not alike, in favour of Gen Registry: it knows its documents' schema and keeps no Automerge document in memory that
// nobody looks at, while `repo.find` hands out a live document for each.
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Browser, temporaryFolder } from "../e2e/harness.mjs";

/** `repo.find`s under way at once. */
const FINDS = 64;
const HERE = path.dirname(fileURLToPath(import.meta.url));

/** Serves the page from a free port. */
async function serve(story) {
  const packages = process.env.GEN_REGISTRY_AUTOMERGE_REPO;
  const folder = await temporaryFolder(story, "automerge-repo");
  const bundle = path.join(folder, "page.js");
  execFileSync(
    path.join(packages, "node_modules/.bin/esbuild"),
    [path.join(HERE, "automerge-repo/page.mjs"), "--bundle", "--minify", "--format=esm", "--log-level=warning", `--outfile=${bundle}`],
    { env: { ...process.env, NODE_PATH: path.join(packages, "node_modules") } },
  );
  const files = {
    "/": ["text/html", "<!doctype html><title>automerge-repo</title><script type=module src=/page.js></script>"],
    "/page.js": ["text/javascript", await readFile(bundle)],
    "/automerge.wasm": [
      "application/wasm",
      await readFile(path.join(packages, "node_modules/@automerge/automerge/dist/automerge.wasm")),
    ],
  };
  const server = http.createServer((request, response) => {
    const [type, body] = files[request.url] ?? [];
    response.writeHead(type ? 200 : 404, { "content-type": type ?? "text/plain" }).end(body);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  story.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}/`;
}

async function open(browser, origin) {
  const page = await browser.context.newPage();
  page.setDefaultTimeout(0);
  await page.addInitScript(() => {
    globalThis.tasks = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) globalThis.tasks.push(entry.duration);
    }).observe({ type: "longtask", buffered: true });
  });
  await page.goto(origin);
  await page.waitForFunction(() => globalThis.loaded);
  await page.evaluate(() => globalThis.bench.start());
  return page;
}

const tasks = (page) => page.evaluate(() => globalThis.tasks.splice(0));

/** One row for the table of `join.mjs`. */
export async function joinAutomergeRepo(story, people, patience) {
  const origin = await serve(story);
  const [giving, joining] = [await Browser.start(story), await Browser.start(story)];
  try {
    const filler = await open(giving, origin);
    const urls = await filler.evaluate((people) => globalThis.bench.fill(people), people);
    await filler.close();
    const [giver, joiner] = [await open(giving, origin), await open(joining, origin)];
    if ((await giver.evaluate(() => globalThis.bench.stored())) !== people) throw new Error("the giver has not everything");
    await tasks(giver);
    await tasks(joiner);
    const answer = await giver.evaluate((offer) => globalThis.bench.answer(offer), await joiner.evaluate(() => globalThis.bench.offer()));
    await joiner.evaluate((answer) => globalThis.bench.accept(answer), answer);
    const given = joiner.evaluate(([urls, most]) => globalThis.bench.join(urls, most), [urls, FINDS]);
    let timer;
    const late = new Promise((done) => (timer = setTimeout(done, patience)));
    const times = await Promise.race([given, late]).finally(() => clearTimeout(timer));
    const stored = await joiner.evaluate(() => globalThis.bench.stored());
    if (times && stored !== people) throw new Error(`${stored} of ${people} documents are on the joiner's disk`);
    const memory = await joiner.evaluate(() => performance.memory.usedJSHeapSize / 1048576);
    const here = await tasks(joiner);
    if (!times) given.catch(() => {});
    return {
      people,
      first: times?.first,
      all: times?.stored ?? `${stored} documents after ${patience / 1000} s`,
      longest: Math.max(0, ...here),
      long: here.length,
      giver: Math.max(0, ...(await tasks(giver))),
      memory,
    };
  } finally {
    await giving.close();
    await joining.close();
  }
}
