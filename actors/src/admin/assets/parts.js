// Small parts that several pages are made of.
import { html } from "./html.js";
import { store } from "./store.js";
import { clock } from "./format.js";

export const Heading = ({ children }) => html`<h1 tabindex="-1">${children}</h1>`;

export const Card = ({ title, id, tools, children, wide }) => html`
  <section class=${wide ? "card wide" : "card"} aria-label=${title} id=${id}>
    <header><h2>${title}</h2>${tools}</header>
    ${children}
  </section>`;

// A course of numbers as a line; `null` is a gap.
export function Spark({ values, label }) {
  const known = values.filter((value) => value !== null && value !== undefined);
  if (known.length < 2) return html`<svg class="spark" viewBox="0 0 100 24" role="img" aria-label=${`${label}: no course yet`} />`;
  const low = Math.min(0, ...known);
  const high = Math.max(...known, low + 1e-9);
  const step = 100 / (values.length - 1);
  let path = "";
  let pen = "M";
  values.forEach((value, index) => {
    if (value === null || value === undefined) return (pen = "M");
    path += `${pen}${(index * step).toFixed(1)} ${(22 - (20 * (value - low)) / (high - low)).toFixed(1)}`;
    pen = "L";
  });
  return html`<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label=${label}><path d=${path} /></svg>`;
}

// A table that sorts by its columns: { key, title, value, cell, number }.
export function Table({ id, caption, columns, rows, sort, onSort, row, empty }) {
  const column = columns.find((one) => one.key === sort?.key);
  const sorted = column ? [...rows].sort(by(column, sort.down)) : rows;
  const head = (one) => {
    const order = sort?.key === one.key ? (sort.down ? "descending" : "ascending") : undefined;
    const press = () => onSort({ key: one.key, down: order === "ascending" || (!order && one.number) });
    const title = one.value && onSort ? html`<button type="button" class="sort" onClick=${press}>${one.title}</button>` : one.title;
    return html`<th scope="col" aria-sort=${order} class=${one.number ? "number" : ""}>${title}</th>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table id=${id}>
      <caption class="unseen">${caption}</caption>
      <thead><tr>${columns.map(head)}</tr></thead>
      <tbody>${sorted.length ? sorted.map(row) : html`<tr><td class="empty" colspan=${columns.length}>${empty}</td></tr>`}</tbody>
    </table>
  </div>`;
}

function by({ value, number }, down) {
  const order = (left, right) => {
    const [one, other] = [value(left), value(right)];
    // What is not known comes last, whichever the order.
    if (one === null || one === undefined) return other === null || other === undefined ? 0 : 1;
    if (other === null || other === undefined) return -1;
    const result = number ? one - other : String(one).localeCompare(String(other), undefined, { numeric: true });
    return down ? -result : result;
  };
  return order;
}

export const Cell = ({ number, children }) => html`<td class=${number ? "number" : ""}>${children}</td>`;

// Events as a list, the newest first.
export const KINDS = {
  state: "state",
  exit: "exit",
  action: "action",
  link_up: "link up",
  link_down: "link down",
  config: "configuration",
  session: "log-in",
};

export const Events = ({ id, events, empty = "Nothing has happened yet." }) => html`
  <ol class="events" id=${id}>
    ${events.map((event) => html`<li key=${event.seq} data-event-id=${event.seq} data-kind=${event.kind} data-to=${event.to}>
      <time dateTime=${new Date(event.at_ms).toISOString()}>${clock(event.at_ms)}</time>
      <span class="kind">${KINDS[event.kind] ?? event.kind}</span>
      <span class="told" title=${event.text}>${event.node && html`<a href=${`/nodes/${event.node}`}>${event.node}</a> `}${said(event)}${event.by && html` <span class="by">by ${event.by}</span>`}</span>
    </li>`)}
    ${events.length === 0 && html`<li class="empty">${empty}</li>`}
  </ol>`;

// The text of a change of state begins with the state after.
function said({ text, from, to }) {
  if (!to) return text;
  const why = text.startsWith(`${to}: `) ? text.slice(to.length + 2) : text;
  return html`${from} → <b>${to}</b>${why && why !== to ? `, ${why}` : ""}`;
}

// Old numbers say how old they are.
export function Age({ node }) {
  if (node.reportedAt === null) return null;
  const age = (store.now - node.reportedAt) / 1000;
  return age > 3.5 ? html`<span class="old" title="the last report of the node">${Math.round(age)} s old</span>` : null;
}
