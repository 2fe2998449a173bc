/**
 * Undo and redo of a field outlast a reload of the page and a visit to another field: kept for as
 * long as the tab is open.
 */

/**
 * @typedef {import("./tally.js").Snapshot} Snapshot
 * @typedef {import("./tally.js").Tally} Tally
 */

/** References to marks that are kept of one field; a tab may keep five million characters in all. */
const MOST_MARKS = 50000;

export class Steps {
  /** @param {string} userId several people may share a computer */
  constructor(userId) {
    this.prefix = `hematally:steps:${userId}:`;
  }

  /** @param {number} fieldId @param {Tally} tally which leaves the screen */
  keep(fieldId, tally) {
    const key = this.prefix + fieldId;
    if (tally.past.length + tally.future.length === 0) return;
    const past = newest(tally.past);
    const future = newest(tally.future);
    /** @type {import("./tally.js").Mark[]} */
    const marks = [];
    const numbers = new Map();
    /** @param {import("./tally.js").Mark} mark */
    const numberOf = (mark) => {
      if (!numbers.has(mark)) numbers.set(mark, marks.push(mark) - 1);
      return numbers.get(mark);
    };
    // Snapshots share most marks: each is written once.
    /** @param {Snapshot} each */
    const packed = (each) => ({ ...each, marks: each.marks.map(numberOf) });
    const text = JSON.stringify({
      now: packed(tally.now), past: past.map(packed), future: future.map(packed), marks,
    });
    try {
      try {
        sessionStorage.setItem(key, text);
      } catch {
        this.#forgetAll();
        sessionStorage.setItem(key, text);
      }
    } catch {
      // No storage: the steps last until the page is left, as they did before.
    }
  }

  /**
   * Give a field that has come to the screen its steps back, when it stands as it was left.
   * @param {number} fieldId @param {Tally} tally as loaded
   */
  giveBack(fieldId, tally) {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.prefix + fieldId) ?? "null");
      if (!kept) return;
      /** @param {any} each @returns {Snapshot} */
      const unpacked = (each) => {
        const marks = each.marks.map((/** @type {number} */ number) => kept.marks[number]);
        return { ...each, wrong: each.wrong ?? {}, marks };
      };
      const now = unpacked(kept.now);
      if (signature(now) !== signature(tally.now)) return;
      tally.resume(now, kept.past.map(unpacked), kept.future.map(unpacked));
    } catch {
      // Nothing was kept, or by an older program.
    }
  }

  #forgetAll() {
    const own = Object.keys(sessionStorage).filter((key) => key.startsWith("hematally:steps:"));
    for (const key of own) sessionStorage.removeItem(key);
  }
}

/** @param {Snapshot[]} steps the newest last @returns {Snapshot[]} as many of them as may be kept */
function newest(steps) {
  let room = MOST_MARKS;
  const oldest = steps.findLastIndex((each) => (room -= each.marks.length + 1) < 0);
  return steps.slice(oldest + 1);
}

/** @param {Snapshot} snapshot @returns {string} the same for the same counts and marks */
function signature({ numbers, marks }) {
  const counted = Object.entries(numbers).map(([code, number]) => `${code} ${number}`);
  const marked = marks.map(({ cell_type, x, y }) => `${cell_type} ${x} ${y}`);
  return [...counted.sort(), ...marked.sort()].join(",");
}
