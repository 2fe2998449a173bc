/** The counting screen: brings picture, tally, panel, keys and server together. */
import { api } from "../lib/api.js";
import { all, isTyping, one, say } from "../lib/dom.js";
import { fill, gettext, ngettext } from "../lib/i18n.js";
import { shapeAt } from "../lib/shapes.js";
import { Clock } from "./clock.js";
import { Fields } from "./fields.js";
import { MAY_REPEAT, meaning } from "./keys.js";
import { Panel } from "./panel.js";
import { Picture } from "./picture.js";
import { Saver } from "./saver.js";
import { Tally } from "./tally.js";

/** A second tap this soon at the mark just placed is a double click, not a wish to remove it. */
const DOUBLE_CLICK = 350;
const ASK_AGAIN = { first: 1000, growth: 1.4, longest: 8000 };

class Screen {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.studyId = root.dataset.study ?? "";
    this.fields = new Fields(this.studyId);
    this.panel = new Panel({
      activate: (code) => this.activate(code),
      add: (code, by) => this.add(code, by),
      type: (code, number) => this.tally.type(code, number),
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
    this.picture.onTap = (x, y, hit, hint) => this.tap(x, y, hit, hint);
    this.picture.onMove = (index, x, y) => !this.busy && this.tally.move(index, x, y);
    this.clock = new Clock();
    this.saver = new Saver(root.dataset.user ?? "", (state, error) => this.saveState(state, error));
    /** @type {import("./fields.js").Field | null} */
    this.field = null;
    /** @type {import("./tally.js").Prediction | null} */
    this.shown = null;
    this.busy = false;
    this.dirty = false;
    this.asking = false;
    this.placedAt = 0;
    this.predictionTimer = 0;
    /** @type {Promise<{field: number | null, remaining: number}> | null} */
    this.coming = null;
    this.listen();
  }

  listen() {
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("popstate", () => this.show(Number(location.pathname.split("/")[2]), "stay"));
    addEventListener("pagehide", () => this.saver.flush());
    document.addEventListener("visibilitychange", () => document.hidden && this.saver.flush());
    /** @type {Record<string, () => void>} */
    const buttons = {
      accept: () => this.accept(),
      submit: () => this.submit(),
      previous: () => this.previous(),
      undo: () => this.tally.undo(),
      redo: () => this.tally.redo(),
      marks: () => this.toggleMarks(),
      help: () => this.help(),
      "zoom-in": () => this.picture.zoom(1.4),
      "zoom-out": () => this.picture.zoom(1 / 1.4),
      fit: () => this.picture.fit(),
      retry: () => this.askForPrediction(),
      "leave-out": () => this.submit({ leaveOut: this.tally.untouched, sure: true }),
      "ask-zero": () => this.submit({ sure: true }),
      "ask-back": () => this.stopAsking(),
    };
    for (const [name, action] of Object.entries(buttons)) {
      for (const button of all(`[data-${name}]`)) {
        button.addEventListener("click", () => {
          action();
          // The next Enter is to submit, not to press this button again.
          if (!button.closest("dialog")) button.blur();
        });
      }
    }
  }

  // --- One field ---------------------------------------------------------------------------

  /**
   * Bring a field to the screen.
   * @param {number} id @param {"push" | "stay"} address what happens to the page's address
   */
  async show(id, address) {
    clearTimeout(this.predictionTimer);
    this.busy = true;
    this.stopAsking();
    let field;
    try {
      field = await this.fields.get(id);
    } catch (error) {
      this.busy = false;
      this.panel.notice("trouble", true, error.message);
      return;
    }
    if (address === "push") {
      const here = this.field?.id;
      if (here !== undefined) this.fields.keepTrail([...this.fields.trail, here]);
      history.pushState(null, "", `/fields/${id}/`);
    }
    this.field = field;
    this.panel.notice("trouble", false);
    this.start(field);
    this.busy = false;
    this.coming = this.fields.next(id);
    this.coming.then((next) => this.showRemaining(next.remaining)).catch(() => {});
    try {
      await this.picture.open(field);
    } catch {
      this.panel.notice("trouble", true, gettext("The picture cannot be shown. Load the page again."));
    }
    if (this.field === field) this.drawMarks();
  }

  /** @param {import("./fields.js").Field} field */
  start(field) {
    const kept = this.saver.kept(field.id);
    const mine = field.my_reading;
    this.tally.load(kept ?? mine);
    this.shown = null;
    this.dirty = Boolean(kept);
    this.clock.restart(kept?.seconds ?? (mine?.state === "draft" ? mine.seconds : 0));
    this.panel.notice("restored", Boolean(kept) || mine?.state === "draft");
    this.panel.saved(kept ? "waiting" : mine ? stateOf(mine) : "none");
    document.title = `${field.name} – HemaTally`;
    say(one("[data-field-name]"), field.name);
    one("[data-slide-link]").setAttribute("href", `/slides/${field.slide}/`);
    this.fields
      .slideCode(field.slide)
      .then((code) => this.field === field && say(one("[data-slide-code]"), code))
      .catch(() => {});
    this.showPrediction(field);
    this.changed({ quiet: true });
    if (kept) this.keepDraft();
  }

  /** @param {number} remaining */
  showRemaining(remaining) {
    const words = ngettext("%(n)s field left", "%(n)s fields left", remaining);
    say(one("[data-remaining]"), fill(words, { n: remaining }));
  }

  // --- The prediction ----------------------------------------------------------------------

  /** @param {import("./fields.js").Field} field */
  showPrediction(field) {
    const counted = field.my_reading?.state === "submitted";
    const blind = field.blind && !counted;
    const pending = !blind && !field.prediction && ["waiting", "predicting"].includes(field.state);
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
    this.panel.notice("failed", field.state === "failed", field.error);
    this.drawMarks();
    if (pending) this.waitForPrediction(ASK_AGAIN.first);
  }

  /** @param {number} wait milliseconds */
  waitForPrediction(wait) {
    const field = this.field;
    clearTimeout(this.predictionTimer);
    this.predictionTimer = window.setTimeout(async () => {
      let now = null;
      try {
        now = await this.fields.refresh(field.id);
      } catch {
        // Asked again below.
      }
      if (this.field !== field) return;
      const still = !now || (!now.prediction && ["waiting", "predicting"].includes(now.state));
      if (still) {
        this.waitForPrediction(Math.min(wait * ASK_AGAIN.growth, ASK_AGAIN.longest));
        return;
      }
      Object.assign(field, { prediction: now.prediction, state: now.state, error: now.error });
      // Only the suggestion changes: what the reader has counted stays.
      this.showPrediction(field);
      this.panel.announce(gettext("The suggestion has arrived."));
    }, wait);
  }

  async askForPrediction() {
    const field = this.field;
    try {
      const now = await api(`fields/${field.id}/predict/`, { method: "POST" });
      Object.assign(field, { state: now.state, error: now.error });
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
  }

  /** @param {string} code @param {number} by */
  add(code, by) {
    if (this.busy) return;
    this.active = code;
    this.tally.add(code, by);
    this.panel.flash(code);
    const type = this.types.find((each) => each.code === code);
    this.panel.announce(`${type?.name}: ${this.tally.number(code)}`);
  }

  /** @param {number} x @param {number} y @param {number} hit @param {number} hint */
  tap(x, y, hit, hint) {
    if (this.busy || !this.field) return;
    const now = performance.now();
    if (hit >= 0) {
      if (now - this.placedAt > DOUBLE_CLICK) this.tally.remove(hit);
      return;
    }
    this.placedAt = now;
    // A suggestion of the active type lends its place: its center is better than a tap's.
    const suggestion = this.picture.suggested[hint];
    const place = suggestion?.cell_type === this.active ? suggestion : { x, y };
    this.tally.place(this.active, place.x, place.y);
    this.panel.flash(this.active);
    if (!this.picture.visible) this.toggleMarks();
  }

  /** @param {string[]} [codes] */
  accept(codes) {
    if (this.busy || !this.field?.prediction) return;
    this.tally.accept(this.field.prediction, codes);
  }

  changed({ quiet = false } = {}) {
    this.panel.showCounts(this.tally, this.active);
    this.drawMarks();
    this.stopAsking();
    if (quiet) return;
    this.dirty = true;
    this.keepDraft();
  }

  drawMarks() {
    const { tally, picture } = this;
    picture.marks = tally.now.marks;
    picture.faded = new Set(tally.codes.filter((code) => tally.numberOnly(code)));
    // A type the reader has taken in hand shows the reader's marks; the others the suggestion's.
    const suggested = this.field?.prediction?.marks ?? [];
    picture.suggested = suggested.filter(
      (hint) => picture.looks[hint.cell_type] && !this.isNearMark(hint),
    );
    picture.draw();
  }

  /** @param {import("./tally.js").Mark} hint whether the reader has marked this suggestion */
  isNearMark(hint) {
    const reach = Math.max(6, this.picture.width / 80);
    return this.tally.now.marks.some(
      (mark) => Math.hypot(mark.x - hint.x, mark.y - hint.y) < reach,
    );
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
      shown_prediction: this.shown?.model_version ?? null,
    };
  }

  keepDraft() {
    if (this.field) this.saver.draft(this.field.id, this.toSend(false, this.tally.draft()));
  }

  /** @param {import("./saver.js").SaveState} state */
  saveState(state, error) {
    this.panel.saved(state);
    this.panel.notice("trouble", Boolean(error), error?.message);
    one("[data-sign-in]").hidden = error?.status !== 401;
  }

  /** Types that would be saved as 0 although the suggestion says otherwise. */
  get doubtful() {
    const counts = this.field?.prediction?.counts ?? {};
    const all = this.tally.isEmpty;
    return this.tally.untouched.filter((code) => all || (counts[code]?.value ?? 0) > 0);
  }

  /** @param {{leaveOut?: string[], sure?: boolean}} [options] */
  async submit({ leaveOut = [], sure = false } = {}) {
    if (this.busy || !this.field) return;
    this.tally.endTyping();
    const field = this.field;
    if (!this.dirty && field.my_reading?.state === "submitted") {
      await this.goOn(null);
      return;
    }
    if (!sure && !this.asking && this.doubtful.length > 0) {
      this.ask(this.doubtful);
      return;
    }
    this.stopAsking();
    this.busy = true;
    this.root.classList.add("is-busy");
    try {
      const reading = this.toSend(true, this.tally.reading(leaveOut));
      const answer = await this.saver.submit(field.id, reading);
      this.dirty = false;
      await this.goOn(answer.next);
    } catch (error) {
      this.panel.notice("trouble", true, error.message);
    } finally {
      this.busy = false;
      this.root.classList.remove("is-busy");
    }
  }

  /** @param {{field: number} | null} next as the submission's answer says */
  async goOn(next) {
    let id = next?.field ?? null;
    if (next === null) {
      try {
        id = (await this.coming)?.field ?? null;
      } catch {
        id = null;
      }
    }
    this.panel.announce(gettext("Submitted."));
    if (id === null) {
      location.assign(`/studies/${this.studyId}/count/`);
      return;
    }
    await this.show(id, "push");
  }

  async previous() {
    if (this.busy) return;
    const trail = this.fields.trail;
    const last = trail.pop() ?? Number(this.root.dataset.previous || 0);
    if (!last || last === this.field?.id) {
      this.panel.announce(gettext("This is the first field of this visit."));
      return;
    }
    this.saver.flush();
    this.fields.keepTrail(trail);
    history.pushState(null, "", `/fields/${last}/`);
    this.root.dataset.previous = "";
    await this.show(last, "stay");
  }

  /** @param {string[]} codes */
  ask(codes) {
    this.asking = true;
    const names = this.types.filter((type) => codes.includes(type.code)).map((type) => type.name);
    const words = this.tally.isEmpty
      ? gettext("Nothing is counted yet. Save all types as 0?")
      : fill(gettext("Not counted: %(names)s. Save as 0?"), { names: names.join(", ") });
    this.panel.notice("ask", true, words);
    one("[data-leave-out]").hidden = this.tally.isEmpty;
  }

  stopAsking() {
    if (!this.asking) return;
    this.asking = false;
    this.panel.notice("ask", false);
  }

  help() {
    const dialog = /** @type {HTMLDialogElement} */ (one("#keys"));
    if (dialog.open) dialog.close();
    else dialog.showModal();
  }

  // --- Keys --------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  key(event) {
    const target = event.target;
    const typing = isTyping(target);
    const meant = meaning(event, {
      keys: this.keys,
      typing,
      dialog: /** @type {HTMLDialogElement} */ (one("#keys")).open,
      button: target instanceof HTMLElement && Boolean(target.closest("a, button, summary")),
    });
    if (!meant) return;
    if (meant.name === "escape") {
      this.stopAsking();
      if (typing) /** @type {HTMLElement} */ (target).blur();
      return; // an open dialog closes by itself
    }
    event.preventDefault();
    if (event.repeat && !MAY_REPEAT.has(meant.name)) return;
    if (typing && !["undo", "redo"].includes(meant.name)) {
      /** @type {HTMLElement} */ (target).blur();
    }
    const code = meant.code ?? this.active;
    /** @type {Record<string, () => void>} */
    const actions = {
      add: () => this.add(code, 1),
      subtract: () => this.add(code, -1),
      zero: () => !this.busy && this.tally.type(this.active, 0),
      number: () => this.panel.input(this.active).focus(),
      accept: () => this.accept(),
      submit: () => this.submit(),
      previous: () => this.previous(),
      undo: () => !this.busy && this.tally.undo(),
      redo: () => !this.busy && this.tally.redo(),
      marks: () => this.toggleMarks(),
      help: () => this.help(),
      "zoom-in": () => this.picture.zoom(1.4),
      "zoom-out": () => this.picture.zoom(1 / 1.4),
      fit: () => this.picture.fit(),
      left: () => this.picture.pan(-0.15, 0),
      right: () => this.picture.pan(0.15, 0),
      up: () => this.picture.pan(0, -0.15),
      down: () => this.picture.pan(0, 0.15),
    };
    actions[meant.name]?.();
  }
}

/** @param {{state: string}} reading @returns {"saved" | "submitted"} */
function stateOf(reading) {
  return reading.state === "draft" ? "saved" : "submitted";
}

const root = one("#counting");
const screen = new Screen(root);
const first = Number(root.dataset.field);
screen.show(first, "stay").then(() => screen.saver.sendLeftovers(first));
