// One node: how it is, its courses, its handlers, links, clients and log, how it ended before, and what is configured.
import { html, useEffect, useState } from "../html.js";
import { get, query, remove } from "../api.js";
import { Actions, Force } from "../actions.js";
import { Chart } from "../chart.js";
import { bytes, count, percent, plural, rate, span, time } from "../format.js";
import { LogView } from "../logview.js";
import { Age, Card, Cell, Events, Heading, Table } from "../parts.js";
import { mayOperate, store } from "../store.js";
import { Shape, since, State } from "../state.js";

export const title = (name) => name;
// A name that is no node's would be refused, and the rest with it.
export const topics = (name) => (store.nodes.has(name) ? ["links", `node:${name}`, `logs:${name}`] : ["links"]);

// Points of a course: a quarter of an hour, one a second.
const POINTS = 900;

// How often the list of clients is asked for, in milliseconds.
const STEP = 5000;

const SPANS = [[60, "1 min"], [300, "5 min"], [900, "15 min"]];

// Steps of an axis of bytes: powers of two.
const BINARY = Array.from({ length: 50 }, (_, power) => 2 ** power);

const CHARTS = [
  { title: "Calls", format: rate, lines: [{ label: "calls", key: "calls_per_second", color: "--blue", fill: true }, { label: "errors", key: "errors_per_second", color: "--red" }] },
  { title: "Time of calls", format: time, lines: [{ label: "p50", key: "p50", color: "--green" }, { label: "p99", key: "p99", color: "--purple" }] },
  { title: "Processor", format: percent, lines: [{ label: "cpu", key: "cpu", color: "--amber", fill: true }, { label: "thread busy", key: "busy", color: "--blue" }] },
  { title: "Memory", format: bytes, steps: BINARY, lines: [{ label: "resident", key: "rss", color: "--blue", fill: true }] },
  { title: "Mailbox", format: count, lines: [{ label: "messages", key: "mailbox", color: "--purple", fill: true }] },
  { title: "Timers late by", format: time, lines: [{ label: "at most", key: "lag", color: "--red", fill: true }] },
];
const CLIENTS = { title: "Clients", format: count, lines: [{ label: "connected", key: "clients", color: "--green", fill: true }] };

// The whole node: asked for once with its points, then as the stream tells it.
function useDetail(name) {
  const [detail, setDetail] = useState(null);
  const [points, setPoints] = useState([]);
  const [problem, setProblem] = useState(null);
  const told = store.node?.name === name ? store.node : null;
  const lost = store.lost !== null;
  useEffect(() => {
    let gone = false;
    if (lost) return undefined;
    get(`/nodes/${encodeURIComponent(name)}`).then((found) => {
      if (gone) return;
      setDetail(found);
      setPoints(found.points);
      setProblem(null);
    }, (wrong) => gone || setProblem(wrong));
    return () => {
      gone = true;
    };
  }, [name, lost]);
  useEffect(() => {
    if (!told) return;
    setDetail(told);
    const { last } = told;
    if (last) setPoints((old) => (old.length && old[old.length - 1].at_ms >= last.at_ms ? old : [...old, last].slice(-POINTS)));
  }, [told]);
  return { detail, points, problem };
}

const Fact = ({ name, children }) => html`<div><dt>${name}</dt><dd>${children}</dd></div>`;

function Facts({ node, detail }) {
  const { process, port } = detail;
  const loop = node.restart_window;
  const [next] = [...detail.certificates].sort((one, other) => one.until_ms - other.until_ms);
  return html`<dl class="facts">
    <${Fact} name="since">${since(node)}<//>
    <${Fact} name="why">${node.reason || "–"}<//>
    <${Fact} name="pid">${node.pid ?? "–"}${node.adopted && html` <span class="hint">adopted</span>`}${node.beside && html` <span class="hint">+ ${node.beside.role} ${node.beside.pid}</span>`}<//>
    <${Fact} name="up">${node.startedAt === null ? "–" : span((store.now - node.startedAt) / 1000)}<//>
    <${Fact} name="restarts">${node.restarts}${loop.failed_starts > 0 && html` <span class="bad">${loop.failed_starts} failed starts, ${loop.intensity} allowed in ${span(loop.period)}</span>`}<//>
    <${Fact} name="application">${node.app}<//>
    <${Fact} name="parents">${names(node.parents)}<//>
    <${Fact} name="children">${names(node.children)}<//>
    <${Fact} name="clients">${port ? `${count(port.connected)} of ${count(port.most)}` : "–"}<//>
    <${Fact} name="memory">${bytes(node.rss)}<//>
    <${Fact} name="files">${count(process?.fds)}${process?.fd_limit ? ` of ${count(process.fd_limit)}` : ""}<//>
    <${Fact} name="threads">${count(process?.threads)}<//>
    <${Fact} name="host">${node.host ?? "–"}<//>
    <${Fact} name="version">${node.version ?? "–"}<//>
    <${Fact} name="incarnation"><code title=${node.incarnation}>${node.incarnation?.slice(0, 8) ?? "–"}</code><//>
    ${next && html`<${Fact} name="certificate"><span class=${next.soon ? "bad" : ""} title=${next.file}>holds for ${plural(next.days_left, "day")}</span><//>`}
    ${node.lost_lines > 0 && html`<${Fact} name="log lines lost"><b class="bad">${count(node.lost_lines)}</b><//>`}
  </dl>`;
}

const names = (list) => (list.length ? list.map((name, index) => html`${index > 0 && ", "}<a href=${`/nodes/${name}`}>${name}</a>`) : "–");

function Charts({ points, clients }) {
  const [seconds, setSeconds] = useState(300);
  const from = Math.max(0, points.length - seconds);
  const shown = from ? points.slice(from) : points;
  const tools = html`<div class="chips" role="group" aria-label="Length of the courses">${SPANS.map(([length, text]) => html`<button type="button" class="chip" aria-pressed=${seconds === length} onClick=${() => setSeconds(length)}>${text}</button>`)}</div>`;
  return html`<${Card} title="Courses" tools=${tools} wide>
    <div class="charts">${[...CHARTS, ...(clients ? [CLIENTS] : [])].map((chart) => html`<${Chart} key=${chart.title} ...${chart} points=${shown} />`)}</div>
  <//>`;
}

function Handlers({ detail }) {
  const [sort, setSort] = useState(null);
  const failed = ({ errors }) => Object.values(errors).reduce((sum, number) => sum + number, 0);
  const columns = [
    { key: "name", title: "Handler", value: (handler) => handler.name },
    { key: "command", title: "Command", value: (handler) => handler.command, number: true },
    { key: "rate", title: "Calls/s", value: (handler) => handler.calls_per_second, number: true },
    { key: "calls", title: "Calls", value: (handler) => handler.calls, number: true },
    { key: "errors", title: "Errors", value: failed, number: true },
    { key: "p50", title: "p50", value: (handler) => handler.p50, number: true },
    { key: "p90", title: "p90", value: (handler) => handler.p90, number: true },
    { key: "p99", title: "p99", value: (handler) => handler.p99, number: true },
  ];
  const mailboxes = detail.services.filter(({ name }) => !name.startsWith("lampyris.")).map(({ name, depth, capacity, high_water: high }) => html`<span><b>${name}</b> ${depth} of ${count(capacity)} waiting, most ${high}</span>`);
  return html`<${Card} title="Handlers" wide>
    <${Table} caption="Handlers" columns=${columns} rows=${detail.handlers} sort=${sort} onSort=${setSort} empty="It has told of no handlers." row=${(handler) => html`<tr key=${`${handler.service} ${handler.name}`}>
      <th scope="row">${handler.name} <span class="hint">${handler.service}</span></th><${Cell} number>${handler.command ?? "–"}<//>
      <${Cell} number>${count(handler.calls_per_second)}<//><${Cell} number>${count(handler.calls)}<//>
      <${Cell} number>${failed(handler) ? html`<b class="bad" title=${Object.entries(handler.errors).map(([kind, number]) => `${kind} ${number}`).join(", ")}>${count(failed(handler))}</b>` : "0"}<//>
      <${Cell} number>${time(handler.p50)}<//><${Cell} number>${time(handler.p90)}<//><${Cell} number>${time(handler.p99)}<//></tr>`} />
    ${mailboxes.length > 0 && html`<p class="hint run">${mailboxes}</p>`}
  <//>`;
}

function Links({ detail, node }) {
  const columns = ["Link", "State", "Round trip", "Messages/s", "Waiting", "Held", "Queued", "In", "Out", "Connections"].map((text, index) => ({ key: text, title: text, number: index > 1 }));
  const rates = new Map(store.links.filter((link) => link.node === node.name).map((link) => [link.peer, link.rate]));
  const old = node.pid === null && node.host === null;
  const strangers = Object.entries(detail.strangers).filter(([, number]) => number).map(([reason, number]) => html`<span>turned away ${reason.replaceAll("_", " ")} <b>${count(number)}</b></span>`);
  return html`<${Card} title="Links" wide>
    <${Table} caption="Links" columns=${columns} rows=${detail.links} empty="It has told of no links." row=${(link) => html`<tr key=${link.peer}>
      <th scope="row">${link.relation === "master" ? link.peer : html`<a href=${`/nodes/${link.peer}`}>${link.peer}</a>`} <span class="hint">${link.relation}</span></th>
      <td><${Up} up=${link.up && !old} />${!link.up && link.why_down && html` <span class="hint">${link.why_down}</span>`}</td>
      <${Cell} number>${link.rtt_us === null ? "–" : time(link.rtt_us / 1e6)}<//><${Cell} number>${count(rates.get(link.peer))}<//>
      <${Cell} number>${link.calls}<//><${Cell} number>${link.held}<//><${Cell} number>${bytes(link.queued)}<//><${Cell} number>${bytes(link.bytes_in)}<//><${Cell} number>${bytes(link.bytes_out)}<//><${Cell} number>${link.epoch}<//></tr>`} />
    ${strangers.length > 0 && html`<p class="hint run">${strangers}</p>`}
  <//>`;
}

const Up = ({ up }) => html`<span class="state" data-state=${up ? "ready" : "failed"}><${Shape} state=${up ? "ready" : "failed"} />${up ? "up" : "down"}</span>`;

// A number that should be 0.
const Bad = ({ number }) => (number ? html`<b class="bad">${count(number)}</b>` : "0");

const hasDatabase = ({ name, config }) => config.some(({ key, value }) => key === `servers.${name}.db` && value === "true");

// Also of a node that has told nothing to this master, if it is configured with a database.
function Data({ node, data, current }) {
  const tools = html`${data?.last_failure && html`<span class="hint">last failure: ${data.last_failure}</span>`}<${Force} node=${node} />`;
  if (!data) return html`<${Card} title="Data" wide tools=${tools}><p class="hint">It has told nothing of its database.</p><//>`;
  const { cache } = data;
  const down = current && data.database_down;
  const looks = cache ? cache.hits + cache.misses : 0;
  const state = (up) => (current ? html`<${Up} up=${up} />` : html`<span class="hint">not known; the rest is the last that is known</span>`);
  return html`<${Card} title="Data" wide tools=${tools}>
    <dl class="facts within">
      <${Fact} name="database">${state(data.database_up)}${down && html` <span class="hint">for ${span(down.since)}: ${down.why}</span>`}<//>
      <${Fact} name="connections">${count(data.connections)} <span class="hint">${count(data.connections_idle)} idle</span><//>
      <${Fact} name="waits to be written">${count(data.backlog)}${data.backlog > 0 && html` <span class="hint">the oldest for ${time(data.backlog_age)}</span>`}<//>
      <${Fact} name="written">${count(data.written)}<//>
      <${Fact} name="failed writes"><${Bad} number=${data.write_failures} /><//>
      <${Fact} name="journal">${bytes(data.journal_bytes)} <span class="hint">${count(data.journaled)} changes, ${count(data.journal_syncs)} syncs</span><//>
      <${Fact} name="failures of the journal"><${Bad} number=${data.journal_failures} /><//>
      <${Fact} name="entities in memory">${count(data.entities)} <span class="hint">${count(data.loads)} loaded, ${count(data.evicted)} gone</span><//>
      <${Fact} name="changes of lost entities"><${Bad} number=${data.fenced} /><//>
      ${cache && html`<${Fact} name="cache">${current && html`<${Up} up=${cache.up} />`} <span class="hint">${looks ? `${percent(cache.hits / looks)} of ${count(looks)} looks` : "no looks"}</span><//>`}
    </dl>
  <//>`;
}

function Clients({ node, port }) {
  const [page, setPage] = useState(null);
  const [search, setSearch] = useState("");
  const [cursor, setCursor] = useState(null);
  const [wrong, setWrong] = useState("");
  const ask = () => get(query("/clients", { node: node.name, q: search, cursor, limit: 50 })).then(setPage, (problem) => setWrong(problem.message));
  useEffect(() => {
    if (!mayOperate()) return undefined;
    ask();
    const timer = setInterval(() => document.hidden || ask(), STEP);
    return () => clearInterval(timer);
  }, [search, cursor]);
  const away = (id) => remove(`/clients/${encodeURIComponent(id)}`).then(ask, (problem) => setWrong(problem.message));
  const reasons = (title, counts) => Object.entries(counts).filter(([, number]) => number).map(([reason, number]) => html`<span>${title} ${reason.replaceAll("_", " ")} <b>${count(number)}</b></span>`);
  const columns = ["Client", "Address", "Connected for", "In", "Out", "In flight", "Unsent", ""].map((text, index) => ({ key: text, title: text, number: index > 1 }));
  return html`<${Card} title="Clients" wide tools=${html`<span class="hint">${count(port.connected)} connected</span>`}>
    <p class="hint run"><span>accepted <b>${count(port.accepted)}</b></span>${reasons("refused", port.refused)}${reasons("closed", port.closed)}<span>late answers <b>${count(port.late_answers)}</b></span><span>dropped pushes <b>${count(port.dropped_pushes)}</b></span></p>
    ${mayOperate() && html`<div class="bar"><input type="search" placeholder="address" aria-label="Search clients" value=${search} onInput=${(event) => { setCursor(null); setSearch(event.target.value); }} />${wrong && html`<span class="bad" role="alert">${wrong}</span>`}</div>
      <${Table} caption="Clients" columns=${columns} rows=${page?.clients ?? []} empty="No client is connected." row=${(client) => html`<tr key=${client.id}>
        <th scope="row">${client.id}</th><td>${client.addr}</td><${Cell} number>${span((store.now - client.since_ms) / 1000)}<//><${Cell} number>${bytes(client.bytes_in)}<//><${Cell} number>${bytes(client.bytes_out)}<//><${Cell} number>${client.in_flight}<//><${Cell} number>${bytes(client.unsent)}<//>
        <td class="number"><button type="button" class="plain grave" onClick=${() => away(client.id)}>Send away</button></td></tr>`} />
      ${(page?.next || cursor) && html`<div class="bar">${cursor && html`<button type="button" onClick=${() => setCursor(null)}>First page</button>`}${page?.next && html`<button type="button" onClick=${() => setCursor(page.next)}>Next page</button>`}</div>`}`}
  <//>`;
}

function Exits({ node }) {
  const exits = [...node.last_exits].reverse();
  const code = (exit) => (exit.signal !== null ? `signal ${exit.signal}` : exit.code !== null ? `exit code ${exit.code}` : "unknown");
  return html`<${Card} title="Ends" tools=${html`<span class="hint">${node.restarts} restarts</span>`}>
    <ol class="exits">${exits.map((exit, index) => html`<li key=${exits.length - index}>
      <p><time>${span(exit.ago)} ago</time> <b class=${exit.asked ? "" : "bad"}>${code(exit)}</b> <span>${exit.reason}</span> <span class="hint">after ${span(exit.uptime)}${exit.asked ? ", asked for" : ""}${exit.killed ? ", killed by the master" : ""}</span></p>
      ${exit.last_lines.length > 0 && html`<details open=${index === 0 && !exit.asked}><summary>last lines</summary><pre>${exit.last_lines.join("\n")}</pre></details>`}
    </li>`)}${exits.length === 0 && html`<li class="empty">It has not ended since this master began.</li>`}</ol>
  <//>`;
}

function Config({ settings }) {
  const [search, setSearch] = useState("");
  const small = search.toLowerCase();
  const shown = settings.filter(({ key, value, origin }) => `${key} ${value} ${origin}`.toLowerCase().includes(small));
  const columns = ["Key", "Value", "Origin"].map((text) => ({ key: text, title: text }));
  return html`<${Card} title="Configuration" wide tools=${html`<span class="hint">${shown.length} of ${settings.length} keys; secrets are covered</span>`}>
    <div class="bar"><input type="search" placeholder="key, value or origin" aria-label="Search the configuration" value=${search} onInput=${(event) => setSearch(event.target.value)} /></div>
    <div class="tallest"><${Table} caption="Configuration" columns=${columns} rows=${shown} empty="No key fits." row=${({ key, value, origin }) => html`<tr key=${key} class=${origin === "default" ? "faint" : ""}><th scope="row"><code>${key}</code></th><td><code>${value}</code></td><td>${origin}</td></tr>`} /></div>
  <//>`;
}

export function Page({ name }) {
  const { detail, points, problem } = useDetail(name);
  const node = store.nodes.get(name);
  if (!node) {
    const text = problem?.message ?? "Asking the master …";
    return html`<${Heading}>${name}<//><p class="empty">${text}</p><p><a href="/nodes">All nodes</a></p>`;
  }
  return html`
    <div class="title"><div class="who"><${Heading}>${name}<//><${State} node=${node} /><${Age} node=${node} /></div><${Actions} nodes=${[node]} /></div>
    ${node.warnings.map((text) => html`<p class="warning">${text}</p>`)}
    ${!detail ? html`<p class="empty">${problem?.message ?? "Asking the master …"}</p>` : html`
      <${Facts} node=${node} detail=${detail} />
      <div class="grid">
        <${Charts} points=${points} clients=${detail.port !== null} />
        <${Handlers} detail=${detail} />
        <${Links} detail=${detail} node=${node} />
        ${(detail.data || hasDatabase(detail)) && html`<${Data} node=${node} data=${detail.data} current=${detail.data_current} />`}
        ${detail.port && html`<${Clients} node=${node} port=${detail.port} />`}
        <${Card} title="Log" wide tools=${html`<a href=${`/logs?nodes=${name}`}>with others</a>`}><${LogView} names=${[name]} /><//>
        <${Exits} node=${detail} />
        <${Card} title="Events" tools=${html`<a href=${`/events?node=${name}`}>all</a>`}><div class="tallest"><${Events} events=${store.events.filter((event) => event.node === name).slice(-30).reverse()} /></div><//>
        <${Config} settings=${detail.config} />
      </div>`}`;
}
