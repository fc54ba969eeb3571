// U-05: in all that was done before, nothing was asked of anybody else, nothing broke the policy, and no error was left.

import { check } from "../lib/check.mjs";

export async function scenario({ browser }) {
  check(browser.faults.length === 0, [...new Set(browser.faults)].join("\n"));
  check(browser.requests > 0, "nothing was watched");
  return [`${browser.requests} requests, none to another origin`];
}
