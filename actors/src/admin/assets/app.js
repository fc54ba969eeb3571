// The frame of the page: which page is shown, the way between them, the banner, the theme, and what all pages share.
import { html, render, useEffect, useRef, useState } from "./html.js";
import { remove } from "./api.js";
import { Confirm, Operations } from "./actions.js";
import { clock, span } from "./format.js";
import { KEYS, listenToKeys } from "./keys.js";
import { enter } from "./login.js";
import { changed, store, watch } from "./store.js";
import { listen } from "./stream.js";

// Each page has a title, the topics of the stream that it needs, and what it shows; it is loaded when one comes to it.
const PAGES = {
  "/": () => import("./pages/overview.js"),
  "/nodes": () => import("./pages/nodes.js"),
  "/nodes/": () => import("./pages/node.js"),
  "/logs": () => import("./pages/logs.js"),
  "/events": () => import("./pages/events.js"),
  "/call": () => import("./pages/call.js"),
};
const NAV = [["/", "Overview"], ["/nodes", "Nodes"], ["/logs", "Logs"], ["/events", "Events"], ["/call", "Call"]];
const ALWAYS = ["cluster", "nodes", "events"];

// While a page is on its way, or has not come.
const waiting = (text) => ({ title: () => "…", topics: () => [], Page: () => html`<p class="empty" role="status">${text}</p>` });
const COMING = waiting("Loading …");
const LOST = waiting("The page could not be loaded. Reload it when the master answers again.");
const loaded = new Map();

function load(key) {
  if (!loaded.has(key)) {
    loaded.set(key, COMING);
    PAGES[key]().then((page) => loaded.set(key, page), () => loaded.set(key, LOST)).then(changed);
  }
  return loaded.get(key);
}

function pageOf(path) {
  const name = /^\/nodes\/([^/]+)$/.exec(path)?.[1];
  if (name) return { page: load("/nodes/"), name: decodeURIComponent(name), nav: "/nodes" };
  const nav = PAGES[path] ? path : "/";
  return { page: load(nav), name: null, nav };
}

function go(path) {
  if (path === location.pathname + location.search) return;
  history.pushState(null, "", path);
  arrive();
}

// A page that one comes to is read from its top, once it is there.
let arriving = false;

function arrive() {
  arriving = true;
  changed();
}

function settle() {
  const heading = document.querySelector("h1");
  if (!arriving || !heading) return;
  arriving = false;
  scrollTo(0, 0);
  heading.focus({ preventScroll: true });
}

function onClick(event) {
  const link = event.target.closest?.("a[href]");
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  const href = link?.getAttribute("href");
  if (!link || !plain || event.defaultPrevented || link.hasAttribute("download")) return;
  const path = href.split("?")[0];
  if (!NAV.some(([known]) => known === path) && !/^\/nodes\/[^/]+$/.test(path)) return;
  event.preventDefault();
  go(href);
}

const dark = matchMedia("(prefers-color-scheme: dark)");
const theme = () => localStorage.getItem("lampyris-theme") ?? (dark.matches ? "dark" : "light");

function setTheme(word) {
  if (word) localStorage.setItem("lampyris-theme", word);
  document.documentElement.dataset.theme = theme();
  changed();
}

async function logOut() {
  await remove("/session").catch(() => {});
  location.replace("/login");
}

function Banner() {
  const { lost, heard, now } = store;
  if (lost === null) return null;
  return html`<div id="banner" role="alert">No word from the master for ${span((now - lost) / 1000)}; what is shown is from ${clock(heard)}. Trying again …</div>`;
}

function Help({ at, close }) {
  const element = useRef(null);
  useEffect(() => {
    if (at && !element.current.open) element.current.showModal();
  }, [at]);
  return html`<dialog id="help" ref=${element} aria-labelledby="help-title" onClose=${close}>
    <h2 id="help-title">Keys</h2>
    <dl class="keys">${KEYS.map(([key, what]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
    <p class="hint">Lampyris ${store.cluster?.version} · <a href="/licenses" target="_blank" rel="noopener">works of others</a></p>
    <form method="dialog"><button class="primary">Close</button></form>
  </dialog>`;
}

function App() {
  const [, again] = useState(0);
  const [help, setHelp] = useState(0);
  useEffect(() => {
    listenToKeys(go, () => setHelp(Date.now()));
    return watch(() => again((times) => times + 1));
  }, []);
  const { page, name, nav } = pageOf(location.pathname);
  const topics = [...ALWAYS, ...page.topics(name)];
  const title = page.title(name);
  // The topics of a page are known when it has come.
  useEffect(() => {
    if (page !== COMING) listen(topics);
  }, [page, topics.join()]);
  useEffect(settle, [page, name]);
  useEffect(() => {
    document.title = `${title} · ${store.me.cluster}`;
  }, [title]);
  document.body.classList.toggle("stale", store.lost !== null);
  const word = document.documentElement.dataset.theme;
  const other = word === "dark" ? "light" : "dark";
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <header class="top">
      <a class="brand" href="/"><svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="10" class="halo" /><circle cx="12" cy="12" r="4.5" class="light" /></svg><span>${store.me.cluster}</span></a>
      <nav aria-label="Pages">${NAV.map(([path, text]) => html`<a href=${path} aria-current=${nav === path ? "page" : undefined}>${text}</a>`)}</nav>
      <div class="tools">
        <span class="me" title="who is logged in, and what he may do">${store.me.name === store.me.role ? store.me.role : `${store.me.name} · ${store.me.role}`}</span>
        <button type="button" id="theme" class="plain" aria-label=${`Use ${other} colours`} title="t" onClick=${() => setTheme(other)}>${word === "dark" ? "☀" : "☾"}</button>
        <button type="button" class="plain" aria-label="Keys and help" title="?" onClick=${() => setHelp(Date.now())}>?</button>
        <button type="button" id="logout" class="plain" onClick=${logOut}>Log out</button>
      </div>
    </header>
    <${Banner} />
    <main id="main" tabindex="-1"><${page.Page} key=${`${location.pathname} ${page === COMING}`} name=${name} go=${go} /></main>
    <${Operations} />
    <${Confirm} />
    <${Help} at=${help} close=${() => setHelp(0)} />`;
}

if (location.hash.startsWith("#code=")) {
  // Who opens the page by a code is whom the code is for, whoever was here before.
  if (await enter().catch(() => false)) location.reload();
}
dark.addEventListener("change", () => setTheme());
document.addEventListener("click", onClick);
addEventListener("popstate", arrive);
setTheme();
const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
