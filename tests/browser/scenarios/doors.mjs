// U-09: how one comes in, and who does not: codes that are good once and not for ever, the cookie, pages of others, other
// names, and the way out.

import http from "node:http";
import { check, equal, pause } from "../lib/check.mjs";
import { FOREIGN, filled } from "../lib/browser.mjs";

const COOKIE_LIFE = 12 * 3600;

export async function scenario({ browser, cluster, settings, code }) {
  const context = await codeOnce(browser, settings.address);
  await tooLate(browser, cluster, code);
  await byToken(browser, settings);
  await pagesOfOthers(browser, cluster, context);
  await otherNames(browser, cluster);
  await wayOut(cluster, context);
}

/** The address that the master prints opens the page once; gives the context that it has opened. */
async function codeOnce(browser, address) {
  const context = await browser.context({ as: null });
  const page = await context.newPage();
  await page.goto(address);
  await filled(page, "/");
  check(!page.url().includes("code"), `the code stays in ${page.url()}`);
  const [cookie, ...others] = await context.cookies();
  equal(others, [], "other cookies");
  check(cookie.httpOnly && cookie.sameSite === "Strict" && cookie.path === "/", JSON.stringify(cookie));
  const life = cookie.expires - Date.now() / 1000;
  check(life > COOKIE_LIFE - 60 && life <= COOKIE_LIFE + 1, `the cookie lives ${life} s`);
  equal(await page.evaluate(() => document.cookie), "", "a cookie that the page can read");
  await refused(browser, address, "a second time");
  return context;
}

async function refused(browser, address, when) {
  const context = await browser.context({ as: null });
  const page = await context.newPage();
  await page.goto(address);
  await page.locator("#token").waitFor();
  await page.getByRole("alert").filter({ hasText: /\w/ }).first().waitFor();
  equal(await context.cookies(), [], `a cookie for a code, ${when}`);
  equal(await page.locator("[data-node]").count(), 0, `nodes for a code, ${when}`);
  await context.close();
}

async function tooLate(browser, cluster, { code, seconds, at }) {
  await pause(Math.max(0, at + (seconds + 1) * 1000 - Date.now()));
  await refused(browser, `${cluster.origin}/#code=${code}`, "too late");
}

/** The form leads to where one wanted to go, and nowhere without the right token. */
async function byToken(browser, settings) {
  const page = await browser.open("/events", { as: null });
  await page.fill("#token", "not-the-token-at-all");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: /\w/ }).first().waitFor();
  equal(await page.locator("#token").getAttribute("type"), "password", "the token's field");
  await page.fill("#token", settings.token);
  await page.keyboard.press("Enter");
  await filled(page, "/events");
  equal(new URL(page.url()).pathname, "/events", "after the log-in");
  await page.close();
}

/** A page of another port is the same site, so the browser does send it the cookie; it gets nothing done by that. */
async function pagesOfOthers(browser, cluster, { storageState }) {
  const before = await cluster.pids();
  const action = `${cluster.origin}/api/v1/nodes/game1/actions/restart`;
  const server = http.createServer((_, answer) => {
    answer.setHeader("content-type", "text/html");
    answer.end(`<form id="f" method="post" action="${action}" enctype="text/plain"></form>`);
  });
  await new Promise((resume) => server.listen(0, "127.0.0.1", resume));
  const context = await browser.context({ watched: false });
  const page = await context.newPage();
  const answers = [];
  page.on("response", (answer) => {
    if (answer.url().startsWith(cluster.origin) && answer.request().method() !== "OPTIONS") answers.push(answer);
  });
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const read = await page.evaluate(attack, { action, origin: cluster.origin });
  equal(read, [], "what a page of others has got");
  await page.evaluate(() => document.querySelector("#f").submit());
  await page.waitForURL(action);
  check(answers.length > 0, "the attack has not reached the cluster");
  for (const answer of answers) {
    const cookie = (await answer.request().allHeaders()).cookie;
    const asked = `${answer.request().method()} ${answer.url()}: ${answer.status()}`;
    check(answer.status() === 403 || !cookie, asked);
    check(!answer.request().method().startsWith("P") || answer.status() === 403, asked);
  }
  equal(await cluster.pids(), before, "processes after a page of others");
  await context.close();
  server.close();
}

/** What a foreign page can try; gives what it could read or was told to have done. */
async function attack({ action, origin }) {
  const got = [];
  const tries = [
    [action, { method: "POST", mode: "no-cors", credentials: "include", body: "{}" }],
    [action, { method: "POST", credentials: "include", headers: { "X-Lampyris": "1" } }],
    [`${origin}/api/v1/nodes`, { credentials: "include" }],
    [`${origin}/api/v1/session`, { method: "DELETE", credentials: "include", headers: { "X-Lampyris": "1" } }],
  ];
  for (const [address, options] of tries) {
    const answer = await fetch(address, options).catch(() => null);
    if (answer?.ok || (await answer?.text())) got.push(`${address}: ${answer.status}`);
  }
  const stream = new EventSource(`${origin}/api/v1/stream?topics=events`, { withCredentials: true });
  const opened = await new Promise((resume) => {
    stream.onopen = () => resume(true);
    stream.onerror = () => resume(false);
  });
  stream.close();
  if (opened) got.push("the stream");
  return got;
}

/** A name that somebody else has pointed here is not answered, however much it looks like an address. */
async function otherNames(browser, cluster) {
  const { port } = new URL(cluster.origin);
  const context = await browser.context({ as: null, watched: false });
  const page = await context.newPage();
  const answer = await page.goto(`http://${FOREIGN}:${port}/`);
  equal(answer.status(), 403, FOREIGN);
  equal(await page.locator("#token").count(), 0, "a form for a foreign name");
  await context.close();
  for (const host of [FOREIGN, "127.evil.test", `127.0.0.1.evil.test:${port}`, "localhost.evil.test"]) {
    equal(await cluster.statusAs(host), 403, host);
  }
  equal(await cluster.statusAs(`127.0.0.1:${port}`), 200, "the own name");
}

async function wayOut(cluster, context) {
  const [cookie] = await context.cookies();
  const [page] = context.pages();
  await page.click("#logout");
  await page.locator("#token").waitFor();
  equal(await context.cookies(), [], "cookies after the log-out");
  const answer = await fetch(`${cluster.origin}/api/v1/whoami`, { headers: { cookie: `${cookie.name}=${cookie.value}` } });
  equal(answer.status, 401, "the old cookie");
  await page.goto(`${cluster.origin}/nodes`);
  await page.locator("#token").waitFor();
  await context.close();
}
