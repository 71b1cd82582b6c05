// Pictures of every page, at two widths, light and dark, for looking at; run by `make screenshots`.
//   node scripts/screenshots.mjs FOLDER      all of them into FOLDER
//   node scripts/screenshots.mjs --manifest  the two of the install dialog into public/screenshots
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { Browser, Server, apiValue, publish, eventuallyReady } from "../tests/e2e/harness.mjs";
import { adder } from "../tests/e2e/wasm.mjs";

const manifest = process.argv[2] === "--manifest";
const folder = manifest ? "public/screenshots" : process.argv[2];
if (!folder) throw new Error("name a folder for the pictures");
await mkdir(folder, { recursive: true });


const endings = [];
const story = { after: (act) => endings.unshift(act) };

async function shoot(page, name, fullPage) {
  await page.locator("h1").first().waitFor();
  await page.getByText("Loading…").waitFor({ state: "detached" });
  await page.evaluate(() => document.fonts.ready);
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {}))));
  const file = path.join(folder, `${name}.png`);
  await page.screenshot({ path: file, fullPage });
  console.log(file);
}

async function visit(page, url) {
  await page.goto(url);
  await eventuallyReady(page);
}

async function inhabited(page, origin) {
  await visit(page, origin);
  await apiValue(page, "setupUser", "alice_old");
  await apiValue(page, "registerUsername", "alice_smith", {});
  await apiValue(page, "updateProfile", {
    displayName: "Alice Smith",
    bio: "Botanist. Collects mosses and the names people give them.",
    links: ["https://example.org/mosses"],
  });
  const readme = "# Adder\n\nAdds two numbers of the type `i32`.\n\n```\nadd(40, 2) = 42\n```\n\n[Source](https://example.org/)";
  await publish(page, { name: "adder", version: "1.0.0", title: "Sums of two numbers", description: "Adds two numbers and nothing else, in fourteen bytes of code.", tags: ["math", "tiny"], license: "MIT", readme }, adder("add"));
  await publish(page, { name: "adder", version: "1.1.0" }, adder("sum"));
  await publish(page, { name: "totals", version: "0.3.0", description: "Totals of long lists", tags: ["math"], dependencies: { adder: "^1" } }, adder("total"));
  await apiValue(page, "yank", "adder", "1.0.0", "the function was renamed");
  await apiValue(page, "install", "totals");
  await apiValue(page, "joinChannel", "#general");
  await apiValue(page, "setTopicLine", "#general", "Mosses, modules and everything between");
  for (const text of ["Good morning.", "Does anybody know adder 1.1?\nIt sums.", "@bob_jones: see what @alice_smith wrote."]) {
    await apiValue(page, "say", "#general", text);
  }
}

try {
  const server = await Server.start(story);
  if (manifest) {
    for (const [name, width, height] of [["wide", 1280, 800], ["narrow", 390, 844]]) {
      const browser = await Browser.start(story, { width, height });
      const page = await browser.open(server.origin);
      await inhabited(page, server.origin);
      await visit(page, `${server.origin}/u/alice_smith`);
      await shoot(page, name, false);
    }
  } else {
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [390, 1280]) {
        const browser = await Browser.start(story, { colorScheme, width });
        const page = await browser.open(server.origin);
        const all = async (prefix, pages) => {
          for (const [name, where] of Object.entries(pages)) {
            await visit(page, server.origin + where);
            await shoot(page, `${colorScheme}-${width}-${prefix}-${name}`, true);
          }
        };
        await all("new", {
          home: "/", welcome: "/welcome", name: "/welcome?step=name", people: "/people", settings: "/settings", devices: "/devices",
          absent: "/u/nobody_here", modules: "/modules", publish: "/publish", installed: "/installed", channels: "/channels", channel: "/c/general", guides: "/guide", guide: "/guide/operating", "guide-absent": "/guide/nothing", lost: "/no/such/page",
        });
        await inhabited(page, server.origin);
        await all("named", {
          home: "/", backup: "/welcome?step=backup", people: "/people", person: "/u/alice_smith", redirect: "/u/alice_old",
          me: "/me", settings: "/settings", devices: "/devices", network: "/network", statistics: "/statistics", channels: "/channels", channel: "/c/general", discussion: "/c/module/adder", modules: "/modules", module: "/m/adder", installed: "/installed",
        });
        for (const text of ["alice_smiht", "admin", "ada"]) {
          await visit(page, `${server.origin}/me`);
          await page.getByTestId("name-input").fill(text);
          await page.locator('[data-testid="name-verdict"]:not([data-state=""]):not([data-state="searching"])').waitFor();
          await shoot(page, `${colorScheme}-${width}-verdict-${text}`, false);
        }
        await browser.close();
      }
    }
  }
} finally {
  for (const end of endings) await end();
}
