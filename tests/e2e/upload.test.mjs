// How much is given to others: the person's choice, kept over a reload, and without a limit before.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser, Server, eventually } from "./harness.mjs";

test("an upload limit is chosen in the settings and kept", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.origin}/settings`);
  const choice = page.getByTestId("upload-limit");
  assert.equal(await choice.inputValue(), "none");
  for (const [label, value] of [[/512/, "524288"], [/no limit/, "none"]]) {
    const option = choice.locator("option", { hasText: label });
    await choice.selectOption(await option.getAttribute("value"));
    await eventually("the choice is stored", async () => (await choice.isEnabled()) && (await choice.inputValue()) === value);
    await page.reload();
    await eventually("the choice is kept", async () => (await choice.inputValue()) === value);
  }
  browser.assertQuiet();
});
