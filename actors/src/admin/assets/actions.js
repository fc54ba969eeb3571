// What can be asked of nodes and of the cluster: the buttons, the question before, and how far it is.
import { html, useEffect, useRef, useState } from "./html.js";
import { get, post } from "./api.js";
import { changed, isAdmin, mayOperate, store } from "./store.js";
import { plural } from "./format.js";

const WORDS = {
  start: "Start",
  stop: "Stop",
  restart: "Restart",
  reload: "Reload",
  drain: "Drain",
  undrain: "Undrain",
  kill: "Kill",
  force: "Force",
  "rolling-restart": "Rolling restart",
};

// A reload is of a node's program, or of the configuration of all.
const wordOf = (action, ofCluster) => (ofCluster && action === "reload" ? "Reload configuration" : WORDS[action]);

const OF_NODE = ["start", "restart", "reload", "drain", "undrain", "stop", "kill"];
const OF_CLUSTER = ["rolling-restart", "reload", "stop"];
const GRAVE = ["stop", "kill", "force"];
const NEEDS_REASON = ["force"];

// How long an action without an operation may take until it is called failed, in milliseconds.
const PATIENCE = 60_000;

// Operations that are shown, and for how long those that have succeeded, in milliseconds.
const SHOWN = 4;
const LINGER = 60_000;

// Nodes of a selection whose dry runs are shown one by one.
const TOLD = 12;

// When an action that has no operation has come to its end.
const GOALS = {
  start: (node) => node.state === "ready",
  stop: (node) => node.state === "stopped",
  drain: (node) => node.drained === true,
  undrain: (node) => node.drained === false,
  kill: (node, before) => node.pid !== before.pid || node.state === "stopped",
};

// Why an action makes no sense now; null if it does.
function obstacle(action, node) {
  if (action === "start") return node.pid === null ? null : `${node.name} runs already`;
  if (action === "stop") return node.state === "stopped" ? `${node.name} is stopped already` : null;
  if (action === "kill") return node.pid === null ? `${node.name} has no process here` : null;
  if (action === "undrain") return node.drained ? null : `${node.name} is not drained`;
  if (action === "drain") {
    if (node.drained) return `${node.name} is drained already`;
    if (node.pid === null) return `${node.name} does not run`;
    return node.children.length || node.clients !== null ? `${node.name} has clients or children; restart it instead` : null;
  }
  return null;
}

const dialog = { question: null };

function ask(action, names) {
  const opener = document.activeElement;
  dialog.question = { action, names, effect: null, failed: false, opener };
  const question = dialog.question;
  const paths = names ? names.slice(0, TOLD).map((name) => `/nodes/${encodeURIComponent(name)}/actions/${action}`) : [`/cluster/actions/${action}`];
  Promise.all(paths.map((path) => post(path, { dry_run: true }).then((answer) => answer.effect, (problem) => problem)))
    .then((effects) => {
      question.failed = effects.every((effect) => effect instanceof Error);
      const lines = effects.map((effect) => (effect instanceof Error ? `${effect.message}${effect.hint ? `; ${effect.hint}` : ""}` : effect));
      if (names && names.length > TOLD) lines.push(`… and ${names.length - TOLD} more`);
      question.effect = lines.join("\n");
      changed();
    });
  changed();
}

// Buttons for some nodes; for the cluster without.
export function Actions({ nodes }) {
  if (!mayOperate() || (!nodes && !isAdmin())) return null;
  const names = nodes?.map((node) => node.name);
  const actions = nodes ? OF_NODE.filter((action) => action !== "kill" || isAdmin()) : OF_CLUSTER;
  return html`<div class="actions" role="group" aria-label=${nodes ? "Actions on nodes" : "Actions on the cluster"}>
    ${actions.map((action) => {
      const why = nodes ? (nodes.length ? nodes.map((node) => obstacle(action, node)).find((one, _, all) => one !== null && all.every((other) => other !== null)) : "no node is selected") : null;
      const off = Boolean(why) || store.lost !== null;
      return html`<button type="button" data-action=${action} class=${GRAVE.includes(action) ? "grave" : ""} disabled=${off} title=${why ?? undefined} onClick=${() => ask(action, names)}>${wordOf(action, !nodes)}</button>`;
    })}
  </div>`;
}

// The button that frees the entities of one node: it stands with its data, apart from what concerns its process.
export function Force({ node }) {
  if (!isAdmin()) return null;
  return html`<button type="button" data-action="force" class="grave" disabled=${store.lost !== null} title=${`Free the entities that ${node.name} does not come back for`} onClick=${() => ask("force", [node.name])}>${WORDS.force}</button>`;
}

// The question before an action.
export function Confirm() {
  const element = useRef(null);
  const [typed, setTyped] = useState("");
  const [reason, setReason] = useState("");
  const { question } = dialog;
  useEffect(() => {
    if (question && !element.current.open) {
      setTyped("");
      setReason("");
      element.current.showModal();
    }
  }, [question]);
  const close = () => {
    const opener = question?.opener;
    dialog.question = null;
    if (element.current.open) element.current.close();
    changed();
    opener?.focus?.();
  };
  if (!question) return html`<dialog id="confirm" ref=${element} aria-labelledby="confirm-title" />`;
  const { action, names, effect, failed } = question;
  const needsName = !names && action === "stop";
  const needsReason = NEEDS_REASON.includes(action);
  const ready = effect !== null && !failed && (!needsName || typed === store.me.cluster) && (!needsReason || reason.trim() !== "");
  const yes = (event) => {
    event.preventDefault();
    if (!ready) return;
    carryOut(action, names, reason.trim());
    close();
  };
  const word = wordOf(action, !names);
  const whom = !names ? `the cluster ${store.me.cluster}` : names.length === 1 ? names[0] : plural(names.length, "node");
  return html`<dialog id="confirm" ref=${element} aria-labelledby="confirm-title" onCancel=${close} onClose=${close}>
    <form onSubmit=${yes}>
      <h2 id="confirm-title">${word} ${whom}?</h2>
      <p id="effect" class=${failed ? "wrong" : ""} aria-live="polite">${effect ?? "Asking what will happen …"}</p>
      ${needsName && html`<label>Type <b>${store.me.cluster}</b> to confirm <input id="confirm-name" autocomplete="off" value=${typed} onInput=${(event) => setTyped(event.target.value)} /></label>`}
      <label>Reason, for the events${needsReason ? "; it is needed" : ""} <input id="confirm-reason" autocomplete="off" maxlength="200" required=${needsReason} value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
      <div class="answers">
        <button type="button" id="confirm-no" onClick=${close}>Cancel</button>
        <button type="submit" id="confirm-yes" class=${GRAVE.includes(action) ? "grave" : "primary"} disabled=${!ready}>${word}</button>
      </div>
    </form>
  </dialog>`;
}

// Operations of this tab, which outlive a reload of the page.
const KEEP = "lampyris-operations";
let operations = [];
try {
  operations = JSON.parse(sessionStorage.getItem(KEEP)) ?? [];
} catch {
  operations = [];
}
let last = operations.reduce((most, operation) => Math.max(most, operation.number), 0);

function note() {
  sessionStorage.setItem(KEEP, JSON.stringify(operations.slice(-SHOWN * 4)));
  changed();
}

function end(operation, status, text) {
  Object.assign(operation, { status, text, ended: Date.now() });
  note();
}

// Nodes of a selection are restarted one after the other; other actions are asked for all at once.
async function carryOut(action, names, reason) {
  const slow = action === "restart" || action === "reload";
  for (const name of names ?? [null]) {
    const done = begin(action, name, reason);
    if (slow && !(await done)) return;
  }
}

async function begin(action, name, reason) {
  const before = name ? { pid: store.nodes.get(name)?.pid ?? null } : null;
  const operation = { number: ++last, id: null, action, name, before, status: "running", text: "", at: Date.now() };
  operations.push(operation);
  note();
  try {
    const path = name ? `/nodes/${encodeURIComponent(name)}` : "/cluster";
    const answer = await post(`${path}/actions/${action}`, reason ? { reason } : {});
    operation.id = answer.operation ?? null;
    if (!name && action === "reload") end(operation, "done", reloaded(answer));
    else if (action === "force") end(operation, "done", answer.effect);
    else if (!name && action === "stop") end(operation, "running", "the nodes are being stopped, then the master");
    return await follow(operation);
  } catch (problem) {
    const findings = (problem.findings ?? []).map((finding) => finding.message ?? "").filter(Boolean);
    end(operation, "failed", [problem.message, ...findings, problem.hint].filter(Boolean).join("; "));
    return false;
  }
}

function reloaded({ applied, added, removed, restart }) {
  const list = (word, names) => (names.length ? `${word} ${names.join(", ")}` : "");
  const keys = (changes) => changes.map((change) => change.key);
  const parts = [list("applied", keys(applied)), list("added", added), list("removed", removed), list("after a restart", keys(restart))];
  return parts.filter(Boolean).join("; ") || "nothing has changed";
}

// Until an operation is over; whether it has succeeded.
async function follow(operation) {
  while (operation.status === "running") {
    await new Promise((wake) => setTimeout(wake, 250));
    if (operation.id) await look(operation);
    else watchGoal(operation);
  }
  return operation.status === "done";
}

async function look(operation) {
  try {
    const { state, error, done, left } = await get(`/operations/${operation.id}`);
    if (left.length) operation.text = `${done.length} of ${done.length + left.length} nodes done, now ${left[0]}`;
    if (state !== "running") end(operation, state, error ?? (done.length ? `${plural(done.length, "node")} restarted` : ""));
    else note();
  } catch (problem) {
    if (problem.status === 404) end(operation, "failed", problem.message);
  }
}

function watchGoal(operation) {
  const goal = GOALS[operation.action];
  const node = store.nodes.get(operation.name);
  if (!operation.name) {
    if (store.lost !== null && Date.now() - store.lost > 1000) end(operation, "done", "the master has ended");
  } else if (goal && node && goal(node, operation.before)) end(operation, "done", "");
  if (operation.status === "running" && Date.now() - operation.at > PATIENCE) end(operation, "failed", "it has not come to its end within a minute");
}

operations.filter((operation) => operation.status === "running").forEach(follow);

export function Operations() {
  const counts = ({ status, ended }) => status !== "done" || store.now - ended < LINGER;
  const shown = operations.filter(counts).slice(-SHOWN);
  const dismiss = (gone) => {
    operations = operations.filter((operation) => operation !== gone);
    note();
  };
  return html`<section id="operations" aria-label="Operations" hidden=${shown.length === 0}>
    ${shown.map((operation) => html`<div key=${operation.number} class="operation" role="status" data-operation=${operation.id ?? operation.number} data-status=${operation.status}>
      <span class="mark" aria-hidden="true" />
      <span><b>${wordOf(operation.action, !operation.name)} ${operation.name ?? store.me.cluster}</b> ${progress(operation)}${operation.text && `: ${operation.text}`}</span>
      ${operation.status !== "running" && html`<button type="button" class="plain" aria-label=${`Dismiss ${operation.action} ${operation.name ?? ""}`} onClick=${() => dismiss(operation)}>✕</button>`}
    </div>`)}
  </section>`;
}

function progress({ status, at }) {
  if (status !== "running") return status;
  return `running for ${Math.max(0, Math.round((store.now - at) / 1000))} s`;
}
