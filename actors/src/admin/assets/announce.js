// Says changes of state to whoever listens instead of looking; numbers are not said.

export function announce(event) {
  if (event.kind !== "state" || !event.to) return;
  const grave = event.to === "failed" || event.to === "unreachable";
  const place = document.getElementById(grave ? "alarm" : "live");
  if (place) place.textContent = `${event.node} is ${event.to}`;
}
