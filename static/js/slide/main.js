/** The slide page: pictures come in, and their cards follow what becomes of them. */
import { api } from "../lib/api.js";
import { all, one } from "../lib/dom.js";
import { poll } from "../lib/poll.js";
import { Cards } from "./cards.js";
import { fromInput, fromTransfer } from "./files.js";
import { Uploads } from "./uploads.js";

const slide = one("#slide");
const slideId = slide.dataset.slide ?? "";
const cards = new Cards();
const uploads = new Uploads(slideId, {
  added: (field) => cards.add(field),
  unpacked: () => watch.now(),
});

const watch = poll(async () => {
  const query = new URLSearchParams({
    slide: slideId,
    page: String(cards.page),
    page_size: String(cards.pageSize),
  });
  const page = await api(`fields/?${query}`);
  cards.setCount(page.count);
  for (const field of page.results) cards.show(field);
  return uploads.active || cards.pending;
});

/** @param {{files: File[], leftOut: number}} found */
function take(found) {
  uploads.take(found);
  watch.now();
}

for (const input of all("[data-pick]")) {
  input.addEventListener("change", () => {
    const picked = /** @type {HTMLInputElement} */ (input);
    take(fromInput(picked));
    picked.value = ""; // so that the same file can be chosen again
  });
}

// --- Dropping, anywhere on the page, and pasting -----------------------------------------------

/** @param {DragEvent} event */
function carriesFiles(event) {
  return event.dataTransfer?.types.includes("Files") ?? false;
}

/** @param {boolean} over */
function dropping(over) {
  document.body.classList.toggle("is-dropping", over);
}

addEventListener("dragover", (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault(); // else the browser would leave the page to show the picture
  dropping(true);
});
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) dropping(false);
});
addEventListener("drop", async (event) => {
  dropping(false);
  if (!carriesFiles(event) || !event.dataTransfer) return;
  event.preventDefault();
  take(await fromTransfer(event.dataTransfer));
});
addEventListener("paste", async (event) => {
  if (event.clipboardData?.files.length) take(await fromTransfer(event.clipboardData));
});
