// U-01: each page in both themes at three widths, for somebody to look at; nothing stands out at the side.

import { mkdirSync } from "node:fs";
import { check, equal } from "../lib/check.mjs";
import { PAGES, filled } from "../lib/browser.mjs";

const WIDTHS = [1440, 1024, 360];

export async function scenario({ browser, cluster, settings }) {
  mkdirSync(settings.pictures, { recursive: true });
  const stop = cluster.play();
  const faults = [];
  for (const path of [...Object.keys(PAGES), "/login"]) {
    const grounds = new Set();
    for (const theme of ["light", "dark"]) {
      const page = await browser.open(path, { as: path === "/login" ? null : "admin", theme });
      await filled(page, path);
      // Numbers come once a second; a curve needs several.
      await page.waitForTimeout(path === "/" || path === "/nodes/game1" ? 3000 : 300);
      grounds.add(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        await page.waitForTimeout(100);
        const name = path === "/" ? "overview" : path.slice(1).replace("/", "-");
        await page.screenshot({ path: `${settings.pictures}/${name}-${theme}-${width}.png`, animations: "disabled" });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) faults.push(`${path} at ${width}: ${wide} pixels too wide`);
        const links = await page.locator("nav a").allInnerTexts();
        if (path !== "/login") for (const name of Object.values(PAGES)) check(links.includes(name), `${path}: ${links}`);
      }
      await page.close();
    }
    equal(grounds.size, 2, `${path}: the themes look the same`);
  }
  stop();
  check(faults.length === 0, faults.join("\n"));
  return [`pictures in ${settings.pictures}`];
}
