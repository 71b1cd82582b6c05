// Runs before everything else, as a classic script: what must be right before the first paint, and what is lost if
// nobody listens early. The app finds it as `window.genRegistryBoot`.
(() => {
  "use strict";
  const root = document.documentElement;
  const program = document.querySelector('meta[name="gen-registry-program"]')?.dataset ?? {};
  const HOUR = 3_600_000;

  const boot = (window.genRegistryBoot = {
    /** The two files of the program. */
    assets: { js: program.js, wasm: program.wasm },
    wasmSize: Number(program.size) || 0,
    /** The browser's install question, kept until the person asks for it. */
    installPrompt: null,
    updateWaiting: false,
    offlineReady: false,
    applyUpdate,
    checkForUpdate,
    fail,
    stop,
    stopped: false,
    /** What whoever calls a stopped program gets. */
    over: new Error("The program of this page has stopped."),
  });

  try {
    const theme = localStorage.getItem("gen-registry.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage is switched off; the system's theme it is.
  }

  const tell = (name) => window.dispatchEvent(new Event(name));

  // ---- installing ----

  window.addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    boot.installPrompt = event;
    tell("gen-installable");
  });
  window.addEventListener("appinstalled", () => {
    boot.installPrompt = null;
    tell("gen-installed");
  });

  // ---- offline copy and updates ----

  let registration = null;
  let reloading = false;

  function noticeUpdate() {
    if (boot.updateWaiting) return;
    boot.updateWaiting = true;
    tell("gen-update-waiting");
  }

  function noticeOfflineReady() {
    if (boot.offlineReady) return;
    boot.offlineReady = true;
    tell("gen-offline-ready");
  }

  function follow(worker, hadController) {
    worker.addEventListener("statechange", () => {
      if (worker.state === "installed" && hadController) noticeUpdate();
      if (worker.state === "activated" && !hadController) noticeOfflineReady();
    });
  }

  async function register() {
    const container = navigator.serviceWorker;
    const hadController = Boolean(container.controller);
    let controlled = hadController;
    container.addEventListener("controllerchange", () => {
      // The first worker taking over a page that had none changes nothing for the page.
      if (!controlled) {
        controlled = true;
        return;
      }
      // Another tab asked for the new version: this one keeps its old files until the person reloads it.
      if (!reloading) return noticeUpdate();
      location.reload();
    });
    registration = await container.register("/sw.js", { updateViaCache: "none" });
    if (registration.waiting && hadController) noticeUpdate();
    if (registration.active && hadController) noticeOfflineReady();
    if (registration.installing) follow(registration.installing, hadController);
    registration.addEventListener("updatefound", () => {
      if (registration.installing) follow(registration.installing, Boolean(container.controller));
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") checkForUpdate();
    });
    setInterval(checkForUpdate, HOUR);
  }

  /** Resolves when the server was asked; not reaching it is no failure. */
  async function checkForUpdate() {
    try {
      await registration?.update();
      return true;
    } catch {
      return false;
    }
  }

  /** Goes over to the waiting version, with one reload. */
  function applyUpdate() {
    if (reloading) return;
    reloading = true;
    const waiting = registration?.waiting;
    if (waiting) waiting.postMessage({ type: "skip-waiting" });
    else location.reload();
  }

  // Only a packed page has an offline copy; a page under development must never see an old one.
  if ("serviceWorker" in navigator && "packed" in program) {
    window.addEventListener("load", () => {
      register().catch((error) => console.warn("No offline copy:", error.message));
    });
  }

  // ---- the failure page ----

  const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });

  /** Says in plain HTML what happened. `error` goes into the details, `typed` is shown to be copied. */
  function show(place, { title, text, steps, what, error, typed = [] }) {
    place.classList.add("boot-failed");
    const details = [
      what,
      error?.stack ?? error?.message ?? (error ? String(error) : ""),
      `Page: ${location.href}`,
      `Browser: ${navigator.userAgent}`,
      `Time: ${new Date().toISOString()}`,
    ].filter(Boolean).join("\n");
    const main = document.createElement("main");
    const told = document.createElement("div");
    told.setAttribute("role", "alert");
    const list = document.createElement("ul");
    for (const step of steps) list.append(element("li", step));
    const reload = element("button", "Reload");
    reload.addEventListener("click", () => location.reload());
    const copy = element("button", "Copy details");
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(details);
        copy.textContent = "Copied";
      } catch {
        getSelection()?.selectAllChildren(shown);
        copy.textContent = "Selected: copy it with the keyboard";
      }
    });
    const shown = block(details);
    if (typed.length) main.append(element("h2", "What you had typed"), ...typed.map(block));
    main.prepend(told, list, reload, copy);
    main.append(element("h2", "Details"), shown);
    place.replaceChildren(main);
    told.append(element("h1", title), element("p", text));
  }

  function block(text) {
    return Object.assign(element("pre", text), { tabIndex: 0 });
  }

  /** The app could not start. */
  function fail(what, error) {
    const place = document.getElementById("boot");
    if (!place || place.classList.contains("boot-failed")) return;
    show(place, {
      title: "Gen Registry could not start",
      text: `${what} Your names and keys are stored on this device and are not affected.`,
      steps: [
        "Reload the page. If the connection broke off, that is all it takes.",
        "Update your browser: the app needs one from 2024 or later, with WebAssembly allowed.",
        "If it fails again, copy the details below and report them.",
      ],
      what,
      error,
    });
  }

  /** A page that stops again so soon after it reloaded by itself waits for the person. */
  const RELOAD_EVERY = 60_000;
  /** Long enough to see why. */
  const RELOAD_AFTER = 4_000;
  const RELOADED = "gen-registry.reloaded";

  // What the person typed and has not sent: a reload would lose it.
  const touched = new WeakSet();
  document.addEventListener("input", (event) => touched.add(event.target), true);
  const TYPED = "textarea, input:not([type=password], [type=checkbox], [type=radio], [type=range], [type=file])";

  function mayReload() {
    try {
      const last = Number(sessionStorage.getItem(RELOADED));
      if (Math.abs(Date.now() - last) < RELOAD_EVERY) return false;
      sessionStorage.setItem(RELOADED, String(Date.now()));
      return true;
    } catch {
      // Nothing would end a loop.
      return false;
    }
  }

  /**
   * The program panicked. Its memory may be half changed: nothing gets into it any more (`start.mjs`), another tab may
   * write (`locks.js`), and this one begins anew.
   */
  function stop(error) {
    if (boot.stopped) return;
    boot.stopped = true;
    tell("gen-stopped");
    const typed = [...document.querySelectorAll(TYPED)]
      .filter((field) => touched.has(field) && field.value.trim())
      .map((field) => field.value);
    const again = typed.length === 0 && mayReload();
    const place = Object.assign(document.createElement("div"), { id: "boot" });
    document.body.replaceChildren(place);
    show(place, {
      title: "Gen Registry stopped",
      text: "The program met a fault of its own and stopped. What it had saved on this device is kept."
        + (again ? " The page reloads by itself in a moment." : ""),
      steps: [
        "Reload the page to go on.",
        "If it stops again, copy the details below and report them.",
      ],
      what: "The program stopped.",
      error,
      typed,
    });
    if (again) setTimeout(() => location.reload(), RELOAD_AFTER);
  }

  // What still wants to get into a stopped program says nothing new.
  for (const name of ["error", "unhandledrejection"]) {
    window.addEventListener(name, (event) => {
      if ((event.error ?? event.reason) === boot.over) event.preventDefault();
    });
  }

  // A script or style that does not arrive says so only here.
  window.addEventListener("error", (event) => {
    const source = event.target instanceof HTMLScriptElement ? event.target.src : null;
    if (source) fail("A part of the app could not be loaded.", new Error(source));
  }, true);
})();
