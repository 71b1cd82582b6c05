// A worker that runs a program of this site. Which files those are stands in its name (as a query string). It can't
// stand in the address: a service worker's answer carries the address under which it was cached.
const wanted = new URLSearchParams(self.name);
const local = (name) => {
  const url = new URL(wanted.get(name) ?? "", self.location.origin);
  if (url.origin !== self.location.origin) throw new Error(`${name} must be a file of this site`);
  return url.href;
};
const program = await import(local("js"));
await program.default({ module_or_path: local("wasm") });
