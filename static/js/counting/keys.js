/** Keys of the counting screen. They are shown with `?` and work wherever the focus is. */

/**
 * What a key press means here, or null when it is not ours.
 * @param {KeyboardEvent} event
 * @param {{keys: Map<string, string>, typing: boolean, choice: boolean, dialog: boolean,
 *   help: boolean, button: boolean, cursor: boolean, carrying: boolean}} where tally keys by cell
 *   type; whether the focus is in an input, and that one is a list, slider or box; a dialog is open,
 *   and it is the list of keys; a button has focus, the cross is on the picture, it carries a mark
 * @returns {{name: string, code?: string} | null}
 */
export function meaning(event, { keys, typing, choice, dialog, help, button, cursor, carrying }) {
  if (event.isComposing) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (help && key === "?") return { name: "help" };
  if (dialog) return null; // it closes itself
  if (event.altKey) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return null;
    const code = keys.get(key) ?? keys.get(placeOf(event));
    return code ? { name: "choose", code } : null;
  }
  if (event.ctrlKey || event.metaKey) {
    if (key === "z") return { name: event.shiftKey ? "redo" : "undo" };
    if (key === "y") return { name: "redo" };
    return null;
  }
  if (key === "Escape") return { name: "escape" };
  if (typing) {
    // In a number, digits and editing keys are the number's own.
    if ((/^[\d.,]$/.test(key) && !choice) || ["Backspace", "Delete", "Home", "End", "-"].includes(key)) return null;
    if (key === "ArrowLeft" || key === "ArrowRight") return null;
  }
  const code = keys.get(key) ?? keys.get(digitOf(event));
  if (cursor && !typing && !(button && (key === " " || key === "Tab"))) {
    if (code && !event.shiftKey) return { name: "cursor-mark", code };
    const name =
      (carrying && CARRYING[key]) || (event.shiftKey && CURSOR_SHIFT[key]) || CURSOR[key];
    if (name) return { name };
  }
  // A focused button answers to Enter and Space itself only when the reader went there with Tab.
  if (key === "Enter" || key === " ") {
    return button ? null : { name: key === " " ? "confirm" : "submit" };
  }
  if (code) return { name: event.shiftKey ? "subtract" : "add", code };
  return NAMED[key] ? { name: NAMED[key] } : null;
}

/** Shift and a digit gives a sign that differs from keyboard to keyboard. */
function digitOf(event) {
  return event.shiftKey && /^Digit\d$/.test(event.code) ? event.code.slice(5) : "";
}

/** On a Mac, Option and a letter give another sign: then the key's place says which is meant. */
function placeOf(event) {
  const named = /^[a-z0-9]$/i.test(event.key) ? null : /^(?:Key|Digit)(.)$/.exec(event.code);
  return named ? named[1].toLowerCase() : "";
}

/**
 * Letters and digits here are reserved: counting/services/studies.py keeps cell types off them.
 * @type {Record<string, string>}
 */
const NAMED = {
  "-": "subtract",
  "+": "add",
  "=": "add",
  a: "accept",
  b: "previous",
  Backspace: "previous",
  c: "channel",
  g: "grid",
  h: "heat",
  m: "marks",
  n: "number",
  v: "view",
  0: "zero",
  ",": "cursor",
  ".": "edges",
  ";": "reset-view",
  "?": "help",
  "!": "flag",
  PageUp: "zoom-in",
  PageDown: "zoom-out",
  Home: "fit",
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
};

/** While the cross is on the picture. @type {Record<string, string>} */
const CURSOR = {
  ArrowLeft: "cursor-left",
  ArrowRight: "cursor-right",
  ArrowUp: "cursor-up",
  ArrowDown: "cursor-down",
  " ": "cursor-mark",
  Tab: "cursor-next",
  Delete: "cursor-remove",
  Backspace: "cursor-remove",
  "/": "cursor-carry",
};

/** While the cross carries a mark, these too. @type {Record<string, string>} */
const CARRYING = {
  Enter: "cursor-carry",
  " ": "cursor-carry",
};

/** The same with Shift. @type {Record<string, string>} */
const CURSOR_SHIFT = {
  ArrowLeft: "cursor-left-fine",
  ArrowRight: "cursor-right-fine",
  ArrowUp: "cursor-up-fine",
  ArrowDown: "cursor-down-fine",
  Tab: "cursor-before",
};

/** What leaves a carried mark in the air; everything else puts it down first. */
export const KEEPS_CARRYING = new Set([
  "cursor-carry", "cursor-left", "cursor-right", "cursor-up", "cursor-down",
  ...Object.values(CURSOR_SHIFT).filter((name) => name.endsWith("-fine")),
  "zoom-in", "zoom-out", "fit", "grid", "edges", "heat", "channel", "reset-view", "help",
]);

/** Keys that may be held down; a tally key that is held would count a cell many times. */
export const MAY_REPEAT = new Set([
  "zoom-in", "zoom-out", "left", "right", "up", "down", "undo", "redo",
  "cursor-left", "cursor-right", "cursor-up", "cursor-down", "cursor-next",
  ...Object.values(CURSOR_SHIFT),
]);
