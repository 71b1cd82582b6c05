// How quickly a file comes from one Chromium process to another, beside a plain data channel between the same two pages
// in the same run: `make bench-blocks`. SIZE=8 MiB for each transfer, ROUNDS=5 of each kind in turn.
//
// A file's time is all a person waits for: asking, the way, checking each block's hash, storing it in IndexedDB, reading
// all of it again and checking the whole. The plain channel sends the same bytes in messages of 16 KiB (what libp2p's
// frames may have) and of 64 KiB, and its receiver throws them away.
import { readFile, writeFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import { Browser, DIST, Server, temporaryFolder } from "../e2e/harness.mjs";

const SIZE = Number(process.env.SIZE ?? 8) * 1048576;
const ROUNDS = Number(process.env.ROUNDS ?? 5);
const PATIENCE = 120_000;
const WANTED_SHARE = 0.6;
const cleanUp = [];
const story = { after: (act) => cleanUp.push(act) };

async function pageServer() {
  const types = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm" };
  const start = `<!doctype html><script type="module">
    import init, * as blocks from "/blocks-page.js"; await init(); globalThis.blocks = blocks;</script>`;
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const type = types[path.extname(pathname)] ?? "text/html";
    const body = pathname === "/" ? start : await readFile(path.join(`${DIST}-blocks`, pathname)).catch(() => "");
    response.writeHead(200, { "content-type": type }).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  story.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** A plain data channel from `giver` to `taker`, kept as `globalThis.plain` in both. */
async function plainChannel(giver, taker) {
  const gathered = `new Promise((done) => {
    const look = () => globalThis.connection.iceGatheringState === "complete" && done();
    globalThis.connection.addEventListener("icegatheringstatechange", look); look(); })`;
  const offer = await giver.evaluate(async (gathered) => {
    globalThis.connection = new RTCPeerConnection();
    globalThis.plain = connection.createDataChannel("plain");
    await connection.setLocalDescription();
    await eval(gathered);
    return connection.localDescription.toJSON();
  }, gathered);
  const answer = await taker.evaluate(async ([offer, gathered]) => {
    globalThis.connection = new RTCPeerConnection();
    connection.addEventListener("datachannel", ({ channel }) => (globalThis.plain = channel));
    await connection.setRemoteDescription(offer);
    await connection.setLocalDescription();
    await eval(gathered);
    return connection.localDescription.toJSON();
  }, [offer, gathered]);
  await giver.evaluate(async (answer) => {
    await connection.setRemoteDescription(answer);
    if (plain.readyState !== "open") await new Promise((open) => plain.addEventListener("open", open));
  }, answer);
  await taker.waitForFunction(() => globalThis.plain?.readyState === "open");
}

/** Milliseconds from the asking until the last byte. */
async function plainTransfer(giver, taker, size, message) {
  await giver.evaluate(([size, message]) => {
    const bytes = new Uint8Array(message);
    plain.bufferedAmountLowThreshold = 1048576;
    plain.onmessage = async () => {
      for (let sent = 0; sent < size; sent += message) {
        if (plain.bufferedAmount > 4 * 1048576) await new Promise((low) => (plain.onbufferedamountlow = low));
        plain.send(bytes);
      }
    };
  }, [size, message]);
  return taker.evaluate((size) => new Promise((done) => {
    const began = performance.now();
    let got = 0;
    plain.binaryType = "arraybuffer";
    plain.onmessage = ({ data }) => (got += data.byteLength) >= size && done(performance.now() - began);
    plain.send("go");
  }), size);
}

const keep = (page, size) => page.evaluate(async (size) => {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536));
  return globalThis.blocks.keep_file(bytes);
}, size);

const median = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];
const speed = (millis) => Math.round((SIZE / 1048576 / (millis / 1000)) * 10) / 10;

try {
  // Of the server only the relay is used.
  const dist = await temporaryFolder(story, "no-page");
  await writeFile(path.join(dist, "index.html"), "<!doctype html>");
  const server = await Server.start(story, { p2p: true, dist });
  const network = await (await fetch(`${server.origin}/network.json`)).text();
  const origin = await pageServer();
  const pages = [];
  for (let nth = 0; nth < 2; nth++) {
    const browser = await Browser.start(story);
    const page = await browser.context.newPage();
    page.on("console", (message) => message.type() === "error" && console.error(message.text()));
    page.on("pageerror", (error) => console.error(error));
    await page.goto(origin);
    await page.waitForFunction(() => globalThis.blocks);
    await page.evaluate((network) => globalThis.blocks.join(network), network);
    pages.push(page);
  }
  const [giver, taker] = pages;
  await plainChannel(giver, taker);
  // The first of each kind opens what it needs; it is not counted.
  const first = await keep(giver, 300_000);
  await taker.evaluate((name) => globalThis.blocks.fetch_file(name), first);
  await plainTransfer(giver, taker, 1048576, 16384);
  const times = { small: [], large: [], stored: [], whole: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const name = await keep(giver, SIZE);
    times.small.push(await plainTransfer(giver, taker, SIZE, 16384));
    const [, stored, whole] = Array.from(
      await Promise.race([
        taker.evaluate((name) => globalThis.blocks.fetch_file(name).then((times) => Array.from(times)), name),
        new Promise((_, late) => setTimeout(() => late(new Error("a fetch takes too long")), PATIENCE)),
      ]),
    );
    times.stored.push(stored);
    times.whole.push(whole);
    times.large.push(await plainTransfer(giver, taker, SIZE, 65536));
  }
  const plain = Math.min(median(times.small), median(times.large));
  const row = (values) => ({
    "median (ms)": Math.round(median(values)),
    "all (ms)": values.map(Math.round).join(" "),
    "MiB/s": speed(median(values)),
    "share of the quicker plain channel": Math.round((plain / median(values)) * 100) / 100,
  });
  console.table({
    "plain channel, 16 KiB messages": row(times.small),
    "plain channel, 64 KiB messages": row(times.large),
    "a file, until its last block is stored": row(times.stored),
    "a file, until the whole is checked": row(times.whole),
  });
  if (plain / median(times.whole) < WANTED_SHARE) {
    console.log(`less than ${WANTED_SHARE} of the plain channel`);
    process.exitCode = 1;
  }
} finally {
  for (const act of cleanUp.reverse()) await act();
}
