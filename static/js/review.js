/**
 * The reviewer's page: both readings' marks on the field, in two pictures that move as one, and keys
 * that press what stands on the page.
 */
import { ringsOf } from "./counting/overlays.js";
import { Picture } from "./counting/picture.js";
import { Tiles } from "./counting/tiles.js";
import { api } from "./lib/api.js";
import { all, isTyping, one, say } from "./lib/dom.js";
import { gettext } from "./lib/i18n.js";
import { shapeAt } from "./lib/shapes.js";

const ZOOM = 1.4;
const STEP = 0.15;

/**
 * What keys do to the picture that has the focus.
 * @type {Record<string, (picture: Picture) => void>}
 */
const FOCUSED = {
  PageUp: (picture) => picture.zoom(ZOOM),
  PageDown: (picture) => picture.zoom(1 / ZOOM),
  ArrowLeft: (picture) => picture.pan(-STEP, 0),
  ArrowRight: (picture) => picture.pan(STEP, 0),
  ArrowUp: (picture) => picture.pan(0, -STEP),
  ArrowDown: (picture) => picture.pan(0, STEP),
};

class Review {
  /** @param {HTMLElement} form */
  constructor(form) {
    this.form = form;
    const looks = Object.fromEntries(
      all("[data-type]", form).map(({ dataset }) => [
        dataset.type,
        { shape: shapeAt(Number(dataset.position)), color: dataset.color ?? "" },
      ]),
    );
    this.pictures = all("[data-viewer]", form).map(
      (element) => new Picture(element, looks, form.dataset.label ?? ""),
    );
    /** The picture that was touched last; the other goes where it goes. */
    this.leader = this.pictures[0];
    for (const picture of this.pictures) {
      for (const kind of ["pointerdown", "wheel", "focusin"]) {
        const lead = () => { this.leader = picture; };
        picture.element.addEventListener(kind, lead, { capture: true, passive: true });
      }
      picture.viewer.addHandler("update-viewport", () => this.#follow(picture));
    }
    this.tiles = new Tiles((field) => this.pictures.forEach((picture) => picture.refine(field)));
    const buttons = {
      "zoom-in": () => this.leader.zoom(ZOOM),
      "zoom-out": () => this.leader.zoom(1 / ZOOM),
      fit: () => this.leader.fit(),
      marks: () => this.#toggleMarks(),
    };
    for (const [name, action] of Object.entries(buttons)) {
      one(`button[data-${name}]`).addEventListener("click", action);
    }
    this.#open();
  }

  /** @param {Picture} picture has moved */
  #follow(picture) {
    if (picture !== this.leader) return;
    for (const other of this.pictures) if (other !== picture) other.follow(picture);
  }

  /**
   * Keys of a picture that has the focus; elsewhere they move the page.
   * @param {KeyboardEvent} event @returns {boolean} whether this was one
   */
  press(event) {
    const focused = this.pictures.find(({ element }) => element.contains(event.target));
    if (!focused || !FOCUSED[event.key]) return false;
    event.preventDefault();
    FOCUSED[event.key](focused);
    return true;
  }

  async #open() {
    try {
      const field = await api(`fields/${this.form.dataset.field}/`);
      const opened = this.pictures.map((picture) => picture.open(field));
      this.pictures.forEach((picture) => show(picture));
      this.tiles.begin(field);
      await Promise.all(opened);
    } catch (error) {
      const cannot = gettext("The picture cannot be shown. Load the page again.");
      const trouble = one("[data-trouble]");
      trouble.hidden = false;
      say(one("[data-words]", trouble), error.message === "open-failed" ? cannot : error.message);
    }
  }

  #toggleMarks() {
    const [{ visible }] = this.pictures;
    for (const picture of this.pictures) {
      picture.visible = !visible;
      picture.draw();
    }
    one("button[data-marks]").setAttribute("aria-pressed", String(!visible));
  }
}

/**
 * Give a picture its reading's marks, with rings below those that the other lacks.
 * @param {Picture} picture
 */
function show(picture) {
  picture.marks = JSON.parse(picture.element.dataset.readingMarks ?? "[]");
  const rings = ringsOf(picture.marks.filter((mark) => mark.alone));
  picture.layers = [(...given) => picture.visible && rings(...given)];
  picture.draw();
}

/** Keys that press a button or link, wherever the focus is. @type {Record<string, string>} */
const BUTTONS = {
  "+": "[data-zoom-in]",
  "=": "[data-zoom-in]",
  "-": "[data-zoom-out]",
  home: "[data-fit]",
  1: '[data-key="1"]',
  2: '[data-key="2"]',
  3: '[data-key="3"]',
  4: '[data-key="4"]',
  m: "button[data-marks]",
  l: "[data-later]",
  u: "[data-undo-ruling]",
};
/** Those that may be held down; a held ruling would rule on the field that comes next. */
const MAY_REPEAT = new Set(["+", "=", "-"]);

const form = document.querySelector("[data-review]");
const review = form instanceof HTMLElement ? new Review(form) : null;

// Nor must a second press rule on the next field, or undo one more ruling.
document.addEventListener("submit", () => {
  removeEventListener("keydown", press);
});

/** @param {KeyboardEvent} event */
function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (review?.press(event)) return;
  const key = event.key.toLowerCase();
  if (event.repeat && !MAY_REPEAT.has(key)) return;
  const found = BUTTONS[key] && document.querySelector(BUTTONS[key]);
  if (!(found instanceof HTMLElement)) return;
  event.preventDefault();
  found.click();
}

addEventListener("keydown", press);
