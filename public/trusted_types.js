// Runs before everything else, as a classic script. The page's policy asks for Trusted Types: a text becomes HTML, or the
// address of a script, only as this file says. It makes a text that could run something harmless instead of refusing it,
// so that an attack changes what is shown and does not stop the program.
(() => {
  "use strict";
  const { trustedTypes } = window;
  if (!trustedTypes) return;

  /** The workers of the page; the program's own files are loaded by `import`. */
  const WORKERS = new Set(["/worker.js", "/sandbox.js", "/sw.js"]);
  /** Elements that run or load something, or change what other addresses mean. */
  const FORBIDDEN = "script, iframe, frame, object, embed, base, meta, link, style";
  const ADDRESSES = new Set(["action", "formaction", "href", "src", "srcdoc", "xlink:href"]);

  /** Only reads what is to be checked; nothing of it comes into the page. */
  const checked = trustedTypes.createPolicy("gen-registry-check", { createHTML: (html) => html });

  // Browsers leave out spaces and control characters when they read the scheme of an address.
  const runs = ({ name, value }) =>
    name.startsWith("on") || (ADDRESSES.has(name) && /^(javascript|vbscript):/i.test(value.replace(/[\s\0-\x1f]/g, "")));

  /** Takes out what could run. Returns whether there was something. */
  function clean(fragment) {
    const forbidden = fragment.querySelectorAll(FORBIDDEN);
    for (const element of forbidden) element.remove();
    let found = forbidden.length > 0;
    for (const element of fragment.querySelectorAll("*")) {
      for (const attribute of [...element.attributes].filter(runs)) {
        element.removeAttribute(attribute.name);
        found = true;
      }
      if (element instanceof HTMLTemplateElement && clean(element.content)) found = true;
    }
    return found;
  }

  trustedTypes.createPolicy("default", {
    createHTML(html) {
      const template = document.createElement("template");
      template.innerHTML = checked.createHTML(html);
      return clean(template.content) ? template.innerHTML : html;
    },
    /** Anything but the page's own workers is refused. */
    createScriptURL(address) {
      const url = new URL(address, location.origin);
      return url.origin === location.origin && WORKERS.has(url.pathname) ? address : null;
    },
  });
})();
