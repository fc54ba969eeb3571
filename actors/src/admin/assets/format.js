// Numbers and times as people read them. What is not known is a dash.

export const DASH = "–";

const known = (value) => value !== null && value !== undefined && !Number.isNaN(value);

const digits = (value) => {
  const size = Math.abs(value);
  if (size === 0) return "0";
  return value.toFixed(size < 10 ? (size < 1 ? 2 : 1) : 0);
};

// 0.42, 7.3, 950, 12.3 k, 1.2 M
export function count(value) {
  if (!known(value)) return DASH;
  if (Number.isInteger(value) && Math.abs(value) < 10_000) return String(value);
  for (const [unit, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (Math.abs(value) >= size) return `${digits(value / size)} ${unit}`;
  }
  return digits(value);
}

export const rate = (value) => (known(value) ? `${count(value)}/s` : DASH);

// A short time in seconds: 340 µs, 3.1 ms, 1.2 s
export function time(seconds) {
  if (!known(seconds)) return DASH;
  if (seconds < 1e-3) return `${digits(seconds * 1e6)} µs`;
  if (seconds < 1) return `${digits(seconds * 1e3)} ms`;
  return `${digits(seconds)} s`;
}

// A long time in seconds: 12 s, 4 min, 3 h 10 min, 2 d 4 h
export function span(seconds) {
  if (!known(seconds)) return DASH;
  const whole = Math.max(0, Math.floor(seconds));
  const two = (size, big, part, small) => {
    const rest = Math.floor((whole % size) / part);
    return `${Math.floor(whole / size)} ${big}${rest ? ` ${rest} ${small}` : ""}`;
  };
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(60, "min", 1, "s");
  if (whole < 86_400) return two(3600, "h", 60, "min");
  return two(86_400, "d", 3600, "h");
}

export function bytes(value) {
  if (!known(value)) return DASH;
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (value >= size) return `${digits(value / size)} ${unit}`;
  }
  return `${value} B`;
}

export const percent = (value) => (known(value) ? `${digits(value * 100)} %` : DASH);

// A moment in milliseconds of Unix time: the time of day, with the day if it is another.
export function clock(ms) {
  if (!known(ms)) return DASH;
  const moment = new Date(ms);
  const day = moment.toDateString() === new Date().toDateString() ? "" : `${moment.toLocaleDateString()} `;
  return day + moment.toLocaleTimeString([], { hour12: false });
}

export const plural = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
