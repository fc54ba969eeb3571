// Runs the scenarios, one after the other in one browser, and says of each how it went: one line of JSON on the
// standard output. What cluster it is about stands in the variable `BROWSER_TESTS`, as JSON; tests/tests/browser.rs
// sets it.

import { Browser } from "./lib/browser.mjs";
import { Cluster } from "./lib/cluster.mjs";

/** The longest that one scenario may take, in milliseconds. */
const LONGEST = 300_000;

/** In this order: those that end the master, or the cluster, come last. */
const SCENARIOS = [
  ["first-load", "./scenarios/first_load.mjs"],
  ["U-11", "./scenarios/plain.mjs"],
  ["U-02", "./scenarios/killed.mjs"],
  ["U-04", "./scenarios/accessible.mjs"],
  ["U-07", "./scenarios/logs.mjs"],
  ["U-03", "./scenarios/actions.mjs"],
  ["U-01", "./scenarios/pictures.mjs"],
  ["U-09", "./scenarios/doors.mjs"],
  ["U-06", "./scenarios/outage.mjs"],
  ["stop", "./scenarios/stop.mjs"],
  ["U-05", "./scenarios/alone.mjs"],
];

const settings = JSON.parse(process.env.BROWSER_TESTS);
const only = settings.only?.split(/[ ,]+/);
const cluster = new Cluster(settings);
const browser = await Browser.launch(settings.chromium, cluster);
// Asked for now, so that it is too old when its turn comes.
const code = { ...(await cluster.request("POST", "codes")).body, at: Date.now() };
for (const [id, file] of SCENARIOS) {
  if (only && !only.includes(id)) continue;
  const begin = Date.now();
  const result = await run(file);
  console.log(JSON.stringify({ id, seconds: (Date.now() - begin) / 1000, ...result }));
}
await browser.close();
// A master that was started here lives on, and with it the handle to its end.
process.exit();

async function run(file) {
  let timer;
  const tooLong = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`no end within ${LONGEST} ms`)), LONGEST);
  });
  try {
    const { scenario } = await import(file);
    return { measured: (await Promise.race([scenario({ browser, cluster, settings, code }), tooLong])) ?? [] };
  } catch (error) {
    return { failed: error.stack ?? String(error) };
  } finally {
    clearTimeout(timer);
    for (const context of browser.chromium.contexts()) await context.close();
  }
}
