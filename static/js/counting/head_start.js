/**
 * For readers who chose it, fields open with the suggestion taken over, as if `a` had been pressed.
 * Nothing is saved before they do something themselves. Blind fields, and pictures that the model
 * does not know, open empty; so do fields whose suggestion is still on its way: when it arrives the
 * reader may be counting already.
 */
import { one } from "../lib/dom.js";
import { remember, remembered } from "../lib/remembered.js";

/** @typedef {import("./screen.js").Screen} Screen */

const HEAD_START = "head-start";

export class HeadStart {
  /** @param {Screen} screen */
  constructor(screen) {
    this.screen = screen;
    this.input = /** @type {HTMLInputElement} */ (one("[data-head-start]"));
    // A choice about counts is one person's: several people may share a computer.
    this.name = `${HEAD_START}:${screen.root.dataset.user}`;
    this.input.checked = remembered(this.name, "") === "on";
    this.input.addEventListener("change", () => {
      remember(this.name, this.input.checked ? "on" : "");
      this.#apply();
    });
  }

  /** Fill or empty the field on the screen, unless the reader has done something there. */
  #apply() {
    const { screen } = this;
    const { field } = screen;
    if (screen.busy || screen.dirty || !field || field.my_reading) return;
    screen.tally.load(null);
    this.begin(field);
    screen.panel.saved(screen.standing);
    screen.changed({ quiet: true });
  }

  /** @param {import("./fields.js").Field} field on the screen, of which nothing is counted */
  begin(field) {
    const { prediction } = field;
    if (this.input.checked && prediction && !prediction.novel) this.screen.tally.begin(prediction);
  }
}
