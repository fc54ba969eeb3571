// The end of U-03: the cluster is stopped, by whoever types its name.

import { check, equal } from "../lib/check.mjs";
import { filled, tabTo } from "../lib/browser.mjs";

export async function scenario({ browser, cluster }) {
  const { name } = await cluster.get("cluster");
  const page = await browser.open("/");
  await filled(page, "/");
  await tabTo(page, 'button[data-action="stop"]');
  await page.keyboard.press("Enter");
  await page.locator("dialog#confirm[open]").waitFor();
  check(await page.locator("#confirm-yes").isDisabled(), "one can say yes before the name is typed");
  await tabTo(page, "#confirm-name");
  await page.keyboard.type(`${name}x`);
  check(await page.locator("#confirm-yes").isDisabled(), "one can say yes with a wrong name");
  await page.keyboard.press("Backspace");
  await tabTo(page, "#confirm-yes");
  await page.keyboard.press("Enter");
  await page.locator("#banner").waitFor({ state: "visible" });
  if (cluster.ended) equal(await cluster.ended, 0, "the master's end");
  await page.close();
}
