// The logs of several nodes in one, as they are written.
import { html } from "../html.js";
import { changed, store } from "../store.js";
import { Heading } from "../parts.js";
import { LogView } from "../logview.js";
import { Shape, stateOf } from "../state.js";

export const title = () => "Logs";

// Logs that one stream may follow.
const MOST = 20;

// The nodes whose logs are shown stand in the address; without, all of them.
function chosen() {
  const all = ["master", ...store.nodes.keys()];
  const asked = new URLSearchParams(location.search).get("nodes");
  if (asked === null) return all.slice(0, MOST);
  return asked.split(",").filter((name) => all.includes(name)).slice(0, MOST);
}

// Before the nodes are known, none can be named.
export const topics = () => (store.nodes.size ? chosen().map((name) => `logs:${name}`) : []);

function show(names) {
  history.replaceState(null, "", `/logs?nodes=${names.join()}`);
  changed();
}

export function Page() {
  const names = store.nodes.size ? chosen() : [];
  const all = ["master", ...store.nodes.keys()];
  const toggle = (name) => show(names.includes(name) ? names.filter((other) => other !== name) : [...names, name]);
  const asked = new URLSearchParams(location.search).get("at");
  return html`
    <div class="title"><${Heading}>Logs<//></div>
    <section class="card wide" aria-label="Logs">
      <div class="bar"><div class="chips" role="group" aria-label="Nodes">
        ${all.map((name) => html`<button type="button" class="chip" key=${name} data-log-node=${name} data-tone=${store.nodes.has(name) ? stateOf(store.nodes.get(name)) : "ready"} aria-pressed=${names.includes(name)} disabled=${!names.includes(name) && names.length >= MOST} onClick=${() => toggle(name)}>${store.nodes.has(name) && html`<${Shape} state=${stateOf(store.nodes.get(name))} />`}${name}</button>`)}
        <button type="button" class="chip" onClick=${() => show(names.length === Math.min(MOST, all.length) ? [] : all.slice(0, MOST))}>${names.length === Math.min(MOST, all.length) ? "none" : "all"}</button>
      </div></div>
      <${LogView} names=${names} several tall asked=${asked} />
    </section>`;
}
