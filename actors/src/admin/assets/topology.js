// The cluster as a picture: the master, the nodes and the links, from the dialled to the dialling. The places are computed
// when the set of nodes changes, not when their states do, so that a node that restarts stays where it is.
import { Graph, layout } from "./vendor/dagre.esm.js";
import { html, useEffect, useMemo, useRef, useState } from "./html.js";
import { count, span, time } from "./format.js";
import { isUnknown, store } from "./store.js";
import { shape, since, stateOf, words } from "./state.js";

const BOX = { width: 146, height: 58 };

// The most siblings of one application that are drawn one by one.
const SIBLINGS = 12;

// Narrower than this, in pixels, the picture goes down instead of right.
const NARROW = 640;

// With more links than these, and where several come to one box, labels are short.
const DENSE = 6;

// Labels stand where lines arrive, one above the other: how far from the box, and how high a line of text is.
const LABEL = { away: 10, line: 15 };

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

// Lines: from each parent to each child, and from the master to whoever has no parent. The links of the others to the
// master are dots at their boxes: as lines they would hide the tree.
function lines(all) {
  const place = new Map(all.flatMap((box) => (box.group ?? [box.node]).map((node) => [node.name, box.name])));
  return all.flatMap((box) => {
    const parents = (box.node ?? box.group[0]).parents.filter((parent) => place.has(parent));
    const dialled = parents.length ? parents : [MASTER];
    return dialled.map((parent, nth) => ({ key: `${parent}-${box.name}`, from: place.get(parent) ?? MASTER, to: box.name, parent, nth, of: dialled.length }));
  });
}

// How many boxes stand behind each other.
function ranks(edges) {
  const depth = new Map([[MASTER, 1]]);
  for (let round = 0; round < 8; round += 1) {
    for (const { from, to } of edges) depth.set(to, Math.max(depth.get(to) ?? 0, (depth.get(from) ?? 0) + 1));
  }
  return Math.max(...depth.values());
}

function arrange(all, edges, down, room) {
  const graph = new Graph();
  // As many labels as come to one box have their place before it.
  const labels = LABEL.line * Math.max(1, ...edges.map((edge) => edge.of));
  const between = down ? 44 + labels : Math.min(200, Math.max(90, (room - BOX.width * ranks(edges)) / Math.max(1, ranks(edges) - 1) - 20));
  const beside = down ? 8 : Math.max(edges.length > DENSE ? 18 : 34, labels - BOX.height + 8);
  graph.setGraph({ rankdir: down ? "TB" : "LR", nodesep: beside, ranksep: between, marginx: 6, marginy: 8 });
  graph.setDefaultEdgeLabel(() => ({}));
  graph.setNode(MASTER, { ...BOX });
  all.forEach((box) => graph.setNode(box.name, { ...BOX }));
  edges.forEach(({ from, to }) => graph.setEdge(from, to));
  layout(graph);
  return graph;
}

// A link as its ends tell it. The dialling end comes first: it knows why there is none.
function linkOf(parent, box) {
  if (box.group) return { state: "up", text: `${box.group.length} links`, rate: null, rtt: null };
  const { name, pid, host } = box.node;
  const ends = store.links.filter((link) => (link.node === name && link.peer === parent) || (link.node === parent && link.peer === name));
  const own = ends.find((link) => link.node === name) ?? ends[0];
  // The master's own end is where a node's address is known from.
  const gone = parent === MASTER ? host === null : pid === null && host === null;
  if (isUnknown() || (!own && !gone)) return { state: "unknown", text: "unknown", rate: null, rtt: null };
  const fresh = ends.filter((link) => link.report_age !== null && link.report_age < 3.5);
  const down = gone || fresh.some((link) => !link.up);
  if (!down && fresh.length === 0) return { state: "unknown", text: `unknown, told ${span(own.report_age)} ago`, rate: null, rtt: null };
  const state = down ? "down" : "up";
  const why = ends.find((link) => link.why_down)?.why_down ?? null;
  const rtt = down || own.rtt_us === null ? null : own.rtt_us / 1e6;
  return { state, rate: down ? null : own.rate, rtt, text: down ? `down${why ? `: ${why}` : ""}` : "up" };
}

// From the middle of one side to the middle of the other's; where the line is half way, and where it arrives.
function curve(from, to, down) {
  if (down) {
    const [start, end] = [from.y + BOX.height / 2, to.y - BOX.height / 2];
    const middle = (start + end) / 2;
    return { path: `M${from.x} ${start}C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${end}`, half: [(from.x + to.x) / 2, middle], end: [to.x, end] };
  }
  const [start, end] = [from.x + BOX.width / 2, to.x - BOX.width / 2];
  const middle = (start + end) / 2;
  return { path: `M${start} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${end} ${to.y}`, half: [middle, (from.y + to.y) / 2], end: [end, to.y] };
}

function spoken(from, to, link) {
  const rtt = link.rtt === null ? "" : `, round trip ${time(link.rtt)}`;
  return `link of ${to} to ${from}, ${link.text}${rtt}${link.rate === null ? "" : `, ${count(link.rate)} messages a second`}`;
}

function Link({ edge, box, graph, down }) {
  const link = linkOf(edge.parent, box);
  const { path, half: [x, y] } = curve(graph.node(edge.from), graph.node(edge.to), down);
  const label = spoken(edge.from, edge.to, link);
  const width = link.rate ? Math.min(6, 1.5 + Math.log10(1 + link.rate)) : 1.5;
  return html`<g class="link" data-link=${`${edge.from}-${edge.to}`} data-state=${link.state} tabindex="0" role="img" aria-label=${label}>
    <title>${label}</title>
    <path class="wide" d=${path} />
    <path class="wire" d=${path} style=${{ strokeWidth: `${width.toFixed(1)}px` }} />
    ${link.state === "down" && html`<path class="cross" d=${`M${x - 6} ${y - 6}l12 12m0-12-12 12`} />`}
  </g>`;
}

// What stands at a link, on ground of its own: it is drawn when all lines are.
function Label({ edge, box, graph, down, dense }) {
  const link = linkOf(edge.parent, box);
  const first = link.state !== "up" ? link.state : link.rtt === null ? "" : time(link.rtt);
  const second = dense || edge.of > 1 || link.state !== "up" || link.rate === null ? "" : `${count(link.rate)} msg/s`;
  const words = [first, second].filter((word) => word);
  if (words.length === 0) return null;
  // There is room for one long line above a box, and for two short ones before it.
  const texts = down ? [words.join(" · ")] : words;
  const width = 8 + 6.3 * Math.max(...texts.map((text) => text.length));
  const height = LABEL.line * texts.length;
  const [endX, endY] = curve(graph.node(edge.from), graph.node(edge.to), down).end;
  const x = down ? endX : endX - LABEL.away - width / 2;
  const y = down ? endY - LABEL.away - LABEL.line * (edge.nth + 0.5) : endY + LABEL.line * (edge.nth - (edge.of - 1) / 2);
  return html`<g class="label" data-state=${link.state} aria-hidden="true">
    <rect x=${x - width / 2} y=${y - height / 2} width=${width} height=${height} rx="4" />
    ${texts.map((text, index) => html`<text x=${x} y=${y - height / 2 + LABEL.line * index + 11.5}>${text}</text>`)}
  </g>`;
}

// The link to the master of a node that has parents.
function Dot({ node }) {
  const link = linkOf(MASTER, { node });
  const label = spoken(MASTER, node.name, link);
  return html`<g class="link dot" data-link=${`${MASTER}-${node.name}`} data-state=${link.state} tabindex="0" role="img" aria-label=${label}>
    <title>${label}</title>
    <circle cx=${BOX.width - 14} cy="19" r="4.5" />${link.state === "down" && html`<path class="cross" d=${`M${BOX.width - 19} 14l10 10m0-10-10 10`} />`}
  </g>`;
}

function Box({ place, name, pid, state, word, number, load, label, href, go, children }) {
  const [x, y] = [place.x - BOX.width / 2, place.y - BOX.height / 2];
  const open = () => href && go(href);
  const onKey = (event) => event.key === "Enter" && open();
  return html`<g class="node" data-node=${name} data-pid=${pid} data-state=${state} tabindex="0" role=${href ? "link" : "img"} aria-label=${label} transform=${`translate(${x} ${y})`} onClick=${open} onKeyDown=${onKey}>
    <title>${label}</title>
    <rect class="box" width=${BOX.width} height=${BOX.height} rx="10" />
    <svg class="shape" x="12" y="11" width="16" height="16" viewBox="0 0 16 16">${shape(state)}</svg>
    <text class="name" x="36" y="24">${name.length > 12 ? `${name.slice(0, 11)}…` : name}</text>${" "}
    <text class="word" x="12" y="46">${word}</text>${" "}
    <text class="figure" x=${BOX.width - 12} y="46">${number}</text>
    ${load > 0 && html`<rect class="load" x="12" y=${BOX.height - 5} width=${(BOX.width - 24) * Math.min(1, load)} height="2.5" rx="1" />`}
    ${children}
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
  const label = `${node.name}, ${words(node)}, ${number && `${number}, `}${up} links up${node.last?.p99 ? `, p99 ${time(node.last.p99)}` : ""}${state === "ready" ? "" : `, since ${since(node)}, ${node.reason}`}`;
  const short = state === "unknown" ? "unknown" : words(node);
  return html`<${Box} key=${node.name} place=${place} name=${node.name} pid=${node.pid} state=${state} word=${short} number=${number} load=${(node.mailbox ?? 0) / 1000} label=${label} href=${`/nodes/${node.name}`} go=${go}>${node.parents.length > 0 && html`<${Dot} node=${node} />`}<//>`;
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
  const [room, setRoom] = useState(Math.min(innerWidth - 60, 860));
  const down = room < NARROW;
  useEffect(() => {
    // In steps, so that the places are not computed again for each pixel.
    const watcher = new ResizeObserver(([entry]) => setRoom(Math.floor(entry.contentRect.width / 40) * 40));
    watcher.observe(frame.current);
    return () => watcher.disconnect();
  }, []);
  const nodes = [...store.nodes.values()];
  const key = nodes.map((node) => `${node.name}:${node.app}:${node.parents}`).join(";");
  const { all, edges, graph } = useMemo(() => {
    const found = boxes(nodes);
    const between = lines(found);
    return { all: found, edges: between, graph: arrange(found, between, down, room) };
  }, [key, room]);
  // The boxes know the nodes as they were when the places were computed.
  const now = all.map((box) => (box.node ? { ...box, node: store.nodes.get(box.name) ?? box.node } : { ...box, group: box.group.map((node) => store.nodes.get(node.name) ?? node) }));
  const boxNow = new Map(now.map((box) => [box.name, box]));
  const { width, height } = graph.graph();
  const state = isUnknown() ? "unknown" : "ready";
  const summary = `${nodes.length} nodes: ${nodes.map((node) => `${node.name} ${words(node)}`).join(", ")}`;
  return html`<div class="topology" ref=${frame}>
    ${nodes.length === 0 ? html`<p class="empty">No node is known yet.</p>` : html`<svg id="topology" role="group" aria-label=${summary} viewBox=${`0 0 ${width} ${height}`} style=${{ width: `${width}px` }} onKeyDown=${(event) => walk(event, event.currentTarget)}>
      ${edges.map((edge) => html`<${Link} key=${edge.key} edge=${edge} box=${boxNow.get(edge.to)} graph=${graph} down=${down} />`)}
      ${edges.map((edge) => html`<${Label} key=${`label ${edge.key}`} edge=${edge} box=${boxNow.get(edge.to)} graph=${graph} down=${down} dense=${edges.length > DENSE} />`)}
      <${Box} place=${graph.node(MASTER)} name=${MASTER} state=${state} word=${state === "ready" ? "supervises" : "unknown"} number=${store.cluster ? span(store.cluster.uptime).split(" ").slice(0, 2).join(" ") : ""} label=${`master, ${state}, up for ${span(store.cluster?.uptime)}`} />
      ${now.map((box) => boxOf(box, graph.node(box.name), go))}
    </svg>`}
  </div>`;
}
