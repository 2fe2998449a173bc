/** What buttons and keys of the counting screen do. */
import { all, isTyping, one } from "../lib/dom.js";
import { KEEPS_CARRYING, MAY_REPEAT, meaning } from "./keys.js";

/** @typedef {import("./screen.js").Screen} Screen */

const ZOOM = 1.4;
const STEP = 0.15;

/**
 * @param {Screen} screen @param {import("./cursor.js").Cursor} cursor
 * @param {Record<string, () => void>} more actions, by key and button
 */
export function listen(screen, cursor, more) {
  document.addEventListener("keydown", (event) => press(screen, cursor, more, event));
  document.addEventListener("click", letGo);
  for (const [name, action] of Object.entries({ ...buttonsOf(screen), ...more })) {
    for (const button of all(`button[data-${name}]`)) {
      button.addEventListener("click", action);
    }
  }
}

/**
 * After a click with the pointer the next Enter is to submit, not to press that button again. Who
 * went there by Tab (then `detail` is 0) stays there.
 * @param {MouseEvent} event
 */
function letGo(event) {
  const target = event.target;
  if (event.detail === 0 || !(target instanceof Element)) return;
  const focused = document.activeElement;
  if (!target.closest("button, summary") || target.closest("dialog")) return;
  if (focused instanceof HTMLElement && focused.matches("button, summary")) focused.blur();
}

/** @param {Screen} screen @returns {Record<string, () => void>} */
function shared(screen) {
  return {
    accept: () => screen.accept(),
    submit: () => screen.way.submit(),
    previous: () => screen.way.previous(),
    undo: () => screen.retell(() => screen.tally.undo()),
    redo: () => screen.retell(() => screen.tally.redo()),
    confirm: () => screen.confirm(),
    marks: () => screen.toggleMarks(),
    help: () => toggleHelp(),
    "zoom-in": () => screen.picture.zoom(ZOOM),
    "zoom-out": () => screen.picture.zoom(1 / ZOOM),
    fit: () => screen.picture.fit(),
  };
}

/** @param {Screen} screen @returns {Record<string, () => void>} */
function buttonsOf(screen) {
  return {
    ...shared(screen),
    retry: () => screen.askForPrediction(),
    "leave-out": () => screen.way.submit({ leaveOut: screen.way.asked, sure: true }),
    "ask-zero": () => screen.way.submit({ sure: true }),
    "ask-back": () => screen.way.stopAsking(),
  };
}

/** @param {Screen} screen @param {string} code @returns {Record<string, () => void>} */
function keysOf(screen, code) {
  return {
    ...shared(screen),
    add: () => screen.add(code, 1),
    subtract: () => screen.add(code, -1),
    choose: () => screen.choose(code),
    zero: () => screen.way.zero(),
    number: () => !screen.busy && screen.panel.input(screen.active).focus(),
    left: () => screen.picture.pan(-STEP, 0),
    right: () => screen.picture.pan(STEP, 0),
    up: () => screen.picture.pan(0, -STEP),
    down: () => screen.picture.pan(0, STEP),
  };
}

/** @param {import("./cursor.js").Cursor} cursor @param {string} code */
function cursorKeysOf(cursor, code) {
  return {
    cursor: () => cursor.toggle(),
    "cursor-left": () => cursor.move(-1, 0, false),
    "cursor-right": () => cursor.move(1, 0, false),
    "cursor-up": () => cursor.move(0, -1, false),
    "cursor-down": () => cursor.move(0, 1, false),
    "cursor-left-fine": () => cursor.move(-1, 0, true),
    "cursor-right-fine": () => cursor.move(1, 0, true),
    "cursor-up-fine": () => cursor.move(0, -1, true),
    "cursor-down-fine": () => cursor.move(0, 1, true),
    "cursor-next": () => cursor.jump(1),
    "cursor-before": () => cursor.jump(-1),
    "cursor-mark": () => cursor.mark(code),
    "cursor-remove": () => cursor.remove(),
    "cursor-carry": () => cursor.carry(),
  };
}

/**
 * @param {Screen} screen @param {import("./cursor.js").Cursor} cursor
 * @param {Record<string, () => void>} more @param {KeyboardEvent} event
 */
function press(screen, cursor, more, event) {
  const target = event.target;
  if (isOwn(target, event.key)) return;
  const typing = isTyping(target);
  const meant = meaning(event, {
    keys: screen.keys,
    typing,
    choice: isChoice(target),
    dialog: document.querySelector("dialog[open]") !== null,
    help: help().open,
    button: target instanceof HTMLElement && Boolean(target.closest("a, button, summary")),
    cursor: cursor.on,
    carrying: cursor.carrying,
  });
  if (!meant) return;
  if (meant.name === "escape") {
    escape(screen, cursor, typing ? /** @type {HTMLElement} */ (target) : null);
    return;
  }
  event.preventDefault();
  if (event.repeat && !MAY_REPEAT.has(meant.name)) return;
  if (typing && !["undo", "redo"].includes(meant.name)) {
    /** @type {HTMLElement} */ (target).blur();
  }
  if (!KEEPS_CARRYING.has(meant.name)) cursor.putDown();
  const code = meant.code ?? screen.active;
  ({ ...keysOf(screen, code), ...cursorKeysOf(cursor, code), ...more })[meant.name]?.();
}

/**
 * One thing for each press: the last that was begun ends first.
 * @param {Screen} screen @param {import("./cursor.js").Cursor} cursor
 * @param {HTMLElement | null} typingIn
 */
function escape(screen, cursor, typingIn) {
  const inView = Boolean(typingIn?.closest("#view-panel"));
  typingIn?.blur();
  if (typingIn && !inView) return;
  if (!inView && screen.way.asking) screen.way.stopAsking();
  else if (!inView && cursor.carrying) cursor.leave();
  else if (!screen.onEscape(inView)) cursor.leave();
}

/**
 * Whether this is a list, slider or box, in which digits mean nothing.
 * @param {EventTarget | null} target @returns {boolean}
 */
function isChoice(target) {
  const input = target instanceof HTMLInputElement && /^(range|radio|checkbox)$/.test(target.type);
  return input || target instanceof HTMLSelectElement;
}

/**
 * Whether sliders, choices and lists of the page answer to this key themselves.
 * @param {EventTarget | null} target @param {string} key @returns {boolean}
 */
function isOwn(target, key) {
  if (target instanceof HTMLSelectElement && key === "Enter") return true;
  return isChoice(target) && (key === " " || /^(Arrow|Page|Home|End)/.test(key));
}

/** @returns {HTMLDialogElement} */
function help() {
  return /** @type {HTMLDialogElement} */ (one("#keys"));
}

function toggleHelp() {
  if (help().open) help().close();
  else help().showModal();
}
