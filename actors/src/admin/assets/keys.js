// The keys: `g` and a letter for the pages, the rest at once. Nothing while somebody types.

export const KEYS = [
  ["g o", "Overview"],
  ["g n", "Nodes"],
  ["g l", "Logs"],
  ["g e", "Events"],
  ["g c", "Call"],
  ["/", "search"],
  ["j, k", "next, previous line"],
  ["Enter", "open"],
  ["← ↑ ↓ →", "along the links of the picture"],
  ["r", "restart the node that is shown"],
  ["p", "pause the log"],
  ["t", "dark or light"],
  ["?", "this list"],
];

const PAGES = { o: "/", n: "/nodes", l: "/logs", e: "/events", c: "/call" };

// How long a `g` waits for its letter, in milliseconds.
const PATIENCE = 1500;

const press = (selector) => document.querySelector(selector)?.click();

function move(step) {
  const rows = [...document.querySelectorAll("main [data-row]")];
  const at = rows.indexOf(document.activeElement);
  rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))]?.focus();
}

export function listenToKeys(go, help) {
  let since = 0;
  const keys = {
    "/": () => document.querySelector("#search, #log-filter, #event-filter, #call-command")?.focus(),
    j: () => move(1),
    k: () => move(-1),
    p: () => press("#log-pause"),
    t: () => press("#theme"),
    r: () => press('main [data-action="restart"]:not(:disabled)'),
    "?": help,
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "Escape" && typing) typing.blur();
    const text = typing && !["checkbox", "radio", "button"].includes(typing.type);
    if (text || document.querySelector("dialog[open]")) return;
    const waits = Date.now() - since < PATIENCE;
    since = 0;
    if (waits && PAGES[event.key]) go(PAGES[event.key]);
    else if (event.key === "g") since = Date.now();
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  });
}
