// The one stream of this tab: the topics of the page that is shown, or the cluster alone while nobody looks. When it ends
// it is opened again behind the last event that was heard.
import { get } from "./api.js";
import { announce } from "./announce.js";
import { changed, replaceNodes, store, takeCluster, takeEvents, takeLinks, takeNode, takeNodes } from "./store.js";

// A stream that says nothing for so long is dead: the cluster's uptime alone is news once a second.
const SILENCE = 4000;

// Until the next attempt, at first and at most, in milliseconds.
const FIRST_DELAY = 300;
const MOST_DELAY = 5000;

let wanted = ["cluster"];
let source = null;
let delay = FIRST_DELAY;
let timer = 0;
let refused = 0;
const readers = new Set();

// From now on these topics.
export function listen(topics) {
  if (source && topics.join() === wanted.join()) return;
  wanted = topics;
  refused = 0;
  open();
}

// The lines of the logs that are listened to go to `reader`; gives what ends that.
export function readLines(reader) {
  readers.add(reader);
  return () => readers.delete(reader);
}

function open() {
  clearTimeout(timer);
  source?.close();
  // A topic that is refused would take the others with it.
  const topics = refused > 1 ? wanted.filter((topic) => !topic.includes(":")) : wanted;
  const since = store.lastEvent === null ? "" : `&since=${store.lastEvent}`;
  const list = encodeURIComponent(document.hidden ? "cluster" : topics.join());
  source = new EventSource(`/api/v1/stream?topics=${list}${since}`);
  const mine = source;
  const on = (kind, take) =>
    mine.addEventListener(kind, (message) => {
      if (mine !== source) return;
      heard();
      take(JSON.parse(message.data));
      if (kind !== "log") changed();
    });
  mine.onopen = () => {
    if (store.lastEvent === null) history();
  };
  on("cluster", (view) => {
    takeCluster(view);
    if (!document.hidden && store.nodes.size > 0 && store.nodes.size !== view.totals.nodes) allNodes();
  });
  on("nodes", takeNodes);
  on("links", takeLinks);
  on("node", takeNode);
  on("event", (event) => {
    takeEvents([event]);
    announce(event);
  });
  on("skipped", history);
  on("log", (line) => readers.forEach((reader) => reader(line)));
  mine.onerror = () => {
    if (mine === source) lose();
  };
}

function heard() {
  store.heard = Date.now();
  if (store.lost !== null) store.era += 1;
  store.lost = null;
  delay = FIRST_DELAY;
}

async function lose() {
  source.close();
  store.lost ??= store.heard;
  changed();
  clearTimeout(timer);
  timer = setTimeout(open, delay);
  delay = Math.min(2 * delay, MOST_DELAY);
  try {
    // Says whether the master is gone, the session over (then the way in is shown), or a topic refused.
    await get("/whoami");
    refused += 1;
  } catch {
    refused = 0;
  }
}

async function history() {
  try {
    takeEvents((await get("/events?limit=500")).events);
    changed();
  } catch {
    // It is asked for again when the stream is open again.
  }
}

async function allNodes() {
  try {
    replaceNodes(await get("/nodes"));
    changed();
  } catch {
    // The next number of nodes that is not right asks again.
  }
}

document.addEventListener("visibilitychange", () => source && open());
addEventListener("online", () => store.lost && open());
setInterval(() => {
  if (source && store.lost === null && Date.now() - store.heard > SILENCE) lose();
  changed();
}, 1000);
