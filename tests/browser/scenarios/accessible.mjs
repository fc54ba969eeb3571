// U-04: what axe finds wrong (nothing) on all pages in both themes, and a walk through each page by Tab alone.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { check, equal } from "../lib/check.mjs";
import { PAGES, filled, tabTo } from "../lib/browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"];

/** More stops than this are a trap for whoever has no mouse. */
const STOPS = 200;

export async function scenario({ browser }) {
  const faults = [];
  let looked = 0;
  for (const theme of ["light", "dark"]) {
    for (const path of [...Object.keys(PAGES), "/login"]) {
      const page = await browser.open(path, { as: path === "/login" ? null : "admin", theme });
      await filled(page, path);
      equal(await page.locator("h1").count(), 1, `${path}: one heading`);
      faults.push(...(await wrong(page, `${path} ${theme}`)));
      if (theme === "light") faults.push(...(await walk(page, path)));
      if (path === "/nodes/game1") faults.push(...(await dialogs(page, `${path} ${theme}`)));
      looked += 1;
      await page.close();
    }
  }
  faults.push(...(await keys(browser)));
  check(faults.length === 0, faults.join("\n"));
  return [`axe: ${looked} pages in both themes without a fault`];
}

async function wrong(page, where) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(
    (values) => window.axe.run(document, { runOnly: { type: "tag", values } }),
    TAGS,
  );
  return violations.map(({ id, nodes }) => {
    const [{ target, failureSummary }] = nodes;
    return `${where}: ${id}, ${nodes.length} times: ${target}: ${failureSummary?.replaceAll("\n", " ")}`;
  });
}

/** The dialogs, opened. */
async function dialogs(page, where) {
  await page.click('button[data-action="restart"]');
  await page.locator("dialog#confirm[open]").waitFor();
  const faults = await wrong(page, `${where}, confirm`);
  await page.keyboard.press("Escape");
  await page.locator("dialog#confirm").waitFor({ state: "hidden" });
  await page.keyboard.press("?");
  await page.locator("dialog#help[open]").waitFor();
  faults.push(...(await wrong(page, `${where}, help`)));
  await page.keyboard.press("Escape");
  await page.locator("dialog#help").waitFor({ state: "hidden" });
  return faults;
}

/** Tab from the beginning to the end, and back: every control is reached, each shows that it is, and none holds on. */
async function walk(page, path) {
  await page.evaluate(() => {
    document.activeElement?.blur();
    window.reached = new Set();
  });
  const faults = [];
  // Round once, wherever it begins: to something that was reached before.
  for (let stops = 0, stop = {}; !stop.again; stops += 1) {
    if (stops === STOPS) return [...faults, `${path}: no end after ${STOPS} stops`];
    await page.keyboard.press("Tab");
    stop = await page.evaluate(arrive);
    if (!stop.visible) faults.push(`${path}: the focus on ${stop.what} cannot be seen`);
  }
  for (const what of await page.evaluate(missed)) faults.push(`${path}: ${what} is not reached by Tab`);
  return faults;
}

/** Where the focus is, whether one can see it, and whether it has been there before. */
function arrive() {
  const at = document.activeElement ?? document.body;
  const again = window.reached.has(at);
  window.reached.add(at);
  const style = getComputedStyle(at);
  const marked = style.outlineStyle !== "none" || style.boxShadow !== "none" || at instanceof SVGElement;
  return { what: at.outerHTML.slice(0, 120), visible: marked || at === document.body, again };
}

/** Controls that can be seen, and were not reached. */
function missed() {
  const controls = "a[href], button:enabled, input:enabled, select:enabled, textarea:enabled, summary, [tabindex]";
  const all = [...document.querySelectorAll(controls)];
  const seen = all.filter((one) => one.tabIndex >= 0 && one.checkVisibility({ visibilityProperty: true }));
  // Of a group of radio buttons one is a stop.
  const radio = (one) => one.type === "radio";
  return seen.filter((one) => !window.reached.has(one) && !radio(one)).map((one) => one.outerHTML.slice(0, 120));
}

/** The keys that go to pages, and what is under the hand there. */
async function keys(browser) {
  const page = await browser.open("/");
  await filled(page, "/");
  const nodes = page.locator("svg#topology [data-node]");
  const names = await nodes.evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")));
  for (const name of ["gate", "net", "game1"]) {
    check(names.some((label) => label?.startsWith(`${name}, ready`)), `no ${name} among ${names.join("; ")}`);
  }
  equal(await page.locator('[data-link="gate-net"]').count(), 1, "a link between gate and net");
  for (const [key, path] of Object.entries({ n: "/nodes", l: "/logs", e: "/events", c: "/call", o: "/" })) {
    await page.keyboard.press("g");
    await page.keyboard.press(key);
    await page.waitForURL((url) => url.pathname === path);
    await filled(page, path);
    equal(await page.locator("nav [aria-current=page]").innerText(), PAGES[path], `${path}: where one is`);
  }
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  const before = await theme();
  await page.keyboard.press("t");
  check((await theme()) !== before, `the theme is still ${before} after t`);
  await byTable(page);
  await page.close();
  return [];
}

/** `/` goes to the search, `j` and `k` from row to row, Enter opens one. */
async function byTable(page) {
  await page.goto(new URL("/nodes", page.url()).href);
  await filled(page, "/nodes");
  await page.keyboard.press("/");
  await page.keyboard.type("game");
  await page.locator("#count", { hasText: "1 of" }).waitFor();
  equal(await page.locator("#nodes-table tr[data-node]:visible").count(), 1, "rows that hold `game`");
  await page.fill("#search", "");
  await page.locator("#search").blur();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/nodes\/\w+$/);
  await tabTo(page, "#logout");
}
