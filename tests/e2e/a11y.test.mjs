// No page breaks an accessibility rule that a program can check.
//
// The markup is the same in both themes and at every width, so all rules are checked once: in the light theme, at the width
// of a desk. In the dark theme the rules about colours are checked again, and at the width of a phone those that depend on
// what is visible and how large it is, with the colours of what only a narrow page shows; there nothing may need sideways
// scrolling. Each page is opened once and switched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { AxeBuilder } from "@axe-core/playwright";
import { Browser, Server, apiValue, eventuallyReady, publish } from "./harness.mjs";
import { adder } from "./wasm.mjs";

const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 390, height: 900 };
const COLOUR_RULES = ["color-contrast", "link-in-text-block"];
const WIDTH_RULES = ["target-size", "scrollable-region-focusable", "link-name", "button-name", "color-contrast"];

const BEFORE = [
  "/", "/welcome", "/welcome?step=name", "/people", "/u/nobody_here", "/modules", "/m/nothing-here", "/publish", "/installed",
  "/channels", "/c/general", "/settings", "/devices", "/network", "/statistics", "/notices", "/blocklist", "/guide/operating", "/guide/nothing", "/no/such/page",
];
const AFTER = [
  "/", "/welcome?step=backup", "/people", "/u/grace", "/u/grace_old", "/me", "/modules", "/m/adder", "/installed", "/channels",
  "/c/general", "/c/module/adder", "/settings", "/devices", "/network", "/statistics", "/notices", "/blocklist",
];

/** Asserts that the page breaks none of these rules, or of all rules that axe checks by default. */
async function assertNoViolations(page, where, rules) {
  // Colours and sizes in the middle of a transition would be judged otherwise.
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  const axe = new AxeBuilder({ page });
  const { violations } = await (rules ? axe.withRules(rules) : axe).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  assert.deepEqual(found, [], where);
}

/** Checks the page as it is shown now in each setting, as far as it depends on it. */
async function assertAccessible(page, where) {
  await page.locator("h1").first().waitFor();
  await page.getByText("Loading…").waitFor({ state: "detached" });
  await assertNoViolations(page, where);
  await page.emulateMedia({ colorScheme: "dark" });
  await assertNoViolations(page, `${where}, dark`, COLOUR_RULES);
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(NARROW);
  await assertNoViolations(page, `${where}, narrow`, WIDTH_RULES);
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(excess <= 0, `${where} is ${excess} pixels wider than a phone`);
  await page.setViewportSize(WIDE);
}

test("every page is accessible in both themes and at both widths", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t, WIDE);
  const page = await browser.open(server.origin);
  const visit = async (path) => {
    await page.goto(`${server.origin}${path}`);
    await eventuallyReady(page);
    await assertAccessible(page, path);
  };
  for (const path of BEFORE) await visit(path);
  await apiValue(page, "setupUser", "grace_old");
  await apiValue(page, "updateProfile", { displayName: "Grace", bio: "Ships and compilers.", links: ["https://example.org/"] });
  await page.goto(`${server.origin}/me`);
  await eventuallyReady(page);
  await page.getByTestId("name-input").fill("grace");
  await page.locator('[data-testid="name-verdict"][data-state="available"]').waitFor();
  await assertAccessible(page, "/me with a verdict");
  await page.getByTestId("rename").click();
  await page.getByTestId("me-chip").filter({ hasText: /^@grace$/ }).waitFor();
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

test("the splash, the failure page and the stopped page are accessible in both themes and at both widths", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t, WIDE);
  browser.allow(/ERR_FAILED|Failed to fetch|could not/i);
  const page = browser.context.pages()[0];
  let withheld;
  const held = new Promise((resolve) => (withheld = resolve));
  await page.route("**/*.wasm", (route) => withheld(route));
  await page.goto(server.origin);
  const route = await held;
  assert.ok(await page.locator("#boot-progress").isVisible(), "the splash is on show");
  await assertAccessible(page, "splash");
  await route.abort();
  await page.getByRole("heading", { name: "could not start" }).waitFor();
  await assertAccessible(page, "failure page");
  await page.unroute("**/*.wasm");
  await page.goto(`${server.origin}/welcome?step=name`);
  await eventuallyReady(page);
  await page.getByTestId("name-input").fill("grace");
  await page.evaluate(() => globalThis.genRegistryBoot.stop(new Error("for its looks only")));
  await page.getByRole("heading", { name: "Gen Registry stopped" }).waitFor();
  await page.getByRole("heading", { name: "What you had typed" }).waitFor();
  await assertAccessible(page, "stopped page");
  browser.assertQuiet();
});
