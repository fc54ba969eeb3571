// What has happened: changes of state, ends, links, what operators asked for and who they are.
import { html, useState } from "../html.js";
import { get } from "../api.js";
import { changed, store, takeEvents } from "../store.js";
import { Card, Events, Heading, KINDS } from "../parts.js";

export const title = () => "Events";
export const topics = () => [];

// Events that are shown at first, and more with each wish.
const STEP = 200;

export function Page() {
  const asked = new URLSearchParams(location.search);
  const [kind, setKind] = useState(asked.get("kind") ?? "");
  const [node, setNode] = useState(asked.get("node") ?? "");
  const [search, setSearch] = useState("");
  const [most, setMost] = useState(STEP);
  const small = search.toLowerCase();
  const fits = (event) => (!kind || event.kind === kind) && (!node || event.node === node) && (!small || `${event.node ?? ""} ${event.text} ${event.to ?? ""} ${event.by ?? ""}`.toLowerCase().includes(small));
  const found = store.events.filter(fits).reverse();
  const more = async () => {
    setMost(most + STEP);
    // The first of those that are kept may be older than those that were asked for at first.
    if (most + STEP >= found.length && store.events[0]?.seq > 1) takeEvents((await get("/events?limit=5000").catch(() => ({ events: [] }))).events);
    changed();
  };
  const known = [...new Set([...store.nodes.keys(), ...store.events.map((event) => event.node).filter(Boolean)])];
  return html`
    <div class="title"><${Heading}>Events<//></div>
    <${Card} title="What has happened" wide tools=${html`<span class="hint" role="status">${Math.min(most, found.length)} of ${store.events.length} shown</span>`}>
      <div class="bar">
        <input id="event-filter" type="search" placeholder="text or name  ( / )" aria-label="Search events" value=${search} onInput=${(event) => setSearch(event.target.value)} />
        <select aria-label="Node" value=${node} onChange=${(event) => setNode(event.target.value)}><option value="">all nodes</option>${known.map((name) => html`<option value=${name}>${name}</option>`)}</select>
        <div class="chips" role="group" aria-label="Kinds"><button type="button" class="chip" aria-pressed=${kind === ""} onClick=${() => setKind("")}>all</button>
          ${Object.entries(KINDS).map(([word, text]) => html`<button type="button" class="chip" data-kind=${word} aria-pressed=${kind === word} onClick=${() => setKind(kind === word ? "" : word)}>${text}</button>`)}</div>
      </div>
      <${Events} id="events" events=${found.slice(0, most)} empty=${store.events.length ? "No event fits." : "Nothing has happened yet."} />
      ${(found.length > most || store.events[0]?.seq > 1) && html`<div class="bar"><button type="button" onClick=${more}>Older</button></div>`}
    <//>`;
}
