// Lines of logs: kept, filtered, paused, and shown; of thousands only those in sight are elements. Lines are text, whatever
// stands in them.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./html.js";
import { get, query } from "./api.js";
import { readLines } from "./stream.js";
import { store } from "./store.js";
import { plural } from "./format.js";

// Lines that are kept, and asked for at first.
const KEPT = 5000;
const FIRST = 500;

// Height of a line in pixels, as in the sheet; lines that are drawn above and below those in sight.
const LINE = 20;
const MARGIN = 12;

// How often lines that have come are shown, in milliseconds.
const STEP = 120;

const LEVELS = ["trace", "debug", "info", "warn", "error"];

// A line without what is shown apart: its time, its level and its node.
function body(text, at) {
  if (at && text.startsWith(at)) return text.slice(at.length).replace(/^\s*(TRACE|DEBUG|INFO|WARN|ERROR)\s(node\{name="[^"]*"\}: )?/, "");
  if (!text.startsWith('{"timestamp"')) return text;
  try {
    const { timestamp, level, fields = {}, ...rest } = JSON.parse(text);
    const { message = "", ...others } = { ...rest, ...fields };
    const value = (one) => (typeof one === "string" ? one : JSON.stringify(one));
    return [message, ...Object.entries(others).map(([key, one]) => `${key}=${value(one)}`)].join(" ");
  } catch {
    return text;
  }
}

const CLOCK = new Intl.DateTimeFormat([], { timeStyle: "medium", hourCycle: "h23" });

const shortTime = (at) => {
  const moment = new Date(at);
  return Number.isNaN(moment.getTime()) ? at : `${CLOCK.format(moment)}.${String(moment.getMilliseconds()).padStart(3, "0")}`;
};

// By which a line is known again.
const mark = (line) => `${line.node} ${line.at} ${line.text}`;

// A filter: text, or a regular expression between slashes; null if it makes no sense.
export function matcher(text) {
  const pattern = /^\/(.+)\/$/.exec(text)?.[1];
  if (!pattern) {
    const small = text.toLowerCase();
    return (line) => line.toLowerCase().includes(small);
  }
  try {
    const expression = new RegExp(pattern, "i");
    return (line) => expression.test(line);
  } catch {
    return null;
  }
}

// The lines of some nodes: the last that were written, and those that come. Paused, they wait.
export function useLines(names, paused, first) {
  const [lines, setLines] = useState([]);
  const waiting = useRef([]);
  const next = useRef(0);
  const had = useRef({ key: "", marks: [] });
  const key = names.join();
  useEffect(() => {
    let gone = false;
    let known = null;
    // After a loss of the stream the lines stay, and those that were missed are added.
    if (had.current.key !== key) {
      had.current = { key, marks: [] };
      waiting.current = [];
      setLines([]);
    }
    if (!key) return undefined;
    const { marks } = had.current;
    const add = (line) => {
      waiting.current.push({ ...line, id: `${line.node}-${next.current++}` });
      marks.push(mark(line));
      if (marks.length > 2 * FIRST) marks.splice(0, FIRST);
      if (waiting.current.length > KEPT) waiting.current.splice(0, waiting.current.length - KEPT);
    };
    const early = [];
    const end = readLines((line) => {
      if (!names.includes(line.node)) return;
      if (known === null) early.push(line);
      else if (!known.delete(mark(line))) add(line);
    });
    get(query("/logs", { node: key, lines: first })).catch(() => []).then((stored) => {
      if (gone) return;
      // What has come by both ways is shown once.
      const old = new Set(marks);
      stored.filter((line) => !old.has(mark(line))).forEach(add);
      known = new Set(stored.map(mark));
      early.filter((line) => !known.delete(mark(line))).forEach(add);
      known = new Set([...known].slice(-100));
    });
    return () => {
      gone = true;
      end();
    };
  }, [key, store.era]);
  useEffect(() => {
    if (paused) return undefined;
    const timer = setInterval(() => {
      if (waiting.current.length === 0) return;
      const fresh = waiting.current;
      waiting.current = [];
      setLines((old) => [...old, ...fresh].slice(-KEPT));
    }, STEP);
    return () => clearInterval(timer);
  }, [paused]);
  return [lines, waiting.current.length, () => setLines([])];
}

// With `asked`, a time, the line of that time is shown and marked.
export function LogView({ names, several, tall, asked }) {
  const [paused, setPaused] = useState(false);
  const [filter, setFilter] = useState("");
  const [level, setLevel] = useState("");
  const [lines, waiting, clear] = useLines(names, paused, asked ? KEPT : FIRST);
  const [view, setView] = useState({ top: 0, height: 600 });
  const place = useRef(null);
  const follows = useRef(true);
  const shown = useMemo(() => {
    const fits = matcher(filter);
    const least = LEVELS.indexOf(level);
    return lines.filter((line) => (least < 0 || LEVELS.indexOf(line.level) >= least) && (!filter || !fits || fits(line.text)));
  }, [lines, filter, level]);
  const see = () => {
    const { scrollTop, clientHeight, scrollHeight } = place.current;
    follows.current = scrollHeight - scrollTop - clientHeight < 2 * LINE;
    setView({ top: scrollTop, height: clientHeight });
  };
  const marked = asked ? shown.findIndex((line) => line.at === asked) : -1;
  const found = useRef(null);
  useLayoutEffect(() => {
    if (marked >= 0 && found.current !== asked) {
      found.current = asked;
      follows.current = false;
      place.current.scrollTop = marked * LINE - place.current.clientHeight / 2;
    }
    if (follows.current) place.current.scrollTop = place.current.scrollHeight;
    see();
  }, [shown]);
  const first = Math.max(0, Math.floor(view.top / LINE) - MARGIN);
  const last = Math.min(shown.length, Math.ceil((view.top + view.height) / LINE) + MARGIN);
  const toError = () => {
    const from = Math.floor(view.top / LINE) + 1;
    const of = (start) => shown.findIndex((line, index) => index >= start && line.level === "error");
    const at = of(from) < 0 ? of(0) : of(from);
    if (at >= 0) {
      follows.current = false;
      place.current.scrollTop = at * LINE;
    }
  };
  const save = () => {
    const url = URL.createObjectURL(new Blob([shown.map((line) => (several ? `${line.node} | ${line.text}` : line.text)).join("\n"), "\n"], { type: "text/plain" }));
    Object.assign(document.createElement("a"), { href: url, download: `${names.join("-") || "log"}.log` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };
  const address = (line) => `/logs?nodes=${line.node}&at=${encodeURIComponent(line.at)}`;
  // Reached by j and k: as stops of Tab they would have no end.
  const moment = (line) => {
    const time = shortTime(line.at);
    return html`<a href=${address(line)} tabindex="-1" data-row="" aria-label=${`${time}, link to this line`}><time>${time}</time></a>`;
  };
  const wrong = filter && matcher(filter) === null;
  return html`<div class="logs">
    <div class="bar">
      <input id="log-filter" type="search" placeholder="filter, or /expression/" aria-label="Filter lines" aria-invalid=${wrong ? "true" : undefined} value=${filter} onInput=${(event) => setFilter(event.target.value)} />
      <select aria-label="Least severity" value=${level} onChange=${(event) => setLevel(event.target.value)}>
        <option value="">all levels</option>${LEVELS.map((word) => html`<option value=${word}>${word}${word === "error" ? "" : " and above"}</option>`)}
      </select>
      <button type="button" id="log-pause" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>${paused ? "Paused" : "Pause"}</button>
      <button type="button" onClick=${toError}>Next error</button>
      <button type="button" onClick=${clear}>Clear</button>
      <button type="button" onClick=${save}>Save</button>
      <span class="hint" role="status">${plural(shown.length, "line")}${shown.length < lines.length ? ` of ${lines.length}` : ""}${paused && waiting ? `, ${waiting} waiting` : ""}</span>
    </div>
    <div id="log" class=${tall ? "tall" : ""} ref=${place} tabindex="0" role="log" aria-live="off" aria-label="Lines" onScroll=${see}>
      <div class="sheet" style=${{ height: `${shown.length * LINE}px` }}>
        <div class="window" style=${{ transform: `translateY(${first * LINE}px)` }}>
          ${shown.slice(first, last).map((line, index) => html`<div key=${line.id} class="line" data-line-id=${line.id} data-level=${line.level ?? undefined} aria-current=${first + index === marked ? "true" : undefined}>${line.at ? moment(line) : html`<time />`}${several && html`<span class="from">${line.node}</span>`}<span class="level">${line.level ?? ""}</span><span class="text">${body(line.text, line.at)}</span></div>`)}
        </div>
      </div>
      ${shown.length === 0 && html`<p class="empty">${lines.length ? "No line fits the filter." : names.length ? "No line has been written yet." : "Choose a node above."}</p>`}
    </div>
  </div>`;
}
