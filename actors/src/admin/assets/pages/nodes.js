// All nodes as a table: searched, filtered, sorted; what is chosen can be acted on.
import { html, useMemo, useState } from "../html.js";
import { Actions } from "../actions.js";
import { bytes, count, percent, span, time } from "../format.js";
import { Age, Card, Heading, Table } from "../parts.js";
import { isAdmin, mayOperate, store } from "../store.js";
import { Shape, since, State, stateOf, STATES, words } from "../state.js";

export const title = () => "Nodes";
export const topics = () => [];

const last = (key) => (node) => node.last?.[key] ?? null;
const uptime = (node) => (node.startedAt === null ? null : (store.now - node.startedAt) / 1000);

// Name, title, what it is sorted by, how it is shown.
const COLUMNS = [
  { key: "name", title: "Node", value: (node) => node.name },
  { key: "state", title: "State", value: (node) => STATES.indexOf(node.state), number: false },
  { key: "since", title: "Since", value: (node) => (store.now - node.sinceAt) / 1000, show: since, number: true },
  { key: "app", title: "Application", value: (node) => node.app },
  { key: "pid", title: "Pid", value: (node) => node.pid, number: true },
  { key: "uptime", title: "Up", value: uptime, show: (node) => span(uptime(node)), number: true },
  { key: "restarts", title: "Restarts", value: (node) => node.restarts, number: true },
  { key: "clients", title: "Clients", value: (node) => node.clients, show: (node) => count(node.clients), number: true },
  { key: "mailbox", title: "Mailbox", value: (node) => node.mailbox, show: (node) => count(node.mailbox), number: true },
  { key: "rate", title: "Calls/s", value: last("calls_per_second"), show: (node) => count(last("calls_per_second")(node)), number: true },
  { key: "errors", title: "Errors/s", value: last("errors_per_second"), show: (node) => count(last("errors_per_second")(node)), number: true },
  { key: "p99", title: "p99", value: last("p99"), show: (node) => time(last("p99")(node)), number: true },
  { key: "cpu", title: "CPU", value: last("cpu"), show: (node) => percent(last("cpu")(node)), number: true },
  { key: "rss", title: "Memory", value: (node) => node.rss, show: (node) => bytes(node.rss), number: true },
  { key: "reason", title: "Why", value: (node) => node.reason },
];

const SHOWN = COLUMNS.slice(2).map(({ show, value, number, key }) => ({ show: show ?? value, number, key }));

function Row({ node, chosen, choose }) {
  const state = stateOf(node);
  // The moment counts only to the second, and a row without news is not made again.
  return useMemo(() => html`<tr data-node=${node.name} data-state=${state} class=${chosen ? "chosen" : ""}>
    ${mayOperate() && html`<td><input type="checkbox" aria-label=${`Choose ${node.name}`} checked=${chosen} onChange=${() => choose(node.name)} /></td>`}
    <th scope="row"><a data-row href=${`/nodes/${node.name}`}>${node.name}</a></th>
    <td><${State} node=${node} /> <${Age} node=${node} /></td>
    ${SHOWN.map(({ show, number, key }) => html`<td key=${key} class=${number ? "number" : key}>${show(node) ?? "–"}</td>`)}
  </tr>`, [node, state, chosen, Math.floor(store.now / 1000)]);
}

export function Page() {
  const asked = new URLSearchParams(location.search);
  const [search, setSearch] = useState(asked.get("q") ?? "");
  const [filter, setFilter] = useState(asked.get("state") ?? "");
  const [sort, setSort] = useState(null);
  const [chosen, setChosen] = useState(new Set());
  const all = [...store.nodes.values()];
  const small = search.trim().toLowerCase();
  const finds = (node) => !small || [node.name, node.app, node.reason, words(node), node.host ?? "", String(node.pid ?? "")].some((text) => text.toLowerCase().includes(small));
  const found = all.filter(finds);
  const shown = found.filter((node) => !filter || stateOf(node) === filter);
  const selection = all.filter((node) => chosen.has(node.name));
  const choose = (name) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    setChosen(next);
  };
  const whole = shown.length > 0 && shown.every((node) => chosen.has(node.name));
  const chooseAll = () => setChosen(whole ? new Set() : new Set(shown.map((node) => node.name)));
  const box = { key: "choose", title: html`<input type="checkbox" aria-label="Choose all that are shown" checked=${whole} onChange=${chooseAll} />` };
  const states = STATES.filter((state) => state === filter || found.some((node) => stateOf(node) === state));
  return html`
    <div class="title"><${Heading}>Nodes<//>${isAdmin() && html`<div class="labelled"><span class="hint">cluster</span><${Actions} /></div>`}</div>
    <${Card} title="All nodes" wide tools=${html`<span id="count" class="hint" role="status">${shown.length} of ${all.length} shown</span>`}>
      <div class="bar">
        <input id="search" type="search" placeholder="name, application, state, reason  ( / )" aria-label="Search nodes" value=${search} onInput=${(event) => setSearch(event.target.value)} />
        <div class="chips" role="group" aria-label="Filter by state">
          <button type="button" class="chip" aria-pressed=${filter === ""} onClick=${() => setFilter("")}>all ${found.length}</button>
          ${states.map((state) => html`<button type="button" class="chip" key=${state} data-filter=${state} data-tone=${state} aria-pressed=${filter === state} onClick=${() => setFilter(filter === state ? "" : state)}><${Shape} state=${state} />${state} ${found.filter((node) => stateOf(node) === state).length}</button>`)}
        </div>
      </div>
      ${mayOperate() && html`<div class="bar selection"><span class="hint">${selection.length ? `${selection.length} chosen` : "choose nodes to act on them"}</span><${Actions} nodes=${selection} /></div>`}
      <${Table} id="nodes-table" caption="Nodes" columns=${mayOperate() ? [box, ...COLUMNS] : COLUMNS} rows=${shown} sort=${sort} onSort=${setSort} empty=${all.length ? "No node fits." : "No node is known yet."}
        row=${(node) => html`<${Row} key=${node.name} node=${node} chosen=${chosen.has(node.name)} choose=${choose} />`} />
    <//>`;
}
