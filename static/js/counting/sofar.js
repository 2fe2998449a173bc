/**
 * What was counted so far, with limits: this field while it grows, and the slide with it. A closed
 * line until somebody opens it.
 */
import { api } from "../lib/api.js";
import { one, say } from "../lib/dom.js";
import { fill, fixed, gettext, ngettext } from "../lib/i18n.js";
import { remember, remembered } from "../lib/remembered.js";
import { binomial, moreFields, poisson } from "./statistics.js";

/**
 * @typedef {import("./screen.js").Screen} Screen
 * @typedef {{cells: Record<string, number>, fields: Record<string, number>,
 *   shares_of: string[], together: Record<string, number>}} Base the slide without the field on the
 *   screen; `together` is of the fields where each type of a differential was counted
 */

const OPEN = "so-far-open";
const PRECISION = "precision";

export class SoFar {
  /** @param {Screen} screen */
  constructor(screen) {
    this.screen = screen;
    /** @type {Base | null} */
    this.base = null;
    this.slide = 0;
    /** Told when what the slide holds has arrived. */
    this.onBase = () => {};
    this.details = /** @type {HTMLDetailsElement} */ (one("[data-so-far]"));
    this.details.open = remembered(OPEN, "") === "yes";
    this.details.addEventListener("toggle", () => {
      remember(OPEN, this.details.open ? "yes" : "");
      this.show();
    });
    this.precision = /** @type {HTMLSelectElement} */ (one("[data-precision]"));
    this.precision.value = remembered(PRECISION, "10");
    if (!this.precision.value) this.precision.value = "10";
    this.precision.addEventListener("change", () => {
      remember(PRECISION, this.precision.value);
      this.show();
    });
  }

  /** A field has come to the screen. */
  async begin() {
    const field = this.screen.field;
    if (!field) return;
    if (field.slide !== this.slide) this.base = null;
    this.slide = field.slide;
    this.show();
    let base = null;
    try {
      // The counts of the field before are of the same slide: they must be there first.
      await this.screen.saver.queue;
      base = await api(`slides/${field.slide}/so-far/?without=${field.id}`);
    } catch {
      // The field's own limits show all the same; those of the slide wait for the next field.
    }
    if (this.screen.field !== field) return;
    this.base = base;
    this.show();
    this.onBase();
  }

  /** @param {string} code @returns {{cells: number, fields: number}} the slide with this field */
  of(code) {
    const { tally } = this.screen;
    return {
      cells: (this.base?.cells[code] ?? 0) + tally.number(code),
      fields: (this.base?.fields[code] ?? 0) + Number(tally.touched(code)),
    };
  }

  /** Types that a differential is made of. @returns {string[]} */
  get among() {
    return this.base?.shares_of ?? this.screen.tally.codes;
  }

  /** @returns {number} cells of a differential: the slide without this field */
  get totalBefore() {
    return this.among.reduce((sum, code) => sum + (this.base?.cells[code] ?? 0), 0);
  }

  /** @returns {number} cells of a differential: the slide with this field */
  get total() {
    return this.among.reduce((sum, code) => sum + this.of(code).cells, 0);
  }

  /**
   * Cells that shares are of, by type. Where this field has a type that those before lack, it stands
   * alone; what was not touched in it is 0 when it is submitted.
   * @returns {Record<string, number>}
   */
  get together() {
    const { base, among, screen: { tally } } = this;
    const alike = among.every((code) => base?.fields[code] || !tally.touched(code));
    const before = (code) => (alike ? (base?.together[code] ?? 0) : 0);
    return Object.fromEntries(among.map((code) => [code, before(code) + tally.number(code)]));
  }

  show() {
    const { tally } = this.screen;
    const here = tally.codes.reduce((sum, code) => sum + tally.number(code), 0);
    const fields = Math.max(...tally.codes.map((code) => this.of(code).fields));
    const cells = tally.codes.reduce((sum, code) => sum + this.of(code).cells, 0);
    const words = ngettext(
      "This field %(here)s, slide %(cells)s in %(fields)s field",
      "This field %(here)s, slide %(cells)s in %(fields)s fields",
      fields,
    );
    const line = this.base ? words : gettext("This field %(here)s");
    say(one("[data-so-far-line]"), fill(line, { here, cells, fields }));
    if (this.details.open) for (const code of tally.codes) this.#row(code);
  }

  /** @param {string} code */
  #row(code) {
    const row = one(`[data-so-far-of="${code}"]`, this.details);
    const { tally } = this.screen;
    const touched = tally.touched(code);
    cell(row, "field", touched ? tally.number(code) : null, poisson(tally.number(code)));
    const slide = this.of(code);
    const known = Boolean(this.base) && slide.fields > 0;
    cell(row, "slide", known ? slide.cells : null, poisson(slide.cells));
    const { together } = this;
    const whole = Object.values(together).reduce((sum, cells) => sum + cells, 0);
    const shared = known && whole > 0 && code in together;
    const limits = shared ? binomial(together[code], whole) : { low: 0, high: 0 };
    cell(row, "share", shared ? (100 * together[code]) / whole : null, {
      low: 100 * limits.low, high: 100 * limits.high,
    });
    const more = known
      ? moreFields(slide.cells, slide.fields, Number(this.precision.value) / 100)
      : null;
    say(one("[data-more]", row), more === null ? "–" : more === 0 ? "✓" : String(more));
  }
}

/**
 * @param {HTMLElement} row @param {string} name @param {number | null} value
 * @param {import("./statistics.js").Interval} limits
 */
function cell(row, name, value, limits) {
  const there = one(`[data-${name}]`, row);
  const digits = name === "share" || value === null || value >= 50 ? 0 : 1;
  const shown = name === "share" && value !== null ? fixed(value, 0) : value;
  say(one("b", there), value === null ? "–" : String(shown));
  const range = `${fixed(limits.low, digits)}–${fixed(limits.high, digits)}`;
  say(one("span", there), value === null ? "" : range);
}
