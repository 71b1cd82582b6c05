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

  /** Says in plain HTML that the app could not start. `error` goes into the details. */
  function fail(what, error) {
    const place = document.getElementById("boot");
    if (!place || place.classList.contains("boot-failed")) return;
    place.classList.add("boot-failed");
    const details = [
      what,
      error?.stack ?? error?.message ?? (error ? String(error) : ""),
      `Page: ${location.href}`,
      `Browser: ${navigator.userAgent}`,
      `Time: ${new Date().toISOString()}`,
    ].filter(Boolean).join("\n");
    const element = (name, text) => Object.assign(document.createElement(name), { textContent: text });
    const main = document.createElement("main");
    const told = document.createElement("div");
    told.setAttribute("role", "alert");
    const steps = document.createElement("ul");
    for (const step of [
      "Reload the page. If the connection broke off, that is all it takes.",
      "Update your browser: the app needs one from 2024 or later, with WebAssembly allowed.",
      "If it fails again, copy the details below and report them.",
    ]) steps.append(element("li", step));
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
    const shown = element("pre", details);
    shown.tabIndex = 0;
    main.append(told, steps, reload, copy, element("h2", "Details"), shown);
    place.replaceChildren(main);
    told.append(
      element("h1", "Gen Registry could not start"),
      element("p", `${what} Your names and keys are stored on this device and are not affected.`),
    );
  }

  // A script or style that does not arrive says so only here.
  window.addEventListener("error", (event) => {
    const source = event.target instanceof HTMLScriptElement ? event.target.src : null;
    if (source) fail("A part of the app could not be loaded.", new Error(source));
  }, true);
})();
