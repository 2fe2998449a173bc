/**
 * Marking without a pointer: a cross that arrows move over the picture. A tally key marks a cell
 * there or changes the type of the mark under it, Delete takes that mark away, / picks it up and puts
 * it down elsewhere, Tab goes from mark to mark. Said to screen readers in a few words, when the cross
 * comes to rest.
 */
import { fill, gettext } from "../lib/i18n.js";

/** Part of what is seen that an arrow goes: zoomed in, steps are finer. With Shift a tenth of it. */
const STEP = 1 / 40;
const FINE = 1 / 10;
/** Milliseconds without a move after which the place is said. */
const REST = 350;
/** Rows in which Tab reads the marks, from left to right, as one counts. */
const ROWS = 12;

export class Cursor {
  /** @param {any} screen the counting screen */
  constructor(screen) {
    this.screen = screen;
    this.on = false;
    this.x = 0;
    this.y = 0;
    this.timer = 0;
    this.element = document.createElement("div");
    this.element.className = "cursor";
    this.element.setAttribute("aria-hidden", "true");
    this.element.hidden = true;
    const { viewer } = screen.picture;
    viewer.container.append(this.element);
    for (const name of ["update-viewport", "resize", "open"]) {
      viewer.addHandler(name, () => this.#show());
    }
    // A pointer that goes to work finds the mark where the reader sees it.
    document.addEventListener("pointerdown", () => this.putDown(), true);
  }

  /** Whether a mark hangs on the cross. */
  get carrying() {
    return this.screen.picture.carried !== null;
  }

  toggle() {
    const { picture, panel } = this.screen;
    this.on = !this.on;
    if (this.on) {
      const { x, y, width, height } = picture.seen();
      Object.assign(this, { x: x + width / 2, y: y + height / 2 });
      if (!picture.visible) this.screen.toggleMarks();
      picture.viewer.canvas.focus({ preventScroll: true });
    }
    this.#show();
    panel.announce(
      this.on
        ? gettext("Cross on. Arrows move it, Space or a tally key marks, / picks a mark up, Tab goes to the next mark, Escape ends.")
        : gettext("Cross off."),
    );
  }

  /** Escape: a carried mark goes back to its place, else the cross goes. */
  leave() {
    if (this.carrying) this.#putBack();
    else if (this.on) this.toggle();
  }

  /** A field has come to the screen: begin in its middle. */
  begin() {
    const { picture } = this.screen;
    picture.carried = null;
    Object.assign(this, { x: picture.width / 2, y: picture.height / 2 });
    this.#show();
  }

  /** @param {number} right -1, 0 or 1 @param {number} down @param {boolean} fine */
  move(right, down, fine) {
    const { picture } = this.screen;
    const step = picture.seen().width * STEP * (fine ? FINE : 1);
    this.#go(this.x + right * step, this.y + down * step);
  }

  /** @param {1 | -1} by to the next mark or suggestion, or the one before, around the end */
  jump(by) {
    const { marks, suggested, width, height } = this.screen.picture;
    const order = ({ x, y }) => Math.floor((ROWS * y) / height) * width * 2 + x;
    const places = [...marks, ...suggested].sort((one, other) => order(one) - order(other));
    if (places.length === 0) {
      this.screen.panel.announce(gettext("No marks in this field."));
      return;
    }
    const here = order(this);
    const ahead = by > 0
      ? places.find((place) => order(place) > here) ?? places[0]
      : places.findLast((place) => order(place) < here) ?? places[places.length - 1];
    this.#go(ahead.x, ahead.y);
  }

  /** Mark a cell here, or make the mark here one of this type. @param {string} code */
  mark(code) {
    const { screen } = this;
    if (screen.busy) return;
    screen.activate(code);
    const { hit, hint } = screen.picture.at(this.x, this.y);
    const changed = hit >= 0 && screen.tally.now.marks[hit]?.cell_type !== code;
    if (hit < 0 || changed) {
      screen.tap(this.x, this.y, hit, hint, changed);
      if (screen.tally.needsNumber(code)) {
        clearTimeout(this.timer); // what was said instead is not talked over
        return;
      }
    }
    this.#say();
  }

  remove() {
    const { screen } = this;
    const { hit } = screen.picture.at(this.x, this.y);
    if (screen.busy) return;
    if (hit >= 0) {
      screen.tally.remove(hit);
      screen.panel.announce(gettext("Mark removed."));
    } else screen.panel.announce(gettext("No mark here."));
  }

  /** Pick up the mark here, or put down the one that is carried. */
  carry() {
    const { picture, tally, busy } = this.screen;
    if (this.carrying) {
      this.putDown();
      return;
    }
    if (busy) return;
    const mark = tally.now.marks[picture.at(this.x, this.y).hit];
    if (!mark) {
      this.#announce(gettext("No mark here."));
      return;
    }
    picture.carried = { mark, x: mark.x, y: mark.y };
    this.#go(mark.x, mark.y);
    const words = gettext("%(name)s picked up. Arrows carry it, / or Enter puts it down, Escape puts it back.");
    this.#announce(fill(words, { name: this.#nameOf(mark) }));
  }

  /** Leave the carried mark where the cross is, if there is one: one step for undo. */
  putDown() {
    const { picture, tally } = this.screen;
    const { carried } = picture;
    if (!carried) return;
    picture.carried = null;
    tally.move(tally.now.marks.indexOf(carried.mark), carried.x, carried.y);
    this.#show();
    this.#announce(this.#fillPlace(gettext("%(name)s put down at %(x)s, %(y)s"), carried.mark));
  }

  #putBack() {
    const { picture } = this.screen;
    const mark = picture.carried?.mark;
    picture.carried = null;
    if (mark) this.#go(mark.x, mark.y);
    picture.draw();
    this.#announce(gettext("Mark put back."));
  }

  /** @param {{cell_type: string}} [mark] @returns {string} of its cell type */
  #nameOf(mark) {
    return this.screen.types.find(({ code }) => code === mark?.cell_type)?.name ?? "";
  }

  /** @param {string} words @param {{cell_type: string}} [mark] */
  #fillPlace(words, mark) {
    const place = { x: Math.round(this.x), y: Math.round(this.y) };
    return fill(words, { name: this.#nameOf(mark), ...place });
  }

  /** Say what was done instead of where the cross is. @param {string} words */
  #announce(words) {
    clearTimeout(this.timer);
    this.screen.panel.announce(words);
  }

  /** @param {number} x @param {number} y in pixels of the picture */
  #go(x, y) {
    const { picture } = this.screen;
    this.x = Math.max(0, Math.min(picture.width, x));
    this.y = Math.max(0, Math.min(picture.height, y));
    if (picture.carried) {
      Object.assign(picture.carried, { x: this.x, y: this.y });
      picture.draw();
    }
    picture.reveal(this.x, this.y);
    this.#show();
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.#say(), REST);
  }

  #show() {
    const { picture } = this.screen;
    const place = this.on ? picture.toStage(this.x, this.y) : null;
    this.element.hidden = !place;
    this.element.classList.toggle("is-carrying", this.carrying);
    // An element's style set from a script is allowed where inline styles are not.
    if (place) this.element.style.transform = `translate(${place.x}px, ${place.y}px)`;
  }

  #say() {
    const { picture, panel, tally } = this.screen;
    if (!this.on) return;
    const { carried } = picture;
    const { hit, hint } = picture.at(this.x, this.y);
    const mark = carried?.mark ?? tally.now.marks[hit] ?? picture.suggested[hint];
    const words = carried
      ? gettext("%(name)s, carried to %(x)s, %(y)s")
      : hit >= 0
        ? gettext("%(name)s, marked, at %(x)s, %(y)s")
        : mark
          ? gettext("%(name)s, suggested, at %(x)s, %(y)s")
          : gettext("No mark at %(x)s, %(y)s");
    panel.announce(this.#fillPlace(words, mark));
  }
}
