/**
 * For readers who chose it, fields start with the suggestion taken over, as if `a` had been pressed.
 * Nothing is saved before they do something themselves, and where the model does not know what it
 * sees they start with nothing.
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
    this.input.checked = remembered(HEAD_START, "") === "on";
    this.input.addEventListener("change", () => {
      remember(HEAD_START, this.input.checked ? "on" : "");
      if (screen.field) this.begin(screen.field);
      screen.changed({ quiet: true });
    });
  }

  /** @param {import("./fields.js").Field} field that has come to the screen */
  begin(field) {
    const { tally } = this.screen;
    const prediction = field.prediction;
    if (!this.input.checked || !prediction || prediction.novel) return;
    if (tally.isEmpty && tally.past.length === 0) tally.begin(prediction);
  }
}
