/** The status page, live. */
import { ApiError, api } from "./lib/api.js";
import { all, one, say } from "./lib/dom.js";
import { fill, gettext } from "./lib/i18n.js";
import { poll } from "./lib/poll.js";

const PACE = { busy: 3000, idle: 3000 };

/** @typedef {{ok: boolean, detail: string, seen_seconds_ago?: number | null}} Part */

/** @param {boolean} ok @param {string} words */
function sum(ok, words) {
  const summary = one("[data-status-summary]");
  summary.classList.toggle("notice-good", ok);
  summary.classList.toggle("notice-warn", !ok);
  one('[data-status-icon="good"]', summary).hidden = !ok;
  one('[data-status-icon="bad"]', summary).hidden = ok;
  say(one("[data-status-message]", summary), ok ? gettext("Everything is running.") : words);
}

/** @param {HTMLElement} row @param {Part} part */
function show(row, part) {
  const badge = one("[data-badge]", row);
  badge.className = part.ok ? "badge badge-good" : "badge badge-bad";
  const worker = row.querySelector("[data-seen]");
  say(badge, part.ok && !worker ? gettext("answers") : part.detail);
  if (!worker) return;
  const ago = part.seen_seconds_ago;
  say(worker, ago == null ? "–" : fill(gettext("%(n)s s ago"), { n: Math.round(ago) }));
}

poll(async () => {
  let health;
  try {
    health = await api("status/");
  } catch (error) {
    sum(false, error instanceof ApiError ? error.message : "");
    return true;
  }
  /** @type {Map<string, Part>} */
  const parts = new Map([
    ["database", health.database],
    ["broker", health.broker],
    ...health.workers.map((/** @type {Part & {name: string}} */ each) => [each.name, each]),
  ]);
  const rows = all("[data-part]");
  sum(health.ok, health.message);
  for (const row of rows) {
    const part = parts.get(row.dataset.part ?? "");
    if (part) show(row, part);
  }
  const missing = rows.length !== parts.size || rows.some((row) => !parts.has(row.dataset.part ?? ""));
  // Another set of workers than the page was made for.
  if (missing && health.database.ok) location.reload();
  return true;
}, PACE);
