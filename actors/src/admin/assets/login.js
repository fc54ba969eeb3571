// A one-time code stands behind `#code=` in an address, where no server sees it: this takes it to the API.
import { post } from "./api.js";

export async function enter() {
  const code = /^#code=([0-9a-f]+)$/.exec(location.hash)?.[1];
  if (!code) return false;
  history.replaceState(null, "", location.pathname);
  await post("/session", { code });
  return true;
}

const door = document.querySelector("body.door");
if (door) {
  try {
    if (await enter()) location.replace(location.pathname === "/login" ? "/" : location.pathname);
  } catch (problem) {
    document.getElementById("wrong").textContent = `${problem.message}. A token opens the page, too.`;
  }
}
