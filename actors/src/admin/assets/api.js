// Questions to the API. What goes wrong is an Error with the problem's words.

export class Problem extends Error {
  constructor(problem, status) {
    super(problem.detail ?? problem.title ?? `the master answered ${status}`);
    this.status = status;
    this.hint = problem.hint ?? null;
    this.findings = problem.findings ?? [];
  }
}

async function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-Lampyris"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new Problem({ detail: "the master does not answer" }, 0);
  }
  const text = await answer.text();
  let value = null;
  try {
    value = text ? JSON.parse(text) : null;
  } catch {
    value = { detail: text.slice(0, 200) };
  }
  if (answer.ok) return value;
  // The session is over: the server answers this very address with the way in.
  if (answer.status === 401 && path !== "/session") location.reload();
  throw new Problem(value ?? {}, answer.status);
}

export const get = (path) => ask("GET", path);
export const post = (path, body) => ask("POST", path, body);
export const remove = (path) => ask("DELETE", path);

// `path?a=1&b=2` of what is given; what is empty is left out.
export function query(path, values) {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}
