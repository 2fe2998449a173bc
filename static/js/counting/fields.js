/**
 * Fields from the server: the one on the screen, and the next one before it is asked for.
 *
 * @typedef {{id: number, slide: number, study: number, name: string, state: string, error: string,
 *   width: number, height: number, image: string, tiles: import("./tiles.js").Tiling | null,
 *   blind: boolean, prediction_hidden: boolean,
 *   prediction: import("./tally.js").Prediction | null, reference: Record<string, number> | null,
 *   my_reading: {revision: number, state: string, counts: Record<string, number>,
 *     marks: import("./tally.js").Mark[], method: string, seconds: number, version: number} | null,
 *   my_submitted: Record<string, number> | null,
 *   my_standing: "draft" | "correction" | "submitted" | null,
 *   why: string, comments: number, ruled_by: string,
 *   flag: {words: string, note: string, flagged_by: string} | null}} Field
 * @typedef {{code: string, microns_per_pixel: number | null}} Slide
 */
import { api } from "../lib/api.js";
import { firstFileOf } from "./tiles.js";

/** Where the way back begins is kept for this tab, so that it survives loading the page anew. */
const TRAIL = "hematally:trail:";
const LONGEST_TRAIL = 500;
/** Milliseconds that the server surely keeps a field for its reader: LEASE in assignments.py, less. */
const OURS = 10 * 60 * 1000;

export class Fields {
  /** @param {string} studyId */
  constructor(studyId) {
    this.studyId = studyId;
    /** @type {Map<number, Promise<Field>>} */
    this.ahead = new Map();
    /** What can be shown at once. @type {{after: number, id: number, at: number} | null} */
    this.prepared = null;
    /** Held, so that the browser keeps the next picture decoded. */
    this.pictureAhead = new Image();
    /** @type {Map<number, Promise<Slide>>} */
    this.slides = new Map();
  }

  /** @param {number} id @returns {Promise<Field>} */
  async get(id) {
    const early = this.ahead.get(id);
    this.ahead.delete(id);
    if (early) {
      try {
        return await early;
      } catch {
        // Asked for too early, or the network was away: ask again.
      }
    }
    return api(`fields/${id}/`);
  }

  /** @param {number} id @returns {Promise<Field>} as it is now */
  refresh(id) {
    return api(`fields/${id}/`);
  }

  /** @param {number} id whose counts have changed since it was fetched ahead */
  forget(id) {
    this.ahead.delete(id);
  }

  /** @param {number} id @returns {Promise<Slide>} */
  slide(id) {
    let slide = this.slides.get(id);
    if (!slide) {
      slide = api(`slides/${id}/`);
      slide.catch(() => this.slides.delete(id));
      this.slides.set(id, slide);
    }
    return slide;
  }

  /**
   * What comes after a field; its data and picture are fetched ahead.
   * @param {number} after
   * @returns {Promise<{field: number | null, remaining: number}>}
   */
  async next(after) {
    const at = Date.now();
    const next = await api(`studies/${this.studyId}/next/?after=${after}`);
    if (next.field !== null) this.#prepare(next.field, after, at);
    return next;
  }

  /** @param {number} id @param {number} after @param {number} at when the server gave it to us */
  #prepare(id, after, at) {
    const field = this.ahead.get(id) ?? api(`fields/${id}/`);
    this.ahead.set(id, field);
    field.then(
      (found) => {
        this.prepared = { after, id, at };
        this.pictureAhead.src = firstFileOf(found);
        this.pictureAhead.decode().catch(() => {}); // shown or told of when it is its turn
      },
      () => this.ahead.delete(id),
    );
  }

  /**
   * The next field, if it is here already and still kept for this reader.
   * @param {number} after @returns {number | null}
   */
  ready(after) {
    const { prepared } = this;
    const ours = prepared?.after === after && Date.now() - prepared.at < OURS;
    return ours && this.ahead.has(prepared.id) ? prepared.id : null;
  }

  /** @returns {number[]} the fields gone through in this tab, oldest first */
  get trail() {
    try {
      const value = JSON.parse(sessionStorage.getItem(TRAIL + this.studyId) ?? "[]");
      return Array.isArray(value) ? value.filter(Number.isInteger) : [];
    } catch {
      return [];
    }
  }

  /** @param {number[]} trail */
  keepTrail(trail) {
    try {
      sessionStorage.setItem(TRAIL + this.studyId, JSON.stringify(trail.slice(-LONGEST_TRAIL)));
    } catch {
      // Without storage the way back ends with this page.
    }
  }
}
