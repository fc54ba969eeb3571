// U-06: the master is killed and started again. The page says so, shows what it has as old, and goes on by itself.

import { check, equal, until } from "../lib/check.mjs";
import { filled } from "../lib/browser.mjs";

/** From the new master's first answer until the page follows again, in milliseconds. */
const RESUMED = 15_000;

export async function scenario({ browser, cluster }) {
  const overview = await browser.open("/");
  const logs = await browser.open("/logs?nodes=game1");
  await filled(overview, "/");
  await filled(logs, "/logs");
  const pages = [overview, logs];
  for (const page of pages) await page.evaluate(() => (window.same = true));
  const fresh = await pale(overview);
  const before = await cluster.pids();
  await cluster.chatter("flood", { word: "outage", per_second: 20, millis: 15_000 });
  await line(logs, "outage 20 of 300");
  cluster.killMaster();
  for (const page of pages) await away(page);
  const stale = await pale(overview);
  check(stale > fresh, `nothing looks old: ${stale} parts are pale, ${fresh} were before`);
  await cluster.startMaster();
  const at = Date.now();
  for (const page of pages) await back(page);
  const resumed = Date.now() - at;
  await cluster.untilProven("game1");
  equal(await cluster.pids(), before, "processes after the outage");
  await until("nothing to look old", async () => (await pale(overview)) < stale);
  const seen = await afterwards(logs, cluster);
  for (const page of pages) await page.close();
  return [`the master back: the page follows ${resumed} ms later, ${seen} of 300 lines of the time around it are there`];
}

async function away(page) {
  await page.locator("#banner").waitFor({ state: "visible" });
  await page.waitForFunction(() => document.body.classList.contains("stale"));
  check(/\w/.test(await page.locator("#banner").innerText()), "the banner says nothing");
}

async function back(page) {
  await page.locator("#banner").waitFor({ state: "hidden", timeout: RESUMED });
  await page.waitForFunction(() => !document.body.classList.contains("stale"));
  equal(await page.evaluate(() => window.same), true, `${page.url()}: loaded again`);
}

/** How many parts of the page are paler than the rest, as what is old is. */
function pale(page) {
  return page.evaluate(() => {
    const parts = [...document.querySelectorAll("main, main *")].map((part) => getComputedStyle(part));
    return parts.filter(({ opacity, filter }) => Number(opacity) < 1 || filter !== "none").length;
  });
}

function line(page, text) {
  return page.locator("#log [data-line-id]", { hasText: text }).last().waitFor({ state: "attached" });
}

/** Lines go on, and none is there twice; gives how many of those around the outage are there. */
async function afterwards(page, cluster) {
  await until("the master to know the game", () => cluster.chatter("say", "after the outage").then(() => true, () => false));
  await line(page, "after the outage");
  await line(page, "outage 300 of 300");
  const texts = await linesWith(page, "of 300");
  const numbers = texts.map((text) => Number(/outage (\d+) of 300/.exec(text)[1]));
  equal(new Set(numbers).size, numbers.length, `lines that are there twice: ${numbers}`);
  equal(numbers, [...numbers].sort((left, right) => left - right), "the order of lines");
  return numbers.length;
}

/** All lines with a text, also those that are elements only while they are in sight. */
async function linesWith(page, text) {
  await page.fill("#log-filter", text);
  await until("the filter", async () => {
    const shown = await page.locator("#log [data-line-id]").allTextContents();
    return shown.length > 0 && shown.every((line) => line.includes(text));
  });
  const found = await page.evaluate(async () => {
    const log = document.querySelector("#log");
    const lines = new Map();
    const frame = () => new Promise((resume) => requestAnimationFrame(() => requestAnimationFrame(resume)));
    for (log.scrollTop = 0; ; log.scrollTop += log.clientHeight / 2) {
      await frame();
      const at = log.scrollTop;
      log.querySelectorAll("[data-line-id]").forEach((line) => lines.set(line.dataset.lineId, line.textContent));
      if (at + log.clientHeight >= log.scrollHeight - 1) return [...lines.values()];
    }
  });
  await page.fill("#log-filter", "");
  return found;
}
