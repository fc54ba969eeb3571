// The cluster as a picture: the master, the nodes and the links, from the dialled to the dialling. The places are computed
// when the set of nodes changes, not when their states do, so that a node that restarts stays where it is.
import { Graph, layout } from "./vendor/dagre.esm.js";
import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { count, span, time } from "./format.js";
import { isUnknown, store } from "./store.js";
import { shape, since, stateOf, words } from "./state.js";

const BOX = { width: 158, height: 58 };

// The most siblings of one application that are drawn one by one.
const SIBLINGS = 12;

// Narrower than this, in pixels, the picture goes down instead of right.
const NARROW = 640;

const MASTER = "master";

// What is drawn: nodes, and in place of too many alike one box for all of them.
function boxes(nodes) {
  const alike = new Map();
  for (const node of nodes) {
    const key = node.children.length ? node.name : `${node.app} ${node.parents.join()}`;
    alike.set(key, [...(alike.get(key) ?? []), node]);
  }
  return [...alike.values()].flatMap((group) =>
    group.length > SIBLINGS ? [{ name: `${group[0].name} …`, group }] : group.map((node) => ({ name: node.name, node })));
}

// Lines: from each parent to each child, and from the master to all, or to the first if there are many.
function lines(all) {
  const place = new Map(all.flatMap((box) => (box.group ?? [box.node]).map((node) => [node.name, box.name])));
  const found = new Map();
  for (const box of all) {
    const node = box.node ?? box.group[0];
    const parents = node.parents.filter((parent) => place.has(parent));
    for (const parent of parents) found.set(`${parent}-${box.name}`, { from: place.get(parent), to: box.name, box, parent });
    if (parents.length === 0 || all.length <= SIBLINGS) {
      found.set(`${MASTER}-${box.name}`, { from: MASTER, to: box.name, box, parent: MASTER, aside: parents.length > 0 });
    }
  }
  return [...found.entries()].map(([key, line]) => ({ key, ...line }));
}

function arrange(all, edges, down) {
  const graph = new Graph();
  const direction = down ? "TB" : "LR";
  graph.setGraph({ rankdir: direction, nodesep: down ? 14 : 22, ranksep: down ? 46 : 96, marginx: 6, marginy: 6 });
  graph.setDefaultEdgeLabel(() => ({}));
  graph.setNode(MASTER, { ...BOX });
  all.forEach((box) => graph.setNode(box.name, { ...BOX }));
  edges.forEach(({ from, to, aside }) => graph.setEdge(from, to, { weight: aside ? 0 : 3, minlen: 1 }));
  layout(graph);
  return graph;
}

// A link as its ends tell it. The dialling end comes first: it knows why there is none.
function linkOf({ parent, box }) {
  if (box.group) return { state: "up", text: `${box.group.length} links`, rate: null, rtt: null };
  const { name, pid, host } = box.node;
  const ends = store.links.filter((link) => (link.node === name && link.peer === parent) || (link.node === parent && link.peer === name));
  const own = ends.find((link) => link.node === name) ?? ends[0];
  if (isUnknown() || !own) return { state: "unknown", text: "unknown", rate: null, rtt: null };
  const gone = pid === null && host === null;
  const fresh = ends.filter((link) => link.report_age !== null && link.report_age < 3.5);
  const down = gone || fresh.some((link) => !link.up);
  if (!down && fresh.length === 0) return { state: "unknown", text: `unknown, told ${span(own.report_age)} ago`, rate: null, rtt: null };
  const state = down ? "down" : "up";
  const why = ends.find((link) => link.why_down)?.why_down;
  const rtt = own.rtt_us === null ? null : own.rtt_us / 1e6;
  return { state, rate: own.rate, rtt, queued: own.calls + own.held, text: down ? `down${why ? `: ${why}` : ""}` : "up" };
}

const curve = (points, down) => {
  const [first, ...rest] = points;
  let path = `M${first.x} ${first.y}`;
  let at = first;
  for (const point of rest) {
    const [middleX, middleY] = [(at.x + point.x) / 2, (at.y + point.y) / 2];
    path += down ? `C${at.x} ${middleY} ${point.x} ${middleY} ${point.x} ${point.y}` : `C${middleX} ${at.y} ${middleX} ${point.y} ${point.x} ${point.y}`;
    at = point;
  }
  return path;
};

function Link({ edge, graph, down }) {
  const link = linkOf(edge);
  const { points } = graph.edge(edge.from, edge.to);
  const middle = points[Math.floor(points.length / 2)];
  const label = [link.rtt === null ? null : time(link.rtt), link.rate === null ? null : `${count(link.rate)} msg/s`].filter(Boolean);
  const spoken = `link of ${edge.to} to ${edge.from}, ${link.text}${link.rtt === null ? "" : `, round trip ${time(link.rtt)}`}${link.rate === null ? "" : `, ${count(link.rate)} messages a second`}`;
  const width = link.rate ? Math.min(6, 1.5 + Math.log10(1 + link.rate)) : 1.5;
  const shown = link.state === "up" ? label : [link.state];
  return html`<g class="link" data-link=${`${edge.from}-${edge.to}`} data-state=${link.state} data-aside=${edge.parent === MASTER || undefined} tabindex="0" role="img" aria-label=${spoken}>
    <title>${spoken}</title>
    <path class="wide" d=${curve(points, down)} />
    <path class="wire" d=${curve(points, down)} style=${{ strokeWidth: `${width.toFixed(1)}px` }} />
    ${link.state === "down" && html`<path class="cross" d=${`M${middle.x - 6} ${middle.y - 6}l12 12m0-12-12 12`} />`}
    ${shown.length > 0 && html`<text class="label" x=${middle.x} y=${middle.y - (shown.length > 1 ? 9 : 7)}>${shown.map((text, index) => html`<tspan x=${middle.x} dy=${index ? "1.6em" : "0"}>${text}</tspan>`)}</text>`}
  </g>`;
}

function Box({ place, name, state, word, number, load, label, href, go }) {
  const [x, y] = [place.x - BOX.width / 2, place.y - BOX.height / 2];
  const open = () => href && go(href);
  const onKey = (event) => event.key === "Enter" && open();
  return html`<g class="node" data-node=${name} data-state=${state} tabindex="0" role=${href ? "link" : "img"} aria-label=${label} transform=${`translate(${x} ${y})`} onClick=${open} onKeyDown=${onKey}>
    <title>${label}</title>
    <rect class="box" width=${BOX.width} height=${BOX.height} rx="10" />
    <svg class="shape" x="12" y="11" width="16" height="16" viewBox="0 0 16 16">${shape(state)}</svg>
    <text class="name" x="36" y="24">${name.length > 15 ? `${name.slice(0, 14)}…` : name}</text>
    <text class="word" x="12" y="46">${word}</text>
    <text class="figure" x=${BOX.width - 12} y="46">${number}</text>
    ${load > 0 && html`<rect class="load" x="12" y=${BOX.height - 5} width=${(BOX.width - 24) * Math.min(1, load)} height="2.5" rx="1" />`}
  </g>`;
}

function boxOf(box, place, go) {
  if (box.group) {
    const ready = box.group.filter((node) => node.state === "ready").length;
    const state = isUnknown() ? "unknown" : ready === box.group.length ? "ready" : ready ? "degraded" : "failed";
    const word = `${ready} of ${box.group.length} ready`;
    return html`<${Box} key=${box.name} place=${place} name=${box.name} state=${state} word=${word} number="" label=${`${box.name}, ${word}`} href=${`/nodes?q=${encodeURIComponent(box.group[0].app)}`} go=${go} />`;
  }
  const { node } = box;
  const state = stateOf(node);
  const rate = node.last?.calls_per_second ?? null;
  const serves = state === "ready" || state === "degraded";
  const number = !serves ? "" : node.clients ? `${count(node.clients)} clients` : rate === null ? "" : `${count(rate)}/s`;
  const up = store.links.filter((link) => link.node === node.name && link.up).length;
  const label = `${node.name}, ${words(node)}, ${up} links up${node.last?.p99 ? `, p99 ${time(node.last.p99)}` : ""}${state === "ready" ? "" : `, since ${since(node)}, ${node.reason}`}`;
  const short = state === "unknown" ? "unknown" : words(node);
  return html`<${Box} key=${node.name} place=${place} name=${node.name} state=${state} word=${short} number=${number} load=${(node.mailbox ?? 0) / 1000} label=${label} href=${`/nodes/${node.name}`} go=${go} />`;
}

// The next box in the direction of an arrow key.
function walk(event, svg) {
  const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
  const from = event.target.closest?.(".node");
  if (!way || !from) return;
  event.preventDefault();
  const middle = (element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return [left + width / 2, top + height / 2];
  };
  const [x, y] = middle(from);
  let best = null;
  for (const box of svg.querySelectorAll(".node")) {
    const [dx, dy] = [middle(box)[0] - x, middle(box)[1] - y];
    const ahead = dx * way[0] + dy * way[1];
    const cost = ahead + 2 * Math.abs(dx * way[1] + dy * way[0]);
    if (ahead > 4 && (!best || cost < best.cost)) best = { box, cost };
  }
  best?.box.focus();
}

export function Topology({ go }) {
  const frame = useRef(null);
  const [down, setDown] = useState(innerWidth < NARROW);
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => setDown(entry.contentRect.width < NARROW));
    watcher.observe(frame.current);
    return () => watcher.disconnect();
  }, []);
  const nodes = [...store.nodes.values()];
  const key = nodes.map((node) => `${node.name}:${node.app}:${node.parents}`).join(";");
  const { all, edges, graph } = useMemo(() => {
    const found = boxes(nodes);
    const between = lines(found);
    return { all: found, edges: between, graph: arrange(found, between, down) };
  }, [key, down]);
  // The boxes know the nodes as they were when the places were computed.
  const now = all.map((box) => (box.node ? { ...box, node: store.nodes.get(box.name) ?? box.node } : { ...box, group: box.group.map((node) => store.nodes.get(node.name) ?? node) }));
  const boxNow = new Map(now.map((box) => [box.name, box]));
  const { width, height } = graph.graph();
  const state = isUnknown() ? "unknown" : "ready";
  const summary = `${nodes.length} nodes: ${nodes.map((node) => `${node.name} ${words(node)}`).join(", ")}`;
  return html`<div class="topology" ref=${frame}>
    ${nodes.length === 0 ? html`<p class="empty">No node is known yet.</p>` : html`<svg id="topology" role="group" aria-label=${summary} viewBox=${`0 0 ${width} ${height}`} style=${{ width: `${width}px` }} onKeyDown=${(event) => walk(event, event.currentTarget)}>
      ${edges.map((edge) => html`<${Link} key=${edge.key} edge=${{ ...edge, box: boxNow.get(edge.to) }} graph=${graph} down=${down} />`)}
      <${Box} place=${graph.node(MASTER)} name=${MASTER} state=${state} word=${state === "ready" ? "supervises" : "unknown"} number=${store.cluster ? span(store.cluster.uptime) : ""} label=${`master, ${state}, up for ${span(store.cluster?.uptime)}`} />
      ${now.map((box) => boxOf(box, graph.node(box.name), go))}
    </svg>`}
  </div>`;
}
