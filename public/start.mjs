// Loads the program, shows how much of it has arrived, and says in plain HTML when it can't start.
const boot = window.genRegistryBoot;
const { js, wasm } = boot.assets;

/** The same response, its bytes counted as they pass. */
function counted(response, total) {
  const status = document.getElementById("boot-status");
  const bar = document.getElementById("boot-progress");
  const mebibytes = (bytes) => (bytes / 1048576).toFixed(1);
  let received = 0;
  const counter = new TransformStream({
    transform(chunk, controller) {
      received += chunk.byteLength;
      if (bar && total) bar.value = Math.min(100, (100 * received) / total);
      if (status) status.textContent = `Loading ${mebibytes(received)}${total ? ` of ${mebibytes(total)}` : ""} MB`;
      controller.enqueue(chunk);
    },
    flush() {
      if (status) status.textContent = "Opening your registry";
    },
  });
  return new Response(response.body.pipeThrough(counter), { headers: response.headers, status: response.status });
}

/** What the program offers, until it traps: then its page is stopped, and nobody calls it any more. */
function guarded(exports) {
  const guard = (call) => (...given) => {
    if (boot.stopped) throw boot.over;
    try {
      return call(...given);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) boot.stop(error);
      throw error;
    }
  };
  return Object.fromEntries(
    Object.entries(exports).map(([name, one]) => [name, typeof one === "function" ? guard(one) : one]),
  );
}

async function start() {
  if (typeof WebAssembly !== "object") throw new Error("This browser has no WebAssembly.");
  const { instantiateStreaming } = WebAssembly;
  // The program's own script takes the exports from here, and lets nobody between.
  WebAssembly.instantiateStreaming = async (source, imports) => {
    WebAssembly.instantiateStreaming = instantiateStreaming;
    const { instance, module } = await instantiateStreaming(source, imports);
    return { instance: { exports: guarded(instance.exports) }, module };
  };
  const [glue, response] = await Promise.all([import(js), fetch(wasm)]);
  if (!response.ok) throw new Error(`${wasm} answered ${response.status}`);
  await glue.default({ module_or_path: counted(response, boot.wasmSize) });
}

// Files that the system opens with the app, and one that was shared to it, wait here for the page that publishes.
boot.files = [];

function offer(file) {
  boot.files.push(file);
  window.dispatchEvent(new Event("gen-registry-file"));
}

window.launchQueue?.setConsumer(async ({ files }) => {
  for (const handle of files ?? []) offer(await handle.getFile());
});

/** A window of the installed app, not a tab of the browser. */
const INSTALLED = "(display-mode: standalone), (display-mode: minimal-ui), (display-mode: window-controls-overlay)";

/** `public/sw.js` put it there. What may come from a site is taken in a window of the installed app only. */
async function takeShared() {
  if (!new URLSearchParams(location.search).has("shared") || !("caches" in window)) return;
  const cache = await caches.open("shared-file");
  const kept = await cache.match("/shared-file");
  if (!kept) return;
  await cache.delete("/shared-file");
  if (kept.headers.get("x-from") !== location.origin && !matchMedia(INSTALLED).matches) {
    throw new Error("It may come from another site.");
  }
  offer(new File([await kept.blob()], decodeURIComponent(kept.headers.get("x-file-name") ?? "")));
}

takeShared().catch((error) => console.warn("A shared file could not be taken.", error));
start().catch((error) => {
  console.error(error);
  boot.fail("The program could not be loaded or started.", error);
});
