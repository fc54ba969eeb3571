// U-02: a node that is killed from outside is seen to be gone at once, and seen to come back.

import { check, equal, quantile, until } from "../lib/check.mjs";
import { filled } from "../lib/browser.mjs";

const KILLS = 10;

/** From the signal to the change in the page, for 19 of 20, in milliseconds. */
const SEEN = 300;

/** What a node that was killed may be on the way from ready to ready. */
const BETWEEN = ["unreachable", "backoff", "starting", "stopped", "failed", "degraded"];

export async function scenario({ browser, cluster, settings }) {
  const page = await browser.open("/");
  await filled(page, "/");
  await page.evaluate(watch);
  const times = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    const { pid } = await cluster.untilProven("game1");
    await until("the page to show it ready", () => page.evaluate(() => window.seen.at(-1).state === "ready"));
    const before = await page.evaluate(() => window.seen.length);
    const at = Date.now();
    cluster.kill(pid);
    const after = await until("the page to show its next life", async () => {
      const seen = (await page.evaluate(() => window.seen)).slice(before);
      const last = seen.at(-1);
      return last?.state === "ready" && last.pid !== String(pid) && seen;
    });
    times.push(after[0].at - at);
    const told = after.map(({ state }) => state).join(" ");
    equal(after.at(-1).state, "ready", told);
    for (const { state, text } of after.slice(0, -1)) check(BETWEEN.includes(state) || state === "ready", `${told}: ${text}`);
    for (const { state, text } of after) check(text.includes(state), `${JSON.stringify(text)} does not say ${state}`);
  }
  const p95 = quantile(times, 0.95);
  check(p95 <= SEEN * settings.slack, `seen after ${times.join(", ")} ms`);
  const verdict = page.locator('#verdict[data-health="healthy"]');
  await verdict.waitFor();
  await page.close();
  return [`kill -9 seen after ${quantile(times, 0.5)} ms, 95 % within ${p95} ms`];
}

/**
 * Writes down each state of the game from now on, in the browser. A life may begin so soon after the one before that the page,
 * which is told at most twenty times a second, never has another state to show than ready: then of another process.
 */
function watch() {
  const look = () => {
    const element = document.querySelector('[data-node="game1"][data-state]');
    const { state, pid } = element?.dataset ?? {};
    const text = element?.textContent ?? "";
    const last = window.seen.at(-1);
    if (state && (state !== last?.state || pid !== last?.pid)) window.seen.push({ at: Date.now(), state, pid, text });
  };
  window.seen = [];
  look();
  const all = { subtree: true, childList: true, attributes: true, characterData: true };
  new MutationObserver(look).observe(document.body, all);
}
