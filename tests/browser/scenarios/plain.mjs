// U-11: a browser that runs no program shows the state of the nodes, lets one log in, and offers nothing that it cannot do.

import { check, equal } from "../lib/check.mjs";
import { PAGES } from "../lib/browser.mjs";

export async function scenario({ browser, cluster, settings }) {
  for (const path of Object.keys(PAGES)) {
    const page = await browser.open(path, { javaScriptEnabled: false });
    equal(await page.locator("h1").count(), 1, `${path}: one heading`);
    for (const name of ["gate", "net", "game1"]) {
      const state = page.locator(`table [data-node="${name}"][data-state], table tr[data-node="${name}"]`).first();
      check(await state.isVisible(), `${path}: ${name} can be seen`);
      check((await state.innerText()).includes("ready"), `${path}: ${name} is said to be ready`);
    }
    equal(await page.locator("[data-action]:visible").count(), 0, `${path}: no actions`);
    await page.close();
  }
  const page = await browser.open("/", { as: null, javaScriptEnabled: false });
  check(!(await page.content()).includes("game1"), "nobody sees anything before he has logged in");
  await page.fill("#token", settings.token);
  await page.keyboard.press("Enter");
  await page.locator("table").first().waitFor();
  equal(new URL(page.url()).pathname, "/", "after the log-in");
  check((await page.locator("table").first().innerText()).includes("game1"), "the table is there after the log-in");
  equal(await page.evaluate(() => document.cookie).catch(() => ""), "", `a cookie of ${cluster.origin} can be read`);
}
