// Runs one function of modules that strangers wrote, then ends with its worker. Whoever started it ends it when time is
// up. A module gets what it imports from the modules beside it, and nothing else: no network, no storage, no clock.
const { WebAssembly: wasm, performance: watch } = self;
// On the scope and on all it inherits from, where each of them is really kept.
const scopes = [];
for (let scope = self; scope !== null; scope = Object.getPrototypeOf(scope)) scopes.push(scope);
for (const power of [
  "fetch", "XMLHttpRequest", "WebSocket", "WebSocketStream", "EventSource", "WebTransport", "BroadcastChannel",
  "indexedDB", "caches", "importScripts", "Worker", "SharedWorker", "RTCPeerConnection", "Notification",
  "cookieStore", "navigator", "FontFace", "fonts",
]) {
  for (const scope of scopes.filter((scope) => scope === self || Object.hasOwn(scope, power))) {
    Object.defineProperty(scope, power, { value: undefined, configurable: false, writable: false });
  }
}

class NotGranted extends Error {}
class BadArguments extends Error {}

const failure = (error) => {
  const message = String(error?.message ?? error).slice(0, 500);
  if (error instanceof NotGranted) return { kind: "notGranted", message };
  if (error instanceof BadArguments) return { kind: "arguments", message };
  if (error instanceof wasm.LinkError || error instanceof wasm.CompileError) return { kind: "link", message };
  return { kind: "trapped", message };
};

// What a module imports: from the modules before it, else a function that says what was not granted.
const importsOf = (module, before) => {
  const imports = Object.create(null);
  for (const { module: from, name, kind } of wasm.Module.imports(module)) {
    const given = before.get(from)?.[name];
    imports[from] ??= Object.create(null);
    if (given !== undefined) {
      imports[from][name] = given;
    } else if (kind === "function") {
      imports[from][name] = () => {
        throw new NotGranted(`${from}.${name}`);
      };
    }
  }
  return imports;
};

const number = ({ kind, value }) => {
  switch (kind) {
    case "i64":
      return BigInt.asIntN(64, BigInt(value));
    case "i32":
      return Number(BigInt.asIntN(32, BigInt(value)));
    default:
      return Number(value);
  }
};

const write = (exports, text) => {
  const give = exports.alloc ?? exports.malloc;
  if (typeof give !== "function" || !(exports.memory instanceof wasm.Memory)) {
    throw new BadArguments("a text needs a module that offers its memory and alloc or malloc");
  }
  const bytes = new TextEncoder().encode(text);
  const place = give(bytes.length) >>> 0;
  new Uint8Array(exports.memory.buffer, place, bytes.length).set(bytes);
  return [place, bytes.length];
};

const read = (exports, values, most) => {
  const packed = typeof values[0] === "bigint";
  const place = packed ? Number((values[0] >> 32n) & 0xffffffffn) : values[0] >>> 0;
  const length = packed ? Number(values[0] & 0xffffffffn) : values[1] >>> 0;
  // No UTF-16 unit takes more than 3 bytes in UTF-8: the rest would be cut off again.
  const bytes = new Uint8Array(exports.memory.buffer, place, length).subarray(0, 3 * most);
  return new TextDecoder().decode(bytes).slice(0, most);
};

self.onmessage = async ({ data: job }) => {
  try {
    const before = new Map();
    let exports = {};
    for (const { name, bytes } of job.modules) {
      const module = await wasm.compile(bytes);
      exports = (await wasm.instantiate(module, importsOf(module, before))).exports;
      before.set(name, exports);
    }
    const called = exports[job.function];
    if (typeof called !== "function") throw new BadArguments(`there is no function ${job.function}`);
    const given = job.arguments.flatMap((one) => (one.kind === "text" ? write(exports, one.value) : [number(one)]));
    const begin = watch.now();
    const result = called(...given);
    const millis = watch.now() - begin;
    const values = job.results.length > 1 ? [...result] : job.results.length === 1 ? [result] : [];
    const text = job.textResult ? read(exports, values, job.mostText) : null;
    self.postMessage({ values: values.map(String), text, millis });
  } catch (error) {
    self.postMessage(failure(error));
  }
};
// The page sends the job once it hears this.
self.postMessage(null);
