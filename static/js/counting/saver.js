/**
 * Keeps counts safe: in this browser at once, on the server within a second. What the server has
 * not acknowledged stays in this browser and is sent again until it has.
 *
 * @typedef {{counts: Record<string, number>, marks: import("./tally.js").Mark[], method: string,
 *   seconds: number, shown_prediction: number | null, submit: boolean}} Reading
 * @typedef {"saved" | "saving" | "waiting" | "refused"} SaveState
 */
import { ApiError, api } from "../lib/api.js";

const DRAFT_AFTER = 600;
const TRY_AGAIN = [1000, 2000, 5000, 10000];

export class Saver {
  /**
   * @param {string} userId whose counts these are: several people may share a computer
   * @param {(state: SaveState, error: ApiError | null) => void} onState
   */
  constructor(userId, onState) {
    this.prefix = `hematally:reading:${userId}:`;
    this.onState = onState;
    this.timer = 0;
    /** @type {(() => void) | null} */
    this.sendNow = null;
    /** @type {Promise<unknown>} */
    this.queue = Promise.resolve();
    this.version = 0;
    addEventListener("online", () => this.sendNow?.());
  }

  /** @param {number} fieldId @returns {Reading | null} what the server may not have */
  kept(fieldId) {
    return this.#read(this.prefix + fieldId);
  }

  /** @param {string} key @returns {Reading | null} */
  #read(key) {
    try {
      const text = localStorage.getItem(key);
      const value = text ? JSON.parse(text) : null;
      return value && typeof value.counts === "object" && Array.isArray(value.marks) ? value : null;
    } catch {
      return null;
    }
  }

  /** @param {number} fieldId @param {Reading} reading */
  #keep(fieldId, reading) {
    this.version += 1;
    try {
      localStorage.setItem(this.prefix + fieldId, JSON.stringify(reading));
    } catch {
      // Storage is off or full; the server still gets it within a second.
    }
    return this.version;
  }

  /** @param {number} fieldId */
  forget(fieldId) {
    try {
      localStorage.removeItem(this.prefix + fieldId);
    } catch {
      // Nothing was kept then.
    }
  }

  /** @param {number} fieldId @param {Reading} reading a draft; the newest replaces those before */
  draft(fieldId, reading) {
    const version = this.#keep(fieldId, reading);
    clearTimeout(this.timer);
    this.onState("saving", null);
    const send = () => {
      clearTimeout(this.timer);
      this.sendNow = null;
      this.#line(async () => {
        // A newer draft or the submission itself makes this one needless.
        if (version === this.version) await this.#deliver(fieldId, reading, version);
      });
    };
    this.sendNow = send;
    this.timer = window.setTimeout(send, DRAFT_AFTER);
  }

  /**
   * Submit, trying again for as long as the server is away.
   * @param {number} fieldId @param {Reading} reading
   * @returns {Promise<any>} the server's answer; rejects only when it refuses
   */
  submit(fieldId, reading) {
    clearTimeout(this.timer);
    const version = this.#keep(fieldId, reading);
    return this.#line(() => this.#deliver(fieldId, reading, version));
  }

  /** Send a draft that waits right now, before the page goes to another field. */
  flush() {
    this.sendNow?.();
    return this.queue;
  }

  /** @template T @param {() => Promise<T>} job @returns {Promise<T>} one after the other */
  #line(job) {
    const done = this.queue.then(job);
    this.queue = done.catch(() => {});
    return done;
  }

  /** @param {number} fieldId @param {Reading} reading @param {number} version */
  async #deliver(fieldId, reading, version) {
    for (let attempt = 0; ; attempt += 1) {
      // A newer version replaces a draft that could not be delivered.
      if (!reading.submit && version !== this.version) return null;
      this.onState("saving", null);
      try {
        const answer = await api(`fields/${fieldId}/readings/`, { method: "POST", json: reading });
        if (version === this.version) {
          this.forget(fieldId);
          this.onState("saved", null);
        }
        return answer;
      } catch (caught) {
        const error = caught instanceof ApiError ? caught : new ApiError(String(caught), 0);
        if (!error.passing && error.status !== 401) {
          this.onState("refused", error);
          if (reading.submit) throw error;
          return null;
        }
        this.onState("waiting", error);
        await this.#pause(TRY_AGAIN[Math.min(attempt, TRY_AGAIN.length - 1)]);
      }
    }
  }

  /** @param {number} milliseconds shorter when the network comes back or somebody presses a key */
  #pause(milliseconds) {
    return new Promise((resolve) => {
      const go = () => {
        clearTimeout(timer);
        this.sendNow = null;
        resolve(undefined);
      };
      const timer = window.setTimeout(go, milliseconds);
      this.sendNow = go;
    });
  }

  /**
   * Send what an earlier visit could not (a closed tab, a lost network), except for one field.
   * @param {number} exceptField
   */
  async sendLeftovers(exceptField) {
    let keys = [];
    try {
      keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
    } catch {
      return;
    }
    for (const key of keys) {
      const fieldId = Number(key.slice(this.prefix.length));
      const reading = this.#read(key);
      if (!reading || fieldId === exceptField) continue;
      try {
        await api(`fields/${fieldId}/readings/`, { method: "POST", json: reading });
        localStorage.removeItem(key);
      } catch (error) {
        // Refused for good (the field is gone): keeping it would ask for ever.
        if (error instanceof ApiError && error.status === 404) localStorage.removeItem(key);
      }
    }
  }
}
