// States: each has a word, a shape and a colour, the same everywhere.
import { html } from "./html.js";
import { isUnknown, store } from "./store.js";
import { span } from "./format.js";

// Shapes in a square of 16; `ink` is what lies on them.
const ring = html`<circle class="line" cx="8" cy="8" r="6.2" />`;
const SHAPES = {
  ready: html`<circle cx="8" cy="8" r="7" /><path class="ink" d="M4.8 8.2l2.3 2.3 4.2-4.6" />`,
  starting: html`${ring}<path class="line" d="M8 4.6V8l2.4 1.6" />`,
  degraded: html`<path d="M8 1.2 15.4 14.4H.6Z" /><path class="ink" d="M8 6v3.6m0 1.9v.6" />`,
  draining: html`<rect x="1" y="1" width="14" height="14" rx="3" /><path class="ink" d="M8 4v7m-3-2.8L8 11l3-2.8" />`,
  stopping: html`<rect class="line" x="2" y="2" width="12" height="12" rx="2" /><path class="line" d="M5.5 8h5" />`,
  stopped: html`<rect x="2" y="2" width="12" height="12" rx="2" />`,
  backoff: html`<path class="line" d="M3.2 4.4A6 6 0 1 1 2 8.4" /><path d="M1.2 1.8v4.6h4.6Z" />`,
  failed: html`<path d="M5 1h6l4 4v6l-4 4H5l-4-4V5Z" /><path class="ink" d="M5.2 5.2l5.6 5.6m0-5.6-5.6 5.6" />`,
  unreachable: html`<path d="M8 .6 15.4 8 8 15.4.6 8Z" /><path class="ink" d="M6.2 6.4a1.8 1.8 0 1 1 2.5 1.7q-.7.3-.7 1.2m0 1.9v.5" />`,
  unknown: html`<circle class="line dashed" cx="8" cy="8" r="6.2" /><path class="line" d="M6.2 6.4a1.8 1.8 0 1 1 2.5 1.7q-.7.3-.7 1.2m0 1.9v.5" />`,
};

export const STATES = Object.keys(SHAPES);

export const shape = (state) => SHAPES[state] ?? SHAPES.unknown;

// The state of a node as far as it is known now.
export const stateOf = (node) => (isUnknown() ? "unknown" : node.state);

// It in words, with its age if it is not known any more.
export function words(node) {
  const state = stateOf(node);
  if (state !== "unknown") return node.drained && state === "ready" ? "ready, drained" : state;
  return `unknown, ${node.state} ${span((store.now - store.heard) / 1000)} ago`;
}

export const Shape = ({ state }) => html`<svg class="shape" viewBox="0 0 16 16" aria-hidden="true">${shape(state)}</svg>`;

export const State = ({ node }) => {
  const state = stateOf(node);
  return html`<span class="state" data-node=${node.name} data-state=${state}><${Shape} state=${state} />${words(node)}</span>`;
};

// How long a node has been in its state, and until the next attempt.
export function since(node) {
  const text = span((store.now - node.sinceAt) / 1000);
  if (node.tryAt === null) return text;
  const left = Math.max(0, (node.tryAt - store.now) / 1000);
  return `${text}, next try in ${left.toFixed(left < 10 ? 1 : 0)} s`;
}
