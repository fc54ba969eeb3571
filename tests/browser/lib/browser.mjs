// The one browser: contexts with a session of their own, each watched for what the page must never do.

import { chromium } from "playwright-core";
import { PATIENCE } from "./check.mjs";

/** A name that leads to the cluster, as a rebound one of an attacker would. Nothing else has an address. */
export const FOREIGN = "evil.test";

const ARGUMENTS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  `--host-resolver-rules=MAP ${FOREIGN} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1`,
];

export class Browser {
  static async launch(executablePath, cluster) {
    const browser = new Browser();
    browser.cluster = cluster;
    browser.chromium = await chromium.launch({ executablePath, args: ARGUMENTS });
    browser.cookies = {};
    /** Requests to others, violations of the policy, errors that nobody caught; to stay empty. */
    browser.faults = [];
    browser.requests = 0;
    return browser;
  }

  close() {
    return this.chromium.close();
  }

  /**
   * A context: `as` admin, viewer or nobody; `theme` light or dark; `width` in pixels; any option of the driver's own.
   * A context that visits others' pages is not `watched`.
   */
  async context({ as = "admin", theme = "light", width = 1440, watched = true, ...options } = {}) {
    const context = await this.chromium.newContext({
      colorScheme: theme,
      viewport: { width, height: 900 },
      ...options,
    });
    context.setDefaultTimeout(PATIENCE);
    if (as) await context.addCookies([await this.cookie(as)]);
    if (watched) this.#watch(context);
    return context;
  }

  /** A page of a new context, at a path; closing the page closes the context. */
  async open(path, options) {
    const context = await this.context(options);
    const page = await context.newPage();
    page.on("close", () => context.close());
    await page.goto(this.cluster.origin + path);
    return page;
  }

  /** The session of a role; all contexts of a role share one, until it is forgotten. */
  async cookie(as) {
    const { token, viewer } = this.cluster.settings;
    this.cookies[as] ??= await this.cluster.cookie(as === "viewer" ? viewer : token);
    return this.cookies[as];
  }

  #watch(context) {
    context.on("request", (request) => {
      this.requests += 1;
      const { origin, protocol } = new URL(request.url());
      if (origin !== this.cluster.origin && !["data:", "blob:"].includes(protocol)) {
        this.faults.push(`a request to ${request.url()}`);
      }
    });
    context.on("console", (message) => {
      if (/Content Security Policy/i.test(message.text())) this.faults.push(message.text());
    });
    context.on("weberror", (error) => this.faults.push(`not caught: ${error.error()}`));
  }
}

/** Presses Tab until something has the focus, as one does who has no mouse. */
export async function tabTo(page, selector, most = 300) {
  for (let presses = 0; presses < most; presses += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${selector} has not got the focus after ${most} presses of Tab`);
}

/** The pages of the dashboard, and their names in the navigation. */
export const PAGES = {
  "/": "Overview",
  "/nodes": "Nodes",
  "/nodes/game1": "Nodes",
  "/logs": "Logs",
  "/events": "Events",
  "/call": "Call",
};

/** What a page shows once it has its first data. */
export const FILLED = {
  "/": "svg#topology [data-node='game1'][data-state]",
  "/nodes": "#nodes-table tr[data-node='game1']",
  "/nodes/game1": "[data-node='game1'][data-state]",
  "/logs": "#log [data-line-id]",
  "/events": "#events [data-event-id]",
  "/call": "#call-send",
  "/login": "#token",
};

/** Waits until a page has its first data. */
export function filled(page, path) {
  return page.locator(FILLED[path]).first().waitFor({ state: "attached" });
}
