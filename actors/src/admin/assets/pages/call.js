// One call by hand: a client's command through the real port, or a message to a handler; the answer, and where the time went.
import { html, useEffect, useState } from "../html.js";
import { get, post } from "../api.js";
import { time } from "../format.js";
import { Card, Heading } from "../parts.js";
import { store } from "../store.js";
import { Shape } from "../state.js";

export const title = () => "Call";
export const topics = () => [];

// What is being asked and what came of it stay when one goes to another page and comes back.
const form = { node: "", what: "", payload: "", kind: "", deadline: "5000" };
let result = null;

const isCommand = (what) => /^\d+$/.test(what.trim());

function request({ node, what, payload, kind, deadline }) {
  const body = { node, deadline_ms: Number(deadline) || 5000 };
  if (isCommand(what)) body.command = Number(what);
  else body.handler = what.trim();
  const form = kind || (isCommand(what) ? "text" : "json");
  if (form === "hex") body.hex = payload.replace(/\s+/g, "");
  else if (form === "text") body.text = payload;
  else body.json = payload.trim() ? JSON.parse(payload) : null;
  return body;
}

function Hops({ answer }) {
  const { spans, seconds } = answer;
  if (spans.length === 0) return html`<p class="empty">No node has told where the time went.</p>`;
  const start = Math.min(...spans.map((span) => span.start_us));
  const end = (span) => (span.start_us - start) / 1e6 + span.queue + span.run;
  const whole = Math.max(1e-9, ...spans.map(end));
  const depth = (span, level = 0) => {
    const parent = spans.find((other) => other.span === span.parent);
    return parent && level < 20 ? depth(parent, level + 1) : level;
  };
  const part = (value) => `${Math.max(0, (100 * value) / whole).toFixed(2)}%`;
  return html`<ol id="call-hops" class="hops">
    ${spans.map((span) => {
      const from = (span.start_us - start) / 1e6;
      return html`<li key=${span.span} data-hop=${span.node} data-fault=${span.fault ?? undefined}>
        <span class="hop" style=${{ paddingLeft: `${depth(span)}em` }}><a href=${`/nodes/${span.node}`}>${span.node}</a> ${span.handler}${span.fault && html` <b class="bad">${span.fault}</b>`}</span>
        <span class="track" aria-hidden="true"><i class="queue" style=${{ left: part(from), width: part(span.queue) }} /><i class="run" style=${{ left: part(from + span.queue), width: part(span.run) }} /></span>
        <span class="number">${time(span.queue + span.run)}<span class="hint"> waited ${time(span.queue)}</span></span>
      </li>`;
    })}
    <li class="legend"><span><i class="run" /> works, with the calls that it makes</span><span><i class="queue" /> waits for its handler</span><span>${time(seconds)} in all, ${time(whole)} of them in the nodes, the rest on the way there and back</span></li>
  </ol>`;
}

function Answer() {
  if (!result) return html`<div id="call-answer" class="empty" role="status">Nothing has been sent yet.</div>`;
  if (result.sending) return html`<div id="call-answer" class="empty" role="status" aria-busy="true">Waiting for the answer …</div>`;
  const { problem, answer } = result;
  if (problem) return html`<div id="call-answer" role="status" data-outcome="refused"><p class="state" data-state="failed"><${Shape} state="failed" />${problem}</p></div>`;
  const { reply, error } = answer;
  if (error) return html`<div id="call-answer" role="status" data-outcome="error"><p class="state" data-state="failed"><${Shape} state="failed" />${error.error}</p><p>${error.message}</p><p class="hint">Did the handler run? ${error.ran}.</p></div>`;
  const text = reply.json !== null ? JSON.stringify(reply.json, null, 2) : reply.text ?? reply.hex;
  return html`<div id="call-answer" role="status" data-outcome="reply"><p class="state" data-state="ready"><${Shape} state="ready" />answered in ${time(answer.seconds)}</p><pre>${text === "" ? "(empty)" : text}</pre>
    ${reply.hex && html`<details><summary>${reply.hex.length / 2} bytes</summary><pre>${reply.hex.match(/.{1,32}/g).map((line) => line.match(/../g).join(" ")).join("\n")}</pre></details>`}
    ${answer.trace && html`<p class="hint">trace <code>${answer.trace}</code></p>`}</div>`;
}

export function Page() {
  const [, again] = useState(0);
  const [handlers, setHandlers] = useState([]);
  const nodes = [...store.nodes.values()];
  const node = form.node || (nodes.find((one) => one.clients !== null) ?? nodes[0])?.name || "";
  const set = (key) => (event) => {
    form[key] = event.target.value;
    again((times) => times + 1);
  };
  useEffect(() => {
    if (!node) return;
    get(`/handlers?node=${encodeURIComponent(node)}`).then(setHandlers, () => setHandlers([]));
  }, [node]);
  const allowed = store.me.calls;
  const send = async (event) => {
    event.preventDefault();
    result = { sending: true };
    again((times) => times + 1);
    try {
      result = { answer: await post("/calls", request({ ...form, node })) };
    } catch (problem) {
      result = { problem: problem.message };
    }
    again((times) => times + 1);
  };
  const guess = form.kind || (isCommand(form.what) || !form.what ? "text" : "json");
  return html`
    <div class="title"><${Heading}>Call<//></div>
    ${!allowed && html`<p class="warning">Calls are for admins, and on loopback unless admin.calls says otherwise.</p>`}
    <div class="grid halves">
      <${Card} title="What to send">
        <form class="fields" onSubmit=${send}>
          <label>Node <select id="call-node" value=${node} onChange=${set("node")}>${nodes.map(({ name, clients }) => html`<option value=${name}>${name}${clients === null ? "" : " (has clients)"}</option>`)}</select></label>
          <label>Command or handler <input id="call-command" required autocomplete="off" spellcheck=${false} list="call-known" placeholder="300 or game.play" value=${form.what} onInput=${set("what")} /></label>
          <datalist id="call-known">${handlers.map((handler) => html`<option value=${handler.command ?? handler.name}>${handler.name}</option>`)}</datalist>
          <label>Payload <textarea id="call-payload" rows="6" spellcheck=${false} value=${form.payload} onInput=${set("payload")} /></label>
          <div class="pair">
            <label>as <select id="call-form" value=${guess} onChange=${set("kind")}>${isCommand(form.what) || !form.what ? html`<option value="text">text</option>` : null}<option value="json">JSON</option><option value="hex">hexadecimal</option></select></label>
            <label>at most, ms <input type="number" min="1" max="60000" value=${form.deadline} onInput=${set("deadline")} /></label>
            <button id="call-send" type="submit" class="primary" disabled=${!allowed || result?.sending || store.lost !== null}>Send</button>
          </div>
          <p class="hint">A number goes through the node's real port for clients; a name goes to its handler over the master's link. Each call stands in the events.</p>
        </form>
      <//>
      <${Card} title="Answer"><${Answer} /><//>
      <${Card} title="Where the time went" wide>${result?.answer ? html`<${Hops} answer=${result.answer} />` : html`<p class="empty">Each handler on the way is a line, from its start to its answer.</p>`}<//>
    </div>`;
}
