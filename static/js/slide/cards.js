/** The grid of fields on the slide page: one card each, kept true to what the API says. */
import { all, fromTemplate, one, say } from "../lib/dom.js";
import { gettext } from "../lib/i18n.js";

/** @typedef {import("../counting/fields.js").Field & {thumbnail: string}} Field */

const LOOKS = {
  counted: "badge badge-good",
  predicted: "badge badge-accent",
  failed: "badge badge-bad",
  open: "badge badge-warn",
};

export class Cards {
  constructor() {
    this.grid = one("[data-grid]");
    const page = one("#slide").dataset;
    this.page = Number(page.page);
    this.pageSize = Number(page.pageSize);
    this.count = Number(one("[data-field-count]").textContent);
    /** @type {Map<number, HTMLElement>} */
    this.cards = new Map();
    for (const card of all("[data-field]", this.grid)) this.cards.set(Number(card.dataset.field), card);
    this.types = all("[data-cell-type]").map(({ dataset }) => ({
      code: dataset.cellType ?? "",
      name: dataset.name ?? "",
      color: dataset.color ?? "",
      shape: dataset.shape ?? "",
    }));
  }

  /** Whether the model still owes a prediction to a field of this page. */
  get pending() {
    return [...this.cards.values()].some((card) =>
      ["", "waiting", "predicting"].includes(card.dataset.state ?? ""),
    );
  }

  /** @param {Field} field that has just come in */
  add(field) {
    if (this.cards.has(field.id)) return;
    this.setCount(this.count + 1);
    if (this.count <= this.page * this.pageSize) this.show(field);
  }

  /** @param {number} count of the slide's fields */
  setCount(count) {
    this.count = count;
    say(one("[data-field-count]"), String(count));
    one("[data-empty]").hidden = count > 0;
    one("[data-count-action]").hidden = count === 0;
    one("#drop").classList.toggle("is-small", count > 0);
    const pages = Math.max(1, Math.ceil(count / this.pageSize));
    const pager = one("[data-pager]");
    pager.hidden = pages === 1;
    one("[data-next-page]").hidden = this.page >= pages;
    say(one("[data-pages]", pager), String(pages));
  }

  /** @param {Field} field */
  show(field) {
    let card = this.cards.get(field.id);
    if (!card) {
      card = fromTemplate("#card-template");
      card.dataset.field = String(field.id);
      one("[data-link]", card).setAttribute("href", `/fields/${field.id}/`);
      one("[data-image]", card).setAttribute("src", field.thumbnail);
      say(one("[data-name]", card), field.name);
      one("[data-delete]", card).setAttribute("href", `/fields/${field.id}/delete/`);
      say(one("[data-delete-name]", card), field.name);
      this.cards.set(field.id, card);
      this.#place(card, field.id);
    }
    const news = JSON.stringify([
      field.state, field.error, field.reference, field.prediction, field.my_submitted, field.my_standing,
      field.blind, field.flag, field.comments,
    ]);
    if (this.#told(card) === news) return;
    this.#tell(card, news);
    card.dataset.state = field.state;
    one("[data-name]", card).title = field.name;
    // What somebody has counted stays; of others' counts that wait, the page behind the link tells.
    one("[data-delete]", card).hidden =
      field.state === "counted" || Boolean(field.my_submitted)
      || !(field.is_mine || this.grid.dataset.deletes === "all");
    this.#badge(card, field);
    this.#counts(card, field);
  }

  /** Fields stand in the order they came. @param {HTMLElement} card @param {number} id */
  #place(card, id) {
    const after = [...this.grid.children].find(
      (other) => Number(/** @type {HTMLElement} */ (other).dataset.field) > id,
    );
    this.grid.insertBefore(card, after ?? null);
  }

  /** @type {WeakMap<HTMLElement, string>} what each card shows */
  #shown = new WeakMap();

  /** @param {HTMLElement} card */
  #told(card) {
    return this.#shown.get(card);
  }

  /** @param {HTMLElement} card @param {string} news */
  #tell(card, news) {
    this.#shown.set(card, news);
  }

  /** @param {HTMLElement} card @param {Field} field */
  #badge(card, field) {
    const badge = one("[data-badge]", card);
    say(badge, wordsFor(field));
    const state = field.flag ? "failed" : field.my_standing === "correction" ? "open" : field.state;
    badge.className = LOOKS[/** @type {keyof LOOKS} */ (state)] ?? "badge";
    badge.title = field.flag ? `${field.flag.words}. ${field.flag.note}` : field.error;
    const settled = field.state === "counted" || Boolean(field.flag);
    one("[data-novel]", card).hidden = !field.prediction?.novel || settled;
    const faults = field.prediction?.faults ?? [];
    const poor = one("[data-poor]", card);
    poor.hidden = faults.length === 0 || settled;
    poor.title = faults.map((fault) => fault.words).join(" ");
    one("[data-comment-badge]", card).hidden = field.comments === 0;
    say(one("[data-comments]", card), String(field.comments));
  }

  /** @param {HTMLElement} card @param {Field} field */
  #counts(card, field) {
    const counted = field.reference ?? field.my_submitted;
    const predicted = field.prediction?.counts ?? {};
    const place = one("[data-counts]", card);
    place.classList.toggle("is-suggested", !counted);
    const rows = document.createDocumentFragment();
    for (const { code, name, color, shape } of this.types) {
      const number = counted ? counted[code] : predicted[code]?.value;
      if (number === undefined) continue;
      const row = fromTemplate("#count-template");
      const mark = one("svg", row);
      mark.setAttribute("color", color);
      one("use", mark).setAttribute("href", shape);
      say(one("[data-name]", row), name);
      say(one("[data-number]", row), String(number));
      const { low, high } = predicted[code] ?? {};
      const interval = one("[data-interval]", row);
      interval.hidden = Boolean(counted) || low === undefined;
      say(interval, `${low}–${high}`);
      row.title = name;
      rows.append(row);
    }
    place.replaceChildren(rows);
  }
}

/** @param {Field} field @returns {string} */
function wordsFor(field) {
  if (field.flag) return gettext("Unreadable");
  if (field.my_standing === "correction") return gettext("Correction not submitted");
  if (field.state === "counted") return gettext("Counted");
  if (field.my_standing === "submitted") return gettext("Waits for the others");
  if (field.my_standing === "draft") return gettext("Draft");
  if (field.state === "failed") return gettext("No suggestion");
  if (field.state === "waiting") return gettext("In line");
  if (field.state === "predicting") return gettext("Predicting…");
  return field.blind ? gettext("Blind: count first") : gettext("Suggested");
}
