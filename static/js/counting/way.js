/**
 * The way from field to field. The next field shows at once, while the counts of the one before are
 * still on their way to the server; when they do not arrive the reader is told and can go back.
 */
import { one } from "../lib/dom.js";
import { fill, gettext } from "../lib/i18n.js";

/**
 * @typedef {import("./fields.js").Field} Field
 * @typedef {import("./saver.js").Refused} Refused
 */

/** A second press this soon is the other half of a double press: its reader has read nothing new. */
const DOUBLE_PRESS = 250;

export class Way {
  /**
   * @param {any} screen the Screen; not named as a type, because its file imports this one and
   *   addresses with digests cannot go round in a circle
   */
  constructor(screen) {
    this.screen = screen;
    /** Whether nobody can have looked at the field on the screen yet, which shows since `shownAt`. */
    this.arriving = false;
    this.shownAt = 0;
    /** Whether the key 0 sent the last field on its way. */
    this.byZero = false;
    /** Whether the screen stays as it is until the counts have arrived. */
    this.staying = false;
    /** The types that the reader is asked about: their answer is for these. @type {string[]} */
    this.asked = [];
    /** Where the reader goes once the field is done, when they came from there; else the next one. */
    this.back = screen.root.dataset.back ?? "";
    /** Fields whose counts the server did not take. @type {Map<number, Refused>} */
    this.refused = new Map();
    /** Why, of fields that another reader counted meanwhile. @type {Map<number, string>} */
    this.taken = new Map();
    one("[data-submit-instead]").addEventListener("click", () => this.submitInstead());
    one("[data-elsewhere]").addEventListener("click", (event) => {
      const [fieldId] = [...this.refused.keys()].slice(-1);
      if (fieldId === undefined || screen.busy) return;
      event.preventDefault();
      screen.show(fieldId, "push");
    });
    one("[data-discard]").addEventListener("click", () => {
      const [fieldId] = [...this.refused.keys()].slice(-1);
      if (fieldId === undefined) return;
      screen.saver.discard(fieldId);
      this.taken.delete(fieldId);
      this.refused.delete(fieldId);
      this.#showRefused();
    });
  }

  /** @param {boolean} arriving */
  arrive(arriving) {
    if (arriving) this.shownAt = performance.now();
    this.arriving = arriving;
    this.screen.root.classList.toggle("is-arriving", arriving);
  }

  /** A press of Enter sooner than this was meant for the field before. @param {Field} field */
  settle(field) {
    setTimeout(() => this.screen.field === field && this.arrive(false), DOUBLE_PRESS);
  }

  get asking() {
    return this.asked.length > 0;
  }

  /** Whether a press now is the other half of the one that brought this field, and not its own. */
  get pressedTwice() {
    const soon = performance.now() - this.shownAt <= DOUBLE_PRESS;
    return this.arriving && !this.screen.dirty && soon;
  }

  /**
   * Types that would be saved as 0 although neither the reader nor the suggestion says so. Where the
   * reader has a reading, a type may have been left out on purpose: no suggestion speaks for that.
   */
  get doubtful() {
    const { field, tally } = this.screen;
    const counts = field?.prediction?.counts ?? {};
    const again = Boolean(field?.my_reading);
    return tally.untouched.filter(
      (code) => again || tally.isEmpty || tally.marked(code) > 0 || counts[code]?.value !== 0,
    );
  }

  /** @param {{leaveOut?: string[], sure?: boolean}} [options] */
  async submit({ leaveOut = [], sure = false } = {}) {
    const { screen } = this;
    const { field, tally, saver } = screen;
    if (screen.busy || !field) return;
    if (!sure) this.byZero = false;
    tally.endTyping();
    if (saver.conflicts.has(field.id)) {
      screen.onConflict();
      return;
    }
    if (this.taken.has(field.id)) {
      this.#showTaken();
      return;
    }
    if (Object.keys(tally.now.wrong).some((code) => screen.mustMend(code))) return;
    if (!screen.dirty && field.my_standing === "submitted") {
      await this.goOn(null);
      return;
    }
    if (this.arriving && !screen.dirty && !sure) {
      // The second half of a double press needs no word; who waits for the picture does.
      if (!this.pressedTwice) screen.panel.announce(gettext("The picture is still on its way."));
      return;
    }
    if (!sure && this.asking) {
      // Whoever presses on in haste has not read the question: it takes another key or button.
      screen.panel.announce(gettext("Press 0 to save as 0, or Esc to go back."));
      return;
    }
    if (!sure && this.doubtful.length > 0) {
      this.ask(this.doubtful);
      return;
    }
    this.stopAsking();
    const sent = saver.submit(field.id, screen.toSend(true, tally.reading(leaveOut)));
    const next = this.back ? null : screen.fields.ready(field.id);
    if (next === null) await this.#waitFor(sent);
    else {
      // Told by saveState when it fails.
      sent.catch(() => {});
      await screen.show(next, "push", submitted(field));
    }
  }

  /** Put these counts in the place of those that another reader submitted meanwhile. */
  async submitInstead() {
    const { screen } = this;
    if (screen.busy || !screen.field) return;
    this.taken.delete(screen.field.id);
    screen.saver.replacing.add(screen.field.id);
    this.#showTaken();
    await this.submit();
  }

  #showTaken() {
    const { field, panel } = this.screen;
    const why = field && this.taken.get(field.id);
    panel.notice("counted", Boolean(why), why ?? "");
    if (why) one('[data-notice="counted"]').scrollIntoView({ block: "nearest" });
  }

  /**
   * Stay until the server has the counts: nobody knows yet what comes next.
   * @param {Promise<{next: {field: number} | null}>} sent
   */
  async #waitFor(sent) {
    const { screen } = this;
    screen.busy = true;
    this.staying = true;
    screen.root.classList.add("is-busy");
    try {
      const answer = await sent;
      screen.dirty = false;
      await this.goOn(answer.next);
    } catch (error) {
      const toldElsewhere = error.code === "newer" || error.code === "counted";
      if (!toldElsewhere) screen.panel.notice("trouble", true, error.message);
    } finally {
      screen.busy = false;
      this.staying = false;
      screen.root.classList.remove("is-busy");
    }
  }

  /**
   * @param {{field: number} | null} next as the submission's answer says
   * @param {string} [words] what was done here
   */
  async goOn(next, words = submitted(this.screen.field)) {
    const { screen } = this;
    screen.busy = true;
    if (this.back) {
      screen.panel.announce(words);
      location.assign(this.back);
      return;
    }
    let id = next?.field ?? null;
    if (next === null) {
      try {
        id = (await screen.coming)?.field ?? null;
      } catch {
        id = null;
      }
    }
    if (id === null) {
      screen.panel.announce(words);
      location.assign(`/studies/${screen.studyId}/count/`);
      return;
    }
    await screen.show(id, "push", words);
  }

  async previous() {
    const { screen } = this;
    if (screen.busy) return;
    const trail = screen.fields.trail;
    // Whoever came here by the browser's own way back left this field on the trail.
    while (trail.at(-1) === screen.field?.id) trail.pop();
    const last = trail.pop() ?? Number(screen.root.dataset.previous || 0);
    if (!last || last === screen.field?.id) {
      screen.panel.announce(gettext("This is the first field of this visit."));
      return;
    }
    screen.saver.flush();
    screen.fields.keepTrail(trail);
    history.pushState(null, "", `/fields/${last}/`);
    screen.root.dataset.previous = "";
    await screen.show(last, "stay");
  }

  /** @param {string[]} codes */
  ask(codes) {
    const { panel, tally, types } = this.screen;
    this.asked = codes;
    const names = types.filter((type) => codes.includes(type.code)).map((type) => type.name);
    const words = tally.isEmpty
      ? gettext("Nothing is counted yet. Save all types as 0?")
      : fill(gettext("Not counted: %(names)s. Save as 0?"), { names: names.join(", ") });
    panel.notice("ask", true, words);
    one("[data-leave-out]").hidden = tally.isEmpty;
  }

  /** The key 0: yes to the question, when it is asked; else none of the chosen type. */
  async zero() {
    const { screen } = this;
    if (this.asking) {
      this.byZero = true;
      await this.submit({ sure: true });
    } else if (!(this.byZero && this.pressedTwice)) {
      screen.retell(() => screen.tally.none(screen.active));
    }
  }

  stopAsking() {
    if (!this.asking) return;
    this.asked = [];
    this.screen.panel.notice("ask", false);
  }

  // --- What became of the counts -----------------------------------------------------------

  /** @param {Field} field is on the screen now: its own notices say how it stands */
  arrived(field) {
    this.refused.delete(field.id);
    this.#showRefused();
    this.#showTaken();
    const words = gettext(
      "%(name)s has ruled on this field. If you correct your count, it is kept, but the ruling holds until a reviewer decides again.",
    );
    this.screen.panel.notice("ruled", Boolean(field.ruled_by), fill(words, { name: field.ruled_by }));
  }

  /**
   * @param {number} fieldId @param {import("./saver.js").SaveState} state
   * @param {import("../lib/api.js").ApiError | null} error
   */
  saveState(fieldId, state, error) {
    const { field, panel, saver, dirty, standing } = this.screen;
    const here = field?.id === fieldId;
    const refused = state === "refused" || state === "conflict";
    const loose = saver.loose.has(fieldId)
      ? gettext("This browser has no room to keep your counts: leave this page open.")
      : "";
    const held = this.staying && state === "waiting";
    const goesOn = held ? gettext("You can go on once this field is saved.") : "";
    const words = [error?.message, goesOn, loose].filter(Boolean).join(" ");
    const counted = error?.code === "counted";
    if (error && counted) this.taken.set(fieldId, error.message);
    panel.notice("trouble", Boolean(error) && (here ? !counted : !refused), words);
    one("[data-sign-in]").hidden = error?.status !== 401;
    if (here && counted) {
      panel.saved("saved"); // as a draft
      this.#showTaken();
    } else if (here || state === "waiting") panel.saved(held && error?.passing ? "held" : state);
    // The field on the screen tells its own state again.
    else if (!dirty) panel.saved(standing);
    if (here && state === "submitted") {
      // Also by a draft that says what was submitted: there is nothing to submit again.
      field.my_standing = state;
      this.screen.dirty = false;
    }
    if (here && state === "conflict") this.screen.onConflict();
    if (!here && refused) {
      const why = error?.message ?? saver.conflicts.get(fieldId)?.detail ?? "";
      this.tellRefused({ fieldId, why, gone: null, counted });
    }
  }

  /** @param {Refused} refused of a field that is not on the screen */
  tellRefused(refused) {
    this.refused.set(refused.fieldId, refused);
    if (refused.counted) this.taken.set(refused.fieldId, refused.why);
    this.#showRefused();
  }

  /** Tell of one field at a time, the last one first. */
  #showRefused() {
    const { panel, saver } = this.screen;
    const [last] = [...this.refused].slice(-1);
    if (!last) {
      panel.notice("elsewhere", false);
      return;
    }
    const [fieldId, { why, gone, counted }] = last;
    const link = one("[data-elsewhere]");
    link.setAttribute("href", `/fields/${fieldId}/`);
    link.hidden = Boolean(gone);
    const name = saver.names.get(fieldId) ?? gettext("Another field");
    if (gone) {
      const words = gettext(
        "%(name)s is closed to you now. Ask who runs its study to let you in again; your counts are kept in this browser: %(counts)s.",
      );
      panel.notice("elsewhere", true, fill(words, { name, counts: this.#inWords(gone) }));
      return;
    }
    const words = counted
      ? "%(name)s: %(why)s"
      : gettext("%(name)s is not saved, but kept in this browser. %(why)s");
    panel.notice("elsewhere", true, fill(words, { name, why }));
  }

  /** @param {Record<string, number>} counts of a field, perhaps of another study */
  #inWords(counts) {
    const names = new Map(this.screen.types.map((type) => [type.code, type.name]));
    return Object.entries(counts)
      .map(([code, number]) => `${names.get(code) ?? code} ${number}`)
      .join(", ");
  }
}

/** @param {Field | null} field @returns {string} what is said when its counts are on their way */
function submitted(field) {
  if (!field?.ruled_by) return gettext("Submitted.");
  return fill(gettext("Submitted. The ruling by %(name)s still holds."), { name: field.ruled_by });
}

/** @param {Field["my_standing"]} standing @returns {"none" | "saved" | "correction" | "submitted"} */
export function stateOf(standing) {
  return standing === "draft" ? "saved" : (standing ?? "none");
}
