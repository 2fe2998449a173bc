/**
 * What the reader has counted so far: a number for each cell type and marks on the picture.
 * Knows nothing of the page, the picture or the server.
 *
 * The one rule between numbers and marks: a click adds one cell and leaves a mark, a key or button
 * adds one cell without. The number always counts. Where the marks of a type do not add up to its
 * number, that type is "number only": its marks are dropped when the reading is submitted.
 *
 * @typedef {{cell_type: string, x: number, y: number}} Mark
 * @typedef {{value: number, low: number, high: number}} Suggestion
 * @typedef {{id: number, model_version: number, model_name: string, counts: Record<string, Suggestion>,
 *   marks: Mark[], novel: boolean, faults: {code: string, name: string, words: string}[]}} Prediction
 * @typedef {{numbers: Record<string, number | null>, wrong: Record<string, string>,
 *   marks: readonly Mark[], ways: readonly string[], label: string}} Snapshot `wrong`: what was typed
 *   for a type and is no count; it is kept as it is, and its type is not counted
 */

/** As in counting/services/readings.py. */
export const MOST = 20000;

export class Tally {
  /** @param {string[]} codes the study's cell types */
  constructor(codes) {
    this.codes = codes;
    /** @type {Snapshot[]} */
    this.past = [];
    /** @type {Snapshot[]} */
    this.future = [];
    /** @type {Snapshot} */
    this.now = this.#empty();
    /** @type {() => void} */
    this.onChange = () => {};
  }

  #empty() {
    const numbers = Object.fromEntries(this.codes.map((code) => [code, null]));
    return { numbers, wrong: {}, marks: [], ways: [], label: "" };
  }

  /**
   * Start with a saved reading, or with nothing.
   * @param {{counts: Record<string, number>, marks: Mark[], method: string} | null} reading
   */
  load(reading) {
    this.past = [];
    this.future = [];
    this.now = this.#empty();
    if (!reading) return;
    const numbers = { ...this.now.numbers };
    for (const code of this.codes) numbers[code] = reading.counts[code] ?? null;
    const marks = reading.marks.filter((mark) => this.codes.includes(mark.cell_type));
    this.now = { ...this.now, numbers, marks };
    if (!this.isEmpty) this.now = { ...this.now, ways: [reading.method] };
  }

  /**
   * Go on where an earlier visit left off, with what it can undo and redo.
   * @param {Snapshot} now @param {Snapshot[]} past @param {Snapshot[]} future
   */
  resume(now, past, future) {
    this.now = now;
    this.past = past;
    this.future = future;
  }

  /** @param {Partial<Snapshot>} change @param {string} label @param {boolean} [amend] */
  #do(change, label, amend = false) {
    if (!(amend && this.past.length > 0 && this.now.label === label)) this.past.push(this.now);
    this.future = [];
    const now = { ...this.now, ...change, label };
    // A number that comes by any way takes the place of what was typed.
    const wrong = Object.entries(now.wrong).filter(([code]) => now.numbers[code] === null);
    this.now = { ...now, wrong: Object.fromEntries(wrong) };
    this.onChange();
  }

  /** @param {string} way @returns {string[]} */
  #also(way) {
    return this.now.ways.includes(way) ? [...this.now.ways] : [...this.now.ways, way];
  }

  /** @param {string} code @param {number | null} number */
  #withNumber(code, number) {
    const inRange = number === null ? null : Math.max(0, Math.min(MOST, number));
    return { ...this.now.numbers, [code]: inRange };
  }

  /** A mark less does not make a type counted that was not. @param {string} code */
  #withoutOne(code) {
    return this.touched(code) ? this.#withNumber(code, this.number(code) - 1) : { ...this.now.numbers };
  }

  /** @param {string} code @returns {number} */
  number(code) {
    return this.now.numbers[code] ?? 0;
  }

  /** @param {string} code @returns {boolean} whether the reader has counted this type */
  touched(code) {
    return this.now.numbers[code] !== null;
  }

  /** @param {string} code @returns {boolean} whether what was typed for this type is no count */
  isWrong(code) {
    return code in this.now.wrong;
  }

  /**
   * @param {string} code
   * @returns {boolean} whether what was typed is no count, or was taken away from over its marks:
   *   one more cell would count on from 0
   */
  needsNumber(code) {
    return this.isWrong(code) || (!this.touched(code) && this.marked(code) > 0);
  }

  /** @param {string} code @returns {number} */
  marked(code) {
    return this.now.marks.reduce((sum, mark) => sum + Number(mark.cell_type === code), 0);
  }

  /** @param {string} code @returns {boolean} whether marks and number contradict each other */
  numberOnly(code) {
    const marked = this.marked(code);
    return marked > 0 && marked !== this.number(code);
  }

  get untouched() {
    return this.codes.filter((code) => !this.touched(code));
  }

  get isEmpty() {
    return this.untouched.length === this.codes.length && this.now.marks.length === 0;
  }

  /**
   * Count by key or button. Taking one off also takes off the last mark of a type that is counted
   * by its marks, so that the two stay together.
   * @param {string} code @param {number} by 1 or -1
   */
  add(code, by) {
    const number = this.number(code);
    if (by < 0 && number === 0 && this.touched(code)) return;
    let marks = this.now.marks;
    if (by < 0 && number > 0 && this.marked(code) === number) {
      const last = marks.map((mark) => mark.cell_type).lastIndexOf(code);
      marks = marks.filter((_, index) => index !== last);
    }
    const change = { numbers: this.#withNumber(code, number + by), marks };
    this.#do({ ...change, ways: this.#also("tally") }, "tally");
  }

  /** Say by key that a field has none of a type. @param {string} code */
  none(code) {
    if (this.now.numbers[code] === 0) return;
    this.#do({ numbers: this.#withNumber(code, 0), ways: this.#also("tally") }, "tally");
  }

  /**
   * Count by typing. Digits of one number are one step for undo.
   * @param {string} code @param {string} text nothing: not counted
   */
  type(code, text) {
    const typed = text.trim();
    const number = /^\d+$/.test(typed) && Number(typed) <= MOST ? Number(typed) : null;
    const isWrong = number === null && typed !== "";
    if (number === this.now.numbers[code] && !isWrong && !this.isWrong(code)) return;
    const numbers = this.#withNumber(code, number);
    const wrong = { ...this.now.wrong };
    delete wrong[code];
    if (isWrong) wrong[code] = text;
    this.#do({ numbers, wrong, ways: this.#also("typing") }, `typing ${code}`, true);
  }

  /** The next digit starts a step of its own. */
  endTyping() {
    if (this.now.label.startsWith("typing ")) this.now = { ...this.now, label: "typed" };
  }

  /** @param {string} code @param {number} x @param {number} y in pixels of the picture */
  place(code, x, y) {
    if (this.number(code) >= MOST) return;
    const mark = { cell_type: code, x: round(x), y: round(y) };
    const numbers = this.#withNumber(code, this.number(code) + 1);
    this.#do({ numbers, marks: [...this.now.marks, mark], ways: this.#also("marks") }, "place");
  }

  /** @param {number} index of a mark */
  remove(index) {
    const mark = this.now.marks[index];
    if (!mark) return;
    const marks = this.now.marks.filter((_, other) => other !== index);
    const numbers = this.#withoutOne(mark.cell_type);
    this.#do({ numbers, marks, ways: this.#also("marks") }, "remove");
  }

  /** @param {number} index @param {number} x @param {number} y */
  move(index, x, y) {
    const moved = { ...this.now.marks[index], x: round(x), y: round(y) };
    const { x: left, y: top } = this.now.marks[index] ?? moved;
    if (moved.x === left && moved.y === top) return;
    const marks = this.now.marks.map((mark, other) => (other === index ? moved : mark));
    this.#do({ marks, ways: this.#also("marks") }, "move");
  }

  /** @param {number} index of a mark @param {string} code the type that it becomes */
  retype(index, code) {
    const mark = this.now.marks[index];
    if (!mark || mark.cell_type === code) return;
    const marks = this.now.marks.map((each, other) =>
      other === index ? { ...each, cell_type: code } : each,
    );
    const numbers = this.#withoutOne(mark.cell_type);
    numbers[code] = Math.min(MOST, this.number(code) + 1);
    this.#do({ numbers, marks, ways: this.#also("marks") }, "retype");
  }

  /**
   * Take suggested marks of a type over. Cells that were counted without marks get theirs; the
   * number grows only where there are more marks than that.
   * @param {string} code @param {readonly Mark[]} suggested not marked yet
   */
  confirm(code, suggested) {
    const marks = [...this.now.marks, ...suggested.map((mark) => ({ ...mark }))];
    const marked = this.marked(code) + suggested.length;
    const numbers = this.#withNumber(code, Math.max(this.number(code), marked));
    const untouched = this.isEmpty;
    this.#do({ numbers, marks, ways: untouched ? ["accepted"] : this.#also("accepted") }, "confirm");
  }

  /**
   * Take the suggestion over, for one type or for all.
   * @param {Prediction} prediction @param {string[]} [codes]
   */
  accept(prediction, codes = this.codes) {
    const taken = codes.filter((code) => prediction.counts[code]);
    if (taken.length === 0) return;
    const whole = this.codes.every((code) => taken.includes(code) || !this.touched(code));
    const ways = whole ? ["accepted"] : this.#also("accepted");
    this.#do({ ...this.#taken(prediction, taken), ways }, "accept");
  }

  /**
   * Start with the suggestion taken over, before the reader has done anything: nothing to keep yet,
   * but the first undo leaves the field uncounted.
   * @param {Prediction} prediction
   */
  begin(prediction) {
    const taken = this.codes.filter((code) => prediction.counts[code]);
    if (taken.length === 0) return;
    this.past = [this.now];
    const start = this.#taken(prediction, taken);
    this.now = { ...this.now, ...start, ways: ["accepted"], label: "accept" };
  }

  /** @param {Prediction} prediction @param {string[]} codes that are taken over */
  #taken(prediction, codes) {
    const numbers = { ...this.now.numbers };
    for (const code of codes) numbers[code] = prediction.counts[code].value;
    const kept = this.now.marks.filter((mark) => !codes.includes(mark.cell_type));
    const suggested = prediction.marks.filter((mark) => codes.includes(mark.cell_type));
    return { numbers, marks: [...kept, ...suggested.map((mark) => ({ ...mark }))] };
  }

  /** @returns {boolean} */
  undo() {
    const before = this.past.pop();
    if (!before) return false;
    this.future.push(this.now);
    this.now = before;
    this.onChange();
    return true;
  }

  /** @returns {boolean} */
  redo() {
    const after = this.future.pop();
    if (!after) return false;
    this.past.push(this.now);
    this.now = after;
    this.onChange();
    return true;
  }

  /**
   * @returns {string} accepted, corrected, tally, marks, typing or mixed. What began as the
   *   suggestion stays told apart from what was counted with the suggestion in view.
   */
  get method() {
    const [first = "tally", ...more] = this.now.ways;
    if (more.length === 0) return first;
    return first === "accepted" || first === "corrected" ? "corrected" : "mixed";
  }

  /** What a draft keeps: everything, also marks that do not add up. */
  draft() {
    return { counts: counted(this.now.numbers), marks: [...this.now.marks], method: this.method };
  }

  /**
   * What is submitted: types that were not touched are 0 unless left out, and marks only where
   * they add up to the number.
   * @param {string[]} leaveOut
   */
  reading(leaveOut = []) {
    const numbers = { ...this.now.numbers };
    for (const code of this.untouched) numbers[code] = leaveOut.includes(code) ? null : 0;
    const marks = this.now.marks.filter(
      (mark) => !this.numberOnly(mark.cell_type) && numbers[mark.cell_type] !== null,
    );
    return { counts: counted(numbers), marks, method: this.method };
  }
}

/** @param {number} value @returns {number} a tenth of a pixel is finer than any click */
function round(value) {
  return Math.round(value * 10) / 10;
}

/** @param {Record<string, number | null>} numbers @returns {Record<string, number>} */
function counted(numbers) {
  /** @type {Record<string, number>} */
  const kept = {};
  for (const [code, number] of Object.entries(numbers)) if (number !== null) kept[code] = number;
  return kept;
}
