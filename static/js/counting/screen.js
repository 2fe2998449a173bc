/** The counting screen: brings picture, tally, panel, keys and server together. */
import { one, say } from "../lib/dom.js";
import { fill, gettext, ngettext } from "../lib/i18n.js";
import { shapeAt } from "../lib/shapes.js";
import { Clock } from "./clock.js";
import { Fields } from "./fields.js";
import { reachOf, unmarked } from "./hints.js";
import { Panel } from "./panel.js";
import { Picture } from "./picture.js";
import { Saver } from "./saver.js";
import { Steps } from "./steps.js";
import { Suggestion, isPending } from "./suggestion.js";
import { Tally } from "./tally.js";
import { Way, stateOf } from "./way.js";

/** A second tap this soon at the mark just placed is a double click, not a wish to remove it. */
const DOUBLE_CLICK = 350;

export class Screen {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.studyId = root.dataset.study ?? "";
    this.fields = new Fields(this.studyId);
    this.panel = new Panel({
      activate: (code) => this.activate(code),
      choose: (code) => this.choose(code),
      add: (code, by) => this.add(code, by),
      type: (code, text) => this.type(code, text),
      typed: () => this.tally.endTyping(),
      take: (code) => this.accept([code]),
    });
    this.types = this.panel.types;
    this.keys = new Map(this.types.map((type) => [type.key, type.code]));
    this.tally = new Tally(this.types.map((type) => type.code));
    this.tally.onChange = () => this.changed();
    this.active = this.types[0]?.code ?? "";
    const looks = this.types.map(({ code, color, position }) => [
      code,
      { shape: shapeAt(position), color },
    ]);
    this.picture = new Picture(one("#viewer"), Object.fromEntries(looks), gettext("Picture"));
    this.picture.onTap = (...tap) => this.tap(...tap);
    this.picture.onMove = (index, x, y) => !this.busy && this.tally.move(index, x, y);
    this.clock = new Clock();
    this.saver = new Saver(root.dataset.user ?? "", (...state) => this.way.saveState(...state));
    this.way = new Way(this);
    this.steps = new Steps(root.dataset.user ?? "");
    /** @type {import("./fields.js").Field | null} */
    this.field = null;
    /** @type {import("./tally.js").Prediction | null} */
    this.shown = null;
    this.busy = false;
    this.dirty = false;
    this.placedAt = 0;
    /** The field that was asked for last: an answer that comes after another one's is too late. */
    this.wanted = 0;
    /** @type {Promise<{field: number | null, remaining: number}> | null} */
    this.coming = null;
    this.suggestion = new Suggestion(this.fields, (field) => this.arrived(field));
    /**
     * Told of a field that this reader has not counted yet.
     * @type {(field: import("./fields.js").Field) => void}
     */
    this.onUncounted = () => {};
    /** Told of each new field, of each conflict over one, of each change, and of Esc. */
    this.onField = () => {};
    this.onConflict = () => {};
    this.onChange = () => {};
    /** @type {(inView: boolean) => boolean} whether something ended by it */
    this.onEscape = () => false;
    /** Asked before a key or click adds a cell, and told when one did. */
    this.mayAdd = () => true;
    /** @type {(by: number) => void} */
    this.onCount = () => {};
    addEventListener("popstate", () => {
      const id = Number(location.pathname.split("/")[2]);
      if (id !== this.wanted) this.show(id, "stay");
    });
    addEventListener("pagehide", () => this.leave());
    addEventListener("beforeunload", (event) => {
      if (this.saver.loose.size > 0) event.preventDefault();
    });
    // Also when the reader comes back, perhaps from signing in again in another tab.
    document.addEventListener("visibilitychange", () => this.saver.flush());
  }

  // --- One field ---------------------------------------------------------------------------

  /**
   * Bring a field to the screen.
   * @param {number} id @param {"push" | "stay"} address what happens to the page's address
   * @param {string} [said] what was done before, for screen readers
   */
  async show(id, address, said = "") {
    this.wanted = id;
    this.suggestion.leave();
    this.leave();
    this.busy = true;
    this.way.stopAsking();
    let field;
    try {
      await this.saver.arrival(id);
      // What was fetched ahead may be older than what this tab has counted since.
      if (this.saver.changes.has(id)) this.fields.forget(id);
      field = await this.fields.get(id);
    } catch (error) {
      if (this.wanted !== id) return;
      this.wanted = this.field?.id ?? 0;
      this.busy = false;
      this.panel.notice("trouble", true, error.message);
      return;
    }
    if (this.wanted !== id) return;
    if (String(field.study) !== this.studyId) {
      // Another study has another rule, other keys, perhaps other cell types.
      location.assign(`/fields/${id}/`);
      return;
    }
    if (address === "push") {
      const here = this.field?.id;
      if (here !== undefined) this.fields.keepTrail([...this.fields.trail, here]);
      history.pushState(null, "", `/fields/${id}/`);
    }
    this.field = field;
    this.way.arrive(true);
    this.panel.announce([said, field.name].filter(Boolean).join(" "));
    this.panel.notice("trouble", false);
    this.start(field);
    this.busy = false;
    const opened = this.picture.open(field).catch(() => {
      this.panel.notice("trouble", true, gettext("The picture cannot be shown. Load the page again."));
    });
    // The picture first; and only when the field before is submitted is it not what comes next.
    this.coming = opened.then(() => this.saver.queue).then(() => this.fields.next(id));
    this.coming.then((next) => this.showRemaining(next.remaining)).catch(() => {});
    // What the reader has counted they have looked at, perhaps before this picture is here.
    if (field.my_reading) this.way.settle(field);
    await opened;
    if (this.field !== field) return;
    this.drawMarks();
    this.way.settle(field);
  }

  /** The field leaves the screen, perhaps with the page. */
  leave() {
    this.saver.flush();
    if (this.field) this.steps.keep(this.field.id, this.tally);
  }

  /** @param {import("./fields.js").Field} field */
  start(field) {
    const mine = field.my_reading;
    const kept = this.saver.open(field, mine?.version ?? 0);
    this.tally.load(kept ?? mine);
    if (kept || mine) this.steps.giveBack(field.id, this.tally);
    this.shown = null;
    this.dirty = Boolean(kept);
    if (!kept && !mine) this.onUncounted(field);
    this.clock.restart(kept?.seconds ?? (mine?.state === "draft" ? mine.seconds : 0));
    const restored = kept ?? (field.my_standing === "submitted" ? null : mine);
    this.panel.notice("restored", Boolean(restored));
    this.panel.saved(kept ? "waiting" : this.standing);
    document.title = `${field.name} – HemaTally`;
    say(one("[data-field-name]"), field.name);
    one("[data-slide-link]").setAttribute("href", `/slides/${field.slide}/`);
    this.fields
      .slide(field.slide)
      .then((slide) => this.field === field && say(one("[data-slide-code]"), slide.code))
      .catch(() => {});
    const why = one("[data-why]");
    why.hidden = !field.why;
    say(why, fill(gettext("Why this field: %(why)s"), { why: field.why }));
    this.way.arrived(field);
    this.onField();
    this.showPrediction(field);
    this.changed({ quiet: true });
    if (kept) {
      // At once, as it was left: what is counted from here on is this tab's own.
      this.keepDraft();
      this.saver.flush();
    }
    // Until here a typed number would have been lost to the draft that came after it.
    one(".tallies").inert = false;
  }

  /** Whether the counts here are a suggestion that the reader has done nothing to yet. */
  get begun() {
    return !this.dirty && !this.field?.my_reading && !this.tally.isEmpty;
  }

  /** How the field's counts stand while none are on their way. */
  get standing() {
    return this.begun ? "begun" : stateOf(this.field?.my_standing ?? null);
  }

  /** @param {number} remaining */
  showRemaining(remaining) {
    const words = ngettext("%(n)s field left", "%(n)s fields left", remaining);
    say(one("[data-remaining]"), fill(words, { n: remaining }));
  }

  // --- The prediction ----------------------------------------------------------------------

  /** @param {import("./fields.js").Field} field */
  showPrediction(field) {
    const counted = Boolean(field.my_submitted);
    // The server shows what it may: also to who is correcting what they have submitted.
    const blind = field.blind && !counted && !field.prediction;
    const pending = !blind && isPending(field);
    const words = blind
      ? gettext("hidden until you submit")
      : field.state === "failed"
        ? gettext("no suggestion")
        : pending
          ? gettext("suggestion on its way…")
          : gettext("no suggestion");
    if (field.prediction) this.shown = field.prediction;
    this.panel.showSuggestions(field.prediction, words);
    this.panel.notice("blind", blind);
    this.panel.notice("novel", Boolean(field.prediction?.novel));
    const faults = field.prediction?.faults ?? [];
    this.panel.notice("poor", faults.length > 0, faults.map((fault) => fault.words).join(" "));
    this.panel.notice("failed", field.state === "failed", field.error);
    this.drawMarks();
    if (pending) this.suggestion.await(field);
  }

  /** @param {import("./fields.js").Field} field */
  arrived(field) {
    // Only the suggestion changes: what the reader has counted stays.
    this.showPrediction(field);
    this.onChange();
    this.panel.announce(
      field.prediction ? gettext("The suggestion has arrived.") : gettext("no suggestion"),
    );
  }

  async askForPrediction() {
    const field = this.field;
    if (!field) return;
    try {
      await this.suggestion.request(field);
      if (this.field === field) this.showPrediction(field);
    } catch (error) {
      this.panel.notice("trouble", true, error.message);
    }
  }

  // --- Counting ----------------------------------------------------------------------------

  /** @param {string} code */
  activate(code) {
    this.active = code;
    this.panel.showCounts(this.tally, code);
    this.onChange();
  }

  /** Choose a type, without counting one; what is done next is for it. @param {string} code */
  choose(code) {
    this.way.stopAsking();
    this.activate(code);
    this.panel.announce(this.types.find((each) => each.code === code)?.name ?? "");
  }

  /** @param {string} code @param {number} by */
  add(code, by) {
    if (this.busy || this.mustMend(code) || (by > 0 && !this.mayAdd())) return;
    this.active = code;
    this.tally.add(code, by);
    this.onCount(by);
    this.panel.flash(code);
    const type = this.types.find((each) => each.code === code);
    this.panel.announce(`${type?.name}: ${this.tally.number(code)}`);
  }

  /** @param {string} code @param {string} text */
  type(code, text) {
    if (this.busy) this.panel.showCounts(this.tally, this.active);
    else this.tally.type(code, text);
    this.panel.tellWrong(code, this.tally);
  }

  /** Nothing is added to a type before it has a number. @param {string} code */
  mustMend(code) {
    const open = this.tally.needsNumber(code);
    if (open) this.panel.mend(code, this.tally);
    return open;
  }

  /** Do what changes several numbers, and tell them all. @param {() => unknown} change */
  retell(change) {
    if (this.busy) return;
    const before = this.tally.now;
    change();
    if (this.tally.now === before) return;
    const numbers = this.types.map(({ code, name }) =>
      `${name}: ${this.tally.touched(code) ? this.tally.number(code) : "–"}`,
    );
    this.panel.announce(numbers.join(", "));
  }

  /**
   * @param {number} x @param {number} y @param {number} hit the mark there, or -1
   * @param {number} hint the suggested mark there, or -1
   * @param {boolean} change whether the mark is to become one of the chosen type
   */
  tap(x, y, hit, hint, change) {
    if (this.busy || !this.field) return;
    const now = performance.now();
    if ((hit < 0 || change) && this.mustMend(this.active)) return;
    if (hit >= 0 && change) {
      this.tally.retype(hit, this.active);
      return;
    }
    if (hit >= 0) {
      if (now - this.placedAt > DOUBLE_CLICK) this.tally.remove(hit);
      return;
    }
    if (!this.mayAdd()) return;
    this.placedAt = now;
    // A suggestion of the active type lends its place: its center is better than a tap's.
    const suggestion = this.picture.suggested[hint];
    const place = suggestion?.cell_type === this.active ? suggestion : { x, y };
    this.tally.place(this.active, place.x, place.y);
    this.onCount(1);
    this.panel.flash(this.active);
    if (!this.picture.visible) this.toggleMarks();
  }

  /** @param {string[]} [codes] */
  accept(codes) {
    const prediction = this.field?.prediction;
    if (prediction) this.retell(() => this.tally.accept(prediction, codes));
  }

  /** Make the suggested marks of the chosen type that are still open the reader's own. */
  confirm() {
    if (this.busy || this.mustMend(this.active) || !this.mayAdd()) return;
    const open = this.picture.suggested.filter((hint) => hint.cell_type === this.active);
    if (open.length === 0) return;
    this.tally.confirm(this.active, open);
    this.onCount(1);
    this.panel.flash(this.active);
    const words = ngettext("%(n)s mark confirmed", "%(n)s marks confirmed", open.length);
    this.panel.announce(fill(words, { n: open.length }));
  }

  changed({ quiet = false } = {}) {
    this.panel.showCounts(this.tally, this.active);
    this.drawMarks();
    this.way.stopAsking();
    this.onChange();
    if (quiet) return;
    this.dirty = true;
    this.keepDraft();
  }

  drawMarks() {
    const { tally, picture } = this;
    picture.marks = tally.now.marks;
    picture.faded = new Set(tally.codes.filter((code) => tally.numberOnly(code)));
    one("[data-legend-apart]").hidden = picture.faded.size === 0;
    // A suggestion that the reader has marked is settled.
    const suggested = (this.field?.prediction?.marks ?? []).filter(
      (hint) => picture.looks[hint.cell_type],
    );
    picture.suggested = unmarked(suggested, tally.now.marks, reachOf(picture, suggested.length));
    picture.drawChange();
  }

  toggleMarks() {
    this.picture.visible = !this.picture.visible;
    one("[data-marks]").setAttribute("aria-pressed", String(this.picture.visible));
    this.picture.draw();
  }

  // --- Saving ------------------------------------------------------------------------------

  /** @param {boolean} submit @param {object} what */
  toSend(submit, what) {
    return {
      ...what,
      submit,
      seconds: this.clock.seconds,
      prediction: this.shown?.id ?? null,
    };
  }

  keepDraft() {
    if (this.field) this.saver.draft(this.field.id, this.toSend(false, this.tally.draft()));
  }
}
