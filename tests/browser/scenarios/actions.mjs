// U-03: each action by mouse and by keyboard alone; it is done, and the process is another one or the same, as it should
// be. A viewer can do none.

import { check, equal } from "../lib/check.mjs";
import { filled, tabTo } from "../lib/browser.mjs";

const GAME = "game1";

/** Actions in an order in which each can be done; the node afterwards, and whether its process is the same. */
const NODE_ACTIONS = [
  { action: "restart", is: { state: "ready" }, process: "another" },
  { action: "reload", is: { state: "ready" }, process: "another" },
  { action: "drain", is: { drained: true }, process: "same" },
  { action: "undrain", is: { drained: false, state: "ready" }, process: "same" },
  { action: "stop", is: { state: "stopped" }, process: "none" },
  { action: "start", is: { state: "ready" }, process: "another" },
  { action: "kill", is: { state: "ready" }, process: "another" },
  { action: "force", is: { state: "ready" }, process: "same" },
];

export async function scenario({ browser, cluster }) {
  const page = await browser.open(`/nodes/${GAME}`);
  await filled(page, "/nodes/game1");
  await refusedByOneself(page, cluster);
  for (const confirm of [byMouse, byKeyboard]) {
    for (const wanted of NODE_ACTIONS) await ofNode(page, cluster, wanted, confirm);
  }
  await page.goto(`${cluster.origin}/`);
  await filled(page, "/");
  for (const confirm of [byMouse, byKeyboard]) await ofCluster(page, cluster, confirm);
  await page.close();
  await asViewer(browser, cluster);
}

/** Opens the dialog and says yes; gives what the dialog has said. */
async function byMouse(page, action) {
  await page.click(`${button(action)}:enabled`);
  return answered(page, () => page.click("#confirm-yes"));
}

async function byKeyboard(page, action) {
  await page.locator(`${button(action)}:enabled`).waitFor();
  await tabTo(page, button(action));
  await page.keyboard.press("Enter");
  return answered(page, async () => {
    await tabTo(page, "#confirm-yes");
    await page.keyboard.press("Enter");
  });
}

function button(action) {
  return `button[data-action="${action}"]`;
}

async function answered(page, confirm) {
  const dialog = page.locator("dialog#confirm[open]");
  await dialog.waitFor();
  const reason = page.locator("#confirm-reason[required]");
  if (await reason.count()) await reason.fill("a test");
  await page.locator("#confirm-yes:enabled").waitFor();
  const effect = await page.locator("#effect").innerText();
  await confirm();
  await dialog.waitFor({ state: "hidden" });
  return effect;
}

/** Who says no, or presses Escape, has changed nothing, and is back at the button. */
async function refusedByOneself(page, cluster) {
  const before = await cluster.untilProven(GAME);
  for (const refuse of [() => page.click("#confirm-no"), () => page.keyboard.press("Escape")]) {
    await page.click(button("restart"));
    await answered(page, refuse);
    check(await page.evaluate((is) => document.activeElement?.matches(is), button("restart")), "the focus is lost");
  }
  const { incarnation } = await cluster.node(GAME);
  equal(incarnation, before.incarnation, "another life, after nobody said yes");
}

async function ofNode(page, cluster, { action, is, process }, confirm) {
  // A node that is stopped or drained is not to be waited for.
  if (action !== "start" && action !== "undrain") await cluster.untilProven(GAME);
  const before = await cluster.node(GAME);
  const known = await operations(page);
  const how = `${action} ${confirm.name}`;
  const effect = await confirm(page, action);
  check(effect.includes(GAME), `${how}: ${effect}`);
  await done(page, known, how);
  const { pid } = await cluster.untilNode(GAME, `${how}: ${JSON.stringify(is)}`, (node) =>
    Object.entries(is).every(([key, value]) => node[key] === value),
  );
  const found = !pid ? "none" : pid === before.pid ? "same" : "another";
  equal(found, process, `${how}: the process`);
  if (is.state) await page.locator(`[data-node="${GAME}"][data-state="${is.state}"]`).first().waitFor();
}

async function operations(page) {
  const all = page.locator("#operations [data-operation]");
  return all.evaluateAll((list) => list.map((one) => one.dataset.operation));
}

/** Waits for the end of the operation that is new. */
async function done(page, known, how) {
  const end = await page.waitForFunction((before) => {
    const all = [...document.querySelectorAll("#operations [data-operation]")];
    const status = all.find((one) => !before.includes(one.dataset.operation))?.dataset.status;
    return status && status !== "running" && status;
  }, known);
  equal(await end.jsonValue(), "done", how);
}

async function ofCluster(page, cluster, confirm) {
  await cluster.untilProven(GAME);
  const before = await cluster.pids();
  for (const action of ["reload", "rolling-restart"]) {
    const known = await operations(page);
    await confirm(page, action);
    await done(page, known, `${action} ${confirm.name}`);
    if (action === "reload") equal(await cluster.pids(), before, `${action} ${confirm.name}: processes`);
  }
  const after = await cluster.pids();
  check(after[GAME] !== before[GAME], `rolling-restart ${confirm.name}: ${GAME} is the same process`);
}

async function asViewer(browser, cluster) {
  const before = await cluster.pids();
  for (const path of ["/", `/nodes/${GAME}`]) {
    const page = await browser.open(path, { as: "viewer" });
    await filled(page, path);
    const enabled = await page.locator("button[data-action]:enabled").evaluateAll((all) => all.map((one) => one.outerHTML));
    equal(enabled, [], `${path}: actions that a viewer is offered`);
    const status = await page.evaluate(async (action) => {
      const answer = await fetch(action, { method: "POST", headers: { "X-Lampyris": "1" } });
      return answer.status;
    }, `/api/v1/nodes/${GAME}/actions/restart`);
    equal(status, 403, "an action that a viewer asks for");
    await page.close();
  }
  equal(await cluster.pids(), before, "processes after a viewer");
}
