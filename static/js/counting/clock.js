/** Seconds spent on a field, counted only while the page is seen and somebody does something. */

/** Milliseconds without any sign of the reader after which the clock rests. */
const IDLE_AFTER = 60000;
const SIGNS = ["keydown", "pointermove", "pointerdown", "wheel"];

export class Clock {
  constructor() {
    this.spent = 0;
    this.lastSign = performance.now();
    /** @type {number | null} */
    this.since = null;
    for (const sign of SIGNS) addEventListener(sign, () => this.#sign(), { passive: true });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.#rest(performance.now());
      else this.#sign();
    });
  }

  /** @param {number} seconds already spent on this field */
  restart(seconds) {
    this.spent = seconds * 1000;
    this.lastSign = performance.now();
    this.since = document.hidden ? null : this.lastSign;
  }

  #sign() {
    const now = performance.now();
    if (this.since !== null && now - this.lastSign > IDLE_AFTER) {
      this.#rest(this.lastSign + IDLE_AFTER);
    }
    this.lastSign = now;
    if (this.since === null) this.since = now;
  }

  /** @param {number} until */
  #rest(until) {
    if (this.since !== null) this.spent += Math.max(0, until - this.since);
    this.since = null;
  }

  /** @returns {number} whole seconds */
  get seconds() {
    const until = Math.min(performance.now(), this.lastSign + IDLE_AFTER);
    const running = this.since === null ? 0 : Math.max(0, until - this.since);
    return Math.round((this.spent + running) / 1000);
  }
}
