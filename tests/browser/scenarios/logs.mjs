// U-07 and R-41: thousands of lines a second do not slow the page, it can be stopped and searched, a line has an address,
// and what nodes write stays text.

import { check, equal, pause, until } from "../lib/check.mjs";
import { filled } from "../lib/browser.mjs";

const PER_SECOND = 2000;

/** The longest task of the page's own, in milliseconds of the processor: how long others have it is not the page's. */
const TASK = 100;

/** By which the page's own thread is found in a trace. */
const MARK = "the flood begins";

/** The most lines that the page may keep in its document. */
const KEPT = 5000;

export async function scenario({ browser, cluster, settings }) {
  const page = await browser.open("/logs?nodes=game1");
  await filled(page, "/logs");
  const measured = await flood(page, cluster, settings);
  await paused(page, cluster);
  await filtered(page);
  await inert(page, cluster);
  await linked(page, browser, cluster);
  await page.close();
  return measured;
}

async function flood(page, cluster, settings) {
  await page.evaluate(() => {
    window.tasks = [];
    const note = (list) => window.tasks.push(...list.getEntries().map((task) => task.duration));
    new PerformanceObserver(note).observe({ type: "longtask" });
  });
  const chromium = page.context().browser();
  await chromium.startTracing(page, { categories: ["toplevel", "blink.user_timing"] });
  await page.evaluate((mark) => performance.mark(mark), MARK);
  const millis = settings.floodSeconds * 1000;
  const all = (PER_SECOND * millis) / 1000;
  await cluster.chatter("flood", { word: "flood", per_second: PER_SECOND, millis });
  await last(page, `flood ${all} of ${all}`, millis + 60_000);
  const busy = longestTask(await chromium.stopTracing());
  const longest = Math.max(0, ...(await page.evaluate(() => window.tasks)));
  check(busy > 0 && busy <= TASK, `a task takes ${busy} ms of the processor`);
  if (settings.slack === 1) check(longest <= TASK, `a task takes ${longest} ms`);
  const kept = await page.locator("#log [data-line-id]").count();
  check(kept <= KEPT, `${kept} lines in the document`);
  const ids = await lineIds(page);
  equal(new Set(ids).size, ids.length, "each line has an id of its own");
  const tasks = `${busy.toFixed()} ms of the processor, ${longest.toFixed()} ms by the clock`;
  return [`logs: ${all} lines at ${PER_SECOND} a second, longest task ${tasks}, ${kept} lines in the document`];
}

/** The longest task on the thread that has made the mark, out of a trace, in milliseconds of the processor. */
function longestTask(trace) {
  const { traceEvents } = JSON.parse(trace);
  const { pid, tid } = traceEvents.find(({ name }) => name === MARK);
  const own = traceEvents.filter((event) => event.pid === pid && event.tid === tid && event.name.endsWith("RunTask"));
  return Math.max(0, ...own.map(({ tdur }) => (tdur ?? 0) / 1000));
}

/** Waits for a line. */
function last(page, text, patience) {
  return page.locator("#log [data-line-id]", { hasText: text }).last().waitFor({ state: "attached", timeout: patience });
}

function lineIds(page) {
  return page.locator("#log [data-line-id]").evaluateAll((lines) => lines.map((line) => line.dataset.lineId));
}

/** What is at the top of the view, and where. */
function position(page) {
  return page.evaluate(() => {
    const log = document.querySelector("#log");
    const top = log.getBoundingClientRect().top;
    const lines = [...log.querySelectorAll("[data-line-id]")];
    const first = lines.find((line) => line.getBoundingClientRect().bottom > Math.max(top, 0) + 1);
    return { id: first?.dataset.lineId, scrolled: log.scrollTop };
  });
}

async function paused(page, cluster) {
  const button = page.locator("#log-pause");
  await button.click();
  equal(await button.getAttribute("aria-pressed"), "true", "paused");
  const before = await position(page);
  await cluster.chatter("flood", { word: "meanwhile", per_second: PER_SECOND, millis: 1000 });
  await pause(2000);
  equal(await position(page), before, "the position while paused");
  equal(await page.locator("#log [data-line-id]", { hasText: "meanwhile" }).count(), 0, "new lines while paused");
  await button.focus();
  await page.keyboard.press("Enter");
  equal(await button.getAttribute("aria-pressed"), "false", "goes on");
  await last(page, "meanwhile 2000 of 2000");
}

async function filtered(page) {
  await page.fill("#log-filter", "meanwhile 77");
  const wanted = (texts) => texts.length > 0 && texts.every((text) => text.includes("meanwhile 77"));
  await until("the filter", async () => wanted(await shown(page)));
  await page.fill("#log-filter", "");
  await until("all lines again", async () => !wanted(await shown(page)));
}

function shown(page) {
  return page.locator("#log [data-line-id]:visible").allInnerTexts();
}

async function inert(page, cluster) {
  const evil = "<script>window.broken = 1</script><img src=x onerror=window.broken=2>";
  await cluster.chatter("say", `evil ${evil}\n2026-01-01T00:00:00Z ERROR forged \u001b[31mred\u001b[0m \u001b]0;owned\u0007 end`);
  await last(page, "forged");
  const line = page.locator("#log [data-line-id]", { hasText: "forged" });
  equal(await line.count(), 1, "one line");
  const text = await line.textContent();
  check(text.includes(evil) && text.includes("red") && text.includes("end"), text);
  check(!/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text), `control characters: ${JSON.stringify(text)}`);
  equal(await page.locator("#log script, #log img").count(), 0, "elements out of a text");
  equal(await page.evaluate(() => window.broken), undefined, "what a text has done");
}

/** A line's own address shows the line to whoever opens it. */
async function linked(page, browser, cluster) {
  const line = page.locator("#log [data-line-id]", { hasText: "forged" });
  const href = await line.locator("a[href]").first().getAttribute("href");
  const address = new URL(href, page.url());
  equal(address.origin, cluster.origin, "whose address it is");
  const other = await browser.open(address.href.slice(cluster.origin.length));
  const there = other.locator("#log [data-line-id][aria-current='true']");
  await there.waitFor();
  check((await there.textContent()).includes("forged"), await there.textContent());
  await other.close();
}
