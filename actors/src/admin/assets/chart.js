// Courses over time, drawn by uPlot, which is loaded when a chart is shown for the first time. Each has a summary in words
// and can be read as a table.
import { html, useEffect, useRef, useState } from "./html.js";
import { clock } from "./format.js";

const HEIGHT = 130;

// Rows of a chart as a table.
const ROWS = 15;

let library = null;

function load() {
  const element = (name, values, parent) =>
    new Promise((done, failed) => parent.append(Object.assign(document.createElement(name), values, { onload: done, onerror: failed })));
  library ??= Promise.all([
    element("link", { rel: "stylesheet", href: import.meta.resolve("./vendor/uPlot.min.css") }, document.head),
    element("script", { src: import.meta.resolve("./vendor/uPlot.iife.min.js") }, document.head),
  ]);
  return library;
}

// Colours of the sheet, as a canvas wants them.
function colour(name) {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(${name})`;
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function options({ lines, format, steps }, width) {
  const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  const clockOf = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour12: false });
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { sync: { key: "node" }, drag: { x: false, y: false }, points: { size: 6 } },
    scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high ?? 0) > 0 ? high * 1.1 : 1] } },
    axes: [
      { ...axis, size: 22, space: 70, values: (_, all) => all.map(clockOf) },
      { ...axis, ...(steps && { incrs: steps }), size: 62, space: 34, values: (_, all) => all.map((value) => format(value)) },
    ],
    series: [{}, ...lines.map(({ label, color, fill }) => ({ label, stroke: colour(color), width: 1.6, points: { show: false }, fill: fill ? `${colour(color).replace("rgb(", "rgba(").replace(")", ", .12)")}` : undefined }))],
  };
}

// `lines` are { label, key, color, fill }; points have `at_ms` and a value for each key; `steps` are what may lie between
// two labels of the axis, if not decimal numbers.
export function Chart({ title, lines, points, format, steps }) {
  const place = useRef(null);
  const plot = useRef(null);
  const [at, setAt] = useState(null);
  const [table, setTable] = useState(false);
  const data = [points.map((point) => point.at_ms / 1000), ...lines.map(({ key }) => points.map((point) => point[key] ?? null))];
  const theme = document.documentElement.dataset.theme;
  useEffect(() => {
    let gone = false;
    let watcher = null;
    if (table) return undefined;
    load().then(() => {
      if (gone) return;
      const made = options({ lines, format, steps }, place.current.clientWidth);
      made.hooks = { setCursor: [(chart) => setAt(chart.cursor.idx ?? null)] };
      plot.current = new globalThis.uPlot(made, data, place.current);
      watcher = new ResizeObserver(([entry]) => plot.current?.setSize({ width: entry.contentRect.width, height: HEIGHT }));
      watcher.observe(place.current);
    }, () => {});
    return () => {
      gone = true;
      watcher?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [theme, table]);
  useEffect(() => plot.current?.setData(data), [points]);
  const index = at !== null && at < points.length ? at : points.length - 1;
  const now = lines.map(({ label, key, color }) => html`<span class="value"><i class="swatch" style=${{ background: `var(${color})` }} />${label} <b>${format(points[index]?.[key])}</b></span>`);
  return html`<figure class="chart" aria-label=${`${title}: ${summary(lines, points, format)}`}>
    <figcaption><span class="title">${title}</span><span class="values">${now}</span>
      <button type="button" class="plain" aria-pressed=${table} title="view as table" aria-label=${`${title}: view as table`} onClick=${() => setTable(!table)}>▤</button></figcaption>
    ${table ? html`<${Rows} lines=${lines} points=${points} format=${format} />` : html`<div class="canvas" ref=${place} style=${{ minHeight: `${HEIGHT}px` }} aria-hidden="true" />`}
    <p class="unseen">${summary(lines, points, format)}</p>
  </figure>`;
}

function summary(lines, points, format) {
  if (points.length === 0) return "nothing is known yet";
  return lines.map(({ label, key }) => {
    const values = points.map((point) => point[key]).filter((value) => value !== null && value !== undefined);
    if (values.length === 0) return `${label} unknown`;
    return `${label} now ${format(values[values.length - 1])}, least ${format(Math.min(...values))}, most ${format(Math.max(...values))}`;
  }).join("; ");
}

function Rows({ lines, points, format }) {
  const step = Math.max(1, Math.ceil(points.length / ROWS));
  const chosen = points.filter((_, index) => (points.length - 1 - index) % step === 0).reverse();
  return html`<div class="scroll short" tabindex="0"><table>
    <thead><tr><th scope="col">Time</th>${lines.map(({ label }) => html`<th scope="col" class="number">${label}</th>`)}</tr></thead>
    <tbody>${chosen.map((point) => html`<tr><td>${clock(point.at_ms)}</td>${lines.map(({ key }) => html`<td class="number">${format(point[key])}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}
