/** The reviewer's page: keys press what stands on the page. */
import { api } from "./lib/api.js";
import { isTyping } from "./lib/dom.js";
import { poll } from "./lib/poll.js";

const form = document.querySelector("[data-review]");
const marks = document.querySelector("[data-marks]");

function toggleMarks() {
  const hidden = form?.classList.toggle("marks-hidden") ?? false;
  marks?.setAttribute("aria-pressed", String(!hidden));
}

marks?.addEventListener("click", toggleMarks);

// A held key or a second press must not rule on the field that comes next.
form?.addEventListener("submit", () => {
  removeEventListener("keydown", press);
});

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isTyping(event.target)) return;
  const key = event.key.toLowerCase();
  if (key === "m") toggleMarks();
  else if (key === "l") click("[data-later]");
  else if (/^[123]$/.test(key)) click(`[data-key="${key}"]`);
}

/** @param {string} selector */
function click(selector) {
  const found = document.querySelector(selector);
  if (found instanceof HTMLElement) found.click();
}

addEventListener("keydown", press);

// Nothing is typed on this page: loaded anew it shows the tiles, at the same field.
const awaited = document.querySelector("[data-tiles-awaited]");
if (awaited instanceof HTMLElement) {
  const field = awaited.dataset.tilesAwaited;
  const waiting = poll(async () => {
    const { tiles } = await api(`fields/${field}/`);
    if (["waiting", "running"].includes(tiles?.state)) return true;
    waiting.stop();
    location.replace(`?field=${field}`);
    return false;
  });
}
