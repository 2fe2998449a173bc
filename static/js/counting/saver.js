/**
 * Keeps counts safe: in this browser at once, on the server within a second. What the server has
 * not acknowledged stays in this browser and is sent again until it has.
 *
 * @typedef {import("./kept.js").Reading} Reading
 * @typedef {"saved" | "correction" | "submitted" | "saving" | "waiting" | "refused" | "conflict"} SaveState
 * @typedef {{version: number, state: string, counts: Record<string, number>, marks: number}} Version
 * @typedef {{fieldId: number, why: string, gone: Record<string, number> | null,
 *   counted?: boolean}} Refused `gone`: what was counted in a field that the reader cannot open any
 *   more; `counted`: another reader counted it meanwhile
 * @typedef {{detail: string, mine: Version, other: Version & {saved_at: string}}} Conflict
 */
import { ApiError, api } from "../lib/api.js";
import { Kept } from "./kept.js";

const DRAFT_AFTER = 600;
const TRY_AGAIN = [1000, 2000, 5000, 10000];
/** Milliseconds that who comes back to a field waits for its submission to arrive. */
const ARRIVAL = 1000;
/** Milliseconds after which a save that nobody answers is sent again: a line may die in silence. */
const PATIENCE = 30000;

export class Saver {
  /**
   * @param {string} userId whose counts these are: several people may share a computer
   * @param {(fieldId: number, state: SaveState, error: ApiError | null) => void} onState
   */
  constructor(userId, onState) {
    // A name for this tab, so that the server knows its saves from those of other tabs.
    this.reader = Number(userId);
    const random = crypto.getRandomValues(new Uint32Array(3));
    this.tab = Array.from(random, (part) => part.toString(36)).join("");
    this.kept = new Kept(userId, this.tab);
    this.onState = onState;
    /** Fields whose counts only this page has: no answer yet, and no room in the browser. */
    this.loose = new Set();
    /** Names of fields that were opened here or left something here. @type {Map<number, string>} */
    this.names = new Map();
    /** What each field's next save is based on. @type {Map<number, {version?: number, tab?: string}>} */
    this.bases = new Map();
    /** Fields that others counted meanwhile, whose count the reader chose to replace. */
    this.replacing = new Set();
    /** @type {Map<number, Conflict>} fields that were saved elsewhere meanwhile */
    this.conflicts = new Map();
    this.timer = 0;
    /** @type {(() => void) | null} */
    this.sendNow = null;
    /** @type {Promise<unknown>} */
    this.queue = Promise.resolve();
    /** @type {Map<number, number>} the number of each field's newest change */
    this.changes = new Map();
    /** @type {Map<number, Promise<unknown>>} submissions on their way, by field */
    this.underway = new Map();
    addEventListener("online", () => this.sendNow?.());
  }

  /**
   * Begin with a field.
   * @param {{id: number, name: string}} field
   * @param {number} version of the reader's reading on the server, or 0
   * @returns {Reading | null} what the server may not have
   */
  open({ id: fieldId, name }, version) {
    this.names.set(fieldId, name);
    const kept = this.kept.adopt(fieldId);
    // What another tab left is sent as that tab would have: the server may have it already.
    const { version: based, tab } = kept ?? { version, tab: this.tab };
    this.bases.set(fieldId, { version: based, tab });
    this.conflicts.delete(fieldId);
    return kept;
  }

  /** @param {number} fieldId @param {Reading} reading */
  #keep(fieldId, reading) {
    const change = (this.changes.get(fieldId) ?? 0) + 1;
    this.changes.set(fieldId, change);
    const name = this.names.get(fieldId);
    const isKept = this.kept.write(fieldId, { ...reading, ...this.bases.get(fieldId), name });
    if (isKept) this.loose.delete(fieldId);
    else this.loose.add(fieldId);
    return change;
  }

  /**
   * End a conflict. Mine: the next save goes over the other one. Other: what is kept here goes.
   * @param {number} fieldId @param {"mine" | "other"} whose
   */
  resolve(fieldId, whose) {
    const conflict = this.conflicts.get(fieldId);
    this.conflicts.delete(fieldId);
    if (conflict) this.bases.set(fieldId, { version: conflict.other.version, tab: this.tab });
    if (whose === "other") this.#forget(fieldId);
  }

  /** @param {number} fieldId what is kept here of it is needed no more */
  #forget(fieldId) {
    this.kept.forget(fieldId);
    this.loose.delete(fieldId);
  }

  /** @param {number} fieldId @param {Reading} reading a draft; the newest replaces those before */
  draft(fieldId, reading) {
    const change = this.#keep(fieldId, reading);
    clearTimeout(this.timer);
    if (this.conflicts.has(fieldId)) return; // kept here until the reader has chosen
    this.onState(fieldId, "saving", null);
    const send = () => {
      clearTimeout(this.timer);
      this.sendNow = null;
      this.#line(async () => {
        // A newer draft or the submission itself makes this one needless.
        if (change === this.changes.get(fieldId)) await this.#deliver(fieldId, reading, change);
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
    const change = this.#keep(fieldId, reading);
    this.sendNow?.(); // a draft that waits to be tried again is needless, and holds up the line
    const sent = this.#line(() => this.#deliver(fieldId, reading, change));
    const settled = sent.then(() => {}, () => {}).then(() => {
      if (this.underway.get(fieldId) === settled) this.underway.delete(fieldId);
    });
    this.underway.set(fieldId, settled);
    return sent;
  }

  /**
   * Wait until a submission of this field that is on its way has arrived, but not for long: the
   * server may be away. What is kept here is opened then.
   * @param {number} fieldId
   */
  async arrival(fieldId) {
    const underway = this.underway.get(fieldId);
    const enough = () => new Promise((resolve) => setTimeout(resolve, ARRIVAL));
    if (underway) await Promise.race([underway, enough()]);
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

  /** @param {number} fieldId @param {Reading} reading @param {number} change its number */
  async #deliver(fieldId, reading, change) {
    for (let attempt = 0; ; attempt += 1) {
      // A newer change replaces a draft that could not be delivered.
      if (!reading.submit && change !== this.changes.get(fieldId)) return null;
      this.onState(fieldId, "saving", null);
      try {
        const replace = reading.submit && this.replacing.has(fieldId);
        const entry = { ...reading, ...this.bases.get(fieldId) };
        const answer = await this.#post(fieldId, replace ? { ...entry, replace } : entry);
        if (replace) this.replacing.delete(fieldId);
        this.bases.set(fieldId, { version: answer.version, tab: this.tab });
        if (change === this.changes.get(fieldId)) {
          this.#forget(fieldId);
          this.onState(fieldId, answer.standing === "draft" ? "saved" : answer.standing, null);
        }
        return answer;
      } catch (caught) {
        const error = caught instanceof ApiError ? caught : new ApiError(String(caught), 0);
        if (error.code === "newer") {
          this.conflicts.set(fieldId, { ...error.body, detail: error.message });
          this.onState(fieldId, "conflict", null);
          if (reading.submit) throw error;
          return null;
        }
        if (error.code === "counted") {
          this.bases.set(fieldId, { version: Number(error.body.version), tab: this.tab });
        }
        if (!isAway(error)) {
          this.onState(fieldId, "refused", error);
          if (reading.submit) throw error;
          return null;
        }
        this.onState(fieldId, "waiting", error);
        await this.#pause(TRY_AGAIN[Math.min(attempt, TRY_AGAIN.length - 1)]);
      }
    }
  }

  /** @param {number} fieldId @param {object} entry @returns {Promise<any>} the server's answer */
  async #post(fieldId, entry) {
    const quit = new AbortController();
    const timeout = new DOMException("", "TimeoutError");
    const timer = window.setTimeout(() => quit.abort(timeout), PATIENCE);
    try {
      const json = { ...entry, reader: this.reader };
      const { signal } = quit;
      return await api(`fields/${fieldId}/readings/`, { method: "POST", json, signal });
    } finally {
      clearTimeout(timer);
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
   * @param {(fieldId: number) => void} onSent told of each field that the server took
   * @returns {Promise<Refused[]>} fields that the server refused: the reader must choose
   */
  async sendLeftovers(exceptField, onSent) {
    const refused = [];
    for (const { key, fieldId, entry } of this.kept.all()) {
      if (fieldId === exceptField) continue;
      if (entry.name) this.names.set(fieldId, entry.name);
      try {
        await this.#post(fieldId, entry);
        this.kept.remove(key);
        onSent(fieldId);
      } catch (error) {
        if (!(error instanceof ApiError) || isAway(error)) continue;
        // The reader may be let into the study again: what is kept goes only when they say so.
        const gone = error.status === 404 ? entry.counts : null;
        const counted = error.code === "counted";
        refused.push({ fieldId, why: error.message, gone, counted });
      }
    }
    return refused;
  }

  /** @param {number} fieldId whose counts the reader gives up, whichever tab left them */
  discard(fieldId) {
    for (const each of this.kept.all()) if (each.fieldId === fieldId) this.kept.remove(each.key);
    this.loose.delete(fieldId);
  }
}

/**
 * Whether it is worth trying again: the server is away, or the reader is (signed out, or somebody
 * else signed in).
 * @param {ApiError} error @returns {boolean}
 */
function isAway(error) {
  return error.passing || error.status === 401 || error.code === "reader";
}
