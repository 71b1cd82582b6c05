// No page breaks an accessibility rule that a machine can check, light or dark, on a phone or a desk.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { Browser, Server, apiValue, publish, ready } from "./harness.mjs";
import { adder } from "./wasm.mjs";

const BEFORE = [
  "/", "/welcome", "/welcome?step=name", "/people", "/u/nobody_here", "/modules", "/m/nothing-here", "/publish", "/installed",
  "/channels", "/c/general", "/settings", "/network", "/statistics", "/notices", "/blocklist", "/guide/operating", "/guide/nothing", "/no/such/page",
];
const AFTER = [
  "/", "/welcome?step=backup", "/people", "/u/grace", "/u/grace_old", "/me", "/modules", "/m/adder", "/installed", "/channels",
  "/c/general", "/c/module/adder", "/settings", "/network", "/statistics", "/notices", "/blocklist",
];

async function check(page, where) {
  await page.locator("h1").first().waitFor();
  await page.getByText("Loading…").waitFor({ state: "detached" });
  // Entrance effects would be judged half way.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  const { violations } = await new AxeBuilder({ page }).analyze();
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  assert.deepEqual(told, [], where);
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of [390, 1280]) {
    test(`every page, ${colorScheme}, ${width} wide`, async (t) => {
      const server = await Server.start(t);
      const browser = await Browser.start(t, { colorScheme, width });
      const page = await browser.open(server.origin);
      const visit = async (path) => {
        await page.goto(`${server.origin}${path}`);
        await ready(page);
        await check(page, path);
      };
      for (const path of BEFORE) await visit(path);
      await apiValue(page, "setupUser", "grace_old");
      await apiValue(page, "updateProfile", { displayName: "Grace", bio: "Ships and compilers.", links: ["https://example.org/"] });
      await page.goto(`${server.origin}/me`);
      await ready(page);
      await page.getByTestId("name-input").fill("grace");
      await page.locator('[data-testid="name-verdict"][data-state="available"]').waitFor();
      await check(page, "/me with a verdict");
      await page.getByTestId("rename").click();
      await page.getByTestId("me-chip").filter({ hasText: /^grace$/ }).waitFor();
      const readme = "# Adder\n\nAdds `i32`. [Source](https://example.org/)";
      await publish(page, { name: "adder", version: "1.0.0", description: "Adds two numbers", tags: ["math"], readme }, adder("add"));
      await publish(page, { name: "adder", version: "1.1.0" }, adder("sum"));
      await apiValue(page, "yank", "adder", "1.0.0", "renamed");
      await apiValue(page, "install", "adder");
      await apiValue(page, "follow", "tag:math");
      await apiValue(page, "decide", "module:left-pad", "block", "no");
      await apiValue(page, "joinChannel", "#general");
      await apiValue(page, "setTopicLine", "#general", "All and nothing");
      for (const text of ["Is anybody here?", "@grace: I am.\nAnd how."]) await apiValue(page, "say", "#general", text);
      for (const path of AFTER) await visit(path);
      const { did } = await apiValue(page, "whoami");
      await visit(`/id/${did}`);
      browser.assertQuiet();
    });
  }
}

for (const colorScheme of ["light", "dark"]) {
  test(`the splash and the failure page, ${colorScheme}`, async (t) => {
    const server = await Server.start(t);
    const browser = await Browser.start(t, { colorScheme, width: 390 });
    browser.allow(/ERR_FAILED|Failed to fetch|could not/i);
    const page = browser.context.pages()[0];
    let withheld;
    const held = new Promise((resolve) => (withheld = resolve));
    await page.route("**/*.wasm", (route) => withheld(route));
    await page.goto(server.origin);
    const route = await held;
    assert.ok(await page.locator("#boot-progress").isVisible(), "the splash is on show");
    await check(page, "splash");
    await route.abort();
    await page.getByRole("heading", { name: "could not start" }).waitFor();
    await check(page, "failure page");
    await page.unroute("**/*.wasm");
    await page.goto(`${server.origin}/welcome?step=name`);
    await ready(page);
    await page.getByTestId("name-input").fill("grace");
    await page.evaluate(() => globalThis.genRegistryBoot.stop(new Error("for its looks only")));
    await page.getByRole("heading", { name: "Gen Registry stopped" }).waitFor();
    await page.getByRole("heading", { name: "What you had typed" }).waitFor();
    await check(page, "stopped page");
    browser.assertQuiet();
  });
}
