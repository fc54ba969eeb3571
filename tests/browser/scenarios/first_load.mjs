// What the first visit costs over the wire, and when there is something to see.

import { check } from "../lib/check.mjs";
import { filled } from "../lib/browser.mjs";

/** The most that a first visit may take: bytes as they come over the wire, and requests. The stream is none. */
const BYTES = 80_000;
const REQUESTS = 12;

export async function scenario({ browser, settings, cluster }) {
  const context = await browser.context();
  const page = await context.newPage();
  const wire = await context.newCDPSession(page);
  const requests = new Map();
  wire.on("Network.responseReceived", ({ requestId, response, type }) => {
    if (type !== "EventSource") requests.set(requestId, { url: response.url, bytes: response.encodedDataLength });
  });
  wire.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    if (requests.has(requestId)) requests.get(requestId).bytes = encodedDataLength;
  });
  await wire.send("Network.enable");
  await page.goto(cluster.origin);
  await filled(page, "/");
  const shown = await page.evaluate(() => performance.now());
  const loaded = await page.evaluate(() => performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd);
  const list = [...requests.values()];
  const bytes = list.reduce((sum, request) => sum + request.bytes, 0);
  const told = list.map(({ url, bytes }) => `${new URL(url).pathname} ${bytes}`).join(", ");
  check(bytes > 0 && bytes <= BYTES, `${bytes} bytes: ${told}`);
  check(list.length <= REQUESTS, `${list.length} requests: ${told}`);
  const most = 500 * settings.slack;
  check(shown <= most, `the topology is there after ${shown.toFixed()} ms, allowed are ${most}`);
  return [
    `first load: ${bytes} bytes in ${list.length} requests, DOMContentLoaded ${loaded.toFixed()} ms, topology ${shown.toFixed()} ms`,
  ];
}
