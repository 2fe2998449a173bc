/**
 * A training run, live: progress, step, state and log. When it is over the page is loaded anew, for
 * the verdict and what else the run has changed.
 */
import { api } from "./lib/api.js";
import { one, say } from "./lib/dom.js";
import { gettext } from "./lib/i18n.js";
import { poll } from "./lib/poll.js";

const PACE = { busy: 1000, idle: 5000 };

/** @param {any} run as the API tells it */
function show(run) {
  const bar = /** @type {HTMLProgressElement} */ (one("[data-run-bar]"));
  bar.value = run.progress;
  say(one("[data-run-step]"), stepOf(run));
  const state = document.querySelector("[data-run-state] .badge");
  if (state) say(state, run.state === "waiting" ? gettext("Waiting") : gettext("Running"));
  const cancel = document.querySelector("[data-run-cancel] button");
  if (run.cancel_requested) cancel?.setAttribute("disabled", "");
  const log = document.querySelector("[data-run-log]");
  if (log && run.log) showLog(/** @type {HTMLElement} */ (log), run.log);
}

/** @param {any} run @returns {string} */
function stepOf(run) {
  if (run.cancel_requested) return gettext("Stopping…");
  return run.step || gettext("Waits for the training worker.");
}

/** Keep the newest line in sight unless somebody reads further up. */
function showLog(/** @type {HTMLElement} */ log, /** @type {string} */ text) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 24;
  say(log, text);
  if (atEnd) log.scrollTop = log.scrollHeight;
}

const live = document.querySelector("[data-run][data-active]");
if (live instanceof HTMLElement) {
  const watch = poll(async () => {
    const run = await api(`training-runs/${live.dataset.run}/`);
    if (run.state === "waiting" || run.state === "running") {
      show(run);
      return true;
    }
    watch.stop();
    location.reload();
    return false;
  }, PACE);
}
