/** Waiting for the prediction of the field on the screen, and asking again for one that failed. */
import { api } from "../lib/api.js";

/** @typedef {import("./fields.js").Field} Field */

const FIRST = 1000;
const GROWTH = 1.4;
const LONGEST = 8000;

/** Whether a prediction is still to come. @param {Field} field @returns {boolean} */
export function isPending(field) {
  return !field.prediction && ["waiting", "predicting"].includes(field.state);
}

export class Suggestion {
  /**
   * @param {import("./fields.js").Fields} fields
   * @param {(field: Field) => void} onArrival a field that was waited for has its prediction now,
   *   or none will come; the field holds which
   */
  constructor(fields, onArrival) {
    this.fields = fields;
    this.onArrival = onArrival;
    this.timer = 0;
    /** @type {Field | null} */
    this.field = null;
  }

  /** @param {Field} field whose prediction is to be waited for; the one before is let go */
  await(field) {
    this.leave();
    this.field = field;
    this.#again(field, FIRST);
  }

  leave() {
    clearTimeout(this.timer);
    this.field = null;
  }

  /** @param {Field} field @param {number} wait milliseconds */
  #again(field, wait) {
    this.timer = window.setTimeout(async () => {
      let now = null;
      try {
        now = await this.fields.refresh(field.id);
      } catch {
        // Asked again below.
      }
      if (this.field !== field) return;
      if (!now || isPending(now)) {
        this.#again(field, Math.min(wait * GROWTH, LONGEST));
        return;
      }
      Object.assign(field, { prediction: now.prediction, state: now.state, error: now.error });
      this.leave();
      this.onArrival(field);
    }, wait);
  }

  /**
   * Ask the server to predict again.
   * @param {Field} field gets its new state
   */
  async request(field) {
    const now = await api(`fields/${field.id}/predict/`, { method: "POST" });
    Object.assign(field, { state: now.state, error: now.error });
  }
}
