// What is known of the cluster at this moment. The stream writes it, the pages show it; must not know either.

// Points of the course of the cluster that are kept, one a second.
const COURSE = 300;

// Events that are kept.
const EVENTS = 5000;

// A report older than this is no news any more, in milliseconds; without word for so long, states are unknown.
export const STALE = 3500;

const { cluster, who, role, calls } = document.body.dataset;

export const store = {
  me: { name: who, role, calls: calls === "true", cluster },
  cluster: null,
  nodes: new Map(),
  links: [],
  events: [],
  lastEvent: null,
  node: null,
  course: [],
  now: Date.now(),
  // When something was heard last, and since when the master has been out of reach.
  heard: Date.now(),
  lost: null,
  // How often it has been reached again.
  era: 0,
};

const watchers = new Set();

export function watch(watcher) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

export function changed() {
  store.now = Date.now();
  watchers.forEach((watcher) => watcher());
}

export const mayOperate = () => store.me.role !== "viewer";
export const isAdmin = () => store.me.role === "admin";
export const isUnknown = () => store.lost !== null && store.now - store.heard > STALE;

export function takeCluster(view) {
  store.cluster = view;
  const { ready, clients, calls_per_second: rate, errors_per_second: errors, p50, p99, restarts } = view.totals;
  const last = store.course[store.course.length - 1];
  const point = { at: Date.now(), ready, clients, rate, errors, p50, p99, restarts };
  if (last && point.at - last.at < 900) store.course[store.course.length - 1] = { ...point, at: last.at };
  else store.course.push(point);
  if (store.course.length > COURSE) store.course.shift();
}

// Times grow by themselves: what is kept is the moment that they count from.
function withMoments(node) {
  const now = Date.now();
  const old = store.nodes.get(node.name);
  const same = old && old.state === node.state && old.pid === node.pid;
  const from = (seconds, former) => {
    if (seconds === null) return null;
    const moment = now - seconds * 1000;
    return same && former !== null ? Math.min(former, moment) : moment;
  };
  const told = old && old.last && node.last && old.last.at_ms === node.last.at_ms;
  return {
    ...node,
    sinceAt: from(node.since, old?.sinceAt ?? null),
    startedAt: from(node.uptime, old?.startedAt ?? null),
    reportedAt: node.report_age === null ? null : told ? old.reportedAt : now - node.report_age * 1000,
    tryAt: node.next_try_in === null ? null : now + node.next_try_in * 1000,
  };
}

export function takeNodes(list) {
  for (const node of list) store.nodes.set(node.name, withMoments(node));
}

// All nodes, in place of those that were known.
export function replaceNodes(list) {
  const nodes = list.map(withMoments);
  store.nodes = new Map(nodes.map((node) => [node.name, node]));
}

// What is kept of a link is also how many messages it had carried in the last seconds, for its rate.
const carried = new Map();

export function takeLinks(list) {
  const now = Date.now();
  for (const link of list) {
    const key = `${link.node} ${link.peer}`;
    const marks = carried.get(key) ?? [];
    const messages = link.frames_in + link.frames_out;
    const last = marks[marks.length - 1];
    if (!last || last.messages !== messages || now - last.at > 1500) marks.push({ at: now, messages });
    while (marks.length > 2 && now - marks[0].at > 6000) marks.shift();
    if (marks.some((mark) => mark.messages > messages)) marks.splice(0, marks.length - 1);
    carried.set(key, marks);
    const first = marks[0];
    const seconds = (now - first.at) / 1000;
    link.rate = seconds > 0.9 ? (messages - first.messages) / seconds : null;
  }
  store.links = list;
}

export function takeNode(detail) {
  store.node = detail;
}

// Events come in any order and perhaps twice; kept are the newest, the oldest first.
export function takeEvents(list) {
  const known = new Set(store.events.map((event) => event.seq));
  const fresh = list.filter((event) => !known.has(event.seq));
  if (fresh.length === 0) return;
  const all = [...store.events, ...fresh].sort((left, right) => left.seq - right.seq);
  store.events = all.slice(-EVENTS);
  store.lastEvent = store.events[store.events.length - 1].seq;
}
