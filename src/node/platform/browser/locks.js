// Web Locks API: resolves with true once this page holds the lock, and with null where there are no locks, as in pages
// without TLS. It holds it until it is released, this page goes away or its program stops (`public/boot.js`).
export function holdLock(name) {
  if (!navigator.locks) return Promise.resolve(null);
  const stopped = new AbortController();
  addEventListener("gen-stopped", () => stopped.abort(), { once: true });
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, { signal: stopped.signal }, () => {
        resolve(true);
        return new Promise((release) => {
          held.set(name, release);
          stopped.signal.addEventListener("abort", release);
        });
      })
      .catch(reject);
  });
}

// Name of a lock that this page holds → what releases it.
const held = new Map();

// Lets the next page have the lock.
export function releaseLock(name) {
  held.get(name)?.();
  held.delete(name);
}

// Whether this origin has a database, without creating it. False where the browser does not say.
export async function hasDatabase(name) {
  const all = (await indexedDB.databases?.()) ?? [];
  return all.some((database) => database.name === name);
}

// The program panics: its page says so. Workers have none.
export function programStopped(what) {
  globalThis.genRegistryBoot?.stop(new Error(what));
}
