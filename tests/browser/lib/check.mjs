// What scenarios ask with: assertions that say what was seen, waiting for something that can be looked at, and numbers.

import assert from "node:assert/strict";

/** How long most things may take, in milliseconds: far more than they do, as the machine may have other work. */
export const PATIENCE = 30_000;

export function check(holds, text) {
  assert.ok(holds, text);
}

export function equal(found, wanted, text) {
  assert.deepEqual(found, wanted, text);
}

/** Looks again and again until there is something to see, and gives it. */
export async function until(what, look, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${patience} ms`);
    await pause(20);
  }
}

/** Lets time pass, where passing it is the point: a look repeated, or something that must not happen meanwhile. */
export function pause(millis) {
  return new Promise((resume) => setTimeout(resume, millis));
}

/** The value that a part `q` of all values does not exceed. */
export function quantile(values, q) {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * q) - 1)];
}
