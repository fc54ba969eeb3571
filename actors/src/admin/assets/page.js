// Shows the nodes once a second. A code in the address opens a session; a token stays in this page's memory.
"use strict";
const marks = { ready: "✓", degraded: "▲", starting: "…", backoff: "↺", failed: "✕", unreachable: "?" };
const text = (value) => (value === null || value === undefined ? "–" : String(value));

function row(node) {
  const line = document.createElement("tr");
  const memory = node.rss === null ? null : `${(node.rss / 1048576).toFixed(1)} MiB`;
  const up = node.uptime === null ? null : `${Math.round(node.uptime)} s`;
  const state = `${marks[node.state] ?? "·"} ${node.state}`;
  for (const cell of [node.name, state, node.pid, node.restarts, up, memory, node.host, node.reason]) {
    line.insertCell().textContent = text(cell);
  }
  return line;
}

async function show(token) {
  const verdict = document.getElementById("verdict");
  try {
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    const answer = await fetch("/api/v1/nodes", { headers, cache: "no-store" });
    if (answer.status === 401) {
      if (token !== null) verdict.textContent = "That is not the token.";
      return;
    }
    const nodes = await answer.json();
    const ready = nodes.filter((node) => node.state === "ready").length;
    verdict.textContent = `${ready} of ${nodes.length} nodes are ready.`;
    document.getElementById("nodes").replaceChildren(...nodes.map(row));
    document.querySelector("table").hidden = false;
    document.getElementById("login").hidden = true;
  } catch {
    verdict.textContent = "The master does not answer.";
  }
  setTimeout(show, 1000, token);
}

document.getElementById("login").addEventListener("submit", (event) => {
  event.preventDefault();
  show(document.getElementById("token").value.trim());
});

async function start() {
  const code = /^#code=([0-9a-f]+)$/.exec(location.hash)?.[1];
  if (code) {
    history.replaceState(null, "", "/");
    const headers = { "Content-Type": "application/json", "X-Lampyris": "1" };
    await fetch("/api/v1/session", { method: "POST", headers, body: JSON.stringify({ code }) });
  }
  show(null);
}

start();
