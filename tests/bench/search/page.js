// Runs in the page: asks the index in its worker as the app does, and MiniSearch.

class Float {
  constructor(value) { this.value = value; }
}

/** CBOR, as much of it as the worker speaks. */
function encode(value, bytes = []) {
  const head = (major, count) => {
    if (count < 24) bytes.push((major << 5) | count);
    else if (count < 2 ** 32) bytes.push((major << 5) | 26, (count >>> 24) & 255, (count >>> 16) & 255, (count >>> 8) & 255, count & 255);
    else {
      bytes.push((major << 5) | 27);
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, BigInt(count));
      bytes.push(...new Uint8Array(view.buffer));
    }
  };
  if (value === null) bytes.push(0xf6);
  else if (value === true || value === false) bytes.push(value ? 0xf5 : 0xf4);
  else if (value instanceof Float) {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value.value);
    bytes.push(0xfb, ...new Uint8Array(view.buffer));
  } else if (typeof value === "number") head(0, value);
  else if (typeof value === "string") {
    const text = new TextEncoder().encode(value);
    head(3, text.length);
    for (const byte of text) bytes.push(byte);
  } else if (value instanceof Uint8Array) {
    head(2, value.length);
    for (const byte of value) bytes.push(byte);
  } else if (Array.isArray(value)) {
    head(4, value.length);
    for (const item of value) encode(item, bytes);
  } else {
    const entries = Object.entries(value);
    head(5, entries.length);
    for (const [key, item] of entries) {
      encode(key, bytes);
      encode(item, bytes);
    }
  }
  return bytes;
}

function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const item = () => {
    const [major, small] = [bytes[at] >> 5, bytes[at] & 31];
    at += 1;
    if (major === 7) return small === 22 ? null : small === 21;
    let count = small;
    if (small === 24) count = bytes[at++];
    else if (small === 25) { count = view.getUint16(at); at += 2; }
    else if (small === 26) { count = view.getUint32(at); at += 4; }
    else if (small === 27) { count = Number(view.getBigUint64(at)); at += 8; }
    if (major === 0) return count;
    if (major === 2 || major === 3) {
      const part = bytes.subarray(at, at + count);
      at += count;
      return major === 2 ? part : new TextDecoder().decode(part);
    }
    if (major === 4) return Array.from({ length: count }, item);
    return Object.fromEntries(Array.from({ length: count }, () => [item(), item()]));
  };
  return item();
}

async function startIndex() {
  const worker = new Worker("/worker.js", { type: "module", name: "js=/gen-registry-search.js&wasm=/gen-registry-search_bg.wasm" });
  const waiting = [];
  const next = () => new Promise((resolve) => waiting.push(resolve));
  worker.onmessage = ({ data }) => waiting.shift()(data);
  worker.onerror = (event) => { throw new Error(`the worker failed: ${event.message}`); };
  await next();
  const send = async (bytes) => {
    worker.postMessage(bytes);
    return decode(await next());
  };
  return { worker, send, ask: (value) => send(Uint8Array.from(encode(value))) };
}

const filter = { tag: null, owner: null, imports_nothing: false, exports: null };
const question = (text) => Uint8Array.from(encode({ Find: { text, filter, order: "Relevance", skip: 0, limit: 10 } }));

globalThis.measureIndex = async (all, asked, rounds) => {
  const figures = { times: [], empty: [], found: [] };
  const from = performance.now();
  const { worker, send, ask } = await startIndex();
  figures.started = performance.now() - from;
  const batches = [];
  for (let at = 0; at < all.length; at += 256) {
    const documents = all.slice(at, at + 256).map((document) => ({ ...document, numbers: { ...document.numbers, score: new Float(document.numbers.score) } }));
    batches.push(Uint8Array.from(encode({ Update: { documents, removed: [] } })));
  }
  let begin = performance.now();
  for (const batch of batches) await send(batch);
  // The first question after many changes merges them.
  await send(question("x"));
  figures.indexed = performance.now() - begin;
  const { Saved } = await ask("MergeAndSave");
  figures.kept = Saved.length;
  for (let turn = 0; turn < rounds; turn++) {
    for (const [nth, text] of asked.entries()) {
      const bytes = question(text);
      begin = performance.now();
      const { Found } = await send(bytes);
      figures.times.push(performance.now() - begin);
      figures.found[nth] = Found.names;
    }
    begin = performance.now();
    await send(question("!"));
    figures.empty.push(performance.now() - begin);
  }
  const load = Uint8Array.from(encode({ Load: Saved }));
  begin = performance.now();
  const { Loaded } = await send(load);
  figures.loaded = performance.now() - begin;
  if (Loaded !== all.length) throw new Error(`loaded ${Loaded}`);
  worker.terminate();
  return figures;
};

globalThis.measureMiniSearch = async (all, asked, rounds) => {
  const figures = { times: [], found: [], started: 0 };
  const options = {
    idField: "key",
    fields: ["name", "title", "tags", "description", "exports", "imports", "owner_name"],
    storeFields: ["name"],
    extractField: (document, field) => (Array.isArray(document[field]) ? document[field].join(" ") : document[field]),
    searchOptions: {
      boost: { name: 10, title: 4, tags: 3, exports: 2, owner_name: 1.5, description: 1, imports: 0.6 },
      combineWith: "AND",
      prefix: (_, nth, terms) => nth === terms.length - 1,
      fuzzy: (term) => (term.length >= 4 ? 1 : false),
    },
  };
  let begin = performance.now();
  const index = new globalThis.MiniSearch(options);
  index.addAll(all);
  figures.indexed = performance.now() - begin;
  const kept = JSON.stringify(index);
  figures.kept = kept.length;
  for (let turn = 0; turn < rounds; turn++) {
    for (const [nth, text] of asked.entries()) {
      begin = performance.now();
      const found = index.search(text);
      figures.times.push(performance.now() - begin);
      figures.found[nth] = found.slice(0, 10).map((match) => match.name);
    }
  }
  begin = performance.now();
  globalThis.MiniSearch.loadJSON(kept, options);
  figures.loaded = performance.now() - begin;
  return figures;
};
