// The offline copy of the page. Each build has a cache of its own, filled as a whole or not at all; a new build takes
// over only when a person says so. Data never comes here: it lives in IndexedDB.
"use strict";

// The build writes both between the marks. Unbuilt, this worker removes itself.
const BUILD = /*build:*/null/*:build*/;
const ASSETS = /*assets:*/[]/*:assets*/;

const PREFIX = "shell-";
const CACHE = PREFIX + BUILD;
const LISTED = new Set(ASSETS.map(([path]) => path));
// What the server says about itself, also to a person who goes there.
const ONLY_FROM_THE_SERVER = new Set(["/network.json", "/health"]);

const shellCaches = async () => (await caches.keys()).filter((name) => name.startsWith(PREFIX));

async function install() {
  if (BUILD === null) return self.skipWaiting();
  const cache = await caches.open(CACHE);
  try {
    // Past the browser's own cache: half of an older deployment must not slip in.
    await cache.addAll(ASSETS.map(([path]) => new Request(path, { cache: "reload" })));
    await verify(cache);
  } catch (error) {
    await caches.delete(CACHE);
    throw error;
  }
}

// A deployment may change while it is being read; then the list and the files don't belong together.
async function verify(cache) {
  for (const [path, expected] of ASSETS) {
    const response = await cache.match(path);
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await response.arrayBuffer()));
    const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (found !== expected) throw new Error(`${path} is not the file this version was built with`);
  }
}

async function activate() {
  const others = (await shellCaches()).filter((name) => name !== CACHE);
  if (BUILD === null) {
    await Promise.all(others.map((name) => caches.delete(name)));
    return self.registration.unregister();
  }
  // The newest of the others stays: tabs that were not reloaded yet still run from it.
  await Promise.all(others.slice(0, -1).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request, url) {
  const path = request.mode === "navigate" ? "/index.html" : url.pathname;
  const own = await caches.open(CACHE);
  const kept = await own.match(path);
  if (kept) return kept;
  // A file of an older build, asked for by a tab that still runs it. Such names carry a hash: no mix-up.
  for (const name of await shellCaches()) {
    const older = await (await caches.open(name)).match(path);
    if (older) return older;
  }
  return fetch(request);
}

// A file that another app shares waits in a cache for the page that publishes; `public/start.mjs` takes it from there.
const SHARED = "shared-file";
// As large as the largest module.
const SHARED_MAX_BYTES = 16 * 1024 * 1024;

// Any site can make a browser post a form here. The system's share sheet names no origin; nor does a site that hides
// its own, so the page takes such a file only where no site leads: in a window of the installed app.
async function receive(request) {
  const from = request.headers.get("origin") ?? "null";
  if (from !== "null" && from !== self.location.origin) return Response.redirect("/publish", 303);
  const files = (await request.formData()).getAll("file");
  const [file] = files;
  if (files.length === 1 && file instanceof File && file.size <= SHARED_MAX_BYTES) {
    const headers = { "x-file-name": encodeURIComponent(file.name), "x-from": from };
    await (await caches.open(SHARED)).put("/shared-file", new Response(file, { headers }));
  }
  return Response.redirect("/publish?shared=1", 303);
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", (event) => {
  if (event.data?.type === "skip-waiting") self.skipWaiting();
});
// A notification leads to where it happened, else to the page that lists them: in the tab that is open, else in a new one.
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const to = ownPage(event.notification.data) ?? "/notices";
    const [tab] = await self.clients.matchAll({ type: "window" });
    if (!tab) return self.clients.openWindow(to);
    if (ownPage(tab.url) !== to) await tab.navigate(to);
    return tab.focus();
  })());
});

// The path of an address of this site; of nothing else.
function ownPage(address) {
  if (typeof address !== "string") return null;
  try {
    const url = new URL(address, self.location.origin);
    return url.origin === self.location.origin ? url.pathname + url.search : null;
  } catch {
    return null;
  }
}
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (BUILD === null || url.origin !== self.location.origin) return;
  if (request.method === "POST" && url.pathname === "/publish") {
    event.respondWith(receive(request));
    return;
  }
  if (request.method !== "GET") return;
  if (ONLY_FROM_THE_SERVER.has(url.pathname)) return;
  // The worker file itself and what was never listed go to the server.
  const hashed = /-[0-9a-f]{10,16}(_bg)?\.\w+$/.test(url.pathname) || url.pathname.startsWith("/snippets/");
  if (request.mode !== "navigate" && !LISTED.has(url.pathname) && !hashed) return;
  event.respondWith(answer(request, url));
});
