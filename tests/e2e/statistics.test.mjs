// What a device has seen, in sums: every curve also as text, as a table and as a file.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Browser, Server, apiValue, eventually, publish } from "./harness.mjs";
import { adder } from "./wasm.mjs";

test("the statistics page counts names and modules, shows them as a table and saves them", async (t) => {
  const server = await Server.start(t);
  const browser = await Browser.start(t);
  const page = await browser.open(`${server.origin}/statistics`);
  await page.getByText("0 names").waitFor();
  await page.getByText("Nobody known here has said what they installed.").waitFor();
  assert.equal(await apiValue(page, "registerUsername", "alice"), true);
  await publish(page, { name: "adder", version: "1.0.0" }, adder("add"));
  await apiValue(page, "install", "adder");
  await page.getByText("1 name", { exact: true }).waitFor();
  await page.getByText("1 release", { exact: true }).waitFor();
  await page.getByRole("link", { name: "adder" }).waitFor();
  await page.getByRole("group", { name: "How far back" }).getByRole("button", { name: "A week" }).click();
  assert.equal((await apiValue(page, "getStatistics", { days: 7 })).names.days.length, 7);
  await page.getByText("As a table").click();
  await eventually("one day on which something happened", async () => (await page.locator("tbody tr").count()) === 1);
  // The page shows the month until it has the week.
  const lines = await eventually("the file covers the week", async () => {
    const [saved] = await Promise.all([page.waitForEvent("download"), page.getByTestId("save-statistics").click()]);
    const lines = (await readFile(await saved.path(), "utf8")).trim().split("\n");
    return lines.length === 8 && lines;
  });
  assert.equal(lines[0], "day,names,modules,releases");
  assert.match(lines[7], /^\d{4}-\d{2}-\d{2},1,1,1$/);
  browser.assertQuiet();
});
