// Web Locks API: resolves with true once this page holds the lock, and holds it until the page goes away.
export function holdLock(name) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, () => {
        resolve(true);
        return new Promise(() => {});
      })
      .catch(reject);
  });
}
