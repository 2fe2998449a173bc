/**
 * The side of the counting screen: a row for each cell type, notices, and what was saved.
 * Shows what it is told and reports what is pressed; decides nothing.
 */
import { all, one, say } from "../lib/dom.js";
import { fill, gettext, grouped } from "../lib/i18n.js";
import { MOST } from "./tally.js";

/**
 * @typedef {{code: string, name: string, key: string, color: string, position: number}} CellType
 * @typedef {import("./tally.js").Prediction} Prediction
 * @typedef {import("./tally.js").Tally} Tally
 */

export class Panel {
  /**
   * @param {{activate: (code: string) => void, choose: (code: string) => void,
   *   add: (code: string, by: number) => void, type: (code: string, text: string) => void,
   *   typed: () => void, take: (code: string) => void}} actions
   */
  constructor(actions) {
    this.actions = actions;
    /** @type {CellType[]} */
    this.types = [];
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    for (const row of all("[data-type]")) this.#row(row);
  }

  /** @param {HTMLElement} row */
  #row(row) {
    const { type: code = "", name = "", key = "", color = "", position = "0" } = row.dataset;
    this.types.push({ code, name, key, color, position: Number(position) });
    this.rows.set(code, row);
    one("[data-activate]", row).addEventListener("click", () => this.actions.choose(code));
    one("[data-add]", row).addEventListener("click", () => this.actions.add(code, 1));
    one("[data-subtract]", row).addEventListener("click", () => this.actions.add(code, -1));
    one("[data-take]", row).addEventListener("click", () => this.actions.take(code));
    const input = this.input(code);
    input.addEventListener("focus", () => {
      this.actions.activate(code);
      input.select();
    });
    input.addEventListener("input", () => this.actions.type(code, input.value));
    input.addEventListener("blur", () => this.actions.typed());
  }

  /** @param {string} code @returns {HTMLInputElement} */
  input(code) {
    return /** @type {HTMLInputElement} */ (
      one("[data-number]", /** @type {HTMLElement} */ (this.rows.get(code)))
    );
  }

  /** @param {Tally} tally @param {string} active */
  showCounts(tally, active) {
    for (const type of this.types) {
      const { code } = type;
      const row = /** @type {HTMLElement} */ (this.rows.get(code));
      const input = this.input(code);
      const touched = tally.touched(code);
      const text = tally.now.wrong[code] ?? (touched ? String(tally.number(code)) : "");
      if (input.value !== text) input.value = text;
      input.dataset.digits = String(Math.min(5, text.length)); // long numbers are written smaller
      input.setAttribute("aria-invalid", String(tally.isWrong(code)));
      row.classList.toggle("is-touched", touched);
      row.classList.toggle("is-active", code === active);
      one("[data-activate]", row).setAttribute("aria-pressed", String(code === active));
      one("[data-suggestion]", row).classList.toggle("is-settled", touched);
      const words = noteOn(type, tally);
      one("[data-note]", row).hidden = !words;
      say(one("[data-note-text]", row), words);
    }
    enable(one("[data-undo]"), tally.past.length > 0);
    enable(one("[data-redo]"), tally.future.length > 0);
  }

  /** @param {Prediction | null} prediction @param {string} otherwise said while there is none */
  showSuggestions(prediction, otherwise) {
    for (const { code } of this.types) {
      const row = /** @type {HTMLElement} */ (this.rows.get(code));
      const count = prediction?.counts[code];
      const take = one("[data-take]", row);
      const wait = one("[data-no-suggestion]", row);
      take.hidden = !count;
      wait.hidden = Boolean(count);
      say(wait, prediction ? gettext("no suggestion for this type") : otherwise);
      if (!count) continue;
      say(one("[data-suggested]", take), String(count.value));
      say(one("[data-interval]", take), `(${count.low}–${count.high})`);
    }
    enable(one("[data-accept]"), Boolean(prediction));
  }

  /** Go to a number that is to be typed first. @param {string} code @param {Tally} tally */
  mend(code, tally) {
    this.input(code).focus();
    // With the words below it, which the buttons at the foot of a phone would hide.
    this.rows.get(code)?.scrollIntoView({ block: "center" });
    this.tellWrong(code, tally);
  }

  /** Say what is wrong with a number that was typed, if anything is. @param {string} code @param {Tally} tally */
  tellWrong(code, tally) {
    const type = this.types.find((each) => each.code === code);
    if (type && tally.needsNumber(code)) this.announce(noteOn(type, tally));
  }

  /** A short flash: seen from the corner of the eye. @param {string} code */
  flash(code) {
    const row = this.rows.get(code);
    if (!row) return;
    row.classList.remove("is-flashing");
    void row.offsetWidth; // lets the animation start anew
    row.classList.add("is-flashing");
  }

  /** @param {string} name of a notice in the page @param {boolean} shown @param {string} [words] */
  notice(name, shown, words) {
    const notice = one(`[data-notice="${name}"]`);
    // Its buttons go with it: the focus must not fall off the page.
    if (!shown && notice.contains(document.activeElement)) one("#main").focus();
    notice.hidden = !shown;
    if (words !== undefined) say(one("[data-words]", notice), words);
  }

  /** @param {"saved" | "saving" | "waiting" | "held" | "refused" | "conflict" | "none" | "begun" | "correction" | "submitted"} state */
  saved(state) {
    const words = {
      none: gettext("Nothing to save yet"),
      begun: gettext("Suggested, not saved yet"),
      saving: gettext("Saving…"),
      saved: gettext("Draft saved"),
      correction: gettext("Correction not submitted"),
      submitted: gettext("Submitted"),
      waiting: gettext("Not saved on the server yet"),
      held: gettext("Waiting for the connection"),
      refused: gettext("Not saved"),
      conflict: gettext("Not saved: choose which counts hold"),
    };
    const element = one("[data-saved]");
    say(element, words[state]);
    element.dataset.state = state;
  }

  /** For screen readers, without stealing the focus. @param {string} words */
  announce(words) {
    say(one("[data-announce]"), words);
  }
}

/** @param {CellType} type @param {Tally} tally @returns {string} what its reader must know, if anything */
function noteOn({ code, name }, tally) {
  const values = { name, number: tally.number(code), marks: tally.marked(code), most: grouped(MOST) };
  if (tally.isWrong(code)) {
    const words = gettext("%(name)s: a count is a whole number from 0 to %(most)s. Correct it before you submit.");
    return fill(words, values);
  }
  if (!tally.numberOnly(code)) return "";
  const words = tally.touched(code)
    ? gettext("%(name)s: number only. %(number)s counted, %(marks)s marked.")
    : gettext("%(name)s: %(marks)s marked, but no number. Type it, or take the last step back.");
  return fill(words, values);
}

/**
 * Say whether a button does anything now. It keeps the focus either way: keys that are pressed on a
 * button that was disabled under them go nowhere.
 * @param {HTMLElement} button @param {boolean} able
 */
function enable(button, able) {
  button.setAttribute("aria-disabled", String(!able));
}
