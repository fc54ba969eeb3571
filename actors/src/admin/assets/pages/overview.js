// The cluster at a glance: how it is and why, its numbers, its picture, and what happened last.
import { html, useEffect, useState } from "../html.js";
import { get } from "../api.js";
import { Actions } from "../actions.js";
import { count, rate, span, time } from "../format.js";
import { Cell, Card, Events, Heading, Spark, Table } from "../parts.js";
import { isUnknown, store } from "../store.js";
import { Shape } from "../state.js";
import { Topology } from "../topology.js";

export const title = () => "Overview";
export const topics = () => ["links"];

// Events and handlers that are shown.
const LAST = 9;
const TOP = 8;

// How often the handlers are asked for, in milliseconds.
const STEP = 5000;

const MARKS = { healthy: "ready", degraded: "degraded", down: "failed", stopping: "stopping", unknown: "unknown" };

export function Verdict() {
  const { cluster } = store;
  const health = isUnknown() || !cluster ? "unknown" : cluster.verdict.health;
  const line = !cluster ? "Asking the master …" : isUnknown() ? `Unknown for ${span((store.now - store.heard) / 1000)}; at last ${cluster.verdict.line}` : cluster.verdict.line;
  const others = cluster?.verdict.reasons.slice(1, 4) ?? [];
  return html`<div class="verdict" id="verdict" data-health=${health}>
    <${Shape} state=${MARKS[health]} />
    <div><p>${line}</p>${others.length > 0 && html`<ul>${others.map((reason) => html`<li>${reason}</li>`)}${cluster.verdict.reasons.length > 4 && html`<li>and ${cluster.verdict.reasons.length - 4} more</li>`}</ul>`}</div>
  </div>`;
}

const Tile = ({ name, value, more, values, grave }) => html`<div class="tile" data-grave=${grave || undefined}>
  <span class="label">${name}</span>
  <span class="value">${value}</span>
  <span class="more">${more}</span>
  ${values && html`<${Spark} values=${values} label=${`${name} in the last minutes`} />`}
</div>`;

function Tiles() {
  const { cluster, course } = store;
  const totals = cluster?.totals;
  if (!totals) return html`<div class="tiles" aria-busy="true" />`;
  const of = (key) => course.map((point) => point[key]);
  return html`<div class="tiles">
    <${Tile} name="nodes ready" value=${`${totals.ready} of ${totals.nodes}`} more=${totals.reporting < totals.nodes ? `${totals.reporting} report` : "all report"} values=${of("ready")} grave=${totals.ready < totals.nodes} />
    <${Tile} name="clients" value=${count(totals.clients)} more="connected" values=${of("clients")} />
    <${Tile} name="calls" value=${rate(totals.calls_per_second)} more="all handlers" values=${of("rate")} />
    <${Tile} name="p50 · p99" value=${html`${time(totals.p50)} <small>·</small> ${time(totals.p99)}`} more="of the last 10 to 20 s" values=${of("p99")} />
    <${Tile} name="errors" value=${rate(totals.errors_per_second)} more="calls that failed" values=${of("errors")} grave=${totals.errors_per_second > 0} />
    <${Tile} name="restarts" value=${count(totals.restarts)} more=${`master up ${span(cluster.uptime)}`} values=${of("restarts")} />
  </div>`;
}

function Handlers() {
  const [top, setTop] = useState("calls");
  const [list, setList] = useState(null);
  useEffect(() => {
    let gone = false;
    const ask = () => !document.hidden && get(`/handlers?top=${top}`).then((found) => gone || setList(found), () => {});
    ask();
    const timer = setInterval(ask, STEP);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, [top]);
  const failed = (handler) => Object.values(handler.errors).reduce((sum, number) => sum + number, 0);
  const columns = [{ key: "handler", title: "Handler" }, { key: "node", title: "Node" }, { key: "rate", title: "Calls/s", number: true }, { key: "calls", title: "Calls", number: true }, { key: "errors", title: "Errors", number: true }, { key: "p50", title: "p50", number: true }, { key: "p99", title: "p99", number: true }];
  const tools = html`<select aria-label="Sorted by" value=${top} onChange=${(event) => setTop(event.target.value)}><option value="calls">by calls</option><option value="latency">by latency</option><option value="errors">by errors</option></select>`;
  return html`<${Card} title="Top handlers" tools=${tools} wide>
    <${Table} caption="Handlers with the most" columns=${columns} rows=${(list ?? []).slice(0, TOP)} empty=${list ? "No node has told of handlers." : "Asking …"} row=${(handler) => html`<tr key=${`${handler.node} ${handler.service} ${handler.name}`}>
      <th scope="row">${handler.name}</th>
      <td><a href=${`/nodes/${handler.node}`}>${handler.node}</a></td>
      <${Cell} number>${count(handler.calls_per_second)}<//><${Cell} number>${count(handler.calls)}<//>
      <${Cell} number>${failed(handler) ? html`<b class="bad">${count(failed(handler))}</b>` : "0"}<//>
      <${Cell} number>${time(handler.p50)}<//><${Cell} number>${time(handler.p99)}<//></tr>`} />
  <//>`;
}

const LEGEND = html`<p class="legend"><span><i class="wire" /> link up</span><span><i class="wire down" /> down</span><span><i class="wire unknown" /> unknown</span><span><i class="dot" /> link to the master</span><span class="hint">labels: round trip, messages a second</span></p>`;

export function Page({ go }) {
  return html`
    <div class="title"><${Heading}>Overview<//><${Actions} /></div>
    <${Verdict} />
    <${Tiles} />
    <div class="grid main-side">
      <${Card} title="Topology"><${Topology} go=${go} />${LEGEND}<//>
      <${Card} title="Last events" tools=${html`<a href="/events">all</a>`}><${Events} id="last-events" events=${store.events.slice(-LAST).reverse()} /><//>
      <${Handlers} />
    </div>`;
}
