/**
 * What the server may not have yet, kept in this browser: an entry for each user, field and tab, so
 * that two tabs on one field never write over each other.
 *
 * @typedef {{counts: Record<string, number>, marks: import("./tally.js").Mark[], method: string,
 *   seconds: number, prediction?: number | null, submit: boolean}} Reading
 * @typedef {Reading & {version?: number, tab?: string, at?: number, name?: string}} Entry `name`:
 *   the field's
 */

export class Kept {
  /** @param {string} userId several people may share a computer @param {string} tab */
  constructor(userId, tab) {
    this.prefix = `hematally:reading:${userId}:`;
    this.tab = tab;
  }

  /** @param {number} fieldId */
  #key(fieldId) {
    return `${this.prefix}${fieldId}:${this.tab}`;
  }

  /** @returns {{key: string, fieldId: number, entry: Entry}[]} newest first */
  all() {
    let keys = [];
    try {
      keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
    } catch {
      return [];
    }
    const found = [];
    for (const key of keys) {
      const entry = this.#read(key);
      const fieldId = Number(key.slice(this.prefix.length).split(":")[0]);
      if (entry) found.push({ key, fieldId, entry });
    }
    return found.sort((one, other) => (other.entry.at ?? 0) - (one.entry.at ?? 0));
  }

  /** @param {string} key @returns {Entry | null} */
  #read(key) {
    try {
      const text = localStorage.getItem(key);
      const value = text ? JSON.parse(text) : null;
      return value && typeof value.counts === "object" && Array.isArray(value.marks) ? value : null;
    } catch {
      return null;
    }
  }

  /**
   * The newest entry of a field, whichever tab left it; it is this tab's from now on.
   * @param {number} fieldId @returns {Entry | null}
   */
  adopt(fieldId) {
    const found = this.all().find((each) => each.fieldId === fieldId);
    if (!found) return null;
    if (found.key !== this.#key(fieldId)) {
      this.write(fieldId, found.entry);
      this.remove(found.key);
    }
    return found.entry;
  }

  /**
   * @param {number} fieldId @param {Entry} entry
   * @returns {boolean} whether it is kept; storage may be off or full
   */
  write(fieldId, entry) {
    try {
      localStorage.setItem(this.#key(fieldId), JSON.stringify({ ...entry, at: Date.now() }));
      return true;
    } catch {
      return false;
    }
  }

  /** @param {number} fieldId this tab's entry; the server has it */
  forget(fieldId) {
    this.remove(this.#key(fieldId));
  }

  /** @param {string} key */
  remove(key) {
    try {
      localStorage.removeItem(key);
    } catch {
      // Nothing was kept then.
    }
  }
}
